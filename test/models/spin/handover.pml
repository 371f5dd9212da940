#include "model.h"
/* handover.pml - the only receive end of an unbuffered channel moves, while a site offers.
 *
 * A site with one task, which sends plainly (and may withdraw) or by a select; the giver, which was the home; the taker, which will be.
 * The giver becomes a relay: an offer that waits with it is made again further up and answered when that one is, an invitation goes on, a
 * select that stands behind it stands for it above.  What the giver had answered before it moved is settled: TAKEN and BUSY are on
 * their way and stay true.  The message with the end goes before anything of the end.
 * Claims.  An offer is taken once if its sender is told so, and never if it is told anything else.  At rest nobody waits for an answer,
 * and no receiver that is ready faces a sender. */
#define OFFER_STAYS BREAK(1)            /* what waits at the giver is not offered again */
#define ANSWERED_AT_ONCE BREAK(2)       /* the giver answers TAKEN for an offer that it has only passed on */
#define SELECT_IS_FORGOTTEN BREAK(3)    /* a select that stood behind the giver is not told to the taker */
#define WITHDRAWN_AT_ONCE BREAK(4)      /* the giver answers WITHDRAW itself, though the offer is further up */
#define TAKEN_IS_NOT_SETTLED BREAK(5)   /* an offer whose TAKEN is on its way is offered again */
#define PLEDGE_IS_LOST BREAK(6)         /* an invitation that went on to a select which needs it no more is not the giver's again */
#ifndef SENDS
#define SENDS 2
#endif
mtype = { NEED, SOFT, FIRM, WITHDRAW, INVITE, TAKEN, BUSY, WITHDRAWN, THE_END };
mtype = { Idle, Open, Trying, Firm };
mtype = { Taken, Not };
chan a = [4 * SENDS] of { mtype, byte };        /* site to giver: kind, n of NEED or number of an offer */
chan ra = [4 * SENDS] of { mtype, byte };       /* giver to site */
chan b = [4 * SENDS] of { mtype, byte };        /* giver to taker */
chan rb = [4 * SENDS] of { mtype, byte };
mtype task = Idle;
byte n, got[SENDS + 1], takes = SENDS, cancels = 1, whims = 1;     /* n: the send and its number */
bit hint, left, moved, known;
/* the giver */
byte held, need, last; bit invited, g_ready, h_soft, up_out, up_hint, pledged, due;    /* held: an offer it has not answered; up_out: it is further up */
/* the taker */
byte t_held, t_need; bit t_invited, t_ready;

