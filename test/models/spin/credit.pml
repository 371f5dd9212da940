#include "model.h"
/* credit.pml - a buffered channel whose senders are in three processes: its home and two sites.
 *
 * A credit is a slot that the home keeps for a site; a send at a site is complete when it has used one.  Each way, a site has a lane of
 * control (NEED, RETURN; GRANT, RECALL) and one of its own (ELEM, SEALED, FINISH; SEAL); either may be ahead of the other.  A control
 * frame is only due until it is written, and says what is so then: at most one of a kind waits.  `coming` is what the totals in NEED
 * tell the home: what it has granted that the site had not seen (that they do: totals.pml).
 * A free slot goes to the needy in turn; the home's own sender is one of them.  Nobody needy: it may lend to who was needy before, all
 * slots but one, or all while there is one site (the second comes when it likes).  Somebody needy and no slot: RECALL, once between two
 * GRANTs to a site, which answers with all its idle credits.
 * Claims.  queued + out <= C, and no element finds the queue full.  When the receiver sees the close, every send that was complete has
 * been received.  At rest who waits does so for a queue that is full, because the receiver has stopped; and if it has not, a close has
 * come to its end.  LIVE (senders go on for ever, nobody closes, site 1 gives up
 * and rests as it likes, fair to each process): who waits at site 0, or at home, gets its turn. */
#define NO_RECALL BREAK(1)             /* nobody is asked to give back what it does not use */
#define RECALL_ONLY_ONCE BREAK(2)       /* a later GRANT does not make the site one that may be asked again */
#define CLOSE_BEFORE_SEALED BREAK(3)    /* the receiver sees the close when the queue is empty, without SEALED from each site */
#define SEALED_OVERTAKES BREAK(4)       /* SEALED goes before the elements that were sent before it */
#define UNASKED_IS_FORGOTTEN BREAK(5)   /* a GRANT that finds nobody waiting any more is dropped, and not an idle credit */
#define RECALL_SPARES_OWN BREAK(6)      /* a sender of the home's own waits without RECALL */
#define OUT_IS_NOT_KEPT BREAK(7)        /* the home's own sender takes slots that are promised */
#define OWN_WAITS_UNTOLD BREAK(8)      /* a GRANT that comes while a sender of the home's own waits is not followed by a RECALL */
#define NOT_IN_TURN BREAK(9)            /* LIVE: who needs first is served until it needs no more */
#define SITES_GO_FIRST BREAK(10)        /* LIVE: the home's own sender gets what no site needs */
#define NEED_GOES_FIRST BREAK(12)       /* LIVE: a site whose tasks ask and give up again and again never gets to its RETURN */
#define TURN_TAKEN_TWICE BREAK(11)     /* LIVE: whose turn it is changes when a slot becomes free, and again when it is given */
#ifndef C
#define C 1
#endif
#ifndef SENDS
#define SENDS 2
#endif
#ifndef TASKS
#define TASKS 1                         /* senders at a site */
#endif
#ifndef OWN
#define OWN 1                           /* sends of the home's own sender */
#endif
mtype = { NEED, RETURN, GRANT, RECALL, ELEM, SEALED };
chan up[2] = [1] of { mtype, byte };
chan lane[2] = [C + 1] of { mtype };
chan down[2] = [1] of { mtype, byte };
byte have[2], waits[2], left[2], back[2];               /* sites: idle credits; blocked senders; sends to come; credits in RETURN */
bit need_due[2], return_due[2], sealed[2], gave_up[2];
byte out[2], need[2], coming[2], fly[2], grant_due[2];  /* home: credits out; still wanted; see above; granted and not seen; not written */
bit wants[2], recalled[2], recall_due[2], seal_comes[2], unsealed[2];
byte queued, sent, got, own_left = OWN, first, f;       /* first: of two that need.  f: no state */
bit stopped, sites, own_waits, turn, closing, closed, may_close;
#define FREE (C - queued - out[0] - out[1])
#define NEEDY (need[0] || need[1])
#ifdef LIVE
#define COUNT(x)
#define MORE(n) true
#else
#define COUNT(x) x
#define MORE(n) (n > 0)
#endif

