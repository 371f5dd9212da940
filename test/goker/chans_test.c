/* chans_test.c - leaks by channels alone.  See goker.h. */
#include "goker.h"

/* -- one who forgets to send, to close or to cancel ------------------------------------------------------------------------ */
struct quiesce { channel quiescer; };
GOKER(Cockroach25456, "Cockroach25456_")
{
    struct quiesce *q = new(struct quiesce);
    q->quiescer = MAKE(0);
    for (int i = 0; i < 2; i++)
        wait_closed(q->quiescer);                    /* the one who would close it is this task */
    return LEAT_OK;
}

struct tx { leat_ctx *ctx; channel done; };
static leat_err await_done(struct tx **t) { wait_closed((*t)->done); return LEAT_OK; }
static void begin_tx(void)
{
    struct tx *t = new(struct tx);
    t->done = MAKE(0);
    GO(await_done, t);                               /* the caller drops t, and with it the only way to end it */
}
GOKER(Cockroach13197, "await_done") { begin_tx(); return LEAT_OK; }

struct rows { channel closed; };
static leat_err await_rows(struct rows **r) { wait_closed((*r)->closed); leat_close((*r)->closed); return LEAT_OK; }
GOKER(Cockroach13755, "await_rows")
{
    struct rows *r = new(struct rows);
    r->closed = MAKE(0);
    GO(await_rows, r);
    return LEAT_OK;
}

struct stream { channel c; };
static leat_err read_stream(struct stream **s) { wait_closed((*s)->c); return LEAT_OK; }
GOKER(Grpc1275, "read_stream")
{
    struct stream *s = new(struct stream);
    channel done = MAKE(0);
    leat_err err;
    int v;
    s->c = MAKE(0);
    GO(read_stream, s);
    leat_select(err) { leat_on_recv(done, &v) { } leat_on_after(LEAT_MS(1)) { } }
    leat_ignore(err);
    return LEAT_OK;
}

struct dial { channel addr, done; };
static leat_err lb_watcher(struct dial **d) { while (recv((*d)->addr) == LEAT_OK) { } return LEAT_OK; }
static leat_err dialer(struct dial **d)
{
    (*d)->done = MAKE(0);
    GO(lb_watcher, *d);
    wait_closed((*d)->done);                         /* lb_watcher ends without a word */
    return LEAT_OK;
}
GOKER(Grpc1424, "dialer")
{
    struct dial *d = new(struct dial);
    d->addr = MAKE(0);
    GO(dialer, d);
    leat_close(d->addr);
    return LEAT_OK;
}

struct conn { leat_group g; channel done; };
static leat_err reset_conn(struct conn **c) { wait_closed((*c)->done); return LEAT_OK; }
static leat_err dial_862(struct conn **c)
{
    GO(reset_conn, *c);                              /* comes after the one who would have torn it down has looked */
    return LEAT_OK;
}
GOKER(Grpc862, "reset_conn")
{
    struct conn *c = new(struct conn);
    c->done = MAKE(0);
    GO(dial_862, c);
    return LEAT_OK;
}

/* -- senders whose receiver has left ----------------------------------------------------------------------------------------- */
struct split { channel ready; _Atomic int canceled; };
static leat_err split_and_scatter(struct split **s)
{
    for (int i = 0; i < 8; i++)
        send((*s)->ready);
    leat_close((*s)->ready);
    return LEAT_OK;
}
GOKER(Cockroach18101, "split_and_scatter")
{
    struct split *s = new(struct split);
    s->ready = MAKE(6);
    GO(split_and_scatter, s);
    leat_ignore(recv(s->ready));
    return LEAT_OK;                                  /* cancelled: nobody receives the rest */
}

struct flow { channel left, right; };
GOKER(Cockroach35931, "Cockroach35931_")
{
    struct flow *f = new(struct flow);
    f->left = MAKE(1);
    f->right = MAKE(1);
    send(f->left);
    send(f->left);                                   /* to tell that the flow is cancelled: it is full already */
    send(f->right);
    return LEAT_OK;
}

struct outbox { channel data; };
static leat_err pusher(struct outbox **o) { send((*o)->data); return LEAT_OK; }
static leat_err drainer(struct outbox **o) { (void)o; return LEAT_OK; }
GOKER(Cockroach35073, "Cockroach35073_ pusher")
{
    struct outbox *o = new(struct outbox);
    o->data = MAKE(16);
    for (int i = 0; i < 16; i++)
        send(o->data);
    GO(pusher, o);
    GO(drainer, o);                                  /* ends without draining */
    send(o->data);
    return LEAT_OK;
}

struct compactor { channel ch, stop; };
static leat_err compact(struct compactor **c)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_closed((*c)->stop) { } leat_on_recv((*c)->ch, &v) { } }
    return err;
}
GOKER(Cockroach24808, "Cockroach24808_")
{
    struct compactor *c = new(struct compactor);
    c->ch = MAKE(1);
    c->stop = MAKE(0);
    send(c->ch);
    send(c->ch);                                     /* full, and its receiver is started below */
    GO(compact, c);
    leat_close(c->stop);
    return LEAT_OK;
}

