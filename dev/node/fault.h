/*
 * What is to go wrong with streams of logs, for tests: rules that name pods by a pattern.
 *
 * | what   | effect on a stream of a matching pod                                                    |
 * |--------|-----------------------------------------------------------------------------------------|
 * | cut    | after `lines` more lines and `ms`, the connection breaks, in the middle of a line if one |
 * |        | more is there                                                                           |
 * | eof    | after `lines` more lines and `ms`, the answer ends as if there were no more             |
 * | stall  | after `lines` more lines and `ms`, nothing comes any more until the rule is gone        |
 * | delay  | the answer begins `ms` later, and each line comes `ms` after it was written             |
 * | refuse | a new request finds its connection closed                                               |
 * | hang   | a new request is not answered until the rule is gone, then it is closed                 |
 * | status | a new request gets HTTP `status` (500)                                                  |
 *
 * Lines and time count from the start of the stream or, for one that runs already, from when the rule was
 * made. A rule goes after it has struck `times` times (0: never).
 */
#ifndef WASMCTL_DEV_NODE_FAULT_H
#define WASMCTL_DEV_NODE_FAULT_H

#include "base/mem.h"
#include "data/json.h"

enum dev_fault_what {
    DEV_FAULT_CUT,
    DEV_FAULT_EOF,
    DEV_FAULT_STALL,
    DEV_FAULT_DELAY,
    DEV_FAULT_REFUSE,
    DEV_FAULT_HANG,
    DEV_FAULT_STATUS,
    DEV_FAULT_KINDS
};

enum { DEV_FAULTS_MOST = 32 };

struct dev_fault {
    int64_t id;
    enum dev_fault_what what;
    char *pod; /* shell pattern */
    int64_t lines, ms, times, struck;
    int status;
};
struct dev_faults {
    VEC(struct dev_fault *) list;
    int64_t last_id;
};

/* "what=cut&pod=web-*&lines=5". ERR_INVALID says which word. */
int dev_fault_parse(const char *query, struct dev_fault **ret, struct err **err);
void dev_fault_free(struct dev_fault *f);
bool dev_fault_matches(const struct dev_fault *f, const char *pod);
/* NULL when there is none. */
struct dev_fault *dev_fault_find(const struct dev_faults *f, int64_t id);
cJSON *dev_faults_json(const struct dev_faults *f);
void dev_faults_release(struct dev_faults *f);

#endif
