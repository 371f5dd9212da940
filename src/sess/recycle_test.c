/* recycle_test.c - who sends or receives a large element has malloc use such memory again, and not have the system make it each time. */
#include <malloc.h>
#include <stdlib.h>
#include "leat.h"
#include "plat/mem.h"
#include "plat/san.h"
#include "sess/home.h"
#include "sess/large.h"
#include "t.h"

LEAT_STRUCT(blob, (bytes, data));
enum { LONG = 1 << 20, PROBE = PLAT_MEM_STAYS / 4, FIRST = 8 << 10 };

/* Whether a block of PROBE bytes now gets a mapping of its own.  It stays: what is given back would be learnt from. */
static bool mapped(void *volatile *ret)                  /* volatile: the compiler is not to leave out the pair */
{
    size_t before = mallinfo2().hblks;
    *ret = malloc(PROBE);
    return mallinfo2().hblks > before;
}

static void learns(void (*by)(void))
{
    void *volatile first, *volatile then;
    bool was = mapped(&first);
    by();
    CHECK_EQ(was, !san_watches_memory());            /* another allocator stands in for glibc's there */
    CHECK(!mapped(&then));
    free((void *)first);
    free((void *)then);
}

static struct blob long_one(void)
{
    uint8_t *p = calloc(1, LONG);
    CHECK(p);
    return (struct blob){ { p, LONG, true } };
}

static void by_itself(void)
{
    plat_mem_recycle();
    plat_mem_recycle();
}
TEST(memory_of_large_blocks_is_used_again) { learns(by_itself); }

static void by_sending(void)
{
    struct blob b = long_one();
    struct large *x;
    CHECK_EQ(large_new(&blob_type, &b, LARGE_MOVES, &x), LEAT_OK);
    lent_unref(&x->lent);
}
TEST(who_sends_a_large_element_uses_its_memory_again) { learns(by_sending); }

static void by_receiving(void)
{
    struct blob b = long_one();
    struct buf bytes = { 0 };
    struct end e = { .type = &blob_type };
    CHECK_EQ(type_encode(&blob_type, &b, &bytes, NULL), LEAT_OK);
    CHECK_EQ(gather_add(&e, cur_of(bytes.p, FIRST)), LEAT_OK);
    gather_free(&e);
    buf_free(&bytes);
    leat_drop(blob, &b);
}
TEST(who_receives_a_large_element_uses_its_memory_again) { learns(by_receiving); }

T_MAIN()
