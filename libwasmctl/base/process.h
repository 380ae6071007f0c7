/*
 * A program that runs beside us: started without waiting, its output collected, its end told. Standard input
 * is empty, unless it is given the terminal.
 */
#ifndef WASMCTL_BASE_PROCESS_H
#define WASMCTL_BASE_PROCESS_H

#include "base/buf.h"
#include "base/loop.h"

struct process;

enum { PROCESS_OUTPUT_MOST = 16 << 20 };

struct process_result {
    int code;           /* exit code, 128 + the signal that ended it */
    const char *output; /* of stdout; ended by NUL; borrowed for the call */
    size_t output_len;
    const char *errors; /* of stderr, the last PROCESS_ERRORS_MOST bytes */
    bool cut;           /* there was more output than output_most: the program was ended */
    bool late;          /* it did not end within limit_ms: it was ended */
};
enum { PROCESS_ERRORS_MOST = 64 * 1024 };

struct process_options {
    struct loop *loop;
    char *const *argv; /* NULL-ended; argv[0] is looked for in PATH */
    bool
        terminal; /* it has our standard input and outputs, and talks with the person: nothing is collected */
    size_t output_most; /* bytes of stdout; 0 = PROCESS_OUTPUT_MOST */
    int64_t limit_ms;   /* 0 = none */
    /* Once, in a later turn; the handle may be freed in it. */
    void (*done)(void *arg, const struct process_result *result);
    void *arg;
};

/* ERR_NOT_FOUND: there is no such program. */
int process_start(const struct process_options *options, struct process **ret, struct err **err);
/* Ends the program if it runs; done is not called any more. NULL is fine. */
void process_free(struct process *p);
DEFINE_CLEANUP(struct process *, process_free)

#endif
