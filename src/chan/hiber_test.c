/* hiber_test.c - tasks whose stacks are given back while they wait (run/hiber.h): every wait ends as it would have, every queue stays in
 * its order, the frames are what they were, and the memory is really gone.  Where tools watch memory nobody hibernates; then these are
 * tests of waits like others. */
#include "t.h"
#include "leat.h"
#undef errno
#include <fcntl.h>
#include <sys/mman.h>
#include "base/alloc.h"
#include "plat/freeze.h"
#include "away.h"

#define OK(x) do { leat_err ok_ = (x); if (ok_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%s: %s", #x, leat_err_name(ok_)); } while (0)
#define GO(...) OK(leat_go(__VA_ARGS__))

static void count_parked(struct task *t, void *arg) { *(int *)arg += at_load_acq(&t->sp) && at_load(&t->park) == PARK_WAIT; }
static void until_parked(int n)
{
    for (int got = 0; got < n;) {
        leat_ignore(leat_sleep(LEAT_MS(1)));
        got = 0;
        slabs_each_task(rt_self(), count_parked, &got);
    }
}

/* Until n tasks hibernate; where none does, until they have had the time for it. */
static void until_away(int n)
{
    if (!can())
        leat_ignore(leat_sleep(LEAT_MS(5)));
    while (can() && away() != n)
        leat_ignore(leat_sleep(LEAT_MS(1)));
}

/* -- every wait, ended in every way ------------------------------------------------------------------------------------------ */
enum way { COMPLETE, CANCEL, DEADLINE, CLOSE, WAYS };
static const leat_err ends[WAYS] = { LEAT_OK, LEAT_CANCELED, LEAT_DEADLINE, LEAT_CLOSED };

struct big { uint64_t word[25]; };
static leat_chan(int) c;
static leat_chan(struct big) cb;
static leat_chan(int) many[12];
static leat_mutex m;
static leat_rwlock rw;
static leat_cond cond;
static leat_waitgroup wg;
static leat_sem sem = { .size = 10 };
static int fds[2];
static leat_ctx *other;
static bool ready;

static void open_all(void)
{
    c = leat_chan_make(int, 0);
    cb = leat_chan_make(struct big, 0);
    for (int i = 0; i < 12; i++)
        many[i] = leat_chan_make(int, 0);
    CHECK(pipe(fds) == 0);
    m = (leat_mutex){ { NULL } };
    rw = (leat_rwlock){ { NULL } };
    cond = (leat_cond){ { NULL } };
    wg = (leat_waitgroup){ { NULL } };
    sem = (leat_sem){ .size = 10 };
    ready = false;
}

static void close_all(void)
{
    leat_unref(c);
    leat_unref(cb);
    for (int i = 0; i < 12; i++)
        leat_unref(many[i]);
    close(fds[0]);
    close(fds[1]);
}

static struct big big(uint64_t seed)
{
    struct big b;
    for (int i = 0; i < 25; i++)
        b.word[i] = seed * 31 + (uint64_t)i;
    return b;
}

static leat_err recv_act(void)
{
    int v = 5;
    leat_err e = leat_recv(c, &v);
    CHECK_EQ(v, e == LEAT_OK ? 77 : 5);
    return e;
}
static void recv_end(void) { int v = 77; OK(leat_send_from(c, &v)); }

static leat_err recv_big_act(void)
{
    struct big b = big(1), want = big(9);
    leat_err e = leat_recv(cb, &b);
    if (e != LEAT_OK)
        want = big(1);
    CHECK(memcmp(&b, &want, sizeof b) == 0);
    return e;
}
static void recv_big_end(void) { struct big b = big(9); OK(leat_send_from(cb, &b)); }

static leat_err send_act(void)
{
    struct big b = big(4);
    leat_err e = leat_send_from(cb, &b);
    CHECK(b.word[24] == big(4).word[24]);
    return e;
}
static void send_end(void)
{
    struct big b, want = big(4);
    OK(leat_recv(cb, &b));
    CHECK(memcmp(&b, &want, sizeof b) == 0);
}

