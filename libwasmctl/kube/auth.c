#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client_internal.h"

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
    free(c->auth.token);
    c->auth.token = text;
    c->auth.token_mtime_ns = mtime;
    return 0;
}

int kube_auth_init(struct kube_client *c, struct err **err)
{
    const struct kube_config *config = c->config;

    if (config->exec)
        return err_set(
            err, ERR_UNSUPPORTED,
            "user \"%s\" logs in by the exec plugin \"%s\", which is not supported yet: use a token or a "
            "client certificate",
            config->user_name, json_str_or(config->exec, "command", ""));
    if (config->token)
        c->auth.token = xstrdup(config->token);
    else if (config->token_file)
        return read_token_file(c, err);
    return 0;
}

void kube_auth_release(struct kube_client *c)
{
    if (c->auth.token)
        explicit_bzero(c->auth.token, strlen(c->auth.token));
    free(c->auth.token);
    c->auth = (struct kube_auth){0};
}

int kube_auth_header(struct kube_client *c, char **ret, struct err **err)
{
    const struct kube_config *config = c->config;

    *ret = NULL;
    if (config->token_file && !config->token &&
        loop_now_ms(c->loop) - c->auth.token_read_ms >= TOKEN_LOOK_MS) {
        /* A file that is being replaced may be gone for a moment: the old token goes on. */
        struct err *e = NULL;
        if (read_token_file(c, &e) < 0 && !c->auth.token)
            return err_move(err, e);
        err_free(e);
    }
    if (c->auth.token) {
        *ret = xasprintf("Authorization: Bearer %s", c->auth.token);
    } else if (config->username) {
        _cleanup_free_ char *pair =
            xasprintf("%s:%s", config->username, config->password ? config->password : "");
        _cleanup_free_ char *encoded = str_base64_encode(pair, strlen(pair));
        *ret = xasprintf("Authorization: Basic %s", encoded);
    }
    return 0;
}

bool kube_auth_refresh(struct kube_client *c)
{
    if (!c->config->token_file || c->config->token)
        return false;
    _cleanup_free_ char *before = xstrdup_null(c->auth.token);
    c->auth.token_mtime_ns = 0;
    return read_token_file(c, NULL) == 0 && !streq_null(before, c->auth.token);
}
