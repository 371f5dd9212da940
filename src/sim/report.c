/* report.c - what came of a world: the line that `leat sim` reads, and what is said when it cannot go on. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/probe.h"
#include "run/stack.h"
#include "sim/world.h"

enum { POINTS_MAX = 256 };

const char *const sim_hit_names[HIT_COUNT] = {
    [HIT_CHOICE] = "choice", [HIT_JUMP] = "jump", [HIT_LATE_START] = "late_start", [HIT_CHUNK] = "chunk", [HIT_DELAY] = "delay",
    [HIT_SHORT_READ] = "short_read", [HIT_FULL] = "full_link", [HIT_REFUSED] = "refused", [HIT_UNANSWERED] = "unanswered",
    [HIT_TORN] = "torn_chunk", [HIT_RESET] = "reset", [HIT_SLOW] = "slow", [HIT_CUT] = "cut", [HIT_HALF] = "half_cut", [HIT_DOWN] = "down",
    [HIT_SILENCE] = "silence", [HIT_ONE_WAY] = "one_way", [HIT_CLOG] = "clog", [HIT_REFUSE] = "refuse", [HIT_CRASH] = "crash",
    [HIT_POWER] = "power_loss", [HIT_HEAL] = "heal", [HIT_RESTART] = "restart", [HIT_OVERLAP] = "overlap",
};

static void print_task(struct task *t, void *arg)
{
    static const char *const doing[] = { "ready", "waiting", "ready", "cancelled, ready", "timed out, ready" };
    struct world *w = arg;
    const leat_site_ *s = t->site;
    uint32_t park = at_load(&t->park);
    if (!t->host)
        return;
    struct machine *m = machine_of(t->host);
    int64_t deadline = at_load(&t->deadline);
    fprintf(stderr, "leat:   h%u%s: task %s started at %s:%u: %s", m->id, m->dead ? " (crashed)" : "", s ? s->name : "?",
        s ? s->file : "?", s ? s->line : 0, t->fresh ? "not begun" : park < ARRAY_LEN(doing) ? doing[park] : "?");
    if (park == PARK_WAIT && deadline != NEVER)
        fprintf(stderr, ", at most until %.3f s", (double)(deadline - START_NS) / 1e9);
    if (at_load(&t->ctx->done))
        fprintf(stderr, ", its context is cancelled");
    fputc('\n', stderr);
    (void)w;
}

static void report_hits(const struct world *w, char *to, size_t cap)
{
    size_t n = 0;
    to[0] = 0;
    for (int i = 0; i < HIT_COUNT; i++)
        if (w->hits[i] && n < cap)
            n += (size_t)snprintf(to + n, cap - n, "%s%s:%" PRIu64, n ? "," : "", sim_hit_names[i], w->hits[i]);
}

/* -- points ------------------------------------------------------------------------------------------------------------------ */
struct point { const char *name, *of; enum probe_kind kind; bool active; uint64_t count; int64_t level; };
struct points { struct point at[POINTS_MAX]; uint32_t len; };

static void collect(void *arg, const struct probe *p)
{
    struct points *s = arg;
    uint32_t i = 0;
    while (i < s->len && (s->at[i].kind != p->kind || strcmp(s->at[i].name, p->name) != 0))
        i++;
    if (i == POINTS_MAX)
        return;
    if (i == s->len)
        s->at[s->len++] = (struct point){ .name = p->name, .kind = p->kind };
    struct point *x = &s->at[i];
    x->of = p->of ? p->of : x->of;
    x->active |= p->active;
    x->count += p->count;
    x->level += p->level;
}

/* Lines go out together: who reads them wakes once.  A process has one world at a time. */
static struct { char text[16 << 10]; size_t len; } lines;

static void lines_out(int fd)
{
    ssize_t k;
    for (size_t n = 0; n < lines.len; n += (size_t)k)
        if ((k = write(fd, lines.text + n, lines.len - n)) <= 0) {
            fputs("leat: cannot write the report of a simulated run\n", stderr);
            break;
        }
    lines.len = 0;
}

__attribute__((format(printf, 2, 3))) static void lines_add(int fd, const char *fmt, ...)
{
    char line[4096];
    va_list a;
    va_start(a, fmt);
    int n = vsnprintf(line, sizeof line, fmt, a);
    va_end(a);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof line - 1);
    if (len > sizeof lines.text - lines.len)
        lines_out(fd);
    memcpy(lines.text + lines.len, line, len);
    lines.len += len;
}

