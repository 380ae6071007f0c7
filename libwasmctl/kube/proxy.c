#include "kube/proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

int kube_proxy_check(const char *url, struct err **err)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    _cleanup_free_ char *shown = kube_url_shown(url);

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) != 0)
            continue;
        const char *host = url + strlen(schemes[i]);
        size_t len = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', len);
        if (len > (at ? (size_t)(at + 1 - host) : 0))
            return 0;
        return err_set(err, ERR_INVALID, "\"%s\" names no host", shown);
    }
    return err_set(err, ERR_INVALID, "\"%s\" has an unsupported scheme: it must be http, https or socks5",
                   shown);
}

char *kube_proxy_normal(const char *url)
{
    static const char socks[] = "socks5://";

    if (strncasecmp(url, socks, strlen(socks)) == 0)
        return xasprintf("socks5h://%s", url + strlen(socks));
    return xstrdup(url);
}

char *kube_url_shown(const char *url)
{
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));

    return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}

/* Host without brackets, in small letters; *ret_port points into host_port. */
static char *split_port(const char *host_port, const char **ret_port)
{
    const char *colon = strrchr(host_port, ':'), *bracket = strrchr(host_port, ']');
    bool has_port = colon && (bracket ? colon > bracket : strchr(host_port, ':') == colon);
    size_t len = has_port ? (size_t)(colon - host_port) : strlen(host_port);

    *ret_port = has_port ? colon + 1 : "";
    if (len >= 2 && *host_port == '[' && host_port[len - 1] == ']') {
        host_port++;
        len -= 2;
    }
    _cleanup_free_ char *host = xstrndup(host_port, len);
    return str_lower(host);
}

/* Bytes of an address: 4, 16, or 0 when it is none. */
static int read_address(const char *s, unsigned char out[16])
{
    if (inet_pton(AF_INET, s, out) == 1)
        return 4;
    return inet_pton(AF_INET6, s, out) == 1 ? 16 : 0;
}

static bool in_network(const char *network, const char *host)
{
    const char *slash = strchr(network, '/');
    unsigned char base[16], address[16];
    int64_t bits;

    if (!slash)
        return false;
    _cleanup_free_ char *text = xstrndup(network, (size_t)(slash - network));
    int n = read_address(text, base);
    if (!n || read_address(host, address) != n || !str_to_i64(slash + 1, 0, n * 8, &bits))
        return false;
    size_t whole = (size_t)bits / 8;
    unsigned rest = (unsigned)bits % 8;
    if (memcmp(base, address, whole) != 0)
        return false;
    return !rest || base[whole] >> (8 - rest) == address[whole] >> (8 - rest);
}

static bool covers(const char *entry, const char *host, const char *port)
{
    unsigned char a[16], b[16];

    if (strchr(entry, '/'))
        return in_network(entry, host);
    const char *entry_port;
    _cleanup_free_ char *name = split_port(entry, &entry_port);
    if (*entry_port && !streq(entry_port, port))
        return false;
    int n = read_address(name, a);
    if (n)
        return read_address(host, b) == n && memcmp(a, b, (size_t)n) == 0;
    const char *suffix = str_starts(name, "*.") ? name + 1 : name;
    if (*suffix == '.')
        return suffix[1] && str_ends(host, suffix) && strlen(host) > strlen(suffix);
    size_t host_len = strlen(host), len = strlen(name);
    return len && str_ends(host, name) && (host_len == len || host[host_len - len - 1] == '.');
}

bool kube_proxy_excluded(const char *no_proxy, const char *host_port)
{
    const char *port;
    _cleanup_free_ char *host = split_port(host_port, &port);

    for (const char *p = no_proxy; *p;) {
        p += strspn(p, ", \t");
        size_t len = strcspn(p, ", \t");
        _cleanup_free_ char *entry = xstrndup(p, len);
        if (streq(entry, "*") || (*entry && covers(entry, host, port)))
            return true;
        p += len;
    }
    return false;
}

static const char *variable(const char *capitals, const char *small, const char **ret_name)
{
    const char *value = getenv(capitals);

    *ret_name = capitals;
    if (str_empty(value)) {
        value = getenv(small);
        *ret_name = small;
    }
    return value;
}

static bool is_own_host(const char *host_port)
{
    const char *port;
    _cleanup_free_ char *host = split_port(host_port, &port);
    unsigned char a[16];
    static const unsigned char loop6[16] = {[15] = 1};

    if (streq(host, "localhost"))
        return true;
    int n = read_address(host, a);
    return (n == 4 && a[0] == 127) || (n == 16 && memcmp(a, loop6, sizeof(loop6)) == 0);
}

char *kube_proxy_of_environment(bool https, const char *host_port, const char **ret_from)
{
    const char *name, *ignored;
    const char *proxy =
        https ? variable("HTTPS_PROXY", "https_proxy", &name) : variable("HTTP_PROXY", "http_proxy", &name);
    const char *except = variable("NO_PROXY", "no_proxy", &ignored);

    *ret_from = NULL;
    if (str_empty(proxy) || is_own_host(host_port) || (except && kube_proxy_excluded(except, host_port)))
        return xstrdup("");
    *ret_from = name;
    return kube_proxy_normal(proxy);
}
