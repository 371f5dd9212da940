#include "model.h"
/* loss.pml - an offer on an unbuffered channel whose session ends: is what its sender is told true?
 *
 * A site with one task, which sends twice: a plain send (firm), or a select whose only case is this (OPEN, TRY; it may also leave).  The
 * home has one receiver: plain, or a select that may be in TRY elsewhere.  The session may end at any moment; each side notices when it
 * likes, and what is under way may still arrive until then, or not.  The task may be cancelled: in OPEN it leaves at once, after that it
 * sends WITHDRAW and waits for a while (settle), at last it gives up.  A session's end is final; links that break and are made again do not
 * show (session.pml).
 * Claims.  Told OK: it was received, once.  Told NO (cancelled, not sent, peer lost and certain): it was not and never will be.  Told
 * PERHAPS: either; and only in TRY, or as a plain sender whose offer was written.  Nothing is taken from a site that is known to be lost.
 * At rest nobody waits for an answer. */
#define TRY_LOST_IS_NO BREAK(1)         /* the end of the session in TRY is told as: not sent */
#define LATE_IS_NO BREAK(2)             /* who has waited for WITHDRAWN long enough is told: not sent */
#define WITHDRAW_IS_ENOUGH BREAK(3)     /* a cancel returns when WITHDRAW is sent, without its answer */
#define LOST_STILL_WAITS BREAK(4)       /* what waits at home outlives its site */
#define NEXT_BEFORE_ANSWER BREAK(5)     /* who has given up frees the site for the next offer, though the first is unanswered */
#define OPEN_IS_FORGOTTEN BREAK(6)      /* a select in OPEN is not told that its peer is lost */
#define WITHDRAWN_WHEN_TAKEN BREAK(7)   /* the home answers every WITHDRAW with WITHDRAWN */
#define CANCEL_IN_OPEN_ASKS BREAK(8)    /* a select in OPEN that is cancelled waits for an answer */
#ifndef SENDS
#define SENDS 2
#endif
mtype = { NEED, LEAVE, SOFT, FIRM, WITHDRAW, INVITE, TAKEN, BUSY, WITHDRAWN };
mtype = { Idle, Open, Trying, Firm, Leaving, Asking, Plain, Gone };
mtype = { Ok, No, Perhaps };
chan up = [3 * SENDS] of { mtype, byte };
chan down = [SENDS + 2] of { mtype, byte };
mtype task = Idle, rcv = Idle, told[SENDS + 1];
byte n, received[SENDS + 1], held, recvs = SENDS, whims = 1, cancels;      /* n: the send, which is also the number of its offer; held: an offer */
bit over, site_knows, home_knows, unanswered, hint, need, invited, held_soft, left, may_end;

