#include "dev/node/fault.h"

#include <fnmatch.h>

#include "base/str.h"
#include "dev/node/http.h"

static const char *const names[DEV_FAULT_KINDS] = {
    [DEV_FAULT_CUT] = "cut",      [DEV_FAULT_EOF] = "eof",       [DEV_FAULT_STALL] = "stall",
    [DEV_FAULT_DELAY] = "delay",  [DEV_FAULT_REFUSE] = "refuse", [DEV_FAULT_HANG] = "hang",
    [DEV_FAULT_STATUS] = "status"};

enum { NUMBER_MOST = 1000 * 1000 * 1000 };

static int number(const char *query, const char *key, int64_t fallback, int64_t *ret, struct err **err)
{
    _cleanup_free_ char *text = dev_query_get(query, key);

    *ret = fallback;
    if (!text || str_to_i64(text, 0, NUMBER_MOST, ret))
        return 0;
    return err_set(err, ERR_INVALID, "%s=%s: a number from 0 to %d is wanted", key, text, NUMBER_MOST);
}

int dev_fault_parse(const char *query, struct dev_fault **ret, struct err **err)
{
    _cleanup_free_ char *what = dev_query_get(query, "what"), *pod = dev_query_get(query, "pod");
    int64_t status = 0, lines = 0, ms = 0, times = 0;
    int kind = 0;

    while (kind < DEV_FAULT_KINDS && (!what || !streq(names[kind], what)))
        kind++;
    if (kind == DEV_FAULT_KINDS)
        return err_set(err, ERR_INVALID, "what=%s: cut, eof, stall, delay, refuse, hang or status is wanted",
                       what ? what : "");
    int r = number(query, "lines", 0, &lines, err);
    if (r == 0)
        r = number(query, "ms", 0, &ms, err);
    if (r == 0)
        r = number(query, "times", 0, &times, err);
    if (r == 0)
        r = number(query, "status", 500, &status, err);
    if (r < 0)
        return r;
    if (status < 400 || status > 599)
        return err_set(err, ERR_INVALID, "status=%lld: 400 to 599 is wanted", (long long)status);
    struct dev_fault *f = xcalloc(1, sizeof(*f));
    f->what = (enum dev_fault_what)kind;
    f->pod = pod ? TAKE_PTR(pod) : xstrdup("*");
    f->lines = lines;
    f->ms = ms;
    f->times = times;
    f->status = (int)status;
    *ret = f;
    return 0;
}

void dev_fault_free(struct dev_fault *f)
{
    if (!f)
        return;
    free(f->pod);
    free(f);
}

bool dev_fault_matches(const struct dev_fault *f, const char *pod)
{
    return fnmatch(f->pod, pod, 0) == 0;
}

struct dev_fault *dev_fault_find(const struct dev_faults *f, int64_t id)
{
    for (size_t i = 0; i < f->list.len; i++)
        if (f->list.items[i]->id == id)
            return f->list.items[i];
    return NULL;
}

cJSON *dev_faults_json(const struct dev_faults *f)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < f->list.len; i++) {
        const struct dev_fault *fault = f->list.items[i];
        cJSON *o = json_object("what", names[fault->what], "pod", fault->pod, NULL);
        json_set_int(o, "id", fault->id);
        json_set_int(o, "lines", fault->lines);
        json_set_int(o, "ms", fault->ms);
        json_set_int(o, "times", fault->times);
        json_set_int(o, "struck", fault->struck);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

void dev_faults_release(struct dev_faults *f)
{
    for (size_t i = 0; i < f->list.len; i++)
        dev_fault_free(f->list.items[i]);
    free(f->list.items);
}
