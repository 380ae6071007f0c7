/* JSON trees to YAML in the form kubectl prints: keys sorted, lists at the indentation of their key, strings
 * quoted only where a reader of YAML 1.1 would take them for something else. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

static void print_value(struct buf *out, const cJSON *o, int indent, bool in_list);

/* "2006-1-2", "2006-01-02T15:04:05Z", "2006-01-02 15:04:05": times to readers of YAML 1.1. */
static bool is_timestamp(const char *s)
{
    size_t year = strspn(s, "0123456789");

    if (year != 4 || s[4] != '-')
        return false;
    return strspn(s, "0123456789-:.+TtZ ") == strlen(s);
}

/* Would the plain text be read back as this very string? The parser knows. */
static bool reads_as_string(const char *s)
{
    struct yaml_docs docs = {0};
    /* Base-60 numbers of YAML 1.1 ("12:30:45") are quoted for other readers' sake. */
    const char *p = s + (*s == '-' || *s == '+');
    if (isdigit((unsigned char)*p) && strchr(p, ':') && strspn(p, "0123456789_:.") == strlen(p))
        return false;
    if (is_timestamp(s) || yaml_parse(s, strlen(s), "", &docs, NULL) < 0)
        return false;
    bool same =
        docs.len == 1 && cJSON_IsString(docs.items[0].root) && streq(docs.items[0].root->valuestring, s);
    yaml_docs_release(&docs);
    return same;
}

/* Characters that the plain style cannot hold in a block. */
static bool plain_allowed(const char *s)
{
    if (strchr("#,[]{}&*!|>'\"%@`", *s) || *s == ' ' || *s == '\t')
        return false;
    if (strchr("-?:", *s) && (!s[1] || isspace((unsigned char)s[1])))
        return false;
    if (str_starts(s, "---") || str_starts(s, "..."))
        return false;
    for (const char *p = s; *p; p++) {
        if (*p == ':' && (!p[1] || isspace((unsigned char)p[1])))
            return false;
        if (*p == '#' && p > s && isspace((unsigned char)p[-1]))
            return false;
    }
    return !isspace((unsigned char)s[strlen(s) - 1]);
}

static bool has_special(const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++)
        if ((*p < 0x20 && *p != '\n') || *p == 0x7f)
            return true;
    _cleanup_free_ char *safe = str_escape_control(s, true);
    return !streq(safe, s);
}

static void print_double_quoted(struct buf *out, const char *s)
{
    static const struct {
        char c;
        const char *text;
    } named[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\t', "\\t"}, {'\r', "\\r"},
                 {'\a', "\\a"}, {'\b', "\\b"},  {'\v', "\\v"}, {'\f', "\\f"}, {0x1b, "\\e"}};

    buf_addc(out, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        const char *text = NULL;
        for (size_t i = 0; i < ARRAY_LEN(named) && !text; i++)
            if (named[i].c == (char)*p)
                text = named[i].text;
        if (text)
            buf_adds(out, text);
        else if (*p < 0x20 || *p == 0x7f)
            buf_addf(out, "\\x%02X", *p);
        else
            buf_addc(out, (char)*p);
    }
    buf_addc(out, '"');
}

static void print_single_quoted(struct buf *out, const char *s)
{
    buf_addc(out, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            buf_addc(out, '\'');
        buf_addc(out, *s);
    }
    buf_addc(out, '\'');
}

/* A block literal shows lines as they are; it cannot hold a line that ends in a blank or one that starts the
 * text with one. */
static bool literal_allowed(const char *s)
{
    if (*s == ' ' || *s == '\n' || has_special(s))
        return false;
    for (const char *p = s; *p; p++)
        if (*p == ' ' && (p[1] == '\n' || !p[1]))
            return false;
    return true;
}

static void print_literal(struct buf *out, const char *s, int indent)
{
    size_t len = strlen(s);

    buf_addc(out, '|');
    if (s[len - 1] != '\n')
        buf_addc(out, '-');
    else if (len > 1 && s[len - 2] == '\n')
        buf_addc(out, '+');
    while (*s) {
        size_t n = strcspn(s, "\n");
        buf_addc(out, '\n');
        if (n) {
            buf_fill(out, ' ', (size_t)indent);
            buf_add(out, s, n);
        }
        s += n + (s[n] == '\n');
        if (!*s)
            break;
    }
}

static void print_string(struct buf *out, const char *s, int indent, bool as_key)
{
    if (strchr(s, '\n') && !as_key) {
        if (literal_allowed(s))
            print_literal(out, s, indent);
        else
            print_double_quoted(out, s);
    } else if (!*s || has_special(s) || strchr(s, '\n')) {
        print_double_quoted(out, s);
    } else if (!plain_allowed(s)) {
        print_single_quoted(out, s);
    } else if (!reads_as_string(s)) {
        print_double_quoted(out, s);
    } else {
        buf_adds(out, s);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

static void print_object(struct buf *out, const cJSON *o, int indent, bool first_inline)
{
    size_t n = (size_t)cJSON_GetArraySize(o), i = 0;
    _cleanup_free_ cJSON **members = xcalloc(n, sizeof(*members));

    json_each(m, o) members[i++] = m;
    qsort(members, n, sizeof(*members), compare_names);
    for (i = 0; i < n; i++) {
        if (i || !first_inline)
            buf_fill(out, ' ', (size_t)indent);
        print_string(out, members[i]->string, indent, true);
        buf_addc(out, ':');
        print_value(out, members[i], indent, false);
    }
}

/* After "key:" or "-": a scalar on the same line, a container below. Ends with a newline. */
static void print_value(struct buf *out, const cJSON *o, int indent, bool in_list)
{
    if (cJSON_IsObject(o) && o->child) {
        buf_addc(out, in_list ? ' ' : '\n');
        print_object(out, o, indent + 2, in_list);
        return;
    }
    if (cJSON_IsArray(o) && o->child) {
        if (!in_list)
            buf_addc(out, '\n');
        bool first = true;
        json_each(item, o)
        {
            if (in_list && first)
                buf_addc(out, ' ');
            else
                buf_fill(out, ' ', (size_t)(in_list ? indent + 2 : indent));
            first = false;
            buf_addc(out, '-');
            print_value(out, item, in_list ? indent + 2 : indent, true);
        }
        return;
    }
    buf_addc(out, ' ');
    if (cJSON_IsString(o))
        print_string(out, o->valuestring, indent + 2, false);
    else if (cJSON_IsObject(o))
        buf_adds(out, "{}");
    else if (cJSON_IsArray(o))
        buf_adds(out, "[]");
    else
        json_print_to(out, o, false);
    buf_addc(out, '\n');
}

void yaml_print_to(struct buf *out, const cJSON *o)
{
    if (cJSON_IsObject(o) && o->child) {
        print_object(out, o, 0, false);
        return;
    }
    if (cJSON_IsArray(o) && o->child) {
        json_each(item, o)
        {
            buf_addc(out, '-');
            print_value(out, item, 0, true);
        }
        return;
    }
    struct buf b = BUF_INIT;
    print_value(&b, o, 0, false);
    buf_add(out, b.data + 1, b.len - 1); /* without the blank that follows a key */
    buf_release(&b);
}
