/*
 * String-keyed hash map that iterates in order of insertion. Keys are copied. Values are the caller's unless
 * a free function was given, then the map frees what it drops. Not for use from several threads.
 */
#ifndef WASMCTL_BASE_MAP_H
#define WASMCTL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

struct map;
typedef void (*map_free_fn)(void *value);

struct map *map_new(map_free_fn free_value);
void map_free(struct map *m);
DEFINE_CLEANUP(struct map *, map_free)
#define _cleanup_map_ _cleanup_(map_freep)

size_t map_len(const struct map *m);
/* NULL when the key is absent (or holds NULL: see map_has). m may be NULL. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
/* Inserts or replaces; a replaced value is freed, its place in the order stays. */
void map_set(struct map *m, const char *key, void *value);
/* Removes the key and frees its value. Returns whether it was there. */
bool map_del(struct map *m, const char *key);
/* Removes the key and gives its value to the caller, NULL when absent. */
void *map_take(struct map *m, const char *key);
void map_clear(struct map *m);

/* for (struct map_iter it = {0}; map_next(m, &it);) use(it.key, it.value);
 * The entry just returned may be deleted during iteration; nothing may be inserted. */
struct map_iter {
    size_t pos;
    const char *key;
    void *value;
};
bool map_next(const struct map *m, struct map_iter *it);

#endif
