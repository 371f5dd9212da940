/* netrpc.c - a connection of Go's net/rpc as two gob streams. */
#include <string.h>
#include "rpc/netrpc.h"
#include "base/limits.h"

struct Nothing { char unused; };                     /* Go's struct{}, which goes with an error */
LEAT_DESCRIBE(Nothing, (local, unused));

static leat_err read_some(struct netrpc *s, void *p, size_t cap, size_t *n)      /* 0: the end */
{
    leat_err e = leat_read(s->c, p, cap, n);
    if (e != LEAT_CLOSED)
        return e;
    *n = 0;
    return LEAT_OK;
}

/* Behind CONNECT and what belongs to it a net/rpc server says yes, and then it is as without.  p has n bytes. */
static leat_err connected(struct netrpc *s, char *p, size_t cap, size_t *n)
{
    static const char yes[] = "HTTP/1.0 200 Connected to Go RPC\n\n";
    for (;;) {
        char *end = memmem(p, *n, "\n\n", 2), *crlf = memmem(p, *n, "\r\n\r\n", 4);
        char *rest = end && (!crlf || end < crlf) ? end + 2 : crlf ? crlf + 4 : NULL;     /* what is behind may have either, too */
        size_t got = 0;
        if (rest) {
            LEAT_TRY(leat_write(s->c, yes, sizeof yes - 1));
            *n -= (size_t)(rest - p);
            memmove(p, rest, *n);
            return *n ? LEAT_OK : read_some(s, p, cap, n);
        }
        if (*n == cap)
            return leat_fail(LEAT_LIMIT, "net/rpc: a CONNECT of over %zu bytes", cap);
        LEAT_TRY(read_some(s, p + *n, cap - *n, &got));
        if (got == 0)
            return leat_fail(LEAT_INVAL, "net/rpc: the stream ends within a CONNECT");
        *n += got;
    }
}

/* What comes first.  The first message of gob is a definition: its second byte is no ASCII, or it is odd and the third is a small number.
 * So no stream of gob begins as these do, which would wait for bytes that never come. */
static leat_err greet(struct netrpc *s, char *p, size_t cap, size_t *n)
{
    static const char no[] = "HTTP/1.0 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n405 must CONNECT\n";
    static const char *const others[] = { "CON", "GET", "POS", "HEA", "PUT", "OPT", "{\"" };
    LEAT_TRY(read_some(s, p, cap, n));
    for (size_t i = 0; i < sizeof others / sizeof *others && *n; i++) {
        size_t len = strlen(others[i]), got = 0;
        while (*n < len && memcmp(p, others[i], *n) == 0) {
            LEAT_TRY(read_some(s, p + *n, cap - *n, &got));
            if (got == 0)
                return LEAT_OK;
            *n += got;
        }
        if (*n < len || memcmp(p, others[i], len) != 0)
            continue;
        if (i == 0)
            return connected(s, p, cap, n);
        if (*p != '{')
            leat_ignore(leat_write(s->c, no, sizeof no - 1));
        return leat_fail(LEAT_INVAL, "net/rpc: this is %s, and no gob", *p == '{' ? "JSON" : "HTTP without CONNECT");
    }
    return LEAT_OK;
}

static leat_err fill(void *self, void *p, size_t cap, size_t *n)
{
    struct netrpc *s = self;
    if (!s->greets)
        return read_some(s, p, cap, n);
    s->greets = false;
    return greet(s, p, cap, n);
}

/* What one large message has left, so that a connection which is idle afterwards does not keep it */
static void give_back(struct buf *b)
{
    if (b->cap > LIMIT_GOB_KEPT)
        buf_free(b);
}

leat_err netrpc_open(struct netrpc *s, leat_conn *c)
{
    *s = (struct netrpc){ .c = c };
    s->feed = (struct gob_feed){ .read = fill, .self = s, .gob = &s->reader.gob, .limit = LIMIT_NETRPC_MESSAGE };
    s->out.max = s->writing.max = 2 * (size_t)LIMIT_NETRPC_MESSAGE;          /* they change places */
    s->kick = leat_chan_make(leat_none, 1);
    s->room = leat_chan_make(leat_none, 1);
    return s->kick && s->room ? LEAT_OK : leat_fail(LEAT_NOMEM, "net/rpc: no memory for a connection");
}

