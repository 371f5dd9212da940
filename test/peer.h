/* peer.h - for tests: the other side of a session, frame by frame.
 *
 * A task that has dialed a node by hand (peer_dial) and sends what it likes, also what no node would.  It numbers its frames, and
 * acknowledges what it has read.  All of it blocks, and obeys the context: bound a test with leat_with_deadline. */
#ifndef PEER_H
#define PEER_H
#include "attach.h"
#include "link/link.h"
#include "pair.h"
#include "sess/frame.h"

struct peer {
    struct link *l;
    uint64_t sent, got;                              /* numbered frames */
    size_t at, len;
    uint8_t in[192 << 10];                           /* in[at] to in[len - 1] is not yet used */
};
static uint16_t peer_minor = WIRE_MINOR;              /* of the version it says that it speaks */
struct peer_frame { uint8_t kind, flags; struct cur in; };           /* in: the fields; valid until the next read */

/* The bytes from p->in + p->at on are at least n. */
static inline const uint8_t *peer_have(struct peer *p, size_t n)
{
    memmove(p->in, p->in + p->at, p->len - p->at);
    p->len -= p->at;
    p->at = 0;
    while (p->len < n) {
        size_t k = 0;
        CHECK(p->len < sizeof p->in);
        leat_err e = link_read(p->l, p->in + p->len, sizeof p->in - p->len, &k);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "the node said no more: %s %s", leat_err_name(e), leat_err_detail());
        p->len += k;
    }
    return p->in;
}

static inline void peer_write(struct peer *p, const void *bytes, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)bytes, n };
    CHECK_EQ(link_writev(p->l, &v, 1), LEAT_OK);
}

/* A numbered frame with these fields. */
static inline void peer_send(struct peer *p, uint8_t kind, uint8_t flags, const struct buf *fields)
{
    struct buf b = { 0 };
    buf_u32(&b, (uint32_t)(fields->len + FRAME_NUMBERED - FRAME_HEADER));
    buf_u8(&b, kind);
    buf_u8(&b, flags);
    buf_u16(&b, 0);
    buf_u64(&b, ++p->sent);
    buf_u64(&b, p->got);
    buf_put(&b, fields->p, fields->len);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    peer_write(p, b.p, b.len);
    buf_free(&b);
}

/* The fields are varints. */
static inline void peer_say(struct peer *p, uint8_t kind, int n, const uint64_t *numbers)
{
    struct buf b = { 0 };
    for (int i = 0; i < n; i++)
        buf_varint(&b, numbers[i]);
    peer_send(p, kind, 0, &b);
    buf_free(&b);
}
#define PEER_SAY(p, kind, ...) peer_say(p, kind, (int)(sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)), (uint64_t[]){ __VA_ARGS__ })

static inline struct peer_frame peer_next(struct peer *p)
{
    struct cur head = cur_of(peer_have(p, FRAME_HEADER), FRAME_HEADER);
    uint32_t n = cur_u32(&head);
    struct peer_frame f = { .kind = cur_u8(&head), .flags = cur_u8(&head) };
    CHECK(n <= LIMIT_FRAME);
    f.in = cur_of(peer_have(p, FRAME_HEADER + n) + FRAME_HEADER, n);
    p->at = FRAME_HEADER + n;
    if (f.kind >= FRAME_FIRST_NUMBERED) {
        CHECK_EQ(cur_u64(&f.in), p->got + 1);
        p->got++;
        CHECK(cur_u64(&f.in) <= p->sent);
    }
    return f;
}

/* The next numbered frame, which must be of this kind.  What has no number is passed over, but for DEAD. */
static inline struct peer_frame peer_expect(struct peer *p, uint8_t kind)
{
    for (;;) {
        struct peer_frame f = peer_next(p);
        if (f.kind == kind)
            return f;
        if (f.kind == FRAME_DEAD)
            t_fail(__FILE__, __LINE__, "DEAD: %.*s", (int)cur_left(&f.in), (const char *)f.in.p);
        if (f.kind >= FRAME_FIRST_NUMBERED)
            t_fail(__FILE__, __LINE__, "%s, and not %s", frame_name(f.kind), frame_name(kind));
    }
}

static inline void peer_put_preamble(struct buf *b)
{
    buf_put(b, PREAMBLE_MAGIC, 8);
    buf_u16(b, WIRE_MAJOR);
    buf_u16(b, peer_minor);
    buf_u32(b, 0);
}

