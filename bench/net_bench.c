/* net_bench - the benchmarks of what happens between two processes of this host.
 *     net_bench NAME [--workers N] [N]        prints a JSON line a result, as leat_bench does
 * A child process is forked before any runtime exists.  It opens a node, exports channels, listens, and writes the address it got
 * into a pipe; this process dials it.  The child ends when this process has closed its last channel.
 * Exit code 1: the benchmark failed, or its results were wrong; 2: it was called wrongly. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "leat.h"

LEAT_STRUCT(number, (int64, v));
LEAT_STRUCT(block, (array(uint64_t, 128), words));   /* 1 KiB */
LEAT_SERVICE(adder, (increment, number, number));

enum { NUMBERS_AHEAD = 4096, BLOCKS_AHEAD = 1024 };  /* room of a streaming channel: elements under way */
enum { URL_MAX = 256, LIMIT_S = 120 };

struct server { leat_node *node; const char *url; int tell; };
struct client { leat_peer *peer; const char *name; int64_t n; };
struct bench  { const char *name; int64_t n; leat_err (*serve)(struct server *s); leat_err (*run)(struct client *c); };

/* == The child: export, listen and say where, work until the other side has closed its channel. ========================= */
static leat_err server_listen(struct server *s)
{
    LEAT_TRY(leat_node_listen(s->node, s->url));
    const char *url = leat_node_url(s->node);
    size_t len = strlen(url) + 1;
    return write(s->tell, url, len) == (ssize_t)len ? LEAT_OK : leat_fail(LEAT_SYS, "the pipe to the parent is broken");
}

static leat_err serve_pingpong(struct server *s)
{
    leat_auto leat_chan(struct number) there = leat_chan_make(struct number, 0);
    leat_auto leat_chan(struct number) back = leat_chan_make(struct number, 0);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "there", leat_tx_of(there), number));
    LEAT_TRY(leat_export(s->node, "back", leat_rx_of(back), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, there, err)
        LEAT_TRY(leat_send(back, { x.v + 1 }));
    leat_close(back);
    return err;
}

static leat_err serve_numbers(struct server *s)
{
    leat_auto leat_chan(struct number) in = leat_chan_make(struct number, NUMBERS_AHEAD);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    int64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), number));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        total += x.v;
    LEAT_TRY(err);
    return leat_send(sum, { total });
}

static leat_err serve_blocks(struct server *s)
{
    leat_auto leat_chan(struct block) in = leat_chan_make(struct block, BLOCKS_AHEAD);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1);
    uint64_t total = 0;
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), block));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        total += x.words[0] + x.words[127];
    LEAT_TRY(err);
    return leat_send(sum, { (int64_t)total });
}

static leat_err increment(void *self, const struct number *in, struct number *out)
{
    (void)self;
    out->v = in->v + 1;
    return LEAT_OK;
}

static leat_err serve_calls(struct server *s)
{
    static const struct adder_impl impl = { .increment = increment };
    leat_auto leat_chan(struct number) in = leat_chan_make(struct number, 1);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), number));
    LEAT_TRY(leat_serve(s->node, adder, &impl, NULL));
    LEAT_TRY(server_listen(s));
    leat_each(x, in, err)
        return leat_fail(LEAT_INVAL, "nobody sends here, but %lld came", (long long)x.v);
    return err;
}

/* == This process: dial, import, measure. ================================================================================ */
static void result(const char *name, const char *unit, double value)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    fflush(stdout);
}

static void result_per_second(const char *name, leat_time start, int64_t n)
{
    result(name, "/s", (double)n / ((double)leat_since(start).ns / 1e9));
}

static leat_err equal(const char *what, int64_t got, int64_t want)
{
    return got == want ? LEAT_OK : leat_fail(LEAT_INVAL, "%s is %lld, not %lld", what, (long long)got, (long long)want);
}

static leat_err run_pingpong(struct client *c)
{
    leat_auto leat_tx(struct number) there = NULL;
    leat_auto leat_rx(struct number) back = NULL;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "there", &there, number, 0));
    LEAT_TRY(leat_import(c->peer, "back", &back, number, 0));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++) {
        LEAT_TRY(leat_send(there, { i }));
        LEAT_TRY(leat_recv(back, &x));
        LEAT_TRY(equal("the answer", x.v, i + 1));
    }
    result(c->name, "us", (double)leat_since(start).ns / 1e3 / (double)c->n);
    leat_close(there);
    return LEAT_OK;
}

/* The time runs until the other side has received the last one and its sum is here. */
static leat_err run_numbers(struct client *c)
{
    leat_auto leat_tx(struct number) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, number, NUMBERS_AHEAD));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 1));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++)
        LEAT_TRY(leat_send(out, { i }));
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    result_per_second(c->name, start, c->n);
    return equal("the sum", x.v, c->n * (c->n - 1) / 2);
}

