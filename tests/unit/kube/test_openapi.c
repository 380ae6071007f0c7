#include "unit/unit.h"

#include "base/str.h"
#include "kube/openapi.h"

#define GVK(k) "\"x-kubernetes-group-version-kind\":[{\"group\":\"g\",\"version\":\"v1\",\"kind\":\"" k "\"}]"

static const char document[] = "{\"b.Thing\":{" GVK(
    "Thing") ",\"description\":\"Second.\"},"
             "\"a.Thing\":{" GVK(
                 "Thing") ",\"description\":\"A thing.\","
                          "\"externalDocs\":{\"description\":\"More\",\"url\":\"u\"},"
                          "\"properties\":{"
                          "\"z\":{\"type\":\"string\",\"enum\":[1,true,null,\"x\"]},"
                          "\"node\":{\"$ref\":\"#/components/schemas/Node\"},"
                          "\"both\":{\"description\":\"Its "
                          "own.\",\"allOf\":[{\"$ref\":\"#/components/schemas/Node\"}]},"
                          "\"any\":{\"x-kubernetes-preserve-unknown-fields\":true},"
                          "\"time\":{\"$ref\":\"#/components/schemas/io.k8s.Time\"},"
                          "\"lists\":{\"type\":\"array\",\"items\":{\"type\":\"array\","
                          "\"items\":{\"$ref\":\"#/components/schemas/Node\"}}},"
                          "\"map\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}},"
                          "\"open\":{\"type\":\"object\",\"additionalProperties\":true},"
                          "\"lost\":{\"$ref\":\"#/components/schemas/Nowhere\"}}},"
                          "\"io.k8s.Time\":{\"type\":\"string\",\"format\":\"date-time\"},"
                          "\"Node\":{\"type\":\"object\",\"description\":\"A "
                          "node.\",\"required\":[\"name\",5],"
                          "\"properties\":{\"name\":{\"type\":\"string\"},\"next\":{\"$ref\":\"#/components/"
                          "schemas/Node\"}}}}";

static int explain(const char *path, bool recursive, int depth, struct buf *out, struct err **err)
{
    cJSON *schemas = NULL;
    char **fields = strv_split(path, '.', false);
    size_t known = 0;

    assert_int_equal(json_parse(document, strlen(document), "document", &schemas, NULL), 0);
    struct kube_explain e = {.schemas = schemas,
                             .group = "g",
                             .version = "v1",
                             .kind = "Thing",
                             .fields = fields,
                             .recursive = recursive,
                             .max_depth = depth};
    int r = kube_explain_text(out, &e, &known, err);
    assert_true(known <= strv_len(fields));
    strv_free(fields);
    cJSON_Delete(schemas);
    return r;
}

static void expect(const char *path, bool recursive, int depth, const char *text)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(explain(path, recursive, depth, &out, NULL), 0);
    assert_string_equal(buf_str(&out), text);
}

#define HEAD "GROUP:      g\nKIND:       Thing\nVERSION:    v1\n\n"

static void test_types(void **state _unused_)
{
    expect("", true, 1,
           HEAD "DESCRIPTION:\n    A thing.\n    \n\nEXTERNAL DOCS:\n    More\n    URL: u\nFIELDS:\n"
                "  any\t<Object>\n  both\t<Node>\n  lists\t<[][]Node>\n  lost\t<Nowhere>\n"
                "  map\t<map[string]integer>\n  node\t<Node>\n  open\t<Object>\n  time\t<string>\n"
                "  z\t<string>\n"
                "  enum: 1, true, null, x\n\n");
}

/* What refers to itself is followed once. */
static void test_cycles(void **state _unused_)
{
    expect("node", true, 0,
           HEAD "FIELD: node <Node>\n\n\nDESCRIPTION:\n    A node.\n    \nFIELDS:\n"
                "  name\t<string> -required-\n  next\t<Node>\n    name\t<string> -required-\n"
                "    next\t<Node>\n\n");
    _cleanup_buf_ struct buf out = BUF_INIT;
    assert_int_equal(explain("node.next.next.next.name", false, 0, &out, NULL), 0);
    assert_non_null(strstr(out.data, "FIELD: name <string>\n"));
}