void netrpc_free(struct netrpc *s)
{
    leat_unref(s->kick);
    leat_unref(s->room);
    netrpc_shapes_free(s);
    gob_feed_free(&s->feed);
    gob_reader_free(&s->reader);
    gob_writer_free(&s->writer);
    buf_free(&s->out);
    buf_free(&s->writing);
}

/* lock */
static leat_err put(struct netrpc *s, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg)
{
    size_t was = s->out.len, sent = s->writer.sure;
    leat_err e = gob_write(&s->writer, head_type, head, &s->out);
    if (e == LEAT_OK)
        e = fn(s, arg);
    if (e != LEAT_OK) {                              /* the definitions that went with it are not sent either */
        buf_undo(&s->out, was);
        buf_undo(&s->writer.sent, sent);
        s->writer.sure = sent;
    }
    give_back(&s->writer.body);
    return e;
}

static leat_err put_below(struct netrpc *s, size_t most, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg)
{
    leat_err e;
    leat_with_lock(&s->lock, e)
        e = s->out.len < most ? put(s, head_type, head, fn, arg) : LEAT_AGAIN;
    if (e == LEAT_OK)
        leat_ignore(leat_try_send(s->kick, LEAT_NONE));
    return e;
}

leat_err netrpc_put_with(struct netrpc *s, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg)
{
    return put_below(s, SIZE_MAX, head_type, head, fn, arg);
}

leat_err netrpc_try_put_with(struct netrpc *s, const leat_type *head_type, const void *head, netrpc_body_fn *fn, void *arg)
{
    return put_below(s, LIMIT_SESS_UNSENT, head_type, head, fn, arg);
}

struct body { const leat_type *type; const void *v; };

static leat_err put_body(struct netrpc *s, void *arg)
{
    const struct body *b = arg;
    return gob_write(&s->writer, b->type, b->v, &s->out);
}

leat_err netrpc_put(struct netrpc *s, const leat_type *head_type, const void *head, const leat_type *body_type, const void *body)
{
    static const struct Nothing nothing;
    struct body b = { body ? body_type : &Nothing_type, body ? body : &nothing };
    return netrpc_put_with(s, head_type, head, put_body, &b);
}

static leat_err write_out(struct netrpc *s)
{
    leat_err e;
    for (;;) {
        leat_with_lock(&s->lock, e) {
            struct buf full = s->out;
            s->out = s->writing;
            s->writing = full;
        }
        if (e != LEAT_OK || s->writing.len == 0)
            return e;
        leat_ignore(leat_try_send(s->room, LEAT_NONE));
        e = leat_write(s->c, s->writing.p, s->writing.len);
        buf_reset(&s->writing);
        give_back(&s->writing);
        if (e != LEAT_OK)
            return e;
    }
}

leat_err netrpc_wait_room(struct netrpc *s)
{
    for (leat_err told = LEAT_AGAIN; ; ) {
        size_t unsent = 0;
        leat_none none;
        leat_err e;
        leat_with_lock(&s->lock, e)
            unsent = s->out.len;
        if (e != LEAT_OK || unsent < LIMIT_SESS_UNSENT) {
            if (told == LEAT_OK)
                leat_ignore(leat_try_send(s->room, LEAT_NONE));  /* others may wait for the same */
            return e;
        }
        LEAT_TRY(told = leat_recv(s->room, &none));
    }
}

leat_err netrpc_writes(struct netrpc **arg)
{
    struct netrpc *s = *arg;
    for (;;) {
        leat_none none;
        leat_err end = leat_recv(s->kick, &none), e = LEAT_OK;
        if (end == LEAT_OK || end == LEAT_CLOSED)
            e = write_out(s);
        if (e != LEAT_OK || end != LEAT_OK)
            return end == LEAT_CLOSED || end == LEAT_OK ? e : end;
    }
}

/* What a gob stream has against the peer, as the detail */
static leat_err failed(struct netrpc *s, leat_err e)
{
    if (s->reader.gob.why)
        return leat_fail(e, "net/rpc: byte %llu of the stream: %s", (unsigned long long)s->reader.gob.at, s->reader.gob.why);
    return e == LEAT_NOMEM ? leat_fail(e, "net/rpc: no memory for a message") : e;
}

leat_err netrpc_skip(struct netrpc *s)
{
    leat_err e = gob_feed_value(&s->feed);
    return e == LEAT_OK || e == LEAT_CLOSED ? e : failed(s, e);
}

leat_err netrpc_get(struct netrpc *s, const leat_type *t, void *v)
{
    LEAT_TRY(netrpc_skip(s));
    return gob_read(&s->reader, t, v);
}
