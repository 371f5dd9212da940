/* proc.c - starting, ending and awaiting processes: see proc.h.  The descriptors they hold are made in proc_fd.c.
 *
 * Nothing that is started here outlives its starter: a child dies with its parent (PR_SET_PDEATHSIG), and what a child leaves
 * behind becomes a child of the starter (PR_SET_CHILD_SUBREAPER), which finds it by looking through /proc. */
#include "plat/errno.h"
#include "plat/proc.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void signals_default(void)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        if (s != SIGHUP || !proc_ignores(SIGHUP))   /* what nohup asked for stays */
            signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_descriptors(const struct proc_start *p)
{
    if (p->own_group) {
        int null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, 0) < 0)
            return errno;
        if (null > 2)
            close(null);
    }
    if (p->out_fd >= 0 && dup2(p->out_fd, 1) < 0)
        return errno;
    if (p->err_fd >= 0 && dup2(p->err_fd, 2) < 0)
        return errno;
    if (p->keep_fd >= 0 && fcntl(p->keep_fd, F_SETFD, 0) < 0)
        return errno;
    return 0;
}

/* In the child: never returns.  What fails is told through `tell`, which closes by itself when exec succeeds. */
__attribute__((noreturn)) static void child_run(const struct proc_start *p, pid_t parent, int tell)
{
    int e = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        e = errno;
    if (getppid() != parent)
        _exit(1);
    if (!e && p->own_group && setpgid(0, 0) != 0)
        e = errno;
    if (!e)
        e = child_descriptors(p);
    for (const struct proc_var *v = p->vars; !e && v && v->name; v++)
        if (setenv(v->name, v->value, 1) != 0)
            e = errno;
    if (!e) {
        signals_default();
        execvp(p->argv[0], p->argv);
        e = errno;
    }
    ssize_t n = write(tell, &e, sizeof e);
    (void)n;
    _exit(1);
}

struct proc_var proc_large_heap(void)
{
    if (getenv("GLIBC_TUNABLES"))
        return (struct proc_var){ NULL, NULL };
    return (struct proc_var){ "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=8388608:"
        "glibc.malloc.trim_threshold=67108864:glibc.malloc.mmap_threshold=33554432:glibc.malloc.tcache_count=60000" };
}

int proc_start(const struct proc_start *p, pid_t *ret)
{
    int told, tell, failed = 0;
    int e = proc_pipe(&told, &tell);
    if (e)
        return e;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        child_run(p, parent, tell);
    if (pid < 0)
        failed = errno;
    proc_close(&tell);
    ssize_t n = 0;
    while (pid > 0 && (n = read(told, &failed, sizeof failed)) < 0 && errno == EINTR)
        ;
    proc_close(&told);
    if (pid < 0 || n == (ssize_t)sizeof failed) {
        if (pid > 0)
            waitpid(pid, NULL, 0);
        return failed;
    }
    *ret = pid;
    return 0;
}

int proc_fork(int on_death, pid_t *ret)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, on_death);
        if (getppid() != parent)
            _exit(1);
    }
    *ret = pid;
    return 0;
}

static void end_set(struct proc_end *ret, pid_t pid, int status)
{
    ret->pid = pid;
    ret->signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + ret->signo;
}

int proc_reap(struct proc_end *ret)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0)
        return pid == 0 ? EAGAIN : errno;
    end_set(ret, pid, status);
    return 0;
}

int proc_wait(pid_t pid, struct proc_end *ret)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    end_set(ret, pid, status);
    return 0;
}

int proc_adopt_orphans(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : errno;
}

/* The parent of process `pid`: the fourth word of its stat file, behind a name in brackets that may hold anything. */
static pid_t parent_of(const char *pid)
{
    char path[300], text[512], state;
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *after = strrchr(text, ')');
    return after && sscanf(after + 1, " %c %d", &state, &parent) == 2 && state != 'Z' ? parent : 0;
}

int proc_kill_children(int signo)
{
    DIR *d = opendir("/proc");
    bool any = false;
    if (!d)
        return errno;
    for (struct dirent *e; (e = readdir(d)); )
        if (isdigit((unsigned char)e->d_name[0]) && parent_of(e->d_name) == getpid()) {
            any = true;
            kill((pid_t)atoi(e->d_name), signo);
        }
    closedir(d);
    return any ? 0 : ECHILD;
}

void proc_kill(pid_t pid, int signo)
{
    kill(pid, signo);
}

int proc_signals(const int *signo, size_t count, int *ret)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) {
        sigaddset(&set, signo[i]);
        signal(signo[i], SIG_DFL);                   /* one that is ignored would never be seen */
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return errno;
    *ret = fd;
    return 0;
}

int proc_next_signal(int fd, struct proc_signal *ret)
{
    struct signalfd_siginfo s;
    ssize_t n = read(fd, &s, sizeof s);
    if (n < 0)
        return errno;
    ret->signo = (int)s.ssi_signo;
    ret->from = s.ssi_code == SI_USER || s.ssi_code == SI_TKILL || s.ssi_code == SI_QUEUE ? (pid_t)s.ssi_pid : 0;
    return 0;
}

bool proc_ignores(int signo)
{
    struct sigaction a;
    return sigaction(signo, NULL, &a) == 0 && a.sa_handler == SIG_IGN;
}

void proc_ignore(int signo)
{
    signal(signo, SIG_IGN);
}

const char *proc_signal_name(int signo)
{
    const char *name = sigabbrev_np(signo);
    return name ? name : "?";
}

bool proc_is_bad_program(int error)
{
    return error == ENOENT || error == EACCES || error == ENOTDIR || error == ENOEXEC || error == EISDIR || error == ELOOP ||
        error == ENAMETOOLONG || error == E2BIG || error == ETXTBSY || error == EPERM;
}
