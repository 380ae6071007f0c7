#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/client_internal.h"
#include "kube/tls.h"

/* A projected token is replaced well before it expires; looking once a minute is often enough. */
enum { TOKEN_LOOK_MS = 60 * 1000, TOKEN_MOST = 64 * 1024 };

static int read_token_file(struct kube_client *c, struct err **err)
{
    const char *path = c->config->token_file;
    struct stat st;
    char *text = NULL;

    c->auth.token_read_ms = loop_now_ms(c->loop);
    if (stat(path, &st) < 0)
        return err_set_os(err, errno, "token file %s", path);
    int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    if (c->auth.token && mtime == c->auth.token_mtime_ns)
        return 0;
    int r = file_read(path, TOKEN_MOST, &text, NULL, err);
    if (r < 0)
        return err_wrap(err, "token file");
    text[strcspn(text, "\r\n \t")] = '\0';
    if (!*text) {
        free(text);
        return err_set(err, ERR_UNAUTHORIZED, "token file %s is empty", path);
    }
    if (!c->auth.token || !streq(c->auth.token, text))
        c->auth.serial++;
    free(c->auth.token);
    c->auth.token = text;
    c->auth.token_mtime_ns = mtime;
    return 0;
}

static void on_login(void *arg, const struct err *err)
{
    kube_client_login_done(arg, err);
}

static void on_talk(void *arg, const char *line)
{
    const struct kube_client *c = arg;

    if (c->options.talk)
        c->options.talk(c->options.talk_arg, line);
}

/* Credentials do not travel unprotected through a network; kubectl's rule too. */
static bool may_send(const struct kube_client *c)
{
    return str_starts(c->config->server, "https://") || kube_is_loopback(c->host_port);
}

int kube_auth_init(struct kube_client *c, struct err **err)
{
    const struct kube_config *config = c->config;

    if (config->token)
        c->auth.token = xstrdup(config->token);
    /* The file is the newer of the two; the token stands in while there is none. */
    if (config->token_file) {
        struct err *e = NULL;
        int r = read_token_file(c, &e);
        if (r < 0 && !c->auth.token)
            return err_move(err, e);
        err_free(e);
    }
    if (config->exec && !c->auth.token && !config->username) {
        c->auth.waiter =
            (struct kube_exec_waiter){.done = on_login, .talk = c->options.talk ? on_talk : NULL, .arg = c};
        return kube_exec_get(c->loop, config, !c->options.no_terminal, c->options.login_ms, &c->auth.exec,
                             err);
    }
    return 0;
}

void kube_auth_release(struct kube_client *c)
{
    if (c->auth.exec) {
        kube_exec_forget(c->auth.exec, &c->auth.waiter);
        kube_exec_put(c->auth.exec);
    }
    if (c->auth.token)
        explicit_bzero(c->auth.token, strlen(c->auth.token));
    free(c->auth.token);
    c->auth = (struct kube_auth){0};
}

bool kube_auth_ready(struct kube_client *c)
{
    if (!c->auth.exec || !may_send(c) || kube_exec_fresh(c->auth.exec))
        return true;
    kube_exec_run(c->auth.exec, &c->auth.waiter);
    return false;
}

static const struct kube_credential *credential(const struct kube_client *c)
{
    return c->auth.exec ? kube_exec_last(c->auth.exec) : NULL;
}

