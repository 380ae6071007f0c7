#include "dev/node/objects.h"

#include <sys/utsname.h>

#include "base/str.h"
#include "base/timefmt.h"
#include "kube/gvr.h"

static cJSON *object(const char *version, const char *kind, const char *ns, const char *name)
{
    cJSON *o = cJSON_CreateObject();

    json_set_str(o, "apiVersion", version);
    json_set_str(o, "kind", kind);
    json_set_str(o, "metadata.name", name);
    if (ns)
        json_set_str(o, "metadata.namespace", ns);
    return o;
}

static char *path_of(const cJSON *o, const char *name, const char *subresource)
{
    const struct kube_resource *known =
        kube_builtin_kind(json_str_or(o, "apiVersion", ""), json_str_or(o, "kind", ""));

    return known ? kube_path(known, json_str(o, "metadata.namespace"), name, subresource) : NULL;
}

char *dev_object_path(const cJSON *o, const char *subresource)
{
    return path_of(o, json_str(o, "metadata.name"), subresource);
}

char *dev_object_folder(const cJSON *o)
{
    return path_of(o, NULL, NULL);
}

static void set_time(cJSON *o, const char *key, int64_t ns, int digits)
{
    char text[TIME_RFC3339_LEN];

    json_set_str(o, key, time_rfc3339(ns, digits, text));
}

static void add_condition(cJSON *list, const char *type, bool holds, const char *reason, const char *message,
                          int64_t since_ns)
{
    cJSON *c = json_object("type", type, "status", holds ? "True" : "False", "reason", reason, "message",
                           message, NULL);

    if (since_ns)
        set_time(c, "lastTransitionTime", since_ns, 0);
    cJSON_AddItemToArray(list, c);
}

cJSON *dev_namespace_object(const char *name)
{
    return object("v1", "Namespace", NULL, name);
}

cJSON *dev_node_object(const char *name)
{
    cJSON *o = object("v1", "Node", NULL, name);
    struct utsname u;
    cJSON *labels = json_object("kubernetes.io/hostname", name, "kubernetes.io/os", "linux",
                                "wasmctl.dev/stand-in", "true", NULL);

    if (uname(&u) == 0)
        json_put_str(labels, "kubernetes.io/arch",
                     streq(u.machine, "x86_64")    ? "amd64"
                     : streq(u.machine, "aarch64") ? "arm64"
                                                   : u.machine);
    json_set(o, "metadata.labels", labels);
    return o;
}

cJSON *dev_node_status(const char *name, const char *version, int port, int64_t since_ns)
{
    cJSON *o = object("v1", "Node", NULL, name), *addresses = cJSON_CreateArray(),
          *conditions = cJSON_CreateArray();

    cJSON_AddItemToArray(addresses, json_object("type", "InternalIP", "address", "127.0.0.1", NULL));
    cJSON_AddItemToArray(addresses, json_object("type", "Hostname", "address", name, NULL));
    json_set(o, "status.addresses", addresses);
    json_set_int(o, "status.daemonEndpoints.kubeletEndpoint.Port", port);
    add_condition(conditions, "Ready", true, "StandInReady",
                  "logs are served; nothing is run here that the API server asks for", since_ns);
    add_condition(conditions, "MemoryPressure", false, "StandInReady", "not looked at", since_ns);
    add_condition(conditions, "DiskPressure", false, "StandInReady", "not looked at", since_ns);
    add_condition(conditions, "PIDPressure", false, "StandInReady", "not looked at", since_ns);
    json_set(o, "status.conditions", conditions);
    for (const char *const *key = (const char *const[]){"status.capacity", "status.allocatable", NULL}; *key;
         key++)
        json_set(o, *key, json_object("pods", "1000", "cpu", "0", "memory", "0", NULL));
    json_set(o, "status.nodeInfo",
             json_object("kubeletVersion", version, "operatingSystem", "linux", "architecture", "", "bootID",
                         "", "containerRuntimeVersion", "wasmctl://" WASMCTL_VERSION, "kernelVersion", "",
                         "kubeProxyVersion", "", "machineID", "", "osImage", "wasmctl dev", "systemUUID", "",
                         NULL));
    return o;
}

cJSON *dev_node_lease(const char *name, int64_t now_ns)
{
    cJSON *o = object("coordination.k8s.io/v1", "Lease", "kube-node-lease", name);

    json_set_str(o, "spec.holderIdentity", name);
    json_set_int(o, "spec.leaseDurationSeconds", DEV_NODE_LEASE_S);
    set_time(o, "spec.renewTime", now_ns, 6);
    return o;
}

