#include "model.h"
/* crowd.pml - one unbuffered channel with several receivers at its home, and several tasks at each of two sites.
 *
 * A site has at most one offer that is not answered; its other plain senders wait in line there, and a select of it offers only when
 * nothing is unanswered.  NEED(n): n selects there would offer; it is due until it is written, and says what is so then, so the home
 * may miss that n was 0 for a while.  INVITE goes once to each needy site when a receiver is ready, again after NEED(0) or an element from
 * it, and is kept by the site until a select uses it or NEED(0) is written.  Receivers are plain ones, and selects
 * which may be in TRY on another channel: that one is taken or comes back.  So may a site's selects (Away).  The ids of senders of site
 * 0 are lower than those of both receivers, the ids of site 1 between them.
 * Claims.  A value is taken once if its sender is told so, and never else.  At rest no ready receiver faces a sender or a select that
 * would offer, nobody is in the middle of an offer, and none of the home's elements is held for nobody. */
#define INVITE_ONCE BREAK(1)            /* an element from a site does not make it one that may be invited again */
#define INVITE_GOES_TOO_EARLY BREAK(2)  /* the site forgets an invitation when n is 0, though the home may never hear of that */
#define INVITE_IS_KEPT_BY_NOBODY BREAK(3)       /* an invitation that comes while something is unanswered is dropped */
#define NOT_JUDGED_AGAIN BREAK(4)       /* what is held for a receiver in TRY stays held when that one has fired elsewhere */
#define TWO_UNANSWERED BREAK(5)         /* a select offers while a plain sender's offer waits at home */
#define LINE_STANDS_STILL BREAK(6)      /* an answer does not make the next plain sender offer */
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef WHIMS
#define WHIMS 1                         /* times that a select goes into TRY on another channel, in all */
#endif
#ifndef TASKS
#define TASKS 2                         /* at site 0; one at site 1 */
#endif
#ifndef ROUNDS
#define ROUNDS 1                        /* operations of a task */
#endif
#define READY(r) (rcv[r] == Plain || rcv[r] == Open)
#define ANY_READY (READY(0) || READY(1))
#define KEEPS(s) (s == 0 -> rcv[0] == Trying || rcv[1] == Trying : rcv[1] == Trying)
mtype = { NEED, SOFT, FIRM, WITHDRAW, INVITE, TAKEN, BUSY, WITHDRAWN };
mtype = { Idle, Plain, Open, Trying, Line, Offered, Away, Leaving };
chan up[2] = [8] of { mtype, byte };
chan down[2] = [5] of { mtype };
mtype rcv[2] = Idle, task[TASKS + 1] = Idle;                    /* Trying: a task's soft offer; Offered, Leaving: its firm one */
byte turns[2], rounds[TASKS + 1], need[2], held[2], n[2], said[2], cancels = CANCELS, whims = WHIMS; /* held: 1 soft, 2 firm */
byte who[2];                            /* the task whose offer is unanswered, + 1 */
bit due[2], hint[2], invited[2], took[2];      /* took: the home has taken what is unanswered */

