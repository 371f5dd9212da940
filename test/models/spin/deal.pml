#include "model.h"
/* deal.pml - elements of one queue are dealt to workers that may be lost.
 *
 * Two workers with a window each.  The deal numbers what it takes in, gives it to a worker with room as a call, and hands the result on, in
 * order.  A worker's session may be interrupted (a call then waits, and its answer comes later), or end: then a call of it that has no
 * answer ends, the worker goes on for a while with what it has, and may come again in a new session.  What had no answer is dealt again,
 * under the same number and with a raised attempt; the call has ended before that.
 * Claims.  Each element is finished by a worker at least once, and its result is handed on exactly once, in order.  No two runs of an element
 * have the same attempt.  What is taken in is bounded by the windows.  At rest the deal has ended, if a worker is left. */
#define AGAIN_WHEN_INTERRUPTED BREAK(1) /* an element is dealt again when the link of its worker breaks, and its first call goes on */
#define SAME_ATTEMPT BREAK(2)           /* the attempt is not raised */
#define LOST_IS_DONE BREAK(3)           /* a call that ended without an answer counts as one with an empty one */
#define OLD_SESSION_ANSWERS BREAK(4)    /* an answer of a session that has ended is still taken, by its number */
#define AS_READY BREAK(5)               /* results are handed on as they come */
#define ENDS_WHEN_NOBODY_IS_OUT BREAK(6)        /* the deal ends when all is taken in and no call is out, whatever waits to be dealt again */
#define TAKES_IN_FOR_THE_LOST BREAK(7)  /* the window of a worker that is lost counts as room */
#ifndef N
#define N 3
#endif
#ifndef WINDOW
#define WINDOW 1
#endif
#ifndef LOSSES
#define LOSSES 2                        /* sessions that end, in all */
#endif
#define ATTEMPTS (LOSSES + 2)
mtype = { Away, Up, Broken };
mtype worker[2] = Up;
chan calls[2] = [WINDOW] of { byte, byte, byte };               /* to a worker: element, attempt, session */
chan answers[2] = [2 * WINDOW + LOSSES] of { byte, byte };      /* from it: element, session */
byte session[2];
byte taken, handed, losses, breaks, n_out[2], attempt[N], where[N], again[N], result[N], ran[N * ATTEMPTS], finished[N], given[N];
                                        /* where: the worker it is out at, + 1; again: it waits to be dealt; result: it waits to be handed on */
bit ended;
#define ROOM(w) (worker[w] == Up && n_out[w] < WINDOW)
#define WINDOWS (WINDOW * ((worker[0] != Away || TAKES_IN_FOR_THE_LOST) + (worker[1] != Away || TAKES_IN_FOR_THE_LOST)))

inline give(ge, gw) { where[ge] = gw + 1; n_out[gw]++; again[ge] = 0; calls[gw] ! ge, attempt[ge], session[gw] }
inline hand_on() {
    do
    :: handed < N && result[handed] > 0 && !AS_READY -> result[handed]--; given[handed]++; handed++
    :: else -> break
    od
}
inline has_result(re) {
    where[re] = 0; again[re] = 0;
    if
    :: AS_READY -> assert(re == handed); given[re]++; handed++
    :: else -> result[re]++; assert(given[re] + result[re] == 1); hand_on()
    fi
}
inline lost(w) {                        /* the session has ended: its calls end */
    session[w]++; losses++; worker[w] = Away; n_out[w] = 0; e = 0;
    do
    :: len(calls[w]) > 0 -> calls[w] ? _, _, _
    :: else -> break
    od;
    do
    :: e < N && where[e] == w + 1 -> where[e] = 0;
        if
        :: LOST_IS_DONE -> has_result(e)
        :: else -> again[e] = 1; attempt[e] = attempt[e] + !SAME_ATTEMPT
        fi; e++
    :: e < N && where[e] != w + 1 -> e++
    :: e == N -> break
    od; e = 0
}
inline answer(w) {
    answers[w] ? e, s;
    if
    :: (s == session[w] || OLD_SESSION_ANSWERS) && given[e] + result[e] < 2 ->
        if
        :: s == session[w] && where[e] == w + 1 -> n_out[w]--; has_result(e)
        :: else ->                      /* of a call that has ended, or of one too many */
            if
            :: OLD_SESSION_ANSWERS || AGAIN_WHEN_INTERRUPTED -> has_result(e)
            :: else
            fi
        fi
    :: else
    fi; e = 0; s = 0
}
proctype Deal() {
    byte e, s;
end:
    do
    :: atomic { !ended && taken < N && taken - handed < WINDOWS && (ROOM(0) || ROOM(1) || TAKES_IN_FOR_THE_LOST) -> again[taken] = 1;
        taken++; assert(worker[0] != Away || worker[1] != Away) }
    :: atomic { ROOM(0) && again[0] -> give(0, 0) }
    :: atomic { ROOM(1) && again[0] -> give(0, 1) }
    :: atomic { ROOM(0) && again[1] -> give(1, 0) }
    :: atomic { ROOM(1) && again[1] -> give(1, 1) }
#if N > 2
    :: atomic { ROOM(0) && again[2] -> give(2, 0) }
    :: atomic { ROOM(1) && again[2] -> give(2, 1) }
#endif
    :: atomic { nempty(answers[0]) && worker[0] != Broken -> answer(0) }
    :: atomic { nempty(answers[1]) && worker[1] != Broken -> answer(1) }
    :: atomic { worker[0] != Away && losses < LOSSES -> lost(0) }
    :: atomic { worker[1] != Away && losses < LOSSES -> lost(1) }
    :: atomic { worker[1] == Up && breaks == 0 -> breaks++; worker[1] = Broken;
        if
        :: AGAIN_WHEN_INTERRUPTED && where[0] == 2 -> again[0] = 1; attempt[0]++
        :: else
        fi }
    :: atomic { worker[1] == Broken -> worker[1] = Up }
    :: atomic { worker[0] == Away -> worker[0] = Up }
    :: atomic { !ended && taken == N && (handed == N || (ENDS_WHEN_NOBODY_IS_OUT && n_out[0] + n_out[1] == 0)) -> ended = 1;
        e = 0;
        do
        :: e < N -> assert(given[e] == 1 && finished[e] >= 1); e++
        :: else -> break
        od; e = 0 }
    od
}
proctype Worker(byte w) {
    byte e, a, s;
end:
    do
    :: atomic { calls[w] ? e, a, s -> ran[e * ATTEMPTS + a]++; assert(ran[e * ATTEMPTS + a] == 1) }
       atomic { finished[e]++; assert(nfull(answers[w])); answers[w] ! e, s; e = 0; a = 0; s = 0 }
    od
}
proctype Quiet() { timeout -> assert(ended) }
init { atomic { choose_broken(); run Deal(); run Worker(0); run Worker(1); run Quiet() } }
