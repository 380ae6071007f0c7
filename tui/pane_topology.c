/*
 * The topology as a picture: clouds with their zones and hosts and what runs on them, or - the other way to
 * look at it - actors and providers as a graph of links.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tui/app.h"
#include "tui/graph.h"
#include "tui/look.h"
#include "tui/running.h"

enum { HOST_W = 26, CLOUD_MIN = 30, UNITS_SHOWN = 6 };

/* A host in the picture, or a unit on it. */
struct item {
    struct tui_object *object, *host; /* host: where a unit runs, NULL for hosts themselves */
    int32_t replicas;
    struct box box; /* in the picture */
};

struct state {
    VEC(struct item) items; /* each host is followed by what runs on it */
    size_t hosts;
    bool links; /* the graph of links is shown */
    struct graph *graph;
    uint64_t chosen; /* id of the selected item or node */
    int top;         /* first row of the picture that is seen */
};

static struct tui_object *ref(const struct tui_object *o)
{
    return tui_object_ref((struct tui_object *)(uintptr_t)o);
}

static void clear(struct state *s)
{
    for (size_t i = 0; i < s->items.len; i++) {
        tui_object_unref(s->items.items[i].object);
        tui_object_unref(s->items.items[i].host);
    }
    s->items.len = 0;
}

static int make(struct pane *p, const char *argument, struct err **err)
{
    struct state *s = p->state;

    if (*argument && !streq(argument, "links") && !streq(argument, "places"))
        return err_set(err, ERR_INVALID, "topology[%s]: \"places\" or \"links\" is wanted", argument);
    s->links = streq(argument, "links");
    return 0;
}

static void release(struct pane *p)
{
    struct state *s = p->state;

    clear(s);
    free(s->items.items);
    graph_free(s->graph);
}

static uint64_t id_of(const struct item *i)
{
    uint64_t on = i->host ? look_id(i->host) : 0;

    return look_id(i->object) ^ (on << 1 | on >> 63);
}

static int compare_hosts(const void *x, const void *y)
{
    const struct tui_object *a = *(const struct tui_object *const *)x,
                            *b = *(const struct tui_object *const *)y;
    int order = a->cluster < b->cluster ? -1 : a->cluster > b->cluster;

    order = order ? order : strcmp(a->host.cloud, b->host.cloud);
    order = order ? order : strcmp(a->host.zone, b->host.zone);
    order = order ? order : strcmp(a->host.friendly, b->host.friendly);
    return order ? order : strcmp(a->name, b->name);
}

static void find_places(struct pane *p)
{
    struct state *s = p->state;
    _cleanup_map_ struct map *running = running_find(p);
    VEC(const struct tui_object *) hosts = {0};
    const struct tui_object *o;

    clear(s);
    for (struct store_iter it = {0}; (o = store_next(app_store(p->app), TUI_HOST, &it));)
        if (app_shows(p->app, p, o, o->host.friendly))
            vec_push(&hosts, o);
    if (hosts.len)
        qsort(hosts.items, hosts.len, sizeof(*hosts.items), compare_hosts);
    s->hosts = hosts.len;
    for (size_t i = 0; i < hosts.len; i++) {
        const struct running *r = running_on(running, hosts.items[i]);
        vec_push(&s->items, ((struct item){.object = ref(hosts.items[i])}));
        for (size_t k = 0; r && k < r->units.len; k++)
            vec_push(&s->items, ((struct item){.object = ref(r->units.items[k]),
                                               .host = ref(hosts.items[i]),
                                               .replicas = r->replicas.items[k]}));
    }
    free(hosts.items);
}

/* The graph of links */

