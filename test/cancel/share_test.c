/* share_test.c - what waits for other tasks in this program: channels, locks, groups, timers, signals. */
#include "turns.h"

/* -- channels ------------------------------------------------------------------------------------------------------------------ */
struct chans { leat_chan(int) c, other; int v; };

static void chans_open(struct turns *t, size_t cap)
{
    struct chans *s = calloc(1, sizeof *s);
    t->state = s;
    s->c = leat_chan_make(int, cap);
    s->other = leat_chan_make(int, 0);
    CHECK(s->c && s->other);
}
static void open_unbuffered(struct turns *t) { chans_open(t, 0); }
static void open_one(struct turns *t) { chans_open(t, 1); }
static void chans_close(struct turns *t)
{
    struct chans *s = t->state;
    leat_unref(s->c);
    leat_unref(s->other);
    free(s);
}

static leat_err recv_act(struct turns *t)
{
    struct chans *s = t->state;
    return leat_recv(s->c, &s->v);
}
static leat_err recv_select(struct turns *t)
{
    struct chans *s = t->state;
    leat_err err;
    int v, w = -1;
    leat_select(err) {
        leat_on_recv(s->other, &v) { CHECK(false); }
        leat_on_recv(s->c, &s->v) { }
        leat_on_send(s->other, &w) { CHECK(false); }
    }
    return err;
}
static bool certain(leat_err e)
{
    CHECK(e == LEAT_OK || e == LEAT_AGAIN);
    return e == LEAT_OK;
}

static bool recv_complete(struct turns *t)
{
    struct chans *s = t->state;
    return certain(leat_try_send(s->c, t->i));       /* where the victim has given up, its look takes it */
}
static void recv_look(struct turns *t, leat_err outcome)
{
    struct chans *s = t->state;
    int v;
    if (outcome != LEAT_OK)
        MUST(leat_recv(s->c, &s->v));
    turns_completed(t);
    CHECK_EQ(s->v, t->i);
    CHECK_EQ(leat_try_recv(s->c, &v), LEAT_AGAIN);
}
static const struct op recv_unbuffered = { "recv, unbuffered", .open = open_unbuffered, .act = recv_act,
    .complete = recv_complete, .look = recv_look, .close = chans_close, .late = true };
static const struct op recv_buffered = { "recv, buffered", .open = open_one, .act = recv_act, .complete = recv_complete,
    .look = recv_look, .close = chans_close, .late = true };
static const struct op select_recv = { "select that receives", .open = open_unbuffered, .act = recv_select,
    .complete = recv_complete, .look = recv_look, .close = chans_close, .late = true };
RACES(recv_unbuffered)
RACES(recv_buffered)
RACES(select_recv)

static leat_err send_act(struct turns *t)
{
    struct chans *s = t->state;
    return leat_send(s->c, t->i);
}
static leat_err send_select(struct turns *t)
{
    struct chans *s = t->state;
    leat_err err;
    int v, w = t->i;
    leat_select(err) {
        leat_on_recv(s->other, &v) { CHECK(false); }
        leat_on_send(s->c, &w) { }
    }
    return err;
}
static bool send_complete(struct turns *t)
{
    struct chans *s = t->state;
    return certain(leat_try_recv(s->c, &s->v));
}
static void send_look(struct turns *t, leat_err outcome)
{
    struct chans *s = t->state;
    if (outcome != LEAT_OK)
        MUST(leat_send(s->c, -t->i));                /* the receiver waits still: the value is ours */
    turns_completed(t);
    CHECK_EQ(s->v, outcome == LEAT_OK ? t->i : -t->i);
}
static const struct op send_unbuffered = { "send, unbuffered", .open = open_unbuffered, .act = send_act,
    .complete = send_complete, .look = send_look, .close = chans_close, .late = true };
static const struct op select_send = { "select that sends", .open = open_unbuffered, .act = send_select,
    .complete = send_complete, .look = send_look, .close = chans_close, .late = true };
RACES(send_unbuffered)
RACES(select_send)

static void full_prepare(struct turns *t)
{
    struct chans *s = t->state;
    MUST(leat_try_send(s->c, 0));
}
static bool full_complete(struct turns *t)
{
    struct chans *s = t->state;
    int v;
    MUST(leat_try_recv(s->c, &v));
    CHECK_EQ(v, 0);
    return true;
}
static void full_look(struct turns *t, leat_err outcome)
{
    struct chans *s = t->state;
    int v = 0;
    CHECK_EQ(leat_try_recv(s->c, &v), outcome == LEAT_OK ? LEAT_OK : LEAT_AGAIN);
    CHECK_EQ(v, outcome == LEAT_OK ? t->i : 0);
    CHECK_EQ(leat_try_recv(s->c, &v), LEAT_AGAIN);
}
static const struct op send_full = { "send, full", .open = open_one, .prepare = full_prepare, .act = send_act,
    .complete = full_complete, .look = full_look, .close = chans_close };
RACES(send_full)

