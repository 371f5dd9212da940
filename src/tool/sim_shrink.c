/* sim_shrink.c - a failure with as few faults as it needs.
 *
 * The seed stays, and with it every other choice; the plan of faults and the list of rare turns are given in words and tried with parts
 * left out, as long as the run fails in the same way.  Greedy: a fault or turn that is not needed goes, until none can. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plat/proc.h"
#include "tool/sim.h"

enum { ITEMS = 64, RUNS_MAX = 150, BUDGET_MS = 120000, BRIEF_MS = 1 };

struct list { char *at[ITEMS]; uint32_t len; };      /* the parts of a text "A+B+C" */
struct shrink {
    const struct sim_opts *o;
    const struct sim_totals *t;
    uint64_t seed;
    char kind[64];                                   /* how it fails, without the numbers */
    struct list faults, bugs;
    char plan[SIM_PLAN], rare[SIM_BUGS];             /* what the two lists point into, but for faults with a shorter time */
    char shorter[ITEMS][2][80];                      /* the time that it has now and the one that is tried, in turn */
    unsigned nodes, runs;
    int64_t due_ms;
    bool same;                                       /* of the last try */
};

static void split(struct list *l, char *text)
{
    char *next = text;
    bool none = strcmp(text, "none") == 0;
    l->len = 0;
    for (char *p; !none && (p = strsep(&next, "+")) && l->len < ITEMS; )
        l->at[l->len++] = p;
}

static void join(const struct list *l, char *to, size_t cap)
{
    size_t n = 0;
    snprintf(to, cap, "none");
    for (uint32_t i = 0; i < l->len && n < cap; i++)
        n += (size_t)snprintf(to + n, cap - n, "%s%s", i ? "+" : "", l->at[i]);
}

static void kind_of(const char *why, char *to, size_t cap)
{
    size_t n = 0;
    for (; *why && n < cap - 1; why++)
        if (*why < '0' || *why > '9')
            to[n++] = *why;
    to[n] = 0;
}

static int look(void *arg, const struct sim_result *r)
{
    struct shrink *s = arg;
    char buf[160], kind[64];
    const char *why = sim_why_failed(s->o, s->t, r, buf, sizeof buf);
    kind_of(why ? why : "", kind, sizeof kind);
    s->same = strcmp(kind, s->kind) == 0;
    return 0;
}

static bool try_with(struct shrink *s, const struct list *faults, const struct list *bugs, unsigned nodes, const char *trace)
{
    char plan[SIM_PLAN], bug[SIM_BUGS], n[12];
    struct sim_opts o = *s->o;
    if (!trace && (s->runs >= RUNS_MAX || proc_clock_ms() > s->due_ms))
        return false;
    join(faults, plan, sizeof plan);
    join(bugs, bug, sizeof bug);
    snprintf(n, sizeof n, "%u", nodes);
    o.first = o.last = s->seed;
    o.plan = plan;
    o.bugs = bug;
    o.nodes = n;
    o.trace = trace;
    o.twice = false;
    o.jobs = 1;
    s->runs++;
    s->same = false;
    return sim_runs(&o, look, s) == 0 && s->same;
}

static struct list without(const struct list *l, uint32_t i)
{
    struct list less = *l;
    memmove(&less.at[i], &less.at[i + 1], (less.len - i - 1) * sizeof less.at[0]);
    less.len--;
    return less;
}

/* One part less of one of the lists, if that still fails. */
static bool drop_one(struct shrink *s, struct list *l)
{
    for (uint32_t i = 0; i < l->len; i++) {
        struct list less = without(l, i), was = *l;
        *l = less;
        if (try_with(s, &s->faults, &s->bugs, s->nodes, NULL))
            return true;
        *l = was;
    }
    return false;
}

static void drop_all(struct shrink *s, struct list *l)
{
    struct list was = *l;
    if (!l->len)
        return;
    l->len = 0;
    if (try_with(s, &s->faults, &s->bugs, s->nodes, NULL))
        return;
    *l = was;
    while (drop_one(s, l))
        ;
}

/* Shorter times: "ever" becomes five seconds, anything else half of it. */
static bool shorten_one(struct shrink *s, uint32_t i)
{
    char *was = s->faults.at[i], *slash = strchr(was, '/'), *text = s->shorter[i][was == s->shorter[i][0]];
    if (!slash)
        return false;
    long ms = strcmp(slash, "/ever") == 0 ? 10000 : strtol(slash + 1, NULL, 10);
    if (ms / 2 < BRIEF_MS)
        return false;
    snprintf(text, sizeof s->shorter[i][0], "%.*s/%ldms", (int)(slash - was), was, ms / 2);
    s->faults.at[i] = text;
    if (try_with(s, &s->faults, &s->bugs, s->nodes, NULL))
        return true;
    s->faults.at[i] = was;
    return false;
}

static void print_again(const struct shrink *s, const char *plan, const char *bugs)
{
    printf("    again: leat sim%s%s%s --seeds %" PRIu64 " --nodes %u --faults %s --plan %s --bugs %s --trace trace-%" PRIu64 ".txt --",
        s->o->any_output ? " --any-output" : "", s->o->must_succeed ? " --must-succeed" : "", s->o->no_restarts ? " --no-restarts" : "",
        s->seed, s->nodes, s->o->faults, plan, bugs, s->seed);
    for (char **a = s->o->argv; *a; a++)
        printf(" %s", *a);
    puts("");
}

void sim_shrink(const struct sim_opts *o, const struct sim_totals *t, const struct sim_result *r, const char *why)
{
    struct shrink s = { .o = o, .t = t, .seed = r->seed, .nodes = (unsigned)strtoul(o->nodes, NULL, 10) };
    char plan[SIM_PLAN], bugs[SIM_BUGS];
    s.due_ms = proc_clock_ms() + BUDGET_MS;
    kind_of(why, s.kind, sizeof s.kind);
    snprintf(s.plan, sizeof s.plan, "%s", r->plan);
    snprintf(s.rare, sizeof s.rare, "%s", r->bugs);
    split(&s.faults, s.plan);
    split(&s.bugs, s.rare);
    if (r->overdue || !r->plan[0] || !try_with(&s, &s.faults, &s.bugs, s.nodes, NULL))
        return;                                      /* it does not say what it met, or does not fail again: nothing to hold on to */
    drop_all(&s, &s.bugs);
    drop_all(&s, &s.faults);
    while (s.nodes > 1 && try_with(&s, &s.faults, &s.bugs, s.nodes - 1, NULL))
        s.nodes--;
    for (uint32_t i = 0; i < s.faults.len; i++)
        while (shorten_one(&s, i))
            ;
    join(&s.faults, plan, sizeof plan);
    join(&s.bugs, bugs, sizeof bugs);
    printf("    shrunk in %u runs: %u fault%s, %u rare turn%s, %u node%s\n", s.runs, s.faults.len, s.faults.len == 1 ? "" : "s", s.bugs.len,
        s.bugs.len == 1 ? "" : "s", s.nodes, s.nodes == 1 ? "" : "s");
    print_again(&s, plan, bugs);
    if (o->trace && o->first != o->last && try_with(&s, &s.faults, &s.bugs, s.nodes, o->trace))
        printf("    its trace: %s\n", o->trace);
}
