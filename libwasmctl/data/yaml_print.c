/* JSON trees to YAML in the form kubectl prints: libyaml's emitter lays the text out, here is decided in
 * which order keys come and which strings need quotes. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/json_number.h"
#include "data/yaml.h"
#include "data/yaml_word.h"

struct printer {
    yaml_emitter_t emitter;
    bool failed;
};

static int write_text(void *arg, unsigned char *data, size_t len)
{
    struct buf *out = arg;

    return buf_add(out, data, len) == 0;
}

/* A step of libyaml fails only without memory, past the limit of the buffer, or for invalid UTF-8, which is
 * replaced before it gets here. */
static void emit(struct printer *p, yaml_event_t *event, int initialized)
{
    if (!initialized)
        p->failed = true;
    else if (p->failed)
        yaml_event_delete(event);
    else if (!yaml_emitter_emit(&p->emitter, event))
        p->failed = true;
}

static void print_scalar(struct printer *p, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t e;

    emit(p, &e,
         yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), true,
                                      true, style));
}

/* Strings */

static bool needs_quotes(const char *s)
{
    struct yaml_word word;

    yaml_word_read(s, &word);
    return word.kind != YAML_WORD_TEXT || yaml_word_is_base60(s);
}

static char *valid_utf8(const char *s)
{
    struct buf b = BUF_INIT;

    while (*s) {
        uint32_t cp;
        size_t n = str_utf8_next(s, &cp);
        buf_add(&b, n ? s : "\xef\xbf\xbd", n ? n : 3);
        s += n ? n : 1;
    }
    return buf_take(&b);
}

