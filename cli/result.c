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

int cli_output_new(struct cmd_ctx *c, const struct cli_output *output, struct print_output **ret,
                   struct err **err)
{
    const struct print_output_options options = {
        .format = output->format,
        .template = output->template,
        .missing_keys_are_errors = !output->allow_missing_keys,
        .managed_fields = output->managed_fields,
        .records = fleet_is(c),
        .terminal = cmd_terminal(),
        .colour = cmd_colour(c),
    };

    return print_output_new(&options, ret, err);
}

int cli_results_format(struct cli_results *results, struct cmd_ctx *c, const struct cli_output *output,
                       bool as_list, struct err **err)
{
    int r = cli_output_new(c, output, &results->print, err);

    if (r == 0) {
        results->c = c;
        results->format = print_output_format(results->print);
        results->as_list = as_list;
    }
    return r;
}

void cli_results_release(struct cli_results *results)
{
    print_output_free(results->print);
    cJSON_Delete(results->items);
    results->print = NULL;
    results->items = NULL;
}

static void print_one(struct cli_results *results, cJSON *object, const struct kube_resource *r)
{
    _cleanup_free_ char *kind = r ? kube_resource_display(r) : NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct err *e = NULL;

    if (print_output_add(results->print, object, kind, &out, &e) < 0)
        cmd_report(results->c, &e);
    if (results->format == PRINT_NDJSON)
        fleet_block(results->c, &out, NULL);
    else
        cmd_out_buf(&out);
    cmd_flush();
}

static void print_rest(struct cli_results *results)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct err *e = NULL;

    if (print_output_finish(results->print, &out, &e) < 0)
        cmd_report(results->c, &e);
    cmd_out_buf(&out);
}

void cli_result(struct cli_results *results, const struct kube_resource *r, const cJSON *object,
                const char *verb)
{
    static const char *const suffixes[] = {"", " (dry run)", " (server dry run)"};
    bool whole = results->format == PRINT_JSON || results->format == PRINT_YAML;
    _cleanup_free_ char *kind = NULL, *name = NULL;

    if (results->format != PRINT_TABLE && results->format != PRINT_NAME) {
        if (!results->as_list && !(whole && fleet_is(results->c))) {
            print_one(results, cJSON_Duplicate(object, true), r);
            return;
        }
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
    struct cmd_ctx *c = results->c;

    if (results->items) {
        for (cJSON *item = fleet_is(c) ? results->items->child : NULL; item; item = item->next)
            fleet_mark(c, item);
        if (fleet_is(c) && (results->format == PRINT_JSON || results->format == PRINT_YAML)) {
            json_each (item, results->items)
                print_drop_managed_fields(item);
            fleet_collect(c, results->format, TAKE_PTR(results->items));
        } else {
            bool several = results->items->child && results->items->child->next;
            print_output_shape(results->print, several ? PRINT_LIST : PRINT_SINGLE);
            while (results->items->child)
                print_one(results, cJSON_DetachItemViaPointer(results->items, results->items->child), NULL);
        }
    }
    if (results->print)
        print_rest(results);
    cli_results_release(results);
}
