#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "dev/env.h"
#include "tests/unit/dev/scratch.h"

static struct dev_env *open_env(const char *name)
{
    struct dev_env *e = NULL;

    assert_int_equal(dev_open(NULL, name, NULL, false, &e, NULL), 0);
    return e;
}

static void fill(struct dev_env *e)
{
    dev_child_add(e, DEV_OPERATOR, 0)->ports[1] = 65535;
    dev_child_add(e, DEV_HOST, 10);
    dev_child_add(e, DEV_APISERVER, 0)->ports[0] = 6443;
    struct dev_child *host = dev_child_add(e, DEV_HOST, 2);
    strv_push(&host->labels, "cloud=aws");
    strv_push(&host->labels, "empty=");
    xstr_replace(&host->id, "NABC234");
    dev_child_add(e, DEV_NATS, 0)->ports[0] = 4222;
    dev_child_add(e, DEV_ETCD, 0);
    e->with_operator = false;
    e->with_audit = true;
    e->nats_pinned = true;
    xstr_replace(&e->merged_into, "/home/x/.kube/config");
}

static void state_comes_back_as_it_was(void **state _unused_)
{
    static const char *const order[] = {"etcd", "nats", "apiserver", "host-2", "host-10", "operator"};
    _cleanup_dev_ struct dev_env *e = open_env("round"), *back = NULL;

    assert_false(dev_exists(e));
    assert_int_equal(file_mkdirs(dev_folder(e), 0700, NULL), 0);
    fill(e);
    assert_int_equal(dev_state_save(e, NULL), 0);
    back = open_env("round");
    assert_true(dev_exists(back));
    assert_int_equal(back->children.len, ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_string_equal(back->children.items[i]->name, order[i]);
    assert_int_equal(dev_child_of(back, DEV_APISERVER)->ports[0], 6443);
    assert_int_equal(dev_child_of(back, DEV_OPERATOR)->ports[1], 65535);
    const struct dev_child *host = dev_child_find(back, "host-2");
    assert_string_equal(host->id, "NABC234");
    assert_int_equal(strv_len(host->labels), 2);
    assert_string_equal(host->labels[1], "empty=");
    assert_false(back->with_operator);
    assert_true(back->with_audit);
    assert_true(back->nats_pinned);
    assert_false(back->api_pinned);
    assert_string_equal(back->merged_into, "/home/x/.kube/config");
    assert_int_equal(dev_count_hosts(back), 2);
    _cleanup_json_ cJSON *a = dev_state_json(e), *b = dev_state_json(back);
    assert_true(json_equal(a, b));
}

static void a_damaged_state_is_named(void **state _unused_)
{
    static const char *const texts[] = {
        "",
        "{\"version\":1,",
        "[]",
        "{\"version\":2}",
        "{}",
        "{\"version\":1,\"children\":[{\"kind\":\"etcd\",\"ports\":{\"client\":70000}}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"etcd\"},{\"kind\":\"etcd\"}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"host\"}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"host\",\"index\":-1}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"host\",\"index\":1,\"id\":\"../x\"}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"host\",\"index\":1,\"labels\":[\"x\"]}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"host\",\"index\":1,\"labels\":[5]}]}",
        "{\"version\":1,\"children\":[{\"kind\":\"../../x\"}]}",
    };
    _cleanup_dev_ struct dev_env *first = open_env("bad");
    _cleanup_free_ char *path = dev_path(first, "env.json");

    assert_int_equal(file_mkdirs(dev_folder(first), 0700, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_dev_ struct dev_env *e = NULL;
        scratch_write(path, texts[i]);
        assert_int_equal(dev_open(NULL, "bad", NULL, false, &e, &err), ERR_INVALID);
        assert_non_null(strstr(err_text(err), path));
        assert_non_null(strstr(err_text(err), "wasmctl dev down --purge --name bad"));
        assert_null(e);
        /* To remove it, it opens nevertheless. */
        assert_int_equal(dev_open(NULL, "bad", NULL, true, &e, NULL), 0);
        assert_true(dev_exists(e));
        assert_int_equal(e->children.len, 0);
    }
}

static void names_are_checked(void **state _unused_)
{
    static const char *const bad[] = {
        "", "A", "a/b", "..", "-a", "a-", "a b", "a_b", "123456789012345678901234567890123"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dev_env *e = NULL;
        assert_int_equal(dev_open(NULL, bad[i], NULL, false, &e, NULL), ERR_INVALID);
    }
    _cleanup_dev_ struct dev_env *e = open_env("a-1");
    assert_string_equal(dev_context(e), "wasm-a-1");
}

static void labels_are_checked(void **state _unused_)
{
    assert_int_equal(dev_label_check("a=b", NULL), 0);
    assert_int_equal(dev_label_check("a=", NULL), 0);
    assert_int_equal(dev_label_check("a=b=c", NULL), 0);
    assert_int_equal(dev_label_check("=b", NULL), ERR_INVALID);
    assert_int_equal(dev_label_check("a", NULL), ERR_INVALID);
    assert_int_equal(dev_label_check("a=b c", NULL), ERR_INVALID);
    assert_int_equal(dev_label_check("a=b,c=d", NULL), ERR_INVALID);
    assert_int_equal(dev_label_check("HostCore.os=linux", NULL), ERR_INVALID);
}

static void words_mean_children(void **state _unused_)
{
    _cleanup_dev_ struct dev_env *e = open_env("words");
    _cleanup_strv_ char **names = NULL, **hosts = NULL;
    _cleanup_err_ struct err *unknown = NULL, *two = NULL;
    char *words[] = {(char[]){"nats-server"}, (char[]){"host-2"}, (char[]){"nabc23"}, (char[]){"etcd"}, NULL};
    char *indices[] = {(char[]){"2"}, (char[]){"10"}, NULL}, *etcd[] = {(char[]){"etcd"}, NULL};
    char *part[] = {(char[]){"NABC23"}, NULL}, *short_part[] = {(char[]){"NABC2"}, NULL};

    fill(e);
    assert_int_equal(dev_resolve(e, words, false, &names, NULL), 0);
    assert_int_equal(strv_len(names), 3);
    assert_string_equal(names[0], "nats");
    assert_string_equal(names[1], "host-2");
    assert_string_equal(names[2], "etcd");
    assert_int_equal(dev_resolve(e, indices, true, &hosts, NULL), 0);
    assert_string_equal(hosts[1], "host-10");
    strv_free(TAKE_PTR(hosts));
    assert_int_equal(dev_resolve(e, indices, false, &hosts, NULL), ERR_NOT_FOUND);
    assert_int_equal(dev_resolve(e, short_part, true, &hosts, NULL), ERR_NOT_FOUND);
    assert_int_equal(dev_resolve(e, etcd, true, &hosts, &unknown), ERR_NOT_FOUND);
    assert_string_equal(err_text(unknown), "environment words has no host \"etcd\" (it has host-2, host-10)");
    xstr_replace(&dev_child_find(e, "host-10")->id, "NABC235");
    assert_int_equal(dev_resolve(e, part, true, &hosts, &two), ERR_INVALID);
    assert_string_equal(err_text(two), "\"NABC23\" means host-2 as well as host-10");
    assert_null(hosts);
}

static void status_of_what_never_ran(void **state _unused_)
{
    _cleanup_dev_ struct dev_env *e = open_env("still");
    _cleanup_json_ cJSON *status = NULL;

    fill(e);
    status = dev_status(e);
    assert_int_equal(cJSON_GetArraySize(json_get(status, "children")), 6);
    json_each (child, json_get(status, "children"))
        assert_string_equal(json_str(child, "state"), "stopped");
    assert_string_equal(json_str(status, "nats"), "nats://127.0.0.1:4222");
    assert_string_equal(json_str(status, "apiServer"), "https://127.0.0.1:6443");
    assert_string_equal(json_str(status, "children[3].labels.cloud"), "aws");
}

static void processes_of_an_earlier_boot_are_stale(void **state _unused_)
{
    _cleanup_dev_ struct dev_env *e = open_env("stale");
    _cleanup_free_ char *run = dev_path(e, "run"), *path = dev_pid_path(e, "etcd");
    _cleanup_json_ cJSON *status = NULL;

    dev_child_add(e, DEV_ETCD, 0);
    assert_int_equal(file_mkdirs(run, 0700, NULL), 0);
    scratch_write(path, "{\"pid\":1234,\"start\":\"5\",\"boot\":\"of yesterday\",\"command\":\"1\"}");
    status = dev_status(e);
    assert_string_equal(json_str(status, "children[0].state"), "stale");
    _cleanup_strv_ char **names = NULL;
    assert_int_equal(dev_pid_files(e, &names, NULL), 0);
    assert_int_equal(strv_len(names), 1);
    assert_string_equal(names[0], "etcd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_state_is_named),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(words_mean_children),
        cmocka_unit_test(status_of_what_never_ran),
        cmocka_unit_test(processes_of_an_earlier_boot_are_stale),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
