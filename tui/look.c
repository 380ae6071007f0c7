#include "tui/look.h"

#include <stdio.h>

#include "base/str.h"
#include "base/timefmt.h"

enum tui_role look_health_role(enum tui_health health)
{
    static const enum tui_role roles[] = {[TUI_HEALTH_GOOD] = TUI_GOOD,
                                          [TUI_HEALTH_BUSY] = TUI_BUSY,
                                          [TUI_HEALTH_UNKNOWN] = TUI_UNKNOWN,
                                          [TUI_HEALTH_WARN] = TUI_WARN,
                                          [TUI_HEALTH_BAD] = TUI_BAD};

    return roles[health];
}

enum tui_role look_source_role(const struct store_source *source)
{
    static const enum tui_role roles[STORE_SOURCE_STATES] = {TUI_UNKNOWN, TUI_BUSY, TUI_GOOD,
                                                             TUI_BAD,     TUI_BAD,  TUI_DIM};

    return roles[source->state];
}

static const char *workload_state(const struct tui_object *o)
{
    const struct tui_workload *w = &o->workload;

    if (o->health == TUI_HEALTH_UNKNOWN)
        return "Unknown";
    if (w->paused)
        return "Paused";
    if (o->health == TUI_HEALTH_BAD)
        return "Failed";
    if (o->health == TUI_HEALTH_BUSY)
        return w->updated >= 0 && w->updated < w->desired && w->ready ? "Updating" : "Starting";
    return w->desired == 0 ? "Stopped" : "Ready";
}

const char *look_state(const struct tui_object *o)
{
    if (o->deleting)
        return "Deleting";
    if (o->kind == TUI_ACTOR || o->kind == TUI_PROVIDER)
        return workload_state(o);
    if (o->kind == TUI_EVENT)
        return o->event.type;
    if (o->kind == TUI_LATTICE)
        return !o->lattice.connected ? "Away" : o->health == TUI_HEALTH_GOOD ? "Ready" : "Degraded";
    if (o->health == TUI_HEALTH_UNKNOWN)
        return "Unknown";
    if (o->host.lost)
        return "Lost";
    return o->host.cordoned ? "Cordoned" : o->health == TUI_HEALTH_WARN ? "Deaf" : "Ready";
}

void look_host(const struct tui_object *host, char *out, size_t size)
{
    if (*host->host.friendly)
        snprintf(out, size, "%s", host->host.friendly);
    else
        snprintf(out, size, "%.12s", host->name);
}

void look_age(struct list_cell *cell, int64_t now_ns, int64_t ns)
{
    char age[TIME_AGE_LEN];

    list_cell_set(cell, TUI_DIM, "%s", ns ? time_age(now_ns > ns ? now_ns - ns : 0, age) : "");
}

uint64_t look_id(const struct tui_object *o)
{
    return o->id;
}
