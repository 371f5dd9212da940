/* schedule.h - small programs under every schedule.  For tests.
 *
 * A program runs as the first task of a runtime whose world is this file: one worker, virtual time, and every choice asks here: which
 * ready task goes on when one waits, which of the ready cases a select takes, and, at each call of leat that the program makes (the
 * linker wraps them: meson.build), whether the task is preempted before it.  A run is the list of its choices.  Exploring is depth
 * first: the last choice that has another side takes it, what came before is replayed.  At most `bound` preemptions a run; choices at
 * a wait are free.  (Musuvathi and Qadeer, Iterative context bounding, 2007.)
 *
 * For programs too big for that: at random, and by priorities (Burckhardt et al., A randomized scheduler with probabilistic
 * guarantees of finding bugs, 2010): each task has one, the highest runs, and at a few points of the run the one that runs falls
 * below all others. */
#ifndef CHAN_SCHEDULE_H
#define CHAN_SCHEDULE_H
#include "t.h"
#include <stdarg.h>
#include "chan/chan.h"
#include "run/seam.h"

enum { S_CHOICES = 4096, S_SAID = 128, S_OUTCOMES = 64, S_CHANS = 16, S_TASKS = 64, S_POINTS = 8, S_SELECT = 3 };
enum s_mode { S_EVERY, S_RANDOM, S_PRIORITY };

struct s_program { const char *name, *outcomes; void (*body)(void); struct s_program *next; };

static struct {
    enum s_mode mode;
    bool on;                                         /* a program runs */
    uint32_t bound, preempted;
    uint32_t n, replay;                              /* choices made; how many of them are given */
    uint8_t taken[S_CHOICES], sides[S_CHOICES];
    int64_t now;
    uint64_t rng;
    char said[S_SAID + 8];
    leat_chan_ *chans[S_CHANS];                      /* of the program, freed with it: a stuck one cannot */
    uint32_t n_chans;
    const struct task *tasks[S_TASKS];               /* by priority: the first is the highest */
    uint32_t n_tasks, step, points[S_POINTS];
    leat_group *group;
} s;

static uint64_t s_draw(void)
{
    s.rng ^= s.rng << 13;
    s.rng ^= s.rng >> 7;
    s.rng ^= s.rng << 17;
    return s.rng;
}

/* One of n sides, which is recorded, or given. */
static uint32_t s_choose(uint32_t n)
{
    if (n <= 1)
        return 0;
    CHECK(s.n < S_CHOICES);                          /* else the program has no end */
    uint32_t k = s.n < s.replay ? s.taken[s.n] : s.mode == S_EVERY ? 0 : (uint32_t)(s_draw() >> 33) % n;
    CHECK(k < n);                                    /* else a run was not replayed as it was */
    s.taken[s.n] = (uint8_t)k;
    s.sides[s.n++] = (uint8_t)n;
    return k;
}

/* -- priorities --------------------------------------------------------------------------------------------------------------- */
static uint32_t s_rank(const struct task *t)
{
    for (uint32_t i = 0; i < s.n_tasks; i++)
        if (s.tasks[i] == t)
            return i;
    CHECK(s.n_tasks < S_TASKS);
    uint32_t at = (uint32_t)(s_draw() >> 33) % (s.n_tasks + 1);
    memmove(&s.tasks[at + 1], &s.tasks[at], (s.n_tasks++ - at) * sizeof s.tasks[0]);
    s.tasks[at] = t;
    return at;
}

static void s_fall(const struct task *t)
{
    uint32_t i = s_rank(t);
    memmove(&s.tasks[i], &s.tasks[i + 1], (s.n_tasks - i - 1) * sizeof s.tasks[0]);
    s.tasks[s.n_tasks - 1] = t;
}

/* -- the world ------------------------------------------------------------------------------------------------------------------- */
static int64_t s_now(void *self) { (void)self; return s.now; }
static uint64_t s_random(void *self)                 /* a side for each of the cases of a select, when there are few */
{
    (void)self;
    return s.on ? (uint64_t)s_choose(S_SELECT) * (UINT64_MAX / S_SELECT + 1) : 1;
}
static uint32_t s_next(void *self, struct task **ready, uint32_t n)
{
    (void)self;
    if (!s.on)
        return 0;
    if (s.mode != S_PRIORITY)
        return s_choose(n);
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t rank = s_rank(ready[i]);            /* may move the others */
        if (rank < s_rank(ready[best]))
            best = i;
    }
    return best;
}

