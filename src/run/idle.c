/* idle.c - workers without work.
 *
 * Sleep.  A worker that finds nothing looks around for some 10 us, then naps.  While another worker is awake, a nap is short
 * (100 to 200 us) and the sleeper looks for work itself, so nobody pays for waking it.  When all sleep, a nap has no limit but the
 * next timer.  One sleeper at a time waits in the poll for descriptors, the others on their futex.
 *
 * Spin.  Before the last one awake falls asleep it looks for a while, if that has paid lately (spin.h): a sleep that is still awake, by
 * all that is said below of sleepers, but waking it is a store.  At most one spins, and it holds the poll; to `others_asleep` it
 * sleeps, so the others stay deep asleep meanwhile.
 *
 * Nobody naps while work waits behind a task that computes.  When all fall asleep, each looks once more after QUIET_NS; only if nobody has
 * woken it before that it sleeps for good and says so in rt->unwatched.  A worker that is awake and makes a task ready takes that word down
 * and wakes one sleeper (7 us, once in QUIET_NS at most), which naps and looks from then on.  rt->looking counts those that do: when the
 * last of them has found something to run, it wakes the next one.
 *
 * More than one needs.  Who starts a second task, or has had a backlog for long, wakes a sleeper, if that pays (trial.h).
 *
 * No work is stranded.  A deep sleeper sets its bit in idle_mask (locked), then looks again at the others' sleeping words and at all
 * queues.  A worker that wakes clears its own word (locked) before it runs anything, and reads idle_mask after each push.  So
 * either the sleeper sees it awake and naps briefly, or it sees the sleeper's bit.  Threads from outside push under a lock
 * (a full barrier) and read idle_mask after it.  Whoever puts an alarm into the wheel of another worker does so, and sets far_due,
 * before it reads that one's sleeping word; the sleeper looks at far_due after it has set the word.
 *
 * Stealing: look twice, 20 us apart.  Half of a ring that turns over slowly or is long, half of the fresh list (oldest first) if
 * its oldest is still the same, the run-next task if it is still the same and the worker has begun no turn.  Short queues that turn
 * over quickly are worth less than the cache lines they drag over.
 * Retreat: a worker other than 0 that met 16 contended locks in 64 picks hands its tasks back and sleeps 2 ms, doubling to 64 ms
 * while the next trial fails too: tasks that share one channel run best on one worker. */
#include "run/idle.h"
#include "run/hiber.h"
#include <assert.h>
#include <sched.h>
#include "plat/futex.h"
#include "run/io.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/seam.h"
#include "run/spin.h"
#include "run/stack.h"
#include "run/timer.h"
#include "run/watch.h"

enum {
    SAMPLE_NS = 20000,                               /* between the two looks of a thief */
    TRIAL = 16,                                      /* a backlog this long is stolen on trial even if it turns over quickly */
    LOOT_MAX = RING / 2, STEAL_MAX = 64,             /* of which so many fresh ones */
    RETREAT_AT = 16,
    IDLE_SPINS = 40, IDLE_SPINS_MIN = 4,
    AWAKE_NS = 60000,                                /* a timer due this soon is waited for awake */
    NAP_NS = 100000, NAP_MAX_NS = 200000,
    BACKOFF_NS = 2000000, BACKOFF_MAX_NS = 64000000,
    QUIET_NS = 4000000,
    LATE_NS = 200000,                                /* another worker's timers are run for it when this late */
};
enum { AWAKE, ON_FUTEX, IN_POLL, SPINNING };

void idle_wake(struct worker *w)
{
    uint32_t how = atomic_exchange_explicit(&w->sleeping, AWAKE, SEQ);
    if (how == ON_FUTEX)
        plat_futex_wake(&w->sleeping, 1);
    else if (how == IN_POLL)
        io_wake(w->rt);
}

static void wake_one(struct rt *rt, bool trial)
{
    uint64_t mask = atomic_load_explicit(&rt->idle_mask, SEQ);
    while (mask) {
        uint32_t spinner = at_load(&rt->spinning);   /* 1 + its number */
        uint64_t cheap = spinner ? mask & UINT64_C(1) << (spinner - 1) : 0, bit = cheap ? cheap : mask & -mask;
        if (atomic_fetch_and_explicit(&rt->idle_mask, ~bit, SEQ) & bit) {
            struct worker *w = rt->workers[__builtin_ctzll(bit)];
            if (trial) {
                at_store(&w->woken, 1);
                atomic_fetch_add_explicit(&rt->trial.woken, 1, RLX);
            }
            idle_wake(w);
            return;
        }
        mask = atomic_load_explicit(&rt->idle_mask, SEQ);
    }
}

