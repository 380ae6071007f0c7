/* The reader of JSON: the grammar of RFC 8259 to the letter, since what comes in is other programs' and
 * people's text and the message has to name the place. Trees are cJSON's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/json.h"

enum { NUMBER_LONGEST = 400, FEW_MEMBERS = 16 };

struct reader {
    const char *text, *p, *end;
    const char *what;
    unsigned first_line;
    bool from_person; /* refuse what would be lost silently: repeated keys, integers past 2^53 */
    struct err **err;
};

static int value(struct reader *r, int depth, cJSON **ret);

static int fail_at(const struct reader *r, const char *at, int code, const char *fmt, ...) _printf_(4, 5);

static int fail_at(const struct reader *r, const char *at, int code, const char *fmt, ...)
{
    unsigned line = r->first_line;
    const char *start = r->text;
    va_list ap;

    for (const char *p = r->text; p < at; p++) {
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    }
    va_start(ap, fmt);
    err_setv(r->err, code, fmt, ap);
    va_end(ap);
    err_wrap(r->err, "%s:%u:%zu", r->what, line, (size_t)(at - start) + 1);
    return code;
}

static int invalid(const struct reader *r, const char *at, const char *why)
{
    if (at >= r->end)
        return fail_at(r, r->end, ERR_INVALID, "is no valid JSON: it ends too early");
    return fail_at(r, at, ERR_INVALID, "is no valid JSON: %s", why);
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool at_char(const struct reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}

static bool is_digit(const struct reader *r)
{
    return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* Strings */

static int hex4(struct reader *r, uint32_t *ret)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++, r->p++) {
        char c = r->p < r->end ? *r->p : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return invalid(r, r->p, "\\u needs four hexadecimal digits");
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

static char *put_utf8(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        *out++ = (char)cp;
    } else if (cp < 0x800) {
        *out++ = (char)(0xc0 | cp >> 6);
        *out++ = (char)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        *out++ = (char)(0xe0 | cp >> 12);
        *out++ = (char)(0x80 | (cp >> 6 & 0x3f));
        *out++ = (char)(0x80 | (cp & 0x3f));
    } else {
        *out++ = (char)(0xf0 | cp >> 18);
        *out++ = (char)(0x80 | (cp >> 12 & 0x3f));
        *out++ = (char)(0x80 | (cp >> 6 & 0x3f));
        *out++ = (char)(0x80 | (cp & 0x3f));
    }
    return out;
}

/* Behind "\u". Half of a surrogate pair without the other becomes U+FFFD, as in Go. */
static int unicode_escape(struct reader *r, char **out)
{
    const char *at = r->p - 2;
    uint32_t cp, low;
    int code = hex4(r, &cp);

    if (code < 0)
        return code;
    if (cp == 0)
        return fail_at(r, at, ERR_INVALID, "a string holds a NUL character, which is not supported");
    if (cp >= 0xd800 && cp <= 0xdbff && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        const char *second = r->p;
        r->p += 2;
        if ((code = hex4(r, &low)) < 0)
            return code;
        if (low >= 0xdc00 && low <= 0xdfff)
            cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        else
            r->p = second;
    }
    *out = put_utf8(*out, cp >= 0xd800 && cp <= 0xdfff ? 0xfffd : cp);
    return 0;
}

static int escape(struct reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = r->p < r->end ? *r->p : '\0';
    const char *at = c ? strchr(from, c) : NULL;

    if (c == 'u') {
        r->p++;
        return unicode_escape(r, out);
    }
    if (!at)
        return invalid(r, r->p < r->end ? r->p - 1 : r->p,
                       "unknown escape in a string (want \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX)");
    *(*out)++ = to[at - from];
    r->p++;
    return 0;
}

/* Behind the opening quote. */
static int string(struct reader *r, char **ret)
{
    const char *start = r->p;
    size_t longest = 0;

    /* Escapes only shrink, so the length up to the closing quote is enough. */
    for (const char *p = start; p < r->end && *p != '"'; p++, longest++) {
        if (*p == '\\' && p + 1 < r->end) {
            p++;
            longest++;
        }
    }
    _cleanup_free_ char *s = xmalloc(longest + 1);
    char *out = s;
    while (r->p < r->end && *r->p != '"') {
        unsigned char c = (unsigned char)*r->p++;
        if (c == '\\') {
            int code = escape(r, &out);
            if (code < 0)
                return code;
        } else if (c == '\0') {
            return fail_at(r, r->p - 1, ERR_INVALID, "holds a NUL byte");
        } else if (c < 0x20) {
            return invalid(r, r->p - 1,
                           c == '\n' ? "a string is not closed on its line"
                                     : "a control character in a string (write it as \\t, \\n or \\u00XX)");
        } else {
            *out++ = (char)c;
        }
    }
    if (r->p >= r->end)
        return invalid(r, r->end, "");
    r->p++;
    *out = '\0';
    *ret = TAKE_PTR(s);
    return 0;
}

/* Numbers and words */

static int number(struct reader *r, cJSON **ret)
{
    const char *start = r->p;
    bool is_integer = true;

    if (at_char(r, '-'))
        r->p++;
    if (!is_digit(r))
        return invalid(r, r->p, "a digit is missing behind \"-\"");
    if (at_char(r, '0')) {
        r->p++;
        if (is_digit(r))
            return invalid(r, start, "a number has a leading zero");
    }
    while (is_digit(r))
        r->p++;
    if (at_char(r, '.')) {
        is_integer = false;
        r->p++;
        if (!is_digit(r))
            return invalid(r, r->p, "a digit is missing behind the decimal point");
        while (is_digit(r))
            r->p++;
    }
    if (at_char(r, 'e') || at_char(r, 'E')) {
        is_integer = false;
        r->p++;
        if (at_char(r, '+') || at_char(r, '-'))
            r->p++;
        if (!is_digit(r))
            return invalid(r, r->p, "a digit is missing in the exponent of a number");
        while (is_digit(r))
            r->p++;
    }
    size_t len = (size_t)(r->p - start);
    if (len > NUMBER_LONGEST)
        return fail_at(r, start, ERR_TOO_LARGE, "a number of more than %d characters", NUMBER_LONGEST);
    char copy[NUMBER_LONGEST + 1];
    memcpy(copy, start, len);
    copy[len] = '\0';
    double d = strtod(copy, NULL);
    if (!isfinite(d))
        return fail_at(r, start, ERR_INVALID, "the number %s is out of range", copy);
    /* 2^53 + 1 is read as 2^53. */
    bool is_exact = fabs(d) < JSON_MAX_SAFE || streq(copy + (*copy == '-'), "9007199254740992");
    if (r->from_person && is_integer && !is_exact)
        return fail_at(r, start, ERR_INVALID,
                       "the integer %s is past 2^53 and cannot be kept exactly (quote it if it is text)",
                       copy);
    *ret = cJSON_CreateNumber(d);
    return 0;
}

static int word(struct reader *r, cJSON **ret)
{
    static const struct {
        const char *text;
        int type;
    } words[] = {{"true", cJSON_True}, {"false", cJSON_False}, {"null", cJSON_NULL}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i].text);
        if ((size_t)(r->end - r->p) < len || memcmp(r->p, words[i].text, len) != 0)
            continue;
        *ret = cJSON_CreateNull();
        (*ret)->type = words[i].type;
        r->p += len;
        return 0;
    }
    return invalid(r, r->p, "a value was expected: {, [, a \"string\", a number, true, false or null");
}

