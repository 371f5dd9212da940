/* turns.h - an operation that blocks, raced against its cancel or its deadline, turn after turn.
 *
 * Three of them: tasks on one worker, whose pauses make the order, or the victim a task on one of two workers and the others
 * threads, so that they meet in earnest.  The victim does the operation under a context of its own; the completer makes it
 * complete; the canceller cancels the context, unless a deadline does.  In every fourth turn the completer comes only after the
 * operation has returned, so it was cancelled for certain; in every fourth the canceller comes after it, so it completed; in the
 * others they race, after short random pauses.  Then the victim looks: OK and the effect is there once, or the error of this way
 * of giving up and it is not there at all; what the completer brought is taken then, so that each turn begins as the first did. */
#ifndef CANCEL_TURNS_H
#define CANCEL_TURNS_H
#include <pthread.h>
#include <stdatomic.h>
#include "leat.h"
#include "t.h"

enum how { BY_CANCEL, BY_DEADLINE };
enum sure { SURE_GIVEN_UP, SURE_DONE, RACE };

struct op;
struct turns {
    const struct op *op;
    enum how how;
    bool threads;
    int n, i;                                        /* turns; this one, from 1 */
    enum sure sure;                                  /* of this turn */
    leat_dur after;                                  /* operations that time completes: when */
    leat_ctx *ctx;
    _Atomic int prepared, started, returned, completed, cancelled;   /* the last turn that came so far */
    int done, given_up;                              /* turns that ended so */
    void *state;
};

/* An operation.  victim: act, then look (its outcome); completer: prepare, before the act; complete, during it.  Any may be NULL but act
 * and look.  open and close: the victim, before the first turn and after the last. */
struct op {
    const char *name;
    void (*open)(struct turns *t);
    void (*prepare)(struct turns *t);
    leat_err (*act)(struct turns *t);                /* [blocks] under the context that is given up */
    void (*complete)(struct turns *t);
    /* Outside of the context.  The completer has done its part, unless the operation is `late`: then it may wait still for what look does
     * first, which calls turns_completed after that. */
    void (*look)(struct turns *t, leat_err outcome);
    void (*close)(struct turns *t);
    bool late;
    int slow;                                        /* so many times longer than the others, and fewer turns; 0: as they */
};

