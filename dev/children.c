#include "dev/children.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "dev/node/crilog.h"
#include "dev/parts.h"
#include "dev/pki.h"

enum { SEED_TIMEOUT_MS = 10 * 1000, SEED_MAX = 4096, ID_LEN = 56 };

static const struct dev_kind_spec specs[DEV_KINDS] = {
    [DEV_ETCD] = {.name = "etcd",
                  .part = "etcd",
                  .program = "etcd",
                  .ports = {"client"},
                  .ready_path = "/health",
                  .stop_stage = 4,
                  .stop_ms = 3000},
    [DEV_NATS] = {.name = "nats",
                  .part = "nats-server",
                  .program = "nats-server",
                  .ports = {"client", "monitor"},
                  .ready_port = 1,
                  .ready_path = "/healthz?js-enabled-only=true",
                  .kept = true,
                  .stop_stage = 2,
                  .stop_ms = 5000},
    [DEV_APISERVER] = {.name = "apiserver",
                       .part = "kube-apiserver",
                       .program = "kube-apiserver",
                       .ports = {"https"},
                       .needs = 1u << DEV_ETCD,
                       .ready_path = "/readyz",
                       .stop_stage = 3,
                       .stop_ms = 10000},
    [DEV_HOST] = {.name = "host",
                  .part = "wasmcloud-host",
                  .program = "wasmcloud-host",
                  .ports = {"admin"},
                  .needs = 1u << DEV_NATS,
                  .ready_path = "/readyz",
                  .kept = true,
                  .stop_stage = 1,
                  .stop_ms = 10000},
    [DEV_OPERATOR] = {.name = "operator",
                      .program = "wasm-operator",
                      .ports = {"health", "metrics"},
                      .needs = 1u << DEV_APISERVER | 1u << DEV_NATS,
                      .needs_objects = true,
                      .ready_path = "/readyz",
                      .kept = true,
                      .stop_stage = 0,
                      .stop_ms = 5000},
    /* Stopped after the processes it tells of, before the API server it tells. */
    [DEV_NODE] = {.name = "node",
                  .program = "wasmctl",
                  .ports = {"https", "control"},
                  .needs = 1u << DEV_APISERVER,
                  .ready_port = 1,
                  .ready_path = "/readyz",
                  .stop_stage = 2,
                  .stop_ms = 3000},
};

const struct dev_kind_spec *dev_kind_spec(enum dev_kind kind)
{
    return &specs[kind];
}

int dev_kind_by_name(const char *name)
{
    for (int k = 0; k < DEV_KINDS; k++)
        if (streq(specs[k].name, name))
            return k;
    return -1;
}

int dev_child_program(enum dev_kind kind, char **ret, struct err **err)
{
    const struct dev_kind_spec *s = &specs[kind];

    if (s->part)
        return dev_part_program(s->part, s->program, ret, err);
    if (kind == DEV_NODE)
        return dev_own_program(ret, err);
    int r = dev_program_beside(s->program, ret, err);
    return r < 0 ? err_wrap(err, "the operator cannot be started (--no-operator leaves it out)") : 0;
}

int dev_own_program(char **ret, struct err **err)
{
    char *path = realpath("/proc/self/exe", NULL);

    if (!path)
        return err_set_os(err, errno, "find the path of this program");
    *ret = path;
    return 0;
}

static int port_of(const struct dev_env *e, enum dev_kind kind, int i)
{
    const struct dev_child *c = dev_child_of(e, kind);

    return c ? c->ports[i] : 0;
}

static char *local_url(const char *scheme, int port)
{
    return port ? xasprintf("%s://127.0.0.1:%d", scheme, port) : NULL;
}

char *dev_api_url(const struct dev_env *e)
{
    return local_url("https", port_of(e, DEV_APISERVER, 0));
}

char *dev_nats_url(const struct dev_env *e)
{
    return local_url("nats", port_of(e, DEV_NATS, 0));
}

/* Preparing */

static int parse_identity(const char *text, char **ret_seed, char **ret_id, struct err **err)
{
    _cleanup_json_ cJSON *o = NULL;
    int r = json_parse(text, strlen(text), "seed of a host", &o, err);

    if (r < 0)
        return r;
    const char *seed = json_str_or(o, "seed", ""), *id = json_str_or(o, "id", "");
    if (!str_starts(seed, "SN") || id[0] != 'N' || strlen(id) != ID_LEN)
        return err_set(err, ERR_INVALID, "no seed of a host");
    xstr_replace(ret_seed, seed);
    xstr_replace(ret_id, id);
    return 0;
}

