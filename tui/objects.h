/* Panes that are lists of one kind of object of the store: what they have in common. */
#ifndef WASMCTL_TUI_OBJECTS_H
#define WASMCTL_TUI_OBJECTS_H

#include "tui/app.h"

struct objects {
    struct list *list;
    enum tui_kind kind;
    size_t shown, bad;
    const char *(*row)(const struct tui_object *o); /* more text for the filter; may be NULL */
};

/* As make(), release(), refresh()... of a class whose state begins with a struct objects. */
void objects_make(struct pane *p, enum tui_kind kind, const struct list_class *class, const char *sort,
                  bool descending);
void objects_release(struct pane *p);
void objects_refresh(struct pane *p);
void objects_draw(struct pane *p, struct canvas *c, struct box box);
struct list *objects_list(struct pane *p);
bool objects_selection(struct pane *p, struct selection *ret);
void objects_chosen(struct pane *p, void (*f)(void *arg, const struct selection *s), void *arg);
void objects_title(struct pane *p, struct buf *out);
/* Columns all of them have. arg of the list's functions is the pane. */
void objects_cell_cluster(struct pane *p, const struct tui_object *o, struct list_cell *ret);
void objects_cell_state(const struct tui_object *o, struct list_cell *ret);

#endif