static void test_own_words_come_first(void **state _unused_)
{
    _cleanup_buf_ struct buf out = BUF_INIT;

    assert_int_equal(explain("both", false, 0, &out, NULL), 0);
    assert_non_null(strstr(out.data, "DESCRIPTION:\n    Its own.\n    A node.\n    \nFIELDS:\n"));
}

static void test_fields_that_are_not_there(void **state _unused_)
{
    static const struct {
        const char *path, *message;
    } rows[] = {
        {"nod", "field \"nod\" does not exist in Thing (did you mean \"node\"?)"},
        {"NODE", "field \"NODE\" does not exist in Thing (did you mean \"node\"?)"},
        {"node.nam", "field \"nam\" does not exist in Thing.node (did you mean \"name\"?)"},
        {"lists.nam", "field \"nam\" does not exist in Thing.lists (did you mean \"name\"?)"},
        {"map.x", "field \"x\" does not exist in Thing.map"},
        {"z.x", "field \"x\" does not exist in Thing.z"},
        {"lost.x", "field \"x\" does not exist in Thing.lost"},
        {"any.x", "field \"x\" does not exist in Thing.any"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT;
        _cleanup_err_ struct err *err = NULL;
        assert_int_equal(explain(rows[i].path, false, 0, &out, &err), ERR_NOT_FOUND);
        assert_string_equal(err->message, rows[i].message);
        assert_int_equal(out.len, 0);
    }
}

static char *wrapped(const char *description)
{
    _cleanup_json_ cJSON *schemas = cJSON_CreateObject();
    cJSON *s = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    static const char text[] = "{" GVK("Thing") "}";

    assert_int_equal(json_parse(text, strlen(text), "schema", &s, NULL), 0);
    json_put_str(s, "description", description);
    json_put(schemas, "Thing", s);
    struct kube_explain e = {.schemas = schemas, .group = "g", .version = "v1", .kind = "Thing"};
    assert_int_equal(kube_explain_text(&out, &e, NULL, NULL), 0);
    char *start = strstr(out.data, "DESCRIPTION:\n") + strlen("DESCRIPTION:\n");
    return strndup(start, strlen(start) - 1);
}

/* As kubectl breaks them: at 76 characters (not bytes); spaces at a break are dropped, those at a line's end
 * stay while they fit. */
static void test_wrapping(void **state _unused_)
{
    char a75[76] = {0}, a76[77] = {0}, umlauts[2 * 75 + 1] = {0};
    memset(a75, 'a', 75);
    memset(a76, 'a', 76);
    for (int i = 0; i < 75; i++)
        memcpy(umlauts + 2 * i, "\xc3\xa4", 2);
    struct {
        char *text, *out;
    } rows[] = {
        {strdup("one\n\n  two"), strdup("    one\n    \n      two\n    \n")},
        {NULL, NULL},
        {NULL, NULL},
        {NULL, NULL},
    };
    assert_true(asprintf(&rows[1].text, "%s b", a75) > 0 &&
                asprintf(&rows[1].out, "    %s\n    b\n    \n", a75) > 0);
    assert_true(asprintf(&rows[2].text, "%s  b", a76) > 0 &&
                asprintf(&rows[2].out, "    %s\n    b\n    \n", a76) > 0);
    assert_true(asprintf(&rows[3].text, "%s b", umlauts) > 0 &&
                asprintf(&rows[3].out, "    %s\n    b\n    \n", umlauts) > 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = wrapped(rows[i].text);
        assert_string_equal(got, rows[i].out);
        free(rows[i].text);
        free(rows[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_own_words_come_first),
        cmocka_unit_test(test_fields_that_are_not_there),
        cmocka_unit_test(test_wrapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
