/* errors_test.c - errors as values between nodes: what they keep, where they are of, and what an older peer is sent of them. */
#include "peer.h"
#include "type/desc.h"

LEAT_STRUCT(report, (error, why), (uint64, n));
LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(office, (echo, report, report), (full, num, report), (fail, num, num));

/* n2 could not, because n3 could not, because its disk is full; and the bytes of that */
static struct report full_disk(void)
{
    struct report r = { .n = 7 };
    static const uint8_t bytes[] = { 0, 255 };
    CHECK_EQ(leat_error_of(leat_fail(LEAT_SYS, "no room"), &r.why), LEAT_OK);
    CHECK_EQ(leat_bytes_dup(bytes, sizeof bytes, &r.why.details), LEAT_OK);
    CHECK_EQ(leat_error_wrap(&r.why, LEAT_REFUSED, "n3"), LEAT_OK);
    CHECK_EQ(leat_error_wrap(&r.why, LEAT_REMOTE, "no luck"), LEAT_OK);
    CHECK_EQ(leat_string_dup("n2", 2, &r.why.node), LEAT_OK);
    return r;
}

static void check_full_disk(struct report *r)
{
    leat_string json;
    static const char want[] = "{\"why\":{\"code\":\"REMOTE\",\"text\":\"no luck\",\"node\":\"n2\","
        "\"cause\":{\"code\":\"REFUSED\",\"text\":"
        "\"n3\",\"cause\":{\"code\":\"SYS\",\"text\":\"no room\",\"details\":\"AP8=\"}}},\"n\":7}";
    CHECK_EQ(leat_json_write(report, r, &json), LEAT_OK);
    CHECK(json.len == sizeof want - 1 && memcmp(json.p, want, json.len) == 0);
    leat_string_drop(&json);
    leat_drop(report, r);
}

static leat_err office_echo(void *self, const struct report *in, struct report *out)
{
    (void)self;
    return leat_dup(report, in, out);
}
static leat_err office_full(void *self, const struct num *in, struct report *out)
{
    (void)self;
    (void)in;
    *out = full_disk();
    return LEAT_OK;
}
static leat_err office_fail(void *self, const struct num *in, struct num *out)
{
    struct report r = full_disk();
    (void)self;
    (void)in;
    (void)out;
    leat_err e = leat_error_raise(&r.why);
    leat_error kept;
    CHECK_EQ(leat_error_of(e, &kept), LEAT_OK);      /* as a value it can outlive the calls between */
    leat_drop(report, &r);
    e = leat_error_raise(&kept);
    leat_error_drop(&kept);
    return e;
}
static const struct office_impl office = { office_echo, office_full, office_fail };

struct sending { leat_tx(struct report) out; };
static leat_err send_one(struct sending *s) { return leat_send(s->out, full_disk()); }

static void through_a_channel(struct pair *x, size_t cap)
{
    leat_auto leat_chan(struct report) c = leat_chan_make(struct report, cap);
    leat_auto leat_rx(struct report) in = NULL;
    struct report got;
    leat_err err;
    CHECK_EQ(leat_export(x->a, cap ? "reports" : "one by one", leat_rx_of(c), report), LEAT_OK);
    if (cap)                                         /* what is queued when the receive end moves */
        CHECK_EQ(leat_send(c, full_disk()), LEAT_OK);
    CHECK_EQ(leat_import(x->p, cap ? "reports" : "one by one", &in, report, cap), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, send_one, (struct sending){ leat_tx_of(c) }), LEAT_OK);
        for (size_t i = 0; i < 1 + (cap > 0); i++) {
            CHECK_EQ(leat_recv(in, &got), LEAT_OK);
            check_full_disk(&got);
        }
    }
    CHECK_EQ(err, LEAT_OK);
}

static leat_err values(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct report out, in = full_disk();
    CHECK_EQ(leat_serve(x.a, office, &office, NULL), LEAT_OK);
    through_a_channel(&x, 4);
    through_a_channel(&x, 0);
    CHECK_EQ(leat_call(x.p, office, echo, &in, &out), LEAT_OK);
    check_full_disk(&out);
    for (int i = 0; i < 2; i++) {                    /* run, and kept */
        CHECK_EQ(leat_call_once(x.p, office, echo, &in, &out, LEAT_STRING("key")), LEAT_OK);
        check_full_disk(&out);
    }
    check_full_disk(&in);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_error_in_a_value_keeps_its_node_and_its_causes, values)

