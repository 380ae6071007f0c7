/* A kubeconfig of any content: loading, the settings of each of its contexts, and a client of them. */
#include <sys/mman.h>
#include <unistd.h>

#include "kube/client.h"
#include "tests/fuzz/fuzz.h"

enum { CONTEXTS_MOST = 4 };

static void try_context(struct loop *l, const struct kubeconfig *k, const char *context)
{
    const struct kube_overrides overrides = {.context = context};
    const struct kube_client_options options = {.no_terminal = true};
    _cleanup_(kube_config_freep) struct kube_config *config = NULL;
    _cleanup_(kube_client_freep) struct kube_client *client = NULL;
    _cleanup_err_ struct err *err = NULL;

    int r = kubeconfig_resolve(k, &overrides, &config, &err);
    if (r == 0) {
        FUZZ_CHECK(config->server && config->namespace);
        r = kube_client_new(l, config, &options, &client, &err);
    }
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (err) {
        _cleanup_free_ char *text = kube_err_text(err);
        FUZZ_CHECK(*text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *l;
    _cleanup_(kubeconfig_freep) struct kubeconfig *k = NULL;
    _cleanup_err_ struct err *err = NULL;
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    char path[64];

    if (!l)
        l = loop_new();
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = kubeconfig_load(path, &k, &err);
    FUZZ_CHECK((r < 0) == (err != NULL));
    if (r == 0) {
        try_context(l, k, NULL);
        char *const *names = kubeconfig_contexts(k);
        for (size_t i = 0; names[i] && i < CONTEXTS_MOST; i++)
            try_context(l, k, names[i]);
    }
    close(fd);
    return 0;
}
