/* path.h - a path between two nodes of a test that can be cut, held and tampered with, made of leat's own streams.
 *
 *     struct path p = { .to = leat_node_url(a) };
 *     leat_with_group(g, err) { path_open(&p, &g); leat_node_dial(b, p.url, &peer) ... path_cut(&p); ... leat_group_cancel(&g); }
 *
 * A connection that is cut has ended for both sides; the next one is led through as well. */
#ifndef NETCHAN_PATH_H
#define NETCHAN_PATH_H
#include <stdatomic.h>
#include "pair.h"

enum { THERE = 1, BACK = 2 };

struct path {
    const char *to;                                  /* where connections are led */
    const char *mark;                                /* behind these bytes, on the way there, the next byte becomes `wrong`, once */
    uint8_t wrong;
    char url[160];
    leat_listener *l;
    leat_mutex lock;                                 /* end */
    leat_conn *end[2];                               /* of the newest connection, or NULL */
    _Atomic int held;                                /* bits: what goes THERE waits, what comes BACK waits */
    _Atomic bool over;                               /* a side of the newest connection has ended */
    _Atomic int connections;
};

struct path_pump { struct path *p; leat_conn *from, *to; bool there; };

static inline void path_tamper(struct path *p, uint8_t *at, size_t n, size_t *matched)
{
    for (size_t i = 0; i < n && p->mark; i++) {
        if (!p->mark[*matched]) {
            at[i] = p->wrong;
            p->mark = NULL;
            return;
        }
        *matched = at[i] == (uint8_t)p->mark[*matched] ? *matched + 1 : at[i] == (uint8_t)p->mark[0];
    }
}

static inline leat_err path_pump(struct path_pump *x)
{
    uint8_t buf[4096];
    size_t n, matched = 0;
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && (err = leat_read(x->from, buf, sizeof buf, &n)) == LEAT_OK) {
        while (err == LEAT_OK && !atomic_load(&x->p->over) && (atomic_load(&x->p->held) & (x->there ? THERE : BACK)))
            err = leat_sleep(LEAT_MS(1));
        if (x->there)
            path_tamper(x->p, buf, n, &matched);
        if (err == LEAT_OK)
            err = leat_write(x->to, buf, n);
    }
    atomic_store(&x->p->over, true);
    leat_conn_break(x->to);                          /* then the other pump ends, too */
    leat_conn_break(x->from);
    return LEAT_OK;
}

static inline void path_set(struct path *p, leat_conn *near, leat_conn *far)
{
    leat_err err = LEAT_OK;
    leat_with_shield(LEAT_S(60))
        leat_with_lock(&p->lock, err)
            p->end[0] = near, p->end[1] = far;
    CHECK_EQ(err, LEAT_OK);
}

static inline leat_err path_lead(struct path *p, leat_conn *near, leat_conn *far)
{
    leat_err err;
    path_set(p, near, far);
    atomic_store(&p->over, false);
    atomic_fetch_add(&p->connections, 1);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, path_pump, (struct path_pump){ p, near, far, true }));
        LEAT_TRY(leat_go(&g, path_pump, (struct path_pump){ p, far, near, false }));
    }
    path_set(p, NULL, NULL);
    return err;
}

struct path_task { struct path *p; };

static inline leat_err path_accept(struct path_task *x)          /* one at a time: the next waits in the listener's queue */
{
    struct path *p = x->p;
    leat_conn *near, *far;
    while (leat_accept(p->l, &near) == LEAT_OK) {
        if (leat_dial(p->to, &far) == LEAT_OK) {
            leat_ignore(path_lead(p, near, far));
            leat_conn_close(far);
        }
        leat_conn_close(near);
    }
    leat_listener_close(p->l);
    return LEAT_OK;
}

/* Leads connections until g is cancelled. */
static inline void path_open(struct path *p, leat_group *g)
{
    char at[96];
    snprintf(at, sizeof at, "unix:/tmp/leat-test-%d-p", (int)getpid());
    CHECK_EQ(leat_listen(place == UNIX ? at : "tcp://127.0.0.1:0", &p->l), LEAT_OK);
    snprintf(p->url, sizeof p->url, "%s", leat_listener_addr(p->l).url);
    CHECK_EQ(leat_go(g, path_accept, (struct path_task){ p }), LEAT_OK);
}

/* Ends the connection, for both sides at once. */
static inline void path_cut(struct path *p)
{
    leat_err err;
    leat_with_lock(&p->lock, err)
        for (int i = 0; i < 2; i++)
            if (p->end[i])
                leat_conn_break(p->end[i]);
    CHECK_EQ(err, LEAT_OK);
}
#endif
