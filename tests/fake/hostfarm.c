/*
 * hostfarm: simulated wasmCloud v1 hosts on a real NATS server (fake/farm.h), driven over stdin: one command
 * a line, one JSON object a line back. Ends at the end of its stdin, or by SIGTERM.
 *
 *   kill|start|cut|heal|freeze|thaw|stop WHICH    {"done":n}
 *   count                                         see farm_count()
 *   state                                         {"hosts":[...]}
 *
 * WHICH: all, 7, 3-9, cloud=a. A command that cannot be done: {"error":"..."}. The first line out is
 * {"ready":true,"hosts":n}, once the server has taken the connection.
 *
 * Exit: 0 ended, 2 wrong use.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake/farm.h"

enum { LINE_MOST = 64 * 1024 };

struct program {
    struct loop *loop;
    struct farm *farm;
    struct loop_io *in;
    struct buf line;
    size_t hosts;
    bool told;
};

/* Takes o. */
static void say(cJSON *o)
{
    _cleanup_free_ char *text = json_print(o);

    printf("%s\n", text);
    fflush(stdout);
    cJSON_Delete(o);
}

static void say_error(const char *text)
{
    say(json_object("error", text, NULL));
}

static void on_ready(void *arg)
{
    struct program *p = arg;

    if (p->told)
        return;
    p->told = true;
    cJSON *o = cJSON_CreateObject();
    json_set_bool(o, "ready", true);
    json_set_int(o, "hosts", (int64_t)p->hosts);
    say(o);
}

static void deed(struct program *p, enum farm_deed what, const char *which)
{
    _cleanup_err_ struct err *e = NULL;
    size_t n = 0;

    if (!which || farm_do(p->farm, what, which, &n, &e) < 0) {
        say_error(which ? err_text(e) : "name the hosts: all, N, N-M or KEY=VALUE");
        return;
    }
    cJSON *o = cJSON_CreateObject();
    json_set_int(o, "done", (int64_t)n);
    say(o);
}

static void command(struct program *p, const char *line)
{
    static const char *const deeds[] = {
#define X(name, text) text,
        FARM_DEEDS(X)
#undef X
    };
    _cleanup_strv_ char **words = strv_split(line, ' ', false);
    size_t n = strv_len(words);

    if (!n)
        return;
    if (streq(words[0], "count") && n == 1) {
        say(farm_count(p->farm));
        return;
    }
    if (streq(words[0], "state") && n == 1) {
        cJSON *o = cJSON_CreateObject();
        json_put(o, "hosts", farm_state(p->farm));
        say(o);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(deeds) && n <= 2; i++) {
        if (streq(words[0], deeds[i])) {
            deed(p, (enum farm_deed)i, words[1]);
            return;
        }
    }
    say_error("no such command");
}

static void on_input(void *arg, int events _unused_, bool error)
{
    struct program *p = arg;
    char data[4096];
    ssize_t n = error ? 0 : read(STDIN_FILENO, data, sizeof(data));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || buf_add(&p->line, data, (size_t)n) < 0) {
        loop_stop(p->loop);
        return;
    }
    char *end;
    while ((end = memchr(p->line.data, '\n', p->line.len))) {
        _cleanup_free_ char *line = xstrndup(p->line.data, (size_t)(end - p->line.data));
        buf_consume(&p->line, strlen(line) + 1);
        command(p, line);
    }
}

static void on_signal(void *arg, int signum _unused_)
{
    loop_stop(((struct program *)arg)->loop);
}

static const char usage[] =
    "usage: hostfarm --server nats://HOST:PORT [--lattice ID] [--hosts N] [--clouds a,b,c] [--start-ms MS]\n"
    "                [--heartbeat-ms MS] [--no-jetstream]\n";

static bool number(const char *name, const char *text, int64_t min, int64_t max, int64_t *ret)
{
    if (str_to_i64(text, min, max, ret))
        return true;
    fprintf(stderr, "hostfarm: --%s \"%s\": want a number from %lld to %lld\n", name, text, (long long)min,
            (long long)max);
    return false;
}

static bool parse(int argc, char **argv, struct farm_options *o, char ***ret_clouds)
{
    static const struct option options[] = {
        {"server", required_argument, NULL, 's'},   {"lattice", required_argument, NULL, 'l'},
        {"hosts", required_argument, NULL, 'n'},    {"clouds", required_argument, NULL, 'c'},
        {"start-ms", required_argument, NULL, 'd'}, {"heartbeat-ms", required_argument, NULL, 'b'},
        {"no-jetstream", no_argument, NULL, 'j'},   {NULL, 0, NULL, 0},
    };
    int64_t n = 1;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        bool fine = true;
        if (c == 's')
            o->server = optarg;
        else if (c == 'l')
            o->lattice = optarg;
        else if (c == 'n')
            fine = number("hosts", optarg, 1, FARM_HOSTS_MOST, &n);
        else if (c == 'c')
            *ret_clouds = strv_split(optarg, ',', false);
        else if (c == 'd')
            fine = number("start-ms", optarg, 0, 600000, &o->start_ms);
        else if (c == 'b')
            fine = number("heartbeat-ms", optarg, 100, 3600000, &o->heartbeat_ms);
        else if (c == 'j')
            o->jetstream = false;
        else
            fine = false;
        if (!fine)
            return false;
    }
    o->hosts = (size_t)n;
    return o->server && optind == argc;
}

int main(int argc, char **argv)
{
    struct program p = {.line = BUF_INIT_MAX(LINE_MOST)};
    struct farm_options options = {
        .start_ms = 150, .heartbeat_ms = 30000, .jetstream = true, .ready = on_ready, .arg = &p};
    _cleanup_strv_ char **clouds = NULL;
    _cleanup_err_ struct err *e = NULL;

    if (!parse(argc, argv, &options, &clouds)) {
        fputs(usage, stderr);
        return 2;
    }
    options.clouds = clouds;
    p.hosts = options.hosts;
    p.loop = loop_new();
    if (farm_new(p.loop, &options, &p.farm, &e) < 0) {
        fprintf(stderr, "hostfarm: %s\n", err_text(e));
        loop_free(p.loop);
        return 2;
    }
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    p.in = loop_io_new(p.loop, STDIN_FILENO, on_input, &p);
    loop_io_set(p.in, LOOP_READ);
    struct loop_signal *term = loop_signal_new(p.loop, SIGTERM, on_signal, &p);
    loop_run(p.loop);
    loop_signal_free(term);
    loop_io_free(p.in);
    farm_free(p.farm);
    loop_free(p.loop);
    buf_release(&p.line);
    return 0;
}
