#include "operator/rec.h"

#include "base/str.h"
#include "operator/op.h"

/* Actors whose capabilities name the provider take its id from it: they look again when it appears or goes.
 */
void rec_enqueue_users(struct op *op, const char *key)
{
    for (struct map_iter it = {0}; kube_informer_next(op->workloads[MODEL_ACTOR], &it);) {
        const struct model_workload *w = it.value;
        for (size_t i = 0; i < w->ncapabilities; i++) {
            const char *name = w->capabilities[i].provider;
            size_t ns = w->meta.namespace ? strlen(w->meta.namespace) : 0;
            if (name && strncmp(key, w->meta.namespace, ns) == 0 && key[ns] == '/' &&
                streq(key + ns + 1, name)) {
                wq_add(op->q_unit[MODEL_ACTOR], it.key);
                break;
            }
        }
    }
}

void rec_provider(void *arg, const char *key)
{
    struct op *op = arg;
    bool known = op->units[MODEL_PROVIDER] && map_has(op->units[MODEL_PROVIDER], key);
    bool exists = op_workload(op, MODEL_PROVIDER, key) != NULL;

    rec_unit_reconcile(op, MODEL_PROVIDER, key);
    if (known != exists)
        rec_enqueue_users(op, key);
}
