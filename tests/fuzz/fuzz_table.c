/* Whatever a server sends in place of a table: it is printed or refused. */
#include "base/str.h"
#include "print/server_table.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *labels[] = {"app", "tier", NULL};
    _cleanup_json_ cJSON *answer = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (!size)
        return 0;
    unsigned flags = *data;
    const struct print_server_table_options options = {
        .wide = flags & 1,
        .no_headers = flags & 2,
        .namespaces = flags & 4,
        .events = flags & 8,
        .show_labels = flags & 16,
        .label_columns = flags & 32 ? labels : NULL,
        .name_prefix = flags & 64 ? "wasmactor.wasmctl.dev" : NULL,
    };
    if (json_parse((const char *)data + 1, size - 1, "answer", &answer, NULL) < 0)
        return 0;
    _cleanup_(print_server_table_freep) struct print_server_table *t = print_server_table_new(&options);
    /* Twice: the columns are those of the first. */
    for (int i = 0; i < 2; i++) {
        _cleanup_err_ struct err *err = NULL;
        int r = print_server_table_add(t, &out, answer, flags & 8 ? "ADDED" : NULL, &err);
        FUZZ_CHECK((r < 0) == (err != NULL));
    }
    for (size_t i = 0; i < out.len; i++)
        FUZZ_CHECK(out.data[i] == '\n' || ((unsigned char)out.data[i] >= ' ' && out.data[i] != 0x7f));
    return 0;
}