static leat_err select_act(void)
{
    int v = 5, w = 6, got = 0;
    struct big b = big(2);
    leat_err e;
    leat_select(e) {
        leat_on_recv(c, &v) got = 1;
        leat_on_send(cb, &b) got = 2;
        leat_on_recv(many[1], &w) got = 3;
        leat_on_recv(many[1], &v) got = 4;
    }
    if (e == LEAT_OK)
        CHECK(got == 2 || (got == 1 && v == 77));
    return e;
}
static void select_send_end(void)
{
    struct big b, want = big(2);
    OK(leat_recv(cb, &b));
    CHECK(memcmp(&b, &want, sizeof b) == 0);
}

static leat_err any_act(void)
{
    int v = 0;
    size_t i = 99;
    leat_err e;
    leat_select(e) {
        leat_on_recv_any(many, 12, &v, &i) CHECK(v == 33 && i == 9);
    }
    return e;
}
static void any_end(void) { int v = 33; OK(leat_send_from(many[9], &v)); }

static leat_err mixed_act(void)
{
    int v = 0, got = 0;
    leat_err e;
    leat_select(e) {
        leat_on_fd(fds[0], LEAT_READ) got = 1;
        leat_on_done(other) got = 2;
        leat_on_closed(many[3]) got = 3;
        leat_on_recv(many[4], &v) got = 4;
    }
    return e == LEAT_OK ? (got == 1 ? LEAT_OK : (leat_err)(100 + got)) : e;
}
static void fd_end(void) { CHECK(write(fds[1], "x", 1) == 1); }

static leat_dur sleep_for = { 60000000 };
static leat_err sleep_act(void) { return leat_sleep(sleep_for); }
static leat_err fd_act(void) { return leat_fd_wait(fds[0], LEAT_READ); }

static leat_err lock_act(void)
{
    leat_err e = leat_lock(&m);
    if (e == LEAT_OK)
        leat_unlock(&m);
    return e;
}
static void lock_begin(void) { OK(leat_lock(&m)); }
static void lock_end(void) { leat_unlock(&m); }

static leat_err rlock_act(void)
{
    leat_err e = leat_rlock(&rw);
    if (e == LEAT_OK)
        leat_runlock(&rw);
    return e;
}
static leat_err wlock_act(void)
{
    leat_err e = leat_wlock(&rw);
    if (e == LEAT_OK)
        leat_wunlock(&rw);
    return e;
}
static void wlock_begin(void) { OK(leat_wlock(&rw)); }
static void wlock_end(void) { leat_wunlock(&rw); }
static void rlock_begin(void) { OK(leat_rlock(&rw)); }
static void rlock_end(void) { leat_runlock(&rw); }

static leat_err cond_act(void)
{
    OK(leat_lock(&m));
    leat_err e = LEAT_OK;
    while (!ready && e == LEAT_OK)
        e = leat_cond_wait(&cond, &m);
    leat_unlock(&m);
    return e;
}
static void cond_end(void)
{
    OK(leat_lock(&m));
    ready = true;
    leat_unlock(&m);
    leat_cond_signal(&cond);
}

static leat_err wg_act(void) { return leat_waitgroup_wait(&wg); }
static void wg_begin(void) { leat_waitgroup_add(&wg, 1); }
static void wg_end(void) { leat_waitgroup_done(&wg); }

static leat_err sem_act(void)
{
    leat_err e = leat_acquire(&sem, 4);
    if (e == LEAT_OK)
        leat_release(&sem, 4);
    return e;
}
static void sem_begin(void) { OK(leat_acquire(&sem, 8)); }
static void sem_end(void) { leat_release(&sem, 8); }