static leat_err run_blocks(struct client *c)
{
    leat_auto leat_tx(struct block) out = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct block b = { { 0 } };
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, block, BLOCKS_AHEAD));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 1));
    leat_time start = leat_now();
    for (int64_t i = 0; i < c->n; i++) {
        b.words[0] = b.words[127] = (uint64_t)i;
        LEAT_TRY(leat_send_from(out, &b));
    }
    leat_close(out);
    LEAT_TRY(leat_recv(sum, &x));
    result_per_second(c->name, start, c->n);
    return equal("the sum", x.v, c->n * (c->n - 1));
}

struct caller { leat_peer *peer; int64_t n; };

static leat_err caller(struct caller *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        struct number in = { i }, out;
        LEAT_TRY(leat_call(c->peer, adder, increment, &in, &out));
        LEAT_TRY(equal("the answer", out.v, i + 1));
    }
    return LEAT_OK;
}

static leat_err run_calls(struct client *c, int callers)
{
    leat_auto leat_tx(struct number) open = NULL;
    int64_t each = c->n / callers + 1;
    leat_err err;
    LEAT_TRY(leat_import(c->peer, "in", &open, number, 1));
    leat_time start = leat_now();
    leat_with_group(g, err)
        for (int i = 0; i < callers; i++)
            LEAT_TRY(leat_go(&g, caller, (struct caller){ c->peer, each }));
    LEAT_TRY(err);
    result_per_second(c->name, start, each * callers);
    leat_close(open);
    return LEAT_OK;
}

static leat_err run_calls_1(struct client *c)   { return run_calls(c, 1); }
static leat_err run_calls_16(struct client *c)  { return run_calls(c, 16); }
static leat_err run_calls_256(struct client *c) { return run_calls(c, 256); }

static const struct bench benches[] = {
    { "tcp-pingpong", 10000, serve_pingpong, run_pingpong },
    { "unix-pingpong", 10000, serve_pingpong, run_pingpong },
    { "tcp-stream-8", 5000000, serve_numbers, run_numbers },
    { "unix-stream-8", 5000000, serve_numbers, run_numbers },
    { "tcp-stream-1k", 500000, serve_blocks, run_blocks },
    { "calls-1", 10000, serve_calls, run_calls_1 },
    { "calls-16", 100000, serve_calls, run_calls_16 },
    { "calls-256", 500000, serve_calls, run_calls_256 },
    { 0 }
};

/* == Two processes. ====================================================================================================== */
struct job { const struct bench *bench; int64_t n; const char *url; int tell; };

static leat_err server_run(struct job *j)
{
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "server" }, &node));
    return j->bench->serve(&(struct server){ node, j->url, j->tell });
}

static leat_err client_run(struct job *j)
{
    leat_auto_node leat_node *node = NULL;
    leat_peer *peer;
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_S(LIMIT_S)) {
        LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "client" }, &node));
        LEAT_TRY(leat_node_dial(node, j->url, &peer));
        err = j->bench->run(&(struct client){ peer, j->bench->name, j->n });
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

static int parent_main(const leat_opts *opts, struct job job, pid_t child, int told)
{
    char url[URL_MAX];
    int status = 1, failed = 1;
    if (read_url(told, url)) {
        job.url = url;
        failed = report(&job, "client", leat_run(opts, client_run, job));
    }
    if (failed)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return failed || status != 0;
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

static int usage(void)
{
    fprintf(stderr, "usage: net_bench NAME [--workers N] [N], where NAME is one of\n");
    for (const struct bench *b = benches; b->name; b++)
        fprintf(stderr, "  %s\n", b->name);
    return 2;
}

int main(int argc, char **argv)
{
    leat_opts opts = { 0 };
    struct job job = { 0 };
    for (int i = 1; i < argc; i++) {
        long v = strtol(argv[i], NULL, 10);
        if (strcmp(argv[i], "--workers") == 0) {
            if (!argv[++i] || (v = strtol(argv[i], NULL, 10)) < 1 || v > 4096)
                return usage();
            opts.workers = (uint32_t)v;
        } else if (v > 0) {
            job.n = v;
        } else {
            for (const struct bench *b = benches; b->name && !job.bench; b++)
                if (strcmp(b->name, argv[i]) == 0)
                    job.bench = b;
            if (!job.bench)
                return usage();
        }
    }
    if (!job.bench)
        return usage();
    if (job.n == 0)
        job.n = job.bench->n;
    return run_pair(&opts, job);
}