/* Containers */

static int array(struct reader *r, int depth, cJSON **ret)
{
    _cleanup_json_ cJSON *list = cJSON_CreateArray();
    int code;

    r->p++;
    skip_blanks(r);
    if (at_char(r, ']')) {
        r->p++;
        *ret = TAKE_PTR(list);
        return 0;
    }
    for (;;) {
        cJSON *item = NULL;
        if ((code = value(r, depth + 1, &item)) < 0)
            return code;
        cJSON_AddItemToArray(list, item);
        skip_blanks(r);
        if (at_char(r, ']'))
            break;
        if (!at_char(r, ','))
            return invalid(r, r->p, "\",\" or \"]\" was expected behind an element");
        r->p++;
        skip_blanks(r);
        if (at_char(r, ']'))
            return invalid(r, r->p, "there is a \",\" behind the last element");
    }
    r->p++;
    *ret = TAKE_PTR(list);
    return 0;
}

/* The earlier member of the same name. Small objects are compared one by one; larger ones keep a map. */
static cJSON *find_member(cJSON *object, size_t n, struct map **seen, const char *key)
{
    if (n < FEW_MEMBERS)
        return json_get(object, key);
    if (!*seen) {
        *seen = map_new(NULL);
        json_each (m, object)
            map_set(*seen, m->string, m);
    }
    return map_get(*seen, key);
}

