#include "operator/rec.h"

void rec_actor(void *arg, const char *key)
{
    rec_unit_reconcile(arg, MODEL_ACTOR, key);
}
