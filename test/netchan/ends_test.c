/* ends_test.c - ends of channels that travel inside values: what they are on the way, who they are when they arrive, and what is left of
 * them when they have gone. */
#include "path.h"
#undef errno
#include "late.h"

#define NETS(id, fn) TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }

LEAT_STRUCT(num, (int64, n));
LEAT_STRUCT(letter, (tx(num), out), (tx(num), home), (rx(num), in), (string, text), (bool, good));

enum { LIMIT_S = 20 };

/* A node with a channel of letters, and another that has imported its send end. */
struct post { struct pair x; leat_chan(struct letter) letters; leat_tx(struct letter) box; };

static struct post post_open(uint32_t capacity)
{
    struct post p = { pair_open(), leat_chan_make(struct letter, capacity), NULL };
    CHECK_EQ(leat_export(p.x.a, "letters", leat_tx_of(p.letters), letter), LEAT_OK);
    CHECK_EQ(leat_import(p.x.p, "letters", &p.box, letter, 0), LEAT_OK);
    return p;
}

static void post_close(struct post *p)
{
    leat_unref(p->box);
    pair_close(&p->x);
    leat_unref(p->letters);
}

/* -- an end in a value that nobody has received ---------------------------------------------------------------------------------- */
static leat_err dormant(leat_none *none)
{
    (void)none;
    struct post p = post_open(4);
    leat_chan(struct num) c = leat_chan_make(struct num, 4);
    struct letter l;
    struct num v;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        CHECK_EQ(leat_send(p.box, { .out = leat_ref(leat_tx_of(c)), .text = LEAT_STRING("open me") }), LEAT_OK);
        CHECK_EQ(leat_flush(p.box), LEAT_OK);        /* it lies in the other node's channel */
        leat_finish(c);                              /* so the end in the letter is the only sender */
        leat_with_deadline(LEAT_MS(30))
            CHECK_EQ(leat_recv(c, &v), LEAT_DEADLINE);           /* that is no end, and nothing comes */
        CHECK_EQ(leat_recv(p.letters, &l), LEAT_OK);
        CHECK_EQ(leat_send(l.out, { 7 }), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, 7);
        leat_drop(letter, &l);
        CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
    }
    leat_unref(c);
    post_close(&p);
    return LEAT_OK;
}
NETS(an_end_in_a_value_sleeps_until_the_value_is_received, dormant)

static leat_err dormant_receiver(leat_none *none)
{
    (void)none;
    struct post p = post_open(4);
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    struct letter l;
    struct num v;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        leat_rx(struct num) in = leat_ref(leat_rx_of(c));
        leat_tx(struct num) out = leat_ref(leat_tx_of(c));
        leat_unref(c);                               /* the end in the letter is the only receiver */
        CHECK_EQ(leat_send(p.box, { .in = in }), LEAT_OK);
        CHECK_EQ(leat_send(out, { 1 }), LEAT_OK);
        CHECK_EQ(leat_send(out, { 2 }), LEAT_OK);
        leat_with_deadline(LEAT_MS(30))
            CHECK_EQ(leat_send(out, { 3 }), LEAT_DEADLINE);      /* the capacity, and nobody takes any */
        CHECK_EQ(leat_recv(p.letters, &l), LEAT_OK);
        CHECK_EQ(leat_recv(l.in, &v), LEAT_OK);
        CHECK_EQ(v.n, 1);
        CHECK_EQ(leat_send(out, { 4 }), LEAT_OK);
        CHECK_EQ(leat_recv(l.in, &v), LEAT_OK);
        CHECK_EQ(v.n, 2);
        CHECK_EQ(leat_recv(l.in, &v), LEAT_OK);
        CHECK_EQ(v.n, 4);
        leat_drop(letter, &l);
        leat_err err;
        while ((err = leat_send(out, { 5 })) == LEAT_OK)
            ;
        CHECK_EQ(err, LEAT_GONE);
        leat_unref(out);
    }
    post_close(&p);
    return LEAT_OK;
}
NETS(a_receive_end_in_a_value_sleeps_until_the_value_is_received, dormant_receiver)

