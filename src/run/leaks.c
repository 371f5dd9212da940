/* leaks.c - leat_leaks: the tasks that can never wake again, by reachability, as a garbage collector tells what is in use.
 *
 * All other threads stand still.  Then memory is read from the roots on, and every word that could be an address counts as one: what
 * it points into is in use.  Roots are the registers and stacks of threads, global data, and every mapping but the heaps of malloc,
 * in which single blocks are told apart (plat/heap.h).  A task is live if it runs, is ready, or waits for something outside or for a
 * time; or if something it waits for (a channel, a mutex, a group, a context that would cancel it) is in use.  A live task's stack,
 * argument and group are in use, and so on until nothing is added.  What is left has leaked.
 *
 * Not roots, because they know every task: the runtime's own records and the stacks of its workers.  A context is skipped when it lies in
 * memory that is read, for it is linked with its parent and its siblings; only its value counts.  The contexts that end with leat_run
 * (the first task's, that of tasks without a group) do not count as things that could wake a task: they wake all at the end.
 * A word that happens to look like an address can only hide a leak, never make one up.  What would: a pointer that is kept where no
 * word holds it (packed, encrypted, in a file), and a thread that does not stand still, which is an error.
 *
 * Nothing here may allocate: a thread that stands still may hold malloc's lock.  Text is kept until the others go on. */
#include <string.h>
#include "plat/freeze.h"
#include "plat/heap.h"
#include "plat/say.h"
#include "run/err.h"
#include "run/hiber.h"
#include "run/report.h"
#include "run/rt.h"
#include "run/sched.h"
#include "run/stack.h"
#include "run/watch.h"

#define SCRATCH ((size_t)4 << 30)                    /* of addresses; memory is taken as it is used */
enum { SKIPS_MAX = 4096, TEXT_MAX = 16 << 20, FRAMES_BELOW = 24 << 10 };

struct parked {                                      /* a task with a stack that it is not on */
    uintptr_t lo, hi;                                /* the part of the stack in use */
    struct task *task;
    bool seen, read, live;                           /* seen: something in use points into it */
};

struct look {
    struct scratch mem;
    struct span *block, *walked;
    size_t blocks, walks;
    bool *marked;
    uint32_t *todo;
    size_t todos;
    struct parked *parked;
    size_t parks;
    struct span skip[SKIPS_MAX];                     /* of mappings: not roots; sorted */
    size_t skips;
    leat_ctx **ctx;                                  /* all that tasks are in; sorted */
    size_t ctxs;
    struct task *mine;                               /* who asks, if a task does */
    bool full;                                       /* scratch did not suffice */
    char *text;
    size_t text_len;
    uint64_t leaked;
};

/* -- what an address points into ----------------------------------------------------------------------------------------- */
static size_t block_of(const struct look *k, uintptr_t p)
{
    size_t lo = 0, hi = k->blocks;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (k->block[mid].from <= p)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && p < k->block[lo - 1].to - HEAP_TAIL ? lo - 1 : SIZE_MAX;
}

static struct parked *parked_of(const struct look *k, uintptr_t p)
{
    size_t lo = 0, hi = k->parks;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (k->parked[mid].lo <= p)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && p < k->parked[lo - 1].hi ? &k->parked[lo - 1] : NULL;
}

static void visit(struct look *k, uintptr_t p)
{
    if (p < 4096)
        return;
    size_t b = k->blocks && p >= k->block[0].from && p < k->block[k->blocks - 1].to ? block_of(k, p) : SIZE_MAX;
    struct parked *s;
    if (b != SIZE_MAX) {
        if (!k->marked[b]) {
            k->marked[b] = true;
            k->todo[k->todos++] = (uint32_t)b;
        }
    } else if ((s = parked_of(k, p))) {
        s->seen = true;
    }
}

static bool within(const struct span *list, size_t n, uintptr_t p)
{
    for (size_t i = 0; i < n; i++)
        if (p >= list[i].from && p < list[i].to)
            return true;
    return false;
}

