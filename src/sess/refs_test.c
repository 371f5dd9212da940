/* refs_test.c - ends as references: home again, one after another, as many as a session takes; and what a flush waits for. */
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/impl.h"
#include "far.h"

/* -- coming home -------------------------------------------------------------------------------------------------------------------- */
/* By the way it went it is the same channel again; around the ring it is one more relay, and counts and closes like any other. */
static leat_err comes_home(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    EACH_CAP(k) {
        leat_tx(struct num) b = NULL, far = NULL;
        leat_chan(struct num) c = far_end(&x, &b, &far);
        leat_rx(struct num) in = leat_ref(leat_rx_of(c));
        leat_tx(struct num) again = trio_tx(&x, C, B, leat_ref(far));
        CHECK((void *)again == (void *)b);
        again = trio_tx(&x, B, A, again);
        CHECK((void *)again == (void *)c);
        leat_tx(struct num) ring = trio_tx(&x, C, A, leat_ref(far));
        CHECK((void *)ring != (void *)c);
        leat_tx(struct num) at[] = { again, b, far, ring };
        leat_unref(c);
        for (int i = 0; i < 4; i++) {
            struct feed f = { .out = at[i], .from = (uint64_t)i, .count = 1, .finish = true };
            struct num v;
            leat_err err;
            leat_with_group(g, err) {
                LEAT_TRY(leat_go(&g, feed, (struct feed *){ &f }));
                LEAT_TRY(leat_recv(in, &v));
            }
            CHECK_EQ(err, LEAT_OK);
            CHECK_EQ(v.n, (uint64_t)i);
        }
        struct num v;
        CHECK_EQ(leat_recv(in, &v), LEAT_CLOSED);
        leat_unref(in);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_send_end_that_comes_home_by_its_way_is_the_same_channel, comes_home)

/* -- references --------------------------------------------------------------------------------------------------------------------- */
static uint32_t ends_at(leat_peer *p) { return ends_of(sess_of(p))->slots.count; }

/* One after another, each let go before the next: tables stay as they were, and no id comes twice. */
static leat_err one_after_another(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    int rounds = getenv("T_QUICK") ? 200 : 2000;
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    uint32_t before = ends_at(x.peer[B]), mask = 0;
    uint64_t last = 0;
    for (int i = 0; i < rounds; i++) {
        leat_tx(struct num) b = trio_tx(&x, A, B, leat_ref(leat_tx_of(c)));
        struct end *e = (struct end *)(void *)((leat_chan_ *)(void *)b)->net;
        CHECK(e->id > last);
        last = e->id;
        leat_unref(b);
        if (i == 20)
            mask = ends_of(sess_of(x.peer[B]))->slots.buckets;
    }
    CHECK_EQ(ends_of(sess_of(x.peer[B]))->slots.buckets, mask);
    CHECK_EQ(ends_at(x.peer[B]), before);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(ends_one_after_another_leave_tables_as_they_were, one_after_another)

/* -- the list ----------------------------------------------------------------------------------------------------------------------- */
static const char *dump(leat_node *n, size_t *ret)
{
    static char text[16 << 10];
    int p[2];
    size_t at = 0;
    CHECK(pipe(p) == 0);
    *ret = leat_node_dump(n, p[1]);
    close(p[1]);
    for (ssize_t k; (k = read(p[0], text + at, sizeof text - 1 - at)) > 0; )
        at += (size_t)k;
    close(p[0]);
    text[at] = 0;
    return text;
}

/* Each node lists what it shares, from its side; what has gone is on no list. */
static leat_err listed(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 3;
    size_t was[3], n;
    for (int i = A; i <= C; i++)
        was[i] = leat_node_dump(x.at[i], -1);
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    CHECK_EQ(leat_send(far, { .n = 1 }), LEAT_OK);
    CHECK_EQ(leat_flush(far), LEAT_OK);
    const char *text = dump(x.at[A], &n);
    CHECK_EQ(n, was[A] + 1);
    CHECK_HAS(text, "(num, capacity 3): receives here, 1 accepted");
    CHECK_HAS(text, "node b");
    text = dump(x.at[B], &n);
    CHECK_EQ(n, was[B] + 2);
    CHECK_HAS(text, "(num, capacity 3): sends there, 1 sent, 1 of them accepted");
    CHECK_HAS(text, "others send through it");
    CHECK_HAS(text, "(num, capacity 3): passes on, 1 accepted");
    text = dump(x.at[C], &n);
    CHECK_EQ(n, was[C] + 1);
    CHECK_HAS(text, "on by node b");
    leat_unref(b);
    leat_unref(far);
    leat_unref(c);
    for (int i = A; i <= C; i++)
        while (leat_node_dump(x.at[i], -1) > was[i])
            CHECK_EQ(leat_sleep(LEAT_US(200)), LEAT_OK);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_node_lists_the_ends_that_it_shares, listed)

/* More than the peer takes: refused in words, and the value stays whole; when some have gone there is room again. */
static leat_err too_many(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    leat_chan(struct num) c = leat_chan_make(struct num, 1);
    leat_tx(struct num) held[3];
    sess_of(x.peer[A])->limits.ends = ends_at(x.peer[A]) + 3;        /* as if the hello had said so: a gives to c */
    for (int i = 0; i < 3; i++)
        held[i] = trio_tx(&x, A, C, leat_ref(leat_tx_of(c)));
    struct parcel p = { .out = leat_ref(leat_tx_of(c)) };
    CHECK_EQ(leat_send_from(x.to[A][0], &p), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "at most");
    CHECK_HAS(leat_err_detail(), "node c");
    leat_unref(held[0]);
    while (leat_send_from(x.to[A][0], &p) == LEAT_LIMIT)             /* its DROP is on the way */
        leat_yield();
    CHECK_EQ(leat_recv(x.from[A][0], &p), LEAT_OK);
    leat_drop(parcel, &p);
    leat_unref(held[1]);
    leat_unref(held[2]);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(more_ends_than_the_peer_takes_are_refused_in_words, too_many)

/* -- what nobody receives ------------------------------------------------------------------------------------------------------------- */
/* An end in it tells: its channel is closed when the value was dropped. */
enum how { OWNED, EXPORTED, IMPORTED };
static leat_chan(struct parcel) parcels_with(leat_node *n, leat_peer *p, enum how how, leat_rx(struct num) *ret)
{
    leat_chan(struct parcel) c = leat_chan_make(struct parcel, 3);
    leat_chan(struct num) inside = leat_chan_make(struct num, 1);
    leat_tx(struct parcel) far = NULL;
    *ret = leat_ref(leat_rx_of(inside));
    if (how == OWNED)
        leat_chan_owns(c, parcel);
    else
        CHECK_EQ(leat_export(n, "parcels", leat_tx_of(c), parcel), LEAT_OK);
    if (how == IMPORTED)
        CHECK_EQ(leat_import(p, "parcels", &far, parcel, 0), LEAT_OK);
    CHECK_EQ(leat_send(c, { .n = 1 }), LEAT_OK);
    CHECK_EQ(leat_send(c, { .n = 2, .out = leat_ref(leat_tx_of(inside)) }), LEAT_OK);
    CHECK_EQ(leat_send(c, { .n = 3 }), LEAT_OK);
    leat_unref(inside);
    leat_unref(far);
    return c;
}

static leat_err left_in_the_queue(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    for (int k = 0; k < 6; k++) {
        leat_rx(struct num) inside;
        struct num v;
        leat_chan(struct parcel) c = parcels_with(x.at[A], x.peer[B], (enum how)(k % 3), &inside);
        CHECK_EQ(leat_try_recv(inside, &v), LEAT_AGAIN);
        if (k < 3) {                                 /* the last receiver goes, a sender stays */
            leat_tx(struct parcel) out = leat_ref(leat_tx_of(c));
            leat_unref(c);
            CHECK_EQ(leat_recv(inside, &v), LEAT_CLOSED);
            CHECK_EQ(leat_send(out, { .n = 4 }), LEAT_GONE);
            leat_unexport(x.at[A], "parcels");
            leat_unref(out);
        } else {                                     /* all go */
            leat_unexport(x.at[A], "parcels");
            leat_auto leat_chan(struct parcel) last = c;
            CHECK_EQ(leat_len(last), 3);
        }
        CHECK_EQ(leat_recv(inside, &v), LEAT_CLOSED);
        leat_unref(inside);
    }
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_is_queued_when_nobody_receives_any_more_is_dropped, left_in_the_queue)

/* -- flush -------------------------------------------------------------------------------------------------------------------------- */
/* At home there is nothing to wait for; elsewhere it obeys its context: a home that does not answer holds nobody for ever. */
static leat_err flushes(leat_none *none)
{
    (void)none;
    struct trio x = trio_open(3);
    cap = 4;
    leat_tx(struct num) b = NULL, far = NULL;
    leat_chan(struct num) c = far_end(&x, &b, &far);
    leat_err err = LEAT_OK;
    CHECK_EQ(leat_send(c, { .n = 1 }), LEAT_OK);
    CHECK_EQ(leat_flush(c), LEAT_OK);
    CHECK_EQ(leat_send(far, { .n = 2 }), LEAT_OK);
    leat_chan_ *raw = (leat_chan_ *)(void *)far;
    struct end *e = (struct end *)(void *)raw->net;
    CHECK_EQ(leat_flush(far), LEAT_OK);
    lock(&raw->lock);
    e->sent++;                                       /* one that will never be accepted */
    unlock(&raw->lock);
    leat_with_deadline(LEAT_MS(10))
        err = leat_flush(far);
    CHECK_EQ(err, LEAT_DEADLINE);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_GONE);
        err = leat_flush(far);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    lock(&raw->lock);
    e->sent--;
    unlock(&raw->lock);
    CHECK_EQ(leat_flush(far), LEAT_OK);
    leat_unref(b);
    leat_unref(far);
    leat_unref(c);
    trio_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_flush_obeys_its_context, flushes)

T_MAIN()