void idle_wake_one(struct rt *rt) { wake_one(rt, false); }

void idle_wake_more(struct worker *w)
{
    struct rt *rt = w->rt;
    if (trial_worth(&rt->trial, plat_now_soon(&w->clock)))
        wake_one(rt, true);
    else if (at_load(&rt->unwatched))
        idle_watch(rt);
}

void idle_watch(struct rt *rt)
{
    if (atomic_exchange_explicit(&rt->unwatched, 0, SEQ))
        idle_wake_one(rt);
}

void idle_wake_all(struct rt *rt)
{
    full_fence();                                    /* one who makes a worker now wakes it behind this, and it sees why */
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
        idle_wake(rt->workers[i]);
}

static bool is_active(const struct worker *w)
{
    return w->id == 0 || w->id < atomic_load_explicit(&w->rt->active, SEQ);
}

bool idle_should_retreat(struct worker *w)
{
    uint64_t met = w->contended - w->contended_seen;
    w->contended_seen = w->contended;
    if (met >= RETREAT_AT)
        w->retreat = true;
    return w->retreat;
}

/* -- stealing ---------------------------------------------------------------------------------------------------------- */
/* What is taken from v: half of its ring, half of its fresh tasks, or the one in its run-next slot. */
struct loot { uint32_t n; bool from_fresh; struct task *b[LOOT_MAX]; };

static void take_ring(struct worker *v, struct loot *l)
{
    uint32_t n = at_load_acq(&v->tail) - at_load(&v->head);
    n = MIN(n - n / 2, (uint32_t)RING / 2);
    while (l->n < n)
        l->b[l->n++] = ring_take(v);
}

static void take_fresh(struct worker *v, struct loot *l)
{
    uint32_t n = at_load(&v->fresh_count);
    n = MIN(n - n / 2, (uint32_t)STEAL_MAX);
    l->from_fresh = true;
    while (l->n < n)
        l->b[l->n++] = fresh_take(v, true);
}

static struct task *take(struct worker *w, struct worker *v, bool ring, bool fresh, const struct task *next)
{
    struct loot l;
    l.n = 0;
    l.from_fresh = false;
    if (!thief_begin(v))
        return NULL;
    if (ring)
        take_ring(v, &l);
    if (!l.n && next && at_load(&v->next) == next) {
        l.b[l.n++] = at_load(&v->next);
        at_store(&v->next, NULL);
    }
    if (!l.n && fresh)
        take_fresh(v, &l);
    thief_end(v);
    for (uint32_t i = 1; i < l.n; i++)
        if (l.from_fresh)
            fresh_push(w, l.b[l.n - i]);             /* so that the oldest comes first here */
        else
            ring_push(w, l.b[i]);                    /* there may be fresh ones among them, from the global list */
    return l.n ? l.b[0] : NULL;
}

static struct task *steal(struct worker *w, struct worker *v)
{
    struct sighting *s = &w->seen[v->id], old = *s;
    uint32_t head = at_load_acq(&v->head), n = at_load_acq(&v->tail) - head, f = at_load(&v->fresh_count);
    struct task *next = at_load(&v->next);
    int64_t since = w->now - s->at;
    if (n > RING || since < SAMPLE_NS)
        return NULL;
    *s = (struct sighting){ w->now, head, at_load(&v->oldest), at_load(&v->left), next };
    w->saw = !w->saw && (n || f || next);            /* work seen, not old enough: look again soon instead of napping, once */
    if (since >= 10000000)
        return NULL;
    bool ring = n && ((uint64_t)(head - old.head) * SAMPLE_NS <= (uint64_t)n * (uint64_t)since || n >= TRIAL);
    bool fresh = f && s->seq == old.seq, stuck = next && next == old.next && s->left == old.left;
    struct task *t = ring || fresh || stuck ? take(w, v, ring, fresh, stuck ? next : NULL) : NULL;
    if (t)
        w->saw = false;
    return t;
}

static struct task *find(struct worker *w)
{
    struct rt *rt = w->rt;
    struct task *t;
    if (at_load(&rt->global_count) && (t = global_pop(w, 64)))
        return t;
    for (uint32_t i = 1, n = at_load_acq(&rt->nworkers); i < n; i++)
        if ((t = steal(w, rt->workers[(w->id + i) % n])))
            return t;
    return NULL;
}

