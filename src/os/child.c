/* child.c - other programs: started, talked to through pipes, waited for by a descriptor, ended.
 *
 * lock protects ended, exit and the sending of signals: a status is taken under it, and none is sent to a number that may be another's.
 * Who waits sleeps on the descriptor, which can be read from when the child has ended; whoever comes first takes the status. */
#include <signal.h>
#include <string.h>
#include "base/alloc.h"
#include "plat/child.h"
#include "run/err.h"
#include "run/sched.h"

enum { GRACE_S = 5 };
static const uint32_t FLAGS = LEAT_SPAWN_NO_IN | LEAT_SPAWN_NO_OUT | LEAT_SPAWN_NO_ERR | LEAT_SPAWN_ERR_TO_OUT | LEAT_SPAWN_GROUP;

struct leat_child {
    _Atomic uint32_t lock;
    int fd;
    pid_t pid;
    leat_dur grace;
    bool group, ended;
    leat_exit exit;
};

/* -- starting ---------------------------------------------------------------------------------------------------------------- */
struct birth {                                       /* what is under way; -1 and NULL: none */
    struct child_start start;
    int ours[3];
    leat_conn *conn[3];
};

static leat_err check(const leat_spawn_opts *o)
{
    uint32_t f = o->flags;
    struct rt *rt = rt_self();
    if (!o->argv || !o->argv[0])
        return leat_fail(LEAT_INVAL, "leat_spawn: argv names no program");
    if ((f & ~FLAGS) || (o->in && (f & LEAT_SPAWN_NO_IN)) || (o->out && (f & LEAT_SPAWN_NO_OUT)) ||
        (o->err && (f & (LEAT_SPAWN_NO_ERR | LEAT_SPAWN_ERR_TO_OUT))) || (f & LEAT_SPAWN_NO_ERR && f & LEAT_SPAWN_ERR_TO_OUT))
        return leat_fail(LEAT_INVAL, "leat_spawn %s: flags %#x contradict each other or a pipe", o->argv[0], f);
    if (o->grace.ns < 0)
        return leat_fail(LEAT_INVAL, "leat_spawn %s: a grace below 0", o->argv[0]);
    if (rt && rt->seam)
        return leat_fail(LEAT_INVAL, "leat_spawn %s: a simulated machine starts no programs", o->argv[0]);
    if (child_ends_untold())
        return leat_fail(LEAT_INVAL, "leat_spawn %s: SIGCHLD is ignored, so no exit could be told; give it SIG_DFL", o->argv[0]);
    return leat_ctx_err();
}

static leat_err open_ends(struct birth *b, const leat_spawn_opts *o)
{
    leat_conn **const want[3] = { o->in, o->out, o->err };
    for (int i = 0; i < 3; i++) {
        bool null = o->flags & (uint32_t)LEAT_SPAWN_NO_IN << i;
        int e = want[i] ? child_pipe(i > 0, &b->ours[i], &b->start.fd[i]) : null ? child_null(i > 0, &b->start.fd[i]) : 0;
        if (e)
            return err_sys(e, "leat_spawn %s: its descriptor %d", o->argv[0], i);
        if (!want[i])
            continue;
        LEAT_TRY(leat_conn_open_fd(b->ours[i], &b->conn[i]));
        b->ours[i] = -1;
    }
    return LEAT_OK;
}

static void ends_close(struct birth *b, bool failed)
{
    for (int i = 0; i < 3; i++) {
        child_close(b->start.fd[i]);
        child_close(b->ours[i]);
        if (failed)
            leat_conn_close(b->conn[i]);
    }
}

static leat_err start(struct birth *b, const leat_spawn_opts *o, struct leat_child *c)
{
    enum child_step step;
    LEAT_TRY(open_ends(b, o));
    int e = child_start(&b->start, &c->pid, &c->fd, &step);
    if (e && step == CHILD_DIR)
        return err_sys(e, "leat_spawn %s: the directory %s", o->argv[0], o->cwd);
    return e ? err_sys(e, "leat_spawn %s", o->argv[0]) : LEAT_OK;
}

