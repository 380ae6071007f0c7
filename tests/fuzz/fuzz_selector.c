/* Label selectors, as text and as objects: what is printed of a text means what was read. */
#include "base/str.h"
#include "data/selector.h"
#include "tests/fuzz/fuzz.h"

static struct map *sample_labels(void)
{
    struct map *labels = map_new(free);

    map_set(labels, "app", xstrdup("shop"));
    map_set(labels, "tier", xstrdup(""));
    map_set(labels, "example.com/zone", xstrdup("a-1"));
    return labels;
}

/* Objects may ask for values that are no label values of Kubernetes: hosts of a lattice have those too. */
static void check(const struct selector *s, bool is_text)
{
    static struct map *labels;
    _cleanup_free_ char *text = selector_text(s);

    if (!labels)
        labels = sample_labels();
    _cleanup_free_ char *mismatch = selector_first_mismatch(s, labels);
    FUZZ_CHECK(selector_matches(s, labels) == !mismatch);
    if (!is_text || streq(text, "<everything>"))
        return;
    _cleanup_(selector_freep) struct selector *again = NULL;
    _cleanup_err_ struct err *err = NULL;
    if (selector_parse(text, &again, &err) < 0)
        fprintf(stderr, "%s: %s\n", text, err_text(err));
    FUZZ_CHECK(again);
    _cleanup_free_ char *second = selector_text(again);
    if (!streq(text, second))
        fprintf(stderr, "%s\n%s\n", text, second);
    FUZZ_CHECK(streq(text, second));
    FUZZ_CHECK(selector_matches(again, labels) == !mismatch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_(selector_freep) struct selector *from_text = NULL, *from_object = NULL;
    _cleanup_json_ cJSON *object = NULL;
    _cleanup_err_ struct err *err = NULL;

    int r = selector_parse(text, &from_text, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0)
        check(from_text, true);
    if (json_parse(text, strlen(text), "selector", &object, NULL) == 0 &&
        selector_from_json(object, &from_object, NULL) == 0)
        check(from_object, false);
    return 0;
}
