/* kinds.c - every kind of field as C. */
#include "kinds.h"

leat_err move_there(leat_peer *p, POINT *a);
void forget(struct tree *t, POINT *p);
leat_err keep_one_send_one(leat_tx(struct tree) out, struct tree *t);
leat_err names(leat_node *n, leat_peer *p, leat_tx(struct tree) out);

leat_err keep_one_send_one(leat_tx(struct tree) out, struct tree *t)
{
    struct tree copy;
    LEAT_TRY(leat_dup(tree, t, &copy));
    return leat_send(out, copy);
}

leat_err names(leat_node *n, leat_peer *p, leat_tx(struct tree) out)
{
    leat_rx(struct tree) in = NULL;
    LEAT_TRY(leat_export(n, "trees", out, tree));
    LEAT_TRY(leat_import(p, "trees", &in, tree, 16));
    leat_unexport(n, "trees");
    leat_unref(in);
    return LEAT_OK;
}

leat_err move_there(leat_peer *p, POINT *a)
{
    return leat_call(p, geo, move, a, a);
}

void forget(struct tree *t, POINT *p)
{
    leat_drop(tree, t);
    leat_drop(point, p);
}
