#include "model.h"
/* session.pml - a session outlives its links.
 *
 * A dialer sends elements 1..N to an acceptor over up to LINKS links, one after the other.  Both ways of a link keep the order; when it
 * breaks, what was under way is lost from some point on, and each side notices when it likes: the acceptor may still read the old link
 * while the next is made, and the hellos of two links may come to it in either order.  Either side may start again, once: a new
 * incarnation, which knows nothing; the dialer's makes a new session.
 * Claims.  The acceptor takes 1, 2, 3 ... without gap or double, and no element of a session is taken by two incarnations.  What the
 * dialer believes to be taken was taken by the incarnation that welcomed it.  At rest, with a link left and nobody started again, all
 * has been taken; and no session is called dead unless somebody has started again. */
#define NO_RESUMED_BIT BREAK(1)         /* an unknown session is made whatever the hello says, and incarnations are not compared */
#define DATA_BEFORE_WELCOME BREAK(2)    /* the dialer sends data right behind its hello */
#define NO_ATTEMPT BREAK(3)             /* a hello that is late takes the session from the link that was made after it */
#define OLD_LINK_IS_READ BREAK(4)       /* what comes on a link that has been replaced still counts, by its number alone */
#define RESEND_FROM_OWN_COUNT BREAK(5)  /* the dialer goes on behind what it has written, not at what the WELCOME expects */
#ifndef N
#define N 2
#endif
#ifndef LINKS
#define LINKS 3
#endif
#define NONE 255
mtype = { HELLO, WELCOME, DEAD, DATA, ACK };
chan up[LINKS] = [3] of { mtype, byte, byte, bit, byte };       /* kind, session, attempt or number, resumed, acceptor's incarnation */
chan down[LINKS] = [3] of { mtype, byte, byte };                /* kind, acceptor's incarnation, expected */
bit cut[LINKS];                         /* nothing more goes in; what is in may still come out */
bit may_restart_d, may_restart_a;
byte d_inc = 1, a_inc = 1;              /* incarnations; the dialer's is also its session's id */
byte taker[8];                          /* by (session - 1) * 4 + number: the acceptor's incarnation that took it */
#define TAKER(s, n) taker[((s) - 1) * 4 + (n)]

/* the dialer */
byte links, link = NONE, acked, written, peer;                  /* peer: who welcomed it */
bit welcomed, ready, dead;              /* ever in this session; on this link; it has ended */

inline hang_up() { cut[link] = 1; link = NONE; ready = 0 }

proctype Dialer() {
    byte inc, e;
end:
    do
    :: atomic { !dead && link == NONE && links < LINKS -> link = links; links++; ready = 0;
        if
        :: RESEND_FROM_OWN_COUNT
        :: else -> written = acked
        fi;
        up[link] ! HELLO(d_inc, link + 1, welcomed, peer) }
    :: atomic { !dead && link != NONE && (ready || DATA_BEFORE_WELCOME) && written < N && nfull(up[link]) ->
        written++; up[link] ! DATA(d_inc, written, 0, 0) }
    :: atomic { link != NONE && down[link] ? [WELCOME(inc, e)] -> down[link] ? WELCOME(inc, e);
        if
        :: welcomed && inc != peer && !NO_RESUMED_BIT -> dead = 1; hang_up()
        :: else -> welcomed = 1; peer = inc; ready = 1;
            assert(NO_RESUMED_BIT || e > acked);                /* one incarnation never goes back */
            acked = e - 1; assert(acked == 0 || TAKER(d_inc, acked) == inc);
            written = (written > acked -> written : acked)
        fi; inc = 0; e = 0 }
    :: atomic { link != NONE && down[link] ? [ACK(inc, e)] -> down[link] ? ACK(inc, e);
        acked = (e - 1 > acked -> e - 1 : acked); assert(acked == 0 || TAKER(d_inc, acked) == peer); inc = 0; e = 0 }
    :: atomic { link != NONE && down[link] ? [DEAD(inc, e)] -> down[link] ? DEAD(inc, e);
        assert(a_inc == 2); dead = 1; hang_up(); inc = 0; e = 0 }
    :: atomic { link != NONE && links < LINKS -> hang_up() }    /* the link breaks, if it is not the last */
    :: atomic { d_inc == 1 && may_restart_d -> d_inc = 2; dead = 0; welcomed = 0; peer = 0; acked = 0; written = 0;
        if
        :: link != NONE -> hang_up()
        :: else
        fi }
    od
}

/* the acceptor: by session - 1 */
byte expect[2], attempt[2], current[2] = NONE;
bit known[2];

inline on_hello(l, s, at, again, inc) {
    if
    :: !known[s] && (!again || NO_RESUMED_BIT) -> known[s] = 1; expect[s] = 1; attempt[s] = at; current[s] = l;
        down[l] ! WELCOME(a_inc, 1)
    :: known[s] && (again -> inc == a_inc : expect[s] == 1) && (at > attempt[s] || NO_ATTEMPT) ->
        attempt[s] = at; current[s] = l; down[l] ! WELCOME(a_inc, expect[s])
    :: known[s] && at < attempt[s] && !NO_ATTEMPT -> cut[l] = 1 /* late: the link goes, the session stays */
    :: else -> down[l] ! DEAD(a_inc, 0)
    fi
}
inline on_data(l, s, n) {
    if
    :: n == expect[s] -> expect[s] = n + 1;
        assert(TAKER(s + 1, n) == 0); TAKER(s + 1, n) = a_inc;
        if
        :: !cut[l] && len(down[l]) < 3 -> down[l] ! ACK(a_inc, expect[s])
        :: true                         /* acknowledged later */
        fi
    :: n < expect[s]                    /* seen */
    :: n > expect[s] -> assert(broken); cut[l] = 1; current[s] = NONE
    fi
}
inline hear(l) {                        /* one frame, or the break eats what there is */
    if
    :: up[l] ? k, s, n, again, inc -> s--;
        if
        :: k == HELLO -> on_hello(l, s, n, again, inc)
        :: k == DATA && known[s] && (current[s] == l || OLD_LINK_IS_READ) -> on_data(l, s, n)
        :: else
        fi
    :: cut[l] -> do
        :: len(up[l]) > 0 -> up[l] ? k, s, n, again, inc
        :: else -> break
        od
    fi; k = 0; s = 0; n = 0; again = 0; inc = 0
}
proctype Acceptor() {
    byte s, n, inc; bit again; mtype k;
end:
    do
    :: atomic { nempty(up[0]) -> hear(0) }
    :: atomic { nempty(up[1]) -> hear(1) }
#if LINKS > 2
    :: atomic { nempty(up[2]) -> hear(2) }
#endif
#if LINKS > 3
    :: atomic { nempty(up[3]) -> hear(3) }
#endif
    :: atomic { a_inc == 1 && may_restart_a -> a_inc = 2; known[0] = 0; known[1] = 0; expect[0] = 0; expect[1] = 0;
        attempt[0] = 0; attempt[1] = 0; current[0] = NONE; current[1] = NONE }
    od
}
proctype Quiet() { timeout -> assert(dead || link == NONE || a_inc == 2 || TAKER(d_inc, N) != 0) }
init { atomic { choose_broken(); select (may_restart_d : 0 .. 1); select (may_restart_a : 0 .. 1);
    run Dialer(); run Acceptor(); run Quiet() } }
