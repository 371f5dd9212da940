/* model.h - what the models share.
 *
 * A model that cannot fail proves nothing, so each has switches that break it:  #define NAME BREAK(n)  with a comment that says what is
 * wrong then.  The number comes from the environment, so one verifier serves all: BROKEN=2 ./pan; run.py finds them by that line. */
byte broken;
#define BREAK(n) (broken == n)
#define PUT(q, ...) assert(nfull(q)); q ! __VA_ARGS__
inline choose_broken() { c_code { { char *b = getenv("BROKEN"); now.broken = b ? atoi(b) : 0; } } }
