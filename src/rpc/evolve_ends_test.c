/* evolve_ends_test.c - a receive end goes once: calls and tasks whose arguments have some, between programs that describe a struct
 * differently.  The first such call of a session is no worse than any other, and what does not fit leaves the end where it was. */
#include "pair.h"
#include "peer.h"
#include "chan/chan.h"

LEAT_STRUCT(coin1, (int32, worth));
LEAT_STRUCT(coin2, (string, name), (int64, worth));
/* the program that asks, the one that answers, and some that do not fit */
LEAT_STRUCT(purse1, (int32, n), (rx(coin1), coins));
LEAT_STRUCT(total1, (int64, sum));
LEAT_STRUCT(purse2, (rx(coin2), coins), (int64, n), (bool, fresh));
LEAT_STRUCT(total2, (string, note), (int32, sum));
LEAT_STRUCT(purse_bad, (string, n), (rx(coin1), coins));
LEAT_STRUCT(total_bad, (string, sum));
LEAT_SERVICE(bank, (count, purse2, total2), (plain, purse1, total1), (wide, purse1, total2));
static _Atomic uint32_t ran;

static leat_err bank_count(void *self, const struct purse2 *in, struct total2 *out)
{
    leat_err err;
    (void)self;
    atomic_fetch_add(&ran, 1);
    CHECK_EQ(in->n, 10);
    leat_each(v, in->coins, err) {
        out->sum += (int32_t)v.worth;
        leat_drop(coin2, &v);
    }
    return err;
}
static leat_err add(const struct purse1 *in, int64_t *sum)
{
    leat_err err;
    atomic_fetch_add(&ran, 1);
    leat_each(v, in->coins, err)
        *sum += v.worth;
    return err;
}
static leat_err bank_plain(void *self, const struct purse1 *in, struct total1 *out) { (void)self; return add(in, &out->sum); }
static leat_err bank_wide(void *self, const struct purse1 *in, struct total2 *out)
{
    int64_t sum = 0;
    (void)self;
    leat_err err = add(in, &sum);
    out->sum = (int32_t)sum;
    return err;
}
static const struct bank_impl bank = { .count = bank_count, .plain = bank_plain, .wide = bank_wide };

/* what the other side's program has of these methods; of their arguments all but purse_bad are purse1 */
static const leat_method both = { "count", &purse1_type, &total1_type, NULL }, argument = { "count", &purse1_type, &total2_type, NULL },
    result = { "wide", &purse1_type, &total1_type, NULL }, same = { "plain", &purse1_type, &total1_type, NULL },
    bad_argument = { "count", &purse_bad_type, &total1_type, NULL }, bad_result = { "count", &purse1_type, &total_bad_type, NULL },
    nowhere = { "nowhere", &purse1_type, &total1_type, NULL };
enum { COINS = 10, SUM = COINS * (COINS - 1) / 2 };

static leat_err put_in(leat_tx(struct coin1) *out)
{
    leat_err err = LEAT_OK;
    for (int i = COINS / 2; i < COINS && err == LEAT_OK; i++)
        err = leat_send(*out, { i });
    leat_close(*out);
    leat_unref(*out);
    return err;
}

/* A call whose argument has the receive end of a channel in which half of what is sent waits already; c is as new after what fails. */
static leat_err pay(leat_peer *p, const leat_method *m, leat_chan(struct coin1) c, void *out)
{
    leat_err err, called = LEAT_OK;
    for (int i = 0; i < COINS / 2; i++)
        CHECK_EQ(leat_send(c, { i }), LEAT_OK);
    leat_with_group(g, err) {
        leat_tx(struct coin1) tx = leat_ref(leat_tx_of(c));
        CHECK_EQ(leat_go(&g, put_in, tx), LEAT_OK);
        const struct purse1 in = { COINS, leat_rx_of(c) };
        const struct purse_bad bad = { { 0 }, leat_rx_of(c) };
        called = leat_call_(p, "bank", m, m->in == &purse_bad_type ? (const void *)&bad : &in, out);
        struct coin1 v;
        for (int i = 0; called != LEAT_OK && i < COINS; i++)
            CHECK(leat_recv(c, &v) == LEAT_OK && v.worth == i);         /* all is here still */
    }
    CHECK_EQ(err, LEAT_OK);
    return called;
}

static void pays(leat_peer *p, const leat_method *m)
{
    for (int i = 0; i < 3; i++) {
        union { struct total1 one; struct total2 two; } out = { .two = { .sum = 0 } };
        leat_chan(struct coin1) c = leat_chan_make(struct coin1, COINS / 2);
        at_store(&ran, 0);
        CHECK_EQ(pay(p, m, c, &out), LEAT_OK);
        CHECK_EQ(m->out == &total1_type ? out.one.sum : out.two.sum, SUM);
        CHECK_EQ(at_load(&ran), 1);                  /* a try that is refused does not run */
        if (m->out == &total2_type)
            leat_drop(total2, &out.two);
        leat_unref(c);
    }
}