/* The identity lives as long as the environment: a host that is started again is the same host. */
static int host_identity(const struct dev_env *e, const struct dev_child *c, char **ret_seed, char **ret_id,
                         struct err **err)
{
    _cleanup_free_ char *path = dev_path(e, "data/%s/seed.json", c->name), *text = NULL, *program = NULL;
    _cleanup_err_ struct err *problem = NULL;
    int r = file_read(path, SEED_MAX, &text, NULL, &problem);

    if (r == 0) {
        r = parse_identity(text, ret_seed, ret_id, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
    }
    if (problem->os != ENOENT)
        return err_move(err, TAKE_PTR(problem));
    r = dev_child_program(DEV_HOST, &program, err);
    if (r < 0)
        return r;
    char *argv[] = {program, (char[]){"--gen-seed"}, NULL};
    r = dev_proc_capture(argv, SEED_TIMEOUT_MS, &text, err);
    if (r == 0)
        r = parse_identity(text, ret_seed, ret_id, err);
    if (r == 0)
        r = file_write(path, text, strlen(text), 0600, err);
    return r < 0 ? err_wrap(err, "make the identity of %s", c->name) : 0;
}

int dev_child_prepare(struct dev_env *e, struct dev_child *c, struct err **err)
{
    _cleanup_free_ char *tmp = dev_path(e, "data/%s/tmp", c->name), *seed = NULL;
    int r = file_mkdirs(tmp, 0700, err);

    if (r == 0 && c->kind == DEV_HOST)
        r = host_identity(e, c, &seed, &c->id, err);
    return r;
}

/* Commands */

static void arg(struct dev_command *c, const char *fmt, ...) _printf_(2, 3);
static void arg(struct dev_command *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    strv_push(&c->argv, text);
}

static void env(struct dev_command *c, const char *fmt, ...) _printf_(2, 3);
static void env(struct dev_command *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    strv_push(&c->env, text);
}

static void etcd_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd)
{
    arg(cmd, "--name=%s", e->context);
    arg(cmd, "--data-dir=%s/store", cmd->folder);
    arg(cmd, "--listen-client-urls=http://127.0.0.1:%d", c->ports[0]);
    arg(cmd, "--advertise-client-urls=http://127.0.0.1:%d", c->ports[0]);
    /* One member has no peers: it listens somewhere, and the address it tells is only a name. */
    arg(cmd, "--listen-peer-urls=http://127.0.0.1:0");
    arg(cmd, "--initial-advertise-peer-urls=http://127.0.0.1:2380");
    arg(cmd, "--initial-cluster=%s=http://127.0.0.1:2380", e->context);
    arg(cmd, "--unsafe-no-fsync");
    arg(cmd, "--quota-backend-bytes=536870912");
    arg(cmd, "--snapshot-count=5000");
    arg(cmd, "--auto-compaction-mode=periodic");
    arg(cmd, "--auto-compaction-retention=10m");
    arg(cmd, "--log-level=warn");
    env(cmd, "GOGC=50");
}

/* A string of the configuration language of nats-server. */
static char *nats_quoted(const char *s)
{
    struct buf b = BUF_INIT;

    buf_addc(&b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_addc(&b, '\\');
        buf_addc(&b, *s);
    }
    buf_addc(&b, '"');
    return buf_take(&b);
}

static void nats_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd)
{
    _cleanup_free_ char *quoted = nats_quoted(cmd->folder);

    cmd->config_path = xasprintf("%s/nats.conf", cmd->folder);
    cmd->config_text = xasprintf("server_name: %s\n"
                                 "listen: \"127.0.0.1:%d\"\n"
                                 "http: \"127.0.0.1:%d\"\n"
                                 "jetstream {\n"
                                 "  store_dir: %s\n"
                                 "  max_memory_store: 128MB\n"
                                 "  max_file_store: 1GB\n"
                                 "}\n",
                                 e->context, c->ports[0], c->ports[1], quoted);
    arg(cmd, "--config");
    arg(cmd, "%s", cmd->config_path);
}

