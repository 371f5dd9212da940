/* boot.c - leat_run: puts a program together.  The only file that knows both the real world and the simulated one. */
#include "leat.h"
#undef errno
#include <stdlib.h>
#include "run/seam.h"
#include "sim/sim.h"

leat_err leat_run_(uint32_t version, const leat_opts *o, size_t opts_size, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len)
{
    leat_opts opts = { 0 };
    if (version >> 16 != LEAT_VERSION >> 16)
        return leat_fail(LEAT_INVAL, "leat_run: the program was built for version %u, the library is version %u: build it again",
            version >> 16, LEAT_VERSION >> 16);
    if (o)
        __builtin_memcpy(&opts, o, opts_size < sizeof opts ? opts_size : sizeof opts);
    const struct rt_main m = { .opts = &opts, .fn = fn, .site = site, .arg = arg, .len = len };
    const char *sim = getenv("LEAT_SIM");
    return sim && *sim ? sim_run(&m, sim) : rt_run(&m);
}
