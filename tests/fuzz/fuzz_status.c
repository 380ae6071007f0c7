/* What a server says when it refuses: any body becomes one message that no terminal stumbles over. */
#include "base/str.h"
#include "kube/client.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504, 599};
    _cleanup_err_ struct err *err = NULL;

    if (!size)
        return 0;
    _cleanup_free_ char *body = fuzz_text(data + 1, size - 1);
    int http = statuses[*data % ARRAY_LEN(statuses)];
    int r = kube_status_to_err(http, body, strlen(body), &err);
    FUZZ_CHECK(r < 0 && err && err->code == r && err->http >= 100 && err->http <= 999);
    FUZZ_CHECK(err->retry_ms >= 0 && err->retry_ms <= 3600 * 1000);
    _cleanup_free_ char *text = kube_err_text(err);
    FUZZ_CHECK(*text);
    return 0;
}
