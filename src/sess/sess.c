/* sess.c - the life of a session: made, started, closed or broken, waited for, freed. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/probe.h"
#include "plat/peek.h"
#include "run/err.h"
#include "sess/impl.h"
#include "type/codec.h"

enum { SMALL_RING = 2000, SMALL_ROOM = 500 };

static const struct sess_limits own_limits = {
    .frame = LIMIT_FRAME, .opens = LIMIT_SESS_OPENS, .open_bytes = LIMIT_SESS_OPEN_BYTES, .ends = LIMIT_SESS_ENDS,
};

leat_node *sess_node(struct sess *s) { return s->node; }
bool sess_dialed(const struct sess *s) { return s->dialed; }
const char *sess_name(const struct sess *s) { return s->name; }
const char *sess_text(const struct sess *s) { return s->text; }

const char *sess_url(const struct sess *s) { return s->url ? s->url : ""; }

void sess_peek_text(const struct sess *s, char *text, size_t cap)
{
    size_t n = peek(s->text, text, MIN(cap, sizeof s->text) & ~(size_t)7);
    text[n < cap ? n : cap - 1] = 0;
}
const struct sess_limits *sess_limits(const struct sess *s) { return &s->limits; }
bool sess_types(const struct sess *s) { return s->minor >= WIRE_TYPES; }
bool sess_forms(const struct sess *s) { return s->minor >= WIRE_FORMS; }
struct type_ends *sess_plain(const struct sess *s) { return s->minor >= WIRE_ERRORS ? NULL : &type_plain; }
const struct sess_limits *sess_own_limits(void) { return &own_limits; }
size_t sess_landed(const struct sess *s) { return s->land.n; }
uint64_t sess_received(const struct sess *s) { return at_load(&s->received); }
bool sess_is_down(const struct sess *s) { return !at_load_acq(&s->up) && s->grace.ns > 0 && !sess_ended(s); }
bool sess_ended(const struct sess *s) { return at_load_acq(&s->state) != SESS_LIVE; }
const char *leat_peer_name(const leat_peer *p) { return ((const struct sess *)(const void *)p)->name; }

void sess_show(char *to, size_t cap, const char *text, size_t n)
{
    n = MIN(n, cap - 1);
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)text[i] < ' ' || (unsigned char)text[i] == 127 ? ' ' : text[i];
    to[n] = 0;
}

/* A name comes from elsewhere and is shown to people: what could play tricks on a terminal is replaced. */
static void set_name(struct sess *s, const char *peer_name)
{
    sess_show(s->name, sizeof s->name, peer_name, strlen(peer_name));
    if (!s->name[0])
        snprintf(s->name, sizeof s->name, "%.*s", LIMIT_NODE_NAME, s->link->text);
    snprintf(s->text, sizeof s->text, "%s (%s)", s->name, s->link->text);
}

struct sess *sess_new(struct greeting *g, bool dialed)
{
    struct sess *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->node = g->node;
    s->link = g->link;
    s->in = g->in;
    g->link = NULL;
    g->in = (struct inbox){ 0 };
    s->dialed = dialed;
    s->last_at = SIZE_MAX;
    s->ring_max = BUGGIFY("sess.ring_small") ? SMALL_RING : LIMIT_SESS_RING;
    s->unsent_max = BUGGIFY("sess.room_small") ? SMALL_ROOM : LIMIT_SESS_UNSENT;
    at_store(&s->refs, 1);
    GAUGE("sessions", 1);
    node_ref(s->node);
    s->id = g->his.session;
    s->attempt = g->his.attempt;
    s->limits = g->his.limits;
    s->minor = MIN(g->his.minor, (uint16_t)WIRE_MINOR);
    s->grace = LEAT_MS(MIN(g->his.grace_ms, node_grace_ms(s->node)));
    if (!dialed && g->his.process && link_process(s->link) == g->his.process)        /* nobody stands between */
        s->process = g->his.process;
    memcpy(s->peer, dialed ? g->his.acceptor : g->his.dialer, INCARNATION);
    set_name(s, g->his.name);
    return s;
}

void sess_ref(struct sess *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, RLX);
}

void sess_let_go(struct sess *s)
{
    lock(&s->out_lock);
    struct replay ring = s->ring;
    struct replay_block *wdata = s->wdata;
    struct buf bufs[] = { s->ctl, s->data, s->wctl };
    s->ring = (struct replay){ 0 };
    s->wdata = NULL;
    s->unwritten = s->wdata_at = s->busy = 0;
    s->ctl = s->data = s->wctl = (struct buf){ 0 };
    at_store(&s->kept, 0);
    unlock(&s->out_lock);
    replay_block_put(&ring, wdata);
    replay_free(&ring);
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_free(&bufs[i]);
    mem_free(s->in.p);
    s->in = (struct inbox){ 0 };
}

void sess_unref(struct sess *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, ACQ_REL) != 1)
        return;
    for (const struct sess_user *const *u = s->node->users; *u; u++)
        if ((*u)->free)
            (*u)->free(s);
    link_close(s->link);
    buf_free(&s->ctl);
    buf_free(&s->data);
    tails_free(&s->tails);
    buf_free(&s->wctl);
    replay_block_put(&s->ring, s->wdata);
    replay_free(&s->ring);
    mem_free(s->in.p);
    mem_free(s->url);
    node_unref(s->node);
    GAUGE("sessions", -1);
    mem_free(s);
}