static void add_nodes(struct pane *p, enum tui_kind kind, struct map *numbers)
{
    struct state *s = p->state;
    const struct tui_object *o;

    for (struct store_iter it = {0}; (o = store_next(app_store(p->app), kind, &it));) {
        char text[64], desired[16] = "*";
        if (!app_shows(p->app, p, o, o->workload.image))
            continue;
        if (o->workload.desired >= 0)
            snprintf(desired, sizeof(desired), "%d", o->workload.desired);
        snprintf(text, sizeof(text), "%s %d/%s", look_state(o), o->workload.ready, desired);
        size_t n = graph_node(s->graph, o->name, text, look_health_role(o->health), look_id(o));
        _cleanup_free_ char *key = xasprintf("%u/%d/%s", o->cluster, kind, o->key);
        if (n != SIZE_MAX)
            map_set(numbers, key, (void *)(uintptr_t)(n + 1));
        vec_push(&s->items, ((struct item){.object = ref(o)}));
    }
}

static size_t number_of(const struct map *numbers, unsigned cluster, enum tui_kind kind,
                        const char *namespace, const char *name)
{
    _cleanup_free_ char *key = xasprintf("%u/%d/%s/%s", cluster, kind, namespace ? namespace : "", name);

    return (size_t)(uintptr_t)map_get(numbers, key) - 1;
}

static void find_links(struct pane *p)
{
    struct state *s = p->state;
    _cleanup_map_ struct map *numbers = map_new(NULL);
    const struct tui_object *o;

    clear(s);
    graph_free(s->graph);
    s->graph = graph_new();
    add_nodes(p, TUI_PROVIDER, numbers);
    add_nodes(p, TUI_ACTOR, numbers);
    for (struct store_iter it = {0}; (o = store_next(app_store(p->app), TUI_ACTOR, &it));) {
        if (!pane_shows(p, o->cluster))
            continue;
        size_t self = number_of(numbers, o->cluster, TUI_ACTOR, o->namespace, o->name);
        for (size_t i = 0; i < o->workload.nlinks; i++) {
            const struct tui_link *link = &o->workload.links[i];
            size_t peer = number_of(numbers, o->cluster, link->actor ? TUI_ACTOR : TUI_PROVIDER, o->namespace,
                                    link->peer);
            const char *label = strchr(link->interface, '/');
            if (self != SIZE_MAX && peer != SIZE_MAX)
                graph_edge(s->graph, link->inward ? peer : self, link->inward ? self : peer,
                           label ? label + 1 : link->interface, TUI_BORDER);
        }
    }
}

static void refresh(struct pane *p)
{
    struct state *s = p->state;

    if (s->links)
        find_links(p);
    else
        find_places(p);
}

static size_t chosen_index(const struct state *s)
{
    for (size_t i = 0; i < s->items.len; i++)
        if (id_of(&s->items.items[i]) == s->chosen)
            return i;
    return s->items.len ? 0 : SIZE_MAX;
}

/* Places: clouds beside each other, in them zones, in them hosts. */

static bool same_cloud(const struct item *a, const struct item *b)
{
    return a->object->cluster == b->object->cluster && streq(a->object->host.cloud, b->object->host.cloud);
}

static size_t next_host(const struct state *s, size_t i)
{
    for (i++; i < s->items.len && s->items.items[i].host; i++)
        ;
    return i;
}

static int host_height(const struct state *s, size_t i)
{
    size_t units = next_host(s, i) - i - 1;

    return 2 + (units > UNITS_SHOWN ? UNITS_SHOWN + 1 : units ? (int)units : 1);
}

/* Gives the hosts of one cloud their boxes, from item `from`; returns its end, *height what it takes. */
static size_t place_cloud(struct state *s, size_t from, struct box at, int *height)
{
    int columns = (at.w - 2) / HOST_W > 1 ? (at.w - 2) / HOST_W : 1, width = (at.w - 2) / columns, column = 0,
        y = at.y + 1, line = 0;
    const char *zone = NULL;
    size_t i = from;

    for (size_t next; i < s->items.len && same_cloud(&s->items.items[from], &s->items.items[i]); i = next) {
        struct item *host = &s->items.items[i];
        next = next_host(s, i);
        bool new_zone = !zone || !streq(zone, host->object->host.zone);
        if (column == columns || (new_zone && zone)) {
            y += line;
            column = line = 0;
        }
        if (new_zone && *host->object->host.zone)
            y++;
        zone = host->object->host.zone;
        int h = host_height(s, i);
        host->box = (struct box){at.x + 1 + column * width, y, width, h};
        for (size_t k = i + 1; k < next; k++) {
            int row = (int)(k - i);
            s->items.items[k].box =
                row <= UNITS_SHOWN ? (struct box){host->box.x + 1, y + row, width - 2, 1} : host->box;
        }
        line = h > line ? h : line;
        column++;
    }
    *height = y + line + 1 - at.y;
    return i;
}

