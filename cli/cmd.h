/*
 * The commands of wasmctl: one file a command (cmd_<verb>.c), one const entry each. Parsing, usage errors,
 * help and the dispatch come out of the entries and their option tables; a command adds no parsing of its
 * own.
 *
 * A command's options live in one struct of its own, zero-initialised before the run; each row of its table
 * names the member by offset. Rows with a default get it before the command line is read. The words parsed
 * here follow kubectl (pflag): `-nfoo`,
 * `-n foo`, `-n=foo`, `--x=y`, `--x y`, combined short flags, `--` ends the options, options may follow
 * arguments, a flag takes its value only as `--x=false`.
 *
 *   struct up_options { int64_t hosts; char **labels; bool merge; int64_t timeout_ns; };
 *   static const struct cmd_opt up_opts[] = {
 *       {"hosts", 0, OPT_INT, offsetof(struct up_options, hosts), "N", "1", "How many hosts to run", .min =
 * 1, .max = 50},
 *       {"host-label", 0, OPT_LIST, offsetof(struct up_options, labels), "KEY=VALUE", NULL, "Label of every
 * host; repeatable"},
 *       {"merge", 0, OPT_FLAG, offsetof(struct up_options, merge), NULL, NULL, "Also write the context into
 * ~/.kube/config"}, OPT_TABLE_END,
 *   };
 *   static int run_up(struct cmd_ctx *c, struct err **err) { const struct up_options *o = c->options; ...
 * return 0; } static const struct cmd_entry cmd_dev_up = { .name = "up", .brief = "...", .opts = up_opts,
 *       .options_size = sizeof(struct up_options), .max_args = 0, .run = run_up };
 *   static const struct cmd_entry *const dev_subs[] = { &cmd_dev_up, ..., NULL };
 *   const struct cmd_entry cmd_dev = { .name = "dev", .brief = "...", .group = CMD_GROUP_DEV, .subs =
 * dev_subs };
 */
#ifndef WASMCTL_CLI_CMD_H
#define WASMCTL_CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "kube/client.h"

/* Options */

enum cmd_opt_type {
    OPT_END,
    OPT_FLAG,     /* bool */
    OPT_STRING,   /* const char *: borrowed from argv */
    OPT_LIST,     /* char **: owned strv; repeatable, each value kept whole */
    OPT_CSV,      /* char **: owned strv; repeatable, values split at commas */
    OPT_INT,      /* int64_t within [min, max]; both 0 = any */
    OPT_DURATION, /* int64_t nanoseconds: "30s", "0" */
    OPT_ENUM,     /* int: index into choices */
};

struct cmd_opt {
    const char *name; /* long name without dashes */
    char letter;      /* 0 = none */
    enum cmd_opt_type type;
    size_t offset;     /* of the member in the options struct */
    const char *value; /* name of the value in help; NULL = by type */
    const char *def;   /* default as text, NULL = zero */
    const char *help;
    const char *const *choices; /* OPT_ENUM: NULL-ended */
    const char *bare; /* the value when the option is given without one (then only `--x=y` sets another) */
    int64_t min, max;
    bool negative; /* OPT_DURATION: negative values are allowed */
    bool seconds;  /* OPT_DURATION: a bare number counts as seconds */
    bool hidden;   /* not in help */
};
#define OPT_TABLE_END                                                                                        \
    {                                                                                                        \
        NULL, 0, OPT_END, 0, NULL, NULL, NULL                                                                \
    }

/* Commands */

enum cmd_group {
    CMD_GROUP_BASIC,
    CMD_GROUP_WATCH,
    CMD_GROUP_CLUSTER,
    CMD_GROUP_DEV,
    CMD_GROUP_OTHER,
    CMD_GROUP_HIDDEN
};
#define CMD_GROUPS 5 /* those shown in help */

enum {
    CMD_NEEDS_CLUSTER = 1, /* c->client is ready before run; without it cmd_client() makes one on demand */
    CMD_RAW_ARGS = 2,      /* the words after the name are the arguments, whatever they look like */
    CMD_FLEET = 4,         /* can run over several contexts: see cli/fleet.h */
    CMD_CONTEXTS = 8,      /* works on several contexts by itself, in one body */
};

/* What the arguments of a command are, for completion. What its options take is told by their types and by
 * the names of their values (cli/complete.h). */
enum cmd_args {
    CMD_ARGS_TEXT,    /* nothing that could be known */
    CMD_ARGS_OBJECTS, /* KIND NAME... or KIND/NAME... */
    CMD_ARGS_KIND,    /* KIND */
    CMD_ARGS_LOGS,    /* names of Pods, or KIND/NAME of what has some */
    CMD_ARGS_HOSTS,   /* names of LatticeHosts */
    CMD_ARGS_CONTEXT, /* entries of the kubeconfig: one CONTEXT, CLUSTER or USER */
    CMD_ARGS_CLUSTER,
    CMD_ARGS_USER,
    CMD_ARGS_COMMAND, /* words of a command */
    CMD_ARGS_FILES,
};

struct cmd_ctx;

