/* poll_some.c - a thread that blocks for a few descriptors, and the bell by which another thread ends that. */
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "plat/errno.h"
#include "plat/poll.h"

static short mask_of(uint32_t events)
{
    return (short)((events & POLL_READ ? POLLIN | POLLRDHUP : 0) | (events & POLL_WRITE ? POLLOUT : 0));
}

int poll_some(const struct poll_want *want, int n, int64_t limit_ns)
{
    struct pollfd f[POLL_SOME_MAX];
    struct timespec ts = { limit_ns / 1000000000, limit_ns % 1000000000 };
    int saved = errno;
    for (int i = 0; i < n; i++)
        f[i] = (struct pollfd){ want[i].fd, mask_of(want[i].events), 0 };
    int k = ppoll(f, (nfds_t)n, limit_ns < 0 ? NULL : &ts, NULL), e = k < 0 ? errno : 0;
    errno = saved;
    if (k == 0)
        return ETIMEDOUT;
    for (int i = 0; i < n && k > 0; i++)
        if (f[i].revents & POLLNVAL)
            e = EBADF;
    return e;
}

int poll_one(int fd, uint32_t events, int64_t limit_ns)
{
    struct poll_want one = { fd, events };
    return poll_some(&one, 1, limit_ns);
}

int poll_bell_open(int *ret)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return errno;
    *ret = fd;
    return 0;
}

void poll_bell_ring(int bell)
{
    uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(bell, &one, sizeof one);
    (void)n;                                         /* the count is far from its limit, so it cannot fail */
    errno = saved;
}

void poll_bell_clear(int bell)
{
    uint64_t n;
    int saved = errno;
    ssize_t k = read(bell, &n, sizeof n);
    (void)k;
    errno = saved;
}

void poll_bell_close(int bell)
{
    close(bell);
}
