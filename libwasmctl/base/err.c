#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    const char *text;
} err_table[] = {
#define X(name, text) {#name, text},
    ERR_CODES(X)
#undef X
};

int err_setv(struct err **err, int code, const char *fmt, va_list ap)
{
    if (!err)
        return code;
    struct err *e = xcalloc(1, sizeof(*e));
    e->code = code;
    e->message = xvasprintf(fmt, ap);
    err_free(*err); /* only now: the arguments may be parts of it */
    *err = e;
    return code;
}

int err_set(struct err **err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_setv(err, code, fmt, ap);
    va_end(ap);
    return code;
}

static int err_code_of_errno(int os)
{
    switch (os) {
    case ENOENT:
    case ESRCH:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_FORBIDDEN;
    case EEXIST:
        return ERR_ALREADY_EXISTS;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
        return ERR_INVALID;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPIPE:
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}

int err_set_os(struct err **err, int os, const char *fmt, ...)
{
    int code = err_code_of_errno(os);

    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    err_set(err, code, "%s: %s", text, strerror(os));
    (*err)->os = os;
    return code;
}

int err_wrap(struct err **err, const char *fmt, ...)
{
    if (!err || !*err)
        return ERR_FAILED;
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *context = xvasprintf(fmt, ap);
    va_end(ap);
    char *message = xasprintf("%s: %s", context, (*err)->message);
    free((*err)->message);
    (*err)->message = message;
    return (*err)->code;
}

int err_move(struct err **dst, struct err *src)
{
    if (!src)
        return 0;
    int code = src->code;
    if (dst) {
        err_free(*dst);
        *dst = src;
    } else {
        err_free(src);
    }
    return code;
}

struct err *err_copy(const struct err *e)
{
    if (!e)
        return NULL;
    struct err *copy = xcalloc(1, sizeof(*copy));
    *copy = *e;
    copy->reason = xstrdup_null(e->reason);
    copy->message = xstrdup(e->message);
    copy->details = xstrdup_null(e->details);
    return copy;
}

void err_free(struct err *e)
{
    if (!e)
        return;
    free(e->reason);
    free(e->message);
    free(e->details);
    free(e);
}

const char *err_code_name(int code)
{
    size_t i = (size_t)(-1 - code);

    if (code >= 0 || i >= ARRAY_LEN(err_table))
        return code == 0 ? "OK" : "UNKNOWN";
    return err_table[i].name;
}

const char *err_code_text(int code)
{
    size_t i = (size_t)(-1 - code);

    if (code >= 0 || i >= ARRAY_LEN(err_table))
        return code == 0 ? "success" : "unknown error";
    return err_table[i].text;
}

const char *err_text(const struct err *e)
{
    return e ? e->message : "unknown error";
}
