/* gob_circle.c - which types of a gob stream are inside themselves without a slice or a map between: in Go that takes a pointer, which is
 * not on the wire.
 *
 * Strongly connected components of "is, in a field or an element, directly inside".  Not recursive: a stream may have a million types in a
 * row.  Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972. */
#include "type/gob.h"

struct node { size_t index, low, below; uint64_t edge; };    /* index: 1 + the order of the visit; below: of the path, 1 + its place */

struct walk {
    const struct gob *g;
    const struct gob_type *const *of;                /* by order */
    struct node *nodes;
    size_t *open, nopen, visits;                     /* visited, and in no group yet */
    size_t *group;
};

/* The next type that is directly inside t, from edge *i on; NULL: there is none. */
static const struct gob_type *inside(const struct walk *w, const struct gob_type *t, uint64_t *i)
{
    uint64_t n = t->kind == GOB_STRUCT ? t->nfields : t->kind == GOB_ARRAY ? 1 : 0;
    while (*i < n) {
        const struct gob_type *in = gob_type_of(w->g, t->kind == GOB_STRUCT ? t->fields[*i].type : t->elem);
        ++*i;
        if (in && (in->kind == GOB_STRUCT || in->kind == GOB_ARRAY))
            return in;
    }
    return NULL;
}

static void visit(struct walk *w, size_t at, size_t below)
{
    w->nodes[at] = (struct node){ .index = ++w->visits, .low = w->visits, .below = below };
    w->open[w->nopen++] = at;
}

static void close_group(struct walk *w, size_t at)
{
    size_t one;
    do {
        one = w->open[--w->nopen];
        w->group[one] = at + 1;
    } while (one != at);
}

static void walk_from(struct walk *w, size_t root)
{
    visit(w, root, 0);
    for (size_t at = root;;) {
        struct node *n = &w->nodes[at];
        const struct gob_type *in = inside(w, w->of[at], &n->edge);
        if (in && !w->nodes[in->order].index) {
            visit(w, in->order, at + 1);
            at = in->order;
        } else if (in) {
            if (!w->group[in->order] && w->nodes[in->order].index < n->low)
                n->low = w->nodes[in->order].index;
        } else {
            if (n->low == n->index)
                close_group(w, at);
            if (!n->below)
                return;
            at = n->below - 1;
            if (n->low < w->nodes[at].low)
                w->nodes[at].low = n->low;
        }
    }
}

leat_err gob_circles(const struct gob *g, const struct gob_type *const *of, size_t *group)
{
    struct walk w = { .g = g, .of = of, .group = group };
    w.nodes = mem_zalloc((g->used + 1) * sizeof *w.nodes);
    w.open = mem_zalloc((g->used + 1) * sizeof *w.open);
    bool room = w.nodes && w.open;
    memset(group, 0, g->used * sizeof *group);
    for (size_t i = 0; room && i < g->used; i++)
        if (!w.nodes[i].index)
            walk_from(&w, i);
    mem_free(w.nodes);
    mem_free(w.open);
    return room ? LEAT_OK : LEAT_NOMEM;
}