static void close_c(void) { leat_close(c); }
static void close_cb(void) { leat_close(cb); }

static const struct op {
    const char *name;
    leat_err (*act)(void);
    void (*begin)(void), (*end)(void), (*close)(void), (*undo)(void);        /* undo: after a wait that was given up */
} ops[] = {
    { "recv", recv_act, NULL, recv_end, close_c, NULL },
    { "recv big", recv_big_act, NULL, recv_big_end, close_cb, NULL },
    { "send", send_act, NULL, send_end, close_cb, NULL },
    { "select recv", select_act, NULL, recv_end, NULL, NULL },
    { "select send", select_act, NULL, select_send_end, NULL, NULL },
    { "select any", any_act, NULL, any_end, NULL, NULL },
    { "select fd", mixed_act, NULL, fd_end, NULL, NULL },
    { "sleep", sleep_act, NULL, NULL, NULL, NULL },
    { "fd", fd_act, NULL, fd_end, NULL, NULL },
    { "lock", lock_act, lock_begin, lock_end, NULL, lock_end },
    { "rlock", rlock_act, wlock_begin, wlock_end, NULL, wlock_end },
    { "wlock", wlock_act, rlock_begin, rlock_end, NULL, rlock_end },
    { "cond", cond_act, NULL, cond_end, NULL, NULL },
    { "wait group", wg_act, wg_begin, wg_end, NULL, wg_end },
    { "semaphore", sem_act, sem_begin, sem_end, NULL, sem_end },
};

struct victim { const struct op *op; enum way way; leat_err got; leat_ctx *ctx; };
static struct victim victim;

static leat_err wait_so(const struct op *op)
{
    volatile uint64_t canary[16];
    for (int i = 0; i < 12; i++)
        canary[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
    uint64_t a = canary[3], b = canary[5], d = canary[7];            /* in registers that calls keep */
    leat_err e = op->act();
    for (int i = 0; i < 12; i++)
        CHECK(canary[i] == (uint64_t)i * 0x9e3779b97f4a7c15u);
    CHECK(a == canary[3] && b == canary[5] && d == canary[7]);
    return e;
}

static leat_err victim_task(leat_none *none)
{
    (void)none;
    leat_with_cancel(ctx) {
        victim.ctx = ctx;
        if (victim.way == DEADLINE)
            leat_with_deadline(LEAT_MS(40)) victim.got = wait_so(victim.op);
        else
            victim.got = wait_so(victim.op);
    }
    return LEAT_OK;
}

static void one(const struct op *op, enum way way)
{
    leat_err err;
    open_all();
    if (op->begin)
        op->begin();
    victim = (struct victim){ .op = op, .way = way, .got = LEAT_INVAL };
    sleep_for = way == COMPLETE ? LEAT_MS(60) : LEAT_S(3600);
    leat_with_cancel(x) {
        other = x;
        leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
            GO(&g, victim_task, LEAT_NONE);
            if (!can())
                until_away(1);
            while (can() && !away() && victim.got == LEAT_INVAL)     /* a time may have come first */
                leat_ignore(leat_sleep(LEAT_MS(1)));
            if (way == COMPLETE && op->end)
                op->end();
            if (way == CANCEL)
                leat_cancel(victim.ctx, LEAT_CANCELED);
            if (way == CLOSE)
                op->close();
        }
        OK(err);
    }
    if (way != COMPLETE && op->undo)
        op->undo();
    if (victim.got != ends[way])
        t_fail(__FILE__, __LINE__, "%s, way %d: %s", op->name, (int)way, leat_err_name(victim.got));
    close_all();
}

static leat_err each_wait(leat_none *none)
{
    (void)none;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        for (enum way way = COMPLETE; way < WAYS; way++)
            if (way != CLOSE || ops[i].close)
                one(&ops[i], way);
    return LEAT_OK;
}

