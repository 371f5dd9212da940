/* file.c - files: each call is one or several of file_call.h.
 *
 * lock protects inside (calls under way), closing and closer.  A close waits until nobody is inside, so an error of close(2) is reported to
 * it, and no call ever meets another file under this number. */
#include "plat/file.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "run/file_call.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"

enum { PIECE = 1 << 30, FIRST_ROOM = 64 << 10, READ_ALL_LIMIT = 1 << 30 };

struct leat_file {
    int fd, flags;
    _Atomic uint32_t lock;
    uint32_t inside;
    bool closing;
    struct task *closer;
};

static void describe(struct report *r, const struct waiter *x)
{
    const struct leat_file *f = x->owner;
    uint32_t inside;
    report_number(r, x->id);
    if (peek(&f->inside, &inside, sizeof inside) == sizeof inside) {
        report_text(r, ": ");
        report_number(r, inside);
        report_text(r, " have not returned");
    }
}
static WAIT_KIND close_kind = { .what = "waits, to close it, for the calls under way on descriptor ", .describe = describe };

static leat_err enter(leat_file *f)
{
    lock(&f->lock);
    bool in = !f->closing;
    f->inside += in;
    unlock(&f->lock);
    return in ? LEAT_OK : leat_fail(LEAT_CLOSED, "the file is being closed");
}

static void leave(leat_file *f)
{
    lock(&f->lock);
    struct task *closer = --f->inside == 0 ? f->closer : NULL;
    if (closer)
        at_store(&closer->park, PARK_CHAN);
    unlock(&f->lock);                                /* f is gone when its closer runs */
    if (closer)
        task_ready(worker_self(), closer);
}

leat_err leat_file_open(const char *path, int flags, unsigned mode, leat_file **ret)
{
    int64_t fd;
    leat_file *f = mem_zalloc(sizeof *f);
    if (!f)
        return err_of(LEAT_NOMEM);
    leat_err e = path ? file_call(&(struct file_op){ .kind = FILE_OPEN, .path = path, .flags = flags, .mode = mode }, &fd)
                      : leat_fail(LEAT_INVAL, "leat_file_open: there is no path");
    if (e == LEAT_OK && fd < 0)
        e = err_sys((int)-fd, "leat_file_open %s", path);
    else if (e != LEAT_OK && path)
        e = leat_wrap(e, "leat_file_open %s", path);
    if (e != LEAT_OK) {
        mem_free(f);
        return e;
    }
    f->fd = (int)fd;
    f->flags = flags;
    *ret = f;
    return LEAT_OK;
}

int leat_file_fd(const leat_file *f) { return f->fd; }

leat_err leat_file_read_at(leat_file *f, int64_t at, void *buf, size_t cap, size_t *ret)
{
    int64_t n = 0;
    if (!cap || at < 0)
        return leat_fail(LEAT_INVAL, "leat_file_read_at: room for no byte, or an offset below 0");
    LEAT_TRY(enter(f));
    leat_err e = file_call(&(struct file_op){ .kind = FILE_READ, .fd = f->fd, .buf = buf, .len = MIN(cap, (size_t)PIECE), .at = at }, &n);
    leave(f);
    if (e != LEAT_OK)
        return leat_wrap(e, "leat_file_read_at %lld", (long long)at);
    if (n < 0)
        return err_sys((int)-n, "leat_file_read_at %lld", (long long)at);
    if (n == 0)
        return leat_fail(LEAT_CLOSED, "leat_file_read_at %lld: the end of the file", (long long)at);
    *ret = (size_t)n;
    return LEAT_OK;
}

/* at below 0: at the end, wherever that is by then */
static leat_err write_all(leat_file *f, const char *what, int64_t at, const char *buf, size_t len)
{
    size_t done = 0;
    leat_err e = LEAT_OK;
    LEAT_TRY(enter(f));
    while (done < len && e == LEAT_OK) {
        struct file_op op = { .kind = FILE_WRITE, .fd = f->fd, .buf = (void *)(uintptr_t)(buf + done),
            .len = MIN(len - done, (size_t)PIECE), .at = at < 0 ? -1 : at + (int64_t)done };
        int64_t n = 0;
        e = file_call(&op, &n);
        if (e != LEAT_OK)
            e = leat_wrap(e, "%s: %zu of %zu bytes were written", what, done, len);
        else if (n < 0)
            e = err_sys((int)-n, "%s: %zu of %zu bytes were written", what, done, len);
        else
            done += (size_t)n;
    }
    leave(f);
    return e;
}

leat_err leat_file_write_at(leat_file *f, int64_t at, const void *buf, size_t len)
{
    if (at < 0)
        return leat_fail(LEAT_INVAL, "leat_file_write_at: an offset below 0");
    return write_all(f, "leat_file_write_at", at, buf, len);
}

leat_err leat_file_append(leat_file *f, const void *buf, size_t len)
{
    if (!(f->flags & O_APPEND))
        return leat_fail(LEAT_INVAL, "leat_file_append: the file was opened without O_APPEND");
    return write_all(f, "leat_file_append", -1, buf, len);
}

leat_err leat_file_sync(leat_file *f)
{
    int64_t n = 0;
    LEAT_TRY(enter(f));
    leat_err e = file_call(&(struct file_op){ .kind = FILE_SYNC, .fd = f->fd }, &n);
    leave(f);
    return e == LEAT_OK && n < 0 ? err_sys((int)-n, "leat_file_sync") : e;
}

