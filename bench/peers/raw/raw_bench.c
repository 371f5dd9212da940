/* raw_bench - what the machine gives programs that use sockets by hand: the floor under the rows of net_bench.
 *     raw_bench NAME [--workers N] [N]        prints a JSON line a result; the workers mean something to echo-server only
 *     raw_bench echo-64 --server PROGRAM [--workers N] [N]     loads `PROGRAM echo-server` with 64 connections
 * A ping-pong writes and reads 8 bytes with blocking sockets.  A stream is written and read in pieces of 64 KiB, each element of
 * which is made and added up one by one, as a program has to that batches by itself. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "raw.h"

enum { PIECE = 65536 };

void fail(const char *what)
{
    perror(what);
    exit(1);
}

double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void put(int fd, const void *p, size_t len)
{
    for (const char *at = p; len > 0; ) {
        ssize_t n = write(fd, at, len);
        if (n <= 0)
            fail("write");
        at += n;
        len -= (size_t)n;
    }
}

/* Whole words; 0 at the end. */
static size_t get(int fd, void *p, size_t min, size_t max)
{
    size_t len = 0;
    while (len < min || len % min) {
        ssize_t n = read(fd, (char *)p + len, max - len);
        if (n < 0)
            fail("read");
        if (n == 0)
            return 0;
        len += (size_t)n;
    }
    return len;
}

static void result(const char *name, const char *unit, double value)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value);
    fflush(stdout);
}

static void tcp_pair(int fd[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0 || fd[0] < 0 || bind(l, (struct sockaddr *)&a, len) || listen(l, 1) ||
        getsockname(l, (struct sockaddr *)&a, &len) || connect(fd[0], (struct sockaddr *)&a, len) ||
        (fd[1] = accept(l, NULL, NULL)) < 0)
        fail("tcp");
    close(l);
    for (int i = 0; i < 2; i++)
        setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void serve_pingpong(int fd)
{
    for (int64_t v; get(fd, &v, 8, 8); ) {
        v++;
        put(fd, &v, 8);
    }
}

static double run_pingpong(int fd, int64_t n)
{
    double start = now_ns();
    for (int64_t i = 0, v = 0; i < n; i++) {
        put(fd, &i, 8);
        if (get(fd, &v, 8, 8) != 8 || v != i + 1)
            fail("the answer");
    }
    return (now_ns() - start) / 1e3 / (double)n;
}

/* Both ends of a stream know the size of an element: its first word counts. */
static void serve_stream(int fd, size_t size)
{
    static uint64_t buf[PIECE / 8];
    uint64_t sum = 0;
    for (size_t len; (len = get(fd, buf, size, PIECE)) > 0; )
        for (size_t i = 0; i < len; i += size)
            sum += buf[i / 8];
    put(fd, &sum, 8);
}

static double run_stream(int fd, int64_t n, size_t size)
{
    static uint64_t buf[PIECE / 8];
    uint64_t sum = 0;
    double start = now_ns();
    for (int64_t i = 0; i < n; ) {
        size_t len = 0;
        for (; i < n && len < PIECE; i++, len += size)
            buf[len / 8] = (uint64_t)i;
        put(fd, buf, len);
    }
    shutdown(fd, SHUT_WR);
    if (get(fd, &sum, 8, 8) != 8 || sum != (uint64_t)n * (uint64_t)(n - 1) / 2)
        fail("the sum");
    return (double)n / (now_ns() - start) * 1e9;
}

struct bench { const char *name; int64_t n; size_t size; };

static const struct bench benches[] = {
    { "tcp-pingpong", 20000, 0 },
    { "unix-pingpong", 20000, 0 },
    { "tcp-stream-8", 20000000, 8 },
    { "unix-stream-8", 20000000, 8 },
    { "tcp-stream-1k", 1000000, 1024 },
    { 0 }
};

static int run(const struct bench *b, int64_t n)
{
    int fd[2], status;
    if (strncmp(b->name, "tcp", 3) == 0)
        tcp_pair(fd);
    else if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        fail("socketpair");
    pid_t child = fork();
    if (child == 0) {
        close(fd[0]);
        if (b->size)
            serve_stream(fd[1], b->size);
        else
            serve_pingpong(fd[1]);
        exit(0);
    }
    close(fd[1]);
    result(b->name, b->size ? "/s" : "us", b->size ? run_stream(fd[0], n, b->size) : run_pingpong(fd[0], n));
    close(fd[0]);
    return waitpid(child, &status, 0) < 0 || status != 0;
}

struct call { const char *name, *server; int workers; long n; };

static int run_call(const struct call *c)
{
    int conns;
    if (strcmp(c->name, "echo-server") == 0)
        echo_server((int)c->n, c->workers);
    if (c->server && sscanf(c->name, "echo-%d", &conns) == 1) {
        result(c->name, "/s", echo_load(c->server, c->workers, conns, c->n ? c->n : 100000));
        return 0;
    }
    for (const struct bench *b = benches; b->name; b++)
        if (strcmp(b->name, c->name) == 0)
            return run(b, c->n ? c->n : b->n);
    return fprintf(stderr, "usage: raw_bench NAME [--workers N] [N]\n"), 2;
}

int main(int argc, char **argv)
{
    struct call c = { .name = "", .workers = 1 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--workers") == 0 && argv[i + 1])
            c.workers = atoi(argv[++i]);
        else if (strcmp(argv[i], "--server") == 0)
            c.server = argv[++i];
        else if (atol(argv[i]) > 0)
            c.n = atol(argv[i]);
        else
            c.name = argv[i];
    }
    return run_call(&c);
}
