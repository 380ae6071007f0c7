#include "cli/complete.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/complete_live.h"
#include "cli/opt.h"
#include "cli/target.h"
#include "kube/kubeconfig_write.h"

struct completing {
    struct cmd_ctx *c;
    struct buf *out;
    bool descriptions;
    int directives;
    const char *lead; /* of the word: stands before every candidate */
    size_t lead_len;
    const char *begun; /* what candidates must start with */
    char **given;      /* candidates that are on the command line already; NULL-ended, may be NULL */
    const char *tail;  /* stands behind every candidate, NULL for nothing */

    const struct cmd_entry *entry;
    const struct cmd_entry *const *table; /* of commands that may follow, NULL when there are none */
    struct opt_group groups[OPT_MAX_GROUPS];
    size_t ngroups;
    const struct cmd_opt *pending; /* takes the last word */
    bool only_args;                /* after "--" */
    char **args;
    struct map *kinds; /* names that were offered, plain and with their group */
};

static void offer(struct completing *g, const char *word, const char *description)
{
    if (!str_starts(word, g->begun) || (g->given && strv_has(g->given, word)))
        return;
    buf_add(g->out, g->lead, g->lead_len);
    buf_adds(g->out, word);
    if (g->tail)
        buf_adds(g->out, g->tail);
    if (g->descriptions && !str_empty(description))
        buf_addf(g->out, "\t%s", description);
    buf_addc(g->out, '\n');
}

/* Moves the start of the word: what was completed before stays as it is. */
static void begin_after(struct completing *g, const char *at)
{
    g->lead = g->begun;
    g->lead_len = (size_t)(at - g->begun);
    g->begun = at;
}

/* Of a list with commas only the last part is completed. */
static void begin_part(struct completing *g)
{
    const char *comma = strrchr(g->begun, ',');

    if (comma)
        begin_after(g, comma + 1);
}

/* What the cluster and the kubeconfig hold */

static void offer_objects(struct completing *g, const struct kube_resource *r)
{
    struct complete_live live = {0};

    if (!r)
        return;
    complete_live_objects(g->c, r, &live);
    for (char **n = live.names; n && *n; n++)
        offer(g, *n, NULL);
    complete_live_release(&live);
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return true;
    return false;
}

static void offer_entries(struct completing *g, enum kubeconfig_list list)
{
    _cleanup_(kubeconfig_files_freep) struct kubeconfig_files *k = NULL;
    _cleanup_strv_ char **names = NULL;

    if (kubeconfig_files_open(g->c->globals.kubeconfig, false, &k, NULL) < 0)
        return;
    names = kubeconfig_files_names(k, list);
    for (char **n = names; *n; n++)
        if (!has_control(*n))
            offer(g, *n, NULL);
}

static void offer_kind(void *arg, const struct kube_resource *r)
{
    struct completing *g = arg;
    _cleanup_free_ char *text = NULL, *full = xasprintf("%s.%s", r->resource, r->group);
    const char *name = r->resource;

    if (map_has(g->kinds, full))
        return;
    /* Where another group has the plain name already the whole one is needed. */
    if (map_has(g->kinds, name))
        name = full;
    map_set(g->kinds, r->resource, NULL);
    map_set(g->kinds, full, NULL);
    text =
        r->short_names && *r->short_names ? xasprintf("%s (%s)", r->kind, *r->short_names) : xstrdup(r->kind);
    offer(g, name, text);
}

/* The kind whose objects a selector or a name is about: of the first argument. NULL if not known. */
static const struct kube_resource *argument_kind(struct completing *g)
{
    if (g->entry && g->entry->args == CMD_ARGS_HOSTS)
        return kube_builtin_find("latticehosts");
    if (g->entry && g->entry->args == CMD_ARGS_LOGS)
        return kube_builtin_find("pods");
    if (!g->args || !*g->args)
        return NULL;
    _cleanup_free_ char *word = xstrndup(*g->args, strcspn(*g->args, ",/"));
    return complete_live_resource(g->c, word);
}

