/* supervise.c - the parent of all nodes: starts them, passes on what they say, and ends them.  See launch.h.
 *
 * A launch goes through these phases, never back, and `until` is when the next one begins at the latest:
 *   RUNNING   node 0 runs, and nobody has asked for an end
 *   ASKED     a signal has come; node 0 has it too and may end in its own way
 *   LEAVING   node 0 has ended, and the others see that for themselves
 *   ENDING    all have got SIGTERM
 *   KILLING   all have got SIGKILL, and get it again until no child is left
 * Node 0 stays in the process group of the launcher, so that it can read the terminal, be stopped by ^Z and sit in a pipeline;
 * every other node has a group of its own, so that ^C on the terminal does not reach it before node 0 has ended. */
#include <errno.h>                                   /* names of errors; the variable is for plat/ only */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "plat/proc.h"
#include "tool/launch.h"
#include "tool/relay.h"

enum { ASKED_MS = 3000, LEAVING_MS = 500, ENDING_MS = 2000, KILLING_MS = 20, AGAIN_MS = 300, LAST_WORDS_MS = 1000 };
enum phase { RUNNING, ASKED, LEAVING, ENDING, KILLING };
enum { URL_MAX = 128, JOB_MAX = 33 };

struct node {
    char url[URL_MAX];
    pid_t pid;
    int listen_fd, err_fd;                           /* -1: closed; err_fd is our end of the node's standard error */
    bool ended;
};

struct job {
    const struct launch *what;
    const char *dir;
    struct node *node;
    struct pollfd *poll;
    char *urls, name[JOB_MAX];                       /* LEAT_NODES and LEAT_JOB */
    struct relay relay;
    struct proc_end end;                             /* node 0's */
    enum phase phase;
    int64_t until, asked_ms;
    int signals, asked;                              /* asked: the first signal that asked for the end, or 0 */
    bool mute;                                       /* nobody reads our standard error any more */
};

static int64_t now(void)
{
    return proc_clock_ms();
}

/* == Set-up. == */

static int listen_node(struct job *j, uint32_t i)
{
    struct node *n = &j->node[i];
    uint16_t port;
    if (j->what->tcp) {
        int e = proc_listen_loopback(&n->listen_fd, &port);
        if (!e)
            snprintf(n->url, sizeof n->url, "tcp://127.0.0.1:%u", port);
        return e;
    }
    int at = snprintf(n->url, sizeof n->url, "unix:");
    snprintf(n->url + at, sizeof n->url - (size_t)at, "%s/%u", j->dir, i);
    return proc_listen_unix(n->url + at, &n->listen_fd);
}

