#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/plugin.h"

struct list_options {
    bool name_only;
};

static const struct cmd_opt list_opts[] = {
    {"name-only", 0, OPT_FLAG, offsetof(struct list_options, name_only), NULL, NULL,
     "Print the names of the programs without their folders"},
    OPT_TABLE_END,
};

struct listing {
    const struct list_options *o;
    struct map *seen; /* name -> path of the one that is run */
    size_t found, warnings;
    struct buf out;
};

static void warn(struct listing *l, const char *fmt, ...) _printf_(2, 3);
static void warn(struct listing *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    buf_addf(&l->out, "  - warning: %s\n", text);
    l->warnings++;
}

/* The command of wasmctl that a plugin of this name stands behind, NULL if there is none. */
static const char *built_in(const char *name)
{
    const char *word = name + strlen(PLUGIN_PREFIX);
    size_t len = strcspn(word, "-");

    for (const struct cmd_entry *const *e = cmd_table(); *e; e++)
        if (strlen((*e)->name) == len && strncmp((*e)->name, word, len) == 0)
            return (*e)->name;
    return NULL;
}

static void add_plugin(struct listing *l, const char *folder, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
    struct stat st;

    if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
        return;
    l->found++;
    buf_addf(&l->out, "%s\n", l->o->name_only ? name : path);
    const char *first = map_get(l->seen, name), *own = built_in(name);
    if (access(path, X_OK) < 0)
        warn(l, "%s identified as a wasmctl plugin, but it is not executable", path);
    if (own)
        warn(l, "%s is never run: the command %s of wasmctl comes first", name, own);
    else if (first)
        warn(l, "%s is overshadowed by a similarly named plugin: %s", path, first);
    if (!first && access(path, X_OK) == 0)
        map_set(l->seen, name, xstrdup(path));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_folder(struct listing *l, const char *folder)
{
    _cleanup_strv_ char **names = strv_new();
    DIR *d = opendir(folder);

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        if (str_starts(e->d_name, PLUGIN_PREFIX) && e->d_name[strlen(PLUGIN_PREFIX)])
            strv_push(&names, e->d_name);
    closedir(d);
    qsort(names, strv_len(names), sizeof(*names), compare);
    for (char **n = names; *n; n++)
        add_plugin(l, folder, *n);
}

static int run_list(struct cmd_ctx *c, struct err **err)
{
    struct listing l = {.o = c->options, .seen = map_new(free)};
    const char *path = getenv("PATH");
    _cleanup_strv_ char **folders = strv_split(path ? path : "", ':', false), **done = strv_new();

    for (char **f = folders; *f; f++) {
        if (strv_has(done, *f))
            continue;
        strv_push(&done, *f);
        add_folder(&l, *f);
    }
    if (l.found) {
        _cleanup_free_ char *shown = str_escape_control(buf_str(&l.out), true);
        cmd_out("The following plugins are available:\n\n%s", shown);
    }
    buf_release(&l.out);
    map_free(l.seen);
    if (!l.found)
        return err_set(
            err, ERR_NOT_FOUND,
            "unable to find any wasmctl plugins in your PATH: they are programs named " PLUGIN_PREFIX
            "<word>");
    if (l.warnings)
        return err_set(err, ERR_FAILED, "%zu plugin warning%s found", l.warnings,
                       l.warnings == 1 ? " was" : "s were");
    return 0;
}

static const struct cmd_entry cmd_plugin_list = {
    .name = "list",
    .brief = "List the plugins in PATH, with what is wrong with them",
    .usage = "[options]",
    .examples = "%P plugin list\n%P plugin list --name-only",
    .opts = list_opts,
    .options_size = sizeof(struct list_options),
    .run = run_list,
};

static const struct cmd_entry *const plugin_subs[] = {&cmd_plugin_list, NULL};

const struct cmd_entry cmd_plugin = {
    .name = "plugin",
    .group = CMD_GROUP_OTHER,
    .brief = "Commands of others",
    .help = "Any program in PATH that is named wasmctl-<word> is a command: `wasmctl foo bar` runs "
            "wasmctl-foo-bar if it is "
            "there, else wasmctl-foo with the argument bar. A dash within a word is an underscore in the "
            "name of the "
            "program: `wasmctl foo-bar` runs wasmctl-foo_bar. The plugin gets the environment, the terminal "
            "and the "
            "signals as they are, and its exit code is that of wasmctl. Commands of wasmctl cannot be "
            "replaced; plugins "
            "of kubectl (kubectl-*) are left to kubectl.",
    .usage = "COMMAND [options]",
    .examples = "%P plugin list",
    .subs = plugin_subs,
};