TEST(every_wait_of_a_hibernated_task_ends_as_it_should)
{
    OK(leat_run(&(leat_opts){ .workers = 1 }, each_wait, LEAT_NONE));
    OK(leat_run(&(leat_opts){ .workers = 2 }, each_wait, LEAT_NONE));
}

/* The case of a context that is cancelled, and that of a channel that ends. */
static leat_err other_cases(leat_none *none)
{
    static const struct op mixed = { .name = "select done", .act = mixed_act };
    (void)none;
    for (int way = 0; way < 2; way++) {
        leat_err err;
        open_all();
        victim = (struct victim){ .op = &mixed, .way = COMPLETE };
        leat_with_cancel(x) {
            other = x;
            leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
                GO(&g, victim_task, LEAT_NONE);
                until_away(1);
                if (way == 0)
                    leat_cancel(x, LEAT_CANCELED);
                else
                    leat_close(many[3]);
            }
            OK(err);
        }
        CHECK_EQ(victim.got, way == 0 ? 102 : 103);
        close_all();
    }
    return LEAT_OK;
}

TEST(a_hibernated_select_sees_contexts_and_closed_channels)
{
    OK(leat_run(&(leat_opts){ .workers = 2 }, other_cases, LEAT_NONE));
}

/* -- order ------------------------------------------------------------------------------------------------------------------- */
static int order[8], ordered, had_lock;

static leat_err in_turn(int *i)
{
    int v = 0;
    leat_err e = LEAT_OK;
    volatile bool naps = *i % 2;
    leat_with_hibernation(naps ? LEAT_MS(1) : LEAT_NS(-1)) {
        e = leat_lock(&m);
        CHECK_EQ(had_lock++, *i);
        leat_unlock(&m);
        if (e == LEAT_OK)
            e = leat_recv(c, &v);
    }
    CHECK_EQ(v, *i);
    order[ordered++] = *i;
    return e;
}

static leat_err places(leat_none *none)
{
    leat_err err;
    (void)none;
    open_all();
    OK(leat_lock(&m));
    leat_with_group(g, err) {
        for (int i = 0; i < 8; i++) {
            GO(&g, in_turn, i);
            until_parked(i + 1);                     /* it stands in the queue */
        }
        until_away(4);                               /* every second one, in the queue of the mutex */
        leat_unlock(&m);
        while (had_lock < 8)
            leat_ignore(leat_sleep(LEAT_MS(1)));
        until_away(4);                               /* and in the channel's */
        for (int i = 0; i < 8; i++)
            OK(leat_send_from(c, &i));
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(order[i], i);
    close_all();
    return err;
}

TEST(a_hibernated_task_keeps_its_place_in_queues)
{
    OK(leat_run(&(leat_opts){ .workers = 1 }, places, LEAT_NONE));
}

/* -- who stays ----------------------------------------------------------------------------------------------------------------- */
static leat_err child(leat_none *none)
{
    int v;
    (void)none;
    return leat_recv(c, &v);
}
static leat_err unmoved_child(leat_none *none)
{
    leat_err e = LEAT_OK;
    leat_with_hibernation(LEAT_NS(-1)) e = child(none);
    return e;
}
static leat_err call(leat_none *none)
{
    (void)none;
    usleep(20000);
    return LEAT_OK;
}

static leat_err has_a_group(leat_none *none)
{
    leat_group g = { { NULL } };
    int v;
    (void)none;
    GO(&g, unmoved_child, LEAT_NONE);
    OK(leat_recv(many[0], &v));                      /* a wait that could be moved, beside a group that its child knows */
    return leat_group_wait(&g);
}
static leat_err has_a_shield(leat_none *none)
{
    int v;
    (void)none;
    leat_with_shield(LEAT_S(100)) OK(leat_recv(many[1], &v));
    return LEAT_OK;
}
static leat_err is_not_to(leat_none *none)
{
    int v;
    (void)none;
    leat_with_hibernation(LEAT_NS(-1)) OK(leat_recv(many[2], &v));
    return LEAT_OK;
}
static leat_err blocks(leat_none *none)
{
    (void)none;
    return leat_blocking(call, LEAT_NONE);
}

static leat_err stays(leat_none *none)
{
    leat_err err;
    int v = 1;
    (void)none;
    open_all();
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        GO(&g, has_a_group, LEAT_NONE);
        GO(&g, has_a_shield, LEAT_NONE);
        GO(&g, is_not_to, LEAT_NONE);
        GO(&g, blocks, LEAT_NONE);
        for (int i = 0; i < 30; i++) {
            leat_ignore(leat_sleep(LEAT_MS(1)));
            CHECK_EQ(away(), 0);
        }
        for (int i = 0; i < 3; i++)
            OK(leat_send_from(many[i], &v));
        OK(leat_send_from(c, &v));
    }
    close_all();
    return err;
}

