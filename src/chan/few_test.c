/* few_test.c - selects of receives and nothing else, few or in an array of many: they wait without being laid out (select_few.c), with the
 * same meaning. */
#include "t.h"
#include "chan/chan.h"

enum { FEW = 3 };

#define RUN(fn) do { for (uint32_t w_ = 1; w_ <= 3; w_ += 2) { \
    leat_err e_ = leat_run(&(leat_opts){ .workers = w_ }, fn, LEAT_NONE); \
    if (e_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w_, leat_err_name(e_), leat_err_detail()); } } while (0)

enum form { ARRAY, CASES, SOME, MANY, FORMS };       /* an array of the ends; a case each; the ends among others in a longer array */
enum { LONG = 40 };

static leat_err pick_many(leat_rx(int) *rx, int n, int *v, size_t *which)
{
    const int at[FEW] = { 1, n / 2, n - 2 };
    leat_chan(int) idle[LONG] = { NULL };
    leat_rx(int) all[LONG] = { NULL };               /* the last one stays so */
    leat_err err = LEAT_OK;
    size_t i = 0;
    for (int k = 0; k < n - 1; k++)
        all[k] = leat_rx_of(idle[k] = leat_chan_make(int, 0));
    for (int k = 0; k < FEW; k++)
        all[at[k]] = rx[k];
    leat_select(err)
        leat_on_recv_any(all, n, v, &i) { }
    for (int k = 0; k < LONG; k++)
        leat_unref(idle[k]);
    for (size_t k = 0; k < FEW && err == LEAT_OK; k++)
        if ((size_t)at[k] == i)
            *which = k;
    return err;
}

/* *which: the end that was served. */
static leat_err pick(leat_rx(int) *rx, enum form form, int *v, size_t *which)
{
    leat_err err = LEAT_OK;
    if (form == SOME || form == MANY)
        return pick_many(rx, form == SOME ? 12 : LONG, v, which);
    if (form == ARRAY)
        leat_select(err)
            leat_on_recv_any(rx, FEW, v, which) { }
    if (form == CASES)
        leat_select(err) {
            leat_on_recv(rx[0], v) { *which = 0; }
            leat_on_recv(rx[1], v) { *which = 1; }
            leat_on_recv(rx[2], v) { *which = 2; }
        }
    return err;
}

static bool receiver_waits(leat_chan(int) c)
{
    return at_load(&((leat_chan_ *)c)->rq.head) != NULL;
}

struct late { leat_chan(int) c; int v; };

/* When somebody waits for it. */
static leat_err send_late(struct late *l)
{
    while (!receiver_waits(l->c))
        leat_yield();
    return leat_send(l->c, l->v);
}

static leat_err close_late(struct late *l)
{
    while (!receiver_waits(l->c))
        leat_yield();
    leat_close(l->c);
    return LEAT_OK;
}

struct picks { leat_chan(int) c[FEW]; leat_rx(int) rx[FEW]; };
static leat_err picks_open(struct picks *p)
{
    for (int i = 0; i < FEW; i++) {
        LEAT_TRY((p->c[i] = leat_chan_make(int, 0)) ? LEAT_OK : LEAT_NOMEM);
        p->rx[i] = leat_rx_of(p->c[i]);
    }
    return LEAT_OK;
}
static void picks_close(struct picks *p)
{
    for (int i = 0; i < FEW; i++)
        leat_unref(p->c[i]);
}

static leat_err served(leat_none *none)
{
    (void)none;
    struct picks p;
    LEAT_TRY(picks_open(&p));
    for (int i = 0; i < FORMS * FEW; i++) {
        int v = 0, from = i % FEW;
        size_t which = 99;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_late, (struct late){ p.c[from], 40 + i }));
            LEAT_TRY(pick(p.rx, (enum form)(i / FEW), &v, &which));
        }
        LEAT_TRY(err);
        CHECK_EQ(v, 40 + i);
        CHECK_EQ((int)which, from);
        for (int k = 0; k < FEW; k++)
            CHECK(!receiver_waits(p.c[k]) && leat_try_send(p.c[k], 1) == LEAT_AGAIN);          /* it has left all queues */
    }
    picks_close(&p);
    return LEAT_OK;
}
TEST(one_of_a_few_that_are_waited_for_is_received_and_the_others_are_left) { RUN(served); }

/* Ends that never become ready: a NULL, one that is closed. */
static leat_err dead(leat_none *none)
{
    (void)none;
    struct picks p;
    LEAT_TRY(picks_open(&p));
    leat_close(p.c[1]);
    for (int i = 0; i < FORMS * FEW; i++) {
        enum form form = (enum form)(i / FEW);
        int alive = i % FEW == 1 ? 0 : i % FEW, v = 0;
        leat_rx(int) rx[FEW] = { NULL, p.rx[1], NULL };
        size_t which = 99;
        leat_err err;
        if (form == ARRAY || form == CASES)          /* the others have ends that are open */
            CHECK_EQ(pick(rx, form, &v, &which), LEAT_CLOSED);
        rx[alive] = p.rx[alive];
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_late, (struct late){ p.c[alive], 7 }));
            LEAT_TRY(pick(rx, form, &v, &which));
        }
        LEAT_TRY(err);
        CHECK(v == 7 && (int)which == alive);
    }
    picks_close(&p);
    return LEAT_OK;
}
TEST(ends_of_a_few_that_are_null_or_closed_are_never_served) { RUN(dead); }

