/* chan_powser2_test.c - what Go's test/chan/powser2.go states: as powser1, but what travels is a pointer to a coefficient that the
 * sender made and the receiver frees. */
#include "place.h"

#define ITEM struct rat *
#define item_of(r) boxed(r)
#define rat_of(it) unboxed(it)
struct rat;
static struct rat *boxed(struct rat r);
static struct rat unboxed(struct rat *p);
#include "powser.h"

static struct rat *boxed(struct rat r)
{
    struct rat *p = malloc(sizeof *p);
    CHECK(p != NULL);
    *p = r;
    return p;
}

static struct rat unboxed(struct rat *p)
{
    struct rat r = *p;
    free(p);
    return r;
}

AT_TASK(powser2, powser_test)

T_MAIN()
