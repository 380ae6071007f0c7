/* JSONPath templates on a document: every template is refused with an error or runs to an end, an error
 * leaves the output as it was, and where a template prints, its JSON form is JSON. Input: the template, a
 * NUL, the document (one of our own when there is none or it is no JSON). */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "data/jsonpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

enum { MOST_TEXT = 512, MOST_DOCUMENT = 256, MOST_RANGES = 2, MOST_FACTORS = 3, MOST_FACTORS_OWN = 6 };

static const char own[] = "{\"kind\":\"List\",\"n\":3,\"f\":1.5,\"b\":true,\"x\":null,\"items\":["
                          "{\"name\":\"a\",\"l\":[1,2,3],\"m\":{\"k\":\"v\",\"a.b\":\"dot\"}},"
                          "{\"name\":\"b\",\"l\":[],\"m\":{}},{\"name\":\"c\",\"l\":[{\"name\":\"d\"}]}]}";

static void run(const char *text, bool strict, const cJSON *document)
{
    _cleanup_jsonpath_ struct jsonpath *p = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT, json = BUF_INIT;
    _cleanup_found_ struct jsonpath_found found = {0};
    _cleanup_err_ struct err *parse = NULL, *print = NULL, *find = NULL;

    int r = jsonpath_parse(text, strict, &p, &parse);
    CHECK((r < 0) == (parse != NULL));
    if (r < 0)
        return;
    buf_adds(&out, "before");
    r = jsonpath_print(p, document, strict, &out, &print);
    CHECK((r < 0) == (print != NULL));
    CHECK(r == 0 || strcmp(buf_str(&out), "before") == 0);
    CHECK(jsonpath_find(p, document, &found, &find) == r);
    if (r < 0)
        return;
    CHECK(jsonpath_print_json(p, document, &json, NULL) == 0);
    for (const char *at = buf_str(&json), *end = at + json.len; at < end;) {
        _cleanup_json_ cJSON *array = NULL;
        size_t used;
        if (json_parse_next(at, (size_t)(end - at), "array", 1, &array, &used, NULL) < 0)
            break; /* numbers past 2^53 are refused there, and keys that differ in what is no UTF-8 */
        CHECK(cJSON_IsArray(array) && used > 0);
        at += used;
    }
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* A template prints the product of what each part finds: a few ranges over all descendants of a deep document
 * run for hours, and rightly so. Short ones find as much. */
static bool is_short(const char *text, bool own_document)
{
    size_t factors =
        count(text, "*") + count(text, "..") + count(text, ":") + count(text, "?") + count(text, ",");

    return count(text, "range") <= MOST_RANGES && factors <= (own_document ? MOST_FACTORS_OWN : MOST_FACTORS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size, rest = nul ? size - len - 1 : 0;
    _cleanup_json_ cJSON *document = NULL;

    if (len > MOST_TEXT || rest > MOST_DOCUMENT)
        return 0;
    _cleanup_free_ char *text = xstrndup((const char *)data, len);
    bool own_document = !rest || json_parse((const char *)nul + 1, rest, "document", &document, NULL) < 0;
    if (!is_short(text, own_document))
        return 0;
    if (own_document)
        CHECK(json_parse(own, strlen(own), "own", &document, NULL) == 0);
    run(text, false, document);
    run(text, true, document);
    _cleanup_jsonpath_ struct jsonpath *relaxed = NULL;
    jsonpath_parse_relaxed(text, &relaxed, NULL);
    return 0;
}
