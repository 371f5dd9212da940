/* strike.c - what the faults of a plan do when they come. */
#include <string.h>
#include "sim/world.h"

/* A fault that ends has ended. */
static void healed(struct world *w, void *arg)
{
    (void)arg;
    w->faults_now--;
    w->hits[HIT_HEAL]++;
    trace_event(w, "heal", 0, 0);
    trace_say(w, "a fault is over");
}

static void describe(struct world *w, const struct planned *f, const char *what, uint32_t a, const char *between, uint32_t b)
{
    char line[160], *text = w->plan.text;
    size_t n = 0, had = strlen(text);
    n += (size_t)snprintf(line, sizeof line, "%s", what);
    n += (size_t)snprintf(line + n, sizeof line - n, between ? " h%u%sh%u" : " of h%u", a, between ? between : "", b);
    if (f->lasts && f->lasts != NEVER)
        n += (size_t)snprintf(line + n, sizeof line - n, " for %.3f s", (double)f->lasts / 1e9);
    else if (f->lasts)
        n += (size_t)snprintf(line + n, sizeof line - n, " for ever");
    snprintf(line + n, sizeof line - n, " at %.3f s", (double)(w->now - START_NS) / 1e9);
    trace_say(w, "%s", line);
    snprintf(text + had, sizeof w->plan.text - had, "%s%s", had ? "; " : "", line);
}

static void start_again(struct world *w, void *arg)
{
    struct machine *m = arg;
    m->again = true;
    slot_wake(&w->waker);
}

static void block(struct way *y, int64_t until) { y->blocked = MAX(y->blocked, until); }

static void crash(struct world *w, const struct planned *f, uint32_t id, bool silent)
{
    struct machine *m = w->machines[id];
    int64_t until = f->lasts == NEVER ? NEVER : w->now + f->lasts;
    if (m->dead || m->ended)
        return;
    w->hits[silent ? HIT_POWER : HIT_CRASH]++;
    describe(w, f, silent ? "power loss" : "crash", id, NULL, 0);
    san_leaks_meant();                               /* nobody frees what that machine had */
    m->dead = true;
    m->silent = silent;
    w->dead++;
    for (uint32_t i = 0; silent && i < w->conf.nodes; i++) {
        block(way_of(w, i, id), until);
        block(way_of(w, id, i), until);
    }
    net_crash(w, m);
    if (until != NEVER)
        event_add(w, until, start_again, m);
}

static void hold_node(struct world *w, const struct planned *f, uint32_t id, int64_t until)
{
    w->hits[HIT_CLOG]++;
    describe(w, f, "clog", id, NULL, 0);
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        if (i != id) {
            block(way_of(w, i, id), until);
            block(way_of(w, id, i), until);
        }
}

static void down(struct world *w, const struct planned *f, uint32_t a, uint32_t b, int64_t until)
{
    struct way *y = way_of(w, a, b), *z = way_of(w, b, a);
    w->hits[HIT_DOWN]++;
    y->down_until = MAX(y->down_until, until);
    z->down_until = MAX(z->down_until, until);
    net_cut(w, a, b, false);
    describe(w, f, "link down", a, "-", b);
}

/* What concerns a pair of machines.  a < b; from and to as the chunk went. */
static void strike_links(struct world *w, const struct planned *f, uint32_t from, uint32_t to, int64_t until)
{
    uint32_t a = MIN(from, to), b = MAX(from, to);
    switch (f->kind) {
    case FAULT_SLOW:
        w->hits[HIT_SLOW]++;
        way_of(w, a, b)->slow_until = way_of(w, b, a)->slow_until = until;
        describe(w, f, "slow", a, "-", b);
        break;
    case FAULT_CUT:
        w->hits[HIT_CUT]++;
        net_cut(w, a, b, false);
        describe(w, f, "cut", a, "-", b);
        break;
    case FAULT_HALF:
        w->hits[HIT_HALF]++;
        net_cut(w, from, to, true);
        describe(w, f, "cut that only one side sees", from, ">", to);
        break;
    case FAULT_DOWN:
        down(w, f, a, b, until);
        break;
    case FAULT_SILENCE:
        w->hits[HIT_SILENCE]++;
        block(way_of(w, a, b), until);
        block(way_of(w, b, a), until);
        describe(w, f, "silence", a, "-", b);
        break;
    default:
        w->hits[HIT_ONE_WAY]++;
        block(way_of(w, from, to), until);
        describe(w, f, "silence", from, ">", to);
    }
}

static void strike(struct world *w, struct planned *f, uint32_t from, uint32_t to)
{
    int64_t until = f->lasts == NEVER ? NEVER : w->now + f->lasts;
    uint32_t one = f->at_chunk % 2 ? from : to;
    f->struck = true;
    w->plan.struck++;
    w->hits[HIT_OVERLAP] += w->faults_now > 0;
    trace_event(w, "strike", f->kind, (uint64_t)from << 32 | to);
    switch (f->kind) {
    case FAULT_CRASH:
    case FAULT_POWER:                                /* machine 0 is the one whose result counts: it stays */
        crash(w, f, to ? to : from, f->kind == FAULT_POWER);
        return;
    case FAULT_CLOG:
        hold_node(w, f, one, until);
        break;
    case FAULT_REFUSE:
        w->hits[HIT_REFUSE]++;
        w->machines[one]->refuses_until = until;
        describe(w, f, "refusal", one, NULL, 0);
        break;
    default:
        strike_links(w, f, from, to, until);
    }
    if (f->lasts && until != NEVER) {
        w->faults_now++;
        event_add(w, until, healed, NULL);
    }
}

bool strike_tears(const struct world *w)
{
    for (uint32_t i = 0; i < w->plan.len; i++) {
        const struct planned *f = &w->plan.at[i];
        if (f->at_chunk == w->chunks + 1 && (f->kind == FAULT_CUT || f->kind == FAULT_HALF || f->kind == FAULT_DOWN))
            return true;
    }
    return false;
}

void strike_chunk(struct world *w, uint32_t from, uint32_t to)
{
    w->chunks++;
    for (uint32_t i = 0; i < w->plan.len; i++)
        if (w->plan.at[i].at_chunk == w->chunks)
            strike(w, &w->plan.at[i], from, to);
}
