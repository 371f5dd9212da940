/* io_test.c - tasks wait for descriptors, over both implementations of the poll. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include "leat.h"
#include "t.h"

#define BOTH(name, fn) \
    TEST(name##_epoll) { setenv("LEAT_POLL", "epoll", 1); run(fn); } \
    TEST(name##_io_uring) { setenv("LEAT_POLL", "io_uring", 1); run(fn); }

static void run(leat_err (*fn)(leat_none *))
{
    for (uint32_t w = 1; w <= 3; w++) {
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
    }
}

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }
static void pair(int fd[2]) { CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0); }
static void put(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }
static void take(int fd) { char c; CHECK_EQ(read(fd, &c, 1), 1); }
static void shut(int fd[2]) { close(fd[0]); close(fd[1]); }

struct side { int fd; int n; };

static leat_err bounce(struct side *s)
{
    for (int i = 0; i < s->n; i++) {
        LEAT_TRY(leat_fd_wait(s->fd, LEAT_READ));
        take(s->fd);
        LEAT_TRY(leat_fd_wait(s->fd, LEAT_WRITE));
        put(s->fd);
    }
    return LEAT_OK;
}

static leat_err ping_pong(leat_none *a)
{
    int fd[2], n = rounds(5000);
    leat_err err;
    (void)a;
    pair(fd);
    put(fd[1]);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, bounce, (struct side){ fd[0], n }));
        LEAT_TRY(leat_go(&g, bounce, (struct side){ fd[1], n }));
    }
    shut(fd);
    return err;
}
BOTH(two_tasks_play_ping_pong, ping_pong)

static leat_err wait_read(struct side *s) { return leat_fd_wait(s->fd, LEAT_READ); }
static leat_err wait_write(struct side *s) { return leat_fd_wait(s->fd, LEAT_WRITE); }

static size_t fill(int fd)
{
    static const char zeros[65536];
    size_t n = 0;
    for (ssize_t k; (k = write(fd, zeros, sizeof zeros)) > 0; )
        n += (size_t)k;
    return n;
}

static void drain(int fd, size_t n)
{
    static char buf[65536];
    for (ssize_t k; n; n -= (size_t)k)
        CHECK((k = read(fd, buf, n < sizeof buf ? n : sizeof buf)) > 0);
}

static leat_err both_ways(leat_none *a)
{
    (void)a;
    for (int i = 0; i < rounds(200); i++) {
        int fd[2];
        leat_err err;
        pair(fd);
        size_t n = fill(fd[0]);
        leat_with_group(g, err) {
            for (int k = 0; k < 3; k++) {
                LEAT_TRY(leat_go(&g, wait_read, (struct side){ fd[0], 0 }));
                LEAT_TRY(leat_go(&g, wait_write, (struct side){ fd[0], 0 }));
            }
            leat_yield();
            if (i % 2)
                drain(fd[1], n);
            put(fd[1]);
            if (!(i % 2))
                drain(fd[1], n);
        }
        LEAT_TRY(err);
        shut(fd);
    }
    return LEAT_OK;
}
BOTH(readers_and_writers_wait_on_one_descriptor, both_ways)

static leat_err deadlines(leat_none *a)
{
    int fd[2];
    (void)a;
    pair(fd);
    for (int i = 0; i < 20; i++) {
        leat_time t0 = leat_now();
        leat_with_deadline(LEAT_MS(1))
            CHECK_EQ(leat_fd_wait(fd[0], LEAT_READ), LEAT_DEADLINE);
        CHECK(leat_since(t0).ns >= 1000000);
    }
    put(fd[1]);
    leat_with_deadline(LEAT_S(30))
        CHECK_EQ(leat_fd_wait(fd[0], LEAT_READ), LEAT_OK);
    shut(fd);
    return LEAT_OK;
}
BOTH(a_wait_ends_at_the_deadline, deadlines)

struct race { int fd; leat_chan(int) out; };

static leat_err waits(struct race *r)
{
    leat_err e = leat_fd_wait(r->fd, LEAT_READ);
    return leat_send(r->out, (int)e);
}

/* Each wait has exactly one outcome, and what is said of it is true. */
static leat_err cancels(leat_none *a)
{
    int seen[16] = { 0 }, n = rounds(3000);
    (void)a;
    for (int i = 0; i < n; i++) {
        struct race r = { 0, leat_chan_make(int, 2) };
        int fd[2], got;
        pair(fd);
        r.fd = fd[0];
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, waits, r));
            if (i % 3)
                leat_yield();
            if (i % 2)
                put(fd[1]);
            leat_group_cancel(&g);
            if (!(i % 2))
                put(fd[1]);
        }
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
        CHECK_EQ(leat_recv(r.out, &got), LEAT_OK);
        CHECK(got == LEAT_OK || got == LEAT_CANCELED);
        seen[got]++;
        CHECK_EQ(leat_try_recv(r.out, &got), LEAT_AGAIN);
        leat_unref(r.out);
        shut(fd);
    }
    CHECK_EQ(seen[LEAT_OK] + seen[LEAT_CANCELED], n);
    return LEAT_OK;
}
BOTH(a_cancel_and_an_event_race_and_one_wins, cancels)

