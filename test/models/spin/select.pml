#include "model.h"
/* select.pml - rendezvous between three sites, each with selects that send and receive.
 *
 * Channel i is unbuffered, and its home and only receiver is site i.  A site does one thing after another, of any kind: a select that
 * receives from its own channel and offers to one or both others, a plain receive, a plain send.  Between two sites frames keep their
 * order.  NEED and LEAVE stand for NEED(1) and NEED(0).
 * Home alone decides, when an element arrives.  INVITE says that a receiver is ready and reserves nothing.  A select that sends is in
 * TRY from its ELEM until TAKEN or BUSY, and waits for nothing else; one that receives is held up by no sender.  A soft element that
 * finds the only receiver in TRY is held if its sender's id is the lower one.  A firm one (plain send) waits at home.
 * Claims.  A value is taken once if its sender is told so, and never if it is told anything else; a select fires one case.  At rest no
 * sender that is open faces a receiver that is open, and nobody is in the middle of an offer.  PROGRESS: no end of going round without
 * a case that fires (all is finite, so any cycle that is fair to each process is one). */
#define HELD_ALWAYS BREAK(1)            /* a receiver in TRY lets every sender wait: three that wait for each other */
#define INVITE_RESERVES BREAK(2)        /* an invited site's element is taken whatever the receiver does now */
#define BUSY_IS_SILENT BREAK(3)         /* an element that is not taken gets no answer */
#define LEFT_BEHIND BREAK(4)            /* a select that fires forgets what it holds for others */
#define TRY_GIVES_UP BREAK(5)           /* a select in TRY may be cancelled as one in OPEN */
#define HELD_NEVER BREAK(6)             /* PROGRESS: a receiver in TRY answers BUSY to all */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#define AT(a, b) ((a) * 3 + (b))
#define HAS(m, k) (((m) >> (k)) & 1)
mtype = { NEED, LEAVE, INVITE, ELEM, FIRM, TAKEN, BUSY, WITHDRAW, WITHDRAWN };
mtype = { Idle, Open, Try, Firm, Leaving };
chan q[9] = [7] of { mtype };           /* AT(from, to) */
mtype is[3] = Idle;
byte to[3], done[3], offers[3], took[3], cancels = CANCELS;     /* offers: a set of sites; took: times the value in TRY was taken */
bit receives[3], invited[9], needed[9], hint[9];                /* AT(home, site): needed, invited; AT(site, home): hint */
byte held[9];                           /* AT(home, site): 1 soft, 2 firm */

