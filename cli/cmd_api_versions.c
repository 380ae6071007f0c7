#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cmd.h"
#include "kube/discovery.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_api_versions(struct cmd_ctx *c, struct err **err)
{
    const struct kube_apis *apis;
    struct kube_client *client;
    int r = cmd_client(c, &client, err);

    if (r == 0)
        r = kube_find_apis(client, false, &apis, err);
    if (r < 0)
        return r;
    _cleanup_strv_ char **sorted = strv_copy(apis->versions);
    qsort(sorted, strv_len(sorted), sizeof(*sorted), compare);
    for (char **v = sorted; *v; v++)
        cmd_out("%s\n", *v);
    return 0;
}

const struct cmd_entry cmd_api_versions = {
    .name = "api-versions",
    .group = CMD_GROUP_OTHER,
    .brief = "List the API versions the server knows, as group/version",
    .examples = "%P api-versions",
    .flags = CMD_FLEET,
    .run = run_api_versions,
};