/* -- sleeping ---------------------------------------------------------------------------------------------------------- */
static bool others_asleep(struct worker *w)
{
    for (uint32_t i = 0; i < at_load_acq(&w->rt->nworkers); i++)
        if (i != w->id && !atomic_load_explicit(&w->rt->workers[i]->sleeping, SEQ))
            return false;
    return true;
}

static bool work_anywhere(struct rt *rt)
{
    if (at_load(&rt->global_count) || at_load(&rt->stop))
        return true;
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++) {
        struct worker *o = rt->workers[i];
        if (at_load(&o->head) != at_load(&o->tail) || at_load(&o->fresh_count))
            return true;
    }
    return false;
}

static void pause_a_bit(void)
{
    for (int i = 0; i < 8; i++)
        cpu_pause();
}

/* The word is SPINNING.  true: nothing has come; the word is `then`, sleep now. */
static bool spin(struct worker *w, bool poll, int64_t limit, uint32_t then)
{
    struct rt *rt = w->rt;
    enum spin_end how = SPIN_VAIN;
    int64_t now = rt_now(rt), last, end = now + MIN(limit, (int64_t)SPIN_NS);
    uint32_t word = SPINNING;
    at_store(&rt->spin.begun, at_load(&rt->spin.begun) + 1);
    do {
        last = now;
        if (poll)
            io_sleep(w, 0);
        else
            pause_a_bit();
        at_store(&rt->spin.looks, at_load(&rt->spin.looks) + 1);
        now = rt_now(rt);
        if (now - last > SPIN_GAP_NS)
            how = SPIN_CROWDED;
        else if (w->next || at_load(&w->sleeping) != SPINNING || work_anywhere(rt))
            how = SPIN_PAID;
    } while (how == SPIN_VAIN && now < end);
    spin_ended(&rt->spin, how);
    at_store_rel(&rt->spinning, 0);
    return !w->next && !work_anywhere(rt) && atomic_compare_exchange_strong_explicit(&w->sleeping, &word, then, SEQ, SEQ);
}

/* Whether w spins now: deep, last and with the poll, if there is one. */
static bool spin_begin(struct worker *w, bool deep, bool poll)
{
    struct rt *rt = w->rt;
    uint32_t free_ = 0;
    return deep && spin_worth(&rt->spin) && (poll || !at_load(&rt->io)) &&
        atomic_compare_exchange_strong_explicit(&rt->spinning, &free_, w->id + 1, ACQ_REL, RLX);
}

/* Until woken, or for limit ns (NEVER: no limit).  The word says how; spins: SPINNING now, `how` later. */
static void sleep_now(struct worker *w, int64_t limit, uint32_t how, bool spins, bool counts)
{
    int64_t from = rt_now(w->rt);
    if (spins) {
        if (!spin(w, how == IN_POLL, limit, how))
            return;
        limit = limit == NEVER ? NEVER : MAX(limit - (rt_now(w->rt) - from), (int64_t)0);
    }
    if (how == IN_POLL)
        io_sleep(w, limit);
    else
        plat_futex_wait(&w->sleeping, ON_FUTEX, limit == NEVER ? -1 : limit);
    if (counts && !spins)
        spin_slept(&w->rt->spin, rt_now(w->rt) - from);
}
/* RESTING: a worker that is not active; it leaves the poll to others. */
enum nap { SHORT, DEEP, FOR_GOOD, RESTING };

/* limit: ns or NEVER */
static void nap(struct worker *w, int64_t limit, enum nap kind)
{
    bool deep = kind == DEEP || kind == FOR_GOOD, rests = kind == RESTING;
    struct rt *rt = w->rt;
    uint32_t free_ = 0;
    bool poll = !rests && atomic_load_explicit(&rt->io, ACQ) &&
        atomic_compare_exchange_strong_explicit(&rt->polling, &free_, 1, ACQ_REL, RLX);
    bool spins = spin_begin(w, deep, poll), last = deep;
    uint32_t how = poll ? IN_POLL : ON_FUTEX;
    atomic_exchange_explicit(&w->sleeping, spins ? (uint32_t)SPINNING : how, SEQ);
    if (deep)
        atomic_fetch_or_explicit(&rt->idle_mask, UINT64_C(1) << w->id, SEQ);
    if (kind == FOR_GOOD)
        at_store(&rt->unwatched, 1);
    full_fence();
    if (deep && !others_asleep(w)) {
        limit = MIN(limit, (int64_t)NAP_NS);
        last = false;
    }
    if (at_load(&w->wheel.far_due) != NEVER)         /* another thread has set an alarm here meanwhile */
        limit = MIN(limit, MAX(at_load(&w->wheel.far_due) - w->now, (int64_t)0));
    if (!at_load(&w->pinned_count) && !(deep && work_anywhere(rt)) && !at_load(&rt->stop) && !(rests && is_active(w)))
        sleep_now(w, limit, how, spins, last && (poll || !at_load(&rt->io)));
    else if (spins)
        at_store_rel(&rt->spinning, 0);
    store_fence(&w->sleeping, AWAKE);
    if (unlikely(atomic_load_explicit(&rt->watch_sleeps, SEQ)))
        watch_kick(rt);
    if (deep)
        atomic_fetch_and_explicit(&rt->idle_mask, ~(UINT64_C(1) << w->id), SEQ);
    if (poll)
        at_store_rel(&rt->polling, 0);
}

