#include "cli/delete.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "cli/await.h"
#include "cli/progress.h"

const char *const delete_cascade_choices[] = {"background", "foreground", "orphan", NULL};
static const char *const propagation[] = {"Background", "Foreground", "Orphan"};

void deleting_release(struct deleting *d)
{
    for (size_t i = 0; i < d->gone.len; i++) {
        free(d->gone.items[i].namespace);
        free(d->gone.items[i].name);
        free(d->gone.items[i].uid);
    }
    free(d->gone.items);
}

static char *body_of(const struct deleting *d, const char *uid)
{
    _cleanup_json_ cJSON *body = json_object("apiVersion", "v1", "kind", "DeleteOptions", "propagationPolicy",
                                             propagation[d->how.cascade], NULL);

    if (d->how.grace >= 0)
        json_set_int(body, "gracePeriodSeconds", d->how.grace);
    if (uid)
        json_set_str(body, "preconditions.uid", uid);
    if (d->how.dry_run == DRY_SERVER) {
        cJSON *all = cJSON_CreateArray();
        cJSON_AddItemToArray(all, cJSON_CreateString("All"));
        json_put(body, "dryRun", all);
    }
    return json_print(body);
}

static void tell(struct deleting *d, const struct kube_resource *r, const char *namespace, const char *name)
{
    if (d->how.deleted)
        d->how.deleted(d->how.arg, r, namespace, name);
}

int delete_one(struct deleting *d, const struct kube_resource *r, const char *namespace, const char *name,
               const char *uid, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_free_ char *body = NULL;
    struct err *e = NULL;

    if (d->how.dry_run == DRY_CLIENT) {
        tell(d, r, namespace, name);
        return 0;
    }
    body = body_of(d, uid);
    struct cli_request request = {
        .method = "DELETE", .resource = r, .namespace = namespace, .name = name, .body = body};
    if (cli_request(d->c, &request, &answer, &e) < 0) {
        if (e->http == 404 && d->how.ignore_not_found) {
            err_free(e);
            return 0;
        }
        return err_move(err, e);
    }
    tell(d, r, namespace, name);
    /* The answer is the object while it is ending, a Status once it is gone. */
    if (d->how.wait && d->how.dry_run == DRY_NONE && !streq(json_str_or(answer, "kind", ""), "Status"))
        vec_push(&d->gone, ((struct delete_gone){r, xstrdup_null(namespace), xstrdup(name),
                                                 xstrdup_null(json_str(answer, "metadata.uid"))}));
    return 0;
}

/* Waiting */

static bool is_gone(void *arg, const cJSON *object)
{
    const struct delete_gone *g = arg;

    /* Another object of the same name may have been made since. */
    return !object || (g->uid && !streq(json_str_or(object, "metadata.uid", g->uid), g->uid));
}

static void wait_for_end(struct deleting *d)
{
    const int64_t week_ms = INT64_C(7) * 86400 * 1000;
    int64_t timeout = d->how.timeout_ns / 1000000;
    int64_t end = time_mono_ms() + (timeout > 0 ? timeout : week_ms);
    _cleanup_progress_ struct progress *progress = d->gone.len ? progress_new(d->c) : NULL;

    for (size_t i = 0; i < d->gone.len; i++) {
        struct delete_gone *g = &d->gone.items[i];
        struct err *e = NULL;
        int64_t left = end - time_mono_ms();
        struct cli_await await = {
            .resource = g->resource,
            .namespace = g->namespace,
            .name = g->name,
            .timeout_ms = left > 0 ? left : 0,
            .check = is_gone,
            .arg = g,
        };
        progress_set(progress, "waiting for %s/%s to be gone, %zu of %zu", g->resource->singular, g->name,
                     i + 1, d->gone.len);
        int r = cli_await(d->c, &await, "the condition", &e);
        if (r == 0)
            continue;
        /* The kind itself may be gone: its CRD was deleted. */
        if (e->http == 404) {
            err_free(e);
            continue;
        }
        if (r == ERR_TIMEOUT) {
            err_free(e);
            e = NULL;
            err_set(&e, ERR_FAILED, "timed out waiting for the condition on %s/%s", g->resource->resource,
                    g->name);
        }
        cmd_report(d->c, &e);
    }
}

/* A short deletion needs no watch: one question may be enough. */
static void drop_those_gone(struct deleting *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->gone.len; i++) {
        struct delete_gone *g = &d->gone.items[i];
        _cleanup_json_ cJSON *object = NULL;
        struct err *e = NULL;
        struct cli_request request = {
            .resource = g->resource, .namespace = g->namespace, .name = g->name, .accept = CLI_AS_METADATA};
        int r = cli_request(d->c, &request, &object, &e);
        bool over = r == 0 ? is_gone(g, object) : e->http == 404;
        err_free(e);
        if (!over) {
            d->gone.items[kept++] = *g;
            continue;
        }
        free(g->namespace);
        free(g->name);
        free(g->uid);
    }
    d->gone.len = kept;
}

void delete_wait(struct deleting *d)
{
    drop_those_gone(d);
    wait_for_end(d);
}

int64_t delete_grace(bool now, bool force, int64_t grace_period)
{
    if (now)
        return 1;
    if (force)
        return grace_period < 0 ? 0 : grace_period;
    /* Without --force, 0 would skip the orderly end by accident: kubectl takes 1 then. */
    return grace_period == 0 ? 1 : grace_period;
}

void delete_warn_of_force(int64_t grace)
{
    if (grace == 0)
        cmd_note("Warning: Immediate deletion does not wait for confirmation that the running resource has "
                 "been terminated. The resource may continue to run on the cluster indefinitely.");
}
