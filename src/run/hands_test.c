/* hands_test.c - the threads of leat_blocking, as they come and go: a call always has one that comes to it, or is told that there is none.
 * Here a thread that idles finds at once that it has idled for long: its clock runs ahead. */
#include <time.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "plat/atomic.h"
#include "plat/futex.h"
#include "plat/interrupt.h"
#include "plat/thread.h"
#include "leat.h"
#undef errno
#include "t.h"

static _Atomic int came;                             /* threads so far */
static __thread long ahead;                          /* of such a thread; 0: this is none */

void __real_plat_interrupt_allow(void);
void __wrap_plat_interrupt_allow(void);
int __real_clock_gettime(clockid_t which, struct timespec *ret);
int __wrap_clock_gettime(clockid_t which, struct timespec *ret);

void __wrap_plat_interrupt_allow(void)               /* what each of them begins with */
{
    came++;
    ahead = 1;
    __real_plat_interrupt_allow();
}

int __wrap_clock_gettime(clockid_t which, struct timespec *ret)
{
    int e = __real_clock_gettime(which, ret);
    if (ahead)
        ret->tv_sec += ahead++ * (LIMIT_POOL_IDLE_MS / 1000 + 1);
    return e;
}

void __real_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns);
void __wrap_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns);
void __wrap_plat_futex_wait(_Atomic uint32_t *word, uint32_t is, int64_t limit_ns)
{
    if (!ahead)
        __real_plat_futex_wait(word, is, limit_ns);
}

static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }

static leat_err more_than_there_may_be(leat_none *none)
{
    (void)none;
    while (came < 2 * LIMIT_POOL_THREADS)
        leat_with_deadline(LEAT_S(20))
            CHECK_EQ(leat_blocking(nothing, LEAT_NONE), LEAT_OK);
    return LEAT_OK;
}

TEST(a_thread_that_has_left_makes_room_for_another)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, more_than_there_may_be, LEAT_NONE), LEAT_OK);
}

/* -- no thread can be had ------------------------------------------------------------------------------------------------------- */
static struct { size_t bytes; _Atomic int waits; int together; } refused;            /* what is refused: the record of a thread */

static bool refuses_what_comes_second(void *self, size_t bytes)
{
    (void)self;
    if (refused.together++ != 1)                     /* the first is that of the pool, the third of the error's words */
        return false;
    refused.bytes = bytes;
    return true;
}
static bool refuses_together(void *self, size_t bytes)
{
    (void)self;
    if (bytes != refused.bytes)
        return false;
    for (refused.waits++; refused.waits < refused.together; )
        cpu_pause();
    return true;
}
static const struct mem_hook second = { refuses_what_comes_second, NULL }, together = { refuses_together, NULL };
static void hook(const struct mem_hook *h) { __atomic_store_n(&mem_hook, h, __ATOMIC_SEQ_CST); }

static leat_err is_refused(leat_none *none)
{
    leat_err e = LEAT_OK;
    (void)none;
    leat_with_deadline(LEAT_S(20))
        e = leat_blocking(nothing, LEAT_NONE);
    CHECK_EQ(e, LEAT_SYS);
    return LEAT_OK;
}

/* Both have queued their call before either finds that there is no thread. */
static leat_err two_at_once(leat_none *none)
{
    leat_err err;
    hook(&second);
    CHECK_EQ(leat_blocking(nothing, LEAT_NONE), LEAT_SYS);
    refused.together = 2;
    hook(&together);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, is_refused, *none));
        LEAT_TRY(leat_go(&g, is_refused, *none));
    }
    hook(NULL);
    CHECK_EQ(leat_blocking(nothing, LEAT_NONE), LEAT_OK);
    return err;
}

TEST(calls_for_which_no_thread_can_be_had_are_all_told)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, two_at_once, LEAT_NONE), LEAT_OK);
}

/* -- a call is to end early, and no thread can be had that sends its signals ---------------------------------------------------------- */
static _Atomic int sent, no_ticker;

void __real_plat_interrupt_send(pthread_t t);
void __wrap_plat_interrupt_send(pthread_t t);
void __wrap_plat_interrupt_send(pthread_t t)
{
    __real_plat_interrupt_send(t);
    sent++;
}

int __real_plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name);
int __wrap_plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name);
int __wrap_plat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, const char *name)
{
    return no_ticker && strcmp(name, "leat-tick") == 0 ? EAGAIN : __real_plat_thread_start(ret, fn, arg, name);
}

/* The first signal comes before the call that it shall end. */
static leat_err sleeps_late(leat_none *none)
{
    (void)none;
    while (!sent)
        cpu_pause();
    return usleep(30000000) == 0 ? LEAT_OK : leat_fail(LEAT_CANCELED, "interrupted");
}

static leat_err ends_early(leat_none *none)
{
    leat_err e = LEAT_OK;
    no_ticker = 1;
    do {                                             /* the time may be over before a thread comes to it */
        leat_with_deadline(LEAT_MS(1))
            e = leat_blocking(sleeps_late, *none);
    } while (e == LEAT_DEADLINE && !sent);
    CHECK_EQ(e, LEAT_DEADLINE);
    no_ticker = 0;
    CHECK_EQ(leat_blocking(nothing, LEAT_NONE), LEAT_OK);            /* no signal is left over for it */
    return LEAT_OK;
}

TEST(a_call_ends_early_although_there_is_no_thread_that_ticks)
{
    CHECK_EQ(leat_run(&(leat_opts){ .workers = 1 }, ends_early, LEAT_NONE), LEAT_OK);
}

T_MAIN()
