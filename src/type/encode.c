/* encode.c - a value to bytes: runs the steps of plan.h over it.  See codec.h. */
#include "base/limits.h"
#include "type/codec.h"
#include "type/error.h"
#include "type/frames.h"

struct encoder {
    struct buf *out;
    struct type_ends *ends;
    size_t ends_put;
    bool plain;                                      /* for who speaks version 1.1: of errors only code and text */
    struct type_lend *lend;                          /* NULL: all bytes are copied */
    struct frames s;
};

/* Whether these n bytes, which the value owns, stay where they are.  A field of the value itself: then nothing that it hangs from is
 * borrowed. */
static bool lent(struct encoder *k, const void *p, size_t n)
{
    struct type_lend *l = k->lend;
    if (!l || n < l->least || l->n == LEND_PARTS || k->s.depth != 1)
        return false;
    l->part[l->n].at = k->out->len;
    l->part[l->n].p = p;
    l->part[l->n++].len = n;
    return true;
}

/* a length of one byte is nearly every length */
static inline void put_text(struct buf *out, const void *p, size_t n)
{
    if (likely(n < 0x80)) {
        uint8_t *to = buf_add(out, n + 1);
        if (likely(to != NULL)) {
            *to = (uint8_t)n;
            copy_short(to + 1, p, n);
        }
    } else {
        buf_text(out, p, n);
    }
}

static inline void put_copy(struct buf *out, const char *at, size_t n)
{
    uint8_t *to = buf_add(out, n);
    if (likely(to != NULL))
        copy_short(to, at, n);
}

static leat_err put_cstr(struct encoder *k, const char *at)
{
    const char *p;
    memcpy(&p, at, sizeof p);
    size_t n = p ? strlen(p) : 0;
    if (n >= LIMIT_LIST)
        return frames_fail(&k->s, LEAT_LIMIT, "over 4 GiB");
    buf_varint(k->out, p ? n + 1 : 0);
    buf_put(k->out, p, n);
    return LEAT_OK;
}

static leat_err put_chars(struct encoder *k, const char *at, uint32_t room)
{
    size_t n = strnlen(at, room);
    if (n == room)
        return frames_fail(&k->s, LEAT_INVAL, "no NUL in its %u bytes", room);
    put_text(k->out, at, n);
    return LEAT_OK;
}

static leat_err put_optional(struct encoder *k, const char *at, const struct type_plan *sub)
{
    void *p;
    memcpy(&p, at, sizeof p);
    buf_u8(k->out, p != NULL);
    return p ? frames_push(&k->s, sub, p, 1) : LEAT_OK;
}

static leat_err put_list(struct encoder *k, const char *at, const struct type_plan *sub)
{
    leat_strings list;                               /* all lists and maps are laid out alike */
    memcpy(&list, at, sizeof list);
    if (list.len > 0 && !list.at)
        return frames_fail(&k->s, LEAT_INVAL, "%u elements at NULL", list.len);
    buf_varint(k->out, list.len);
    if (sub->raw) {
        bool kept = list.cap > 0 && list.cap / 2 <= list.len;        /* not much memory for few bytes */
        if (!kept || !lent(k, list.at, (size_t)list.len * sub->size))
            buf_put(k->out, list.at, (size_t)list.len * sub->size);
        return LEAT_OK;
    }
    return list.len > 0 ? frames_push(&k->s, sub, list.at, list.len) : LEAT_OK;
}

static leat_err put_oneof(struct encoder *k, char *at, const struct type_op *op)
{
    uint32_t which;
    memcpy(&which, at, sizeof which);
    if (which > op->n)
        return frames_fail(&k->s, LEAT_INVAL, "no case %u: there are %u", which, op->n);
    buf_varint(k->out, which);
    return which > 0 ? frames_push(&k->s, &op->sub[which - 1], at, 1) : LEAT_OK;
}

static leat_err put_end(struct encoder *k, const char *at, const struct type_op *op)
{
    leat_chan_ *c;
    memcpy(&c, at, sizeof c);
    buf_u8(k->out, c != NULL);
    if (!c)
        return LEAT_OK;
    if (!k->ends || !k->ends->put)
        return frames_fail(&k->s, LEAT_INVAL, "a channel end cannot be sent here");
    leat_err e = k->ends->put(k->ends, c, op->code == OP_RX, op->elem, k->out);
    if (e != LEAT_OK)
        return frames_wrap(&k->s, e);
    k->ends_put++;
    return LEAT_OK;
}

static leat_err put_text_at(struct encoder *k, const char *at)
{
    leat_string text;
    memcpy(&text, at, sizeof text);
    if (unlikely(text.len > 0 && !text.p))
        return frames_fail(&k->s, LEAT_INVAL, "%u bytes at NULL", text.len);
    if (unlikely(k->lend != NULL) && text.owned && text.len >= k->lend->least) {
        buf_varint(k->out, text.len);
        if (lent(k, text.p, text.len))
            return LEAT_OK;
        buf_put(k->out, text.p, text.len);
        return LEAT_OK;
    }
    put_text(k->out, text.p, text.len);
    return LEAT_OK;
}

