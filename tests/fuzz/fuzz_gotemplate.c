/* Go templates on a document: every template is refused with an error or runs to an end, and an error leaves
 * the output as it was. Input: the template, a NUL, the document (one of our own when there is none or it is
 * no JSON). */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "print/gotemplate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                          \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            abort();                                                                                         \
    } while (0)

enum { MOST_TEXT = 1024, MOST_DOCUMENT = 2048 };

static const char own[] = "{\"kind\":\"List\",\"n\":3,\"f\":1.5,\"b\":true,\"x\":null,\"items\":["
                          "{\"name\":\"a\",\"l\":[1,2,3],\"m\":{\"k\":\"dg==\",\"a.b\":\"dot\"}},"
                          "{\"name\":\"b\",\"l\":[],\"m\":{}},{\"name\":\"c\",\"l\":[{\"name\":\"d\"}]}]}";

static void run(const char *text, bool strict, const cJSON *document)
{
    _cleanup_(print_gotemplate_freep) struct print_gotemplate *t = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_err_ struct err *parse = NULL, *print = NULL;

    int r = print_gotemplate_parse(text, strict, &t, &parse);
    CHECK((r < 0) == (parse != NULL));
    if (r < 0)
        return;
    buf_adds(&out, "before");
    r = print_gotemplate_run(t, document, strict, &out, &print);
    CHECK((r < 0) == (print != NULL));
    CHECK(r == 0 || strcmp(buf_str(&out), "before") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size, rest = nul ? size - len - 1 : 0;
    _cleanup_json_ cJSON *document = NULL;

    if (len > MOST_TEXT || rest > MOST_DOCUMENT)
        return 0;
    _cleanup_free_ char *text = xstrndup((const char *)data, len);
    if (!rest || json_parse((const char *)nul + 1, rest, "document", &document, NULL) < 0)
        CHECK(json_parse(own, strlen(own), "own", &document, NULL) == 0);
    run(text, false, document);
    run(text, true, document);
    return 0;
}
