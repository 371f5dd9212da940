/* net.c - the links of a simulated world: what is written at one end arrives at the other, later, in pieces, or never.
 *
 * A cable has two ends and a flow each way.  A flow keeps what is under way in order: each of its chunks has an event that says
 * "the first one arrives now", so however the events fall, bytes never overtake each other.
 *  under_way  bytes that were written and not yet read; over WINDOW the writer waits.
 *  shut       this end was shut down: nothing passes for it any more; the other side reads to the end of what was written.
 *  broken     this end has learned that the link is no more.  What had arrived is still read.
 * Cables and ports live as long as the world: events may point to them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/url.h"
#include "link/link.h"
#include "run/host.h"
#include "run/sched.h"
#include "sim/world.h"

enum { WINDOW = 64 << 10, DIAL_S = 20, KEY_MAX = URL_PATH_MAX + 1 };
enum { NS_A_BYTE = 8, SLOW_NS_A_BYTE = 10000, SLOW_TIMES = 50 };     /* 1 Gbit/s; 100 kB/s */

struct chunk { struct chunk *next; size_t len, at; bool fin; uint8_t bytes[]; };
struct chunks { struct chunk *first, *last; };

struct end;
struct flow {
    struct cable *cable;
    struct end *to;
    uint32_t from_id, to_id;                         /* machines */
    struct chunks way, here;                         /* under way; arrived */
    size_t under_way;
    int64_t last_at;
    bool fin;                                        /* the end of the stream has arrived */
    struct task *reader, *writer;                    /* who waits */
};
struct end {
    struct link link;
    struct cable *cable;
    struct flow *in, *out;
    bool shut, broken;
};
struct cable {
    struct cable *next;                              /* all of the world's */
    struct cable *queued;                            /* not yet accepted: the port's queue */
    struct world *world;
    uint64_t id;
    struct end end[2];                               /* 0: who dialed */
    struct flow flow[2];                             /* 0: from end 0 */
};
struct port {                                        /* where somebody listens */
    struct link_listener l;
    struct port *next;
    struct machine *machine;
    char key[KEY_MAX];                               /* the number of a tcp port, the path of a unix socket */
    struct cable *first, *last;
    struct task *acceptor;
    bool shut;
};

