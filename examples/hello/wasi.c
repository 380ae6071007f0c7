#include "wasi.h"

#include <stdlib.h>
#include <string.h>

#define HTTP                 "wasi:http/types@0.2.12"
#define STREAMS              "wasi:io/streams@0.2.12"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern

IMPORT(HTTP, "[method]incoming-request.method") void request_method(int32_t request, void *ret);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(int32_t request, void *ret);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(int32_t request);
IMPORT(HTTP, "[constructor]fields") int32_t fields_new(void);
IMPORT(HTTP, "[method]fields.append")
void fields_append(int32_t fields, const char *name, size_t name_len, const char *value, size_t value_len,
                   void *ret);
IMPORT(HTTP, "[constructor]outgoing-response") int32_t response_new(int32_t fields);
IMPORT(HTTP, "[method]outgoing-response.set-status-code")
int32_t response_set_status(int32_t response, int32_t status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(int32_t response, void *ret);
/* The arguments after is_error are the response, or an error code with room for its largest form. */
IMPORT(HTTP, "[static]response-outparam.set")
void response_out_set(int32_t out, int32_t is_error, int32_t response, int32_t, int64_t, int32_t, int32_t,
                      int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(int32_t body, void *ret);
IMPORT(HTTP, "[static]outgoing-body.finish")
void body_finish(int32_t body, int32_t has_trailers, int32_t trailers, void *ret);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(int32_t stream, const char *data, size_t len, void *ret);
IMPORT(STREAMS, "[resource-drop]output-stream") void stream_drop(int32_t stream);
IMPORT("wasi:config/store@0.2.0-draft", "get") void config_get(const char *key, size_t len, void *ret);

enum { WRITE_MOST = 4096 }; /* what one stream_write() takes, by the contract of wasi:io */

/* Where the host writes results: large enough and aligned for every result above. */
struct result {
    _Alignas(8) uint8_t tag;
    uint8_t pad[3];
    union {
        int32_t handle;
        struct wasi_string string;
        struct {
            uint8_t tag;
            uint8_t pad[3];
            struct wasi_string string;
        } inner;
        uint8_t room[60];
    };
};

/* The host calls it to place strings in our memory. */
WASI_EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_len, size_t align, size_t len)
{
    (void)old_len;
    if (len == 0)
        return (void *)align;
    void *p = realloc(old, len);
    if (!p)
        abort();
    return p;
}

struct wasi_string wasi_request_method(wasi_request request)
{
    static const char *const names[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    struct result r = {0};

    request_method(request, &r);
    if (r.tag < sizeof(names) / sizeof(names[0]))
        return (struct wasi_string){.text = names[r.tag], .len = strlen(names[r.tag])};
    return r.string;
}

struct wasi_string wasi_request_path(wasi_request request)
{
    struct result r = {0};

    request_path(request, &r);
    return r.tag ? r.string : (struct wasi_string){.text = "/", .len = 1};
}

void wasi_request_drop(wasi_request request)
{
    request_drop(request);
}

static void write_all(int32_t stream, const char *data, size_t len)
{
    struct result r = {0};

    while (len > 0 && !r.tag) {
        size_t part = len < WRITE_MOST ? len : WRITE_MOST;
        stream_write(stream, data, part, &r);
        data += part;
        len -= part;
    }
}

void wasi_respond(wasi_response_out out, int status, const char *content_type, const char *body, size_t len)
{
    static const char header[] = "content-type";
    struct result r = {0};
    int32_t fields = fields_new();

    fields_append(fields, header, sizeof(header) - 1, content_type, strlen(content_type), &r);
    int32_t response = response_new(fields);
    response_set_status(response, status);
    response_body(response, &r);
    int32_t outgoing = r.handle;
    response_out_set(out, 0, response, 0, 0, 0, 0, 0, 0);

    r = (struct result){0};
    body_write(outgoing, &r);
    if (!r.tag) {
        int32_t stream = r.handle;
        write_all(stream, body, len);
        stream_drop(stream);
    }
    body_finish(outgoing, 0, 0, &r);
}

bool wasi_config_get(const char *key, struct wasi_string *ret)
{
    struct result r = {0};

    config_get(key, strlen(key), &r);
    if (r.tag || !r.inner.tag)
        return false;
    *ret = r.inner.string;
    return true;
}
