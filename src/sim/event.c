/* event.c - what will happen in a world, in order of time: a binary heap. */
#include <stdlib.h>
#include "sim/world.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void event_add(struct world *w, int64_t at, void (*fn)(struct world *w, void *arg), void *arg)
{
    struct events *q = &w->events;
    if (q->len == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 64;
        q->at = realloc(q->at, q->cap * sizeof *q->at);
        if (!q->at)
            abort();
    }
    struct event e = { MAX(at, w->now), q->seq++, fn, arg };
    size_t i = q->len++;
    for (; i && before(&e, &q->at[(i - 1) / 2]); i = (i - 1) / 2)
        q->at[i] = q->at[(i - 1) / 2];
    q->at[i] = e;
}

static struct event take(struct events *q)
{
    struct event top = q->at[0], e = q->at[--q->len];
    size_t i = 0, k;
    while ((k = 2 * i + 1) < q->len) {
        if (k + 1 < q->len && before(&q->at[k + 1], &q->at[k]))
            k++;
        if (!before(&q->at[k], &e))
            break;
        q->at[i] = q->at[k];
        i = k;
    }
    q->at[i] = e;
    return top;
}

int64_t event_next(const struct world *w)
{
    return w->events.len ? w->events.at[0].at : NEVER;
}

void events_run(struct world *w)
{
    while (event_next(w) <= w->now) {
        struct event e = take(&w->events);
        e.fn(w, e.arg);
    }
}
