/* probe.h - what a simulated world asks of the code under it, at places that are named.
 *
 *   BUGGIFY(name)        true now and then: the code takes a rare turn here that it must survive anyway, such as a write of one byte,
 *                        a limit reached early, a pause skipped.  The seed decides which of them a world has, and when they fire.
 *   SOMETIMES(name, of)  this place was reached.  Worlds that never get here have not tested it: after many worlds that reached the
 *                        point `of` (a name in either macro, or of what a world counts: "cut", "crash"), one that never did is missed.
 *                        NULL: the way into something that a program need not use.
 *   LAW(cond)            must hold: a world in which it does not stops and says so.
 *   GAUGE(name, d)       so many more things of a kind are alive: all gauges are zero when an undisturbed world has ended.
 *
 * Outside of a simulated world each is one branch on a word that never changes; still, none belongs on a path that every element
 * takes.  Names are words with dots, the floor first: "link.short_write".  One name at several places is one point.
 * A simulated world has one thread, and a process one world at a time: nothing here has a lock. */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H
#include "base/base.h"

enum probe_kind { PROBE_BUGGIFY, PROBE_SOMETIMES, PROBE_GAUGE };
struct probe {
    const char *name, *of;
    enum probe_kind kind;
    bool active;                                     /* buggify: in this world */
    uint32_t one_in;                                 /* and then fires once in so many */
    uint64_t chance;                                 /* its own stream: what one point draws changes nothing for another */
    uint64_t count;                                  /* fired, reached */
    int64_t level;
};

/* Called when a point fires or is reached for the first time, and for a law that does not hold. */
struct probe_watch {
    void (*fired)(void *self, const struct probe *p);
    void (*broken)(void *self, const char *law, const char *file, int line);
    void *self;
};

extern bool probe_on;                                /* a simulated world runs; set before its first task */
/* active: the points that may fire, "NAME+NAME"; "": none; NULL: as the seed wants.  faults: also those named "fault....", after which
 * what the program wants may be impossible. */
void probes_begin(uint64_t seed, const char *active, bool faults, const struct probe_watch *watch);
/* The first name of such a list that no rare turn of this program has; *len: how long it is.  NULL: it has all of them. */
const char *probes_unknown(const char *list, size_t *len);
void probes_end(void);
void probes_each(void (*fn)(void *arg, const struct probe *p), void *arg);   /* in no certain order; names may come again */
uint64_t probes_count(const char *name);             /* of all places of that name */

bool probe_fires(struct probe *p);
void probe_reached(struct probe *p);
void probe_level(struct probe *p, int d);
void probe_broken(const char *law, const char *file, int line);

/* A list of all points, put together by the linker. */
#define PROBE_(kind_, name_, of_) \
    static struct probe probe_ = { .name = "" name_, .of = of_, .kind = kind_ }; \
    static struct probe *const probe_at_ __attribute__((section("leat_probes"), used)) = &probe_

#define BUGGIFY(name)       __extension__ ({ PROBE_(PROBE_BUGGIFY, name, NULL); unlikely(probe_on) && probe_fires(&probe_); })
#define SOMETIMES(name, of) do { PROBE_(PROBE_SOMETIMES, name, of); if (unlikely(probe_on)) probe_reached(&probe_); } while (0)
#define GAUGE(name, d)      do { PROBE_(PROBE_GAUGE, name, NULL); if (unlikely(probe_on)) probe_level(&probe_, d); } while (0)
#define LAW(cond)           do { if (unlikely(probe_on) && unlikely(!(cond))) probe_broken(#cond, __FILE__, __LINE__); } while (0)
#endif
