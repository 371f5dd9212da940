/* sim_runs.c - the processes of `leat sim`: a few at a time, each with three pipes: its output, its errors, the library's report.
 * Each is a copy of one that stands before its first leat_run (sim_copies.c) where the program allows that, else it is started anew.
 * Results are handed on in the order of seeds; those that are early wait for their turn. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plat/proc.h"
#include "tool/launch.h"
#include "tool/sim.h"
#include "tool/tool.h"

enum { OUT, ERR, REPORT, PIPES, QUEUE = 4 * SIM_JOBS_MAX };

struct run {                                         /* one process */
    struct sim_result *result;
    pid_t pid;
    bool copied;                                     /* of the copies of the same place */
    int fd[PIPES];
    int64_t due_ms;                                  /* killed then */
    char line[SIM_LINE_MAX];                         /* of the report, as far as it has come */
    size_t line_len;
};
struct runs {
    const struct sim_opts *o;
    struct run run[SIM_JOBS_MAX];                    /* in use: result is set */
    struct sim_copies copies[SIM_JOBS_MAX];          /* those that are open have a pid */
    bool start_each;                                 /* the program is none to be copied */
    struct sim_result *done[QUEUE];                  /* by number modulo QUEUE */
    uint64_t started, handed, count;                 /* numbers: seed first + number, or half of it when each runs twice */
};

/* -- what comes out ---------------------------------------------------------------------------------------------------------- */
static void text_add(struct sim_text *t, const char *p, size_t n)
{
    size_t head = SIM_HEAD - t->head_len;
    head = head < n ? head : n;
    memcpy(t->head + t->head_len, p, head);
    t->head_len += head;
    p += head;
    n -= head;
    if (n > SIM_TAIL) {
        p += n - SIM_TAIL;
        n = SIM_TAIL;
    }
    size_t keep = t->tail_len + n > SIM_TAIL ? SIM_TAIL - n : t->tail_len;
    memmove(t->tail, t->tail + t->tail_len - keep, keep);
    memcpy(t->tail + keep, p, n);
    t->tail_len = keep + n;
}

static void out_add(struct sim_result *r, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->out_hash = (r->out_hash ^ (uint8_t)p[i]) * 0x100000001b3u;             /* FNV-1a */
    r->out_len += n;
}

static void report_add(struct run *x, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            x->line[x->line_len] = 0;
            x->line_len = 0;
            sim_report_line(x->result, x->line);
        } else if (x->line_len < sizeof x->line - 1) {
            x->line[x->line_len++] = p[i];
        }
    }
}

static void take(struct run *x, int which)
{
    char buf[16 << 10];
    size_t n = 0;
    if (proc_read(x->fd[which], buf, sizeof buf, &n) != 0 || n == 0) {
        proc_close(&x->fd[which]);
        return;
    }
    if (which == OUT)
        out_add(x->result, buf, n);
    else if (which == ERR)
        text_add(&x->result->err, buf, n);
    else
        report_add(x, buf, n);
}

/* -- processes ----------------------------------------------------------------------------------------------------------------- */
/* LEAT_SIM for this seed, without the place of its report. */
static void conf_of(const struct sim_opts *o, uint64_t seed, char conf[SIM_LINE_MAX])
{
    const struct { const char *name, *value; } more[] = { { "trace", o->trace }, { "plan", o->plan }, { "bugs", o->bugs },
        { "most", o->most }, { "restarts", o->no_restarts ? "0" : NULL }, { "tasks", o->tasks ? "1" : NULL } };
    size_t n = (size_t)snprintf(conf, SIM_LINE_MAX, "seed=%llu,nodes=%s,faults=%s,limit=%s", (unsigned long long)seed, o->nodes, o->faults,
        o->limit);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (more[i].value && n < SIM_LINE_MAX)
            n += (size_t)snprintf(conf + n, SIM_LINE_MAX - n, ",%s=%s", more[i].name, more[i].value);
}

/* As a copy: false: there are none. */
static bool copy(struct runs *s, struct run *x, const char *conf, const int write_end[PIPES])
{
    struct sim_copies *c = &s->copies[x - s->run];
    if (!c->pid && !s->start_each)
        s->start_each = !sim_copies_open(c, s->o);
    if (!c->pid)
        return false;
    x->copied = sim_copies_order(c, conf, write_end, &x->pid);
    if (!x->copied)
        sim_copies_close(c);
    return x->copied;
}

static int exec(struct runs *s, struct run *x, const int write_end[PIPES])
{
    char conf[SIM_LINE_MAX];
    const struct sim_opts *o = s->o;
    conf_of(o, x->result->seed, conf);
    bool second = o->twice && s->started % 2;        /* has its memory at other addresses: nothing may depend on them */
    if (!o->start_each && s->count > 1 && !second && copy(s, x, conf, write_end))
        return 0;
    size_t n = strlen(conf);
    snprintf(conf + n, sizeof conf - n, ",fd=%d", write_end[REPORT]);
    const struct proc_var vars[] = { { "LEAT_SIM", conf }, proc_large_heap(), { NULL, NULL } };
    return proc_start(&(struct proc_start){ .argv = o->argv, .vars = vars, .keep_fd = write_end[REPORT], .out_fd = write_end[OUT],
        .err_fd = write_end[ERR], .own_group = true }, &x->pid);
}

