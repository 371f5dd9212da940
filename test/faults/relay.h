/* relay.h - what the files of the relay share: what is done to bytes or packets on their way, as the commands have set it.
 *
 * One thread, one struct relay.  stream.c leads connections through (TCP and Unix), tun.c packets between two network namespaces;
 * relay.c reads the commands, keeps the time and runs the loop.  Whatever is random comes from the seed. */
#ifndef FAULTS_RELAY_H
#define FAULTS_RELAY_H
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OUT, IN, WAYS };                              /* from who dials to whom it dials; and back */
enum { CUT_DIALER = 1, CUT_TARGET = 2, CUT_BOTH = 3 };           /* which side sees it */
enum { POLLS_MAX = 256 };

struct way {                                         /* what is done to what goes one way; 0: nothing */
    int64_t delay_ns, jitter_ns;                     /* each chunk or packet, in order */
    int64_t rate;                                    /* bytes a second */
    uint32_t stall_pm;                               /* of 1,000 chunks so many come stall_ns later, and all behind them */
    int64_t stall_ns;
    uint32_t chunk;                                  /* written in pieces of 1 to so many bytes */
    bool held, swallow;                              /* nothing goes on; nothing goes on, and it is lost */
    uint32_t loss_pm, twice_pm, flip_pm, late_pm;    /* packets only, of 1,000 */
    int64_t late_ns;                                 /* late_pm: how much later, so that others overtake */
    uint32_t hole;                                   /* packets only: longer ones vanish without a word */
    int64_t free_ns;                                 /* rate: when the next byte may go */
    uint64_t passed;                                 /* bytes that have gone on, of all connections */
};

struct cut {                                         /* armed while who is not 0 */
    int who, way;
    bool end;                                        /* an orderly end, and no reset */
    uint64_t at;                                     /* when way[way].passed is this */
    uint32_t most, times;                            /* then armed again, times more, 1 to most bytes further on */
};

struct relay {
    struct way way[WAYS];
    struct cut cut;
    uint64_t random;
    int64_t now_ns;
    int64_t wake_ns;                                 /* the loop sleeps no longer */
    struct pollfd polls[POLLS_MAX];
    int n_polls;
};

uint64_t relay_random(struct relay *r, uint64_t below);          /* 0 to below - 1; 0 of 0 */
bool relay_chance(struct relay *r, uint32_t per_mille);
int64_t relay_due(struct relay *r, struct way *w, size_t len);   /* when what has come now goes on */
void relay_wake(struct relay *r, int64_t at_ns);
int relay_poll(struct relay *r, int fd, short events);           /* its place in polls, for this turn */
__attribute__((noreturn, format(printf, 1, 2))) void relay_die(const char *fmt, ...);

/* A carrier: stream.c or tun.c. */
struct carrier {
    void (*ask)(struct relay *r);                    /* puts its descriptors into polls, and when it wants to be woken */
    void (*move)(struct relay *r);                   /* moves what can be moved now */
    void (*cut)(struct relay *r, int who, bool end);
    void (*listen)(struct relay *r, bool on);        /* not on: whoever dials is refused */
};
const struct carrier *stream_open(struct relay *r, const char *from, const char *to);
const struct carrier *tun_open(struct relay *r, const char *pid_a, const char *pid_b);
#endif
