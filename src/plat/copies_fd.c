/* copies_fd.c - which descriptors a process was given and which it has opened itself: the part of copies.h that `leat sim` needs, too. */
#include "plat/copies.h"
#include "plat/errno.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The number of the next one that is open, but for d's own; -1: there is none. */
static int next_open(DIR *d)
{
    for (struct dirent *e; (e = readdir(d)); ) {
        int at = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : -1;
        if (at >= 0 && at != dirfd(d))
            return at;
    }
    return -1;
}

static bool identify(int fd, struct copies_fd *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    *ret = (struct copies_fd){ fd, (int64_t)st.st_dev, (int64_t)st.st_ino };
    return true;
}

int copies_given(struct copies_given *ret)
{
    DIR *d = opendir("/proc/self/fd");
    int e = 0;
    if (!d)
        return errno;
    ret->n = 0;
    for (int fd; !e && (fd = next_open(d)) >= 0; ) {
        int flags = fd > 2 ? fcntl(fd, F_GETFD) : FD_CLOEXEC;
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            e = ret->n < COPIES_GIVEN && identify(fd, &ret->at[ret->n]) ? (ret->n++, 0) : EMFILE;
    }
    closedir(d);
    return e;
}

static bool was_given(const struct copies_given *g, int fd)
{
    struct copies_fd mine;
    if (!identify(fd, &mine))
        return false;
    for (int64_t i = 0; i < g->n; i++)
        if (g->at[i].fd == mine.fd && g->at[i].dev == mine.dev && g->at[i].ino == mine.ino)
            return true;
    return false;
}

bool copies_only_given(int sock, const struct copies_given *g)
{
    DIR *d = opendir("/proc/self/fd");
    int standard = 0;
    bool good = d != NULL;
    for (int fd; good && (fd = next_open(d)) >= 0; ) {
        standard += fd <= 2;
        good = fd <= 2 || fd == sock || was_given(g, fd);
    }
    if (d)
        closedir(d);
    return good && standard == 3;
}
