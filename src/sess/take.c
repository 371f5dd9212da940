/* take.c - elements that arrive on a buffered channel: into its buffer, to a receiver who waits, or, at a relay, on to its home.
 * The session's reader calls it; the credits are home.c's. */
#include "sess/home.h"
#include "sess/value.h"
#include "type/bridge.h"

enum { RUN = 8, RUN_RAW = 64 };                      /* elements decoded under one lock */

/* v is decoded, and owned; bytes it had. */
static leat_err put(struct end *e, void *v, size_t bytes)
{
    leat_chan_ *c = e->c;
    struct task *wake = NULL;
    lock(&c->lock);
    struct home *h = e->home;
    if (!h || !e->out || e->sealed) {
        unlock(&c->lock);
        leat_err err = leat_fail(LEAT_INVAL, "an element on end %llu without a credit", (unsigned long long)e->id);
        return value_lost(e->s, FRAME_ELEM, e->type, v, err);
    }
    bool gone = h->deaf;
    if (h->up)
        return relay_take_unlock(h, e, v, bytes);
    e->out--;
    e->accepted++;
    e->bytes += bytes;
    if (gone)
        chan_unreserve_locked(c, 1);
    else
        chan_put_reserved_locked(c, v, &wake);
    home_took_locked(h, e);
    unlock(&c->lock);
    if (wake)
        task_ready(worker_self(), wake);
    if (gone)
        leat_drop_(e->type, v);
    return LEAT_OK;
}

leat_err take_element(struct end *e, struct cur *bytes, struct type_part *part)
{
    size_t n = cur_left(bytes) + (part ? part->len : 0);
    void *v = ends_scratch(e->s, e->c->size);
    if (!v)
        return LEAT_NOMEM;
    LEAT_TRY(value_unpack_part(e, bytes, v, part));
    if (!cur_done(bytes))
        return value_lost(e->s, FRAME_ELEM, e->type, v, leat_fail(LEAT_INVAL, "an element with %zu bytes too many", cur_left(bytes)));
    return put(e, v, n);
}

/* Decodes into the channel's buffer. */
static leat_err element_in_place(struct end *e, struct cur *bytes)
{
    void *v = chan_slot_locked(e->c);
    size_t n = cur_left(bytes);
    if (n == e->raw && n) {
        copy_short(v, cur_take(bytes, n), n);
    } else {
        LEAT_TRY(e->as ? type_decode_as(e->as, bytes, v, NULL, NULL) : type_decode(e->type, bytes, v, NULL, NULL));
        if (!cur_done(bytes)) {
            leat_drop_(e->type, v);
            return leat_fail(LEAT_INVAL, "an element with %zu bytes too many", cur_left(bytes));
        }
    }
    chan_filled_locked(e->c);
    e->out--;
    e->accepted++;
    e->bytes += n;
    return LEAT_OK;
}

/* As many elements as go into the buffer under one lock, perhaps none: when a receiver waits, or it is not as usual. */
static leat_err run_in_place(struct end *e, struct cur *in)
{
    leat_chan_ *c = e->c;
    leat_err err = LEAT_OK;
    lock(&c->lock);
    struct home *h = e->home;
    if (h && !e->sealed && !h->deaf && !h->up) {
        uint64_t was = e->accepted;
        for (int n = e->raw ? RUN_RAW : RUN; n && e->out && cur_left(in) && !at_load(&c->rq.head) && err == LEAT_OK; n--) {
            struct cur bytes = cur_part(in, (size_t)cur_varint(in));
            if (in->bad)
                break;
            err = element_in_place(e, &bytes);
        }
        if (e->accepted != was)
            home_took_locked(h, e);
    }
    unlock(&c->lock);
    return err;
}

leat_err take_elements(struct end *e, struct cur *in)
{
    while (cur_left(in) && !in->bad) {
        if (!e->ends_inside)
            LEAT_TRY(run_in_place(e, in));
        if (!cur_left(in) || in->bad)
            break;
        struct cur bytes = cur_part(in, (size_t)cur_varint(in));
        if (!in->bad)
            LEAT_TRY(take_element(e, &bytes, NULL));
    }
    return LEAT_OK;
}
