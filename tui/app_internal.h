/* Shared by the files of the app: app.c, app_draw.c, app_actions.c, app_ask.c. */
#ifndef WASMCTL_TUI_APP_INTERNAL_H
#define WASMCTL_TUI_APP_INTERNAL_H

#include "base/mem.h"
#include "tui/app.h"

/* What hangs on a leaf of the layout: panes on top of each other, the last one is seen. */
struct stack {
    VEC(struct pane *) panes;
};

enum { ASK_MOST = 1024, ASK_HISTORY_MOST = 200 };

struct app_asking {
    bool on;
    struct app_ask ask;
    char *label, *history;
    char text[ASK_MOST];
    size_t len, at;    /* bytes; the cursor */
    size_t history_at; /* counted from the newest; 0 = what is typed */
    char **candidates; /* of the last completion */
    size_t candidate;
};

struct app {
    struct app_options o;
    struct store *store;
    struct canvas *canvas;
    struct layout *layout;
    char *layout_name; /* NULL: it was given as a text or changed */
    struct layout_leaf *focus;
    bool zoomed, started, dirty;
    struct tui_filter *filter;
    bool faults_only;
    struct app_asking asking;
    struct map *histories; /* name -> char **, newest last */
    void (*confirm_yes)(struct app *a, void *arg);
    void (*confirm_release)(void *arg);
    void *confirm_arg;
    char *said, *output;
    struct process *foreground; /* has the terminal */
    VEC(struct app_child *) children;
    enum tui_role said_role;
    VEC(struct layout *) old_layouts; /* freed when nobody is inside of them any more */
    VEC(struct pane *) old_panes;
};

void app_children_free(struct app *a);
struct pane *stack_top(const struct layout_leaf *leaf);
void app_collect(struct app *a); /* frees what was taken away while it was in use */
void app_stale(struct app *a, unsigned what);
bool app_ask_key(struct app *a, uint32_t key);
void app_ask_release(struct app *a);
void app_draw(struct app *a, int64_t *ret_next_ms);
void app_command(struct app *a, const char *text); /* what was typed behind ":" */
char **app_command_candidates(struct app *a, const char *text);

#endif
