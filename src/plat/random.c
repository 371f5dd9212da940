/* random.c - what tells this process from every other one. */
#include "plat/random.h"
#include <stdint.h>
#include <sys/random.h>
#include <unistd.h>
#include "plat/errno.h"

int plat_random(void *to, size_t len)
{
    uint8_t *p = to;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

const char *plat_program_name(void)
{
    return program_invocation_short_name && *program_invocation_short_name ? program_invocation_short_name : "leat";
}

int plat_pid(void)
{
    return (int)getpid();
}