static inline void peer_put_limits(struct buf *b)
{
    static const uint32_t limits[] = { LIMIT_FRAME, LIMIT_SESS_OPENS, LIMIT_SESS_OPEN_BYTES, LIMIT_SESS_ENDS };
    for (int i = 0; i < 4; i++)
        buf_u32(b, limits[i]);
}

/* In static memory of the caller's, as it is large for a stack.  id: of the session; name: "peer"; grace_ms: so long it may be without
 * a link. */
static inline void peer_dial_for(struct peer *p, const char *to, uint64_t id, uint32_t grace_ms)
{
    uint8_t who[16] = { 0xd1 };
    struct buf b = { 0 };
    *p = (struct peer){ 0 };
    CHECK_EQ(link_dial(to, &p->l), LEAT_OK);
    peer_put_preamble(&b);
    size_t at = b.len;
    buf_u32(&b, 0);
    buf_u32(&b, FRAME_HELLO);
    buf_u64(&b, id);
    buf_u64(&b, 1);                                  /* attempt 1, not resumed */
    buf_put(&b, who, sizeof who);
    buf_put(&b, (uint8_t[16]){ 0 }, 16);
    buf_u64(&b, 1);
    peer_put_limits(&b);
    buf_text(&b, "peer", 4);
    buf_text(&b, "", 0);
    buf_u32(&b, grace_ms);
    buf_set_u32(&b, at, (uint32_t)(b.len - at - FRAME_HEADER));
    peer_write(p, b.p, b.len);
    buf_free(&b);
    CHECK_MEM(peer_have(p, PREAMBLE_BYTES), PREAMBLE_MAGIC, 8);
    p->at = PREAMBLE_BYTES;
    CHECK_EQ(peer_next(p).kind, FRAME_WELCOME);
}

/* As put_attach, and the answer, which is that it is there: its capacity.  What comes before the answer (credits may) is passed over. */
static inline uint32_t peer_attach(struct peer *p, uint64_t id, const leat_type *t, const char *name, bool sends)
{
    struct buf b = { 0 };
    struct peer_frame f;
    put_attach(&b, id, t, name, sends);
    peer_send(p, FRAME_ATTACH, 0, &b);
    buf_free(&b);
    do
        f = peer_next(p);
    while (f.kind != FRAME_ATTACHED);
    CHECK_EQ(cur_varint(&f.in), id);
    CHECK_EQ(cur_u8(&f.in), LEAT_OK);
    return cur_u32(&f.in);
}

/* Until the node has handled all that was sent before, and has said nothing: it refuses a name that there is not.  id: a new one. */
static inline void peer_heard(struct peer *p, uint64_t id)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, 1);
    buf_put(&b, (uint8_t[16]){ 0 }, 16);
    buf_text(&b, "no such", 7);
    peer_send(p, FRAME_ATTACH, 0, &b);
    buf_free(&b);
    (void)peer_expect(p, FRAME_ATTACHED);
}

static inline void peer_dial(struct peer *p, const char *to, uint64_t id) { peer_dial_for(p, to, id, 0); }

/* The same of one that is dialed. */
static inline void peer_accept_link(struct peer *p, struct link *l)
{
    struct buf b = { 0 };
    *p = (struct peer){ .l = l };
    CHECK_MEM(peer_have(p, PREAMBLE_BYTES), PREAMBLE_MAGIC, 8);
    p->at = PREAMBLE_BYTES;
    CHECK_EQ(peer_next(p).kind, FRAME_HELLO);
    peer_put_preamble(&b);
    buf_u32(&b, 0);
    buf_u32(&b, FRAME_WELCOME);
    buf_put(&b, (uint8_t[16]){ 0xac }, 16);
    buf_u64(&b, 1);                                  /* the number that is expected */
    peer_put_limits(&b);
    buf_text(&b, "peer", 4);
    buf_set_u32(&b, PREAMBLE_BYTES, (uint32_t)(b.len - PREAMBLE_BYTES - FRAME_HEADER));
    peer_write(p, b.p, b.len);
    buf_free(&b);
}

static inline void peer_accept(struct peer *p, struct link_listener *at)
{
    struct link *l;
    CHECK_EQ(link_accept(at, &l), LEAT_OK);
    peer_accept_link(p, l);
}

static inline void peer_hang_up(struct peer *p) { link_close(p->l); }
#endif
