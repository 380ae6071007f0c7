#include "cli/cmd.h"

extern const struct cmd_entry cmd_api_resources, cmd_api_versions, cmd_auth, cmd_cluster_info,
    cmd_explain, cmd_place, cmd_top;
extern const struct cmd_entry cmd_apply, cmd_cordon, cmd_create, cmd_delete, cmd_describe, cmd_dev, cmd_drain,
    cmd_events, cmd_get, cmd_help, cmd_install, cmd_options, cmd_rollout, cmd_scale, cmd_uncordon,
    cmd_uninstall, cmd_version, cmd_wait;
extern const struct cmd_entry cmd_check, cmd_complete, cmd_complete_plain, cmd_completion, cmd_kubeconfig,
    cmd_man, cmd_plugin;

static const struct cmd_entry *const table[] = {
    &cmd_get,   &cmd_describe, &cmd_apply,  &cmd_create,   &cmd_delete, &cmd_wait,    &cmd_events,
    &cmd_scale, &cmd_rollout,  &cmd_cordon, &cmd_uncordon, &cmd_drain,  &cmd_install, &cmd_uninstall,
    &cmd_auth,  &cmd_api_resources, &cmd_api_versions, &cmd_cluster_info, &cmd_explain,
    &cmd_place, &cmd_top,
    &cmd_dev,   &cmd_version,  &cmd_help,   &cmd_options,
    &cmd_kubeconfig, &cmd_plugin, &cmd_completion, &cmd_complete, &cmd_complete_plain, &cmd_man, &cmd_check,
    NULL,
};

int main(int argc, char **argv)
{
    return cmd_main(table, argc, argv);
}
