/* live_test.c - tasks that wait and have not leaked: whoever could wake them still runs, or the world may.  leat_leaks must never name one.
 * Each case keeps the only way to a channel in one kind of place.  Where leaks cannot be told, false alarms are looked for all the same. */
#include "goker.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

static leat_err waiter(channel *c) { wait_closed(*c); return LEAT_OK; }
static leat_err waiter_of(channel **c) { wait_closed(**c); return LEAT_OK; }
static leat_err lock_waiter(leat_mutex **m) { lock(*m); return LEAT_OK; }

/* Looks several times, with other things going on in between. */
static void nothing_leaks(void)
{
    for (int i = 0; i < 5; i++) {
        leat_ignore(leat_sleep(LEAT_MS(2)));
        size_t n = 0;
        leat_err e = leat_leaks(STDERR_FILENO, &n);
        if (e == LEAT_INVAL)                         /* a sanitizer: it cannot be asked */
            return;
        if (e == LEAT_OK)
            CHECK_EQ(n, 0);
        else
            CHECK_EQ(e, LEAT_AGAIN);
    }
}

/* The body prepares, in its own frames, and says in `keep` where the way is kept.  noinline: nothing stays in the caller's registers. */
#define LIVE(id) \
    static __attribute__((noinline)) void id##_(void); \
    static leat_err id##_run(leat_none *none) { (void)none; id##_(); return LEAT_OK; } \
    TEST(id) { \
        CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, id##_run, LEAT_NONE), LEAT_OK); \
        fflush(NULL); \
        _exit(0);                                    /* channels are forgotten on purpose: no look for leaked memory */ \
    } \
    static __attribute__((noinline)) void id##_(void)

LIVE(a_channel_on_the_stack_of_a_task_that_runs)
{
    channel c = MAKE(0);
    GO(waiter, c);
    nothing_leaks();
    leat_close(c);
}

static channel global;
LIVE(a_channel_in_global_data)
{
    global = MAKE(0);
    GO(waiter, global);
    nothing_leaks();
    leat_close(global);
}

static __thread channel of_thread;
static void *keeps_in_tls(void *go)
{
    of_thread = MAKE(0);
    memcpy(go, &of_thread, sizeof of_thread);
    *((_Atomic int *)go + 2) = 1;
    while (*((_Atomic int *)go + 2) != 2)
        sched_yield();
    leat_close(of_thread);
    return NULL;
}
struct hand_over { uintptr_t hidden; _Atomic int state; };
LIVE(a_channel_in_a_variable_of_another_thread)
{
    static struct hand_over h;
    pthread_t t;
    CHECK(pthread_create(&t, NULL, keeps_in_tls, &h) == 0);
    while (h.state != 1)
        leat_yield();
    channel c;
    memcpy(&c, &h.hidden, sizeof c);
    h.hidden = 0;
    GO(waiter, c);
    c = NULL;
    nothing_leaks();
    h.state = 2;
    pthread_join(t, NULL);
}

struct list { struct list *next; char pad[100]; channel c; };
static struct list *chain;
static __attribute__((noinline)) void make_chain(int n)
{
    for (int i = 0; i < n; i++) {
        struct list *l = new(struct list);
        l->next = chain;
        chain = l;
    }
    struct list *last = chain;
    while (last->next)
        last = last->next;
    last->c = MAKE(0);
    GO(waiter, last->c);
}
static void look_along_chain(int n)
{
    make_chain(n);
    nothing_leaks();
    struct list *last = chain;
    while (last->next)
        last = last->next;
    leat_close(last->c);
}
LIVE(a_channel_at_the_end_of_a_long_list) { look_along_chain(1000); }
LIVE(a_list_over_a_heap_that_has_grown_since_a_fork) { look_along_chain(5000); }

static char *inside;
static __attribute__((noinline)) void make_inside(void)
{
    struct list *l = new(struct list);
    l->c = MAKE(0);
    inside = l->pad + 50;                            /* a pointer into the middle is one */
    GO(waiter, l->c);
}
LIVE(a_pointer_into_the_middle_of_a_block)
{
    make_inside();
    nothing_leaks();
    leat_close(((struct list *)(void *)(inside - 50 - offsetof(struct list, pad)))->c);
}

static leat_chan(channel) channels;
LIVE(a_channel_queued_in_a_channel)
{
    channels = leat_chan_make(channel, 1);
    channel c = MAKE(0);
    leat_ignore(leat_send(channels, c));
    GO(waiter, c);
    c = NULL;
    nothing_leaks();
    leat_ignore(leat_recv(channels, &c));
    leat_close(c);
}

LIVE(a_channel_in_memory_that_is_mapped)
{
    channel *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED);
    m[10000] = MAKE(0);
    GO(waiter_of, &m[10000]);
    nothing_leaks();
    leat_close(m[10000]);
}

