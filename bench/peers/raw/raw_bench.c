/* raw_bench - what the machine gives programs that use sockets by hand: the floor under the rows of net_bench.
 *     raw_bench NAME [--workers N] [N]        prints a JSON line a result; the workers mean something to echo-server only
 *     raw_bench echo-64 --server PROGRAM [--workers N] [N]     loads `PROGRAM echo-server` with 64 connections
 * A ping-pong writes and reads 8 bytes with blocking sockets.  A stream is written and read in pieces of 64 KiB, each element of
 * which is made and added up one by one, as a program has to that batches by itself. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "raw.h"

enum { PIECE = 1 << 16, MOST = 1 << 20 };

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
    static uint64_t buf[MOST / 8];
    uint64_t sum = 0;
    for (size_t len; (len = get(fd, buf, size, size > PIECE ? size : PIECE)) > 0; )
        for (size_t i = 0; i < len; i += size)
            sum += buf[i / 8];
    put(fd, &sum, 8);
}

static double run_stream(int fd, int64_t n, size_t size)
{
    static uint64_t buf[MOST / 8];
    uint64_t sum = 0;
    double start = now_ns();
    for (int64_t i = 0; i < n; ) {
        size_t len = 0;
        for (; i < n && (len == 0 || len + size <= PIECE); i++, len += size)
            buf[len / 8] = (uint64_t)i;
        put(fd, buf, len);
    }
    shutdown(fd, SHUT_WR);
    if (get(fd, &sum, 8, 8) != 8 || sum != (uint64_t)n * (uint64_t)(n - 1) / 2)
        fail("the sum");
    return (double)n / (now_ns() - start) * 1e9;
}

/* Batches of so many requests of 8 bytes in one piece, and their answers in another. */
static void serve_calls(int fd)
{
    static int64_t buf[PIECE / 8];
    for (size_t len; (len = get(fd, buf, 8, PIECE)) > 0; put(fd, buf, len))
        for (size_t i = 0; i < len / 8; i++)
            buf[i]++;
}

static double run_calls(int fd, int64_t n, size_t at_a_time)
{
    static int64_t buf[PIECE / 8];
    double start = now_ns();
    int64_t done = 0;
    for (; done < n; done += (int64_t)at_a_time) {
        for (size_t i = 0; i < at_a_time; i++)
            buf[i] = done + (int64_t)i;
        put(fd, buf, at_a_time * 8);
        if (get(fd, buf, at_a_time * 8, at_a_time * 8) == 0 || buf[at_a_time - 1] != done + (int64_t)at_a_time)
            fail("the answer");
    }
    return (double)done / (now_ns() - start) * 1e9;
}

struct bench { const char *name; int64_t n; size_t size, at_a_time; };

static const struct bench benches[] = {
    { "tcp-pingpong", 20000, 0, 0 },
    { "unix-pingpong", 20000, 0, 0 },
    { "tcp-stream-8", 20000000, 8, 0 },
    { "unix-stream-8", 20000000, 8, 0 },
    { "tcp-stream-1k", 1000000, 1024, 0 },
    { "tcp-stream-1m", 4000, 1 << 20, 0 },
    { "unix-stream-1m", 4000, 1 << 20, 0 },
    { "calls-1", 20000, 0, 1 },
    { "calls-16", 200000, 0, 16 },
    { "calls-256", 2000000, 0, 256 },
    { 0 }
};

static void serve(int fd, const struct bench *b)
{
    if (b->at_a_time)
        serve_calls(fd);
    else if (b->size)
        serve_stream(fd, b->size);
    else
        serve_pingpong(fd);
}

static void client(int fd, const struct bench *b, int64_t n)
{
    if (b->at_a_time)
        result(b->name, "/s", run_calls(fd, n, b->at_a_time));
    else if (b->size >= MOST)
        result(b->name, "MB/s", run_stream(fd, n, b->size) * (double)b->size / 1e6);
    else if (b->size)
        result(b->name, "/s", run_stream(fd, n, b->size));
    else
        result(b->name, "us", run_pingpong(fd, n));
}

static int run(const struct bench *b, int64_t n)
{
    int fd[2], status;
    if (strncmp(b->name, "unix", 4) != 0)
        tcp_pair(fd);
    else if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        fail("socketpair");
    pid_t child = fork();
    if (child == 0) {
        close(fd[0]);
        serve(fd[1], b);
        exit(0);
    }
    close(fd[1]);
    client(fd[0], b, n);
    close(fd[0]);
    return waitpid(child, &status, 0) < 0 || status != 0;
}

/* A connection from its making until the first answer on it. */
static void setup_one(int listener, bool serves, struct sockaddr_storage *at, socklen_t len)
{
    int64_t v = 1;
    int fd = serves ? accept(listener, NULL, NULL) : socket(at->ss_family, SOCK_STREAM, 0);
    if (fd < 0 || (!serves && connect(fd, (struct sockaddr *)at, len) != 0))
        fail("a connection");
    if (serves) {
        get(fd, &v, 8, 8);
        put(fd, &v, 8);
    } else {
        put(fd, &v, 8);
        get(fd, &v, 8, 8);
    }
    close(fd);
}

static int run_setup(const char *name, int64_t n)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr local = { .sa_family = AF_UNIX };
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    bool tcp = strncmp(name, "tcp", 3) == 0;
    int status, l = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
    if (l < 0 || (tcp ? bind(l, (struct sockaddr *)&in, sizeof in) : bind(l, &local, sizeof local.sa_family)) != 0 || listen(l, 16) ||
        getsockname(l, (struct sockaddr *)&at, &len))
        fail(name);                                  /* a Unix socket without a name gets one of the kernel's */
    pid_t child = fork();
    double start = now_ns();
    for (int64_t i = 0; i < n; i++)
        setup_one(l, child == 0, &at, len);
    if (child == 0)
        exit(0);
    result(name, "us", (now_ns() - start) / 1e3 / (double)n);
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
    if (strstr(c->name, "-setup"))
        return run_setup(c->name, c->n ? c->n : 2000);
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
