/* trace.c - what a world did: as a hash of every event and as a text for people.
 *
 * The hash takes in virtual times, names of tasks, machines, lengths and bytes on links: never a pointer, nor the path of a source
 * file, which depends on where it was built, nor a line (of a call over several, gcc names the first and clang the last).  So it is
 * the same on every machine, with every compiler. */
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run/stack.h"
#include "sim/world.h"

void trace_open(struct world *w)
{
    w->trace.hash = 0x1ea7u;
    if (!w->conf.trace[0])
        return;
    w->trace.text = fopen(w->conf.trace, "w");
    if (w->trace.text)
        setvbuf(w->trace.text, NULL, _IOLBF, BUFSIZ);            /* whole, also where the process dies */
    else
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
    trace_mix(w, v);
    for (; n >= sizeof v; n -= sizeof v, b += sizeof v) {            /* a hash of bytes, whatever their order in a word */
        memcpy(&v, b, sizeof v);
        trace_mix(w, le64toh(v));
    }
    v = 0;
    memcpy(&v, b, n);
    trace_mix(w, le64toh(v));
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
    if (w->trace.text && t->host && w->conf.tasks)
        trace_say(w, "h%u  runs %s (%s:%u), one of %u", id, s->name, base_name(s->file), s->line, n);
}