inline told(what) { assert(what == Taken -> got[n] == 1 : got[n] == 0); task = Idle; left = 0 }
proctype Site() {
    mtype m; byte k;
end:
    do
    :: atomic { task == Idle && n < SENDS -> n++;
        if
        :: task = Open; PUT(a, NEED, 1)
        :: task = Firm; PUT(a, FIRM, n)
        fi }
    :: atomic { task == Open && hint -> hint = 0; task = Trying; PUT(a, SOFT, n) }
    :: atomic { task == Open && cancels > 0 -> cancels--; hint = 0; PUT(a, NEED, 0); told(Not) }
    :: atomic { task == Firm && !left && cancels > 0 -> cancels--; left = 1; PUT(a, WITHDRAW, n) }
    :: atomic { nempty(ra) -> ra ? m, k;
        if
        :: m == INVITE -> hint = task == Open
        :: m == TAKEN -> assert(k == n);
            if
            :: task == Trying -> PUT(a, NEED, 0)
            :: else
            fi; told(Taken)
        :: m == BUSY -> assert(k == n && task == Trying); task = Open
        :: m == WITHDRAWN -> assert(k == n && task == Firm); told(Not)
        fi; m = 0; k = 0 }
    od
}
inline g_takes(gk) { got[gk]++; assert(got[gk] == 1); g_ready = 0; last = gk; PUT(ra, TAKEN, gk) }
inline offer_up() { up_out = 1; PUT(b, (h_soft -> SOFT : FIRM), held) }
inline stands() { due = 1 }
proctype Giver() {
    mtype m; byte k;
end:
    do
    :: atomic { !moved && !g_ready && takes > 0 -> takes--; g_ready = 1;
        if
        :: held -> k = held; held = 0; g_takes(k); k = 0
        :: else
        fi }
    :: atomic { !moved && g_ready && whims > 0 -> g_ready = 0; takes++; whims-- }     /* it stops waiting */
    :: atomic { !moved && g_ready && need && !invited -> invited = 1; PUT(ra, INVITE, 0) }
    :: atomic { !moved && !g_ready -> moved = 1; PUT(b, THE_END, 0);
        if
        :: need && !SELECT_IS_FORGOTTEN -> stands()
        :: else
        fi;
        if
        :: TAKEN_IS_NOT_SETTLED && last && !held && ra ?? [TAKEN(_)] -> held = last; h_soft = 0; offer_up()
        :: held && !OFFER_STAYS -> offer_up()
        :: else
        fi }
    :: atomic { due && nfull(b) -> due = 0; PUT(b, NEED, need);
        if
        :: need == 0 -> up_hint = 0
        :: else
        fi }
    :: atomic { moved && up_hint && need && !held -> up_hint = 0; pledged = 1; PUT(ra, INVITE, 0) }       /* goes on */
    :: atomic { nempty(a) -> a ? m, k;
        if
        :: m == NEED -> need = k; invited = invited && k; up_hint = up_hint || (pledged && !k && !PLEDGE_IS_LOST); pledged = pledged && k;
            if
            :: moved -> stands()
            :: else
            fi
        :: m == FIRM || m == SOFT -> assert(!held); invited = 0; pledged = 0; h_soft = m == SOFT;
            if
            :: !moved && g_ready -> g_takes(k)
            :: !moved && !g_ready && m == SOFT -> PUT(ra, BUSY, k)
            :: !moved && !g_ready && m == FIRM -> held = k
            :: moved -> held = k; offer_up();
                if
                :: ANSWERED_AT_ONCE -> PUT(ra, TAKEN, k)
                :: else
                fi
            fi
        :: m == WITHDRAW ->
            if
            :: held == k && (!moved || WITHDRAWN_AT_ONCE) -> held = 0; PUT(ra, WITHDRAWN, k)
            :: held == k && moved && !WITHDRAWN_AT_ONCE && up_out -> PUT(b, WITHDRAW, k)
            :: else
            fi
        fi; m = 0; k = 0 }
    :: atomic { nempty(rb) -> rb ? m, k;
        if
        :: m == INVITE -> up_hint = need > 0 || due
        :: m != INVITE -> up_out = 0;
            if
            :: held == k -> held = 0;
                if
                :: ANSWERED_AT_ONCE
                :: else -> PUT(ra, m, k)
                fi
            :: else
            fi
        fi; m = 0; k = 0 }
    od
}
inline t_takes(tk) { got[tk]++; assert(got[tk] == 1); t_ready = 0; t_held = 0; PUT(rb, TAKEN, tk) }
proctype Taker() {
    mtype m; byte k;
end:
    do
    :: atomic { known && !t_ready && takes > 0 -> takes--; t_ready = 1;
        if
        :: t_held -> k = t_held; t_takes(k); k = 0
        :: else
        fi }
    :: atomic { known && t_ready && t_need && !t_invited -> t_invited = 1; PUT(rb, INVITE, 0) }
    :: atomic { nempty(b) -> b ? m, k;
        if
        :: m == THE_END -> known = 1
        :: m == NEED -> assert(known); t_need = k; t_invited = t_invited && k
        :: m == FIRM || m == SOFT -> assert(known && !t_held); t_invited = 0;
            if
            :: t_ready -> t_takes(k)
            :: !t_ready && m == SOFT -> PUT(rb, BUSY, k)
            :: !t_ready && m == FIRM -> t_held = k
            fi
        :: m == WITHDRAW ->
            if
            :: t_held == k -> t_held = 0; PUT(rb, WITHDRAWN, k)
            :: else
            fi
        fi; m = 0; k = 0 }
    od
}
proctype Quiet() {
    timeout -> assert(task != Trying && !left); assert(!((t_ready || g_ready) && (task == Open || task == Firm)))
}
init { atomic { choose_broken(); run Site(); run Giver(); run Taker(); run Quiet() } }
