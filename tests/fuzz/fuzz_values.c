/* Small values from outside: quantities, durations, times, numbers, base64, text for a terminal. */
#include "base/str.h"
#include "base/timefmt.h"
#include "data/quantity.h"
#include "data/yaml_word.h"
#include "tests/fuzz/fuzz.h"

static void check_times(const char *s)
{
    const int64_t century_ns = INT64_C(100) * 366 * 86400 * 1000000000;
    char text[TIME_RFC3339_LEN], age[TIME_AGE_LEN];
    int64_t ns, again;

    if (time_parse_duration(s, &ns, NULL) == 0)
        FUZZ_CHECK(ns <= century_ns && ns >= -century_ns);
    if (time_parse_rfc3339(s, &ns, NULL) == 0) {
        time_rfc3339(ns, 9, text);
        FUZZ_CHECK(time_parse_rfc3339(text, &again, NULL) == 0 && again == ns);
        time_age(ns, age);
        FUZZ_CHECK(strlen(age) < sizeof(age));
    }
}

static void check_text(const char *s)
{
    _cleanup_free_ char *shown = str_escape_control(s, false), *lower = str_lower(s);
    size_t len = 0;
    char *decoded = NULL;

    for (const char *p = shown; *p; p++)
        FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
    FUZZ_CHECK(str_width(shown) <= strlen(shown));
    FUZZ_CHECK(strlen(lower) == strlen(s));
    if (str_base64_decode(s, &decoded, &len) == 0) {
        _cleanup_free_ char *encoded = str_base64_encode(decoded, len), *twice = NULL;
        size_t twice_len;
        FUZZ_CHECK(str_base64_decode(encoded, &twice, &twice_len) == 0);
        FUZZ_CHECK(twice_len == len && memcmp(twice, decoded, len) == 0);
        free(decoded);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char quantity[QUANTITY_TEXT_LEN];
    struct yaml_word word;
    int64_t value;

    if (quantity_parse(text, &value, NULL) == 0) {
        FUZZ_CHECK(value >= 0 && value <= INT64_C(1) << 62);
        FUZZ_CHECK(strlen(quantity_text(value, quantity)) < sizeof(quantity));
    }
    if (str_to_i64(text, -5, 1000, &value))
        FUZZ_CHECK(value >= -5 && value <= 1000);
    yaml_word_read(text, &word);
    yaml_word_is_base60(text);
    check_times(text);
    check_text(text);
    return 0;
}