/* The reader, which then ends at once, tells the users. */
static void start_failed(struct sess *s)
{
    char why[FAIL_MAX];
    snprintf(why, sizeof why, "%s", leat_err_detail());
    hello_leave(s->link, LEAT_NOMEM, why);
    lock(&s->out_lock);
    (void)sess_fail_locked(s, why);
    s->writer_left = true;
    unlock(&s->out_lock);
}

leat_err sess_start(struct sess *s, leat_err *no_writer)
{
    uint32_t attempt = s->attempt;                   /* once it is on the list, its dialer may come back with the next one */
    for (const struct sess_user *const *u = s->node->users; *u; u++)
        if ((*u)->open)
            LEAT_TRY((*u)->open(s));
    at_store(&s->up, true);
    LEAT_TRY(node_sess_add(s));                      /* before WELCOME: who was welcomed gets a BYE when the node is closed */
    if (!s->dialed && hello_welcome(s->node, s->link, 1) != LEAT_OK) {
        lock(&s->out_lock);                          /* the dialer will come back, with a higher attempt */
        sess_link_broke_locked(s, leat_err_detail());
        unlock(&s->out_lock);
    } else {
        sess_tell(s, LEAT_PEER_UP, attempt);
    }
    sess_ref(s);
    *no_writer = go_begun(&s->node->group, sess_write, s);
    if (*no_writer != LEAT_OK) {
        sess_unref(s);
        start_failed(s);
    }
    return LEAT_OK;
}

/* -- waiting ---------------------------------------------------------------------------------------------------------------- */
leat_err sess_wait_on(struct sess *s, struct waiters *q)
{
    struct waiter me = { .task = task_self(), .owner = s };
    waiter_add(q, &me);
    at_store(&me.task->park, PARK_WAIT);
    unlock_fence(&s->out_lock);
    uint32_t why = task_wait(me.task);
    if (why == PARK_CHAN)
        return LEAT_OK;
    lock(&s->out_lock);
    if (me.on)
        waiter_del(q, &me);
    unlock(&s->out_lock);
    leat_err e = task_wait_err(me.task, why);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

void sess_wake_all(struct waiters *q)
{
    for (struct waiter *x; (x = waiter_claim(q)); )
        task_ready(worker_self(), x->task);
}

leat_err sess_wait_end(struct sess *s)
{
    for (;;) {
        lock(&s->out_lock);
        if (at_load(&s->state) == SESS_ENDED) {
            unlock(&s->out_lock);
            return LEAT_OK;
        }
        LEAT_TRY(sess_wait_on(s, &s->enders));
    }
}

leat_err leat_peer_wait(leat_peer *p)
{
    struct sess *s = sess_of(p);
    if (!s)
        return leat_fail(LEAT_INVAL, "leat_peer_wait: no peer");
    sess_ref(s);                                     /* the program may close p meanwhile */
    leat_err e = sess_wait_end(s);
    if (e == LEAT_OK && s->result != LEAT_OK)
        e = sess_lost(s);
    sess_unref(s);
    return e;
}

/* -- the end ---------------------------------------------------------------------------------------------------------------- */
bool sess_fail_locked(struct sess *s, const char *text)
{
    if (at_load(&s->state) >= SESS_BROKEN)
        return false;
    snprintf(s->fail, sizeof s->fail, "%s", text);
    at_store_rel(&s->state, SESS_BROKEN);
    sess_wake_all(&s->room);
    sess_wake_all(&s->flushers);
    sess_wake_all(&s->linkers);
    if (s->redialing)
        leat_cancel(s->redialing, LEAT_CANCELED);
    return true;
}

/* `fail` is what the peer is told; here the peer's name comes before it (sess_fail_text). */
void sess_break(struct sess *s, leat_err err, const char *fmt, ...)
{
    char why[FAIL_MAX];
    struct task *wake = NULL;
    va_list a;
    va_start(a, fmt);
    vsnprintf(why, sizeof why, fmt, a);
    va_end(a);
    lock(&s->out_lock);
    if (sess_fail_locked(s, why)) {
        s->dead_due = true;
        s->dead_err = (uint8_t)err;
        sess_writer_wake_locked(s, &wake);
    }
    if (s->writer_left && s->link)
        link_shutdown(s->link);                      /* no DEAD can be sent; the reader leaves */
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}

bool sess_done_locked(const struct sess *s)
{
    return s->bye_got && at_load_acq(&s->bye_sent) && at_load(&s->taken) == at_load(&s->sent);
}

const char *sess_fail_text(struct sess *s)
{
    size_t n = strlen(s->text);
    switch (at_load_acq(&s->state)) {
    case SESS_LIVE:
        return "the session lives";
    case SESS_CLOSING:
        return "the session is being closed";
    default:
        if (strncmp(s->fail, s->text, n) == 0 && strncmp(s->fail + n, ": ", 2) == 0)
            return s->fail + n + 2;
        return s->fail[0] ? s->fail : "the session was closed";
    }
}

leat_err sess_lost(struct sess *s)
{
    return leat_fail(LEAT_PEER_LOST, "%s: %s", s->text, sess_fail_text(s));
}

void sess_close_begin(struct sess *s, bool here)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    s->closed_here |= here && at_load(&s->state) < SESS_BROKEN;
    if (at_load(&s->state) == SESS_LIVE) {
        at_store_rel(&s->state, SESS_CLOSING);
        sess_wake_all(&s->room);
        sess_wake_all(&s->linkers);
        sess_writer_wake_locked(s, &wake);
    }
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}
