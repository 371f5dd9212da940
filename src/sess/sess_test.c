/* sess_test.c - sessions between nodes of one process: hello, frames both ways, sources, heartbeats, closing, breaking. */
#include "pair.h"
#include <malloc.h>
#include "link/link.h"
#include "sess/impl.h"

/* -- a user of sessions that counts ------------------------------------------------------------------------------------------- */
static struct { _Atomic uint64_t elems, bytes, begun, ended, freed, bad, opens; _Atomic uint32_t last; } seen;
static _Atomic uint32_t last_err;

static leat_err on_elem(struct sess *s, uint8_t flags, struct cur *in)
{
    (void)s;
    (void)flags;
    while (cur_left(in) >= 4) {
        uint32_t v = cur_u32(in);
        if (v != at_load(&seen.last))
            atomic_fetch_add(&seen.bad, 1);
        at_store(&seen.last, v + 1);
        atomic_fetch_add(&seen.elems, 1);
    }
    return cur_done(in) ? LEAT_OK : leat_fail(LEAT_INVAL, "an element is cut off");
}
static leat_err on_bulk(struct sess *s, uint8_t flags, struct cur *in)
{
    (void)s;
    (void)flags;
    atomic_fetch_add(&seen.bytes, cur_left(in));
    return LEAT_OK;
}
static leat_err on_open(struct sess *s, uint8_t flags, struct cur *in)               /* answers */
{
    (void)flags;
    uint32_t v = cur_u32(in);
    struct buf *b = sess_begin(s, FRAME_RESULT);
    if (!b)
        return LEAT_OK;
    buf_u32(b, v + 1);
    return sess_commit(s);
}
static leat_chan(uint32_t) results;
static leat_err on_result(struct sess *s, uint8_t flags, struct cur *in)
{
    (void)s;
    (void)flags;
    uint32_t v = cur_u32(in);
    leat_ignore(leat_try_send(results, v));
    return LEAT_OK;
}
static leat_err u_open(struct sess *s) { (void)s; atomic_fetch_add(&seen.begun, 1); return LEAT_OK; }
static void u_end(struct sess *s, leat_err why) { (void)s; at_store(&last_err, (uint32_t)why); atomic_fetch_add(&seen.ended, 1); }
static void u_free(struct sess *s) { (void)s; atomic_fetch_add(&seen.freed, 1); }

static const struct sess_user counting = { .name = "counting", .open = u_open, .end = u_end, .free = u_free, .on = {
    { FRAME_ELEM, on_elem }, { FRAME_TAKEN, on_bulk }, { FRAME_OPEN, on_open }, { FRAME_RESULT, on_result } } };
static const struct sess_user *const users[] = { &counting, NULL };

static leat_node *open_named(const char *name)
{
    leat_node_opts o = { .name = name };
    leat_node *n = NULL;
    CHECK_EQ(node_open(&o, users, &n), LEAT_OK);
    return n;
}

static void send_number(leat_peer *p, uint32_t v)
{
    bool fresh;
    struct buf *b = sess_begin_more(sess_of(p), FRAME_ELEM, 7, &fresh);
    CHECK(b != NULL);
    buf_u32(b, v);
    CHECK_EQ(sess_commit(sess_of(p)), LEAT_OK);
}

/* Calls echo on p and waits for the answer: all that was sent before it has been handled. */
static void round_trip(leat_peer *p, uint32_t v)
{
    uint32_t r = 0;
    struct buf *b = sess_begin(sess_of(p), FRAME_OPEN);
    CHECK(b != NULL);
    buf_u32(b, v);
    CHECK_EQ(sess_commit(sess_of(p)), LEAT_OK);
    CHECK_EQ(leat_recv(results, &r), LEAT_OK);
    CHECK_EQ(r, v + 1);
}

#define RUN(opts, fn) do { results = leat_chan_make(uint32_t, 16); CHECK_EQ(leat_run(opts, fn, LEAT_NONE), LEAT_OK); } while (0)

/* -- the same at every distance ------------------------------------------------------------------------------------------------ */

