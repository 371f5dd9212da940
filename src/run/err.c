/* err.c - leat_fail and its readers.
 *
 * A task that never fails has no fault record.  A failing call that has nothing special to say only notes its error (one store),
 * and leat_err_detail() then gives a standing sentence; so a detail never speaks of another error than the last one.  That the record is
 * of the last error is a bit of task.last_err, not a comparison of codes: two failures in a row may have the same. */
#include "run/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "run/sched.h"
#include "plat/errno.h"

enum { TEXT_MAX = 480 };                             /* a longer text is cut */
enum { TOLD = 0x80 };                                /* of last_err: the record is of this failure */

struct fault {
    leat_err err, why;
    int sys;
    char node[LIMIT_NODE_NAME + 1];                  /* the peer that it is of; empty: this node */
    char text[TEXT_MAX];
    void *value;                                     /* err_value; or NULL */
    void (*done)(void *);
    size_t before;
    const void *sent;                                /* leat_err_sent */
};

static const struct { const char *name, *text; } errors[] = {
    [LEAT_OK] = { "OK", "no failure" },
    [LEAT_CLOSED] = { "CLOSED", "the channel or stream has ended" },
    [LEAT_CANCELED] = { "CANCELED", "the context was cancelled" },
    [LEAT_DEADLINE] = { "DEADLINE", "the context's deadline has passed" },
    [LEAT_AGAIN] = { "AGAIN", "it would have to wait" },
    [LEAT_NOMEM] = { "NOMEM", "out of memory" },
    [LEAT_INVAL] = { "INVAL", "a wrong argument" },
    [LEAT_LIMIT] = { "LIMIT", "a limit is reached" },
    [LEAT_TYPE] = { "TYPE", "the two sides describe a type differently" },
    [LEAT_REFUSED] = { "REFUSED", "the other side said no" },
    [LEAT_PEER_LOST] = { "PEER_LOST", "the session with the peer has ended" },
    [LEAT_GONE] = { "GONE", "every receive end is gone" },
    [LEAT_UNKNOWN] = { "UNKNOWN", "it may have been received; nobody can tell" },
    [LEAT_REMOTE] = { "REMOTE", "a task on a peer failed" },
    [LEAT_SYS] = { "SYS", "the operating system failed" },
    [LEAT_DEADLOCK] = { "DEADLOCK", "all tasks were asleep for ever" },
};

bool err_known(leat_err e) { return (unsigned)e < ARRAY_LEN(errors) && errors[e].name; }

const char *leat_err_name(leat_err e)
{
    return err_known(e) ? errors[e].name : "an unknown error";
}

/* The standing sentence. */
static const char *text_of(leat_err e) { return err_known(e) ? errors[e].text : "an error that leat does not know"; }

static void forget_value(struct fault *f)
{
    void *v = f->value;
    f->value = NULL;
    if (v)
        f->done(v);
}

static struct fault *fault_ready(struct task *t, leat_err e)
{
    if (!t->fault && (t->fault = mem_alloc(sizeof *t->fault)))
        t->fault->value = NULL;
    t->last_err = (uint8_t)e;
    if (t->fault) {
        t->last_err |= TOLD;
        forget_value(t->fault);
        t->fault->err = e;
        t->fault->why = LEAT_OK;
        t->fault->sys = 0;
        t->fault->sent = NULL;
        t->fault->node[0] = 0;
    }
    return t->fault;
}

static struct fault *fault_now(struct task *t)
{
    return t->fault && t->last_err == ((uint8_t)t->fault->err | TOLD) ? t->fault : NULL;
}

static leat_err last_of(const struct task *t) { return (leat_err)(t->last_err & ~TOLD); }

/* What is told of e, if that was the last failure. */
static struct fault *fault_of(struct task *t, leat_err e)
{
    struct fault *f = fault_now(t);
    return f && f->err == e ? f : NULL;
}

static leat_err fail_v(leat_err e, int sys, leat_err why, const char *fmt, va_list a)
{
    char text[TEXT_MAX];                             /* the arguments may point into the old text */
    int n = vsnprintf(text, sizeof text, fmt, a);
    if (sys && n >= 0 && (size_t)n < sizeof text) {
        char b[128];
        snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror_r(sys, b, sizeof b));
    }
    struct fault *f = fault_ready(task_self(), e);
    if (f) {
        f->why = why;
        f->sys = sys;
        memcpy(f->text, text, sizeof text);
    }
    return e;
}

