#include "unit/unit.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/kubeconfig.h"

static char *folder;

static int make_folder(void **state _unused_)
{
    folder = xstrdup("/tmp/wasmctl-test-kubeconfig-XXXXXX");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state _unused_)
{
    int r = file_remove_tree(folder, NULL);

    free(folder);
    return r;
}

/* Path of a new file in the test's folder; caller frees. */
static char *put(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    _cleanup_free_ char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

    assert_int_equal(file_mkdirs(dir, 0700, NULL), 0);
    assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
    return path;
}

static struct kubeconfig *load(const char *path)
{
    struct kubeconfig *k = NULL;
    _cleanup_err_ struct err *err = NULL;

    if (kubeconfig_load(path, &k, &err) < 0)
        fail_msg("%s", err_text(err));
    return k;
}

static struct kube_config *resolve(const struct kubeconfig *k, const struct kube_overrides *o)
{
    struct kube_config *c = NULL;
    _cleanup_err_ struct err *err = NULL;

    if (kubeconfig_resolve(k, o, &c, &err) < 0)
        fail_msg("%s", err_text(err));
    return c;
}

/* The configuration must be refused with this code, and with these words in the message. */
static void refuse(const struct kubeconfig *k, const struct kube_overrides *o, int code, const char *words)
{
    struct kube_config *c = NULL;
    _cleanup_err_ struct err *err = NULL;

    assert_int_equal(kubeconfig_resolve(k, o, &c, &err), code);
    assert_null(c);
    if (!strstr(err->message, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err->message);
}

static const char usual[] =
    "apiVersion: v1\n"
    "kind: Config\n"
    "current-context: one\n"
    "clusters:\n"
    "- name: c1\n"
    "  cluster:\n"
    "    server: https://one:6443/\n"
    "    certificate-authority-data: Q0EK\n"
    "    tls-server-name: api.one\n"
    "    proxy-url: http://proxy:3128\n"
    "    disable-compression: true\n"
    "    extensions:\n"
    "    - name: client.authentication.k8s.io/exec\n"
    "      extension: {audience: me}\n"
    "- name: c2\n"
    "  cluster: {server: 'https://two/prefix', insecure-skip-tls-verify: true}\n"
    "- name: c3\n"
    "  cluster: {certificate-authority: gone.crt, server: 'https://three'}\n"
    "- name: c4\n"
    "  cluster: {certificate-authority-data: '!!', server: 'https://four'}\n"
    "- name: c5\n"
    "  cluster: {server: 'ftp://five'}\n"
    "- name: c6\n"
    "  cluster: {}\n"
    "users:\n"
    "- name: u1\n"
    "  user: {client-certificate-data: Q0VSVAo=, client-key-data: S0VZCg==}\n"
    "- name: u2\n"
    "  user: {token: secret, tokenFile: t, as: me, as-uid: '7', as-groups: [a, b],\n"
    "         as-user-extra: {k: [v]}}\n"
    "- name: u3\n"
    "  user: {username: joe, password: pw}\n"
    "- name: u4\n"
    "  user: {exec: {command: ./login, apiVersion: client.authentication.k8s.io/v1}}\n"
    "- name: u5\n"
    "  user: {auth-provider: {name: gcp}}\n"
    "contexts:\n"
    "- name: one\n"
    "  context: {cluster: c1, user: u1, namespace: apps}\n"
    "- name: two\n"
    "  context: {cluster: c2, user: u2}\n"
    "- name: joe\n"
    "  context: {cluster: c2, user: u3}\n"
    "- name: exec\n"
    "  context: {cluster: c1, user: u4}\n"
    "- name: old\n"
    "  context: {cluster: c1, user: u5}\n"
    "- name: no-ca\n"
    "  context: {cluster: c3, user: u1}\n"
    "- name: bad-ca\n"
    "  context: {cluster: c4, user: u1}\n"
    "- name: ftp\n"
    "  context: {cluster: c5, user: u1}\n"
    "- name: empty\n"
    "  context: {cluster: c6, user: u1}\n"
    "- name: no-cluster\n"
    "  context: {cluster: gone, user: u1}\n"
    "- name: no-user\n"
    "  context: {cluster: c1, user: gone}\n"
    "- name: anonymous\n"
    "  context: {cluster: c1}\n";

static void test_fields(void **state _unused_)
{
    _cleanup_free_ char *path = put("usual", usual);
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(path);
    _cleanup_(kube_config_freep) struct kube_config *c = resolve(k, NULL);

    assert_false(kubeconfig_empty(k));
    assert_string_equal(kubeconfig_current_context(k), "one");
    assert_int_equal(strv_len(kubeconfig_contexts(k)), 12);
    assert_string_equal(kubeconfig_contexts(k)[1], "two");
    assert_string_equal(json_str(kubeconfig_json(k), "clusters[1].cluster.server"), "https://two/prefix");
    assert_string_equal(c->context, "one");
    assert_string_equal(c->namespace, "apps");
    assert_string_equal(c->cluster_name, "c1");
    assert_string_equal(c->user_name, "u1");
    assert_string_equal(c->server, "https://one:6443");
    assert_string_equal(c->ca_pem, "CA\n");
    assert_string_equal(c->client_cert_pem, "CERT\n");
    assert_string_equal(c->client_key_pem, "KEY\n");
    assert_string_equal(c->tls_server_name, "api.one");
    assert_string_equal(c->proxy_url, "http://proxy:3128");
    assert_true(c->disable_compression);
    assert_false(c->insecure);
    assert_string_equal(json_str(c->exec_cluster_config, "audience"), "me");
}

static void test_users(void **state _unused_)
{
    _cleanup_free_ char *path = put("usual", usual), *token_file = xasprintf("%s/t", folder);
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(path);
    _cleanup_(kube_config_freep) struct kube_config *two =
        resolve(k, &(struct kube_overrides){.context = "two"});
    _cleanup_(kube_config_freep) struct kube_config *joe =
        resolve(k, &(struct kube_overrides){.context = "joe"});
    _cleanup_(kube_config_freep) struct kube_config *exec =
        resolve(k, &(struct kube_overrides){.context = "exec"});
    _cleanup_(kube_config_freep) struct kube_config *anonymous =
        resolve(k, &(struct kube_overrides){.context = "anonymous"});

    assert_string_equal(two->namespace, "default");
    assert_string_equal(two->server, "https://two/prefix");
    assert_true(two->insecure);
    assert_string_equal(two->token, "secret");
    assert_string_equal(two->token_file, token_file);
    assert_string_equal(two->as, "me");
    assert_string_equal(two->as_uid, "7");
    assert_int_equal(strv_len(two->as_groups), 2);
    assert_string_equal(json_str(two->as_extra, "k[0]"), "v");
    assert_string_equal(joe->username, "joe");
    assert_string_equal(joe->password, "pw");
    assert_string_equal(json_str(exec->exec, "command"), "./login");
    assert_string_equal(exec->exec_dir, folder);
    assert_null(anonymous->user_name);
    assert_null(anonymous->client_cert_pem);
}

static void test_refused(void **state _unused_)
{
    _cleanup_free_ char *path = put("usual", usual), *ca = xasprintf("%s/gone.crt", folder);
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(path);
    const struct {
        const char *context;
        int code;
        const char *words;
    } rows[] = {
        {"nope", ERR_NOT_FOUND, "context \"nope\" does not exist"},
        {"no-cluster", ERR_NOT_FOUND, "cluster \"gone\" does not exist"},
        {"no-user", ERR_NOT_FOUND, "user \"gone\" does not exist"},
        {"no-ca", ERR_NOT_FOUND, ca},
        {"bad-ca", ERR_INVALID, "cluster \"c4\": certificate-authority-data is not valid base64"},
        {"ftp", ERR_INVALID, "server \"ftp://five\" is neither"},
        {"empty", ERR_INVALID, "cluster \"c6\" of context \"empty\" names no server"},
        {"old", ERR_UNSUPPORTED, "auth-provider \"gcp\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refuse(k, &(struct kube_overrides){.context = rows[i].context}, rows[i].code, rows[i].words);
    refuse(k, &(struct kube_overrides){.cluster = "nope"}, ERR_NOT_FOUND, "cluster \"nope\"");
    refuse(k, &(struct kube_overrides){.user = "nope"}, ERR_NOT_FOUND, "user \"nope\"");
    refuse(k, &(struct kube_overrides){.client_key = "/absent.key"}, ERR_NOT_FOUND, "/absent.key");
}

static void test_overrides(void **state _unused_)
{
    _cleanup_free_ char *path = put("usual", usual), *ca = put("new.crt", "NEW");
    char *groups[] = {(char *)"x", NULL};
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(path);
    _cleanup_(kube_config_freep) struct kube_config *c =
        resolve(k, &(struct kube_overrides){.context = "two",
                                            .namespace = "other",
                                            .server = "localhost:8080",
                                            .token = "mine",
                                            .certificate_authority = ca,
                                            .as = "you",
                                            .as_groups = groups});

    assert_string_equal(c->namespace, "other");
    assert_string_equal(c->server, "http://localhost:8080");
    assert_string_equal(c->token, "mine");
    assert_null(c->token_file);
    assert_string_equal(c->ca_pem, "NEW");
    assert_false(c->insecure);
    assert_string_equal(c->as, "you");
    assert_int_equal(strv_len(c->as_groups), 1);
    assert_string_equal(c->as_groups[0], "x");

    _cleanup_(kube_config_freep) struct kube_config *server =
        resolve(k, &(struct kube_overrides){.server = "https://else", .insecure = true});
    assert_null(server->tls_server_name);
    assert_null(server->ca_pem);
    assert_true(server->insecure);
    _cleanup_(kube_config_freep) struct kube_config *mixed =
        resolve(k, &(struct kube_overrides){.cluster = "c2", .user = "u3"});
    assert_string_equal(mixed->server, "https://two/prefix");
    assert_string_equal(mixed->username, "joe");
    assert_string_equal(mixed->namespace, "apps");
    _cleanup_(kube_config_freep) struct kube_config *token =
        resolve(k, &(struct kube_overrides){.context = "exec", .token = "t"});
    assert_null(token->exec);
}

/* Whole entries and current-context: the first file wins. Paths: relative to the file that holds them. */
static void test_merge(void **state _unused_)
{
    _cleanup_free_ char *a = put("a/config", "kind: Config\ncurrent-context: ''\n"
                                             "clusters:\n- name: c\n  cluster: {server: 'https://a'}\n"
                                             "contexts:\n- name: x\n  context: {cluster: c, user: u}\n");
    _cleanup_free_ char *b = put("b/config", "current-context: x\n"
                                             "clusters:\n- name: c\n  cluster: {server: 'https://b',"
                                             " insecure-skip-tls-verify: true}\n"
                                             "users:\n- name: u\n  user: {client-certificate: certs/c.crt,"
                                             " client-key: /absolute.key, tokenFile: tok}\n"
                                             "contexts:\n- name: z\n  context: {cluster: c, user: u}\n"
                                             "- name: x\n  context: {cluster: zzz}\n");
    _cleanup_free_ char *cert = put("b/certs/c.crt", "CERT"), *tok = xasprintf("%s/b/tok", folder);
    _cleanup_free_ char *list = xasprintf("%s:%s/absent::%s:%s", a, folder, b, a);

    setenv("KUBECONFIG", list, 1);
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(NULL);
    unsetenv("KUBECONFIG");
    assert_string_equal(kubeconfig_current_context(k), "x");
    assert_int_equal(strv_len(kubeconfig_contexts(k)), 2);
    refuse(k, NULL, ERR_NOT_FOUND, "/absolute.key");
    _cleanup_free_ char *key = put("k.key", "KEY");
    _cleanup_(kube_config_freep) struct kube_config *c = NULL;
    _cleanup_free_ char *b2 = put("b/config", "current-context: x\n"
                                              "users:\n- name: u\n  user: {client-certificate: certs/c.crt,"
                                              " client-key: ../k.key, tokenFile: tok}\n");
    setenv("KUBECONFIG", list, 1);
    _cleanup_(kubeconfig_freep) struct kubeconfig *again = load(NULL);
    unsetenv("KUBECONFIG");
    c = resolve(again, NULL);
    assert_string_equal(c->server, "https://a");
    assert_false(c->insecure);
    assert_string_equal(c->client_cert_pem, "CERT");
    assert_string_equal(c->client_key_pem, "KEY");
    assert_string_equal(c->token_file, tok);
}

static void test_home(void **state _unused_)
{
    _cleanup_free_ char *path = put("home/.kube/config", usual), *home = xasprintf("%s/home", folder);
    _cleanup_free_ char *old = xstrdup_null(getenv("HOME"));

    unsetenv("KUBECONFIG");
    setenv("HOME", home, 1);
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = load(NULL);
    assert_string_equal(kubeconfig_current_context(k), "one");
    setenv("HOME", folder, 1);
    _cleanup_(kubeconfig_freep) struct kubeconfig *none = load(NULL);
    assert_true(kubeconfig_empty(none));
    assert_null(kubeconfig_current_context(none));
    assert_null(*kubeconfig_contexts(none));
    refuse(none, NULL, ERR_NOT_FOUND, "no configuration has been provided");
    refuse(none, &(struct kube_overrides){.context = "x"}, ERR_NOT_FOUND, "context \"x\" does not exist");
    _cleanup_(kube_config_freep) struct kube_config *c =
        resolve(none, &(struct kube_overrides){.server = "https://direct:1", .token = "t"});
    assert_string_equal(c->server, "https://direct:1");
    assert_string_equal(c->namespace, "default");
    assert_string_equal(c->token, "t");
    if (old)
        setenv("HOME", old, 1);
}

static void broken(const char *text, int code, const char *words)
{
    _cleanup_free_ char *path = put("broken", text);
    _cleanup_err_ struct err *err = NULL;
    struct kubeconfig *k = NULL;

    assert_int_equal(kubeconfig_load(path, &k, &err), code);
    assert_null(k);
    if (!strstr(err->message, path) || !strstr(err->message, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err->message);
}

static void test_broken_files(void **state _unused_)
{
    _cleanup_err_ struct err *missing = NULL;
    struct kubeconfig *k = NULL;

    broken("clusters: [\n", ERR_INVALID, "broken:2:1:");
    broken("a: 1\na: 2\n", ERR_INVALID, "broken:2:1:");
    broken("kind: Pod\n", ERR_INVALID, "Pod");
    broken("[1, 2]\n", ERR_INVALID, "no kubeconfig");
    broken("hello\n", ERR_INVALID, "no kubeconfig");
    broken("kind: Config\n---\nkind: Config\n", ERR_INVALID, "one document");
    assert_int_equal(kubeconfig_load("/absent/config", &k, &missing), ERR_NOT_FOUND);
    assert_non_null(strstr(missing->message, "/absent/config"));
    broken("clusters: 5\n", ERR_INVALID, "clusters is no list");
    broken("contexts: {a: b}\n", ERR_INVALID, "contexts is no list");
    broken("users: [1]\n", ERR_INVALID, "users holds something that is no entry");
    /* Odd, but no reason to stop: entries without a name are as if they were not there. */
    _cleanup_free_ char *odd =
        put("odd", "users: [{name: 5}, {user: {}}]\ncontexts:\ncurrent-context: [x]\n");
    _cleanup_(kubeconfig_freep) struct kubeconfig *strange = load(odd);
    refuse(strange, NULL, ERR_NOT_FOUND, "current-context");
    _cleanup_free_ char *empty = put("empty", "");
    _cleanup_(kubeconfig_freep) struct kubeconfig *nothing = load(empty);
    assert_true(kubeconfig_empty(nothing));
}

static void test_in_cluster(void **state _unused_)
{
    _cleanup_free_ char *ca = put("sa/ca.crt", "CA"), *ns = put("sa/namespace", "team\n"),
                        *token = put("sa/token", "t0"), *dir = xasprintf("%s/sa", folder),
                        *empty = xasprintf("%s/none", folder);
    _cleanup_err_ struct err *outside = NULL, *without = NULL;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL;
    struct kube_config *none = NULL;

    assert_int_equal(kube_config_in_cluster(dir, &none, &outside), ERR_NOT_FOUND);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(kube_config_in_cluster(dir, &c, NULL), 0);
    assert_int_equal(kube_config_in_cluster(empty, &none, &without), ERR_NOT_FOUND);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    assert_null(none);
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->namespace, "team");
    assert_string_equal(c->ca_pem, "CA");
    assert_string_equal(c->token_file, token);
    assert_string_equal(c->context, "in-cluster");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_users),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_merge),        cmocka_unit_test(test_home),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_in_cluster),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