static leat_err talk(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    CHECK_STR(leat_peer_name(p), "node a");
    CHECK_HAS(sess_text(sess_of(p)), "node a (");
    CHECK(sess_dialed(sess_of(p)));
    for (uint32_t i = 0; i < 100000; i++)
        send_number(p, i);
    round_trip(p, 41);
    CHECK_EQ(at_load(&seen.elems), 100000);
    CHECK_EQ(at_load(&seen.bad), 0);
    for (uint32_t i = 0; i < 1000; i++)
        round_trip(p, i);
    for (uint32_t i = 0; i < 1000; i++)
        send_number(p, 100000 + i);
    leat_peer_close(p);                              /* what was sent before arrives before */
    CHECK_EQ(at_load(&seen.elems), 101000);
    leat_node_close(b);
    leat_node_close(a);
    CHECK_EQ(at_load(&last_err), LEAT_OK);
    CHECK_EQ(at_load(&seen.begun), 2);
    CHECK_EQ(at_load(&seen.ended), 2);
    CHECK_EQ(at_load(&seen.freed), 2);
    return LEAT_OK;
}
TEST(sess_two_nodes_of_one_process_talk_inproc) { RUN(NULL, talk); }

static leat_err self(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a");
    leat_peer *p = NULL, *q = NULL;
    CHECK_EQ(leat_node_self(a, &p), LEAT_OK);
    CHECK_EQ(leat_node_self(a, &q), LEAT_OK);
    CHECK(p == q);
    round_trip(p, 1);
    leat_node_close(a);
    CHECK_EQ(at_load(&seen.freed), 2);
    return LEAT_OK;
}
TEST(node_has_a_session_with_itself) { RUN(NULL, self); }

static leat_err left_open(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    round_trip(p, 1);
    return LEAT_OK;
}
static void ends_with_run(enum place p)
{
    at(p);
    RUN(NULL, left_open);
    CHECK_EQ(at_load(&seen.ended), 2);
    CHECK_EQ(at_load(&seen.freed), 2);
}
TEST(node_left_open_ends_with_leat_run) { ends_with_run(INPROC); }

/* -- many sessions ---------------------------------------------------------------------------------------------------------------- */
static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();                /* zeroes where another allocator stands in for malloc's */
    return m.uordblks + m.hblkhd;
}

static leat_err many(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    size_t before = 0;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    for (uint32_t i = 0; i < 1000; i++) {
        leat_peer *p = NULL;
        CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
        round_trip(p, i);
        leat_peer_close(p);
        if (i == 200)
            before = in_use();
    }
    size_t after = in_use();
    if (after > before + (400 << 10))
        t_fail(__FILE__, __LINE__, "memory grew from %zu to %zu", before, after);
    leat_node_close(b);
    leat_node_close(a);
    CHECK_EQ(at_load(&seen.freed), 2000);
    return LEAT_OK;
}
TEST(sess_a_thousand_sessions_leave_nothing_behind) { RUN(NULL, many); }

static const char *at_once_url;
static leat_err at_once_one(leat_node **n)
{
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_dial(*n, at_once_url, &p), LEAT_OK);
    for (int i = 0; i < 100; i++) {
        struct buf *b = sess_begin(sess_of(p), FRAME_TAKEN);
        CHECK(b != NULL);
        buf_u64(b, 1);
        CHECK_EQ(sess_commit(sess_of(p)), LEAT_OK);
    }
    leat_peer_close(p);
    return LEAT_OK;
}
static leat_err at_once(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    at_once_url = leat_node_url(a);
    leat_with_group(g, err) {
        for (int i = 0; i < 64 && err == LEAT_OK; i++)
            err = leat_go(&g, at_once_one, b);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&seen.bytes), 64 * 100 * 8);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(sess_many_peers_at_once) { RUN(NULL, at_once); }

/* -- sources ------------------------------------------------------------------------------------------------------------------------ */
struct bulk { struct sess_source src; size_t left; _Atomic int refs; _Atomic uint32_t endless; size_t sent; };
static bool bulk_pull(struct sess_source *x, struct sess *s)
{
    static const char part[8192];
    struct bulk *k = container_of(x, struct bulk, src);
    size_t n = MIN(k->left, sizeof part);
    struct buf *b = sess_begin(s, FRAME_TAKEN);
    if (!b)
        return false;
    buf_put(b, part, n);
    if (sess_commit(s) != LEAT_OK)
        return false;
    k->sent += n;
    if (!at_load_acq(&k->endless))
        k->left -= n;
    return k->left > 0;
}
static void bulk_ref(struct sess_source *x) { atomic_fetch_add(&container_of(x, struct bulk, src)->refs, 1); }
static void bulk_unref(struct sess_source *x) { atomic_fetch_sub(&container_of(x, struct bulk, src)->refs, 1); }
static const struct sess_source_ops bulk_ops = { bulk_pull, bulk_ref, bulk_unref };

