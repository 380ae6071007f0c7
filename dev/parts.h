/*
 * The programs of the local environment in the cache: <cache>/<part>-<version>/bin/<program>. Which parts
 * there are, and in which version, says the table dev/parts/versions, which is built into this library.
 *
 * A line of the table: part, version, one or more programs, separated by blanks. "#" starts a comment line.
 */
#ifndef WASMCTL_DEV_PARTS_H
#define WASMCTL_DEV_PARTS_H

#include <stddef.h>
#include "base/err.h"

struct dev_part {
    char *name, *version;
    char **programs; /* NULL-ended */
};
struct dev_parts {
    struct dev_part *items;
    size_t len;
};

/* Reads a table. ERR_INVALID names the line. */
int dev_parts_parse(const char *text, struct dev_parts *ret, struct err **err);
void dev_parts_release(struct dev_parts *p);
/* NULL when the table has no such part. */
const struct dev_part *dev_parts_find(const struct dev_parts *p, const char *name);

/* Path of a program of the built-in table; caller frees. ERR_NOT_FOUND says which part is missing and how to
 * get it. */
int dev_part_program(const char *part, const char *program, char **ret_path, struct err **err);
/* A program that is installed beside the running one, else in PATH; caller frees. ERR_NOT_FOUND. */
int dev_program_beside(const char *program, char **ret_path, struct err **err);

#endif
