#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/fleet.h"
#include "print/object.h"

/* The release of Kubernetes whose kubectl this program is measured against; servers one minor version away
 * are supported as kubectl supports them, older and newer ones as far as they go. */
enum { KUBERNETES_MAJOR = 1, KUBERNETES_MINOR = 37, SKEW_MOST = 1 };

struct version_options {
    const char *output;
    bool client;
};

#define O(member) offsetof(struct version_options, member)

static const struct cmd_opt version_opts[] = {
    {"client", 0, OPT_FLAG, O(client), NULL, NULL,
     "Only the version of this program; the server is not asked"},
    {"output", 'o', OPT_STRING, O(output), "json|yaml", NULL, "Print it as JSON or YAML"},
    OPT_TABLE_END,
};

#if defined(__x86_64__)
#define PLATFORM "linux/amd64"
#elif defined(__aarch64__)
#define PLATFORM "linux/arm64"
#else
#define PLATFORM "linux"
#endif

/* "v1.37.2-rc.1+x" -> 1, 37. */
static bool parse_version(const char *text, int64_t *ret_major, int64_t *ret_minor)
{
    _cleanup_strv_ char **parts = strv_split(*text == 'v' ? text + 1 : text, '.', true);

    return strv_len(parts) >= 3 && str_to_i64(parts[0], 0, 1000000, ret_major) &&
           str_to_i64(parts[1], 0, 1000000, ret_minor);
}

static void warn_of_skew(const cJSON *server)
{
    int64_t major, minor;

    if (!parse_version(json_str_or(server, "gitVersion", ""), &major, &minor))
        return;
    if (major == KUBERNETES_MAJOR && llabs(minor - KUBERNETES_MINOR) <= SKEW_MOST)
        return;
    cmd_note("Warning: version difference between client (%d.%d) and server (%lld.%lld) exceeds the "
             "supported minor version skew of +/-%d",
             KUBERNETES_MAJOR, KUBERNETES_MINOR, (long long)major, (long long)minor, SKEW_MOST);
}

static cJSON *client_version(void)
{
    _cleanup_strv_ char **parts = strv_split(WASMCTL_VERSION, '.', true);
    size_t n = strv_len(parts);
    cJSON *o = json_object("major", n > 0 ? parts[0] : "", "minor", n > 1 ? parts[1] : "", "gitVersion",
                           "v" WASMCTL_VERSION, "compiler", __VERSION__, "platform", PLATFORM, NULL);
    _cleanup_free_ char *kubernetes = xasprintf("v%d.%d", KUBERNETES_MAJOR, KUBERNETES_MINOR);

    json_put_str(o, "kubernetesVersion", kubernetes);
    return o;
}

static int run_version(struct cmd_ctx *c, struct err **err)
{
    const struct version_options *o = c->options;
    _cleanup_json_ cJSON *server = NULL, *all = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    enum print_format format = PRINT_TABLE;
    int r = 0;

    if (!str_empty(o->output) && !streq(o->output, "json") && !streq(o->output, "yaml"))
        return err_set(err, ERR_INVALID, "--output must be 'yaml' or 'json'");
    if (!str_empty(o->output))
        format = streq(o->output, "json") ? PRINT_JSON : PRINT_YAML;
    if (format == PRINT_TABLE && (o->client || !fleet_is(c))) {
        cmd_out("Client Version: v%s\n", WASMCTL_VERSION);
        cmd_flush();
    }
    if (!o->client) {
        struct kube_call call = {.method = "GET", .path = "/version"};
        struct kube_client *client;
        r = cmd_client(c, &client, err);
        if (r == 0)
            r = kube_json_wait(client, &call, &server, err);
    }
    if (format == PRINT_TABLE) {
        if (server)
            cmd_out("Server Version: %s\n", json_str_or(server, "gitVersion", "unknown"));
    } else {
        all = cJSON_CreateObject();
        json_put(all, "clientVersion", client_version());
        if (server)
            json_put(all, "serverVersion", cJSON_Duplicate(server, true));
        if (fleet_value(c, format, all)) {
            all = NULL;
        } else {
            print_object(&out, format, all);
            cmd_out_buf(&out);
        }
    }
    if (server)
        warn_of_skew(server);
    return r;
}

const struct cmd_entry cmd_version = {
    .name = "version",
    .group = CMD_GROUP_OTHER,
    .brief = "Print the versions of this program and of the server",
    .examples = "%P version\n%P version --client -o json",
    .opts = version_opts,
    .options_size = sizeof(struct version_options),
    .flags = CMD_FLEET,
    .run = run_version,
};