static leat_err sources(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    struct bulk k[3] = { { .left = 1 << 20, .endless = 1 }, { .left = 3 << 20 }, { .left = 5 } };
    for (int i = 0; i < 3; i++)
        k[i].src.ops = &bulk_ops;
    for (int i = 0; i < 3; i++)
        sess_source_add(sess_of(p), &k[i].src, i == 2 ? LANE_CONTROL : LANE_DATA);
    for (uint32_t i = 0; i < 3; i++)
        round_trip(p, i);                            /* does not wait for the end of what is endless */
    at_store_rel(&k[0].endless, 0);
    leat_peer_close(p);                              /* but BYE waits for all that is left */
    CHECK_EQ(k[1].sent, 3 << 20);
    CHECK_EQ(at_load(&seen.bytes), k[0].sent + k[1].sent + 5);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(at_load(&k[i].refs), 0);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(sess_sources_are_pulled_in_turn_and_flushed_by_close) { RUN(NULL, sources); }

static leat_err cut_short(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    struct bulk k = { .src.ops = &bulk_ops, .left = (size_t)1 << 40 };
    sess_source_add(sess_of(p), &k.src, LANE_DATA);
    round_trip(p, 5);
    leat_with_deadline(LEAT_MS(20))
        leat_node_close(b);                          /* would take an hour */
    CHECK_EQ(at_load(&k.refs), 0);
    leat_node_close(a);
    CHECK_EQ(at_load(&last_err), LEAT_PEER_LOST);
    return LEAT_OK;
}
TEST(node_close_while_traffic_flows_obeys_its_context) { RUN(NULL, cut_short); }

static leat_err node_closer(leat_node **n)
{
    leat_node_close(*n);
    return LEAT_OK;
}
static leat_err both_close(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    round_trip(p, 1);
    struct bulk k[2] = { { .left = 32 << 20 }, { .left = 32 << 20 } };
    for (int i = 0; i < 2; i++)
        k[i].src.ops = &bulk_ops;
    sess_source_add(a->sessions, &k[0].src, LANE_DATA);
    sess_source_add(sess_of(p), &k[1].src, LANE_DATA);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, node_closer, a), LEAT_OK);
        CHECK_EQ(leat_go(&g, node_closer, b), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&last_err), LEAT_OK);
    CHECK_EQ(at_load(&seen.bytes), 64 << 20);
    return LEAT_OK;
}
TEST(node_close_of_both_sides_at_once_loses_nothing) { RUN(NULL, both_close); }
TEST(node_close_of_both_sides_at_once_loses_nothing_unix) { at(UNIX); RUN(NULL, both_close); }
TEST(node_close_of_both_sides_at_once_loses_nothing_tcp) { at(TCP); RUN(NULL, both_close); }

static leat_err room_filler(leat_peer **arg)
{
    struct sess *s = sess_of(*arg);
    for (int i = 0; i < 1000; i++) {
        leat_err e = sess_wait_room(s);
        if (e != LEAT_OK)
            return e;
        struct buf *b = sess_begin(s, FRAME_TAKEN);
        CHECK(b != NULL);
        CHECK(buf_add(b, 16 << 10) != NULL);
        CHECK_EQ(sess_commit(s), LEAT_OK);
    }
    return LEAT_OK;
}
static leat_err room(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    leat_with_group(g, err)
        for (int i = 0; i < 4 && err == LEAT_OK; i++)
            err = leat_go(&g, room_filler, p);
    CHECK_EQ(err, LEAT_OK);
    leat_node_close(b);
    CHECK_EQ(at_load(&seen.bytes), 4000ull * (16 << 10));
    leat_node_close(a);
    return LEAT_OK;
}
TEST(sess_wait_room_bounds_what_is_unsent) { RUN(NULL, room); }

