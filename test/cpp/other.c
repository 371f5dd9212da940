/* other.c - see other.h. */
#include "other.h"
#include "pair.h"
#include "type/desc.h"

const leat_type *type_in_c(const char *name)
{
#define IS(S) if (strcmp(name, #S) == 0) return &S##_type;
    EACH_TYPE(IS)
    return NULL;
}

void same_description(const leat_type *c, const leat_type *cpp)
{
    CHECK_STR(cpp->name, c->name);
    CHECK_EQ(cpp->size, c->size);
    CHECK_EQ(cpp->align, c->align);
    CHECK_EQ(cpp->count, c->count);
    CHECK_EQ(cpp->kind, c->kind);
    for (uint32_t i = 0; i < c->count; i++) {
        const leat_field *f = type_field(cpp, i), *g = type_field(c, i);
        CHECK_STR(f->name, g->name);
        CHECK_EQ(f->offset, g->offset);
        CHECK_EQ(f->size, g->size);
        CHECK_EQ(f->kind, g->kind);
        CHECK_EQ(f->flags, g->flags);
        CHECK_EQ(f->tag, g->tag);
        CHECK(!f->json == !g->json && (!f->json || strcmp(f->json, g->json) == 0));
        CHECK(!f->type == !g->type && (!f->type || strcmp(f->type->name, g->type->name) == 0));
    }
}

void same_fingerprint(const leat_type *c, const leat_type *cpp)
{
    struct type_print p, q;
    CHECK_EQ(type_print(c, &p), LEAT_OK);
    CHECK_EQ(type_print(cpp, &q), LEAT_OK);
    CHECK(c != cpp && type_print_same(&p, &q));
}

leat_err pair_of_nodes(int where, leat_node **a, leat_node **b, leat_peer **a_of_b, leat_peer **b_of_a)
{
    at((enum place)where);
    struct pair x = pair_open();
    LEAT_TRY(leat_node_listen(x.b, another_url()));
    LEAT_TRY(leat_node_dial(x.a, leat_node_url(x.b), b_of_a));
    *a = x.a;
    *b = x.b;
    *a_of_b = x.p;
    return LEAT_OK;
}

static leat_err area(void *self, const struct shape *in, struct circle *out)
{
    (void)self;
    if (in->which == shape_none)
        return leat_fail(LEAT_REFUSED, "no shape");
    out->r = in->which == shape_circle ? in->circle.r * in->circle.r * 3 : in->square.side * in->square.side;
    return LEAT_OK;
}

static leat_err move(void *self, const POINT *in, POINT *out)
{
    (void)self;
    *out = (POINT){ in->y, in->x };
    return LEAT_OK;
}

static const struct geo_impl geo = { area, move };

leat_err tell(struct tree *t)
{
    struct tree answer = { .leaf = true };
    LEAT_TRY(leat_push(&answer.ids, t->name.len));
    leat_err e = leat_send(t->back, answer);
    if (e != LEAT_OK)
        leat_drop(tree, &answer);
    return e;
}

leat_err c_side_open(struct c_side *s, leat_node *a, leat_peer *b)
{
    *s = (struct c_side){ a, b, leat_chan_make(struct tree, 4) };
    LEAT_TRY(leat_export(a, "trees", leat_tx_of(s->trees), tree));
    LEAT_TRY(leat_expose(a, tell, tree));
    return leat_serve(a, geo, &geo, NULL);
}

leat_err c_side_take(struct c_side *s, leat_string *json)
{
    struct tree t, asked;
    LEAT_TRY(leat_recv(s->trees, &t));
    if (t.forth) {
        CHECK_EQ(leat_recv(t.forth, &asked), LEAT_OK);
        CHECK_EQ(leat_send(t.back, asked), LEAT_OK);
        leat_unref(t.back);
        leat_unref(t.forth);
    }
    leat_err e = leat_json_write(tree, &t, json);
    leat_drop(tree, &t);
    return e;
}

leat_err c_side_call(struct c_side *s, double r)
{
    struct shape in = { shape_circle, { .circle = { r } } };
    struct circle out = { 0 };
    leat_auto leat_chan(struct tree) back = leat_chan_make(struct tree, 1);
    struct tree got;
    leat_err err;
    CHECK_EQ(leat_call(s->b, geo, area, &in, &out), LEAT_OK);
    CHECK(out.r == r * r * 4);
    in.which = shape_none;
    CHECK_EQ(leat_call(s->b, geo, area, &in, &out), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "a shape of C++, please");
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, s->b, tell, tree, { .name = LEAT_STRING("four"), .back = leat_ref(leat_tx_of(back)) }));
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_recv(back, &got), LEAT_OK);
    CHECK_EQ(got.ids.at[0], 4);
    leat_drop(tree, &got);
    return LEAT_OK;
}
