/* launch.c - the process that was called: makes the directory, starts the supervisor, waits.  See launch.h. */
#include "tool/launch.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plat/proc.h"

int launch_signals(int *ret)
{
    int signo[5] = { SIGCHLD, SIGINT, SIGQUIT, SIGTERM };
    size_t n = 4;
    if (!proc_ignores(SIGHUP))                       /* nohup */
        signo[n++] = SIGHUP;
    return proc_signals(signo, n, ret);
}

/* Where sockets go: the user's own directory for such things when it is there and short enough, else /tmp. */
static int make_dir(char dir[LAUNCH_DIR_MAX])
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base && base[0] == '/' && !strchr(base, ',') && proc_temp_dir(base, dir, LAUNCH_DIR_MAX) == 0)
        return 0;
    return proc_temp_dir("/tmp", dir, LAUNCH_DIR_MAX);
}

static int failed(const char *what, int error, const char *todo)
{
    fprintf(stderr, "leat: cannot %s: %s%s\n", what, proc_error(error), todo);
    return EXIT_FAILURE;
}

/* The supervisor was killed: what it was the parent of is this process's now. */
static void clean_up(void)
{
    struct proc_end end;
    int e;
    while ((e = proc_kill_children(SIGKILL)) == 0 || (e = proc_reap(&end)) == 0) {
        while (proc_reap(&end) == 0)
            ;
        proc_poll(NULL, 0, 5);
    }
}

static int wait_for(pid_t supervisor, int signals)
{
    for (;;) {
        struct proc_signal s;
        struct proc_end end;
        struct pollfd p = { .fd = signals, .events = POLLIN };
        proc_poll(&p, 1, -1);
        while (proc_next_signal(signals, &s) == 0)
            if (s.signo != SIGCHLD && s.from != 0)   /* a terminal's signals go to the supervisor anyway */
                proc_kill(supervisor, s.signo);
        while (proc_reap(&end) == 0) {
            if (end.pid != supervisor)
                continue;
            if (end.signo == 0)
                return end.code;
            clean_up();
            fprintf(stderr, "leat: the launcher's own process %d was killed by signal %d (SIG%s); all nodes are ended\n",
                (int)end.pid, end.signo, proc_signal_name(end.signo));
            return end.code;
        }
    }
}

int launch_run(const struct launch *l)
{
    char dir[LAUNCH_DIR_MAX] = "";
    pid_t pid;
    int signals = -1, code, e;
    if (!l->tcp && (e = make_dir(dir)) != 0)
        return failed("make a directory for sockets in /tmp", e, "; make room there, or give --link tcp");
    if ((e = launch_signals(&signals)) != 0 || (e = proc_adopt_orphans()) != 0 || (e = proc_fork(SIGTERM, &pid)) != 0) {
        code = failed("start", e, "; start fewer nodes, or allow more processes and open files with ulimit");
    } else {
        if (pid == 0)
            exit(supervise(l, dir));
        code = wait_for(pid, signals);
    }
    proc_close(&signals);
    if (dir[0])
        proc_remove_dir(dir, l->nodes);
    return code;
}
