/* inherit.c - listening sockets that a supervisor opened and this process was started with: descriptors 3 and up, as LISTEN_PID,
 * LISTEN_FDS and LISTEN_FDNAMES tell.  Each can be taken once; the environment is only read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "plat/atomic.h"
#include "run/conn.h"

enum { FIRST = 3, MOST = 64 };

static _Atomic uint64_t taken;                       /* a bit for each */

static long number_in(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long n = text ? strtol(text, &end, 10) : -1;
    return text && *text && !*end ? n : -1;
}

/* The i-th of the names between colons; "": it has none. */
static void name_of(int i, char *ret, size_t cap)
{
    const char *at = getenv("LISTEN_FDNAMES");
    for (; at && i > 0; i--) {
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    size_t n = at ? strcspn(at, ":") : 0;
    n = n < cap ? n : cap - 1;
    if (n)
        memcpy(ret, at, n);
    ret[n] = 0;
}

static bool take(int i)
{
    uint64_t bit = UINT64_C(1) << i;
    return !(atomic_fetch_or_explicit(&taken, bit, ACQ_REL) & bit);
}

static void give_back(int i)
{
    atomic_fetch_and_explicit(&taken, ~(UINT64_C(1) << i), REL);
}

leat_err leat_listen_inherited(const char *name, leat_listener **ret)
{
    long n = number_in("LISTEN_FDS");
    char its[256];
    if (n <= 0 || number_in("LISTEN_PID") != (long)getpid())
        return leat_fail(LEAT_REFUSED, "leat_listen_inherited: this process was not started with sockets "
            "(LISTEN_FDS with its own LISTEN_PID); use leat_listen");
    for (int i = 0; i < n && i < MOST; i++) {
        name_of(i, its, sizeof its);
        if ((name && strcmp(name, its) != 0) || !take(i))
            continue;
        leat_err e = listener_open_fd(FIRST + i, NULL, ret);
        if (e != LEAT_OK)
            give_back(i);
        return e;
    }
    return leat_fail(LEAT_REFUSED, "leat_listen_inherited: %s%s is left among LISTEN_FDS=%ld, LISTEN_FDNAMES=%s",
        name ? "none named " : "none", name ? name : "", n, getenv("LISTEN_FDNAMES") ? getenv("LISTEN_FDNAMES") : "");
}
