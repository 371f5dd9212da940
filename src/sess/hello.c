/* hello.c - the first words on a link.
 *
 * Each side sends a preamble of 16 bytes at once; the dialer adds HELLO, the acceptor answers WELCOME or DEAD.  Whatever else may
 * knock at a port (HTTP, TLS, SSH, noise, silence) is recognised by its first bytes and gets one clear refusal; nothing is
 * allocated for it beyond the first block of the inbox, and other peers do not notice. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "plat/random.h"
#include "run/err.h"
#include "sess/impl.h"

enum { LINGER_MS = 500, GUESS_MIN = 4 };

/* -- what is not leat --------------------------------------------------------------------------------------------------------- */
static bool begins(const uint8_t *p, size_t n, const char *with)
{
    return n >= strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

static bool is_http(const uint8_t *p, size_t n)
{
    static const char *const words[] = { "GET ", "PUT ", "POST", "HEAD", "OPTI", "DELE", "PATC", "CONN", "TRAC", "PRI ", "HTTP" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (begins(p, n, words[i]))
            return true;
    return false;
}

static const char *guess(const uint8_t *p, size_t n)
{
    if (is_http(p, n))
        return "HTTP";
    if (n >= 2 && (p[0] == 0x16 || p[0] == 0x15) && p[1] == 3)
        return "TLS";
    if (begins(p, n, "SSH-"))
        return "SSH";
    for (size_t i = 0; i < n && i < 16; i++)
        if (p[i] > '~' || (p[i] < ' ' && p[i] != '\r' && p[i] != '\n' && p[i] != '\t'))
            return "bytes that mean nothing here";
    return "another protocol";
}

/* -- bytes -------------------------------------------------------------------------------------------------------------------- */
static void preamble_put(struct buf *b)
{
    buf_put(b, PREAMBLE_MAGIC, 8);
    buf_u16(b, WIRE_MAJOR);
    buf_u16(b, WIRE_MINOR);
    buf_u32(b, 0);
}

static size_t frame_open(struct buf *b, uint8_t kind)
{
    size_t at = b->len;
    frame_put_header(b, kind, 0);
    return at;
}

static void frame_close(struct buf *b, size_t at)
{
    buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER));
}

static void limits_put(struct buf *b)
{
    const struct sess_limits *l = sess_own_limits();
    buf_u32(b, l->frame);
    buf_u32(b, l->opens);
    buf_u32(b, l->open_bytes);
    buf_u32(b, l->ends);
}

static struct sess_limits limits_get(struct cur *c)
{
    struct sess_limits l;
    l.frame = cur_u32(c);
    l.opens = cur_u32(c);
    l.open_bytes = cur_u32(c);
    l.ends = cur_u32(c);
    return l;
}

static void text_get(struct cur *c, char *to, size_t max)            /* to has max + 1 bytes */
{
    size_t n;
    const char *p = cur_text(c, &n);
    if (!p || n > max || memchr(p, 0, n)) {
        cur_fail(c);
        n = 0;
    }
    if (n)
        memcpy(to, p, n);
    to[n] = 0;
}

static leat_err send_all(struct link *l, struct buf *b)
{
    leat_err e = buf_err(b);
    struct iovec v = { b->p, b->len };
    if (e == LEAT_OK)
        e = link_writev(l, &v, 1);
    buf_free(b);
    return e;
}

void greeting_done(struct greeting *g)
{
    link_close(g->link);
    mem_free(g->in.p);
    g->link = NULL;
    g->in = (struct inbox){ 0 };
}

/* -- reading ------------------------------------------------------------------------------------------------------------------- */
static leat_err not_leat(const uint8_t *p, size_t n)
{
    return leat_fail(LEAT_REFUSED, "it speaks %s, not leat", guess(p, n));
}

static leat_err more(struct greeting *g, bool preamble)
{
    leat_err e = inbox_fill(&g->in, g->link);
    if (e != LEAT_CLOSED)
        return e;
    size_t n = g->in.len - g->in.at;
    const uint8_t *p = g->in.p + g->in.at;
    if (preamble && n && memcmp(p, PREAMBLE_MAGIC, MIN(n, (size_t)8)) != 0)
        return not_leat(p, n);
    g->gone = true;
    return leat_fail(LEAT_REFUSED, n || !preamble ? "it was gone in the middle of its hello" : "it closed the link and said nothing");
}

static leat_err preamble_get(struct greeting *g)
{
    for (;;) {
        size_t n = g->in.len - g->in.at;
        const uint8_t *p = g->in.p + g->in.at;
        if (n >= GUESS_MIN && memcmp(p, PREAMBLE_MAGIC, MIN(n, (size_t)8)) != 0)
            return not_leat(p, n);
        if (n >= PREAMBLE_BYTES) {
            struct cur c = cur_of(p + 8, 4);
            unsigned major = cur_u16(&c);
            g->his.minor = cur_u16(&c);
            g->in.at += PREAMBLE_BYTES;
            if (major == WIRE_MAJOR)
                return LEAT_OK;
            return leat_fail(LEAT_REFUSED, "it speaks version %u of leat's protocol, this side version %d: build both with one version",
                major, WIRE_MAJOR);
        }
        LEAT_TRY(more(g, true));
    }
}

