#include "cli/progress.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

enum { FIRST_MS = 500, LEAST_MS = 100, TICK_MS = 1000, COLUMNS_UNKNOWN = 80 };

#define WIPE "\r\033[K"

struct progress {
    struct loop_timer *timer;
    char *text;
    int64_t began_ms, drawn_ms;
    volatile bool visible;
    struct sigaction interrupted, terminated; /* as they were before */
};

static struct progress *shown; /* the one there is */

static void put(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* Of an interrupted program nothing stays on the line of the prompt. */
static void on_interrupt(int signum)
{
    if (shown && shown->visible)
        put(WIPE, sizeof(WIPE) - 1);
    raise(signum); /* the handler was reset: this ends the program as ever */
}

static void watch_signal(int signum, struct sigaction *old)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    sigaction(signum, NULL, old);
    if (old->sa_handler == SIG_DFL)
        sigaction(signum, &action, NULL);
}

static size_t columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? (size_t)size.ws_col - 1
                                                                           : COLUMNS_UNKNOWN - 1;
}

/* Cut so that it takes no more columns; text is valid UTF-8. */
static void cut(char *text, size_t most)
{
    size_t width = 0;

    for (char *p = text; *p;) {
        uint32_t cp;
        size_t len = str_utf8_next(p, &cp);
        _cleanup_free_ char *one = xstrndup(p, len ? len : 1);
        width += str_width(one);
        if (width > most) {
            *p = '\0';
            return;
        }
        p += len ? len : 1;
    }
}

static void draw(struct progress *p)
{
    int64_t now = time_mono_ms();
    char age[TIME_AGE_LEN];
    _cleanup_free_ char *line = NULL, *all = NULL, *escaped = str_escape_control(p->text, false);

    line = xasprintf("%s (%s)", escaped, time_age((now - p->began_ms) * 1000000, age));
    cut(line, columns());
    all = xasprintf(WIPE "%s", line);
    /* First, so that an interrupt in between wipes it too. */
    p->visible = true;
    put(all, strlen(all));
    p->drawn_ms = now;
    loop_timer_start(p->timer, TICK_MS);
}

static void on_time(void *arg)
{
    struct progress *p = arg;

    if (p->text)
        draw(p);
}

struct progress *progress_new(struct cmd_ctx *c)
{
    const char *term = getenv("TERM");

    if (shown || c->member || !isatty(STDERR_FILENO) || str_empty(term) || streq(term, "dumb"))
        return NULL;
    struct progress *p = xcalloc(1, sizeof(*p));
    p->began_ms = time_mono_ms();
    p->timer = loop_timer_new(cmd_loop(c), on_time, p);
    loop_timer_start(p->timer, FIRST_MS);
    shown = p;
    watch_signal(SIGINT, &p->interrupted);
    watch_signal(SIGTERM, &p->terminated);
    return p;
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    progress_wipe();
    sigaction(SIGINT, &p->interrupted, NULL);
    sigaction(SIGTERM, &p->terminated, NULL);
    shown = NULL;
    loop_timer_free(p->timer);
    free(p->text);
    free(p);
}

void progress_set(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    if (!p)
        return;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    free(p->text);
    p->text = text;
    /* Before the first time nothing is drawn; afterwards soon, but not too often. */
    if (p->visible) {
        int64_t since = time_mono_ms() - p->drawn_ms;
        loop_timer_start(p->timer, since >= LEAST_MS ? 0 : LEAST_MS - since);
    }
}

void progress_wipe(void)
{
    if (!shown || !shown->visible)
        return;
    put(WIPE, sizeof(WIPE) - 1);
    shown->visible = false;
}
