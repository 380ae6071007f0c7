/* Status objects of the API server to errors, and errors to kubectl's words. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"

static int code_of(int http, const char *reason)
{
    if (reason) {
        if (streq(reason, "AlreadyExists"))
            return ERR_ALREADY_EXISTS;
        if (streq(reason, "Expired") || streq(reason, "Gone"))
            return ERR_GONE;
        if (streq(reason, "Timeout") || streq(reason, "ServerTimeout"))
            return ERR_TIMEOUT;
    }
    switch (http) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 410:
        return ERR_GONE;
    case 429:
        return ERR_THROTTLED;
    case 502:
    case 503:
        return ERR_UNAVAILABLE;
    case 504:
        return ERR_TIMEOUT;
    default:
        return http >= 500 ? ERR_SERVER : ERR_PROTOCOL;
    }
}

/* First line of a body that is no Status (a proxy's page), cut. */
static char *excerpt(const char *body, size_t len)
{
    enum { LONGEST = 200 };
    size_t n = len < LONGEST ? len : LONGEST;
    const char *end = memchr(body, '\n', n);
    _cleanup_free_ char *first = xstrndup(body, end ? (size_t)(end - body) : n);

    return str_escape_control(first, false);
}

int kube_status_to_err(int http_status, const char *body, size_t len, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    if (len && json_parse(body, len, "answer", &o, NULL) == 0 &&
        streq(json_str_or(o, "kind", ""), "Status")) {
        const char *reason = json_str(o, "reason"), *message = json_str(o, "message");
        int http = (int)json_int(o, "code", http_status);
        int code = code_of(http, reason);
        struct err *e = NULL;
        err_set(&e, code, "%s", str_empty(message) ? "the server gave no reason" : message);
        e->http = http;
        e->reason = str_empty(reason) ? NULL : xstrdup(reason);
        e->details = json_print(o);
        e->retry_ms = (long)json_int(o, "details.retryAfterSeconds", 0) * 1000;
        return err_move(err, e);
    }
    _cleanup_free_ char *text = excerpt(body ? body : "", len);
    struct err *e = NULL;
    if (http_status == 401)
        err_set(&e, ERR_UNAUTHORIZED, "Unauthorized");
    else if (*text)
        err_set(&e, code_of(http_status, NULL), "the server answered %d: %s", http_status, text);
    else
        err_set(&e, code_of(http_status, NULL), "the server answered %d without a reason", http_status);
    e->http = http_status;
    return err_move(err, e);
}

/* The WasmActor "x" is invalid: spec.a: ... (one cause), or a list of causes. */
static char *invalid_text(const struct err *e, const cJSON *details)
{
    const cJSON *causes = json_get(details, "causes");
    const char *kind = json_str_or(details, "kind", ""), *name = json_str_or(details, "name", "");
    struct buf b = BUF_INIT;

    if (!*kind && !*name)
        buf_adds(&b, "The request is invalid");
    else
        buf_addf(&b, "The %s \"%s\" is invalid", kind, name);
    int n = cJSON_GetArraySize(causes);
    if (n == 0) {
        buf_addf(&b, ": %s", e->message);
        return buf_take(&b);
    }
    buf_adds(&b, n == 1 ? ": " : ": \n");
    json_each(c, causes)
    {
        const char *field = json_str_or(c, "field", "");
        if (n > 1)
            buf_adds(&b, "* ");
        if (*field)
            buf_addf(&b, "%s: ", field);
        buf_adds(&b, json_str_or(c, "message", ""));
        if (c->next)
            buf_addc(&b, '\n');
    }
    return buf_take(&b);
}

char *kube_err_text(const struct err *e)
{
    if (!e->http)
        return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_UNAUTHORIZED
                   ? xstrdup(e->message)
                   : xasprintf("error: %s", e->message);
    if (e->http == 401)
        return xasprintf("error: You must be logged in to the server (%s)", e->message);
    _cleanup_json_ cJSON *status = NULL;
    if (e->details)
        json_parse(e->details, strlen(e->details), "status", &status, NULL);
    const cJSON *details = json_get(status, "details");
    if (e->reason && streq(e->reason, "Invalid"))
        return invalid_text(e, details);
    if (e->reason)
        return xasprintf("Error from server (%s): %s", e->reason, e->message);
    return xasprintf("Error from server: %s", e->message);
}
