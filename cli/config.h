/* The commands that change kubeconfig files (cmd_config_set.c), for the table in cmd_config.c. */
#ifndef WASMCTL_CLI_CONFIG_H
#define WASMCTL_CLI_CONFIG_H

#include "cli/cmd.h"
#include "kube/kubeconfig_write.h"

extern const struct cmd_entry cmd_config_use_context, cmd_config_set_context, cmd_config_set_cluster,
    cmd_config_set_credentials, cmd_config_rename_context, cmd_config_delete_context,
    cmd_config_delete_cluster, cmd_config_delete_user, cmd_config_set, cmd_config_unset;

#define CONFIG_HELP_WHERE                                                                                    \
    "What is changed is written where kubectl writes it: into the file of $KUBECONFIG that holds the "       \
    "entry, new "                                                                                            \
    "entries into the first file that exists. Comments in the file are lost."

#endif