inline part_from(pi, pj) {                /* i's operation is over, as far as j sees */
    if
    :: HAS(offers[pi], pj) -> hint[AT(pi, pj)] = 0; PUT(q[AT(pi, pj)], LEAVE)
    :: else
    fi;
    if
    :: held[AT(pi, pj)] == 1 && !LEFT_BEHIND -> held[AT(pi, pj)] = 0; PUT(q[AT(pi, pj)], BUSY)
    :: else
    fi
}
inline over(oi, oa, ob) { part_from(oi, oa); part_from(oi, ob); is[oi] = Idle; receives[oi] = 0; offers[oi] = 0 }
inline take(ti, tj, ta, tb) { took[tj]++; assert(took[tj] == 1); held[AT(ti, tj)] = 0; PUT(q[AT(ti, tj)], TAKEN); over(ti, ta, tb) }
#define READY(i) (is[i] == Open && receives[i])
inline hear(hi, hj, ha, hb, hm) {            /* i hears m from j */
    if
    :: hm == NEED -> needed[AT(hi, hj)] = 1
    :: hm == LEAVE -> needed[AT(hi, hj)] = 0; invited[AT(hi, hj)] = 0
    :: hm == INVITE -> hint[AT(hi, hj)] = HAS(offers[hi], hj)        /* stale: LEAVE is on its way */
    :: hm == ELEM && (READY(hi) || (INVITE_RESERVES && invited[AT(hi, hj)])) -> invited[AT(hi, hj)] = 0; take(hi, hj, ha, hb)
    :: hm == ELEM && !READY(hi) && !(INVITE_RESERVES && invited[AT(hi, hj)]) -> invited[AT(hi, hj)] = 0;
        if
        :: is[hi] == Try && receives[hi] && (hj < hi || HELD_ALWAYS) && !HELD_NEVER -> held[AT(hi, hj)] = 1
        :: else ->
            if
            :: BUSY_IS_SILENT
            :: else -> PUT(q[AT(hi, hj)], BUSY)
            fi
        fi
    :: hm == FIRM ->
        if
        :: READY(hi) -> take(hi, hj, ha, hb)
        :: else -> held[AT(hi, hj)] = 2
        fi
    :: hm == WITHDRAW ->
        if
        :: held[AT(hi, hj)] == 2 -> held[AT(hi, hj)] = 0; PUT(q[AT(hi, hj)], WITHDRAWN)
        :: else                         /* TAKEN is on its way */
        fi
    :: hm == TAKEN -> assert(took[hi] == 1 && to[hi] == hj && is[hi] != Idle && is[hi] != Open); took[hi] = 0; over(hi, ha, hb)
    :: hm == BUSY -> assert(took[hi] == 0 && to[hi] == hj && is[hi] == Try); is[hi] = Open
    :: hm == WITHDRAWN -> assert(took[hi] == 0 && is[hi] == Leaving); over(hi, ha, hb)
    fi
}
inline about(x, y, u, v) {              /* what i may do about its neighbour j */
    if
    :: atomic { q[AT(y, x)] ? m -> hear(x, y, u, v, m); m = 0 }
    :: atomic { READY(x) && held[AT(x, y)] -> take(x, y, u, v) }
    :: atomic { READY(x) && needed[AT(x, y)] && !invited[AT(x, y)] -> invited[AT(x, y)] = 1; PUT(q[AT(x, y)], INVITE) }
    :: atomic { is[x] == Open && hint[AT(x, y)] && !(receives[x] && (held[AT(x, u)] || held[AT(x, v)])) ->    /* local cases first */
        hint[AT(x, y)] = 0; to[x] = y; is[x] = Try; PUT(q[AT(x, y)], ELEM) }
    fi
}
inline begin(bi, r, set) { receives[bi] = r; offers[bi] = set; is[bi] = Open }
inline begin_firm(fi_, fj) { is[fi_] = Firm; to[fi_] = fj; PUT(q[AT(fi_, fj)], FIRM) }
proctype Site(byte i, a, b) {
    mtype m;
end:
    do
    :: about(i, a, a, b)
    :: about(i, b, a, b)
    :: atomic { is[i] == Idle && done[i] < ROUNDS -> done[i]++;
        if
        :: begin(i, 1, (1 << a) | (1 << b))
#ifndef FULL
        :: begin(i, 1, 0)
        :: begin(i, 1, 1 << a)
        :: begin(i, 1, 1 << b)
        :: begin(i, 0, (1 << a) | (1 << b))
        :: begin_firm(i, a)
        :: begin_firm(i, b)
#endif
        fi;
        if
        :: HAS(offers[i], a) -> PUT(q[AT(i, a)], NEED)
        :: else
        fi;
        if
        :: HAS(offers[i], b) -> PUT(q[AT(i, b)], NEED)
        :: else
        fi }
    :: atomic { (is[i] == Open || (TRY_GIVES_UP && is[i] == Try)) && cancels > 0 -> cancels--; assert(took[i] == 0); over(i, a, b) }
    :: atomic { is[i] == Firm && cancels > 0 -> cancels--; is[i] = Leaving; PUT(q[AT(i, to[i])], WITHDRAW) }
    od
}
#define FACE(i, j) (((is[i] == Open && HAS(offers[i], j)) || (is[i] == Firm && to[i] == j)) && READY(j))
#define STUCK(i) (is[i] == Try || is[i] == Leaving)
proctype Quiet() {
    timeout -> assert(!(FACE(0, 1) || FACE(1, 0) || FACE(0, 2) || FACE(2, 0) || FACE(1, 2) || FACE(2, 1)));
    assert(!(STUCK(0) || STUCK(1) || STUCK(2)))
}
init { atomic { choose_broken();
    if
    :: cancels = 0
    :: true
    fi;
    run Site(0, 1, 2); run Site(1, 0, 2); run Site(2, 0, 1); run Quiet() } }