inline tell(s) {                        /* n has changed */
    due[s] = 1; hint[s] = hint[s] && !(n[s] == 0 && INVITE_GOES_TOO_EARLY)
}
inline next_in_line(ns) {
    if
    :: !LINE_STANDS_STILL && who[ns] == 0 && ns == 0 && task[0] == Line -> task[0] = Offered; who[ns] = 1; PUT(up[ns], FIRM(0))
    :: !LINE_STANDS_STILL && who[ns] == 0 && ns == 0 && TASKS > 1 && task[0] != Line && task[TASKS - 1] == Line ->
        task[TASKS - 1] = Offered; who[ns] = TASKS; PUT(up[ns], FIRM(0))
    :: else
    fi
}
inline answered(as) { took[as] = 0; who[as] = 0; next_in_line(as) }
inline on_site(s) {
    if
    :: m == INVITE -> hint[s] = (n[s] > 0 || (said[s] > 0 && !INVITE_GOES_TOO_EARLY)) && !(INVITE_IS_KEPT_BY_NOBODY && who[s])
    :: m == TAKEN -> w = who[s] - 1; assert(who[s] && took[s]);
        if
        :: task[w] == Trying -> task[w] = Idle; n[s]--; tell(s)
        :: else -> task[w] = Idle
        fi; answered(s)
    :: m == BUSY -> w = who[s] - 1; assert(who[s] && !took[s] && task[w] == Trying); task[w] = Open; answered(s)
    :: m == WITHDRAWN -> w = who[s] - 1; assert(who[s] && !took[s] && task[w] == Leaving); task[w] = Idle; answered(s)
    fi; w = 0
}
proctype Site(byte s) {
    mtype m; byte w;
end:
    do
    :: atomic { down[s] ? m -> on_site(s); m = 0 }
    :: atomic { due[s] -> due[s] = 0;   /* written */
        if
        :: n[s] != said[s] -> said[s] = n[s]; hint[s] = hint[s] && n[s] > 0; PUT(up[s], NEED, n[s])
        :: else
        fi }
    od
}
proctype Task(byte t, s) {
end:
    do
    :: atomic { task[t] == Idle && rounds[t] < ROUNDS && who[s] != t + 1 -> rounds[t]++;
        if
        :: task[t] = Open; n[s]++; tell(s)
        :: who[s] == 0 -> task[t] = Offered; who[s] = t + 1; PUT(up[s], FIRM(0))
        :: who[s] != 0 -> task[t] = Line
        fi }
    :: atomic { task[t] == Open && hint[s] && (who[s] == 0 || TWO_UNANSWERED) -> hint[s] = 0; task[t] = Trying; who[s] = t + 1; PUT(up[s], SOFT(0)) }
    :: atomic { task[t] == Open && whims > 0 -> whims--; task[t] = Away }
    :: atomic { task[t] == Away -> task[t] = Open }
    :: atomic { task[t] == Away -> task[t] = Idle; n[s]--; tell(s) }
    :: atomic { task[t] == Open && cancels > 0 -> cancels--; task[t] = Idle; n[s]--; tell(s) }
    :: atomic { task[t] == Line && cancels > 0 -> cancels--; task[t] = Idle }
    :: atomic { task[t] == Offered && cancels > 0 -> cancels--; task[t] = Leaving; PUT(up[s], WITHDRAW(0)) }
    od
}
inline rejudge(js) {
    if
    :: held[js] == 1 && !ANY_READY && !KEEPS(js) && !NOT_JUDGED_AGAIN -> held[js] = 0; PUT(down[js], BUSY)
    :: else
    fi
}
inline gone(r) { rcv[r] = Idle; rejudge(0); rejudge(1) }
inline take(ts) {
    assert(!took[ts] || who[ts] == 0); took[ts] = 1; held[ts] = 0; PUT(down[ts], TAKEN);
    if
    :: READY(0) -> gone(0)
    :: READY(1) -> gone(1)
    fi
}
inline on_home(s) {
    if
    :: m == NEED -> need[s] = k; invited[s] = invited[s] && k > 0
    :: m == SOFT && ANY_READY -> invited[s] = invited[s] && INVITE_ONCE; take(s)
    :: m == SOFT && !ANY_READY -> invited[s] = invited[s] && INVITE_ONCE; assert(!held[s]); held[s] = 1; rejudge(s)
    :: m == FIRM && ANY_READY -> take(s)
    :: m == FIRM && !ANY_READY -> assert(!held[s]); held[s] = 2
    :: m == WITHDRAW && held[s] == 2 -> held[s] = 0; PUT(down[s], WITHDRAWN)
    :: m == WITHDRAW && held[s] != 2    /* TAKEN is on its way */
    fi; m = 0; k = 0
}
proctype Home() {
    mtype m; byte k;
end:
    do
    :: atomic { up[0] ? m, k -> on_home(0) }
    :: atomic { up[1] ? m, k -> on_home(1) }
    :: atomic { ANY_READY && held[0] -> take(0) }
    :: atomic { ANY_READY && held[1] -> take(1) }
    :: atomic { ANY_READY && need[0] && !invited[0] -> invited[0] = 1; PUT(down[0], INVITE) }
    :: atomic { ANY_READY && need[1] && !invited[1] -> invited[1] = 1; PUT(down[1], INVITE) }
    od
}
proctype Receiver(byte r) {
end:
    do
    :: atomic { rcv[r] == Idle && turns[r] < 2 -> turns[r]++;
        if
        :: rcv[r] = Plain
        :: rcv[r] = Open
        fi }
    :: atomic { rcv[r] == Open && whims > 0 -> whims--; rcv[r] = Trying }
    :: atomic { rcv[r] == Trying -> rcv[r] = Open }
    :: atomic { rcv[r] == Trying -> gone(r) }
    :: atomic { READY(r) && cancels > 0 -> cancels--; gone(r) }
    od
}
#define WANTS(t) (task[t] == Open || task[t] == Offered || task[t] == Line)
proctype Quiet() {
    timeout -> assert(!(ANY_READY && (WANTS(0) || WANTS(1) || WANTS(TASKS)))); assert(!held[0] || task[who[0] - 1] == Offered);
    assert(!held[1] || task[who[1] - 1] == Offered);
    assert(task[0] != Trying && task[1] != Trying && task[TASKS] != Trying && task[0] != Leaving && task[1] != Leaving && task[TASKS] != Leaving)
}
init { atomic { choose_broken(); run Site(0); run Site(1); run Task(0, 0); run Task(1, (TASKS == 1 -> 1 : 0));
#if TASKS > 1
    run Task(TASKS, 1);
#endif
    run Home(); run Receiver(0); run Receiver(1); run Quiet() } }
