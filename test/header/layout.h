/* layout.h - what a struct with every kind of member looks like in memory: asserted in C and in C++, so they agree. */
#include "kinds.h"
#include <stddef.h>
#ifdef __cplusplus
#define SAME(what, n) static_assert((what) == (n), #what)
#else
#define SAME(what, n) _Static_assert((what) == (n), #what)
#endif
SAME(sizeof(leat_string), 16);
SAME(offsetof(leat_string, len), 8);
SAME(offsetof(leat_string, owned), 12);
SAME(sizeof(leat_bytes), 16);
SAME(sizeof(leat_strings), 16);
SAME(sizeof(leat_date), 16);
SAME(sizeof(leat_error), 64);
SAME(offsetof(leat_error, text), 8);
SAME(sizeof(struct shape), 16);
SAME(offsetof(struct shape, circle), 8);
SAME(sizeof(struct numbers), 56);
SAME(offsetof(struct numbers, k), 48);
SAME(sizeof(enum color), 4);
SAME(offsetof(struct tree, left), 32);
SAME(offsetof(struct tree, kids), 40);
SAME(offsetof(struct tree, by_name), 56);
SAME(offsetof(struct tree, back), 120);
SAME(offsetof(struct tree, leaf), 136);
SAME(offsetof(struct tree, id), 137);
SAME(offsetof(struct tree, color), 156);
SAME(offsetof(struct tree, shape), 160);
SAME(offsetof(struct tree, numbers), 176);
SAME(offsetof(struct tree, when), 232);
SAME(offsetof(struct tree, failed), 256);
SAME(sizeof(struct tree), 320);
SAME(offsetof(struct circle_entry, value), 16);
SAME(sizeof(struct circle_entry), 24);

static inline leat_err push_some(struct tree *t)
{
    struct circle c = { 1.0 };
    struct circle *made = leat_new(circle);
    t->left = leat_new(tree);
    LEAT_TRY(leat_push(&t->ids, 5));
    LEAT_TRY(leat_push(&t->names, LEAT_STRING("x")));
    LEAT_TRY(leat_push(&t->weights, made ? made->r : c.r));
    return leat_push(&t->kids, *t->left);
}
leat_err push_all(struct tree *t);
leat_err push_all(struct tree *t) { return push_some(t); }