/* A number is closed, with or without an event on the way, and used again: the next wait sees only its own file. */
static leat_err reuse(leat_none *a)
{
    int n = rounds(30000);
    (void)a;
    for (int i = 0; i < n; i++) {
        int fd[2];
        pair(fd);
        if (i % 4 == 0) {                            /* an event is taken */
            put(fd[1]);
            LEAT_TRY(leat_fd_wait(fd[0], LEAT_READ));
        } else if (i % 4 == 1) {                     /* a wait ends early, then the event comes and nobody waits */
            leat_with_deadline(LEAT_US(1))
                leat_ignore(leat_fd_wait(fd[0], LEAT_READ));
            put(fd[1]);
        } else if (i % 64 == 2) {                    /* nothing ever comes */
            leat_with_deadline(LEAT_US(20))
                CHECK_EQ(leat_fd_wait(fd[0], LEAT_READ), LEAT_DEADLINE);
        }
        shut(fd);
    }
    return LEAT_OK;
}
BOTH(a_number_is_closed_and_used_again, reuse)

static leat_err odd_ones(leat_none *a)
{
    (void)a;
    CHECK_EQ(leat_fd_wait(1000, LEAT_READ), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "1000");
    CHECK_EQ(leat_fd_wait(-1, LEAT_READ), LEAT_INVAL);
    CHECK_EQ(leat_fd_wait(0, 0), LEAT_INVAL);
    CHECK_EQ(leat_fd_wait(0, 8), LEAT_INVAL);
    int f = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), d = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_EQ(leat_fd_wait(f, LEAT_READ), LEAT_OK);
    CHECK_EQ(leat_fd_wait(d, LEAT_READ | LEAT_WRITE), LEAT_OK);
    leat_err err;
    leat_select(err) {
        leat_on_fd(f, LEAT_READ) { close(f); }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(leat_fd_wait(f, LEAT_READ), LEAT_INVAL);
    close(d);
    return LEAT_OK;
}
BOTH(files_are_always_ready_and_bad_descriptors_an_error, odd_ones)

struct sel { int fd; leat_chan(int) c; int n; leat_chan(int) done; };

static leat_err feeds(struct sel *s)
{
    for (int i = 0; i < s->n; i++) {
        if (i % 2)
            put(s->fd);
        else
            LEAT_TRY(leat_send(s->c, i));
    }
    return LEAT_OK;
}

static leat_err selects(leat_none *a)
{
    int fd[2], n = rounds(4000), bytes = 0, values = 0, v, late = 0;
    leat_chan(int) c = leat_chan_make(int, 0);
    leat_err err;
    (void)a;
    pair(fd);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, feeds, (struct sel){ fd[1], c, n, NULL }));
        while (bytes + values < n) {
            leat_err e;
            leat_select(e) {
                leat_on_fd(fd[0], LEAT_READ) {
                    take(fd[0]);
                    bytes++;
                }
                leat_on_recv(c, &v) { values++; }
                leat_on_after(LEAT_S(30)) { late++; }
            }
            LEAT_TRY(e);
        }
    }
    CHECK_EQ(bytes, n / 2);
    CHECK_EQ(late, 0);
    leat_select(err) {
        leat_on_fd(fd[0], LEAT_READ) { bytes = 0; }
        leat_on_after(LEAT_MS(1)) { late++; }
    }
    CHECK_EQ(late, 1);
    leat_unref(c);
    shut(fd);
    return err;
}
BOTH(select_waits_for_a_descriptor_among_others, selects)

/* Worker threads sleep in the poll or on their futex; work from outside and from each other always wakes one. */
static leat_err passes(struct sel *s)
{
    int v;
    for (int i = 0; i < s->n; i++) {
        LEAT_TRY(leat_recv(s->c, &v));
        put(s->fd);
    }
    return LEAT_OK;
}

static void *outside(void *arg)
{
    struct sel *s = arg;
    for (int i = 0; i < s->n; i++) {
        CHECK_EQ(leat_send(s->c, i), LEAT_OK);
        CHECK_EQ(leat_fd_wait(s->fd, LEAT_READ), LEAT_OK);
        take(s->fd);
    }
    CHECK_EQ(leat_send(s->done, 1), LEAT_OK);
    return NULL;
}

