/* What hosts of a lattice send: answers of the control interface and events. */
#include "base/map.h"
#include "data/json.h"
#include "lattice/wire_v1.h"
#include "tests/fuzz/fuzz.h"

static void read_inventory(const cJSON *o)
{
    struct lat_v1_inventory inventory = {0};
    _cleanup_err_ struct err *err = NULL;
    int r = lat_v1_inventory(o, &inventory, &err);

    FUZZ_CHECK((r < 0) == (err != NULL));
    for (size_t i = 0; r == 0 && i < inventory.ncomponents; i++)
        FUZZ_CHECK(lat_v1_component(&inventory, inventory.components[i].id));
    for (size_t i = 0; r == 0 && i < inventory.nproviders; i++)
        FUZZ_CHECK(lat_v1_provider(&inventory, inventory.providers[i].id));
    if (r == 0)
        lat_v1_inventory_release(&inventory);
}

static void read_host(const cJSON *o)
{
    struct lat_v1_host host = {0};
    _cleanup_err_ struct err *err = NULL;
    int r = lat_v1_host(o, &host, &err);

    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0)
        lat_v1_host_release(&host);
}

static void read_links(const cJSON *o)
{
    struct lat_link *links = NULL;
    size_t n = 0;
    _cleanup_err_ struct err *err = NULL;
    int r = lat_v1_links(o, &links, &n, &err);

    FUZZ_CHECK((r < 0) == (err != NULL));
    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_free_ char *put = lat_v1_link_put(&links[i]), *del = lat_v1_link_del(&links[i]);
        FUZZ_CHECK(put && del);
    }
    if (r == 0)
        lat_v1_links_free(links, n);
}

static void read_config(const cJSON *o)
{
    struct map *values = NULL;
    _cleanup_err_ struct err *err = NULL;
    int r = lat_v1_config(o, &values, &err);

    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0) {
        _cleanup_free_ char *put = lat_v1_config_put(values);
        FUZZ_CHECK(put);
        map_free(values);
    }
}

static void read_event(const char *data, size_t len)
{
    struct lat_v1_event event = {0};
    _cleanup_err_ struct err *err = NULL;
    int r = lat_v1_event(data, len, &event, &err);

    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0)
        lat_v1_event_release(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ cJSON *root = NULL;
    const cJSON *response = NULL;
    _cleanup_err_ struct err *err = NULL;
    /* An exact copy: reading past the end is seen. */
    _cleanup_free_ char *text = size ? xmemdup(data, size) : xstrdup("");

    read_event(text, size);
    int r = lat_v1_answer(text, size, &root, &response, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r < 0)
        return 0;
    read_inventory(response);
    read_host(response);
    read_links(response);
    read_config(response);
    return 0;
}
