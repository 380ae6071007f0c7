#include "base/str.h"

#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <errno.h>
#include <stdlib.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

char *str_lower(const char *s)
{
    char *lower = xstrdup(s);

    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return lower;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    char *end = NULL;

    if (!s || !(isdigit((unsigned char)*s) || (*s == '-' && isdigit((unsigned char)s[1]))))
        return false;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno || *end || n < min || n > max)
        return false;
    *ret = n;
    return true;
}

char **strv_new(void)
{
    return xcalloc(1, sizeof(char *));
}

size_t strv_len(char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

void strv_push(char ***v, const char *s)
{
    size_t n = strv_len(*v);

    *v = xreallocarray(*v, n + 2, sizeof(char *));
    (*v)[n] = xstrdup(s);
    (*v)[n + 1] = NULL;
}

void strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

char **strv_copy(char *const *v)
{
    char **copy = strv_new();

    for (size_t i = 0; v && v[i]; i++)
        strv_push(&copy, v[i]);
    return copy;
}

bool strv_has(char *const *v, const char *s)
{
    for (size_t i = 0; v && v[i]; i++)
        if (streq(v[i], s))
            return true;
    return false;
}

char **strv_split(const char *s, char sep, bool keep_empty)
{
    char **v = strv_new();

    for (const char *p = s;;) {
        const char *end = strchrnul(p, sep);
        if (end > p || keep_empty) {
            _cleanup_free_ char *part = xstrndup(p, (size_t)(end - p));
            strv_push(&v, part);
        }
        if (!*end)
            return v;
        p = end + 1;
    }
}

char *strv_join(char *const *v, const char *sep)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; v && v[i]; i++) {
        if (i)
            buf_adds(&b, sep);
        buf_adds(&b, v[i]);
    }
    return buf_take(&b);
}

static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t n = strlen(a), m = strlen(b);
    size_t row[LONGEST + 1];

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *str_suggest(const char *s, const char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = 0;

    for (size_t i = 0; candidates[i]; i++) {
        size_t d = edit_distance(s, candidates[i]);
        size_t limit = strlen(candidates[i]) / 3 + 1;
        if (d <= limit && (!best || d < best_distance)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

size_t str_utf8_next(const char *s, uint32_t *ret_cp)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t len = *p < 0x80             ? 1
                 : (*p & 0xe0) == 0xc0 ? 2
                 : (*p & 0xf0) == 0xe0 ? 3
                 : (*p & 0xf8) == 0xf0 ? 4
                                       : 0;
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};

    if (!len)
        return 0;
    uint32_t cp = len == 1 ? *p : *p & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = (cp << 6) | (p[i] & 0x3fu);
    }
    if (cp < lowest[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *ret_cp = cp;
    return len;
}

/* Characters that steer a terminal or the reading direction. */
static bool is_unsafe(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0x2028 || cp == 0x2029;
}

char *str_escape_control(const char *s, bool keep_newlines)
{
    struct buf b = BUF_INIT;

    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        uint32_t cp = 0;
        size_t n = str_utf8_next((const char *)p, &cp);
        if (!n) {
            buf_addf(&b, "\\x%02x", *p++);
            continue;
        }
        if (is_unsafe(cp) && !(keep_newlines && (cp == '\n' || cp == '\t'))) {
            if (cp == '\n')
                buf_adds(&b, "\\n");
            else if (cp == '\t')
                buf_adds(&b, "\\t");
            else if (cp == '\r')
                buf_adds(&b, "\\r");
            else
                buf_addf(&b, cp < 0x100 ? "\\x%02x" : "\\u%04x", cp);
        } else {
            buf_add(&b, p, n);
        }
        p += n;
    }
    return buf_take(&b);
}

/* libc knows the widths of all characters, in a UTF-8 locale; the one of the program is "C". (locale_t)0
 * where there is none: every character counts as one column then. */
static locale_t width_locale(void)
{
    static const char *const names[] = {"C.UTF-8", "", "en_US.UTF-8"};
    static locale_t found;
    static bool looked;

    for (size_t i = 0; i < ARRAY_LEN(names) && !looked; i++) {
        locale_t l = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
        if (l && streq(nl_langinfo_l(CODESET, l), "UTF-8")) {
            found = l;
            break;
        }
        if (l)
            freelocale(l);
    }
    looked = true;
    return found;
}

size_t str_width(const char *s)
{
    const char *p = s;
    size_t width = 0;

    while (*p > 0 && *p < 0x7f)
        p++;
    width = (size_t)(p - s);
    if (!*p)
        return width;
    locale_t before = width_locale() ? uselocale(width_locale()) : (locale_t)0;
    while (*p) {
        uint32_t cp = 0;
        size_t n = str_utf8_next(p, &cp);
        int w = n && before ? wcwidth((wchar_t)cp) : 1;
        width += w < 0 ? 1 : (size_t)w;
        p += n ? n : 1;
    }
    if (before)
        uselocale(before);
    return width;
}

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *str_base64_encode(const void *data, size_t len)
{
    const unsigned char *p = data;
    char *out = xmalloc((len + 2) / 3 * 4 + 1), *o = out;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t v =
            (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);
        *o++ = base64_alphabet[v >> 18];
        *o++ = base64_alphabet[v >> 12 & 63];
        *o++ = i + 1 < len ? base64_alphabet[v >> 6 & 63] : '=';
        *o++ = i + 2 < len ? base64_alphabet[v & 63] : '=';
    }
    *o = '\0';
    return out;
}

int str_base64_decode(const char *s, char **ret_data, size_t *ret_len)
{
    _cleanup_free_ char *out = xmalloc(strlen(s) / 4 * 3 + 4);
    size_t len = 0, chars = 0, padding = 0;
    uint32_t v = 0;

    for (; *s; s++) {
        if (isspace((unsigned char)*s))
            continue;
        const char *at = strchr(base64_alphabet, *s);
        if (*s == '=') {
            padding++;
            at = base64_alphabet;
        } else if (!at || padding) {
            return ERR_INVALID;
        }
        v = v << 6 | (uint32_t)(at - base64_alphabet);
        if (++chars % 4 == 0) {
            out[len++] = (char)(v >> 16);
            out[len++] = (char)(v >> 8);
            out[len++] = (char)v;
            v = 0;
        }
    }
    if (chars % 4 || padding > 2)
        return ERR_INVALID;
    len -= padding;
    out[len] = '\0';
    *ret_data = TAKE_PTR(out);
    *ret_len = len;
    return 0;
}

uint64_t str_hash64(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = seed;

    for (size_t i = 0; i < len; i++) {
        h ^= p[i];
        h *= UINT64_C(1099511628211);
    }
    return h;
}
