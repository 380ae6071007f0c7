#include "tui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/str.h"
#include "tui/key.h"

enum {
    ESC_DELAY_MS = 25,
    PAIRS_MOST = 256,
    LAST_WORDS_MS = 300, /* how long a terminal that takes nothing is waited for when it is given back */
};

struct pair {
    int fg, bg;
};

/*
 * ncurses writes until all is written, which a terminal that stalls (a lost ssh connection, a paused
 * multiplexer) would make wait for ever. So it draws into a memory file; what it drew is read from there and
 * sent as the terminal takes it, without waiting.
 */
struct terminal {
    SCREEN *screen;
    FILE *drawn; /* what ncurses writes to: `memory`, but the terminal while its modes are set */
    int memory;  /* its size is what waits there */
    int in, out; /* the terminal; open files of their own: the shell's must not become O_NONBLOCK */
    char *pending;
    size_t sent, len, cap;
    struct termios modes; /* while the screen is ours */
    struct theme theme;
    int colours;
    struct pair pairs[PAIRS_MOST];
    int npairs;
    struct canvas *shown; /* what the terminal has */
    bool all;             /* everything has to be sent */
    uint32_t held;        /* a key read too far */
};

/* For the handlers of fatal signals: all they need is here and is only read. */
static struct {
    volatile sig_atomic_t on;
    struct termios before;
    char restore[256];
    size_t len;
    int out, flags; /* flags of the shell's open file */
} crash;

static void put_back(void)
{
    if (!crash.on)
        return;
    crash.on = 0;
    ssize_t n = write(crash.out, crash.restore, crash.len);
    (void)n;
    tcsetattr(STDIN_FILENO, TCSANOW, &crash.before);
    fcntl(STDIN_FILENO, F_SETFL, crash.flags);
}

static void on_fatal(int signum)
{
    put_back();
    signal(signum, SIG_DFL);
    raise(signum);
}

static void add_to_restore(const char *text)
{
    if (!text || text == (const char *)-1 || crash.len + strlen(text) >= sizeof(crash.restore))
        return;
    memcpy(crash.restore + crash.len, text, strlen(text));
    crash.len += strlen(text);
}

static void prepare_for_crash(bool mouse, int out)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGHUP, SIGQUIT, SIGINT};
    static const char *const capabilities[] = {"sgr0", "cnorm", "rmkx", "rmcup"};
    static char stack[64 << 10]; /* a stack that overflowed cannot carry the handler */
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};

    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    crash.len = 0;
    crash.out = out;
    add_to_restore("\030"); /* CAN: ends a sequence that was cut */
    if (mouse)
        add_to_restore("\033[?1000l\033[?1006l");
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
        add_to_restore(tigetstr((char *)(uintptr_t)capabilities[i]));
    crash.on = 1;
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        sigaction(fatal[i], &action, NULL);
    mem_set_abort_hook(put_back);
}

bool terminal_utf8(void)
{
    setlocale(LC_CTYPE, "");
    return streq(nl_langinfo(CODESET), "UTF-8");
}

static bool may_have_colours(const struct terminal_options *o)
{
    const char *no = getenv("NO_COLOR");

    return !o->no_colour && has_colors() && !(no && *no);
}

/* Sending */

static void take_drawn(struct terminal *t)
{
    off_t size = lseek(t->memory, 0, SEEK_END);

    if (size <= 0)
        return;
    if (t->len + (size_t)size > t->cap) {
        t->cap = t->len + (size_t)size;
        t->pending = xreallocarray(t->pending, t->cap, 1);
    }
    ssize_t n = pread(t->memory, t->pending + t->len, (size_t)size, 0);
    t->len += n > 0 ? (size_t)n : 0;
    if (ftruncate(t->memory, 0) == 0)
        lseek(t->memory, 0, SEEK_SET);
}

