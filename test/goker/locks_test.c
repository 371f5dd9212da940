/* locks_test.c - leaks by mutexes, once and channels.  See goker.h. */
#include "goker.h"

/* -- locked twice, or never unlocked ------------------------------------------------------------------------------------------ */
struct gossip { leat_mutex m; bool closed; };
static leat_err manage(struct gossip **g)
{
    for (int part = 0; part < 2; part++)             /* bootstrap, then manage */
        for (;;) {
            lock(&(*g)->m);
            if ((*g)->closed)
                break;                               /* and does not unlock */
            unlock(&(*g)->m);
        }
    return LEAT_OK;
}
GOKER(Cockroach584, "manage")
{
    struct gossip *g = new(struct gossip);
    g->closed = true;
    GO(manage, g);
    return LEAT_OK;
}

struct logging { leat_mutex m; };
static leat_err output_entry(struct logging **l)
{
    lock(&(*l)->m);
    lock(&(*l)->m);                                  /* exit, called because of an error */
    return LEAT_OK;
}
GOKER(Cockroach9935, "output_entry") { struct logging *l = new(struct logging); GO(output_entry, l); return LEAT_OK; }

struct service_vm { leat_mutex m; };
static void hot_remove(struct service_vm *s) { lock(&s->m); unlock(&s->m); }
static leat_err hot_add(struct service_vm **s)
{
    lock(&(*s)->m);
    hot_remove(*s);
    unlock(&(*s)->m);
    return LEAT_OK;
}
GOKER(Moby36114, "hot_add") { struct service_vm *s = new(struct service_vm); GO(hot_add, s); return LEAT_OK; }

struct udp_proxy { leat_mutex m; };
static leat_err proxy_run(struct udp_proxy **p)
{
    for (int i = 0; i < 2; i++)
        lock(&(*p)->m);                              /* the dial has failed, and the loop goes on without unlocking */
    unlock(&(*p)->m);
    return LEAT_OK;
}
GOKER(Moby7559, "proxy_run") { struct udp_proxy *p = new(struct udp_proxy); GO(proxy_run, p); return LEAT_OK; }

struct server { leat_mutex m; bool drain; _Atomic int drained; };
static leat_err serve(struct server **s)
{
    lock(&(*s)->m);
    unlock(&(*s)->m);
    return LEAT_OK;
}
static leat_err graceful_stops(struct server **s)
{
    for (int i = 0; i < 3; i++) {
        lock(&(*s)->m);
        if ((*s)->drain)
            lock(&(*s)->m);
        (*s)->drain = true;
        unlock(&(*s)->m);
    }
    return LEAT_OK;
}
GOKER(Grpc795, "graceful_stops")
{
    struct server *s = new(struct server);
    GO(serve, s);
    pause_a_little();
    GO(graceful_stops, s);
    return LEAT_OK;
}

struct devices { leat_mutex m; int deleted; };
struct locker { struct devices *d; channel done; };
static leat_err lock_devices(struct locker *l)
{
    lock(&l->d->m);
    send(l->done);
    unlock(&l->d->m);
    return LEAT_OK;
}
GOKER(Moby17176, "lock_devices")
{
    struct locker l = { new(struct devices), MAKE(0) };
    leat_err err;
    int v;
    lock(&l.d->m);                                   /* nothing was deleted: left without unlocking */
    GO(lock_devices, l);
    leat_select(err) { leat_on_after(LEAT_MS(1)) { } leat_on_recv(l.done, &v) { } }
    return err;
}

struct lb_cache { leat_mutex m; channel done; _Atomic int fired; };
static leat_err delete_later(struct lb_cache **c)
{
    lock(&(*c)->m);
    (*c)->fired = 1;                                 /* aborted: returns without unlocking */
    return LEAT_OK;
}
static leat_err churn(struct lb_cache **c)
{
    UNTIL((*c)->fired);
    lock(&(*c)->m);
    unlock(&(*c)->m);
    leat_close((*c)->done);
    return LEAT_OK;
}
GOKER(Grpc3017, "Grpc3017_ churn")
{
    struct lb_cache *c = new(struct lb_cache);
    c->done = MAKE(0);
    GO(delete_later, c);
    GO(churn, c);
    wait_closed(c->done);
    return LEAT_OK;
}