static leat_err put_error(struct encoder *k, const char *at)
{
    for (int row = 0; at; row++) {
        leat_error e;
        memcpy(&e, at, sizeof e);
        bool more = !k->plain && error_has_more(&e);
        if (row == LIMIT_ERROR_CHAIN)
            return frames_fail(&k->s, LEAT_LIMIT, "over %d errors in a row, each the cause of the one before", LIMIT_ERROR_CHAIN);
        if ((uint32_t)e.code >= ERROR_MORE)
            return frames_fail(&k->s, LEAT_INVAL, "no code of an error");
        if ((e.text.len > 0 && !e.text.p) || (e.node.len > 0 && !e.node.p) || (e.details.len > 0 && !e.details.p))
            return frames_fail(&k->s, LEAT_INVAL, "an error with bytes at NULL");
        buf_u32(k->out, (uint32_t)e.code | (more ? ERROR_MORE : 0));
        put_text(k->out, e.text.p, e.text.len);
        if (!more)
            return LEAT_OK;
        put_text(k->out, e.node.p, e.node.len);
        put_text(k->out, e.details.p, e.details.len);
        buf_u8(k->out, e.cause != NULL);
        at = (const char *)e.cause;
    }
    return LEAT_OK;
}

/* The steps that nearly all are, as long as there is room: copies, short texts, the next value of a row.  Leaves f at the first
 * step that is not so.  It changes nothing in what they mean: each could be taken by put_value as well. */
static inline void put_fast(struct buf *out, struct frame *f)
{
    if (unlikely(buf_err(out) != LEAT_OK || !out->p))
        return;
    uint8_t *to = out->p + out->len, *end = out->p + out->cap;
    const struct type_op *op = f->op;
    const char *base = f->base;
    for (;;) {
        if (op->code == OP_COPY) {
            if (op->n > (size_t)(end - to))
                break;
            copy_short(to, base + op->off, op->n);
            to += op->n;
            op++;
        } else if (op->code == OP_TEXT) {
            leat_string text;
            memcpy(&text, base + op->off, sizeof text);
            if (text.len >= 0x80 || text.len >= (size_t)(end - to) || (text.len > 0 && !text.p))
                break;
            *to++ = (uint8_t)text.len;
            copy_short(to, text.p, text.len);
            to += text.len;
            op++;
        } else if (op->code == OP_END && f->left > 1) {
            f->left--;
            base += f->plan->size;
            op = f->plan->ops;
        } else {
            break;
        }
    }
    f->op = op;
    f->base = (char *)(uintptr_t)base;
    out->len = (size_t)(to - out->p);
}

static leat_err put_failed(const leat_type *t, const struct buf *out)
{
    if (buf_err(out) == LEAT_LIMIT)
        return leat_fail(LEAT_LIMIT, "a value of %s is over %zu bytes", t->name, out->max ? out->max : (size_t)LIMIT_BUF);
    return leat_fail(buf_err(out), "no memory for a value of %s", t->name);
}

static leat_err put_value(struct encoder *k)
{
    for (;;) {
        struct frame *f = frames_top(&k->s);
        put_fast(k->out, f);
        const struct type_op *op = f->op++;
        char *at = f->base + op->off;
        leat_err e = LEAT_OK;
        switch (op->code) {
        case OP_COPY: put_copy(k->out, at, op->n); break;
        case OP_BOOL: buf_u8(k->out, *(uint8_t *)at != 0); break;
        case OP_TEXT: e = put_text_at(k, at); break;
        case OP_CSTR: e = put_cstr(k, at); break;
        case OP_CHARS: e = put_chars(k, at, op->n); break;
        case OP_OPTIONAL: e = put_optional(k, at, op->sub); break;
        case OP_LIST: case OP_MAP: e = put_list(k, at, op->sub); break;
        case OP_ONEOF: e = put_oneof(k, at, op); break;
        case OP_TX: case OP_RX: e = put_end(k, at, op); break;
        case OP_ERROR: e = put_error(k, at); break;
        case OP_END:
            if (frames_end(&k->s))
                return LEAT_OK;
            if (unlikely(buf_err(k->out) != LEAT_OK))                /* a long list is not walked to its end for nothing */
                return put_failed(k->s.type, k->out);
        }
        if (unlikely(e != LEAT_OK))
            return e;
    }
}

static leat_err encode_undo(const leat_type *t, struct buf *out, size_t before)
{
    leat_err e = put_failed(t, out);
    buf_undo(out, before);
    return e;
}

size_t type_raw_bytes(const leat_type *t)
{
    const struct type_info *info;
    return type_info_get(t, &info) == LEAT_OK && info->plan->raw ? info->plan->size : 0;
}

static leat_err encode(const leat_type *t, const void *v, struct buf *out, struct type_ends *ends, struct type_lend *lend)
{
    const struct type_info *info;
    size_t before = out->len;
    if (buf_err(out) != LEAT_OK)
        return put_failed(t, out);
    LEAT_TRY(type_info_get(t, &info));
    if (info->plan->raw) {
        put_copy(out, v, info->plan->size);
        return likely(buf_err(out) == LEAT_OK) ? LEAT_OK : encode_undo(t, out, before);
    }
    struct encoder k;
    k.out = out;
    k.ends = ends;
    k.ends_put = 0;
    k.plain = lend ? lend->plain : ends && ends->plain;
    k.lend = lend;
    frames_init(&k.s, t);
    leat_err e = frames_push(&k.s, info->plan, (void *)(uintptr_t)v, 1);     /* only read */
    if (e == LEAT_OK)
        e = put_value(&k);
    if (unlikely(e != LEAT_OK || buf_err(out) != LEAT_OK)) {
        e = e != LEAT_OK ? e : put_failed(t, out);
        buf_undo(out, before);
        if (k.ends_put > 0 && ends->undo)
            ends->undo(ends, k.ends_put);
    }
    frames_free(&k.s);
    return e;
}

struct type_ends type_plain = { .plain = true };

leat_err type_encode(const leat_type *t, const void *v, struct buf *out, struct type_ends *ends)
{
    return encode(t, v, out, ends, NULL);
}

leat_err type_encode_lend(const leat_type *t, const void *v, struct buf *out, struct type_lend *lend)
{
    return encode(t, v, out, NULL, lend);
}