int kube_auth_header(struct kube_client *c, char **ret, struct err **err)
{
    const struct kube_config *config = c->config;
    const struct kube_credential *login = credential(c);

    *ret = NULL;
    if (!may_send(c))
        return 0;
    if (config->token_file && loop_now_ms(c->loop) - c->auth.token_read_ms >= TOKEN_LOOK_MS) {
        /* A file that is being replaced may be gone for a moment: the old token goes on. */
        struct err *e = NULL;
        if (read_token_file(c, &e) < 0 && !c->auth.token)
            return err_move(err, e);
        err_free(e);
    }
    const char *token = login ? login->token : c->auth.token;
    if (token && strpbrk(token, "\r\n"))
        return err_set(err, ERR_INVALID, "the token of user \"%s\" holds a line break",
                       config->user_name ? config->user_name : "");
    if (token) {
        *ret = xasprintf("Authorization: Bearer %s", token);
    } else if (config->username) {
        _cleanup_free_ char *pair =
            xasprintf("%s:%s", config->username, config->password ? config->password : "");
        _cleanup_free_ char *encoded = str_base64_encode(pair, strlen(pair));
        *ret = xasprintf("Authorization: Basic %s", encoded);
    }
    return 0;
}

const char *kube_auth_cert(const struct kube_client *c, const char **ret_key)
{
    const struct kube_credential *login = credential(c);

    if (login && login->cert_pem) {
        *ret_key = login->key_pem;
        return login->cert_pem;
    }
    *ret_key = c->config->client_key_pem;
    return c->config->client_cert_pem;
}

bool kube_client_can_renew(const struct kube_client *c)
{
    return c->config->token_file || (c->auth.exec && !kube_exec_interactive(c->auth.exec));
}

/* "exp" of a JSON Web Token, 0 when it is none or has none. */
static int64_t expiry_of(const char *token)
{
    const int64_t latest_s = INT64_C(9000000000);
    const char *from = strchr(token, '.'), *to = from ? strchr(from + 1, '.') : NULL;
    _cleanup_json_ cJSON *claims = NULL;
    _cleanup_free_ char *decoded = NULL;
    size_t len;

    if (!to)
        return 0;
    _cleanup_free_ char *middle = xasprintf("%.*s===", (int)(to - from - 1), from + 1);
    middle[(strlen(middle) - 3 + 3) / 4 * 4] = '\0';
    for (char *p = middle; *p; p++)
        *p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    if (str_base64_decode(middle, &decoded, &len) < 0 || json_parse(decoded, len, "token", &claims, NULL) < 0)
        return 0;
    double exp = json_num(claims, "exp", 0);
    return exp > 0 && exp < (double)latest_s ? (int64_t)exp : 0;
}

char *kube_auth_trouble(const struct kube_client *c)
{
    const struct kube_credential *login = credential(c);
    const char *token = login ? login->token : c->auth.token, *key;
    const char *cert = kube_auth_cert(c, &key), *user = c->config->user_name ? c->config->user_name : "";

    if (!token && !cert && !c->config->username && !*user)
        return xstrdup("no credentials are configured");
    if (!token && !cert && !c->config->username)
        return xasprintf("user \"%s\" of the kubeconfig has no credentials", user);
    if (!may_send(c) && !cert)
        return xstrdup("credentials are sent to an https:// server only");
    int64_t expiry_s = token ? expiry_of(token) : 0;
    if (expiry_s && expiry_s * 1000000000 < time_now_ns()) {
        char when[TIME_RFC3339_LEN];
        return xasprintf("the token of user \"%s\" expired on %s", user,
                         time_rfc3339(expiry_s * 1000000000, 0, when));
    }
    _cleanup_free_ char *trouble = cert && !token ? kube_tls_cert_trouble(cert) : NULL;
    return trouble ? xasprintf("%s (client certificate of user \"%s\")", trouble, user) : NULL;
}

unsigned kube_auth_serial(const struct kube_client *c)
{
    const struct kube_credential *login = credential(c);

    return login ? login->serial : c->auth.serial;
}

bool kube_auth_refresh(struct kube_client *c, unsigned serial)
{
    if (!may_send(c))
        return false;
    if (serial != kube_auth_serial(c))
        return true; /* somebody else has got new ones meanwhile */
    if (c->auth.exec) {
        kube_exec_distrust(c->auth.exec, serial);
        return true;
    }
    if (!c->config->token_file)
        return false;
    c->auth.token_mtime_ns = 0;
    return read_token_file(c, NULL) == 0 && c->auth.serial != serial;
}
