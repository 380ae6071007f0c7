/* Running wasmctl for panes and actions. */
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "base/str.h"
#include "tui/app_internal.h"

enum { LIMIT_MS = 5 * 60 * 1000 };

struct app_child {
    struct app *app;
    struct process *process;
    struct loop_defer *later; /* a scripted one, or one that could not be started */
    void (*done)(void *arg, int code, const char *output, const char *errors);
    void *arg;
    struct buf out, errors;
    int code;
};

/* Without what the shell would take apart it is shown as it is. */
static void add_word(struct buf *b, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@,+%";

    buf_adds(b, b->len ? " " : "");
    if (*word && strspn(word, plain) == strlen(word)) {
        buf_adds(b, word);
        return;
    }
    buf_addc(b, '\'');
    for (; *word; word++)
        buf_adds(b, *word == '\'' ? "'\\''" : (char[]){*word, '\0'});
    buf_addc(b, '\'');
}

static char **full_command(struct app *a, const char *program, unsigned cluster, char *const *argv)
{
    char **all = strv_new();

    strv_push(&all, program);
    strv_push(&all, "--context");
    strv_push(&all, store_cluster_name(a->store, cluster));
    if (a->o.kubeconfig) {
        strv_push(&all, "--kubeconfig");
        strv_push(&all, a->o.kubeconfig);
    }
    for (size_t i = 0; argv[i]; i++)
        strv_push(&all, argv[i]);
    return all;
}

char *app_command_text(struct app *a, unsigned cluster, char *const *argv)
{
    _cleanup_strv_ char **all = full_command(a, "wasmctl", cluster, argv);
    struct buf b = BUF_INIT;

    for (size_t i = 0; all[i]; i++)
        add_word(&b, all[i]);
    return buf_take(&b);
}

static void forget(struct app_child *c)
{
    struct app *a = c->app;

    for (size_t i = 0; i < a->children.len; i++)
        if (a->children.items[i] == c) {
            vec_remove(&a->children, i);
            break;
        }
    process_free(c->process);
    loop_defer_cancel(c->later);
    buf_release(&c->out);
    buf_release(&c->errors);
    free(c);
}

void app_child_free(struct app_child *c)
{
    if (c)
        forget(c);
}

void app_children_free(struct app *a)
{
    while (a->children.len)
        forget(a->children.items[0]);
    free(a->children.items);
    process_free(a->foreground);
}

static void on_done(void *arg, const struct process_result *result)
{
    struct app_child *c = arg;
    struct app *a = c->app;
    _cleanup_free_ char *errors =
        result->late  ? xasprintf("%sit did not end within %d minutes and was stopped", result->errors,
                                  LIMIT_MS / 60000)
        : result->cut ? xasprintf("%sit printed too much and was stopped", result->errors)
                      : xstrdup(result->errors);

    c->done(c->arg,
            result->code                  ? result->code
            : result->late || result->cut ? 1
                                          : 0,
            result->output, errors);
    forget(c);
    app_dirty(a);
}

static void on_later(void *arg)
{
    struct app_child *c = arg;
    struct app *a = c->app;

    c->later = NULL;
    c->done(c->arg, c->code, buf_str(&c->out), buf_str(&c->errors));
    forget(c);
    app_dirty(a);
}

struct app_child *app_run_child(struct app *a, unsigned cluster, char *const *argv,
                                void (*done)(void *arg, int code, const char *output, const char *errors),
                                void *arg)
{
    struct app_child *c = xcalloc(1, sizeof(*c));
    _cleanup_err_ struct err *err = NULL;

    *c = (struct app_child){.app = a, .done = done, .arg = arg};
    vec_push(&a->children, c);
    _cleanup_strv_ char **all = full_command(a, a->o.program ? a->o.program : "wasmctl", cluster, argv);
    struct process_options options = {
        .loop = a->o.loop, .argv = all, .limit_ms = LIMIT_MS, .done = on_done, .arg = c};
    if (a->o.scripted) {
        c->code = a->o.scripted(a->o.arg, all, &c->out, &c->errors);
    } else if (!a->o.program) {
        c->code = 1;
        buf_adds(&c->errors, "commands cannot be run here");
    } else if (process_start(&options, &c->process, &err) < 0) {
        c->code = 1;
        buf_adds(&c->errors, err_text(err));
    } else {
        return c;
    }
    c->later = loop_defer(a->o.loop, on_later, c);
    return c;
}

static void on_foreground_done(void *arg, const struct process_result *result)
{
    struct app *a = arg;

    process_free(TAKE_PTR(a->foreground));
    a->o.suspend(a->o.arg, false);
    if (result->code)
        app_say(a, TUI_WARN, "the command ended with status %d", result->code);
    app_stale(a, STORE_CHANGED_ALL);
}

void app_run_in_terminal(struct app *a, unsigned cluster, char *const *argv)
{
    _cleanup_strv_ char **all = full_command(a, a->o.program ? a->o.program : "wasmctl", cluster, argv);
    _cleanup_err_ struct err *err = NULL;
    struct process_options options = {
        .loop = a->o.loop, .argv = all, .terminal = true, .done = on_foreground_done, .arg = a};

    if (!a->o.program || !a->o.suspend) {
        app_say(a, TUI_WARN, "there is no terminal to be given to a command");
        return;
    }
    if (a->foreground)
        return;
    a->o.suspend(a->o.arg, true);
    if (process_start(&options, &a->foreground, &err) == 0)
        return;
    a->o.suspend(a->o.arg, false);
    app_say(a, TUI_BAD, "%s", err_text(err));
}

void app_set_output(struct app *a, const char *text)
{
    xstr_replace(&a->output, text);
    app_stale(a, STORE_CHANGED_TIME);
}

const char *app_output(struct app *a)
{
    return a->output ? a->output : "";
}

void app_copy(struct app *a, const char *text)
{
    if (a->o.copy)
        a->o.copy(a->o.arg, text);
    app_say(a, TUI_GOOD, "copied %zu bytes", strlen(text));
}
