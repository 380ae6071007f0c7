#include "unit/kube/fixture.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "kube/discovery_cache.h"

static char *folder;

static int setup(void **state)
{
    char template[] = "/tmp/wasmctl-test-cache-XXXXXX";
    int r = fixture_setup(state);
    struct fixture *f = *state;

    assert_non_null(mkdtemp(template));
    folder = xstrdup(template);
    f->options.cache_dir = folder;
    fixture_client(f);
    return r;
}

static int teardown(void **state)
{
    time_pin(0);
    file_remove_tree(folder, NULL);
    free(folder);
    return fixture_teardown(state);
}

static char *path_of(const struct fixture *f, const char *name)
{
    _cleanup_free_ char *where = kube_cache_folder(f->client);

    return xasprintf("%s/%s", where, name);
}

static void test_write_and_read(void **state)
{
    struct fixture *f = *state;
    _cleanup_cache_entry_ struct kube_cache_entry e = {0};

    assert_false(kube_cache_read(f->client, "a", &e));
    kube_cache_write(f->client, "a", "\"tag 1\"", "body\nof\n\0bytes", 14);
    assert_true(kube_cache_read(f->client, "a", &e));
    assert_string_equal(e.tag, "\"tag 1\"");
    assert_int_equal(e.len, 14);
    assert_memory_equal(e.body, "body\nof\n\0bytes", 15);
    assert_true(e.age_ns >= 0 && e.age_ns < INT64_C(60) * 1000000000);
    kube_cache_entry_release(&e);
    kube_cache_write(f->client, "a", "two\nlines", "", 0);
    assert_true(kube_cache_read(f->client, "a", &e));
    assert_string_equal(e.tag, "");
    assert_int_equal(e.len, 0);
}

static void test_age(void **state)
{
    struct fixture *f = *state;
    struct kube_cache_entry e = {0};
    int64_t now = time_now_ns(), hour = INT64_C(3600) * 1000000000;

    kube_cache_write(f->client, "a", "t", "b", 1);
    time_pin(now + 7 * hour);
    assert_true(kube_cache_read(f->client, "a", &e));
    assert_true(e.age_ns > 6 * hour);
    kube_cache_entry_release(&e);
    time_pin(now - hour); /* the clock was set back */
    assert_false(kube_cache_read(f->client, "a", &e));
}

/* Every byte counts. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = path_of(f, "a"), *data = NULL;
    size_t len = 0;

    kube_cache_write(f->client, "a", "tag", "{\"some\":\"body\"}", 15);
    assert_int_equal(file_read(path, 4096, &data, &len, NULL), 0);
    for (size_t i = 0; i < len; i++) {
        struct kube_cache_entry e = {0};
        data[i] ^= 0x20;
        assert_int_equal(file_write(path, data, len, 0600, NULL), 0);
        assert_false(kube_cache_read(f->client, "a", &e));
        assert_int_equal(file_write(path, data, i, 0600, NULL), 0);
        assert_false(kube_cache_read(f->client, "a", &e));
        data[i] ^= 0x20;
    }
    struct kube_cache_entry e = {0};
    assert_int_equal(file_write(path, data, len, 0600, NULL), 0);
    assert_true(kube_cache_read(f->client, "a", &e));
    kube_cache_entry_release(&e);
    assert_int_equal(chmod(path, 0620), 0);
    assert_false(kube_cache_read(f->client, "a", &e));
}

static void test_names_lead_nowhere_else(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *plain = path_of(f, "_.._etc_passwd");
    struct stat st;

    kube_cache_write(f->client, "/../etc/passwd", "t", "b", 1);
    assert_int_equal(stat(plain, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *slash = strrchr(plain, '/');
    *slash = '\0';
    assert_int_equal(stat(plain, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* The same address, another cluster. */
static void test_servers_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct kube_cache_entry e = {0};

    kube_cache_write(f->client, "a", "t", "b", 1);
    kube_client_free(f->client);
    f->config.tls_server_name = (char *)"other.example";
    fixture_client(f);
    assert_false(kube_cache_read(f->client, "a", &e));
    kube_client_free(f->client);
    f->config.tls_server_name = NULL;
    f->options.cache_dir = NULL;
    fixture_client(f);
    assert_null(kube_cache_folder(f->client));
    kube_cache_write(f->client, "a", "t", "b", 1);
    kube_cache_touch(f->client, "a");
    assert_false(kube_cache_read(f->client, "a", &e));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_age),
        TEST(test_damage),
        TEST(test_names_lead_nowhere_else),
        TEST(test_servers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