enum terminal_sent terminal_send(struct terminal *t)
{
    take_drawn(t);
    while (t->sent < t->len) {
        ssize_t n = write(t->out, t->pending + t->sent, t->len - t->sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? TERMINAL_BUSY : TERMINAL_GONE;
        t->sent += (size_t)n;
    }
    t->len = t->sent = 0;
    return TERMINAL_SENT;
}

/* Waits a little for the terminal to take it; what it does not is dropped. */
static void send_last(struct terminal *t)
{
    struct pollfd p = {.fd = t->out, .events = POLLOUT};

    while (terminal_send(t) == TERMINAL_BUSY && poll(&p, 1, LAST_WORDS_MS) > 0)
        ;
    t->len = t->sent = 0;
}

int terminal_in(const struct terminal *t)
{
    return t->in;
}

int terminal_out(const struct terminal *t)
{
    return t->out;
}

/* Opening */

static int no_terminal(struct err **err, const char *why)
{
    const char *name = getenv("TERM");

    return err_set(err, ERR_INVALID, "the terminal \"%s\" (TERM) %s", name ? name : "", why);
}

static int open_own(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    /* Somebody else's terminal, as after su, cannot be opened; then writing waits. */
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int open_files(struct terminal *t, struct err **err)
{
    int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);

    t->drawn = copy >= 0 ? fdopen(copy, "w") : NULL;
    t->memory = memfd_create("screen", MFD_CLOEXEC);
    t->in = open_own(STDIN_FILENO, O_RDONLY);
    t->out = open_own(STDOUT_FILENO, O_WRONLY);
    if (!t->drawn || t->memory < 0 || t->in < 0 || t->out < 0)
        return err_set_os(err, errno, "open the terminal");
    return 0;
}

static int start_screen(struct terminal *t, struct err **err)
{
    t->screen = newterm(NULL, t->drawn, stdin);
    if (!t->screen)
        return no_terminal(err, "is not known here");
    set_term(t->screen);
    const char *move = tigetstr((char *)(uintptr_t) "cup");
    if (!move || move == (const char *)-1) {
        endwin();
        return no_terminal(err, "cannot show a dashboard: it has no way to move the cursor");
    }
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    typeahead(-1);
    set_escdelay(ESC_DELAY_MS);
    curs_set(0);
    return 0;
}

int terminal_open(const struct terminal_options *options, struct terminal **ret, struct err **err)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(err, ERR_INVALID, "the dashboard needs a terminal: standard input or output is none");
    tcgetattr(STDIN_FILENO, &crash.before);
    crash.flags = fcntl(STDIN_FILENO, F_GETFL);
    _cleanup_(terminal_closep) struct terminal *t = xcalloc(1, sizeof(*t));
    t->in = t->out = t->memory = -1;
    int r = open_files(t, err);
    if (r < 0 || (r = start_screen(t, err)) < 0)
        return r;
    if (may_have_colours(options)) {
        start_color();
        use_default_colors();
        t->colours = COLORS;
    }
    if (options->mouse)
        mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    mouseinterval(0);
    prepare_for_crash(options->mouse, t->out);
    tcgetattr(STDIN_FILENO, &t->modes);
    fflush(t->drawn);
    if (dup3(t->memory, fileno(t->drawn), O_CLOEXEC) < 0)
        return err_set_os(err, errno, "open the terminal");
    t->shown = canvas_new(COLS, LINES, false);
    terminal_set_theme(t, options->theme);
    *ret = TAKE_PTR(t);
    return 0;
}

static void give_back(struct terminal *t)
{
    endwin();
    send_last(t);
    crash.on = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &crash.before);
    fcntl(STDIN_FILENO, F_SETFL, crash.flags);
}

void terminal_close(struct terminal *t)
{
    if (!t)
        return;
    if (t->screen) {
        give_back(t);
        mem_set_abort_hook(NULL);
        delscreen(t->screen);
    }
    if (t->drawn)
        fclose(t->drawn);
    if (t->memory >= 0)
        close(t->memory);
    if (t->in >= 0)
        close(t->in);
    if (t->out >= 0)
        close(t->out);
    free(t->pending);
    canvas_free(t->shown);
    free(t);
}

void terminal_leave(struct terminal *t)
{
    give_back(t);
}

void terminal_return(struct terminal *t)
{
    crash.on = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &t->modes);
    t->all = true;
    clearok(stdscr, TRUE);
    refresh();
}

void terminal_size(struct terminal *t _unused_, int *ret_w, int *ret_h)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        *ret_w = size.ws_col;
        *ret_h = size.ws_row;
        return;
    }
    *ret_w = COLS;
    *ret_h = LINES;
}

void terminal_set_theme(struct terminal *t, const struct theme *theme)
{
    t->theme = *theme;
    t->npairs = 0;
    t->all = true;
}

