#include "dev/dev.h"

#include "dev/node/keep.h"
#include "dev/node/local.h"

int dev_node_serve(struct dev_env *e, int port, int control_port, struct err **err)
{
    return dev_node_run(e, port, control_port, err);
}

int dev_keep_serve(struct loop *l, const char *folder, int64_t instance, char **argv, struct err **err)
{
    const struct dev_keep_options o = {.folder = folder, .instance = instance, .argv = argv};

    return dev_keep(l, &o, err);
}
