/* child.c - vfork and exec on Linux.
 *
 * The child of a vfork runs in our memory on this stack while this thread waits, so it makes system calls only and touches nothing that
 * this frame uses later.  All signals are blocked meanwhile: a handler would run in both.  What fails is told through a pipe that closes by
 * itself on exec; where an emulator or a sanitizer makes a fork of it, that works as well. */
#include "plat/child.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "plat/errno.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef SYS_pidfd_send_signal                        /* the same numbers on every machine */
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { ABOVE = 3, CLOEXEC_RANGE = 4, FDS_BY_HAND = 1024 };

struct verdict { int err, step; };

/* -- in the child ---------------------------------------------------------------------------------------------------------- */
static void signals_default(void)
{
    struct sigaction a;
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        if (sigaction(s, NULL, &a) == 0 && a.sa_handler != SIG_IGN && a.sa_handler != SIG_DFL)
            signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int first_three(const struct child_start *p)
{
    for (int i = 0; i < 3; i++)
        if (p->fd[i] >= 0 && dup2(p->fd[i], i) < 0)
            return errno;
    if (p->err_to_out && dup2(1, 2) < 0)
        return errno;
    if (syscall(SYS_close_range, (unsigned)ABOVE, UINT_MAX, CLOEXEC_RANGE) != 0)
        for (int fd = ABOVE; fd < FDS_BY_HAND; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

__attribute__((noreturn, noinline)) static void become(const struct child_start *p, int tell)
{
    struct verdict v = { 0, CHILD_OTHER };
    if (p->group && setpgid(0, 0) != 0)
        v.err = errno;
    if (!v.err)
        v.err = first_three(p);
    if (!v.err && p->cwd && chdir(p->cwd) != 0)
        v = (struct verdict){ errno, CHILD_DIR };
    if (!v.err) {
        signals_default();
        execvpe(p->argv[0], (char *const *)(uintptr_t)p->argv, p->env ? (char *const *)(uintptr_t)p->env : environ);
        v = (struct verdict){ errno, CHILD_PROGRAM };
    }
    ssize_t n = write(tell, &v, sizeof v);
    (void)n;
    _exit(127);
}

/* -- in the parent ---------------------------------------------------------------------------------------------------------- */
static int high(int fd, int *ret)
{
    int e = 0, up = fd;
    if (fd < ABOVE) {
        up = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
        e = up < 0 ? errno : 0;
        close(fd);
    }
    if (e == 0)
        *ret = up;
    return e;
}

static int pipe_high(int fd[2])
{
    int p[2], e;
    if (pipe2(p, O_CLOEXEC) != 0)
        return errno;
    if ((e = high(p[0], &fd[0])) != 0) {
        close(p[1]);
        return e;
    }
    if ((e = high(p[1], &fd[1])) != 0)
        close(fd[0]);
    return e;
}

__attribute__((noinline)) static pid_t give_birth(const struct child_start *p, int tell, int *err)
{
    pid_t pid = vfork();
    if (pid == 0)
        become(p, tell);
    *err = pid < 0 ? errno : 0;
    return pid;
}

static void bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int hear(int told, struct verdict *v)
{
    ssize_t n;
    while ((n = read(told, v, sizeof *v)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)sizeof *v ? v->err : 0;
}

int child_start(const struct child_start *p, pid_t *ret_pid, int *ret_fd, enum child_step *ret_step)
{
    int tell[2] = { -1, -1 }, e, fd = -1;
    struct verdict v = { 0, CHILD_OTHER };
    sigset_t all, old;
    *ret_step = CHILD_OTHER;
    if ((e = pipe_high(tell)) != 0)
        return e;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = give_birth(p, tell[1], &e);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close(tell[1]);
    if (!e && (e = hear(tell[0], &v)) != 0)
        bury(pid);
    close(tell[0]);
    if (e) {
        *ret_step = (enum child_step)v.step;
        return e;
    }
    fd = (int)syscall(SYS_pidfd_open, pid, 0);       /* nobody else takes the status of our child, so it is still this one */
    if (fd < 0) {
        e = errno;
        kill(pid, SIGKILL);
        bury(pid);
        return e;
    }
    *ret_pid = pid;
    *ret_fd = fd;
    return 0;
}

enum child_watch child_watch(int64_t pid, int *ret_fd)
{
    int fd = pid > 0 && pid <= INT32_MAX ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    if (fd < 0)
        return pid > 0 && errno == ESRCH ? CHILD_GONE : CHILD_UNKNOWN;
    *ret_fd = fd;
    return CHILD_LIVES;
}

static int status(int pidfd, int flags, int *code, int *signo)
{
    siginfo_t s;
    s.si_pid = 0;
    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &s, WEXITED | flags) != 0)
        if (errno != EINTR)
            return errno;
    if (s.si_pid == 0)
        return EAGAIN;
    *signo = s.si_code == CLD_EXITED ? 0 : s.si_status;
    *code = s.si_code == CLD_EXITED ? s.si_status : 0;
    return 0;
}

int child_status(int pidfd, int *code, int *signo) { return status(pidfd, WNOHANG, code, signo); }
int child_await(int pidfd, int *code, int *signo) { return status(pidfd, 0, code, signo); }

int child_signal(int pidfd, int signo)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0 ? 0 : errno;
}

int child_signal_group(pid_t pid, int signo)
{
    return kill(-pid, signo) == 0 ? 0 : errno;
}

int child_pipe(bool we_read, int *ret_ours, int *ret_its)
{
    int fd[2], e = pipe_high(fd);
    if (e)
        return e;
    int ours = fd[we_read ? 0 : 1];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) != 0) {
        e = errno;
        close(fd[0]);
        close(fd[1]);
        return e;
    }
    *ret_ours = ours;
    *ret_its = fd[we_read ? 1 : 0];
    return 0;
}

int child_null(bool write_it, int *ret)
{
    int fd = open("/dev/null", (write_it ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    return fd < 0 ? errno : high(fd, ret);
}

bool child_ends_untold(void)
{
    struct sigaction a;
    return sigaction(SIGCHLD, NULL, &a) == 0 && (a.sa_handler == SIG_IGN || (a.sa_flags & SA_NOCLDWAIT));
}

void child_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
