#include "model.h"
/* relay.pml - a send end that was sent on: a site behind a relay, the relay, and the home.
 *
 * The relay sends elements of its own and passes on those of the site behind it, in one lane; so what goes through it follows what it had
 * sent when it gave the end away.  The site finishes (FINISH) when it likes, or dies, and so may the relay's process.  The home closes
 * when it likes: SEAL goes to the relay and from there to the site, SEALED comes back behind all elements, the relay's after that of
 * the site.  When the relay loses the site it says TORN before anything that ends.  (Credits: a relay is a home to those behind, credit.pml.)
 * Claims.  When receivers see the channel closed, everything that any sender was told is in the channel has been received, and nobody
 * was lost; whoever was lost before it had finished makes the end LOST.  The order holds.  At rest a close has come to its end, and a site
 * whose relay has died knows it. */
#define SEALED_ALONE BREAK(1)           /* the relay answers SEALED without waiting for the site behind it */
#define TORN_IS_SILENT BREAK(2)         /* the relay takes a site that was lost for one that has finished */
#define TORN_GOES_LAST BREAK(3)         /* TORN goes behind SEALED */
#define FINISH_PASSES_THROUGH BREAK(4)  /* the relay passes on FINISH of the site while its own end has not finished */
#define OWN_LANE BREAK(5)               /* what comes from behind goes in a lane of its own */
#define RELAY_DEATH_IS_FINISH BREAK(6)  /* the home takes a relay that was lost for one that has finished */
#define SITE_IS_NOT_TOLD BREAK(7)       /* the end of the relay's session leaves the site behind it waiting */
#ifndef SENDS
#define SENDS 1                         /* of each: site, relay before it gives the end away, relay after that */
#endif
mtype = { ELEM, OWN, LATER, SEALED, FINISH, TORN };
mtype = { Live, Sealed, Finished, Lost };
mtype = { Nothing, Closed, PeerLost };
chan a = [SENDS + 2] of { mtype };      /* from the site to the relay */
chan b = [3 * SENDS + 3] of { mtype };  /* from the relay to the home */
chan c = [SENDS + 1] of { mtype };      /* OWN_LANE: what came from behind */
mtype site = Live, relay = Live, fate = Nothing;
byte sent, got, sends, owns;            /* sent: told to be in the channel */
bit given, site_dead, relay_dead, relay_knows, home_knows, seal_a, seal_b, sealing, behind = 1, torn, lost, early;
byte early_sent, early_got;
bit may_finish, may_die_s, may_die_r, may_close, relay_done, relay_sealing, home_torn, home_done;

proctype Site() {
end:
    do
    :: atomic { !site_dead && given && site == Live && sends < SENDS -> sends++; sent++; assert(fate != Closed); PUT(a, ELEM) }
    :: atomic { !site_dead && given && site == Live && may_finish -> site = Finished; PUT(a, FINISH) }
    :: atomic { !site_dead && seal_a -> seal_a = 0;
        if
        :: site == Live -> site = Sealed; PUT(a, SEALED)
        :: else
        fi }
    :: atomic { !site_dead && relay_dead && !SITE_IS_NOT_TOLD && site != Lost -> site = Lost }
    od
}
inline ends_relay() {                   /* the relay's own, when it is done with those behind it */
    if
    :: relay_sealing && relay == Live && (!behind || SEALED_ALONE) -> relay = Sealed; PUT(b, SEALED);
        if
        :: torn == 1 && TORN_GOES_LAST -> PUT(b, TORN)
        :: else
        fi
    :: !relay_sealing && relay == Live && relay_done && !behind -> relay = Finished; PUT(b, FINISH)
    :: else
    fi
}
proctype Relay() {
    mtype m;
end:
    do
    :: atomic { !relay_dead && (relay == Live || (FINISH_PASSES_THROUGH && relay == Finished)) && !relay_sealing && !relay_done && owns < 2 * SENDS -> owns++; sent++; assert(fate != Closed);
        if
        :: given -> PUT(b, LATER)
        :: else -> early_sent++; PUT(b, OWN)
        fi }
    :: atomic { !relay_dead && !given && relay == Live && !relay_sealing -> given = 1 }
    :: atomic { !relay_dead && !relay_done && given && may_finish -> relay_done = 1; ends_relay() }
    :: atomic { !relay_dead && nempty(a) -> a ? m;
        if
        :: m == ELEM && !OWN_LANE -> PUT(b, ELEM)
        :: m == ELEM && OWN_LANE -> PUT(c, ELEM)
        :: m == FINISH && FINISH_PASSES_THROUGH && relay == Live -> behind = 0; relay = Finished; PUT(b, FINISH)
        :: else -> behind = 0; ends_relay()
        fi; m = 0 }
    :: atomic { !relay_dead && seal_b -> seal_b = 0; relay_sealing = 1; seal_a = behind && given; behind = behind && given; ends_relay() }
    :: atomic { !relay_dead && site_dead && behind -> behind = 0;
        do
        :: len(a) > 0 -> a ? m          /* lost with it */
        :: else -> break
        od; m = 0; torn = 1;
        if
        :: !TORN_IS_SILENT && !TORN_GOES_LAST && relay == Live -> PUT(b, TORN)
        :: else
        fi; ends_relay() }
    od
}
proctype Home() {
    mtype m;
end:
    do
    :: atomic { fate == Nothing && (OWN_LANE && nempty(c)) -> c ? m; got++; assert(early_got == early_sent); m = 0 }
    :: atomic { fate == Nothing && nempty(b) && !home_knows -> b ? m;
        if
        :: m == ELEM -> got++; assert(early_got == early_sent)
        :: m == OWN -> got++; early_got++
        :: m == LATER -> got++
        :: m == TORN -> home_torn = 1
        :: m == SEALED || m == FINISH -> home_done = 1
        fi; m = 0 }
    :: atomic { !sealing && may_close && fate == Nothing -> sealing = 1; seal_b = 1 }
    :: atomic { relay_dead && !home_knows -> home_knows = 1;
        do
        :: len(b) > 0 -> b ? m          /* lost with it */
        :: else -> break
        od; m = 0; home_torn = home_torn || (!home_done && !RELAY_DEATH_IS_FINISH); home_done = 1 }
    :: atomic { fate == Nothing && home_done && empty(b) ->
        if
        :: home_torn -> fate = PeerLost
        :: else -> fate = Closed; assert(got == sent)
        fi }
    od
}
proctype Death() {
end:
    do
    :: atomic { may_die_s && !site_dead && given -> site_dead = 1; lost = lost || site == Live }
    :: atomic { may_die_r && !relay_dead && relay == Live -> relay_dead = 1 }
    od
}
proctype Quiet() { timeout -> assert(!(sealing || relay_dead) || fate != Nothing); assert(!relay_dead || site_dead || site == Lost) }
init { atomic { choose_broken(); select (may_finish : 0 .. 1); select (may_die_s : 0 .. 1); select (may_die_r : 0 .. 1); select (may_close : 0 .. 1);
    run Site(); run Relay(); run Home(); run Death(); run Quiet() } }
