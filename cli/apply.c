#include "cli/apply.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/await.h"
#include "cli/target.h"
#include "cli/progress.h"

/* The server names the object in some messages only: says which file it was. */
static int explain(struct cmd_ctx *c, const struct manifest *m, struct err **err)
{
    _cleanup_free_ char *conflict = NULL;
    _cleanup_free_ char *target = cli_target_text(m->resource, manifest_name(m));
    int code = (*err)->code;

    if (apply_is_conflict(*err)) {
        _cleanup_json_ cJSON *live = NULL;
        struct cli_request request = {
            .resource = m->resource, .namespace = manifest_namespace(m), .name = manifest_name(m)};
        /* Only to say what the values are: without it the conflict is told all the same. */
        cli_request(c, &request, &live, NULL);
        conflict = apply_conflict_text(*err, live, m->object);
        err_free(*err);
        *err = NULL;
        return err_set(err, ERR_CONFLICT, "%s from %s: %s", target, m->source, conflict);
    }
    if ((*err)->http == 0 || streq((*err)->reason ? (*err)->reason : "", "Invalid"))
        return code;
    if ((*err)->http == 404 && m->resource && !streq((*err)->reason ? (*err)->reason : "", "NotFound"))
        return code;
    return err_wrap(err, "error when applying %s from \"%s\"", target, m->source);
}

static int wait_for_crd(struct cmd_ctx *c, const struct manifests *set, const struct manifest *m,
                        const struct apply_how *how, struct err **err)
{
    const struct manifest *crd = manifest_crd_of(set, m);

    /* Only one that stands before the object: it was applied by now. A dry run creates none. */
    if (!crd || crd > m || how->dry_run != DRY_NONE)
        return 0;
    return cli_await_established(c, manifest_name(crd), how->crd_timeout_ms, err);
}

static int send(struct cmd_ctx *c, const struct manifest *m, const struct apply_how *how, const char *body,
                bool force, cJSON **ret, struct err **err)
{
    _cleanup_buf_ struct buf query = BUF_INIT;

    cli_query_add(&query, "fieldManager", how->field_manager);
    cli_query_add(&query, "force", force ? "true" : "false");
    cli_write_query(&query, how->dry_run, how->validate);
    struct cli_request request = {
        .method = "PATCH",
        .resource = m->resource,
        .namespace = manifest_namespace(m),
        .name = manifest_name(m),
        .sub = how->subresource,
        .query = buf_str(&query),
        .body = body,
        .content_type = KUBE_APPLY_YAML,
    };
    return cli_request(c, &request, ret, err);
}

int apply_send(struct cmd_ctx *c, const struct manifest *m, const struct apply_how *how, cJSON **ret,
               struct err **err)
{
    _cleanup_free_ char *body = NULL;

    /* Both are set by the server alone; it refuses them in an apply. */
    json_del(m->object, "metadata.managedFields");
    body = json_print(m->object);
    int r = send(c, m, how, body, how->force, ret, err);
    /* What our own commands wrote (scale, rollout undo...) is of another operation than an apply and so
     * conflicts with it. The manifest is newer and the user is the same: it wins, as it does in a client-side
     * apply. */
    if (r < 0 && !how->force && apply_conflicts_only_with(*err, how->field_manager)) {
        err_free(*err);
        *err = NULL;
        r = send(c, m, how, body, true, ret, err);
    }
    if (r < 0)
        return explain(c, m, err);
    return 0;
}

static int apply_one(struct cmd_ctx *c, struct manifests *set, struct manifest *m,
                     const struct apply_how *how, struct cli_results *results, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    int r = manifest_resolve(c, set, m, err);

    if (r < 0)
        return r;
    if (!*manifest_name(m)) {
        const char *prefix = json_str(m->object, "metadata.generateName");
        if (prefix)
            return err_set(err, ERR_INVALID, "%s:%u: from %s: cannot use generate name with apply", m->source,
                           m->line, prefix);
        return err_set(err, ERR_INVALID, "%s:%u: the %s has no metadata.name", m->source, m->line,
                       m->resource->kind);
    }
    if (how->dry_run == DRY_CLIENT) {
        cli_result(results, m->resource, m->object, "serverside-applied");
        return 0;
    }
    r = wait_for_crd(c, set, m, how, err);
    if (r < 0)
        return r;
    r = apply_send(c, m, how, &answer, err);
    if (r < 0)
        return r;
    cli_result(results, m->resource, answer, "serverside-applied");
    return 0;
}

void apply_all(struct cmd_ctx *c, struct manifests *set, const struct apply_how *how,
               struct cli_results *results)
{
    _cleanup_progress_ struct progress *progress = set->len > 1 ? progress_new(c) : NULL;

    for (size_t i = 0; i < set->len; i++) {
        struct err *e = NULL;
        progress_set(progress, "applying %zu of %zu: %s", i + 1, set->len, manifest_name(&set->items[i]));
        if (apply_one(c, set, &set->items[i], how, results, &e) < 0 && !cmd_report_one(c, &e))
            break;
    }
}