/* The next whole frame, which is a short one.  *ret is valid until the inbox is filled again. */
static leat_err frame_get(struct greeting *g, uint8_t *kind, struct cur *ret)
{
    for (;;) {
        struct cur c = cur_of(g->in.p + g->in.at, g->in.len - g->in.at);
        uint32_t len = cur_u32(&c);
        *kind = cur_u8(&c);
        uint8_t flags = cur_u8(&c);
        uint16_t zero = cur_u16(&c);
        if (!c.bad && (len > LIMIT_HELLO || flags || zero || *kind >= FRAME_FIRST_NUMBERED))
            return leat_fail(LEAT_REFUSED, "its hello is wrong: %s", len > LIMIT_HELLO ? "too long" : "no hello at all");
        if (!c.bad && cur_left(&c) >= len) {
            *ret = cur_part(&c, len);
            g->in.at += FRAME_HEADER + len;
            return LEAT_OK;
        }
        LEAT_TRY(more(g, false));
    }
}

static leat_err refused_by(struct greeting *g, struct cur *c)
{
    char text[LIMIT_REASON + 1] = "";
    size_t n;
    g->dead = cur_u8(c) != LEAT_DEADLINE;            /* that is said of this link alone: the hello came too late */
    const char *p = cur_text(c, &n);
    if (p)
        sess_show(text, sizeof text, p, n);
    return leat_fail(LEAT_REFUSED, "it refuses: %s", text[0] ? text : "it does not say why");
}

/* -- the dialer ---------------------------------------------------------------------------------------------------------------- */
static leat_err hello_send(struct greeting *g, const struct hello *h)
{
    struct buf b = { 0 };
    preamble_put(&b);
    size_t at = frame_open(&b, FRAME_HELLO);
    buf_u64(&b, h->session);
    buf_u32(&b, h->attempt);
    buf_u32(&b, h->resumed);                         /* and three bytes of nothing */
    buf_put(&b, h->dialer, INCARNATION);
    buf_put(&b, h->acceptor, INCARNATION);
    buf_u64(&b, h->expected);
    limits_put(&b);
    buf_text(&b, h->name, strlen(h->name));
    buf_text(&b, h->job, strlen(h->job));
    buf_u32(&b, h->grace_ms);
    buf_u32(&b, strncmp(g->link->text, "unix:", 5) == 0 && !g->node->rt->seam ? (uint32_t)plat_pid() : 0);
    frame_close(&b, at);
    return send_all(g->link, &b);
}

/* What version 1.0 did not have yet: who leaves it out does not come back. */
static uint32_t grace_get(struct cur *c)
{
    return !c->bad && cur_left(c) >= sizeof(uint32_t) ? cur_u32(c) : 0;
}

static leat_err welcome_get(struct greeting *g)
{
    struct cur c;
    uint8_t kind;
    struct hello *h = &g->his;
    LEAT_TRY(frame_get(g, &kind, &c));
    if (kind == FRAME_DEAD)
        return refused_by(g, &c);
    if (kind != FRAME_WELCOME)
        return leat_fail(LEAT_REFUSED, "its answer to the hello is wrong");
    (void)cur_get(&c, h->acceptor, INCARNATION);
    h->expected = cur_u64(&c);
    h->limits = limits_get(&c);
    text_get(&c, h->name, LIMIT_NODE_NAME);
    h->grace_ms = grace_get(&c);
    if (c.bad || h->expected == 0 || h->limits.frame < LIMIT_FRAME)
        return leat_fail(LEAT_REFUSED, "its answer to the hello is wrong");
    return LEAT_OK;
}

static leat_err dial_words(struct greeting *g, const struct hello *mine)
{
    leat_err e = hello_send(g, mine);
    if (e != LEAT_OK && e != LEAT_CLOSED && e != LEAT_SYS)
        return e;
    leat_err e2 = preamble_get(g);                   /* it may have said why before it closed the link */
    if (e2 == LEAT_OK)
        e2 = welcome_get(g);
    return e2;
}

leat_err hello_dial(struct greeting *g, const struct hello *mine)
{
    leat_dur limit = node_silence(g->node);
    leat_scope_ sc = leat_scope_begin_(limit);
    leat_err e = dial_words(g, mine);
    leat_scope_end_(&sc);
    if (e == LEAT_DEADLINE && leat_ctx_err() == LEAT_OK)
        return leat_fail(LEAT_REFUSED, "%s: no answer to the hello in %g s: is it leat that listens there?", g->link->text,
            (double)limit.ns / 1e9);
    return e == LEAT_OK ? e : leat_wrap(e, "%s", g->link->text);
}