struct cloud {
    size_t from, to;
    struct box box;
};

static void draw_host(struct pane *p, struct canvas *c, const struct state *s, size_t i, size_t chosen,
                      int dy)
{
    const struct item *host = &s->items.items[i];
    struct box b = host->box;
    const struct tui_object *o = host->object,
                            *with = chosen < s->items.len ? s->items.items[chosen].object : NULL;
    char name[128];
    size_t end = next_host(s, i);
    bool focus = app_focus(p->app) == p;

    b.y += dy;
    if (b.y + b.h < c->clip.y || b.y >= c->clip.y + c->clip.h)
        return;
    bool wrong = o->health == TUI_HEALTH_BAD || o->health == TUI_HEALTH_UNKNOWN;
    canvas_frame(c, b, i == chosen ? TUI_FOCUS : wrong ? look_health_role(o->health) : TUI_BORDER);
    look_host(o, name, sizeof(name));
    int used = canvas_text(c, b.x + 2, b.y, b.w - 4, name, wrong ? look_health_role(o->health) : TUI_TEXT,
                           CANVAS_BOLD);
    if (o->health != TUI_HEALTH_GOOD)
        canvas_text(c, b.x + 3 + used, b.y, b.w - 5 - used, look_state(o), look_health_role(o->health), 0);
    if (i == chosen && focus)
        canvas_flag(c, (struct box){b.x + 1, b.y, b.w - 2, 1}, -1, CANVAS_CURSOR);
    if (end == i + 1)
        canvas_text(c, b.x + 2, b.y + 1, b.w - 4, "idle", TUI_DIM, 0);
    for (size_t k = i + 1; k < end; k++) {
        const struct item *unit = &s->items.items[k];
        int row = (int)(k - i), y = b.y + row;
        char text[256];
        if (row > UNITS_SHOWN) {
            snprintf(text, sizeof(text), "%zu more", end - k);
            canvas_text(c, b.x + 2, y, b.w - 4, text, TUI_DIM, 0);
            break;
        }
        /* Where else the selected unit runs stands out. */
        bool same = with && unit->object->kind == with->kind && unit->object->cluster == with->cluster &&
                    streq(unit->object->key, with->key);
        if (unit->replicas > 1)
            snprintf(text, sizeof(text), "%s x%d", unit->object->name, unit->replicas);
        else
            snprintf(text, sizeof(text), "%s", unit->object->name);
        canvas_put(c, b.x + 2, y, unit->object->kind == TUI_ACTOR ? 0x25cf : 0x25cb,
                   look_health_role(unit->object->health), 0);
        canvas_text(c, b.x + 4, y, b.w - 6, text, same ? TUI_FOCUS : TUI_TEXT, same ? CANVAS_BOLD : 0);
        if (k == chosen && focus)
            canvas_flag(c, (struct box){b.x + 1, y, b.w - 2, 1}, -1, CANVAS_CURSOR);
    }
}

