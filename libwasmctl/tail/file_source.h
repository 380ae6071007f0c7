/*
 * A file as a source of the tail engine, followed by its name as `tail -F` does: what is added is read, a
 * file that takes the name's place (rotation) is read on from its first line, after the last of the old one;
 * one that became shorter (truncation) is read anew, which a line flagged TAIL_NOTICE says; one that is not
 * there yet, or not any more, is waited for. Changes are told by the system; where it tells none (its watches
 * are used up, the folder is not there) the file is looked at once a second. Copying and truncating by
 * whoever rotates may lose lines, whatever the reader does.
 *
 * What is no regular file (pipe, terminal, socket) is read to its end as it comes.
 *
 * Lines that begin with a time (RFC 3339 and a blank) have it; a line without one belongs to the line in
 * front of it; when none has had one, lines have the time of their arrival. Lines as container runtimes write
 * them (CRI: "TIME stdout|stderr F|P text") are given without what stands in front, parts joined.
 */
#ifndef WASMCTL_TAIL_FILE_SOURCE_H
#define WASMCTL_TAIL_FILE_SOURCE_H

#include "tail/engine.h"

struct tail_file;

struct tail_file_options {
    struct tail_engine *engine;
    struct loop *loop;
    const char *path;   /* copied; "-" = standard input */
    bool follow;        /* else read to the end; a file that is not there is an error */
    int64_t since_ns;   /* of lines that have a time; 0 = all */
    int64_t tail_lines; /* of those that are there at the start; < 0 = all */
    void (*note)(void *arg, bool chatter, const char *text); /* see tail/pods.h */
    /* Read to the end (without follow, or what cannot be followed), or failed: err. */
    void (*done)(void *arg, const struct err *err);
    void *arg;
};

/* Nothing is called before the next turn of the loop. ERR_IO, ERR_NOT_FOUND (without follow). */
int tail_file_new(const struct tail_file_options *options, struct tail_file **ret, struct err **err);
void tail_file_free(struct tail_file *f);
DEFINE_CLEANUP(struct tail_file *, tail_file_free)

#endif
