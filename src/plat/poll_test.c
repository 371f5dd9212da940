/* poll_test.c - the contract of poll.h, kept by both implementations. */
#include "plat/poll.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include "plat/clock.h"
#include "plat/errno.h"
#include "t.h"

enum { EVENTS = 64 };

static struct poll *open_kind(const char *kind)
{
    struct poll *p = NULL;
    CHECK_EQ(poll_open(kind, &p), 0);
    return p;
}

/* Where there is no io_uring, epoll stands in, and the test runs twice with that. */
#define BOTH(name) \
    static void name(struct poll *p); \
    TEST(name##_epoll) { struct poll *p = open_kind("epoll"); name(p); poll_close(p); } \
    TEST(name##_io_uring) { struct poll *p = open_kind("io_uring"); name(p); poll_close(p); } \
    static void name(struct poll *p)

/* All events until one of tag arrives, at most a second; -1 for none. */
static int64_t next_of(struct poll *p, uint64_t tag, int64_t limit_ns)
{
    int64_t end = plat_now() + limit_ns;
    do {
        struct poll_event ev[EVENTS];
        int n = poll_wait(p, 10000000, ev, EVENTS);
        uint32_t got = 0;
        for (int i = 0; i < n; i++)
            if (ev[i].tag == tag)
                got |= ev[i].events;
        if (got)
            return got;
    } while (plat_now() < end);
    return -1;
}
#define SOON 1000000000

static bool quiet(struct poll *p)
{
    struct poll_event ev[EVENTS];
    return poll_wait(p, 0, ev, EVENTS) == 0 && poll_wait(p, 100000, ev, EVENTS) == 0;
}

static void pair(int fd[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static void put(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }
static void take(int fd) { char c; CHECK_EQ(read(fd, &c, 1), 1); }

TEST(an_unknown_kind_is_refused)
{
    struct poll *p = (struct poll *)1;
    CHECK_EQ(poll_open("kqueue", &p), EINVAL);
    CHECK(p == (struct poll *)1);
    p = open_kind(NULL);
    CHECK_STR(poll_name(p), "epoll");
    poll_close(p);
    poll_close(NULL);
}

BOTH(an_armed_descriptor_is_reported_once)
{
    int fd[2];
    pair(fd);
    uint64_t tag = poll_tag(fd[0], 7);
    CHECK_EQ(poll_arm(p, tag, POLL_READ, 0), 0);
    CHECK(quiet(p));
    put(fd[1]);
    CHECK_EQ(next_of(p, tag, SOON), POLL_READ);
    put(fd[1]);
    CHECK(quiet(p));
    tag = poll_tag(fd[0], 8);
    CHECK_EQ(poll_arm(p, tag, POLL_READ | POLL_WRITE, 0), 0);
    CHECK_EQ(next_of(p, tag, SOON), POLL_READ | POLL_WRITE);
}

BOTH(a_new_arm_takes_the_place_of_the_old_one)
{
    int fd[2];
    pair(fd);
    uint64_t a = poll_tag(fd[0], 1), b = poll_tag(fd[0], 2);
    CHECK_EQ(poll_arm(p, a, POLL_READ, 0), 0);
    CHECK_EQ(poll_arm(p, b, POLL_READ, a), 0);
    put(fd[1]);
    struct poll_event ev[EVENTS];
    int hits = 0;
    for (int i = 0, n; i < 5; i++)
        for (n = poll_wait(p, 10000000, ev, EVENTS); n--; hits++)
            CHECK(ev[n].tag == b);
    CHECK_EQ(hits, 1);
}

BOTH(a_disarmed_descriptor_is_not_reported)
{
    int fd[2];
    pair(fd);
    uint64_t tag = poll_tag(fd[0], 1);
    CHECK_EQ(poll_arm(p, tag, POLL_READ, 0), 0);
    poll_disarm(p, tag);
    put(fd[1]);
    CHECK_EQ(next_of(p, tag, 50000000), -1);
}

BOTH(the_end_of_the_other_side_is_reported)
{
    int fd[2];
    pair(fd);
    uint64_t tag = poll_tag(fd[0], 1);
    CHECK_EQ(poll_arm(p, tag, POLL_READ, 0), 0);
    close(fd[1]);
    CHECK(next_of(p, tag, SOON) & POLL_READ);
}

BOTH(a_watched_socket_is_reported_at_every_change)
{
    int fd[2];
    pair(fd);
    uint64_t tag = poll_tag(fd[0], 3);
    CHECK_EQ(poll_watch(p, tag), 0);
    CHECK_EQ(next_of(p, tag, SOON), POLL_WRITE);
    for (int i = 0; i < 100; i++) {
        CHECK(quiet(p));
        put(fd[1]);
        CHECK(next_of(p, tag, SOON) & POLL_READ);
        take(fd[0]);
    }
    put(fd[1]);
    CHECK(next_of(p, tag, SOON) & POLL_READ);
    put(fd[1]);                                      /* not read yet, and more has come: that is a change too */
    CHECK(next_of(p, tag, SOON) & POLL_READ);
    shutdown(fd[1], SHUT_WR);
    CHECK(next_of(p, tag, SOON) & POLL_END);
    poll_unwatch(p, tag);
    close(fd[1]);
    CHECK_EQ(next_of(p, tag, 50000000), -1);
}

BOTH(what_is_ready_when_the_watch_begins_is_reported)
{
    int fd[2];
    pair(fd);
    put(fd[1]);
    uint64_t tag = poll_tag(fd[0], 3);
    CHECK_EQ(poll_watch(p, tag), 0);
    CHECK_EQ(next_of(p, tag, SOON), POLL_READ | POLL_WRITE);
}

BOTH(a_bad_descriptor_is_refused_or_ready)
{
    uint64_t tag = poll_tag(1000, 1);
    int e = poll_arm(p, tag, POLL_READ, 0);
    CHECK(e == EBADF || (e == 0 && next_of(p, tag, SOON) & POLL_READ));
    int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tag = poll_tag(dir, 1);
    e = poll_arm(p, tag, POLL_READ, 0);
    CHECK(e == EPERM || (e == 0 && next_of(p, tag, SOON) & POLL_READ));
}

BOTH(a_closed_and_reused_descriptor_never_gets_an_old_event)
{
    int cycles = getenv("T_QUICK") ? 5000 : 100000, strange = 0;
    for (uint32_t i = 0; i < (uint32_t)cycles; i++) {
        int fd[2];
        pair(fd);
        uint64_t tag = poll_tag(fd[0], i);
        bool watch = i % 3 == 0, wait = i % 5 == 0, tidy = i % 2 == 0 || watch;
        CHECK_EQ(watch ? poll_watch(p, tag) : poll_arm(p, tag, POLL_READ, 0), 0);
        if (i % 7)
            put(fd[1]);                              /* an event of this use is under way when the next one begins */
        if (wait) {
            struct poll_event ev[EVENTS];
            int n = poll_wait(p, 0, ev, EVENTS);
            for (int k = 0; k < n; k++)
                if (poll_tag_gen(ev[k].tag) == i)
                    strange += poll_tag_fd(ev[k].tag) != fd[0] || (!(i % 7) && (ev[k].events & POLL_READ));
        }
        if (tidy && watch)
            poll_unwatch(p, tag);
        else if (tidy)
            poll_disarm(p, tag);
        close(fd[0]);
        close(fd[1]);
    }
    CHECK_EQ(strange, 0);
}

/* An unwatched socket is not held open, whatever is being delivered: the other side sees the close. */
BOTH(an_unwatched_socket_closes_when_it_is_closed)
{
    int n = getenv("T_QUICK") ? 2000 : 20000;
    for (int i = 0; i < n; i++) {
        int fd[2];
        char c[8];
        struct poll_event ev[EVENTS];
        pair(fd);
        uint64_t tag = poll_tag(fd[0], (uint32_t)i);
        CHECK_EQ(poll_watch(p, tag), 0);
        if (i % 2)
            (void)poll_wait(p, 0, ev, EVENTS);
        put(fd[1]);
        poll_unwatch(p, tag);
        if (i % 3)
            put(fd[1]);
        close(fd[0]);
        CHECK_EQ(poll_one(fd[1], POLL_READ, 10 * INT64_C(1000000000)), 0);
        CHECK(read(fd[1], c, sizeof c) <= 0);
        close(fd[1]);
    }
}

struct busy { int fd; _Atomic bool stop; };

static void *makes_events(void *arg)
{
    struct busy *b = arg;
    while (!b->stop)
        (void)!write(b->fd, "xxxxxxxx", 8);
    return NULL;
}

BOTH(an_unwatched_socket_closes_also_while_events_pour_in)
{
    int n = getenv("T_QUICK") ? 200 : 2000;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < n; i++) {
        int fd[2];
        struct poll_event ev[EVENTS];
        pthread_t t;
        pair(fd);
        fcntl(fd[1], F_SETFL, O_NONBLOCK);
        struct busy b = { fd[1], false };
        CHECK_EQ(poll_watch(p, poll_tag(fd[0], (uint32_t)i)), 0);
        CHECK_EQ(pthread_create(&t, NULL, makes_events, &b), 0);
        for (int k = i % 20; k--; )
            (void)poll_wait(p, 0, ev, EVENTS);
        poll_unwatch(p, poll_tag(fd[0], (uint32_t)i));
        close(fd[0]);
        b.stop = true;
        pthread_join(t, NULL);
        CHECK_EQ(poll_one(fd[1], POLL_READ, 10 * INT64_C(1000000000)), 0);
        close(fd[1]);
    }
}

BOTH(a_limit_is_kept)
{
    struct poll_event ev[EVENTS];
    int64_t t0 = plat_now();
    CHECK_EQ(poll_wait(p, 3000000, ev, EVENTS), 0);
    int64_t d = plat_now() - t0;
    CHECK(d >= 3000000);
    t0 = plat_now();
    CHECK_EQ(poll_wait(p, 0, ev, EVENTS), 0);
    CHECK(plat_now() - t0 < 1000000000);
}

BOTH(a_wake_before_the_wait_is_not_lost)
{
    struct poll_event ev[EVENTS];
    poll_wake(p);
    CHECK_EQ(poll_wait(p, -1, ev, EVENTS), 0);
    poll_wake(p);
    poll_wake(p);
    CHECK_EQ(poll_wait(p, -1, ev, EVENTS), 0);
}

struct waker { struct poll *p; _Atomic int rounds, seen; };

static void *wake_rounds(void *arg)
{
    struct waker *w = arg;
    for (int i = 1; i <= w->rounds; i++) {
        poll_wake(w->p);
        while (w->seen < i)
            sched_yield();
    }
    return NULL;
}

BOTH(a_wake_from_another_thread_ends_the_wait)
{
    struct waker w = { p, 2000, 0 };
    struct poll_event ev[EVENTS];
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, wake_rounds, &w), 0);
    while (w.seen < w.rounds) {
        CHECK_EQ(poll_wait(p, -1, ev, EVENTS), 0);
        w.seen++;
    }
    pthread_join(t, NULL);
}

struct armer { struct poll *p; int fd; pthread_barrier_t *go; };

static void *arm_it(void *arg)
{
    struct armer *a = arg;
    pthread_barrier_wait(a->go);
    CHECK_EQ(poll_arm(a->p, poll_tag(a->fd, 9), POLL_READ, 0), 0);
    pthread_barrier_wait(a->go);                     /* stays, as workers do, until its events were seen */
    return NULL;
}

BOTH(what_another_thread_arms_ends_the_wait_that_is_under_way)
{
    int fd[2];
    pthread_t t;
    pthread_barrier_t go;
    pair(fd);
    put(fd[1]);
    struct armer a = { p, fd[0], &go };
    pthread_barrier_init(&go, NULL, 2);
    CHECK_EQ(pthread_create(&t, NULL, arm_it, &a), 0);
    pthread_barrier_wait(&go);
    CHECK_EQ(next_of(p, poll_tag(fd[0], 9), SOON), POLL_READ);
    pthread_barrier_wait(&go);
    pthread_join(t, NULL);
}

BOTH(a_thousand_watches_are_all_reported)
{
    enum { N = 1000 };
    static int fds[N][2];
    static bool seen[8192];
    struct rlimit r;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &r);
    int n = (int)r.rlim_cur / 2 - 50, left;
    n = left = n < N ? n : N;
    for (int i = 0; i < n; i++) {
        pair(fds[i]);
        CHECK_EQ(poll_watch(p, poll_tag(fds[i][0], 5)), 0);
    }
    for (int i = 0; i < n; i++)
        put(fds[i][1]);
    for (int64_t end = plat_now() + 10 * INT64_C(1000000000); left && plat_now() < end; ) {
        struct poll_event ev[EVENTS];
        for (int k = poll_wait(p, 10000000, ev, EVENTS); k--; ) {
            CHECK_EQ(poll_tag_gen(ev[k].tag), 5);
            if ((ev[k].events & POLL_READ) && !seen[poll_tag_fd(ev[k].tag)]) {
                seen[poll_tag_fd(ev[k].tag)] = true;
                left--;
            }
        }
    }
    CHECK_EQ(left, 0);
}

TEST(one_descriptor_is_waited_for_by_blocking)
{
    int fd[2];
    pair(fd);
    CHECK_EQ(poll_one(fd[0], POLL_READ, 0), ETIMEDOUT);
    CHECK_EQ(poll_one(fd[0], POLL_WRITE, 0), 0);
    CHECK_EQ(poll_one(fd[0], POLL_READ, 2000000), ETIMEDOUT);
    put(fd[1]);
    CHECK_EQ(poll_one(fd[0], POLL_READ, -1), 0);
    CHECK_EQ(poll_one(1000, POLL_READ, -1), EBADF);
}

T_MAIN()