static void draw_cloud(struct pane *p, struct canvas *c, struct state *s, const struct cloud *cloud,
                       size_t chosen, int dy)
{
    const struct store *store = app_store(p->app);
    const struct tui_object *first = s->items.items[cloud->from].object;
    struct box b = cloud->box;
    char title[256];
    size_t hosts = 0, lost = 0;
    const char *zone = NULL;

    b.y += dy;
    canvas_frame(c, b, TUI_BORDER);
    for (size_t i = cloud->from; i < cloud->to; i = next_host(s, i)) {
        const struct item *host = &s->items.items[i];
        hosts++;
        lost += host->object->host.lost;
        if (!zone || !streq(zone, host->object->host.zone)) {
            zone = host->object->host.zone;
            if (*zone)
                canvas_text(c, b.x + 2, host->box.y - 1 + dy, b.w - 4, zone, TUI_HEADER, 0);
        }
        draw_host(p, c, s, i, chosen, dy);
    }
    const char *cluster = store_cluster_name(store, first->cluster), *name = first->host.cloud;
    bool both = *name && !streq(cluster, name);
    snprintf(title, sizeof(title), "%s%s%s (%zu hosts%s", cluster, both ? " " : "", both ? name : "", hosts,
             lost ? ", " : ")");
    int used = canvas_text(c, b.x + 2, b.y, b.w - 4, title,
                           (enum tui_role)(TUI_SERIES + first->cluster % TUI_SERIES_LEN), CANVAS_BOLD);
    if (lost) {
        snprintf(title, sizeof(title), "%zu lost)", lost);
        canvas_text(c, b.x + 2 + used, b.y, b.w - 4 - used, title, TUI_BAD, CANVAS_BOLD);
    }
}

/* Scrolls so that the box is seen, with a row around it where there is room. */
static void scroll_to(struct state *s, struct box want, int room, int height)
{
    if (want.y + want.h + 1 > s->top + room)
        s->top = want.y + want.h + 1 - room;
    if (want.y - 1 < s->top)
        s->top = want.y - 1;
    if (s->top > height - room)
        s->top = height - room;
    if (s->top < 0)
        s->top = 0;
}

static void draw_places(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;
    VEC(struct cloud) clouds = {0};
    size_t groups = 0, chosen = chosen_index(s);
    int y = 0;

    for (size_t i = 0, before = SIZE_MAX; i < s->items.len; before = i, i = next_host(s, i))
        groups += before == SIZE_MAX || !same_cloud(&s->items.items[i], &s->items.items[before]);
    int fit = box.w / CLOUD_MIN > 1 ? box.w / CLOUD_MIN : 1, columns = (int)groups < fit ? (int)groups : fit;
    for (size_t i = 0; i < s->items.len;) {
        int row_height = 0;
        size_t row_from = clouds.len;
        for (int k = 0; k < columns && i < s->items.len; k++) {
            struct cloud cloud = {.from = i};
            int x = box.w * k / columns, height;
            cloud.box = (struct box){x, y, box.w * (k + 1) / columns - x, 0};
            i = place_cloud(s, i, cloud.box, &height);
            cloud.to = i;
            row_height = height > row_height ? height : row_height;
            vec_push(&clouds, cloud);
        }
        for (size_t k = row_from; k < clouds.len; k++)
            clouds.items[k].box.h = row_height;
        y += row_height;
    }
    if (chosen != SIZE_MAX)
        scroll_to(s, s->items.items[chosen].box, box.h, y);
    /* Boxes are those of the picture; it is moved to the pane. */
    for (size_t i = 0; i < s->items.len; i++)
        s->items.items[i].box.x += box.x;
    for (size_t i = 0; i < clouds.len; i++) {
        clouds.items[i].box.x += box.x;
        draw_cloud(p, c, s, &clouds.items[i], chosen, box.y - s->top);
    }
    free(clouds.items);
    if (!s->items.len)
        canvas_text(c, box.x, box.y, box.w, "no hosts", TUI_DIM, 0);
}

static size_t chosen_node(const struct state *s)
{
    for (size_t i = 0; s->graph && i < graph_nodes(s->graph); i++)
        if (graph_id(s->graph, i) == s->chosen)
            return i;
    return s->graph && graph_nodes(s->graph) ? 0 : SIZE_MAX;
}

static void draw_links(struct pane *p, struct canvas *c, struct box box)
{
    struct state *s = p->state;
    size_t chosen = chosen_node(s);

    if (chosen == SIZE_MAX) {
        canvas_text(c, box.x, box.y, box.w, "no actors and no providers", TUI_DIM, 0);
        return;
    }
    /* Placing does not depend on what is scrolled to. */
    int height = graph_place(s->graph, box.w);
    struct box at = graph_box(s->graph, chosen);
    int over = at.x + at.w + 2 - box.w; /* a picture that is too wide is moved to the left */
    scroll_to(s, at, box.h, height);
    graph_draw(s->graph, c, box.x - (over > 0 ? over : 0), box.y - s->top, chosen, app_focus(p->app) == p);
}

