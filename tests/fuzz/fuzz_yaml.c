/* YAML of any kind: reading never fails otherwise than by an error, and what was read, printed and read again
 * is the same. */
#include "base/str.h"
#include "data/yaml.h"
#include "tests/fuzz/fuzz.h"

/* The printer replaces what is no UTF-8, so only valid text comes back unchanged. */
static bool is_utf8(const char *s)
{
    uint32_t cp;

    for (size_t n; *s; s += n)
        if (!(n = str_utf8_next(s, &cp)))
            return false;
    return true;
}

static bool all_utf8(const cJSON *o)
{
    for (; o; o = o->next)
        if ((o->string && !is_utf8(o->string)) || (o->valuestring && !is_utf8(o->valuestring)) ||
            !all_utf8(o->child))
            return false;
    return true;
}

/* Integers past 2^53 are printed in full and not read again: they are refused for not being exact. */
static bool all_exact(const cJSON *o)
{
    for (; o; o = o->next)
        if ((cJSON_IsNumber(o) && !(o->valuedouble >= -0x1p53 && o->valuedouble <= 0x1p53)) ||
            !all_exact(o->child))
            return false;
    return true;
}

static void round_trip(const cJSON *root)
{
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_(yaml_docs_release) struct yaml_docs again = {0};
    _cleanup_err_ struct err *err = NULL;

    yaml_print_to(&out, root);
    if (!all_utf8(root) || !all_exact(root))
        return;
    int r = yaml_parse(buf_str(&out), out.len, "again", &again, &err);
    if (r < 0)
        fprintf(stderr, "%s\n%s", err_text(err), buf_str(&out));
    FUZZ_CHECK(r == 0);
    if (again.len != 1 || !json_equal(root, again.items[0].root)) {
        _cleanup_free_ char *before = json_print(root);
        fprintf(stderr, "%s\n%s", before, buf_str(&out));
    }
    FUZZ_CHECK(again.len == 1);
    FUZZ_CHECK(json_equal(root, again.items[0].root));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(yaml_docs_release) struct yaml_docs docs = {0};
    _cleanup_err_ struct err *err = NULL;

    int r = yaml_parse((const char *)data, size, "input", &docs, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    FUZZ_CHECK(r == 0 || docs.len == 0);
    for (size_t i = 0; i < docs.len; i++)
        round_trip(docs.items[i].root);
    return 0;
}
