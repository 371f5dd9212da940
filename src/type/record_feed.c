/* record_feed.c - a stream of bytes cut into records.  See record_feed.h. */
#include "type/record_feed.h"

enum { PIECE = 64 << 10, HEAD_MAX = 10 };

leat_err record_bad(struct record_feed *f, uint64_t at, const char *why)
{
    if (!f->why) {
        f->why = why;
        f->at = at;
    }
    return LEAT_INVAL;
}

static leat_err cut_short(struct record_feed *f)
{
    return record_bad(f, f->offset + (f->in.len - f->from), "cut short: the stream ends inside a record");
}

/* Until there are n bytes that are not used, or (OK as well) the end. */
static leat_err need(struct record_feed *f, size_t n)
{
    while (f->in.len - f->from < n) {
        size_t got = 0;
        if (f->from >= PIECE || f->from == f->in.len) {
            size_t left = f->in.len - f->from;
            if (left)
                memmove(f->in.p, f->in.p + f->from, left);
            f->in.len = left;
            f->from = 0;
        }
        f->in.max = RECORD_MAX + 2 * PIECE;
        uint8_t *p = buf_room(&f->in, PIECE);
        if (!p)
            return buf_err(&f->in);
        leat_err e = f->read(f->self, p, PIECE, &got);
        if (e != LEAT_OK || got == 0)
            return e;
        f->in.len += MIN(got, (size_t)PIECE);
    }
    return LEAT_OK;
}

static struct cur unused(const struct record_feed *f) { return cur_of(f->in.p + f->from, f->in.len - f->from); }

static void use(struct record_feed *f, size_t n)
{
    f->from += n;
    f->offset += n;
}

static leat_err magic(struct record_feed *f)
{
    LEAT_TRY(need(f, RECORD_MAGIC_BYTES));
    size_t n = MIN(f->in.len - f->from, (size_t)RECORD_MAGIC_BYTES);
    for (size_t i = 0; i < n; i++)
        if (f->in.p[f->from + i] != (uint8_t)RECORD_MAGIC[i])
            return record_bad(f, i, "this is no stream of leat's: it begins otherwise");
    if (n < RECORD_MAGIC_BYTES)                      /* a recorder that was given nothing has written nothing */
        return n ? cut_short(f) : LEAT_CLOSED;
    use(f, RECORD_MAGIC_BYTES);
    f->begun = true;
    return LEAT_OK;
}

/* The length, which arrives byte by byte so that nobody waits for more than there is. */
static leat_err length(struct record_feed *f, size_t *head, uint64_t *ret)
{
    for (size_t want = 1; want <= HEAD_MAX; want++) {
        LEAT_TRY(need(f, want));
        struct cur c = unused(f);
        if (cur_left(&c) < want)
            return want == 1 ? LEAT_CLOSED : cut_short(f);
        if (c.p[want - 1] >= 0x80)
            continue;
        *head = want;
        *ret = cur_varint(&c);
        return c.bad || *ret == 0 ? record_bad(f, f->offset, "a length that is none") : LEAT_OK;
    }
    return record_bad(f, f->offset, "a length that is none");
}

leat_err record_next(struct record_feed *f, uint8_t *kind, struct cur *ret, uint64_t *at)
{
    size_t head = 0;
    uint64_t n = 0;
    if (f->why)
        return LEAT_INVAL;
    if (!f->begun)
        LEAT_TRY(magic(f));
    LEAT_TRY(length(f, &head, &n));
    if (n > f->limit) {
        (void)record_bad(f, f->offset, "a record over the limit");
        return LEAT_LIMIT;
    }
    LEAT_TRY(need(f, head + (size_t)n));
    struct cur c = unused(f);
    if (cur_left(&c) < head + (size_t)n)
        return cut_short(f);
    c.p += head;
    *ret = cur_part(&c, (size_t)n);
    *at = f->offset + head + 1;
    *kind = cur_u8(ret);
    use(f, head + (size_t)n);
    if (*kind != RECORD_TYPE && *kind != RECORD_VALUE)
        return record_bad(f, *at - 1, "a record of a kind that this version does not know");
    return LEAT_OK;
}