static int make_names(struct job *j)
{
    uint8_t id[16];
    int e = proc_random(id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(j->name + 2 * i, 3, "%02x", id[i]);
    for (uint32_t i = 0; i < j->what->nodes; i++) {
        if (i > 0)
            strcat(j->urls, ",");
        strcat(j->urls, j->node[i].url);
    }
    return e;
}

static int setup(struct job *j)
{
    uint32_t count = j->what->nodes;
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
    bool tty = proc_is_tty(2);
    j->node = calloc(count, sizeof *j->node);
    j->poll = calloc(count + 2, sizeof *j->poll);
    j->urls = calloc(count, URL_MAX + 1);
    if (!j->node || !j->poll || !j->urls ||
        !relay_init(&j->relay, count, tty, tty && !(plain && *plain) && term && strcmp(term, "dumb") != 0)) {
        fprintf(stderr, "leat: cannot start %u nodes: no memory; start fewer\n", count);
        return EXIT_FAILURE;
    }
    for (uint32_t i = 0; i < count; i++)
        j->node[i].listen_fd = j->node[i].err_fd = -1;
    int e = 0;
    for (uint32_t i = 0; i < count && !e; i++)
        e = listen_node(j, i);
    if (!e)
        e = make_names(j);
    if (e)
        fprintf(stderr, "leat: cannot listen for %u nodes: %s%s\n", count, proc_error(e),
            e == EMFILE ? "; start fewer, or allow more with ulimit -n" : "");
    return e ? EXIT_FAILURE : 0;
}

/* Node 0's standard error is a terminal if ours is, so that it draws what it would draw without us. */
static int open_stderr(struct job *j, uint32_t i, int *ret)
{
    if (i == 0 && j->relay.tty && proc_pty(&j->node[0].err_fd, ret) == 0) {
        proc_pty_size(j->node[0].err_fd, 2, relay_columns(j->what->nodes));
        return 0;
    }
    return proc_pipe(&j->node[i].err_fd, ret);
}

static int start_node(struct job *j, uint32_t i)
{
    struct node *n = &j->node[i];
    char rank[16], fd[16];
    snprintf(rank, sizeof rank, "%u", i);
    snprintf(fd, sizeof fd, "%d", n->listen_fd);
    const struct proc_var vars[] = { { "LEAT_NODES", j->urls }, { "LEAT_RANK", rank }, { "LEAT_LISTEN_FD", fd },
        { "LEAT_JOB", j->name }, { NULL, NULL } };
    int err = -1, e = open_stderr(j, i, &err);
    if (!e)
        e = proc_start(&(struct proc_start){ .argv = j->what->argv, .vars = vars, .keep_fd = n->listen_fd, .out_fd = -1, .err_fd = err,
            .own_group = i > 0 }, &n->pid);
    proc_close(&err);
    proc_close(&n->listen_fd);                       /* so that nobody waits in the queue of a node that has died */
    if (!e)
        relay_say(&j->relay, "node %u is pid %d at %s", i, (int)n->pid, n->url);
    return e;
}

/* == Ending. == */

static void enter(struct job *j, enum phase p, int64_t for_ms)
{
    j->phase = p;
    j->until = now() + for_ms;
}

static void signal_all(struct job *j, int signo)
{
    for (uint32_t i = 1; i < j->what->nodes; i++)
        if (j->node[i].pid > 0)
            proc_kill(-j->node[i].pid, signo);       /* also a group whose first process has ended */
    proc_kill_children(signo);
}

static void next_phase(struct job *j)
{
    if (j->phase < ENDING) {
        signal_all(j, SIGTERM);
        signal_all(j, SIGCONT);                      /* what is stopped ends as well */
        enter(j, ENDING, ENDING_MS);
    } else {
        signal_all(j, SIGKILL);
        enter(j, KILLING, KILLING_MS);
    }
}

static void on_signal(struct job *j, const struct proc_signal *s)
{
    if (s->signo == SIGCHLD)
        return;
    if (j->asked == 0) {
        j->asked = s->signo;
        j->asked_ms = now();
        if (j->phase != RUNNING)
            return;
        if (s->from != 0)                            /* from the terminal node 0 has it already */
            proc_kill(j->node[0].pid, s->signo);
        enter(j, ASKED, ASKED_MS);
    } else if (now() - j->asked_ms >= AGAIN_MS) {    /* asked again: no more patience */
        signal_all(j, SIGKILL);
        enter(j, KILLING, KILLING_MS);
    }
}

static void report(struct job *j, uint32_t i, const struct proc_end *e)
{
    bool ours = j->phase >= ENDING && (e->signo == SIGTERM || e->signo == SIGKILL);
    if (e->signo && !ours && !(i == 0 && j->asked))
        relay_say(&j->relay, "leat: node %u (pid %d) was killed by signal %d (SIG%s)", i, (int)e->pid, e->signo,
            proc_signal_name(e->signo));
    else if (e->code != 0 && !e->signo && i > 0 && j->phase == RUNNING)
        relay_say(&j->relay, "leat: node %u (pid %d) ended with exit code %d", i, (int)e->pid, e->code);
}

static void on_end(struct job *j, const struct proc_end *e)
{
    for (uint32_t i = 0; i < j->what->nodes; i++) {
        if (j->node[i].pid != e->pid || j->node[i].ended)
            continue;
        j->node[i].ended = true;
        report(j, i, e);
        if (i == 0) {
            j->end = *e;
            if (e->signo || j->asked)
                next_phase(j);
            else if (j->phase < LEAVING)
                enter(j, LEAVING, LEAVING_MS);
        }
        return;
    }
}

/* == The loop. == */

static void write_some(struct job *j)
{
    size_t n = j->relay.out_len < 4096 ? j->relay.out_len : 4096;    /* what poll says fits */
    if (!j->mute && proc_write(2, j->relay.out, n, &n) != 0)
        j->mute = true;
    relay_taken(&j->relay, j->mute ? j->relay.out_len : n);
}

static void read_some(struct job *j, uint32_t i)
{
    static char buf[16384];
    size_t n;
    if (proc_read(j->node[i].err_fd, buf, sizeof buf, &n) == 0 && n > 0) {
        relay_feed(&j->relay, i, buf, n);
        return;
    }
    relay_end(&j->relay, i);
    proc_close(&j->node[i].err_fd);
}

/* Returns whether any node may still say something. */
static bool turn(struct job *j, int64_t wait_ms)
{
    uint32_t count = j->what->nodes;
    bool open = false, full = j->relay.out_len >= RELAY_OUT_HIGH;
    for (uint32_t i = 0; i < count; i++) {
        j->poll[i] = (struct pollfd){ .fd = full ? -1 : j->node[i].err_fd, .events = POLLIN };
        open |= j->node[i].err_fd >= 0;
    }
    j->poll[count] = (struct pollfd){ .fd = j->signals, .events = POLLIN };
    j->poll[count + 1] = (struct pollfd){ .fd = j->relay.out_len ? 2 : -1, .events = POLLOUT };
    if (proc_poll(j->poll, count + 2, wait_ms) != 0)
        return open;
    for (uint32_t i = 0; i < count; i++)
        if (j->poll[i].revents)
            read_some(j, i);
    if (j->poll[count + 1].revents)
        write_some(j);
    return open;
}

/* Until no child is left, neither a node nor an orphan of one. */
static void run(struct job *j)
{
    struct proc_signal s;
    struct proc_end end;
    for (;;) {
        int64_t left = j->until - now();
        if (j->phase != RUNNING && left <= 0) {
            next_phase(j);
            continue;
        }
        turn(j, j->phase == RUNNING ? -1 : left);
        while (proc_next_signal(j->signals, &s) == 0)
            on_signal(j, &s);
        int e;
        while ((e = proc_reap(&end)) == 0)
            on_end(j, &end);
        if (e != EAGAIN)
            return;
    }
}

static void last_words(struct job *j)
{
    int64_t until = now() + LAST_WORDS_MS, left;
    while ((left = until - now()) > 0)
        if (!turn(j, left < 50 ? left : 50) && j->relay.out_len == 0)
            return;
}

static int exit_code(const struct job *j)
{
    if (j->asked == SIGINT || j->asked == SIGQUIT)
        return 128 + j->asked;
    if (j->asked && (j->end.signo || j->end.pid == 0))
        return 128 + j->asked;
    return j->end.code;
}

/* A program that cannot be started is a wrong command line; all else is a failure. */
static int start_failed(struct job *j, int error)
{
    const char *name = j->what->argv[0];
    bool usage = proc_is_bad_program(error);
    const char *hint = !usage ? "" : strchr(name, '/') ? "; name a program that can be run"
                                                       : "; name a program on PATH or give its path, as in ./program";
    relay_say(&j->relay, "leat: cannot start '%s': %s%s", name, proc_error(error), hint);
    signal_all(j, SIGKILL);
    enter(j, KILLING, KILLING_MS);
    run(j);
    return usage ? EXIT_USAGE : EXIT_FAILURE;
}

static int start_all(struct job *j)
{
    for (uint32_t i = 0; i < j->what->nodes; i++) {
        int e = start_node(j, i);
        if (e)
            return start_failed(j, e);
    }
    run(j);
    return exit_code(j);
}

int supervise(const struct launch *l, const char *dir)
{
    struct job j = { .what = l, .dir = dir, .signals = -1 };
    proc_ignore(SIGPIPE);
    int code = setup(&j), e = 0;
    if (code == 0) {
        if ((e = launch_signals(&j.signals)) != 0 || (e = proc_adopt_orphans()) != 0) {
            fprintf(stderr, "leat: cannot start: %s\n", proc_error(e));
            code = EXIT_FAILURE;
        } else {
            code = start_all(&j);
            last_words(&j);
        }
    }
    for (uint32_t i = 0; j.node && i < l->nodes; i++) {
        proc_close(&j.node[i].listen_fd);
        proc_close(&j.node[i].err_fd);
    }
    if (dir[0])
        proc_remove_dir(dir, l->nodes);              /* the caller does so too, but may be dead */
    proc_close(&j.signals);
    relay_done(&j.relay);
    free(j.urls);
    free(j.poll);
    free(j.node);
    return code;
}
