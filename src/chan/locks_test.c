/* locks_test.c - read-write lock, condition, wait group, semaphore, and what happens to a caller's mistakes. */
#include <pthread.h>
#include <stdatomic.h>
#include "leat.h"
#include "stops.h"

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_++) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

static int times(int n) { return getenv("T_QUICK") ? n / 10 : n; }

/* What depends on who waits already: one worker, where a task that has counted itself in *n goes on until it waits. */
#define RUN_ALONE(fn) do { leat_err e_ = leat_run(&(leat_opts){ .workers = 1 }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e_), leat_err_detail()); } while (0)
static void settle(_Atomic int *n, int want)
{
    while (*n < want)
        leat_yield();
}

/* -- read-write lock ------------------------------------------------------------------------------------------------------- */
struct rw { leat_rwlock l; _Atomic int readers, writers, came, done; int64_t n; leat_chan(int) log; };
struct rw_user { struct rw *s; int id; };

static leat_err rw_use(struct rw_user *u)
{
    struct rw *s = u->s;
    for (int i = 0; i < times(2000); i++) {
        if ((u->id + i) % 4) {
            LEAT_TRY(leat_rlock(&s->l));
            s->readers++;
            CHECK_EQ(s->writers, 0);
            if (i % 16 == 0)
                leat_yield();
            s->readers--;
            leat_runlock(&s->l);
        } else {
            LEAT_TRY(leat_wlock(&s->l));
            int others = atomic_fetch_add(&s->writers, 1);
            CHECK_EQ(others, 0);
            CHECK_EQ(s->readers, 0);
            s->n++;
            if (i % 16 == 0)
                leat_yield();
            s->writers--;
            leat_wunlock(&s->l);
        }
    }
    return LEAT_OK;
}
static leat_err rw_mutual(leat_none *none)
{
    (void)none;
    struct rw s = { .n = 0 };
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 8; i++)
            LEAT_TRY(leat_go(&g, rw_use, (struct rw_user){ &s, i }));
    CHECK_EQ(s.n, 8 * times(2000) / 4);
    return err;
}
TEST(readers_share_and_a_writer_is_alone) { RUN(rw_mutual); }

static leat_err rw_write(struct rw_user *u)
{
    u->s->came++;
    LEAT_TRY(leat_wlock(&u->s->l));
    LEAT_TRY(leat_send(u->s->log, u->id));
    leat_wunlock(&u->s->l);
    return LEAT_OK;
}
static leat_err rw_read(struct rw_user *u)
{
    u->s->came++;
    LEAT_TRY(leat_rlock(&u->s->l));
    LEAT_TRY(leat_send(u->s->log, u->id));
    leat_runlock(&u->s->l);
    return LEAT_OK;
}
static leat_err rw_order(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) log = leat_chan_make(int, 8);
    struct rw s = { .log = log };
    leat_err err;
    int v;
    LEAT_TRY(leat_rlock(&s.l));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, rw_write, (struct rw_user){ &s, 1 }));
        settle(&s.came, 1);
        CHECK_EQ(leat_try_rlock(&s.l), LEAT_AGAIN);  /* the writer that waits keeps it out */
        CHECK_EQ(leat_try_wlock(&s.l), LEAT_AGAIN);
        LEAT_TRY(leat_go(&g, rw_read, (struct rw_user){ &s, 2 }));
        settle(&s.came, 2);
        LEAT_TRY(leat_go(&g, rw_write, (struct rw_user){ &s, 3 }));
        settle(&s.came, 3);
        CHECK_EQ(leat_len(log), 0);
        leat_runlock(&s.l);
    }
    LEAT_TRY(err);
    for (int i = 1; i <= 3; i++) {                   /* the writer, the reader it kept out, the next writer */
        LEAT_TRY(leat_recv(log, &v));
        CHECK_EQ(v, i);
    }
    LEAT_TRY(leat_try_wlock(&s.l));
    CHECK_EQ(leat_try_rlock(&s.l), LEAT_AGAIN);
    leat_wunlock(&s.l);
    LEAT_TRY(leat_try_rlock(&s.l));
    leat_runlock(&s.l);
    return LEAT_OK;
}
TEST(a_waiting_writer_keeps_readers_out_and_they_come_before_the_next_writer) { RUN_ALONE(rw_order); }

