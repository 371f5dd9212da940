#include "model.h"
/* window.pml - bytes under way from one site, and flush.
 *
 * A send at a site is complete when it has a credit; its element then waits in the backlog until the window is open.  That is so while
 * fewer than WINDOW bytes are under way, so one element of any size may go once nothing is.  The home says what it has accepted when TELL
 * bytes more have come, with each GRANT, and in answer to FLUSH, which goes behind what was sent before it.
 * The program sends C elements of any sizes and only then tells its receiver to begin (that is legal in a process, so it is here); then
 * it sends the rest, and flushes, while nobody receives any more.
 * Claims.  At rest the program has come to its end; when flush returns, what was sent before it is in the channel at the home. */
#define COMPLETION_WAITS BREAK(1)       /* a send is complete only when the window takes it, which the receiver's taking opens */
#define ONLY_WHAT_FITS BREAK(2)         /* an element goes only if it fits in what is left of the window */
#define TELL_IS_RARE BREAK(3)           /* the home waits for more bytes than a window has before it says what it has accepted */
#define FLUSH_OVERTAKES BREAK(4)        /* FLUSH goes before what waits in the backlog, and its answer is enough */
#define FLUSH_ASKS_NOBODY BREAK(5)      /* flush waits for what the home says anyway */
#ifndef C
#define C 3
#endif
#ifndef SENDS
#define SENDS 5
#endif
#define WINDOW 3
#define BIG 5
#define TELL (TELL_IS_RARE -> 9 : 2)
mtype = { ELEM, FLUSH };
chan backlog = [SENDS] of { byte };     /* sizes */
chan up = [SENDS + 1] of { mtype, byte };
chan down = [2 * SENDS] of { byte, byte, byte };        /* credits, accepted, bytes */
byte credits = C, completed, sent, sent_bytes, seen, seen_bytes;        /* the site */
byte queued, accepted, bytes, bytes_told, taken;                        /* the home */
bit receiving, flush_due, answer, finished;
#define OPEN(n) (ONLY_WHAT_FITS -> sent_bytes - seen_bytes + n <= WINDOW : sent_bytes - seen_bytes < WINDOW)

proctype Program() {
    byte n;
    do
    :: atomic { completed < SENDS && credits > 0 && (!COMPLETION_WAITS || (empty(backlog) && OPEN(1))) -> credits--; completed++;
        if
        :: n = 1
        :: n = BIG
        fi; backlog ! n; n = 0; receiving = receiving || completed == C }
    :: atomic { completed == SENDS -> flush_due = !FLUSH_ASKS_NOBODY; break }
    od;
    atomic { (seen == SENDS || (FLUSH_OVERTAKES && answer && completed == SENDS)) -> assert(accepted == SENDS); finished = 1 }
}
proctype Writer() {
    byte n;
end:
    do
    :: atomic { nempty(backlog) && (backlog ? [1] && OPEN(1) || backlog ? [BIG] && OPEN(BIG)) -> backlog ? n;
        sent++; sent_bytes = sent_bytes + n; PUT(up, ELEM(n)); n = 0 }
    :: atomic { flush_due && (empty(backlog) || FLUSH_OVERTAKES) -> flush_due = 0; PUT(up, FLUSH(0)) }
    od
}
proctype Site() {
    byte k;
end:
    do
    :: atomic { down ? k, seen, seen_bytes -> credits = credits + k; answer = answer || k == 0; k = 0 }
    od
}
inline says() { bytes_told = bytes; PUT(down, 0, accepted, (COMPLETION_WAITS && !receiving -> 0 : bytes)) }
proctype Home() {
    mtype m; byte n;
end:
    do
    :: atomic { up ? m, n ->
        if
        :: m == ELEM -> assert(queued < C); queued++; accepted++; bytes = bytes + n;
            if
            :: bytes - bytes_told >= TELL -> says()
            :: else
            fi
        :: m == FLUSH -> says()
        fi; n = 0; m = 0 }
    :: atomic { receiving && queued > 0 && taken < SENDS - C -> taken++; queued--; bytes_told = bytes; PUT(down, 1, accepted, bytes) }
    od
}
proctype Quiet() { timeout -> assert(finished) }
init { atomic { choose_broken(); run Program(); run Writer(); run Site(); run Home(); run Quiet() } }