/* Each method is the first one of its session. */
static leat_err calls(leat_none *none)
{
    static const leat_method *const all[] = { &both, &argument, &result, &same };
    (void)none;
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, bank, &bank, NULL), LEAT_OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        leat_node *n;
        leat_peer *p;
        CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node c" }, &n), LEAT_OK);
        CHECK_EQ(leat_node_dial(n, leat_node_url(x.a), &p), LEAT_OK);
        for (size_t k = 0; k < ARRAY_LEN(all); k++)
            pays(p, all[(i + k) % ARRAY_LEN(all)]);
        leat_node_close(n);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_arrives_with_the_first_call_to_a_program_of_other_types, calls)

static leat_err refused(leat_none *none)
{
    static const struct { const leat_method *m; leat_err err; } all[] = {
        { &bad_argument, LEAT_TYPE }, { &bad_result, LEAT_TYPE }, { &nowhere, LEAT_REFUSED } };
    (void)none;
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, bank, &bank, NULL), LEAT_OK);
    at_store(&ran, 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        union { struct total1 one; struct total_bad bad; } out = { .bad = { { 0 } } };
        leat_chan(struct coin1) c = leat_chan_make(struct coin1, COINS / 2);
        CHECK_EQ(pay(x.p, all[i].m, c, &out), all[i].err);
        leat_unref(c);
    }
    CHECK_EQ(at_load(&ran), 0);
    pays(x.p, &both);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_receive_end_stays_where_it_is_when_a_call_is_refused, refused)

/* -- who asks, seen from the other side ------------------------------------------------------------------------------------------------ */
enum answer { NEVER_ANSWERS, GOES_AWAY, SAYS_OK };
struct payer { const char *url; enum answer a; };

static leat_err payer(struct payer *y)
{
    static const leat_err want[] = { LEAT_DEADLINE, LEAT_PEER_LOST, LEAT_PEER_LOST };
    leat_node *n;
    leat_peer *p;
    struct total1 out;
    struct coin1 v;
    leat_chan(struct coin1) c = leat_chan_make(struct coin1, 1);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_dial(n, y->url, &p), LEAT_OK);
    CHECK_EQ(leat_send(c, { 7 }), LEAT_OK);
    leat_with_deadline(y->a == NEVER_ANSWERS ? LEAT_MS(20) : LEAT_S(50))
        CHECK_EQ(leat_call_(p, "bank", &both, &(struct purse1){ COINS, leat_rx_of(c) }, &out), want[y->a]);
    CHECK_EQ(leat_recv(c, &v), LEAT_OK);             /* it is not in doubt: the end is here, and what waits in it */
    CHECK_EQ(v.worth, 7);
    leat_unref(c);
    leat_node_close(n);
    return LEAT_OK;
}

static void asked_by_hand(struct link_listener *at, enum answer a)
{
    static const uint8_t zeros[16];
    static struct peer hand;
    struct buf b = { 0 };
    leat_err err;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, payer, (struct payer){ link_listener_url(at), a }), LEAT_OK);
        peer_accept(&hand, at);
        struct peer_frame f = peer_expect(&hand, FRAME_OPEN);
        size_t len;
        uint64_t id = cur_varint(&f.in);
        CHECK_EQ(cur_u8(&f.in), 8);
        CHECK(cur_text(&f.in, &len) && len == strlen("bank.count"));
        (void)cur_u64(&f.in);
        (void)cur_take(&f.in, 16);
        CHECK_MEM(cur_take(&f.in, 16), zeros, 16);
        CHECK_EQ(cur_varint(&f.in), 0);
        CHECK(cur_text(&f.in, &len) && len > 1 && cur_done(&f.in));
        buf_varint(&b, id);
        buf_u8(&b, LEAT_OK);
        buf_u8(&b, 0);
        buf_text(&b, "", 0);
        buf_text(&b, "", 0);
        buf_put(&b, zeros, 8);
        if (a == SAYS_OK)
            peer_send(&hand, FRAME_RESULT, 0, &b);
        buf_free(&b);
        while (a != GOES_AWAY && (f = peer_next(&hand)).kind != FRAME_DEAD && f.kind != FRAME_BYE)
            continue;
        peer_hang_up(&hand);
    }
    CHECK_EQ(err, LEAT_OK);
}

