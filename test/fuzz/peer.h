/* peer.h - frames made by hand: a peer that says what it likes, for fuzz targets and for test/hostile. */
#ifndef PEER_H
#define PEER_H
#include <string.h>
#include "base/buf.h"
#include "leat.h"
#undef errno
#include "link/link.h"
#include "sess/frame.h"

static inline void peer_preamble(struct buf *b)
{
    buf_put(b, PREAMBLE_MAGIC, 8);
    buf_u16(b, WIRE_MAJOR);
    buf_u16(b, WIRE_MINOR);
    buf_u32(b, 0);
}

/* Where a frame begins, for peer_end.  number: its own, for the numbered kinds. */
static inline size_t peer_begin(struct buf *b, uint8_t kind, uint8_t flags, uint64_t number)
{
    size_t at = b->len;
    buf_u32(b, 0);
    buf_u8(b, kind);
    buf_u8(b, flags);
    buf_u16(b, 0);
    if (kind >= FRAME_FIRST_NUMBERED) {
        buf_u64(b, number);
        buf_u64(b, 0);
    }
    return at;
}
static inline void peer_end(struct buf *b, size_t at) { buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER)); }

static inline void peer_limits(struct buf *b)
{
    buf_u32(b, LIMIT_FRAME);
    buf_u32(b, LIMIT_SESS_OPENS);
    buf_u32(b, LIMIT_SESS_OPEN_BYTES);
    buf_u32(b, LIMIT_SESS_ENDS);
}

/* A good hello of the incarnation `who`, with its preamble. */
static inline void peer_hello(struct buf *b, uint64_t session, uint64_t who)
{
    peer_preamble(b);
    size_t at = peer_begin(b, FRAME_HELLO, 0, 0);
    buf_u64(b, session);
    buf_u32(b, 1);                                   /* attempt */
    buf_u32(b, 0);                                   /* resumed */
    for (int i = 0; i < 4; i++)
        buf_u64(b, i < 2 ? who + (uint64_t)i : 0);   /* dialer, acceptor */
    buf_u64(b, 1);                                   /* expected */
    peer_limits(b);
    buf_text(b, "peer", 4);
    buf_text(b, "", 0);
    peer_end(b, at);
}

static inline void peer_welcome(struct buf *b, uint64_t who)
{
    peer_preamble(b);
    size_t at = peer_begin(b, FRAME_WELCOME, 0, 0);
    buf_u64(b, who);
    buf_u64(b, who + 1);
    buf_u64(b, 1);                                   /* expected */
    peer_limits(b);
    buf_text(b, "peer", 4);
    peer_end(b, at);
}

LEAT_CHECK static inline leat_err peer_write(struct link *l, const void *p, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    return link_writev(l, &v, 1);
}
#endif
