/* say.c - write until all is written. */
#include "plat/say.h"
#include <sys/types.h>
#include <unistd.h>
#include "plat/errno.h"

void plat_say(int fd, const char *text, size_t n)
{
    int saved = errno;
    for (size_t at = 0; at < n; ) {
        ssize_t k = write(fd, text + at, n - at);
        if (k <= 0 && errno != EINTR)
            break;
        at += k > 0 ? (size_t)k : 0;
    }
    errno = saved;
}