/* -- waiting ----------------------------------------------------------------------------------------------------------------- */
static leat_err slot_wait(struct task **slot)
{
    struct task *t = task_self();
    assert(!*slot);
    *slot = t;
    at_store(&t->park, PARK_WAIT);
    uint32_t why = task_wait(t);
    if (why == PARK_CHAN)
        return LEAT_OK;
    if (*slot == t)
        *slot = NULL;
    leat_err e = task_wait_err(t, why);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

static void slot_wake(struct task **slot)
{
    struct task *t = *slot;
    *slot = NULL;
    if (t && task_claim(t, PARK_CHAN))
        task_ready(worker_self(), t);
}

/* -- bytes under way ----------------------------------------------------------------------------------------------------------- */
static void chunks_put(struct chunks *q, struct chunk *c)
{
    c->next = NULL;
    if (q->first)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
}

static struct chunk *chunks_take(struct chunks *q)
{
    struct chunk *c = q->first;
    if (c)
        q->first = c->next;
    return c;
}

static void chunks_free(struct chunks *q)
{
    for (struct chunk *c; (c = chunks_take(q)); )
        free(c);
}

static void end_break(struct end *e)
{
    if (e->broken)
        return;
    e->broken = true;
    trace_event(e->cable->world, "broken", e->cable->id, e->in->to_id);
    trace_say(e->cable->world, "h%u  link %llu to h%u is broken", e->in->to_id, (unsigned long long)e->cable->id, e->in->from_id);
    chunks_free(&e->out->way);
    slot_wake(&e->in->reader);
    slot_wake(&e->out->writer);
}

static void end_break_event(struct world *w, void *arg)
{
    (void)w;
    end_break(arg);
}

static int64_t delay(struct world *w, uint32_t from, uint32_t to, size_t len)
{
    const struct way *y = way_of(w, from, to);
    int64_t ns = y->delay + (int64_t)len * NS_A_BYTE;
    if (w->conf.faults != FAULTS_NONE)
        ns += (int64_t)rng_below(&w->net, (uint32_t)y->delay + 1);
    if (w->now < y->slow_until)
        ns = ns * SLOW_TIMES + (int64_t)len * SLOW_NS_A_BYTE;
    w->hits[HIT_DELAY] += ns > 1000000;
    return ns;
}

static void deliver(struct world *w, struct flow *f, struct chunk *c)
{
    struct end *other = &f->cable->end[f->to == &f->cable->end[0]];
    trace_event(w, c->fin ? "fin" : "chunk", f->cable->id << 8 | f->to_id, c->len);
    trace_bytes(w, c->bytes, c->len);
    trace_say(w, "h%u  link %llu from h%u: %zu bytes arrive%s", f->to_id, (unsigned long long)f->cable->id, f->from_id, c->len,
        c->fin ? ", and the end" : "");
    if (w->machines[f->to_id].dead || f->to->shut || f->to->broken) {
        if (!c->fin && !w->machines[f->to_id].silent)            /* nobody there: the sender is told */
            event_add(w, w->now + delay(w, f->to_id, f->from_id, 0), end_break_event, other);
        free(c);
        return;
    }
    if (c->fin) {
        f->fin = true;
        free(c);
    } else {
        chunks_put(&f->here, c);
    }
    slot_wake(&f->reader);
}

static void arrive(struct world *w, void *arg)
{
    struct flow *f = arg;
    struct way *y = way_of(w, f->from_id, f->to_id);
    if (!f->way.first)
        return;                                      /* the link has broken meanwhile */
    if (w->now < y->blocked) {
        if (y->blocked != NEVER)
            event_add(w, y->blocked + delay(w, f->from_id, f->to_id, 0), arrive, f);
        return;
    }
    struct chunk *c = chunks_take(&f->way);
    bool counts = !c->fin && f->from_id != f->to_id;
    if (counts)
        w->hits[HIT_CHUNK]++;
    deliver(w, f, c);
    if (counts)
        plan_chunk(w, f->from_id, f->to_id);
}

static void flow_send(struct flow *f, struct chunk *c)
{
    struct world *w = f->cable->world;
    f->under_way += c->len;
    f->last_at = MAX(f->last_at, w->now + delay(w, f->from_id, f->to_id, c->len));
    chunks_put(&f->way, c);
    event_add(w, f->last_at, arrive, f);
}

/* -- ends ------------------------------------------------------------------------------------------------------------------------ */
static struct end *end_of(struct link *l) { return container_of(l, struct end, link); }

static leat_err end_lost(void)
{
    return leat_fail(LEAT_PEER_LOST, "the connection was reset");
}

/* Some of what has arrived, by the seed: a program must not count on getting all. */
static size_t portion(struct world *w, const struct flow *f, size_t cap)
{
    size_t n = 0;
    for (const struct chunk *c = f->here.first; c && n < cap; c = c->next)
        n += c->len - c->at;
    n = MIN(n, cap);
    if (n < 2 || w->conf.faults == FAULTS_NONE)
        return n;
    uint32_t style = rng_below(&w->net, 8);
    size_t part = style == 0 ? 1 + rng_below(&w->net, (uint32_t)MIN(n, (size_t)16)) : style < 3 ? 1 + rng_below(&w->net, (uint32_t)n) : n;
    w->hits[HIT_SHORT_READ] += part < n;
    return part;
}

static void flow_take(struct flow *f, uint8_t *to, size_t n)
{
    f->under_way -= n;
    while (n) {
        struct chunk *c = f->here.first;
        size_t k = MIN(n, c->len - c->at);
        memcpy(to, c->bytes + c->at, k);
        to += k;
        n -= k;
        c->at += k;
        if (c->at == c->len)
            free(chunks_take(&f->here));
    }
}

static leat_err end_read(struct link *l, void *to, size_t cap, size_t *ret)
{
    struct end *e = end_of(l);
    struct flow *f = e->in;
    for (;;) {
        if (e->shut)
            return leat_fail(LEAT_CLOSED, "this side has closed the link");
        if (f->here.first) {
            *ret = portion(e->cable->world, f, cap);
            flow_take(f, to, *ret);
            slot_wake(&f->writer);
            return LEAT_OK;
        }
        if (e->broken)
            return end_lost();
        if (f->fin)
            return leat_fail(LEAT_CLOSED, "the other side has closed the link");
        LEAT_TRY(slot_wait(&f->reader));
    }
}

static struct chunk *chunk_of(struct iovec *v, int n, size_t max)
{
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += v[i].iov_len;
    len = MIN(len, max);
    struct chunk *c = sim_alloc(sizeof *c + len);
    c->len = len;
    size_t at = 0;
    for (int i = 0; i < n && at < len; i++) {
        size_t k = MIN(v[i].iov_len, len - at);
        if (k)
            memcpy(c->bytes + at, v[i].iov_base, k);
        v[i].iov_base = (uint8_t *)v[i].iov_base + k;
        v[i].iov_len -= k;
        at += k;
    }
    return c;
}

static leat_err end_writev(struct link *l, struct iovec *v, int n)
{
    struct end *e = end_of(l);
    struct flow *f = e->out;
    size_t left = 0;
    for (int i = 0; i < n; i++)
        left += v[i].iov_len;
    while (left) {
        if (e->shut)
            return leat_fail(LEAT_CLOSED, "this side has closed the link");
        if (e->broken)
            return end_lost();
        if (f->under_way < WINDOW) {
            struct chunk *c = chunk_of(v, n, WINDOW - f->under_way);
            left -= c->len;
            flow_send(f, c);
            continue;
        }
        e->cable->world->hits[HIT_FULL]++;
        LEAT_TRY(slot_wait(&f->writer));
    }
    return LEAT_OK;
}

static void end_shutdown(struct link *l)
{
    struct end *e = end_of(l);
    if (e->shut)
        return;
    e->shut = true;
    trace_event(e->cable->world, "shut", e->cable->id, e->in->to_id);
    slot_wake(&e->in->reader);
    slot_wake(&e->out->writer);
    if (e->broken)
        return;
    struct chunk *c = sim_alloc(sizeof *c);
    c->fin = true;
    flow_send(e->out, c);
}

static void end_close(struct link *l)
{
    end_shutdown(l);
    chunks_free(&end_of(l)->in->here);
}

static const struct link_ops end_ops = { end_read, end_writev, end_shutdown, end_close };

/* -- addresses ------------------------------------------------------------------------------------------------------------------- */
struct place { struct machine *machine; char key[KEY_MAX]; bool tcp; };

static bool is_self(const char *host)
{
    static const char *const self[] = { "localhost", "127.0.0.1", "::1", "*", "0.0.0.0", "::" };
    for (size_t i = 0; i < ARRAY_LEN(self); i++)
        if (strcmp(host, self[i]) == 0)
            return true;
    return false;
}

static leat_err place_find(struct world *w, const char *url, struct place *ret)
{
    struct url u;
    const char *why = url_parse(url, &u);
    if (!why && u.kind == URL_OTHER)
        why = "a simulated world has tcp: and unix:";
    if (why)
        return leat_fail(LEAT_INVAL, "'%.80s' is no address: %s", url, why);
    *ret = (struct place){ .machine = machine_self(), .tcp = u.kind == URL_TCP };
    if (!ret->tcp) {
        snprintf(ret->key, sizeof ret->key, "%s", u.path);
        return LEAT_OK;
    }
    snprintf(ret->key, sizeof ret->key, "%u", u.port);
    if (is_self(u.host))
        return LEAT_OK;
    char *end;
    unsigned long id = u.host[0] == 'h' ? strtoul(u.host + 1, &end, 10) : UINT32_MAX;
    if (id >= w->conf.nodes || u.host[1] < '0' || u.host[1] > '9' || *end)
        return leat_fail(LEAT_SYS, "%s: there is no host %s in this simulated world; its hosts are h0 to h%u", url, u.host,
            w->conf.nodes - 1);
    ret->machine = &w->machines[id];
    return LEAT_OK;
}

static struct port *port_find(struct world *w, const struct place *at)
{
    for (struct port *p = w->ports; p; p = p->next)
        if (!p->shut && p->machine == at->machine && strcmp(p->key, at->key) == 0)
            return p;
    return NULL;
}

/* -- dialing and listening ----------------------------------------------------------------------------------------------------------- */
static struct cable *cable_new(struct world *w, const char *url, uint32_t a, uint32_t b)
{
    struct cable *c = sim_alloc(sizeof *c);
    c->world = w;
    c->id = w->cables ? w->cables->id + 1 : 1;
    c->next = w->cables;
    w->cables = c;
    for (int i = 0; i < 2; i++) {
        c->end[i] = (struct end){ .link.ops = &end_ops, .cable = c, .in = &c->flow[!i], .out = &c->flow[i] };
        c->flow[i] = (struct flow){ .cable = c, .to = &c->end[!i], .from_id = i ? b : a, .to_id = i ? a : b };
    }
    snprintf(c->end[0].link.text, LINK_TEXT_MAX, "%s", url);
    snprintf(c->end[1].link.text, LINK_TEXT_MAX, "tcp://h%u:%u", a, 50000 + (unsigned)(c->id % 10000));
    return c;
}

/* The way there and back must be open: waits for that, up to DIAL_S. */
static leat_err reach(struct world *w, const char *url, uint32_t from, uint32_t to)
{
    int64_t give_up = w->now + (int64_t)DIAL_S * 1000000000;
    LEAT_TRY(leat_sleep(LEAT_NS(delay(w, from, to, 0))));
    while (w->now < way_of(w, from, to)->blocked || w->now < way_of(w, to, from)->blocked) {
        if (w->now >= give_up) {
            w->hits[HIT_UNANSWERED]++;
            return leat_fail(LEAT_SYS, "%s: no answer in %d s", url, DIAL_S);
        }
        LEAT_TRY(leat_sleep(LEAT_MS(200)));          /* as often as a real one asks again */
    }
    return LEAT_OK;
}

static leat_err net_dial(void *self, const char *url, struct link **ret)
{
    struct world *w = self;
    struct place at;
    struct machine *m = machine_self();
    LEAT_TRY(place_find(w, url, &at));
    LEAT_TRY(reach(w, url, m->id, at.machine->id));
    struct port *p = at.machine->dead ? NULL : port_find(w, &at);
    trace_event(w, p ? "dial" : "refused", m->id, at.machine->id);
    trace_say(w, "h%u  dials %s: %s", m->id, url, p ? "connected" : "nobody listens there");
    if (!p) {
        w->hits[HIT_REFUSED]++;
        return leat_fail(LEAT_REFUSED, "%s: nobody listens there", url);
    }
    struct cable *c = cable_new(w, url, m->id, at.machine->id);
    if (p->first)
        p->last->queued = c;
    else
        p->first = c;
    p->last = c;
    slot_wake(&p->acceptor);
    leat_err err = leat_sleep(LEAT_NS(delay(w, at.machine->id, m->id, 0)));
    if (err != LEAT_OK) {
        end_close(&c->end[0].link);
        return err;
    }
    *ret = &c->end[0].link;
    return LEAT_OK;
}

static leat_err port_accept(struct link_listener *l, struct link **ret)
{
    struct port *p = container_of(l, struct port, l);
    for (;;) {
        if (p->shut)
            return leat_fail(LEAT_CLOSED, "%s: nobody listens there any more", l->url);
        struct cable *c = p->first;
        if (c) {
            p->first = c->queued;
            *ret = &c->end[1].link;
            return LEAT_OK;
        }
        LEAT_TRY(slot_wait(&p->acceptor));
    }
}

static void port_shutdown(struct link_listener *l)
{
    struct port *p = container_of(l, struct port, l);
    p->shut = true;
    slot_wake(&p->acceptor);
}

static void port_close(struct link_listener *l)
{
    struct port *p = container_of(l, struct port, l);
    port_shutdown(l);
    for (struct cable *c = p->first; c; c = c->queued)
        end_close(&c->end[1].link);
    p->first = NULL;
}

static const struct link_listener_ops port_ops = { port_accept, port_shutdown, port_close };

static leat_err net_listen(void *self, const char *url, const struct link_listen_opts *o, struct link_listener **ret)
{
    struct world *w = self;
    struct place at;
    (void)o;
    LEAT_TRY(place_find(w, url, &at));
    if (at.machine != machine_self())
        return leat_fail(LEAT_SYS, "%s: this is host h%u, which does not have that address", url, machine_self()->id);
    while (at.tcp && strcmp(at.key, "0") == 0) {
        snprintf(at.key, sizeof at.key, "%u", ++at.machine->next_port);
        if (port_find(w, &at))
            strcpy(at.key, "0");
    }
    if (port_find(w, &at))
        return leat_fail(LEAT_SYS, "%s: the address is in use", url);
    struct port *p = sim_alloc(sizeof *p);
    p->l.ops = &port_ops;
    p->machine = at.machine;
    memcpy(p->key, at.key, sizeof at.key);
    if (at.tcp)
        snprintf(p->l.url, sizeof p->l.url, "tcp://h%u:%s", at.machine->id, at.key);
    else
        snprintf(p->l.url, sizeof p->l.url, "unix:%s", at.key);
    p->next = w->ports;
    w->ports = p;
    trace_say(w, "h%u  listens at %s", at.machine->id, p->l.url);
    *ret = &p->l;
    return LEAT_OK;
}

/* -- for the world ------------------------------------------------------------------------------------------------------------------- */
void net_open(struct world *w)
{
    static const struct link_provider provider = { net_dial, net_listen };
    uint32_t n = w->conf.nodes;
    w->ways = sim_alloc(n * n * sizeof *w->ways);
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a; b < n; b++) {
            int64_t d = a == b ? 10000 : w->conf.faults == FAULTS_NONE ? 50000 : sim_log_uniform(&w->net, 50000, 5000000);
            way_of(w, a, b)->delay = way_of(w, b, a)->delay = d;
        }
    link_provider_set(w->rt, &provider, w);
}

