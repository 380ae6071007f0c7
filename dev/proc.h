/*
 * Processes that outlive the program that started them, known by pid file. A process is identified by its
 * pid, its start time and the boot in which it was started, so that a pid given to another program later is
 * never taken for ours.
 */
#ifndef WASMCTL_DEV_PROC_H
#define WASMCTL_DEV_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

enum { DEV_BOOT_ID_LEN = 40 };

struct dev_proc {
    pid_t pid;
    uint64_t start; /* clock ticks after boot */
    char boot[DEV_BOOT_ID_LEN];
    pid_t keeper;          /* the process of ours that starts and keeps it; 0 = none, or not known */
    uint64_t command_hash; /* of what it was started with: dev_command_hash() */
};

enum dev_proc_state {
    DEV_PROC_GONE,  /* ended (also: a zombie nobody waited for), or the pid belongs to another program by now
                     */
    DEV_PROC_STALE, /* started before the machine booted */
    DEV_PROC_ALIVE,
    DEV_PROC_FROZEN, /* stopped by a signal */
};

/* What /proc/<pid>/stat says. */
struct dev_stat {
    pid_t pid, session;
    char state;
    uint64_t start;
};
/* text: the content of the file; the name in it may hold blanks and parentheses. */
bool dev_stat_parse(const char *text, struct dev_stat *ret);
bool dev_stat_read(pid_t pid, struct dev_stat *ret);

/* The id of the running boot; "" when the system does not tell. */
void dev_boot_id(char out[DEV_BOOT_ID_LEN]);

enum dev_proc_state dev_proc_state(const struct dev_proc *p);
/* Seconds since it was started, resident memory in bytes; 0 when it is gone. */
int64_t dev_proc_uptime_s(const struct dev_proc *p);
int64_t dev_proc_rss(const struct dev_proc *p);

/* Pid files. ERR_NOT_FOUND: there is none. ERR_INVALID: it is damaged (names the file). */
int dev_proc_load(const char *path, struct dev_proc *ret, struct err **err);
int dev_proc_save(const char *path, const struct dev_proc *p, struct err **err);

struct dev_command {
    char **argv;  /* argv[0] is the path of the program */
    char **env;   /* KEY=VALUE: added to the environment, or in place of what is there */
    char *folder; /* working directory */
    char *log;    /* stdout and stderr are appended to it */
    /* A program, with its first arguments, that starts argv in its place, taking care of what it says
     * (node/keep.h); log is then not written. NULL = none */
    char **keeper;
    char *config_path, *config_text; /* a file the program reads, written before each start; NULL = none */
};
void dev_command_release(struct dev_command *c);
uint64_t dev_command_hash(const struct dev_command *c);

/* Starts it in a session of its own, without any descriptor of ours. The pid file is on disk before the
 * program runs. What fails (no such program, log not writable, ...) is an error here; nothing is left behind
 * then. */
int dev_proc_spawn(const struct dev_command *c, const char *pid_file, struct dev_proc *ret, struct err **err);

/* A descriptor that becomes readable when the process ends, for poll and for signals; the caller closes it.
 * ERR_NOT_FOUND: it is gone. */
int dev_proc_open(const struct dev_proc *p, int *ret_fd, struct err **err);
/* ERR_NOT_FOUND: it is gone. */
int dev_proc_signal(const struct dev_proc *p, int signum, struct err **err);

/* "ended with status 1", "was killed by signal 9 (Killed)"; status of waitpid(). Caller frees. */
char *dev_wait_text(int status);

/* Runs a program to its end and gives what it wrote to stdout (at most 64 KiB). ERR_TIMEOUT after timeout_ms:
 * it is killed. */
int dev_proc_capture(char *const *argv, int64_t timeout_ms, char **ret_output, struct err **err);

#endif
