/* Completion, manual and check over a table made for the purpose; the real one is checked by cli.tables. */
#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/check.h"
#include "cli/complete.h"
#include "cli/man.h"

struct options {
    bool all;
    int mode;
    const char *where, *output;
    char **tags;
};

#define O(member) offsetof(struct options, member)
static const char *const modes[] = {"fast", "slow", NULL};
static const struct cmd_opt opts[] = {
    {"all", 'a', OPT_FLAG, O(all), NULL, NULL, "Everything"},
    {"mode", 'm', OPT_ENUM, O(mode), NULL, "slow", "How", .choices = modes},
    {"where", 'w', OPT_STRING, O(where), "FILE", NULL, "A place. Another sentence"},
    {"output", 'o', OPT_STRING, O(output), "FORMAT", NULL, "The form of it: json, yaml or path="},
    {"tags", 't', OPT_CSV, O(tags), "red|green|blue", NULL, "Colours"},
    {"secret", 0, OPT_FLAG, O(all), NULL, NULL, "Not shown", .hidden = true},
    OPT_TABLE_END,
};

static int run_nothing(struct cmd_ctx *c _unused_, struct err **err _unused_)
{
    return 0;
}

static const struct cmd_entry up = {.name = "up",
                                    .brief = "Go up",
                                    .usage = "[FILE...] [options]",
                                    .examples = "%P move up",
                                    .opts = opts,
                                    .options_size = sizeof(struct options),
                                    .max_args = -1,
                                    .args = CMD_ARGS_FILES,
                                    .run = run_nothing};
static const struct cmd_entry down = {.name = "down",
                                      .brief = "Go down",
                                      .help = "Go down.\n\n.Not a request.\n  as it - is \\n",
                                      .usage = "",
                                      .examples = "# 100 %\n%P move down --all",
                                      .run = run_nothing};
static const struct cmd_entry *const subs[] = {&up, &down, NULL};
static const struct cmd_entry group = {
    .name = "move", .group = CMD_GROUP_BASIC, .brief = "Move things", .usage = "COMMAND", .subs = subs};
static const struct cmd_entry hidden = {
    .name = "__x", .group = CMD_GROUP_HIDDEN, .brief = "Hidden", .run = run_nothing};
static const struct cmd_entry help = {.name = "help",
                                      .group = CMD_GROUP_OTHER,
                                      .brief = "Help",
                                      .usage = "[COMMAND...]",
                                      .examples = "%P help",
                                      .max_args = -1,
                                      .args = CMD_ARGS_COMMAND,
                                      .run = run_nothing};
static const struct cmd_entry *const table[] = {&group, &hidden, &help, NULL};

/* words: separated by blanks; a blank at the end begins an empty one. */
static void expect_answer(const char *words, const char *answer)
{
    _cleanup_strv_ char **v = strv_split(words, ' ', true);
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct cmd_ctx c = {.program = "wasmctl"};

    complete_words(&c, (int)strv_len(v), v, false, &out);
    assert_string_equal(buf_str(&out), answer);
    strv_free(c.given);
    strv_free(c.globals.as_groups);
    assert_null(c.options);
}

static void completes(void **state _unused_)
{
    expect_answer("", "move\nhelp\n:4\n");
    expect_answer("m", "move\n:4\n");
    expect_answer("__", ":4\n");
    expect_answer("move ", "up\ndown\n:4\n");
    expect_answer("nope ", ":0\n");
    expect_answer("move up ", ":0\n");
    expect_answer("move down ", ":4\n");
    expect_answer("move up --m", "--mode\n:4\n");
    expect_answer("move up --se", "--server\n:4\n");
    expect_answer("move up -m ", "fast\nslow\n:4\n");
    expect_answer("move up -am f", "fast\n:4\n");
    expect_answer("move up --mode=s", "slow\n:4\n");
    expect_answer("move up -m=s", "slow\n:4\n");
    expect_answer("move up --mode slow -o ", "json\nyaml\npath=\n:6\n");
    expect_answer("move up -o j", "json\n:4\n");
    expect_answer("move up --where ", ":0\n");
    expect_answer("move up --tags red,g", "red,green\n:4\n");
    expect_answer("move up --all=", "true\nfalse\n:4\n");
    expect_answer("move up --nope=", ":4\n");
    expect_answer("move up -- --m", ":0\n");
    expect_answer("move up --tags x --tags y --as-group g --mo", "--mode\n:4\n");
    expect_answer("help m", "move\n:4\n");
    expect_answer("help move d", "down\n:4\n");
    expect_answer("help nope ", ":4\n");
}

