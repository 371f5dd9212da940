/* absent.c - accepted sessions whose dialer is to come back, the longest absent first: when a node is full, they make room.
 *
 * Who connects and goes costs a session until the grace is over.  So one of those whose dialer has never asked for anything goes first,
 * and only where there is none of them one that was in use.  A session with a link is never put out.
 * n->lock protects the lists; a record lies on the stack of its session's reader, which takes it off before it goes on. */
#include "sess/impl.h"

static void absent_del(struct absents *q, struct absent *a)
{
    *(a->prev ? &a->prev->next : &q->first) = a->next;
    *(a->next ? &a->next->prev : &q->last) = a->prev;
}

void absent_in(struct absent *a, struct sess *s)
{
    leat_node *n = s->node;
    struct absents *q = &n->absents[at_load(&s->received) > 0];
    *a = (struct absent){ .s = s->put_out ? s : NULL, .of = q };
    if (!a->s)
        return;
    lock(&n->lock);
    a->prev = q->last;
    *(a->prev ? &a->prev->next : &q->first) = a;
    q->last = a;
    unlock(&n->lock);
}

void absent_out(struct absent *a, leat_node *n)
{
    lock(&n->lock);
    if (a->s)
        absent_del(a->of, a);
    a->s = NULL;
    unlock(&n->lock);
}

struct sess *absent_put_out_locked(leat_node *n)
{
    struct absent *a = n->absents[0].first ? n->absents[0].first : n->absents[1].first;
    if (!a)
        return NULL;
    struct sess *s = a->s;
    absent_del(a->of, a);
    a->s = NULL;
    *s->put_out = true;
    sess_ref(s);
    return s;
}