/* -- in two orders ------------------------------------------------------------------------------------------------------------ */
struct store { leat_mutex coalesced, raft; _Atomic int one, two; };
static leat_err send_heartbeats(struct store **s)
{
    lock(&(*s)->coalesced);
    (*s)->one = 1;
    UNTIL((*s)->two);
    lock(&(*s)->raft);
    return LEAT_OK;
}
static leat_err raft_tick(struct store **s)
{
    lock(&(*s)->raft);
    (*s)->two = 1;
    UNTIL((*s)->one);
    lock(&(*s)->coalesced);
    return LEAT_OK;
}
GOKER(Cockroach10214, "raft_tick send_heartbeats")
{
    struct store *s = new(struct store);
    GO(send_heartbeats, s);
    GO(raft_tick, s);
    return LEAT_OK;
}

struct lease { leat_mutex m; };
struct leases { leat_mutex names; struct lease *of[2]; _Atomic int one, two; };
static leat_err acquire_by_name(struct leases **l)
{
    lock(&(*l)->names);
    (*l)->one = 1;
    UNTIL((*l)->two);
    lock(&(*l)->of[0]->m);
    return LEAT_OK;
}
static leat_err release_lease(struct leases **l)
{
    lock(&(*l)->of[0]->m);
    (*l)->two = 1;
    UNTIL((*l)->one);
    lock(&(*l)->names);
    return LEAT_OK;
}
GOKER(Cockroach7504, "acquire_by_name release_lease")
{
    struct leases *l = new(struct leases);
    l->of[0] = new(struct lease);
    l->of[1] = new(struct lease);
    GO(acquire_by_name, l);
    GO(release_lease, l);
    return LEAT_OK;
}

struct device_set { leat_mutex m; leat_mutex *info; _Atomic int away; };
static leat_err delete_first(struct device_set **d)
{
    lock(&(*d)->m);
    lock((*d)->info);
    unlock(&(*d)->m);                                /* while it waits for the device */
    UNTIL((*d)->away);
    pause_a_little();
    lock(&(*d)->m);                                  /* the other has it and waits for the info that this one holds */
    return LEAT_OK;
}
static leat_err delete_second(struct device_set **d)
{
    lock(&(*d)->m);
    (*d)->away = 1;
    lock((*d)->info);
    return LEAT_OK;
}
GOKER(Moby4951, "delete_first delete_second")
{
    struct device_set *d = new(struct device_set);
    d->info = new(leat_mutex);
    GO(delete_first, d);
    pause_a_little();
    UNTIL(((_Atomic uint16_t *)(void *)d->info)[0]); /* it has both */
    GO(delete_second, d);
    return LEAT_OK;
}

/* -- a mutex is held while a channel is waited for ---------------------------------------------------------------------------- */
struct broadcasts { leat_mutex m; channel update, done; _Atomic int stopping; };
static leat_err broadcast(struct broadcasts **b)
{
    while (recv((*b)->update) == LEAT_OK) {
        UNTIL((*b)->stopping);
        lock(&(*b)->m);
        unlock(&(*b)->m);
    }
    leat_close((*b)->done);
    return LEAT_OK;
}
static leat_err stop_broadcasts(struct broadcasts **b)
{
    lock(&(*b)->m);
    leat_close((*b)->update);
    (*b)->stopping = 1;
    wait_closed((*b)->done);
    return LEAT_OK;
}
GOKER(Etcd6873, "broadcast stop_broadcasts")
{
    struct broadcasts *b = new(struct broadcasts);
    b->update = MAKE(1);
    b->done = MAKE(0);
    GO(broadcast, b);
    send(b->update);
    GO(stop_broadcasts, b);
    return LEAT_OK;
}