leat_err leat_fail(leat_err e, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    leat_err r = fail_v(e, 0, LEAT_OK, fmt, a);
    va_end(a);
    return r;
}

leat_err err_sys(int sys, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    leat_err r = fail_v(LEAT_SYS, sys, LEAT_OK, fmt, a);
    va_end(a);
    return r;
}

leat_err err_unknown(leat_err why, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    leat_err r = fail_v(LEAT_UNKNOWN, 0, why, fmt, a);
    va_end(a);
    return r;
}

leat_err leat_wrap(leat_err e, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list a;
    va_start(a, fmt);
    int n = vsnprintf(text, sizeof text, fmt, a);
    va_end(a);
    struct task *t = task_self();
    struct fault *old = fault_of(t, e);
    int sys = old ? old->sys : 0;
    leat_err why = old ? old->why : LEAT_OK;
    const void *sent = old ? old->sent : NULL;
    char node[sizeof ((struct fault *)0)->node] = "";
    struct fault kept = { .value = old ? old->value : NULL };
    if (old) {
        memcpy(node, old->node, sizeof node);
        kept.done = old->done;
        kept.before = old->before;
        old->value = NULL;
    }
    const char *tail = old ? old->text : text_of(e);
    if (n >= 0 && (size_t)n < sizeof text - 3) {     /* what does not fit is cut */
        size_t room = sizeof text - (size_t)n - 3;
        memcpy(text + n, ": ", 2);
        size_t len = MIN(strlen(tail), room);
        memcpy(text + n + 2, tail, len);
        text[(size_t)n + 2 + len] = 0;
    }
    struct fault *f = fault_ready(t, e);
    if (f) {
        f->sys = sys;
        f->why = why;
        f->sent = sent;
        f->value = kept.value;
        f->done = kept.done;
        f->before = kept.before + MIN((size_t)MAX(n, 0) + 2, strlen(text));
        memcpy(f->node, node, sizeof node);
        memcpy(f->text, text, sizeof text);
    }
    return e;
}

leat_err err_of(leat_err e)
{
    if (unlikely(e != LEAT_OK))
        task_self()->last_err = (uint8_t)e;
    return e;
}

leat_err err_again(leat_err e)
{
    return last_of(task_self()) == e ? e : err_of(e);
}

leat_err err_last(void) { return last_of(task_self()); }

const char *leat_err_detail(void)
{
    struct task *t = task_self();
    struct fault *f = fault_now(t);
    return f ? f->text : text_of(last_of(t));
}

void err_node(const char *name, size_t n)
{
    struct fault *f = fault_now(task_self());
    if (f)
        snprintf(f->node, sizeof f->node, "%.*s", (int)MIN(n, sizeof f->node), name);
}

void err_value(void *v, void (*done)(void *), size_t before)
{
    struct fault *f = fault_now(task_self());
    if (!f) {
        done(v);
        return;
    }
    forget_value(f);
    f->value = v;
    f->done = done;
    f->before = before;
}

void *err_value_of(leat_err e, size_t *before)
{
    struct task *t = task_self();
    struct fault *f = fault_of(t, e);
    if (!f || !f->value)
        return NULL;
    *before = MIN(f->before, strlen(f->text));
    return f->value;
}

const char *err_detail_of(leat_err e, char *node, size_t cap)
{
    struct task *t = task_self();
    struct fault *f = fault_of(t, e);
    snprintf(node, cap, "%s", f ? f->node : "");
    return f ? f->text : text_of(e);
}

int leat_err_sys(void)
{
    struct fault *f = fault_now(task_self());
    return f ? f->sys : 0;
}

leat_err leat_err_why(void)
{
    struct fault *f = fault_now(task_self());
    return f ? f->why : LEAT_OK;
}

void err_sent(const void *v)
{
    struct fault *f = fault_now(task_self());
    if (f)
        f->sent = v;
}

const void *leat_err_sent(void)
{
    struct fault *f = fault_now(task_self());
    return f ? f->sent : NULL;
}

struct fault *err_take(struct task *t, leat_err e)
{
    struct fault *f = fault_of(t, e);
    if (f)
        t->fault = NULL;
    return f;
}

void err_give(struct task *t, struct fault *f, leat_err e)
{
    if (t->fault != f)
        err_free(t->fault);
    t->fault = f;
    t->last_err = (uint8_t)(f && f->err == e ? e | TOLD : e);
}

void err_free(struct fault *f)
{
    if (f)
        forget_value(f);
    mem_free(f);
}

int *leat_errno_(void)
{
    return plat_errno();
}