struct loop { channel stop; };
struct reply { channel done; };
static leat_err answer(struct reply *r) { send(r->done); return LEAT_OK; }
static leat_err close_loop(struct loop **l)
{
    for (;;) {
        leat_err err;
        int v;
        bool stopped = false;
        channel done = MAKE(0);
        leat_select(err) { leat_on_recv((*l)->stop, &v) { stopped = true; } leat_otherwise { } }
        GO(answer, ((struct reply){ done }));
        if (stopped)
            return LEAT_OK;                          /* nobody receives from done */
        leat_ignore(recv(done));
        leat_ignore(err);
    }
}
static leat_err stopper_660(struct loop **l) { send((*l)->stop); return LEAT_OK; }
GOKER(Grpc660, "answer")
{
    struct loop *l = new(struct loop);
    l->stop = MAKE(0);
    GO(close_loop, l);
    GO(stopper_660, l);
    return LEAT_OK;
}

struct request { channel ch, err; };
static leat_err handle(struct request *r)
{
    pause_a_little();
    send(r->ch);
    return LEAT_OK;
}
static leat_err finish_request(leat_none *none)
{
    struct request r = { MAKE(0), MAKE(0) };
    leat_err err;
    int v;
    (void)none;
    GO(handle, r);
    leat_select(err) { leat_on_recv(r.ch, &v) { } leat_on_recv(r.err, &v) { } leat_on_after(LEAT_US(1)) { } }
    return err;
}
GOKER(Kubernetes5316, "handle") { GO(finish_request, *none); return LEAT_OK; }

struct watch_chan { channel result, err; leat_group g; };
static leat_err watch_run(struct watch_chan **w)
{
    leat_ignore(recv((*w)->err));
    send((*w)->result);                              /* its receiver was cancelled along with the watch */
    return LEAT_OK;
}
static leat_err watch_stop(struct watch_chan **w) { send((*w)->err); return LEAT_OK; }
GOKER(Kubernetes25331, "watch_run")
{
    struct watch_chan *w = new(struct watch_chan);
    w->result = MAKE(0);
    w->err = MAKE(0);
    GO(watch_run, w);
    GO(watch_stop, w);
    return LEAT_OK;
}

struct cache_watcher { leat_mutex m; channel input, result; bool stopped; };
static leat_err process(struct cache_watcher **w)
{
    for (int i = 0; i < 2; i++)
        send((*w)->result);                          /* nobody receives before the watcher is handed out */
    while (recv((*w)->input) == LEAT_OK) { }
    leat_close((*w)->result);
    return LEAT_OK;
}
GOKER(Kubernetes38669, "process")
{
    struct cache_watcher *w = new(struct cache_watcher);
    w->input = MAKE(0);
    w->result = MAKE(0);
    GO(process, w);
    lock(&w->m);
    w->stopped = true;
    leat_close(w->input);
    unlock(&w->m);
    return LEAT_OK;
}

struct probe { channel results; };
static leat_err prober(struct probe *p) { send(p->results); leat_close(p->results); return LEAT_OK; }
static leat_err monitor_33781(channel *stop)
{
    struct probe p = { MAKE(0) };
    leat_err err;
    int v;
    leat_select(err) { leat_on_recv(*stop, &v) { } }
    GO(prober, p);                                   /* the stop has come at the same time, and is looked at first */
    return err;
}
static leat_err stopper_33781(channel *stop) { send(*stop); return LEAT_OK; }
GOKER(Moby33781, "prober")
{
    channel stop = MAKE(0);
    GO(monitor_33781, stop);
    GO(stopper_33781, stop);
    return LEAT_OK;
}

/* -- who ends and who asks --------------------------------------------------------------------------------------------------- */
struct node { leat_chan(channel) status; channel stop, done; _Atomic int stopped; };
static leat_err node_run(struct node **n)
{
    leat_err err;
    for (bool over = false; !over; ) {
        channel c;
        int v;
        leat_select(err) {
            leat_on_recv((*n)->status, &c) { send(c); }
            leat_on_recv((*n)->stop, &v) { over = true; }
        }
        leat_ignore(err);
    }
    leat_close((*n)->done);
    (*n)->stopped = 1;
    return LEAT_OK;
}
static leat_err node_status(struct node **n)
{
    channel c = MAKE(0);
    UNTIL((*n)->stopped);
    leat_ignore(leat_send((*n)->status, c));         /* run has ended */
    return recv(c);
}
static leat_err node_stop(struct node **n) { send((*n)->stop); wait_closed((*n)->done); return LEAT_OK; }
GOKER(Etcd6857, "node_status")
{
    struct node *n = new(struct node);
    n->status = leat_chan_make(channel, 0);
    n->stop = MAKE(0);
    n->done = MAKE(0);
    GO(node_run, n);
    GO(node_status, n);
    GO(node_stop, n);
    return LEAT_OK;
}

