/* door.c - see door.h.  A link is shut under the node's lock, so that whoever serves it cannot close it meanwhile. */
#include "sess/door.h"
#include "sess/impl.h"

static void out_locked(struct doorway *d, struct door_guest *g)
{
    if (!g->in)
        return;
    *(g->prev ? &g->prev->next : &d->oldest) = g->next;
    *(g->next ? &g->next->prev : &d->newest) = g->prev;
    g->in = false;
    d->n--;
}

static void push_locked(struct doorway *d)
{
    struct door_guest *g = d->oldest;
    out_locked(d, g);
    g->pushed = true;
    link_shutdown(g->link);
}

void door_in(leat_node *n, struct door_guest *g, struct link *l)
{
    struct doorway *d = &n->door;
    *g = (struct door_guest){ .link = l, .in = true };
    lock(&n->lock);
    if (d->n >= LIMIT_NODE_HELLOS)
        push_locked(d);
    g->prev = d->newest;
    *(g->prev ? &g->prev->next : &d->oldest) = g;
    d->newest = g;
    d->n++;
    unlock(&n->lock);
}

void door_out(leat_node *n, struct door_guest *g)
{
    lock(&n->lock);
    out_locked(&n->door, g);
    unlock(&n->lock);
}

void door_make_room(leat_node *n)
{
    lock(&n->lock);
    for (uint32_t k = (n->door.n + 1) / 2; k; k--)
        push_locked(&n->door);
    unlock(&n->lock);
}