static bool between(const struct cable *c, uint32_t a, uint32_t b)
{
    return (c->flow[0].from_id == a && c->flow[0].to_id == b) || (c->flow[0].from_id == b && c->flow[0].to_id == a);
}

void net_cut(struct world *w, uint32_t a, uint32_t b)
{
    for (struct cable *c = w->cables; c; c = c->next)
        for (int i = 0; between(c, a, b) && i < 2; i++)
            end_break(&c->end[i]);
}

void net_crash(struct world *w, struct machine *m)
{
    for (uint32_t i = 0; m->silent && i < w->conf.nodes; i++)
        way_of(w, i, m->id)->blocked = way_of(w, m->id, i)->blocked = NEVER;
    for (struct cable *c = w->cables; c && !m->silent; c = c->next)
        for (int i = 0; i < 2; i++) {
            struct end *e = &c->end[i];
            if (e->in->from_id == m->id && e->in->to_id != m->id && !e->shut)
                event_add(w, w->now + delay(w, m->id, e->in->to_id, 0), end_break_event, e);
        }
}

void net_close(struct world *w)
{
    for (struct cable *c = w->cables, *next; c; c = next) {
        next = c->next;
        for (int i = 0; i < 2; i++) {
            chunks_free(&c->flow[i].way);
            chunks_free(&c->flow[i].here);
        }
        free(c);
    }
    for (struct port *p = w->ports, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    free(w->ways);
}
