/* What all texts understand. */
#include "base/mem.h"
#include "base/str.h"
#include "tui/app.h"
#include "tui/text.h"

enum { SIDEWAYS = 8 };

static struct text *of(struct pane *p)
{
    return p->class->text(p);
}

static void down(struct pane *p)
{
    text_scroll(of(p), 1, 0);
}

static void up(struct pane *p)
{
    text_scroll(of(p), -1, 0);
}

static void page_down(struct pane *p)
{
    text_scroll(of(p), text_page(of(p)), 0);
}

static void page_up(struct pane *p)
{
    text_scroll(of(p), -text_page(of(p)), 0);
}

static void top(struct pane *p)
{
    text_to_end(of(p), false);
}

static void bottom(struct pane *p)
{
    text_to_end(of(p), true);
}

static void left(struct pane *p)
{
    text_scroll(of(p), 0, -SIDEWAYS);
}

static void right(struct pane *p)
{
    text_scroll(of(p), 0, SIDEWAYS);
}

static void wrap(struct pane *p)
{
    text_wrap(of(p), !text_wraps(of(p)));
}

static void search_done(struct app *a, void *arg, const char *text)
{
    _cleanup_err_ struct err *err = NULL;
    struct pane *p = app_focus(a);

    if (text && p == arg && p->class->text && text_search(of(p), text, &err) < 0)
        app_say(a, TUI_BAD, "%s", err_text(err));
}

static void search(struct pane *p)
{
    app_ask(p->app,
            &(struct app_ask){.label = "search: ", .history = "search", .done = search_done, .arg = p});
}

static void next(struct pane *p)
{
    if (!text_find(of(p), true))
        app_say(p->app, TUI_DIM, "nothing was found");
}

static void previous(struct pane *p)
{
    if (!text_find(of(p), false))
        app_say(p->app, TUI_DIM, "nothing was found");
}

static void copy(struct pane *p)
{
    app_copy(p->app, text_content(of(p)));
}

static void save_done(struct app *a, void *arg, const char *path)
{
    struct pane *p = app_focus(a);

    if (!path || !*path || p != arg || !p->class->text)
        return;
    _cleanup_(fclosep) FILE *file = fopen(path, "wxe");
    if (!file || fprintf(file, "%s\n", text_content(of(p))) < 0 || fflush(file) != 0)
        app_say(a, TUI_BAD, "%s: %m", path);
    else
        app_say(a, TUI_GOOD, "saved as %s", path);
}

static void save(struct pane *p)
{
    app_ask(p->app, &(struct app_ask){.label = "save as: ", .history = "save", .done = save_done, .arg = p});
}

const struct action text_actions[] = {
    {"down", "j down", "One line down", 0, down},
    {"up", "k up", "One line up", 0, up},
    {"page-down", "ctrl-f pgdn space", "A page down", 0, page_down},
    {"page-up", "ctrl-b pgup", "A page up", 0, page_up},
    {"top", "g home", "First line", 0, top},
    {"bottom", "G end", "Last line", 0, bottom},
    {"left", "left", "To the left", 0, left},
    {"right", "right", "To the right", 0, right},
    {"wrap", "w", "Wrap long lines, or do not", ACTION_HINT, wrap},
    {"search", "f", "Search for a pattern", ACTION_HINT, search},
    {"next", "n", "Next match", 0, next},
    {"previous", "N", "Match before", 0, previous},
    {"copy", "c", "Copy all of it (OSC 52)", ACTION_HINT, copy},
    {"save", "ctrl-s", "Save into a new file", 0, save},
    ACTIONS_END,
};
