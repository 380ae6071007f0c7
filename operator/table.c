#include "operator/table.h"

#include "base/mem.h"
#include "operator/view.h"

void table_invalidate(struct op_lattice *l)
{
    l->table_valid = false;
}

void table_load_changed(struct op_lattice *l, const struct op_host *h)
{
    if (l->table_valid && h->slot < l->table_len)
        l->table[h->slot].load = h->load + h->starting;
}

static struct view_host make_host(const struct op *op, const struct lat_host *h, const struct op_host *mine)
{
    const struct model_host *object = op_host_object(op, h->id);

    return (struct view_host){
        .id = h->id,
        .object = object ? object->meta.name : h->id,
        .labels = mine->labels,
        .taints = object ? object->taints : NULL,
        .ntaints = object ? object->ntaints : 0,
        .cordoned = object && object->unschedulable,
        .deaf = h->hearing == LAT_DEAF,
        .restarting = mine->restarting,
        .state = h->state,
        .load = mine->load + mine->starting,
    };
}

static void rebuild(struct op_lattice *l)
{
    size_t n = 0;

    l->table = xreallocarray(l->table, lat_host_count(l->lat) + 1, sizeof(*l->table));
    for (struct map_iter it = {0}; lat_host_next(l->lat, &it);) {
        const struct lat_host *h = it.value;
        struct op_host *mine = map_get(l->hosts, it.key);
        /* Of one that was found this very moment the change is still to be told. */
        if (!mine)
            continue;
        mine->slot = SIZE_MAX;
        if (!lat_host_alive(h->state) || !h->has_inventory)
            continue;
        mine->slot = n;
        l->table[n++] = make_host(l->op, h, mine);
    }
    l->table_len = n;
    l->table_valid = true;
}

const struct view_host *table_hosts(struct op_lattice *l, size_t *ret_n)
{
    if (!l->table_valid)
        rebuild(l);
    *ret_n = l->table_len;
    return l->table;
}

static void where_free(void *p)
{
    map_free(p);
}

void table_units_changed(struct op_lattice *l, struct op_host *h, const struct map *before,
                         const struct map *after)
{
    if (!l->where)
        l->where = map_new(where_free);
    for (struct map_iter it = {0}; map_next(before, &it);) {
        struct map *hosts = map_has(after, it.key) ? NULL : map_get(l->where, it.key);
        if (hosts && map_del(hosts, h->id) && !map_len(hosts))
            map_del(l->where, it.key);
    }
    for (struct map_iter it = {0}; map_next(after, &it);) {
        if (map_has(before, it.key))
            continue;
        struct map *hosts = map_get(l->where, it.key);
        if (!hosts) {
            hosts = map_new(NULL);
            map_set(l->where, it.key, hosts);
        }
        map_set(hosts, h->id, h);
    }
}

const struct map *table_where(const struct op_lattice *l, const char *id)
{
    return map_get(l->where, id);
}