struct big { char pad[500]; channel c; };
static leat_err close_later(struct big *b) { leat_close(b->c); return LEAT_OK; }
static leat_err sleeper(struct big *b) { leat_ignore(leat_sleep(LEAT_MS(40))); return close_later(b); }
LIVE(a_channel_in_the_large_argument_of_a_task_that_sleeps)
{
    struct big b = { .c = MAKE(0) };
    GO(waiter, b.c);
    GO(sleeper, b);
    memset(&b, 0, sizeof b);
    nothing_leaks();
}

struct relay { channel in, out; };
static leat_err relay(struct relay *r) { wait_closed(r->in); leat_close(r->out); return LEAT_OK; }
LIVE(a_chain_of_tasks_of_which_the_last_is_held)
{
    channel first = MAKE(0), in = first;
    for (int i = 0; i < 50; i++) {
        channel out = MAKE(0);
        GO(relay, ((struct relay){ in, out }));
        in = out;
    }
    in = NULL;
    nothing_leaks();
    leat_close(first);
}

static leat_err by_deadline(channel *c) { leat_with_deadline(LEAT_MS(30)) leat_ignore(recv(*c)); return LEAT_OK; }
static int fds[2];
static leat_err by_fd(leat_none *none) { (void)none; leat_ignore(leat_fd_wait(fds[0], LEAT_READ)); return LEAT_OK; }
static leat_err by_select(channel *c)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_recv(*c, &v) { } leat_on_fd(fds[0], LEAT_READ) { } }
    return err;
}
static leat_err by_timer(leat_none *none)
{
    leat_time t;
    leat_auto leat_rx(leat_time) tick = leat_ticker(LEAT_MS(30));
    (void)none;
    leat_ignore(leat_recv(tick, &t));
    return LEAT_OK;
}
static __attribute__((noinline)) void start_for_the_world(void)
{
    CHECK(pipe(fds) == 0);
    GO(by_deadline, MAKE(0));
    GO(by_fd, LEAT_NONE);
    GO(by_select, MAKE(0));
    GO(by_timer, LEAT_NONE);
}
LIVE(tasks_that_wait_for_the_world)
{
    start_for_the_world();
    nothing_leaks();
    CHECK(write(fds[1], "x", 1) == 1);
}

struct case_of { channel dead, live; };
static leat_err one_of(struct case_of *c)
{
    leat_err err;
    int v;
    leat_select(err) { leat_on_recv(c->dead, &v) { } leat_on_closed(c->live) { } }
    return err;
}
LIVE(a_select_of_which_one_case_can_come)
{
    channel c = MAKE(0);
    GO(one_of, ((struct case_of){ MAKE(0), c }));
    nothing_leaks();
    leat_close(c);
}

LIVE(a_mutex_that_a_running_task_holds)
{
    leat_mutex *m = new(leat_mutex);
    lock(m);
    GO(lock_waiter, m);
    nothing_leaks();
    unlock(m);
}

/* The way to a task may lead through its group: whoever runs in the group could cancel it. */
static leat_err blocked_member(leat_none *none) { (void)none; return recv(MAKE(0)); }
static leat_err running_member(leat_none *none) { (void)none; nothing_leaks(); return leat_fail(LEAT_INVAL, "ends the group"); }
LIVE(a_group_of_which_one_member_runs)
{
    leat_err err;
    leat_with_group(g, err) {
        leat_ignore(leat_go(&g, blocked_member, LEAT_NONE));
        leat_ignore(leat_go(&g, running_member, LEAT_NONE));
    }
    CHECK_EQ(err, LEAT_INVAL);
}

/* Everything moves while it is looked at: allocation, tasks, channels that come and go. */
struct churn { leat_chan(char *) c; _Atomic int *stop; };
static leat_err churn_make(struct churn *x)
{
    for (int i = 0; !*x->stop; i++) {
        char *p = malloc((size_t)(i * 37 % 3000 + 1));
        if (!p || leat_send(x->c, p) != LEAT_OK)
            return LEAT_OK;
    }
    leat_finish(x->c);
    return LEAT_OK;
}
static leat_err waiter_with_ref(channel *c) { wait_closed(*c); leat_unref(*c); return LEAT_OK; }
static leat_err churn_use(struct churn *x)
{
    leat_err err;
    leat_each(p, x->c, err) {
        channel c = MAKE(0);
        leat_err e;
        leat_with_group(g, e) {
            leat_ignore(leat_go(&g, waiter_with_ref, leat_ref(c)));
            leat_yield();
            leat_close(c);
        }
        leat_ignore(e);
        leat_unref(c);
        free(p);
    }
    return err;
}
LIVE(much_that_comes_and_goes_while_it_is_looked_at)
{
    _Atomic int stop = 0;
    struct churn x = { leat_chan_make(char *, 4), &stop };
    for (int i = 0; i < 2; i++) {
        GO(churn_make, x);
        GO(churn_use, x);
    }
    for (int i = 0; i < (getenv("T_QUICK") ? 1 : 4); i++)
        nothing_leaks();
    stop = 1;
    leat_close(x.c);
}

T_MAIN()
