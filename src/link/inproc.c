/* inproc.c - links inside a program: two bounded buffers of bytes, found by name.
 *
 * A pair is two pipes and two ends.  One lock protects a pair; it is held for the copy of at most PIPE_BYTES.  A name belongs to one
 * runtime and, in a simulated world, to one machine of it.
 *  ended    nothing is put into either pipe any more.  What is in one can still be read by an end that was not shut down itself.
 *  refs     ends that were not closed; the last one frees the pair. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "link/kinds.h"
#include "run/host.h"
#include "run/sched.h"

enum { PIPE_BYTES = 32 << 10, BACKLOG = 128, TURNS = 16 };             /* TURNS: calls that need not wait before others get a turn */

struct pipe {
    uint32_t read, len;
    struct task *reader, *writer;                    /* who waits */
    uint8_t bytes[PIPE_BYTES];
};
struct pair;
struct end {
    struct link link;
    struct pair *pair;
    struct pipe *in, *out;
    bool shut;
    uint32_t reads, writes;                          /* the reader's, the writer's: calls since the last one that waited */
};
struct pair {
    _Atomic uint32_t lock;
    bool ended;
    uint32_t refs;
    struct end end[2];
    struct pair *next;                               /* not yet accepted: the listener's queue */
    struct pipe pipe[2];
};
struct inproc_listener {                             /* all but the first three: rt->inproc_lock */
    struct link_listener l;
    struct rt *rt;
    void *host;
    struct inproc_listener *next;
    struct pair *first, *last;
    uint32_t queued;
    struct task *acceptor;
    bool shut;
};

