#include "cli/help.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

enum { HELP_COLUMNS = 100, HELP_INDENT = 2, HELP_TEXT_COLUMN_MAX = 34 };

static const char *const group_titles[CMD_GROUPS] = {
    [CMD_GROUP_BASIC] = "Basic Commands",     [CMD_GROUP_WATCH] = "Watching and Waiting",
    [CMD_GROUP_CLUSTER] = "Cluster Commands", [CMD_GROUP_DEV] = "Local Environment",
    [CMD_GROUP_OTHER] = "Other Commands",
};

const char *help_group_title(int group)
{
    return group_titles[group];
}

/* Words of text, broken at HELP_COLUMNS, following lines indented by `column`; the first line starts at
 * column. */
static void add_wrapped(struct buf *out, const char *text, size_t column)
{
    size_t at = column;

    while (*text) {
        size_t word = strcspn(text, " ");
        if (at > column && at + 1 + word > HELP_COLUMNS) {
            buf_addc(out, '\n');
            buf_fill(out, ' ', column);
            at = column;
        } else if (at > column) {
            buf_addc(out, ' ');
            at++;
        }
        buf_add(out, text, word);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    buf_addc(out, '\n');
}

static const char *value_name(const struct cmd_opt *o)
{
    if (o->value)
        return o->value;
    switch (o->type) {
    case OPT_FLAG:
    case OPT_END:
        return NULL;
    case OPT_INT:
        return "N";
    case OPT_DURATION:
        return "DURATION";
    case OPT_ENUM:
    case OPT_STRING:
    case OPT_LIST:
    case OPT_CSV:
        break;
    }
    return "VALUE";
}

char *help_option_title(const struct cmd_opt *o)
{
    struct buf b = BUF_INIT;
    const char *value = value_name(o);

    if (o->letter)
        buf_addf(&b, "-%c, ", o->letter);
    else
        buf_adds(&b, "    ");
    buf_addf(&b, "--%s", o->name);
    if (o->type == OPT_ENUM && !o->value) {
        _cleanup_free_ char *list = strv_join((char *const *)o->choices, "|");
        buf_addf(&b, o->bare ? "[=%s]" : " %s", list);
    } else if (value) {
        buf_addf(&b, o->bare ? "[=%s]" : " %s", value);
    }
    return buf_take(&b);
}

void help_options(struct buf *out, const struct cmd_opt *opts)
{
    size_t column = 0;

    for (const struct cmd_opt *o = opts; o && o->type != OPT_END; o++) {
        _cleanup_free_ char *title = o->hidden ? NULL : help_option_title(o);
        size_t need = title ? HELP_INDENT + str_width(title) + 2 : 0;
        if (need > column && need <= HELP_TEXT_COLUMN_MAX)
            column = need;
    }
    for (const struct cmd_opt *o = opts; o && o->type != OPT_END; o++) {
        _cleanup_free_ char *title = NULL, *text = NULL;
        if (o->hidden)
            continue;
        title = help_option_title(o);
        text = o->def && !streq(o->def, "0") && !streq(o->def, "false")
                   ? xasprintf("%s (default %s)", o->help, o->def)
                   : xstrdup(o->help);
        buf_fill(out, ' ', HELP_INDENT);
        buf_adds(out, title);
        size_t at = HELP_INDENT + str_width(title);
        if (at + 2 > column) {
            buf_addc(out, '\n');
            at = 0;
        }
        buf_fill(out, ' ', column - at);
        add_wrapped(out, text, column);
    }
}

void help_usage(struct buf *out, const char *path, const struct cmd_entry *entry)
{
    const char *rest = entry->usage;

    if (!rest)
        rest = entry->subs ? "COMMAND [options]" : "[options]";
    buf_addf(out, "%s%s%s", path, *rest ? " " : "", rest);
}

static void add_commands(struct buf *out, const struct cmd_entry *const *table, int group)
{
    size_t width = 0;

    for (const struct cmd_entry *const *e = table; *e; e++)
        if (group < 0 ? (*e)->group != CMD_GROUP_HIDDEN : (int)(*e)->group == group)
            width = strlen((*e)->name) > width ? strlen((*e)->name) : width;
    for (const struct cmd_entry *const *e = table; *e; e++)
        if (group < 0 ? (*e)->group != CMD_GROUP_HIDDEN : (int)(*e)->group == group) {
            buf_addf(out, "  %-*s  ", (int)width, (*e)->name);
            add_wrapped(out, (*e)->brief, width + 4);
        }
}

static void add_examples(struct buf *out, const char *program, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        buf_adds(out, "  ");
        for (size_t i = 0; i < len; i++) {
            if (text[i] == '%' && i + 1 < len && text[i + 1] == 'P') {
                buf_adds(out, program);
                i++;
            } else {
                buf_addc(out, text[i]);
            }
        }
        buf_addc(out, '\n');
        text += len;
        text += *text == '\n';
    }
}

/* Paragraphs are separated by a blank line; lines that start with a space stay as they are. */
static void add_text(struct buf *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        _cleanup_free_ char *line = xstrndup(text, len);
        if (len == 0 || line[0] == ' ')
            buf_addf(out, "%s\n", line);
        else
            add_wrapped(out, line, 0);
        text += len;
        text += *text == '\n';
    }
}

void help_program(struct buf *out, const char *program, const struct cmd_entry *const *table)
{
    buf_addf(out, "%s runs WebAssembly actors on wasmCloud hosts through the Kubernetes API.\n", program);
    for (int group = 0; group < CMD_GROUPS; group++) {
        bool any = false;
        for (const struct cmd_entry *const *e = table; *e && !any; e++)
            any = (int)(*e)->group == group;
        if (!any)
            continue;
        buf_addf(out, "\n%s:\n", group_titles[group]);
        add_commands(out, table, group);
    }
    buf_addf(out, "\nUsage:\n  %s COMMAND [options]\n", program);
    buf_addf(out,
             "\nUse \"%s COMMAND --help\" for more about a command, \"%s options\" for the options of all "
             "commands.\n",
             program, program);
}

void help_command(struct buf *out, const char *program, const char *path, const struct cmd_entry *entry)
{
    add_text(out, entry->help ? entry->help : entry->brief);
    if (entry->aliases && *entry->aliases) {
        _cleanup_free_ char *list = strv_join((char *const *)entry->aliases, ", ");
        buf_addf(out, "\nAliases:\n  %s, %s\n", entry->name, list);
    }
    if (entry->examples) {
        buf_adds(out, "\nExamples:\n");
        add_examples(out, program, entry->examples);
    }
    if (entry->subs) {
        buf_adds(out, "\nCommands:\n");
        add_commands(out, entry->subs, -1);
    }
    if (entry->opts && entry->opts->type != OPT_END) {
        buf_adds(out, "\nOptions:\n");
        help_options(out, entry->opts);
    }
    buf_adds(out, "\nUsage:\n  ");
    help_usage(out, path, entry);
    buf_addf(out, "\n\nUse \"%s options\" for the options of all commands.\n", program);
}