static void print_string(struct printer *p, const char *s)
{
    _cleanup_free_ char *text = valid_utf8(s);

    print_scalar(p, text,
                 strchr(text, '\n')   ? YAML_LITERAL_SCALAR_STYLE
                 : needs_quotes(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
                                      : YAML_PLAIN_SCALAR_STYLE);
}

/* Numbers: integers of 64 bits in full, else the shortest digits, with an exponent from 1e+21 on and below
 * 1e-04. */
static void print_number(struct printer *p, double d)
{
    char digits[JSON_DIGITS_LEN];
    struct buf b = BUF_INIT;

    if (!isfinite(d)) {
        print_scalar(p, "null", YAML_PLAIN_SCALAR_STYLE);
        return;
    }
    int e = d == 0 ? 0 : json_shortest_digits(d, digits), n = (int)strlen(d == 0 ? "0" : digits);
    if (d == floor(d) && d >= -0x1p63 && d < 0x1p64)
        buf_addf(&b, "%.0f", d == 0 ? 0.0 : d);
    else if (e < -4 || e >= 6)
        buf_addf(&b, "%s%c%s%se%+03d", d < 0 ? "-" : "", *digits, n > 1 ? "." : "", digits + 1, e);
    else if (e < 0)
        buf_addf(&b, "%s0.%.*s%s", d < 0 ? "-" : "", -e - 1, "000", digits);
    else
        buf_addf(&b, "%s%.*s.%s", d < 0 ? "-" : "", e + 1, digits, digits + e + 1);
    print_scalar(p, buf_str(&b), YAML_PLAIN_SCALAR_STYLE);
    buf_release(&b);
}

/* Order of keys: letters by their code, all else before letters, and numbers within keys by value ("a2"
 * before "a10"). */

static bool is_letter(uint32_t cp)
{
    return cp >= 0x80 || isalpha((int)cp);
}

/* Value of the digits at s behind a first digit; *ret_len how many they are. Huge ones wrap: only the order
 * of sane keys matters. */
static int64_t number_at(const char *s, bool behind_one, size_t *ret_len)
{
    uint64_t v = behind_one;
    size_t n = 0;

    for (; isdigit((unsigned char)s[n]); n++)
        v = v * 10 + (uint64_t)(s[n] - '0');
    *ret_len = n;
    return (int64_t)v;
}

/* Whether the digits that end right before s hold one that is not 0. */
static bool follows_number(const char *start, const char *s)
{
    while (s > start && isdigit((unsigned char)s[-1]))
        if (*--s != '0')
            return true;
    return false;
}

static int compare_keys(const char *a, const char *b)
{
    const char *start = a;

    while (*a && *b) {
        uint32_t x = 0, y = 0;
        size_t m = str_utf8_next(a, &x), n = str_utf8_next(b, &y);
        if (!m)
            x = (unsigned char)*a;
        if (!n)
            y = (unsigned char)*b;
        if (x == y) {
            a += m ? m : 1;
            b += n ? n : 1;
            continue;
        }
        if (is_letter(x) || is_letter(y)) {
            if (is_letter(x) && is_letter(y))
                return x < y ? -1 : 1;
            return is_letter(y) ? -1 : 1;
        }
        size_t a_len, b_len;
        /* A 0 behind other digits counts as a place of the number, not as its start. */
        bool behind = (x == '0' || y == '0') && follows_number(start, a);
        int64_t v = number_at(a, behind, &a_len), w = number_at(b, behind, &b_len);
        if (v != w)
            return v < w ? -1 : 1;
        if (a_len != b_len)
            return a_len < b_len ? -1 : 1;
        return x < y ? -1 : 1;
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int compare_members(const void *a, const void *b)
{
    return compare_keys((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* Nodes */

static void print_node(struct printer *p, const cJSON *o);

static void print_object(struct printer *p, const cJSON *o)
{
    size_t n = (size_t)cJSON_GetArraySize(o), i = 0;
    _cleanup_free_ cJSON **members = xcalloc(n, sizeof(*members));
    yaml_event_t e;

    json_each (m, o)
        members[i++] = m;
    /* The order of kubectl has cycles ("a10b", "a1b", "a2"): a fixed order before makes the result depend on
     * the keys alone. */
    qsort(members, n, sizeof(*members), compare_names);
    qsort(members, n, sizeof(*members), compare_members);
    emit(p, &e,
         yaml_mapping_start_event_initialize(&e, NULL, NULL, true,
                                             n ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE));
    for (i = 0; i < n; i++) {
        print_string(p, members[i]->string);
        print_node(p, members[i]);
    }
    emit(p, &e, yaml_mapping_end_event_initialize(&e));
}

static void print_list(struct printer *p, const cJSON *o)
{
    yaml_event_t e;

    emit(p, &e,
         yaml_sequence_start_event_initialize(
             &e, NULL, NULL, true, o->child ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE));
    json_each (item, o)
        print_node(p, item);
    emit(p, &e, yaml_sequence_end_event_initialize(&e));
}

static void print_node(struct printer *p, const cJSON *o)
{
    if (cJSON_IsObject(o))
        print_object(p, o);
    else if (cJSON_IsArray(o))
        print_list(p, o);
    else if (cJSON_IsString(o))
        print_string(p, o->valuestring);
    else if (cJSON_IsNumber(o))
        print_number(p, o->valuedouble);
    else
        print_scalar(p, cJSON_IsBool(o) ? (cJSON_IsTrue(o) ? "true" : "false") : "null",
                     YAML_PLAIN_SCALAR_STYLE);
}

void yaml_print_to(struct buf *out, const cJSON *o)
{
    struct printer p = {.failed = false};
    yaml_event_t e;

    if (!yaml_emitter_initialize(&p.emitter))
        abort();
    yaml_emitter_set_output(&p.emitter, write_text, out);
    yaml_emitter_set_unicode(&p.emitter, true);
    emit(&p, &e, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING));
    emit(&p, &e, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, true));
    print_node(&p, o);
    /* The end of the document flushes; the end of the stream would add "..." behind some literals. */
    emit(&p, &e, yaml_document_end_event_initialize(&e, true));
    yaml_emitter_delete(&p.emitter);
}
