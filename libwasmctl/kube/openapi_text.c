/* Schemas as text. The layout is that of kubectl explain, so that it can be read by whoever reads that. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/openapi.h"

enum {
    WIDTH_OF_TEXT = 76,
    WIDTH_OF_FIELD = 78,
    ENUM_MOST = 4,            /* values in a list of fields */
    DEPTH_MOST = 100,         /* of schemas in schemas */
    STEPS_MOST = 1000 * 1000, /* schemas looked at */
};

struct text {
    const struct kube_explain *e;
    struct buf out;
    size_t steps;
    bool too_large;
};

/* References on the way down: one that comes again is a cycle. */
struct trail {
    const struct trail *up;
    const char *ref;
};

static bool on_trail(const struct trail *t, const char *ref)
{
    for (; t; t = t->up)
        if (streq(t->ref, ref))
            return true;
    return false;
}

/* False when it is to end: a document may be anything. */
static bool step(struct text *t, size_t depth)
{
    t->too_large =
        t->too_large || depth > DEPTH_MOST || ++t->steps > STEPS_MOST || t->out.len >= KUBE_EXPLAIN_TEXT_MOST;
    return !t->too_large;
}

/* Reading */

static const char *ref_of(const cJSON *schema)
{
    const cJSON *ref = json_get(schema, "$ref");

    return cJSON_IsString(ref) ? ref->valuestring : "";
}

static const cJSON *resolve(const struct text *t, const char *ref)
{
    static const char prefix[] = "#/components/schemas/";

    return str_starts(ref, prefix) ? json_get(t->e->schemas, ref + strlen(prefix)) : NULL;
}

static const cJSON *resolved(const struct text *t, const cJSON *schema)
{
    const cJSON *target = resolve(t, ref_of(schema));

    return target ? target : schema;
}

/* A member that is an object with something in it. */
static const cJSON *object_in(const cJSON *schema, const char *name)
{
    const cJSON *o = json_get(schema, name);

    return cJSON_IsObject(o) && o->child ? o : NULL;
}

static const cJSON *all_of(const cJSON *schema)
{
    const cJSON *list = json_get(schema, "allOf");

    return cJSON_IsArray(list) ? list : NULL;
}