struct replica { channel ch1, ch2; leat_group canceled; _Atomic int started; };
static leat_err drain_rest(struct replica **r)
{
    leat_ignore(recv((*r)->ch1));
    return recv((*r)->ch2);
}
static leat_err begin_cmds(struct replica **r)
{
    leat_ignore(recv((*r)->ch1));
    (*r)->started = 1;                               /* the sender has been cancelled meanwhile; so is this */
    GO(drain_rest, *r);
    return LEAT_OK;
}
static leat_err send_chans(struct replica **r) { send((*r)->ch1); return LEAT_OK; }
GOKER(Cockroach10790, "drain_rest")
{
    struct replica *r = new(struct replica);
    r->ch1 = MAKE(0);
    r->ch2 = MAKE(0);
    GO(send_chans, r);
    GO(begin_cmds, r);
    return LEAT_OK;
}

struct raft { channel events, callbacks, stop; _Atomic int met; };
static leat_err process_raft(struct raft **r)
{
    leat_err err;
    int v = 1;
    leat_select(err) { leat_on_recv((*r)->events, &v) { } leat_on_closed((*r)->stop) { } }
    leat_select(err) { leat_on_send((*r)->callbacks, &v) { } leat_on_closed((*r)->stop) { } }
    return err;
}
static leat_err raft_state(struct raft **r)
{
    leat_err err;
    int v = 1;
    for (int i = 0; i < 2; i++)                      /* the second event is sent while process_raft wants to call back */
        leat_select(err) { leat_on_send((*r)->events, &v) { } leat_on_closed((*r)->stop) { } }
    leat_select(err) { leat_on_recv((*r)->callbacks, &v) { } leat_on_closed((*r)->stop) { } }
    return err;
}
GOKER(Cockroach2448, "process_raft raft_state")
{
    struct raft *r = new(struct raft);
    r->events = MAKE(0);
    r->callbacks = MAKE(0);
    r->stop = MAKE(0);
    GO(process_raft, r);
    GO(raft_state, r);
    return LEAT_OK;
}

/* A poller that ends; then the one that has waited for it waits for something else that only itself would close. */
struct waiting { channel tick, stop; };
static leat_err poll_ticks(struct waiting **w) { send((*w)->tick); leat_close((*w)->tick); return LEAT_OK; }
GOKER(Kubernetes70277, "Kubernetes70277_")
{
    struct waiting *w = new(struct waiting);
    w->tick = MAKE(0);
    w->stop = MAKE(0);
    GO(poll_ticks, w);
    leat_ignore(recv(w->tick));
    wait_closed(w->stop);
    leat_close(w->stop);
    return LEAT_OK;
}

struct strategy { channel reset, timer; };
static leat_err event_loop(struct strategy **s)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_recv((*s)->reset, &v) { } }
    wait_closed((*s)->timer);                        /* the timer has fired and been drained before: it will not again */
    return err;
}
static leat_err on_change(struct strategy **s)
{
    for (int i = 0; i < 3; i++)
        send((*s)->reset);                           /* one is taken, one fits, the third waits */
    return LEAT_OK;
}
GOKER(Istio18454, "event_loop on_change")
{
    struct strategy *s = new(struct strategy);
    s->reset = MAKE(1);
    s->timer = MAKE(1);
    GO(event_loop, s);
    GO(on_change, s);
    return LEAT_OK;
}

struct agent { leat_mutex m; channel status; leat_group g; };
static leat_err run_wait(struct agent **a) { send((*a)->status); return LEAT_OK; }
static leat_err restart(struct agent **a)
{
    lock(&(*a)->m);
    GO(run_wait, *a);
    unlock(&(*a)->m);
    return LEAT_OK;
}
GOKER(Istio17860, "run_wait run_wait")
{
    struct agent *a = new(struct agent);
    a->status = MAKE(0);
    GO(restart, a);                                  /* the one that receives was cancelled */
    GO(restart, a);
    return LEAT_OK;
}

struct transfer { channel progress, done, release, running; };
static leat_err progress_writer(struct transfer **t)
{
    for (int i = 0; i < 2; i++)
        send((*t)->progress);
    leat_close((*t)->running);
    return LEAT_OK;
}
static leat_err progress_reader(struct transfer **t) { return recv((*t)->progress); }    /* leaves early */
GOKER(Moby21233, "Moby21233_ progress_writer")
{
    struct transfer *t = new(struct transfer);
    t->progress = MAKE(0);
    t->done = MAKE(0);
    t->release = MAKE(0);
    t->running = MAKE(0);
    GO(progress_reader, t);
    GO(progress_writer, t);
    leat_close(t->release);
    wait_closed(t->running);
    return LEAT_OK;
}

T_MAIN()