static void writes_pages(void **state _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    man_command(&out, "wasmctl move down", "wasmctl-move", &down);
    assert_string_equal(buf_str(&out),
                        ".TH WASMCTL\\-MOVE\\-DOWN 1 \"\" \"wasmctl " WASMCTL_VERSION "\" \"wasmctl\"\n"
                        ".SH NAME\n"
                        "wasmctl\\-move\\-down \\- Go down\n"
                        ".SH SYNOPSIS\n"
                        ".B wasmctl move down\n"
                        ".SH DESCRIPTION\n"
                        "Go down.\n"
                        ".PP\n"
                        "\\&.Not a request.\n"
                        ".nf\n"
                        "  as it \\- is \\en\n"
                        ".fi\n"
                        ".SH EXAMPLES\n"
                        ".EX\n"
                        "# 100 %\n"
                        "wasmctl move down \\-\\-all\n"
                        ".EE\n"
                        ".SH SEE ALSO\n"
                        ".BR wasmctl\\-move (1),\n"
                        ".BR wasmctl (1)\n");
    buf_truncate(&out, 0);
    man_command(&out, "wasmctl move up", "wasmctl-move", &up);
    assert_non_null(strstr(buf_str(&out), ".TP\n\\fB\\-m, \\-\\-mode fast|slow\\fR\nHow\nDefault: slow.\n"));
    assert_non_null(strstr(buf_str(&out), "A place.\nAnother sentence\n"));
    assert_null(strstr(buf_str(&out), "secret"));
    buf_truncate(&out, 0);
    man_program(&out, table);
    assert_non_null(strstr(buf_str(&out), ".BR wasmctl\\-move (1)\nMove things\n"));
    assert_null(strstr(buf_str(&out), "__x"));
}

static void expect_complaint(const struct cmd_entry *e, const char *words)
{
    const struct cmd_entry *const one[] = {e, NULL};
    _cleanup_buf_ struct buf problems = BUF_INIT;

    assert_int_equal(check_table(one, &problems), 1);
    if (!strstr(buf_str(&problems), words))
        fail_msg("no \"%s\" in: %s", words, buf_str(&problems));
}

static void finds_mistakes(void **state _unused_)
{
    static const struct cmd_opt no_help[] = {{"x", 0, OPT_FLAG, O(all), NULL, NULL, ""}, OPT_TABLE_END};
    static const struct cmd_opt twice[] = {{"x", 'x', OPT_FLAG, O(all), NULL, NULL, "X"},
                                           {"y", 'x', OPT_FLAG, O(all), NULL, NULL, "Y"},
                                           OPT_TABLE_END};
    _cleanup_buf_ struct buf problems = BUF_INIT;
    struct cmd_entry e = down;

    assert_int_equal(check_table(table, &problems), 0);
    e.examples = NULL;
    expect_complaint(&e, "there are no examples");
    e = down;
    e.examples = "kubectl get";
    expect_complaint(&e, "no example runs the program");
    e = down;
    e.brief = "Ends with a period.";
    expect_complaint(&e, "is no headline");
    e = down;
    e.run = NULL;
    expect_complaint(&e, "it does nothing");
    e = down;
    e.max_args = 1;
    expect_complaint(&e, "takes arguments that its usage does not tell");
    e.usage = "KIND";
    expect_complaint(&e, "not told to completion");
    e = up;
    e.opts = no_help;
    expect_complaint(&e, "--x has no text");
    e.opts = twice;
    expect_complaint(&e, "the same name or letter");
    const struct cmd_entry *const both[] = {&up, &up, NULL};
    assert_int_equal(check_table(both, &problems), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completes),
        cmocka_unit_test(writes_pages),
        cmocka_unit_test(finds_mistakes),
    };

    /* Sets the table for cmd_table(). */
    char *words[] = {argc ? argv[0] : (char *)"wasmctl", (char *)"help", NULL};
    assert_int_equal(cmd_main(table, 2, words), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
