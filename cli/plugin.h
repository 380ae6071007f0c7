/*
 * Commands of others: `wasmctl foo bar` runs the program wasmctl-foo-bar or else wasmctl-foo of PATH, the
 * longest name first, with the words that are left. A dash within a word is an underscore in the name of the
 * program
 * (`wasmctl foo-bar` runs wasmctl-foo_bar), as kubectl has it. Commands of wasmctl cannot be replaced.
 * Plugins of kubectl (kubectl-*) are not taken.
 */
#ifndef WASMCTL_CLI_PLUGIN_H
#define WASMCTL_CLI_PLUGIN_H

#include "base/err.h"

#define PLUGIN_PREFIX "wasmctl-"

/* The program for the words (NULL-ended; those from the first option on do not count) and how many of them
 * its name takes. NULL if there is none; caller frees. */
char *plugin_find(char *const *words, size_t *ret_taken);
/* Becomes the plugin that the words name, so that signals and the exit code are its own: does not return
 * then. 0 if there is none; an error when it is there and cannot be run. */
int plugin_exec(char *const *words, struct err **err);

#endif