static int start(struct runs *s, struct run *x)
{
    int write_end[PIPES] = { -1, -1, -1 }, e = 0;
    *x = (struct run){ .fd = { -1, -1, -1 } };
    x->result = calloc(1, sizeof *x->result);
    if (!x->result)
        abort();
    x->result->seed = s->o->first + s->started / (s->o->twice ? 2 : 1);
    x->result->out_hash = 0xcbf29ce484222325u;
    x->due_ms = proc_clock_ms() + (int64_t)s->o->timeout_s * 1000;
    for (int i = 0; i < PIPES && !e; i++)
        e = proc_pipe(&x->fd[i], &write_end[i]);
    if (!e)
        e = exec(s, x, write_end);
    for (int i = 0; i < PIPES; i++)
        proc_close(&write_end[i]);
    if (!e) {
        s->started++;
        return 0;
    }
    for (int i = 0; i < PIPES; i++)
        proc_close(&x->fd[i]);
    free(x->result);
    x->result = NULL;
    return usage_error("cannot start %s: %s; name a program after --", s->o->argv[0], proc_error(e));
}

static void end(struct runs *s, struct run *x, uint64_t number)
{
    struct proc_end how = { 0 };
    if (x->copied)
        sim_copies_wait(&s->copies[x - s->run], &how);
    if (x->copied || proc_wait(x->pid, &how) == 0) {
        x->result->code = how.code;
        x->result->signo = how.signo;
    }
    s->done[number % QUEUE] = x->result;
    x->result = NULL;
}

static bool is_open(const struct run *x)
{
    return x->fd[OUT] >= 0 || x->fd[ERR] >= 0 || x->fd[REPORT] >= 0;
}

/* Waits for something to come from any of them, and takes it. */
static void pump(struct runs *s)
{
    struct pollfd at[SIM_JOBS_MAX * PIPES];
    struct run *of[SIM_JOBS_MAX * PIPES];
    int which[SIM_JOBS_MAX * PIPES];
    size_t n = 0;
    for (uint32_t i = 0; i < s->o->jobs; i++)
        for (int k = 0; s->run[i].result && k < PIPES; k++)
            if (s->run[i].fd[k] >= 0) {
                at[n] = (struct pollfd){ .fd = s->run[i].fd[k], .events = POLLIN };
                of[n] = &s->run[i];
                which[n++] = k;
            }
    proc_poll(at, n, 200);
    for (size_t i = 0; i < n; i++)
        if (at[i].revents)
            take(of[i], which[i]);
    int64_t now = proc_clock_ms();
    for (uint32_t i = 0; i < s->o->jobs; i++)
        if (s->run[i].result && now >= s->run[i].due_ms && !s->run[i].result->overdue) {
            s->run[i].result->overdue = true;
            proc_kill(-s->run[i].pid, SIGKILL);
        }
}

static void drop_all(struct runs *s)
{
    struct proc_end how;
    for (uint32_t i = 0; i < s->o->jobs; i++) {
        struct run *x = &s->run[i];
        if (!x->result)
            continue;
        proc_kill(-x->pid, SIGKILL);
        if (x->copied)
            sim_copies_wait(&s->copies[i], &how);
        else
            proc_wait(x->pid, &how);
        for (int k = 0; k < PIPES; k++)
            proc_close(&x->fd[k]);
        free(x->result);
    }
    for (uint32_t i = 0; i < SIM_JOBS_MAX; i++)
        if (s->copies[i].pid)
            sim_copies_close(&s->copies[i]);
    for (size_t i = 0; i < QUEUE; i++)
        free(s->done[i]);
}

int sim_runs(const struct sim_opts *o, int (*each)(void *arg, const struct sim_result *r), void *arg)
{
    struct runs *s = calloc(1, sizeof *s);
    uint64_t number[SIM_JOBS_MAX] = { 0 };
    int code = 0;
    if (!s)
        abort();
    s->o = o;
    s->count = (o->last - o->first + 1) * (o->twice ? 2 : 1);
    while (!code && s->handed < s->count) {
        for (uint32_t i = 0; i < o->jobs && !code; i++) {
            if (s->run[i].result || s->started == s->count || s->started - s->handed >= QUEUE)
                continue;
            number[i] = s->started;
            code = start(s, &s->run[i]);
        }
        if (!code)
            pump(s);
        for (uint32_t i = 0; i < o->jobs; i++)
            if (s->run[i].result && !is_open(&s->run[i]))
                end(s, &s->run[i], number[i]);
        for (struct sim_result *r; !code && (r = s->done[s->handed % QUEUE]); free(r)) {
            s->done[s->handed++ % QUEUE] = NULL;
            code = each(arg, r);
        }
    }
    drop_all(s);
    free(s);
    return code;
}
