/* YAML by libyaml's events to JSON trees. Which plain words are booleans, numbers or null follows YAML 1.1 as
 * the Go YAML library reads it, since that is what every other Kubernetes tool does with the same file. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/yaml.h"
#include "data/yaml_word.h"

#define TAG(name) "tag:yaml.org,2002:" name

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    const char *text, *name;
    size_t len;
    size_t nodes, copied; /* so far: values, and bytes of text that anchors and aliases have copied */
    struct map *anchors;  /* name -> cJSON *: finished nodes of this document, owned here */
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

/* Whether the line (from 0) is indented with a tab. */
static bool has_tab_indentation(const struct reader *r, size_t line)
{
    const char *p = r->text, *end = r->text + r->len;

    for (; line && p < end; p++)
        line -= *p == '\n';
    while (p < end && *p == ' ')
        p++;
    return p < end && *p == '\t';
}

/* libyaml's own words, with a hint for the mistakes people make. */
static int parser_error(struct reader *r, struct err **err)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read", *hint = "";

    if (p->error == YAML_READER_ERROR)
        return err_set(err, ERR_INVALID, "%s: byte %zu: %s (is it text in UTF-8?)", r->name,
                       p->problem_offset, problem);
    if (has_tab_indentation(r, p->problem_mark.line))
        hint = " (the line is indented with a tab: YAML wants blanks)";
    else if (strstr(problem, "cannot start any token"))
        hint = " (a value that starts with such a character needs quotes)";
    else if (strstr(problem, "could not find expected ':'"))
        hint = " (is a colon missing, a blank behind it, or the line before not finished?)";
    else if (strstr(problem, "mapping values are not allowed"))
        hint = " (wrong indentation, or a value with a colon that needs quotes?)";
    else if (strstr(problem, "did not find expected key") || strstr(problem, "did not find expected '-'"))
        hint = " (wrong indentation?)";
    else if (strstr(problem, "unexpected end of stream") || strstr(problem, "expected <document start>"))
        hint = " (is a quote or a bracket not closed?)";
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

static int number(struct reader *r, const char *text, const struct yaml_word *word, cJSON **ret,
                  struct err **err)
{
    bool is_exact = word->kind == YAML_WORD_INT ? word->magnitude <= (uint64_t)JSON_MAX_SAFE
                                                : strpbrk(text, ".eE") || fabs(word->number) < JSON_MAX_SAFE;

    if (!isfinite(word->number))
        return fail_at(r, r->event.start_mark, err, "JSON has no number %s (quote it if it is text)", text);
    if (!is_exact)
        return fail_at(r, r->event.start_mark, err,
                       "the integer %s is past 2^53 and cannot be kept exactly (quote it if it is text)",
                       text);
    *ret = cJSON_CreateNumber(word->number);
    return 0;
}

/* What a plain word, or one with a tag, means. */
static int word_value(struct reader *r, const char *text, const struct yaml_word *word, cJSON **ret,
                      struct err **err)
{
    switch (word->kind) {
    case YAML_WORD_NULL:
        *ret = cJSON_CreateNull();
        return 0;
    case YAML_WORD_BOOL:
        *ret = cJSON_CreateBool(word->truth);
        return 0;
    case YAML_WORD_INT:
    case YAML_WORD_FLOAT:
        return number(r, text, word, ret, err);
    case YAML_WORD_TEXT:
    case YAML_WORD_TIME:
    case YAML_WORD_MERGE:
        break;
    }
    *ret = cJSON_CreateString(text);
    return 0;
}