static const char *string_in(const cJSON *schema, const char *name)
{
    const cJSON *s = json_get(schema, name);

    return cJSON_IsString(s) ? s->valuestring : "";
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* Members by name; NULL-ended, caller frees the array. */
static const cJSON **sorted_members(const cJSON *o)
{
    VEC(const cJSON *) v = {0};

    json_each (member, o)
        if (member->string)
            vec_push(&v, member);
    if (v.len)
        qsort(v.items, v.len, sizeof(*v.items), compare_names);
    vec_push(&v, NULL);
    return v.items;
}

/* Writing */

struct wrap {
    struct buf *out;
    size_t limit, column; /* in characters, of the line so far */
    size_t indent;
    size_t spaces; /* characters of white space since the last word */
    const char *space_start;
    size_t space_len;
};

static void new_line(struct wrap *w)
{
    buf_addc(w->out, '\n');
    buf_fill(w->out, ' ', w->indent);
    w->column = 0;
}

static void put_spaces(struct wrap *w)
{
    buf_add(w->out, w->space_start, w->space_len);
    w->column += w->spaces;
    w->spaces = w->space_len = 0;
}

static size_t char_len(const char *s)
{
    uint32_t cp;
    size_t n = str_utf8_next(s, &cp);

    return n ? n : 1;
}

static void put_word(struct wrap *w, const char *word, size_t len)
{
    size_t chars = 0;

    for (size_t i = 0; i < len; i += char_len(word + i))
        chars++;
    /* A word as long as a line is not worth a new one, unless little of it would fit beside what is there. */
    size_t counts = chars < w->limit ? chars : w->limit - 1;
    if (w->column + w->spaces + counts > w->limit) {
        new_line(w);
        w->spaces = w->space_len = 0;
    } else {
        put_spaces(w);
    }
    buf_add(w->out, word, len);
    w->column += chars;
}

/* Words broken at `limit` characters, each line behind `indent` spaces; line breaks of the text stay. */
static void add_wrapped(struct buf *out, const char *text, size_t limit, size_t indent)
{
    struct wrap w = {.out = out, .limit = limit, .indent = indent};

    buf_fill(out, ' ', indent);
    while (*text) {
        size_t len = strcspn(text, " \t\r\v\f\n");
        if (len) {
            put_word(&w, text, len);
            text += len;
            continue;
        }
        if (*text == '\n') {
            if (w.column + w.spaces <= limit)
                put_spaces(&w);
            w.spaces = w.space_len = 0;
            new_line(&w);
            text++;
            continue;
        }
        w.space_start = text;
        w.space_len = w.spaces = strspn(text, " \t\r\v\f");
        text += w.space_len;
    }
    if (w.column + w.spaces <= limit)
        put_spaces(&w);
}

static void add_type(struct text *t, struct buf *b, const cJSON *schema, size_t depth)
{
    const cJSON *items = object_in(schema, "items"), *values = object_in(schema, "additionalProperties"),
                *all = all_of(schema);
    const char *ref = ref_of(schema), *type = string_in(schema, "type");

    if (!step(t, depth))
        return;
    if (items) {
        buf_adds(b, "[]");
        add_type(t, b, items, depth + 1);
    } else if (values) {
        buf_adds(b, "map[string]");
        add_type(t, b, values, depth + 1);
    } else if (all && !object_in(schema, "properties") && cJSON_GetArraySize(all) == 1) {
        add_type(t, b, all->child, depth + 1);
    } else if (*ref) {
        const char *target = string_in(resolve(t, ref), "type");
        const char *name = strrchr(ref, '/') ? strrchr(ref, '/') + 1 : ref;
        name = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
        buf_adds(b, *target && !streq(target, "object") ? target : *name ? name : "Object");
    } else {
        buf_adds(b, !*type || streq(type, "object") ? "Object" : type);
    }
}

static void add_enum_value(struct buf *b, const cJSON *v)
{
    if (cJSON_IsString(v)) {
        buf_adds(b, *v->valuestring ? v->valuestring : "\"\"");
        return;
    }
    _cleanup_free_ char *text = json_print(v);
    buf_adds(b, text);
}

static void add_enum_short(struct buf *b, const cJSON *schema, size_t indent)
{
    const cJSON *list = json_get(schema, "enum");
    size_t n = 0;

    if (!list || !list->child)
        return;
    buf_addc(b, '\n');
    buf_fill(b, ' ', indent);
    buf_adds(b, "enum: ");
    json_each (v, list) {
        if (n == ENUM_MOST) {
            buf_adds(b, ", ....");
            break;
        }
        if (n++)
            buf_adds(b, ", ");
        add_enum_value(b, v);
    }
}

static void add_enum_long(struct buf *b, const cJSON *schema)
{
    const cJSON *list = json_get(schema, "enum");

    if (!list || !list->child)
        return;
    buf_adds(b, "ENUM:");
    json_each (v, list) {
        buf_adds(b, "\n    ");
        add_enum_value(b, v);
    }
}

static void add_external_docs(struct buf *b, const cJSON *schema, size_t indent)
{
    const cJSON *docs = object_in(schema, "externalDocs");
    const char *text = string_in(docs, "description"), *url = string_in(docs, "url");

    if (!docs)
        return;
    buf_addc(b, '\n');
    buf_fill(b, ' ', indent);
    buf_adds(b, "EXTERNAL DOCS:\n");
    if (*text) {
        add_wrapped(b, text, WIDTH_OF_TEXT - indent, indent + 4);
        buf_addc(b, '\n');
    }
    if (*url) {
        buf_fill(b, ' ', indent + 4);
        buf_addf(b, "URL: %s\n", url);
    }
}

static bool is_required(const cJSON *schema, const char *name)
{
    json_each (v, json_get(schema, "required"))
        if (cJSON_IsString(v) && streq(v->valuestring, name))
            return true;
    return false;
}

static void add_field(struct text *t, const cJSON *parent, const cJSON *field, size_t level)
{
    size_t indent = level * 2;
    const char *description = string_in(field, "description");

    buf_fill(&t->out, ' ', indent);
    buf_addf(&t->out, "%s\t<", field->string);
    add_type(t, &t->out, field, 0);
    buf_addf(&t->out, ">%s", is_required(parent, field->string) ? " -required-" : "");
    add_enum_short(&t->out, field, indent);
    buf_addc(&t->out, '\n');
    if (t->e->recursive)
        return;
    add_wrapped(&t->out, *description ? description : "<no description>", WIDTH_OF_FIELD - indent,
                indent + 2);
    buf_addc(&t->out, '\n');
    add_external_docs(&t->out, field, indent + 2);
    buf_addc(&t->out, '\n');
}

static void add_fields(struct text *t, const cJSON *schema, size_t level, const struct trail *up,
                       size_t depth)
{
    struct trail here = {up, ref_of(schema)};

    if ((*here.ref && on_trail(up, here.ref)) || !step(t, depth))
        return;
    const cJSON *s = resolved(t, schema), *items = object_in(s, "items"),
                *values = object_in(s, "additionalProperties");
    const cJSON **fields = sorted_members(json_get(s, "properties"));
    bool deeper = t->e->recursive && (t->e->max_depth == 0 || level < (size_t)t->e->max_depth);
    for (const cJSON **f = fields; *f && !t->too_large; f++) {
        add_field(t, s, *f, level);
        if (deeper)
            add_fields(t, *f, level + 1, &here, depth + 1);
    }
    free(fields);
    json_each (one, all_of(s))
        add_fields(t, one, level, &here, depth + 1);
    if (items)
        add_fields(t, items, level, &here, depth + 1);
    if (values)
        add_fields(t, values, level, &here, depth + 1);
}

/* A schema's own words and those of what it is made of. */
static void add_description(struct text *t, struct buf *b, const cJSON *schema, size_t depth)
{
    const cJSON *s = resolved(t, schema), *items = object_in(s, "items"),
                *values = object_in(s, "additionalProperties");
    const char *text = string_in(s, "description");

    if (!step(t, depth))
        return;
    if (*text)
        buf_addf(b, "%s\n", text);
    json_each (one, all_of(s))
        add_description(t, b, one, depth + 1);
    if (items)
        add_description(t, b, items, depth + 1);
    if (values)
        add_description(t, b, values, depth + 1);
}

static void add_body(struct text *t, const cJSON *schema)
{
    _cleanup_buf_ struct buf words = BUF_INIT_MAX(KUBE_EXPLAIN_TEXT_MOST);

    add_description(t, &words, schema, 0);
    buf_adds(&t->out, "DESCRIPTION:\n");
    add_wrapped(&t->out, words.len ? words.data : "<empty>", WIDTH_OF_TEXT, 4);
    buf_addc(&t->out, '\n');
    add_external_docs(&t->out, resolved(t, schema), 0);
    size_t before = t->out.len;
    buf_adds(&t->out, "FIELDS:\n");
    size_t empty = t->out.len;
    add_fields(t, resolved(t, schema), 1, NULL, 0);
    if (t->out.len == empty)
        buf_truncate(&t->out, before);
}

/* Finding */

/* The schema of a field of an object, of the items of a list or of the values of a map; NULL if there is
 * none. */
static const cJSON *find_field(struct text *t, const cJSON *schema, const char *name, const struct trail *up,
                               size_t depth)
{
    struct trail here = {up, ref_of(schema)};
    const cJSON *found;

    if ((*here.ref && on_trail(up, here.ref)) || !step(t, depth))
        return NULL;
    const cJSON *s = resolved(t, schema), *items = object_in(s, "items"),
                *values = object_in(s, "additionalProperties");
    if ((found = object_in(json_get(s, "properties"), name)))
        return found;
    if (items)
        return find_field(t, items, name, &here, depth + 1);
    if (values)
        return find_field(t, values, name, &here, depth + 1);
    json_each (one, all_of(s))
        if ((found = find_field(t, one, name, &here, depth + 1)))
            return found;
    return NULL;
}

static void collect_names(struct text *t, const cJSON *schema, char ***names, const struct trail *up,
                          size_t depth)
{
    struct trail here = {up, ref_of(schema)};

    if ((*here.ref && on_trail(up, here.ref)) || !step(t, depth))
        return;
    const cJSON *s = resolved(t, schema), *items = object_in(s, "items"),
                *values = object_in(s, "additionalProperties");
    json_each (f, json_get(s, "properties"))
        if (f->string)
            strv_push(names, f->string);
    if (items)
        collect_names(t, items, names, &here, depth + 1);
    if (values)
        collect_names(t, values, names, &here, depth + 1);
    json_each (one, all_of(s))
        collect_names(t, one, names, &here, depth + 1);
}

static int no_field(struct text *t, const cJSON *schema, size_t known, struct err **err)
{
    const struct kube_explain *e = t->e;
    _cleanup_strv_ char **names = strv_new();
    _cleanup_buf_ struct buf where = BUF_INIT;
    const char *wrong = e->fields[known];

    collect_names(t, schema, &names, NULL, 0);
    buf_adds(&where, e->kind);
    for (size_t i = 0; i < known; i++)
        buf_addf(&where, ".%s", e->fields[i]);
    const char *near = str_suggest(wrong, (const char *const *)names);
    /* Letters of another case are the most common mistake. */
    for (char **n = names; *n && !near; n++)
        if (strcasecmp(*n, wrong) == 0)
            near = *n;
    return err_set(err, ERR_NOT_FOUND, "field \"%s\" does not exist in %s%s%s%s", wrong, buf_str(&where),
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static bool is_kind(const cJSON *schema, const struct kube_explain *e)
{
    json_each (gvk, json_get(schema, "x-kubernetes-group-version-kind"))
        if (streq(string_in(gvk, "group"), e->group) && streq(string_in(gvk, "version"), e->version) &&
            streq(string_in(gvk, "kind"), e->kind))
            return true;
    return false;
}

static const cJSON *find_kind(const struct kube_explain *e)
{
    const cJSON *found = NULL;

    json_each (s, e->schemas)
        if (s->string && is_kind(s, e) && (!found || strcmp(s->string, found->string) < 0))
            found = s;
    return found;
}

static int explain(struct text *t, size_t *ret_known, struct err **err)
{
    const struct kube_explain *e = t->e;
    const cJSON *schema = find_kind(e);
    size_t known = 0;

    if (!schema)
        return err_set(err, ERR_NOT_FOUND,
                       "the server's OpenAPI documents do not tell of %s in version %s%s%s", e->kind,
                       e->group, *e->group ? "/" : "", e->version);
    if (*e->group)
        buf_addf(&t->out, "GROUP:      %s\n", e->group);
    buf_addf(&t->out, "KIND:       %s\nVERSION:    %s\n\n", e->kind, e->version);
    for (; e->fields && e->fields[known]; known++) {
        const cJSON *field = find_field(t, schema, e->fields[known], NULL, 0);
        if (ret_known)
            *ret_known = known;
        if (!field)
            return no_field(t, schema, known, err);
        schema = field;
    }
    if (ret_known)
        *ret_known = known;
    if (known) {
        buf_addf(&t->out, "FIELD: %s <", e->fields[known - 1]);
        add_type(t, &t->out, schema, 0);
        buf_adds(&t->out, ">\n");
        add_enum_long(&t->out, schema);
        buf_adds(&t->out, "\n\n");
    }
    add_body(t, schema);
    buf_addc(&t->out, '\n');
    return 0;
}

int kube_explain_text(struct buf *out, const struct kube_explain *e, size_t *ret_known, struct err **err)
{
    struct text t = {.e = e};
    int r = explain(&t, ret_known, err);

    if (r == 0 && t.too_large)
        r = err_set(err, ERR_TOO_LARGE, "the description of %s in the server's OpenAPI documents has no end",
                    e->kind);
    if (r == 0)
        r = buf_add(out, t.out.data, t.out.len);
    buf_release(&t.out);
    return r;
}
