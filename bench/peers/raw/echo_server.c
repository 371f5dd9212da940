/* echo_server.c - an echo server on epoll by hand: each thread has its own set of connections, the first one accepts. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "raw.h"

enum { THREADS_MAX = 64, BATCH = 256 };
static int epoll_fd[THREADS_MAX], threads, listener;

static void watch(int set, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(epoll_fd[set], EPOLL_CTL_ADD, fd, &e) != 0)
        fail("epoll_ctl");
}

static void welcome(void)
{
    static int next;
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(next++ % threads, fd);
}

static void echo(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof buf);
    if (n > 0)
        put(fd, buf, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        close(fd);
}

static void *serve(void *arg)
{
    struct epoll_event ready[BATCH];
    for (int set = (int)(intptr_t)arg;;) {
        int n = epoll_wait(epoll_fd[set], ready, BATCH, -1);
        for (int i = 0; i < n; i++)
            if (ready[i].data.fd == listener)
                welcome();
            else
                echo(ready[i].data.fd);
    }
    return NULL;
}

void echo_server(int port, int workers)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    a.sin_port = htons((uint16_t)port);
    int one = 1;
    threads = workers < THREADS_MAX ? workers : THREADS_MAX;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 4096) != 0)
        fail("listen");
    for (int i = 0; i < threads; i++)
        if ((epoll_fd[i] = epoll_create1(0)) < 0)
            fail("epoll_create1");
    watch(0, listener);
    pthread_t t;
    for (int i = 1; i < threads; i++)
        if (pthread_create(&t, NULL, serve, (void *)(intptr_t)i) != 0)
            fail("pthread_create");
    serve(NULL);
}