/* -- sharing memory -------------------------------------------------------------------------------------------------------------- */
struct mem { leat_mutex m; leat_rwlock l; leat_cond c; leat_waitgroup g; leat_sem s; int tokens; };
static struct mem *mem_of(struct turns *t) { return t->state; }
static void mem_open(struct turns *t)
{
    CHECK((t->state = calloc(1, sizeof(struct mem))));
    mem_of(t)->s.size = 3;
}
static void mem_close(struct turns *t) { free(t->state); }

static void lock_prepare(struct turns *t) { MUST(leat_lock(&mem_of(t)->m)); }
static leat_err lock_act(struct turns *t) { return leat_lock(&mem_of(t)->m); }
static bool lock_complete(struct turns *t) { leat_unlock(&mem_of(t)->m); return true; }
static void lock_look(struct turns *t, leat_err outcome)
{
    CHECK_EQ(leat_try_lock(&mem_of(t)->m), outcome == LEAT_OK ? LEAT_AGAIN : LEAT_OK);
    leat_unlock(&mem_of(t)->m);
}
static const struct op locking = { "lock", .open = mem_open, .close = mem_close, .prepare = lock_prepare, .act = lock_act,
    .complete = lock_complete, .look = lock_look };
RACES(locking)

static void rlock_prepare(struct turns *t) { MUST(leat_wlock(&mem_of(t)->l)); }
static leat_err rlock_act(struct turns *t) { return leat_rlock(&mem_of(t)->l); }
static bool rlock_complete(struct turns *t) { leat_wunlock(&mem_of(t)->l); return true; }
static void rlock_look(struct turns *t, leat_err outcome)
{
    CHECK_EQ(leat_try_wlock(&mem_of(t)->l), outcome == LEAT_OK ? LEAT_AGAIN : LEAT_OK);
    if (outcome == LEAT_OK)
        leat_runlock(&mem_of(t)->l);
    else
        leat_wunlock(&mem_of(t)->l);
}
static void wlock_prepare(struct turns *t) { MUST(leat_rlock(&mem_of(t)->l)); }
static leat_err wlock_act(struct turns *t) { return leat_wlock(&mem_of(t)->l); }
static bool wlock_complete(struct turns *t) { leat_runlock(&mem_of(t)->l); return true; }
static void wlock_look(struct turns *t, leat_err outcome)
{
    CHECK_EQ(leat_try_rlock(&mem_of(t)->l), outcome == LEAT_OK ? LEAT_AGAIN : LEAT_OK);
    if (outcome == LEAT_OK)
        leat_wunlock(&mem_of(t)->l);
    else
        leat_runlock(&mem_of(t)->l);
}
static const struct op rlocking = { "rlock", .open = mem_open, .close = mem_close, .prepare = rlock_prepare, .act = rlock_act,
    .complete = rlock_complete, .look = rlock_look };
static const struct op wlocking = { "wlock", .open = mem_open, .close = mem_close, .prepare = wlock_prepare, .act = wlock_act,
    .complete = wlock_complete, .look = wlock_look };
RACES(rlocking)
RACES(wlocking)

static leat_err cond_act(struct turns *t)
{
    leat_err e = LEAT_OK;
    leat_with_shield(LEAT_S(3600))
        MUST(leat_lock(&mem_of(t)->m));
    while (!mem_of(t)->tokens && e == LEAT_OK)
        e = leat_cond_wait(&mem_of(t)->c, &mem_of(t)->m);
    CHECK_EQ(leat_try_lock(&mem_of(t)->m), LEAT_AGAIN);     /* it is ours, whatever came */
    mem_of(t)->tokens -= e == LEAT_OK;
    leat_unlock(&mem_of(t)->m);
    return e;
}
static bool cond_complete(struct turns *t)
{
    MUST(leat_lock(&mem_of(t)->m));
    mem_of(t)->tokens++;
    leat_cond_signal(&mem_of(t)->c);
    leat_unlock(&mem_of(t)->m);
    return true;
}
static void cond_look(struct turns *t, leat_err outcome)
{
    CHECK_EQ(mem_of(t)->tokens, outcome != LEAT_OK);
    mem_of(t)->tokens = 0;
}
static const struct op cond_wait = { "cond wait", .open = mem_open, .close = mem_close, .act = cond_act, .complete = cond_complete,
    .look = cond_look };
RACES(cond_wait)

static void wg_prepare(struct turns *t) { leat_waitgroup_add(&mem_of(t)->g, 1); }
static leat_err wg_act(struct turns *t) { return leat_waitgroup_wait(&mem_of(t)->g); }
static bool wg_complete(struct turns *t) { leat_waitgroup_done(&mem_of(t)->g); return true; }
static void wg_look(struct turns *t, leat_err outcome)
{
    (void)outcome;
    MUST(leat_waitgroup_wait(&mem_of(t)->g));
}
static const struct op wait_group = { "wait group", .open = mem_open, .close = mem_close, .prepare = wg_prepare, .act = wg_act,
    .complete = wg_complete, .look = wg_look };
RACES(wait_group)

