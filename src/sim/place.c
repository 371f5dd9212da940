/* place.c - addresses of a simulated world: who listens where, and what becomes of a dial. */
#include <stdlib.h>
#include <string.h>
#include "base/probe.h"
#include "run/sched.h"
#include "sim/net.h"

enum { DIAL_S = 20 };

struct place { struct machine *machine; char key[NET_KEY_MAX]; bool tcp; };

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
    ret->machine = w->machines[id];
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
/* The way there and back must be open: waits for that, up to DIAL_S. */
static leat_err reach(struct world *w, const char *url, uint32_t from, uint32_t to)
{
    int64_t give_up = w->now + (int64_t)DIAL_S * 1000000000;
    LEAT_TRY(leat_sleep(LEAT_NS(net_delay(w, from, to, 0))));
    if (BUGGIFY("fault.dial") && ++w->dials_reset)   /* a fault like others, which nobody planned: who dials may fail by it */
        return leat_fail(LEAT_SYS, "%s: the connection was reset", url);
    while (w->now < way_of(w, from, to)->blocked || w->now < way_of(w, to, from)->blocked || w->now < way_of(w, from, to)->down_until) {
        if (w->now < way_of(w, from, to)->down_until && sim_chance(&w->net, 4))
            return leat_fail(LEAT_SYS, "%s: there is no way to that host", url);
        if (w->now >= give_up) {
            w->hits[HIT_UNANSWERED]++;
            return leat_fail(LEAT_SYS, "%s: no answer in %d s", url, DIAL_S);
        }
        LEAT_TRY(leat_sleep(LEAT_MS(200)));          /* as often as a real one asks again */
    }
    return LEAT_OK;
}

static struct port *who_answers(struct world *w, struct place *at)
{
    at->machine = w->machines[at->machine->id];      /* it may have been started again meanwhile */
    return at->machine->dead || w->now < at->machine->refuses_until ? NULL : port_find(w, at);
}

static leat_err net_dial(void *self, const char *url, struct link **ret)
{
    struct world *w = self;
    struct place at;
    struct machine *m = machine_self();
    LEAT_TRY(place_find(w, url, &at));
    LEAT_TRY(reach(w, url, m->id, at.machine->id));
    struct port *p = who_answers(w, &at);
    trace_event(w, p ? "dial" : "refused", m->id, at.machine->id);
    trace_say(w, "h%u  dials %s: %s", m->id, url, p ? "connected" : "nobody listens there");
    if (!p) {
        w->hits[HIT_REFUSED]++;
        return leat_fail(LEAT_REFUSED, "%s: nobody listens there", url);
    }
    struct cable *c = cable_new(w, url, m, at.machine);
    if (p->first)
        p->last->queued = c;
    else
        p->first = c;
    p->last = c;
    slot_wake(&p->acceptor);
    leat_err err = leat_sleep(LEAT_NS(net_delay(w, at.machine->id, m->id, 0)));
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

const struct link_provider net_provider = { net_dial, net_listen };
