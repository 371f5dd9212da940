/* net_bench - the benchmarks of what happens between two processes of this host.
 *     net_bench NAME [--workers N] [--relay PROGRAM --delay MS] [N]        prints a JSON line a result, as leat_bench does
 * PROGRAM is test/faults' relay: what goes between the two takes so long each way.
 * A child process is forked before any runtime exists.  It opens a node, exports channels, listens, and writes the address it got
 * into a pipe; this process dials it.  The child ends when this process has closed its last channel.
 * Exit code 1: the benchmark failed, or its results were wrong; 2: it was called wrongly. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net.h"

enum { URL_MAX = 256, LIMIT_S = 120 };

static const struct net_bench *const files[] = { net_pairs, net_calls, net_many, net_growth };
enum { FILES = sizeof files / sizeof *files };

leat_err server_listen(struct server *s)
{
    LEAT_TRY(leat_node_listen(s->node, s->url));
    const char *url = leat_node_url(s->node);
    size_t len = strlen(url) + 1;
    return write(s->tell, url, len) == (ssize_t)len ? LEAT_OK : leat_fail(LEAT_SYS, "the pipe to the parent is broken");
}

void net_result(const char *name, const char *unit, double value)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    fflush(stdout);
}

void net_per_second(const char *name, leat_time start, int64_t n)
{
    net_result(name, "/s", (double)n / ((double)leat_since(start).ns / 1e9));
}

leat_err net_equal(const char *what, int64_t got, int64_t want)
{
    return got == want ? LEAT_OK : leat_fail(LEAT_INVAL, "%s is %lld, not %lld", what, (long long)got, (long long)want);
}

static double cpu_seconds(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* == Two processes. ====================================================================================================== */
struct job { const struct net_bench *bench; int64_t n; const char *url; int tell; const char *relay, *delay; };

static leat_err server_run(struct job *j)
{
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "server" }, &node));
    return j->bench->serve(&(struct server){ node, j->url, j->tell, j->n });
}

static leat_err client_run(struct job *j)
{
    leat_auto_node leat_node *node = NULL;
    leat_peer *peer;
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "client" }, &node));
        LEAT_TRY(leat_node_dial(node, j->url, &peer));
        err = j->bench->run(&(struct client){ node, peer, j->bench->name, j->url, j->n });
    }
    return err;
}

static int report(const struct job *j, const char *who, leat_err err)
{
    if (err != LEAT_OK)
        fprintf(stderr, "net_bench: %s: the %s: %s: %s\n", j->bench->name, who, leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}

static int child_main(const leat_opts *opts, struct job job)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return report(&job, "server", leat_run(opts, server_run, job));
}

/* Until the child has written its address, or has ended. */
static bool read_url(int fd, char *url)
{
    size_t len = 0;
    for (ssize_t n; len < URL_MAX && (n = read(fd, url + len, URL_MAX - len)) > 0; )
        if (memchr(url + len, 0, (size_t)n))
            return true;
        else
            len += (size_t)n;
    return false;
}

/* Starts the relay before url, which becomes its own.  *fd: its commands; the end of them ends it.  -1: it does not start. */
static pid_t relay_start(const struct job *job, char *url, int *fd)
{
    char line[URL_MAX];
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        execl(job->relay, job->relay, "stream", "tcp://127.0.0.1:0", url, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *fd = in[1];
    FILE *f = fdopen(out[0], "r");                   /* stays open: the relay writes there */
    bool ok = f && fgets(line, sizeof line, f) && sscanf(line, "at %255s", url) == 1;
    if (!ok || dprintf(*fd, "delay both %s\n", job->delay) < 0)
        fprintf(stderr, "net_bench: %s does not start\n", job->relay);
    return ok ? pid : -1;
}

static int parent_main(const leat_opts *opts, struct job job, pid_t child, int told)
{
    char url[URL_MAX];
    int status = 1, failed = 1;
    pid_t relay = 0;
    int commands = -1;
    if (read_url(told, url) && (!job.relay || (relay = relay_start(&job, url, &commands)) > 0)) {
        job.url = url;
        failed = report(&job, "client", leat_run(opts, client_run, job));
    }
    if (failed)
        kill(child, SIGKILL);
    close(commands);
    if (relay > 0)
        waitpid(relay, NULL, 0);
    waitpid(child, &status, 0);
    failed |= status != 0;
    if (job.bench->cpu && !failed) {
        char name[64];
        snprintf(name, sizeof name, "%s-cpu", job.bench->name);
        net_result(name, "s", (cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN)) * 1e6 / (double)job.n);
    }
    return failed;
}

static int run_pair(const leat_opts *opts, struct job job)
{
    char dir[] = "/tmp/leat-bench-XXXXXX", url[URL_MAX] = "tcp://127.0.0.1:0";
    int ends[2], code;
    if (!mkdtemp(dir) || pipe(ends) != 0)
        return perror("net_bench"), 1;
    if (strncmp(job.bench->name, "unix", 4) == 0)
        snprintf(url, sizeof url, "unix:%s/s", dir);
    job.url = url;
    job.tell = ends[1];
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        exit(child_main(opts, job));
    }
    close(ends[1]);
    code = child < 0 ? 1 : parent_main(opts, job, child, ends[0]);
    close(ends[0]);
    snprintf(url, sizeof url, "%s/s", dir);
    unlink(url);
    rmdir(dir);
    return code;
}

static const struct net_bench *bench_find(const char *name)
{
    for (size_t i = 0; i < FILES; i++)
        for (const struct net_bench *b = files[i]; b->name; b++)
            if (strcmp(b->name, name) == 0)
                return b;
    return NULL;
}

static int usage(void)
{
    fprintf(stderr, "usage: net_bench NAME [--workers N] [--relay PROGRAM --delay MS] [N], where NAME is one of\n");
    for (size_t i = 0; i < FILES; i++)
        for (const struct net_bench *b = files[i]; b->name; b++)
            fprintf(stderr, "  %s\n", b->name);
    return 2;
}

int main(int argc, char **argv)
{
    leat_opts opts = { 0 };
    struct job job = { 0 };
    for (int i = 1; i < argc; i++) {
        char *end;
        long v = strtol(argv[i], &end, 10);
        if (strcmp(argv[i], "--workers") == 0) {
            if (!argv[++i] || (v = strtol(argv[i], NULL, 10)) < 1 || v > 4096)
                return usage();
            opts.workers = (uint32_t)v;
        } else if (strcmp(argv[i], "--relay") == 0 && argv[i + 1]) {
            job.relay = argv[++i];
        } else if (strcmp(argv[i], "--delay") == 0 && argv[i + 1]) {
            job.delay = argv[++i];
        } else if (v > 0 && !*end) {
            job.n = v;
        } else if (job.bench || !(job.bench = bench_find(argv[i]))) {
            return usage();
        }
    }
    if (!job.bench || !job.relay != !job.delay)
        return usage();
    if (job.n == 0)
        job.n = job.bench->n;
    return run_pair(&opts, job);
}
