/*
 * A pane: one view in a box of the screen. One file a pane (tui/pane_<name>.c), one const class each, listed
 * in tui/panes.c.
 *
 * A class draws what its state holds; it never waits and never does I/O in draw(). What it follows in the
 * store makes it stale, and refresh() is called before the next frame - not more often than its own cost
 * allows. What keys do are actions (tables, searched in order: the class's own, then those of the list it is,
 * then everybody's); help, hints and the key map come out of these tables.
 */
#ifndef WASMCTL_TUI_PANE_H
#define WASMCTL_TUI_PANE_H

#include "tui/canvas.h"
#include "tui/key.h"
#include "tui/list.h"
#include "tui/store.h"

struct app;
struct pane;

enum {
    ACTION_CHANGES = 1, /* changes the cluster: refused with --read-only and while the past is looked at */
    ACTION_HINT = 2,    /* shown in the bottom line */
};
struct action {
    const char *name; /* for the key map; NULL ends a table */
    const char *keys; /* names (tui/key.h) with blanks between them */
    const char *help;
    unsigned flags;
    void (*run)(struct pane *p);
};
#define ACTIONS_END                                                                                          \
    {                                                                                                        \
        NULL, NULL, NULL, 0, NULL                                                                            \
    }

/* What all lists understand: moving, marking, sorting. Panes whose class has list() get them. */
extern const struct action list_actions[];
/* Texts: scrolling, searching, copying. Panes whose class has text(). */
extern const struct action text_actions[];
/* Objects: describe, scale, delete... Panes whose class has selection(). */
extern const struct action object_actions[];

/* What an action works on. Strings are borrowed until the next turn. */
struct selection {
    unsigned cluster;
    const char *resource;  /* as wasmctl takes it: "wasmactor", "deployments.apps" */
    const char *namespace; /* NULL for cluster-scoped kinds */
    const char *name;
    const struct tui_object *object; /* NULL for kinds that are not in the store */
};

struct pane_class {
    const char *name;             /* in layouts and behind ":" */
    const char *title;            /* NULL: title() alone */
    const char *help;             /* one line */
    unsigned follows;             /* what makes it stale: 1 << kind, STORE_CHANGED_* */
    size_t state_size;            /* zeroed at the start */
    const struct action *actions; /* its own; may be NULL */
    /* Argument without "@cluster"; "" if none. May be NULL. */
    int (*make)(struct pane *p, const char *argument, struct err **err);
    void (*release)(struct pane *p);                                /* may be NULL */
    void (*refresh)(struct pane *p);                                /* may be NULL */
    void (*draw)(struct pane *p, struct canvas *c, struct box box); /* the inside of its frame */
    struct list *(*list)(struct pane *p);                           /* NULL: it is none */
    struct text *(*text)(struct pane *p);                           /* NULL: it is none */
    /* The marked objects, or the selected one; NULL: selection() alone. */
    void (*chosen)(struct pane *p, void (*f)(void *arg, const struct selection *s), void *arg);
    bool (*selection)(struct pane *p, struct selection *ret); /* NULL: nothing can be selected */
    bool (*key)(struct pane *p, uint32_t key);                /* that no action took; may be NULL */
    void (*title_more)(struct pane *p, struct buf *out);      /* counts and such; may be NULL */
    void (*back)(struct pane *p, int64_t ns);                 /* the time looked at moved; may be NULL */
};

struct pane {
    const struct pane_class *class;
    struct app *app;
    int cluster;    /* it shows only this one; -1 = all */
    char *argument; /* as given, for saved layouts; NULL if none */
    bool stale;
    int64_t fresh_until_ms; /* refresh() is not called again before */
    struct box box;         /* its inside, of the last frame */
    void *state;
};

/* tui/panes.c; NULL-ended. */
extern const struct pane_class *const pane_classes[];
const struct pane_class *pane_class_find(const char *name);

/* argument: "@cluster rest", "rest" or NULL. ERR_NOT_FOUND: no such pane or cluster. */
int pane_new(struct app *app, const char *name, const char *argument, struct pane **ret, struct err **err);
void pane_free(struct pane *p);
/* Ready to be drawn at this time; false: it was too early, and is still stale. */
bool pane_refresh(struct pane *p, int64_t now_ms);

/* Whether a pane shows objects of this cluster. */
static inline bool pane_shows(const struct pane *p, unsigned cluster)
{
    return p->cluster < 0 || (unsigned)p->cluster == cluster;
}

#endif