static void draw(struct pane *p, struct canvas *c, struct box box)
{
    const struct state *s = p->state;

    if (s->links && s->graph)
        draw_links(p, c, box);
    else
        draw_places(p, c, box);
}

/* Moving */

static void move_in_graph(struct state *s, int dx, int dy)
{
    size_t at = chosen_node(s);

    if (at != SIZE_MAX)
        s->chosen = graph_id(s->graph, graph_beside(s->graph, at, dx, dy));
}

/* The host in this direction whose middle is nearest. */
static void move_sideways(struct state *s, int dx)
{
    size_t at = chosen_index(s), best = SIZE_MAX;
    long best_distance = 0;

    if (at == SIZE_MAX)
        return;
    const struct box from = s->items.items[at].box;
    for (size_t i = 0; i < s->items.len; i++) {
        const struct box b = s->items.items[i].box;
        long by = (long)(b.x + b.w / 2) - (from.x + from.w / 2), down = labs((long)b.y - from.y);
        if (s->items.items[i].host || by * dx <= 1)
            continue;
        long distance = labs(by) + down * 4;
        if (best == SIZE_MAX || distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    if (best != SIZE_MAX)
        s->chosen = id_of(&s->items.items[best]);
}

static void move(struct pane *p, int dx, int dy)
{
    struct state *s = p->state;
    size_t at;

    if (s->links) {
        move_in_graph(s, dx, dy);
    } else if (dx) {
        move_sideways(s, dx);
    } else if ((at = chosen_index(s)) != SIZE_MAX) {
        size_t to = dy > 0 ? at + 1 : at ? at - 1 : 0;
        if (to < s->items.len)
            s->chosen = id_of(&s->items.items[to]);
    }
}

static void left(struct pane *p)
{
    move(p, -1, 0);
}

static void right(struct pane *p)
{
    move(p, 1, 0);
}

static void up(struct pane *p)
{
    move(p, 0, -1);
}

static void down(struct pane *p)
{
    move(p, 0, 1);
}

static void toggle(struct pane *p)
{
    struct state *s = p->state;

    s->links = !s->links;
    s->top = 0;
    p->stale = true;
    p->fresh_until_ms = 0;
}

static bool selection(struct pane *p, struct selection *ret)
{
    const struct state *s = p->state;
    size_t at = chosen_index(s);

    if (s->links && (at = chosen_node(s)) != SIZE_MAX)
        for (at = 0;
             at < s->items.len && look_id(s->items.items[at].object) != graph_id(s->graph, chosen_node(s));
             at++)
            ;
    if (at >= s->items.len)
        return false;
    const struct tui_object *o = s->items.items[at].object;
    *ret = (struct selection){o->cluster, tui_kind_names[o->kind], o->namespace, o->name, o};
    return true;
}

static void title_more(struct pane *p, struct buf *out)
{
    const struct state *s = p->state;

    buf_adds(out, s->links ? ": links" : ": places");
}

static const struct action actions[] = {
    {"links", "o", "Places (clouds, hosts, what runs) or links (who calls whom)", ACTION_HINT, toggle},
    {"left", "left", "To the left", 0, left},
    {"right", "right", "To the right", 0, right},
    {"up", "k up", "Up", 0, up},
    {"down", "j down", "Down", 0, down},
    ACTIONS_END,
};

const struct pane_class pane_topology = {
    .name = "topology",
    .title = "Topology",
    .help = "A picture of clouds, hosts and what runs on them, or [links]: who calls whom",
    .follows = 1 << TUI_HOST | 1 << TUI_ACTOR | 1 << TUI_PROVIDER | STORE_CHANGED_TIME,
    .state_size = sizeof(struct state),
    .actions = actions,
    .make = make,
    .release = release,
    .refresh = refresh,
    .draw = draw,
    .selection = selection,
    .title_more = title_more,
};