static int binary(struct reader *r, const char *text, cJSON **ret, struct err **err)
{
    _cleanup_free_ char *data = NULL;
    size_t len;

    if (str_base64_decode(text, &data, &len) < 0)
        return fail_at(r, r->event.start_mark, err, "!!binary needs text in base64");
    bool is_text = !memchr(data, '\0', len);
    for (size_t i = 0, n; is_text && i < len; i += n) {
        uint32_t cp;
        n = str_utf8_next(data + i, &cp);
        is_text = n > 0;
    }
    if (!is_text)
        return fail_at(r, r->event.start_mark, err,
                       "!!binary holds bytes that are no text: JSON cannot hold them");
    *ret = cJSON_CreateString(data);
    return 0;
}

static int tagged(struct reader *r, const char *tag, const char *text, cJSON **ret, struct err **err)
{
    static const struct {
        const char *tag, *name;
        enum yaml_word_kind kind, other; /* what the text may be */
    } tags[] = {{TAG("int"), "!!int", YAML_WORD_INT, YAML_WORD_INT},
                {TAG("float"), "!!float", YAML_WORD_FLOAT, YAML_WORD_INT},
                {TAG("bool"), "!!bool", YAML_WORD_BOOL, YAML_WORD_BOOL},
                {TAG("null"), "!!null", YAML_WORD_NULL, YAML_WORD_NULL},
                {TAG("timestamp"), "!!timestamp", YAML_WORD_TIME, YAML_WORD_TIME}};
    struct yaml_word word;

    if (streq(tag, TAG("str")) || streq(tag, "!")) {
        *ret = cJSON_CreateString(text);
        return 0;
    }
    if (streq(tag, TAG("binary")))
        return binary(r, text, ret, err);
    yaml_word_read(text, &word);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (!streq(tag, tags[i].tag))
            continue;
        if (word.kind != tags[i].kind && word.kind != tags[i].other)
            return fail_at(r, r->event.start_mark, err, "\"%s\" is no %s", text, tags[i].name);
        return word_value(r, text, &word, ret, err);
    }
    return fail_at(r, r->event.start_mark, err, "tag %s is not known here", tag);
}

static int scalar(struct reader *r, cJSON **ret, struct err **err)
{
    const yaml_event_t *e = &r->event;
    const char *value = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
    struct yaml_word word;

    if (memchr(value, '\0', e->data.scalar.length))
        return fail_at(r, e->start_mark, err, "a value holds a NUL character, which is not supported");
    if (tag)
        return tagged(r, tag, value, ret, err);
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        *ret = cJSON_CreateString(value);
        return 0;
    }
    yaml_word_read(value, &word);
    return word_value(r, value, &word, ret, err);
}

/* Anchors and aliases. What they copy is counted: a few lines of aliases to aliases could fill any memory. */

struct weight {
    size_t nodes, bytes;
    int depth;
};

static void weigh(const cJSON *o, int depth, struct weight *w)
{
    w->nodes++;
    w->bytes += (o->string ? strlen(o->string) : 0) + (cJSON_IsString(o) ? strlen(o->valuestring) : 0);
    if (depth > w->depth)
        w->depth = depth;
    json_each (c, o)
        weigh(c, depth + 1, w);
}

/* Makes the error just set one of a limit. */
static int too_large(struct err **err)
{
    if (err && *err)
        (*err)->code = ERR_TOO_LARGE;
    return ERR_TOO_LARGE;
}

static int add_nodes(struct reader *r, size_t n, struct err **err)
{
    r->nodes += n;
    if (r->nodes <= YAML_MAX_NODES)
        return 0;
    fail_at(r, r->event.start_mark, err, "more than %d values after aliases are expanded", YAML_MAX_NODES);
    return too_large(err);
}

/* A copy of o to stand `depth` levels deep. */
static int copy_tree(struct reader *r, const cJSON *o, int depth, cJSON **ret, struct err **err)
{
    struct weight w = {0};

    weigh(o, 0, &w);
    int code = add_nodes(r, w.nodes, err);
    if (code < 0)
        return code;
    r->copied += w.bytes;
    if (r->copied > YAML_MAX_COPIED) {
        fail_at(r, r->event.start_mark, err, "anchors and aliases copy more than %d bytes of text",
                YAML_MAX_COPIED);
        return too_large(err);
    }
    if (depth + w.depth > YAML_MAX_DEPTH) {
        fail_at(r, r->event.start_mark, err, "nested more than %d levels deep by an alias", YAML_MAX_DEPTH);
        return too_large(err);
    }
    *ret = cJSON_Duplicate(o, true);
    return 0;
}

