/* Status objects of the API server to errors, and errors to kubectl's words. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"

enum { RETRY_MOST_S = 3600 };

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

/* What a status means when the server itself said nothing useful: reason and words of the API machinery. */
static const struct generic {
    int http;
    const char *reason, *text;
} generics[] = {
    {400, "BadRequest", "the server rejected our request for an unknown reason"},
    {401, "Unauthorized", "the server has asked for the client to provide credentials"},
    {403, "Forbidden", "the server does not allow access to the requested resource"},
    {404, "NotFound", "the server could not find the requested resource"},
    {405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
    {406, "NotAcceptable", "the server was unable to respond with a content type that the client supports"},
    {409, "Conflict", "the server reported a conflict"},
    {410, "Gone", "the server no longer has what was asked for"},
    {413, "RequestEntityTooLarge", "the request is too large for the server"},
    {415, "UnsupportedMediaType", "the body of the request was in an unknown format"},
    {422, "Invalid", "the server rejected our request due to an error in our request"},
    {429, "TooManyRequests", "the server has received too many requests and has asked us to try again later"},
    {502, NULL, "a gateway in front of the server could not reach it"},
    {503, "ServiceUnavailable", "the server is currently unable to handle the request"},
    {504, "Timeout",
     "the server was unable to return a response in the time allotted, but may still be processing the "
     "request"},
};

static const struct generic *generic_of(int http)
{
    for (size_t i = 0; i < ARRAY_LEN(generics); i++)
        if (generics[i].http == http)
            return &generics[i];
    return NULL;
}

/* First line with text of a body that is no Status (a proxy's page), cut; "" when it says nothing new. */
static char *excerpt(const char *body, size_t len)
{
    enum { LONGEST = 200 };
    const char *at = body, *end = body + len;

    while (at < end && (*at == '\n' || *at == '\r' || *at == ' ' || *at == '\t'))
        at++;
    size_t n = (size_t)(end - at) < LONGEST ? (size_t)(end - at) : LONGEST;
    const char *stop = n ? memchr(at, '\n', n) : NULL;
    _cleanup_free_ char *first = xstrndup(at, stop ? (size_t)(stop - at) : n);
    first[strcspn(first, "\r")] = '\0';
    if (streq(first, "404 page not found") || streq(first, "Unauthorized"))
        *first = '\0';
    return str_escape_control(first, false);
}

static int no_status(int http, const char *body, size_t len, struct err **err)
{
    _cleanup_free_ char *said = excerpt(body, len);
    const struct generic *g = generic_of(http);
    struct err *e = NULL;
    /* What servers written in Go answer in plain text. */
    bool plain = strstr(said, "HTTP request to an HTTPS server") != NULL;

    if (g)
        err_set(&e, code_of(http, NULL), "%s%s%s%s", g->text, *said ? ": " : "", said,
                plain ? " Write https:// before its address" : "");
    else if (http >= 500)
        err_set(&e, ERR_SERVER, "an error on the server (%d) has prevented the request from succeeding%s%s",
                http, *said ? ": " : "", said);
    else
        err_set(&e, code_of(http, NULL), "the server responded with the status code %d%s%s", http,
                *said ? ": " : " but did not return more information", said);
    e->reason = g && g->reason ? xstrdup(g->reason) : http >= 500 && !g ? xstrdup("InternalError") : NULL;
    e->http = http;
    return err_move(err, e);
}

int kube_status_to_err(int http_status, const char *body, size_t len, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    if (!body || !len || json_parse(body, len, "answer", &o, NULL) < 0 ||
        !streq(json_str_or(o, "kind", ""), "Status"))
        return no_status(http_status, body ? body : "", body ? len : 0, err);
    const char *reason = json_str(o, "reason"), *message = json_str(o, "message");
    int64_t code = json_int(o, "code", http_status), again_s = json_int(o, "details.retryAfterSeconds", 0);
    int http = code >= 100 && code <= 999 ? (int)code : http_status;
    struct err *e = NULL;
    err_set(&e, code_of(http, reason), "%s", str_empty(message) ? "the server gave no reason" : message);
    e->http = http;
    e->reason = str_empty(reason) ? NULL : xstrdup(reason);
    e->details = json_print(o);
    e->retry_ms = again_s > 0 && again_s <= RETRY_MOST_S ? (long)again_s * 1000 : 0;
    return err_move(err, e);
}

/* "spec.replicas: Invalid value: ...", each once. */
static char **causes_of(const cJSON *details)
{
    char **list = strv_new();

    json_each (c, json_get(details, "causes")) {
        _cleanup_free_ char *text =
            xasprintf("%s: %s", json_str_or(c, "field", ""), json_str_or(c, "message", ""));
        if (!strv_has(list, text))
            strv_push(&list, text);
    }
    return list;
}

/* The WasmActor "x" is invalid: spec.a: ... (one cause), or a list of causes. */
static char *invalid_text(const struct err *e, const cJSON *details)
{
    const char *kind = json_str_or(details, "kind", ""), *name = json_str_or(details, "name", "");
    _cleanup_strv_ char **causes = causes_of(details);
    size_t n = strv_len(causes);
    struct buf b = BUF_INIT;

    if (!*kind && !*name)
        buf_adds(&b, "The request is invalid");
    else
        buf_addf(&b, "The %s \"%s\" is invalid", kind, name);
    if (n == 0) {
        /* kubectl leaves the rest out when it knows the name; the reason is what people need. */
        static const char again[] = " is invalid: ";
        const char *more = *kind || *name ? strstr(e->message, again) : NULL;
        buf_addf(&b, ": %s", more ? more + strlen(again) : e->message);
    } else if (n == 1) {
        buf_addf(&b, ": %s", causes[0]);
    } else {
        buf_adds(&b, ": ");
        for (size_t i = 0; i < n; i++)
            buf_addf(&b, "\n* %s", causes[i]);
    }
    return buf_take(&b);
}

/* kubectl's words for a connection that does not come about need no "error: ". */
static bool says_all(const char *message)
{
    return str_starts(message, "Unable to connect to the server") ||
           str_starts(message, "The connection to the server ");
}

char *kube_err_text(const struct err *e)
{
    if (!e->http)
        return says_all(e->message) ? xstrdup(e->message) : xasprintf("error: %s", e->message);
    if (e->http == 401 || (e->reason && streq(e->reason, "Unauthorized")))
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
