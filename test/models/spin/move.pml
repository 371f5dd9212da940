#include "model.h"
/* move.pml - the only receive end of a buffered channel moves, with what is queued, while a site sends to it.
 *
 * The giver was the home; the taker will be.  The giver becomes a site of the taker that holds all C credits: what is queued is sent
 * first and uses its credits, what it has granted to its own site is used when that site's elements come, and the rest is idle.  From then
 * on it passes on what comes, and gets new credits from the taker for its site, or for a sender of its own.  A message with the end is
 * written before anything of the end itself.  The taker's receiver takes all it gets; the giver's took some before the move.
 * Claims.  Never more than C elements and credits at the home; no element finds the queue full or comes without a credit; each sender's
 * elements are received once and in order; at rest all that was sent has been received and nobody waits. */
#define QUEUE_GOES_LAST BREAK(1)        /* what was queued goes behind what comes after the move */
#define CREDITS_ANEW BREAK(2)           /* the giver has C credits for its site, whatever it has queued or granted */
#define OUT_IS_FORGOTTEN BREAK(3)       /* what it has granted to its site before counts as idle */
#define END_OVERTAKES BREAK(4)          /* an element of the end may come before the message with the end, and is dropped as unknown */
#define MOVES_WITH_A_RECEIVER BREAK(5)  /* a task that waits to receive stays behind */
#define NEED_IS_FORGOTTEN BREAK(6)      /* who waited for a slot when the end moved is not asked for again at the new home */
#ifndef C
#define C 2
#endif
#ifndef SENDS
#define SENDS 3                         /* of the site, and of the giver */
#endif
mtype = { ELEM, OWN, THE_END };
mtype = { Home, Site };
chan a = [C + 1] of { mtype, byte };    /* site to giver */
chan b = [2 * C + 3] of { mtype, byte };        /* giver to taker */
chan queue = [C] of { mtype, byte };    /* the giver's, while it is the home */
chan queue2 = [C] of { mtype, byte };   /* the taker's */
mtype giver = Home;
byte have, waits, out, sent[2], got[2], mine, credits2, need2;     /* site: have; giver: out, mine: idle credits at the taker; taker: credits2 out */
byte have_comes, grant2_comes;          /* frames under way */
bit known, own_waits, need, receiver, stuck, said, moved, need_comes, need2_comes, need2_due;
#define FREE (giver == Home -> C - len(queue) - out : mine)

inline pass(pm, pk) {                     /* the giver has an element, with a credit for it */
    if
    :: giver == Home -> assert(nfull(queue)); queue ! pm(pk)
    :: else -> PUT(b, pm, pk)
    fi
}
inline slot_for_who_waits() {
    if
    :: need && FREE > 0 -> need = 0; out++; have_comes++; mine = (giver == Home -> mine : mine - 1)
    :: else
    fi;
    if
    :: own_waits && FREE > 0 -> own_waits = 0; mine = (giver == Home -> mine : mine - 1); sent[1]++; pass(OWN, sent[1])
    :: else
    fi;
    need2_due = need2_due || (giver == Site && (need || own_waits))
}
proctype Sender() {                     /* at the site */
end:
    do
    :: atomic { sent[0] < SENDS && !waits ->
        if
        :: have > 0 -> have--; sent[0]++; PUT(a, ELEM, sent[0])
        :: else -> waits = 1; need_comes = 1
        fi }
    :: atomic { have_comes > 0 -> have_comes--;
        if
        :: waits -> waits = 0; sent[0]++; PUT(a, ELEM, sent[0])
        :: else -> have++
        fi }
    od
}
proctype Giver() {
    mtype m; byte k;
end:
    do
    :: atomic { need_comes -> need_comes = 0; need = 1; slot_for_who_waits() }
    :: atomic { nempty(a) -> a ? m, k; assert(out > 0); out--; pass(m, k); m = 0; k = 0 }
    :: atomic { sent[1] < SENDS && !own_waits -> own_waits = 1; slot_for_who_waits() }
    :: atomic { giver == Home && nempty(queue) -> queue ? m, k;
        if
        :: m == ELEM -> got[0]++; assert(k == got[0])
        :: m == OWN -> got[1]++; assert(k == got[1])
        fi; m = 0; k = 0; slot_for_who_waits() }
    :: atomic { giver == Home && MOVES_WITH_A_RECEIVER && !receiver && empty(queue) -> receiver = 1 }
    :: atomic { giver == Home && moved == 0 -> moved = 1; mine = (CREDITS_ANEW -> C : C - len(queue) - (OUT_IS_FORGOTTEN -> 0 : out));
        credits2 = C; giver = Site; stuck = receiver;
        if
        :: END_OVERTAKES
        :: else -> PUT(b, THE_END, 0)
        fi;
        do
        :: len(queue) > 0 && !QUEUE_GOES_LAST -> queue ? m, k; PUT(b, m, k)
        :: else -> break
        od; m = 0; k = 0; need2_due = (need || own_waits) && !NEED_IS_FORGOTTEN }
    :: atomic { giver == Site && QUEUE_GOES_LAST && nempty(queue) && empty(b) -> queue ? m, k; PUT(b, m, k); m = 0; k = 0 }
    :: atomic { giver == Site && END_OVERTAKES && !said -> said = 1; PUT(b, THE_END, 0) }
    :: atomic { need2_due -> need2_due = 0; need2_comes = 1 }
    :: atomic { grant2_comes > 0 -> grant2_comes--; mine++; slot_for_who_waits() }
    od
}
proctype Taker() {
    mtype m; byte k;
end:
    do
    :: atomic { nempty(b) -> b ? m, k;
        if
        :: m == THE_END -> known = 1
        :: m != THE_END && known -> assert(credits2 > 0 && nfull(queue2)); credits2--; queue2 ! m(k)
        :: m != THE_END && !known                               /* for an end that is not known */
        fi; m = 0; k = 0 }
    :: atomic { known && nempty(queue2) -> queue2 ? m, k;
        if
        :: m == ELEM -> got[0]++; assert(k == got[0])
        :: m == OWN -> got[1]++; assert(k == got[1])
        fi; m = 0; k = 0 }
    :: atomic { known && need2_comes -> need2_comes = 0; need2 = 1 }
    :: atomic { known && need2 && C - len(queue2) - credits2 > 0 -> credits2++; grant2_comes++; need2 = 0; assert(len(queue2) + credits2 <= C) }
    od
}
proctype Quiet() { timeout -> assert(sent[0] == SENDS && sent[1] == SENDS && got[0] == SENDS && got[1] == SENDS && !stuck) }
init { atomic { choose_broken(); run Sender(); run Giver(); run Taker(); run Quiet() } }