/* Waits, with *slot naming the waiter to others; l is held and is released.  OK: look again. */
static leat_err slot_wait(_Atomic uint32_t *l, struct task **slot)
{
    struct task *t = task_self();
    assert(!*slot);
    *slot = t;
    at_store(&t->park, PARK_WAIT);
    unlock_fence(l);
    uint32_t why = task_wait(t);
    if (why == PARK_CHAN)
        return LEAT_OK;
    lock(l);
    if (*slot == t)
        *slot = NULL;
    unlock(l);
    leat_err e = task_wait_err(t, why);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

/* l is held.  The result is to be made ready after unlocking; may be null. */
static struct task *slot_claim(struct task **slot)
{
    struct task *t = *slot;
    *slot = NULL;
    return t && task_claim(t, PARK_CHAN) ? t : NULL;
}

static void wake(struct task *t)
{
    if (t)
        task_ready(worker_self(), t);
}

/* Two tasks on two workers may never find the pipe empty or full; what else is ready there must still run. */
static void take_turns(uint32_t *calls)
{
    if (++*calls >= TURNS) {
        *calls = 0;
        leat_yield();
    }
}

static uint32_t pipe_get(struct pipe *p, uint8_t *to, size_t cap)
{
    uint32_t n = (uint32_t)MIN(cap, (size_t)p->len), first = MIN(n, PIPE_BYTES - p->read);
    memcpy(to, p->bytes + p->read, first);
    memcpy(to + first, p->bytes, n - first);
    p->read = (p->read + n) % PIPE_BYTES;
    p->len -= n;
    return n;
}

static uint32_t pipe_put(struct pipe *p, const uint8_t *from, size_t len)
{
    uint32_t n = (uint32_t)MIN(len, (size_t)(PIPE_BYTES - p->len)), at = (p->read + p->len) % PIPE_BYTES;
    uint32_t first = MIN(n, PIPE_BYTES - at);
    memcpy(p->bytes + at, from, first);
    memcpy(p->bytes, from + first, n - first);
    p->len += n;
    return n;
}

static leat_err end_read(struct link *l, void *to, size_t cap, size_t *ret)
{
    struct end *e = container_of(l, struct end, link);
    struct pair *p = e->pair;
    for (;;) {
        lock(&p->lock);
        if (e->in->len && !e->shut) {
            *ret = pipe_get(e->in, to, cap);
            struct task *t = slot_claim(&e->in->writer);
            unlock(&p->lock);
            wake(t);
            take_turns(&e->reads);
            return LEAT_OK;
        }
        if (p->ended) {
            unlock(&p->lock);
            return leat_fail(LEAT_CLOSED, "the other side has closed the link");
        }
        e->reads = 0;
        LEAT_TRY(slot_wait(&p->lock, &e->in->reader));
    }
}

static leat_err end_write(struct end *e, const uint8_t *from, size_t len)
{
    struct pair *p = e->pair;
    while (len) {
        lock(&p->lock);
        if (p->ended) {
            unlock(&p->lock);
            return leat_fail(LEAT_CLOSED, "the other side has closed the link");
        }
        uint32_t n = pipe_put(e->out, from, len);
        if (n) {
            struct task *t = slot_claim(&e->out->reader);
            unlock(&p->lock);
            wake(t);
            from += n;
            len -= n;
            take_turns(&e->writes);
            continue;
        }
        e->writes = 0;
        LEAT_TRY(slot_wait(&p->lock, &e->out->writer));
    }
    return LEAT_OK;
}

static leat_err end_writev(struct link *l, struct iovec *v, int n)
{
    for (int i = 0; i < n; i++)
        LEAT_TRY(end_write(container_of(l, struct end, link), v[i].iov_base, v[i].iov_len));
    return LEAT_OK;
}

static void end_shutdown(struct link *l)
{
    struct end *e = container_of(l, struct end, link);
    struct pair *p = e->pair;
    struct task *t[4];
    lock(&p->lock);
    e->shut = p->ended = true;
    for (int i = 0; i < 2; i++) {
        t[2 * i] = slot_claim(&p->pipe[i].reader);
        t[2 * i + 1] = slot_claim(&p->pipe[i].writer);
    }
    unlock(&p->lock);
    for (int i = 0; i < 4; i++)
        wake(t[i]);
}

static void end_close(struct link *l)
{
    struct pair *p = container_of(l, struct end, link)->pair;
    end_shutdown(l);
    lock(&p->lock);
    uint32_t refs = --p->refs;
    unlock(&p->lock);
    if (!refs)
        mem_free(p);
}

static const struct link_ops end_ops = { .read = end_read, .writev = end_writev, .shutdown = end_shutdown, .close = end_close };

static struct pair *pair_new(const char *url)
{
    struct pair *p = mem_alloc(sizeof *p);
    if (!p)
        return NULL;
    memset(p, 0, offsetof(struct pair, pipe));
    p->refs = 2;
    for (int i = 0; i < 2; i++) {
        memset(&p->pipe[i], 0, offsetof(struct pipe, bytes));
        struct end *e = &p->end[i];
        e->link.ops = &end_ops;
        snprintf(e->link.text, sizeof e->link.text, "%s", url);
        e->pair = p;
        e->in = &p->pipe[i];
        e->out = &p->pipe[!i];
    }
    return p;
}

leat_err link_pair(const char *text, struct link **ret_a, struct link **ret_b)
{
    struct pair *p = pair_new(text);
    if (!p)
        return leat_fail(LEAT_NOMEM, "%s: no memory for a link", text);
    *ret_a = &p->end[0].link;
    *ret_b = &p->end[1].link;
    return LEAT_OK;
}

/* -- names ---------------------------------------------------------------------------------------------------------------- */
static struct inproc_listener *find_locked(struct rt *rt, const char *url)
{
    for (struct inproc_listener *l = rt->inproc; l; l = l->next)
        if (l->host == host_self() && strcmp(l->l.url, url) == 0)
            return l;
    return NULL;
}

static leat_err check(struct rt *rt, const char *url)
{
    if (!rt)
        return leat_fail(LEAT_INVAL, "%s: this thread is no task: inproc: addresses belong to a running program", url);
    return url[strlen("inproc:")] ? LEAT_OK : leat_fail(LEAT_INVAL, "'%s' is no address: write inproc:NAME", url);
}

leat_err inproc_dial(const char *url, struct link **ret)
{
    struct rt *rt = rt_self();
    struct task *t = NULL;
    LEAT_TRY(check(rt, url));
    struct pair *p = pair_new(url);
    if (!p)
        return leat_fail(LEAT_NOMEM, "%s: no memory for a link", url);
    lock(&rt->inproc_lock);
    struct inproc_listener *l = find_locked(rt, url);
    bool full = l && l->queued >= BACKLOG;
    if (l && !full) {
        if (l->first)
            l->last->next = p;
        else
            l->first = p;
        l->last = p;
        l->queued++;
        t = slot_claim(&l->acceptor);
    }
    unlock(&rt->inproc_lock);
    if (!l || full) {
        mem_free(p);
        return full ? leat_fail(LEAT_LIMIT, "%s: too many wait to be accepted", url)
                    : leat_fail(LEAT_REFUSED, "%s: nobody listens there", url);
    }
    wake(t);
    *ret = &p->end[0].link;
    return LEAT_OK;
}

static leat_err listener_accept(struct link_listener *pub, struct link **ret)
{
    struct inproc_listener *l = container_of(pub, struct inproc_listener, l);
    struct rt *rt = l->rt;
    for (;;) {
        lock(&rt->inproc_lock);
        struct pair *p = l->shut ? NULL : l->first;
        if (p) {
            l->first = p->next;
            l->queued--;
            unlock(&rt->inproc_lock);
            *ret = &p->end[1].link;
            return LEAT_OK;
        }
        if (l->shut) {
            unlock(&rt->inproc_lock);
            return leat_fail(LEAT_CLOSED, "%s: nobody listens there any more", l->l.url);
        }
        LEAT_TRY(slot_wait(&rt->inproc_lock, &l->acceptor));
    }
}

static void listener_shutdown(struct link_listener *pub)
{
    struct inproc_listener *l = container_of(pub, struct inproc_listener, l);
    struct rt *rt = l->rt;
    struct task *t = NULL;
    lock(&rt->inproc_lock);
    if (!l->shut) {
        struct inproc_listener **at = &rt->inproc;
        while (*at != l)
            at = &(*at)->next;
        *at = l->next;
        l->shut = true;
        t = slot_claim(&l->acceptor);
    }
    unlock(&rt->inproc_lock);
    wake(t);
}

static void listener_close(struct link_listener *pub)
{
    struct inproc_listener *l = container_of(pub, struct inproc_listener, l);
    listener_shutdown(pub);
    for (struct pair *p = l->first, *next; p; p = next) {            /* dialed, and never accepted */
        next = p->next;
        end_close(&p->end[1].link);
    }
    mem_free(l);
}

static const struct link_listener_ops listener_ops = { listener_accept, listener_shutdown, listener_close };

leat_err inproc_listen(const char *url, const struct link_listen_opts *o, struct link_listener **ret)
{
    struct rt *rt = rt_self();
    (void)o;
    LEAT_TRY(check(rt, url));
    struct inproc_listener *l = mem_zalloc(sizeof *l);
    if (!l)
        return leat_fail(LEAT_NOMEM, "%s: no memory to listen", url);
    l->l.ops = &listener_ops;
    snprintf(l->l.url, sizeof l->l.url, "%s", url);
    l->rt = rt;
    l->host = host_self();
    lock(&rt->inproc_lock);
    bool taken = find_locked(rt, url) != NULL;
    if (!taken) {
        l->next = rt->inproc;
        rt->inproc = l;
    }
    unlock(&rt->inproc_lock);
    if (taken) {
        mem_free(l);
        return leat_fail(LEAT_REFUSED, "%s: another node of this program listens there: take another name", url);
    }
    *ret = &l->l;
    return LEAT_OK;
}
