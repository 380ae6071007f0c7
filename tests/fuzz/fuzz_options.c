/* Any words as a command line: words are the parts between NUL characters. */
#include "base/str.h"
#include "cli/opt.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MOST = 64 };

struct options {
    bool flag;
    const char *text, *bare;
    char **list, **csv;
    int64_t number, duration, seconds;
    int choice;
};

static const char *const choices[] = {"background", "foreground", "orphan", NULL};

static const struct cmd_opt table[] = {
    {"all-namespaces", 'A', OPT_FLAG, offsetof(struct options, flag), NULL, NULL, ""},
    {"output", 'o', OPT_STRING, offsetof(struct options, text), NULL, "wide", ""},
    {"dry-run", 0, OPT_STRING, offsetof(struct options, bare), NULL, NULL, "", .bare = "unchanged"},
    {"filename", 'f', OPT_LIST, offsetof(struct options, list), NULL, NULL, ""},
    {"types", 'L', OPT_CSV, offsetof(struct options, csv), NULL, NULL, ""},
    {"replicas", 'r', OPT_INT, offsetof(struct options, number), NULL, "1", "", .min = 1, .max = 50},
    {"timeout", 't', OPT_DURATION, offsetof(struct options, duration), NULL, "30s", "", .negative = true},
    {"grace", 'g', OPT_DURATION, offsetof(struct options, seconds), NULL, NULL, "", .seconds = true},
    {"cascade", 0, OPT_ENUM, offsetof(struct options, choice), NULL, "background", "", .choices = choices,
     .bare = "background"},
    OPT_TABLE_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options o = {0};
    struct cmd_globals globals = {0};
    const struct opt_group groups[] = {{table, &o}, {cmd_global_opts, &globals}};
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_strv_ char **given = NULL;
    _cleanup_err_ struct err *err = NULL;
    char *argv[WORDS_MOST + 1] = {0}, *args[WORDS_MOST + 1] = {0};
    int argc = 0, nargs = 0;

    for (size_t at = 0; at < size && argc < WORDS_MOST; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    for (int i = 0; i < argc; i++)
        opt_takes_next(groups, 2, argv[i]);
    opt_defaults(groups, 2);
    int r = opt_parse(groups, 2, argc, argv, args, &nargs, &given, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0) {
        FUZZ_CHECK(nargs >= 0 && nargs <= argc && !args[nargs]);
        FUZZ_CHECK(o.number >= 1 && o.number <= 50);
        FUZZ_CHECK(o.choice >= 0 && o.choice < 3);
        FUZZ_CHECK(o.seconds >= 0 && globals.verbosity >= 0 && globals.verbosity <= 10);
    }
    opt_release(groups, 2);
    return 0;
}
