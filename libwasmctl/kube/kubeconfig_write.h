/*
 * Changing kubeconfig files, where kubectl would change them: an entry is changed in the file that defines it
 * (the first of $KUBECONFIG counts), a new one goes into the first file that exists, or else the last of the
 * list; --kubeconfig names the only file. Everything else in a file stays, also members nobody knows, but
 * comments and the order of members are lost.
 *
 * While files are open for a change each is locked as kubectl locks it (<file>.lock); opening waits up to
 * three seconds for somebody else's lock. A file that cannot be read or is no kubeconfig makes opening fail,
 * so it is never written. A file is replaced as a whole: it keeps its mode, a symbolic link stays one, a full
 * disk leaves the old content.
 */
#ifndef WASMCTL_KUBE_KUBECONFIG_WRITE_H
#define WASMCTL_KUBE_KUBECONFIG_WRITE_H

#include "data/json.h"

enum kubeconfig_list { KUBECONFIG_CLUSTERS, KUBECONFIG_CONTEXTS, KUBECONFIG_USERS };

struct kubeconfig_files;

/* path: --kubeconfig, or NULL. A file that does not exist is empty. With write false nothing is locked and
 * kubeconfig_files_commit() must not be called. */
int kubeconfig_files_open(const char *path, bool write, struct kubeconfig_files **ret, struct err **err);
/* What was not committed is forgotten; the locks are given back. */
void kubeconfig_files_free(struct kubeconfig_files *k);
DEFINE_CLEANUP(struct kubeconfig_files *, kubeconfig_files_free)

/* The file new entries go into; the name kubectl shows in messages. */
const char *kubeconfig_files_default(const struct kubeconfig_files *k);
/* Absolute folder of the file that holds the entry, or would hold a new one: relative paths in it are
 * relative to this. Caller frees. */
char *kubeconfig_files_folder(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name);

/* Names of the entries that count, sorted; NULL-ended; caller frees. */
char **kubeconfig_files_names(const struct kubeconfig_files *k, enum kubeconfig_list list);
/* The content of an entry ({"server": ...}), NULL if there is none. Borrowed until the next change. */
const cJSON *kubeconfig_files_get(const struct kubeconfig_files *k, enum kubeconfig_list list,
                                  const char *name);
/* Takes content. */
void kubeconfig_files_put(struct kubeconfig_files *k, enum kubeconfig_list list, const char *name,
                          cJSON *content);
/* From the file where it counts. Returns whether it was there. */
bool kubeconfig_files_remove(struct kubeconfig_files *k, enum kubeconfig_list list, const char *name);

/* "" when none is set. */
const char *kubeconfig_files_current(const struct kubeconfig_files *k);
/* "" takes it out of the file that sets it. */
void kubeconfig_files_set_current(struct kubeconfig_files *k, const char *name);

/* How a path given by the user (relative to the working folder) is written into the entry: relative when the
 * file is in the folder of the kubeconfig or below, else absolute. "" stays. Caller frees. */
int kubeconfig_files_path(const struct kubeconfig_files *k, enum kubeconfig_list list, const char *name,
                          const char *path, char **ret, struct err **err);

/* The whole configuration as kubectl shows it: {"apiVersion", "clusters", ...}, entries sorted by name, null
 * for empty lists. Caller owns it. */
cJSON *kubeconfig_files_merged(const struct kubeconfig_files *k);

/* Writes the files that have changed. */
int kubeconfig_files_commit(struct kubeconfig_files *k, struct err **err);

#endif
