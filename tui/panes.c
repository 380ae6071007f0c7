/* The panes there are, and what all of them have in common. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app.h"

extern const struct pane_class pane_actors, pane_clusters, pane_hosts, pane_providers, pane_events,
    pane_topology, pane_object, pane_output, pane_help;

const struct pane_class *const pane_classes[] = {
    &pane_clusters, &pane_hosts,  &pane_actors, &pane_providers, &pane_events,
    &pane_topology, &pane_object, &pane_output, &pane_help,      NULL,
};

const struct pane_class *pane_class_find(const char *name)
{
    for (size_t i = 0; pane_classes[i]; i++)
        if (streq(pane_classes[i]->name, name))
            return pane_classes[i];
    return NULL;
}

/* "@cluster rest" into the cluster and the rest. */
static int read_cluster(struct app *app, const char *argument, int *ret_cluster, const char **ret_rest,
                        struct err **err)
{
    unsigned cluster;

    *ret_cluster = -1;
    *ret_rest = argument ? argument : "";
    if (str_empty(argument) || *argument != '@')
        return 0;
    size_t n = strcspn(argument, " ");
    _cleanup_free_ char *name = xstrndup(argument + 1, n - 1);
    if (!store_find_cluster(app_store(app), name, &cluster))
        return err_set(err, ERR_NOT_FOUND, "there is no context \"%s\" here", name);
    *ret_cluster = (int)cluster;
    *ret_rest = argument + n + strspn(argument + n, " ");
    return 0;
}

int pane_new(struct app *app, const char *name, const char *argument, struct pane **ret, struct err **err)
{
    const struct pane_class *class = pane_class_find(name);
    const char *rest;
    int cluster;

    if (!class)
        return err_set(err, ERR_NOT_FOUND, "there is no pane \"%s\"", name);
    int r = read_cluster(app, argument, &cluster, &rest, err);
    if (r < 0)
        return r;
    struct pane *p = xcalloc(1, sizeof(*p));
    p->class = class;
    p->app = app;
    p->cluster = cluster;
    p->argument = xstrdup_null(argument);
    p->stale = true;
    p->state = xcalloc(1, class->state_size ? class->state_size : 1);
    if (class->make && (r = class->make(p, rest, err)) < 0) {
        pane_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void pane_free(struct pane *p)
{
    if (!p)
        return;
    if (p->class->release)
        p->class->release(p);
    free(p->argument);
    free(p->state);
    free(p);
}

bool pane_refresh(struct pane *p, int64_t now_ms)
{
    /* A pane may take a tenth of the time. */
    enum { SHARE = 10 };

    if (!p->stale)
        return true;
    if (app_loop(p->app) && now_ms < p->fresh_until_ms)
        return false;
    int64_t begin = time_mono_ns();
    p->stale = false;
    if (p->class->refresh)
        p->class->refresh(p);
    p->fresh_until_ms = now_ms + (time_mono_ns() - begin) * SHARE / 1000000;
    return true;
}
