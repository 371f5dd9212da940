/* place.h - a test whose other side may be elsewhere.  One body, three places:
 *
 *   task      the other side's tasks run in this process, beside the test
 *   process   they run in another process, reached over a unix: socket
 *   node      they run on another node in another process, reached over tcp:
 *
 *     static leat_err feed(struct feed *f) { ... leat_send(f->out, { 1 }) ... }
 *     PLACE_TASK(feed, feed)                              it may be started on the other side, with a struct feed
 *     static leat_err test_order(void)
 *     {
 *         leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 4);
 *         leat_err err;
 *         leat_with_group(g, err)
 *             LEAT_TRY(place_go(&g, feed, feed, { .out = leat_ref(leat_tx_of(c)) }));
 *         ...
 *     }
 *     EVERYWHERE(TestOrder, test_order)                   TEST(TestOrder), TEST(TestOrder_process), TEST(TestOrder_node)
 *
 * What is in the argument belongs to the task, at every place, and is dropped when it returns: give it a leat_ref of an end that
 * you keep.  The two sides have no memory in common: what they tell each other goes through channels.  A CHECK that fails on the
 * other side ends that process, and the test with it. */
#ifndef GOTESTS_PLACE_H
#define GOTESTS_PLACE_H
#include "t.h"
#include "leat.h"

enum place { PLACE_TASK_, PLACE_PROCESS_, PLACE_NODE_ };
LEAT_STRUCT(num, (int64, n));                            /* the element of most tests */

/* The other side; NULL: here.  Tests need not look at it, unless what they do has no meaning at one of the places. */
static leat_peer *place_far;
static leat_opts place_opts = { .workers = 4 };          /* more threads than processors: more orders of things */

/* How many times a loop of n turns is run: less where every turn is slow. */
__attribute__((unused)) static int place_turns(int n)
{
    n = getenv("T_QUICK") ? n / 10 : n;
    n = place_far ? n / 10 : n;
    return n > 1 ? n : 1;
}

/* Lets others run: what must not happen meanwhile has had its chance. */
__attribute__((unused)) static void place_others_run(void)
{
    for (int i = 0; i < 50; i++)
        leat_yield();
}

/* -- tasks that may run on the other side --------------------------------------------------------------------------------------- */
struct place_task { leat_err (*expose)(leat_node *n); struct place_task *next; };
static struct place_task *place_tasks;

#define PLACE_TASK(fn, S) \
    __attribute__((unused)) static leat_err fn##_here(struct S *a) \
    { \
        leat_err err = fn(a); \
        leat_drop(S, a); \
        return err; \
    } \
    static leat_err fn##_expose(leat_node *n) { return leat_expose(n, fn, S); } \
    __attribute__((constructor)) static void fn##_add(void) \
    { \
        static struct place_task t = { fn##_expose, NULL }; \
        t.next = place_tasks; \
        place_tasks = &t; \
    }

__attribute__((warn_unused_result)) static inline leat_err place_started(leat_err err) { return err; }
/* Starts fn on the other side, as a task of the group g (a leat_group *). */
#define place_go(g, fn, S, ...) place_started(__extension__ ({ struct S place_arg = __VA_ARGS__; \
    place_far ? leat_go_on(g, place_far, fn, S, place_arg) : leat_go(g, fn##_here, place_arg); }))
/* Starts it beside the test, at every place. */
#define place_go_here(g, fn, S, ...) place_started(__extension__ ({ struct S place_arg = __VA_ARGS__; \
    leat_go(g, fn##_here, place_arg); }))

/* -- the two processes ------------------------------------------------------------------------------------------------------------ */
struct place_pipes { int url[2], end[2]; };              /* the other side writes its address; it ends when nobody holds `end` */
static struct place_pipes place_pipes;
static enum place place_now;
static leat_err (*place_test)(void);
static bool place_killed;                                /* the test kills the other side */

static leat_err place_serve(leat_none *none)
{
    leat_auto_node leat_node *node = NULL;
    char url[64] = "tcp://127.0.0.1:0";
    (void)none;
    if (place_now == PLACE_PROCESS_)
        snprintf(url, sizeof url, "unix:/tmp/leat_gotests.%d", (int)getpid());
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "the other side" }, &node));
    for (const struct place_task *t = place_tasks; t; t = t->next)
        LEAT_TRY(t->expose(node));
    LEAT_TRY(leat_node_listen(node, url));
    const char *at = leat_node_url(node);
    CHECK(write(place_pipes.url[1], at, strlen(at) + 1) == (ssize_t)strlen(at) + 1);
    close(place_pipes.url[1]);
    return leat_fd_wait(place_pipes.end[0], LEAT_READ);
}

static leat_err place_drive(char **url)
{
    leat_auto_node leat_node *node = NULL;
    if (*url) {
        LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "the test" }, &node));
        LEAT_TRY(leat_node_dial(node, *url, &place_far));
    }
    return place_test();
}

static int place_report(const char *who, leat_err err)
{
    if (err != LEAT_OK)
        fprintf(stderr, "# %s: %s: %s\n", who, leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}

static pid_t place_fork(void)
{
    CHECK(pipe(place_pipes.url) == 0 && pipe(place_pipes.end) == 0);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(60 * (getenv("T_SLOW") ? 5 : 1));
        close(place_pipes.url[0]);
        close(place_pipes.end[1]);
        exit(place_report("the other side", leat_run(&place_opts, place_serve, LEAT_NONE)));
    }
    close(place_pipes.url[1]);
    close(place_pipes.end[0]);
    return pid;
}

__attribute__((unused)) static void place_run(enum place place, leat_err (*test)(void))
{
    char buf[128] = "", *url = NULL;
    pid_t pid = 0;
    place_now = place;
    place_test = test;
    if (place != PLACE_TASK_) {
        pid = place_fork();
        size_t n = 0;
        while (n < sizeof buf - 1 && read(place_pipes.url[0], buf + n, 1) == 1 && buf[n])
            n++;
        close(place_pipes.url[0]);
        CHECK(n > 0);                                    /* else the other side did not start, and has said why */
        url = buf;
    }
    int bad = place_report("the test", leat_run(&place_opts, place_drive, url));
    if (pid) {
        int status = -1;
        close(place_pipes.end[1]);
        CHECK(waitpid(pid, &status, 0) == pid);
        if (place_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            status = 0;
        if (place == PLACE_PROCESS_)
            unlink(url + strlen("unix:"));               /* where the other side could not */
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(bad, 0);
}

#define AT_TASK(name, test)    TEST(name)           { place_run(PLACE_TASK_, test); }
#define AT_PROCESS(name, test) TEST(name##_process) { place_run(PLACE_PROCESS_, test); }
#define AT_NODE(name, test)    TEST(name##_node)    { place_run(PLACE_NODE_, test); }
#define EVERYWHERE(name, test) AT_TASK(name, test) AT_PROCESS(name, test) AT_NODE(name, test)
#endif