/* What was drawn of rare turns, as text for another run. */
static void bugs_format(const struct points *s, char *to, size_t cap)
{
    size_t n = 0;
    snprintf(to, cap, "none");
    for (uint32_t i = 0; i < s->len && n < cap; i++)
        if (s->at[i].active)
            n += (size_t)snprintf(to + n, cap - n, "%s%s", n ? "+" : "", s->at[i].name);
}

static void report_points(const struct world *w, const struct points *s)
{
    for (uint32_t i = 0; i < s->len; i++) {
        const struct point *x = &s->at[i];
        if (x->kind == PROBE_SOMETIMES || (x->kind == PROBE_BUGGIFY && x->active))
            lines_add(w->conf.fd, "point %s %s %" PRIu64 " %s\n", x->kind == PROBE_BUGGIFY ? "bug" : "met", x->name, x->count,
                x->of ? x->of : "-");
    }
}

static void on_fired(void *self, const struct probe *p)
{
    struct world *w = self;
    trace_event(w, p->name, p->count, 0);
    trace_say(w, p->kind == PROBE_BUGGIFY ? "rare turn %s" : "reached %s", p->name);
}

static void on_broken(void *self, const char *law, const char *file, int line)
{
    const char *slash = strrchr(file, '/');
    sim_stop(self, "law", "a law of the library does not hold: %s (%s:%d)", law, slash ? slash + 1 : file, line);
}

const struct probe_watch sim_watch = { on_fired, on_broken, NULL };

/* Told at the beginning: whatever becomes of the process, it is known what its world was to meet. */
void report_drawn(const struct world *w)
{
    char plan[SIM_PLAN_MAX], bugs[SIM_BUGS_MAX];
    static struct points points;
    points.len = 0;
    probes_each(collect, &points);
    plan_format(&w->plan, plan, sizeof plan);
    bugs_format(&points, bugs, sizeof bugs);
    if (w->conf.fd < 0)
        return;
    lines_add(w->conf.fd, "drawn planned=%u plan=%s bugs=%s\n", w->plan.len, plan, bugs);
    lines_out(w->conf.fd);
}

/* -- the report ---------------------------------------------------------------------------------------------------------------- */
void report(struct world *w, const char *verdict)
{
    char hits[HIT_COUNT * 40];
    static struct points points;
    int64_t ns = w->now - START_NS;
    const char *fault = w->plan.text[0] ? w->plan.text : w->dials_reset ? "a dial was reset" :
        w->plan.len ? "planned faults that never came" : "no fault";
    points.len = 0;
    probes_each(collect, &points);
    report_hits(w, hits, sizeof hits);
    trace_say(w, "%s: %" PRIu64 " steps, hash %016" PRIx64, verdict, w->steps, w->trace.hash);
    if (w->trace.text && fclose(w->trace.text) != 0)
        fprintf(stderr, "leat: cannot write the trace to %s: is the disk full?\n", w->conf.trace);
    w->trace.text = NULL;
    if (w->conf.fd < 0) {
        fprintf(stderr, "leat: simulated: seed %" PRIu64 ": %s, %.3f s virtual, %" PRIu64 " steps, %s, hash %016" PRIx64 "\n",
            w->conf.seed, verdict, (double)ns / 1e9, w->steps, fault, w->trace.hash);
        return;
    }
    report_points(w, &points);
    lines_add(w->conf.fd, "end verdict=%s ns=%" PRId64 " steps=%" PRIu64 " hash=%016" PRIx64 " struck=%u met=%d hits=%s fault=%s\n",
        verdict, ns, w->steps, w->trace.hash, w->plan.struck, w->plan.struck || w->dials_reset, hits, fault);
    lines_out(w->conf.fd);
}

void report_leaks(struct world *w)
{
    static struct points points;
    bool leak = false;
    points.len = 0;
    probes_each(collect, &points);
    for (uint32_t i = 0; i < points.len; i++)
        if (points.at[i].level) {
            fprintf(stderr, "leat: leak: %" PRId64 " of %s are left when all machines have ended in order (seed %" PRIu64 ")\n",
                points.at[i].level, points.at[i].name, w->conf.seed);
            leak = true;
        }
    if (!leak)
        return;
    fflush(stdout);
    report(w, "leak");
    fflush(stderr);
    _exit(1);
}

void sim_stop(struct world *w, const char *verdict, const char *fmt, ...)
{
    va_list a;
    fflush(stdout);
    va_start(a, fmt);
    fprintf(stderr, "leat: %s: ", verdict);
    vfprintf(stderr, fmt, a);
    fprintf(stderr, " (seed %" PRIu64 ", at %.3f s of virtual time)\n", w->conf.seed, (double)(w->now - START_NS) / 1e9);
    va_end(a);
    slabs_each_task(w->rt, print_task, w);
    report(w, verdict);
    fflush(stderr);
    _exit(1);
}