inline tell(what) {
    told[n] = what; assert(what != No || received[n] == 0); assert(what != Ok || received[n] == 1); task = Idle; left = 0
}
inline send_up(um, uk) {
    if
    :: over                             /* into a link that is no more */
    :: else -> PUT(up, um, uk)
    fi
}
inline send_down(dm, dk) {
    if
    :: over
    :: else -> PUT(down, dm, dk)
    fi
}
proctype Task() {
    mtype m; byte k;
end:
    do
    :: atomic { task == Idle && n < SENDS && !site_knows && (!unanswered || NEXT_BEFORE_ANSWER) -> n++;
        if
        :: task = Open; send_up(NEED, 0)
        :: task = Firm; unanswered = 1; send_up(FIRM, n)
        fi }
    :: atomic { task == Open && hint && !unanswered -> hint = 0; task = Trying; unanswered = 1; send_up(SOFT, n) }
    :: atomic { task == Open && !left && cancels > 0 -> cancels--;                     /* cancelled, or another case */
        if
        :: CANCEL_IN_OPEN_ASKS -> left = 1
        :: else -> hint = 0; send_up(LEAVE, 0); tell(No)
        fi }
    :: atomic { (task == Firm || task == Trying) && !left && cancels > 0 -> cancels--; left = 1; send_up(WITHDRAW, n);
        if
        :: WITHDRAW_IS_ENOUGH -> tell(No)
        :: else
        fi }
    :: atomic { (task == Firm || task == Trying) && left ->     /* settle is over */
        if
        :: LATE_IS_NO -> tell(No)
        :: else -> tell(Perhaps)
        fi }
    :: atomic { !site_knows && nempty(down) -> down ? m, k;
        if
        :: m == INVITE -> hint = task == Open
        :: m == TAKEN && k == n && (task == Firm || task == Trying) -> unanswered = 0; tell(Ok)
        :: m == BUSY && k == n && task == Trying && !left -> unanswered = 0; task = Open
        :: (m == BUSY || m == WITHDRAWN) && k == n && (task == Firm || task == Trying) && (left || m == WITHDRAWN) -> unanswered = 0; tell(No)
        :: else -> assert(k < n || task == Idle); unanswered = 0
        fi; m = 0; k = 0 }
    :: atomic { over && !site_knows -> site_knows = 1; hint = 0; unanswered = 0;
        if
        :: task == Open && !OPEN_IS_FORGOTTEN -> tell(No)
        :: (task == Trying || task == Firm) && !TRY_LOST_IS_NO -> tell(Perhaps)
        :: (task == Trying || task == Firm) && TRY_LOST_IS_NO -> tell(No)
        :: else
        fi }
    od
}
#define READY (rcv == Plain || rcv == Open)
inline take(tk) {
    received[tk]++; assert(received[tk] == 1 && told[tk] != No && (told[tk] != Ok) && !home_knows); held = 0; rcv = Idle; send_down(TAKEN, tk)
}
inline judge() {                        /* the receiver has changed */
    if
    :: held && READY -> k = held; take(k); k = 0
    :: held && held_soft && rcv == Idle -> send_down(BUSY, held); held = 0
    :: else
    fi
}
proctype Home() {
    mtype m; byte k;
end:
    do
    :: atomic { rcv == Idle && recvs > 0 -> recvs--;
        if
        :: rcv = Plain
        :: rcv = Open
        fi; judge() }
    :: atomic { rcv == Open && whims > 0 -> whims--; rcv = Asking }
    :: atomic { rcv == Asking -> rcv = Open; judge() }
    :: atomic { rcv == Asking -> rcv = Idle; judge() }
    :: atomic { !home_knows && READY && need && !invited -> invited = 1; send_down(INVITE, 0) }
    :: atomic { !home_knows && nempty(up) -> up ? m, k;
        if
        :: m == NEED -> need = 1
        :: m == LEAVE -> need = 0; invited = 0
        :: m == FIRM || m == SOFT -> assert(!held); invited = 0; need = need && m == FIRM;
            if
            :: READY -> take(k)
            :: !READY && m == SOFT && rcv != Asking -> need = 1; send_down(BUSY, k)
            :: else -> held = k; held_soft = m == SOFT
            fi
        :: m == WITHDRAW && held == k -> held = 0; need = 0; send_down(WITHDRAWN, k)
        :: m == WITHDRAW && held != k && WITHDRAWN_WHEN_TAKEN -> send_down(WITHDRAWN, k)
        :: else
        fi; m = 0; k = 0 }
    :: atomic { over && !home_knows -> home_knows = 1; need = 0;
        if
        :: LOST_STILL_WAITS
        :: else -> held = 0
        fi }
    od
}
proctype Session() { byte k; mtype m;
end:
    do
    :: atomic { !over && may_end -> over = 1 }
    :: atomic { over && nempty(up) -> up ? m, k }               /* lost; the first loss takes all behind it */
    :: atomic { over && nempty(down) -> down ? m, k }
    od
}
proctype Quiet() { timeout -> assert(task != Trying && !left && (task != Firm || !READY)); assert(!site_knows || task == Idle) }
init { atomic { choose_broken(); select (cancels : 0 .. 2); select (may_end : 0 .. 1); run Task(); run Home(); run Session(); run Quiet() } }
