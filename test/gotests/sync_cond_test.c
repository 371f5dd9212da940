/* sync_cond_test.c - of Go's sync/cond_test.go. */
#include "place.h"

struct waiter { leat_mutex *m; leat_cond *c; leat_chan(int) running, awake; int id; bool *exit; };

static leat_err wait_once(struct waiter *w)
{
    LEAT_TRY(leat_lock(w->m));
    LEAT_TRY(leat_send(w->running, w->id));
    LEAT_TRY(leat_cond_wait(w->c, w->m));
    LEAT_TRY(leat_send(w->awake, w->id));
    leat_unlock(w->m);
    return LEAT_OK;
}
static leat_err signal_locked(struct waiter *w)
{
    LEAT_TRY(leat_lock(w->m));
    leat_cond_signal(w->c);
    leat_unlock(w->m);
    return LEAT_OK;
}

static leat_err test_signal(void)
{
    enum { N = 2 };
    leat_auto leat_chan(int) running = leat_chan_make(int, N);
    leat_auto leat_chan(int) awake = leat_chan_make(int, N);
    leat_mutex m = { { NULL } };
    leat_cond c = { { NULL } };
    struct waiter w = { &m, &c, running, awake, 0, NULL };
    leat_err err;
    int v;
    leat_with_group(g, err) {
        for (int i = 0; i < N; i++)
            LEAT_TRY(leat_go(&g, wait_once, w));
        for (int i = 0; i < N; i++)
            LEAT_TRY(leat_recv(running, &v));
        for (int i = 0; i < N; i++) {
            CHECK_EQ(leat_try_recv(awake, &v), LEAT_AGAIN);
            LEAT_TRY(signal_locked(&w));
            LEAT_TRY(leat_recv(awake, &v));
            CHECK_EQ(leat_try_recv(awake, &v), LEAT_AGAIN);          /* one signal, one task */
        }
        leat_cond_signal(&c);
    }
    return err;
}
AT_TASK(TestCondSignal, test_signal)

static leat_err test_generations(void)
{
    enum { N = 100 };
    leat_auto leat_chan(int) running = leat_chan_make(int, N);
    leat_auto leat_chan(int) awake = leat_chan_make(int, N);
    leat_mutex m = { { NULL } };
    leat_cond c = { { NULL } };
    struct waiter w = { &m, &c, running, awake, 0, NULL };
    leat_err err;
    int v;
    leat_with_group(g, err)
        for (w.id = 0; w.id < N; w.id++) {
            LEAT_TRY(leat_go(&g, wait_once, w));
            if (w.id > 0) {
                LEAT_TRY(leat_recv(awake, &v));
                CHECK_EQ(v, w.id - 1);               /* not the one that came after the signal */
            }
            LEAT_TRY(leat_recv(running, &v));
            LEAT_TRY(signal_locked(&w));
        }
    return err;
}
AT_TASK(TestCondSignalGenerations, test_generations)

static leat_err wait_often(struct waiter *w)
{
    LEAT_TRY(leat_lock(w->m));
    while (!*w->exit) {
        LEAT_TRY(leat_send(w->running, w->id));
        LEAT_TRY(leat_cond_wait(w->c, w->m));
        LEAT_TRY(leat_send(w->awake, w->id));
    }
    leat_unlock(w->m);
    return LEAT_OK;
}
static leat_err broadcast_round(struct waiter *w, int n)
{
    char seen[200] = "";
    int v;
    CHECK_EQ(leat_try_recv(w->awake, &v), LEAT_AGAIN);
    LEAT_TRY(leat_lock(w->m));
    leat_cond_broadcast(w->c);
    leat_unlock(w->m);
    for (int i = 0; i < n; i++) {
        LEAT_TRY(leat_recv(w->awake, &v));
        CHECK_EQ(seen[v]++, 0);
    }
    return LEAT_OK;
}
static leat_err test_broadcast(void)
{
    const int n = place_turns(200), rounds = n;
    leat_auto leat_chan(int) running = leat_chan_make(int, (size_t)n);
    leat_auto leat_chan(int) awake = leat_chan_make(int, (size_t)n);
    leat_mutex m = { { NULL } };
    leat_cond c = { { NULL } };
    bool exit_now = false;
    struct waiter w = { &m, &c, running, awake, 0, &exit_now };
    leat_err err;
    int v;
    leat_with_group(g, err) {
        for (w.id = 0; w.id < n; w.id++)
            LEAT_TRY(leat_go(&g, wait_often, w));
        for (int r = 0; r < rounds; r++) {
            for (int i = 0; i < n; i++)
                LEAT_TRY(leat_recv(running, &v));
            if (r == rounds - 1) {
                LEAT_TRY(leat_lock(&m));
                exit_now = true;
                leat_unlock(&m);
            }
            LEAT_TRY(broadcast_round(&w, n));
        }
        CHECK_EQ(leat_try_recv(running, &v), LEAT_AGAIN);
        leat_cond_broadcast(&c);
    }
    return err;
}
AT_TASK(TestCondBroadcast, test_broadcast)