static leat_err of_a_call(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct num out = { 0 };
    leat_error e;
    CHECK_EQ(leat_serve(x.a, office, &office, NULL), LEAT_OK);
    leat_err err = leat_call(x.p, office, fail, &(struct num){ 1 }, &out);
    CHECK_EQ(err, LEAT_REMOTE);
    CHECK_HAS(leat_err_detail(), "no luck: n3: no room");
    CHECK_EQ(leat_error_of(err, &e), LEAT_OK);
    CHECK(e.code == LEAT_REMOTE && e.node.len == 6 && memcmp(e.node.p, "node a", 6) == 0 && !e.cause);
    leat_error_drop(&e);
    CHECK_EQ(leat_error_of(leat_fail(LEAT_REMOTE, "here"), &e), LEAT_OK);
    CHECK_EQ(e.node.len, 0);
    leat_error_drop(&e);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_call_is_a_value_with_the_node_that_it_is_of, of_a_call)

/* -- a peer of version 1.1 ------------------------------------------------------------------------------------------------------ */
static const uint8_t plain[] = { LEAT_REMOTE, 0, 0, 0, 7, 'n', 'o', ' ', 'l', 'u', 'c', 'k', 7, 0, 0, 0, 0, 0, 0, 0 };

static void put_open(struct peer *p, uint64_t id, const char *key)
{
    struct buf b = { 0 };
    struct type_print in, out;
    CHECK_EQ(type_print(&num_type, &in), LEAT_OK);
    CHECK_EQ(type_print(&report_type, &out), LEAT_OK);
    buf_varint(&b, id);
    buf_u8(&b, key ? 4 : 0);
    buf_text(&b, "office.full", 11);
    buf_u64(&b, UINT64_MAX);
    buf_put(&b, in.b, 16);
    buf_put(&b, out.b, 16);
    buf_varint(&b, 8);
    if (key)
        buf_text(&b, key, strlen(key));
    buf_u64(&b, 1);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&b);
}

/* the fields end with it, and have at most `head` bytes before it */
static void check_plain(struct cur in, size_t head)
{
    CHECK(cur_left(&in) >= sizeof plain && cur_left(&in) <= head + sizeof plain);
    CHECK_MEM(in.end - sizeof plain, plain, sizeof plain);
}

static leat_err older(leat_none *none)
{
    static struct peer p;
    struct pair x = pair_open();
    leat_auto leat_chan(struct report) c = leat_chan_make(struct report, 4);
    struct type_print print;
    struct buf b = { 0 };
    (void)none;
    CHECK_EQ(leat_serve(x.a, office, &office, NULL), LEAT_OK);
    CHECK_EQ(leat_export(x.a, "reports", leat_rx_of(c), report), LEAT_OK);
    CHECK_EQ(leat_send(c, full_disk()), LEAT_OK);
    peer_minor = 1;
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&p, leat_node_url(x.a), 9);
        for (uint64_t id = 3; id < 9; id += 2) {
            put_open(&p, id, id > 3 ? "key" : NULL);
            check_plain(peer_expect(&p, FRAME_RESULT).in, 5);      /* id, code, own, no detail, no form */
        }
        CHECK_EQ(type_print(&report_type, &print), LEAT_OK);
        buf_varint(&b, 9);
        buf_u8(&b, 0);
        buf_put(&b, print.b, 16);
        buf_text(&b, "reports", 7);
        peer_send(&p, FRAME_ATTACH, 0, &b);
        buf_free(&b);
        peer_expect(&p, FRAME_ATTACHED);
        check_plain(peer_expect(&p, FRAME_ELEM).in, 3);   /* id, what, perhaps a length: what was queued */
        CHECK_EQ(leat_send(c, full_disk()), LEAT_OK);
        check_plain(peer_expect(&p, FRAME_ELEM).in, 3);
        peer_hang_up(&p);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_peer_of_version_1_1_is_sent_code_and_text, older)

T_MAIN()