static leat_err rw_leave(leat_rwlock *l)
{
    leat_err err;
    leat_with_wlock(l, err)
        return leat_try_rlock(l);
    return err;
}
static leat_err rw_scopes(leat_none *none)
{
    leat_rwlock l = { { NULL } };
    leat_err err;
    int n = 0;
    (void)none;
    leat_with_rlock(&l, err)
        leat_with_rlock(&l, err)
            n += leat_try_wlock(&l) == LEAT_AGAIN;
    LEAT_TRY(err);
    CHECK_EQ(rw_leave(&l), LEAT_AGAIN);              /* left by return, and unlocked */
    leat_with_wlock(&l, err) {
        n += leat_try_rlock(&l) == LEAT_AGAIN;
        leat_with_deadline(LEAT_NS(0)) {
            leat_with_rlock(&l, err)
                n += 100;
            CHECK_EQ(err, LEAT_DEADLINE);
            leat_with_wlock(&l, err)
                n += 100;
            CHECK_EQ(err, LEAT_DEADLINE);
        }
    }
    CHECK_EQ(n, 2);
    return leat_try_wlock(&l);
}
TEST(a_block_with_a_lock_unlocks_it_however_it_is_left) { RUN(rw_scopes); }

static leat_err rw_give_up(struct rw_user *u)
{
    u->s->came++;
    leat_err e = leat_wlock(&u->s->l);
    u->s->done++;
    return e == LEAT_CANCELED ? LEAT_OK : leat_fail(LEAT_INVAL, "it was %s", leat_err_name(e));
}
static leat_err rw_canceled_writer(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) log = leat_chan_make(int, 8);
    struct rw s = { .log = log };
    leat_err err;
    leat_group writer = { { NULL } };
    LEAT_TRY(leat_rlock(&s.l));
    LEAT_TRY(leat_go(&writer, rw_give_up, (struct rw_user){ &s, 1 }));
    settle(&s.came, 1);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, rw_read, (struct rw_user){ &s, 2 }));
        settle(&s.came, 2);
        CHECK_EQ(leat_len(log), 0);
        leat_group_cancel(&writer);
    }
    LEAT_TRY(err);                                   /* the reader came in, though the first one is there still */
    LEAT_TRY(leat_group_wait(&writer));
    leat_runlock(&s.l);
    leat_with_deadline(LEAT_MS(1)) {
        LEAT_TRY(leat_wlock(&s.l));
        CHECK_EQ(leat_rlock(&s.l), LEAT_DEADLINE);
        leat_wunlock(&s.l);
    }
    LEAT_TRY(leat_wlock(&s.l));
    leat_wunlock(&s.l);
    return LEAT_OK;
}
TEST(a_writer_that_gives_up_lets_the_readers_in) { RUN_ALONE(rw_canceled_writer); }

/* -- condition -------------------------------------------------------------------------------------------------------------- */
struct cv { leat_mutex m; leat_cond c; _Atomic int came; int tokens, taken, lost; };

/* Each either takes a token that a signal announced, or was cancelled; whoever leaves holds the mutex. */
static leat_err cv_take(struct cv **p)
{
    struct cv *s = *p;
    leat_err e = LEAT_OK;
    LEAT_TRY(leat_lock(&s->m));
    s->came++;
    while (!s->tokens && e == LEAT_OK)
        e = leat_cond_wait(&s->c, &s->m);
    if (e == LEAT_OK) {
        s->tokens--;
        s->taken++;
    } else {
        s->lost++;
    }
    leat_unlock(&s->m);
    return LEAT_OK;
}
static leat_err cv_race(leat_none *none)
{
    (void)none;
    for (int i = 0; i < times(400); i++) {
        struct cv s = { .tokens = 0 }, *p = &s;
        leat_group g = { { NULL } }, stay = { { NULL } };
        for (int k = 0; k < 3; k++)
            LEAT_TRY(leat_go(k ? &g : &stay, cv_take, p));
        while (s.came < 3)
            leat_yield();
        leat_group_cancel(&g);                       /* two of three are cancelled while one signal comes: somebody takes the token */
        leat_ignore(leat_lock(&s.m));
        s.tokens = 1;
        leat_cond_signal(&s.c);
        leat_unlock(&s.m);
        LEAT_TRY(leat_group_wait(&g));
        if (s.taken == 0)
            LEAT_TRY(leat_group_wait(&stay));
        CHECK_EQ(s.taken, 1);
        leat_group_cancel(&stay);
        LEAT_TRY(leat_group_wait(&stay));
        CHECK_EQ(s.taken + s.lost, 3);
    }
    return LEAT_OK;
}
TEST(a_signal_that_meets_a_cancel_is_not_lost) { RUN(cv_race); }

