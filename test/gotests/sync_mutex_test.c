/* sync_mutex_test.c - of Go's sync/mutex_test.go. */
#include "place.h"
#include "stops.h"

struct hammer { leat_mutex *m; leat_sem *s; int loops; };

static leat_err hammer_semaphore(struct hammer *h)
{
    for (int i = 0; i < h->loops; i++) {
        LEAT_TRY(leat_acquire(h->s, 1));
        leat_release(h->s, 1);
    }
    return LEAT_OK;
}
static leat_err test_semaphore(void)
{
    leat_sem s = { .size = 1 };
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, hammer_semaphore, (struct hammer){ .s = &s, .loops = place_turns(1000) }));
    LEAT_TRY(err);
    return leat_try_acquire(&s, 1);
}
AT_TASK(TestSemaphore, test_semaphore)

static leat_err hammer_mutex(struct hammer *h)
{
    for (int i = 0; i < h->loops; i++) {
        if (i % 3 == 0) {
            leat_err e = leat_try_lock(h->m);
            if (e == LEAT_OK)
                leat_unlock(h->m);
            else if (e != LEAT_AGAIN)
                return e;
            continue;
        }
        LEAT_TRY(leat_lock(h->m));
        leat_unlock(h->m);
    }
    return LEAT_OK;
}
static leat_err test_mutex(void)
{
    leat_mutex m = { { NULL } };
    leat_err err;
    LEAT_TRY(leat_lock(&m));
    CHECK_EQ(leat_try_lock(&m), LEAT_AGAIN);
    leat_unlock(&m);
    CHECK_EQ(leat_try_lock(&m), LEAT_OK);
    leat_unlock(&m);
    leat_with_group(g, err)
        for (int i = 0; i < 10; i++)
            LEAT_TRY(leat_go(&g, hammer_mutex, (struct hammer){ .m = &m, .loops = place_turns(1000) }));
    return err;
}
AT_TASK(TestMutex, test_mutex)

static leat_mutex m;
static leat_rwlock l;
static void mutex_unlock(void) { leat_unlock(&m); }
static void mutex_unlock_2(void) { leat_ignore(leat_lock(&m)); leat_unlock(&m); leat_unlock(&m); }
static void rw_unlock(void) { leat_wunlock(&l); }
static void rw_unlock_2(void) { leat_ignore(leat_rlock(&l)); leat_wunlock(&l); }
static void rw_unlock_3(void) { leat_ignore(leat_wlock(&l)); leat_wunlock(&l); leat_wunlock(&l); }
static void rw_runlock(void) { leat_runlock(&l); }
static void rw_runlock_2(void) { leat_ignore(leat_wlock(&l)); leat_runlock(&l); }
static void rw_runlock_3(void) { leat_ignore(leat_rlock(&l)); leat_runlock(&l); leat_runlock(&l); }
TEST(TestMutexMisuse)
{
    stops(mutex_unlock, "leat_unlock: the mutex is not locked");
    stops(mutex_unlock_2, "leat_unlock: the mutex is not locked");
    stops(rw_unlock, "leat_wunlock: no writer holds this lock");
    stops(rw_unlock_2, "leat_wunlock: no writer holds this lock");
    stops(rw_unlock_3, "leat_wunlock: no writer holds this lock");
    stops(rw_runlock, "leat_runlock: no reader holds this lock");
    stops(rw_runlock_2, "leat_runlock: no reader holds this lock");
    stops(rw_runlock_3, "leat_runlock: no reader holds this lock");
}

/* One has the mutex nearly all the time and takes it again at once; the other gets it all the same. */
struct fair { leat_mutex m; leat_rx(int) stop; leat_tx(int) done; };
static leat_err hog(struct fair **p)
{
    struct fair *f = *p;
    for (bool stop = false; !stop; ) {
        leat_err err;
        int v;
        LEAT_TRY(leat_lock(&f->m));
        err = leat_sleep(LEAT_US(100));
        leat_unlock(&f->m);
        LEAT_TRY(err);
        leat_select(err) {
            leat_on_recv(f->stop, &v) { stop = true; }
            leat_on_closed(f->stop) { stop = true; }
            leat_otherwise { }
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
static leat_err poor(struct fair **p)
{
    for (int i = 0; i < 10; i++) {
        LEAT_TRY(leat_sleep(LEAT_US(100)));
        LEAT_TRY(leat_lock(&(*p)->m));
        leat_unlock(&(*p)->m);
    }
    return leat_send((*p)->done, 1);
}
static leat_err test_fairness(void)
{
    leat_auto leat_chan(int) stop = leat_chan_make(int, 0);
    leat_auto leat_chan(int) done = leat_chan_make(int, 1);
    struct fair f = { .stop = leat_rx_of(stop), .done = leat_tx_of(done) }, *p = &f;
    leat_err err, waited = LEAT_OK;
    bool in_time = false;
    int v;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, hog, p));
        LEAT_TRY(leat_go(&g, poor, p));
        leat_select(waited) {
            leat_on_recv(done, &v) { in_time = true; }
            leat_on_after(LEAT_S(10)) { }
        }
        leat_close(stop);
        CHECK(in_time);
    }
    LEAT_TRY(waited);
    return err;
}
AT_TASK(TestMutexFairness, test_fairness)

T_MAIN()
