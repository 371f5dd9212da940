/* hiber.c - see hiber.h. */
#include "run/hiber.h"
#include <sched.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/mem.h"
#include "run/report.h"
#include "run/sched.h"
#include "run/stack.h"
#include "run/timer.h"

enum { NAP_MAX_LOG2 = 30, NAP_WAITERS = 16, NAP_BYTES = 16 << 10, NAP_GAIN = 512 };

struct span_of { uintptr_t lo, hi, by; };            /* what is in here moves by so much */

static void *nap_back(struct plat_away *a);

static void *shifted(const struct span_of *s, const void *p)
{
    uintptr_t at = (uintptr_t)p;
    return (void *)(at >= s->lo && at < s->hi ? at + s->by : at);
}

/* -- when ---------------------------------------------------------------------------------------------------------------- */
uint8_t nap_code(const struct rt *rt, leat_dur after)
{
    uint8_t k = 0;
    if (after.ns < 0 || !rt || rt->seam || SAN_ADDRESS || SAN_THREAD || san_on_valgrind() || at_load(&rt->no_naps))
        return 0;
    plat_away_back = nap_back;
    while (k < NAP_MAX_LOG2 - 1 && (INT64_C(1000000) << k) < after.ns)
        k++;
    return (uint8_t)(k + 1);
}

bool nap_at_once;

static int64_t nap_ns(uint8_t nap) { return nap_at_once ? 0 : INT64_C(1000000) << ((nap & NAP_CODE) - 1); }

void nap_begin(struct worker *w, struct task *t)
{
    uint8_t nap = t->ctx->nap;
    at_store(&t->nap, nap);
    if (!nap)
        return;
    int64_t when = w->now + nap_ns(nap);
    if (!(at_load(&t->timer.armed) && at_load(&t->timer.when) <= when))
        timer_arm(w, t, when);
}

static uintptr_t parked_sp(const struct task *t)
{
    return at_load(&t->park) == PARK_WAIT && !task_fresh(t) ? peek_word(&t->sp) : 0;
}

/* A wait that cannot be moved is looked at again when it has lasted twice as long. */
int64_t nap_due(struct worker *into, struct task *t, int64_t now)
{
    uint8_t nap = at_load(&t->nap);
    if (nap & NAP_AWAY)
        return NEVER;
    int64_t span = nap_ns(nap), waited = 0;
    if (parked_sp(t))
        waited = (int32_t)((uint32_t)(now / 1000000) - at_load(&t->since)) * INT64_C(1000000);
    if (waited < span)
        return now + span - MAX(waited, INT64_C(0));
    if (into->n_naps == NAPS_AT_ONCE || (!into->n_naps && now < into->naps_after))
        return MAX(into->naps_after, now + 1);
    if (!into->n_naps)
        into->naps_after = now + NAPS_GAP_NS;
    into->naps[into->n_naps++] = t;
    return now + waited;
}

/* -- the waiters of a wait ------------------------------------------------------------------------------------------------- */
struct set { struct waiter *x; uint32_t n; bool many; };

/* on is where the waiter lies now; s says where what it points to on the stack lies now. */
static struct set set_of(const struct waiter *on, const struct span_of *s)
{
    if (!on->kind->many)
        return (struct set){ (struct waiter *)(uintptr_t)on, 1, false };
    return (struct set){ shifted(s, on->owner), on->id, true };
}

static bool place(const struct waiter *x, struct wait_place *p)
{
    *p = (struct wait_place){ NULL, NULL, NULL };
    return x->kind->place && (!x->owner || x->kind->place(x, p));
}

struct held { _Atomic uint32_t *lock[NAP_WAITERS]; uint32_t n; };

static bool holds(const struct held *h, const _Atomic uint32_t *l)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->lock[i] == l)
            return true;
    return false;
}

static bool hold_all(const struct set *s, struct held *h)
{
    struct wait_place p;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!place(&s->x[i], &p))
            return false;
        if (!p.lock || holds(h, p.lock))
            continue;
        if (atomic_exchange_explicit(p.lock, 1, ACQ))
            return false;
        h->lock[h->n++] = p.lock;
        if (!place(&s->x[i], &p))
            return false;
    }
    return true;
}

static void let_go(struct held *h)
{
    while (h->n)
        unlock(h->lock[--h->n]);
}

/* [lock held] y stands where x stood. */
static void take_place(const struct wait_place *p, struct waiter *x, struct waiter *y)
{
    if (p->ring) {
        struct waiter *last = at_load(p->ring), *before = last;
        while (before->next != x)
            before = before->next;
        before->next = y;
        if (y->next == x)                            /* alone */
            y->next = y;
        if (last == x)
            at_store(p->ring, y);
        return;
    }
    if (x->prev)
        x->prev->next = y;
    else
        at_store(&p->q->head, y);
    if (x->next)
        x->next->prev = y;
    else
        p->q->tail = y;
}

