/* sync_test.c - leaks by read-write locks, conditions and wait groups.  See goker.h. */
#include "goker.h"

static inline void rlock(leat_rwlock *l) { leat_ignore(leat_rlock(l)); }
static inline void wlock(leat_rwlock *l) { leat_ignore(leat_wlock(l)); }
static inline void cond_wait(leat_cond *c, leat_mutex *m) { leat_ignore(leat_cond_wait(c, m)); }
static inline void wg_wait(leat_waitgroup *g) { leat_ignore(leat_waitgroup_wait(g)); }

/* -- the same lock twice by one task ----------------------------------------------------------------------------------------- */
struct lessor { leat_rwlock m; };
static void checkpoint(struct lessor *l) { wlock(&l->m); leat_wunlock(&l->m); }
GOKER(Etcd10492, "Etcd10492_")
{
    struct lessor *l = new(struct lessor);
    wlock(&l->m);                                    /* to renew, which calls back */
    checkpoint(l);
    leat_wunlock(&l->m);
    return LEAT_OK;
}

struct cluster { leat_rwlock m; };
static void leader_endpoint(struct cluster *c) { rlock(&c->m); leat_runlock(&c->m); }
GOKER(Etcd6708, "Etcd6708_")
{
    struct cluster *c = new(struct cluster);
    wlock(&c->m);
    leader_endpoint(c);
    leat_wunlock(&c->m);
    return LEAT_OK;
}

struct mapping { leat_rwlock m; int addresses; };
struct nat { leat_rwlock m; struct mapping *mapping; };
static void notify(struct mapping *m) { rlock(&m->m); leat_runlock(&m->m); }
GOKER(Syncthing4829, "Syncthing4829_")
{
    struct nat *n = new(struct nat);
    n->mapping = new(struct mapping);
    n->mapping->addresses = 1;
    wlock(&n->m);
    wlock(&n->mapping->m);
    if (n->mapping->addresses)
        notify(n->mapping);
    leat_wunlock(&n->mapping->m);
    leat_wunlock(&n->m);
    return LEAT_OK;
}

struct etcd_client { leat_rwlock m; bool closed; channel done; _Atomic int left; };
static leat_err etcd_get(struct etcd_client **c)
{
    rlock(&(*c)->m);                                 /* it finds the client closed and leaves without unlocking */
    (*c)->left = 1;
    leat_close((*c)->done);
    return LEAT_OK;
}
GOKER(Etcd5509, "Etcd5509_")
{
    struct etcd_client *c = new(struct etcd_client);
    c->done = MAKE(0);
    wlock(&c->m);
    c->closed = true;
    leat_wunlock(&c->m);
    GO(etcd_get, c);
    UNTIL(c->left);
    wlock(&c->m);
    return recv(c->done);
}

/* -- a reader that reads again while a writer waits ---------------------------------------------------------------------------- */
struct twice { leat_rwlock m; leat_mutex queue; _Atomic int reading, about; };
static bool writer_waits(struct twice *t)            /* then a reader is kept out */
{
    if (leat_try_rlock(&t->m) != LEAT_OK)
        return true;
    leat_runlock(&t->m);
    return false;
}
static void read_again(struct twice *t)
{
    t->reading = 1;
    UNTIL(writer_waits(t));
    rlock(&t->m);
    leat_runlock(&t->m);
}
static leat_err write_once(struct twice **t)
{
    UNTIL((*t)->reading);
    wlock(&(*t)->m);
    leat_wunlock(&(*t)->m);
    return LEAT_OK;
}

static leat_err update_config(struct twice **t) { return write_once(t); }
GOKER(Cockroach16167, "Cockroach16167_ update_config")
{
    struct twice *e = new(struct twice);
    GO(update_config, e);
    rlock(&e->m);
    read_again(e);                                   /* to prepare a statement */
    leat_runlock(&e->m);
    return LEAT_OK;
}

static leat_err process_raft(struct twice **t) { return write_once(t); }
static leat_err force_scan(struct twice **t)
{
    rlock(&(*t)->m);
    leat_ignore(leat_lock(&(*t)->queue));
    read_again(*t);
    leat_unlock(&(*t)->queue);
    leat_runlock(&(*t)->m);
    return LEAT_OK;
}
GOKER(Cockroach3710, "force_scan process_raft")
{
    struct twice *s = new(struct twice);
    GO(force_scan, s);
    GO(process_raft, s);
    return LEAT_OK;
}

static leat_err reconcile(struct twice **t) { rlock(&(*t)->m); read_again(*t); leat_runlock(&(*t)->m); return LEAT_OK; }
static leat_err remove_container(struct twice **t) { return write_once(t); }
GOKER(Kubernetes62464, "reconcile remove_container")
{
    struct twice *s = new(struct twice);
    GO(reconcile, s);
    GO(remove_container, s);
    return LEAT_OK;
}