/* -- wrong frames --------------------------------------------------------------------------------------------------------------------- */
static const char *hostile_frame_why;
static struct { const void *p; size_t n; } hostile_frame;

/* A session whose link the test holds by the other end: `raw`. */
static leat_err raw_hello(struct link *l)
{
    struct buf b = { 0 };
    buf_put(&b, PREAMBLE_MAGIC, 8);
    buf_u16(&b, WIRE_MAJOR);
    buf_u16(&b, WIRE_MINOR);
    buf_u32(&b, 0);
    size_t at = b.len;
    buf_u32(&b, 0);
    buf_u8(&b, FRAME_HELLO);
    buf_u8(&b, 0);
    buf_u16(&b, 0);
    buf_u64(&b, 1);
    buf_u32(&b, 1);
    buf_u32(&b, 0);
    for (int i = 0; i < 4; i++)
        buf_u64(&b, i < 2 ? 9 : 0);
    buf_u64(&b, 1);
    for (int i = 0; i < 4; i++)
        buf_u32(&b, 1 << 20);
    buf_text(&b, "raw", 3);
    buf_text(&b, "", 0);
    buf_set_u32(&b, at, (uint32_t)(b.len - at - FRAME_HEADER));
    struct iovec v = { b.p, b.len };
    leat_err e = link_writev(l, &v, 1);
    buf_free(&b);
    return e;
}

static size_t read_all(struct link *l, char *to, size_t cap)         /* until the other side closes */
{
    size_t n = 0, k;
    while (n + 1 < cap && link_read(l, to + n, cap - 1 - n, &k) == LEAT_OK)
        n += k;
    to[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (!to[i])
            to[i] = ' ';
    return n;
}

static leat_err hostile(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    struct link *l;
    char got[4096];
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);      /* another peer, which is not to notice */
    CHECK_EQ(link_dial(leat_node_url(a), &l), LEAT_OK);
    CHECK_EQ(raw_hello(l), LEAT_OK);
    struct iovec v = { (void *)(uintptr_t)hostile_frame.p, hostile_frame.n };
    CHECK_EQ(link_writev(l, &v, 1), LEAT_OK);
    read_all(l, got, sizeof got);
    CHECK_HAS(got, hostile_frame_why);
    link_close(l);
    round_trip(p, 3);
    leat_node_close(b);
    leat_node_close(a);
    CHECK_EQ(at_load(&seen.freed), 4 - 1);
    return LEAT_OK;
}
#define HOSTILE(name, why, bytes) TEST(name) { hostile_frame.p = bytes; hostile_frame.n = sizeof(bytes) - 1; hostile_frame_why = why; \
    RUN(&quiet_opts, hostile); }
