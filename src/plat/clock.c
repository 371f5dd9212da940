/* clock.c - when the processor's counter stands for the monotonic clock.
 *
 * clock_gettime costs 22 ns here and the counter 10.  The kernel's own clock is the counter times a rate that it corrects by 500
 * millionths at most (adjtimex), and that is measured here over at least BASE_NS, by readings that are sharp to SHARP_NS. */
#include "plat/clock.h"
#include "plat/atomic.h"
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    BASE_NS = 20000000,                              /* a rate is measured over this at least, */
    BASE_MAX_NS = 1000000000,                        /* and anew from here on after this */
    SHARP_NS = 2000,                                 /* 200 millionths of the shortest base, at its two ends */
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

/* A tick and a time not before it.  false: the thread was interrupted in between each time. */
static bool read_both(uint64_t *ticks, int64_t *ns)
{
    for (int i = 0; i < 4; i++) {
        int64_t before = plat_now();
        *ticks = plat_ticks();
        *ns = plat_now();
        if (*ns - before < SHARP_NS)
            return true;
    }
    return false;
}

static void start_again(struct plat_clock *c, uint64_t ticks, int64_t ns)
{
    c->first = ticks;
    c->first_ns = ns;
    c->mult = c->span = 0;
}

int64_t plat_clock_compare(struct plat_clock *c)
{
    uint64_t ticks;
    int64_t ns;
    c->span = 0;
    if (!plat_ticks_good() || !read_both(&ticks, &ns))
        return plat_now();
    int64_t base = ns - c->first_ns;
    if (!c->first_ns || ticks <= c->first) {
        start_again(c, ticks, ns);
        return ns;
    }
    if (base < BASE_NS && !c->mult)
        return ns;
    if (base >= BASE_NS) {
        uint64_t mult = (uint64_t)((double)base * 4294967296.0 / (double)(ticks - c->first));
        if (c->mult && (mult > c->mult + (c->mult >> 10) || mult < c->mult - (c->mult >> 10))) {
            start_again(c, ticks, ns);               /* the machine slept, or was moved to another: no rate can be told from that */
            return ns;
        }
        c->mult = mult;
        if (base >= BASE_MAX_NS) {
            c->first = ticks;
            c->first_ns = ns;
        }
    }
    c->at = ticks;
    c->ns = ns + MARGIN_NS;
    c->span = ((uint64_t)PLAT_CLOCK_SPAN_NS << 32) / c->mult;
    return ns;
}
