#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "lattice/front.h"

/*
 * The judge of hosts. One probe a host at most is under way; 503 asked twice is proof of death, silence
 * becomes proof only after unreachable_after and never while something we asked for keeps the host busy.
 *
 * After a (re)connect nothing is judged until the picture is complete: every host known before has answered
 * or has had RETURN_GRACE_MS to come back (after a restart of the NATS server hosts reconnect seconds later
 * than we do), and every newly found one has answered or missed a probe.
 *
 * Silence counts only while the bus itself is known to live: a server that hangs, or a network that swallows
 * what is sent to it, silences every host at once, seconds before the connection is given up.
 */
enum {
    DISCOVER_WINDOW_MS = 1000,
    REDISCOVER_EARLY_MS = 2000,
    REDISCOVER_LATE_MS = 30000,
    REDISCOVER_EARLY_FOR_MS = 15000,
    EMPTY_GRACE_MS = 4000, /* a lattice is called empty after this long */
    RETURN_GRACE_MS = 10000,
    RTT_EVERY_MS = 30000,
    PROBE_TIMEOUT_MIN_MS = 100,
    PROBE_BACKOFF_SILENT_MS = 2000, /* an unreachable host may come back any moment */
    PROBE_BACKOFF_DEAD_MS = 5000,
    BUS_SLACK_MS = 500,
    STALL_MS = 1000, /* our own loop was late by this: what was missed meanwhile is not the host's fault */
};

static void probe_now(struct lat_row *row);
static void check_synced(struct lattice *lat);

static void set_state(struct lat_row *row, enum lat_host_state s)
{
    if (row->host.state == s)
        return;
    row->host.state = s;
    row->host.state_since_ns = time_now_ns();
    lat_row_changed(row);
    if (lat_host_dead(s))
        lat_hearing_lost(row->lat);
    if (lat_host_dead(s))
        lat_queue_fail(&row->ops, s != LAT_HOST_UNREACHABLE, ERR_UNAVAILABLE,
                       "host %s is not there any more: %s", row->host.id, lat_host_reason(s));
    else if (s == LAT_HOST_READY)
        lat_queue_pump(&row->ops);
}

static int64_t silence(const struct lat_row *row)
{
    const struct lattice *lat = row->lat;
    int64_t from = row->host.last_seen_ms > lat->heard_from_ms ? row->host.last_seen_ms : lat->heard_from_ms;

    return loop_now_ms(lat->loop) - from;
}

static int64_t probe_timeout_most(const struct lattice *lat)
{
    const struct lat_options *o = &lat->options;

    return o->unreachable_after_ms / 3 > o->probe_interval_ms ? o->unreachable_after_ms / 3
                                                              : o->probe_interval_ms;
}

/* Longer than between two signs of the bus while it lives: a probe is answered, or the bus asked when it is
 * not. */
static int64_t bus_gap_ms(const struct lattice *lat)
{
    return lat->options.probe_interval_ms + probe_timeout_most(lat) + BUS_SLACK_MS;
}

/* Something came over the bus. If it was silent for long, no host is to blame for its own silence. */
static void bus_heard(struct lattice *lat)
{
    int64_t now = loop_now_ms(lat->loop);

    if (lat->bus && now - lat->bus_heard_ms > bus_gap_ms(lat))
        lat->heard_from_ms = now;
    lat->bus_heard_ms = now;
}

/* It has brought something after this host was asked. */
static bool bus_lives(const struct lat_row *row)
{
    return !row->lat->bus || row->lat->bus_heard_ms > row->probe_sent_ms;
}

static bool is_silent(const struct lat_row *row)
{
    return row->missed >= 2 && silence(row) >= row->lat->options.unreachable_after_ms;
}