struct client { leat_mutex m; channel awaken; _Atomic int asleep; int streams; };
static leat_err keepalive(struct client **c)
{
    lock(&(*c)->m);
    (*c)->asleep = 1;
    wait_closed((*c)->awaken);
    unlock(&(*c)->m);
    return LEAT_OK;
}
static leat_err new_stream(struct client **c)
{
    UNTIL((*c)->asleep);
    lock(&(*c)->m);
    if ((*c)->streams++ == 0)
        leat_ignore(leat_try_send((*c)->awaken, 1));
    unlock(&(*c)->m);
    return LEAT_OK;
}
GOKER(Grpc1460, "keepalive new_stream")
{
    struct client *c = new(struct client);
    c->awaken = MAKE(0);
    GO(keepalive, c);
    GO(new_stream, c);
    return LEAT_OK;
}

struct event_monitor { leat_mutex m; channel event, done, stop; _Atomic int handling; };
static leat_err controller(struct event_monitor **e)
{
    leat_ignore(recv((*e)->event));
    lock(&(*e)->m);
    (*e)->handling = 1;
    send((*e)->done);                                /* the one who would receive wants the mutex first */
    unlock(&(*e)->m);
    return LEAT_OK;
}
GOKER(Istio16224, "Istio16224_ controller")
{
    struct event_monitor *e = new(struct event_monitor);
    e->event = MAKE(0);
    e->done = MAKE(0);
    GO(controller, e);
    send(e->event);
    UNTIL(e->handling);
    lock(&e->m);
    unlock(&e->m);
    return recv(e->done);
}

struct mux { leat_mutex m; channel result; _Atomic int distributing; };
static leat_err mux_loop(struct mux **x)
{
    lock(&(*x)->m);
    (*x)->distributing = 1;
    send((*x)->result);
    unlock(&(*x)->m);
    return LEAT_OK;
}
GOKER(Kubernetes1321, "Kubernetes1321_ mux_loop")
{
    struct mux *x = new(struct mux);
    x->result = MAKE(0);
    GO(mux_loop, x);
    UNTIL(x->distributing);
    lock(&x->m);                                     /* to stop watching */
    leat_close(x->result);
    unlock(&x->m);
    return LEAT_OK;
}

struct framer { leat_mutex write; channel reset, close; _Atomic int writing; };
static leat_err framer_monitor(struct framer **f)
{
    leat_ignore(recv((*f)->close));
    UNTIL((*f)->writing);
    lock(&(*f)->write);
    leat_close((*f)->reset);
    unlock(&(*f)->write);
    return LEAT_OK;
}
static leat_err write_frame(struct framer **f)
{
    lock(&(*f)->write);
    (*f)->writing = 1;
    send((*f)->reset);
    unlock(&(*f)->write);
    return LEAT_OK;
}
static leat_err close_framer(struct framer **f) { send((*f)->close); return LEAT_OK; }
GOKER(Kubernetes6632, "framer_monitor write_frame")
{
    struct framer *f = new(struct framer);
    f->reset = MAKE(0);
    f->close = MAKE(0);
    GO(close_framer, f);
    GO(framer_monitor, f);
    GO(write_frame, f);
    return LEAT_OK;
}

struct container { leat_mutex m; channel stop; _Atomic int changing; };
static leat_err health_monitor(struct container **c)
{
    UNTIL((*c)->changing);
    lock(&(*c)->m);                                  /* to handle what a probe has found */
    unlock(&(*c)->m);
    return recv((*c)->stop);
}
static leat_err state_changed(struct container **c)
{
    lock(&(*c)->m);
    (*c)->changing = 1;
    send((*c)->stop);
    unlock(&(*c)->m);
    return LEAT_OK;
}
GOKER(Moby28462, "health_monitor state_changed")
{
    struct container *c = new(struct container);
    c->stop = MAKE(0);
    GO(health_monitor, c);
    GO(state_changed, c);
    return LEAT_OK;
}

