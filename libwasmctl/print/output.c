#include "print/output.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/jsonpath.h"
#include "data/yaml.h"
#include "print/columns.h"
#include "print/gotemplate.h"

enum {
    MAX_TEMPLATE = JSONPATH_MAX_TEXT,
    MAX_HELD = 4 * 1024 * 1024, /* bytes of custom columns: longer lists line up piece by piece */
};

struct print_output {
    enum print_format format;
    enum print_shape shape;
    struct jsonpath *path;
    struct print_columns *columns;
    struct print_gotemplate *go;
    char *text; /* of the template, for messages */
    bool managed_fields, terminal, records;
    size_t count;
    cJSON *held; /* templates over a list: its objects */
};

enum argument { NO_ARGUMENT, TEMPLATE, FILE_NAME };

static const struct format {
    const char *name;
    enum print_format format;
    enum argument argument;
    bool table;
} formats[] = {
    {"custom-columns", PRINT_COLUMNS, TEMPLATE, false},
    {"custom-columns-file", PRINT_COLUMNS, FILE_NAME, false},
    {"csv", PRINT_CSV, NO_ARGUMENT, true},
    {"go-template", PRINT_GO_TEMPLATE, TEMPLATE, false},
    {"go-template-file", PRINT_GO_TEMPLATE, FILE_NAME, false},
    {"json", PRINT_JSON, NO_ARGUMENT, false},
    {"jsonpath", PRINT_JSONPATH, TEMPLATE, false},
    {"jsonpath-as-json", PRINT_JSONPATH_JSON, TEMPLATE, false},
    {"jsonpath-file", PRINT_JSONPATH, FILE_NAME, false},
    {"name", PRINT_NAME, NO_ARGUMENT, false},
    {"ndjson", PRINT_NDJSON, NO_ARGUMENT, false},
    {"template", PRINT_GO_TEMPLATE, TEMPLATE, false},
    {"templatefile", PRINT_GO_TEMPLATE, FILE_NAME, false},
    {"wide", PRINT_WIDE, NO_ARGUMENT, true},
    {"yaml", PRINT_YAML, NO_ARGUMENT, false},
};

static const struct format *find_format(const char *text, size_t len, bool tables)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strlen(formats[i].name) == len && memcmp(formats[i].name, text, len) == 0 &&
            (tables || !formats[i].table))
            return &formats[i];
    return NULL;
}

static int unknown_format(const char *text, bool tables, struct err **err)
{
    _cleanup_buf_ struct buf all = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (tables || !formats[i].table)
            buf_addf(&all, "%s%s", all.len ? "," : "", formats[i].name);
    return err_set(err, ERR_INVALID,
                   "unable to match a printer suitable for the output format \"%s\", allowed formats are: %s",
                   text, buf_str(&all));
}

static int parse_columns(struct print_output *p, const char *text, bool is_file,
                         const struct print_output_options *options, struct err **err)
{
    int r = is_file ? print_columns_parse_file(text, &p->columns, err)
                    : print_columns_parse(text, &p->columns, err);

    if (r < 0)
        return r;
    print_columns_set_colour(p->columns, options->colour);
    if (options->records)
        print_columns_as_records(p->columns);
    /* As kubectl: a file's headers are always there. */
    if (options->no_headers && !is_file)
        print_columns_hide_headers(p->columns);
    return 0;
}

static int parse_template(struct print_output *p, const struct format *format, const char *argument,
                          const struct print_output_options *options, struct err **err)
{
    bool is_file = format->argument == FILE_NAME;
    int r;

    if (!*argument)
        return err_set(err, ERR_INVALID,
                       p->format == PRINT_COLUMNS
                           ? "custom-columns format specified but no custom columns given"
                           : "template format specified but no template given");
    if (is_file) {
        r = file_read(argument, MAX_TEMPLATE, &p->text, NULL, err);
        if (r < 0)
            return err_wrap(err, "error reading --template %s", argument);
    } else {
        p->text = xstrdup(argument);
    }
    if (p->format == PRINT_COLUMNS)
        return parse_columns(p, p->text, is_file, options, err);
    if (p->format == PRINT_GO_TEMPLATE) {
        r = print_gotemplate_parse(p->text, options->missing_keys_are_errors, &p->go, err);
        return r < 0 ? err_wrap(err, "error parsing template %s", p->text) : 0;
    }
    r = jsonpath_parse(p->text, options->missing_keys_are_errors, &p->path, err);
    if (r < 0 && err && *err) {
        /* kubectl has a comma where everything else of ours has a colon. */
        struct err *e = *err;
        *err = NULL;
        r = err_set(err, e->code, "error parsing jsonpath %s, %s", p->text, err_text(e));
        err_free(e);
    }
    return r;
}

