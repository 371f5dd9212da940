#include "model.h"
/* totals.pml - control frames are totals, due until they are written, over a link that breaks and is made again.
 *
 * A site and the home of a buffered channel, and one session between them.  The site has tasks that come to wait; the home grants.  A frame
 * is due, and is made when it is written, with a number and what is so then; what has been written is kept as it is, and after a
 * break it is sent again from the number that the other side expects.  Elements go the same way.  (That both sides agree about links:
 * session.pml.)  GRANT(granted), NEED(senders waiting, granted as the site has seen it), ELEM.
 * Claims.  What a frame says never goes back; elements come once and in order; at rest the site has seen all that was granted, and
 * nobody waits. */
#define INCREMENTS BREAK(1)             /* GRANT says how many more, and a later one takes the place of one that is not written */
#define WRITTEN_IS_REPLACED BREAK(2)    /* a total takes the place of one that has been written, which may have arrived */
#define NUMBERED_ANEW BREAK(3)          /* what may have arrived gets new numbers after a break */
#define DUE_IS_FORGOTTEN BREAK(4)       /* what becomes due while the link is down is not */
#define SEEN_IS_NOT_SAID BREAK(5)       /* NEED without what the site has seen: the home takes off what it granted since the last NEED */
#ifndef GRANTS
#define GRANTS 4                        /* more than are needed */
#endif
#ifndef COMES
#define COMES 2                         /* times that a task comes to wait */
#endif
#ifndef BREAKS
#define BREAKS 2
#endif
#define MAX 7                           /* frames each way */
mtype = { NEED, ELEM, GRANT };
mtype kind[16]; byte a[16], b[16];      /* frames that were made: side * 8 + number */
byte made[2], written[2], expected[2] = 1;      /* side 0: the site; written: on this link, or before it and arrived */
chan way[2] = [2] of { byte };          /* numbers; the frames are above */
bit due[2], elem_due, up = 1;
byte granted, seen, idle, waits, comes, need, since, elems, put, got, breaks, extra;       /* extra: of INCREMENTS, not yet written */
#define F(side, n) ((side) * 8 + (n))

inline make(side, k, x, y) { made[side]++; assert(made[side] <= MAX); kind[F(side, made[side])] = k; a[F(side, made[side])] = x; b[F(side, made[side])] = y }
inline becomes_due(side) { due[side] = due[side] || up || !DUE_IS_FORGOTTEN }
proctype Writer(bit side) {
end:
    do
    :: atomic { up && nfull(way[side]) && written[side] < made[side] -> written[side]++; way[side] ! written[side] }
    :: atomic { up && nfull(way[side]) && written[side] == made[side] && due[side] -> due[side] = 0;
        if
        :: side == 0 -> make(side, NEED, waits, seen)
        :: side == 1 && INCREMENTS -> make(side, GRANT, extra, 0); extra = 0
        :: side == 1 && !INCREMENTS -> make(side, GRANT, granted, 0)
        fi; written[side]++; way[side] ! written[side] }
    :: atomic { side == 0 && up && nfull(way[0]) && written[0] == made[0] && elem_due -> elem_due = 0; make(side, ELEM, put, 0);
        written[0]++; way[0] ! written[0] }
    :: atomic { WRITTEN_IS_REPLACED && side == 1 && !up && due[1] && made[1] > 0 -> due[1] = 0; a[F(1, made[1])] = granted }
    od
}
proctype Home() {
    byte n;
end:
    do
    :: atomic { granted < GRANTS && need > 0 -> granted++; need--; since++;
        if
        :: INCREMENTS -> extra = 1      /* in the place of what was not written */
        :: else
        fi; becomes_due(1) }
    :: atomic { way[0] ? n ->
        if
        :: n < expected[0] && !NUMBERED_ANEW                    /* seen */
        :: n == expected[0] || NUMBERED_ANEW -> expected[0] = n + 1;
            if
            :: kind[F(0, n)] == NEED -> assert(b[F(0, n)] <= granted);
                if
                :: SEEN_IS_NOT_SAID -> need = (a[F(0, n)] > since -> a[F(0, n)] - since : 0); since = 0
                :: else -> need = (a[F(0, n)] > granted - b[F(0, n)] -> a[F(0, n)] - (granted - b[F(0, n)]) : 0)
                fi
            :: kind[F(0, n)] == ELEM -> got++; assert(a[F(0, n)] == got)
            fi
        :: n > expected[0] && !NUMBERED_ANEW -> assert(false)
        fi; n = 0 }
    od
}
inline use(k) {                         /* k more credits: each is for a task that waits */
    do
    :: k > 0 && waits > 0 -> k--; waits--; elems++
    :: else -> break
    od; idle = idle + k; k = 0
}
proctype Site() {
    byte n, k;
end:
    do
    :: atomic { comes < COMES && elem_due == 0 -> comes++;
        if
        :: idle > 0 -> idle--; elems++
        :: else -> waits++; becomes_due(0)
        fi }
    :: atomic { waits > 0 && comes == COMES -> waits--; comes++; becomes_due(0) }       /* gives up, once */
    :: atomic { elem_due == 0 && elems > put -> put++; elem_due = 1 }
    :: atomic { way[1] ? n ->
        if
        :: n < expected[1]
        :: n == expected[1] -> expected[1]++;
            if
            :: INCREMENTS -> k = a[F(1, n)]; seen = seen + k
            :: else -> assert(a[F(1, n)] >= seen); k = a[F(1, n)] - seen; seen = a[F(1, n)]
            fi; use(k)
        :: n > expected[1] -> assert(NUMBERED_ANEW)
        fi; n = 0 }
    od
}
proctype Links() {
    byte n;
end:
    do
    :: atomic { up && breaks < BREAKS -> breaks++; up = 0 }
    :: atomic { !up -> up = 1;          /* what was under way is lost; both say what they expect */
        do
        :: len(way[0]) > 0 -> way[0] ? n
        :: len(way[1]) > 0 -> way[1] ? n
        :: else -> break
        od; n = 0; written[1] = expected[1] - 1;
        if
        :: NUMBERED_ANEW && written[0] > 0 && expected[0] > written[0] -> written[0] = expected[0] - 2  /* the last may be one that came */
        :: else -> written[0] = expected[0] - 1
        fi }
    od
}
proctype Quiet() {
    timeout -> assert(seen == granted && got == elems); assert(waits == 0 && need == 0)
}
init { atomic { choose_broken(); run Writer(0); run Writer(1); run Home(); run Site(); run Links(); run Quiet() } }
