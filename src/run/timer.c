/* timer.c - when tasks wake by the clock.
 *
 * Six levels of 128 slots, each level 64 times coarser than the one below (Varghese and Lauck 1987).  128 slots at a ratio of 64:
 * the next slot of a level may move down at any time during the present one, so it moves a few timers a tick, and a slot of a
 * million timers never stalls its worker.  A tick is 2^12 ns; times are rounded up, so nothing fires early.
 *
 * One timer a task, and it is lazy: a wait whose deadline is later than the armed time leaves it alone.  When it fires it looks at
 * the task's deadline and goes back for that, so a loop of receives with 10 s deadlines touches the wheel once in 10 s.
 * A look at the wheel makes FIRE_AT_ONCE tasks ready at the most; the others that are due stay in the wheel until the next look.  More than
 * its worker can run until then would go round by the global list, where each is a miss once more.
 * In a simulated world the wheel jumps from one slot that holds timers to the next, however far: a sleep of a year takes few steps.
 * A timer is touched only under the lock of the wheel it was last in: a handler elsewhere may be putting it back at this moment. */
#include "run/timer.h"
#include <limits.h>
#include "run/alarm.h"
#include "run/hiber.h"
#include "run/sched.h"

enum { RATIO_SHIFT = 6, FIRE_AT_ONCE = 64 };

static inline struct task *task_of(struct timer *t) { return container_of(t, struct task, timer); }

static int64_t tick_of(int64_t when)
{
    return when >= NEVER - (1 << TIMER_SHIFT) ? NEVER >> TIMER_SHIFT : (when + (1 << TIMER_SHIFT) - 1) >> TIMER_SHIFT;
}

/* base: the first tick that has not been run */
static void wheel_put(struct wheel *h, struct timer *t, int64_t base)
{
    int64_t when = at_load(&t->when);
    int64_t tick = tick_of(when);
    int level = 0;
    if (tick < base)
        tick = base;
    while (level < WHEEL_LEVELS - 1 && (tick >> RATIO_SHIFT * level) - (base >> RATIO_SHIFT * level) >= WHEEL_SLOTS)
        level++;
    int64_t slot = tick >> RATIO_SHIFT * level, first = base >> RATIO_SHIFT * level;
    if (slot - first >= WHEEL_SLOTS)                 /* beyond the horizon: as far as the wheel goes, then again */
        slot = first + WHEEL_SLOTS - 1;
    int s = (int)(slot & (WHEEL_SLOTS - 1));
    struct wheel_slot *x = &h->slot[level][s];
    t->level = (uint8_t)level;
    t->slot = (uint8_t)s;
    t->next = x->head;
    if (t->next)
        t->next->pprev = &t->next;
    t->pprev = &x->head;
    x->head = t;
    struct timer **last = &x->last[x->came++ % WHEEL_AHEAD];
    t->ahead = *last;
    *last = t;
    x->n++;
    h->level_count[level]++;
    if (level == 0)
        h->map[s >> 6] |= UINT64_C(1) << (s & 63);
    at_store(&t->armed, 1);
}

static void wheel_unlink(struct wheel *h, struct timer *t)
{
    int l = t->level, s = t->slot;
    if ((*t->pprev = t->next))
        t->next->pprev = t->pprev;
    h->level_count[l]--;
    if (!--h->slot[l][s].n && l == 0)
        h->map[s >> 6] &= ~(UINT64_C(1) << (s & 63));
}

void wheel_init(struct wheel *h, int64_t now)
{
    h->tick = now >> TIMER_SHIFT;
    at_store(&h->next_due, NEVER);
    at_store(&h->far_due, NEVER);
}

void wheel_start(struct worker *w, struct timer *t, int64_t when, int64_t now)
{
    struct wheel *h = &w->wheel;
    lock(&h->lock);
    if (!at_load(&h->n) && now >> TIMER_SHIFT > h->tick)
        h->tick = now >> TIMER_SHIFT;                /* an empty wheel does not turn */
    at_store(&t->when, when);
    t->wk = (uint8_t)w->id;
    wheel_put(h, t, h->tick + 1);
    at_store(&h->n, at_load(&h->n) + 1);
    if (when < at_load(&h->next_due))
        at_store(&h->next_due, when);
    if (w != worker_self())
        at_store_rel(&h->far_due, MIN(when, at_load(&h->far_due)));
    unlock(&h->lock);
}

bool wheel_stop(struct wheel *h, struct timer *t)
{
    lock(&h->lock);
    bool was = at_load(&t->armed);
    if (was) {
        wheel_unlink(h, t);
        at_store(&t->armed, 0);
        at_store(&h->n, at_load(&h->n) - 1);
    }
    unlock(&h->lock);
    return was;
}

void timer_stop(struct timer *t)
{
    (void)wheel_stop(&task_of(t)->rt->workers[t->wk]->wheel, t);
}