struct cmd_entry {
    const char *name;
    const char *const *aliases; /* NULL-ended, may be NULL */
    enum cmd_group group;
    const char *brief;          /* one line, no period */
    const char *help;           /* paragraphs; NULL = brief */
    const char *usage;          /* after the name: "(KIND | KIND/NAME ...) [options]"; NULL = "[options]" */
    const char *examples;       /* lines; %P stands for the program ("wasmctl", "kubectl wasm") */
    const struct cmd_opt *opts; /* ended by OPT_TABLE_END, may be NULL */
    size_t options_size;
    int min_args, max_args; /* positional arguments; max < 0 = any number */
    enum cmd_args args;
    unsigned flags;
    int failure; /* exit code of a failure; 0 = 1. Other where 1 means something else (diff) */
    const struct cmd_entry *const *subs; /* a group: NULL-ended; run is then unused */
    /* Exit code (0..255), or a negative code with *err set: main prints it as kubectl does and exits 1. */
    int (*run)(struct cmd_ctx *c, struct err **err);
};

/* Options every command takes. */
struct cmd_globals {
    const char *kubeconfig, *context, *cluster, *user, *namespace;
    const char *server, *token, *certificate_authority, *client_certificate, *client_key, *tls_server_name;
    const char *as, *as_uid, *cache_dir;
    char **as_groups, **as_extra;
    bool insecure, disable_compression, warnings_as_errors;
    int64_t request_timeout_ns; /* 0 = none given */
    int64_t verbosity;
    const char *contexts;
    bool all_contexts, allow_partial, fail_fast;
    int colour; /* enum print_colour */
    bool help;
};
extern const struct cmd_opt cmd_global_opts[]; /* offsets into struct cmd_globals */

struct cmd_ctx {
    const struct cmd_entry *entry;
    const char *program; /* "wasmctl" or "kubectl wasm" */
    char *path;          /* "wasmctl dev up" */
    struct cmd_globals globals;
    void *options;                 /* the command's own struct */
    int argc;                      /* positional arguments */
    char **argv;                   /* NULL-ended, borrowed */
    struct loop *loop;             /* made on demand: cmd_loop() */
    struct kubeconfig *kubeconfig; /* made on demand by cmd_config() */
    struct kube_config *config;    /* made on demand: cmd_config() */
    struct kube_client *client;    /* made on demand: cmd_client() */
    char **given;                  /* names of the options on the command line */
    bool failed;                   /* something was reported by cmd_report(): the exit code is 1 at least */
    size_t warnings;               /* how many the server has given */
    bool usage;                    /* the error is about the command line: the hint at --help follows it */
    struct fleet_member *member;   /* one of several contexts (cli/fleet.h), NULL when it is the only one */
};

struct loop *cmd_loop(struct cmd_ctx *c);
/* Settings of the chosen context. Owned by c. */
int cmd_config(struct cmd_ctx *c, const struct kube_config **ret, struct err **err);
/* The client of the chosen context; the same one for the whole run. Owned by c. */
int cmd_client(struct cmd_ctx *c, struct kube_client **ret, struct err **err);
/* Where what servers say about themselves is kept; NULL when nothing is to be kept. Caller frees. */
char *cmd_cache_dir(const struct cmd_ctx *c);
/* -n, else the context's namespace. Needs cmd_config() or cmd_client() done. */
const char *cmd_namespace(const struct cmd_ctx *c);
/* Whether the option was on the command line. */
bool cmd_given(const struct cmd_ctx *c, const char *name);

/* A wrong command line: the message is followed by "See '<command> --help' for usage." Returns ERR_INVALID.
 */
int cmd_usage(struct cmd_ctx *c, struct err **err, const char *fmt, ...) _printf_(3, 4);
/* Reports an error and goes on (several objects): prints it as kubectl does, takes *e, sets c->failed. */
void cmd_report(struct cmd_ctx *c, struct err **e);

/* Reports the error of one object among several. False when nothing else will work either. */
bool cmd_report_one(struct cmd_ctx *c, struct err **e);

/* Nothing else will work either: no connection, or not logged in. Commands over several objects stop then. */
bool cmd_hopeless(const struct err *e);

/* Says for whom is printed from now on, and returns for whom it was before: for callbacks of the loop, which
 * run outside the body of any command. */
struct cmd_ctx *cmd_enter(struct cmd_ctx *c);
/* For whom that is now; NULL outside a run over several contexts. */
struct cmd_ctx *cmd_current(void);

/* stdout is data, stderr is talk. A closed stdout ends the program quietly (exit 141 as by SIGPIPE).
 * Buffered: cmd_flush() before waiting. In a run over several contexts lines get the name of theirs. */
void cmd_out(const char *fmt, ...) _printf_(1, 2);
void cmd_out_buf(const struct buf *b);
void cmd_flush(void);
/* Ends the program as the functions above do when a write has failed (errno). */
void cmd_stdout_failed(void) __attribute__((noreturn));
/* Whether stdout is a terminal, and whether tables may have colour there (--color, NO_COLOR). */
bool cmd_terminal(void);
bool cmd_colour(const struct cmd_ctx *c);
/* One line of talk on stderr, newline added; control characters made visible. stdout is flushed before it. */
void cmd_note(const char *fmt, ...) _printf_(1, 2);

/* The whole program: parses, dispatches, prints the error; returns the exit code. table: NULL-ended. */
int cmd_main(const struct cmd_entry *const *table, int argc, char **argv);
/* The table cmd_main() was given. */
const struct cmd_entry *const *cmd_table(void);
/* The entry of a name or an alias, NULL if there is none. table may be NULL. */
const struct cmd_entry *cmd_find(const struct cmd_entry *const *table, const char *name);

#endif