/* Keys */

static uint32_t special(int code)
{
    static const struct {
        int code;
        uint32_t key;
    } table[] = {
        {KEY_UP, TUI_KEY_UP},
        {KEY_DOWN, TUI_KEY_DOWN},
        {KEY_LEFT, TUI_KEY_LEFT},
        {KEY_RIGHT, TUI_KEY_RIGHT},
        {KEY_HOME, TUI_KEY_HOME},
        {KEY_END, TUI_KEY_END},
        {KEY_PPAGE, TUI_KEY_PAGE_UP},
        {KEY_NPAGE, TUI_KEY_PAGE_DOWN},
        {KEY_IC, TUI_KEY_INSERT},
        {KEY_DC, TUI_KEY_DELETE},
        {KEY_BTAB, TUI_KEY_BACKTAB},
        {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
        {KEY_ENTER, TUI_KEY_ENTER},
        {KEY_SLEFT, TUI_KEY_LEFT | TUI_KEY_SHIFT},
        {KEY_SRIGHT, TUI_KEY_RIGHT | TUI_KEY_SHIFT},
        {KEY_SR, TUI_KEY_UP | TUI_KEY_SHIFT},
        {KEY_SF, TUI_KEY_DOWN | TUI_KEY_SHIFT},
        {KEY_SHOME, TUI_KEY_HOME | TUI_KEY_SHIFT},
        {KEY_SEND, TUI_KEY_END | TUI_KEY_SHIFT},
        {KEY_MOUSE, TUI_KEY_MOUSE},
        {KEY_RESIZE, TUI_KEY_RESIZE},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].code == code)
            return table[i].key;
    if (code >= KEY_F(1) && code <= KEY_F(12))
        return TUI_KEY_F1 + (uint32_t)(code - KEY_F(1));
    /* Arrows with modifiers have codes of their own in each terminal description: "kLFT3" is alt-left. */
    const char *name = keyname(code);
    static const struct {
        const char *name;
        uint32_t key;
    } arrows[] = {
        {"kUP", TUI_KEY_UP}, {"kDN", TUI_KEY_DOWN}, {"kLFT", TUI_KEY_LEFT}, {"kRIT", TUI_KEY_RIGHT}};
    for (size_t i = 0; name && i < ARRAY_LEN(arrows); i++) {
        size_t n = strlen(arrows[i].name);
        if (!str_starts(name, arrows[i].name) || !name[n])
            continue;
        return arrows[i].key | (name[n] == '3' ? TUI_KEY_ALT : name[n] == '5' ? TUI_KEY_CTRL : TUI_KEY_SHIFT);
    }
    return TUI_KEY_NONE;
}

static uint32_t plain(wint_t ch)
{
    if (ch == '\r' || ch == '\n')
        return TUI_KEY_ENTER;
    if (ch == TUI_KEY_TAB || ch == TUI_KEY_ESC)
        return ch;
    if (ch == 8 || ch == 127)
        return TUI_KEY_BACKSPACE;
    if (ch == 0)
        return ' ' | TUI_KEY_CTRL;
    if (ch < 27)
        return (ch + 'a' - 1) | TUI_KEY_CTRL;
    if (ch < ' ')
        return (ch + 64) | TUI_KEY_CTRL;
    return ch;
}

static uint32_t read_one(void)
{
    wint_t ch;
    int r = get_wch(&ch);

    return r == ERR ? TUI_KEY_NONE : r == KEY_CODE_YES ? special((int)ch) : plain(ch);
}

uint32_t terminal_key(struct terminal *t, struct terminal_mouse *mouse)
{
    uint32_t key = t->held ? t->held : read_one();

    t->held = 0;
    if (key == TUI_KEY_ESC) {
        /* Escape and a letter at once: alt. */
        uint32_t next = read_one();
        if (next >= ' ' && next < TUI_KEY_FIRST && next != TUI_KEY_BACKSPACE)
            return next | TUI_KEY_ALT;
        t->held = next;
    }
    if (key == TUI_KEY_MOUSE) {
        MEVENT event;
        if (getmouse(&event) == ERR)
            return TUI_KEY_NONE;
        *mouse = (struct terminal_mouse){event.x, event.y,
                                         event.bstate & BUTTON4_PRESSED   ? -1
                                         : event.bstate & BUTTON5_PRESSED ? 1
                                                                          : 0};
    }
    return key;
}

