/* clock.h - the monotonic clock, ns, and a cheaper reading of it. */
#ifndef PLAT_CLOCK_H
#define PLAT_CLOCK_H
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t plat_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The processor's counter of time (TSC, CNTVCT): runs at one rate on all processors where plat_ticks_good() says so. */
static inline uint64_t plat_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#endif
}

/* The counter may stand for the monotonic clock: the kernel itself keeps its time by it (so it has been checked and is watched), and
 * this process may read it. */
bool plat_ticks_good(void);

/* One thread's translation of ticks to ns.  Zeroed is ready: it then reads the clock itself until it has watched the counter for
 * long enough.  From then on it compares with the clock every PLAT_CLOCK_SPAN_NS, in which the two part by little, so that what it
 * says is never before the clock and at most PLAT_CLOCK_AHEAD_NS after. */
enum { PLAT_CLOCK_SPAN_NS = 4000000, PLAT_CLOCK_AHEAD_NS = 12000 };
struct plat_clock {
    uint64_t at, span;                               /* the counter at the last comparison; for how many ticks it is good, or 0 */
    uint64_t mult;                                   /* ns a tick, 32 bits behind the point */
    int64_t ns;                                      /* the clock then, and the margin */
    uint64_t first;                                  /* from where the rate is measured */
    int64_t first_ns, first_sharp;
};

int64_t plat_clock_compare(struct plat_clock *c);    /* what plat_now_soon does from time to time */

/* Without a comparison, and so without a call: false: it is time for one. */
static inline bool plat_clock_read(const struct plat_clock *c, int64_t *ns)
{
    uint64_t past = plat_ticks() - c->at;
    *ns = c->ns + (int64_t)(past * c->mult >> 32);
    return __builtin_expect(past < c->span, 1);
}

/* For instants in the future, which must not come early.  Where it matters what time it is, plat_now() says it. */
static inline int64_t plat_now_soon(struct plat_clock *c)
{
    int64_t ns;
    return plat_clock_read(c, &ns) ? ns : plat_clock_compare(c);
}
#endif
