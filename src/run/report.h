/* report.h - text about tasks: written by hand, line by line, so that handlers of signals and a process that stands still may. [signal]
 *
 * What a wait is for says a wait_kind, in the floor that knows: the waiter that task->on names points to one. */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H
#include "plat/symbol.h"
#include "plat/peek.h"
#include "plat/unwind.h"
#include "run/task.h"

struct report {
    size_t n;
    char line[512];                                  /* a longer one is cut */
    int fd;                                          /* where lines go, or -1: to fn */
    void (*fn)(void *arg, const char *line);         /* without the line feed */
    void *arg;
    struct symbols symbols;
};
void report_open(struct report *r, int fd);
void report_open_log(struct report *r, struct rt *rt);               /* leat_opts.log; each line begins with "leat: " on stderr */
void report_close(struct report *r);
void report_text(struct report *r, const char *s);
void report_number(struct report *r, uint64_t v);
void report_pointer(struct report *r, const void *p);
void report_ms(struct report *r, uint64_t ms);       /* in seconds: 1.250 s */
void report_end(struct report *r);                   /* of the line */
void report_all(struct report *r, const char *const *parts, size_t n);
#define REPORT(r, ...) report_all(r, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* Is p something that whoever still runs can reach? */
typedef bool seen_fn(void *arg, const void *p);
struct wait_place;
struct wait_kind {
    const char *what;                                /* "receives from" */
    /* Goes on in the line; or null.  x is a copy, and what it points to may be gone: read it with peek(). */
    void (*describe)(struct report *r, const struct waiter *x);
    /* May it end by what is seen, or by the world outside?  The context and the deadline are not its business.  Null: it may. */
    bool (*may_end)(const struct waiter *x, seen_fn *seen, void *arg);
    /* The queue that x stands in, while x->owner is set.  false: x must stay where it is, for others than the queue know it; that may
     * be asked without the lock, and counts when it is held.  Null: such a wait cannot be moved (hiber.h). */
    bool (*place)(const struct waiter *x, struct wait_place *ret);
    void (*moved)(struct waiter *x, struct waiter *y);               /* [its lock held] x is y now, and others may know it; or null */
    bool many;                                       /* x->owner is an array of x->id waiters, each with a kind of its own */
};
struct wait_place {
    _Atomic uint32_t *lock;                          /* null: it stands in none */
    struct waiters *q;
    struct waiter *_Atomic *ring;                    /* instead of q: the last one of a ring, linked by next */
};
/* All lie in one section, so that a word which was read from a stack that changes can be told from a kind. */
#define WAIT_KIND const struct wait_kind __attribute__((section("leat_kinds")))
bool wait_kind_is(const struct wait_kind *k);
bool wait_place_none(const struct waiter *x, struct wait_place *ret);
extern const struct wait_kind wait_sleep, wait_group, wait_blocking, wait_fd, wait_peer;

/* The byte after the word `park`. */
static inline bool task_fresh(const struct task *t) { return (uint8_t)(peek_word(&t->park) >> 32) != 0; }
_Static_assert(offsetof(struct task, fresh) == offsetof(struct task, park) + 4, "task_fresh reads both in one word");

/* What t's wait is for: a copy.  false: it is not parked, or did not say. */
bool task_on(const struct task *t, struct waiter *ret);
void report_who(struct report *r, const struct task *t);             /* goes on in the line: its names and its site */
void report_task(struct report *r, struct task *t);  /* a line */
void report_stack(struct report *r, struct unwind *u);               /* a line a call */
void report_task_stack(struct report *r, struct task *t);            /* of a task that is parked, runs on this thread, or on another */
void dump_on_signal(void);                           /* what LEAT_DUMP_SIGNAL asks for; any number of times (dump.c) */
struct rt *rt_first(void);                           /* the list of all runtimes; changes while one begins or ends */
struct worker *worker_of(const struct task *t);      /* that runs it, or null */
#endif
