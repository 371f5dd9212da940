/* report.c - see report.h. */
#include "run/report.h"
#include <stdio.h>
#include <string.h>
#include "plat/freeze.h"
#include "plat/say.h"
#include "run/hiber.h"
#include "run/io_fd.h"
#include "run/sched.h"
#include "run/seam.h"

enum { FRAMES = 64, ANSWER_NS = 250000000 };

/* -- lines ------------------------------------------------------------------------------------------------------------- */
void report_open(struct report *r, int fd)
{
    memset(r, 0, sizeof *r);
    r->fd = fd;
}

static void to_log(void *arg, const char *line)
{
    struct rt *rt = arg;
    if (rt->opts.log)
        rt->opts.log(1, line);
    else
        fprintf(stderr, "leat: %s\n", line);
}

void report_open_log(struct report *r, struct rt *rt)
{
    report_open(r, -1);
    r->fn = to_log;
    r->arg = rt;
}

void report_close(struct report *r)
{
    symbols_done(&r->symbols);
}

void report_text(struct report *r, const char *s)
{
    while (*s && r->n < sizeof r->line - 2)
        r->line[r->n++] = *s++;
}

void report_number(struct report *r, uint64_t v)
{
    char digits[24], *d = digits + sizeof digits - 1;
    *d = 0;
    do
        *--d = (char)('0' + v % 10);
    while (v /= 10);
    report_text(r, d);
}

void report_pointer(struct report *r, const void *p)
{
    char digits[24], *d = digits + sizeof digits - 1;
    uintptr_t v = (uintptr_t)p;
    *d = 0;
    do
        *--d = "0123456789abcdef"[v % 16];
    while (v /= 16);
    report_text(r, "0x");
    report_text(r, d);
}

void report_ms(struct report *r, uint64_t ms)
{
    char rest[] = { '.', (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), ' ', 's', 0 };
    report_number(r, ms / 1000);
    report_text(r, rest);
}

void report_end(struct report *r)
{
    if (r->fd >= 0) {
        r->line[r->n++] = '\n';
        plat_say(r->fd, r->line, r->n);
    } else {
        r->line[r->n] = 0;
        r->fn(r->arg, r->line);
    }
    r->n = 0;
}

void report_all(struct report *r, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        report_text(r, parts[i]);
}

/* -- waits ------------------------------------------------------------------------------------------------------------- */
static void describe_group(struct report *r, const struct waiter *x)
{
    const struct group *g = x->owner;
    uint64_t count;
    report_pointer(r, g);
    if (peek(&g->count, &count, sizeof count) == sizeof count) {
        report_text(r, ": ");
        report_number(r, count >> 1);
        report_text(r, " have not ended");
    }
}

static bool group_may_end(const struct waiter *x, seen_fn *seen, void *arg)
{
    const struct group *g = x->owner;
    return at_load(&g->count) >> 1 == 0 || seen(arg, g);
}

static void describe_number(struct report *r, const struct waiter *x)
{
    report_number(r, x->id);
}

bool wait_place_none(const struct waiter *x, struct wait_place *ret)
{
    (void)x;
    (void)ret;
    return true;
}

static bool place_fd(const struct waiter *x, struct wait_place *ret)
{
    struct io_fd *f = x->owner;
    ret->lock = &f->lock;
    ret->q = &f->q;
    return true;
}

WAIT_KIND wait_sleep = { .what = "sleeps", .place = wait_place_none };
WAIT_KIND wait_group = { .what = "waits for the tasks of group ", .describe = describe_group, .may_end = group_may_end };
WAIT_KIND wait_blocking = { .what = "waits for a blocking call on another thread" };
WAIT_KIND wait_fd = { .what = "waits for descriptor ", .describe = describe_number, .place = place_fd };
WAIT_KIND wait_peer = { .what = "waits for an answer of a peer" };

extern const struct wait_kind first_kind[] __asm__("__start_leat_kinds"), last_kind[] __asm__("__stop_leat_kinds");

bool wait_kind_is(const struct wait_kind *k)
{
    return (uintptr_t)k >= (uintptr_t)first_kind && (uintptr_t)k < (uintptr_t)last_kind && (uintptr_t)k % _Alignof(struct wait_kind) == 0;
}

bool task_on(const struct task *t, struct waiter *ret)
{
    uint32_t park = peek_u32(&t->park);
    uintptr_t on = peek_word(&t->on), words[sizeof *ret / sizeof(uintptr_t)];
    struct frames f;
    if ((park != PARK_WAIT && park != PARK_PLAIN) || !task_frames(t, &f) || on < f.lo || on + sizeof *ret > f.hi ||
        on % _Alignof(struct waiter))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words) && !f.by; i++)
        words[i] = peek_word((const uintptr_t *)on + i);
    if (f.by && peek((const void *)(on + f.by), words, sizeof words) != sizeof words)
        return false;
    memcpy(ret, words, sizeof *ret);
    uintptr_t owner = (uintptr_t)ret->owner;
    if (f.by && owner >= f.lo && owner < f.hi)
        ret->owner = (void *)(owner + f.by);
    return wait_kind_is(ret->kind);
}

/* -- tasks ------------------------------------------------------------------------------------------------------------- */
struct worker *worker_of(const struct task *t)
{
    struct rt *rt = peek_pointer(&t->rt);
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
        if (peek_pointer(&rt->workers[i]->cur) == t)
            return rt->workers[i];
    return NULL;
}

