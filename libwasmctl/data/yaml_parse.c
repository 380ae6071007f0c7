/* YAML by libyaml's events to JSON trees. Which plain words are booleans, numbers or null follows YAML 1.1 as
 * the Go YAML library reads it, since that is what every other Kubernetes tool does with the same file. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    const char *name;
    size_t nodes;
    struct map *anchors; /* name -> cJSON *: finished nodes of this document, owned here */
};

static int fail_at(const struct reader *r, yaml_mark_t mark, struct err **err, const char *fmt, ...)
    _printf_(4, 5);

static int fail_at(const struct reader *r, yaml_mark_t mark, struct err **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(err, ERR_INVALID, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, text);
}

/* libyaml's own words, with a hint for the mistakes people make. */
static int parser_error(struct reader *r, struct err **err)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read", *hint = "";

    if (strstr(problem, "cannot start any token"))
        hint = " (a tab used for indentation, or a character that needs quotes?)";
    else if (strstr(problem, "could not find expected ':'"))
        hint = " (is a colon missing, or the line before not finished?)";
    else if (strstr(problem, "mapping values are not allowed"))
        hint = " (wrong indentation, or a value with a colon that needs quotes?)";
    else if (strstr(problem, "did not find expected key") || strstr(problem, "did not find expected '-'"))
        hint = " (wrong indentation?)";
    if (p->error == YAML_READER_ERROR)
        return err_set(err, ERR_INVALID, "%s: byte %zu: %s", r->name, p->problem_offset, problem);
    if (p->context)
        return fail_at(r, p->problem_mark, err, "%s, %s%s", p->context, problem, hint);
    return fail_at(r, p->problem_mark, err, "%s%s", problem, hint);
}

static void drop_event(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = false;
}

static int next_event(struct reader *r, struct err **err)
{
    drop_event(r);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return parser_error(r, err);
    r->has_event = true;
    return 0;
}

/* Scalars */

static bool one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (streq(s, *words))
            return true;
    return false;
}

/* [-+] digits with "_" between, in base 10, 16 (0x), 8 (0 or 0o) or 2 (0b). */
static bool read_int(const char *s, double *ret)
{
    char plain[72];
    size_t n = 0;
    int base = 10;

    for (const char *p = s; *p; p++) {
        if (*p == '_')
            continue;
        if (n + 1 >= sizeof(plain))
            return false;
        plain[n++] = *p;
    }
    plain[n] = '\0';
    char *digits = plain;
    bool negative = *digits == '-';
    if (*digits == '-' || *digits == '+')
        digits++;
    if (digits[0] == '0' && digits[1]) {
        char kind = (char)tolower((unsigned char)digits[1]);
        base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
        digits += base != 8 || kind == 'o' ? 2 : 1;
    }
    if (!isxdigit((unsigned char)*digits))
        return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(digits, &end, base);
    if (errno || *end)
        return false;
    *ret = negative ? -(double)v : (double)v;
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool read_float(const char *s, double *ret)
{
    const char *p = s;
    size_t whole = 0, fraction = 0;

    if (*p == '-' || *p == '+')
        p++;
    for (; isdigit((unsigned char)*p); p++)
        whole++;
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++)
            fraction++;
    if (!whole && !fraction)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+')
            p++;
        if (!isdigit((unsigned char)*p))
            return false;
        while (isdigit((unsigned char)*p))
            p++;
    }
    if (*p)
        return false;
    *ret = strtod(s, NULL);
    return isfinite(*ret);
}

static cJSON *plain_scalar(const char *s)
{
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};
    static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
    double number;

    if (one_of(s, null))
        return cJSON_CreateNull();
    if (one_of(s, yes))
        return cJSON_CreateTrue();
    if (one_of(s, no))
        return cJSON_CreateFalse();
    if ((isdigit((unsigned char)*s) || strchr("+-.", *s)) && (read_int(s, &number) || read_float(s, &number)))
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(s);
}

static int scalar(struct reader *r, cJSON **ret, struct err **err)
{
    const yaml_event_t *e = &r->event;
    const char *value = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (memchr(value, '\0', e->data.scalar.length))
        return fail_at(r, e->start_mark, err, "a value holds a NUL character");
    if (tag && (streq(tag, YAML_STR_TAG) || streq(tag, "!")))
        *ret = cJSON_CreateString(value);
    else if (tag && streq(tag, "tag:yaml.org,2002:binary"))
        *ret = cJSON_CreateString(value);
    else if (tag && !str_starts(tag, "tag:yaml.org,2002:"))
        return fail_at(r, e->start_mark, err, "tag %s is not known here", tag);
    else if (plain || tag)
        *ret = plain_scalar(value);
    else
        *ret = cJSON_CreateString(value);
    return 0;
}