/* [lock held, or nobody else knows x] */
static void move(const struct wait_place *p, struct waiter *x, const struct span_of *s)
{
    struct waiter *y = shifted(s, x);
    if (y != x) {
        bool on = x->on;
        *y = *x;
        if (on && p->lock)
            take_place(p, x, y);
        if (p->lock && x->kind->moved)
            x->kind->moved(x, y);
    }
    y->val = shifted(s, y->val);
}

/* -- away ------------------------------------------------------------------------------------------------------------------ */
/* Does something on the stack belong to others than queues? */
static bool shared(const struct task *t, uintptr_t base)
{
    const struct stack *k = t->stack;
    if (k->groups)
        return true;
    for (const leat_ctx *c = t->ctx; c && c != &t->group->ctx; c = c->parent)
        if ((uintptr_t)c >= base && (uintptr_t)c < (uintptr_t)k)
            return true;
    return false;
}

static bool nameable(const struct task *t, uintptr_t lo)
{
    uintptr_t on = (uintptr_t)t->on, hi = (uintptr_t)t->stack;
    return on >= lo && on + sizeof(struct waiter) <= hi && on % _Alignof(struct waiter) == 0 && wait_kind_is(t->on->kind);
}

struct extent { size_t bytes; uint8_t flags; };       /* of a copy; NAP_ flags */

/* The first frames of all stacks are the same but for chance, so they need not be kept. */
static bool begins_as_usual(struct rt *rt, const char *hi, bool held)
{
    uint32_t none = 0;
    if (held && !at_load(&rt->usual_known) && atomic_compare_exchange_strong_explicit(&rt->usual_known, &none, 1, ACQ, RLX)) {
        memcpy(rt->usual, hi - USUAL, USUAL);
        at_store_rel(&rt->usual_known, 2);
    }
    return at_load_acq(&rt->usual_known) == 2 && memcmp(rt->usual, hi - USUAL, USUAL) == 0;
}

static struct extent extent_of(struct rt *rt, const struct stack *k, uintptr_t lo, bool held)
{
    size_t bytes = (uintptr_t)k - lo;
    if (peek_u8(&k->marks))                          /* it has a name, say; else its record can be made anew */
        return (struct extent){ bytes + sizeof *k, NAP_WHOLE };
    if (bytes > USUAL && begins_as_usual(rt, (const char *)k, held))
        return (struct extent){ bytes - USUAL, NAP_USUAL };
    return (struct extent){ bytes, 0 };
}

static bool worth(size_t bytes)
{
    size_t page = plat_page();
    return align_up(bytes, page) - bytes >= NAP_GAIN;
}

/* [held in PARK_NAP] Copies its frames, and lets its waiters in the copy take their places.  false: nothing has been changed. */
static bool copy_away(struct task *t, struct plat_away *a, uintptr_t lo, struct extent x)
{
    struct span_of s = { lo, lo + x.bytes, (uintptr_t)(a + 1) - lo }, here = { 0, 0, 0 };
    struct held h = { .n = 0 };
    struct wait_place p;
    if (!nameable(t, lo) || shared(t, (uintptr_t)stack_low(t->rt, t->stack)))
        return false;
    struct set set = set_of(t->on, &here);
    if (set.n > NAP_WAITERS || !hold_all(&set, &h)) {
        let_go(&h);
        return false;
    }
    memcpy(a + 1, (const void *)lo, x.bytes);
    a->sp = (void *)lo;
    plat_switch_away(a);
    for (uint32_t i = 0; i < set.n; i++) {
        (void)place(&set.x[i], &p);
        move(&p, &set.x[i], &s);
    }
    at_store(&t->nap, at_load(&t->nap) | NAP_AWAY | x.flags);
    at_store_rel(&t->park, PARK_WAIT);               /* from here on it may be claimed; who would run it waits for its sp */
    let_go(&h);
    return true;
}

/* The timer was for this only. */
static void timer_again(struct worker *w, struct task *t)
{
    int64_t deadline = at_load(&t->deadline);
    if (at_load(&t->timer.armed))
        timer_stop(&t->timer);
    if (deadline != NEVER)
        timer_arm(w, t, deadline);
}

