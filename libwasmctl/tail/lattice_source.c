#include "tail/lattice_source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

enum {
    PROBE_MS = 2000, /* a watcher asks hosts less often than who acts on them */
    HOSTS_MOST = 10000,
    RECENT = 16,
};

#define REPEATED_NS INT64_C(1000000000)

struct tail_lattice {
    struct tail_lattice_options options;
    char *context, *name;
    struct lattice *lat;
    struct tail_source *source;
    char *recent[RECENT]; /* texts of events, to tell one once */
    int64_t recent_ns[RECENT];
    size_t next_recent;
    struct map *told; /* host -> its state as it was told, +1 */
    int64_t away_ms;  /* loop clock: since when it is away; -1: it is not */
    bool reached, told_away;
};

static void note(struct tail_lattice *t, bool chatter, const char *fmt, ...) _printf_(3, 4);
static void note(struct tail_lattice *t, bool chatter, const char *fmt, ...)
{
    va_list ap;

    if (!t->options.note)
        return;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    t->options.note(t->options.arg, chatter, text);
}

static void put(struct tail_lattice *t, int64_t ns, unsigned flags, const char *text)
{
    struct tail_line line = {.ns = ns, .text = text, .len = strlen(text), .flags = flags};

    /* Events are few; the output's holding back is for those who have much to say. */
    tail_source_line(t->source, &line);
}

static bool wants(const struct tail_lattice *t, const char *host, const char *subject)
{
    return !t->options.wants || t->options.wants(t->options.arg, host, subject);
}

static char *host_text(const char *id, const struct lat_host *h)
{
    return h && !str_empty(h->friendly_name) ? xasprintf("%s (%s)", id, h->friendly_name) : xstrdup(id);
}

static char *with(char *text, const char *joint, const char *more)
{
    if (str_empty(more))
        return text;
    char *whole = xasprintf("%s%s%s", text, joint, more);
    free(text);
    return whole;
}

char *tail_lattice_text(const struct lat_event *e, const char *host)
{
    static const struct {
        const char *what, *verb;
    } words[] = {
        [LAT_EVENT_HOST_STARTED] = {"host", "started"},
        [LAT_EVENT_HOST_STOPPED] = {"host", "stopped"},
        [LAT_EVENT_LABELS_CHANGED] = {"host", "has other labels"},
        [LAT_EVENT_COMPONENT_SCALED] = {"component", "scaled"},
        [LAT_EVENT_COMPONENT_FAILED] = {"component", "failed"},
        [LAT_EVENT_PROVIDER_STARTED] = {"provider", "started"},
        [LAT_EVENT_PROVIDER_FAILED] = {"provider", "failed"},
        [LAT_EVENT_PROVIDER_STOPPED] = {"provider", "stopped"},
        [LAT_EVENT_PROVIDER_HEALTH] = {"provider", "is not well"},
        [LAT_EVENT_LINK_SET] = {"link of", "set"},
        [LAT_EVENT_LINK_FAILED] = {"link of", "failed"},
        [LAT_EVENT_LINK_DELETED] = {"link of", "deleted"},
        [LAT_EVENT_CONFIG_SET] = {"configuration", "set"},
        [LAT_EVENT_CONFIG_DELETED] = {"configuration", "deleted"},
    };
    const char *what = words[e->kind].what, *verb = words[e->kind].verb;
    char *text;

    if (streq(what, "host"))
        return xasprintf("host %s %s", host, verb);
    if (e->kind == LAT_EVENT_COMPONENT_SCALED && !e->count)
        text = xasprintf("component %s stopped", e->subject);
    else if (e->kind == LAT_EVENT_COMPONENT_SCALED)
        text = xasprintf("component %s scaled to %" PRIu32 " calls at once", e->subject, e->count);
    else
        text = xasprintf("%s %s %s", what, e->subject, verb);
    text = with(text, " on ", host);
    text = with(text, ": ", e->image);
    return with(text, ": ", e->error);
}

/* A v1 host says of one change two and three times that a component was scaled. */
static bool is_repeated(struct tail_lattice *t, const char *text, int64_t ns)
{
    for (size_t i = 0; i < RECENT; i++)
        if (streq_null(t->recent[i], text) && ns - t->recent_ns[i] < REPEATED_NS &&
            t->recent_ns[i] - ns < REPEATED_NS)
            return true;
    xstr_replace(&t->recent[t->next_recent], text);
    t->recent_ns[t->next_recent] = ns;
    t->next_recent = (t->next_recent + 1) % RECENT;
    return false;
}

static void on_event(void *arg, const struct lat_event *e)
{
    struct tail_lattice *t = arg;

    /* Which host ends or begins is told by its state, which knows more; that a provider is well is no news.
     */
    if (e->kind == LAT_EVENT_HOST_STOPPED || e->kind == LAT_EVENT_HOST_STARTED ||
        (e->kind == LAT_EVENT_PROVIDER_HEALTH && !*e->error) || !wants(t, e->host, e->subject))
        return;
    _cleanup_free_ char *host = host_text(e->host, lat_host_get(t->lat, e->host));
    _cleanup_free_ char *text = tail_lattice_text(e, host);
    int64_t ns = e->time_ns ? e->time_ns : time_now_ns();
    if (!is_repeated(t, text, ns))
        put(t, ns, 0, text);
}

