#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"

#define CLUSTER_SERVICES "kubernetes.io/cluster-service=true"

/* Where a service of the cluster is reached: its load balancer, else the API server's own proxy. */
static char *service_link(const char *server, const cJSON *s)
{
    const char *name = json_str_or(s, "metadata.name", ""), *ns = json_str_or(s, "metadata.namespace", "");
    const cJSON *ingress = json_at(s, "status.loadBalancer.ingress[0]");
    const cJSON *port = json_at(s, "spec.ports[0]");
    struct buf b = BUF_INIT;

    if (ingress) {
        const char *ip = json_str_or(ingress, "ip", "");
        json_each (p, json_at(s, "spec.ports"))
            buf_addf(&b, "http://%s:%lld ", *ip ? ip : json_str_or(ingress, "hostname", ""),
                     (long long)json_int(p, "port", 0));
        return buf_take(&b);
    }
    buf_addf(&b, "%s/api/v1/namespaces/%s/services/", server, ns);
    const char *port_name = json_str_or(port, "name", "");
    bool https = streq(port_name, "https") || json_int(port, "port", 0) == 443;
    if (https || *port_name)
        buf_addf(&b, "%s%s:%s", https ? "https:" : "", name, port_name);
    else
        buf_adds(&b, name);
    buf_adds(&b, "/proxy");
    return buf_take(&b);
}

static int run_cluster_info(struct cmd_ctx *c, struct err **err)
{
    const struct kube_resource *services = kube_builtin_find("services");
    const struct kube_config *config;
    _cleanup_json_ cJSON *list = NULL;
    _cleanup_buf_ struct buf query = BUF_INIT;

    if (c->argc == 1 && streq(c->argv[0], "dump"))
        return err_set(err, ERR_UNSUPPORTED,
                       "there is no dump: use \"kubectl cluster-info dump\", or %s get and %s logs for what "
                       "is of interest",
                       c->program, c->program);
    int r = cmd_config(c, &config, err);
    if (r < 0)
        return r;
    cli_query_add(&query, "labelSelector", CLUSTER_SERVICES);
    struct cli_request request = {
        .resource = services,
        .namespace = str_empty(c->globals.namespace) ? "kube-system" : c->globals.namespace,
        .query = buf_str(&query),
    };
    r = cli_request(c, &request, &list, err);
    if (r < 0) {
        cmd_note("What is wrong may be seen with '%s get --raw /readyz?verbose' and '%s events -A'.",
                 c->program, c->program);
        return r;
    }
    cmd_out("Kubernetes control plane is running at %s\n", config->server);
    json_each (s, json_get(list, "items")) {
        _cleanup_free_ char *link = service_link(config->server, s);
        const cJSON *name = json_atv(s, "metadata", "labels", "kubernetes.io/name", NULL);
        cmd_out("%s is running at %s\n",
                cJSON_IsString(name) && *name->valuestring ? name->valuestring
                                                           : json_str_or(s, "metadata.name", ""),
                link);
    }
    return 0;
}

const struct cmd_entry cmd_cluster_info = {
    .name = "cluster-info",
    .group = CMD_GROUP_CLUSTER,
    .brief = "Show where the API server and the services of the cluster are",
    .help = "Show where the API server and the services of the cluster are: those of kube-system, or of the "
            "namespace given with -n, with the label " CLUSTER_SERVICES ".",
    .usage = "[options]",
    .examples = "%P cluster-info\n%P cluster-info --context=west",
    .max_args = 1,
    .flags = CMD_FLEET,
    .run = run_cluster_info,
};
