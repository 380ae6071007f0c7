#include "cli/man.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/help.h"

/* Text: a dash that can be typed, no escapes. */
static void add_escaped(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            buf_adds(out, "\\-");
        else if (text[i] == '\\')
            buf_adds(out, "\\e");
        else
            buf_addc(out, text[i]);
    }
}

/* A line of text: no request begins by accident. */
static void add_line(struct buf *out, const char *text, size_t len)
{
    if (len && (*text == '.' || *text == '\''))
        buf_adds(out, "\\&");
    add_escaped(out, text, len);
    buf_addc(out, '\n');
}

/* New sentences on new lines, as roff wants them for the right space between. */
static void add_sentences(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i + 2 < len; i++)
        if (text[i] == '.' && text[i + 1] == ' ' && text[i + 2] >= 'A' && text[i + 2] <= 'Z') {
            add_line(out, text + from, i + 1 - from);
            from = i + 2;
        }
    add_line(out, text + from, len - from);
}

/* Paragraphs as in the help: a blank line between, lines that begin with a space stay as they are. */
static void add_text(struct buf *out, const char *text)
{
    bool as_is = false;

    while (*text) {
        size_t len = strcspn(text, "\n");
        bool keep = *text == ' ';
        if (keep != as_is)
            buf_adds(out, keep ? ".nf\n" : ".fi\n");
        as_is = keep;
        if (len == 0)
            buf_adds(out, ".PP\n");
        else if (keep)
            add_line(out, text, len);
        else
            add_sentences(out, text, len);
        text += len;
        text += *text == '\n';
    }
    if (as_is)
        buf_adds(out, ".fi\n");
}

static void add_head(struct buf *out, const char *name, const char *brief)
{
    buf_adds(out, ".TH ");
    for (const char *p = name; *p; p++) {
        char upper = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
        add_escaped(out, &upper, 1);
    }
    buf_adds(out, " 1 \"\" \"wasmctl " WASMCTL_VERSION "\" \"wasmctl\"\n.SH NAME\n");
    add_escaped(out, name, strlen(name));
    buf_adds(out, " \\- ");
    add_line(out, brief, strlen(brief));
}

static void add_options(struct buf *out, const struct cmd_opt *opts)
{
    for (const struct cmd_opt *o = opts; o && o->type != OPT_END; o++) {
        _cleanup_free_ char *title = NULL;
        if (o->hidden)
            continue;
        title = help_option_title(o);
        const char *start = title + strspn(title, " ");
        buf_adds(out, ".TP\n\\fB");
        add_escaped(out, start, strlen(start));
        buf_adds(out, "\\fR\n");
        add_sentences(out, o->help, strlen(o->help));
        if (o->def && !streq(o->def, "0") && !streq(o->def, "false")) {
            _cleanup_free_ char *text = xasprintf("Default: %s.", o->def);
            add_line(out, text, strlen(text));
        }
    }
}

static void add_reference(struct buf *out, const char *page)
{
    buf_adds(out, ".BR ");
    add_escaped(out, page, strlen(page));
    buf_adds(out, " (1)");
}

static void add_commands(struct buf *out, const char *page, const struct cmd_entry *const *table, int group)
{
    for (; *table; table++) {
        if ((*table)->group == CMD_GROUP_HIDDEN || (group >= 0 && (int)(*table)->group != group))
            continue;
        _cleanup_free_ char *name = xasprintf("%s-%s", page, (*table)->name);
        buf_adds(out, ".TP\n");
        add_reference(out, name);
        buf_addc(out, '\n');
        add_line(out, (*table)->brief, strlen((*table)->brief));
    }
}

static void add_examples(struct buf *out, const char *text)
{
    buf_adds(out, ".SH EXAMPLES\n.EX\n");
    while (*text) {
        struct buf line = BUF_INIT;
        size_t len = strcspn(text, "\n");
        for (size_t i = 0; i < len; i++) {
            bool program = text[i] == '%' && i + 1 < len && text[i + 1] == 'P';
            if (program)
                buf_adds(&line, "wasmctl");
            else
                buf_addc(&line, text[i]);
            i += program;
        }
        add_line(out, buf_str(&line), line.len);
        buf_release(&line);
        text += len;
        text += *text == '\n';
    }
    buf_adds(out, ".EE\n");
}

