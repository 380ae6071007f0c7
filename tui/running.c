#include "tui/running.h"

#include <stdio.h>

#include "tui/app.h"

static void free_running(void *p)
{
    struct running *r = p;

    free(r->units.items);
    free(r->replicas.items);
    free(r);
}

static void add(const struct pane *p, enum tui_kind kind, struct map *map)
{
    const struct tui_object *o;

    for (struct store_iter it = {0}; (o = store_next(app_store(p->app), kind, &it));) {
        if (!pane_shows(p, o->cluster))
            continue;
        for (size_t i = 0; i < o->workload.nplacements; i++) {
            if (!o->workload.placements[i].replicas)
                continue;
            char key[512];
            snprintf(key, sizeof(key), "%u/%s", o->cluster, o->workload.placements[i].host);
            struct running *r = map_get(map, key);
            if (!r) {
                r = xcalloc(1, sizeof(*r));
                map_set(map, key, r);
            }
            vec_push(&r->units, o);
            vec_push(&r->replicas, o->workload.placements[i].replicas);
        }
    }
}

struct map *running_find(const struct pane *p)
{
    struct map *map = map_new(free_running);

    add(p, TUI_ACTOR, map);
    add(p, TUI_PROVIDER, map);
    return map;
}

const struct running *running_on(const struct map *running, const struct tui_object *host)
{
    char key[512];

    snprintf(key, sizeof(key), "%u/%s", host->cluster, host->name);
    return map_get(running, key);
}