struct breaker { channel pending, active; };
struct breaker_request { struct breaker *b; leat_mutex *m; channel accepted; };
static leat_err maybe(struct breaker_request *r)
{
    leat_err e = leat_try_send(r->b->pending, 1);
    if (e == LEAT_OK) {
        send(r->b->active);
        lock(r->m);
        unlock(r->m);
        leat_ignore(recv(r->b->active));
        leat_ignore(recv(r->b->pending));
    }
    send(r->accepted);
    return LEAT_OK;
}
GOKER(Serving2137, "Serving2137_ maybe maybe")
{
    struct breaker *b = new(struct breaker);
    struct breaker_request r[2];
    b->pending = MAKE(2);
    b->active = MAKE(1);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct breaker_request){ b, new(leat_mutex), MAKE(1) };
        lock(r[i].m);
        GO(maybe, r[i]);
        UNTIL((int)leat_len(b->pending) == i + 1);
        pause_a_little();
    }
    unlock(r[1].m);                                  /* the second first: it waits for the first, whose mutex is still locked */
    return recv(r[1].accepted);
}

struct election { leat_mutex m; channel next; _Atomic int stuck; };
static leat_err follower(struct election **e)
{
    lock(&(*e)->m);
    (*e)->stuck = 1;
    wait_closed((*e)->next);
    unlock(&(*e)->m);
    return LEAT_OK;
}
static leat_err leader(struct election **e)
{
    UNTIL((*e)->stuck);
    lock(&(*e)->m);
    leat_close((*e)->next);
    unlock(&(*e)->m);
    return LEAT_OK;
}
GOKER(Etcd7902, "Etcd7902_ follower leader")
{
    leat_err err;
    struct election *e = new(struct election);
    e->next = MAKE(0);
    leat_with_group(g, err) {
        leat_ignore(leat_go(&g, follower, e));
        leat_ignore(leat_go(&g, leader, e));
    }
    return err;
}

/* -- once ----------------------------------------------------------------------------------------------------------------------- */
static struct page { leat_mutex content; leat_once plain; _Atomic int inside; } *page;
static leat_err init_plain(void)
{
    struct page *p = page;
    page = NULL;                                     /* a pointer in global memory would keep it alive */
    p->inside = 1;
    lock(&p->content);
    unlock(&p->content);
    return LEAT_OK;
}
static leat_err init_content(struct page **p)
{
    lock(&(*p)->content);
    leat_ignore(leat_do_once(&(*p)->plain, init_plain));
    unlock(&(*p)->content);
    return LEAT_OK;
}
static leat_err page_renderer(struct page **p)
{
    UNTIL((*p)->inside);
    leat_ignore(leat_do_once(&(*p)->plain, init_plain));
    return LEAT_OK;
}
GOKER(Hugo5379, "Hugo5379_ init_content page_renderer page_renderer")
{
    leat_err err;
    struct page *p = page = new(struct page);
    GO(init_content, p);
    leat_with_group(g, err)
        for (int i = 0; i < 2; i++)
            leat_ignore(leat_go(&g, page_renderer, p));
    return err;
}

static struct raw_conn { channel inbox, stopped, closed; leat_once once; } *closing;
static leat_err close_conn(void)
{
    struct raw_conn *c = closing;
    closing = NULL;
    leat_close(c->closed);
    wait_closed(c->stopped);                         /* it is the dispatcher itself that waits here for its end */
    return LEAT_OK;
}
static leat_err dispatcher(struct raw_conn **c)
{
    leat_ignore(recv((*c)->inbox));
    leat_ignore(leat_do_once(&(*c)->once, close_conn));
    leat_close((*c)->stopped);
    return LEAT_OK;
}
GOKER(Syncthing5795, "Syncthing5795_ dispatcher")
{
    struct raw_conn *c = closing = new(struct raw_conn);
    c->inbox = MAKE(0);
    c->stopped = MAKE(0);
    c->closed = MAKE(0);
    GO(dispatcher, c);
    send(c->inbox);
    wait_closed(c->stopped);
    return LEAT_OK;
}

T_MAIN()
