/*
 * Drives the dashboard without a terminal: shows a recording, presses keys, prints the screen as text.
 *
 *   screen RECORDING WIDTHxHEIGHT [--layout L] [--namespace N] [--ascii] [--read-only] [--roles] [--live] [--] KEY...
 *
 * KEY is a name of tui/key.h, or "text:..." for each character of a text. The clock stands at the recording's
 * end.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "tui/app.h"
#include "tui/record.h"

static int usage(void)
{
    fprintf(stderr, "usage: screen RECORDING WIDTHxHEIGHT [options] [--] KEY...\n");
    return 2;
}

/* Turns the loop and lets a second pass, so that what is due happens. */
static void settle(struct loop *loop)
{
    for (int i = 0; i < 3; i++) {
        loop_turn(loop, false);
        loop_advance(loop, 1000);
    }
}

static int scripted(void *arg _unused_, char *const *argv, struct buf *out, struct buf *errors)
{
    _cleanup_free_ char *words = strv_join(argv, " ");
    bool fails = strstr(words, "fail") != NULL;

    buf_addf(fails ? errors : out, "%s: %s\n", fails ? "error" : "done", words);
    for (int i = 0; !fails && strstr(words, "describe") && i < 60; i++)
        buf_addf(out, "Line %d:  value %d\n", i, i * 7);
    if (!fails && strstr(words, "yaml"))
        buf_adds(out, "metadata:\n  name: web\n  labels:\n    tier: front\nspec:\n  replicas: 4\n");
    return fails;
}

static void press(struct app *app, const char *name)
{
    int64_t next;
    uint32_t key;

    if (str_starts(name, "text:")) {
        for (const char *at = name + 5; *at; at += str_utf8_next(at, &key) ? str_utf8_next(at, &key) : 1) {
            str_utf8_next(at, &key);
            app_key(app, key);
        }
    } else if ((key = tui_key_parse(name))) {
        app_key(app, key);
    } else {
        fprintf(stderr, "\"%s\" is no key\n", name);
        exit(2);
    }
    for (int i = 0; i < 2; i++) { /* what a frame has asked for is shown by the next one */
        settle(app_loop(app));
        app_frame(app, &next);
    }
}

int main(int argc, char **argv)
{
    struct app_options o = {.replay = true};
    struct err *err = NULL;
    bool roles = false;
    int i = 3;
    int64_t next;

    setlocale(LC_CTYPE, "C.UTF-8");
    if (argc < 3 || sscanf(argv[2], "%dx%d", &o.width, &o.height) != 2)
        return usage();
    for (; i < argc && str_starts(argv[i], "--") && !streq(argv[i], "--"); i++) {
        if (streq(argv[i], "--layout") && i + 1 < argc)
            o.layout = argv[++i];
        else if (streq(argv[i], "--namespace") && i + 1 < argc)
            o.namespace = argv[++i];
        else if (streq(argv[i], "--ascii"))
            o.ascii = true;
        else if (streq(argv[i], "--read-only"))
            o.read_only = true;
        else if (streq(argv[i], "--live"))
            o.replay = false;
        else if (streq(argv[i], "--roles"))
            roles = true;
        else
            return usage();
    }
    i += i < argc && streq(argv[i], "--");
    o.loop = loop_new();
    loop_fake_clock(o.loop, 1000000);
    o.scripted = scripted;
    struct app *app = app_new(&o);
    if (replay_load(argv[1], app_store(app), &err) < 0 || app_start(app, &err) < 0) {
        fprintf(stderr, "%s\n", err_text(err));
        err_free(err);
        app_free(app);
        loop_free(o.loop);
        return 1;
    }
    time_pin(store_newest(app_store(app)));
    settle(o.loop);
    app_frame(app, &next);
    for (; i < argc; i++)
        press(app, argv[i]);
    struct buf out = BUF_INIT;
    canvas_dump(app_frame(app, &next), roles, &out);
    fputs(buf_str(&out), stdout);
    buf_release(&out);
    app_free(app);
    loop_free(o.loop);
    return 0;
}
