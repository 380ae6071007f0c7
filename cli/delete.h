/* Deleting objects and waiting until they are gone: what delete, replace --force and apply --prune share. */
#ifndef WASMCTL_CLI_DELETE_H
#define WASMCTL_CLI_DELETE_H

#include "base/mem.h"
#include "cli/result.h"
#include "cli/target.h"

enum { DELETE_BACKGROUND, DELETE_FOREGROUND, DELETE_ORPHAN };
extern const char *const delete_cascade_choices[];

/* The rows of a command's table that are about deleting; DELETE_OPT_CASCADE is an OPT_ENUM (int). */
/* clang-format off */
#define DELETE_OPT_CASCADE(offset)                                                                           \
    {"cascade", 0, OPT_ENUM, offset, NULL, "background",                                                     \
     "What happens to objects owned by the deleted one: deleted after it, before it, or kept",               \
     .choices = delete_cascade_choices, .bare = "background"}
#define DELETE_OPT_GRACE(offset)                                                                             \
    {"grace-period", 0, OPT_INT, offset, "SECONDS", "-1",                                                    \
     "Time the object gets to end orderly; negative = what it asks for", .min = INT32_MIN, .max = INT32_MAX}
/* clang-format on */

struct delete_how {
    int64_t grace; /* seconds, < 0: the object's own */
    int cascade;
    enum cli_dry_run dry_run;
    bool wait;             /* note those that are not gone at once for delete_wait() */
    bool ignore_not_found; /* an absent object is no error */
    int64_t timeout_ns;    /* of delete_wait(); 0 = for ever */
    /* Told after each deletion; namespace is NULL for cluster-scoped kinds. May be NULL. */
    void (*deleted)(void *arg, const struct kube_resource *r, const char *namespace, const char *name);
    void *arg;
};

/* One deleted object to wait for. */
struct delete_gone {
    const struct kube_resource *resource;
    char *namespace, *name, *uid;
};

struct deleting {
    struct cmd_ctx *c;
    struct delete_how how;
    VEC(struct delete_gone) gone;
};
void deleting_release(struct deleting *d);
#define _cleanup_deleting_ _cleanup_(deleting_release)

/* uid: only if the object is this one; NULL = whichever has the name. With DRY_CLIENT nothing is sent. */
int delete_one(struct deleting *d, const struct kube_resource *r, const char *namespace, const char *name,
               const char *uid, struct err **err);
/* Waits for all that were deleted. One that does not go in time is reported. */
void delete_wait(struct deleting *d);

/* The grace period that --now, --force and --grace-period make together. */
int64_t delete_grace(bool now, bool force, int64_t grace_period);
/* Told when an immediate deletion was asked for. */
void delete_warn_of_force(int64_t grace);

#endif
