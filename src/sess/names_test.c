/* names_test.c - an import that fails while its peer answers it, as a peer knows the numbers of imports before it is asked; and very many
 * names. */
#include "base/alloc.h"
#include "pair.h"
#include "run/sched.h"
#include "sess/names.h"
#include "sess/ends.h"

LEAT_STRUCT(num, (uint64, n));

enum { FILL = 0xa5, COPIES = 8 };
static struct {
    struct task *_Atomic importer, *_Atomic reader;
    _Atomic bool asking, answered, gave_up;
    size_t bytes;                                    /* of what the import keeps: its first request */
} at_once;

static void wait_for(const _Atomic bool *flag)
{
    while (!at_load_acq(flag))
        cpu_pause();
}

/* The import finds no memory for its frame, but only when the answer is being taken in; and that goes on when the import has returned. */
static bool in_between(void *self, size_t bytes)
{
    struct task *me = task_self();
    const struct ends *t = ends_of(self);
    if (me == at_load(&at_once.reader)) {
        at_store_rel(&at_once.answered, true);
        wait_for(&at_once.gave_up);
    } else if (me == at_load(&at_once.importer) && !at_once.bytes) {
        at_once.bytes = bytes;
    } else if (me == at_load(&at_once.importer) && t->attaching) {
        at_store_rel(&at_once.asking, true);
        wait_for(&at_once.answered);
        return true;
    }
    return false;
}

/* The handler of ATTACHED, as the reader calls it. */
static leat_err answer(leat_peer **p)
{
    struct buf b = { 0 };
    wait_for(&at_once.asking);
    struct sess *s = sess_of(*p);
    buf_varint(&b, 1 << 1 | sess_dialed(s));         /* the first number of this side */
    buf_u8(&b, LEAT_OK);
    buf_u32(&b, 4);
    struct cur in = cur_of(b.p, b.len);
    at_store(&at_once.reader, task_self());
    CHECK_EQ(names_on_attached(s, 0, &in), LEAT_OK);
    at_store(&at_once.reader, NULL);
    buf_free(&b);
    return LEAT_OK;
}

static leat_err answered_early(leat_none *none)
{
    struct pair x = pair_open();
    const struct mem_hook hook = { in_between, sess_of(x.p) };
    leat_tx(struct num) tx = NULL;
    uint8_t *fresh[COPIES];
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, answer, x.p), LEAT_OK);
        at_store(&at_once.importer, task_self());
        __atomic_store_n(&mem_hook, &hook, __ATOMIC_RELAXED);
        CHECK_EQ(leat_import(x.p, "c", &tx, num, 4), LEAT_NOMEM);
        for (int i = 0; i < COPIES; i++) {           /* one of them is where it was, if that is free */
            fresh[i] = malloc(at_once.bytes);
            memset(fresh[i], FILL, at_once.bytes);
        }
        at_store_rel(&at_once.gave_up, true);
    }
    __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
    CHECK_EQ(err, LEAT_OK);
    CHECK(tx == NULL);
    for (int i = 0; i < COPIES; i++) {
        for (size_t k = 0; k < at_once.bytes; k++)
            CHECK_EQ(fresh[i][k], FILL);
        free(fresh[i]);
    }
    pair_close(&x);
    return LEAT_OK;
}
TEST(an_import_that_fails_while_it_is_answered_is_left_to_the_answer)
{
    static const leat_opts three = { .workers = 3, .log = pair_quiet };
    at(INPROC);
    CHECK_EQ(leat_run(&three, answered_early, LEAT_NONE), LEAT_OK);
}

/* -- many names ---------------------------------------------------------------------------------------------------------------------- */
enum { NAMES = 10000, LONG = 40 };

static const char *name_of(int i)
{
    static char name[32];
    snprintf(name, sizeof name, "house/%d", i);
    return name;
}

/* How many names an import walks by at most. */
static int longest(struct exports *t, int *all)
{
    int most = 0;
    *all = 0;
    lock(&t->lock);
    for (int i = 0; i < EXPORT_BUCKETS; i++) {
        int n = 0;
        for (const struct export *x = t->bucket[i]; x; x = x->next)
            n++;
        most = MAX(most, n);
        *all += n;
    }
    unlock(&t->lock);
    return most;
}

static leat_err many(leat_none *none)
{
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, 4);
    int all;
    (void)none;
    for (int i = 0; i < NAMES; i++)
        CHECK_EQ(leat_export(x.a, name_of(i), leat_tx_of(c), num), LEAT_OK);
    CHECK(longest(node_slots(x.a)->exports, &all) < LONG);
    CHECK_EQ(all, NAMES);
    for (int i = 0; i < NAMES; i += 2)
        leat_unexport(x.a, name_of(i));
    leat_unexport(x.a, name_of(0));                  /* nothing */
    (void)longest(node_slots(x.a)->exports, &all);
    CHECK_EQ(all, NAMES / 2);
    for (int i = 0; i < NAMES; i += 99) {
        leat_tx(struct num) tx = NULL;
        CHECK_EQ(leat_export(x.a, name_of(i), leat_tx_of(c), num), i % 2 ? LEAT_INVAL : LEAT_OK);
        CHECK_EQ(leat_import(x.p, name_of(i), &tx, num, 4), LEAT_OK);
        leat_unref(tx);
        leat_unexport(x.a, name_of(i));
        CHECK_EQ(leat_import(x.p, name_of(i), &tx, num, 4), LEAT_REFUSED);
    }
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_import_does_not_walk_by_all_that_is_exported, many)

T_MAIN()
