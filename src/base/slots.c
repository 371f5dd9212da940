/* slots.c - see slots.h. */
#include "base/slots.h"
#include "base/alloc.h"

/* Of n buckets, 2^k to 2^(k+1) - 1, those from n - 2^k to 2^k - 1 are not yet split. */
static uint32_t index_of(const struct slots *t, uint64_t id)
{
    uint32_t i = keyed_hash(&t->key, id) & t->mask;
    return i < t->buckets ? i : i & t->mask >> 1;
}

static struct slot **place(const struct slots *t, uint64_t id)
{
    struct slot **p = slots_bucket(t, index_of(t, id));
    while (*p && (*p)->id != id)
        p = &(*p)->next;
    return p;
}

/* Room for the bucket after the last one. */
static bool piece_for(struct slots *t)
{
    uint32_t k = slots_piece(t->buckets);
    if (k >= SLOTS_PIECES)
        return false;
    if (!t->piece[k])
        t->piece[k] = mem_zalloc((k ? slots_piece_from(k) : SLOTS_FIRST) * sizeof *t->piece[k]);
    return t->piece[k];
}

static void split(struct slots *t)
{
    uint32_t last = t->buckets;
    if (!piece_for(t))
        return;
    struct slot **p = slots_bucket(t, last & t->mask >> 1), **to = slots_bucket(t, last);
    if (++t->buckets > t->mask)
        t->mask = t->mask * 2 + 1;
    while (*p) {
        struct slot *x = *p;
        if (index_of(t, x->id) != last) {
            p = &x->next;
            continue;
        }
        *p = x->next;
        x->next = *to;
        *to = x;
    }
}

bool slots_add(struct slots *t, struct slot *x)
{
    if (!t->buckets && !piece_for(t))
        return false;
    if (!t->buckets) {
        t->buckets = SLOTS_FIRST;
        t->mask = 2 * SLOTS_FIRST - 1;
    } else if (t->count >= t->buckets) {
        split(t);
    }
    uint32_t i = index_of(t, x->id);
    struct slot **p = slots_bucket(t, i);
    x->next = *p;
    *p = x;
    t->from = MIN(t->from, i);
    t->count++;
    return true;
}

struct slot *slots_find(const struct slots *t, uint64_t id) { return t->buckets ? *place(t, id) : NULL; }

struct slot *slots_take(struct slots *t, uint64_t id)
{
    struct slot **p = t->buckets ? place(t, id) : NULL, *x = p ? *p : NULL;
    if (x) {
        *p = x->next;
        t->count--;
    }
    return x;
}

struct slot *slots_any(struct slots *t)
{
    for (; t->count && t->from < t->buckets; t->from++)
        if (*slots_bucket(t, t->from))
            return *slots_bucket(t, t->from);
    return NULL;
}

void slots_free(struct slots *t)
{
    for (int k = 0; k < SLOTS_PIECES; k++)
        mem_free(t->piece[k]);
}
