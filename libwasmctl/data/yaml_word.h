/* What a plain (unquoted) YAML word means. The rules are YAML 1.1's as the YAML library of the Kubernetes
 * tools reads them, so that the same file means the same everywhere. Reader and printer share them: what
 * would be read as something else is printed in quotes. */
#ifndef WASMCTL_DATA_YAML_WORD_H
#define WASMCTL_DATA_YAML_WORD_H

#include <stdbool.h>
#include <stdint.h>

enum yaml_word_kind {
    YAML_WORD_TEXT,
    YAML_WORD_NULL,
    YAML_WORD_BOOL,
    YAML_WORD_INT,
    YAML_WORD_FLOAT,
    YAML_WORD_TIME,  /* kept as text */
    YAML_WORD_MERGE, /* "<<" */
};

struct yaml_word {
    enum yaml_word_kind kind;
    bool truth;         /* BOOL */
    bool negative;      /* INT */
    uint64_t magnitude; /* INT: without sign, exact */
    double number;      /* INT, FLOAT; FLOAT may be infinite or no number (.inf, .nan) */
};

void yaml_word_read(const char *s, struct yaml_word *ret);
/* "12:30:45": a number to base 60 for other readers of YAML 1.1; printed in quotes for their sake. */
bool yaml_word_is_base60(const char *s);

#endif
