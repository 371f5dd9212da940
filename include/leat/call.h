/* leat/call.h - more of calls: with a key, so that they can be repeated; as futures; hooks around them; limits.  The marks are those of
 * leat.h. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_CALL_H
#define LEAT_CALL_H
LEAT_BEGIN_

/* -- Keys.  A call with a key runs once, however often it is asked for: a node keeps the result of each key, and a repeat is answered from
 * there, or waits for the first while that still runs.  So one whose outcome is UNKNOWN can be repeated, also over a new session with the
 * same node, and also by a caller that was started again.
 *   The key, a leat_string, is the caller's to choose: 1 to 64 bytes, unlike all others of that method: 16 random bytes, or a number of
 * an order.
 *   The method runs to its end: a deadline, a cancel or a loss ends the caller's waiting, not the method; closing its node does.
 *   A result, or the method's error, is kept for 5 minutes after its end, in the node's memory: a node that was started again has none.
 *   All that is kept is at most 64 MiB; when there is no room for one more, a call with a new key is LIMIT, and has not run.
 * Also INVAL: that key came with another argument, has not 1 to 64 bytes, or the types hold ends of channels; LIMIT: the result has over
 * 256 KiB: it has run. */
#define leat_call_once(p, S, method, in, out, key)  LEAT_CALL_ONCE_(p, S, method, in, out, key)  /* [blocks] as leat_call */

/* -- Futures.  The call is a task of group g (NULL: of leat_run), which ends with it, well or not; its result is received from *ret, once:
 * a struct T_reply, where T is what the method gives; leat_reply_err gives its error.  `in` is copied, with one owner more of each end in
 * it: so a receive end moves by it only if `in` borrows that of a leat_chan.  Thus select waits for several calls, and for what else it
 * waits for.  What was received is yours: leat_drop(T_reply, &r), or what is in it one by one.  What nobody receives is dropped with *ret.
 * [*ret is owned: leat_unref]  NOMEM, LIMIT, CANCELED, and INVAL as leat_go: it was not begun */
#define leat_call_async(g, p, S, method, in, ret)   LEAT_CALL_ASYNC_(g, p, S, method, in, ret)

/* -- Hooks: around each call that a node makes and each task that it starts elsewhere, or around each method and task that it runs for
 * a peer.  The one that was added first is outermost.  A hook goes on with leat_proceed, once, or returns an error instead, and then
 * nothing is sent, or run; it may look at the values, and do what it likes before and after.  It runs in the task of the call, under its
 * context.  OK of one that has not gone on is INVAL, and so is OK of a call that has failed; a result is dropped when a hook returns an
 * error after it.  Of leat_go_on leat_proceed only starts the task: its OK, or its error, is that of the start, and an error that a hook
 * returns after an OK is ignored. */
typedef struct leat_called {
    const char *name;                                /* "service.method", or the function's; this and all else: until it returns */
    leat_peer *peer;                                 /* who is called, or who calls; borrowed */
    const void *in;
    void *out;                                       /* after leat_proceed was OK; NULL: a task, or served with a key */
    leat_string key;                                 /* of leat_call_once; else empty */
    const leat_dealt *dealt;                         /* an element of a deal; else NULL */
} leat_called;
typedef struct leat_next leat_next;
LEAT_CHECK leat_err leat_proceed(leat_next *next);   /* [blocks] the rest of it; INVAL: the second time */
typedef leat_err leat_hook(void *self, const leat_called *c, leat_next *next);
LEAT_CHECK leat_err leat_hook_calls(leat_node *n, leat_hook *hook, void *self);      /* NOMEM; INVAL: no hook; there until n is closed */
LEAT_CHECK leat_err leat_hook_served(leat_node *n, leat_hook *hook, void *self);     /* the same; what runs already is not hooked */

/* -- Limits of what a node runs for its peers at a time.  So many run, so many more wait their turn under the context of their
 * call; one beyond is LIMIT, and has not run.  leat_limit_service bounds the methods of one service, or the tasks of one exposed function
 * by its name, whoever calls; leat_limit_peers bounds what each peer may have, methods and tasks.  Hooks are outside: they see what waits
 * and what is refused.
 *   Who waits is served in the order of arrival, and nobody goes past; what one peer sends arrives in the order in which it was
 * sent, so with { 1, n } tasks that one task starts run one after the other.  Where both limits hold, a call waits for its peer's
 * first, and arrives at its service when it has that.  Who gives up leaves the row.  Calls with a key, and all calls while a hook is
 * around what is served, arrive when their own task gets there: of those no order is promised. */
typedef struct leat_call_limits { uint32_t running, waiting; } leat_call_limits;
LEAT_CHECK leat_err leat_limit_service(leat_node *n, const char *service, leat_call_limits l);  /* INVAL: none may run, no service,
                            or it has one; NOMEM */
LEAT_CHECK leat_err leat_limit_peers(leat_node *n, leat_call_limits l);   /* for sessions to come, so before n listens; INVAL: none
                            may run */

#include "call_macros.h"
LEAT_END_
#endif