TEST(a_task_stays_whose_stack_others_know)
{
    OK(leat_run(&(leat_opts){ .workers = 2 }, stays, LEAT_NONE));
}

/* -- the runtime's option, names, memory ------------------------------------------------------------------------------------------ */
static struct { char *low, *sp; size_t bytes; int n; } pages;

static void look_at_pages(struct task *t, void *arg)
{
    struct frames f;
    unsigned char vec[64];
    (void)arg;
    if (!(at_load(&t->nap) & NAP_AWAY) || !task_frames(t, &f) || !f.by)
        return;
    size_t n = (size_t)(stack_high(t->rt, t->stack) - stack_low(t->rt, t->stack)) / plat_page();
    CHECK(n <= sizeof vec && mincore(stack_low(t->rt, t->stack), n * plat_page(), vec) == 0);
    for (size_t i = 0; i < n; i++)
        CHECK(!(vec[i] & 1));
    pages.n++;
    pages.bytes += f.hi - f.lo;
}

static int received_one;
static leat_err receive_one(void)
{
    int v = 0;
    leat_err e = leat_recv(c, &v);
    CHECK_EQ(v, 1);
    received_one++;
    return e;
}

static __attribute__((noinline)) leat_err waits_below(int depth)
{
    volatile char space[1000];
    memset((char *)space, depth, sizeof space);
    leat_err e = depth ? waits_below(depth - 1) : receive_one();
    CHECK(space[500] == (char)depth);
    return e;
}
static leat_err deep_and_not(int *i)
{
    if (*i % 3 == 0)
        leat_task_name("one with a name");
    OK(waits_below(8));
    return waits_below(0);
}

enum { SLEEPERS = 64 };

static leat_err given_back(leat_none *none)
{
    leat_err err;
    int v = 1;
    (void)none;
    open_all();
    leat_with_group(g, err) {
        for (int i = 0; i < SLEEPERS; i++)
            GO(&g, deep_and_not, i);
        until_away(SLEEPERS);
        slabs_each_task(rt_self(), look_at_pages, NULL);
        CHECK_EQ(pages.n, can() ? SLEEPERS : 0);
        for (int i = 0; i < SLEEPERS; i++)           /* they have used three pages, and then wait in one */
            OK(leat_send_from(c, &v));
        while (received_one < SLEEPERS)
            leat_yield();
        until_away(SLEEPERS);
        slabs_each_task(rt_self(), look_at_pages, NULL);
        CHECK_EQ(pages.n, can() ? 2 * SLEEPERS : 0);
        for (int i = 0; i < SLEEPERS; i++)
            OK(leat_send_from(c, &v));
    }
    close_all();
    return err;
}

TEST(a_hibernated_task_has_no_page)
{
    OK(leat_run((&(leat_opts){ .workers = 1, .hibernate_after = LEAT_MS(1) }), given_back, LEAT_NONE));
}

