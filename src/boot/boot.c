/* boot.c - leat_run and leat_guest_start: puts a program together.  The only file that knows both the real world and the simulated one. */
#include "leat.h"
#undef errno
#include <stdlib.h>
#include "run/guest.h"
#include "run/seam.h"
#include "sim/sim.h"
#include "type/freelist.h"

static leat_err check(const char *what, uint32_t version, const leat_opts *o, size_t opts_size, leat_opts *opts)
{
    if (version >> 16 != LEAT_VERSION >> 16)
        return leat_fail(LEAT_INVAL, "%s: the program was built for version %u, the library is version %u: build it again", what,
            version >> 16, LEAT_VERSION >> 16);
    *opts = (leat_opts){ 0 };
    if (o)
        __builtin_memcpy(opts, o, opts_size < sizeof *opts ? opts_size : sizeof *opts);
    return LEAT_OK;
}

leat_err leat_run_(uint32_t version, const leat_opts *o, size_t opts_size, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len)
{
    leat_opts opts;
    LEAT_TRY(check("leat_run", version, o, opts_size, &opts));
    const struct rt_main m = { .opts = &opts, .fn = fn, .site = site, .arg = arg, .len = len };
    const char *sim = getenv("LEAT_SIM");
    leat_err e = sim && *sim ? sim_run(&m, sim) : rt_run(&m);
    freelist_give_back();                            /* the other threads have ended; this one lives on */
    return e;
}

leat_err leat_guest_start_(uint32_t version, const leat_opts *o, size_t opts_size, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len, leat_guest **ret)
{
    leat_opts opts;
    LEAT_TRY(check("leat_guest_start", version, o, opts_size, &opts));
    const struct rt_main m = { .opts = &opts, .fn = fn, .site = site, .arg = arg, .len = len };
    const char *sim = getenv("LEAT_SIM");
    if (sim && *sim)
        return leat_fail(LEAT_INVAL, "leat_guest_start: a simulation has no place for another loop (LEAT_SIM is set)");
    return guest_start(&m, ret);
}