static leat_err cv_deadline(leat_none *none)
{
    (void)none;
    struct cv s = { .tokens = 0 };
    LEAT_TRY(leat_lock(&s.m));
    leat_with_deadline(LEAT_MS(1)) {
        CHECK_EQ(leat_cond_wait(&s.c, &s.m), LEAT_DEADLINE);
        CHECK_EQ(leat_try_lock(&s.m), LEAT_AGAIN);   /* held again, though the time is over */
    }
    leat_unlock(&s.m);
    leat_cond_signal(&s.c);                          /* nobody waits: not kept for later */
    leat_cond_broadcast(&s.c);
    return LEAT_OK;
}
TEST(a_wait_that_ends_with_an_error_holds_the_mutex_again) { RUN(cv_deadline); }

/* -- wait group, semaphore -------------------------------------------------------------------------------------------------- */
static leat_err wg_deadline(leat_none *none)
{
    (void)none;
    leat_waitgroup g = { { NULL } };
    LEAT_TRY(leat_waitgroup_wait(&g));
    leat_waitgroup_add(&g, 2);
    leat_with_deadline(LEAT_MS(1))
        CHECK_EQ(leat_waitgroup_wait(&g), LEAT_DEADLINE);
    leat_waitgroup_done(&g);
    leat_waitgroup_add(&g, -1);
    return leat_waitgroup_wait(&g);
}
TEST(waiting_for_a_wait_group_obeys_the_deadline) { RUN(wg_deadline); }

struct room { leat_sem s; _Atomic int came, inside; leat_chan(int) log; };
struct guest { struct room *r; int n, id; };

static leat_err guest_use(struct guest *u)
{
    for (int i = 0; i < times(1000); i++) {
        int n = 1 + (u->id + i) % 5;
        LEAT_TRY(leat_acquire(&u->r->s, n));
        int inside = atomic_fetch_add(&u->r->inside, n) + n;
        CHECK(inside <= 7);
        if (i % 8 == 0)
            leat_yield();
        u->r->inside -= n;
        leat_release(&u->r->s, n);
    }
    return LEAT_OK;
}
static leat_err sem_bound(leat_none *none)
{
    (void)none;
    struct room r = { .s = { .size = 7 } };
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 6; i++)
            LEAT_TRY(leat_go(&g, guest_use, (struct guest){ &r, 0, i }));
    LEAT_TRY(err);
    LEAT_TRY(leat_try_acquire(&r.s, 7));
    CHECK_EQ(leat_try_acquire(&r.s, 1), LEAT_AGAIN);
    CHECK_EQ(leat_try_acquire(&r.s, 0), LEAT_OK);
    CHECK_EQ(leat_acquire(&r.s, 8), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "8 of a semaphore that has 7");
    CHECK_EQ(leat_try_acquire(&r.s, 8), LEAT_AGAIN);
    CHECK_EQ(leat_acquire(&r.s, -1), LEAT_INVAL);
    return LEAT_OK;
}
TEST(a_semaphore_never_gives_more_than_it_has) { RUN(sem_bound); }

static leat_err guest_enter(struct guest *u)
{
    u->r->came++;
    leat_err e = leat_acquire(&u->r->s, u->n);
    if (e == LEAT_OK)
        leat_ignore(leat_try_send(u->r->log, u->id));
    return e == LEAT_CANCELED ? LEAT_OK : e;
}
static leat_err sem_order(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) log = leat_chan_make(int, 8);
    struct room r = { .s = { .size = 3 }, .log = log };
    leat_group first = { { NULL } };
    leat_err err;
    int v;
    LEAT_TRY(leat_acquire(&r.s, 2));
    LEAT_TRY(leat_go(&first, guest_enter, (struct guest){ &r, 3, 0 }));
    settle(&r.came, 1);
    CHECK_EQ(leat_try_acquire(&r.s, 1), LEAT_AGAIN);                 /* there is one left, but somebody is before us */
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, guest_enter, (struct guest){ &r, 1, 1 }));
        settle(&r.came, 2);
        LEAT_TRY(leat_go(&g, guest_enter, (struct guest){ &r, 2, 2 }));
        settle(&r.came, 3);
        CHECK_EQ(leat_len(log), 0);
        leat_group_cancel(&first);                                   /* it gives up: the one behind it is served */
        LEAT_TRY(leat_group_wait(&first));
        LEAT_TRY(leat_recv(log, &v));
        CHECK_EQ(v, 1);
        leat_release(&r.s, 2);
    }
    LEAT_TRY(err);
    LEAT_TRY(leat_recv(log, &v));
    CHECK_EQ(v, 2);
    return LEAT_OK;
}
TEST(a_semaphore_serves_in_order_and_who_gives_up_holds_up_nobody) { RUN_ALONE(sem_order); }

