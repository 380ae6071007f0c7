/*
 * An actor that answers HTTP: GET / says hello, every other path is a 404. It writes one line a request to
 * standard error.
 *
 * The greeting comes from the configuration key "greeting", which a WasmActor sets in spec.config; without
 * it, from the build (-DGREETING='"..."').
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wasi.h"

#ifndef GREETING
#define GREETING "Hello from a WebAssembly actor"
#endif

enum { SHOWN_MOST = 256 };

static int shown(const struct wasi_string *s)
{
    return s->len < SHOWN_MOST ? (int)s->len : SHOWN_MOST;
}

static bool is_root(const struct wasi_string *path)
{
    const char *query = memchr(path->text, '?', path->len);
    size_t len = query ? (size_t)(query - path->text) : path->len;

    return len == 0 || (len == 1 && path->text[0] == '/');
}

static void on_request(wasi_request request, wasi_response_out out)
{
    struct wasi_string method = wasi_request_method(request), path = wasi_request_path(request),
                       greeting = {0};
    char body[1024];
    int status = 200;

    if (!is_root(&path)) {
        status = 404;
        snprintf(body, sizeof(body), "There is nothing at %.*s\n", shown(&path), path.text);
    } else {
        if (!wasi_config_get("greeting", &greeting))
            greeting = (struct wasi_string){.text = GREETING, .len = strlen(GREETING)};
        snprintf(body, sizeof(body), "%.*s\n%.*s %.*s\n", shown(&greeting), greeting.text, shown(&method),
                 method.text, shown(&path), path.text);
    }
    fprintf(stderr, "hello: %.*s %.*s -> %d\n", shown(&method), method.text, shown(&path), path.text, status);
    wasi_respond(out, status, "text/plain; charset=utf-8", body, strlen(body));
}

/* What the host calls for each request. The instance ends with the answer, so nothing is freed here. */
WASI_EXPORT("wasi:http/incoming-handler@0.2.12#handle")
void handle(wasi_request request, wasi_response_out out)
{
    on_request(request, out);
    wasi_request_drop(request);
}
