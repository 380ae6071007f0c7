#include "cli/check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/opt.h"

struct checking {
    struct buf *problems;
    size_t n;
};

static void complain(struct checking *k, const char *path, const char *fmt, ...) _printf_(3, 4);
static void complain(struct checking *k, const char *path, const char *fmt, ...)
{
    va_list ap;

    buf_addf(k->problems, "%s: ", path);
    va_start(ap, fmt);
    buf_vaddf(k->problems, fmt, ap);
    va_end(ap);
    buf_addc(k->problems, '\n');
    k->n++;
}

static void check_text(struct checking *k, const char *path, const char *what, const char *text)
{
    if (str_empty(text)) {
        complain(k, path, "%s has no text", what);
        return;
    }
    if (text[strlen(text) - 1] == '.' || strchr(text, '\n'))
        complain(k, path, "the text of %s is no headline: \"%s\"", what, text);
}

static void check_options(struct checking *k, const char *path, const struct cmd_opt *opts)
{
    for (const struct cmd_opt *o = opts; o && o->type != OPT_END; o++) {
        _cleanup_free_ char *what = xasprintf("--%s", o->name);
        check_text(k, path, what, o->help);
        if (o->type == OPT_ENUM && (!o->choices || !o->choices[0]))
            complain(k, path, "%s has no choices", what);
        for (const struct cmd_opt *other = opts; other != o; other++)
            if (streq(other->name, o->name) || (o->letter && other->letter == o->letter))
                complain(k, path, "%s and --%s have the same name or letter", what, other->name);
    }
}

static void check_entry(struct checking *k, const char *path, const struct cmd_entry *e)
{
    check_text(k, path, "the command", e->brief);
    check_options(k, path, e->opts);
    if (str_empty(e->examples) && !e->subs)
        complain(k, path, "there are no examples");
    if (e->examples && !strstr(e->examples, "%P"))
        complain(k, path, "no example runs the program");
    if (!e->subs && !e->run)
        complain(k, path, "it does nothing");
    if (e->max_args && str_empty(e->usage) && !e->subs)
        complain(k, path, "it takes arguments that its usage does not tell");
    if (e->max_args > 0 && e->min_args > e->max_args)
        complain(k, path, "it needs more arguments than it takes");
    if (e->usage && strstr(e->usage, "KIND") && e->args == CMD_ARGS_TEXT)
        complain(k, path, "its arguments are not told to completion (args)");
    if (e->opts && !e->options_size)
        complain(k, path, "it has options and no struct for them");
}

static void check_level(struct checking *k, const char *above, const struct cmd_entry *const *table)
{
    for (const struct cmd_entry *const *e = table; *e; e++) {
        _cleanup_free_ char *path = xasprintf("%s %s", above, (*e)->name);
        for (const struct cmd_entry *const *other = table; other != e; other++)
            if (streq((*other)->name, (*e)->name))
                complain(k, path, "there are two of them");
        if ((*e)->group != CMD_GROUP_HIDDEN)
            check_entry(k, path, *e);
        if ((*e)->subs)
            check_level(k, path, (*e)->subs);
    }
}

size_t check_table(const struct cmd_entry *const *table, struct buf *problems)
{
    struct checking k = {problems, 0};

    check_options(&k, "options of all commands", cmd_global_opts);
    check_level(&k, "wasmctl", table);
    return k.n;
}
