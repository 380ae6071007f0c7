/*
 * Which contexts of a kubeconfig a command works on: `--contexts a,b,/regex/,^x`.
 *
 *   name       the context of this name
 *   /regex/    every context whose name the PCRE2 expression finds something in
 *   ^name, ^/regex/   not these, wherever they stand in the list
 *
 * Terms are separated by commas; a comma or a slash inside /.../ needs no care except that "\/" stands for a
 * slash in front of a comma or of the end. A list of exclusions alone starts from all contexts.
 */
#ifndef WASMCTL_CLI_CONTEXTS_H
#define WASMCTL_CLI_CONTEXTS_H

#include "base/err.h"

/* names: all contexts of the kubeconfig, in its order; text may be NULL for all of them. *ret: names in the
 * order of the terms, those of one expression in the order of the kubeconfig, each once; never empty; the
 * caller frees it. ERR_INVALID: an empty term, an expression that cannot be compiled; ERR_NOT_FOUND: a name
 * or an expression that is none of the contexts, nothing left over. */
int contexts_select(const char *text, char *const *names, char ***ret, struct err **err);

#endif
