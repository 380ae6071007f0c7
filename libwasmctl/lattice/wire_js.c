#include "lattice/wire_js.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"

/* A unique name: 12 characters that a process keeps, 10 that count up. */
enum { UNIQUE_KEPT = 12, UNIQUE_LEN = 22 };

static int parse(const char *data, size_t len, const char *what, cJSON **ret, struct err **err)
{
    int r = json_parse(data, len, what, ret, err);

    return r < 0 ? err_set(err, ERR_PROTOCOL, "%s cannot be read", what) : 0;
}

/* An answer of the JetStream API: it may be an error. */
static int parse_api(const char *data, size_t len, const char *what, cJSON **ret, struct err **err)
{
    int r = parse(data, len, what, ret, err);
    const cJSON *e = r == 0 ? json_get(*ret, "error") : NULL;

    if (!e)
        return r;
    return err_set(err, json_int(e, "code", 0) == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "JetStream: %s",
                   json_str_or(e, "description", "refused without a reason"));
}

int js_stream_info(const char *data, size_t len, uint64_t *ret_consumers, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    int r = parse_api(data, len, "JetStream's stream information", &o, err);
    if (r < 0)
        return r;
    int64_t n = json_int(o, "state.consumer_count", -1);
    if (n < 0)
        return err_set(err, ERR_PROTOCOL, "JetStream's stream information has no consumer count");
    *ret_consumers = (uint64_t)n;
    return 0;
}

int js_stream_subjects(const char *data, size_t len, const char *prefix, char ***ret, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    int r = parse_api(data, len, "JetStream's stream information", &o, err);
    if (r < 0)
        return r;
    char **names = strv_new();
    json_each (subject, json_at(o, "state.subjects"))
        if (str_starts(subject->string, prefix))
            strv_push(&names, subject->string + strlen(prefix));
    *ret = names;
    return 0;
}

int js_consumers(const char *data, size_t len, struct map *keys, uint64_t *ret_seen, uint64_t *ret_total,
                 struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;
    uint64_t seen = 0;

    int r = parse_api(data, len, "JetStream's consumer list", &o, err);
    if (r < 0)
        return r;
    json_each (c, json_get(o, "consumers")) {
        const cJSON *config = json_get(c, "config");
        const char *inbox = json_str(config, "deliver_subject");
        seen++;
        if (!inbox || !json_bool(c, "push_bound", false) || json_bool(config, "headers_only", false))
            continue;
        _cleanup_free_ char *key = js_inbox_key(inbox);
        if (key)
            map_set(keys, key, NULL);
    }
    int64_t total = json_int(o, "total", 0);
    *ret_seen = seen;
    *ret_total = total > 0 ? (uint64_t)total : 0;
    return 0;
}

char *js_inbox_key(const char *subject)
{
    /* "<prefix>.<unique name>", for requests with one more token; the prefix may be a custom one. */
    size_t len = strlen(subject);

    if (len > 2 && streq(subject + len - 2, ".*"))
        len -= 2;
    const char *dot = memrchr(subject, '.', len);
    if (!dot || dot == subject || (size_t)(subject + len - dot - 1) != UNIQUE_LEN)
        return NULL;
    return xstrndup(subject, (size_t)(dot - subject) + 1 + UNIQUE_KEPT);
}

static const char *host_of(const char *subject, const char *prefix)
{
    static const char middle[] = ".host.*.";
    size_t n = strlen(prefix);

    if (strncmp(subject, prefix, n) != 0 || !str_starts(subject + n, middle))
        return NULL;
    const char *id = subject + n + sizeof(middle) - 1;
    return *id ? id : NULL;
}

int js_connections(const char *data, size_t len, const char *prefix, js_connection_fn fn, void *arg,
                   struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;

    int r = parse(data, len, "the server's list of connections", &o, err);
    if (r < 0)
        return r;
    json_each (c, json_at(o, "data.connections")) {
        _cleanup_strv_ char **hosts = strv_new();
        _cleanup_strv_ char **keys = strv_new();
        /* Leaf nodes and routes subscribe for all who are behind them. */
        if (!streq(json_str_or(c, "kind", "Client"), "Client"))
            continue;
        json_each (s, json_get(c, "subscriptions_list")) {
            if (!cJSON_IsString(s))
                continue;
            const char *host = host_of(s->valuestring, prefix);
            _cleanup_free_ char *key = host ? NULL : js_inbox_key(s->valuestring);
            if (host)
                strv_push(&hosts, host);
            else if (key && !strv_has(keys, key))
                strv_push(&keys, key);
        }
        for (char **h = hosts; *h; h++)
            fn(arg, *h, keys);
    }
    return 0;
}