bool idle_leave(struct worker *w)
{
    struct rt *rt = w->rt;
    atomic_exchange_explicit(&w->sleeping, IN_POLL, SEQ);
    atomic_fetch_or_explicit(&rt->idle_mask, UINT64_C(1) << w->id, SEQ);
    full_fence();
    if (!at_load(&w->pinned_count) && !work_anywhere(rt) && at_load(&w->wheel.far_due) == NEVER)
        return true;
    idle_return(w);
    return false;
}

void idle_return(struct worker *w)
{
    atomic_exchange_explicit(&w->sleeping, AWAKE, SEQ);
    atomic_fetch_and_explicit(&w->rt->idle_mask, ~(UINT64_C(1) << w->id), SEQ);
}

/* What it found has lasted so long. */
static void try_ended(struct worker *w, int64_t lasted)
{
    if (!w->tries)
        return;
    w->tries = false;
    trial_ended(&w->rt->trial, w->now, lasted);
}

static void give_all(struct worker *w)
{
    struct task *t, *first = NULL, *last = NULL;
    uint32_t n = 0;
    for (;;) {
        if (!(t = next_pop(w)) && !(t = ring_pop(w)) && !(t = fresh_pop(w, true)))
            break;
        t->next = NULL;
        if (last)
            last->next = t;
        else
            first = t;
        last = t;
        n++;
    }
    if (!n)
        return;
    global_push(w->rt, first, last, n);
    idle_wake_one(w->rt);                            /* another may have fallen deep asleep just now */
}

static void retreat(struct worker *w)
{
    w->retreat = false;
    w->now = rt_now(w->rt);
    try_ended(w, 0);
    w->backoff = w->now - w->stint > 1000000 ? BACKOFF_NS : MIN(2 * w->backoff, (int64_t)BACKOFF_MAX_NS);
    give_all(w);
    bool rests = !is_active(w);
    if (rests)
        idle_wake_one(w->rt);                        /* a wake, or the poll, may have been this worker's */
    int64_t next = timers_run(w, w, w->now), limit = rests ? NEVER : w->backoff;
    if (next != NEVER)
        limit = MIN(limit, (rests ? timers_next(w) : next) - w->now);
    if (limit > 0)
        nap(w, limit, rests ? RESTING : SHORT);
    w->now = w->stint = rt_now(w->rt);
    worker_stamp(w);
}

static void run_late_timers(struct worker *w)
{
    for (uint32_t i = 0; i < at_load_acq(&w->rt->nworkers); i++) {
        struct worker *o = w->rt->workers[i];
        if (o != w && at_load(&o->wheel.n) && w->now > at_load(&o->wheel.next_due) + LATE_NS)
            timers_run(o, w, w->now);
    }
}

static void sleep_deep(struct worker *w, int64_t limit, bool for_good)
{
    struct rt *rt = w->rt;
    w->patience = MAX(w->patience / 2, (uint32_t)IDLE_SPINS_MIN);
    if (!for_good) {
        nap(w, at_load(&rt->nworkers) == 1 ? limit : MIN(limit, (int64_t)QUIET_NS), DEEP);
        return;
    }
    atomic_fetch_sub_explicit(&rt->looking, 1, SEQ);
    atomic_fetch_add_explicit(&rt->for_good, 1, RLX);
    nap(w, limit, FOR_GOOD);
    atomic_fetch_add_explicit(&rt->looking, 1, SEQ);
}

/* It was woken on trial, and sleeps again without having found anything. */
static void woken_in_vain(struct worker *w)
{
    at_store(&w->woken, 0);
    trial_ended(&w->rt->trial, w->now, 0);
}

