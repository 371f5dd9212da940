/* poll.h - waiting for many descriptors at once: one contract, two implementations (poll_epoll.c, poll_uring.c), equally tested.
 *
 * Laws
 *  A tag names one use of a descriptor number: the number and a generation that the caller changes whenever the number may have
 *  been reused.  Events carry the tag they were asked for with, so a caller that drops events of old generations never
 *  sees one of a file that was closed, whatever was under way in the kernel.
 *  poll_wait is for one thread at a time; everything else is for any thread at any time, also while one sleeps in poll_wait.
 *  A descriptor is armed or watched, not both.  Disarm or unwatch it before it is closed; one that was closed without
 *  (by a program that owns it) does no harm under another generation.
 * Functions return 0 or a positive errno. */
#ifndef PLAT_POLL_H
#define PLAT_POLL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    POLL_READ = 1, POLL_WRITE = 4,                   /* to arm, and in events: the call would not block (an error counts as both) */
    POLL_END = 16,                                   /* in events: the other side has ended, or there is an error; comes with the others */
    POLL_LAPSED = 32,                                /* in events: this watch has ended by itself; watch again */
};
enum { POLL_GEN_MAX = (1 << 28) - 1 };

struct poll_event {
    uint64_t tag;
    uint32_t events;
};

static inline uint64_t poll_tag(int fd, uint32_t gen) { return (uint64_t)(gen & POLL_GEN_MAX) << 32 | (uint32_t)fd; }
static inline int poll_tag_fd(uint64_t tag) { return (int)(uint32_t)tag; }
static inline uint32_t poll_tag_gen(uint64_t tag) { return (uint32_t)(tag >> 32) & POLL_GEN_MAX; }

struct poll;
struct poll_ops {                                    /* the implementations; callers use the functions below */
    const char *name;
    void (*close)(struct poll *p);
    int (*arm)(struct poll *p, uint64_t tag, uint32_t events, uint64_t old);
    void (*disarm)(struct poll *p, uint64_t tag);
    int (*watch)(struct poll *p, uint64_t tag);
    void (*unwatch)(struct poll *p, uint64_t tag);
    int (*wait)(struct poll *p, int64_t limit_ns, struct poll_event *out, int n);
    void (*wake)(struct poll *p);
};
struct poll { const struct poll_ops *ops; };         /* the first member of an implementation's record */

/* kind: "epoll", "io_uring", or NULL: epoll.  io_uring falls back to epoll where this build, the kernel or a filter of system
 * calls has none; poll_name tells which it is.  An unknown kind is EINVAL. */
int poll_open(const char *kind, struct poll **ret);
static inline void poll_close(struct poll *p) { if (p) p->ops->close(p); }
static inline const char *poll_name(const struct poll *p) { return p->ops->name; }

/* One event for tag, once the descriptor is ready for one of `events`; at once if it is.  old: a tag of the same descriptor that is
 * armed until now and gives way, or 0.  EPERM: files of this kind (regular ones, directories) are always ready; EBADF, ENOMEM, ENOSPC. */
static inline int poll_arm(struct poll *p, uint64_t tag, uint32_t events, uint64_t old) { return p->ops->arm(p, tag, events, old); }
static inline void poll_disarm(struct poll *p, uint64_t tag) { p->ops->disarm(p, tag); }
/* An event at every change to ready, for both directions, until poll_unwatch; the first one at once if it is ready now. */
static inline int poll_watch(struct poll *p, uint64_t tag) { return p->ops->watch(p, tag); }
static inline void poll_unwatch(struct poll *p, uint64_t tag) { p->ops->unwatch(p, tag); }
/* Sleeps until there are events, poll_wake, a signal, or limit_ns have passed (0: only looks; < 0: no limit).  The number of events. */
static inline int poll_wait(struct poll *p, int64_t limit_ns, struct poll_event *out, int n) { return p->ops->wait(p, limit_ns, out, n); }
/* Ends the poll_wait that is under way, or the next one. */
static inline void poll_wake(struct poll *p) { p->ops->wake(p); }

int poll_open_epoll(struct poll **ret);
/* By epoll, for a loop of somebody else: poll_outer_fd is readable when poll_wait would find something: an event, a wake, the alarm. */
int poll_open_guest(struct poll **ret);
int poll_outer_fd(const struct poll *p);             /* of a poll made by poll_open_guest, as is the next */
void poll_alarm(struct poll *p, int64_t in_ns);      /* one wake in so many ns instead of the one set before; < 0: none */
int poll_open_uring(struct poll **ret);              /* ENOSYS: not in this build or not in this kernel */
/* One descriptor, by blocking this thread: 0 ready (also for a bad one: the call itself will say so), ETIMEDOUT, EINTR, EBADF. */
int poll_one(int fd, uint32_t events, int64_t limit_ns);
/* The same for the first n, at most POLL_SOME_MAX, of which one is ready (or bad: EBADF). */
enum { POLL_SOME_MAX = 20 };
struct poll_want { int fd; uint32_t events; };
int poll_some(const struct poll_want *want, int n, int64_t limit_ns);
/* A bell can be read from when it has been rung since it was cleared. */
int poll_bell_open(int *ret);
void poll_bell_ring(int bell);
void poll_bell_clear(int bell);
void poll_bell_close(int bell);
#endif