/* -- memory runs out ----------------------------------------------------------------------------------------------------------------- */
static _Atomic int refused;
static bool refuse(void *self, size_t bytes)
{
    (void)self;
    (void)bytes;
    atomic_fetch_add(&refused, 1);
    return true;
}
static const struct mem_hook none_left = { refuse, NULL };

static leat_err no_block(leat_none *none)
{
    leat_err err;
    int v = 77;
    (void)none;
    open_all();
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        GO(&g, child, LEAT_NONE);
        leat_yield();
        __atomic_store_n(&mem_hook, &none_left, __ATOMIC_RELAXED);
        for (int i = 0; i < 8 && (can() ? !atomic_load(&refused) : i < 4); i++)
            leat_ignore(leat_sleep(LEAT_MS(2)));
        CHECK_EQ(away(), 0);
        __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
        until_away(1);                               /* it is tried again */
        __atomic_store_n(&mem_hook, &none_left, __ATOMIC_RELAXED);
        OK(leat_send_from(c, &v));                        /* coming back takes none */
        until_away(0);
        __atomic_store_n(&mem_hook, NULL, __ATOMIC_RELAXED);
    }
    close_all();
    return err;
}

TEST(a_task_stays_when_there_is_no_memory_for_the_copy)
{
    OK(leat_run(&(leat_opts){ .workers = 1 }, no_block, LEAT_NONE));
    CHECK(!can() || atomic_load(&refused) > 0);
}

/* -- what reports say -------------------------------------------------------------------------------------------------- */
static char text[1 << 15];

static void dump(void)
{
    int p[2];
    size_t n = 0;
    CHECK(pipe(p) == 0);
    leat_dump(p[1]);
    close(p[1]);
    for (ssize_t k; (k = read(p[0], text + n, sizeof text - 1 - n)) > 0; )
        n += (size_t)k;
    close(p[0]);
    text[n] = 0;
}

static leat_err named(leat_none *none)
{
    (void)none;
    leat_task_name("the sleepy one");
    OK(waits_below(1));
    return waits_below(0);
}
static leat_err chooses(leat_none *none)
{
    (void)none;
    return select_act();
}

/* Where nobody hibernates, until_away does not tell whether a task waits yet. */
static void dump_until(const char *what)
{
    for (dump(); !strstr(text, what); dump())
        leat_ignore(leat_sleep(LEAT_MS(1)));
}

static leat_err reported(leat_none *none)
{
    leat_err err;
    (void)none;
    open_all();
    leat_with_hibernation(LEAT_MS(1)) leat_with_group(g, err) {
        GO(&g, named, LEAT_NONE);
        until_away(1);
        dump_until(" it receives from channel 0x");
        CHECK_HAS(text, "task named \"the sleepy one\" started at ");
        CHECK_HAS(text, can() ? ", hibernated, it receives from channel 0x" : " it receives from channel 0x");
        CHECK_HAS(text, "waits_below");
        CHECK_HAS(text, "named");
        CHECK_HAS(text, "task_main");
        CHECK_EQ(leat_send(c, 1), LEAT_OK);
        until_away(1);                               /* it waits once more */
        GO(&g, chooses, LEAT_NONE);
        until_away(2);
        dump_until("it waits in a select: ");
        CHECK_HAS(text, "task named \"the sleepy one\" started at ");
        CHECK_HAS(text, "it waits in a select: ");
        CHECK_HAS(text, "sends to channel 0x");
        CHECK_HAS(text, ", or receives from channel 0x");
        CHECK_HAS(text, "select_act");
        CHECK_EQ(leat_send(c, 1), LEAT_OK);          /* first come, first served */
        CHECK_EQ(leat_send(c, 77), LEAT_OK);
    }
    close_all();
    return err;
}

TEST(a_dump_shows_a_hibernated_task_as_any_other)
{
    OK(leat_run(&(leat_opts){ .workers = 2 }, reported, LEAT_NONE));
}

