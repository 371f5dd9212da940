/* echo_load.c - one thread that keeps many connections to an echo server busy: each has one message of 64 bytes under way.
 * Every server gets the same load: it is started as `PROGRAM echo-server --workers N PORT` and killed at the end. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "raw.h"

enum { CONNS_MAX = 16384, MESSAGE = 64, BATCH = 256, PATIENCE_MS = 10000 };
static char message[MESSAGE];
static int got[CONNS_MAX];                           /* bytes of the answer so far */

static struct sockaddr_in any_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        fail("bind");
    close(fd);
    return a;
}

static pid_t start(const char *server, int workers, int port)
{
    char w[16], p[16];
    snprintf(w, sizeof w, "%d", workers);
    snprintf(p, sizeof p, "%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(server, server, "echo-server", "--workers", w, p, (char *)NULL);
        fail(server);
    }
    return pid;
}

/* Waits for the server to listen; notices when it has ended. */
static int dial(const struct sockaddr_in *a, pid_t server)
{
    int one = 1;
    for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        close(fd);
        if (waitpid(server, NULL, WNOHANG) != 0)
            break;
        usleep(5000);
    }
    fail("no echo server answers");
}

/* True when a whole answer is there. */
static int answered(int conn, int fd)
{
    char buf[MESSAGE];
    ssize_t n = read(fd, buf, sizeof buf - (size_t)got[conn]);
    if (n <= 0 || memcmp(buf, message + got[conn], (size_t)n) != 0)
        fail("the echo differs");
    got[conn] = (got[conn] + (int)n) % MESSAGE;
    return got[conn] == 0;
}

/* n round trips, shared among the connections by who is ready. */
static void exchange(int set, const int *fd, int conns, long n)
{
    struct epoll_event ready[BATCH];
    long sent = 0, done = 0;
    for (; sent < conns && sent < n; sent++)
        put(fd[sent], message, MESSAGE);
    while (done < n) {
        int k = epoll_wait(set, ready, BATCH, -1);
        for (int i = 0; i < k; i++) {
            int conn = ready[i].data.fd;
            if (!answered(conn, fd[conn]))
                continue;
            done++;
            if (sent < n) {
                put(fd[conn], message, MESSAGE);
                sent++;
            }
        }
    }
}

double echo_load(const char *server, int workers, int conns, long n)
{
    static int fd[CONNS_MAX];
    struct sockaddr_in a = any_port();
    pid_t pid = start(server, workers, ntohs(a.sin_port));
    int set = epoll_create1(0);
    for (int i = 0; i < MESSAGE; i++)
        message[i] = (char)('!' + i);
    for (int i = 0; i < conns; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.fd = i };
        fd[i] = dial(&a, pid);
        if (epoll_ctl(set, EPOLL_CTL_ADD, fd[i], &e) != 0)
            fail("epoll_ctl");
    }
    exchange(set, fd, conns, conns);                 /* so that every connection has been accepted and has its task */
    double began = now_ns();
    exchange(set, fd, conns, n);
    double rate = (double)n / (now_ns() - began) * 1e9;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return rate;
}
