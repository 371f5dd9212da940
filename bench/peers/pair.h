/* pair.h - for the programs of peers that are C or C++ libraries: a server process, a client process, a JSON line a result.
 *     PROGRAM NAME [--workers N] [N]
 * The server is forked before anything of the library runs; it says where it listens through a pipe.  What it counted it sends back by
 * the library's own means.  A client that fails kills it. */
#ifndef PAIR_H
#define PAIR_H
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { URL_MAX = 256, SMALL = 64, KIB = 1024, MIB = 1 << 20, FAN = 100 };

struct pair_bench {
    const char *name;
    long n;                                          /* operations, when the command line says nothing else */
    void (*serve)(const char *url);                  /* listens there, calls pair_tell, works until the client has ended */
    void (*run)(const char *name, const char *url, long n);
    size_t size;                                     /* of a message, for both */
    int at_a_time;                                   /* calls */
    int cpu;                                         /* also print NAME-cpu */
};

static const struct pair_bench *pair_now;
static int pair_pipe, pair_workers = 1;

static void pair_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", pair_now ? pair_now->name : "bench", what, why);
    exit(1);
}

static void pair_tell(const char *url)
{
    size_t len = strlen(url) + 1;
    if (write(pair_pipe, url, len) != (ssize_t)len)
        pair_fail("pipe", "the client has gone");
}

static double pair_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pair_result(const char *name, const char *unit, double value)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    fflush(stdout);
}

/* n messages since start: MB/s of large ones, else messages a second */
__attribute__((unused)) static void pair_rate(const char *name, double start, long n)
{
    double s = (pair_now_ns() - start) / 1e9;
    if (pair_now->size >= MIB)
        pair_result(name, "MB/s", (double)n * (double)pair_now->size / 1e6 / s);
    else
        pair_result(name, "/s", (double)n / s);
}

static double pair_cpu(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void pair_client(const struct pair_bench *b, long n, int from, pid_t child)
{
    char url[URL_MAX], name[64];
    size_t len = 0;
    int status;
    for (ssize_t got; len < sizeof url && (got = read(from, url + len, sizeof url - len)) > 0; )
        if (memchr(url + len, 0, (size_t)got))
            break;
        else
            len += (size_t)got;
    b->run(b->name, url, n);
    if (waitpid(child, &status, 0) < 0 || status != 0)
        pair_fail("the server", "failed");
    snprintf(name, sizeof name, "%s-cpu", b->name);
    if (b->cpu)
        pair_result(name, "s", (pair_cpu(RUSAGE_SELF) + pair_cpu(RUSAGE_CHILDREN)) * 1e6 / (double)n);
}

static int pair_run(const struct pair_bench *b, long n, const char *tcp, const char *local)
{
    char dir[] = "/tmp/leat-bench-XXXXXX", url[URL_MAX];
    int ends[2];
    if (!mkdtemp(dir) || pipe(ends) != 0)
        pair_fail("temporary directory", "cannot be made");
    snprintf(url, sizeof url, "%s", tcp);
    if (strncmp(b->name, "unix", 4) == 0)
        snprintf(url, sizeof url, "%s%s/s", local, dir);
    pair_now = b;
    pair_pipe = ends[1];
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        b->serve(url);
        exit(0);
    }
    close(ends[1]);
    pair_client(b, n, ends[0], child);
    snprintf(url, sizeof url, "%s/s", dir);
    unlink(url);
    rmdir(dir);
    return 0;
}

/* tcp: where to listen; local: what comes before a path */
static int pair_main(int argc, char **argv, const struct pair_bench *all, const char *tcp, const char *local)
{
    const char *name = "";
    long n = 0;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--workers") == 0 && argv[i + 1])
            pair_workers = atoi(argv[++i]);
        else if (atol(argv[i]) > 0)
            n = atol(argv[i]);
        else
            name = argv[i];
    for (const struct pair_bench *b = all; b->name; b++)
        if (strcmp(b->name, name) == 0)
            return pair_run(b, n ? n : b->n, tcp, local);
    fprintf(stderr, "no such benchmark: '%s'\n", name);
    return 2;
}
#endif
