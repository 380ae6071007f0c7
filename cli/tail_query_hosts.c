/* Hosts are Pods in some clusters: which ones. */
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/tail_query.h"
#include "cli/target.h"

bool tail_is_pod_of_host(const cJSON *pod, const char *host, const char *hostname)
{
    const char *label = cJSON_GetStringValue(json_atv(pod, "metadata", "labels", TAIL_HOST_LABEL, NULL));

    if (label)
        return strcasecmp(label, host) == 0;
    return hostname && streq(json_str_or(pod, "metadata.name", ""), hostname);
}

static void add_pods(struct cmd_ctx *c, const char *key, const char *value, const char *host,
                     const char *hostname, cJSON *pods)
{
    _cleanup_json_ cJSON *list = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;

    cli_query_add(&query, key, value);
    struct cli_request request = {.resource = kube_builtin_find("pods"), .query = buf_str(&query)};
    /* Who may not list Pods everywhere is told the names of hosts only. */
    if (cli_request(c, &request, &list, NULL) < 0)
        return;
    json_each (pod, json_get(list, "items"))
        if (tail_is_pod_of_host(pod, host, hostname))
            cJSON_AddItemToArray(pods, cJSON_Duplicate(pod, true));
}

void tail_host_pods(struct cmd_ctx *c, const char *host, cJSON **ret_pods, char **ret_told)
{
    _cleanup_json_ cJSON *object = NULL;
    struct cli_request request = {.resource = kube_builtin_find("latticehosts"), .name = host};
    int r = cli_request(c, &request, &object, NULL);
    const char *hostname = r == 0 ? json_str(object, "status.hostname") : NULL;
    _cleanup_free_ char *label =
        xasprintf("%s=%s", TAIL_HOST_LABEL, r == 0 ? json_str_or(object, "spec.hostID", host) : host);
    cJSON *pods = cJSON_CreateArray();

    add_pods(c, "labelSelector", label, host, hostname, pods);
    if (!pods->child && hostname) {
        _cleanup_free_ char *field = xasprintf("metadata.name=%s", hostname);
        add_pods(c, "fieldSelector", field, host, hostname, pods);
    }
    *ret_told = hostname ? xasprintf("%s on %s", host, hostname) : xstrdup(host);
    *ret_pods = pods;
}
