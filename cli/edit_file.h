/* The file of `edit`: written, opened in the person's editor, read back. What was typed is in it whatever
 * happens: it is removed only by edit_file_drop(), and a write that fails leaves the old content. */
#ifndef WASMCTL_CLI_EDIT_FILE_H
#define WASMCTL_CLI_EDIT_FILE_H

#include "base/buf.h"
#include "cli/cmd.h"

enum { EDIT_FILE_MOST = 64 * 1024 * 1024 };

struct edit_file;

/* suffix: ".yaml". A new file for nobody but the user, in $TMPDIR or /tmp. While it exists SIGINT, SIGTERM
 * and SIGHUP tell where it is before they end the program, once it was opened in the editor. */
int edit_file_new(struct cmd_ctx *c, const char *suffix, struct edit_file **ret, struct err **err);
/* Closes the matter; the file stays. NULL is fine. */
void edit_file_free(struct edit_file *f);
DEFINE_CLEANUP(struct edit_file *, edit_file_free)
const char *edit_file_path(const struct edit_file *f);
void edit_file_drop(struct edit_file *f);
/* "A copy of your changes has been stored to ..." */
void edit_file_tell(const struct edit_file *f);

int edit_file_write(struct edit_file *f, const struct buf *text, struct err **err);
/* $KUBE_EDITOR, else $EDITOR, else vi: with the file as the last word. Its content afterwards is
 * appended to text. *ret_saved (set also on failure): the editor has written it. */
int edit_file_open(struct edit_file *f, struct buf *text, bool *ret_saved, struct err **err);

#endif