static leat_err waits_for_ever(leat_none *none)
{
    int v;
    (void)none;
    leat_auto leat_chan(int) nobody = leat_chan_make(int, 0);
    return leat_recv(nobody, &v);
}

enum { LOST = 8 };

static leat_err leaks(leat_none *none)
{
    size_t n = 0;
    int v = 77;
    (void)none;
    open_all();
    for (int i = 0; i < LOST; i++)
        GO(NULL, waits_for_ever, LEAT_NONE);
    GO(NULL, chooses, LEAT_NONE);                    /* what it waits for is in use here */
    until_away(LOST + 1);
    leat_err e = can() ? leat_leaks(-1, &n) : LEAT_AGAIN;            /* AGAIN: an emulator's threads do not stand still */
    if (e == LEAT_OK)
        CHECK(n > LOST / 2 && n <= LOST);            /* a word left in some register may hide one */
    CHECK(e == LEAT_OK || e == LEAT_AGAIN);
    OK(leat_send_from(c, &v));
    return LEAT_OK;
}

TEST(a_hibernated_task_that_can_never_wake_is_a_leak)
{
    OK(leat_run((&(leat_opts){ .workers = 1, .hibernate_after = LEAT_MS(1) }), leaks, LEAT_NONE));
}

static void no_lines(int level, const char *line) { (void)level; (void)line; }

static leat_err sleeps_for_ever(leat_none *none)
{
    leat_err err;
    leat_auto leat_chan(int) nobody = leat_chan_make(int, 0);
    int v;
    leat_with_group(g, err) {
        GO(&g, waits_for_ever, LEAT_NONE);
        GO(&g, waits_for_ever, LEAT_NONE);
        err = leat_recv(nobody, &v);
    }
    (void)none;
    return err;
}

TEST(hibernated_tasks_that_sleep_for_ever_are_a_deadlock)
{
    int32_t me = freeze_tid();
    bool alone = false;                              /* an emulator has threads of its own, which might call in */
    for (int i = 0; i < 1000 && !(alone = freeze_others(&me, 1) == 0); i++)
        usleep(1000);
    if (!alone) {
        printf("# this process has threads that are not its own: a deadlock cannot be told\n");
        return;
    }
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 2, .hibernate_after = LEAT_MS(1), .log = no_lines }), sleeps_for_ever, LEAT_NONE),
        LEAT_DEADLOCK);
}

/* -- all at once ------------------------------------------------------------------------------------------------------- */
enum { MANY = 60 };
static leat_chan(int) d;
static _Atomic uint64_t sent, received;
static _Atomic int inside;
static _Atomic bool over;
static leat_ctx *_Atomic current[MANY];
static leat_mutex contexts[MANY];

static leat_err take_one(leat_chan(int) from)
{
    int v = 0;
    leat_err e = leat_recv(from, &v);
    if (e == LEAT_OK)
        atomic_fetch_add(&received, (uint64_t)v);
    return e;
}

static leat_err give_one(leat_chan(int) to, int v)
{
    leat_err e = leat_send(to, v);
    if (e == LEAT_OK)
        atomic_fetch_add(&sent, (uint64_t)v);
    return e;
}

static leat_err one_of_three(int w)
{
    int v = 0;
    leat_err e;
    leat_select(e) {
        leat_on_recv(c, &v) atomic_fetch_add(&received, (uint64_t)v);
        leat_on_recv(d, &v) atomic_fetch_add(&received, (uint64_t)v);
        leat_on_send(d, &w) atomic_fetch_add(&sent, (uint64_t)w);
    }
    return e;
}

static leat_err with_lock(void)
{
    leat_err e = leat_lock(&m);
    if (e != LEAT_OK)
        return e;
    CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
    leat_yield();
    CHECK_EQ(atomic_fetch_sub(&inside, 1), 1);
    leat_unlock(&m);
    return e;
}