inline grant(i) {
    assert(FREE > 0); out[i]++; grant_due[i]++; fly[i]++; recalled[i] = recalled[i] && RECALL_ONLY_ONCE;
    coming[i] = coming[i] + (up[i] ? [NEED, _])
}
inline recall(i) {
    if
    :: out[i] > 0 && !recalled[i] && !NO_RECALL -> recalled[i] = 1; recall_due[i] = 1
    :: else
    fi
}
inline own_sends() { queued++; COUNT(sent++; own_left--) }
inline grant_first() { f = (need[first] > 0 -> first : 1 - first); grant(f); need[f]--; first = (NOT_IN_TURN -> f : 1 - f) }
inline serve() {                        /* slots may be free */
    do
    :: !closing && FREE > 0 && own_waits && NEEDY -> turn = 1 - turn;
        if
        :: turn && !SITES_GO_FIRST -> own_waits = 0; own_sends()
        :: else -> grant_first()
        fi
    :: !closing && FREE > 0 && own_waits && !NEEDY -> own_waits = 0; own_sends()
    :: !closing && FREE > 0 && !own_waits && NEEDY -> grant_first()
    :: else -> break
    od; f = 0;
    if
    :: !closing && (need[1] || (own_waits && !OWN_WAITS_UNTOLD)) -> recall(0)
    :: else
    fi;
    if
    :: !closing && (need[0] || (own_waits && !OWN_WAITS_UNTOLD)) -> recall(1)
    :: else
    fi
}
proctype Sender(byte i) {               /* all that send at a site */
end:
    do
    :: atomic { !sealed[i] && waits[i] < TASKS && MORE(left[i] - waits[i]) && (i == 0 || sites) && !(i == 1 && gave_up[1] > 0) ->
        if
        :: have[i] > 0 -> have[i]--; PUT(lane[i], ELEM); COUNT(sent++; left[i]--)
        :: else -> waits[i]++; need_due[i] = 1
        fi }
    od
}
proctype Whim(byte i) {                 /* gives up, rests, closes: as it likes */
end:
    do
#ifdef LIVE
    :: atomic { waits[i] > 0 -> waits[i]--; need_due[i] = 1 }
    :: atomic { waits[i] == 0 -> gave_up[i] = 1 }
#else
    :: atomic { waits[i] > 0 && !gave_up[i] -> gave_up[i] = 1; waits[i]--; left[i]--; need_due[i] = 1 }
    :: atomic { i == 0 && may_close && !sealed[0] && left[0] < SENDS -> sealed[0] = 1; waits[0] = 0; have[0] = 0;     /* FINISH, CLOSE */
        PUT(lane[0], SEALED); assert(nempty(lane[0])) }
#endif
    od
}
proctype SiteWrites(byte i) {
end:
    do
    :: atomic { empty(up[i]) && need_due[i] && !(return_due[i] && !NEED_GOES_FIRST) -> need_due[i] = 0; coming[i] = fly[i]; up[i] ! NEED(waits[i]) }
    :: atomic { empty(up[i]) && return_due[i] && !(need_due[i] && NEED_GOES_FIRST) -> return_due[i] = 0; up[i] ! RETURN(back[i]); back[i] = 0 }
    od
}
proctype SiteReads(byte i) {
    mtype m; byte k;
end:
    do
    :: atomic { down[i] ? m, k ->
        if
        :: m == GRANT && !sealed[i] -> fly[i] = fly[i] - k;
            do
            :: k > 0 && waits[i] > 0 -> k--; waits[i]--; PUT(lane[i], ELEM); COUNT(sent++; left[i]--)
            :: k > 0 && waits[i] == 0 -> k--; have[i] = have[i] + !UNASKED_IS_FORGOTTEN
            :: else -> break
            od
        :: m == RECALL && !sealed[i] -> back[i] = back[i] + have[i]; have[i] = 0; return_due[i] = 1
        :: else                         /* sealed: the home knows from SEALED */
        fi; m = 0; k = 0 }
    :: atomic { seal_comes[i] -> seal_comes[i] = 0;
        if
        :: !sealed[i] -> sealed[i] = 1; waits[i] = 0; have[i] = 0; PUT(lane[i], SEALED)
        :: else
        fi }
    od
}
proctype HomeWrites(byte i) {
end:
    do
    :: atomic { empty(down[i]) && grant_due[i] > 0 -> down[i] ! GRANT(grant_due[i]); grant_due[i] = 0 }
    :: atomic { empty(down[i]) && grant_due[i] == 0 && recall_due[i] -> recall_due[i] = 0; down[i] ! RECALL(0) }
    od
}
inline close_begins() { closing = 1; own_waits = 0; seal_comes[0] = unsealed[0]; seal_comes[1] = unsealed[1] }
inline is_sealed(i) {
    unsealed[i] = 0; need[i] = 0;
    if
    :: !closing -> close_begins()       /* FINISH, with CLOSE behind it */
    :: else
    fi
}
proctype HomeControl(byte i) {
    mtype m; byte k;
end:
    do
    :: atomic { up[i] ? m, k ->
        if
        :: m == NEED && unsealed[i] -> wants[i] = wants[i] || k > 0; need[i] = (k > coming[i] -> k - coming[i] : 0); serve()
        :: m == RETURN && unsealed[i] -> assert(out[i] >= k); out[i] = out[i] - k; serve()
        :: else
        fi; coming[i] = 0; m = 0; k = 0 }
    od
}
inline element(i) { assert(out[i] > 0 && queued < C); out[i]--; queued++ }
proctype HomeLane(byte i) {
    mtype m;
end:
    do
    :: atomic { SEALED_OVERTAKES && lane[i] ?? [SEALED] && unsealed[i] -> is_sealed(i) }
    :: atomic { lane[i] ? m ->
        if
        :: m == ELEM -> element(i)
        :: m == SEALED && unsealed[i] -> is_sealed(i)
        :: else
        fi; m = 0 }
    od
}
proctype Lender() {                     /* need not */
    byte i;
end:
    do
    :: atomic { !closing && !NEEDY && wants[0] && FREE > 0 && out[0] + out[1] < (sites -> C - 1 : C) -> grant(0) }
    :: atomic { !closing && !NEEDY && wants[1] && FREE > 0 && out[0] + out[1] < C - 1 -> grant(1) }
    od
}
proctype Receiver() {
end:
    do
    :: atomic { !stopped && queued > 0 -> queued--; COUNT(got++);
        if
        :: TURN_TAKEN_TWICE && NEEDY && own_waits -> turn = 1 - turn
        :: else
        fi; serve() }
    :: atomic { !stopped && queued == 0 && own_waits -> own_waits = 0; COUNT(got++; sent++; own_left--) }   /* from hand to hand */
#ifndef LIVE
    :: atomic { !stopped -> stopped = 1 }
#endif
    od
}
proctype Own() {                        /* the home's sender, who may close, too */
end:
    do
    :: atomic { !closing && !own_waits && MORE(own_left) ->
        if
        :: FREE > 0 || (OUT_IS_NOT_KEPT && queued < C) -> own_sends()
        :: else -> own_waits = 1;
            if
            :: !RECALL_SPARES_OWN -> recall(0); recall(1)
            :: else
            fi
        fi }
#ifndef LIVE
    :: atomic { may_close && !closing -> close_begins() }
    :: atomic { closing && !closed && queued == 0 && (CLOSE_BEFORE_SEALED || (!unsealed[0] && !unsealed[1])) -> closed = 1; assert(got == sent) }
    :: atomic { !sites -> sites = 1 }
#endif
    od
}
proctype Quiet() {
    timeout -> assert(!(waits[0] || waits[1] || own_waits) || (stopped && queued == C)); assert(stopped || !closing || closed)
}
init { atomic { choose_broken(); left[0] = SENDS; left[1] = SENDS; unsealed[0] = 1; unsealed[1] = 1;
#ifdef LIVE
    sites = 1;
#else
    select (may_close : 0 .. 1); run Quiet();
#endif
    run Sender(0); run Sender(1); run Whim(1); run SiteWrites(0); run SiteWrites(1); run SiteReads(0); run SiteReads(1); run HomeWrites(0);
    run HomeWrites(1); run HomeControl(0); run HomeControl(1); run HomeLane(0); run HomeLane(1); run Receiver(); run Own(); run Lender()
#ifndef LIVE
    ; run Whim(0)
#endif
    } }
#ifdef LIVE
ltl turn_of_site { [] (waits[0] > 0 -> <> (waits[0] == 0)) }
ltl turn_of_home { [] (own_waits -> <> !own_waits) }
#endif