struct range_cache { struct twice t; leat_waitgroup wg; };
static leat_err lookup_slow(struct range_cache **r)
{
    rlock(&(*r)->t.m);
    read_again(&(*r)->t);
    leat_waitgroup_done(&(*r)->wg);
    return LEAT_OK;
}
static leat_err lookup_quick(struct range_cache **r)
{
    struct twice *t = &(*r)->t;
    write_once(&t);
    leat_waitgroup_done(&(*r)->wg);
    return LEAT_OK;
}
GOKER(Cockroach6181, "Cockroach6181_ lookup_quick lookup_slow")
{
    struct range_cache *r = new(struct range_cache);
    leat_waitgroup_add(&r->wg, 2);
    GO(lookup_slow, r);
    GO(lookup_quick, r);
    wg_wait(&r->wg);
    return LEAT_OK;
}

/* -- a lock is held while a channel, a condition or another lock is waited for ---------------------------------------------------- */
struct status_manager { leat_rwlock m; channel c; _Atomic int got, holds; };
static leat_err sync_batch(struct status_manager **s)
{
    leat_ignore(recv((*s)->c));
    (*s)->got = 1;
    UNTIL((*s)->holds);
    wlock(&(*s)->m);
    leat_wunlock(&(*s)->m);
    return LEAT_OK;
}
static leat_err set_status(struct status_manager **s)
{
    wlock(&(*s)->m);
    (*s)->holds = (*s)->got;
    send((*s)->c);
    leat_wunlock(&(*s)->m);
    return LEAT_OK;
}
static leat_err set_status_later(struct status_manager **s) { UNTIL((*s)->got); return set_status(s); }
GOKER(Kubernetes10182, "set_status_later sync_batch")
{
    struct status_manager *s = new(struct status_manager);
    s->c = MAKE(0);
    GO(sync_batch, s);
    GO(set_status, s);
    GO(set_status_later, s);
    return LEAT_OK;
}

struct token { leat_rwlock m; channel add; leat_waitgroup wg; _Atomic int adding; };
static leat_err keeper(struct token **t)
{
    UNTIL((*t)->adding == 2);
    wlock(&(*t)->m);                                 /* to delete one that has expired, instead of receiving */
    leat_wunlock(&(*t)->m);
    return recv((*t)->add);
}
static leat_err authenticate(struct token **t)
{
    wlock(&(*t)->m);
    for (int i = 0; i < 2; i++) {
        (*t)->adding++;
        send((*t)->add);                             /* one fits */
    }
    leat_wunlock(&(*t)->m);
    leat_waitgroup_done(&(*t)->wg);
    return LEAT_OK;
}
GOKER(Etcd7492, "Etcd7492_ authenticate keeper")
{
    struct token *t = new(struct token);
    t->add = MAKE(1);
    leat_waitgroup_add(&t->wg, 1);
    GO(keeper, t);
    GO(authenticate, t);
    wg_wait(&t->wg);
    return LEAT_OK;
}

struct remote_lock { leat_rwlock all; leat_mutex *url; leat_waitgroup wg; _Atomic int has, waits; };
static leat_err get_first(struct remote_lock **r)
{
    wlock(&(*r)->all);
    leat_ignore(leat_lock((*r)->url));
    leat_wunlock(&(*r)->all);
    (*r)->has = 1;
    UNTIL((*r)->waits);
    rlock(&(*r)->all);                               /* to unlock the URL */
    leat_unlock((*r)->url);
    leat_runlock(&(*r)->all);
    leat_waitgroup_done(&(*r)->wg);
    return LEAT_OK;
}
static leat_err get_second(struct remote_lock **r)
{
    UNTIL((*r)->has);
    wlock(&(*r)->all);
    (*r)->waits = 1;
    leat_ignore(leat_lock((*r)->url));
    return LEAT_OK;
}
GOKER(Hugo3251, "Hugo3251_ get_first get_second")
{
    struct remote_lock *r = new(struct remote_lock);
    r->url = new(leat_mutex);
    leat_waitgroup_add(&r->wg, 2);
    GO(get_first, r);
    GO(get_second, r);
    wg_wait(&r->wg);
    return LEAT_OK;
}