static leat_err with_sem(void)
{
    leat_err e = leat_acquire(&sem, 7);
    if (e != LEAT_OK)
        return e;
    leat_yield();
    leat_release(&sem, 7);
    return e;
}

static leat_err some_act(uint64_t r)
{
    int v = (int)(r >> 40) & 1023;
    switch (r % 7) {
    case 0: return take_one(c);
    case 1: return take_one(d);
    case 2: return give_one(c, v);
    case 3: return give_one(d, v);
    case 4: return with_lock();
    case 5: return with_sem();
    default: return one_of_three(v);
    }
}

static uint64_t next(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    return *r ^= *r << 17;
}

static __attribute__((noinline)) leat_err checked_act(uint64_t r)
{
    volatile uint64_t canary[24];
    for (int i = 0; i < 24; i++)
        canary[i] = r + (uint64_t)i;
    leat_err e = some_act(r);
    for (int i = 0; i < 24; i++)
        CHECK(canary[i] == r + (uint64_t)i);
    CHECK(e == LEAT_OK || e == LEAT_CANCELED || e == LEAT_DEADLINE);
    return e;
}

static leat_err acts(int *i)
{
    uint64_t r = (uint64_t)*i * 0x9e3779b97f4a7c15u + 1;
    while (!atomic_load(&over)) {
        next(&r);
        leat_with_cancel(ctx) {
            atomic_store(&current[*i], ctx);
            leat_with_deadline(LEAT_US((double)(100 + r % 3000))) leat_ignore(checked_act(r));
            while (leat_try_lock(&contexts[*i]) != LEAT_OK)          /* nobody is cancelling it */
                leat_yield();
            atomic_store(&current[*i], NULL);
            leat_unlock(&contexts[*i]);
        }
    }
    return LEAT_OK;
}

static leat_err cancels(leat_none *none)
{
    uint64_t r = 4711;
    (void)none;
    while (!atomic_load(&over)) {
        int i = (int)(next(&r) % MANY);
        if (leat_try_lock(&contexts[i]) == LEAT_OK) {
            leat_cancel(atomic_load(&current[i]), LEAT_CANCELED);
            leat_unlock(&contexts[i]);
        }
        leat_ignore(leat_sleep(LEAT_US(50)));
    }
    return LEAT_OK;
}

static leat_err all_at_once(leat_none *none)
{
    uint64_t cycles = getenv("HIBER_CYCLES") ? strtoull(getenv("HIBER_CYCLES"), NULL, 10) : getenv("T_QUICK") ? 3000 : 20000;
    leat_err err;
    (void)none;
    open_all();
    d = leat_chan_make(int, 3);
    leat_with_group(g, err) {
        leat_with_hibernation(LEAT_MS(1)) leat_with_group(h, err) {
            for (int i = 0; i < MANY; i++)
                GO(&h, acts, i);
            GO(&g, cancels, LEAT_NONE);
            for (int i = 0; can() ? at_load(&rt_self()->hibernated) < cycles : i < 30; i++)
                leat_ignore(leat_sleep(LEAT_MS(5)));
            atomic_store(&over, true);
        }
    }
    int v;
    while (leat_try_recv(d, &v) == LEAT_OK)
        atomic_fetch_add(&received, (uint64_t)v);
    CHECK_EQ(atomic_load(&received), atomic_load(&sent));
    CHECK_EQ(leat_acquire(&sem, 10), LEAT_OK);
    leat_unref(d);
    close_all();
    return err;
}

TEST(hibernation_races_with_wakes_cancels_and_deadlines)
{
    nap_at_once = true;
    OK(leat_run(&(leat_opts){ .workers = 2 }, all_at_once, LEAT_NONE));
}

TEST(hibernation_and_wakes_take_turns_on_one_worker)
{
    nap_at_once = true;
    OK(leat_run(&(leat_opts){ .workers = 1 }, all_at_once, LEAT_NONE));
}

T_MAIN()