/* Drawing */

static int pair_of(struct terminal *t, int fg, int bg)
{
    if (!t->colours || (fg < 0 && bg < 0))
        return 0;
    fg = theme_colour(fg, t->colours);
    bg = theme_colour(bg, t->colours);
    for (int i = 0; i < t->npairs; i++)
        if (t->pairs[i].fg == fg && t->pairs[i].bg == bg)
            return i + 1;
    if (t->npairs + 1 >= PAIRS_MOST || t->npairs + 1 >= COLOR_PAIRS)
        return 0;
    t->pairs[t->npairs] = (struct pair){fg, bg};
    init_pair((short)++t->npairs, (short)fg, (short)bg);
    return t->npairs;
}

static void look_of(struct terminal *t, const struct canvas_cell *cell, attr_t *attributes, int *pair)
{
    const struct theme_style *style = &t->theme.roles[cell->role];
    unsigned set = style->attributes;
    int fg = style->fg, bg = style->bg;

    if (cell->flags & CANVAS_CURSOR) {
        set |= t->theme.cursor.attributes;
        fg = t->theme.cursor.fg >= 0 ? t->theme.cursor.fg : fg;
        bg = t->theme.cursor.bg >= 0 && cell->role != TUI_MATCH ? t->theme.cursor.bg : bg;
        /* A background of colour is not seen on 8 colours and none: then it is turned round. */
        if (t->colours < 16)
            set |= THEME_REVERSE;
    }
    if (t->colours && t->colours < 16 && (set & THEME_REVERSE))
        bg = THEME_DEFAULT_COLOUR;
    if (!t->colours && cell->role == TUI_MATCH)
        set |= THEME_REVERSE;
    *attributes = A_NORMAL;
    if ((set & THEME_BOLD) || (cell->flags & CANVAS_BOLD))
        *attributes |= A_BOLD;
    if ((set & THEME_UNDERLINE) || (cell->flags & CANVAS_UNDERLINE))
        *attributes |= A_UNDERLINE;
    if (set & THEME_REVERSE)
        *attributes |= A_REVERSE;
    if (set & THEME_DIM)
        *attributes |= A_DIM;
    *pair = pair_of(t, fg, bg);
}

static bool same(const struct canvas_cell *a, const struct canvas_cell *b)
{
    return a->ch == b->ch && a->role == b->role && a->flags == b->flags;
}

enum terminal_sent terminal_show(struct terminal *t, const struct canvas *c)
{
    enum terminal_sent before = terminal_send(t);

    if (before != TERMINAL_SENT)
        return before;
    if (t->shown->w != c->w || t->shown->h != c->h) {
        resizeterm(c->h, c->w);
        canvas_resize(t->shown, c->w, c->h);
        t->all = true;
    }
    if (t->all) {
        erase();
        clearok(stdscr, TRUE);
    }
    for (int y = 0; y < c->h; y++) {
        struct canvas_cell *old = &t->shown->cells[(size_t)y * (size_t)c->w];
        const struct canvas_cell *now = &c->cells[(size_t)y * (size_t)c->w];
        if (!t->all && memcmp(old, now, sizeof(*now) * (size_t)c->w) == 0)
            continue;
        for (int x = 0; x < c->w; x++) {
            bool wide = x + 1 < c->w && !now[x + 1].ch;
            if (!now[x].ch ||
                (!t->all && same(&old[x], &now[x]) && !(wide && !same(&old[x + 1], &now[x + 1]))))
                continue;
            wchar_t text[2] = {(wchar_t)now[x].ch, 0};
            attr_t attributes;
            int pair;
            cchar_t cell;
            look_of(t, &now[x], &attributes, &pair);
            setcchar(&cell, text, attributes, (short)pair, NULL);
            mvadd_wch(y, x, &cell);
        }
        memcpy(old, now, sizeof(*now) * (size_t)c->w);
    }
    t->all = false;
    refresh();
    return terminal_send(t);
}

void terminal_copy(struct terminal *t, const char *text)
{
    _cleanup_free_ char *coded = str_base64_encode(text, strlen(text));

    fprintf(t->drawn, "\033]52;c;%s\a", coded);
    fflush(t->drawn);
}