static leat_err from_outside(leat_none *a)
{
    int fd[2], idle[2];
    leat_err err;
    (void)a;
    pair(fd);
    pair(idle);
    struct sel s = { fd[0], leat_chan_make(int, 0), rounds(2000), leat_chan_make(int, 0) };
    pthread_t t;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, wait_read, (struct side){ idle[0], 0 }));     /* so that there is a poll to sleep in */
        leat_yield();
        CHECK_EQ(pthread_create(&t, NULL, outside, &s), 0);
        LEAT_TRY(leat_go(&g, passes, (struct sel){ fd[1], s.c, s.n, NULL }));
        leat_err e = leat_recv(s.done, &(int){ 0 });
        put(idle[1]);
        LEAT_TRY(e);
    }
    pthread_join(t, NULL);
    leat_unref(s.done);
    leat_unref(s.c);
    shut(fd);
    shut(idle);
    return err;
}
BOTH(sleepers_are_woken_from_outside, from_outside)

TEST(a_thread_that_is_no_task_waits_too)
{
    int fd[2];
    pair(fd);
    leat_with_deadline(LEAT_MS(2))
        CHECK_EQ(leat_fd_wait(fd[0], LEAT_READ), LEAT_DEADLINE);
    put(fd[1]);
    CHECK_EQ(leat_fd_wait(fd[0], LEAT_READ), LEAT_OK);
    CHECK_EQ(leat_fd_wait(1000, LEAT_READ), LEAT_INVAL);
}

/* A thread that is no task waits for a descriptor and a channel at once: every byte and every value comes, and once. */
struct both { int fd; leat_chan(int) c; int n; };

static void *chooses(void *arg)
{
    struct both *b = arg;
    int bytes = 0, sum = 0, v;
    leat_err err;
    while (bytes < b->n || sum < b->n) {
        leat_select(err) {
            leat_on_recv(b->c, &v) { sum += v; }
            leat_on_fd(b->fd, LEAT_READ) { take(b->fd); bytes++; }
        }
        CHECK_EQ(err, LEAT_OK);
    }
    CHECK(bytes == b->n && sum == b->n);
    return NULL;
}

static leat_err puts_bytes(struct both *b)
{
    for (int i = 0; i < b->n; i++) {
        LEAT_TRY(leat_fd_wait(b->fd, LEAT_WRITE));
        put(b->fd);
        if (i % 3 == 0)
            leat_yield();
    }
    return LEAT_OK;
}

static leat_err puts_values(struct both *b)
{
    for (int i = 0; i < b->n; i++)
        LEAT_TRY(leat_send(b->c, 1));
    return LEAT_OK;
}

static leat_err chosen_by_a_thread(leat_none *a)
{
    int fd[2], n = rounds(3000);
    pthread_t t;
    leat_err err;
    (void)a;
    pair(fd);
    leat_chan(int) c = leat_chan_make(int, 0);
    struct both b = { fd[0], c, n };
    CHECK_EQ(pthread_create(&t, NULL, chooses, &b), 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, puts_values, (struct both){ -1, c, n }));
        LEAT_TRY(leat_go(&g, puts_bytes, (struct both){ fd[1], c, n }));
    }
    pthread_join(t, NULL);
    leat_unref(c);
    shut(fd);
    return err;
}
BOTH(a_thread_that_is_no_task_selects_a_descriptor_and_a_channel, chosen_by_a_thread)

TEST(a_select_with_a_descriptor_ends_in_time_and_says_what_is_wrong_on_any_thread)
{
    int fd[2], v, got = 0;
    leat_err err = LEAT_OK;
    leat_chan(int) c = leat_chan_make(int, 1);
    pair(fd);
    leat_with_deadline(LEAT_MS(2))
        leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_on_fd(fd[0], LEAT_READ) { got = 2; } }
    CHECK(err == LEAT_DEADLINE && got == 0);
    leat_select(err) { leat_on_after(LEAT_MS(2)) { got = 3; } leat_on_fd(fd[0], LEAT_READ) { got = 2; } }
    CHECK(err == LEAT_OK && got == 3);
    leat_select(err) { leat_on_fd(fd[0], LEAT_READ) { got = 2; } leat_otherwise { got = 4; } }
    CHECK(err == LEAT_OK && got == 4);
    leat_select(err) { leat_on_fd(fd[0], LEAT_READ) { got = 2; } leat_on_fd(fd[0], LEAT_WRITE) { got = 5; } }
    CHECK(err == LEAT_OK && got == 5);
    leat_select(err) { leat_on_fd(-1, LEAT_READ) { got = 2; } }
    CHECK_EQ(err, LEAT_INVAL);
    put(fd[1]);
    leat_select(err) { leat_on_recv(c, &v) { got = 1; } leat_on_fd(fd[0], LEAT_READ) { got = 2; } }
    CHECK(err == LEAT_OK && got == 2);
    leat_unref(c);
    shut(fd);
}

TEST(an_unknown_poll_is_refused_by_name)
{
    setenv("LEAT_POLL", "kqueue", 1);
    int fd[2];
    pair(fd);
    CHECK_EQ(leat_run(NULL, wait_read, (struct side){ fd[0], 0 }), LEAT_SYS);
    CHECK_HAS(leat_err_detail(), "kqueue");
}

T_MAIN()