static bool seen(void *arg, const void *ptr)
{
    struct look *k = arg;
    uintptr_t p = (uintptr_t)ptr;
    size_t b = block_of(k, p);
    if (b != SIZE_MAX)
        return k->marked[b];
    struct parked *s = parked_of(k, p);
    return s ? s->seen : !within(k->walked, k->walks, p);            /* global data, and the stack of a task that runs */
}

/* -- reading memory ------------------------------------------------------------------------------------------------------ */
/* The context that the word at this address is part of, or null. */
static leat_ctx *ctx_at(const struct look *k, uintptr_t at)
{
    size_t lo = 0, hi = k->ctxs;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if ((uintptr_t)k->ctx[mid] <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && at - (uintptr_t)k->ctx[lo - 1] < sizeof(leat_ctx) ? k->ctx[lo - 1] : NULL;
}

static void read_words(void *arg, const uintptr_t *words, size_t n, uintptr_t at)
{
    struct look *k = arg;
    for (size_t i = 0; i < n; i++) {
        if (words[i] < 4096)
            continue;
        uintptr_t here = at + i * sizeof(uintptr_t);
        leat_ctx *c = ctx_at(k, here);
        if (!c || here == (uintptr_t)&c->value)
            visit(k, words[i]);
    }
}

static void read_range(struct look *k, uintptr_t from, uintptr_t to)
{
    if (from < to)
        heap_read(from, to, read_words, k);
}

/* A block of malloc is there: no need to ask the kernel for a copy. */
static void read_block(struct look *k, struct span b)
{
    size_t lo = 0, hi = k->ctxs;                     /* the first context that ends behind the beginning */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if ((uintptr_t)k->ctx[mid] + sizeof(leat_ctx) <= b.from)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool holds_ctx = lo < k->ctxs && (uintptr_t)k->ctx[lo] < b.to;
    for (uintptr_t at = b.from; at + sizeof at <= b.to; at += sizeof at) {
        uintptr_t v = peek_word((const void *)at);
        if (holds_ctx)
            read_words(k, &v, 1, at);
        else
            visit(k, v);
    }
}

static void drain(struct look *k)
{
    for (bool more = true; more; ) {
        more = false;
        while (k->todos)
            read_block(k, k->block[k->todo[--k->todos]]);
        for (size_t i = 0; i < k->parks; i++) {
            struct parked *s = &k->parked[i];
            if (s->seen && !s->read) {
                s->read = more = true;
                read_range(k, s->lo, s->hi);
            }
        }
    }
}

/* -- tasks ----------------------------------------------------------------------------------------------------------------- */
static bool ends_with_run(const struct rt *rt, const leat_ctx *c)
{
    return c == &rt->root || c == &group_of((leat_group *)(uintptr_t)&rt->detached)->ctx || c == rt->top_ctx;
}

/* It runs, is ready, or the world outside will wake it: nothing in memory is asked. */
static bool live_anyway(struct task *t, struct waiter *x)
{
    return !task_on(t, x) || at_load(&t->deadline) != NEVER || at_load(&t->ctx->done) || !x->kind->may_end;
}

static bool may_wake(struct look *k, struct task *t)
{
    struct waiter x;
    if (live_anyway(t, &x) || x.kind->may_end(&x, seen, k))
        return true;
    for (leat_ctx *c = t->ctx; c; c = c->shield ? NULL : c->parent)
        if (!ends_with_run(t->rt, c) && seen(k, c))
            return true;
    return false;
}

static void make_live(struct look *k, struct task *t)
{
    read_words(k, (const uintptr_t *)(const void *)t->arg, sizeof t->arg / sizeof(uintptr_t), (uintptr_t)t->arg);
    visit(k, (uintptr_t)t->big_arg);
    visit(k, (uintptr_t)t->group);
}

static struct parked *parked_task(struct look *k, const struct task *t)
{
    struct parked *s = t->fresh ? NULL : parked_of(k, (uintptr_t)at_load(&t->sp));
    return s && s->task == t ? s : NULL;
}

static void begin_task(struct task *t, void *arg)
{
    struct look *k = arg;
    struct waiter x;
    if (t == k->mine || !live_anyway(t, &x))
        return;
    make_live(k, t);
    struct parked *s = parked_task(k, t);
    if (s) {
        s->live = s->seen = true;
        return;
    }
    struct stack *st = t->fresh ? NULL : t->stack;
    if (st)                                          /* it runs, or is just leaving: all of its stack */
        read_range(k, (uintptr_t)stack_low(t->rt, st), (uintptr_t)st);
}

/* -- what there is ------------------------------------------------------------------------------------------------------- */
static void note_task(struct task *t, void *arg)
{
    struct look *k = arg;
    struct frames f;
    if (task_frames(t, &f) && (f.by || t->stack->task == t)) {
        struct parked *p = scratch_take(&k->mem, sizeof *p);
        if (p)
            *p = (struct parked){ .lo = f.lo + f.by, .hi = f.hi + f.by, .task = t };
        k->full |= !p;
        k->parks += p != NULL;
    }
}

static void note_ctx(struct task *t, void *arg)
{
    struct look *k = arg;
    for (leat_ctx *c = t->ctx; c; c = c->parent) {
        leat_ctx **p = scratch_take(&k->mem, sizeof *p);
        if (!p) {
            k->full = true;
            return;
        }
        k->ctx[k->ctxs++] = c;
    }
}

/* Shell's sort: it needs no memory and no depth. */
static void sort(char *a, size_t n, size_t size)
{
    char x[64];
    for (size_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < n; i++) {
            uintptr_t key = *(uintptr_t *)(void *)(a + i * size);
            size_t j = i;
            memcpy(x, a + i * size, size);
            for (; j >= gap && *(uintptr_t *)(void *)(a + (j - gap) * size) > key; j -= gap)
                memcpy(a + j * size, a + (j - gap) * size, size);
            memcpy(a + j * size, x, size);
        }
}

static void unique_ctxs(struct look *k)
{
    size_t n = 0;
    sort((char *)k->ctx, k->ctxs, sizeof *k->ctx);
    for (size_t i = 0; i < k->ctxs; i++)
        if (!n || k->ctx[n - 1] != k->ctx[i])
            k->ctx[n++] = k->ctx[i];
    k->ctxs = n;
}

static void skip(struct look *k, const void *from, size_t bytes)
{
    if (k->skips < SKIPS_MAX && bytes)
        k->skip[k->skips++] = (struct span){ (uintptr_t)from, (uintptr_t)from + bytes };
    k->full |= k->skips == SKIPS_MAX;
}

static void skip_slab(void *arg, const void *mem, size_t bytes) { skip(arg, mem, bytes); }

static void skip_rt(struct look *k, struct rt *rt)
{
    slabs_each(rt, skip_slab, k);
    for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++) {
        struct worker *w = rt->workers[i];
        const char *base = w->own.san.base, *end = i == 0 ? (const char *)rt->caller : base + w->own.san.size;
        if (base && !rt->guest && end > base)
            skip(k, base, (size_t)(end - base));
        skip(k, w->handlers, w->handlers_bytes);     /* what handlers left there, such as the one that stops all */
    }
    if (rt->watch)
        watch_stack(rt, skip_slab, k);
}