static int member(struct reader *r, int depth, cJSON *object, size_t n, struct map **seen)
{
    _cleanup_free_ char *key = NULL;
    const char *at = r->p;
    cJSON *item = NULL;
    int code;

    if (!at_char(r, '"'))
        return invalid(r, r->p, "a key in double quotes was expected");
    r->p++;
    if ((code = string(r, &key)) < 0)
        return code;
    skip_blanks(r);
    if (!at_char(r, ':'))
        return invalid(r, r->p, "\":\" was expected behind a key");
    r->p++;
    cJSON *earlier = find_member(object, n, seen, key);
    if (earlier && r->from_person)
        return fail_at(r, at, ERR_INVALID, "key \"%s\" is given twice in this object", key);
    if ((code = value(r, depth + 1, &item)) < 0)
        return code;
    if (earlier)
        cJSON_Delete(cJSON_DetachItemViaPointer(object, earlier));
    item->string = TAKE_PTR(key);
    cJSON_AddItemToArray(object, item);
    if (*seen)
        map_set(*seen, item->string, item);
    return 0;
}

static int object(struct reader *r, int depth, cJSON **ret)
{
    _cleanup_json_ cJSON *o = cJSON_CreateObject();
    _cleanup_map_ struct map *seen = NULL;

    r->p++;
    skip_blanks(r);
    if (at_char(r, '}')) {
        r->p++;
        *ret = TAKE_PTR(o);
        return 0;
    }
    for (size_t n = 0;; n++) {
        int code = member(r, depth, o, n, &seen);
        if (code < 0)
            return code;
        skip_blanks(r);
        if (at_char(r, '}'))
            break;
        if (!at_char(r, ','))
            return invalid(r, r->p, "\",\" or \"}\" was expected behind a member");
        r->p++;
        skip_blanks(r);
        if (at_char(r, '}'))
            return invalid(r, r->p, "there is a \",\" behind the last member");
    }
    r->p++;
    *ret = TAKE_PTR(o);
    return 0;
}

static int value(struct reader *r, int depth, cJSON **ret)
{
    skip_blanks(r);
    if (r->p >= r->end)
        return invalid(r, r->end, "");
    if (*r->p == '{' || *r->p == '[') {
        if (depth > JSON_MAX_DEPTH)
            return fail_at(r, r->p, ERR_TOO_LARGE, "nested more than %d levels deep", JSON_MAX_DEPTH);
        return *r->p == '{' ? object(r, depth, ret) : array(r, depth, ret);
    }
    if (*r->p == '"') {
        char *s = NULL;
        r->p++;
        int code = string(r, &s);
        if (code < 0)
            return code;
        *ret = cJSON_CreateNull();
        (*ret)->type = cJSON_String;
        (*ret)->valuestring = s;
        return 0;
    }
    if (*r->p == '-' || is_digit(r))
        return number(r, ret);
    if (*r->p == '\0')
        return fail_at(r, r->p, ERR_INVALID, "holds a NUL byte");
    return word(r, ret);
}

int json_parse(const char *text, size_t len, const char *what, cJSON **ret, struct err **err)
{
    struct reader r = {.text = text, .p = text, .end = text + len, .what = what, .first_line = 1, .err = err};
    _cleanup_json_ cJSON *root = NULL;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.p += 3;
    skip_blanks(&r);
    if (r.p == r.end)
        return err_set(err, ERR_INVALID, "%s: is empty, not JSON", what);
    int code = value(&r, 1, &root);
    if (code < 0)
        return code;
    skip_blanks(&r);
    if (r.p != r.end)
        return fail_at(&r, r.p, ERR_INVALID, "text after the end of the JSON value");
    *ret = TAKE_PTR(root);
    return 0;
}

int json_parse_next(const char *text, size_t len, const char *what, unsigned first_line, cJSON **ret,
                    size_t *ret_used, struct err **err)
{
    struct reader r = {.text = text,
                       .p = text,
                       .end = text + len,
                       .what = what,
                       .first_line = first_line,
                       .from_person = true,
                       .err = err};
    int code = value(&r, 1, ret);

    if (code < 0)
        return code;
    skip_blanks(&r);
    *ret_used = (size_t)(r.p - text);
    return 0;
}