static bool s_idle(void *self, int64_t next)
{
    (void)self;
    if (next == NEVER) {
        strcat(s.said, "stuck");
        return false;
    }
    s.now = next > s.now ? next : s.now;
    return true;
}
static const struct seam s_seam = { .now = s_now, .random = s_random, .choose = s_next, .idle = s_idle };

/* A task is about to call leat, or says itself that this is a point: somebody else may go on first. */
static void point(void)
{
    struct worker *w = worker_self();
    if (!s.on || !w || w->rt->seam != &s_seam || w->cur == &w->sched)
        return;
    bool alone = !w->rt->sim_ready_n && !at_load(&w->next) && at_load(&w->head) == at_load(&w->tail) && !at_load(&w->fresh_count);
    s.step++;
    if (s.mode == S_PRIORITY) {
        for (uint32_t i = 0; i < S_POINTS; i++)
            if (s.points[i] == s.step)
                s_fall(w->cur);
        if (!alone && s_rank(w->cur) != 0)
            leat_yield();
        return;
    }
    if (alone || s.preempted == s.bound || !s_choose(2))
        return;
    s.preempted++;
    leat_yield();
}

/* Each call of name in the program under test is a point. */
#define WRAP(type, name, params, args) \
    type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params { point(); return __real_##name args; }

/* What a program says is seen, so it is a step as well. */
__attribute__((format(printf, 1, 2), unused)) static void say(const char *fmt, ...)
{
    va_list a;
    point();
    size_t len = strlen(s.said);
    va_start(a, fmt);
    vsnprintf(s.said + len, S_SAID - len, fmt, a);
    va_end(a);
}

/* -- running ----------------------------------------------------------------------------------------------------------------------- */
static leat_err s_first(void *body)
{
    leat_err err;
    leat_with_group(g, err) {
        s.group = &g;
        s.on = true;
        (*(void (**)(void))body)();
    }
    s.on = false;
    return err;
}

static void s_run(const struct s_program *p)
{
    static const leat_site_ site = { "schedule", __FILE__, __LINE__ };
    s.n = s.preempted = s.n_chans = s.n_tasks = s.step = 0;
    s.now = 1000000000;
    s.said[0] = 0;
    struct rt_main m = { .fn = s_first, .site = &site, .arg = &p->body, .seam = &s_seam };
    leat_ignore(rt_run(&m));
    s.on = false;
    while (s.n_chans)
        leat_unref_(s.chans[--s.n_chans]);
}

/* The next run: the last choice with another side takes that.  false: there is none. */
static bool s_another(void)
{
    while (s.n && s.taken[s.n - 1] + 1 == s.sides[s.n - 1])
        s.n--;
    if (!s.n)
        return false;
    s.taken[s.n - 1]++;
    s.replay = s.n;
    return true;
}

struct s_seen { uint32_t n, runs; char said[S_OUTCOMES][S_SAID + 8]; };

static void s_note(struct s_seen *seen)
{
    seen->runs++;
    for (uint32_t i = 0; i < seen->n; i++)
        if (strcmp(seen->said[i], s.said) == 0)
            return;
    CHECK(seen->n < S_OUTCOMES);
    strcpy(seen->said[seen->n++], s.said);
}

static void s_every(const struct s_program *p, uint32_t bound, uint32_t limit, struct s_seen *seen)
{
    s.mode = S_EVERY;
    s.bound = bound;
    s.replay = 0;
    do {
        s_run(p);
        s_note(seen);
    } while (s_another() && seen->runs < limit);
}

__attribute__((unused)) static void s_some(const struct s_program *p, enum s_mode mode, uint32_t runs, struct s_seen *seen)
{
    s.mode = mode;
    s.bound = UINT32_MAX;
    s.replay = 0;
    for (uint32_t i = 1, depth = 40; i <= runs; i++) {
        s.rng = i * 0x9e3779b97f4a7c15u;
        for (uint32_t k = 0; k < S_POINTS; k++)
            s.points[k] = k < i % (S_POINTS + 1) ? 1 + (uint32_t)(s_draw() >> 33) % depth : 0;
        s_run(p);
        depth = depth > s.step ? depth : s.step;
        s_note(seen);
    }
}

/* Whether `said` is one of the words of `outcomes`. */
static bool s_permitted(const char *outcomes, const char *said)
{
    size_t n = strlen(said);
    for (const char *at = outcomes; (at = strstr(at, said)); at++)
        if ((at == outcomes || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

/* -- the words of the programs ------------------------------------------------------------------------------------------------- */
static struct s_program *s_programs, **s_last = &s_programs;
#define PROGRAM(id, may) \
    static void id(void); \
    __attribute__((constructor)) static void s_add_##id(void) \
    { \
        static struct s_program p = { #id, may, id, NULL }; \
        *s_last = &p; \
        s_last = &p.next; \
    } \
    static void id(void)
#define TASK(id) \
    static void id##_body(void); \
    static leat_err id(leat_none *none) { (void)none; id##_body(); return LEAT_OK; } \
    static void id##_body(void)
#define go(id) leat_ignore(leat_go(s.group, id, LEAT_NONE))
/* JOIN { go(a); go(b); } ends when they have. */
#define JOIN s_joined = LEAT_OK; leat_with_group(s_g, s_joined) for (leat_group *s_old = s.group; s_old; s.group = s_old, s_old = NULL) \
    for (s.group = &s_g; s.group == &s_g; s.group = s_old)
__attribute__((unused)) static leat_err s_joined;

__attribute__((unused)) static leat_chan(int) make(size_t cap)
{
    leat_chan(int) c = leat_chan_make(int, cap);
    CHECK(c && s.n_chans < S_CHANS);
    s.chans[s.n_chans++] = (leat_chan_ *)c;
    return c;
}
__attribute__((unused)) static const char *word(leat_err e)
{
    return e == LEAT_OK ? "ok" : e == LEAT_CLOSED ? "closed" : e == LEAT_CANCELED ? "canceled" : e == LEAT_DEADLINE ? "late" :
        e == LEAT_AGAIN ? "again" : "?";
}
/* What is received, as a digit; C: closed, X: cancelled, D: too late, A: would have to wait. */
__attribute__((unused)) static char letter(leat_err e, int value)
{
    return e == LEAT_OK ? (char)('0' + value) : e == LEAT_CLOSED ? 'C' : e == LEAT_CANCELED ? 'X' : e == LEAT_DEADLINE ? 'D' :
        e == LEAT_AGAIN ? 'A' : '?';
}

/* -- what tests do with them ----------------------------------------------------------------------------------------------- */
static uint32_t times(void)
{
    const char *n = getenv("SCHEDULES");
    return n && atoi(n) > 0 ? (uint32_t)atoi(n) : 0;
}

__attribute__((unused)) static void forbid_others(const struct s_program *p, const struct s_seen *seen)
{
    for (uint32_t i = 0; i < seen->n; i++)
        if (!s_permitted(p->outcomes, seen->said[i]))
            t_fail(__FILE__, __LINE__, "%s says \"%s\", which is none of: %s", p->name, seen->said[i], p->outcomes);
}

static const struct s_program *s_now_program;
static void (*s_fresh)(void);                        /* what a program finds */
static void body_fresh(void)
{
    s_fresh();
    s_now_program->body();
}

__attribute__((unused)) static void every(const struct s_program *p, uint32_t bound, struct s_seen *seen)
{
    struct s_program q = { p->name, p->outcomes, body_fresh, NULL };
    s_now_program = p;
    s_every(&q, bound, times() ? 20000 * times() : UINT32_MAX, seen);
}

static bool s_says_all(const struct s_program *p, uint32_t bound, const struct s_seen *seen)
{
    uint32_t words = 1;
    bool right = true;
    for (const char *at = p->outcomes; *at; at++)
        words += *at == ' ';
    for (uint32_t i = 0; i < seen->n; i++)
        right &= s_permitted(p->outcomes, seen->said[i]);
    if (right && (bound < 2 || seen->n == words))
        return true;
    for (uint32_t i = 0; i < seen->n; i++)
        fprintf(stderr, "# it says \"%s\"\n", seen->said[i]);
    fprintf(stderr, "# %s says %u things in %u schedules, and may say: %s\n", p->name, seen->n, seen->runs, p->outcomes);
    return false;
}

/* Each says nothing but what it may and, with preemptions enough, all of it. */
__attribute__((unused)) static void small_programs(void)
{
    uint32_t bound = getenv("T_QUICK") ? 1 : 2 + (times() > 0), runs = 0, n = 0, bad = 0;
    for (const struct s_program *p = s_programs; p; p = p->next, n++) {
        struct s_seen seen = { 0 };
        every(p, bound, &seen);
        bad += !s_says_all(p, bound, &seen);
        if (getenv("SCHEDULES"))
            printf("# %-66s %8u schedules%s\n", p->name, seen.runs, seen.runs == 20000 * times() ? ", and there are more" : "");
        runs += seen.runs;
    }
    printf("# %u programs, %u schedules with up to %u preemptions\n", n, runs, bound);
    CHECK_EQ(bad, 0);
}
#endif