int print_output_new(const struct print_output_options *options, struct print_output **ret, struct err **err)
{
    _cleanup_(print_output_freep) struct print_output *p = xcalloc(1, sizeof(*p));
    const char *text = options->format ? options->format : "";
    const char *template = options->template ? options->template : "";

    p->managed_fields = options->managed_fields;
    p->terminal = options->terminal;
    p->records = options->records;
    if (*template && !*text)
        text = "go-template";
    if (!*text) {
        *ret = TAKE_PTR(p);
        return 0;
    }
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    const struct format *format = find_format(text, len, options->tables);
    if (!format || (equals && format->argument == NO_ARGUMENT))
        return unknown_format(text, options->tables, err);
    p->format = format->format;
    if (format->argument != NO_ARGUMENT) {
        int r = parse_template(p, format, equals ? equals + 1 : template, options, err);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(p);
    return 0;
}

void print_output_free(struct print_output *p)
{
    if (!p)
        return;
    jsonpath_free(p->path);
    print_columns_free(p->columns);
    print_gotemplate_free(p->go);
    free(p->text);
    cJSON_Delete(p->held);
    free(p);
}

enum print_format print_output_format(const struct print_output *p)
{
    return p->format;
}

bool print_output_is_table(const struct print_output *p)
{
    return p->format == PRINT_TABLE || p->format == PRINT_WIDE || p->format == PRINT_CSV;
}

void print_output_shape(struct print_output *p, enum print_shape shape)
{
    p->shape = shape;
}

size_t print_output_count(const struct print_output *p)
{
    return p->count;
}

static int run_template(struct print_output *p, cJSON *object, struct buf *out, struct err **err)
{
    struct err *e = NULL;
    int r;

    print_sort_members(object);
    if (p->format == PRINT_GO_TEMPLATE) {
        r = print_gotemplate_run(p->go, object, p->terminal, out, &e);
        if (r < 0) {
            err_set(err, r, "error executing template \"%s\": %s", p->text, err_text(e));
            err_free(e);
        }
        return r;
    }
    r = p->format == PRINT_JSONPATH ? jsonpath_print(p->path, object, p->terminal, out, &e)
                                    : jsonpath_print_json(p->path, object, out, &e);
    if (r < 0) {
        err_set(err, r, "error executing jsonpath \"%s\": Error executing template: %s", p->text,
                err_text(e));
        err_free(e);
    }
    return r;
}

/* "wasmactor.wasmctl.dev" from the object itself. */
static char *own_kind(const cJSON *object)
{
    const char *version = json_str_or(object, "apiVersion", ""), *slash = strchr(version, '/');
    _cleanup_free_ char *kind = str_lower(json_str_or(object, "kind", ""));

    return slash ? xasprintf("%s.%.*s", kind, (int)(slash - version), version) : TAKE_PTR(kind);
}

static void print_name(const cJSON *object, const char *kind, struct buf *out)
{
    _cleanup_free_ char *name = str_escape_control(json_str_or(object, "metadata.name", ""), false);
    _cleanup_free_ char *own = kind ? NULL : own_kind(object);

    buf_addf(out, "%s/%s\n", kind ? kind : own, name);
}

static void add_list_item(const struct print_output *p, cJSON *object, struct buf *out)
{
    if (!p->count)
        print_list_begin(out, p->format);
    else
        print_list_next(out, p->format);
    print_list_item(out, p->format, object);
}

static void close_list(const struct print_output *p, struct buf *out)
{
    if (p->count) {
        print_list_end(out, p->format);
        return;
    }
    _cleanup_json_ cJSON *list = print_list_object(cJSON_CreateArray());
    print_object(out, p->format, list);
}

static int add_columns_row(struct print_output *p, cJSON *object, struct buf *out, struct err **err)
{
    print_sort_members(object);
    int r = print_columns_add(p->columns, object, err);
    if (r == 0 && (p->shape == PRINT_STREAM || print_columns_waiting(p->columns) >= MAX_HELD))
        print_columns_flush(p->columns, out);
    return r;
}

int print_output_add(struct print_output *p, cJSON *object, const char *kind, struct buf *out,
                     struct err **err)
{
    _cleanup_json_ cJSON *o = object;
    int r = 0;

    if (!p->managed_fields) {
        print_drop_managed_fields(o);
        json_del(o, "object.metadata.managedFields");
    }
    switch (p->format) {
    case PRINT_JSON:
    case PRINT_YAML:
        if (p->shape == PRINT_LIST)
            add_list_item(p, o, out);
        else
            print_object_stream(out, p->format, o, !p->count || p->records);
        break;
    case PRINT_NDJSON:
        print_object(out, p->format, o);
        break;
    case PRINT_NAME:
        print_name(o, kind, out);
        break;
    case PRINT_COLUMNS:
        r = add_columns_row(p, o, out, err);
        break;
    case PRINT_JSONPATH:
    case PRINT_JSONPATH_JSON:
    case PRINT_GO_TEMPLATE:
        if (p->shape == PRINT_LIST) {
            if (!p->held)
                p->held = cJSON_CreateArray();
            cJSON_AddItemToArray(p->held, TAKE_PTR(o));
        } else {
            r = run_template(p, o, out, err);
        }
        break;
    case PRINT_TABLE:
    case PRINT_WIDE:
    case PRINT_CSV:
        r = err_set(err, ERR_INVALID, "tables are not printed from objects");
    }
    p->count++;
    return r;
}

int print_output_finish(struct print_output *p, struct buf *out, struct err **err)
{
    switch (p->format) {
    case PRINT_JSON:
    case PRINT_YAML:
        if (p->shape == PRINT_LIST)
            close_list(p, out);
        return 0;
    case PRINT_COLUMNS:
        if (p->shape == PRINT_LIST || p->count)
            print_columns_finish(p->columns, out);
        return 0;
    case PRINT_JSONPATH:
    case PRINT_JSONPATH_JSON:
    case PRINT_GO_TEMPLATE:
        if (p->shape == PRINT_LIST) {
            cJSON *items = p->held ? TAKE_PTR(p->held) : cJSON_CreateArray();
            _cleanup_json_ cJSON *list = print_list_object(items);
            return run_template(p, list, out, err);
        }
        return 0;
    default:
        return 0;
    }
}