HOSTILE(sess_frame_over_the_limit_breaks, "a bad ELEM frame: it has 65537 bytes; at most 65536", "\x01\x00\x01\x00\x40\0\0\0xx")
HOSTILE(sess_hostile_length_breaks, "a bad ELEM frame: it has 4294967295 bytes", "\xff\xff\xff\xff\x40\0\0\0xx")
HOSTILE(sess_unknown_kind_breaks, "a bad 0x99 frame: this version does not know that kind",
    "\x10\0\0\0\x99\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
HOSTILE(sess_kind_without_handler_breaks, "a bad GRANT frame", "\x10\0\0\0\x39\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
HOSTILE(sess_short_frame_breaks, "a bad ELEM frame: it is too short", "\x04\0\0\0\x40\0\0\0\1\0\0\0")
HOSTILE(sess_gap_in_numbers_breaks, "a bad ELEM frame: frames before it are missing",
    "\x10\0\0\0\x40\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
HOSTILE(sess_wrong_header_breaks, "a bad ELEM frame: its header is wrong", "\x10\0\0\0\x40\0\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
HOSTILE(sess_handler_error_breaks, "a bad ELEM frame: an element is cut off", "\x11\0\0\0\x40\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x")
HOSTILE(sess_second_hello_breaks, "a bad HELLO frame", "\x00\0\0\0\x01\0\0\0")

static leat_err truncated(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a");
    struct link *l;
    char got[512];
    size_t n;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(link_dial(leat_node_url(a), &l), LEAT_OK);
    CHECK_EQ(raw_hello(l), LEAT_OK);
    CHECK_EQ(link_read(l, got, sizeof got, &n), LEAT_OK);            /* welcome */
    struct iovec v = { (void *)(uintptr_t)"\x20\0\0\0\x40\0\0\0\1\0\0", 11 };
    CHECK_EQ(link_writev(l, &v, 1), LEAT_OK);
    link_close(l);
    while (!at_load(&seen.ended))
        leat_yield();
    CHECK_EQ(at_load(&last_err), LEAT_PEER_LOST);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(sess_truncated_frame_is_a_lost_peer) { RUN(&quiet_opts, truncated); }

/* -- loss -- */
static leat_err killer(struct link_listener **l)
{
    struct link *x;
    char got[512];
    size_t n;
    CHECK_EQ(link_accept(*l, &x), LEAT_OK);
    CHECK_EQ(link_read(x, got, sizeof got, &n), LEAT_OK);
    static const char welcome[] = PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0" "\x2e\0\0\0\2\0\0\0" "incarnation....." "\1\0\0\0\0\0\0\0"
        "\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0" "\5node2" "";
    struct iovec v = { (void *)(uintptr_t)welcome, sizeof welcome - 1 };
    ((char *)(uintptr_t)got)[0] = 0;
    CHECK_EQ(link_writev(x, &v, 1), LEAT_OK);
    CHECK_EQ(link_read(x, got, sizeof got, &n), LEAT_OK);            /* the first frame; then it dies */
    link_close(x);
    return LEAT_OK;
}
static leat_err lost(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *b = open_named("node b");
    struct link_listener *l;
    struct link_listen_opts o = { 0 };
    leat_peer *p = NULL;
    CHECK_EQ(link_listen(url, &o, &l), LEAT_OK);
    leat_with_group(g, err) {
        err = leat_go(&g, killer, l);
        CHECK_EQ(leat_node_dial(b, link_listener_url(l), &p), LEAT_OK);
        CHECK_STR(leat_peer_name(p), "node2");
        send_number(p, 0);
        CHECK_EQ(leat_peer_wait(p), LEAT_PEER_LOST);
        CHECK_HAS(leat_err_detail(), "node2 (");
        CHECK_HAS(leat_err_detail(), "): the link broke: ");
        CHECK(sess_begin(sess_of(p), FRAME_ELEM) == NULL);
        CHECK(sess_ended(sess_of(p)));
    }
    CHECK_EQ(err, LEAT_OK);
    link_listener_close(l);
    leat_node_close(b);
    return LEAT_OK;
}
TEST(sess_peer_that_dies_is_lost) { RUN(NULL, lost); }

static leat_err broken(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    sess_break(sess_of(p), LEAT_LIMIT, "enough of %d", 7);
    CHECK_EQ(leat_peer_wait(p), LEAT_PEER_LOST);
    char want[400];
    snprintf(want, sizeof want, "node a (%s): enough of 7", leat_node_url(a));
    CHECK_STR(leat_err_detail(), want);
    leat_node_close(b);
    leat_node_close(a);
    CHECK_EQ(at_load(&seen.ended), 2);
    return LEAT_OK;
}
TEST(sess_break_ends_both_sides) { RUN(NULL, broken); }

static leat_err waiter(leat_peer **p)
{
    CHECK_EQ(leat_peer_wait(*p), LEAT_OK);
    return LEAT_OK;
}
static leat_err node_waiter(leat_node **n)
{
    CHECK_EQ(leat_node_wait(*n), LEAT_OK);
    return LEAT_OK;
}
static leat_err orderly(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, waiter, p), LEAT_OK);
        CHECK_EQ(leat_go(&g, node_waiter, a), LEAT_OK);
        while (!at_load(&a->waiters.head) || !at_load(&sess_of(p)->enders.head))
            leat_yield();
        leat_node_close(a);                          /* the side that was dialed */
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_peer_wait(p), LEAT_OK);
    leat_node_close(b);
    return LEAT_OK;
}
TEST(sess_orderly_close_is_ok_for_the_peer) { RUN(NULL, orderly); }

struct dials { leat_node *n; const char *url; };
static leat_err dial_meanwhile(struct dials *d)
{
    leat_peer *p;
    leat_err e;
    while ((e = leat_node_dial(d->n, d->url, &p)) == LEAT_OK) {
        leat_yield();
        e = leat_peer_wait(p);
        if (e != LEAT_OK)
            fprintf(stderr, "# %s\n", leat_err_detail());
        CHECK_EQ(e, LEAT_OK);                        /* who was welcomed is told of an orderly end */
        leat_peer_close(p);
    }
    CHECK(e == LEAT_REFUSED || e == LEAT_SYS);
    return LEAT_OK;
}
static leat_err close_meanwhile(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *b = open_named("node b");
    for (int i = 0; i < 30; i++) {
        leat_node *a = open_named("node a");
        CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
        char to[300];
        snprintf(to, sizeof to, "%s", leat_node_url(a));
        struct dials d = { b, to };
        leat_with_group(g, err) {
            for (int k = 0; k < 4; k++)
                CHECK_EQ(leat_go(&g, dial_meanwhile, d), LEAT_OK);
            for (int k = 0; k < i; k++)
                leat_yield();
            leat_node_close(a);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    leat_node_close(b);
    return LEAT_OK;
}
TEST(node_close_while_peers_dial) { RUN(&quiet_opts, close_meanwhile); }

/* -- contexts and threads -- */
static leat_err waits_obey(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    leat_with_deadline(LEAT_MS(5)) {
        CHECK_EQ(leat_node_wait(a), LEAT_DEADLINE);
        CHECK_EQ(leat_peer_wait(p), LEAT_DEADLINE);
    }
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_CANCELED);
        CHECK_EQ(leat_node_wait(a), LEAT_CANCELED);
        CHECK_EQ(leat_peer_wait(p), LEAT_CANCELED);
        leat_peer *q = NULL;
        CHECK_EQ(leat_node_dial(b, leat_node_url(a), &q), LEAT_CANCELED);
        CHECK(q == NULL);
        leat_node_close(b);                          /* also there: a peer that is well says BYE at once */
    }
    CHECK_EQ(at_load(&last_err), LEAT_OK);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(node_waits_obey_their_context) { RUN(&quiet_opts, waits_obey); }
TEST(node_waits_obey_their_context_unix) { at(UNIX); RUN(&quiet_opts, waits_obey); }
TEST(node_waits_obey_their_context_tcp) { at(TCP); RUN(&quiet_opts, waits_obey); }

static leat_err under_deadline(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a"), *b = open_named("node b");
    leat_peer *p = NULL;
    int64_t ms = 40;
    leat_with_deadline(LEAT_MS(ms))
        CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    for (leat_err err = LEAT_DEADLINE; err == LEAT_DEADLINE; ms *= 2)
        leat_with_deadline(LEAT_MS(ms)) {
            err = leat_node_dial(b, leat_node_url(a), &p);
            CHECK(err == LEAT_OK || err == LEAT_DEADLINE);
        }
    CHECK_EQ(leat_sleep(LEAT_MS(ms)), LEAT_OK);
    round_trip(p, 1);                                /* the deadline was the dial's, not the session's, nor the listener's */
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    round_trip(p, 2);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(node_dialed_under_a_deadline_outlives_it) { RUN(&quiet_opts, under_deadline); }
TEST(node_dialed_under_a_deadline_outlives_it_unix) { at(UNIX); RUN(&quiet_opts, under_deadline); }
TEST(node_dialed_under_a_deadline_outlives_it_tcp) { at(TCP); RUN(&quiet_opts, under_deadline); }

static leat_node *for_thread;
static char to_thread[300];
static void *thread_main(void *arg)
{
    leat_peer *p = NULL;
    uint32_t r;
    (void)arg;
    CHECK_EQ(leat_node_dial(for_thread, to_thread, &p), LEAT_OK);
    struct buf *b = sess_begin(sess_of(p), FRAME_OPEN);
    CHECK(b != NULL);
    buf_u32(b, 6);
    CHECK_EQ(sess_commit(sess_of(p)), LEAT_OK);
    CHECK_EQ(leat_recv(results, &r), LEAT_OK);
    CHECK_EQ(r, 7);
    leat_peer_close(p);
    return NULL;
}
static leat_err join(pthread_t *t) { return pthread_join(*t, NULL) == 0 ? LEAT_OK : LEAT_SYS; }
static leat_err from_thread(leat_none *none)
{
    (void)none;
    leat_node *a = open_named("node a");
    pthread_t t;
    for_thread = open_named("node b");
    CHECK_EQ(leat_node_listen(a, "tcp://127.0.0.1:0"), LEAT_OK);
    snprintf(to_thread, sizeof to_thread, "%s", leat_node_url(a));
    CHECK_EQ(pthread_create(&t, NULL, thread_main, NULL), 0);
    CHECK_EQ(leat_blocking(join, t), LEAT_OK);
    leat_node_close(for_thread);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(node_is_used_from_a_thread_that_is_no_task) { RUN(&quiet_opts, from_thread); }

/* -- silence -- */
static leat_err silence(leat_none *none)
{
    (void)none;
    leat_node *b;
    leat_node_opts o = { .name = "node b", .idle = LEAT_MS(30), .patience = LEAT_MS(400) };
    struct link_listener *l;
    struct link_listen_opts lo = { 0 };
    leat_peer *p = NULL;
    leat_err err;
    CHECK_EQ(node_open(&o, users, &b), LEAT_OK);
    CHECK_EQ(link_listen(url, &lo, &l), LEAT_OK);
    leat_with_group(g, err) {
        err = leat_go(&g, killer, l);                 /* gets the PING as its first frame, and then dies */
        CHECK_EQ(leat_node_dial(b, link_listener_url(l), &p), LEAT_OK);
        CHECK_EQ(leat_peer_wait(p), LEAT_PEER_LOST);
    }
    CHECK_EQ(err, LEAT_OK);
    link_listener_close(l);
    leat_node_close(b);
    return LEAT_OK;
}
TEST(sess_silent_peer_is_asked) { RUN(NULL, silence); }

static leat_err alive(leat_none *none)
{
    (void)none;
    leat_node *a, *b;
    leat_node_opts o = { .name = "node", .idle = LEAT_MS(20), .patience = LEAT_S(20) };
    leat_peer *p = NULL;
    CHECK_EQ(node_open(&o, users, &a), LEAT_OK);
    CHECK_EQ(node_open(&o, users, &b), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    CHECK_EQ(leat_sleep(LEAT_MS(300)), LEAT_OK);     /* ten times idle: PINGs and PONGs keep it */
    round_trip(p, 1);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
TEST(sess_quiet_peers_stay_connected) { RUN(NULL, alive); }

static leat_err deaf(leat_none *none)
{
    (void)none;
    leat_node *b;
    leat_node_opts o = { .name = "node b", .idle = LEAT_MS(30), .patience = LEAT_MS(30) };
    struct link_listener *l;
    struct link_listen_opts lo = { 0 };
    struct link *x = NULL;
    leat_peer *p = NULL;
    CHECK_EQ(node_open(&o, users, &b), LEAT_OK);
    CHECK_EQ(link_listen(url, &lo, &l), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, link_listener_url(l), &p), LEAT_REFUSED);              /* nobody answers the hello */
    CHECK_HAS(leat_err_detail(), "no answer to the hello in 0.06 s");
    CHECK_EQ(link_accept(l, &x), LEAT_OK);
    link_close(x);
    link_listener_close(l);
    leat_node_close(b);
    return LEAT_OK;
}
TEST(sess_nobody_answers_the_hello) { RUN(NULL, deaf); }
/* -- the same over sockets ------------------------------------------------------------------------------------------------------ */
TEST(sess_two_nodes_of_one_process_talk_unix) { at(UNIX); RUN(NULL, talk); }
TEST(sess_two_nodes_of_one_process_talk_tcp) { at(TCP); RUN(NULL, talk); }
TEST(sess_a_thousand_sessions_leave_nothing_behind_unix) { at(UNIX); RUN(NULL, many); }
TEST(sess_a_thousand_sessions_leave_nothing_behind_tcp) { at(TCP); RUN(NULL, many); }
/* Plain TCP stays on this host, unless the node says otherwise: who listens and who dials. */
static leat_err off_host(leat_none *none)
{
    (void)none;
    static const char *const far[] = { "tcp://192.0.2.1:9", "tcp://0.0.0.0:9", "tcp://[::]:9", "tcp://example.org:9",
        "tcp://127.0.0.1.example.org:9", "tcp://[fe80::1]:9" };
    leat_node *a = NULL, *b = NULL;
    leat_peer *p = NULL;
    CHECK_EQ(leat_node_open(NULL, &a), LEAT_OK);
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        CHECK_EQ(leat_node_listen(a, far[i]), LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), far[i]);
        CHECK_HAS(leat_err_detail(), ".insecure = true");
        CHECK_HAS(leat_err_detail(), "--insecure");
        CHECK_EQ(leat_node_dial(a, far[i], &p), LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), far[i]);
        CHECK_HAS(leat_err_detail(), ".insecure = true");
    }
    CHECK(leat_node_url(a) == NULL && p == NULL);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .insecure = true }, &b), LEAT_OK);
    CHECK_EQ(leat_node_listen(b, "tcp://0.0.0.0:0"), LEAT_OK);
    char text[64];
    snprintf(text, sizeof text, "tcp://0.0.0.0%s", strrchr(leat_node_url(b), ':'));
    CHECK_EQ(leat_node_dial(a, text, &p), LEAT_REFUSED);
    CHECK_EQ(leat_node_dial(b, text, &p), LEAT_OK);
    leat_node_close(a);
    leat_node_close(b);
    return LEAT_OK;
}
TEST(plain_tcp_stays_on_this_host_unless_the_node_says_otherwise) { RUN(&quiet_opts, off_host); }

