/* What is around the panes: the line at the top, frames and titles, the line at the bottom. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app_internal.h"
#include "tui/look.h"

enum { TICK_MS = 1000, FILL_NS = 8 * 1000 * 1000 };

static void draw_time(struct app *a, int *right)
{
    char text[96], at[TIME_RFC3339_LEN], age[TIME_AGE_LEN];
    int64_t looks_at = store_looks_at(a->store);

    if (!looks_at && !a->o.replay)
        return;
    time_rfc3339(app_now(a), 0, at);
    if (looks_at)
        snprintf(text, sizeof(text), " %s, %s ago ", at,
                 time_age((a->o.replay ? store_newest(a->store) : time_now_ns()) - looks_at, age));
    else
        snprintf(text, sizeof(text), " replay, %s ", at);
    int w = (int)str_width(text);
    if (w < *right) {
        canvas_text(a->canvas, *right - w, 0, w, text, TUI_WARN, CANVAS_BOLD);
        *right -= w + 1;
    }
}

static void draw_top(struct app *a)
{
    int x = 0, right = a->canvas->w;

    canvas_clear(a->canvas, (struct box){0, 0, a->canvas->w, 1});
    draw_time(a, &right);
    x += canvas_text(a->canvas, x, 0, right - x, "wasmctl ", TUI_TITLE, CANVAS_BOLD);
    for (unsigned i = 0; i < store_clusters(a->store) && x < right; i++) {
        const struct store_source *source = store_cluster_source(a->store, i);
        x += canvas_text(a->canvas, x, 0, right - x, " ", TUI_TEXT, 0);
        canvas_put(a->canvas, x, 0, source->state == STORE_LIVE ? 0x25cf : 0x25cb, look_source_role(source),
                   0);
        x++;
        x += canvas_text(a->canvas, x, 0, right - x, store_cluster_name(a->store, i),
                         look_source_role(source), 0);
        if (source->state != STORE_LIVE && x < right) {
            char text[64];
            snprintf(text, sizeof(text), " %s", store_source_state_names[source->state]);
            x += canvas_text(a->canvas, x, 0, right - x, text, look_source_role(source), 0);
        }
    }
    if (a->o.namespace && x < right) {
        x += canvas_text(a->canvas, x, 0, right - x, "  namespace ", TUI_DIM, 0);
        x += canvas_text(a->canvas, x, 0, right - x, a->o.namespace, TUI_TEXT, 0);
    }
    if (a->filter && x < right) {
        x += canvas_text(a->canvas, x, 0, right - x, "  /", TUI_KEY, 0);
        x += canvas_text(a->canvas, x, 0, right - x, tui_filter_text(a->filter), TUI_MATCH, 0);
    }
    if (a->faults_only && x < right)
        x += canvas_text(a->canvas, x, 0, right - x, "  faults only", TUI_WARN, 0);
    if (a->o.read_only && x < right)
        canvas_text(a->canvas, x, 0, right - x, "  read-only", TUI_DIM, 0);
}

static void draw_ask(struct app *a, int y)
{
    struct app_asking *q = &a->asking;
    int x = canvas_text(a->canvas, 0, y, a->canvas->w - 1, q->label, TUI_KEY, CANVAS_BOLD),
        room = a->canvas->w - x - 1;
    char c = q->text[q->at];

    /* The cursor is always seen. */
    q->text[q->at] = '\0';
    int at = (int)str_width(q->text);
    q->text[q->at] = c;
    int skip = at >= room ? at - room + 1 : 0;
    canvas_span(a->canvas, x, y, room, q->text, q->len, skip, TUI_PROMPT, 0);
    canvas_flag(a->canvas, (struct box){x + at - skip, y, 1, 1}, TUI_MATCH, 0);
}

/* Keys of the actions worth a hint, as far as there is room. */
static int draw_hints(struct app *a, const char *scope, const struct action *table, int x, int y)
{
    for (const struct action *action = table; action && action->name; action++) {
        char key[TUI_KEY_NAME_LEN];
        const char *keys = keymap_keys(a->o.keymap, scope, action);
        size_t n = strcspn(keys, " ");
        if (!(action->flags & ACTION_HINT) || !n || n >= sizeof(key) ||
            ((action->flags & ACTION_CHANGES) && (a->o.read_only || !app_is_now(a))))
            continue;
        memcpy(key, keys, n);
        key[n] = '\0';
        if (x + (int)n + (int)strlen(action->name) + 3 > a->canvas->w)
            break;
        x += canvas_text(a->canvas, x, y, a->canvas->w - x, key, TUI_KEY, 0) + 1;
        x += canvas_text(a->canvas, x, y, a->canvas->w - x, action->name, TUI_DIM, 0) + 2;
    }
    return x;
}