/* The task waits with a deadline: its timer shall fire by then. */
void timer_arm(struct worker *w, struct task *t, int64_t when)
{
    if (t->timer.of_task) {
        struct wheel *h = &t->rt->workers[t->timer.wk]->wheel;
        lock(&h->lock);
        if (at_load(&t->timer.armed)) {
            if (at_load(&t->timer.when) <= when) {
                unlock(&h->lock);
                return;
            }
            wheel_unlink(h, &t->timer);
            at_store(&t->timer.armed, 0);
            at_store(&h->n, at_load(&h->n) - 1);
        }
        unlock(&h->lock);
    }
    t->timer.of_task = true;
    wheel_start(w, &t->timer, when, w->now);
}

/* Timers of a great many tasks are each a miss, and to follow their list would be to wait for one after the other. */
static inline void fetch_ahead(const struct timer *t)
{
    if (!t->ahead)
        return;
    __builtin_prefetch(t->ahead);
    __builtin_prefetch((const char *)t->ahead - offsetof(struct task, timer));
}

static inline void wheel_move(struct wheel *h, struct timer *t, int64_t k)
{
    if (t->ahead)
        __builtin_prefetch(t->ahead);
    wheel_unlink(h, t);
    wheel_put(h, t, k);
}

/* Moves timers of the levels above down as tick k is reached.  true: some wait in a slot that has begun to move. */
static bool wheel_cascade(struct wheel *h, int64_t k)
{
    bool more = false;
    for (int l = WHEEL_LEVELS - 1; l > 0; l--) {
        if (!h->level_count[l])
            continue;
        int64_t q = k >> RATIO_SHIFT * l, span = INT64_C(1) << RATIO_SHIFT * l;
        struct timer *t;
        if (!(k & (span - 1)))
            while ((t = h->slot[l][q & (WHEEL_SLOTS - 1)].head))
                wheel_move(h, t, k);
        struct wheel_slot *x = &h->slot[l][(q + 1) & (WHEEL_SLOTS - 1)];
        if (!x->n)
            continue;
        more = true;
        for (int64_t m = x->n / (span - (k & (span - 1))) + 1; m && (t = x->head); m--)
            wheel_move(h, t, k);
    }
    return more;
}

/* Tick k is reached: all timers leave its slot, for one that goes back may belong 128 ticks on, in this very slot.  They count as in it. */
static void wheel_take(struct wheel *h, int64_t k)
{
    struct wheel_slot *x = &h->slot[0][k & (WHEEL_SLOTS - 1)];
    if ((h->due = x->head))
        h->due->pprev = &h->due;
    x->head = NULL;
}

static void wheel_again(struct wheel *h, struct timer *t, int64_t when)
{
    at_store(&t->when, when);
    wheel_put(h, t, h->tick + 1);
    at_store(&h->n, at_load(&h->n) + 1);
}

/* 1: it is ready. */
static int task_due(struct wheel *h, struct timer *t, int64_t now, struct worker *into)
{
    struct task *x = task_of(t);
    int64_t deadline = at_load(&x->deadline), when = deadline;
    if (unlikely(at_load(&x->nap)) && deadline > now)
        when = MIN(deadline, nap_due(into, x, now));
    if (when != NEVER && deadline > now) {
        wheel_again(h, t, when);
        return 0;
    }
    if (deadline == NEVER || !task_claim(x, PARK_TIMER))
        return 0;
    if (into->rt->seam || x->pinned)
        task_ready(into, x);
    else
        ring_push(into, x);
    return 1;
}

/* Looks at the next few that are due; returns how many tasks that made ready, room of them at most.  The lock is held: nobody stops
 * or arms one of them meanwhile. */
static int wheel_fire(struct wheel *h, int64_t now, struct worker *into, int room)
{
    enum { AT_ONCE = 16 };
    struct timer *t, *b[AT_ONCE];
    int n = 0, woken = 0;
    for (; n < MIN(room, (int)AT_ONCE) && (t = h->due); b[n++] = t) {
        fetch_ahead(t);
        wheel_unlink(h, t);
        at_store(&h->n, at_load(&h->n) - 1);
        at_store(&t->armed, 0);
    }
    full_fence();                                    /* armed = 0 before deadline is read: Dekker with task_wait */
    for (int i = 0; i < n; i++) {
        if (b[i]->of_task) {
            woken += task_due(h, b[i], now, into);
            continue;
        }
        int64_t when = alarm_ring(b[i], now, into);
        if (when != NEVER)
            wheel_again(h, b[i], when);
    }
    return woken;
}

/* The next tick at which a slot of any level is due: what a simulated world jumps to. */
static int64_t wheel_jump(const struct wheel *h)
{
    int64_t best = NEVER >> TIMER_SHIFT;
    for (int l = 0; l < WHEEL_LEVELS; l++) {
        int64_t q = (h->tick >> RATIO_SHIFT * l) + 1;
        for (int64_t i = q; h->level_count[l] && i < q + WHEEL_SLOTS && i << RATIO_SHIFT * l < best; i++)
            if (h->slot[l][i & (WHEEL_SLOTS - 1)].n)
                best = i << RATIO_SHIFT * l;
    }
    return best;
}

