#include "model.h"
/* refs.pml - who still knows an end of a channel: ids, ends inside elements, DROP.
 *
 * Two nodes and one session.  A sends elements, each with a new end inside, in a lane that has room for one; the home of the new
 * ends is A, so B is a site of each.  B also makes ends, by ATTACH.  An element may be taken back before it is sent (its lock could not be had, or the session is
 * full), it may lie in B's queue and be dropped with it, and what B receives it drops when it likes.  A sends control frames of an
 * end when it likes; B answers each.  DROP and they cross.  A frame for an id that is not known is ignored.  Ids count up.
 * `gen` is the end that a frame means, which no frame carries.
 * Claims.  A frame is taken by the end that it means.  A session never ends over a frame.  At rest, when B has dropped all, neither side
 * knows an end; no end waits for an answer that was lost. */
#define ID_IS_USED_AGAIN BREAK(1)       /* B attaches with the id of an end that it has just dropped */
#define UNKNOWN_ENDS_ALL BREAK(2)       /* a frame for an unknown id ends the session */
#define DROPPED_WITH_ITS_QUEUE BREAK(3) /* an element that nobody received is forgotten with the ends inside */
#define TAKEN_BACK_STAYS BREAK(4)       /* an element that is taken back leaves its end in A's table */
#define OVERTAKES_ITS_BIRTH BREAK(5)    /* a control frame of an end may go before the element that it came in */
#ifndef ENDS
#define ENDS 3
#endif
#ifndef GRANTS
#define GRANTS 2                        /* control frames in all */
#endif
#define IDS 5                           /* 0 to 2: made by A; 3, 4: by B */
mtype = { ELEM, ATTACH, GRANT, ANSWER, DROP };
chan down = [4] of { mtype, byte, byte };       /* kind, id, gen */
chan ctl = [2] of { mtype, byte, byte };        /* what overtakes */
chan up = [10] of { mtype, byte, byte };
byte a_gen[IDS], b_gen[IDS];            /* by id: the end that is known by it, counted from 1; 0: none */
byte made, queued_id, queued, grants = GRANTS, attached, waits[ENDS + 3];
bit b_closed, over, had[ENDS + 3];

proctype A() {
    mtype m; byte id, g;
end:
    do
    :: atomic { made < ENDS && nfull(down) -> made++; id = made - 1; a_gen[id] = made;
        if
        :: PUT(down, ELEM, id, made)
        :: TAKEN_BACK_STAYS             /* taken back */
        :: !TAKEN_BACK_STAYS -> a_gen[id] = 0
        fi; id = 0 }
    :: atomic { grants > 0 && a_gen[0] && len(down) < 4 && nfull(ctl) && !waits[a_gen[0]] -> grants--; waits[a_gen[0]] = 1;
        if
        :: OVERTAKES_ITS_BIRTH -> ctl ! GRANT(0, a_gen[0])
        :: else -> down ! GRANT(0, a_gen[0])
        fi }
    :: atomic { grants > 0 && a_gen[1] && len(down) < 4 && nfull(ctl) && !waits[a_gen[1]] -> grants--; waits[a_gen[1]] = 1;
        if
        :: OVERTAKES_ITS_BIRTH -> ctl ! GRANT(1, a_gen[1])
        :: else -> down ! GRANT(1, a_gen[1])
        fi }
    :: atomic { grants > 0 && a_gen[3] && len(down) < 4 && !waits[a_gen[3]] -> grants--; waits[a_gen[3]] = 1; down ! GRANT(3, a_gen[3]) }
    :: atomic { grants > 0 && a_gen[4] && len(down) < 4 && !waits[a_gen[4]] -> grants--; waits[a_gen[4]] = 1; down ! GRANT(4, a_gen[4]) }
    :: atomic { nempty(up) -> up ? m, id, g;
        if
        :: m == ATTACH -> assert(a_gen[id] == 0); a_gen[id] = g
        :: m != ATTACH && a_gen[id] == 0 -> over = over || UNKNOWN_ENDS_ALL
        :: m != ATTACH && a_gen[id] != 0 -> assert(a_gen[id] == g);
            if
            :: m == ANSWER -> waits[g] = 0
            :: m == DROP -> a_gen[id] = 0; waits[g] = 0
            fi
        fi; m = 0; id = 0; g = 0 }
    od
}
inline hear(q) {
    q ? m, id, g;
    if
    :: m == ELEM -> assert(b_gen[id] == 0); b_gen[id] = g; had[g] = 1;
        if
        :: b_closed -> drop(id)         /* nobody will receive it */
        :: else -> queued = g; queued_id = id
        fi
    :: m == GRANT && b_gen[id] == 0 -> assert(had[g]); over = over || UNKNOWN_ENDS_ALL
    :: m == GRANT && b_gen[id] != 0 -> assert(b_gen[id] == g); PUT(up, ANSWER, id, g)
    fi; m = 0; id = 0; g = 0
}
inline drop(d) {
    if
    :: DROPPED_WITH_ITS_QUEUE && (b_closed) -> b_gen[d] = b_gen[d]
    :: else -> PUT(up, DROP, d, b_gen[d]); b_gen[d] = 0
    fi
}
proctype B() {
    mtype m; byte id, g;
end:
    do
    :: atomic { nempty(ctl) -> hear(ctl) }
    :: atomic { nempty(down) && (!queued || b_closed || down ? [GRANT, _, _]) -> hear(down) }
    :: atomic { attached < 2 && b_gen[2 + (ID_IS_USED_AGAIN -> 1 : attached + 1)] == 0 -> attached++; id = (ID_IS_USED_AGAIN -> 3 : 2 + attached);
        b_gen[id] = ENDS + attached; had[ENDS + attached] = 1; PUT(up, ATTACH, id, ENDS + attached); id = 0 }
    :: atomic { b_gen[3] -> drop(3) }
    :: atomic { b_gen[4] -> drop(4) }
    :: atomic { queued -> queued = 0; queued_id = 0 }           /* received: the program has it now */
    :: atomic { !b_closed -> b_closed = 1;
        if
        :: queued -> drop(queued_id); queued = 0; queued_id = 0
        :: else
        fi }
    :: atomic { b_gen[0] && !(queued && queued_id == 0) && !DROPPED_WITH_ITS_QUEUE -> drop(0) }
    :: atomic { b_gen[1] && !(queued && queued_id == 1) && !DROPPED_WITH_ITS_QUEUE -> drop(1) }
    :: atomic { b_gen[2] && !(queued && queued_id == 2) && !DROPPED_WITH_ITS_QUEUE -> drop(2) }
    od
}
proctype Quiet() {
    timeout -> assert(!over); assert(!a_gen[0] && !a_gen[1] && !a_gen[2] && !b_gen[0] && !b_gen[1] && !b_gen[2]);
    assert(!a_gen[3] && !a_gen[4] && !b_gen[3] && !b_gen[4] && !waits[1] && !waits[2] && !waits[3] && !waits[4] && !waits[5])
}
init { atomic { choose_broken(); run A(); run B(); run Quiet() } }