static void nap(struct worker *w, struct task *t)
{
    struct rt *rt = t->rt;
    struct stack *k = peek_pointer(&t->stack);
    uintptr_t lo = parked_sp(t);
    if (!lo || !k || (uintptr_t)k - lo >= rt->stack_bytes || (uintptr_t)k - lo > NAP_BYTES)
        return;
    struct extent x = extent_of(rt, k, lo, false), now;
    struct plat_away *a = w->away = worth(x.bytes) ? mem_alloc(sizeof *a + x.bytes) : NULL;
    if (!a)
        return;
    bool ours = task_claim(t, PARK_NAP), gone = false;
    if (ours) {
        bool same = !t->fresh && t->stack == k && (uintptr_t)at_load_acq(&t->sp) == lo && at_load(&t->nap) &&
            !(at_load(&t->nap) & NAP_AWAY);
        now = same ? extent_of(rt, k, lo, true) : x;
        same = same && now.bytes == x.bytes && now.flags == x.flags;
        if (same)
            at_store(&t->sp, NULL);
        gone = same && copy_away(t, a, lo, x);
        if (same && !gone)
            at_store_rel(&t->sp, (void *)lo);
        if (!gone)
            at_store_rel(&t->park, PARK_WAIT);
    }
    if (gone) {
        timer_again(w, t);
        if (!plat_mem_forget(stack_low(rt, k), (size_t)(stack_high(rt, k) - stack_low(rt, k))))
            at_store(&rt->no_naps, true);            /* it would only cost */
        atomic_fetch_add_explicit(&rt->hibernated, 1, RLX);
        at_store_rel(&t->sp, (void *)(a + 1));
    } else {
        mem_free(a);
    }
    w->away = NULL;
}

void nap_all(struct worker *w)
{
    for (uint32_t i = 0; i < w->n_naps; i++)
        nap(w, w->naps[i]);
    w->n_naps = 0;
}

/* -- back ------------------------------------------------------------------------------------------------------------------ */
/* Its waiters leave the copy, s.lo to s.hi, for the stack, to which the frames have been copied already. */
static void waiters_back(struct task *t, const struct span_of *s)
{
    struct span_of there = { s->lo + s->by, s->hi + s->by, -s->by };
    struct set set = set_of(shifted(&there, t->on), &there);
    uint32_t why = at_load(&t->park);
    for (uint32_t i = 0; i < set.n; i++) {
        struct waiter *x = &set.x[i];
        struct wait_place p = { NULL, NULL, NULL };
        /* one that was served is in no queue, and what it waited for may be gone */
        if (!(why == PARK_CHAN && (!set.many || x == t->win)))
            (void)place(x, &p);
        if (p.lock)
            lock(p.lock);
        move(&p, x, s);
        if (p.lock)
            unlock(p.lock);
    }
    t->win = shifted(s, t->win);
}

/* [the task, below its frames] */
static void *nap_back(struct plat_away *a)
{
    struct worker *w = worker_self();
    struct task *t = w->cur;
    struct stack *k = t->stack;
    uint8_t nap = at_load(&t->nap);
    size_t bytes = (size_t)((char *)k - (char *)a->sp) + (nap & NAP_WHOLE ? sizeof *k : 0) - (nap & NAP_USUAL ? USUAL : 0);
    struct span_of s = { (uintptr_t)(a + 1), (uintptr_t)(a + 1) + bytes, (uintptr_t)a->sp - (uintptr_t)(a + 1) };
    void *pc = a->pc;
    memcpy(a->sp, a + 1, bytes);
    if (nap & NAP_USUAL)
        memcpy((char *)k - USUAL, t->rt->usual, USUAL);
    if (!(nap & NAP_WHOLE))
        stack_renew(t->rt, k, t);
    waiters_back(t, &s);
    mem_free(a);
    nap_begin(w, t);
    return pc;
}

/* -- for reports -------------------------------------------------------------------------------------------------------------- */
bool task_frames(const struct task *t, struct frames *ret)
{
    uintptr_t sp = peek_word(&t->sp), hi = peek_word(&t->stack), size = peek_word(&((struct rt *)peek_pointer(&t->rt))->stack_bytes);
    struct plat_away a;
    if (task_fresh(t) || !sp || !hi)
        return false;
    *ret = (struct frames){ .lo = sp, .hi = hi };
    if (hi - sp < size)
        return true;
    if (peek((const struct plat_away *)sp - 1, &a, sizeof a) != sizeof a || hi - (uintptr_t)a.sp >= size)
        return false;
    hi -= peek_u8(&t->nap) & NAP_USUAL ? USUAL : 0;
    *ret = (struct frames){ (uintptr_t)a.sp, hi, sp - (uintptr_t)a.sp, (uintptr_t)a.pc };
    return true;
}
