/* leat_bench - the benchmarks of what happens inside one process.
 *     leat_bench NAME [--workers N] [N]        prints a JSON line a result: {"bench":"pingpong","unit":"ns","value":45.1}
 * Exit code 1: the benchmark failed, or its results were wrong; 2: it was called wrongly. */
#include <stdlib.h>
#include <string.h>
#include "bench.h"

static const struct bench *const files[] = { bench_task, bench_chan, bench_relay, bench_select, bench_tree, bench_parked,
    bench_timer, bench_echo, bench_growth };
enum { FILES = sizeof files / sizeof *files };

void bench_result(const char *name, const char *unit, double value)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    fflush(stdout);
}

void bench_per(const char *name, leat_time start, int64_t n)
{
    bench_result(name, "ns", (double)leat_since(start).ns / (double)n);
}

void bench_ms(const char *name, leat_time start)
{
    bench_result(name, "ms", (double)leat_since(start).ns / 1e6);
}

leat_err bench_equal(const char *what, int64_t got, int64_t want)
{
    if (got == want)
        return LEAT_OK;
    return leat_fail(LEAT_INVAL, "%s is %lld, not %lld", what, (long long)got, (long long)want);
}

leat_err gate_init(struct gate *g, int64_t n)
{
    g->left = n;
    g->all = leat_chan_make(leat_none, 1);
    return g->all ? LEAT_OK : LEAT_NOMEM;
}

void gate_done(struct gate *g)
{
    leat_unref(g->all);
}

leat_err gate_arrive(struct gate *g)
{
    return atomic_fetch_sub(&g->left, 1) == 1 ? leat_send(g->all, LEAT_NONE) : LEAT_OK;
}

leat_err gate_wait(struct gate *g)
{
    leat_none none;
    return leat_recv(g->all, &none);
}

double status_kib(const char *field)
{
    char line[256];
    size_t len = strlen(field);
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, len) == 0 && line[len] == ':')
            kib = strtod(line + len + 1, NULL);
    if (f)
        fclose(f);
    return kib;
}

static const struct bench *bench_find(const char *name)
{
    for (size_t i = 0; name && i < FILES; i++)
        for (const struct bench *b = files[i]; b->name; b++)
            if (strcmp(b->name, name) == 0)
                return b;
    return NULL;
}

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "leat_bench: %s '%s'; usage: leat_bench NAME [--workers N] [N], where NAME is one of\n", what, word);
    for (size_t i = 0; i < FILES; i++)
        for (const struct bench *b = files[i]; b->name; b++)
            fprintf(stderr, "  %s\n", b->name);
    return 2;
}

static bool number(const char *word, long max, int64_t *ret)
{
    char *end;
    long v = strtol(word, &end, 10);
    if (end == word || *end || v < 1 || v > max)
        return false;
    *ret = v;
    return true;
}

struct job { const struct bench *bench; int64_t n; };

static leat_err job_run(struct job *j)
{
    return j->bench->run(j->n);
}

int main(int argc, char **argv)
{
    leat_opts opts = { 0 };
    struct job job = { 0 };
    int64_t workers;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--workers") == 0) {
            if (!argv[++i] || !number(argv[i], 4096, &workers))
                return usage("--workers takes a number, not", argv[i] ? argv[i] : "");
            opts.workers = (uint32_t)workers;
        } else if (!number(argv[i], 1000000000000, &job.n)) {
            if (job.bench || !(job.bench = bench_find(argv[i])))
                return usage("no such benchmark:", argv[i]);
        }
    }
    if (!job.bench)
        return usage("no benchmark named:", "");
    if (job.n == 0)
        job.n = job.bench->n;
    leat_err err = leat_run(&opts, job_run, job);
    if (err != LEAT_OK)
        fprintf(stderr, "leat_bench: %s: %s: %s\n", job.bench->name, leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
