/* death_test.c - a process that dialed and is killed: who accepted knows at once over unix:, and does not take another process for it. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "pair.h"
#include "sess/impl.h"

enum { FAR_MS = 10000 };                             /* well within the grace, which is 30 s */

static char path[64], front[64];

static leat_err dial_and_stay(leat_none *none)
{
    leat_node *n;
    leat_peer *p;
    leat_err err;
    char to[80];
    (void)none;
    snprintf(to, sizeof to, "unix:%s", front);
    CHECK_EQ(leat_node_open(NULL, &n), LEAT_OK);
    while ((err = leat_node_dial(n, to, &p)) == LEAT_REFUSED)
        CHECK_EQ(leat_sleep(LEAT_MS(5)), LEAT_OK);
    return leat_sleep(LEAT_S(3600));                 /* whatever becomes of the link */
}

static pid_t start_dialer(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(leat_run(&quiet_opts, dial_and_stay, LEAT_NONE) != LEAT_OK);
    return pid;
}

static int at_path(const char *at, bool listens)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", at);
    while (listens ? bind(fd, (struct sockaddr *)&a, sizeof a) : connect(fd, (struct sockaddr *)&a, sizeof a))
        usleep(5000);
    if (listens)
        CHECK(listen(fd, 1) == 0);
    return fd;
}

/* Hands on all bytes of one connection, both ways. */
static pid_t start_proxy(void)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    int fd[2] = { accept(at_path(front, true), NULL, NULL), at_path(path, false) };
    struct pollfd p[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
    for (char some[4096]; poll(p, 2, -1) > 0; )
        for (int i = 0; i < 2; i++) {
            ssize_t n = p[i].revents ? read(fd[i], some, sizeof some) : 0;
            if ((p[i].revents && n <= 0) || (n > 0 && write(fd[!i], some, (size_t)n) != n))
                _exit(0);
        }
    _exit(0);
}

static pid_t victim;
static leat_node *a;
static leat_rx(leat_peer_event) events;

static leat_err begin(void)
{
    leat_peer_event v;
    char at[80];
    snprintf(at, sizeof at, "unix:%s", path);
    LEAT_TRY(leat_node_open(NULL, &a));
    events = leat_node_events(a);
    LEAT_TRY(leat_node_listen(a, at));
    LEAT_TRY(leat_recv(events, &v));
    CHECK_EQ(v.state, LEAT_PEER_UP);
    return LEAT_OK;
}

static leat_err end(void)
{
    leat_unref(events);
    leat_with_deadline(LEAT_MS(10))
        leat_node_close(a);
    return LEAT_OK;
}

static leat_err killed(leat_none *none)
{
    leat_peer_event v;
    (void)none;
    LEAT_TRY(begin());
    leat_time then = leat_now();
    CHECK(kill(victim, SIGKILL) == 0);
    do
        LEAT_TRY(leat_recv(events, &v));
    while (v.state != LEAT_PEER_ENDED);
    int64_t us = leat_since(then).ns / 1000;
    fprintf(stderr, "# known after %lld us\n", (long long)us);
    CHECK(us < FAR_MS * 1000);
    CHECK_EQ(v.err, LEAT_PEER_LOST);
    CHECK_HAS(v.why, "its process has ended");
    return end();
}
TEST(a_dialer_that_is_killed_is_known_to_be_lost_at_once)
{
    snprintf(path, sizeof path, "/tmp/leat-test-%d", (int)getpid());
    snprintf(front, sizeof front, "%s", path);
    victim = start_dialer();
    CHECK_EQ(leat_run(&quiet_opts, killed, LEAT_NONE), LEAT_OK);
    CHECK(waitpid(victim, NULL, 0) == victim);
}

/* What stands between is no dialer: when it ends the dialer may come back some other way. */
static leat_err proxy_killed(leat_none *none)
{
    leat_peer_event v;
    (void)none;
    LEAT_TRY(begin());
    CHECK(kill(victim, SIGKILL) == 0);
    LEAT_TRY(leat_recv(events, &v));
    CHECK_EQ(v.state, LEAT_PEER_DOWN);
    CHECK(waitpid(victim, NULL, 0) == victim);       /* it has ended, for all to see */
    leat_with_deadline(LEAT_MS(200))
        CHECK_EQ(leat_recv(events, &v), LEAT_DEADLINE);
    return end();
}
TEST(a_process_between_that_is_killed_is_not_taken_for_the_dialer)
{
    snprintf(path, sizeof path, "/tmp/leat-test-%d", (int)getpid());
    snprintf(front, sizeof front, "/tmp/leat-test-%d-front", (int)getpid());
    victim = start_proxy();
    pid_t dialer = start_dialer();
    CHECK_EQ(leat_run(&quiet_opts, proxy_killed, LEAT_NONE), LEAT_OK);
    kill(dialer, SIGKILL);
    CHECK(waitpid(dialer, NULL, 0) == dialer);
    unlink(front);
}

T_MAIN()