leat_err leat_file_size(leat_file *f, int64_t *ret)
{
    LEAT_TRY(enter(f));
    int e = file_size(f->fd, ret);
    leave(f);
    return e == 0 ? LEAT_OK : e == EINVAL ? leat_fail(LEAT_INVAL, "leat_file_size: it is no regular file") : err_sys(e, "leat_file_size");
}

leat_err leat_file_close(leat_file *f)
{
    struct shield s;
    int64_t n = 0;
    if (!f)
        return LEAT_OK;
    struct task *t = task_self();
    struct waiter me = { .task = t, .owner = f, .id = (uint32_t)f->fd, .kind = &close_kind };
    lock(&f->lock);
    bool waits = f->inside != 0;
    if (waits && t->foreign > 1) {                   /* the calls under way may be of tasks that run only when this thread steps */
        unlock(&f->lock);
        return foreign_would_block();
    }
    f->closing = true;
    if (waits) {
        f->closer = t;
        t->on = &me;
        at_store(&t->park, PARK_PLAIN);              /* not PARK_WAIT: a cancel would wake it too */
    }
    unlock(&f->lock);
    if (waits)
        task_park_plain(t);
    shield_begin(&s, (leat_dur){ INT64_MAX / 4 });
    leat_err e = file_call(&(struct file_op){ .kind = FILE_CLOSE, .fd = f->fd }, &n);
    shield_end(&s);
    if (e != LEAT_OK)                                /* no memory for it: here, then */
        n = file_do(&(struct file_op){ .kind = FILE_CLOSE, .fd = f->fd });
    mem_free(f);
    return n < 0 && n != -EINTR ? err_sys((int)-n, "leat_file_close") : LEAT_OK;
}

/* -- whole files ---------------------------------------------------------------------------------------------------------------- */
struct content { char *at; size_t len, cap; };

static leat_err read_on(leat_file *f, const char *path, size_t limit, struct content *c)
{
    for (size_t n = 0;;) {
        if (c->len + 1 >= c->cap) {                  /* + 1: the NUL */
            size_t cap = MIN(c->cap ? 2 * c->cap : (size_t)FIRST_ROOM, limit + 2);
            if (c->len > limit)
                return leat_fail(LEAT_LIMIT, "leat_file_read_all %s: over %zu bytes", path, limit);
            char *more = mem_realloc(c->at, cap);
            if (!more)
                return err_of(LEAT_NOMEM);
            c->at = more;
            c->cap = cap;
        }
        leat_err e = leat_file_read_at(f, (int64_t)c->len, c->at + c->len, c->cap - 1 - c->len, &n);
        if (e != LEAT_OK)
            return e == LEAT_CLOSED ? LEAT_OK : leat_wrap(e, "leat_file_read_all %s", path);
        c->len += n;
    }
}

leat_err leat_file_read_all(const char *path, size_t limit, char **ret, size_t *len)
{
    leat_file *f;
    struct content c = { NULL, 0, 0 };
    int64_t size = 0;
    LEAT_TRY(leat_file_open(path, O_RDONLY, 0, &f));
    limit = limit && limit < (size_t)INT64_MAX ? limit : (size_t)READ_ALL_LIMIT;
    if (leat_file_size(f, &size) == LEAT_OK && size > 0 && (uint64_t)size <= limit)
        c.at = mem_alloc(c.cap = (size_t)size + 2);  /* and one to find the end without growing */
    if (!c.at)
        c.cap = 0;
    leat_err e = read_on(f, path, limit, &c);
    struct fault *fault = err_take(task_self(), e);
    leat_ignore(leat_file_close(f));                 /* what was read is good */
    err_give(task_self(), fault, e);
    if (e == LEAT_OK && c.len > limit)
        e = leat_fail(LEAT_LIMIT, "leat_file_read_all %s: over %zu bytes", path, limit);
    if (e != LEAT_OK) {
        mem_free(c.at);
        return e;
    }
    c.at[c.len] = 0;
    *ret = c.at;
    *len = c.len;
    return LEAT_OK;
}

struct replaced { const char *path; const void *buf; size_t len; unsigned mode; int err; bool renamed; };
struct replaces { struct replaced *r; };

static bool over(void) { return leat_ctx_err() != LEAT_OK; }

/* The outcome is told in *r: as an error of this function, one that came after the rename would be taken for the context's. */
static leat_err replaces(struct replaces *p)
{
    p->r->err = file_replace(p->r->path, p->r->buf, p->r->len, p->r->mode, over, &p->r->renamed);
    return LEAT_OK;
}

leat_err leat_file_replace(const char *path, const void *buf, size_t len, unsigned mode)
{
    struct replaced r = { path, buf, len, mode, 0, false };
    if (!path)
        return leat_fail(LEAT_INVAL, "leat_file_replace: there is no path");
    LEAT_TRY(leat_blocking(replaces, (struct replaces){ &r }));
    if (r.err == ECANCELED && !r.renamed) {
        LEAT_TRY(leat_ctx_err());
        return err_sys(r.err, "leat_file_replace %s", path);
    }
    if (r.err && r.renamed)
        return err_sys(r.err, "leat_file_replace %s: it has the new content, perhaps not yet on the disk", path);
    return r.err ? err_sys(r.err, "leat_file_replace %s", path) : LEAT_OK;
}