static int set_anchor(struct reader *r, const char *name, const cJSON *value, struct err **err)
{
    cJSON *copy = NULL;
    int code = copy_tree(r, value, 0, &copy, err);

    if (code == 0)
        map_set(r->anchors, name, copy);
    return code;
}

static int alias(struct reader *r, int depth, cJSON **ret, struct err **err)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    const cJSON *target = map_get(r->anchors, name);

    if (!target)
        return fail_at(r, r->event.start_mark, err, "alias *%s: there is no anchor &%s before it", name,
                       name);
    return copy_tree(r, target, depth, ret, err);
}

/* Keys are strings: numbers and booleans become their JSON text. */
static int key_of(struct reader *r, char **ret, struct err **err)
{
    _cleanup_json_ cJSON *key = NULL;
    int code;

    if (r->event.type == YAML_ALIAS_EVENT)
        code = alias(r, 0, &key, err);
    else if (r->event.type == YAML_SCALAR_EVENT)
        code = scalar(r, &key, err);
    else
        return fail_at(r, r->event.start_mark, err,
                       "a key must be a word or a string, not a list or a mapping");
    if (code == 0 && r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.anchor)
        code = set_anchor(r, (const char *)r->event.data.scalar.anchor, key, err);
    if (code < 0)
        return code;
    if (cJSON_IsNull(key))
        return fail_at(r, r->event.start_mark, err, "a key is empty or null (quote it if it is text)");
    if (cJSON_IsObject(key) || cJSON_IsArray(key))
        return fail_at(r, r->event.start_mark, err,
                       "a key must be a word or a string, not a list or a mapping");
    *ret = cJSON_IsString(key) ? xstrdup(key->valuestring) : json_print(key);
    return 0;
}

/* Nodes */

static int node(struct reader *r, int depth, cJSON **ret, struct err **err);

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

/* "<<": what is merged in gives way to the keys of the mapping itself, and to what was merged before. */
static int merge(struct reader *r, cJSON *into, struct map *keys, const cJSON *from, yaml_mark_t mark,
                 struct err **err)
{
    if (cJSON_IsArray(from)) {
        json_each (item, from) {
            if (!cJSON_IsObject(item))
                return fail_at(r, mark, err, "<< needs a mapping or a list of mappings");
            merge(r, into, keys, item, mark, err);
        }
        return 0;
    }
    if (!cJSON_IsObject(from))
        return fail_at(r, mark, err, "<< needs a mapping or a list of mappings");
    json_each (member, from) {
        if (map_has(keys, member->string))
            continue;
        map_set(keys, member->string, NULL);
        cJSON_AddItemToObject(into, member->string, cJSON_Duplicate(member, true));
    }
    return 0;
}

static bool is_merge_key(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           streq((const char *)e->data.scalar.value, "<<");
}

