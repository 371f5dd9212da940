/* plan.c - which fault a world meets, when, and what it does.
 *
 * The fault comes when a certain chunk of bytes arrives, not at a certain time: so it comes while machines talk, however long or
 * short the program runs, and it hits a link that is in use. */
#include <stdlib.h>
#include <string.h>
#include "sim/world.h"

enum { CHUNKS_MAX = 4096 };

static const int64_t ms = 1000000, s = 1000000000;

static enum fault_kind draw_cut(struct rng *r)
{
    uint32_t k = rng_below(r, 4);
    return k < 2 ? FAULT_CUT : k == 2 ? FAULT_SILENCE : FAULT_ONE_WAY;
}

static enum fault_kind draw(const struct world *w, struct rng *r)
{
    if (w->conf.nodes == 1)
        return FAULT_NONE;
    switch (w->conf.faults) {
    case FAULTS_DELAY:
        return sim_chance(r, 4) ? FAULT_SLOW : FAULT_NONE;
    case FAULTS_CUT:
        return draw_cut(r);
    case FAULTS_CRASH:
        return sim_chance(r, 2) ? FAULT_CRASH : FAULT_POWER;
    case FAULTS_ALL: {
        uint32_t k = rng_below(r, 8);
        return k < 4 ? FAULT_NONE : k < 6 ? draw_cut(r) : k == 6 ? FAULT_SLOW : sim_chance(r, 2) ? FAULT_CRASH : FAULT_POWER;
    }
    default:
        return FAULT_NONE;
    }
}

void plan_make(struct world *w)
{
    static const char *const planned[] = { "no fault", "a slow link", "a cut", "a silence", "a silence one way", "a crash",
        "a power loss" };
    struct rng *r = &w->faults;
    struct plan *p = &w->plan;
    p->kind = draw(w, r);
    p->at_chunk = (uint64_t)sim_log_uniform(r, 1, CHUNKS_MAX);
    p->lasts = sim_chance(r, 3) && p->kind != FAULT_SLOW ? NEVER : sim_log_uniform(r, 100 * ms, 60 * s);
    snprintf(p->text, sizeof p->text, p->kind ? "%s that never came" : "%s", planned[p->kind]);
}

static void healed(struct world *w, void *arg)
{
    (void)arg;
    w->hits[HIT_HEAL]++;
    trace_event(w, "heal", 0, 0);
    trace_say(w, "the fault is over");
}

static void describe(struct world *w, const char *what, uint32_t a, const char *between, uint32_t b)
{
    char at[40], *text = w->plan.text;
    size_t cap = sizeof w->plan.text;
    snprintf(at, sizeof at, " at %.3f s", (double)(w->now - START_NS) / 1e9);
    if (!between)
        snprintf(text, cap, "%s of h%u%s", what, a, at);
    else if (w->plan.kind == FAULT_CUT)
        snprintf(text, cap, "%s h%u%sh%u%s", what, a, between, b, at);
    else if (w->plan.lasts == NEVER)
        snprintf(text, cap, "%s h%u%sh%u for ever%s", what, a, between, b, at);
    else
        snprintf(text, cap, "%s h%u%sh%u for %.3f s%s", what, a, between, b, (double)w->plan.lasts / 1e9, at);
    trace_say(w, "%s", text);
}

static void crash(struct world *w, uint32_t from, uint32_t to, bool silent)
{
    struct machine *m = &w->machines[to ? to : from];           /* machine 0 is the one whose result counts: it stays */
    w->hits[silent ? HIT_POWER : HIT_CRASH]++;
    describe(w, silent ? "power loss" : "crash", m->id, NULL, 0);
    san_leaks_meant();                               /* nobody frees what that machine had */
    m->dead = true;
    m->silent = silent;
    w->dead++;
    net_crash(w, m);
}

static void strike(struct world *w, uint32_t from, uint32_t to)
{
    struct plan *p = &w->plan;
    int64_t until = p->lasts == NEVER ? NEVER : w->now + p->lasts;
    uint32_t a = MIN(from, to), b = MAX(from, to);
    p->struck = true;
    trace_event(w, "strike", p->kind, (uint64_t)from << 32 | to);
    switch (p->kind) {
    case FAULT_SLOW:
        w->hits[HIT_SLOW]++;
        way_of(w, a, b)->slow_until = way_of(w, b, a)->slow_until = until;
        describe(w, "slow", a, "-", b);
        break;
    case FAULT_CUT:
        w->hits[HIT_CUT]++;
        net_cut(w, a, b);
        describe(w, "cut", a, "-", b);
        break;
    case FAULT_SILENCE:
        w->hits[HIT_SILENCE]++;
        way_of(w, a, b)->blocked = way_of(w, b, a)->blocked = until;
        describe(w, "silence", a, "-", b);
        break;
    case FAULT_ONE_WAY:
        w->hits[HIT_ONE_WAY]++;
        way_of(w, from, to)->blocked = until;
        describe(w, "silence", from, ">", to);
        break;
    default:
        crash(w, from, to, p->kind == FAULT_POWER);
        return;
    }
    if (p->kind != FAULT_CUT && until != NEVER)
        event_add(w, until, healed, NULL);
}

void plan_chunk(struct world *w, uint32_t from, uint32_t to)
{
    if (++w->chunks == w->plan.at_chunk && w->plan.kind != FAULT_NONE)
        strike(w, from, to);
}