/* -- the same end, again --------------------------------------------------------------------------------------------------------- */
struct one { leat_tx(struct num) to; int64_t n; };
static leat_err send_one(struct one *o) { return leat_send(o->to, { o->n }); }

/* Whichever of the ends is used, what is sent arrives in c. */
static void all_lead_to(leat_rx(struct num) c, leat_tx(struct num) const *ends, int n)
{
    struct num v;
    leat_err err;
    for (int i = 0; i < n; i++) {
        leat_with_group(g, err) {
            err = leat_go(&g, send_one, (struct one){ ends[i], i });
            CHECK_EQ(leat_recv(c, &v), LEAT_OK);
            CHECK_EQ(v.n, i);
        }
        CHECK_EQ(err, LEAT_OK);
    }
}

static leat_err repeated(leat_none *none)
{
    (void)none;
    struct post p = post_open(4);
    leat_chan(struct num) both = leat_chan_make(struct num, 0);
    leat_tx(struct num) to = leat_ref(leat_tx_of(both));
    leat_rx(struct num) c = leat_ref(leat_rx_of(both));
    leat_chan(struct letter) answers = leat_chan_make(struct letter, 4);
    leat_rx(struct letter) in = NULL;
    struct letter one, two;
    struct num v;
    leat_unref(both);
    CHECK_EQ(leat_export(p.x.a, "answers", leat_rx_of(answers), letter), LEAT_OK);
    CHECK_EQ(leat_import(p.x.p, "answers", &in, letter, 0), LEAT_OK);
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        CHECK_EQ(leat_send(p.box, { .out = leat_ref(to), .home = leat_ref(to) }), LEAT_OK);
        CHECK_EQ(leat_send(p.box, { .out = leat_ref(to) }), LEAT_OK);
        CHECK_EQ(leat_recv(p.letters, &one), LEAT_OK);
        CHECK_EQ(leat_recv(p.letters, &two), LEAT_OK);
        leat_unref(to);
        leat_tx(struct num) ends[] = { one.out, one.home, two.out };
        all_lead_to(c, ends, 3);
        leat_drop(letter, &two);
        CHECK_EQ(leat_send_from(answers, &one), LEAT_OK);
        CHECK_EQ(leat_recv(in, &one), LEAT_OK);
        CHECK((void *)one.out == (void *)c && (void *)one.home == (void *)c);    /* home again they are what they were */
        leat_drop(letter, &one);
        CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);     /* each of them counted, and each has gone */
    }
    leat_unref(c);
    leat_unref(in);
    leat_unref(answers);
    post_close(&p);
    return LEAT_OK;
}
NETS(a_repeated_end_is_the_same_channel, repeated)

/* -- a value that turns out to be none, behind its ends ---------------------------------------------------------------------------- */
static leat_err ends_with_its_peer(leat_rx(struct num) c)
{
    struct num v;
    leat_err err;
    while ((err = leat_recv(c, &v)) == LEAT_OK)
        ;
    return err;
}

/* b has both: an end of a channel of a's, and channels of its own.  Of all of them one letter takes an end to a, and is damaged.  What
 * a says of these ends before its session breaks would arrive (late.h). */