/* Three tasks hand a number on, each by a signal. */
struct relay { leat_mutex m; leat_cond c; int x; };
static leat_err relay_1(struct relay **p)
{
    struct relay *r = *p;
    LEAT_TRY(leat_lock(&r->m));
    r->x = 1;
    LEAT_TRY(leat_cond_wait(&r->c, &r->m));
    CHECK_EQ(r->x, 2);
    r->x = 3;
    leat_cond_signal(&r->c);
    leat_unlock(&r->m);
    return LEAT_OK;
}
static leat_err relay_2(struct relay **p)
{
    struct relay *r = *p;
    for (bool done = false; !done; leat_yield()) {
        LEAT_TRY(leat_lock(&r->m));
        if ((done = r->x == 1)) {
            r->x = 2;
            leat_cond_signal(&r->c);
        }
        leat_unlock(&r->m);
    }
    return LEAT_OK;
}
static leat_err relay_3(struct relay **p)
{
    struct relay *r = *p;
    for (bool done = false; !done; leat_yield()) {
        LEAT_TRY(leat_lock(&r->m));
        if (r->x == 2) {
            LEAT_TRY(leat_cond_wait(&r->c, &r->m));
            CHECK_EQ(r->x, 3);
        }
        done = r->x == 3;
        leat_unlock(&r->m);
    }
    return LEAT_OK;
}
static leat_err test_race(void)
{
    for (int i = 0; i < place_turns(100); i++) {
        struct relay r = { .x = 0 }, *p = &r;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, relay_1, p));
            LEAT_TRY(leat_go(&g, relay_2, p));
            LEAT_TRY(leat_go(&g, relay_3, p));
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
AT_TASK(TestRace, test_race)

/* One that waits is woken by a broadcast, whoever begins to wait meanwhile. */
struct steal { leat_mutex m; leat_cond c; leat_chan(int) ch; bool done; };
static leat_err first_waiter(struct steal **p)
{
    struct steal *s = *p;
    LEAT_TRY(leat_lock(&s->m));
    LEAT_TRY(leat_send(s->ch, 1));
    LEAT_TRY(leat_cond_wait(&s->c, &s->m));
    leat_unlock(&s->m);
    return leat_send(s->ch, 2);
}
static leat_err broadcaster(struct steal **p)
{
    leat_cond_broadcast(&(*p)->c);
    return LEAT_OK;
}
static leat_err second_waiter(struct steal **p)
{
    struct steal *s = *p;
    LEAT_TRY(leat_lock(&s->m));
    while (!s->done)
        LEAT_TRY(leat_cond_wait(&s->c, &s->m));
    leat_unlock(&s->m);
    return LEAT_OK;
}
static leat_err test_stealing(void)
{
    leat_auto leat_chan(int) ch = leat_chan_make(int, 0);
    for (int i = 0; i < place_turns(1000); i++) {
        struct steal s = { .ch = ch }, *p = &s;
        leat_err err;
        int v;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, first_waiter, p));
            LEAT_TRY(leat_recv(ch, &v));
            LEAT_TRY(leat_lock(&s.m));               /* had: so the first one waits */
            leat_unlock(&s.m);
            LEAT_TRY(leat_go(&g, broadcaster, p));
            LEAT_TRY(leat_go(&g, second_waiter, p));
            LEAT_TRY(leat_recv(ch, &v));
            CHECK_EQ(v, 2);
            LEAT_TRY(leat_lock(&s.m));
            s.done = true;
            leat_unlock(&s.m);
            leat_cond_broadcast(&s.c);
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
AT_TASK(TestCondSignalStealing, test_stealing)

T_MAIN()