char *man_name(const char *path)
{
    char *name = xstrdup(path);

    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '-';
    return name;
}

void man_program(struct buf *out, const struct cmd_entry *const *table)
{
    static const char about[] =
        "wasmctl works with the objects of a Kubernetes API server as kubectl does, and knows what "
        "WebAssembly "
        "actors need: WasmActors, WasmProviders, Lattices and LatticeHosts are its own kinds, run by "
        "wasm-operator on wasmCloud hosts.";
    static const char files[] = ".SH FILES\n.TP\n.I ~/.kube/config\nThe kubeconfig, unless $KUBECONFIG or "
                                "\\-\\-kubeconfig names others.\n.TP\n.I ~/.cache/wasmctl\nWhat is kept for "
                                "completion, and the parts of the local environment.\n";
    static const char environment[] =
        ".SH ENVIRONMENT\n.TP\n.B KUBECONFIG\nThe kubeconfig files, separated by colons.\n.TP\n.B "
        "KUBECACHEDIR\n"
        "Folder of what servers say about themselves.\n.TP\n.B WASMCTL_CACHE\nAnother folder than "
        "~/.cache/wasmctl.\n.TP\n.B PATH\nPrograms named wasmctl\\-<word> are commands too.\n";
    static const char codes[] =
        ".SH EXIT STATUS\n0 when all went well, 1 after an error; a plugin's own code. "
        "The pages of the commands tell others.\n.SH SEE ALSO\n.BR kubectl (1)\n";

    add_head(out, "wasmctl", "run WebAssembly actors on wasmCloud hosts through the Kubernetes API");
    buf_adds(out, ".SH SYNOPSIS\n.B wasmctl\n.I COMMAND\n[options]\n.SH DESCRIPTION\n");
    add_text(out, about);
    for (int group = 0; group < CMD_GROUPS; group++) {
        _cleanup_buf_ struct buf commands = BUF_INIT;
        add_commands(&commands, "wasmctl", table, group);
        if (!commands.len)
            continue;
        buf_addf(out, ".SH %s\n", help_group_title(group));
        buf_add(out, commands.data, commands.len);
    }
    buf_adds(out, ".SH OPTIONS OF ALL COMMANDS\n");
    add_options(out, cmd_global_opts);
    buf_adds(out, environment);
    buf_adds(out, files);
    buf_adds(out, codes);
}

void man_command(struct buf *out, const char *path, const char *parent, const struct cmd_entry *entry)
{
    _cleanup_free_ char *name = man_name(path);
    _cleanup_buf_ struct buf usage = BUF_INIT;

    add_head(out, name, entry->brief);
    help_usage(&usage, path, entry);
    buf_adds(out, ".SH SYNOPSIS\n.B ");
    add_escaped(out, path, strlen(path));
    buf_addc(out, '\n');
    const char *rest = buf_str(&usage) + strlen(path);
    rest += *rest == ' ';
    if (*rest)
        add_line(out, rest, strlen(rest));
    buf_adds(out, ".SH DESCRIPTION\n");
    add_text(out, entry->help ? entry->help : entry->brief);
    if (entry->aliases && *entry->aliases) {
        _cleanup_free_ char *list = strv_join((char *const *)entry->aliases, ", ");
        buf_adds(out, ".PP\nOther names: ");
        add_line(out, list, strlen(list));
    }
    if (entry->subs) {
        buf_adds(out, ".SH COMMANDS\n");
        add_commands(out, name, entry->subs, -1);
    }
    if (entry->opts && entry->opts->type != OPT_END) {
        buf_adds(out, ".SH OPTIONS\n");
        add_options(out, entry->opts);
    }
    if (entry->examples)
        add_examples(out, entry->examples);
    buf_adds(out, ".SH SEE ALSO\n");
    add_reference(out, parent);
    if (!streq(parent, "wasmctl")) {
        buf_adds(out, ",\n");
        add_reference(out, "wasmctl");
    }
    buf_addc(out, '\n');
}
