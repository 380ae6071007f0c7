#include "cli/tail_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/opt.h"
#include "data/yaml.h"

enum { FILE_MOST = 256 * 1024 };

/* Values that options point to, to the end of the program. */
static char **kept;

static char *value_text(const cJSON *value)
{
    return cJSON_IsString(value) ? xstrdup(value->valuestring) : json_print(value);
}

static int set_one(const struct opt_group *group, const struct cmd_opt *o, const cJSON *value,
                   struct err **err)
{
    if (cJSON_IsObject(value) || cJSON_IsArray(value) || cJSON_IsNull(value))
        return err_set(err, ERR_INVALID, "a single value is wanted here");
    _cleanup_free_ char *text = value_text(value);
    strv_push(&kept, text);
    return opt_set(group, o, kept[strv_len(kept) - 1], err);
}

static int set_option(struct cmd_ctx *c, const cJSON *member, struct err **err)
{
    const struct opt_group group = {c->entry->opts, c->options};
    _cleanup_free_ char *word = xasprintf("--%s", member->string);
    const struct cmd_opt *o = opt_find(&group, 1, word);

    if (!o || streq(o->name, "config"))
        return err_set(err, ERR_INVALID,
                       "tail has no such option (see wasmctl tail --help), or not in a file");
    if (cmd_given(c, o->name))
        return 0;
    if (!cJSON_IsArray(member))
        return set_one(&group, o, member, err);
    if (o->type != OPT_LIST && o->type != OPT_CSV)
        return err_set(err, ERR_INVALID, "it takes one value, not a list");
    json_each (value, member) {
        int r = set_one(&group, o, value, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_text(struct cmd_ctx *c, const char *path, const char *text, size_t len, struct err **err)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    int r = yaml_parse(text, len, path, &docs, err);

    if (r < 0 || !docs.len)
        return r;
    const cJSON *o = docs.items[0].root;
    if (docs.len > 1 || !cJSON_IsObject(o))
        return err_set(err, ERR_INVALID, "%s: one mapping of options is wanted, like \"tail: 20\"", path);
    json_each (member, o) {
        if ((r = set_option(c, member, err)) < 0)
            return err_wrap(err, "%s:%u: %s", path,
                            yaml_line(text, len, (const char *const[]){member->string, NULL}),
                            member->string);
    }
    return 0;
}

int tail_config_read(struct cmd_ctx *c, const char *path, struct err **err)
{
    const char *from = path ? path : getenv("WASMCTL_TAIL_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"),
               *home = getenv("HOME");
    _cleanup_free_ char *usual = !str_empty(xdg)    ? xasprintf("%s/wasmctl/tail.yaml", xdg)
                                 : !str_empty(home) ? xasprintf("%s/.config/wasmctl/tail.yaml", home)
                                                    : NULL;
    _cleanup_free_ char *text = NULL;
    _cleanup_err_ struct err *e = NULL;
    size_t len = 0;

    if (str_empty(from) && !usual)
        return 0;
    int r = file_read(str_empty(from) ? usual : from, FILE_MOST, &text, &len, &e);
    if (r == ERR_NOT_FOUND && str_empty(from))
        return 0;
    if (r < 0)
        return err_move(err, TAKE_PTR(e));
    return read_text(c, str_empty(from) ? usual : from, text, len, err);
}
