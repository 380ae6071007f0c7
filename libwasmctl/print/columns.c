#include "print/columns.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/gotext.h"
#include "data/jsonpath.h"
#include "print/colour.h"
#include "print/table.h"

struct column {
    char *header;
    struct jsonpath *path; /* NULL: none was given */
};

struct print_columns {
    VEC(struct column) columns;
    struct print_table *table; /* of several columns */
    struct buf lines;          /* of a single one */
    size_t waiting;
    bool single; /* one column, which needs no lining up */
    bool colour, headers_done;
};

void print_columns_free(struct print_columns *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->columns.len; i++) {
        free(c->columns.items[i].header);
        jsonpath_free(c->columns.items[i].path);
    }
    free(c->columns.items);
    print_table_free(c->table);
    buf_release(&c->lines);
    free(c);
}

static struct print_columns *columns_new(void)
{
    struct print_columns *c = xcalloc(1, sizeof(*c));

    c->table = print_table_new();
    return c;
}

static int add_column(struct print_columns *c, const char *header, const char *path, struct err **err)
{
    struct column column = {0};

    if (*path) {
        int r = jsonpath_parse_relaxed(path, &column.path, err);
        if (r < 0)
            return r;
    }
    column.header = str_escape_control(header, false);
    vec_push(&c->columns, column);
    return 0;
}

int print_columns_parse(const char *spec, struct print_columns **ret, struct err **err)
{
    _cleanup_(print_columns_freep) struct print_columns *c = columns_new();
    _cleanup_strv_ char **parts = strv_split(spec, ',', true);

    if (!*spec)
        return err_set(err, ERR_INVALID, "custom-columns format specified but no custom columns given");
    for (char **part = parts; *part; part++) {
        char *colon = strchr(*part, ':');
        if (!colon)
            return err_set(err, ERR_INVALID,
                           "unexpected custom-columns spec: %s, expected <header>:<json-path-expr>", *part);
        *colon = '\0';
        int r = add_column(c, *part, colon + 1, err);
        if (r < 0)
            return r;
    }
    c->single = c->columns.len == 1;
    *ret = TAKE_PTR(c);
    return 0;
}

static char **words_of(const char *line)
{
    char **words = strv_new();

    while (*line) {
        size_t blank = strspn(line, " \t\r\v\f"), n = strcspn(line + blank, " \t\r\v\f");
        _cleanup_free_ char *word = xstrndup(line + blank, n);
        if (n)
            strv_push(&words, word);
        line += blank + n;
    }
    return words;
}

int print_columns_parse_file(const char *text, struct print_columns **ret, struct err **err)
{
    static const char expected[] =
        "Expected format is one line of space separated headers, one line of space "
        "separated column specs.";
    _cleanup_(print_columns_freep) struct print_columns *c = columns_new();
    _cleanup_strv_ char **lines = strv_split(text, '\n', true);

    if (!*text)
        return err_set(err, ERR_INVALID, "invalid template, missing header line. %s", expected);
    if (strv_len(lines) < 2 || (strv_len(lines) == 2 && !*lines[1]))
        return err_set(err, ERR_INVALID, "invalid template, missing spec line. %s", expected);
    _cleanup_strv_ char **headers = words_of(lines[0]), **paths = words_of(lines[1]);
    if (strv_len(headers) != strv_len(paths))
        return err_set(err, ERR_INVALID, "number of headers (%zu) and field specifications (%zu) don't match",
                       strv_len(headers), strv_len(paths));
    for (size_t i = 0; headers[i]; i++) {
        int r = add_column(c, headers[i], paths[i], err);
        if (r < 0)
            return r;
    }
    c->single = c->columns.len == 1;
    *ret = TAKE_PTR(c);
    return 0;
}

void print_columns_set_colour(struct print_columns *c, bool on)
{
    c->colour = on;
    print_table_set_colour(c->table, on);
}

void print_columns_as_records(struct print_columns *c)
{
    c->single = false;
    print_table_as_records(c->table);
}

void print_columns_hide_headers(struct print_columns *c)
{
    c->headers_done = true;
}

static void add_header(struct print_columns *c)
{
    if (c->headers_done)
        return;
    c->headers_done = true;
    if (c->single) {
        buf_addf(&c->lines, c->colour ? PRINT_COLOUR_HEADER "%s" PRINT_COLOUR_END "\n" : "%s\n",
                 c->columns.items[0].header);
        return;
    }
    for (size_t i = 0; i < c->columns.len; i++)
        print_table_cell(c->table, c->columns.items[i].header);
    print_table_end_header(c->table);
}

static int value_of(const struct column *column, const cJSON *object, struct buf *out, struct err **err)
{
    _cleanup_found_ struct jsonpath_found found = {0};
    int r = column->path ? jsonpath_find(column->path, object, &found, err) : 0;

    if (r < 0)
        return r;
    for (size_t i = 0; i < found.len; i++) {
        if (i)
            buf_addc(out, ',');
        gotext_value(out, found.items[i]);
    }
    if (!found.len)
        buf_adds(out, "<none>");
    return 0;
}

int print_columns_add(struct print_columns *c, const cJSON *object, struct err **err)
{
    VEC(char *) cells = {0};
    int r = 0;

    for (size_t i = 0; i < c->columns.len && r == 0; i++) {
        _cleanup_buf_ struct buf value = BUF_INIT;
        r = value_of(&c->columns.items[i], object, &value, err);
        if (r == 0)
            vec_push(&cells, str_escape_control(buf_str(&value), c->single));
    }
    if (r == 0)
        add_header(c);
    for (size_t i = 0; i < cells.len; i++) {
        c->waiting += strlen(cells.items[i]) + sizeof(cells.items[i]);
        if (r == 0 && c->single)
            buf_addf(&c->lines, "%s\n", cells.items[i]);
        else if (r == 0)
            print_table_cell(c->table, cells.items[i]);
        free(cells.items[i]);
    }
    free(cells.items);
    if (r == 0 && !c->single)
        print_table_end_row(c->table);
    return r;
}

size_t print_columns_waiting(const struct print_columns *c)
{
    return c->waiting;
}

void print_columns_flush(struct print_columns *c, struct buf *out)
{
    buf_add(out, buf_str(&c->lines), c->lines.len);
    buf_truncate(&c->lines, 0);
    print_table_flush(c->table, out, 0);
    c->waiting = 0;
}

void print_columns_finish(struct print_columns *c, struct buf *out)
{
    add_header(c);
    print_columns_flush(c, out);
}
