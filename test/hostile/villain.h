/* villain.h - a peer that means harm: it says a good hello and then whatever a test wants, and listens to what the node says.  Every test
 * runs in a world of virtual time (test/fuzz/world.c) with a good pair beside it, which must not notice. */
#ifndef VILLAIN_H
#define VILLAIN_H
#include "app.h"
#include "attach.h"
#include "fuzz.h"
#include "peer.h"
#include "t.h"

struct villain {
    struct link *l;
    uint64_t sent, said;                             /* numbered frames; bytes */
    struct buf got, out;                             /* out: the frame that is made */
    size_t at;                                       /* of the next frame in got */
    uint64_t heard[FRAME_KINDS];                     /* frames by kind */
    bool deaf, over;                                 /* deaf: reads nothing; over: the link has ended */
    char dead[LIMIT_REASON + 1];                     /* what DEAD said */
    leat_group g;
};

static inline void settle(void) { leat_ignore(leat_sleep(LEAT_MS(20))); }     /* in virtual time: all that can happen has happened */

static inline void villain_hear(struct villain *v)
{
    while (v->got.len >= v->at + FRAME_HEADER) {
        struct cur c = cur_of(v->got.p + v->at, v->got.len - v->at);
        uint32_t len = cur_u32(&c);
        uint8_t kind = cur_u8(&c);
        if (v->got.len - v->at < FRAME_HEADER + len)
            return;
        c = cur_of(v->got.p + v->at + FRAME_HEADER, len);
        v->heard[kind]++;
        v->at += FRAME_HEADER + len;
        if (kind == FRAME_DEAD) {
            size_t n;
            (void)cur_u8(&c);
            const char *text = cur_text(&c, &n);
            CHECK(text && n < sizeof v->dead);
            memcpy(v->dead, text, n);
            v->dead[n] = 0;
        }
    }
    memmove(v->got.p, v->got.p + v->at, v->got.len - v->at);
    v->got.len -= v->at;
    v->at = 0;
}

static inline leat_err villain_reads(struct villain **arg)
{
    struct villain *v = *arg;
    static char room[64 << 10];
    size_t n;
    v->at = PREAMBLE_BYTES;
    while (link_read(v->l, room, sizeof room, &n) == LEAT_OK) {
        buf_put(&v->got, room, n);
        if (v->got.len > v->at)                      /* beyond the preamble */
            villain_hear(v);
    }
    v->over = true;
    return LEAT_OK;
}

static inline void villain_write(struct villain *v, struct buf *b)
{
    CHECK(buf_err(b) == LEAT_OK);
    if (peer_write(v->l, b->p, b->len) == LEAT_OK)
        v->said += b->len;
}

static inline void villain_open(struct villain *v, const char *url, bool deaf)
{
    struct buf b = { 0 };
    static uint64_t incarnation = 1000;
    *v = (struct villain){ .deaf = deaf };
    CHECK_EQ(link_dial(url, &v->l), LEAT_OK);
    peer_hello(&b, 1, incarnation += 10);
    villain_write(v, &b);
    buf_free(&b);
    struct villain *self = v;
    if (!deaf)
        CHECK_EQ(leat_go(&v->g, villain_reads, self), LEAT_OK);
}

/* A frame with these fields. */
static inline void villain_say(struct villain *v, uint8_t kind, uint8_t flags, const struct buf *fields)
{
    buf_reset(&v->out);
    size_t at = peer_begin(&v->out, kind, flags, kind >= FRAME_FIRST_NUMBERED ? ++v->sent : 0);
    buf_put(&v->out, fields->p, fields->len);
    peer_end(&v->out, at);
    villain_write(v, &v->out);
}

/* Imports what a node exports, as put_attach says. */
static inline void villain_attach(struct villain *v, uint64_t id, const leat_type *t, const char *name, bool sends)
{
    struct buf b = { 0 };
    put_attach(&b, id, t, name, sends);
    villain_say(v, FRAME_ATTACH, 0, &b);
    buf_free(&b);
}

/* The session ends, if it has not yet; waits until the node has heard all. */
static inline void villain_close(struct villain *v)
{
    if (v->l)
        link_shutdown(v->l);
    CHECK_EQ(leat_group_wait(&v->g), LEAT_OK);
    link_close(v->l);
    buf_free(&v->got);
    buf_free(&v->out);
    v->l = NULL;
}

/* -- the world it is in --------------------------------------------------------------------------------------------------------- */
struct stage { struct app a; leat_node *b; leat_peer *p; leat_chan(struct num) own, idle; leat_tx(struct num) good; };

static inline void stage_good(struct stage *s)       /* the good pair is well */
{
    struct num in = { 21 }, out = { 0 };
    CHECK_EQ(leat_call(s->p, calc, twice, &in, &out), LEAT_OK);
    CHECK_EQ(out.n, 42);
    for (int i = 0; i < 9; i++) {
        CHECK_EQ(leat_send(s->good, { i }), LEAT_OK);
        CHECK_EQ(leat_recv(s->own, &out), LEAT_OK);
        CHECK_EQ(out.n, i);
    }
    CHECK_EQ(leat_flush(s->good), LEAT_OK);
}

static inline void stage_open(struct stage *s)
{
    *s = (struct stage){ .b = NULL };
    CHECK_EQ(app_open(&s->a, "node a"), LEAT_OK);
    CHECK_EQ(leat_node_listen(s->a.n, "inproc:a"), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &s->b), LEAT_OK);
    CHECK_EQ(leat_node_dial(s->b, "inproc:a", &s->p), LEAT_OK);
    s->own = leat_chan_make(struct num, 4);          /* any importer of a channel may close it: this one nobody else knows */
    CHECK_EQ(leat_export(s->a.n, "good", leat_tx_of(s->own), num), LEAT_OK);
    s->idle = leat_chan_make(struct num, 0);         /* nobody receives from it */
    CHECK_EQ(leat_export(s->a.n, "w", leat_tx_of(s->idle), num), LEAT_OK);
    CHECK_EQ(leat_import(s->p, "good", &s->good, num, 4), LEAT_OK);
    stage_good(s);
}

static inline void stage_close(struct stage *s)
{
    stage_good(s);
    leat_unref(s->good);
    leat_node_close(s->b);
    app_close(&s->a);
    leat_unref(s->own);
    leat_unref(s->idle);
}

/* It has been told so, or the link has ended: after DEAD the node waits a little for its peer to go. */
static inline bool villain_ended(const struct villain *v) { return v->over || v->dead[0]; }

#define IN_WORLD(id, fn) TEST(id) { fuzz_world((leat_fn_ *)(void (*)(void))fn, NULL, 0); }
#endif
