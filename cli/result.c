#include "cli/result.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/fleet.h"
#include "cli/target.h"

const char *const cli_dry_run_choices[] = {"none", "client", "server", NULL};
/* true and false are what older scripts say for strict and ignore. */
const char *const cli_validate_choices[] = {"strict", "warn", "ignore", "true", "false", NULL};

void cli_write_query(struct buf *query, enum cli_dry_run dry_run, int validate)
{
    static const char *const values[] = {"Strict", "Warn", "Ignore", "Strict", "Ignore"};

    cli_query_add(query, "fieldValidation", values[validate]);
    if (dry_run == DRY_SERVER)
        cli_query_add(query, "dryRun", "All");
}

void cli_result(struct cli_results *results, const struct kube_resource *r, const cJSON *object,
                const char *verb)
{
    static const char *const suffixes[] = {"", " (dry run)", " (server dry run)"};
    _cleanup_free_ char *kind = NULL, *name = NULL;

    if (results->format == PRINT_JSON || results->format == PRINT_YAML) {
        if (!results->items)
            results->items = cJSON_CreateArray();
        cJSON_AddItemToArray(results->items, cJSON_Duplicate(object, true));
        return;
    }
    kind = kube_resource_display(r);
    name = str_escape_control(json_str_or(object, "metadata.name", ""), false);
    if (results->format == PRINT_NAME)
        cmd_out("%s/%s\n", kind, name);
    else
        cmd_out("%s/%s %s%s\n", kind, name, verb, suffixes[results->dry_run]);
    cmd_flush();
}

void cli_results_finish(struct cli_results *results)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_json_ cJSON *object = NULL;

    if (!results->items)
        return;
    struct cmd_ctx *c = cmd_current();
    if (fleet_is(c)) {
        json_each (item, results->items)
            print_drop_managed_fields(item);
        fleet_collect(c, results->format, TAKE_PTR(results->items));
        return;
    }
    if (cJSON_GetArraySize(results->items) == 1) {
        object = cJSON_DetachItemViaPointer(results->items, results->items->child);
        cJSON_Delete(results->items);
    } else {
        object = print_list_object(results->items);
    }
    results->items = NULL;
    print_drop_managed_fields(object);
    print_object(&out, results->format, object);
    cmd_out_buf(&out);
}
