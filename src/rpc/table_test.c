/* table_test.c - the table of what runs for a peer, who chooses the ids in it. */
#include "peer.h"
#include "rpc/calls.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(calc, (twice, num, num));

enum { OPENS = 1024, BUCKETS = 4096, LONG = 32 };
static struct peer peer;

static leat_err twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = 2 * in->n;
    return LEAT_OK;
}
static const struct calc_impl impl = { .twice = twice };

/* An OPEN that goes on in a further frame, which never comes. */
static void begin(uint64_t id)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, OPEN_CALL);
    buf_text(&b, "calc.twice", 10);
    buf_u64(&b, UINT64_MAX);
    put_print(&b, &num_type);
    put_print(&b, &num_type);
    buf_varint(&b, 8);
    buf_u8(&b, 1);
    peer_send(&peer, FRAME_OPEN, FRAME_MORE, &b);
    buf_free(&b);
}

/* How many it walks by who looks for the last one of the fullest bucket. */
static uint32_t longest(struct calls *t, uint32_t *all)
{
    uint32_t most = 0;
    lock(&t->lock);
    *all = t->jobs.count;
    for (uint32_t i = 0; i <= t->jobs.mask; i++) {
        uint32_t n = 0;
        for (const struct slot *x = t->jobs.bucket[i]; x; x = x->next)
            n++;
        most = MAX(most, n);
    }
    unlock(&t->lock);
    return most;
}

static leat_err chosen(leat_none *none)
{
    static const struct keyed known;                 /* the key that it has who does not know the node's */
    leat_node *a;
    uint32_t all;
    (void)none;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &a), LEAT_OK);
    CHECK_EQ(leat_serve(a, calc, &impl, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&peer, leat_node_url(a), 1);
        for (uint64_t id = 1, n = 0; n < OPENS; id += 2)
            if ((keyed_hash(&known, id) & (BUCKETS - 1)) == 0) {
                begin(id);
                n++;
            }
        peer_heard(&peer, 3);
        lock(&a->lock);
        struct sess *s = a->sessions;
        unlock(&a->lock);
        uint32_t most = longest(calls_of(s), &all);
        CHECK_EQ(all, OPENS);
        CHECK(most < LONG);
        peer_hang_up(&peer);
    }
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(calls_whose_ids_a_peer_has_chosen_do_not_meet_in_one_place, chosen)

T_MAIN()
