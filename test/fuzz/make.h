/* make.h - what the makers of inputs share. */
#ifndef MAKE_H
#define MAKE_H
#include "base/buf.h"
#include "base/rng.h"

uint64_t make_number(struct rng *r);                 /* often small, often one where things break */
/* A valid form (the version in front), appended as it is or varied here and there: other kinds, sizes, names and tags, members that are
 * gone, new, or elsewhere. */
void make_form(struct cur form, struct rng *r, struct buf *out);
void make_value(struct cur form, struct rng *r, struct buf *out);        /* a value of a valid form; its ends are as those of values.c */
leat_err make_hello(struct rng *r, struct buf *out, bool answer);        /* hello.c */
#endif
