#include "place/place.h"

#include "base/mem.h"
#include "base/str.h"

/* The first taint that keeps new work away, or evicts. */
static const struct model_taint *refusing_taint(const struct place_host *h,
                                                const struct model_placement *rules, bool evicting)
{
    for (size_t i = 0; i < h->ntaints; i++) {
        const struct model_taint *t = &h->taints[i];
        if (evicting ? !streq(t->effect, "NoExecute") : streq(t->effect, "PreferNoSchedule"))
            continue;
        if (!model_tolerates(rules->tolerations, rules->ntolerations, t))
            return t;
    }
    return NULL;
}

static void judge(const struct place_host *h, const struct model_placement *rules, bool with_text,
                  struct place_verdict *ret)
{
    *ret = (struct place_verdict){.reason = PLACE_FITS, .keeps = true};
    if (h->foreign) {
        ret->reason = PLACE_FOREIGN;
        ret->keeps = false;
        return;
    }
    if (!selector_matches(rules->host_selector, h->labels)) {
        ret->reason = PLACE_SELECTOR;
        ret->keeps = false;
        if (with_text)
            ret->text = selector_first_mismatch(rules->host_selector, h->labels);
        return;
    }
    const struct model_taint *taint = refusing_taint(h, rules, true);
    if (taint)
        ret->keeps = false;
    else
        taint = refusing_taint(h, rules, false);
    if (taint) {
        ret->reason = PLACE_TAINT;
        if (with_text)
            ret->text = str_empty(taint->value)
                            ? xasprintf("%s:%s", taint->key, taint->effect)
                            : xasprintf("%s=%s:%s", taint->key, taint->value, taint->effect);
        return;
    }
    for (size_t i = 0; i < rules->nspreads; i++) {
        if (rules->spreads[i].hard && !map_has(h->labels, rules->spreads[i].topology_key)) {
            ret->reason = PLACE_TOPOLOGY;
            ret->keeps = false;
            ret->text = with_text ? xstrdup(rules->spreads[i].topology_key) : NULL;
            return;
        }
    }
    if (h->restarting) {
        ret->reason = PLACE_RESTARTING;
        ret->keeps = false;
    } else if (h->cordoned) {
        ret->reason = PLACE_CORDONED;
    } else if (!h->ready) {
        ret->reason = PLACE_NOT_READY;
    } else if (h->deaf) {
        ret->reason = PLACE_DEAF;
    } else if (h->updating) {
        ret->reason = PLACE_UPDATING;
    } else if (h->backoff) {
        ret->reason = PLACE_BACKOFF;
    }
}

void place_filter(const struct place_host *h, const struct model_placement *rules, struct place_verdict *ret)
{
    judge(h, rules, true, ret);
}

void place_judge(const struct place_host *h, const struct model_placement *rules, struct place_verdict *ret)
{
    judge(h, rules, false, ret);
}
