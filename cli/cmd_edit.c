#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/edit_file.h"
#include "cli/edit_patch.h"
#include "cli/manifest.h"
#include "cli/result.h"

/* How often a change is sent again because somebody else changed other fields; how often the editor is opened
 * again before it counts as one that no person uses. */
enum { MAX_TRIES = 5, MAX_ROUNDS = 50 };

struct edit_options {
    struct manifest_from from;
    const char *output, *field_manager, *subresource;
    bool managed_fields, output_patch, save_config, windows_line_endings;
    int validate;
};

#define O(member) offsetof(struct edit_options, member)

static const struct cmd_opt edit_opts[] = {
    {"field-manager", 0, OPT_STRING, O(field_manager), "NAME", "wasmctl",
     "Name under which the server notes who set a field"},
    MANIFEST_OPTS(O(from)),
    {"output", 'o', OPT_STRING, O(output), "yaml|json", NULL, "What is edited"},
    {"output-patch", 0, OPT_FLAG, O(output_patch), NULL, NULL, "Print what is sent to the server"},
    {"save-config", 0, OPT_FLAG, O(save_config), NULL, NULL,
     "Ignored: apply is server-side and needs no annotation"},
    {"show-managed-fields", 0, OPT_FLAG, O(managed_fields), NULL, NULL, "Keep metadata.managedFields"},
    {"subresource", 0, OPT_STRING, O(subresource), "status|scale", NULL, "Edit this part of the object"},
    CLI_OPT_VALIDATE(O(validate)),
    {"windows-line-endings", 0, OPT_FLAG, O(windows_line_endings), NULL, NULL, "End lines with CR and LF"},
    OPT_TABLE_END,
};

struct edited {
    const struct cli_target *target;
    cJSON *live;  /* as the server gave it last */
    cJSON *shown; /* as it was when it was put into the file: what the edit is compared with */
    cJSON *typed; /* as it shall be, when it could not be written: for the next time through the editor */
    bool done;    /* written, or left as it was */
};

struct editing {
    struct cmd_ctx *c;
    const struct edit_options *o;
    enum print_format format;
    VEC(struct edited) items;
    struct edit_file *file;
    struct buf reasons; /* why the file is opened again: lines of the comment */
    bool ask_to_save;   /* a conflict is among them */
    struct cli_results results;
};

static void release(struct editing *e)
{
    for (size_t i = 0; i < e->items.len; i++) {
        cJSON_Delete(e->items.items[i].live);
        cJSON_Delete(e->items.items[i].shown);
        cJSON_Delete(e->items.items[i].typed);
    }
    free(e->items.items);
    edit_file_free(e->file);
    buf_release(&e->reasons);
}

/* Text */

