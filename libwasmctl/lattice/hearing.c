#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "lattice/front.h"

/*
 * Which hosts still follow the lattice's store, and whether the store answers at all.
 *
 * A host without a watch gets DEAF_AFTER_MS to make a new one (after a restart of its server it does), unless
 * the store is away meanwhile: then nothing is counted. A host is asked about as long as it lives.
 */
enum {
    CHECK_EVERY_MS = 5000,
    CHECK_IN_DOUBT_MS = 2000,
    CHECK_DOWN_MS = 1000,
    DEAF_AFTER_MS = 12000,
};

static void set_hearing(struct lat_row *row, enum lat_hearing hearing)
{
    if (row->host.hearing == hearing)
        return;
    row->host.hearing = hearing;
    row->host.hearing_since_ns = time_now_ns();
    lat_row_changed(row);
}

void lat_front_hearing(struct lattice *lat, const char *host, bool hears)
{
    struct lat_row *row = lat_row_get(lat, host);
    int64_t now = loop_now_ms(lat->loop);

    if (!row || lat->closed)
        return;
    if (hears) {
        row->doubt_since_ms = 0;
        set_hearing(row, LAT_HEARS);
        return;
    }
    if (!row->doubt_since_ms)
        row->doubt_since_ms = now ? now : 1;
    bool judged = lat->phase == LAT_SYNCED && row->host.state == LAT_HOST_READY;
    if (row->host.hearing == LAT_DEAF || (judged && now - row->doubt_since_ms >= DEAF_AFTER_MS))
        set_hearing(row, LAT_DEAF);
    else
        set_hearing(row, LAT_DOUBTFUL);
}

static void set_store(struct lattice *lat, enum lat_store store, const struct err *err)
{
    bool was_asking = lat->store_asking;

    lat->store_asking = false;
    if (store == LAT_STORE_DOWN)
        xstr_replace(&lat->store_why, err_text(err));
    if (lat->store == store && !was_asking)
        return;
    if (lat->store == LAT_STORE_DOWN || store == LAT_STORE_DOWN)
        log_info("store of the lattice", "lattice", lat->name, "state",
                 store == LAT_STORE_DOWN ? "does not answer" : "answers", "reason", err ? err->message : "",
                 NULL);
    lat->store = store;
    /* While it was away no watch could be made: the time for that starts now. */
    for (struct map_iter it = {0}; store == LAT_STORE_UP && map_next(lat->hosts, &it);)
        ((struct lat_row *)it.value)->doubt_since_ms = 0;
    lat->store_changed_due = true;
    lat_flush_soon(lat);
}

void lat_front_store_up(struct lattice *lat)
{
    lat->store_ever_up = true;
    set_store(lat, LAT_STORE_UP, NULL);
}

static void on_checked(void *arg, const struct err *err)
{
    struct lattice *lat = arg;
    int64_t again = CHECK_EVERY_MS;

    lat->hearing = NULL;
    if (!err) {
        lat->heard_ms = lat->hearing_sent_ms;
        lat_front_store_up(lat);
        for (struct map_iter it = {0}; map_next(lat->hosts, &it);)
            if (((struct lat_row *)it.value)->host.hearing == LAT_DOUBTFUL)
                again = CHECK_IN_DOUBT_MS;
    } else if (err->code == ERR_UNSUPPORTED || (err->code == ERR_TIMEOUT && !lat->store_ever_up)) {
        /* Most likely we may not ask: a permission that is missing is answered by silence. */
        if (lat->store != LAT_STORE_UNKNOWN || lat->store_asking)
            set_store(lat, LAT_STORE_UNKNOWN, err);
        xstr_replace(&lat->store_why, err_text(err));
    } else {
        lat->heard_ms = 0;
        set_store(lat, LAT_STORE_DOWN, err);
        again = CHECK_DOWN_MS;
    }
    loop_timer_start(lat->hearing_timer, again);
}

static void check_now(void *arg)
{
    struct lattice *lat = arg;

    if (lat->hearing || lat->phase == LAT_DOWN || !lat->driver || !lat->ops->hearing)
        return;
    loop_timer_stop(lat->hearing_timer);
    lat->hearing_sent_ms = loop_now_ms(lat->loop);
    lat->hearing = lat->ops->hearing(lat->driver, !lat->heard_ms, on_checked, lat);
}

void lat_hearing_connected(struct lattice *lat)
{
    if (!lat->hearing_timer)
        lat->hearing_timer = loop_timer_new(lat->loop, check_now, lat);
    lat->heard_ms = 0;
    check_now(lat);
}

void lat_hearing_disconnected(struct lattice *lat)
{
    if (lat->hearing)
        lat->ops->cancel(TAKE_PTR(lat->hearing));
    if (lat->hearing_timer)
        loop_timer_stop(lat->hearing_timer);
    lat->heard_ms = 0;
    lat->store_asking = false;
    for (struct map_iter it = {0}; map_next(lat->hosts, &it);)
        ((struct lat_row *)it.value)->doubt_since_ms = 0;
}

void lat_hearing_lost(struct lattice *lat)
{
    if (lat->store != LAT_STORE_UP || lat->phase != LAT_SYNCED || !lat->ops->hearing)
        return;
    /* A check under way may have been answered before. */
    if (lat->hearing)
        lat->ops->cancel(TAKE_PTR(lat->hearing));
    lat->store_asking = true;
    check_now(lat);
}

void lat_hearing_restarted(struct lat_row *row)
{
    row->doubt_since_ms = 0;
    set_hearing(row, LAT_HEARING_UNKNOWN);
}

void lat_hearing_close(struct lattice *lat)
{
    if (lat->hearing)
        lat->ops->cancel(TAKE_PTR(lat->hearing));
    loop_timer_free(TAKE_PTR(lat->hearing_timer));
}

enum lat_store lat_store(const struct lattice *lat)
{
    if (lat->store_asking)
        return LAT_STORE_ASKING;
    return lat->ops->hearing ? lat->store : LAT_STORE_UP;
}

const char *lat_store_reason(const struct lattice *lat)
{
    return lat->store_why ? lat->store_why : "";
}

bool lat_hearing_fresh(struct lattice *lat, int64_t age_ms)
{
    if (!lat->ops->hearing || lat->store == LAT_STORE_UNKNOWN)
        return true;
    if (lat->heard_ms && loop_now_ms(lat->loop) - lat->heard_ms <= age_ms)
        return true;
    check_now(lat);
    return false;
}