static int64_t wheel_next(struct wheel *h, bool exact)
{
    if (!at_load(&h->n))
        return NEVER;
    if (h->due)
        return h->tick << TIMER_SHIFT;
    if (exact)
        return wheel_jump(h) << TIMER_SHIFT;
    int64_t next = (h->tick | 63) + 1;
    for (int64_t i = h->tick + 1; h->level_count[0] && i < next; i++)
        if (h->map[(i & 127) >> 6] >> (i & 63) & 1)
            next = i;
    return next << TIMER_SHIFT;
}

/* When the first timer of this slot is due, or, where there are many, not later than that.  One from beyond the horizon waits here for
 * its next move. */
static int64_t slot_due(const struct wheel_slot *x, int64_t from, int64_t span)
{
    enum { LOOK_AT = 16 };
    if (x->n > LOOK_AT)
        return from;
    int64_t first = from + span - 1;
    for (const struct timer *t = x->head; t; t = t->next)
        first = MIN(first, tick_of(at_load(&t->when)));
    return MAX(first, from);
}

/* The tick at which the first one is due.  A timer that is moved down late, when that tick is there, is as good as one that was moved when
 * its slot began: so nobody who sleeps wakes for a move. */
static int64_t wheel_due(const struct wheel *h)
{
    int64_t best = NEVER >> TIMER_SHIFT;
    for (int l = 0; l < WHEEL_LEVELS; l++) {
        int64_t q = (h->tick >> RATIO_SHIFT * l) + 1, span = INT64_C(1) << RATIO_SHIFT * l;
        for (int64_t i = q; h->level_count[l] && i < q + WHEEL_SLOTS && i * span < best; i++) {
            const struct wheel_slot *x = &h->slot[l][i & (WHEEL_SLOTS - 1)];
            if (x->n) {
                best = MIN(best, slot_due(x, i * span, span));
                break;
            }
        }
    }
    return best;
}

int64_t timers_next(struct worker *w)
{
    struct wheel *h = &w->wheel;
    lock(&h->lock);
    int64_t next = !at_load(&h->n) ? NEVER : (h->due ? h->tick : wheel_due(h)) << TIMER_SHIFT;
    unlock(&h->lock);
    return next;
}

static const char *list_rings(const struct timer *t, int *left)
{
    for (; t && --*left > 0; t = t->next) {
        if (!t->of_task)
            return "something rings at a time";
        if (at_load(&container_of(t, const struct task, timer)->deadline) != NEVER)
            return "a task waits for a time";
    }
    return NULL;
}

const char *timers_ring(struct worker *w)
{
    enum { LOOK_AT = 1000 };                         /* the lock is held so long */
    struct wheel *h = &w->wheel;
    if (!at_load(&h->n))
        return NULL;
    int left = LOOK_AT;
    lock(&h->lock);
    const char *what = list_rings(h->due, &left);
    for (uint32_t i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS && !what; i++)
        what = list_rings(h->slot[i / WHEEL_SLOTS][i % WHEEL_SLOTS].head, &left);
    unlock(&h->lock);
    return what;
}

int64_t timers_run(struct worker *w, struct worker *into, int64_t now)
{
    struct wheel *h = &w->wheel;
    if (w == into && unlikely(at_load(&h->far_due) != NEVER))
        atomic_exchange_explicit(&h->far_due, NEVER, ACQ);           /* what it stands for is in the wheel for us to see */
    if (!at_load(&h->n))
        return NEVER;
    lock(&h->lock);
    int64_t end = now >> TIMER_SHIFT;
    bool exact = w->rt->seam != NULL, more = true;
    for (int room = exact ? INT_MAX : FIRE_AT_ONCE; ; ) {
        while (h->due && room > 0)
            room -= wheel_fire(h, now, into, room);
        if (h->due)
            break;
        if (!exact && !more && !h->level_count[0]) {           /* nothing before the lowest level with timers moves on by a slot */
            int l = 1;
            while (l < WHEEL_LEVELS - 1 && !h->level_count[l])
                l++;
            int64_t j = h->tick | ((INT64_C(1) << RATIO_SHIFT * l) - 1);
            j = MIN(j, end);
            h->tick = MAX(h->tick, j);
        }
        if (h->tick >= end)
            break;
        int64_t k = exact ? MIN(wheel_jump(h), end) : h->tick + 1;
        more = wheel_cascade(h, k);
        h->tick = k;
        wheel_take(h, k);
    }
    int64_t next = wheel_next(h, exact);
    at_store(&h->next_due, next);
    unlock(&h->lock);
    return next;
}
