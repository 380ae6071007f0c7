#include "model/interface.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_wit_name(const char *s)
{
    if (*s < 'a' || *s > 'z')
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '-'))
            return false;
    return true;
}

int model_interface_parse(const char *text, struct model_interface *ret, struct err **err)
{
    struct model_interface i = {0};
    const char *colon = strchr(text, ':'), *slash = colon ? strchr(colon, '/') : NULL;
    const char *at = slash ? strchr(slash, '@') : NULL;

    if (!slash)
        return err_set(err, ERR_INVALID, "\"%s\" is not an interface like wasi:http/incoming-handler", text);
    _cleanup_free_ char *names = at ? xstrndup(slash + 1, (size_t)(at - slash - 1)) : xstrdup(slash + 1);
    i.namespace = xstrndup(text, (size_t)(colon - text));
    i.package = xstrndup(colon + 1, (size_t)(slash - colon - 1));
    i.interfaces = strv_split(names, ',', true);
    i.version = at ? xstrdup(at + 1) : NULL;
    qsort(i.interfaces, strv_len(i.interfaces), sizeof(char *), compare);

    bool ok = is_wit_name(i.namespace) && is_wit_name(i.package) && (!i.version || *i.version);
    for (size_t n = 0; i.interfaces[n]; n++)
        ok = ok && is_wit_name(i.interfaces[n]);
    if (!ok) {
        model_interface_release(&i);
        return err_set(err, ERR_INVALID, "\"%s\" is not an interface like wasi:keyvalue/store,atomics", text);
    }
    *ret = i;
    return 0;
}

void model_interface_release(struct model_interface *i)
{
    free(i->namespace);
    free(i->package);
    free(i->version);
    strv_free(i->interfaces);
    *i = (struct model_interface){0};
}

bool model_interface_is_export(const struct model_interface *i)
{
    for (size_t n = 0; i->interfaces && i->interfaces[n]; n++)
        if (streq(i->interfaces[n], "incoming-handler") ||
            (streq(i->package, "messaging") && str_ends(i->interfaces[n], "handler")))
            return true;
    return false;
}

bool model_interface_is_http(const struct model_interface *i)
{
    return i->namespace && streq(i->namespace, "wasi") && streq(i->package, "http");
}