static void report_state(struct report *r, const struct task *t)
{
    static const char *const doing[] = { "ready", "waits", "ready", "ready: it was cancelled", "ready: a time has come", "waits", "ready",
        "waits" };
    uint32_t park = peek_u32(&t->park);
    bool fresh = task_fresh(t);
    struct worker *w = fresh ? NULL : worker_of(t);
    if (fresh || w) {
        report_text(r, w ? "runs on worker " : "not begun");
        if (w)
            report_number(r, w->id);
        return;
    }
    struct waiter x;
    bool known = task_on(t, &x);
    if (park == PARK_WAIT || known) {
        report_text(r, "since ");
        uint32_t ms = (uint32_t)(rt_now(peek_pointer(&t->rt)) / 1000000) - peek_u32(&t->since);
        report_ms(r, (int32_t)ms < 0 ? 0 : ms);
        report_text(r, peek_u8(&t->nap) & NAP_AWAY ? ", hibernated, it " : " it ");
    }
    if (known) {
        report_text(r, x.kind->what);
        if (x.kind->describe)
            x.kind->describe(r, &x);
    } else {
        report_text(r, park < ARRAY_LEN(doing) ? doing[park] : "?");
    }
}

void report_who(struct report *r, const struct task *t)
{
    const leat_site_ *s = peek_pointer(&t->site);
    const struct stack *k = task_fresh(t) ? NULL : peek_pointer(&t->stack);
    struct frames f;
    uint8_t nap = peek_u8(&t->nap);
    REPORT(r, "task ", s ? s->name : "?");
    char name[sizeof k->name + 8] = "";
    if (k && (nap & NAP_AWAY) && task_frames(t, &f) && f.by)
        k = nap & NAP_WHOLE ? (const struct stack *)((uintptr_t)k + f.by) : NULL;
    if (k)
        (void)peek(k->name, name, sizeof k->name);
    name[sizeof k->name - 1] = 0;
    if (name[0])
        REPORT(r, " \"", name, "\"");
    REPORT(r, " started at ", s ? s->file : "?", ":");
    report_number(r, s ? s->line : 0);
}

void report_task(struct report *r, struct task *t)
{
    struct rt *rt = peek_pointer(&t->rt);
    int64_t deadline = (int64_t)peek_word(&t->deadline);
    const struct group *g = peek_pointer(&t->group);
    report_who(r, t);
    if (g != (struct group *)(void *)&rt->detached) {
        report_text(r, ", group ");
        report_pointer(r, g);
    }
    report_text(r, ": ");
    report_state(r, t);
    if (deadline != NEVER) {
        int64_t left = (deadline - rt_now(rt)) / 1000000;
        report_text(r, ", at most ");
        report_ms(r, left < 0 ? 0 : (uint64_t)left);
        report_text(r, " more");
    }
    leat_ctx *c = peek_pointer(&t->ctx);
    uintptr_t done = 0;
    if (peek(&c->done, &done, sizeof done) == sizeof done && (uint32_t)done)
        report_text(r, ", its context is cancelled");
    report_end(r);
}

/* -- stacks ------------------------------------------------------------------------------------------------------------ */
static void report_frame(struct report *r, size_t i, uintptr_t pc)
{
    struct symbol s;
    symbol_find(&r->symbols, pc, &s);
    report_text(r, i < 10 ? "     #" : "    #");
    report_number(r, i);
    report_text(r, " ");
    if (s.name) {
        report_text(r, s.name);
        report_text(r, "+");
        report_pointer(r, (void *)s.in_name);
        report_text(r, " ");
    }
    REPORT(r, "(", s.file, "+");
    report_pointer(r, (void *)s.in_file);
    report_text(r, ")");
    report_end(r);
}

void report_stack(struct report *r, struct unwind *u)
{
    uintptr_t pc[FRAMES];
    size_t n = unwind_all(u, pc, FRAMES);
    for (size_t i = 0; i < n; i++)
        report_frame(r, i, pc[i]);
    if (n == FRAMES) {
        report_text(r, "     and more");
        report_end(r);
    }
}

/* Another thread's handler notes where it is. */
struct there { struct task *task; struct stack *stack; uintptr_t pc[FRAMES]; size_t n; };

static void note(void *arg, const void *ucontext)
{
    struct there *at = arg;
    struct worker *w = worker_self();
    struct unwind u;
    if (!w || w->cur != at->task)
        return;
    struct san *s = &w->cur->stack->san;
    unwind_signal(&u, ucontext, s->base, (char *)s->base + s->size);
    at->n = unwind_all(&u, at->pc, FRAMES);
}

static void report_elsewhere(struct report *r, struct worker *w, struct task *t)
{
    struct there at = { .task = t };
    if (!freeze_one(at_load(&w->tid), note, &at, ANSWER_NS)) {
        report_text(r, "     its thread does not answer");
        report_end(r);
    }
    for (size_t i = 0; i < at.n; i++)
        report_frame(r, i, at.pc[i]);
}

void report_task_stack(struct report *r, struct task *t)
{
    struct unwind u;
    struct worker *w = worker_of(t), *here = worker_self();
    struct stack *k = peek_pointer(&t->stack);
    if (task_fresh(t))
        return;
    if (w && w == here) {
        unwind_here(&u, k->san.base, k);
        report_stack(r, &u);
    } else if (w) {
        report_elsewhere(r, w, t);
    } else {
        void *sp = peek_pointer(&t->sp);
        struct frames f;
        if (!task_frames(t, &f))
            return;
        if (f.by)
            unwind_away(&u, f.lo, f.hi, f.by, f.pc);
        else
            unwind_parked(&u, sp, (const void *)f.lo, k);
        report_stack(r, &u);
        if (peek_pointer(&t->sp) != sp) {
            report_text(r, "     (it went on meanwhile: the calls above may be mixed)");
            report_end(r);
        }
    }
}