static leat_err damaged(struct path *p, leat_group *g)
{
    leat_node *a = NULL, *b = NULL;
    leat_peer *peer = NULL;
    leat_chan(struct letter) letters = leat_chan_make(struct letter, 4);
    leat_chan(struct num) sink = leat_chan_make(struct num, 4), own = leat_chan_make(struct num, 4), moved = leat_chan_make(struct num, 4);
    leat_tx(struct letter) box = NULL;
    leat_tx(struct num) home = NULL;
    struct letter l;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a", .grace = LEAT_S(1) }, &a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b", .grace = LEAT_S(1) }, &b), LEAT_OK);
    CHECK_EQ(leat_export(a, "letters", leat_tx_of(letters), letter), LEAT_OK);
    CHECK_EQ(leat_export(a, "sink", leat_tx_of(sink), num), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    p->to = leat_node_url(a);
    path_open(p, g);
    CHECK_EQ(leat_node_dial(b, p->url, &peer), LEAT_OK);
    CHECK_EQ(leat_import(peer, "letters", &box, letter, 0), LEAT_OK);
    CHECK_EQ(leat_import(peer, "sink", &home, num, 0), LEAT_OK);
    leat_tx(struct num) to_moved = leat_ref(leat_tx_of(moved));
    leat_rx(struct num) in = leat_ref(leat_rx_of(moved));
    leat_unref(moved);
    l = (struct letter){ leat_ref(leat_tx_of(own)), home, in, LEAT_STRING("MARKED"), true };
    CHECK_EQ(leat_send_from(box, &l), LEAT_OK);
    CHECK_EQ(leat_flush(box), LEAT_UNKNOWN);         /* its session has ended */
    CHECK_EQ(leat_peer_wait(peer), LEAT_PEER_LOST);
    leat_unexport(a, "sink");
    leat_finish(sink);
    leat_finish(own);
    CHECK_EQ(ends_with_its_peer(leat_rx_of(sink)), LEAT_PEER_LOST);      /* no end of it is left in what was the letter */
    CHECK_EQ(ends_with_its_peer(leat_rx_of(own)), LEAT_PEER_LOST);       /* it has not finished, and no more has who received */
    leat_err err;
    while ((err = leat_send(to_moved, { 1 })) == LEAT_OK)
        ;
    CHECK_EQ(err, LEAT_PEER_LOST);
    CHECK_EQ(leat_try_recv(letters, &l), LEAT_AGAIN);                    /* and the letter was not received */
    leat_unref(to_moved);
    leat_unref(box);
    leat_node_close(b);
    leat_node_close(a);
    leat_unref(letters);
    leat_unref(sink);
    leat_unref(own);
    return LEAT_OK;
}

static leat_err malformed(leat_none *none)
{
    (void)none;
    static struct path p = { .mark = "MARKED", .wrong = 7 };     /* 7 is no bool */
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        leat_with_group(g, err) {
            err = damaged(&p, &g);
            leat_group_cancel(&g);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    CHECK(p.mark == NULL);                           /* it has been damaged */
    return LEAT_OK;
}
NETS(a_damaged_value_lets_go_of_the_ends_in_it, malformed)

/* -- very many ends, one after another --------------------------------------------------------------------------------------------- */
static size_t resident_bytes(void)
{
    unsigned long all = 0, now = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL && fscanf(f, "%lu %lu", &all, &now) == 2);
    fclose(f);
    return now * (size_t)sysconf(_SC_PAGESIZE);
}

static leat_err use_ends(struct post *p)             /* each is used once and dropped */
{
    struct letter l;
    leat_err err;
    while ((err = leat_recv(p->letters, &l)) == LEAT_OK) {
        err = leat_send(l.out, { 1 });
        leat_drop(letter, &l);
        LEAT_TRY(err);
    }
    return err == LEAT_CANCELED ? LEAT_OK : err;
}

static void many_ends(struct post *p, int n)
{
    struct num v;
    for (int i = 0; i < n; i++) {
        leat_chan(struct num) c = leat_chan_make(struct num, i % 2);
        CHECK_EQ(leat_send(p->box, { .out = leat_ref(leat_tx_of(c)) }), LEAT_OK);
        leat_finish(c);
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);
        leat_unref(c);
    }
}

static int turns(void)
{
    const char *n = getenv("ENDURE");
    return n ? atoi(n) : getenv("T_QUICK") ? 2000 : 10000;
}

static leat_err a_million(leat_none *none)
{
    (void)none;
    struct post p = post_open(4);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, use_ends, p));
        many_ends(&p, 1000);
        size_t before = resident_bytes();
        many_ends(&p, turns());
        size_t after = resident_bytes();
        /* an end that is kept costs 500 bytes and more, at either side */
        if (after > before + (256 << 10) + (size_t)turns() * 64 && !getenv("ASAN_OPTIONS") && !getenv("TSAN_OPTIONS"))
            t_fail(__FILE__, __LINE__, "%d ends have left %zu bytes behind", turns(), after - before);
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_OK);
    post_close(&p);
    return LEAT_OK;
}
NETS(ends_that_have_gone_leave_nothing_behind, a_million)

T_MAIN()
