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
    (void)out;
    if (in->n == 2) {                                /* words alone */
        leat_drop(report, &r);
        return leat_fail(LEAT_LIMIT, "no more");
    }
    leat_err e = leat_error_raise(in->n == 3 ? r.why.cause->cause : &r.why);
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

static bool is(leat_string s, const char *want) { return s.len == strlen(want) && memcmp(s.p, want, s.len) == 0; }
static bool ends_with(leat_string s, const char *want)
{
    size_t n = strlen(want);
    return s.len >= n && memcmp(s.p + s.len - n, want, n) == 0;
}

/* It is all of full_disk: where it was, and what caused it, with the bytes of that. */
static void check_raised(leat_err err)
{
    leat_error e;
    CHECK_EQ(leat_error_of(err, &e), LEAT_OK);
    CHECK(e.code == LEAT_REMOTE && is(e.node, "n2") && ends_with(e.text, "no luck") && e.details.len == 0);
    CHECK(e.cause && e.cause->code == LEAT_REFUSED && is(e.cause->text, "n3") && e.cause->cause);
    const leat_error *last = e.cause->cause;
    CHECK(last->code == LEAT_SYS && is(last->text, "no room") && last->details.len == 2 && !last->cause);
    CHECK_MEM(last->details.p, "\0\377", 2);
    leat_error_drop(&e);
}

static leat_err fails_elsewhere(struct num *n)
{
    struct num out = { 0 };
    return office_fail(NULL, n, &out);
}

static leat_err of_a_task(leat_none *none)
{
    struct pair x = pair_open();
    leat_err err;
    leat_error e;
    (void)none;
    CHECK_EQ(leat_expose(x.a, fails_elsewhere, num), LEAT_OK);
    leat_with_group(g, err)
        CHECK_EQ(leat_go_on(&g, x.p, fails_elsewhere, num, { 1 }), LEAT_OK);
    CHECK_EQ(err, LEAT_REMOTE);
    CHECK_EQ(leat_wrap(err, "in a group"), LEAT_REMOTE);         /* keeps it */
    CHECK_EQ(leat_error_of(err, &e), LEAT_OK);
    CHECK(e.text.len > 12 && memcmp(e.text.p, "in a group: ", 12) == 0);
    leat_error_drop(&e);
    check_raised(err);
    CHECK_EQ(leat_fail(LEAT_REMOTE, "another"), LEAT_REMOTE);
    CHECK_EQ(leat_error_of(LEAT_REMOTE, &e), LEAT_OK);           /* and this one has nothing of it */
    CHECK(is(e.text, "another") && !e.cause && e.node.len == 0);
    leat_error_drop(&e);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_remote_task_comes_with_its_causes, of_a_task)

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
    check_raised(err);
    for (int i = 0; i < 2; i++) {                    /* run, and kept */
        err = leat_call_once(x.p, office, fail, &(struct num){ 1 }, &out, LEAT_STRING("key"));
        CHECK_EQ(err, LEAT_REMOTE);
        CHECK_HAS(leat_err_detail(), "no luck: n3: no room");
        check_raised(err);
    }
    err = leat_call(x.p, office, fail, &(struct num){ 2 }, &out);
    CHECK_EQ(err, LEAT_LIMIT);
    CHECK_EQ(leat_error_of(err, &e), LEAT_OK);       /* words alone are of the node that said them */
    CHECK(e.code == LEAT_LIMIT && is(e.node, "node a") && !e.cause && e.details.len == 0);
    leat_error_drop(&e);
    err = leat_call(x.p, office, fail, &(struct num){ 3 }, &out);
    CHECK_EQ(err, LEAT_REMOTE);                      /* SYS would be taken for one of this side */
    CHECK_EQ(leat_error_of(err, &e), LEAT_OK);
    CHECK(e.code == LEAT_REMOTE && is(e.node, "node a") && ends_with(e.text, "office.fail: SYS: no room"));
    CHECK(!e.cause && e.details.len == 2 && memcmp(e.details.p, "\0\377", 2) == 0);
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

static void put_fail(struct peer *p, uint64_t id)
{
    struct buf b = { 0 };
    struct type_print t;
    CHECK_EQ(type_print(&num_type, &t), LEAT_OK);
    buf_varint(&b, id);
    buf_u8(&b, 0);
    buf_text(&b, "office.fail", 11);
    buf_u64(&b, UINT64_MAX);
    buf_put(&b, t.b, 16);
    buf_put(&b, t.b, 16);
    buf_varint(&b, 8);
    buf_u64(&b, 1);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&b);
}

/* The bytes behind the fields of a RESULT with this code, of the method's own. */
static struct cur behind(struct peer *p, uint8_t code)
{
    size_t len;
    struct peer_frame f = peer_expect(p, FRAME_RESULT);
    cur_varint(&f.in);
    CHECK_EQ(cur_u8(&f.in), code);
    CHECK_EQ(cur_u8(&f.in), 1);
    const char *text = cur_text(&f.in, &len);
    CHECK(text && len == 20 && memcmp(text, "no luck: n3: no room", 20) == 0);
    CHECK(cur_text(&f.in, &len) && len == 0);
    return f.in;
}

static leat_err own_error_on_the_wire(leat_none *none)
{
    static struct peer p;
    static const uint8_t want[] = { LEAT_REMOTE, 0, 0, 0x80, 7, 'n', 'o', ' ', 'l', 'u', 'c', 'k', 2, 'n', '2', 0, 1,
        LEAT_REFUSED, 0, 0, 0x80, 2, 'n', '3', 0, 0, 1, LEAT_SYS, 0, 0, 0x80, 7, 'n', 'o', ' ', 'r', 'o', 'o', 'm', 0, 2, 0, 255, 0 };
    struct pair x = pair_open();
    (void)none;
    CHECK_EQ(leat_serve(x.a, office, &office, NULL), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        for (int minor = 1; minor <= 2; minor++) {
            peer_minor = (uint16_t)minor;
            peer_dial(&p, leat_node_url(x.a), 10 + (uint64_t)minor);
            put_fail(&p, 3);
            struct cur in = behind(&p, LEAT_REMOTE);
            CHECK_EQ(cur_left(&in), minor == 1 ? 0 : sizeof want);
            CHECK(minor == 1 || memcmp(in.p, want, sizeof want) == 0);
            peer_hang_up(&p);
        }
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_method_is_code_and_text_for_a_peer_of_version_1_1, own_error_on_the_wire)

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
        (void)peer_attach(&p, 9, &report_type, "reports", false);
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
