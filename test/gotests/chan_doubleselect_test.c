/* chan_doubleselect_test.c - what Go's test/chan/doubleselect.go states: a select that could send on any of four channels sends on
 * exactly one. */
#include "place.h"

struct sender { leat_chan(struct num) c[4]; int n; };
static leat_err sender(struct sender *s)
{
    leat_err err = LEAT_OK;
    for (struct num i = { 0 }; i.n < s->n && err == LEAT_OK; i.n++)
        leat_select(err) {
            leat_on_send(s->c[0], &i) {}
            leat_on_send(s->c[1], &i) {}
            leat_on_send(s->c[2], &i) {}
            leat_on_send(s->c[3], &i) {}
        }
    for (int k = 0; k < 4; k++)
        leat_close(s->c[k]);
    return err;
}

/* Between two channels stands a task, so that sender and receiver are never the same two. */
struct mux { leat_rx(struct num) in; leat_tx(struct num) out; };
static leat_err mux(struct mux *m)
{
    leat_err err;
    leat_each(v, m->in, err)
        LEAT_TRY(leat_send(m->out, v));
    leat_finish(m->out);
    return err;
}

/* What comes in is seen once each. */
LEAT_STRUCT(once, (rx(num), in), (int64, count));
static leat_err once(struct once *o)
{
    bool *seen = calloc((size_t)o->count, 1);
    int64_t n = 0;
    leat_err err;
    leat_each(v, o->in, err) {
        CHECK(v.n >= 0 && v.n < o->count && !seen[v.n]);
        seen[v.n] = true;
        n++;
    }
    CHECK_EQ(n, o->count);
    free(seen);
    return err;
}
PLACE_TASK(once, once)

static leat_err doubleselect_test(void)
{
    struct sender s = { .n = place_turns(100000) };
    leat_chan(struct num) all = leat_chan_make(struct num, 0);
    leat_err err;
    for (int k = 0; k < 4; k++)
        s.c[k] = leat_chan_make(struct num, 0);
    leat_with_group(g, err) {
        LEAT_TRY(place_go(&g, once, once, { leat_ref(leat_rx_of(all)), s.n }));
        for (int k = 0; k < 4; k++)
            LEAT_TRY(leat_go(&g, mux, (struct mux){ leat_rx_of(s.c[k]), leat_ref(leat_tx_of(all)) }));
        leat_finish(all);                            /* the four finish it: each once */
        LEAT_TRY(leat_go(&g, sender, s));
    }
    for (int k = 0; k < 4; k++) {
        leat_unref(s.c[k]);
        leat_tx(struct num) end = leat_tx_of(all);
        leat_unref(end);                             /* that of the k-th mux */
    }
    leat_unref(all);
    return err;
}
EVERYWHERE(doubleselect, doubleselect_test)

T_MAIN()