static void add_comment(struct buf *text, const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        buf_addf(text, "#%s%.*s\n", n ? " " : "", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void add_header(const struct editing *e, struct buf *text)
{
    /* JSON knows no comments: there is one only when there is something to tell. */
    if (e->format == PRINT_JSON && !e->reasons.len)
        return;
    add_comment(text,
                "Please edit the object below. Lines beginning with a '#' will be ignored,\n"
                "and an empty file will abort the edit. If an error occurs while saving this file will be\n"
                "reopened with the relevant failures.\n\n");
    if (!e->reasons.len)
        return;
    add_comment(text, buf_str(&e->reasons));
    if (e->ask_to_save)
        add_comment(text, "Save the file to keep your values; leave the editor without saving to give up.\n");
    buf_adds(text, "#\n");
}

/* Lines that begin with '#' are no part of the text, and neither is what Windows puts at their ends. */
static void strip(const struct buf *from, struct buf *to)
{
    const char *p = buf_str(from), *end = p + from->len;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        size_t kept = n && p[n - 1] == '\r' ? n - 1 : n;
        if (p[0] != '#') {
            buf_add(to, p, kept);
            buf_addc(to, '\n');
        }
        p += n + 1;
    }
}

static bool is_blank(const struct buf *text)
{
    return strspn(buf_str(text), " \t\r\n") == text->len;
}

static void print_text(const struct editing *e, cJSON *object, struct buf *body)
{
    if (!e->o->managed_fields)
        print_drop_managed_fields(object);
    print_object(body, e->format, object);
}

/* Those that are still to be edited, as one object or a List. */
static void print_items(const struct editing *e, struct buf *body)
{
    _cleanup_json_ cJSON *list = cJSON_CreateArray(), *object = NULL;

    for (size_t i = 0; i < e->items.len; i++) {
        const struct edited *item = &e->items.items[i];
        if (!item->done)
            cJSON_AddItemToArray(list, cJSON_Duplicate(item->typed ? item->typed : item->live, true));
    }
    if (cJSON_GetArraySize(list) == 1)
        object = cJSON_DetachItemFromArray(list, 0);
    else
        object = print_list_object(TAKE_PTR(list));
    print_text(e, object, body);
}

static int write_file(struct editing *e, const struct buf *body, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT, lines = BUF_INIT;

    add_header(e, &text);
    buf_add(&text, buf_str(body), body->len);
    if (!e->o->windows_line_endings)
        return edit_file_write(e->file, &text, err);
    for (const char *p = buf_str(&text); *p; p++) {
        if (*p == '\n')
            buf_addc(&lines, '\r');
        buf_addc(&lines, *p);
    }
    return edit_file_write(e->file, &lines, err);
}

/* Objects */

static struct edited *find(const struct editing *e, const cJSON *object)
{
    for (size_t i = 0; i < e->items.len; i++) {
        struct edited *item = &e->items.items[i];
        if (!item->done && streq(json_str_or(item->live, "kind", ""), json_str_or(object, "kind", "")) &&
            streq(json_str_or(item->live, "apiVersion", ""), json_str_or(object, "apiVersion", "")) &&
            streq_null(json_str(item->live, "metadata.namespace"), json_str(object, "metadata.namespace")) &&
            streq(json_str_or(item->live, "metadata.name", ""), json_str_or(object, "metadata.name", "")))
            return item;
    }
    return NULL;
}

/* What is written is read as what comes back will be, so that only the person's changes are differences. */
static int note_shown(struct editing *e, struct edited *item, struct err **err)
{
    _cleanup_manifests_ struct manifests set = {0};
    _cleanup_json_ cJSON *object = cJSON_Duplicate(item->live, true);
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    print_text(e, object, &text);
    r = manifests_parse(&set, buf_str(&text), text.len, item->target->name, err);
    if (r < 0)
        return r;
    if (set.len != 1)
        return err_set(err, ERR_UNSUPPORTED, "%s cannot be edited: it is a list", item->target->name);
    cJSON_Delete(item->shown);
    item->shown = TAKE_PTR(set.items[0].object);
    return 0;
}

static int get(struct editing *e, struct edited *item, struct err **err)
{
    _cleanup_json_ cJSON *answer = NULL;
    struct cli_request request = {.resource = item->target->resource,
                                  .namespace = item->target->namespace,
                                  .name = item->target->name,
                                  .sub = e->o->subresource};
    int r = cli_request(e->c, &request, &answer, err);

    if (r < 0)
        return r;
    cJSON_Delete(item->live);
    item->live = TAKE_PTR(answer);
    return 0;
}

/* A refusal of unknown fields quotes the whole patch before it says what is wrong. */
static const char *point_of(const char *message)
{
    static const char intro[] = "strict decoding error: ";
    const char *at = strstr(message, intro);

    return at ? at + strlen(intro) : message;
}

static void add_reason(struct editing *e, const struct edited *item, const struct err *failure)
{
    _cleanup_free_ char *text = cli_target_text(item->target->resource, item->target->name);
    _cleanup_json_ cJSON *status = NULL;
    bool any = false;

    if (failure->details)
        json_parse(failure->details, strlen(failure->details), "status", &status, NULL);
    buf_addf(&e->reasons, "%s was not %s:\n", text, failure->http == 422 ? "valid" : "changed");
    json_each (cause, json_at(status, "details.causes")) {
        buf_addf(&e->reasons, "* %s: %s\n", json_str_or(cause, "field", ""),
                 point_of(json_str_or(cause, "message", "")));
        any = true;
    }
    if (!any)
        buf_addf(&e->reasons, "* %s\n", point_of(failure->message));
}

static int send(struct editing *e, const struct edited *item, const cJSON *patch, cJSON **ret,
                struct err **err)
{
    _cleanup_json_ cJSON *whole = cJSON_Duplicate(patch, true);
    _cleanup_buf_ struct buf query = BUF_INIT;
    _cleanup_free_ char *body = NULL;

    if (!json_at(whole, "metadata.resourceVersion"))
        json_set_str(whole, "metadata.resourceVersion", json_str(item->live, "metadata.resourceVersion"));
    body = json_print(whole);
    if (e->o->output_patch)
        cmd_out("Patch: %s\n", body);
    cli_query_add(&query, "fieldManager", e->o->field_manager);
    cli_write_query(&query, DRY_NONE, e->o->validate);
    struct cli_request request = {.method = "PATCH",
                                  .resource = item->target->resource,
                                  .namespace = item->target->namespace,
                                  .name = item->target->name,
                                  .sub = e->o->subresource,
                                  .query = buf_str(&query),
                                  .body = body,
                                  .content_type = KUBE_MERGE_PATCH};
    return cli_request(e->c, &request, ret, err);
}

/* Other people's changes of the same fields are not overwritten unseen: the person decides. True: so it is,
 * the reasons are noted. */
static bool clashes(struct editing *e, struct edited *item, const cJSON *patch)
{
    _cleanup_buf_ struct buf fields = BUF_INIT;
    bool secret = streq(item->target->resource->kind, "Secret");

    if (edit_patch_clashes(patch, item->shown, item->live, secret, &fields) == 0)
        return false;
    _cleanup_free_ char *text = cli_target_text(item->target->resource, item->target->name);
    cmd_note("error: %s was changed by somebody else meanwhile", text);
    buf_addf(&e->reasons, "%s was changed by somebody else meanwhile; below are your values:\n%s", text,
             buf_str(&fields));
    e->ask_to_save = true;
    return true;
}

static void finish_item(struct editing *e, struct edited *item, const char *verb)
{
    struct kube_resource shown = *item->target->resource;
    _cleanup_free_ char *kind = str_lower(json_str_or(item->live, "kind", shown.kind));
    _cleanup_free_ char *group = xstrdup(json_str_or(item->live, "apiVersion", ""));
    char *slash = strchr(group, '/');

    /* What was edited may be of another kind: that of /scale is a Scale. */
    if (e->o->subresource) {
        if (slash)
            *slash = '\0';
        shown.group = slash ? group : group + strlen(group);
        shown.singular = kind;
    }
    item->done = true;
    cli_result(&e->results, &shown, item->live, verb);
}

static void keep_typed(struct edited *item, const cJSON *typed)
{
    cJSON_Delete(item->typed);
    item->typed = cJSON_Duplicate(typed, true);
}

/* 0: done, or its reasons are noted; an error ends the edit. */
static int change(struct editing *e, struct edited *item, const cJSON *wanted, struct err **err)
{
    _cleanup_json_ cJSON *patch = edit_patch_make(item->shown, wanted);

    if (!patch->child) {
        finish_item(e, item, "skipped");
        return 0;
    }
    for (int tries = 1;; tries++) {
        _cleanup_json_ cJSON *answer = NULL, *merged = NULL;
        _cleanup_err_ struct err *failure = NULL;
        if (clashes(e, item, patch)) {
            merged = cJSON_Duplicate(item->live, true);
            json_merge_patch(&merged, patch);
            keep_typed(item, merged);
            return note_shown(e, item, err);
        }
        if (send(e, item, patch, &answer, &failure) == 0) {
            cJSON_Delete(item->live);
            item->live = TAKE_PTR(answer);
            finish_item(e, item, "edited");
            return 0;
        }
        /* Somebody else was faster: the same edit for the new version, unless they changed the same fields.
         */
        if (failure->http == 409 && tries < MAX_TRIES && !json_at(patch, "metadata.resourceVersion")) {
            int r = get(e, item, err);
            if (r < 0)
                return r;
            continue;
        }
        /* What no other text would change. */
        if (failure->http < 400 || failure->http >= 500 || failure->http == 401 || failure->http == 403 ||
            failure->http == 404)
            return err_move(err, TAKE_PTR(failure));
        _cleanup_free_ char *text = kube_err_text(failure);
        cmd_note("%s%s", point_of(text) == text ? "" : "error: ", point_of(text));
        add_reason(e, item, failure);
        keep_typed(item, wanted);
        return 0;
    }
}

/* One time through the editor */

enum outcome { OPEN_AGAIN, FINISHED, NO_CHANGE, EMPTY };

static int read_edit(struct editing *e, const struct buf *text, struct manifests *ret, struct err **err)
{
    _cleanup_manifests_ struct manifests set = {0};
    int r = manifests_parse(&set, buf_str(text), text->len, "the text below", err);

    for (size_t i = 0; r == 0 && i < set.len; i++) {
        const cJSON *object = set.items[i].object;
        if (!find(e, object))
            return err_set(
                err, ERR_INVALID,
                "the text below:%u: %s \"%s\" is none of the objects being edited: apiVersion, kind, name "
                "and namespace cannot be changed",
                set.items[i].line, json_str_or(object, "kind", ""), json_str_or(object, "metadata.name", ""));
    }
    if (r < 0)
        return r;
    *ret = set;
    set = (struct manifests){0};
    return 0;
}

static int change_all(struct editing *e, const struct manifests *set, struct err **err)
{
    for (size_t i = 0; i < set->len; i++) {
        struct edited *item = find(e, set->items[i].object);
        /* Given twice: the first was written already. */
        int r = item ? change(e, item, set->items[i].object, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* What was taken out of the file is left as it is on the server. */
static void drop_absent(struct editing *e, const struct manifests *set)
{
    for (size_t i = 0; i < e->items.len; i++) {
        struct edited *item = &e->items.items[i];
        bool there = item->done;
        for (size_t k = 0; !there && k < set->len; k++)
            there = find(e, set->items[k].object) == item;
        item->done = item->done || !there;
    }
}

static size_t count_done(const struct editing *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->items.len; i++)
        n += e->items.items[i].done;
    return n;
}

/* body: the text without comments that was written; replaced by what is to be written next. */
static int round_trip(struct editing *e, struct buf *body, bool *ret_saved, enum outcome *ret,
                      struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT, typed = BUF_INIT;
    _cleanup_manifests_ struct manifests set = {0};
    _cleanup_err_ struct err *wrong = NULL;
    size_t done = count_done(e);
    int r = edit_file_open(e->file, &text, ret_saved, err);

    if (r < 0)
        return r;
    strip(&text, &typed);
    bool same = typed.len == body->len && memcmp(buf_str(&typed), buf_str(body), typed.len) == 0;
    if ((same && !(e->ask_to_save && *ret_saved)) || is_blank(&typed)) {
        *ret = same ? NO_CHANGE : EMPTY;
        return 0;
    }
    buf_truncate(&e->reasons, 0);
    e->ask_to_save = false;
    buf_truncate(body, 0);
    r = read_edit(e, &typed, &set, &wrong);
    if (r < 0) {
        cmd_note("error: the edited file has a mistake: %s", wrong->message);
        buf_addf(&e->reasons, "The edited file has a mistake:\n* %s\n", wrong->message);
    } else {
        drop_absent(e, &set);
        r = change_all(e, &set, err);
        if (r < 0)
            return r;
    }
    *ret = e->reasons.len ? OPEN_AGAIN : FINISHED;
    /* As it was typed, but for what is written by now or was changed by others. */
    if (e->ask_to_save || count_done(e) > done)
        print_items(e, body);
    else
        buf_add(body, buf_str(&typed), typed.len);
    return 0;
}

static int give_up(struct editing *e, const struct buf *body, enum outcome outcome, bool again,
                   struct err **err)
{
    /* An emptied file must not take with it what was typed before. */
    if (again && outcome == EMPTY && edit_file_write(e->file, body, err) < 0)
        return (*err)->code;
    if (again) {
        edit_file_tell(e->file);
        return err_set(err, ERR_FAILED, "Edit cancelled, no valid changes were saved.");
    }
    edit_file_drop(e->file);
    cmd_note(outcome == EMPTY ? "Edit cancelled, saved file was empty." : "Edit cancelled, no changes made.");
    return 0;
}

static int edit(struct editing *e, struct err **err)
{
    _cleanup_buf_ struct buf body = BUF_INIT;
    enum outcome outcome = OPEN_AGAIN;
    int r = edit_file_new(e->c, e->format == PRINT_JSON ? ".json" : ".yaml", &e->file, err);

    if (r < 0)
        return r;
    print_items(e, &body);
    for (int round = 0; outcome == OPEN_AGAIN; round++) {
        bool saved = false;
        r = write_file(e, &body, err);
        if (r == 0 && round == MAX_ROUNDS)
            r = err_set(err, ERR_FAILED, "the file was edited %d times and is still not right", MAX_ROUNDS);
        if (r == 0)
            r = round_trip(e, &body, &saved, &outcome, err);
        if (r < 0 && (saved || round > 0))
            edit_file_tell(e->file);
        else if (r < 0)
            edit_file_drop(e->file);
        if (r < 0)
            return r;
        if (outcome == NO_CHANGE || outcome == EMPTY)
            return give_up(e, &body, outcome, round > 0, err);
    }
    edit_file_drop(e->file);
    return 0;
}

static int find_objects(struct editing *e, struct manifests *files, struct cli_targets *targets,
                        struct err **err)
{
    const struct edit_options *o = e->o;
    _cleanup_targets_ struct cli_targets given = {0};
    struct cli_target_options how = {.verb = "edit"};
    int r;

    r = manifest_from_any(&o->from) ? manifest_targets_from(e->c, &o->from, files, &given, err)
                                    : cli_targets_parse(e->c, &how, &given, err);
    if (r == 0)
        r = cli_targets_expand(e->c, &given, NULL, NULL, targets, err);
    if (r < 0 || e->c->failed)
        return r;
    if (targets->len == 0)
        return err_set(err, ERR_NOT_FOUND, "edit cancelled, no objects found");
    for (size_t i = 0; i < targets->len; i++) {
        vec_push(&e->items, ((struct edited){.target = &targets->items[i]}));
        struct edited *item = &e->items.items[e->items.len - 1];
        r = get(e, item, err);
        if (r == 0)
            r = note_shown(e, item, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run_edit(struct cmd_ctx *c, struct err **err)
{
    const struct edit_options *o = c->options;
    _cleanup_manifests_ struct manifests files = {0};
    _cleanup_targets_ struct cli_targets targets = {0};
    _cleanup_(release) struct editing e = {.c = c, .o = o, .format = PRINT_YAML};

    if (o->output && !streq(o->output, "yaml") && !streq(o->output, "json"))
        return cmd_usage(c, err, "--output must be yaml or json, not \"%s\"", o->output);
    if (str_empty(o->field_manager))
        return cmd_usage(c, err, "--field-manager must not be empty");
    if (o->save_config)
        cmd_note(
            "Warning: --save-config is ignored: apply is server-side, the server itself notes who set which "
            "field");
    if (o->output && streq(o->output, "json"))
        e.format = PRINT_JSON;
    int r = find_objects(&e, &files, &targets, err);
    if (r < 0 || c->failed)
        return r;
    return edit(&e, err);
}

const struct cmd_entry cmd_edit = {
    .name = "edit",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Change objects in your editor",
    .help = "Open objects in your editor ($KUBE_EDITOR, else $EDITOR, else vi) and send what was changed.\n\n"
            "When the text has a mistake or the server refuses it, the file is opened again with the reason "
            "in its first "
            "lines. When somebody else has changed other fields meanwhile both changes hold; when they "
            "changed the same "
            "fields, the file is opened again and says what they are now. Nothing that was typed is lost: "
            "when the edit "
            "cannot be finished the file is kept and named.\n\n"
            "An unchanged or empty file ends the edit without a change.",
    .usage = "(KIND NAME... | KIND/NAME... | -f FILE) [options]",
    .examples = "# One actor\n%P edit wasmactor hello\n"
                "# In another editor\nKUBE_EDITOR='code --wait' %P edit wa/hello\n"
                "# By a script\nKUBE_EDITOR=\"sed -i 's/replicas: 1/replicas: 2/'\" %P edit wa hello\n"
                "# As JSON\n%P edit wa hello -o json",
    .opts = edit_opts,
    .options_size = sizeof(struct edit_options),
    .max_args = -1,
    .args = CMD_ARGS_OBJECTS,
    .run = run_edit,
};