/* Judges a host that did not answer. */
static void judge(struct lat_row *row)
{
    struct lattice *lat = row->lat;
    enum lat_host_state s = row->host.state;

    if (lat->phase != LAT_SYNCED || lat_host_dead(s))
        return;
    if (row->nobody)
        set_state(row, LAT_HOST_GONE);
    else if (lat_queue_busy(&row->ops))
        set_state(row, LAT_HOST_BUSY);
    else if (is_silent(row) && bus_lives(row))
        set_state(row, LAT_HOST_UNREACHABLE);
    else
        set_state(row, LAT_HOST_SUSPECT);
}

static void on_bus_answered(void *arg, int64_t us)
{
    struct lattice *lat = arg;

    lat->bus_asked = false;
    if (us < 0 || lat->phase == LAT_DOWN)
        return;
    bus_heard(lat);
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);) {
        struct lat_row *row = it.value;
        if (row->host.state == LAT_HOST_SUSPECT && is_silent(row))
            judge(row);
    }
}

static void ask_bus(struct lattice *lat)
{
    if (!lat->bus || lat->bus_asked)
        return;
    lat->bus_asked = true;
    bus_rtt(lat->bus, on_bus_answered, lat);
}

/* Probes */

static int64_t backoff_max(const struct lat_row *row)
{
    return row->host.state == LAT_HOST_UNREACHABLE ? PROBE_BACKOFF_SILENT_MS : PROBE_BACKOFF_DEAD_MS;
}

static void probe_later(struct lat_row *row)
{
    struct lattice *lat = row->lat;
    int64_t wait = lat->options.probe_interval_ms;

    if (lat->phase == LAT_DOWN)
        return;
    if (lat_host_dead(row->host.state)) {
        row->backoff_ms = row->backoff_ms ? row->backoff_ms * 2 : wait;
        if (row->backoff_ms > backoff_max(row))
            row->backoff_ms = backoff_max(row);
        wait = row->backoff_ms > wait ? row->backoff_ms : wait;
    } else {
        row->backoff_ms = 0;
    }
    wait -= loop_now_ms(lat->loop) - row->probe_sent_ms;
    loop_timer_start(row->next_probe, wait > 0 ? wait : 0);
}

static void on_silent(struct lat_row *row)
{
    struct lattice *lat = row->lat;
    int64_t now = loop_now_ms(lat->loop);

    if (now - row->probe_sent_ms > row->probe_timeout_ms + STALL_MS) {
        lat->heard_from_ms = now;
        probe_later(row);
        return;
    }
    row->missed++;
    row->nobody = false;
    judge(row);
    ask_bus(lat);
    /* A host that has only just shown itself is not waited for; one that was here before may still be
     * reconnecting. */
    if (!row->host.has_inventory)
        row->settled = true;
    check_synced(lat);
    probe_later(row);
}

static void on_nobody(struct lat_row *row)
{
    struct lattice *lat = row->lat;
    bool confirmed = row->nobody;

    bus_heard(lat);
    row->nobody = true;
    row->missed++;
    if (!confirmed) {
        probe_now(row);
        return;
    }
    judge(row);
    if (!row->host.has_inventory)
        row->settled = true;
    check_synced(lat);
    probe_later(row);
}

static void on_probed(void *arg, const struct err *err)
{
    struct lat_row *row = arg;

    row->probe = NULL;
    if (!err) {
        /* lat_front_inventory() says the rest. */
        probe_later(row);
    } else if (err->code == ERR_NOT_FOUND) {
        on_nobody(row);
    } else if (err->code == ERR_UNAVAILABLE) {
        /* Our own side; the disconnection is told separately. */
        probe_later(row);
    } else if (err->code == ERR_TIMEOUT) {
        on_silent(row);
    } else {
        /* An answer that cannot be read: it lives, but nothing is known of what runs there. */
        log_debug("inventory refused", "host", row->host.id, "reason", err->message, NULL);
        lat_health_seen(row, false);
        row->settled = true;
        check_synced(row->lat);
        probe_later(row);
    }
}

static int64_t probe_timeout(const struct lat_row *row)
{
    int64_t ms = probe_timeout_most(row->lat);

    /* So that the verdict falls when it is due, not one probe later. */
    int64_t left = row->lat->options.unreachable_after_ms - silence(row);
    if (row->missed && left > 0 && left < ms)
        ms = left;
    return ms < PROBE_TIMEOUT_MIN_MS ? PROBE_TIMEOUT_MIN_MS : ms;
}