static void sem_prepare(struct turns *t) { MUST(leat_try_acquire(&mem_of(t)->s, 2)); }
static leat_err sem_act(struct turns *t) { return leat_acquire(&mem_of(t)->s, 2); }
static bool sem_complete(struct turns *t) { leat_release(&mem_of(t)->s, 2); return true; }
static void sem_look(struct turns *t, leat_err outcome)
{
    CHECK_EQ(leat_try_acquire(&mem_of(t)->s, outcome == LEAT_OK ? 2 : 4), LEAT_AGAIN);
    MUST(leat_try_acquire(&mem_of(t)->s, outcome == LEAT_OK ? 1 : 3));
    leat_release(&mem_of(t)->s, 3);
}
static const struct op semaphore = { "semaphore", .open = mem_open, .close = mem_close, .prepare = sem_prepare, .act = sem_act,
    .complete = sem_complete, .look = sem_look };
RACES(semaphore)

/* -- groups -------------------------------------------------------------------------------------------------------------------------- */
static leat_err take_one(struct chans **s) { return leat_recv((*s)->c, &(*s)->v); }
static leat_err group_act(struct turns *t)
{
    struct chans *s = t->state;
    leat_err err;
    leat_with_group(g, err)
        err = leat_go(&g, take_one, s);
    return err;
}
static bool group_complete(struct turns *t)
{
    struct chans *s = t->state;
    MUST(leat_try_send(s->c, t->i));
    return true;
}
static void group_look(struct turns *t, leat_err outcome)
{
    struct chans *s = t->state;
    int v = 0;
    CHECK_EQ(leat_try_recv(s->c, &v), outcome == LEAT_OK ? LEAT_AGAIN : LEAT_OK);
    CHECK_EQ(outcome == LEAT_OK ? s->v : v, t->i);
}
static const struct op group_wait = { "group wait", .open = open_one, .act = group_act, .complete = group_complete,
    .look = group_look, .close = chans_close, .tasks_only = true };
RACES(group_wait)

/* -- time ------------------------------------------------------------------------------------------------------------------------------ */
struct clock { leat_timer *timer; leat_time from, ticked; };
static void sleep_open(struct turns *t) { CHECK((t->state = calloc(1, sizeof(struct clock)))); }
static void sleep_close(struct turns *t) { free(t->state); }
static leat_err sleep_act(struct turns *t)
{
    struct clock *c = t->state;
    c->from = leat_now();
    return leat_sleep(t->after);
}
static void sleep_look(struct turns *t, leat_err outcome)
{
    struct clock *c = t->state;
    CHECK(outcome != LEAT_OK || leat_since(c->from).ns >= t->after.ns);
}
static const struct op sleeping = { "sleep", .open = sleep_open, .act = sleep_act, .look = sleep_look, .close = sleep_close };
RACES(sleeping)

static void timer_open(struct turns *t)
{
    sleep_open(t);
    struct clock *c = t->state;
    MUST(leat_timer_open(LEAT_S(3600), &c->timer));
    (void)leat_timer_stop(c->timer);
}
static void ticker_open(struct turns *t)
{
    sleep_open(t);
    struct clock *c = t->state;
    MUST(leat_ticker_open(LEAT_S(3600), &c->timer));
    (void)leat_timer_stop(c->timer);
}
static leat_err timer_act(struct turns *t)
{
    struct clock *c = t->state;
    c->from = leat_now();
    MUST(leat_timer_reset(c->timer, t->after.ns > 0 ? t->after : LEAT_NS(1), NULL));
    return leat_recv(leat_timer_rx(c->timer), &c->ticked);
}
static void timer_look(struct turns *t, leat_err outcome)
{
    struct clock *c = t->state;
    if (outcome == LEAT_OK)
        CHECK(c->ticked.ns >= c->from.ns + t->after.ns);
    CHECK_EQ(leat_timer_stop(c->timer), outcome != LEAT_OK);         /* the tick was received, or it is there to be stopped */
    CHECK_EQ(leat_try_recv(leat_timer_rx(c->timer), &c->ticked), LEAT_AGAIN);
}
static void ticker_look(struct turns *t, leat_err outcome)
{
    struct clock *c = t->state;
    if (outcome == LEAT_OK)
        CHECK(c->ticked.ns >= c->from.ns + t->after.ns);
    CHECK(leat_timer_stop(c->timer));
    CHECK_EQ(leat_try_recv(leat_timer_rx(c->timer), &c->ticked), LEAT_AGAIN);
}
static void timer_close(struct turns *t)
{
    struct clock *c = t->state;
    leat_timer_close(c->timer);
    sleep_close(t);
}
static const struct op timer_recv = { "timer", .open = timer_open, .act = timer_act, .look = timer_look, .close = timer_close,
    .tasks_only = true };
static const struct op ticker_recv = { "ticker", .open = ticker_open, .act = timer_act, .look = ticker_look, .close = timer_close,
    .tasks_only = true };
RACES(timer_recv)
RACES(ticker_recv)

T_MAIN()
