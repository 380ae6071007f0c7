/*
 * The dashboard as a whole: layout, panes, focus, keys, prompts and frames. Runs on the loop and never waits.
 * Without a terminal (tests) it is driven by app_key() and app_frame(), and looked at through its canvas.
 */
#ifndef WASMCTL_TUI_APP_H
#define WASMCTL_TUI_APP_H

#include "base/loop.h"
#include "tui/filter.h"
#include "tui/keymap.h"
#include "tui/layout.h"
#include "tui/pane.h"
#include "tui/theme.h"

struct app_options {
    struct loop *loop;
    const char *layout;        /* name or text (tui/layout.h); NULL = one that fits the clusters */
    const struct map *layouts; /* named ones of the user: char *; borrowed; may be NULL */
    struct keymap *keymap;     /* borrowed; may be NULL */
    const char *namespace;     /* only objects of this one; NULL = all */
    bool read_only, ascii, replay;
    int width, height;      /* of the canvas at the start */
    const char *program;    /* how to run wasmctl: path; NULL = commands cannot be run */
    const char *kubeconfig; /* for these commands; NULL = as in the environment */
    /* Has something to draw: call app_frame() soon. */
    void (*wake)(void *arg);
    void (*quit)(void *arg);
    /* Gives the terminal to a command and takes it back (editors); may be NULL. */
    void (*suspend)(void *arg, bool away);
    void (*copy)(void *arg, const char *text); /* into the clipboard; may be NULL */
    /* In place of running a command, for tests: what it prints; the exit code is returned. NULL: it is run.
     */
    int (*scripted)(void *arg, char *const *argv, struct buf *out, struct buf *errors);
    /* Behind ":layout save" and ":theme"; NULL: they are not known. save_layout says what is to be said. */
    int (*save_layout)(void *arg, const char *name, const char *text, char **ret_said, struct err **err);
    int (*set_theme)(void *arg, const char *name, struct err **err);
    char **(*themes)(void *arg); /* names for completion; caller frees */
    void *arg;
};

struct app *app_new(const struct app_options *options);
void app_free(struct app *a);
DEFINE_CLEANUP(struct app *, app_free)

/* For the program around it */

/* The store is the app's; clusters are to be added before app_start(). */
struct store *app_store(struct app *a);
/* Makes the panes. ERR_INVALID: the layout. */
int app_start(struct app *a, struct err **err);
void app_key(struct app *a, uint32_t key);
void app_mouse(struct app *a, int x, int y, int wheel); /* wheel: -1 up, 1 down, 0 a click */
void app_resize(struct app *a, int w, int h);
/* Draws what is due. The result is whole until the next call. Returns the milliseconds until there will be
 * more to draw without anything happening (ages), -1 for never. */
struct canvas *app_frame(struct app *a, int64_t *ret_next_ms);

/* For panes and actions */

struct loop *app_loop(struct app *a);
int64_t app_now(struct app *a); /* wall clock ns: of what is looked at */
bool app_is_now(struct app *a); /* not the past, not a replay */
struct tui_filter *app_filter(struct app *a);
bool app_faults_only(struct app *a);
const char *app_namespace(struct app *a); /* NULL = all */
const struct app_options *app_options(struct app *a);
const struct keymap *app_keymap(struct app *a);
struct pane *app_focus(struct app *a);
/* The pane has to be drawn again; NULL = everything. */
void app_dirty(struct app *a);
/* A line at the bottom, until the next key. */
void app_say(struct app *a, enum tui_role role, const char *fmt, ...) _printf_(3, 4);
void app_quit(struct app *a);
/* A pane on top of another (drilling down); Esc goes back. Errors are said. */
void app_push(struct app *a, struct pane *over, const char *name, const char *argument);
/* A pane in place of another. */
void app_replace(struct app *a, struct pane *was, const char *name, const char *argument);
void app_set_filter(struct app *a, const char *text);
int app_set_layout(struct app *a, const char *name_or_text, struct err **err);
char *app_layout_text(struct app *a); /* as it is now; caller frees */
/* Whether an object is shown in a pane: its cluster, namespace, the filter, faults only. row: what else the
 * filter looks at, NULL if nothing. */
bool app_shows(struct app *a, const struct pane *p, const struct tui_object *o, const char *row);

/* Into the clipboard; says so. */
void app_copy(struct app *a, const char *text);

/* Commands: `wasmctl` itself, as a child. argv: what follows "wasmctl --context X", NULL-ended; cluster:
 * whose. */
/* As a person would type it; caller frees. */
char *app_command_text(struct app *a, unsigned cluster, char *const *argv);
struct app_child;
/* done is called once, in a later turn, with its exit code and what it printed; errors: of stderr. Never
 * NULL. */
struct app_child *app_run_child(struct app *a, unsigned cluster, char *const *argv,
                                void (*done)(void *arg, int code, const char *output, const char *errors),
                                void *arg);
/* Ends it; done is not called any more. NULL is fine; not for one that is done. */
void app_child_free(struct app_child *c);
/* A command that talks with the person: it has the terminal until it ends. */
void app_run_in_terminal(struct app *a, unsigned cluster, char *const *argv);
/* The last command that was run for an action, and what it said: for the pane `output`. */
void app_set_output(struct app *a, const char *text);
const char *app_output(struct app *a); /* "" if none */

/* Asks in the bottom line. done gets NULL when it was given up (Esc). The text is borrowed for the call.
 * complete (may be NULL): NULL-ended candidates for the text so far; caller frees. history: a name under
 * which answers are remembered, NULL = not. changed (may be NULL) is told each change. */
struct app_ask {
    const char *label, *text; /* text: what is there at first; NULL = nothing */
    const char *history;
    char **(*complete)(struct app *a, const char *text);
    void (*changed)(struct app *a, const char *text);
    void (*done)(struct app *a, void *arg, const char *text);
    void (*release)(void *arg); /* may be NULL */
    void *arg;
};
void app_ask(struct app *a, const struct app_ask *ask);
/* "y" runs yes(arg); all else does not. arg is released in any case. */
void app_confirm(struct app *a, const char *question, void (*yes)(struct app *a, void *arg),
                 void (*release)(void *arg), void *arg);

extern const struct action app_actions[];

#endif