static void probe_now(struct lat_row *row)
{
    struct lattice *lat = row->lat;

    if (row->probe || lat->phase == LAT_DOWN || !lat->driver)
        return;
    loop_timer_stop(row->next_probe);
    row->probe_sent_ms = loop_now_ms(lat->loop);
    row->probe_timeout_ms = probe_timeout(row);
    row->probe = lat->ops->probe(lat->driver, row->host.id, row->probe_timeout_ms, on_probed, row);
}

static void on_next_probe(void *arg)
{
    probe_now(arg);
}

static void probe_stop(struct lat_row *row)
{
    if (row->probe)
        row->lat->ops->cancel(TAKE_PTR(row->probe));
    if (row->next_probe)
        loop_timer_stop(row->next_probe);
}

/* Signs of life */

void lat_health_seen(struct lat_row *row, bool fresh)
{
    struct lattice *lat = row->lat;
    enum lat_host_state s = row->host.state;

    bus_heard(lat);
    row->host.last_seen_ms = loop_now_ms(lat->loop);
    row->missed = 0;
    row->nobody = false;
    if (fresh) {
        row->next_probe = loop_timer_new(lat->loop, on_next_probe, row);
        probe_now(row);
    } else if (s == LAT_HOST_SUSPECT || s == LAT_HOST_BUSY) {
        set_state(row, row->host.has_inventory ? LAT_HOST_READY : LAT_HOST_NEW);
    } else if (s != LAT_HOST_READY && s != LAT_HOST_NEW) {
        /* Back, perhaps: its inventory decides. */
        row->backoff_ms = 0;
        probe_now(row);
    }
}

void lat_health_inventory(struct lat_row *row)
{
    struct lattice *lat = row->lat;

    bus_heard(lat);
    row->host.last_seen_ms = loop_now_ms(lat->loop);
    row->missed = 0;
    row->nobody = false;
    row->settled = true;
    row->backoff_ms = 0;
    if (lat->phase == LAT_DOWN)
        return;
    set_state(row, LAT_HOST_READY);
    /* Of a host that was dead the next probe is a long way off. */
    if (!row->probe)
        probe_later(row);
    check_synced(lat);
}

void lat_health_stopped(struct lat_row *row)
{
    probe_stop(row);
    row->settled = true;
    if (row->lat->phase == LAT_DOWN)
        return;
    set_state(row, LAT_HOST_STOPPED);
    check_synced(row->lat);
    /* It may go on answering until it is really down. */
    row->backoff_ms = PROBE_BACKOFF_DEAD_MS;
    loop_timer_start(row->next_probe, PROBE_BACKOFF_DEAD_MS);
}

void lat_health_restarted(struct lat_row *row)
{
    if (lat_host_alive(row->host.state))
        set_state(row, LAT_HOST_NEW);
    /* An answer under way may still be the old process's. */
    probe_stop(row);
    probe_now(row);
}

void lat_health_idle(struct lat_row *row)
{
    if (row->host.state == LAT_HOST_BUSY && row->missed && !lat_queue_busy(&row->ops))
        judge(row);
}

void lat_health_forget(struct lat_row *row)
{
    probe_stop(row);
    loop_timer_free(TAKE_PTR(row->next_probe));
}

/* Discovery and the first picture */

static void on_discovered(void *arg, const struct err *err)
{
    struct lattice *lat = arg;
    (void)err; /* nobody: an empty lattice, for now */

    lat->discover = NULL;
    lat->discovered = true;
    bool early = loop_now_ms(lat->loop) - lat->connected_ms < REDISCOVER_EARLY_FOR_MS;
    loop_timer_start(lat->rediscover, early ? REDISCOVER_EARLY_MS - DISCOVER_WINDOW_MS : REDISCOVER_LATE_MS);
    check_synced(lat);
}

