/* sim_copies.c - a program that is started once and copied for each seed: src/plat/copies.h.  What it does before leat_run is done once. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "plat/copies.h"
#include "plat/proc.h"
#include "tool/sim.h"

static int64_t live_us;                              /* of the processes that run: none of it is counted yet as a child's */

int64_t sim_cpu_ms(void)
{
    return proc_cpu_ms() + live_us / 1000;
}

static bool hear(struct sim_copies *c, struct copies_said *ret)
{
    size_t n = 0;
    return proc_read(c->sock, ret, sizeof *ret, &n) == 0 && n == sizeof *ret;
}

/* It has said that it can be copied, in time, and nothing was printed before: that would be missing from each copy's output. */
static bool is_ready(struct sim_copies *c, int printed, uint32_t timeout_s)
{
    struct pollfd at[] = { { .fd = c->sock, .events = POLLIN }, { .fd = printed, .events = POLLIN } };
    struct copies_said s;
    int64_t due = proc_clock_ms() + (int64_t)timeout_s * 1000;
    while (!at[0].revents && !at[1].revents && proc_clock_ms() < due)
        proc_poll(at, 2, due - proc_clock_ms());
    if (!at[0].revents || (at[1].revents & POLLIN) || !hear(c, &s) || s.error || s.pid != c->pid)
        return false;                                /* another pid: a program around it, which would not go on behind it */
    proc_poll(at + 1, 1, 0);
    return !(at[1].revents & POLLIN);
}

/* Before it starts: which descriptors it has not opened itself. */
static bool tell_given(struct sim_copies *c)
{
    struct copies_given given = { .n = 0 };
    size_t n = 0;
    return copies_given(&given) == 0 && proc_write(c->sock, &given, sizeof given, &n) == 0 && n == sizeof given;
}

bool sim_copies_open(struct sim_copies *c, const struct sim_opts *o)
{
    char conf[32];
    int theirs = -1, printed = -1, print = -1;
    bool good = false;
    *c = (struct sim_copies){ .sock = -1 };
    if (proc_packets(&c->sock, &theirs) == 0 && proc_pipe(&printed, &print) == 0 && tell_given(c)) {
        snprintf(conf, sizeof conf, "serve=%d", theirs);
        const struct proc_var vars[] = { { "LEAT_SIM", conf }, proc_large_heap(), { NULL, NULL } };
        good = proc_start(&(struct proc_start){ .argv = o->argv, .vars = vars, .keep_fd = theirs, .out_fd = print, .err_fd = print,
            .own_group = true }, &c->pid) == 0;
        proc_close(&theirs);
        proc_close(&print);
        good = good && is_ready(c, printed, o->timeout_s);
    }
    proc_close(&theirs);
    proc_close(&print);
    proc_close(&printed);
    if (!good) {
        if (c->pid)
            proc_kill(-c->pid, SIGKILL);             /* whatever it does meanwhile */
        sim_copies_close(c);
    }
    return good;
}

bool sim_copies_order(struct sim_copies *c, const char *text, const int fd[COPIES_FDS], pid_t *ret)
{
    struct copies_said s;
    if (proc_send(c->sock, text, strlen(text), fd, COPIES_FDS) != 0 || !hear(c, &s) || s.error)
        return false;
    *ret = (pid_t)s.pid;
    return true;
}

void sim_copies_wait(struct sim_copies *c, struct proc_end *ret)
{
    struct copies_said s;
    if (!hear(c, &s)) {                              /* the process was killed, and its copy with it */
        ret->signo = SIGKILL;
        return;
    }
    ret->code = (int)s.code;
    ret->signo = (int)s.signo;
    live_us += s.cpu_us - c->cpu_us;
    c->cpu_us = s.cpu_us;
}

void sim_copies_close(struct sim_copies *c)
{
    struct proc_end how;
    proc_close(&c->sock);
    if (c->pid)
        proc_wait(c->pid, &how);
    live_us -= c->cpu_us;
    *c = (struct sim_copies){ .sock = -1 };
}