static leat_err closes(leat_none *none)
{
    (void)none;
    for (int i = 0; i < 2; i++) {
        struct picks p;
        int v = 0;
        size_t which = 99;
        leat_err err;
        LEAT_TRY(picks_open(&p));
        leat_with_group(g, err) {
            for (int k = 0; k < FEW; k++)
                LEAT_TRY(leat_go(&g, close_late, (struct late){ p.c[k], 0 }));
            CHECK_EQ(pick(p.rx, (enum form)i, &v, &which), LEAT_CLOSED);
        }
        LEAT_TRY(err);
        picks_close(&p);
    }
    return LEAT_OK;
}
TEST(a_select_of_a_few_ends_when_the_last_of_them_is_closed) { RUN(closes); }

struct waits { struct picks *p; enum form form; leat_err *got; };
static leat_err waits(struct waits *w)
{
    int v;
    size_t which;
    *w->got = pick(w->p->rx, w->form, &v, &which);
    return LEAT_OK;
}

static leat_err given_up(leat_none *none)
{
    (void)none;
    struct picks p;
    LEAT_TRY(picks_open(&p));
    for (int i = 0; i < FORMS; i++) {
        leat_err err = LEAT_OK, got = LEAT_OK;
        int v;
        size_t which;
        leat_with_deadline(LEAT_MS(3))
            err = pick(p.rx, (enum form)i, &v, &which);
        CHECK_EQ(err, LEAT_DEADLINE);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, waits, (struct waits){ &p, (enum form)i, &got }));
            while (!receiver_waits(p.c[FEW - 1]))
                leat_yield();
            leat_group_cancel(&g);
        }
        CHECK_EQ(got, LEAT_CANCELED);
        for (int k = 0; k < FEW; k++)
            CHECK(!receiver_waits(p.c[k]));
    }
    picks_close(&p);
    return LEAT_OK;
}
TEST(a_deadline_and_a_cancel_end_a_select_of_a_few) { RUN(given_up); }

static leat_err twins(leat_none *none)
{
    (void)none;
    enum { N = 400 };
    struct picks p;
    int hits[FORMS][FEW] = { { 0 } };
    LEAT_TRY(picks_open(&p));
    leat_rx(int) rx[FEW] = { p.rx[0], p.rx[1], p.rx[0] };
    for (int i = 0; i < FORMS * N; i++) {
        int v = 0;
        size_t which = 99;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, send_late, (struct late){ p.c[0], 9 }));
            LEAT_TRY(pick(rx, (enum form)(i / N), &v, &which));
        }
        LEAT_TRY(err);
        CHECK(v == 9 && which < FEW);
        hits[i / N][which]++;
    }
    for (int i = 0; i < FORMS; i++)
        CHECK(hits[i][1] == 0 && hits[i][0] > N / 4 && hits[i][2] > N / 4);          /* ten standard deviations */
    picks_close(&p);
    return LEAT_OK;
}
TEST(of_two_of_a_few_on_one_channel_either_is_served) { RUN(twins); }

struct moves { struct picks *p; int64_t n; int first; };
static leat_err sends(struct moves *m)
{
    for (int64_t i = 0; i < m->n; i++)
        LEAT_TRY(leat_send(m->p->c[(m->first + i) % FEW], 1));
    return LEAT_OK;
}

static leat_err receives(struct moves *m)
{
    for (int64_t i = 0; i < m->n; i++) {
        int v = 0;
        size_t which;
        LEAT_TRY(pick(m->p->rx, (enum form)(m->first % FORMS), &v, &which));
        CHECK_EQ(v, 1);
    }
    return LEAT_OK;
}

static leat_err crowd(leat_none *none)
{
    (void)none;
    int64_t n = getenv("T_QUICK") ? 200 : 2000;
    struct picks p;
    leat_err err;
    LEAT_TRY(picks_open(&p));
    leat_with_group(g, err)
        for (int i = 0; i < 12; i++) {               /* so more than has_twin looks at may wait on one */
            LEAT_TRY(leat_go(&g, sends, (struct moves){ &p, n, i }));
            LEAT_TRY(leat_go(&g, receives, (struct moves){ &p, n, i }));
        }
    LEAT_TRY(err);
    picks_close(&p);
    return LEAT_OK;
}
TEST(many_selects_of_a_few_receive_each_value_once) { RUN(crowd); }

T_MAIN()