TEST(sess_many_peers_at_once_unix) { at(UNIX); RUN(NULL, at_once); }
TEST(sess_many_peers_at_once_tcp) { at(TCP); RUN(NULL, at_once); }
TEST(sess_sources_are_pulled_in_turn_and_flushed_by_close_tcp) { at(TCP); RUN(NULL, sources); }
TEST(node_close_while_traffic_flows_obeys_its_context_unix) { at(UNIX); RUN(NULL, cut_short); }
TEST(node_close_while_traffic_flows_obeys_its_context_tcp) { at(TCP); RUN(NULL, cut_short); }
TEST(sess_wait_room_bounds_what_is_unsent_unix) { at(UNIX); RUN(NULL, room); }
TEST(sess_wait_room_bounds_what_is_unsent_tcp) { at(TCP); RUN(NULL, room); }
TEST(sess_truncated_frame_is_a_lost_peer_unix) { at(UNIX); RUN(&quiet_opts, truncated); }
TEST(sess_truncated_frame_is_a_lost_peer_tcp) { at(TCP); RUN(&quiet_opts, truncated); }
TEST(sess_peer_that_dies_is_lost_unix) { at(UNIX); RUN(NULL, lost); }
TEST(sess_peer_that_dies_is_lost_tcp) { at(TCP); RUN(NULL, lost); }
TEST(sess_break_ends_both_sides_tcp) { at(TCP); RUN(NULL, broken); }
TEST(sess_orderly_close_is_ok_for_the_peer_unix) { at(UNIX); RUN(NULL, orderly); }
TEST(sess_orderly_close_is_ok_for_the_peer_tcp) { at(TCP); RUN(NULL, orderly); }
TEST(node_close_while_peers_dial_unix) { at(UNIX); RUN(&quiet_opts, close_meanwhile); }
TEST(node_close_while_peers_dial_tcp) { at(TCP); RUN(&quiet_opts, close_meanwhile); }
TEST(sess_silent_peer_is_asked_tcp) { at(TCP); RUN(NULL, silence); }
TEST(sess_quiet_peers_stay_connected_tcp) { at(TCP); RUN(NULL, alive); }
TEST(node_left_open_ends_with_leat_run_unix) { ends_with_run(UNIX); }
TEST(node_left_open_ends_with_leat_run_tcp) { ends_with_run(TCP); }
TEST(sess_frame_over_the_limit_breaks_tcp)
{
    at(TCP);
    hostile_frame.p = "\x01\x00\x01\x00\x40\0\0\0xx";
    hostile_frame.n = 10;
    hostile_frame_why = "a bad ELEM frame: it has 65537 bytes; at most 65536";
    RUN(&quiet_opts, hostile);
}
T_MAIN()