/* -- the acceptor -------------------------------------------------------------------------------------------------------------- */
static leat_err hello_get(struct greeting *g)
{
    uint8_t kind;
    struct cur c;
    struct hello *h = &g->his;
    LEAT_TRY(frame_get(g, &kind, &c));
    if (kind != FRAME_HELLO)
        return leat_fail(LEAT_REFUSED, "its hello is wrong: no hello at all");
    h->session = cur_u64(&c);
    h->attempt = cur_u32(&c);
    uint32_t resumed = cur_u32(&c);
    h->resumed = resumed & 1;
    (void)cur_get(&c, h->dialer, INCARNATION);
    (void)cur_get(&c, h->acceptor, INCARNATION);
    h->expected = cur_u64(&c);
    h->limits = limits_get(&c);
    text_get(&c, h->name, LIMIT_NODE_NAME);
    text_get(&c, h->job, JOB_MAX);
    h->grace_ms = grace_get(&c);
    h->process = !c.bad && cur_left(&c) >= sizeof(uint32_t) ? cur_u32(&c) : 0;
    if (c.bad)
        return leat_fail(LEAT_REFUSED, "its hello is wrong: too short, or a name too long");
    if (h->attempt == 0 || h->expected == 0 || resumed > 1 || h->limits.frame < LIMIT_FRAME)
        return leat_fail(LEAT_REFUSED, "its hello is wrong: numbers that cannot be");
    if (h->job[0] && g->node->job[0] && strcmp(h->job, g->node->job) != 0)
        return leat_fail(LEAT_REFUSED, "it belongs to another launch (LEAT_JOB)");
    return LEAT_OK;
}

size_t hello_put_dead(uint8_t room[DEAD_MAX], leat_err e, const char *reason)
{
    struct buf b = buf_on(room, DEAD_MAX, DEAD_MAX);
    size_t at = frame_open(&b, FRAME_DEAD);
    buf_u8(&b, (uint8_t)e);
    buf_text(&b, reason, MIN(strlen(reason), (size_t)LIMIT_REASON));
    frame_close(&b, at);
    return b.len;
}

void hello_leave(struct link *l, leat_err e, const char *reason)
{
    uint8_t room[DEAD_MAX];
    struct iovec v = { room, hello_put_dead(room, e, reason) };
    leat_scope_ sc = leat_scope_begin_(LEAT_MS(LINGER_MS));
    if (l)
        leat_ignore(link_writev(l, &v, 1));
    leat_scope_end_(&sc);
}

static void linger(struct greeting *g)
{
    leat_time began = leat_now();                    /* who goes on and on never lets a read wait for its deadline */
    leat_scope_ sc = leat_scope_begin_(LEAT_MS(LINGER_MS));
    for (leat_err e = LEAT_OK; e == LEAT_OK && leat_since(began).ns < LINGER_MS * 1000000; g->in.at = g->in.len)
        e = inbox_fill(&g->in, g->link);
    leat_scope_end_(&sc);
}

void hello_refuse(struct greeting *g, leat_err e, const char *reason)
{
    struct buf b = { 0 };
    if (is_http(g->in.p + g->in.at, g->in.len - g->in.at)) {
        static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
            "This port speaks leat, not HTTP.\n";
        buf_put(&b, text, sizeof text - 1);
    } else {
        preamble_put(&b);
        uint8_t room[DEAD_MAX];
        buf_put(&b, room, hello_put_dead(room, e, reason));
    }
    if (send_all(g->link, &b) == LEAT_OK)
        linger(g);
}

/* The detail is about "it", the peer, who is told the same. */
leat_err hello_accept(struct greeting *g)
{
    leat_dur limit = node_silence(g->node);
    leat_scope_ sc = leat_scope_begin_(limit);
    leat_err e = preamble_get(g);
    if (e == LEAT_OK)
        e = hello_get(g);
    leat_scope_end_(&sc);
    if (e == LEAT_OK)
        return e;
    char why[FAIL_MAX], told[FAIL_MAX + LIMIT_NODE_NAME + 80];
    snprintf(why, sizeof why, "%s", leat_err_detail());
    if (e == LEAT_DEADLINE)
        snprintf(why, sizeof why, "it sent no hello within %g s", (double)limit.ns / 1e9);
    snprintf(told, sizeof told, "%s says of this side: %s", g->node->name, why);
    if (e == LEAT_REFUSED || e == LEAT_DEADLINE)
        hello_refuse(g, e, told);
    return leat_fail(LEAT_REFUSED, "%s", why);
}

leat_err hello_welcome(leat_node *n, struct link *l, uint64_t expected)
{
    struct buf b = { 0 };
    preamble_put(&b);
    size_t at = frame_open(&b, FRAME_WELCOME);
    buf_put(&b, n->incarnation, INCARNATION);
    buf_u64(&b, expected);
    limits_put(&b);
    buf_text(&b, n->name, strlen(n->name));
    buf_u32(&b, node_grace_ms(n));
    frame_close(&b, at);
    if (BUGGIFY("sess.welcome_late"))
        leat_ignore(leat_sleep(LEAT_MS(300)));
    leat_scope_ sc = leat_scope_begin_(node_silence(n));
    leat_err e = send_all(l, &b);
    leat_scope_end_(&sc);
    return e;
}