/* What of a host's state is news, in view of what was told of it last; NULL = nothing. */
static const char *state_news(enum lat_host_state state, enum lat_host_state was, bool known)
{
    switch (state) {
    case LAT_HOST_READY:
        return !known ? "started" : lat_host_dead(was) ? "is back" : NULL;
    case LAT_HOST_UNREACHABLE:
        return "heartbeat lost: it does not answer any more";
    case LAT_HOST_GONE:
        return "heartbeat lost: its process or its connection is gone";
    case LAT_HOST_STOPPED:
        return "stopped";
    default:
        return NULL;
    }
}

static void on_host(void *arg, const struct lat_host *h)
{
    struct tail_lattice *t = arg;
    uintptr_t known = (uintptr_t)map_get(t->told, h->id);
    enum lat_host_state was = known ? (enum lat_host_state)(known - 1) : LAT_HOST_NEW;

    if (known && was == h->state)
        return;
    const char *news = state_news(h->state, was, known);
    if (!news && !(h->state == LAT_HOST_READY && known))
        return;
    if (!known && map_len(t->told) >= HOSTS_MOST)
        map_clear(t->told);
    map_set(t->told, h->id, (void *)((uintptr_t)h->state + 1));
    /* The hosts of the first picture are no news. */
    if (!news || !lat_synced(t->lat) || !t->reached || !wants(t, h->id, ""))
        return;
    _cleanup_free_ char *host = host_text(h->id, h);
    _cleanup_free_ char *text = xasprintf("host %s %s", host, news);
    put(t, h->state_since_ns ? h->state_since_ns : time_now_ns(), 0, text);
}

static void on_synced(void *arg)
{
    struct tail_lattice *t = arg;

    for (struct map_iter it = {0}; lat_host_next(t->lat, &it);) {
        const struct lat_host *h = it.value;
        if (!t->reached && !map_has(t->told, h->id))
            map_set(t->told, h->id, (void *)((uintptr_t)h->state + 1));
    }
    if (!t->reached)
        note(t, true, "+ lattice/%s (%zu hosts)", t->name, lat_host_count(t->lat));
    t->reached = true;
}

static void on_connection(void *arg, bool connected, const struct err *err)
{
    struct tail_lattice *t = arg;
    int64_t now = loop_now_ms(t->options.loop);

    if (!connected) {
        if (t->away_ms < 0)
            t->away_ms = now;
        if (!t->told_away)
            note(t, false,
                 "lattice %s of context %s cannot be reached from here (%s): its events are missing until "
                 "it can be; trying again",
                 t->name, t->context, err ? err_text(err) : "no connection");
        t->told_away = true;
        tail_source_away(t->source);
        return;
    }
    if (t->told_away)
        note(t, false, "lattice %s of context %s is reached", t->name, t->context);
    tail_source_opened(t->source);
    if (t->reached && t->away_ms >= 0) {
        _cleanup_free_ char *text =
            xasprintf("the lattice could not be reached: events of %.3f s are missing",
                      (double)(now - t->away_ms) / 1e3);
        put(t, time_now_ns(), TAIL_GAP, text);
    }
    t->told_away = false;
    t->away_ms = -1;
}

static void on_room(void *arg _unused_)
{
}

int tail_lattice_new(const struct tail_lattice_options *options, struct tail_lattice **ret, struct err **err)
{
    _cleanup_(tail_lattice_freep) struct tail_lattice *t = xcalloc(1, sizeof(*t));
    struct lat_options lattice = *options->lattice;
    struct tail_info info = {.context = xstrdup(options->context),
                             .pod = xasprintf("lattice/%s", options->name)};

    t->options = *options;
    t->options.lattice = NULL;
    t->context = xstrdup(options->context);
    t->name = xstrdup(options->name);
    t->told = map_new(NULL);
    t->away_ms = -1;
    t->source = tail_source_new(options->engine, &info, 0, false, on_room, t);
    tail_source_away(t->source);
    lattice.name = t->name;
    lattice.probe_interval_ms = PROBE_MS;
    lattice.connection = on_connection;
    lattice.synced = on_synced;
    lattice.host_changed = on_host;
    lattice.event = on_event;
    lattice.observe = NULL;
    lattice.store_changed = NULL;
    lattice.arg = t;
    int r = lat_open(options->loop, &lattice, &t->lat, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(t);
    return 0;
}

void tail_lattice_free(struct tail_lattice *t)
{
    if (!t)
        return;
    lat_close(t->lat);
    tail_source_end(t->source);
    for (size_t i = 0; i < RECENT; i++)
        free(t->recent[i]);
    map_free(t->told);
    free(t->context);
    free(t->name);
    free(t);
}
