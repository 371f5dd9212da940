/* copies.c - see copies.h.  A fork() of a process with one thread, and no exec. */
#include "plat/copies.h"
#include "plat/cpu_time.h"
#include "plat/errno.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- what a copy would not have, or would share with others ------------------------------------------------------------------------ */
static bool has_one_thread(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d)); )
        n += isdigit((unsigned char)e->d_name[0]) != 0;
    if (d)
        closedir(d);
    return n == 1;
}

static bool shares_memory(void)
{
    char line[512], mode[8];
    bool shared = false;
    FILE *f = fopen("/proc/self/maps", "re");
    if (!f)
        return true;
    while (fgets(line, sizeof line, f))
        shared |= sscanf(line, "%*s %7s", mode) == 1 && mode[1] == 'w' && mode[3] == 's';
    fclose(f);
    return shared;
}

static bool has_timer(void)
{
    bool any = false;
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        struct itimerval v;
        any |= getitimer(which, &v) != 0 || v.it_value.tv_sec || v.it_value.tv_usec;
    }
    return any;
}

static bool may_be_copied(int sock, const struct copies_given *g)
{
    struct sigaction chld;
    siginfo_t how;
    return has_one_thread() && copies_only_given(sock, g) && !shares_memory() && !has_timer() &&
        sigaction(SIGCHLD, NULL, &chld) == 0 && chld.sa_handler == SIG_DFL && !(chld.sa_flags & SA_NOCLDWAIT) &&
        waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

/* -- the socket ------------------------------------------------------------------------------------------------------------------ */
static void say(int sock, const struct copies_said *s)
{
    while (send(sock, s, sizeof *s, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            _exit(0);                                /* nobody gives orders any more */
}

static bool hear_given(int sock, struct copies_given *g)
{
    ssize_t n;
    while ((n = recv(sock, g, sizeof *g, 0)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)sizeof *g;
}

/* The next order; false: there is none. */
static bool hear(int sock, char *order, size_t cap, int fd[COPIES_FDS])
{
    union { struct cmsghdr h; char room[CMSG_SPACE(COPIES_FDS * sizeof(int))]; } c;
    struct iovec v = { order, cap - 1 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
    ssize_t n;
    while ((n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!h || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(COPIES_FDS * sizeof(int)))
        return false;
    memcpy(fd, CMSG_DATA(h), COPIES_FDS * sizeof(int));
    order[n] = 0;
    return true;
}

/* -- copies ------------------------------------------------------------------------------------------------------------------------ */
static void begin(pid_t parent, int sock, int fd[COPIES_FDS])
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || setpgid(0, 0) != 0 || dup2(fd[0], 1) < 0 || dup2(fd[1], 2) < 0)
        _exit(1);
    close(fd[0]);
    close(fd[1]);
    close(sock);
}

void copies_serve(int sock, char *order, size_t cap, int *ret_report)
{
    pid_t self = getpid(), last = 0;
    int fd[COPIES_FDS];
    struct copies_given given;
    bool may = hear_given(sock, &given) && may_be_copied(sock, &given);
    say(sock, &(struct copies_said){ .pid = self, .error = may ? 0 : EBUSY });
    if (!may)
        _exit(0);
    for (;;) {
        bool more = hear(sock, order, cap, fd);
        if (last)
            waitpid(last, NULL, 0);                  /* only now: until then its number is nobody else's, whoever kills it */
        if (!more)
            _exit(0);
        struct copies_said s = { .pid = fork() };
        if (s.pid == 0) {
            begin(self, sock, fd);
            *ret_report = fd[2];
            return;
        }
        s.error = s.pid < 0 ? errno : 0;
        if (s.pid > 0)
            (void)setpgid((pid_t)s.pid, (pid_t)s.pid);               /* as the copy does: whoever is told of it may kill the group */
        for (int i = 0; i < COPIES_FDS; i++)
            close(fd[i]);
        say(sock, &s);
        last = s.pid > 0 ? (pid_t)s.pid : 0;
        if (!last)
            continue;
        siginfo_t how = { 0 };
        while (waitid(P_PID, (id_t)last, &how, WEXITED | WNOWAIT) < 0 && errno == EINTR)
            ;
        s.signo = how.si_code == CLD_EXITED ? 0 : how.si_status;
        s.code = s.signo ? 128 + s.signo : how.si_status;
        s.cpu_us = cpu_time_us(RUSAGE_SELF) + cpu_time_us(RUSAGE_CHILDREN);
        say(sock, &s);
    }
}