static void draw_bottom(struct app *a)
{
    int y = a->canvas->h - 1;
    const struct pane *p = app_focus(a);

    canvas_clear(a->canvas, (struct box){0, y, a->canvas->w, 1});
    if (a->asking.on) {
        draw_ask(a, y);
    } else if (a->said) {
        canvas_text(a->canvas, 0, y, a->canvas->w, a->said, a->said_role, 0);
    } else {
        int x = p ? draw_hints(a, p->class->name, p->class->actions, 0, y) : 0;
        if (p && p->class->text)
            x = draw_hints(a, "text", text_actions, x, y);
        else if (p && p->class->selection)
            x = draw_hints(a, "object", object_actions, x, y);
        draw_hints(a, "global", app_actions, x, y);
    }
}

/* The worst state of what the pane shows, as a mark behind its title. */
static void add_sources(struct app *a, const struct pane *p, struct buf *out)
{
    for (unsigned i = 0; i < store_clusters(a->store); i++)
        for (unsigned k = 0; k < TUI_KINDS; k++) {
            if (!pane_shows(p, i) || !(p->class->follows & 1u << k))
                continue;
            const struct store_source *source = store_source(a->store, i, (enum tui_kind)k);
            char age[TIME_AGE_LEN];
            if (source->state == STORE_LIVE)
                continue;
            buf_addf(out, "  %s: %s", store_cluster_name(a->store, i),
                     store_source_state_names[source->state]);
            if (source->state == STORE_AWAY)
                buf_addf(out, " since %s", time_age(app_now(a) - source->since_ns, age));
            if (source->why)
                buf_addf(out, " (%s)", source->why);
            break;
        }
}

static void draw_pane(struct app *a, struct pane *p, struct box box, bool focus)
{
    _cleanup_buf_ struct buf title = BUF_INIT, sources = BUF_INIT;
    struct canvas *c = a->canvas;

    canvas_clear(c, box);
    canvas_frame(c, box, focus ? TUI_FOCUS : TUI_BORDER);
    buf_adds(&title, p->class->title ? p->class->title : "");
    if (p->cluster >= 0)
        buf_addf(&title, "%s%s", title.len ? " " : "", store_cluster_name(a->store, (unsigned)p->cluster));
    if (p->class->title_more)
        p->class->title_more(p, &title);
    add_sources(a, p, &sources);
    int room = box.w - 4, x = box.x + 2;
    if (room > 0) {
        int used = canvas_text(c, x, box.y, room, buf_str(&title), focus ? TUI_FOCUS : TUI_TITLE,
                               focus ? CANVAS_BOLD : 0);
        if (sources.len && used < room)
            canvas_text(c, x + used, box.y, room - used, buf_str(&sources), TUI_BAD, 0);
    }
    p->box = box_inside(box);
    if (p->box.w > 0 && p->box.h > 0) {
        struct box was = canvas_clip(c, p->box);
        p->class->draw(p, c, p->box);
        c->clip = was;
    }
}

void app_draw(struct app *a, int64_t *ret_next_ms)
{
    int64_t began_ns = time_mono_ns(), now_ms = a->o.loop ? loop_now_ms(a->o.loop) : 0, next = TICK_MS;
    struct box all = {0, 1, a->canvas->w, a->canvas->h - 2};

    if (all.h < 1) {
        canvas_clear(a->canvas, (struct box){0, 0, a->canvas->w, a->canvas->h});
        canvas_text(a->canvas, 0, 0, a->canvas->w, "too small", TUI_BAD, 0);
        *ret_next_ms = -1;
        return;
    }
    layout_place(a->layout, all, a->focus);
    for (size_t i = 0; i < layout_leaves(a->layout); i++) {
        struct layout_leaf *leaf = layout_leaf(a->layout, i);
        struct pane *p = stack_top(leaf);
        struct box box = a->zoomed ? all : leaf->box;
        if (!p || (a->zoomed && leaf != a->focus) || box.w < 2 || box.h < 2)
            continue;
        /* When filling panes takes long, those that were filled before wait for another frame: a key must not
         * wait for all of them. */
        if (a->o.loop && p->stale && p->fresh_until_ms && time_mono_ns() - began_ns > FILL_NS) {
            next = 0;
        } else if (!pane_refresh(p, now_ms)) {
            int64_t wait = p->fresh_until_ms - now_ms;
            next = wait < next ? wait : next;
        }
        draw_pane(a, p, box, leaf == a->focus);
    }
    draw_top(a);
    draw_bottom(a);
    *ret_next_ms = app_is_now(a) || next < TICK_MS ? next : -1;
}
