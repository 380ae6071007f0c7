/* The dashboard as the command line starts it. */
#ifndef WASMCTL_TUI_TUI_H
#define WASMCTL_TUI_TUI_H

#include "base/loop.h"
#include "kube/kubeconfig.h"

struct tui_cluster {
    const char *name; /* of the context */
    const struct kube_config *config;
};

struct tui_options {
    const struct tui_cluster *clusters;
    size_t nclusters;
    const char *layout;               /* NULL = by the number of clusters */
    const char *theme;                /* NULL = as configured */
    const char *config;               /* file; NULL = the usual one, if it is there (tui/config.h) */
    const char *namespace;            /* NULL = all */
    const char *record, *replay;      /* files; NULL = none */
    const char *program, *kubeconfig; /* for commands: tui/app.h */
    const char *cache_dir;
    bool read_only, ascii, mouse, no_colour;
};

/* Runs until the user ends it. The terminal is as before when it returns. */
int tui_run(struct loop *loop, const struct tui_options *options, struct err **err);

#endif