static void discover(void *arg)
{
    struct lattice *lat = arg;

    if (!lat->discover && lat->phase != LAT_DOWN && lat->driver)
        lat->discover = lat->ops->discover(lat->driver, DISCOVER_WINDOW_MS, on_discovered, lat);
}

static void on_rtt(void *arg, int64_t us)
{
    struct lattice *lat = arg;

    lat->rtt_us = us;
}

static void measure_rtt(void *arg)
{
    struct lattice *lat = arg;

    if (!lat->bus)
        return;
    bus_rtt(lat->bus, on_rtt, lat);
    loop_timer_start(lat->rtt_timer, RTT_EVERY_MS);
}

static bool picture_complete(const struct lattice *lat)
{
    int64_t since = loop_now_ms(lat->loop) - lat->connected_ms;

    if (!lat->discovered)
        return false;
    if (since >= RETURN_GRACE_MS)
        return true;
    if (!map_len(lat->hosts))
        return since >= EMPTY_GRACE_MS;
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);)
        if (!((struct lat_row *)it.value)->settled)
            return false;
    return true;
}

static void check_synced(struct lattice *lat)
{
    if (lat->phase != LAT_SYNCING || !picture_complete(lat))
        return;
    lat->phase = LAT_SYNCED;
    lat->synced_due = true;
    loop_timer_stop(lat->sync_check);
    lat_flush_soon(lat);
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);) {
        struct lat_row *row = it.value;
        /* Held back until now. A single 503 not yet confirmed is left to its second probe. */
        if (!lat_host_alive(row->host.state) && row->missed && !(row->nobody && row->probe))
            judge(row);
    }
}

static void on_sync_check(void *arg)
{
    check_synced(arg);
}

void lat_health_connected(struct lattice *lat)
{
    if (!lat->rediscover) {
        lat->rediscover = loop_timer_new(lat->loop, discover, lat);
        lat->sync_check = loop_timer_new(lat->loop, on_sync_check, lat);
        lat->rtt_timer = loop_timer_new(lat->loop, measure_rtt, lat);
    }
    lat->phase = LAT_SYNCING;
    lat->connected_ms = lat->heard_from_ms = lat->bus_heard_ms = loop_now_ms(lat->loop);
    lat->discovered = false;
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);) {
        struct lat_row *row = it.value;
        row->missed = 0;
        row->nobody = false;
        row->backoff_ms = 0;
        probe_now(row);
    }
    discover(lat);
    measure_rtt(lat);
    loop_timer_start(lat->sync_check, RETURN_GRACE_MS);
}

void lat_health_disconnected(struct lattice *lat)
{
    lat->phase = LAT_DOWN;
    lat->synced_due = false;
    lat->rtt_us = -1;
    if (lat->discover)
        lat->ops->cancel(TAKE_PTR(lat->discover));
    if (lat->rediscover) {
        loop_timer_stop(lat->rediscover);
        loop_timer_stop(lat->sync_check);
        loop_timer_stop(lat->rtt_timer);
    }
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);) {
        struct lat_row *row = it.value;
        probe_stop(row);
        /* Whoever was dead before is not waited for. */
        row->settled =
            lat_host_dead(row->host.state) || (row->host.state == LAT_HOST_UNJUDGED && row->settled);
        lat_queue_fail(&row->ops, false, ERR_UNAVAILABLE,
                       "the connection to the lattice was lost meanwhile: %s", lat->down_reason);
        set_state(row, LAT_HOST_UNJUDGED);
    }
    lat_queue_fail(&lat->wide, false, ERR_UNAVAILABLE, "the connection to the lattice was lost meanwhile: %s",
                   lat->down_reason);
}

void lat_health_close(struct lattice *lat)
{
    lat->phase = LAT_DOWN;
    if (lat->discover)
        lat->ops->cancel(TAKE_PTR(lat->discover));
    loop_timer_free(lat->rediscover);
    loop_timer_free(lat->sync_check);
    loop_timer_free(lat->rtt_timer);
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);)
        lat_health_forget(it.value);
}
