/* resume_test.c - links that break under a session: what was sent arrives once, at the receiver's pace; and nobody resumes what he never
 * had. */
#include "path.h"

#define NETS(id, fn) TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }

LEAT_STRUCT(num, (int64, n));

enum { LIMIT_S = 40, CAP = 8, CUT_EVERY = 23 };

static int turns(int n) { return getenv("T_QUICK") ? n / 4 : n; }

/* Two nodes with a path between them; b has imported the send end of a's channel. */
struct way { leat_node *a, *b; leat_peer *p; leat_chan(struct num) c; leat_tx(struct num) to; struct path path; };

static leat_dur silence = { 0 };                     /* idle, and patience: 0: the default */

static void way_open(struct way *w, uint32_t capacity, leat_group *g)
{
    leat_node_opts o = { .grace = LEAT_S(LIMIT_S), .idle = silence, .patience = silence };
    CHECK_EQ(leat_node_open(&o, &w->a), LEAT_OK);
    CHECK_EQ(leat_node_open(&o, &w->b), LEAT_OK);
    w->c = leat_chan_make(struct num, capacity);
    CHECK_EQ(leat_export(w->a, "c", leat_tx_of(w->c), num), LEAT_OK);
    CHECK_EQ(leat_node_listen(w->a, url), LEAT_OK);
    w->path.to = leat_node_url(w->a);
    path_open(&w->path, g);
    CHECK_EQ(leat_node_dial(w->b, w->path.url, &w->p), LEAT_OK);
    CHECK_EQ(leat_import(w->p, "c", &w->to, num, 0), LEAT_OK);
}

static void way_close(struct way *w)
{
    leat_unref(w->to);
    leat_node_close(w->b);
    leat_node_close(w->a);
    leat_unref(w->c);
}

/* -- delivered once, whatever breaks ------------------------------------------------------------------------------------------------ */
struct sender { leat_tx(struct num) to; int n; _Atomic int *sent; };

static leat_err send_all(struct sender *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        LEAT_TRY(leat_send(s->to, { i }));
        atomic_fetch_add(s->sent, 1);
    }
    return leat_flush(s->to);
}

static uint32_t capacity;

static leat_err cut_often(struct way *w, int n)
{
    _Atomic int sent = 0;
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_all, (struct sender){ w->to, n, &sent }));
        for (int64_t i = 0; i < n; i++) {
            LEAT_TRY(leat_recv(w->c, &v));
            CHECK_EQ(v.n, i);                        /* each once, in order */
            if (i % CUT_EVERY == CUT_EVERY - 1)
                path_cut(&w->path);
        }
    }
    CHECK_EQ(leat_try_recv(w->c, &v), LEAT_AGAIN);
    return err;
}

static leat_err survives(leat_none *none)
{
    (void)none;
    static struct way w;
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            way_open(&w, capacity, &g);
            CHECK_EQ(cut_often(&w, turns(400)), LEAT_OK);
            CHECK(atomic_load(&w.path.connections) > 2);
            way_close(&w);
            leat_group_cancel(&g);
        }
    return LEAT_OK;
}

#define AT_CAPACITY(id, n) \
    TEST(id##_unix) { capacity = n; AT(UNIX, survives); } \
    TEST(id##_tcp) { capacity = n; AT(TCP, survives); }
AT_CAPACITY(a_rendezvous_survives_its_link_and_is_delivered_once, 0)
AT_CAPACITY(a_stream_survives_its_links_and_is_delivered_once, CAP)

/* -- what is written again goes no faster than it is taken ---------------------------------------------------------------------------- */
static leat_err hold_and_cut(struct way *w, int n, _Atomic int *sent)
{
    struct num v;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, send_all, (struct sender){ w->to, n, sent }));
        for (int64_t i = 0; i < n; i++) {
            if (i % 10 == 5) {                       /* what is under way is lost with its link */
                atomic_store(&w->path.held, THERE | BACK);
                LEAT_TRY(leat_sleep(LEAT_MS(2)));
                path_cut(&w->path);
                atomic_store(&w->path.held, 0);
            }
            CHECK(atomic_load(sent) <= i + CAP);                 /* never ahead by more than the channel holds */
            LEAT_TRY(leat_recv(w->c, &v));
            CHECK_EQ(v.n, i);
        }
    }
    return err;
}

static leat_err paced(leat_none *none)
{
    (void)none;
    static struct way w;
    _Atomic int sent = 0;
    int n = turns(80);
    leat_err err;
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            way_open(&w, CAP, &g);
            CHECK_EQ(hold_and_cut(&w, n, &sent), LEAT_OK);
            way_close(&w);
            leat_group_cancel(&g);
        }
    CHECK_EQ(atomic_load(&sent), n);
    return LEAT_OK;
}
NETS(what_is_sent_again_keeps_the_pace_of_its_receiver, paced)