/* Plugins that serve Pods, volumes and certificates: nothing here runs those. */
#define IDLE_ADMISSION                                                                                       \
    "ServiceAccount,DefaultStorageClass,StorageObjectInUseProtection,TaintNodesByCondition,"                 \
    "DefaultTolerationSeconds,"                                                                              \
    "PodSecurity,RuntimeClass,CertificateApproval,CertificateSigning,CertificateSubjectRestriction,"         \
    "ClusterTrustBundleAttest,DefaultIngressClass,PersistentVolumeClaimResize"

/* Programs that read certificates at their start are to be restarted when these change. */
static void ca_env(const struct dev_env *e, struct dev_command *cmd)
{
    _cleanup_free_ char *ca = NULL;

    if (dev_pki_read(e, "ca.crt", &ca, NULL) == 0)
        env(cmd, "WASMCTL_DEV_CA=%016llx", (unsigned long long)str_hash64(ca, strlen(ca), STR_HASH64_INIT));
}

static void apiserver_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd)
{
    _cleanup_free_ char *pki = dev_pki_folder(e);

    arg(cmd, "--etcd-servers=http://127.0.0.1:%d", port_of(e, DEV_ETCD, 0));
    arg(cmd, "--bind-address=127.0.0.1");
    arg(cmd, "--advertise-address=127.0.0.1");
    arg(cmd, "--secure-port=%d", c->ports[0]);
    /* Endpoints may not hold loopback addresses. */
    arg(cmd, "--endpoint-reconciler-type=none");
    arg(cmd, "--service-cluster-ip-range=10.96.0.0/16");
    arg(cmd, "--tls-cert-file=%s/server.crt", pki);
    arg(cmd, "--tls-private-key-file=%s/server.key", pki);
    arg(cmd, "--client-ca-file=%s/ca.crt", pki);
    arg(cmd, "--service-account-issuer=https://kubernetes.default.svc");
    arg(cmd, "--service-account-signing-key-file=%s/sa.key", pki);
    arg(cmd, "--service-account-key-file=%s/sa.pub", pki);
    arg(cmd, "--authorization-mode=RBAC");
    arg(cmd, "--disable-admission-plugins=%s", IDLE_ADMISSION);
    arg(cmd, "--enable-priority-and-fairness=false");
    arg(cmd, "--kubelet-client-certificate=%s/kubelet-client.crt", pki);
    arg(cmd, "--kubelet-client-key=%s/kubelet-client.key", pki);
    arg(cmd, "--kubelet-certificate-authority=%s/ca.crt", pki);
    arg(cmd, "--kubelet-preferred-address-types=InternalIP");
    /* No controller manager would ever take the finalizers away that it sets. */
    arg(cmd, "--enable-garbage-collector=false");
    arg(cmd, "--profiling=false");
    if (e->with_audit) {
        cmd->config_path = xasprintf("%s/audit-policy.yaml", cmd->folder);
        cmd->config_text = xstrdup("apiVersion: audit.k8s.io/v1\n"
                                   "kind: Policy\n"
                                   "omitStages: [RequestReceived]\n"
                                   "rules:\n"
                                   "- level: Metadata\n");
        arg(cmd, "--audit-policy-file=%s", cmd->config_path);
        arg(cmd, "--audit-log-path=%s/logs/audit.log", e->dir);
        arg(cmd, "--audit-log-maxsize=20");
        arg(cmd, "--audit-log-maxbackup=1");
    }
    env(cmd, "GOGC=50");
    ca_env(e, cmd);
}

static int host_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd,
                        struct err **err)
{
    _cleanup_free_ char *seed = NULL, *id = NULL;
    int r = host_identity(e, c, &seed, &id, err);

    if (r < 0)
        return r;
    arg(cmd, "--nats=nats://127.0.0.1:%d", port_of(e, DEV_NATS, 0));
    arg(cmd, "--lattice=" DEV_LATTICE_ID);
    arg(cmd, "--heartbeat-seconds=2");
    arg(cmd, "--allow-file");
    arg(cmd, "--restart");
    arg(cmd, "--http-admin=127.0.0.1:%d", c->ports[0]);
    for (char **l = c->labels; l && *l; l++) {
        arg(cmd, "--label");
        arg(cmd, "%s", *l);
    }
    /* In the environment, where ps does not show it. */
    env(cmd, "WASMCLOUD_HOST_SEED=%s", seed);
    return 0;
}

