/* foreign_test.c - threads that are no tasks use channels as tasks do. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include "leat.h"
#undef errno
#include "plat/poll.h"
#include "t.h"

struct big { int64_t at[64]; };                      /* large enough for a copy to be seen half done */
typedef leat_chan(struct big) big_chan;
struct ends { big_chan a, b; int64_t n; };

static void *echo(void *arg)
{
    struct ends *e = arg;
    struct big v;
    for (int64_t i = 0; i < e->n; i++) {
        CHECK_EQ(leat_recv(e->a, &v), LEAT_OK);
        for (int k = 1; k < 64; k++)
            CHECK_EQ(v.at[k], v.at[0]);
        CHECK_EQ(leat_send_from(e->b, &v), LEAT_OK);
    }
    return NULL;
}

TEST(a_thread_leaves_its_wait_only_when_the_value_is_there)
{
    struct ends e = { leat_chan_make(struct big, 0), leat_chan_make(struct big, 0), getenv("T_QUICK") ? 2000 : 20000 };
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, echo, &e), 0);
    for (int64_t i = 0; i < e.n; i++) {
        struct big v, back = { { -1 } };
        for (int k = 0; k < 64; k++)
            v.at[k] = i;
        CHECK_EQ(leat_send_from(e.a, &v), LEAT_OK);
        CHECK_EQ(leat_recv(e.b, &back), LEAT_OK);
        for (int k = 0; k < 64; k++)
            CHECK_EQ(back.at[k], i);
    }
    pthread_join(t, NULL);
    leat_unref(e.a);
    leat_unref(e.b);
}

TEST(a_thread_keeps_its_deadline_and_loses_nothing_by_it)
{
    leat_chan(int64_t) c = leat_chan_make(int64_t, 0);
    int64_t v;
    for (int i = 0; i < 100; i++)
        leat_with_deadline(LEAT_US(50))
            CHECK_EQ(leat_recv(c, &v), LEAT_DEADLINE);
    leat_unref(c);
}

/* -- descriptors ------------------------------------------------------------------------------------------------------------- */
/* Nobody rings for the calling thread: its bell, which stands last, has been cleared, or it would wait for nothing and go round. */
static __thread bool nobody_rings;
static atomic_bool polls;                            /* somebody has begun to wait */
int __real_poll_some(const struct poll_want *want, int n, int64_t limit_ns);
int __wrap_poll_some(const struct poll_want *want, int n, int64_t limit_ns);
int __wrap_poll_some(const struct poll_want *want, int n, int64_t limit_ns)
{
    atomic_store(&polls, true);
    if (nobody_rings)
        CHECK(__real_poll_some(&want[n - 1], 1, 0) != 0);
    return __real_poll_some(want, n, limit_ns);
}

struct wait_in { leat_ctx *_Atomic ctx; atomic_bool cancelled; leat_conn *conn; int fd; };

static void *waits_twice(void *arg)
{
    struct wait_in *w = arg;
    char c;
    leat_with_cancel(ctx) {
        atomic_store(&w->ctx, ctx);
        if (w->conn)
            CHECK_EQ(leat_read(w->conn, &c, 1, &(size_t){ 0 }), LEAT_CANCELED);
        else
            CHECK_EQ(leat_fd_wait(w->fd, LEAT_READ), LEAT_CANCELED);
        while (!atomic_load(&w->cancelled))          /* until then ctx must be there */
            sched_yield();
    }
    nobody_rings = true;
    leat_with_value(w, NULL)                         /* and the next wait is its own */
        leat_with_deadline(LEAT_US(50))
            CHECK_EQ(leat_fd_wait(w->fd, LEAT_READ), LEAT_DEADLINE);
    return NULL;
}

TEST(a_cancel_ends_a_threads_wait_for_a_descriptor)
{
    int fd[2];
    leat_conn *conn;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    int again = dup(fd[0]);
    CHECK(again >= 0 && leat_conn_open_fd(again, &conn) == LEAT_OK);
    for (int i = 0; i < (getenv("T_QUICK") ? 40 : 200); i++) {
        struct wait_in w = { .conn = i % 2 ? conn : NULL, .fd = fd[0] };
        pthread_t t;
        atomic_store(&polls, false);
        CHECK_EQ(pthread_create(&t, NULL, waits_twice, &w), 0);
        leat_ctx *ctx;
        while (!(ctx = atomic_load(&w.ctx)))
            sched_yield();
        for (int k = i % 5 * 20; k > 0; k--)         /* before it, as it begins, and when it sleeps */
            sched_yield();
        while (i % 5 == 4 && !atomic_load(&polls))
            sched_yield();
        leat_cancel(ctx, LEAT_CANCELED);
        atomic_store(&w.cancelled, true);
        pthread_join(t, NULL);
    }
    leat_conn_close(conn);
    close(fd[0]);
    close(fd[1]);
}

/* -- tasks ------------------------------------------------------------------------------------------------------------------- */
enum { ALIVE = 100, MAX_TASKS = 2000, ROUNDS = 5 * MAX_TASKS / ALIVE };
struct starts { leat_group *g; leat_chan(int) done, over; };

static leat_err ends(struct starts *s) { return leat_send(s->done, 1); }
static void *starts(void *arg)
{
    struct starts *s = arg;
    for (int i = 0, v; i < ROUNDS; i++) {
        for (int k = 0; k < ALIVE; k++)
            CHECK_EQ(leat_go(s->g, ends, *s), LEAT_OK);
        for (int k = 0; k < ALIVE; k++)
            CHECK_EQ(leat_recv(s->done, &v), LEAT_OK);
    }
    CHECK_EQ(leat_send(s->over, 1), LEAT_OK);
    return NULL;
}
static leat_err many_from_outside(leat_none *none)
{
    leat_auto leat_chan(int) done = leat_chan_make(int, ALIVE);
    leat_auto leat_chan(int) over = leat_chan_make(int, 1);
    leat_err err;
    (void)none;
    leat_with_group(g, err) {
        struct starts s = { &g, done, over };
        pthread_t t;
        int v;
        CHECK_EQ(pthread_create(&t, NULL, starts, &s), 0);
        LEAT_TRY(leat_recv(over, &v));
        CHECK_EQ(pthread_join(t, NULL), 0);
    }
    return err;
}
TEST(a_thread_may_start_more_tasks_than_may_be_alive_at_a_time)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .max_tasks = MAX_TASKS }), many_from_outside, LEAT_NONE), LEAT_OK);
}

T_MAIN()
