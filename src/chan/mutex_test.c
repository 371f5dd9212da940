/* mutex_test.c - the mutex from inside: each time its inner lock is let go of, the mutex is looked at.
 * This program brings sync.c itself, with its unlock() watched. */
#include "run/sched.h"
static void unlock_watched(_Atomic uint32_t *l);
static void unlock_fence_watched(_Atomic uint32_t *l);
#define unlock(l) unlock_watched(l)
#define unlock_fence(l) unlock_fence_watched(l)
#include "chan/sync.c"
#undef unlock
#undef unlock_fence
#include "t.h"

static leat_mutex the_mutex;
static int lets_go;

/* A mutex that is free may be locked, unlocked and freed by another before the next instruction: nobody may touch it any more. */
static void watch(const _Atomic uint32_t *l)
{
    struct mutex *m = mutex_of(&the_mutex);
    CHECK(l == &m->lock);
    CHECK(at_load(&m->word) & TAKEN);
    lets_go++;
}
static void unlock_watched(_Atomic uint32_t *l)
{
    watch(l);
    at_store_rel(l, 0);
}
static void unlock_fence_watched(_Atomic uint32_t *l)
{
    watch(l);
    atomic_exchange_explicit(l, 0, SEQ);
}

struct user { int *sum; int rounds; };
static leat_err use(struct user *u)
{
    for (int i = 0; i < u->rounds; i++) {
        LEAT_TRY(leat_lock(&the_mutex));
        ++*u->sum;
        leat_yield();                                /* the others find it held, and wait */
        leat_unlock(&the_mutex);
    }
    return LEAT_OK;
}

static leat_err users(leat_none *none)
{
    (void)none;
    int sum = 0;
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 5; i++)
            LEAT_TRY(leat_go(&g, use, (struct user){ &sum, 100 }));
    LEAT_TRY(err);
    CHECK_EQ(sum, 500);
    CHECK(lets_go > 500);                            /* waits and hand-overs have happened */
    CHECK_EQ(at_load(&mutex_of(&the_mutex)->word), 0);
    return LEAT_OK;
}

TEST(the_last_touch_of_an_unlock_is_the_release)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, users, LEAT_NONE), LEAT_OK);
}

T_MAIN()