/* -- threads that are no tasks ---------------------------------------------------------------------------------------------- */
struct mixed { leat_rwlock l; leat_mutex m; leat_cond c; leat_sem s; leat_waitgroup g; int64_t n, turns; };

static leat_err mixed_use(struct mixed **p)
{
    struct mixed *x = *p;
    for (int i = 0; i < times(500); i++) {
        LEAT_TRY(leat_acquire(&x->s, 1 + i % 2));
        LEAT_TRY(i % 3 ? leat_rlock(&x->l) : leat_wlock(&x->l));
        if (i % 3) {
            leat_runlock(&x->l);
        } else {
            x->n++;
            leat_wunlock(&x->l);
        }
        leat_release(&x->s, 1 + i % 2);
    }
    LEAT_TRY(leat_lock(&x->m));
    if (++x->turns == 4)
        leat_cond_broadcast(&x->c);
    while (x->turns < 4)
        LEAT_TRY(leat_cond_wait(&x->c, &x->m));
    leat_unlock(&x->m);
    leat_waitgroup_done(&x->g);
    return LEAT_OK;
}
static void *mixed_thread(void *p)
{
    struct mixed *x = p;
    CHECK_EQ(mixed_use(&x), LEAT_OK);
    CHECK_EQ(leat_waitgroup_wait(&x->g), LEAT_OK);
    leat_with_deadline(LEAT_MS(1)) {
        leat_sem none = { .size = 1 };
        CHECK_EQ(leat_acquire(&none, 1), LEAT_OK);
        CHECK_EQ(leat_acquire(&none, 1), LEAT_DEADLINE);
    }
    return NULL;
}
static leat_err mixed_tasks(struct mixed **p)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_go(&g, mixed_use, *p));
    LEAT_TRY(err);
    return leat_waitgroup_wait(&(*p)->g);
}
TEST(tasks_and_threads_share_all_of_them)
{
    struct mixed x = { .s = { .size = 2 } };
    pthread_t t[2];
    leat_waitgroup_add(&x.g, 4);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, mixed_thread, &x), 0);
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, mixed_tasks, &x), LEAT_OK);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(x.n, 4 * ((times(500) + 2) / 3));
}

/* -- mistakes ---------------------------------------------------------------------------------------------------------------- */
static void bad_unlock(void) { leat_mutex m = { { NULL } }; leat_unlock(&m); }
static void bad_runlock(void) { leat_rwlock l = { { NULL } }; leat_runlock(&l); }
static void bad_runlock_2(void) { leat_rwlock l = { { NULL } }; leat_ignore(leat_rlock(&l)); leat_runlock(&l); leat_runlock(&l); }
static void bad_runlock_3(void) { leat_rwlock l = { { NULL } }; leat_ignore(leat_wlock(&l)); leat_runlock(&l); }
static void bad_wunlock(void) { leat_rwlock l = { { NULL } }; leat_wunlock(&l); }
static void bad_wunlock_2(void) { leat_rwlock l = { { NULL } }; leat_ignore(leat_rlock(&l)); leat_wunlock(&l); }
static void bad_done(void) { leat_waitgroup g = { { NULL } }; leat_waitgroup_add(&g, 1); leat_waitgroup_done(&g); leat_waitgroup_done(&g); }
static void bad_release(void) { leat_sem s = { .size = 3 }; leat_ignore(leat_acquire(&s, 1)); leat_release(&s, 2); }
static void bad_wait(void) { leat_cond c = { { NULL } }; leat_mutex m = { { NULL } }; leat_ignore(leat_cond_wait(&c, &m)); }

TEST(mistakes_stop_the_program_with_a_line)
{
    stops(bad_unlock, "leat: leat_unlock: the mutex is not locked\n");
    stops(bad_runlock, "leat: leat_runlock: no reader holds this lock\n");
    stops(bad_runlock_2, "leat: leat_runlock: no reader holds this lock\n");
    stops(bad_runlock_3, "leat: leat_runlock: no reader holds this lock\n");
    stops(bad_wunlock, "leat: leat_wunlock: no writer holds this lock\n");
    stops(bad_wunlock_2, "leat: leat_wunlock: no writer holds this lock\n");
    stops(bad_done, "leat: leat_waitgroup: more have called done than were added\n");
    stops(bad_release, "leat: leat_release: more than was acquired\n");
    stops(bad_wait, "leat: leat_cond_wait: the mutex is not locked\n");
}

T_MAIN()
