/* Reads a command line by option tables (cli/cmd.h). */
#ifndef WASMCTL_CLI_OPT_H
#define WASMCTL_CLI_OPT_H

#include "cli/cmd.h"

/* A table and the struct its offsets lead into. */
struct opt_group {
    const struct cmd_opt *opts; /* NULL: empty */
    void *base;
};

enum { OPT_MAX_GROUPS = 2 };

/* Writes the defaults. A default that does not parse is a mistake in the table: aborts. */
void opt_defaults(const struct opt_group *groups, size_t ngroups);

/* Reads argv[0..argc). Positional arguments go to args (room for argc + 1, NULL-ended, borrowed); names of
 * given options are appended to *given. Messages are pflag's ("unknown flag: --x"). */
int opt_parse(const struct opt_group *groups, size_t ngroups, int argc, char **argv, char **args,
              int *ret_nargs, char ***given, struct err **err);

/* One value of one option of the group, as if it were on the command line; a string is borrowed. */
int opt_set(const struct opt_group *group, const struct cmd_opt *o, const char *value, struct err **err);

/* Frees what the lists hold. */
void opt_release(const struct opt_group *groups, size_t ngroups);

/* Whether the word (an option as typed) takes the next word as its value, by these groups; unknown ones do
 * not. */
bool opt_takes_next(const struct opt_group *groups, size_t ngroups, const char *word);

/* The option of a word as typed ("--x", "-x", of combined letters the one that ends it), NULL if there is
 * none. */
const struct cmd_opt *opt_find(const struct opt_group *groups, size_t ngroups, const char *word);

#endif