/* Blocks that know all tasks: as if read already. */
static void mark_own(struct look *k, const void *p)
{
    size_t b = block_of(k, (uintptr_t)p);
    if (b != SIZE_MAX)
        k->marked[b] = true;
}

static bool survey(struct look *k, uintptr_t key, struct mapping **maps, size_t *n)
{
    k->parked = scratch_take(&k->mem, 0);
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        slabs_each_task(rt, note_task, k);
    sort((char *)k->parked, k->parks, sizeof *k->parked);
    k->ctx = scratch_take(&k->mem, 0);
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        slabs_each_task(rt, note_ctx, k);
    unique_ctxs(k);
    k->text = scratch_take(&k->mem, TEXT_MAX);
    if (k->full || !k->text || !heap_mappings(&k->mem, maps, n) ||
        !heap_blocks(&k->mem, *maps, *n, key, &k->block, &k->blocks, &k->walked, &k->walks))
        return false;
    if (SAN_ADDRESS)
        sort((char *)k->block, k->blocks, sizeof *k->block);
    k->marked = scratch_take(&k->mem, k->blocks + 1);
    k->todo = scratch_take(&k->mem, (k->blocks + 1) * sizeof *k->todo);
    if (!k->marked || !k->todo)
        return false;
    for (struct rt *rt = rt_first(); rt; rt = rt->next) {
        mark_own(k, rt);
        for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
            mark_own(k, rt->workers[i]);
        skip_rt(k, rt);
    }
    skip(k, k->mem.mem, k->mem.bytes);
    for (size_t i = 0; i < k->walks; i++)
        skip(k, (void *)k->walked[i].from, k->walked[i].to - k->walked[i].from);
    return true;
}

