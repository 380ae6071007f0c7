/* The environment behind struct dev_env: its settings, its children and where their files are. For the files
 * of dev/ only. */
#ifndef WASMCTL_DEV_ENV_H
#define WASMCTL_DEV_ENV_H

#include "base/mem.h"
#include "dev/dev.h"
#include "dev/port.h"
#include "dev/proc.h"

enum dev_kind { DEV_ETCD, DEV_NATS, DEV_APISERVER, DEV_HOST, DEV_OPERATOR, DEV_NODE, DEV_KINDS };
enum { DEV_PORTS = 2, DEV_STATE_FILE_MAX = 1024 * 1024 };

struct dev_child {
    char *name;
    enum dev_kind kind;
    int ports[DEV_PORTS]; /* in the order of the kind's port names; 0 = none yet */
    int64_t index;        /* hosts: the N of host-N */
    char *id;             /* hosts: public key */
    char **labels;        /* hosts: "k=v" */
};
typedef VEC(struct dev_child *) dev_child_list;

struct dev_env {
    char *name, *dir, *kubeconfig, *context;
    struct loop *loop;
    struct dev_talk talk;
    int lock_fd;
    bool exists;
    bool with_operator, with_lattice, with_node, with_audit;
    bool api_pinned, nats_pinned;
    char *merged_into;       /* kubeconfig of the user that holds our context, NULL = none */
    dev_child_list children; /* in the order of enum dev_kind, hosts by index */
    struct dev_ports reserved;
};

/* Progress. */
void dev_say(const struct dev_env *e, const char *fmt, ...) _printf_(2, 3);

/* The state file (state.c): settings and children, nothing about processes. */
int dev_state_load(struct dev_env *e, struct err **err);
int dev_state_save(const struct dev_env *e, struct err **err);
cJSON *dev_state_json(const struct dev_env *e);
int dev_state_from_json(struct dev_env *e, const cJSON *o, struct err **err);
/* Children and settings of a new environment. */
void dev_state_reset(struct dev_env *e);

/* Owned by e. Inserts in order. */
struct dev_child *dev_child_add(struct dev_env *e, enum dev_kind kind, int64_t index);
void dev_child_drop(struct dev_env *e, struct dev_child *c);
struct dev_child *dev_child_find(const struct dev_env *e, const char *name);
/* The only child of a kind that is no host; NULL when there is none. */
struct dev_child *dev_child_of(const struct dev_env *e, enum dev_kind kind);
size_t dev_count_hosts(const struct dev_env *e);

/* "KEY=VALUE" that can be a host's label. */
int dev_label_check(const char *text, struct err **err);

/* Paths below the folder of the environment; caller frees. */
char *dev_path(const struct dev_env *e, const char *fmt, ...) _printf_(2, 3);
char *dev_pid_path(const struct dev_env *e, const char *child);
char *dev_log_path(const struct dev_env *e, const char *child);
/* Where the keeper of a child writes (node/keep.h); the log path is then a link to the file written now. */
char *dev_keep_folder(const struct dev_env *e, const char *child);

/* The process of a child by its pid file. ERR_NOT_FOUND: not started, or stopped. */
int dev_child_proc(const struct dev_env *e, const struct dev_child *c, struct dev_proc *ret,
                   struct err **err);
/* Whether it runs (or is frozen); ret may be NULL. */
bool dev_child_runs(const struct dev_env *e, const struct dev_child *c, struct dev_proc *ret);

/* Names in pid files, also of children the state file does not know; NULL-ended, caller frees. */
int dev_pid_files(const struct dev_env *e, char ***ret, struct err **err);

#endif