static int mapping(struct reader *r, int depth, cJSON **ret, struct err **err)
{
    _cleanup_json_ cJSON *object = cJSON_CreateObject(), *merged = NULL;
    _cleanup_map_ struct map *keys = map_new(NULL); /* key -> its line */
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
        bool is_merge = is_merge_key(&r->event);
        if ((code = key_of(r, &key, err)) < 0)
            return code;
        if (is_merge ? merged != NULL : map_has(keys, key))
            return fail_at(r, mark, err, "key \"%s\" is given twice in this mapping (first on line %zu)", key,
                           (is_merge ? merge_mark.line : (size_t)(uintptr_t)map_get(keys, key)) + 1);
        if ((code = next_event(r, err)) < 0 || (code = node(r, depth + 1, &value, err)) < 0)
            return code;
        if (is_merge) {
            merged = value;
            merge_mark = mark;
        } else {
            map_set(keys, key, (void *)(uintptr_t)mark.line);
            cJSON_AddItemToObject(object, key, value);
        }
    }
    if (merged && (code = merge(r, object, keys, merged, merge_mark, err)) < 0)
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
    if (depth > YAML_MAX_DEPTH) {
        fail_at(r, r->event.start_mark, err, "nested more than %d levels deep", YAML_MAX_DEPTH);
        return too_large(err);
    }
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return alias(r, depth, ret, err);
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
    if (anchor && (code = set_anchor(r, anchor, value, err)) < 0) {
        cJSON_Delete(value);
        return code;
    }
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

static void add_document(struct yaml_docs *docs, cJSON *root, unsigned line)
{
    docs->items = xreallocarray(docs->items, docs->len + 1, sizeof(*docs->items));
    docs->items[docs->len++] = (struct yaml_doc){.root = root, .line = line};
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
    if (cJSON_IsNull(root))
        cJSON_Delete(root);
    else
        add_document(docs, root, line);
    return next_event(r, err); /* the end of the document */
}

static int read_events(struct reader *r, struct yaml_docs *docs, struct err **err)
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

static int read_yaml(const char *text, size_t len, const char *name, struct yaml_docs *docs, struct err **err)
{
    struct reader r = {.text = text, .len = len, .name = name};

    if (!yaml_parser_initialize(&r.parser))
        abort();
    r.anchors = map_new(delete_tree);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int code = read_events(&r, docs, err);
    drop_event(&r);
    yaml_parser_delete(&r.parser);
    map_free(r.anchors);
    return code;
}

/* JSON values one after another: not YAML, but common. */
static int read_json(const char *text, size_t len, const char *name, struct yaml_docs *docs, struct err **err)
{
    unsigned line = 1;

    for (size_t at = 0; at < len;) {
        cJSON *root = NULL;
        size_t used = 0;
        for (; at < len && isspace((unsigned char)text[at]); at++)
            line += text[at] == '\n';
        if (at == len)
            break;
        int code = json_parse_next(text + at, len - at, name, line, &root, &used, err);
        if (code < 0)
            return code;
        if (cJSON_IsNull(root)) /* as an empty document is */
            cJSON_Delete(root);
        else
            add_document(docs, root, line);
        for (; used; used--, at++)
            line += text[at] == '\n';
    }
    return 0;
}

/* Position of the first character that is no white space and no byte order mark. */
static size_t first_char(const char *text, size_t len)
{
    size_t i = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (i < len && isspace((unsigned char)text[i]))
        i++;
    return i;
}

int yaml_parse(const char *text, size_t len, const char *name, struct yaml_docs *ret, struct err **err)
{
    struct yaml_docs docs = {0};
    _cleanup_err_ struct err *json_err = NULL, *yaml_err = NULL;
    size_t first = first_char(text, len);
    bool may_be_json = first < len && text[first] == '{';

    if (may_be_json && read_json(text, len, name, &docs, &json_err) == 0) {
        *ret = docs;
        return 0;
    }
    bool had_json = docs.len > 0;
    yaml_docs_release(&docs);
    int code = read_yaml(text, len, name, &docs, &yaml_err);
    if (code == 0) {
        *ret = docs;
        return 0;
    }
    yaml_docs_release(&docs);
    /* Which of the two messages helps depends on what the author had in mind. */
    size_t second = may_be_json ? first + 1 + first_char(text + first + 1, len - first - 1) : len;
    bool meant_json = had_json || (second < len && (text[second] == '"' || text[second] == '}'));
    return err_move(err, meant_json ? TAKE_PTR(json_err) : TAKE_PTR(yaml_err));
}