cJSON *dev_pod_object(const struct dev_pod *pod, const char *node)
{
    cJSON *o = object("v1", "Pod", pod->namespace, pod->name), *containers = cJSON_CreateArray();

    if (pod->labels)
        json_set(o, "metadata.labels", cJSON_Duplicate(pod->labels, true));
    if (pod->annotations)
        json_set(o, "metadata.annotations", cJSON_Duplicate(pod->annotations, true));
    cJSON_AddItemToArray(containers, json_object("name", pod->container, "image", pod->image, NULL));
    json_set(o, "spec.containers", containers);
    json_set_str(o, "spec.nodeName", node);
    json_set_str(o, "spec.restartPolicy", pod->once ? "Never" : "Always");
    json_set_bool(o, "spec.automountServiceAccountToken", false);
    json_set_bool(o, "spec.enableServiceLinks", false);
    json_set_int(o, "spec.terminationGracePeriodSeconds", 0);
    return o;
}

static char *runtime_id(const char *id)
{
    return xasprintf("wasmctl://%s", id);
}

static cJSON *run_state(const struct dev_run *r)
{
    cJSON *state = cJSON_CreateObject();

    if (!r->container_id) {
        json_set_str(state, "waiting.reason", "ContainerCreating");
        return state;
    }
    if (!r->finished_ns) {
        set_time(state, "running.startedAt", r->started_ns, 0);
        return state;
    }
    _cleanup_free_ char *id = runtime_id(r->container_id);
    json_set_int(state, "terminated.exitCode", r->exit_code);
    if (r->signum)
        json_set_int(state, "terminated.signal", r->signum);
    json_set_str(state, "terminated.reason", r->exit_code ? "Error" : "Completed");
    set_time(state, "terminated.startedAt", r->started_ns, 0);
    set_time(state, "terminated.finishedAt", r->finished_ns, 0);
    json_set_str(state, "terminated.containerID", id);
    return state;
}

static const char *phase_of(const struct dev_pod *pod)
{
    if (!pod->now.container_id)
        return "Pending";
    if (!pod->once || !pod->now.finished_ns)
        return "Running";
    return pod->now.exit_code ? "Failed" : "Succeeded";
}

cJSON *dev_pod_status(const struct dev_pod *pod)
{
    cJSON *o = object("v1", "Pod", pod->namespace, pod->name), *status = cJSON_CreateObject(),
          *list = cJSON_CreateArray(), *conditions = cJSON_CreateArray();
    bool runs = pod->now.container_id && !pod->now.finished_ns;
    int64_t since = pod->now.finished_ns ? pod->now.finished_ns : pod->now.started_ns;

    json_set_str(status, "name", pod->container);
    json_set_str(status, "image", pod->image);
    json_set_str(status, "imageID", "");
    json_set_bool(status, "ready", runs);
    json_set_bool(status, "started", runs);
    json_set_int(status, "restartCount", pod->restarts);
    json_set(status, "state", run_state(&pod->now));
    json_set(status, "lastState", pod->last.container_id ? run_state(&pod->last) : cJSON_CreateObject());
    if (pod->now.container_id) {
        _cleanup_free_ char *id = runtime_id(pod->now.container_id);
        json_set_str(status, "containerID", id);
    }
    cJSON_AddItemToArray(list, status);
    add_condition(conditions, "PodScheduled", true, NULL, NULL, 0);
    add_condition(conditions, "Initialized", true, NULL, NULL, 0);
    add_condition(conditions, "ContainersReady", runs, runs ? NULL : "ContainersNotReady", NULL, since);
    add_condition(conditions, "Ready", runs, runs ? NULL : "ContainersNotReady", NULL, since);
    json_set_str(o, "status.phase", phase_of(pod));
    json_set(o, "status.conditions", conditions);
    json_set(o, "status.containerStatuses", list);
    json_set_str(o, "status.hostIP", "127.0.0.1");
    json_set_str(o, "status.qosClass", "BestEffort");
    if (pod->now.container_id)
        set_time(o, "status.startTime",
                 pod->last.started_ns && pod->last.started_ns < pod->now.started_ns ? pod->last.started_ns
                                                                                    : pod->now.started_ns,
                 0);
    return o;
}
