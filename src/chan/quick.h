/* quick.h - a receive that need not wait, in line where it is most often done: on an open channel of this process, of elements of 4 or
 * 8 bytes.  Under the channel's lock.  What is rare beside it is called last, so that who is in a hurry saves no register. */
#ifndef CHAN_QUICK_H
#define CHAN_QUICK_H
#include <string.h>
#include "chan/chan.h"

#define ALWAYS inline __attribute__((always_inline))

static inline uint32_t slot_of(const leat_chan_ *c, uint32_t n)
{
    uint32_t i = c->read + n;
    return i >= c->cap ? i - c->cap : i;
}

static ALWAYS bool chan_quick_size(const leat_chan_ *c) { return !SAN_EDGES && likely(((c->size - 4) & ~4u) == 0); }     /* no lock */

/* [lock held] Its size is such a one; is it open, with both ends here? */
static ALWAYS bool chan_is_plain(const leat_chan_ *c)
{
    uint32_t flags;
    _Static_assert(offsetof(leat_chan_, needy) == offsetof(leat_chan_, closed) + 3, "closed, ended, site, needy are read as one");
    memcpy(&flags, (const char *)c + offsetof(leat_chan_, closed), 4);
    return likely(flags == 0);
}

/* [lock held] Both in one look. */
static ALWAYS bool chan_is_quick(const leat_chan_ *c)
{
    uint32_t flags;
    memcpy(&flags, (const char *)c + offsetof(leat_chan_, closed), 4);
    return !SAN_EDGES && likely((flags | ((c->size - 4) & ~4u)) == 0);
}

static ALWAYS void quick_copy(const leat_chan_ *c, void *to, const void *from)
{
    if (likely(c->size == 8))
        memcpy(to, from, 8);
    else
        memcpy(to, from, 4);
}

/* [chan_is_quick(c)] The oldest of n elements, n > 0.  The caller makes them fewer. */
static ALWAYS void recv_oldest(leat_chan_ *c, void *out)
{
    uint32_t slot = c->read;
    quick_copy(c, out, c->buf + (size_t)slot * c->size);
    c->read = slot + 1 == c->cap ? 0 : slot + 1;
}

/* [chan_is_quick(c)] s, the first one in sq, sends, or what it sends takes the place of the oldest element; *t is to be made ready after
 * unlocking.  false: nothing has been done, and its wait must be looked at. */
static ALWAYS bool recv_from(leat_chan_ *c, void *out, struct waiter *s, struct task **t)
{
    if (!waiter_claim_first(&c->sq, s, t))
        return false;
    uint32_t n = at_load(&c->count);
    if (n == 0) {
        quick_copy(c, out, s->val);
    } else {
        recv_oldest(c, out);
        quick_copy(c, c->buf + (size_t)slot_of(c, n - 1) * c->size, s->val);       /* the same slot, or the one behind the last */
    }
    waiter_served(s, *t);
    return true;
}
#endif
