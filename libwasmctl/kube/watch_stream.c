#include "kube/watch_stream.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void kube_lines_init(struct kube_lines *l, size_t most)
{
    buf_init(&l->rest, most);
    l->most = most;
}

void kube_lines_release(struct kube_lines *l)
{
    buf_release(&l->rest);
}

int kube_lines_add(struct kube_lines *l, const char *data, size_t len, kube_line_fn fn, void *arg)
{
    const char *at = data, *stop = data + len;

    while (at < stop) {
        const char *end = memchr(at, '\n', (size_t)(stop - at));
        size_t n = (size_t)((end ? end : stop) - at);
        if (l->rest.len + n > l->most)
            return ERR_TOO_LARGE;
        if (!end || l->rest.len)
            buf_add(&l->rest, at, n);
        if (!end)
            return 0;
        /* Whoever gets the line may release what it began in. */
        struct buf begun = l->rest;
        buf_init(&l->rest, l->most);
        const char *line = begun.len ? begun.data : at;
        size_t line_len = begun.len ? begun.len : n;
        bool more = !line_len || fn(arg, line, line_len);
        free(begun.data);
        if (!more)
            return 1;
        at = end + 1;
    }
    return 0;
}

void kube_watch_item_release(struct kube_watch_item *i)
{
    cJSON_Delete(i->root);
    *i = (struct kube_watch_item){0};
}

static const char *version_of(const cJSON *object)
{
    if (streq(json_str_or(object, "kind", ""), "Table")) {
        const char *row = json_str(object, "rows[0].object.metadata.resourceVersion");
        if (row)
            return row;
    }
    return json_str(object, "metadata.resourceVersion");
}

int kube_watch_item_read(const char *line, size_t len, const char *what, struct kube_watch_item *ret,
                         struct err **err)
{
    static const char *const types[] = {
        [KUBE_ADDED] = "ADDED", [KUBE_MODIFIED] = "MODIFIED", [KUBE_DELETED] = "DELETED"};
    _cleanup_json_ cJSON *root = NULL;
    int r = json_parse(line, len, "watch event", &root, err);

    if (r < 0)
        return r;
    const char *type = json_str_or(root, "type", "");
    cJSON *object = json_get(root, "object");
    if (!cJSON_IsObject(object))
        return err_set(err, ERR_PROTOCOL, "an event of the watch of %s holds no object", what);
    if (streq(type, "ERROR")) {
        _cleanup_free_ char *status = json_print(object);
        int64_t code = json_int(object, "code", 500);
        return kube_status_to_err(code >= 100 && code <= 999 ? (int)code : 500, status, strlen(status), err);
    }
    struct kube_watch_item item = {.object = object, .version = version_of(object)};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (streq(type, types[i])) {
            item.change = true;
            item.type = (enum kube_event)i;
        }
    }
    item.root = TAKE_PTR(root);
    *ret = item;
    return 0;
}
