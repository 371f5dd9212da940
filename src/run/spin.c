/* spin.c - the account of spin.h. */
#include "run/spin.h"
#include "base/base.h"

static void credit(struct spin *s)
{
    at_store(&s->account, MIN(at_load(&s->account) + 1, (int32_t)SPIN_RICH));
}

void spin_slept(struct spin *s, int64_t ns)
{
    int32_t had = at_load(&s->account);
    if (ns <= SPIN_SOON_NS)
        credit(s);
    else if (had > 0)
        at_store(&s->account, MAX(had - SPIN_COST, 0));
}

void spin_ended(struct spin *s, enum spin_end how)
{
    int32_t cost = MAX(at_load(&s->cost), (int32_t)SPIN_COST);
    if (how == SPIN_PAID) {
        credit(s);
        at_store(&s->cost, cost / 2);
        return;
    }
    if (how == SPIN_CROWDED)
        cost = MIN(cost * 4, (int32_t)SPIN_COST_MAX);
    at_store(&s->account, at_load(&s->account) - cost);
    at_store(&s->cost, MIN(cost * 2, (int32_t)SPIN_COST_MAX));
}