/* Keys are strings: numbers, booleans and null become their JSON text. */
static int key_of(struct reader *r, char **ret, struct err **err)
{
    _cleanup_json_ cJSON *key = NULL;

    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_at(r, r->event.start_mark, err, "a key must be a plain word or a string");
    int code = scalar(r, &key, err);
    if (code < 0)
        return code;
    *ret = cJSON_IsString(key) ? xstrdup(key->valuestring) : json_print(key);
    return 0;
}

/* Nodes */

static int node(struct reader *r, int depth, cJSON **ret, struct err **err);

static size_t count_nodes(const cJSON *o)
{
    size_t n = 1;

    for (const cJSON *c = o->child; c; c = c->next)
        n += count_nodes(c);
    return n;
}

static int add_nodes(struct reader *r, size_t n, struct err **err)
{
    r->nodes += n;
    if (r->nodes > YAML_MAX_NODES) {
        fail_at(r, r->event.start_mark, err, "more than %d values after aliases are expanded",
                YAML_MAX_NODES);
        if (err && *err)
            (*err)->code = ERR_TOO_LARGE;
        return ERR_TOO_LARGE;
    }
    return 0;
}

static int alias(struct reader *r, cJSON **ret, struct err **err)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    const cJSON *target = map_get(r->anchors, name);

    if (!target)
        return fail_at(r, r->event.start_mark, err, "alias *%s: there is no anchor &%s before it", name,
                       name);
    int code = add_nodes(r, count_nodes(target), err);
    if (code < 0)
        return code;
    *ret = cJSON_Duplicate(target, true);
    return 0;
}

static int sequence(struct reader *r, int depth, cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *list = cJSON_CreateArray();

    for (;;) {
        cJSON *item = NULL;
        int code = next_event(r, err);
        if (code < 0)
            return code;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        if ((code = node(r, depth + 1, &item, err)) < 0)
            return code;
        cJSON_AddItemToArray(list, item);
    }
    *ret = TAKE_PTR(list);
    return 0;
}

/* "<<": what is merged in gives way to the keys of the mapping itself. */
static int merge(struct reader *r, cJSON *into, const cJSON *from, yaml_mark_t mark, struct err **err)
{
    if (cJSON_IsArray(from)) {
        json_each(item, from)
        {
            int code = merge(r, into, item, mark, err);
            if (code < 0)
                return code;
        }
        return 0;
    }
    if (!cJSON_IsObject(from))
        return fail_at(r, mark, err, "<< needs a mapping or a list of mappings");
    json_each(member, from) if (!json_get(into, member->string))
        cJSON_AddItemToObject(into, member->string, cJSON_Duplicate(member, true));
    return 0;
}

static int mapping(struct reader *r, int depth, cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *object = cJSON_CreateObject(), *merged = NULL;
    _cleanup_map_ struct map *seen = map_new(NULL);
    yaml_mark_t merge_mark = {0};
    int code;

    for (;;) {
        _cleanup_free_ char *key = NULL;
        cJSON *value = NULL;
        if ((code = next_event(r, err)) < 0)
            return code;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        yaml_mark_t mark = r->event.start_mark;
        bool is_merge = r->event.type == YAML_SCALAR_EVENT &&
                        r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                        streq((const char *)r->event.data.scalar.value, "<<");
        if ((code = key_of(r, &key, err)) < 0)
            return code;
        if (map_has(seen, key))
            return fail_at(r, mark, err, "key \"%s\" is given twice in this mapping", key);
        map_set(seen, key, NULL);
        if ((code = next_event(r, err)) < 0 || (code = node(r, depth + 1, &value, err)) < 0)
            return code;
        if (is_merge) {
            merged = value;
            merge_mark = mark;
        } else {
            cJSON_AddItemToObject(object, key, value);
        }
    }
    if (merged && (code = merge(r, object, merged, merge_mark, err)) < 0)
        return code;
    *ret = TAKE_PTR(object);
    return 0;
}

