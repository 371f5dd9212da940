/* progress.c - see progress.h. */
#include "progress.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PLAIN_TICKS = 50, LINE_MAX_BYTES = 400 };     /* without a terminal: one line every 50 ticks, 5 s */

struct line { char text[LINE_MAX_BYTES]; size_t len; };

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    int n = vsnprintf(l->text + l->len, sizeof l->text - l->len, fmt, a);
    va_end(a);
    l->len += n < 0 ? 0 : (size_t)n;
    if (l->len >= sizeof l->text)
        l->len = sizeof l->text - 1;
}

static void put_number(struct line *l, uint64_t n)   /* 1234567 as 1,234,567 */
{
    if (n >= 1000) {
        put_number(l, n / 1000);
        put(l, ",%03" PRIu64, n % 1000);
    } else {
        put(l, "%" PRIu64, n);
    }
}

static void describe(const struct progress *p, struct line *l)
{
    uint64_t lines = 0, words = 0;
    int64_t ns = leat_since(p->began).ns;
    for (uint32_t i = 0; i < p->nodes; i++) {
        lines += p->node[i].lines;
        words += p->node[i].words;
    }
    put_number(l, lines);
    put(l, " lines, ");
    put_number(l, words);
    put(l, " words, ");
    put_number(l, (uint64_t)((double)words * 1e9 / (double)(ns > 0 ? ns : 1)));
    put(l, " words/s");
    for (uint32_t i = 0; i < p->nodes; i++) {
        put(l, "; %s: ", p->is[i].name);
        put_number(l, p->node[i].lines);
        put(l, " lines, ");
        put_number(l, p->node[i].words);
        put(l, p->is[i].up ? " words" : " words, lost");
    }
}

static size_t columns(void)
{
    struct winsize w;
    return ioctl(2, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1u : 79;
}

leat_err progress_init(struct progress *p, leat_workers *workers)
{
    uint32_t n = leat_workers_look(workers, NULL, 0);
    *p = (struct progress){ .workers = workers, .is = calloc(n, sizeof *p->is), .node = calloc(n, sizeof *p->node), .nodes = n,
        .terminal = isatty(2) == 1, .began = leat_now() };
    if (p->is && p->node)
        return LEAT_OK;
    progress_done(p);
    return leat_fail(LEAT_NOMEM, "no memory for %u nodes", n);
}

void progress_add(struct progress *p, uint32_t worker, uint64_t lines, uint64_t words)
{
    p->node[worker].lines += lines;
    p->node[worker].words += words;
}

static void draw(const struct progress *p, const char *end)
{
    struct line l = { .len = 0 };
    leat_workers_look(p->workers, p->is, p->nodes);
    describe(p, &l);
    if (p->terminal && !*end && l.len > columns())
        l.len = columns();                           /* a line that is redrawn must not wrap */
    fprintf(stderr, "%s%.*s%s", p->terminal ? "\r\033[K" : "", (int)l.len, l.text, end);
}

void progress_tick(struct progress *p)
{
    p->ticks++;
    if (p->terminal)
        draw(p, "");
    else if (p->ticks % PLAIN_TICKS == 0)
        draw(p, "\n");
}

/* A launcher passes standard error on, later, but not standard output.  So the result erases the line itself, and is one write: what
 * comes late then stands on a line of its own and is erased by the next. */
void progress_clear(struct progress *p)
{
    if (!p->terminal || p->ticks == 0)
        return;
    fputs("\r\033[K", stderr);
    if (isatty(1) == 1)
        fputs("\r\033[K", stdout);
}

void progress_end(struct progress *p)
{
    draw(p, "\n");
}

void progress_done(struct progress *p)
{
    free(p->node);
    free(p->is);
    p->node = NULL;
    p->is = NULL;
}

void progress_say(const char *fmt, ...)
{
    struct line l = { .len = 0 };
    va_list a;
    va_start(a, fmt);
    int n = vsnprintf(l.text, sizeof l.text, fmt, a);
    va_end(a);
    (void)n;
    fprintf(stderr, "%s%s\n", isatty(2) == 1 ? "\r\033[K" : "", l.text);  /* the progress is drawn again soon */
}
