#include "base/str.h"
#include "cli/cmd.h"
#include "print/object.h"

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

static int run_version(struct cmd_ctx *c, struct err **err)
{
    const struct version_options *o = c->options;
    _cleanup_json_ cJSON *server = NULL, *all = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    enum print_format format = PRINT_TABLE;
    int r = 0;

    if (o->output && !streq(o->output, "json") && !streq(o->output, "yaml"))
        return err_set(err, ERR_INVALID, "--output must be 'yaml' or 'json'");
    if (o->output)
        format = streq(o->output, "json") ? PRINT_JSON : PRINT_YAML;
    if (format == PRINT_TABLE) {
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
        return r;
    }
    all = cJSON_CreateObject();
    json_put(
        all, "clientVersion",
        json_object("gitVersion", "v" WASMCTL_VERSION, "compiler", __VERSION__, "platform", PLATFORM, NULL));
    if (server)
        json_put(all, "serverVersion", cJSON_Duplicate(server, true));
    print_object(&out, format, all);
    cmd_out_buf(&out);
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