struct informer { leat_mutex m; leat_rwlock fifo; channel stop; _Atomic int starting, popping; };
static leat_err process_loop(struct informer **i)
{
    wlock(&(*i)->fifo);                              /* to pop, which calls back */
    (*i)->popping = 1;
    UNTIL((*i)->starting);
    leat_ignore(leat_lock(&(*i)->m));
    return LEAT_OK;
}
static leat_err clusters_synced(struct informer **i)
{
    leat_ignore(leat_lock(&(*i)->m));
    (*i)->starting = 1;
    UNTIL((*i)->popping);
    wlock(&(*i)->fifo);
    return LEAT_OK;
}
static leat_err stop_informer(struct informer **i)
{
    wait_closed((*i)->stop);
    UNTIL((*i)->starting);
    leat_ignore(leat_lock(&(*i)->m));
    return LEAT_OK;
}
GOKER(Kubernetes30872, "clusters_synced process_loop stop_informer")
{
    struct informer *i = new(struct informer);
    i->stop = MAKE(0);
    GO(process_loop, i);
    GO(clusters_synced, i);
    GO(stop_informer, i);
    leat_close(i->stop);
    return LEAT_OK;
}

struct cacher { leat_mutex m; leat_rwlock watch; _Atomic int replacing, adding; leat_waitgroup initialized; };
static leat_err start_caching(struct cacher **c)
{
    leat_ignore(leat_lock(&(*c)->m));
    wlock(&(*c)->watch);                             /* the first round: replace unlocks the cacher */
    leat_waitgroup_done(&(*c)->initialized);
    leat_unlock(&(*c)->m);
    leat_wunlock(&(*c)->watch);
    leat_ignore(leat_lock(&(*c)->m));                /* the second */
    (*c)->replacing = 1;
    UNTIL((*c)->adding);
    wlock(&(*c)->watch);
    return LEAT_OK;
}
static leat_err add_event(struct cacher **c)
{
    UNTIL((*c)->replacing);
    wlock(&(*c)->watch);
    (*c)->adding = 1;
    leat_ignore(leat_lock(&(*c)->m));
    return LEAT_OK;
}
GOKER(Kubernetes13135, "add_event start_caching")
{
    struct cacher *c = new(struct cacher);
    leat_waitgroup_add(&c->initialized, 1);
    GO(start_caching, c);
    wg_wait(&c->initialized);
    GO(add_event, c);
    return LEAT_OK;
}

/* -- conditions that nobody signals any more -------------------------------------------------------------------------------------- */
struct plugin { leat_mutex m; leat_cond active; channel done; bool is; };
static leat_err wait_active(struct plugin **p)
{
    leat_ignore(leat_lock(&(*p)->m));
    while (!(*p)->is)
        cond_wait(&(*p)->active, &(*p)->m);
    leat_unlock(&(*p)->m);
    leat_close((*p)->done);
    return LEAT_OK;
}
GOKER(Moby30408, "Moby30408_ wait_active")
{
    struct plugin *p = new(struct plugin);
    p->done = MAKE(0);
    GO(wait_active, p);
    return recv(p->done);
}

struct listener { leat_mutex m; leat_cond c; channel stop, result; _Atomic int popping; };
static leat_err pop(struct listener **l)
{
    leat_ignore(leat_lock(&(*l)->m));
    (*l)->popping = 1;
    wait_closed((*l)->stop);                         /* there is a notification, which nobody takes */
    leat_unlock(&(*l)->m);
    return LEAT_OK;
}
static leat_err lock_for_result(struct listener **l)
{
    UNTIL((*l)->popping);
    leat_ignore(leat_lock(&(*l)->m));
    leat_close((*l)->result);
    return LEAT_OK;
}
GOKER(Kubernetes26980, "Kubernetes26980_ lock_for_result pop")
{
    struct listener *l = new(struct listener);
    l->stop = MAKE(0);
    l->result = MAKE(0);
    GO(pop, l);
    GO(lock_for_result, l);
    wait_closed(l->result);
    leat_unlock(&l->m);
    leat_close(l->stop);
    return LEAT_OK;
}

struct notifier { leat_mutex m; leat_cond c; channel abort, waited, done; _Atomic int signalled; };
static leat_err wait_for_signal(struct notifier **n)
{
    UNTIL((*n)->signalled);
    leat_ignore(leat_lock(&(*n)->m));
    cond_wait(&(*n)->c, &(*n)->m);                   /* the last signal has been */
    leat_close((*n)->waited);
    return LEAT_OK;
}
static leat_err service_loop(struct notifier **n)
{
    GO(wait_for_signal, *n);
    wait_closed((*n)->abort);
    leat_cond_signal(&(*n)->c);
    (*n)->signalled = 1;
    wait_closed((*n)->waited);
    leat_close((*n)->done);
    return LEAT_OK;
}
GOKER(Kubernetes11298, "Kubernetes11298_ service_loop wait_for_signal")
{
    struct notifier *n = new(struct notifier);
    n->abort = MAKE(0);
    n->waited = MAKE(0);
    n->done = MAKE(0);
    GO(service_loop, n);
    leat_close(n->abort);
    wait_closed(n->done);
    return LEAT_OK;
}