/* -- roots ----------------------------------------------------------------------------------------------------------------- */
static void read_mappings(struct look *k, const struct mapping *m, size_t n)
{
    sort((char *)k->skip, k->skips, sizeof *k->skip);
    for (size_t i = 0, s = 0; i < n; i++) {
        uintptr_t at = m[i].from;
        for (s = 0; s < k->skips && at < m[i].to; s++) {
            if (k->skip[s].to <= at)
                continue;
            if (k->skip[s].from >= m[i].to)
                break;
            read_range(k, at, k->skip[s].from);
            at = k->skip[s].to > at ? k->skip[s].to : at;
        }
        read_range(k, at, m[i].to);
    }
}

static struct worker *worker_with(int32_t tid)
{
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++)
            if (at_load(&rt->workers[i]->tid) == tid)
                return rt->workers[i];
    return NULL;
}

/* Registers; and the stack is among the mappings, or a task's that is read as a whole.  What a worker has in its registers while it looks
 * for work is the runtime's. */
static void read_thread(struct look *k, const struct frozen *f)
{
    struct worker *w = worker_with(f->tid);
    struct unwind u;
    unwind_signal(&u, f->ucontext, NULL, NULL);
    uintptr_t sp = u.reg[UNWIND_SP], handlers = w ? (uintptr_t)w->handlers : 0;
    if (w && sp - handlers < w->handlers_bytes)      /* stopped within a handler of the program's */
        read_range(k, sp, handlers + w->handlers_bytes);
    if (w && w->cur == &w->sched && !w->rt->guest)
        return;
    for (int i = 0; i < UNWIND_REGS; i++)
        visit(k, u.reg[i]);
}

/* What rings at a time: it lies in a record of the program's, or of a timer whose channel tasks wait for. */
static void read_alarms_of(struct look *k, const struct timer *t)
{
    for (; t; t = t->next)
        if (!t->of_task)
            visit(k, (uintptr_t)t);
}

static void read_alarms(struct look *k, const struct worker *w)
{
    read_alarms_of(k, w->wheel.due);
    for (int level = 0; level < WHEEL_LEVELS; level++)
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            read_alarms_of(k, w->wheel.slot[level][slot].head);
}

static void read_callers(struct look *k)
{
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        for (int i = 0; i < UNWIND_REGS && !rt->guest; i++)
            visit(k, rt->caller_regs[i]);
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        for (uint32_t i = 0; i < at_load_acq(&rt->nworkers); i++) {
            read_alarms(k, rt->workers[i]);
            visit(k, (uintptr_t)rt->workers[i]->away);
        }
}

/* -- the answer ------------------------------------------------------------------------------------------------------------ */
static void keep_line(void *arg, const char *line)
{
    struct look *k = arg;
    size_t n = strlen(line);
    if (n + 1 > TEXT_MAX - k->text_len)
        return;
    memcpy(k->text + k->text_len, line, n);
    k->text[k->text_len + n] = '\n';
    k->text_len += n + 1;
}

