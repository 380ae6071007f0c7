#include "operator/options.h"

#include <stddef.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

struct row {
    const char *flag, *env, *value_name, *fallback, *help;
    size_t offset;
    bool is_switch;
};

#define TEXT(flag, env, value_name, fallback, member, help)                                                  \
    {                                                                                                        \
        flag, env, value_name, fallback, help, offsetof(struct op_options, member), false                    \
    }

static const struct row rows[] = {
    TEXT("kubeconfig", "KUBECONFIG", "FILE", NULL, kubeconfig,
         "kubeconfig file; without one, the Pod's service account is used"),
    TEXT("context", "WASM_OPERATOR_CONTEXT", "NAME", NULL, context, "context of the kubeconfig"),
    TEXT("log-level", "WASM_OPERATOR_LOG_LEVEL", "LEVEL", "info", log_level,
         "error, warn, info, debug or trace"),
    TEXT("log-format", "WASM_OPERATOR_LOG_FORMAT", "FORMAT", "text", log_format, "text or json"),
    TEXT("health-address", "WASM_OPERATOR_HEALTH_ADDRESS", "ADDR:PORT", ":8081", health_address,
         "where /healthz and /readyz are served; empty turns it off"),
    TEXT("metrics-address", "WASM_OPERATOR_METRICS_ADDRESS", "ADDR:PORT", ":8080", metrics_address,
         "where /metrics is served; empty turns it off"),
    TEXT("watch-namespaces", "WASM_OPERATOR_WATCH_NAMESPACES", "NS[,NS]", "", watch_namespaces,
         "act on actors and providers of these namespaces only; empty means all"),
    TEXT("host-forget-after", "WASM_OPERATOR_HOST_FORGET_AFTER", "DURATION", "10m", host_forget_after,
         "remove the LatticeHost of a dead host after this time"),
    TEXT("resync", "WASM_OPERATOR_RESYNC", "DURATION", "10m", resync,
         "look at every object again after this time even when nothing happened"),
    TEXT("leader-election", "WASM_OPERATOR_LEADER_ELECTION", "MODE", "auto", leader_election,
         "on, off, or auto: on in a Pod. With it, one of several operators acts and the others stand by"),
    TEXT("lease-namespace", "WASM_OPERATOR_LEASE_NAMESPACE", "NAMESPACE", "", lease_namespace,
         "where the Lease lies; empty means the Pod's own namespace, or that of the kubeconfig's context"),
    TEXT("lease-duration", "WASM_OPERATOR_LEASE_DURATION", "DURATION", "15s", lease_duration,
         "how long a leader that does not renew the Lease is waited for"),
    {"help", NULL, NULL, NULL, "print this help", offsetof(struct op_options, help), true},
    {"version", NULL, NULL, NULL, "print the version", offsetof(struct op_options, version), true},
};

static void *member(struct op_options *o, const struct row *row)
{
    return (char *)o + row->offset;
}

static const struct row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].flag) == len && strncmp(rows[i].flag, name, len) == 0)
            return &rows[i];
    return NULL;
}

static int positive_duration(const char *flag, const char *text, int64_t *ret_ms, struct err **err)
{
    int64_t ns;

    if (time_parse_duration(text, &ns, err) < 0)
        return err_wrap(err, "--%s", flag);
    if (ns < 1000000)
        return err_set(err, ERR_INVALID, "--%s: \"%s\" must be at least 1ms", flag, text);
    *ret_ms = ns / 1000000;
    return 0;
}

int op_options_parse(int argc, char **argv, struct op_options *ret, struct err **err)
{
    struct op_options o = {0};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].is_switch)
            continue;
        const char *value = rows[i].env ? getenv(rows[i].env) : NULL;
        *(const char **)member(&o, &rows[i]) = str_empty(value) ? rows[i].fallback : value;
    }
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (streq(arg, "-h"))
            arg = "--help";
        if (!str_starts(arg, "--"))
            return err_set(err, ERR_INVALID, "unexpected argument \"%s\" (see --help)", arg);
        arg += 2;
        const char *equals = strchr(arg, '=');
        const struct row *row = find_row(arg, equals ? (size_t)(equals - arg) : strlen(arg));
        if (!row)
            return err_set(err, ERR_INVALID, "unknown flag \"--%s\" (see --help)", arg);
        if (row->is_switch) {
            if (equals)
                return err_set(err, ERR_INVALID, "--%s takes no value", row->flag);
            *(bool *)member(&o, row) = true;
            continue;
        }
        if (!equals && ++i >= argc)
            return err_set(err, ERR_INVALID, "--%s needs a value (%s)", row->flag, row->value_name);
        *(const char **)member(&o, row) = equals ? equals + 1 : argv[i];
    }
    if (log_level_parse(o.log_level) < 0)
        return err_set(err, ERR_INVALID, "--log-level: \"%s\" is none of error, warn, info, debug, trace",
                       o.log_level);
    if (!streq(o.log_format, "text") && !streq(o.log_format, "json"))
        return err_set(err, ERR_INVALID, "--log-format: \"%s\" is neither text nor json", o.log_format);
    int r = positive_duration("host-forget-after", o.host_forget_after, &o.forget_host_ms, err);
    if (r == 0)
        r = positive_duration("resync", o.resync, &o.resync_ms, err);
    if (r == 0)
        r = positive_duration("lease-duration", o.lease_duration, &o.lease_ms, err);
    if (r == 0 && o.lease_ms < 3000)
        return err_set(err, ERR_INVALID, "--lease-duration: \"%s\" must be at least 3s", o.lease_duration);
    if (r == 0 && !streq(o.leader_election, "auto") && !streq(o.leader_election, "on") &&
        !streq(o.leader_election, "off"))
        return err_set(err, ERR_INVALID, "--leader-election: \"%s\" is none of auto, on, off",
                       o.leader_election);
    if (r == 0)
        *ret = o;
    return r;
}

char *op_options_help(void)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "wasm-operator places WebAssembly actors on the hosts of wasmCloud lattices.\n\n"
                 "Usage:\n  wasm-operator [flags]\n\nFlags (an environment variable gives the default):\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *flag = rows[i].value_name
                                        ? xasprintf("--%s %s", rows[i].flag, rows[i].value_name)
                                        : xasprintf("--%s", rows[i].flag);
        buf_addf(&b, "  %-32s %s", flag, rows[i].help);
        if (!str_empty(rows[i].fallback))
            buf_addf(&b, " (default %s)", rows[i].fallback);
        if (rows[i].env)
            buf_addf(&b, " [%s]", rows[i].env);
        buf_addc(&b, '\n');
    }
    return buf_take(&b);
}