/* Label keys first, then the values of the key. */
static void offer_labels(struct completing *g, bool values)
{
    const struct kube_resource *r = argument_kind(g);
    struct complete_live live = {0};
    _cleanup_strv_ char **seen = NULL;
    bool key_typed = values && strchr(g->begun, '=');

    begin_part(g);
    key_typed = key_typed && strchr(g->begun, '=');
    if (!r)
        return;
    complete_live_objects(g->c, r, &live);
    for (char **l = live.labels; l && *l; l++) {
        _cleanup_free_ char *key = xstrndup(*l, strcspn(*l, "="));
        if (key_typed) {
            offer(g, *l, NULL);
        } else if (!seen || !strv_has(seen, key)) {
            strv_push(&seen, key);
            offer(g, key, NULL);
        }
    }
    /* What follows a key may be = or !=, or nothing. */
    if (!key_typed)
        g->directives |= COMPLETE_NO_SPACE;
    complete_live_release(&live);
}

/* Values of options */

static bool is_placeholder(const char *word)
{
    return *word >= 'A' && *word <= 'Z' && !strpbrk(word, "abcdefghijklmnopqrstuvwxyz");
}

/* A word that ends with the sign takes something behind it. */
static void offer_alternative(struct completing *g, const char *word)
{
    if (str_ends(word, "=") && str_starts(word, g->begun))
        g->directives |= COMPLETE_NO_SPACE;
    offer(g, word, NULL);
}

/* "wide|yaml|jsonpath=PATH": of the last the part up to the sign. */
static void offer_alternatives(struct completing *g, const char *text)
{
    _cleanup_strv_ char **words = strv_split(text, '|', false);

    for (char **w = words; *w; w++) {
        char *equals = strchr(*w, '=');
        if (equals)
            equals[1] = '\0';
        if (!is_placeholder(*w))
            offer_alternative(g, *w);
    }
}

/* "wide, json or jsonpath=", or "The object: json or yaml": the words of the list. */
static void offer_formats(struct completing *g, const char *help)
{
    const char *colon = strchr(help, ':');
    _cleanup_strv_ char **words = strv_split(colon ? colon + 1 : help, ' ', false);

    for (char **w = words; *w; w++) {
        (*w)[strcspn(*w, ",;:")] = '\0';
        if (!streq(*w, "or") && (*w)[strspn(*w, "abcdefghijklmnopqrstuvwxyz-=")] == '\0')
            offer_alternative(g, *w);
    }
}

static bool offer_named_value(struct completing *g, const struct cmd_opt *o)
{
    static const struct {
        const char *name;
        enum kubeconfig_list list;
    } entries[] = {
        {"context", KUBECONFIG_CONTEXTS},
        {"contexts", KUBECONFIG_CONTEXTS},
        {"cluster", KUBECONFIG_CLUSTERS},
        {"user", KUBECONFIG_USERS},
    };

    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        if (streq(o->name, entries[i].name)) {
            if (streq(o->name, "contexts"))
                begin_part(g);
            offer_entries(g, entries[i].list);
            return true;
        }
    if (streq(o->name, "namespace")) {
        offer_objects(g, kube_builtin_find("namespaces"));
        return true;
    }
    if (streq(o->name, "node")) {
        offer_objects(g, kube_builtin_find("nodes"));
        return true;
    }
    return false;
}

static void offer_extensions(struct completing *g)
{
    g->directives = COMPLETE_EXTENSIONS;
    buf_adds(g->out, "yaml\nyml\njson\n");
}

static void offer_value(struct completing *g, const struct cmd_opt *o)
{
    const char *value = o->value ? o->value : "";

    g->directives = COMPLETE_NO_FILES;
    if (offer_named_value(g, o))
        return;
    if (o->type == OPT_CSV)
        begin_part(g);
    if (o->type == OPT_ENUM) {
        for (int i = 0; o->choices[i]; i++)
            offer(g, o->choices[i], NULL);
    } else if (o->type == OPT_FLAG) {
        offer(g, "true", NULL);
        offer(g, "false", NULL);
    } else if (streq(o->name, "selector")) {
        offer_labels(g, true);
    } else if (str_starts(value, "LABEL")) {
        offer_labels(g, false);
    } else if (streq(value, "FORMAT")) {
        offer_formats(g, o->help);
    } else if (streq(o->name, "filename")) {
        offer_extensions(g);
    } else if (str_starts(value, "FILE") || str_ends(value, "FILE")) {
        g->directives = 0;
    } else if (streq(value, "FOLDER") || streq(value, "DIR")) {
        g->directives = COMPLETE_FOLDERS;
    } else if (strchr(value, '|') || (*value && !is_placeholder(value))) {
        offer_alternatives(g, value);
    }
}

/* Words */

static void offer_commands(struct completing *g, const struct cmd_entry *const *table)
{
    for (; table && *table; table++)
        if ((*table)->group != CMD_GROUP_HIDDEN)
            offer(g, (*table)->name, (*table)->brief);
}

