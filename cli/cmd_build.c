/* Commands the build and the tests use. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/check.h"
#include "cli/man.h"

static int write_page(const char *folder, const char *name, const struct buf *text, struct err **err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s.1", folder, name);

    return file_write(path, buf_str(text), text->len, 0644, err);
}

static int write_pages(const char *folder, const char *above, const struct cmd_entry *const *table,
                       struct err **err)
{
    _cleanup_free_ char *parent = man_name(above);
    int r = 0;

    for (; *table && r == 0; table++) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        _cleanup_free_ char *path = xasprintf("%s %s", above, (*table)->name), *name = man_name(path);
        if ((*table)->group == CMD_GROUP_HIDDEN)
            continue;
        man_command(&text, path, parent, *table);
        r = write_page(folder, name, &text, err);
        if (r == 0 && (*table)->subs)
            r = write_pages(folder, path, (*table)->subs, err);
    }
    return r;
}

static int run_man(struct cmd_ctx *c, struct err **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r = file_mkdirs(c->argv[0], 0755, err);

    if (r < 0)
        return r;
    man_program(&text, cmd_table());
    r = write_page(c->argv[0], "wasmctl", &text, err);
    return r < 0 ? r : write_pages(c->argv[0], "wasmctl", cmd_table(), err);
}

const struct cmd_entry cmd_man = {
    .name = "__man",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Write the manual pages into a folder",
    .usage = "FOLDER",
    .min_args = 1,
    .max_args = 1,
    .run = run_man,
};

static int run_check(struct cmd_ctx *c _unused_, struct err **err)
{
    _cleanup_buf_ struct buf problems = BUF_INIT;
    size_t n = check_table(cmd_table(), &problems);

    cmd_out_buf(&problems);
    return n ? err_set(err, ERR_FAILED, "%zu mistakes in the tables of commands", n) : 0;
}

const struct cmd_entry cmd_check = {
    .name = "__check",
    .group = CMD_GROUP_HIDDEN,
    .brief = "Check the tables of commands",
    .usage = "",
    .run = run_check,
};
