#include "base/map.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

/* Entries lie in insertion order; `slots` is the open-addressed index into them (entry number + 1, 0 = free).
 * A deleted entry keeps its slot with key NULL until the next rebuild. */
struct entry {
    char *key;
    void *value;
    uint64_t hash;
};

struct map {
    map_free_fn free_value;
    struct entry *entries;
    size_t used, cap, live;
    uint32_t *slots;
    size_t nslots;
    uint64_t seed;
};

static uint64_t map_seed(void)
{
    static uint64_t seed;

    if (!seed && (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed) || !seed))
        seed = UINT64_C(0x9e3779b97f4a7c15);
    return seed;
}

static uint64_t hash_key(const struct map *m, const char *key)
{
    uint64_t h = m->seed ^ UINT64_C(14695981039346656037);

    for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
        h ^= *p;
        h *= UINT64_C(1099511628211);
    }
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

struct map *map_new(map_free_fn free_value)
{
    struct map *m = xcalloc(1, sizeof(*m));

    m->free_value = free_value;
    m->seed = map_seed();
    return m;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].key)
            continue;
        free(m->entries[i].key);
        if (m->free_value && m->entries[i].value)
            m->free_value(m->entries[i].value);
    }
    free(m->entries);
    free(m->slots);
    m->entries = NULL;
    m->slots = NULL;
    m->used = m->cap = m->live = m->nslots = 0;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    map_clear(m);
    free(m);
}

size_t map_len(const struct map *m)
{
    return m ? m->live : 0;
}

static struct entry *find(const struct map *m, const char *key)
{
    if (!m || !m->nslots)
        return NULL;
    uint64_t h = hash_key(m, key);
    size_t mask = m->nslots - 1;
    for (size_t i = h & mask; m->slots[i]; i = (i + 1) & mask) {
        struct entry *e = &m->entries[m->slots[i] - 1];
        if (e->key && e->hash == h && strcmp(e->key, key) == 0)
            return e;
    }
    return NULL;
}

/* Drops deleted entries and makes room for one more. */
static void rebuild(struct map *m)
{
    size_t live = 0;
    for (size_t i = 0; i < m->used; i++)
        if (m->entries[i].key)
            m->entries[live++] = m->entries[i];
    m->used = live;

    size_t nslots = 16;
    while (nslots < (live + 1) * 2)
        nslots *= 2;
    m->cap = nslots / 2 + nslots / 8;
    m->entries = xreallocarray(m->entries, m->cap, sizeof(*m->entries));
    free(m->slots);
    m->slots = xcalloc(nslots, sizeof(*m->slots));
    m->nslots = nslots;
    for (size_t i = 0; i < m->used; i++) {
        size_t s = m->entries[i].hash & (nslots - 1);
        while (m->slots[s])
            s = (s + 1) & (nslots - 1);
        m->slots[s] = (uint32_t)(i + 1);
    }
}

void *map_get(const struct map *m, const char *key)
{
    struct entry *e = find(m, key);

    return e ? e->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
    return find(m, key) != NULL;
}

void map_set(struct map *m, const char *key, void *value)
{
    struct entry *e = find(m, key);

    if (e) {
        if (m->free_value && e->value && e->value != value)
            m->free_value(e->value);
        e->value = value;
        return;
    }
    if (m->used >= m->cap)
        rebuild(m);
    uint64_t h = hash_key(m, key);
    size_t s = h & (m->nslots - 1);
    /* The slot of a deleted entry is taken over: a key that comes and goes would else leave a long chain
     * behind. */
    while (m->slots[s] && m->entries[m->slots[s] - 1].key)
        s = (s + 1) & (m->nslots - 1);
    m->entries[m->used] = (struct entry){.key = xstrdup(key), .value = value, .hash = h};
    m->slots[s] = (uint32_t)(++m->used);
    m->live++;
}

void *map_take(struct map *m, const char *key)
{
    struct entry *e = find(m, key);

    if (!e)
        return NULL;
    void *value = e->value;
    free(e->key);
    e->key = NULL;
    e->value = NULL;
    m->live--;
    return value;
}

bool map_del(struct map *m, const char *key)
{
    if (!map_has(m, key))
        return false;
    void *value = map_take(m, key);
    if (m->free_value && value)
        m->free_value(value);
    return true;
}

bool map_next(const struct map *m, struct map_iter *it)
{
    if (!m)
        return false;
    while (it->pos < m->used) {
        const struct entry *e = &m->entries[it->pos++];
        if (!e->key)
            continue;
        it->key = e->key;
        it->value = e->value;
        return true;
    }
    return false;
}
