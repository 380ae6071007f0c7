/*
 * `tail`'s configuration file: options by their long names, as on the command line, which goes before it.
 *
 *   tail: 20
 *   timestamps: short
 *   exclude: [healthz, readyz]
 *
 * --config, else $WASMCTL_TAIL_CONFIG, else tail.yaml in $XDG_CONFIG_HOME/wasmctl or ~/.config/wasmctl, where
 * it may be missing.
 */
#ifndef WASMCTL_CLI_TAIL_CONFIG_H
#define WASMCTL_CLI_TAIL_CONFIG_H

#include "cli/cmd.h"

/* Sets what was not given on the command line in c->options. What is set there is valid until the program
 * ends. ERR_INVALID names the file, the line and the option. */
int tail_config_read(struct cmd_ctx *c, const char *path, struct err **err);

#endif