static void offer_options(struct completing *g)
{
    for (size_t i = 0; i < g->ngroups; i++)
        for (const struct cmd_opt *o = g->groups[i].opts; o && o->type != OPT_END; o++) {
            char letter[] = {'-', o->letter, '\0'};
            if (o->hidden)
                continue;
            _cleanup_free_ char *name = xasprintf("--%s", o->name);
            offer(g, name, o->help);
            if (o->letter && g->begun[1] == '\0')
                offer(g, letter, o->help);
        }
}

static bool was_given(const struct completing *g, const char *option)
{
    return g->c->given && strv_has(g->c->given, option);
}

static void offer_kinds(struct completing *g)
{
    begin_part(g);
    complete_live_kinds(g->c, offer_kind, g);
    if (!g->tail) {
        offer(g, "all", "actors, providers and the usual kinds of Kubernetes");
        offer(g, "wasm", "all kinds of wasmctl");
    }
}

/* KIND/NAME: the kind before there is a slash, then names. */
static void offer_slash_form(struct completing *g)
{
    const char *slash = strchr(g->begun, '/');

    if (slash) {
        _cleanup_free_ char *kind = xstrndup(g->begun, (size_t)(slash - g->begun));
        begin_after(g, slash + 1);
        offer_objects(g, complete_live_resource(g->c, kind));
        return;
    }
    g->tail = "/";
    g->directives |= COMPLETE_NO_SPACE;
    offer_kinds(g);
}

static void offer_object_words(struct completing *g)
{
    size_t n = strv_len(g->args);

    if (was_given(g, "filename") || was_given(g, "raw"))
        return;
    if (strchr(g->begun, '/') || (n && strchr(g->args[0], '/'))) {
        offer_slash_form(g);
    } else if (!n) {
        offer_kinds(g);
    } else if (!was_given(g, "selector") && !was_given(g, "all")) {
        g->given = g->args + 1;
        offer_objects(g, argument_kind(g));
    }
}

/* Names of Pods, and the kinds that have some, with their slash. */
static void offer_log_words(struct completing *g)
{
    static const char *const kinds[] = {"wasmactor/",  "wasmprovider/", "latticehost/", "lattice/",
                                        "deployment/", "statefulset/",  "daemonset/",   "job/",
                                        "cronjob/",    "service/"};

    if (strchr(g->begun, '/')) {
        offer_slash_form(g);
        return;
    }
    g->given = g->args;
    offer_objects(g, kube_builtin_find("pods"));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(kinds[i], g->begun)) {
            offer(g, kinds[i], NULL);
            g->directives |= COMPLETE_NO_SPACE;
        }
}

static void offer_command_words(struct completing *g)
{
    const struct cmd_entry *const *table = cmd_table();

    for (char **a = g->args; *a && table; a++) {
        const struct cmd_entry *found = cmd_find(table, *a);
        table = found ? found->subs : NULL;
    }
    offer_commands(g, table);
}

static void offer_arguments(struct completing *g)
{
    const struct cmd_entry *e = g->entry;
    int n = (int)strv_len(g->args);
    bool more = e->max_args < 0 || n < e->max_args;

    if (!more)
        return;
    switch (e->args) {
    case CMD_ARGS_TEXT:
        break;
    case CMD_ARGS_OBJECTS:
        offer_object_words(g);
        break;
    case CMD_ARGS_LOGS:
        offer_log_words(g);
        break;
    case CMD_ARGS_KIND:
        if (n == 0)
            offer_kinds(g);
        break;
    case CMD_ARGS_HOSTS:
        g->given = g->args;
        offer_objects(g, kube_builtin_find("latticehosts"));
        break;
    case CMD_ARGS_CONTEXT:
    case CMD_ARGS_CLUSTER:
    case CMD_ARGS_USER:
        g->given = g->args;
        /* A second one is a new name, unless it is a list. */
        if (n == 0 || e->max_args < 0)
            offer_entries(g, e->args == CMD_ARGS_CONTEXT   ? KUBECONFIG_CONTEXTS
                             : e->args == CMD_ARGS_CLUSTER ? KUBECONFIG_CLUSTERS
                                                           : KUBECONFIG_USERS);
        break;
    case CMD_ARGS_COMMAND:
        offer_command_words(g);
        break;
    case CMD_ARGS_FILES:
        g->directives = 0;
        break;
    }
}

/* The words before the last one */

