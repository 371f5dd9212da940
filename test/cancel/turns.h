/* turns.h - an operation that blocks, raced against its cancel or its deadline, turn after turn, many lanes of turns at once.
 *
 * A lane is a victim, which does the operation under a context of its own.  Two agents serve all lanes of a race: the completer makes
 * the operation complete, the canceller cancels the context, unless a deadline does.  Three ways to place them, so that those who race
 * stand on different threads: the agents are tasks, one on each of two workers, and the victims tasks beside them; or the agents are
 * threads and the victims tasks of two workers; or the victims are threads (those are few, each a lane).  Nobody waits for one lane
 * while another has something to do, so a turn costs what the operation costs and not a turn of the system's scheduler.
 *
 * In every eighth turn the completer comes only after the operation has returned, so it was cancelled for certain; in every eighth the
 * canceller comes after it, so it completed.  In the others they race.  Either the agents meet at the lane and go on together; or
 * they come as soon as the victim says that it begins, so they meet it as it goes to sleep.  Both then pause for a moment at random,
 * and who has lost lately comes sooner: so both orders are seen, however slow one of them is.  A deadline is met in the same way.
 * Then the victim looks: OK and the effect is there once, or the error of this way of giving up and it is not there at all; what
 * the completer brought is taken then, so that each turn begins as the first did. */
#ifndef CANCEL_TURNS_H
#define CANCEL_TURNS_H
#include <stdatomic.h>
#include "leat.h"
#include "t.h"

enum how { BY_CANCEL, BY_DEADLINE };
enum sure { SURE_GIVEN_UP, SURE_DONE, MEET, EAGER };
enum agent { COMPLETER, CANCELLER };

struct op;
struct race;
struct turns {                                       /* a lane */
    const struct op *op;
    struct race *race;
    int lane, n;                                     /* which one; turns */
    int i;                                           /* this turn, from 1 */
    enum sure sure;                                  /* of this turn */
    leat_dur after;                                  /* operations that time completes: when */
    int64_t due;                                     /* when time ends the operation, in ns of leat_now */
    leat_ctx *ctx;
    _Atomic int prepared, started, returned, completed, cancelled;   /* the last turn that came so far; returned: 2i-1 and 2i */
    _Atomic int here[2];                             /* the turn for which an agent stands at the lane */
    struct { int i, step; int64_t aim; } of[2];      /* an agent's own */
    leat_chan(char) bell;                            /* an agent has done something */
    unsigned seed;
    void *state;
};

/* An operation.  victim: act, then look (its outcome); completer: prepare, before the act; complete, during it.  Any may be NULL but act
 * and look; without complete, time completes it, at `due`.  open and close: the victim, before the first turn and after the last. */
struct op {
    const char *name;
    void (*open)(struct turns *t);
    void (*prepare)(struct turns *t);
    leat_err (*act)(struct turns *t);                /* [blocks] under the context that is given up */
    bool (*complete)(struct turns *t);               /* does not wait; false: it is to be called again */
    /* Outside of the context.  The completer has done its part, unless the operation is `late`: then it may wait still for what look does
     * first, which calls turns_completed after that. */
    void (*look)(struct turns *t, leat_err outcome);
    void (*close)(struct turns *t);
    bool late;
    bool tasks_only;                                 /* a thread that is no task cannot do it, or not so that it can be given up */
    int lanes;                                       /* at most so many; 0: as many as the others have */
    int slow;                                        /* so many times longer than the others, and fewer turns; 0: as they */
};

/* What a test's own part of a turn needs; a failure ends the test. */
#define MUST(x) do { leat_err must_ = (x); \
    if (must_ != LEAT_OK) t_fail(__FILE__, __LINE__, "%s: %s: %s", #x, leat_err_name(must_), leat_err_detail()); } while (0)

void turns_completed(struct turns *t);               /* [blocks] */

/* In every placing.  RACE_TURNS=N: so many turns in all, without a time limit; RACE_STATE=FILE: goes on from what FILE says has been done,
 * and adds to it (make race-cancel). */
void turns_run(const char *test, const struct op *op, enum how how);

#define RACES(op) \
    TEST(op##_against_its_cancel) { turns_run(__func__, &op, BY_CANCEL); } \
    TEST(op##_against_its_deadline) { turns_run(__func__, &op, BY_DEADLINE); }
#define RACES_OVER(op, poll) \
    TEST(op##_against_its_cancel_##poll) { setenv("LEAT_POLL", #poll, 1); turns_run(__func__, &op, BY_CANCEL); } \
    TEST(op##_against_its_deadline_##poll) { setenv("LEAT_POLL", #poll, 1); turns_run(__func__, &op, BY_DEADLINE); }
#define RACES_IO(op) RACES_OVER(op, epoll) RACES_OVER(op, io_uring)
#endif
