/* sync_rwmutex_test.c - of Go's sync/rwmutex_test.go. */
#include <stdatomic.h>
#include "place.h"

struct rw { leat_rwlock *l; leat_chan(int) locked, unlock; _Atomic int *activity; int turns; };

static leat_err parallel_reader(struct rw *r)
{
    int v;
    LEAT_TRY(leat_rlock(r->l));
    LEAT_TRY(leat_send(r->locked, 1));
    LEAT_TRY(leat_recv(r->unlock, &v));
    leat_runlock(r->l);
    return LEAT_OK;
}
static leat_err parallel_readers(int n)
{
    leat_auto leat_chan(int) locked = leat_chan_make(int, 0);
    leat_auto leat_chan(int) unlock = leat_chan_make(int, 0);
    leat_rwlock l = { { NULL } };
    leat_err err;
    int v;
    leat_with_group(g, err) {
        for (int i = 0; i < n; i++)
            LEAT_TRY(leat_go(&g, parallel_reader, (struct rw){ .l = &l, .locked = locked, .unlock = unlock }));
        for (int i = 0; i < n; i++)
            LEAT_TRY(leat_recv(locked, &v));         /* all of them have it at once */
        for (int i = 0; i < n; i++)
            LEAT_TRY(leat_send(unlock, 1));
    }
    return err;
}
static leat_err test_parallel_readers(void)
{
    for (int n = 1; n <= 4; n++)
        LEAT_TRY(parallel_readers(n));
    return LEAT_OK;
}
AT_TASK(TestParallelReaders, test_parallel_readers)

enum { WRITER = 10000 };                             /* activity: readers at work + WRITER a writer at work */

static leat_err reader(struct rw *r)
{
    for (int i = 0; i < r->turns; i++) {
        LEAT_TRY(leat_rlock(r->l));
        int n = atomic_fetch_add(r->activity, 1) + 1;
        CHECK(n >= 1 && n < WRITER);
        for (volatile int k = 0; k < 100; k++)
            ;
        --*r->activity;
        leat_runlock(r->l);
    }
    return LEAT_OK;
}
static leat_err writer(struct rw *r)
{
    for (int i = 0; i < r->turns; i++) {
        LEAT_TRY(leat_wlock(r->l));
        int n = atomic_fetch_add(r->activity, WRITER) + WRITER;
        CHECK_EQ(n, WRITER);
        for (volatile int k = 0; k < 100; k++)
            ;
        *r->activity -= WRITER;
        leat_wunlock(r->l);
    }
    return LEAT_OK;
}
static leat_err hammer(leat_none *none)
{
    (void)none;
    for (int readers = 1; readers <= 10; readers = readers == 1 ? 3 : readers + 7) {
        _Atomic int activity = 0;
        leat_rwlock l = { { NULL } };
        struct rw r = { .l = &l, .activity = &activity, .turns = getenv("T_QUICK") ? 50 : 500 };
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, writer, r));
            for (int i = 0; i < readers; i++)
                LEAT_TRY(leat_go(&g, reader, r));
            LEAT_TRY(leat_go(&g, writer, r));
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
static leat_err tries(leat_none *none)
{
    leat_rwlock l = { { NULL } };
    (void)none;
    LEAT_TRY(leat_wlock(&l));
    CHECK_EQ(leat_try_wlock(&l), LEAT_AGAIN);
    CHECK_EQ(leat_try_rlock(&l), LEAT_AGAIN);
    leat_wunlock(&l);
    CHECK_EQ(leat_try_wlock(&l), LEAT_OK);
    leat_wunlock(&l);
    CHECK_EQ(leat_try_rlock(&l), LEAT_OK);
    CHECK_EQ(leat_try_rlock(&l), LEAT_OK);
    CHECK_EQ(leat_try_wlock(&l), LEAT_AGAIN);
    leat_runlock(&l);
    leat_runlock(&l);
    return LEAT_OK;
}
TEST(TestRWMutex)
{
    CHECK_EQ(leat_run(NULL, tries, LEAT_NONE), LEAT_OK);
    for (uint32_t w = 1; w <= 10; w = w == 1 ? 4 : w + 6)
        CHECK_EQ(leat_run(&(leat_opts){ .workers = w }, hammer, LEAT_NONE), LEAT_OK);
}

struct rlocker { leat_rwlock l; leat_chan(int) wlocked, rlocked; int n; };
static leat_err rlocker(struct rlocker **p)
{
    struct rlocker *r = *p;
    for (int i = 0; i < r->n; i++) {
        LEAT_TRY(leat_rlock(&r->l));
        LEAT_TRY(leat_rlock(&r->l));
        LEAT_TRY(leat_send(r->rlocked, 1));
        LEAT_TRY(leat_wlock(&r->l));
        LEAT_TRY(leat_send(r->wlocked, 1));
    }
    return LEAT_OK;
}
static leat_err test_rlocker(void)
{
    leat_auto leat_chan(int) wlocked = leat_chan_make(int, 1);
    leat_auto leat_chan(int) rlocked = leat_chan_make(int, 1);
    struct rlocker r = { .wlocked = wlocked, .rlocked = rlocked, .n = 10 }, *p = &r;
    leat_err err;
    int v;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, rlocker, p));
        for (int i = 0; i < r.n; i++) {
            LEAT_TRY(leat_recv(rlocked, &v));
            leat_runlock(&r.l);
            CHECK_EQ(leat_try_recv(wlocked, &v), LEAT_AGAIN);        /* one reader is left */
            leat_runlock(&r.l);
            LEAT_TRY(leat_recv(wlocked, &v));
            CHECK_EQ(leat_try_recv(rlocked, &v), LEAT_AGAIN);        /* a writer is there */
            leat_wunlock(&r.l);
        }
    }
    return err;
}
AT_TASK(TestRLocker, test_rlocker)

T_MAIN()