static void drop_options(struct completing *g)
{
    if (g->ngroups == 2)
        opt_release(g->groups, 1);
    free(g->c->options);
    g->c->options = NULL;
}

static void enter(struct completing *g, const struct cmd_entry *entry)
{
    drop_options(g);
    g->entry = entry;
    g->table = entry->subs;
    g->groups[0] = (struct opt_group){cmd_global_opts, &g->c->globals};
    g->ngroups = 1;
    if (entry->opts) {
        g->c->options = xcalloc(1, entry->options_size ? entry->options_size : 1);
        g->groups[1] = g->groups[0];
        g->groups[0] = (struct opt_group){entry->opts, g->c->options};
        g->ngroups = 2;
    }
}

/* False when a word makes no sense: nothing is known about those behind it. */
static bool read_words(struct completing *g, int n, char **words)
{
    for (int i = 0; i < n; i++) {
        char *word = words[i], *spare[3] = {NULL};
        if (!g->only_args && streq(word, "--")) {
            g->only_args = true;
        } else if (!g->only_args && word[0] == '-' && word[1]) {
            bool takes = opt_takes_next(g->groups, g->ngroups, word);
            int none;
            if (takes && i + 1 == n) {
                g->pending = opt_find(g->groups, g->ngroups, word);
                return true;
            }
            /* A value that is wrong does not matter here. */
            opt_parse(g->groups, g->ngroups, takes ? 2 : 1, &words[i], spare, &none, &g->c->given, NULL);
            i += takes;
        } else if (g->table) {
            const struct cmd_entry *e = cmd_find(g->table, word);
            if (!e || (e->flags & CMD_RAW_ARGS))
                return false;
            enter(g, e);
        } else {
            strv_push(&g->args, word);
        }
    }
    return true;
}

static void complete_last(struct completing *g, const char *word)
{
    const char *equals = strchr(word, '=');

    g->begun = word;
    if (g->pending) {
        offer_value(g, g->pending);
    } else if (!g->only_args && word[0] == '-' && equals) {
        _cleanup_free_ char *name = xstrndup(word, (size_t)(equals - word));
        const struct cmd_opt *o = opt_find(g->groups, g->ngroups, name);
        /* The scripts put the option back in front. */
        g->begun = equals + 1;
        if (o)
            offer_value(g, o);
    } else if (!g->only_args && word[0] == '-') {
        offer_options(g);
    } else if (g->table) {
        offer_commands(g, g->table);
    } else if (g->entry) {
        offer_arguments(g);
    }
}

void complete_words(struct cmd_ctx *c, int nwords, char **words, bool descriptions, struct buf *out)
{
    struct completing g = {
        .c = c,
        .out = out,
        .descriptions = descriptions,
        .directives = COMPLETE_NO_FILES,
        .table = cmd_table(),
        .groups = {{cmd_global_opts, &c->globals}},
        .ngroups = 1,
        .args = strv_new(),
        .kinds = map_new(NULL),
    };

    g.lead = "";
    if (nwords > 0 && read_words(&g, nwords - 1, words))
        complete_last(&g, words[nwords - 1]);
    else if (nwords > 0)
        g.directives = 0;
    drop_options(&g);
    strv_free(g.args);
    map_free(g.kinds);
    buf_addf(out, ":%d\n", g.directives);
}

/* The command */

static bool own_group; /* of processes: ours and those we started */

static void give_up(int signum _unused_)
{
    static const char nothing[] = ":4\n";

    /* A credential plugin does not outlive the question. */
    if (own_group) {
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
    }
    if (write(STDOUT_FILENO, nothing, sizeof(nothing) - 1) < 0)
        _exit(1);
    _exit(0);
}

int complete_run(struct cmd_ctx *c, bool descriptions)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct itimerval limit = {.it_value = {.tv_usec = COMPLETE_TOTAL_MS * 1000}}, none = {0};
    char *nothing[] = {(char *)"", NULL};

    /* Nobody is at the terminal for a credential plugin to ask. Fails for the leader of a job: then nothing
     * is lost. */
    own_group = setsid() >= 0;
    signal(SIGALRM, give_up);
    setitimer(ITIMER_REAL, &limit, NULL);
    complete_words(c, c->argc ? c->argc : 1, c->argc ? c->argv : nothing, descriptions, &out);
    /* From here on the answer is printed, and only that. */
    setitimer(ITIMER_REAL, &none, NULL);
    cmd_out_buf(&out);
    return 0;
}
