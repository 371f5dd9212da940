/* leat/guest.h - a runtime within the loop of another library (sd-event, libuv, GLib, one's own).  docs/guest.md has programs.
 *
 * The host's thread stays the host's.  It watches one descriptor, and when that is readable it lets the tasks run for a while:
 *     leat_guest_start(&g, NULL, app, LEAT_NONE);
 *     when leat_guest_fd(g) is readable:  if (leat_guest_step(g, LEAT_MS(1)) == LEAT_CLOSED) { stop watching; err = leat_guest_end(g); }
 * All tasks run on that thread, within steps.  In them every call blocks its task, as ever.  Outside of steps the host may call what
 * does not have to wait: leat_try_send, leat_try_recv, leat_close, leat_go into an open group, leat_cancel, and a send or receive that
 * can be done at once.  What would have to wait is LEAT_INVAL there: the one it waits for could not run.  leat_blocking runs its
 * function on the spot.  Other threads may call everything, as ever. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_GUEST_H
#define LEAT_GUEST_H
LEAT_BEGIN_
typedef struct leat_guest leat_guest;
/* As leat_run, but returns at once, and fn runs within steps.  *ret: [owned: leat_guest_end].  opts.workers is not looked at: there is
 * one, the thread that calls this, and it alone may step and end the guest.  NOMEM; SYS; LIMIT: 254 a thread; INVAL: in a task
 * or a simulation. */
#define leat_guest_start(ret, opts, fn, ...) LEAT_GUEST_START_(ret, opts, fn, __VA_ARGS__)
int leat_guest_fd(const leat_guest *g);              /* borrowed; readable (by poll or epoll) when a step would find something to do */
/* Runs what is ready, for about `slice` at most; a task that computes longer without a call that waits is not interrupted.  OK: come
 * back when the descriptor is readable, which it is at once if work is left.  CLOSED: fn and all tasks have ended; call
 * leat_guest_end.  INVAL: another thread, or a task. */
LEAT_CHECK leat_err leat_guest_step(leat_guest *g, leat_dur slice);
/* [blocks] fn's error; NULL: OK.  A program that has not ended is cancelled, and this waits for its tasks.  INVAL, and nothing has
 * ended: another thread, or a task. */
LEAT_CHECK leat_err leat_guest_end(leat_guest *g);

LEAT_CHECK leat_err leat_guest_start_(uint32_t version, const leat_opts *o, size_t opts_size, leat_fn_ *fn, const leat_site_ *site,
    const void *arg, size_t len, leat_guest **ret);
#define LEAT_GUEST_START_(ret, o, fn, ...) LEAT_COPY_(fn, __extension__ ({ LEAT_SITE_(fn); \
    leat_guest_start_(LEAT_VERSION, o, sizeof(leat_opts), LEAT_FN_(fn), &leat_s_, &leat_a_, sizeof leat_a_, ret); }), __VA_ARGS__)
LEAT_END_
#endif
