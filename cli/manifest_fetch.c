#include "cli/manifest_fetch.h"

#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/child.h"
#include "cli/manifest.h"

bool manifest_is_url(const char *path)
{
    return strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0;
}

/* "https://host:port" and "/path?query", without a fragment. */
static int split_url(const char *url, char **ret_server, char **ret_path, struct err **err)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, "/?#");

    if (len == 0)
        return err_set(err, ERR_INVALID, "%s: the address names no host", url);
    /* A password in an address ends up in histories and logs. */
    if (memchr(host, '@', len))
        return err_set(err, ERR_INVALID, "%.*s...: addresses with a user or password are not read",
                       (int)(host - url), url);
    const char *rest = host + len;
    *ret_server = xstrndup(url, (size_t)(rest - url));
    for (char *p = *ret_server; *p && *p != ':'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    *ret_path = xasprintf("%s%.*s", *rest == '/' ? "" : "/", (int)strcspn(rest, "#"), rest);
    return 0;
}

static int get(struct kube_client *client, const char *url, const char *path, struct buf *text,
               struct err **err)
{
    struct kube_call call = {.method = "GET", .path = path, .accept = "*/*"};

    for (int tries = 1;; tries++) {
        _cleanup_answer_ struct kube_answer answer = {0};
        _cleanup_err_ struct err *e = NULL;
        int r = kube_answer_wait(client, &call, &answer, &e);
        if (r == 0)
            return buf_add(text, answer.body, answer.len) < 0
                       ? err_set(err, ERR_TOO_LARGE, "%s: more than %d bytes", url, MANIFEST_MAX_FILE)
                       : 0;
        if (e->http >= 500 && tries < MANIFEST_FETCH_TRIES)
            continue;
        if (e->http)
            return err_set(err, r, "unable to read URL \"%s\", server reported status code=%d", url, e->http);
        return err_set(err, r == ERR_TOO_LARGE ? ERR_TOO_LARGE : ERR_FAILED, "unable to read URL \"%s\": %s",
                       url, e->message);
    }
}

int manifest_fetch(struct cmd_ctx *c, const char *url, struct buf *text, struct err **err)
{
    _cleanup_free_ char *server = NULL, *path = NULL;
    _cleanup_(kube_client_freep) struct kube_client *client = NULL;
    int r = split_url(url, &server, &path, err);

    if (r < 0)
        return r;
    struct kube_config config = {.server = server};
    struct kube_client_options options = {.max_body = MANIFEST_MAX_FILE,
                                          .timeout_ms = MANIFEST_FETCH_TIMEOUT_S * 1000,
                                          .follow = true,
                                          .no_terminal = true};
    r = kube_client_new(cmd_loop(c), &config, &options, &client, err);
    return r < 0 ? r : get(client, url, path, text, err);
}

int manifest_kustomize(struct cmd_ctx *c, const char *dir, struct buf *text, struct err **err)
{
    static const char *const commands[][2] = {{"kustomize", "build"}, {"kubectl", "kustomize"}};

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        /* A folder may be called "-x". */
        char *const argv[] = {(char *)(uintptr_t)commands[i][0], (char *)(uintptr_t)commands[i][1],
                              (char *)(uintptr_t) "--", (char *)(uintptr_t)dir, NULL};
        struct child child = {.argv = argv, .out = text};
        _cleanup_err_ struct err *e = NULL;
        int code = 0;
        int r = child_run(c, &child, &code, &e);
        if (r == ERR_NOT_FOUND)
            continue;
        if (r < 0)
            return err_move(err, TAKE_PTR(e));
        if (code)
            return err_set(err, ERR_FAILED, "%s %s %s failed (exit code %d)", commands[i][0], commands[i][1],
                           dir, code);
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "-k %s: neither kustomize nor kubectl is in PATH: install one of them, or build the "
                   "manifests elsewhere and give them with -f",
                   dir);
}
