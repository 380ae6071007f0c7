/* What the rollout commands share: their objects and the history of them. */
#ifndef WASMCTL_CLI_ROLLOUT_H
#define WASMCTL_CLI_ROLLOUT_H

#include "cli/target.h"

/* Arguments and options that name the objects. */
struct rollout_select {
    char **files;
    const char *selector;
    bool recursive;
};
#define ROLLOUT_SELECT_OPTS(type, member)                                                                    \
    {"filename",                                                                                             \
     'f',                                                                                                    \
     OPT_LIST,                                                                                               \
     offsetof(type, member.files),                                                                           \
     "FILE",                                                                                                 \
     NULL,                                                                                                   \
     "The objects of a file, a folder or standard input (-)"},                                               \
        {"recursive",                                                                                        \
         'R',                                                                                                \
         OPT_FLAG,                                                                                           \
         offsetof(type, member.recursive),                                                                   \
         NULL,                                                                                               \
         NULL,                                                                                               \
         "With -f: also the folders below"},                                                                 \
    {                                                                                                        \
        "selector", 'l', OPT_STRING, offsetof(type, member.selector), "SELECTOR", NULL,                      \
            "Every object whose labels match"                                                                \
    }

/* The objects; kinds other than WasmActor and WasmProvider are refused. ERR_NOT_FOUND when a selector matches
 * none. verb: "history". */
int rollout_targets(struct cmd_ctx *c, const char *verb, const struct rollout_select *select,
                    struct cli_targets *ret, struct err **err);
/* Does one thing to each of them; an error of one does not end the others. */
typedef int (*rollout_fn)(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object, void *arg,
                          struct err **err);
int rollout_each(struct cmd_ctx *c, const char *verb, const struct rollout_select *select, rollout_fn fn,
                 void *arg, struct err **err);

extern const struct cmd_entry cmd_rollout_status;

/* A merge patch; dry_run as in cli/result.h. */
int rollout_patch(struct cmd_ctx *c, const struct cli_target *t, const cJSON *patch, int dry_run, cJSON **ret,
                  struct err **err);

struct rollout_revision {
    int64_t number;
    const cJSON *object; /* the ControllerRevision */
};
struct rollout_history {
    cJSON *list;
    struct rollout_revision *items; /* by number */
    size_t len;
};
void rollout_history_release(struct rollout_history *h);
#define _cleanup_history_ _cleanup_(rollout_history_release)
int rollout_history_read(struct cmd_ctx *c, const struct cli_target *t, const cJSON *object,
                         struct rollout_history *ret, struct err **err);

/* Merge patch that makes the revision's members of spec what they were: those it lacks are set to null. NULL
 * when spec has them already; caller frees. */
cJSON *rollout_undo_patch(const cJSON *object, const cJSON *revision);

#endif