static leat_err by_hand(leat_none *none)
{
    struct link_listener *l;
    (void)none;
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ 0 }, &l), LEAT_OK);
    leat_with_deadline(LEAT_S(50))
        for (enum answer a = NEVER_ANSWERS; a <= SAYS_OK; a++)
            asked_by_hand(l, a);
    link_listener_close(l);
    return LEAT_OK;
}
ANYWHERE(who_asks_for_types_has_sent_nothing, by_hand)

/* -- tasks: a form that has been told is known, whatever became of the task it came with ----------------------------------------- */
LEAT_STRUCT(till2, (bool, fresh), (rx(coin1), coins), (int64, n));
static leat_err run_purse(struct purse2 *in)
{
    struct total2 out = { 0 };
    leat_err err = bank_count(NULL, in, &out);
    CHECK_EQ(out.sum, SUM);
    return err;
}
static leat_err run_till(struct till2 *in)
{
    int64_t sum = 0;
    leat_err err = add(&(struct purse1){ (int32_t)in->n, in->coins }, &sum);
    CHECK_EQ(sum, SUM);
    return err;
}

static leat_err start(leat_peer *p, const char *name)
{
    leat_chan(struct coin1) c = leat_chan_make(struct coin1, COINS);
    leat_err err;
    for (int i = 0; i < COINS; i++)
        CHECK_EQ(leat_send(c, { i }), LEAT_OK);
    leat_close(c);
    leat_with_group(g, err)
        CHECK_EQ(leat_go_on_(&g, p, name, &purse1_type, &(struct purse1){ COINS, leat_ref(leat_rx_of(c)) }), LEAT_OK);
    leat_unref(c);
    return err;
}

static leat_err tasks(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    CHECK_EQ(leat_expose(x.a, run_purse, purse2), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, run_till, till2), LEAT_OK);
    at_store(&ran, 0);
    CHECK_EQ(start(x.p, "nobody"), LEAT_REFUSED);    /* the form of purse1 went with this one */
    CHECK_EQ(start(x.p, "run_till"), LEAT_OK);
    CHECK_EQ(start(x.p, "run_purse"), LEAT_OK);
    CHECK_EQ(at_load(&ran), 2);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_type_that_was_told_with_one_task_is_known_for_all, tasks)

/* Who tells of more types than are kept has told of none of the earlier ones, and may tell of them again. */
LEAT_STRUCT(flag1, (bool, on));
LEAT_STRUCT(flag2, (string, note), (bool, on));
static leat_err run_flag(struct flag2 *in) { return in->on ? LEAT_OK : LEAT_INVAL; }

static void open_flag(struct peer *hand, const char *name, struct cur form, bool told, leat_err want)
{
    static const uint8_t zeros[16];
    static uint64_t id = 1;
    struct type_print print = type_print_of(form);
    struct buf b = { 0 };
    buf_varint(&b, id += 2);
    buf_u8(&b, told ? 9 : 1);
    buf_text(&b, name, strlen(name));
    buf_u64(&b, UINT64_MAX);
    buf_put(&b, print.b, 16);
    buf_put(&b, zeros, 16);
    buf_varint(&b, 1);
    if (told)
        buf_text(&b, (const char *)form.p, cur_left(&form));
    buf_u8(&b, 1);
    peer_send(hand, FRAME_OPEN, 0, &b);
    buf_free(&b);
    struct peer_frame f = peer_expect(hand, FRAME_RESULT);
    CHECK_EQ(cur_varint(&f.in), id);
    CHECK_EQ(cur_u8(&f.in), want);
}

static leat_err many_types(leat_none *none)
{
    static struct peer hand;
    struct cur flag;
    leat_node *n;
    (void)none;
    CHECK_EQ(type_form(&flag1_type, &flag), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_listen(n, url), LEAT_OK);
    CHECK_EQ(leat_expose(n, run_flag, flag2), LEAT_OK);
    leat_with_deadline(LEAT_S(50)) {
        peer_dial(&hand, leat_node_url(n), 1);
        open_flag(&hand, "nobody", flag, true, LEAT_REFUSED);
        for (uint32_t i = 0; i < LIMIT_SESS_FORMS; i++) {
            uint8_t other[5] = { 1 };
            memcpy(other + 1, &i, 4);
            open_flag(&hand, "nobody", cur_of(other, sizeof other), true, LEAT_REFUSED);
        }
        open_flag(&hand, "run_flag", flag, false, LEAT_TYPE);
        open_flag(&hand, "run_flag", flag, true, LEAT_OK);
        open_flag(&hand, "run_flag", flag, false, LEAT_OK);
        peer_hang_up(&hand);
    }
    leat_node_close(n);
    return LEAT_OK;
}
ANYWHERE(of_more_types_than_are_kept_all_are_forgotten_and_may_be_told_again, many_types)

T_MAIN()
