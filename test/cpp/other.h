/* other.h - the side that is in C: what describe_test.cpp asks of it.  Both know the structs of header/kinds.h, each by its own
 * description. */
#ifndef OTHER_H
#define OTHER_H
#include "header/kinds.h"

#define EACH_TYPE(X) X(color) X(circle) X(square) X(shape) X(numbers) X(tree) X(old) X(point) X(flagged)

#ifdef __cplusplus
extern "C" {
#endif
const leat_type *type_in_c(const char *name);
void same_description(const leat_type *c, const leat_type *cpp);      /* fails the test that calls it, where they differ */
void same_fingerprint(const leat_type *c, const leat_type *cpp);
leat_err pair_of_nodes(int place, leat_node **a, leat_node **b, leat_peer **a_of_b, leat_peer **b_of_a);

/* what the C side does as node a */
struct c_side { leat_node *node; leat_peer *b; leat_chan(struct tree) trees; };
leat_err c_side_open(struct c_side *s, leat_node *a, leat_peer *b);   /* exports "trees", serves geo, exposes `tell` */
leat_err c_side_take(struct c_side *s, leat_string *json);            /* a tree from "trees": its JSON as C has it; answers on its ends */
leat_err c_side_call(struct c_side *s, double r);                     /* calls geo.area of b, and starts `tell` there */
leat_err tell(struct tree *t);                                        /* sends a tree of the name's length to t->back */
#ifdef __cplusplus
}
#endif
#endif