/* What a test's own part of a turn needs; a failure ends the test. */
#define MUST(x) do { leat_err must_ = (x); \
    if (must_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%s: %s: %s", #x, leat_err_name(must_), leat_err_detail()); } while (0)

static int turns_wanted(const struct op *op, bool threads)
{
    const char *n = getenv("RACE_TURNS");
    if (n) {
        alarm(0);
        return atoi(n);
    }
    return 16 + (getenv("T_QUICK") ? 32 : threads ? 16 : 96) / (op->slow ? op->slow : 1);
}

static unsigned draw(unsigned *seed) { return (unsigned)rand_r(seed) >> 4; }

/* A pause of the length of a few operations, more often short than long. */
static void pause_a_bit(unsigned *seed)
{
    unsigned r = draw(seed), n = (r & 63) << (r >> 6 & 3);
    if (r >> 8 & 1)
        for (volatile unsigned i = 0; i < n; i++)
            ;
    else
        for (n /= 16; n; n--)
            leat_yield();
}

static void wait_for(const _Atomic int *at, int i)
{
    for (int n = 0; atomic_load_explicit(at, memory_order_acquire) < i; n++)
        if (n % 8 == 7)
            leat_yield();
}

__attribute__((unused)) static void turns_completed(const struct turns *t) { wait_for(&t->completed, t->i); }

static void tell(_Atomic int *at, int i) { atomic_store_explicit(at, i, memory_order_release); }

static leat_err completer(struct turns **p)
{
    struct turns *t = *p;
    unsigned seed = 17;
    for (int i = 1; i <= t->n; i++) {
        wait_for(&t->returned, 2 * (i - 1));
        if (t->op->prepare)
            t->op->prepare(t);
        tell(&t->prepared, i);
        wait_for(&t->started, i);
        if (t->sure == SURE_GIVEN_UP)
            wait_for(&t->returned, 2 * i - 1);
        else
            pause_a_bit(&seed);
        if (t->op->complete)
            t->op->complete(t);
        tell(&t->completed, i);
    }
    return LEAT_OK;
}

static leat_err canceller(struct turns **p)
{
    struct turns *t = *p;
    unsigned seed = 23;
    for (int i = 1; i <= t->n; i++) {
        wait_for(&t->started, i);
        if (t->sure == SURE_DONE)
            wait_for(&t->returned, 2 * i - 1);
        else
            pause_a_bit(&seed);
        if (t->how == BY_CANCEL)
            leat_cancel(t->ctx, LEAT_REFUSED);
        tell(&t->cancelled, i);
    }
    return LEAT_OK;
}

static leat_err act(struct turns *t)
{
    tell(&t->started, t->i);
    leat_err e = t->op->act(t);
    tell(&t->returned, 2 * t->i - 1);
    return e;
}

static void one_turn(struct turns *t, unsigned *seed)
{
    leat_err e = LEAT_OK, given_up = t->how == BY_CANCEL ? LEAT_CANCELED : LEAT_DEADLINE;
    int64_t us = t->sure == SURE_DONE ? 3600000000 : t->sure == SURE_GIVEN_UP ? draw(seed) % 3 * 20 : draw(seed) % 90;
    if (t->op->slow && t->sure == RACE)
        us *= t->op->slow;
    leat_with_cancel(ctx) {
        t->ctx = ctx;
        if (t->how == BY_CANCEL)
            e = act(t);
        else
            leat_with_deadline(LEAT_US(us))
                e = act(t);
        wait_for(&t->cancelled, t->i);               /* the context stays until nobody cancels it any more */
    }
    if (e != LEAT_OK && e != given_up)
        t_fail(__FILE__, __LINE__, "%s, turn %d: neither done nor %s, but %s: %s", t->op->name, t->i, leat_err_name(given_up),
            leat_err_name(e), leat_err_detail());
    CHECK(!(t->sure == SURE_DONE && e != LEAT_OK) && !(t->sure == SURE_GIVEN_UP && e == LEAT_OK));
    *(e == LEAT_OK ? &t->done : &t->given_up) += 1;
    if (!t->op->late)
        turns_completed(t);
    t->op->look(t, e);
    CHECK_EQ(t->completed, t->i);
}

static void all_turns(struct turns *t)
{
    unsigned seed = (unsigned)leat_now().ns;
    for (t->i = 1; t->i <= t->n; t->i++) {
        t->sure = t->i % 4 == 0 ? SURE_GIVEN_UP : t->i % 4 == 1 ? SURE_DONE : RACE;
        t->after = t->sure == SURE_GIVEN_UP ? LEAT_S(3600) : t->sure == SURE_DONE ? LEAT_US(1) : LEAT_US(draw(&seed) % 90);
        wait_for(&t->prepared, t->i);
        one_turn(t, &seed);
        tell(&t->returned, 2 * t->i);
    }
}

static void *completer_thread(void *t) { MUST(completer((struct turns *[]){ t })); return NULL; }
static void *canceller_thread(void *t) { MUST(canceller((struct turns *[]){ t })); return NULL; }

static leat_err victim(struct turns **p)
{
    struct turns *t = *p;
    leat_err err = LEAT_OK;
    pthread_t other[2];
    if (t->op->open)
        t->op->open(t);
    if (t->threads) {
        CHECK(pthread_create(&other[0], NULL, completer_thread, t) == 0 && pthread_create(&other[1], NULL, canceller_thread, t) == 0);
        all_turns(t);
        pthread_join(other[0], NULL);
        pthread_join(other[1], NULL);
    } else {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, completer, t));
            LEAT_TRY(leat_go(&g, canceller, t));
            all_turns(t);
        }
    }
    if (err == LEAT_OK && t->op->close)
        t->op->close(t);
    return err;
}

/* With tasks, then with threads.  RACE_TURNS=N: so many turns, without a time limit (make race-cancel). */
static void turns_run(const struct op *op, enum how how)
{
    for (int threads = 0; threads < 2; threads++) {
        struct turns t = { .op = op, .how = how, .threads = threads, .n = turns_wanted(op, threads) }, *p = &t;
        leat_err e = leat_run(&(leat_opts){ .workers = threads ? 2 : 1 }, victim, p);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%s: %s: %s", op->name, leat_err_name(e), leat_err_detail());
        CHECK_EQ(t.done + t.given_up, t.n);
        CHECK(t.done > 0 && t.given_up > 0);
        if (getenv("RACE_TURNS"))
            printf("# %s, %s, %s: %d turns, %d done, %d given up\n", op->name, how == BY_CANCEL ? "cancel" : "deadline",
                threads ? "threads" : "tasks", t.n, t.done, t.given_up);
    }
}

#define RACES(op) \
    TEST(op##_against_its_cancel) { turns_run(&op, BY_CANCEL); } \
    TEST(op##_against_its_deadline) { turns_run(&op, BY_DEADLINE); }
#define RACES_OVER(op, poll) \
    TEST(op##_against_its_cancel_##poll) { setenv("LEAT_POLL", #poll, 1); turns_run(&op, BY_CANCEL); } \
    TEST(op##_against_its_deadline_##poll) { setenv("LEAT_POLL", #poll, 1); turns_run(&op, BY_DEADLINE); }
#define RACES_IO(op) RACES_OVER(op, epoll) RACES_OVER(op, io_uring)
#endif