leat_err leat_spawn_(const leat_spawn_opts *given, size_t opts_size, leat_child **ret)
{
    leat_spawn_opts o = { 0 };
    if (given)
        memcpy(&o, given, MIN(opts_size, sizeof o));
    LEAT_TRY(check(&o));
    struct birth b = { .start = { .argv = o.argv, .env = o.env, .cwd = o.cwd, .fd = { -1, -1, -1 },
        .err_to_out = o.flags & LEAT_SPAWN_ERR_TO_OUT, .group = o.flags & LEAT_SPAWN_GROUP }, .ours = { -1, -1, -1 } };
    struct leat_child *c = mem_zalloc(sizeof *c);
    if (!c)
        return err_of(LEAT_NOMEM);
    leat_err e = start(&b, &o, c);
    struct fault *f = err_take(task_self(), e);
    ends_close(&b, e != LEAT_OK);
    err_give(task_self(), f, e);
    if (e != LEAT_OK) {
        mem_free(c);
        return e;
    }
    c->group = b.start.group;
    c->grace = o.grace.ns ? o.grace : LEAT_S(GRACE_S);
    leat_conn **const want[3] = { o.in, o.out, o.err };
    for (int i = 0; i < 3; i++)
        if (want[i])
            *want[i] = b.conn[i];
    *ret = c;
    return LEAT_OK;
}

/* -- its end ------------------------------------------------------------------------------------------------------------------ */
static leat_err look(leat_child *c, leat_exit *ret)
{
    leat_exit x;
    lock(&c->lock);
    int e = c->ended ? 0 : child_status(c->fd, &x.code, &x.signo);
    if (!c->ended && e == 0) {
        c->exit = x;
        c->ended = true;
    }
    x = c->exit;
    unlock(&c->lock);
    if (e == EAGAIN)
        return err_of(LEAT_AGAIN);
    if (e)
        return err_sys(e, "the status of process %d (somebody else has waited for it)", (int)c->pid);
    *ret = x;
    return LEAT_OK;
}

static leat_err await(leat_child *c, leat_exit *ret)
{
    for (;;) {
        leat_err e = look(c, ret);
        if (e == LEAT_AGAIN && (e = leat_fd_wait(c->fd, LEAT_READ)) == LEAT_OK)
            continue;
        return e;
    }
}

static leat_err await_shielded(leat_child *c, leat_exit *ret, leat_dur limit)
{
    struct shield s;
    shield_begin(&s, limit);
    leat_err e = await(c, ret);
    shield_end(&s);
    return e;
}

static leat_err send_signal(leat_child *c, int signo)
{
    lock(&c->lock);
    int e = c->ended ? 0 : c->group ? child_signal_group(c->pid, signo) : child_signal(c->fd, signo);
    unlock(&c->lock);
    if (e == EINVAL)
        return leat_fail(LEAT_INVAL, "leat_child_kill: there is no signal %d", signo);
    return e == 0 || e == ESRCH ? LEAT_OK : err_sys(e, "leat_child_kill %d", (int)c->pid);
}

static const leat_dur FOR_EVER = { INT64_MAX / 4 };

static leat_err end_it(leat_child *c, leat_exit *ret)
{
    leat_ignore(send_signal(c, SIGTERM));
    leat_err e = await_shielded(c, ret, c->grace);
    if (e != LEAT_DEADLINE)
        return e;
    leat_ignore(send_signal(c, SIGKILL));
    return await_shielded(c, ret, FOR_EVER);
}

leat_err leat_child_wait(leat_child *c, leat_exit *ret)
{
    leat_err why = await(c, ret);
    if (why != LEAT_CANCELED && why != LEAT_DEADLINE)
        return why;
    leat_err e = end_it(c, ret);
    return e == LEAT_OK ? leat_fail(why, "leat_child_wait: process %d was ended: %s", (int)c->pid,
        why == LEAT_CANCELED ? "the context was cancelled" : "the context's deadline has passed") : e;
}

leat_err leat_child_try_wait(leat_child *c, leat_exit *ret) { return look(c, ret); }
leat_err leat_child_kill(leat_child *c, int signo) { return send_signal(c, signo); }
int leat_child_pid(const leat_child *c) { return (int)c->pid; }
int leat_child_fd(const leat_child *c) { return c->fd; }

void leat_child_close(leat_child *c)
{
    leat_exit x;
    if (!c)
        return;
    if (look(c, &x) == LEAT_AGAIN) {
        leat_ignore(send_signal(c, SIGKILL));
        if (await_shielded(c, &x, FOR_EVER) != LEAT_OK)      /* no memory to wait with, or the thread of a guest */
            (void)child_await(c->fd, &x.code, &x.signo);
    }
    child_close(c->fd);
    mem_free(c);
}