static void operator_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd)
{
    /* All it talks to is on this machine. curl knows one name, others the other. */
    env(cmd, "NO_PROXY=127.0.0.1,localhost,::1");
    env(cmd, "no_proxy=127.0.0.1,localhost,::1");
    arg(cmd, "--kubeconfig=%s/operator.kubeconfig", e->dir);
    arg(cmd, "--health-address=127.0.0.1:%d", c->ports[0]);
    arg(cmd, "--metrics-address=127.0.0.1:%d", c->ports[1]);
    ca_env(e, cmd);
}

static void node_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd)
{
    arg(cmd, "dev");
    arg(cmd, "node");
    arg(cmd, "--name=%s", e->name);
    arg(cmd, "--port=%d", c->ports[0]);
    arg(cmd, "--control-port=%d", c->ports[1]);
    ca_env(e, cmd);
}

/* The keeper, to be followed by what it starts. The instance is not settled yet: see dev_keep_next(). */
static int keeper_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd,
                          struct err **err)
{
    _cleanup_free_ char *program = NULL, *folder = dev_keep_folder(e, c->name);
    int r = dev_own_program(&program, err);

    if (r < 0)
        return r;
    for (const char *const *word = (const char *const[]){program, "dev", "keep", folder, NULL}; *word; word++)
        strv_push(&cmd->keeper, *word);
    return 0;
}

static int set_link(const struct dev_env *e, const char *child, int64_t instance, struct err **err)
{
    _cleanup_free_ char *path = dev_log_path(e, child), *fresh = xasprintf("%s.new", path);
    _cleanup_free_ char *target = xasprintf("%s/%lld.log", child, (long long)instance);
    _cleanup_free_ char *aside = xasprintf("%s.1", path);
    struct stat st;

    /* Written before there were keepers. */
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        rename(path, aside);
    unlink(fresh);
    if (symlink(target, fresh) < 0 || rename(fresh, path) < 0)
        return err_set_os(err, errno, "link %s to %s", path, target);
    return 0;
}

int dev_keep_next(const struct dev_env *e, const struct dev_child *c, struct dev_command *cmd,
                  struct err **err)
{
    _cleanup_free_ char *folder = dev_keep_folder(e, c->name);
    int r = file_mkdirs(folder, 0700, err);

    if (r < 0)
        return r;
    int64_t instance = dev_cri_newest(folder) + 1;
    _cleanup_free_ char *number = xasprintf("%lld", (long long)instance);
    dev_cri_prune(folder, instance - 1);
    strv_push(&cmd->keeper, number);
    return set_link(e, c->name, instance, err);
}

int dev_child_command(const struct dev_env *e, const struct dev_child *c, struct dev_command *ret,
                      struct err **err)
{
    _cleanup_(dev_command_release) struct dev_command cmd = {0};
    _cleanup_free_ char *program = NULL;
    int r = dev_child_program(c->kind, &program, err);

    if (r < 0)
        return r;
    cmd.folder = dev_path(e, "data/%s", c->name);
    cmd.log = dev_log_path(e, c->name);
    arg(&cmd, "%s", program);
    env(&cmd, "TMPDIR=%s/tmp", cmd.folder);
    switch (c->kind) {
    case DEV_ETCD:
        etcd_command(e, c, &cmd);
        break;
    case DEV_NATS:
        nats_command(e, c, &cmd);
        break;
    case DEV_APISERVER:
        apiserver_command(e, c, &cmd);
        break;
    case DEV_HOST:
        r = host_command(e, c, &cmd, err);
        break;
    case DEV_OPERATOR:
        operator_command(e, c, &cmd);
        break;
    case DEV_NODE:
        node_command(e, c, &cmd);
        break;
    case DEV_KINDS:
        r = err_set(err, ERR_INVALID, "%s has no kind", c->name);
        break;
    }
    if (r == 0 && dev_kind_spec(c->kind)->kept)
        r = keeper_command(e, c, &cmd, err);
    if (r < 0)
        return r;
    *ret = cmd;
    cmd = (struct dev_command){0};
    return 0;
}