static struct task *look_around(struct worker *w)
{
    struct rt *rt = w->rt;
    int64_t watch = NAP_NS, slept = NEVER;           /* since when this one is in a deep nap */
    bool quiet = false;                              /* all have slept for QUIET_NS, and nobody has woken this one */
    for (unsigned spins = at_load(&rt->nworkers) == 1; !at_load(&rt->stop); ) {     /* alone: its sleep is the look at descriptors */
        struct task *t;
        w->now = rt_now(rt);
        worker_stamp(w);
        quiet = slept != NEVER && w->now - slept >= QUIET_NS;
        try_ended(w, w->now - w->stint);
        int64_t next = timers_run(w, w, w->now);
        if (unlikely(w->n_naps))
            nap_all(w);
        if (spins % 8 == 0)
            io_poll(w);
        if ((t = sched_pinned(w)) || (t = sched_pick(w))) {
            if (unlikely(at_load(&rt->unwatched)) && work_anywhere(rt))
                idle_watch(rt);
            return t != &w->sched ? t : NULL;
        }
        if (unlikely(w->now >= at_load(&rt->follow_at)))
            cpus_follow(w);
        if (unlikely(!is_active(w))) {
            w->retreat = true;
            return NULL;
        }
        if (at_load(&rt->nworkers) > 1) {
            run_late_timers(w);
            if ((t = find(w))) {
                w->stint = w->now;
                w->tries = true;
                at_store(&w->woken, 0);
                if (spins > 1)
                    w->patience = IDLE_SPINS;
                return t;
            }
            if (w->saw || (spins++ < w->patience && !spin_worth(&rt->spin))) {
                pause_a_bit();
                continue;
            }
        } else if (at_load(&rt->global_count) && (t = global_pop(w, 64))) {
            return t;
        } else if (spins++ < IDLE_SPINS / 8 && !spin_worth(&rt->spin)) {
            pause_a_bit();
            continue;
        }
        int64_t limit = next == NEVER ? NEVER : next - w->now;
        if (limit < AWAKE_NS && (limit = timers_next(w) - w->now) < AWAKE_NS) {
            io_poll(w);
            pause_a_bit();
            continue;
        }
        bool deep = others_asleep(w);
        if (at_load(&w->woken))
            woken_in_vain(w);
        slept = deep ? w->now : NEVER;
        if (deep) {
            sleep_deep(w, next == NEVER ? NEVER : timers_next(w) - w->now, quiet);
        } else {
            nap(w, MIN(limit, watch), SHORT);
            watch = MIN(2 * watch, (int64_t)NAP_MAX_NS);
        }
        spins = deep ? 1 : w->patience - 2;           /* 1: the sleep has just looked at descriptors */
    }
    return NULL;
}

/* Nothing is ready here: looks elsewhere and sleeps.  NULL: the runtime stops or this worker retreats.
 * The last one that has looked wakes one of those that sleep for good: there may be work left behind who computes. */
static struct task *idle(struct worker *w)
{
    struct rt *rt = w->rt;
    w->backlog = 0;
    atomic_fetch_add_explicit(&rt->looking, 1, SEQ);
    struct task *t = look_around(w);
    if (atomic_fetch_sub_explicit(&rt->looking, 1, SEQ) == 1 && atomic_load_explicit(&rt->idle_mask, SEQ) && !at_load(&rt->unwatched))
        idle_wake_one(rt);
    return t;
}

static void wait_for_pend(struct worker *w)
{
    struct task *n = w->pend;
    w->pend = NULL;
    for (unsigned spin = 0; !at_load_acq(&n->sp); ) {
        if (++spin < 100)
            cpu_pause();
        else
            sched_yield();
    }
    sched_switch(w, &w->sched, n);
}

void worker_loop(struct worker *w)
{
    w->backoff = BACKOFF_NS;
    w->patience = IDLE_SPINS;
    while (!at_load_acq(&w->rt->stop)) {
        if (w->pend) {
            wait_for_pend(w);
            continue;
        }
        if (w->follow)
            cpus_follow(w);
        if (unlikely(w->n_naps))
            nap_all(w);
        if (w->retreat)
            retreat(w);
        struct task *t = sched_pick(w);
        if (w->rt->seam)
            t = !t || t == &w->sched ? seam_idle(w) : t;
        else if (t == &w->sched)
            continue;
        else if (!t)
            t = idle(w);
        if (!t)
            continue;
        if (t->fresh && !stack_ready(w)) {           /* no memory for a stack: others must end first */
            fresh_starved(w, t);
            nap(w, NAP_NS, SHORT);
            continue;
        }
        sched_switch(w, &w->sched, t);
    }
}
