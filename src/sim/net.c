/* net.c - the links of a simulated world: what is written at one end arrives at the other, later, in pieces, or never.  See net.h. */
#include "sim/net.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/probe.h"
#include "run/sched.h"

enum { WINDOW = 64 << 10, SMALL_WINDOW = 256 };
enum { NS_A_BYTE = 8, SLOW_NS_A_BYTE = 10000, SLOW_TIMES = 50 };     /* 1 Gbit/s; 100 kB/s */

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
    if (e->in->here.first && sim_chance(&e->cable->world->net, 2)) {             /* a reset takes what has arrived along, too */
        e->cable->world->hits[HIT_RESET]++;
        chunks_free(&e->in->here);
    }
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

int64_t net_delay(struct world *w, uint32_t from, uint32_t to, size_t len)
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

/* Nobody is there: the sender is told, unless there is not even a machine to tell it. */
static void nobody(struct world *w, struct flow *f, const struct chunk *c)
{
    struct end *other = &f->cable->end[f->to == &f->cable->end[0]];
    bool mute = f->dest->silent && w->machines[f->to_id] == f->dest;
    if (!c->fin && !mute)
        event_add(w, w->now + net_delay(w, f->to_id, f->from_id, 0), end_break_event, other);
}

static void deliver(struct world *w, struct flow *f, struct chunk *c)
{
    trace_event(w, c->fin ? "fin" : "chunk", f->cable->id << 8 | f->to_id, c->len);
    trace_bytes(w, c->bytes, c->len);
    if (w->trace.text) {
        char names[200];
        frames_name(f, c->bytes, c->len, names, sizeof names);
        trace_say(w, "h%u  link %llu from h%u: %zu bytes arrive%s%s", f->to_id, (unsigned long long)f->cable->id, f->from_id, c->len,
            c->fin ? ", and the end" : "", names);
    }
    if (f->dest->dead || f->to->shut || f->to->broken) {
        nobody(w, f, c);
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
            event_add(w, y->blocked + net_delay(w, f->from_id, f->to_id, 0), arrive, f);
        return;
    }
    struct chunk *c = chunks_take(&f->way);
    bool counts = !c->fin && f->from_id != f->to_id;
    if (counts)
        w->hits[HIT_CHUNK]++;
    if (counts && c->len > 1 && strike_tears(w)) {
        w->hits[HIT_TORN]++;
        c->len = 1 + rng_below(&w->net, (uint32_t)c->len - 1);
    }
    deliver(w, f, c);
    if (counts)
        strike_chunk(w, f->from_id, f->to_id);
}

static void flow_send(struct flow *f, struct chunk *c)
{
    struct world *w = f->cable->world;
    f->under_way += c->len;
    f->last_at = MAX(f->last_at, w->now + net_delay(w, f->from_id, f->to_id, c->len));
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

static size_t window(void) { return BUGGIFY("net.small_window") ? SMALL_WINDOW : WINDOW; }

static struct chunk *chunk_of(struct iovec *v, int n, size_t max)
{
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += v[i].iov_len;
    len = MIN(len, max);
    struct chunk *c = malloc(sizeof *c + len);
    if (!c)
        abort();
    *c = (struct chunk){ .len = len };
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
        size_t most = window();
        if (f->under_way < most) {
            struct chunk *c = chunk_of(v, n, BUGGIFY("net.short_write") ? 1 : most - f->under_way);
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

void end_close(struct link *l)
{
    end_shutdown(l);
    chunks_free(&end_of(l)->in->here);
}

static const struct link_ops end_ops = { .read = end_read, .writev = end_writev, .shutdown = end_shutdown, .close = end_close };

/* -- cables ---------------------------------------------------------------------------------------------------------------------- */
struct cable *cable_new(struct world *w, const char *url, struct machine *from, struct machine *to)
{
    struct cable *c = sim_alloc(sizeof *c);
    c->world = w;
    c->id = w->cables ? w->cables->id + 1 : 1;
    c->next = w->cables;
    w->cables = c;
    for (int i = 0; i < 2; i++) {
        struct machine *a = i ? to : from, *b = i ? from : to;
        c->end[i] = (struct end){ .link.ops = &end_ops, .cable = c, .in = &c->flow[!i], .out = &c->flow[i] };
        c->flow[i] = (struct flow){ .cable = c, .to = &c->end[!i], .from = a, .dest = b, .from_id = a->id, .to_id = b->id };
    }
    snprintf(c->end[0].link.text, LINK_TEXT_MAX, "%s", url);
    snprintf(c->end[1].link.text, LINK_TEXT_MAX, "tcp://h%u:%u", from->id, 50000 + (unsigned)(c->id % 10000));
    return c;
}

/* -- for the world ------------------------------------------------------------------------------------------------------------------- */
void net_open(struct world *w)
{
    uint32_t n = w->conf.nodes;
    w->ways = sim_alloc(n * n * sizeof *w->ways);
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a; b < n; b++) {
            int64_t d = a == b ? 10000 : w->conf.faults == FAULTS_NONE ? 50000 : sim_log_uniform(&w->net, 50000, 5000000);
            way_of(w, a, b)->delay = way_of(w, b, a)->delay = d;
        }
    link_provider_set(w->rt, &net_provider, w);
}

void net_cut(struct world *w, uint32_t a, uint32_t b, bool half)
{
    for (struct cable *c = w->cables; c; c = c->next)
        for (int i = 0; i < 2; i++) {
            uint32_t from = c->flow[i].from_id, to = c->flow[i].to_id;
            if ((from == a && to == b) || (!half && from == b && to == a))
                end_break(&c->end[i]);
        }
}

void net_crash(struct world *w, struct machine *m)
{
    for (struct cable *c = w->cables; c && !m->silent; c = c->next)
        for (int i = 0; i < 2; i++) {
            struct end *e = &c->end[i];
            if (e->in->from == m && e->in->to_id != m->id && !e->shut)
                event_add(w, w->now + net_delay(w, m->id, e->in->to_id, 0), end_break_event, e);
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
