/* `tail --prompt`: which Pods, chosen at the terminal. */
#include "cli/tail_prompt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/gvr.h"
#include "kube/watch.h"

enum { SHOWN_MOST = 40, PAGE = 500 };

struct collection {
    struct tail_pattern *pattern;
    char ***names;
};

static int on_page(void *arg, cJSON *page, struct err **err _unused_)
{
    struct collection *k = arg;

    json_each (pod, json_get(page, "items")) {
        const char *name = json_str_or(pod, "metadata.name", "");
        if ((!k->pattern || tail_pattern_matches(k->pattern, name)) && !strv_has(*k->names, name))
            strv_push(k->names, name);
    }
    return 0;
}

/* What the query and the selectors of the command line leave to choose from. */
static int list_pods(struct cmd_ctx *c, char ***names, struct err **err)
{
    const struct tail_options *o = c->options;
    _cleanup_(tail_query_release) struct tail_query query = {0};
    _cleanup_strv_ char **namespaces = strv_split(cmd_namespace(c), ',', false);
    struct collection k = {.names = names};
    const char *all[] = {NULL, NULL};
    const char *const *in = o->all_namespaces ? all : (const char *const *)namespaces;
    int r = tail_query_resolve(c, c->argc ? c->argv[0] : NULL, o->all_namespaces ? NULL : cmd_namespace(c),
                               &query, err);

    if (r == 0 && query.pattern)
        r = tail_pattern_new(query.pattern, "the query", &k.pattern, err);
    struct buf text = BUF_INIT;
    const char *selectors[] = {query.label_selector, o->selector};
    for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
        if (selectors[i])
            buf_addf(&text, "%s%s", text.len ? "," : "", selectors[i]);
    _cleanup_free_ char *labels = buf_take(&text), *escaped = kube_query_escape(labels),
                        *full = *labels ? xasprintf("labelSelector=%s", escaped) : NULL;
    for (size_t i = 0; r == 0 && (i == 0 || in[i]); i++) {
        _cleanup_free_ char *path = kube_path(kube_builtin_find("pods"), in[i], NULL, NULL);
        r = kube_list_wait(c->client, path, full, NULL, PAGE, on_page, &k, NULL, err);
    }
    tail_pattern_free(k.pattern);
    return r;
}

static void show(char *const *names, const char *part, char ***shown)
{
    size_t more = 0;

    for (char *const *n = names; n && *n; n++) {
        if (!strcasestr(*n, part))
            continue;
        if (strv_len(*shown) < SHOWN_MOST)
            fprintf(stderr, "%4zu  %s\n", strv_len(*shown) + 1, *n);
        else
            more++;
        strv_push(shown, *n);
    }
    if (more)
        fprintf(stderr, "      and %zu more: a part of their names makes the list shorter\n", more);
}

/* "1 3-5, 7". False: that is no list of numbers up to n. */
static bool read_numbers(const char *text, size_t n, bool *chosen)
{
    const char *p = text;

    memset(chosen, 0, n * sizeof(*chosen));
    while (*p) {
        char *end;
        if (isspace((unsigned char)*p) || *p == ',') {
            p++;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            return false;
        unsigned long from = strtoul(p, &end, 10), to = from;
        if (*end == '-' && isdigit((unsigned char)end[1]))
            to = strtoul(end + 1, &end, 10);
        if (from < 1 || from > to || to > n || (*end && !isspace((unsigned char)*end) && *end != ','))
            return false;
        for (unsigned long i = from; i <= to; i++)
            chosen[i - 1] = true;
        p = end;
    }
    return true;
}

/* Follows exactly these: they take the place of the query. */
static void take(struct cmd_ctx *c, char *const *names, const bool *chosen)
{
    static char **kept; /* argv is borrowed: to the end of the program */

    strv_free(kept);
    kept = strv_new();
    for (size_t i = 0; names[i]; i++)
        if (!chosen || chosen[i]) {
            _cleanup_free_ char *exact = xasprintf("^\\Q%s\\E$", names[i]);
            strv_push(&kept, exact);
        }
    c->argv = kept;
    c->argc = (int)strv_len(kept);
}

int tail_prompt(struct cmd_ctx *c, struct err **err)
{
    _cleanup_strv_ char **names = strv_new(), **shown = strv_new();
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return err_set(err, ERR_INVALID, "--prompt asks at a terminal, and stdin or stderr is none");
    int r = list_pods(c, &names, err);
    if (r < 0)
        return r;
    if (!strv_len(names))
        return err_set(err, ERR_NOT_FOUND, "there are no Pods to choose from");
    show(names, "", &shown);
    for (;;) {
        fprintf(stderr,
                "Which Pods? Numbers like 1 3-5, a part of their names, Enter for all %zu, q for none: ",
                strv_len(shown));
        ssize_t n = getline(&line, &size, stdin);
        if (n < 0 || streq(line, "q\n"))
            return err_set(err, ERR_CANCELLED, "no Pods were chosen");
        line[n > 0 && line[n - 1] == '\n' ? n - 1 : n] = '\0';
        _cleanup_free_ bool *chosen = xcalloc(strv_len(shown) + 1, sizeof(bool));
        if (!*line) {
            take(c, shown, NULL);
            return 0;
        }
        if (read_numbers(line, strv_len(shown), chosen)) {
            take(c, shown, chosen);
            return 0;
        }
        _cleanup_strv_ char **narrowed = strv_new();
        show(names, line, &narrowed);
        if (strv_len(narrowed)) {
            strv_free(shown);
            shown = TAKE_PTR(narrowed);
        } else {
            fprintf(stderr, "No name has \"%s\" in it, and there are %zu numbers.\n", line, strv_len(shown));
        }
    }
}