/* -- a hello that does not arrive in time says nothing of its session ----------------------------------------------------------------- */
static leat_err late_hello(leat_none *none)
{
    (void)none;
    static struct way w;
    struct num v;
    leat_err err;
    silence = LEAT_MS(40);
    leat_with_deadline(LEAT_S(LIMIT_S))
        leat_with_group(g, err) {
            way_open(&w, CAP, &g);
            atomic_store(&w.path.held, THERE);
            path_cut(&w.path);
            while (atomic_load(&w.path.connections) < 5)         /* each of them refused by who heard no hello, or given up */
                CHECK_EQ(leat_sleep(LEAT_MS(5)), LEAT_OK);
            atomic_store(&w.path.held, 0);
            CHECK_EQ(leat_send(w.to, { 1 }), LEAT_OK);
            CHECK_EQ(leat_flush(w.to), LEAT_OK);
            CHECK_EQ(leat_recv(w.c, &v), LEAT_OK);
            way_close(&w);
            leat_group_cancel(&g);
        }
    return LEAT_OK;
}
NETS(a_hello_that_is_late_ends_its_link_and_not_its_session, late_hello)

/* -- a session that nobody knows is not resumed ---------------------------------------------------------------------------------------- */
enum { HELLO = 1, WELCOME = 2, DEAD = 3, PING = 5, PONG = 6, HEADER = 8 };

struct knock { uint64_t session; uint32_t attempt; bool resumed; uint8_t acceptor[16]; };

static void put(uint8_t **at, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(n >> 8 * i);
}

/* A dialer that speaks for itself: docs/wire.md. */
static leat_conn *knock(const char *at, const struct knock *k)
{
    static const uint8_t magic[8] = { 0x8b, 'L', 'E', 'A', 'T', '\r', '\n', 0x1a };
    uint8_t text[256], *p = text, *length;
    leat_conn *c;
    memcpy(p, magic, 8), p += 8;
    put(&p, 1, 2), put(&p, 0, 2), put(&p, 0, 4);
    length = p;
    put(&p, 0, 4), put(&p, HELLO, 1), put(&p, 0, 3);
    put(&p, k->session, 8), put(&p, k->attempt, 4), put(&p, k->resumed, 1), put(&p, 0, 3);
    memset(p, 0x5a, 16), p += 16;
    memcpy(p, k->acceptor, 16), p += 16;
    put(&p, 1, 8);
    for (int i = 0; i < 4; i++)
        put(&p, 1 << 20, 4);
    put(&p, 3, 1), memcpy(p, "raw", 3), p += 3;
    put(&p, 0, 1), put(&p, 30000, 4);
    put(&length, (uint64_t)(p - length) - HEADER, 4);
    CHECK_EQ(leat_dial(at, &c), LEAT_OK);
    CHECK_EQ(leat_write(c, text, (size_t)(p - text)), LEAT_OK);
    return c;
}

/* The next frame: its kind, and what it holds.  0: the end. */
static int frame(leat_conn *c, uint8_t *body, size_t cap)
{
    uint8_t head[HEADER];
    size_t n;
    if (leat_read_full(c, head, sizeof head, &n) != LEAT_OK)
        return 0;
    size_t len = head[0] | (size_t)head[1] << 8;
    CHECK(len <= cap && head[2] == 0 && head[3] == 0);
    CHECK_EQ(len ? leat_read_full(c, body, len, &n) : LEAT_OK, LEAT_OK);
    return head[4];
}

static int answer(leat_conn *c, uint8_t *body, size_t cap)
{
    uint8_t preamble[16];
    size_t n;
    CHECK_EQ(leat_read_full(c, preamble, sizeof preamble, &n), LEAT_OK);
    return frame(c, body, cap);
}

static void is_turned_away(const char *at, const struct knock *k)
{
    uint8_t body[1024];
    leat_conn *c = knock(at, k);
    CHECK_EQ(answer(c, body, sizeof body), DEAD);
    CHECK_EQ(frame(c, body, sizeof body), 0);
    leat_conn_close(c);
}

static leat_err unknown(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct knock good = { .session = 1, .attempt = 1 }, k = { .session = 1, .attempt = 2, .resumed = true, .acceptor = { 7 } };
    uint8_t body[1024], ping[HEADER + 8] = { 8, 0, 0, 0, PING };     /* and an acknowledgement of nothing */
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        const char *at = leat_node_url(x.a);
        is_turned_away(at, &k);                      /* of another incarnation, and no session */
        leat_conn *c = knock(at, &good);
        CHECK_EQ(answer(c, body, sizeof body), WELCOME);
        memcpy(k.acceptor, body, 16);
        k.session = 2;
        is_turned_away(at, &k);                      /* of this incarnation, and another session */
        memset(k.acceptor, 0, 16);
        is_turned_away(at, &k);                      /* resumed, and names no incarnation */
        CHECK_EQ(leat_write(c, ping, sizeof ping), LEAT_OK);
        int kind;
        while ((kind = frame(c, body, sizeof body)) != PONG)
            CHECK(kind != 0 && kind != DEAD);        /* the session that there is has not noticed */
        leat_conn_close(c);
    }
    pair_close(&x);
    return LEAT_OK;
}
NETS(a_session_that_nobody_knows_is_not_resumed, unknown)

T_MAIN()