struct telling { struct look *k; struct report r; };

static void tell_task(struct task *t, void *arg)
{
    struct telling *x = arg;
    struct parked *s = parked_task(x->k, t);
    if (!s || s->live)
        return;
    x->k->leaked++;
    report_task(&x->r, t);
    report_task_stack(&x->r, t);
}

static void settle(struct look *k)
{
    for (bool more = true; more; ) {
        more = false;
        drain(k);
        for (size_t i = 0; i < k->parks; i++) {
            struct parked *s = &k->parked[i];
            if (s->live || !may_wake(k, s->task))
                continue;
            s->live = s->seen = more = true;
            make_live(k, s->task);
        }
    }
}

/* frame: of leat_leaks; what lies below on this stack is our own. */
static bool look_round(struct look *k, uintptr_t key, const struct frozen *f, size_t n, const struct unwind *me, uintptr_t frame)
{
    struct mapping *maps;
    size_t n_maps;
    struct worker *w = worker_self();
    if (!survey(k, key, &maps, &n_maps))
        return false;
    bool in_task = w && w->cur != &w->sched;
    if (!in_task)
        skip(k, (const char *)frame - FRAMES_BELOW, FRAMES_BELOW);
    read_mappings(k, maps, n_maps);
    for (size_t i = 0; i < n; i++)
        read_thread(k, &f[i]);
    for (int i = 0; i < UNWIND_REGS; i++)
        visit(k, me->reg[i]);
    read_callers(k);
    struct task *mine = k->mine = in_task ? w->cur : NULL;
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        slabs_each_task(rt, begin_task, k);
    if (mine) {
        make_live(k, mine);
        read_range(k, frame, (uintptr_t)mine->stack);
    }
    settle(k);
    struct telling x = { .k = k };
    report_open(&x.r, -1);
    x.r.fn = keep_line;
    x.r.arg = k;
    for (struct rt *rt = rt_first(); rt; rt = rt->next)
        slabs_each_task(rt, tell_task, &x);
    report_close(&x.r);
    return !k->full;
}

__attribute__((noinline)) leat_err leat_leaks(int fd, size_t *ret)
{
    struct unwind me;
    const struct frozen *f;
    size_t n;
    int32_t deaf;
    struct scratch mem;
    uintptr_t key = heap_key();
    unwind_here(&me, NULL, NULL);
    if (SAN_THREAD || SAN_EDGES)
        return leat_fail(LEAT_INVAL, "leat_leaks: ThreadSanitizer's memory cannot be looked through: ask a build without it");
    if (!heap_open())
        return leat_fail(LEAT_INVAL, "leat_leaks: variables are kept beside stacks: set ASAN_OPTIONS=detect_stack_use_after_return=0");
    if (freeze_init() != 0)
        return leat_fail(LEAT_LIMIT, "leat_leaks: the program uses every real-time signal");
    if (!scratch_open(&mem, SCRATCH))
        return leat_fail(LEAT_NOMEM, "leat_leaks: no addresses to work in");
    struct look *k = scratch_take(&mem, sizeof *k);
    heap_hold();
    if (!freeze_all(&f, &n, &deaf)) {
        heap_release();
        scratch_close(&mem);
        return leat_fail(LEAT_AGAIN, "leat_leaks: thread %d does not stop (does it block every signal?), or another is looking", (int)deaf);
    }
    k->mem = mem;
    bool ok = look_round(k, key, f, n, &me, (uintptr_t)__builtin_frame_address(0));
    freeze_end();
    heap_release();
    if (ok && fd >= 0)
        plat_say(fd, k->text, k->text_len);
    if (ok && ret)
        *ret = (size_t)k->leaked;
    scratch_close(&mem);
    return ok ? LEAT_OK : leat_fail(LEAT_LIMIT, "leat_leaks: this process has more memory than could be looked through");
}
