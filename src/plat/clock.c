/* clock.c - when the processor's counter stands for the monotonic clock.
 *
 * clock_gettime costs 22 ns here and the counter 10.  The kernel's own clock is the counter times a rate that it corrects by 500
 * millionths at most (adjtimex).  It is measured here between two readings of both, each of which is known to be sharp to so many ns,
 * over PRECISE times as much: most often that is half a millisecond, so short programs have the counter too. */
#include "plat/clock.h"
#include "plat/atomic.h"
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    PRECISE = 5000,                                  /* a rate is right to 200 millionths, */
    BASE_MIN_NS = 500000,                            /* measured over this at least, and over all of the time until */
    BASE_MAX_NS = 1000000000,                        /* it begins anew */
    SHARP_NS = 2000,                                 /* a blunter reading is none */
    MARGIN_NS = 5000,                                /* of the span: 200 millionths, and 1000 between the ends of what adjtimex does */
};

bool plat_ticks_good(void)
{
    static _Atomic int known;                        /* 1: good, 2: not */
    if (!at_load(&known)) {
        char name[16] = { 0 };
        int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
        bool good = fd >= 0 && read(fd, name, sizeof name - 1) > 0;
        if (fd >= 0)
            close(fd);
#if defined(__x86_64__)
        int may = 0;
        good = good && strcmp(name, "tsc\n") == 0 && prctl(PR_GET_TSC, &may, 0, 0, 0) == 0 && may == PR_TSC_ENABLE;
#else
        good = good && strcmp(name, "arch_sys_counter\n") == 0;
#endif
        at_store(&known, good ? 1 : 2);
    }
    return at_load(&known) == 1;
}

struct both { uint64_t ticks; int64_t ns, sharp; };  /* a tick, and a time that is not before it and at most `sharp` after */

/* false: the thread was interrupted in between each time. */
static bool read_both(struct both *ret)
{
    for (int i = 0; i < 4; i++) {
        int64_t before = plat_now();
        ret->ticks = plat_ticks();
        ret->ns = plat_now();
        ret->sharp = ret->ns - before;
        if (ret->sharp < SHARP_NS)
            return true;
    }
    return false;
}

static int64_t start_again(struct plat_clock *c, const struct both *now)
{
    c->first = now->ticks;
    c->first_ns = now->ns;
    c->first_sharp = now->sharp;
    c->mult = c->span = 0;
    return now->ns;
}

int64_t plat_clock_compare(struct plat_clock *c)
{
    struct both now;
    c->span = 0;
    if (!c->mult && c->first_ns && (now.ns = plat_now()) - c->first_ns < BASE_MIN_NS)
        return now.ns;                               /* one reading for now, not three */
    if (!plat_ticks_good() || !read_both(&now))
        return plat_now();
    int64_t base = now.ns - c->first_ns;
    if (!c->first_ns || now.ticks <= c->first)
        return start_again(c, &now);
    if (base >= PRECISE * (c->first_sharp + now.sharp)) {
        uint64_t mult = (uint64_t)((double)base * 4294967296.0 / (double)(now.ticks - c->first));
        if (c->mult && (mult > c->mult + (c->mult >> 10) || mult < c->mult - (c->mult >> 10)))
            return start_again(c, &now);             /* the machine slept, or was moved to another: no rate can be told from that */
        c->mult = mult;
        if (base >= BASE_MAX_NS) {
            c->first = now.ticks;
            c->first_ns = now.ns;
            c->first_sharp = now.sharp;
        }
    } else if (!c->mult) {
        return now.sharp < c->first_sharp / 2 ? start_again(c, &now) : now.ns;
    }
    c->at = now.ticks;
    c->ns = now.ns + MARGIN_NS;
    c->span = ((uint64_t)PLAT_CLOCK_SPAN_NS << 32) / c->mult;
    return now.ns;
}
