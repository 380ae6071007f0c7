#include "cli/cmd.h"

/* In the order of the help; hidden ones last. One a line. */
#define COMMANDS(X)                                                                                          \
    X(get)                                                                                                   \
    X(describe)                                                                                              \
    X(apply)                                                                                                 \
    X(create)                                                                                                \
    X(delete)                                                                                                \
    X(diff)                                                                                                  \
    X(edit)                                                                                                  \
    X(label)                                                                                                 \
    X(annotate)                                                                                              \
    X(patch)                                                                                                 \
    X(replace)                                                                                               \
    X(set)                                                                                                   \
    X(taint)                                                                                                 \
    X(wait)                                                                                                  \
    X(events)                                                                                                \
    X(scale)                                                                                                 \
    X(rollout)                                                                                               \
    X(cordon)                                                                                                \
    X(uncordon)                                                                                              \
    X(drain)                                                                                                 \
    X(install)                                                                                               \
    X(uninstall)                                                                                             \
    X(auth)                                                                                                  \
    X(api_resources)                                                                                         \
    X(api_versions)                                                                                          \
    X(cluster_info)                                                                                          \
    X(explain)                                                                                               \
    X(place)                                                                                                 \
    X(top)                                                                                                   \
    X(logs)                                                                                                  \
    X(tail)                                                                                                  \
    X(dash)                                                                                                  \
    X(dev)                                                                                                   \
    X(version)                                                                                               \
    X(help)                                                                                                  \
    X(options)                                                                                               \
    X(kubeconfig)                                                                                            \
    X(plugin)                                                                                                \
    X(completion)                                                                                            \
    X(complete)                                                                                              \
    X(complete_plain)                                                                                        \
    X(man)                                                                                                   \
    X(check)

#define DECLARE(name) extern const struct cmd_entry cmd_##name;
COMMANDS(DECLARE)

#define ROW(name) &cmd_##name,
static const struct cmd_entry *const table[] = {COMMANDS(ROW) NULL};

int main(int argc, char **argv)
{
    return cmd_main(table, argc, argv);
}
