#include "tui/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

enum { LINE_MOST = 4 << 20 };
static const char first_line[] = "{\"recording\":\"wasmctl dash\",\"version\":1}\n";

struct record {
    FILE *file;
    char *path;
    struct err *failed;
};

int record_new(const char *path, struct record **ret, struct err **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "%s exists already: recordings are not written over", path);
    if (fd < 0)
        return err_set_os(err, errno, "create %s", path);
    struct record *r = xcalloc(1, sizeof(*r));
    r->file = fdopen(fd, "w");
    r->path = xstrdup(path);
    fputs(first_line, r->file);
    *ret = r;
    return 0;
}

int record_close(struct record *r, struct err **err)
{
    int code = 0;

    if (!r)
        return 0;
    if (fclose(r->file) != 0 && !r->failed)
        err_set_os(&r->failed, errno, "write %s", r->path);
    if (r->failed)
        code = err_move(err, TAKE_PTR(r->failed));
    free(r->path);
    free(r);
    return code;
}

const struct err *record_failed(const struct record *r)
{
    return r->failed;
}

/* Takes the line. */
static void write_line(struct record *r, cJSON *line)
{
    _cleanup_free_ char *text = json_print(line);

    cJSON_Delete(line);
    if (r->failed)
        return;
    if (fputs(text, r->file) < 0 || fputc('\n', r->file) == EOF || fflush(r->file) != 0)
        err_set_os(&r->failed, errno, "write %s", r->path);
}

static cJSON *new_line(const char *cluster, enum tui_kind kind, int64_t ns)
{
    cJSON *line = cJSON_CreateObject();
    char at[TIME_RFC3339_LEN];

    cJSON_AddStringToObject(line, "t", time_rfc3339(ns, 9, at));
    cJSON_AddStringToObject(line, "cluster", cluster);
    cJSON_AddStringToObject(line, "kind", tui_kind_names[kind]);
    return line;
}

void record_object(struct record *r, const char *cluster, enum tui_kind kind, const char *key,
                   const cJSON *object, int64_t now_ns)
{
    cJSON *line = new_line(cluster, kind, now_ns);

    if (object) {
        cJSON *copy = cJSON_Duplicate(object, true);
        cJSON_DeleteItemFromObjectCaseSensitive(json_get(copy, "metadata"), "managedFields");
        cJSON_AddItemToObject(line, "put", copy);
    } else {
        cJSON_AddStringToObject(line, "del", key);
    }
    write_line(r, line);
}

void record_source(struct record *r, const char *cluster, enum tui_kind kind,
                   const struct store_source *source)
{
    cJSON *line = new_line(cluster, kind, source->since_ns);

    cJSON_AddStringToObject(line, "state", store_source_state_names[source->state]);
    if (source->why)
        cJSON_AddStringToObject(line, "why", source->why);
    write_line(r, line);
}

/* Reading */

static void play_state(struct store *store, unsigned cluster, enum tui_kind kind, const cJSON *line,
                       int64_t ns)
{
    const char *name = json_str_or(line, "state", ""), *why = json_str_or(line, "why", "");

    for (int i = 0; i < STORE_SOURCE_STATES; i++)
        if (streq(name, store_source_state_names[i]))
            store_set_source(store, cluster, kind, (enum store_source_state)i, *why ? why : NULL, ns);
}

static int play_line(const char *path, unsigned number, const cJSON *line, struct store *store,
                     struct err **err)
{
    const char *name = json_str_or(line, "cluster", ""), *del = json_str_or(line, "del", "");
    const cJSON *put = json_get(line, "put");
    enum tui_kind kind = tui_kind_of(json_str_or(line, "kind", ""));
    unsigned cluster;
    int64_t ns;

    if (!*name)
        return 0;
    int r = time_parse_rfc3339(json_str_or(line, "t", ""), &ns, err);
    if (r < 0)
        return err_wrap(err, "%s:%u: t", path, number);
    if (!store_find_cluster(store, name, &cluster)) {
        if (store_clusters(store) >= STORE_CLUSTERS_MOST)
            return err_set(err, ERR_INVALID, "%s:%u: there are too many clusters", path, number);
        cluster = store_add_cluster(store, name);
    }
    if (kind == TUI_KINDS)
        return 0;
    struct tui_object *o = put ? tui_object_new(kind, cluster, put, true) : NULL;
    if (o)
        store_put(store, o, ns);
    else if (*del)
        store_del(store, cluster, kind, del, ns);
    else
        play_state(store, cluster, kind, line, ns);
    return 0;
}

int replay_load(const char *path, struct store *store, struct err **err)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    _cleanup_free_ char *text = NULL;
    size_t cap = 0;
    unsigned number = 0;

    if (!file)
        return err_set_os(err, errno, "open %s", path);
    for (ssize_t n; (n = getline(&text, &cap, file)) > 0;) {
        _cleanup_json_ cJSON *line = NULL;
        _cleanup_err_ struct err *why = NULL;
        number++;
        if (n > LINE_MOST)
            return err_set(err, ERR_INVALID, "%s:%u: the line is too long", path, number);
        if (json_parse(text, (size_t)n, path, &line, &why) < 0) {
            if (text[n - 1] != '\n' && number > 1)
                break;
            return err_set(err, ERR_INVALID, "%s:%u: no recording: %s", path, number, err_text(why));
        }
        if (number == 1 && !streq(json_str_or(line, "recording", ""), "wasmctl dash"))
            return err_set(err, ERR_INVALID, "%s is no recording of wasmctl dash", path);
        int r = play_line(path, number, line, store, err);
        if (r < 0)
            return r;
    }
    if (ferror(file))
        return err_set_os(err, errno, "read %s", path);
    return number ? 0 : err_set(err, ERR_INVALID, "%s is empty", path);
}