/* The node whose first event is the current one. */
static int node(struct reader *r, int depth, cJSON **ret, struct err **err)
{
    _cleanup_free_ char *anchor = NULL;
    cJSON *value = NULL;
    int code = add_nodes(r, 1, err);

    if (code < 0)
        return code;
    if (depth > YAML_MAX_DEPTH)
        return fail_at(r, r->event.start_mark, err, "nested more than %d levels deep", YAML_MAX_DEPTH);
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return alias(r, ret, err);
    case YAML_SCALAR_EVENT:
        anchor = xstrdup_null((const char *)r->event.data.scalar.anchor);
        code = scalar(r, &value, err);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = xstrdup_null((const char *)r->event.data.sequence_start.anchor);
        code = sequence(r, depth, &value, err);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = xstrdup_null((const char *)r->event.data.mapping_start.anchor);
        code = mapping(r, depth, &value, err);
        break;
    default:
        return fail_at(r, r->event.start_mark, err, "a value was expected");
    }
    if (code < 0)
        return code;
    if (anchor)
        map_set(r->anchors, anchor, cJSON_Duplicate(value, true));
    *ret = value;
    return 0;
}

/* Streams */

static void delete_tree(void *o)
{
    cJSON_Delete(o);
}

void yaml_docs_release(struct yaml_docs *d)
{
    for (size_t i = 0; i < d->len; i++)
        cJSON_Delete(d->items[i].root);
    free(d->items);
    *d = (struct yaml_docs){0};
}

static int document(struct reader *r, struct yaml_docs *docs, struct err **err)
{
    cJSON *root = NULL;
    int code = next_event(r, err);

    if (code < 0)
        return code;
    unsigned line = (unsigned)r->event.start_mark.line + 1;
    if ((code = node(r, 0, &root, err)) < 0)
        return code;
    map_clear(r->anchors);
    if (cJSON_IsNull(root)) {
        cJSON_Delete(root);
    } else {
        docs->items = xreallocarray(docs->items, docs->len + 1, sizeof(*docs->items));
        docs->items[docs->len++] = (struct yaml_doc){.root = root, .line = line};
    }
    return next_event(r, err); /* the end of the document */
}

static int read_yaml(struct reader *r, struct yaml_docs *docs, struct err **err)
{
    for (;;) {
        int code = next_event(r, err);
        if (code < 0)
            return code;
        if (r->event.type == YAML_STREAM_END_EVENT)
            return 0;
        if (r->event.type == YAML_DOCUMENT_START_EVENT && (code = document(r, docs, err)) < 0)
            return code;
    }
}

/* JSON values one after another: not YAML, but common. False when the text is something else. */
static bool read_json_values(const char *text, size_t len, struct yaml_docs *docs)
{
    const char *p = text, *end = text + len;
    unsigned line = 1;

    for (;;) {
        for (; p < end && isspace((unsigned char)*p); p++)
            line += *p == '\n';
        if (p >= end)
            return true;
        if (*p != '{' && *p != '[')
            return false;
        const char *after = NULL;
        cJSON *probe = cJSON_ParseWithLengthOpts(p, (size_t)(end - p), &after, false), *root = NULL;
        cJSON_Delete(probe);
        if (!probe || json_parse(p, (size_t)(after - p), "", &root, NULL) < 0)
            return false;
        docs->items = xreallocarray(docs->items, docs->len + 1, sizeof(*docs->items));
        docs->items[docs->len++] = (struct yaml_doc){.root = root, .line = line};
        for (; p < after; p++)
            line += *p == '\n';
    }
}

int yaml_parse(const char *text, size_t len, const char *name, struct yaml_docs *ret, struct err **err)
{
    struct reader r = {.name = name};
    struct yaml_docs docs = {0};

    if (len && (text[strspn(text, " \t\r\n")] == '{') && read_json_values(text, len, &docs)) {
        *ret = docs;
        return 0;
    }
    yaml_docs_release(&docs);
    if (!yaml_parser_initialize(&r.parser))
        abort();
    r.anchors = map_new(delete_tree);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int code = read_yaml(&r, &docs, err);
    drop_event(&r);
    yaml_parser_delete(&r.parser);
    map_free(r.anchors);
    if (code < 0) {
        yaml_docs_release(&docs);
        return code;
    }
    *ret = docs;
    return 0;
}
