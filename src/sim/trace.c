/* trace.c - what a world did: as a hash of every event, as a text for people, and the report at the end.
 *
 * The hash takes in virtual times, names of tasks, machines, lengths and bytes on links: never a pointer, nor the path of a source
 * file, which depends on where it was built, nor a line (of a call over several, gcc names the first and clang the last).  So it is
 * the same on every machine, with every compiler. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run/stack.h"
#include "sim/world.h"

const char *const sim_hit_names[HIT_COUNT] = {
    [HIT_CHOICE] = "choice", [HIT_JUMP] = "jump", [HIT_LATE_START] = "late_start", [HIT_CHUNK] = "chunk", [HIT_DELAY] = "delay",
    [HIT_SHORT_READ] = "short_read", [HIT_FULL] = "full_link", [HIT_REFUSED] = "refused", [HIT_UNANSWERED] = "unanswered",
    [HIT_SLOW] = "slow", [HIT_CUT] = "cut", [HIT_SILENCE] = "silence", [HIT_ONE_WAY] = "one_way", [HIT_HEAL] = "heal",
    [HIT_CRASH] = "crash", [HIT_POWER] = "power_loss",
};

void trace_open(struct world *w)
{
    w->trace.hash = 0x1ea7u;
    if (!w->conf.trace[0])
        return;
    w->trace.text = fopen(w->conf.trace, "w");
    if (!w->trace.text)
        fprintf(stderr, "leat: cannot write the trace to %s; the run goes on without\n", w->conf.trace);
}

void trace_mix(struct world *w, uint64_t v)
{
    uint64_t h = (w->trace.hash ^ v) * 0x9fb21c651e98df25u;
    w->trace.hash = h ^ h >> 32;
}

void trace_bytes(struct world *w, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t v = n;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | b[i];
        if (i % 8 == 7)
            trace_mix(w, v);
    }
    trace_mix(w, v);
}

static void mix_text(struct world *w, const char *s)
{
    trace_bytes(w, s, strlen(s));
}

void trace_event(struct world *w, const char *what, uint64_t a, uint64_t b)
{
    trace_mix(w, (uint64_t)w->now);
    mix_text(w, what);
    trace_mix(w, a);
    trace_mix(w, b);
}

void trace_say(struct world *w, const char *fmt, ...)
{
    if (!w->trace.text)
        return;
    va_list a;
    va_start(a, fmt);
    fprintf(w->trace.text, "%14.6f  ", (double)(w->now - START_NS) / 1e9);
    vfprintf(w->trace.text, fmt, a);
    fputc('\n', w->trace.text);
    va_end(a);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void trace_task(struct world *w, const struct task *t, uint32_t k, uint32_t n)
{
    const leat_site_ *s = t->site;
    uint32_t id = t->host ? machine_of(t->host)->id : UINT32_MAX;
    trace_mix(w, (uint64_t)w->now);
    trace_mix(w, (uint64_t)k << 32 | n);
    trace_mix(w, id);
    mix_text(w, s ? s->name : "?");
    if (w->trace.text && t->host)
        trace_say(w, "h%u  runs %s (%s:%u), one of %u", id, s->name, base_name(s->file), s->line, n);
}

/* -- the end -------------------------------------------------------------------------------------------------------------- */
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

void report(struct world *w, const char *verdict)
{
    char hits[HIT_COUNT * 40], line[1024];
    int64_t ns = w->now - START_NS;
    report_hits(w, hits, sizeof hits);
    trace_say(w, "%s: %" PRIu64 " steps, hash %016" PRIx64, verdict, w->steps, w->trace.hash);
    if (w->trace.text && fclose(w->trace.text) != 0)
        fprintf(stderr, "leat: cannot write the trace to %s: is the disk full?\n", w->conf.trace);
    w->trace.text = NULL;
    if (w->conf.fd < 0) {
        fprintf(stderr, "leat: simulated: seed %" PRIu64 ": %s, %.3f s virtual, %" PRIu64 " steps, %s, hash %016" PRIx64 "\n",
            w->conf.seed, verdict, (double)ns / 1e9, w->steps, w->plan.text, w->trace.hash);
        return;
    }
    int n = snprintf(line, sizeof line, "end verdict=%s ns=%" PRId64 " steps=%" PRIu64 " hash=%016" PRIx64 " planned=%d struck=%d hits=%s"
        " fault=%s\n", verdict, ns, w->steps, w->trace.hash, w->plan.kind, w->plan.struck, hits, w->plan.text);
    if (n > 0 && write(w->conf.fd, line, MIN((size_t)n, sizeof line - 1)) < 0)
        fputs("leat: cannot write the report of a simulated run\n", stderr);
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