struct quota { leat_rwlock worker; leat_mutex m[2]; leat_cond c[2]; _Atomic int waiting; };
struct quota_worker { struct quota *q; int queue; };
static leat_err quota_get(struct quota_worker *w)
{
    rlock(&w->q->worker);
    leat_ignore(leat_lock(&w->q->m[w->queue]));
    w->q->waiting++;
    cond_wait(&w->q->c[w->queue], &w->q->m[w->queue]);
    leat_unlock(&w->q->m[w->queue]);
    leat_runlock(&w->q->worker);
    return LEAT_OK;
}
static leat_err quota_sync(struct quota **q)
{
    UNTIL((*q)->waiting == 2);
    wlock(&(*q)->worker);
    leat_wunlock(&(*q)->worker);
    return LEAT_OK;
}
GOKER(Kubernetes58107, "quota_get quota_get quota_sync")
{
    struct quota *q = new(struct quota);
    for (int i = 0; i < 2; i++)
        GO(quota_get, ((struct quota_worker){ q, i }));
    GO(quota_sync, q);
    return LEAT_OK;
}

struct file_watcher { leat_mutex m, reader; leat_cond gone; channel events, done, close; _Atomic int removing; };
static leat_err read_logs(struct file_watcher **w)
{
    leat_ignore(leat_lock(&(*w)->reader));
    wait_closed((*w)->close);
    leat_ignore(leat_lock(&(*w)->m));
    (*w)->removing = 1;
    cond_wait(&(*w)->gone, &(*w)->m);                /* to remove the watch: the event that tells so never comes */
    return LEAT_OK;
}
static leat_err read_events(struct file_watcher **w)
{
    leat_err err;
    int v = 1;
    leat_select(err) { leat_on_send((*w)->events, &v) { } leat_on_closed((*w)->done) { } }
    return err;
}
GOKER(Moby27782, "read_events read_logs")
{
    struct file_watcher *w = new(struct file_watcher);
    w->events = MAKE(0);
    w->done = MAKE(0);
    w->close = MAKE(0);
    GO(read_events, w);
    GO(read_logs, w);
    leat_close(w->close);
    return LEAT_OK;
}

/* -- wait groups whose count never comes to nothing ---------------------------------------------------------------------------------- */
struct manager { leat_waitgroup wg; };
static leat_err init_plugin(struct manager **m) { leat_waitgroup_done(&(*m)->wg); return LEAT_OK; }
GOKER(Moby25348, "Moby25348_")
{
    struct manager *m = new(struct manager);
    leat_waitgroup_add(&m->wg, 2);
    for (int i = 0; i < 2; i++) {
        GO(init_plugin, m);
        wg_wait(&m->wg);                             /* within the loop: the second is never started */
    }
    return LEAT_OK;
}

struct stopper { channel stop; leat_waitgroup workers, drain; leat_mutex m; _Atomic int started; };
static leat_err stopper_worker(struct stopper **s)
{
    leat_ignore(leat_lock(&(*s)->m));
    leat_waitgroup_add(&(*s)->drain, 1);             /* a task that is never finished */
    leat_unlock(&(*s)->m);
    (*s)->started = 1;
    wait_closed((*s)->stop);
    leat_waitgroup_done(&(*s)->workers);
    return LEAT_OK;
}
struct quiescer { struct stopper *s; channel done; };
static leat_err quiesce(struct quiescer *q)
{
    UNTIL(q->s->started);
    leat_ignore(leat_lock(&q->s->m));
    wg_wait(&q->s->drain);
    leat_unlock(&q->s->m);
    leat_close(q->done);
    return LEAT_OK;
}
GOKER(Cockroach1055, "Cockroach1055_ quiesce stopper_worker")
{
    struct quiescer q = { new(struct stopper), MAKE(0) };
    q.s->stop = MAKE(0);
    leat_waitgroup_add(&q.s->workers, 1);
    GO(stopper_worker, q.s);
    GO(quiesce, q);
    return recv(q.done);
}

struct transport { leat_waitgroup workers; channel events, stop; _Atomic int gone; };
static leat_err send_events(struct transport **t)
{
    UNTIL((*t)->gone);
    send((*t)->events);                              /* had looked before the stop, and sends without looking again */
    leat_waitgroup_done(&(*t)->workers);
    return LEAT_OK;
}
static leat_err process_events(struct transport **t)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_recv((*t)->events, &v) { } leat_on_closed((*t)->stop) { } }
    leat_waitgroup_done(&(*t)->workers);
    (*t)->gone = 1;
    return err;
}
GOKER(Cockroach1462, "Cockroach1462_ send_events")
{
    struct transport *t = new(struct transport);
    t->events = MAKE(0);
    t->stop = MAKE(0);
    leat_waitgroup_add(&t->workers, 2);
    GO(send_events, t);
    GO(process_events, t);
    leat_close(t->stop);
    wg_wait(&t->workers);
    return LEAT_OK;
}

T_MAIN()
