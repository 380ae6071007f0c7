#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/help.h"

struct options {
    bool all;
    int mode;
    const char *where;
};
static const char *const modes[] = {"a", "b", NULL};
static const char *const aliases[] = {"p", NULL};

static const struct cmd_opt opts[] = {
    {"all", 'A', OPT_FLAG, offsetof(struct options, all), NULL, NULL, "Everything"},
    {"mode", 0, OPT_ENUM, offsetof(struct options, mode), NULL, "b", "How", .choices = modes},
    {"where", 'w', OPT_STRING, offsetof(struct options, where), "PLACE", NULL,
     "A text that is long enough to need a second line because it goes on and on and on and on and on"},
    {"secret", 0, OPT_FLAG, offsetof(struct options, all), NULL, NULL, "Not shown", .hidden = true},
    OPT_TABLE_END,
};
static const struct cmd_entry play = {
    .name = "play",
    .aliases = aliases,
    .group = CMD_GROUP_BASIC,
    .brief = "Play something",
    .usage = "NAME [options]",
    .examples = "%P play x\n# 100 %\n%P play y",
    .opts = opts,
    .options_size = sizeof(struct options),
};
static const struct cmd_entry hidden = {.name = "hidden", .group = CMD_GROUP_HIDDEN, .brief = "Hidden"};
static const struct cmd_entry stop = {.name = "stop-all", .group = CMD_GROUP_OTHER, .brief = "Stop"};
static const struct cmd_entry *const table[] = {&play, &hidden, &stop, NULL};
static const struct cmd_entry group = {
    .name = "group", .group = CMD_GROUP_DEV, .brief = "A group", .subs = table};

static void command_page(void **state _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    help_command(&out, "kubectl wasm", "kubectl wasm play", &play);
    assert_string_equal(buf_str(&out), "Play something\n"
                                       "\n"
                                       "Aliases:\n"
                                       "  play, p\n"
                                       "\n"
                                       "Examples:\n"
                                       "  kubectl wasm play x\n"
                                       "  # 100 %\n"
                                       "  kubectl wasm play y\n"
                                       "\n"
                                       "Options:\n"
                                       "  -A, --all          Everything\n"
                                       "      --mode a|b     How (default b)\n"
                                       "  -w, --where PLACE  A text that is long enough to need a second "
                                       "line because it goes on and on and\n"
                                       "                     on and on and on\n"
                                       "\n"
                                       "Usage:\n"
                                       "  kubectl wasm play NAME [options]\n"
                                       "\n"
                                       "Use \"kubectl wasm options\" for the options of all commands.\n");
}

static void program_page(void **state _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    help_program(&out, "wasmctl", table);
    assert_non_null(strstr(buf_str(&out), "\nBasic Commands:\n  play  Play something\n"));
    assert_non_null(strstr(buf_str(&out), "\nOther Commands:\n  stop-all  Stop\n"));
    assert_null(strstr(buf_str(&out), "hidden"));
    assert_null(strstr(buf_str(&out), "Local Environment"));
}

static void group_page(void **state _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    help_command(&out, "wasmctl", "wasmctl group", &group);
    assert_non_null(strstr(buf_str(&out), "\nCommands:\n  play      Play something\n  stop-all  Stop\n"));
    assert_non_null(strstr(buf_str(&out), "\n  wasmctl group COMMAND [options]\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_page),
        cmocka_unit_test(program_page),
        cmocka_unit_test(group_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
