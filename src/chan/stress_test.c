/* stress_test.c - many tasks send, receive and select under deadlines and cancels of random length: what was reported sent was
 * received exactly once, and nothing else was.  T_QUICK=1: fewer rounds. */
#include <stdatomic.h>
#include "base/rng.h"
#include "leat.h"
#include "t.h"

enum { CHANS = 4 };
struct world {
    leat_chan(int64_t) c[CHANS];
    _Atomic int64_t sent, got, n_sent, n_got, outcomes[16];
    _Atomic bool closing;
};
struct actor { struct world *w; uint64_t seed; bool sends; };

static void note_sent(struct world *w, int64_t v) { atomic_fetch_add(&w->sent, v); atomic_fetch_add(&w->n_sent, 1); }
static void note_got(struct world *w, int64_t v) { atomic_fetch_add(&w->got, v); atomic_fetch_add(&w->n_got, 1); }

static leat_err once_plain(struct actor *a, struct rng *r, int64_t v)
{
    leat_chan(int64_t) c = a->w->c[rng_below(r, CHANS)];
    leat_err e;
    if (a->sends) {
        if ((e = leat_send(c, v)) == LEAT_OK)
            note_sent(a->w, v);
    } else if ((e = leat_recv(c, &v)) == LEAT_OK) {
        note_got(a->w, v);
    }
    return e;
}

static leat_err once_select(struct actor *a, struct rng *r, int64_t v)
{
    leat_chan(int64_t) c = a->w->c[rng_below(r, CHANS)], d = a->w->c[rng_below(r, CHANS)];
    leat_err e;
    int64_t in = 0;
    bool sent = false, got = false;
    if (a->sends)
        leat_select(e) { leat_on_send(c, &v) { sent = true; } leat_on_send(d, &v) { sent = true; } leat_on_after(LEAT_US(50)) { } }
    else
        leat_select(e) { leat_on_recv(c, &in) { got = true; } leat_on_recv(d, &in) { got = true; } leat_on_after(LEAT_US(80)) { } }
    if (sent)
        note_sent(a->w, v);
    if (got)
        note_got(a->w, in);
    return e;
}

static leat_err act(struct actor *a)
{
    struct rng r;
    rng_init(&r, a->seed);
    leat_err e = LEAT_OK;
    for (int i = 0; i < 300 && (e == LEAT_OK || e == LEAT_DEADLINE); i++) {
        int64_t v = (int64_t)(rng_next(&r) >> 20);
        leat_with_deadline(LEAT_US(2 + rng_below(&r, 100)))
            e = rng_below(&r, 2) ? once_plain(a, &r, v) : once_select(a, &r, v);
        atomic_fetch_add(&a->w->outcomes[e], 1);
    }
    return e == LEAT_DEADLINE || e == LEAT_CLOSED ? LEAT_OK : e;
}

static leat_err canceller(struct actor *a)
{
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 5; i++)
            LEAT_TRY(leat_go(&g, act, (struct actor){ a->w, a->seed * 31 + (uint64_t)i, i & 1 }));
        struct rng r;
        rng_init(&r, a->seed);
        err = leat_sleep(LEAT_US(rng_below(&r, 4000)));
        leat_group_cancel(&g);
    }
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

static leat_err one_round(struct actor *a)
{
    struct world *w = a->w;
    leat_err err;
    for (int i = 0; i < CHANS; i++)
        w->c[i] = leat_chan_make(int64_t, (size_t)i);
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < 20; i++)
            LEAT_TRY(leat_go(&g, act, (struct actor){ w, a->seed + i, i & 1 }));
        for (uint64_t i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, canceller, (struct actor){ w, a->seed * 7 + i, false }));
    }
    for (int i = 0; i < CHANS; i++) {                /* what is left in the buffers */
        int64_t v;
        leat_close(w->c[i]);
        while (leat_recv(w->c[i], &v) == LEAT_OK)
            note_got(w, v);
        leat_unref(w->c[i]);
    }
    return err;
}

TEST(what_was_sent_was_received_exactly_once)
{
    int rounds = getenv("T_QUICK") ? 2 : 12;
    for (uint32_t workers = 1; workers <= 4; workers++)
        for (int i = 0; i < rounds; i++) {
            struct world w = { 0 };
            leat_err e = leat_run(&(leat_opts){ .workers = workers }, one_round, (struct actor){ &w, (uint64_t)i * 1000 + workers, false });
            if (e != LEAT_OK)
                t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e), leat_err_detail());
            CHECK_EQ(w.n_sent, w.n_got);
            CHECK_EQ(w.sent, w.got);
            CHECK(w.outcomes[LEAT_DEADLINE] > 0 && w.n_sent > 0);
        }
}

/* -- two owners let go of a channel at one time: the last one of them frees it, and only it (AddressSanitizer) ------------------------- */
struct owner { leat_chan(int64_t) c; _Atomic int *there; };
static leat_err lets_go(struct owner *o)
{
    ++*o->there;
    while (*o->there < 2)
        leat_yield();
    leat_unref(o->c);
    return LEAT_OK;
}

static leat_err let_go_together(leat_none *none)
{
    (void)none;
    for (int i = 0; i < (getenv("T_QUICK") ? 2000 : 20000); i++) {
        _Atomic int there = 0;
        leat_err err;
        leat_chan(int64_t) c = leat_chan_make(int64_t, (size_t)(i % 2));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, lets_go, (struct owner){ leat_ref(c), &there }));
            LEAT_TRY(leat_go(&g, lets_go, (struct owner){ c, &there }));
        }
        LEAT_TRY(err);
    }
    return LEAT_OK;
}
TEST(the_last_of_two_who_let_go_at_one_time_frees_a_channel)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 4 }, let_go_together, LEAT_NONE), LEAT_OK);
}

T_MAIN()
