/* table_test.c - the table of what runs for a peer, who chooses the ids in it. */
#define XXH_INLINE_ALL                               /* see type/info.c */
#include <xxhash.h>
#include "peer.h"
#include "rpc/calls.h"
#include "sess/impl.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(calc, (twice, num, num));

enum { OPENS = 1024, KEYS = 256, BUCKETS = 4096, LONG = 32 };
static const struct keyed known;                     /* the secret that it has who does not know the node's */
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
static uint32_t longest(_Atomic uint32_t *its_lock, const struct slots *t, uint32_t *all)
{
    uint32_t most = 0;
    lock(its_lock);
    *all = t->count;
    for (uint32_t i = 0; i < t->buckets; i++) {
        uint32_t n = 0;
        for (const struct slot *x = *slots_bucket(t, i); x; x = x->next)
            n++;
        most = MAX(most, n);
    }
    unlock(its_lock);
    return most;
}

static leat_err chosen(leat_none *none)
{
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
        uint32_t most = longest(&calls_of(s)->lock, &calls_of(s)->jobs, &all);
        CHECK_EQ(all, OPENS);
        CHECK(most < LONG);
        peer_hang_up(&peer);
    }
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(calls_whose_ids_a_peer_has_chosen_do_not_meet_in_one_place, chosen)

/* Keys for which it would be so, if the method's address were all that is not known of how a key becomes an id. */
static leat_err keys(leat_none *none)
{
    struct pair x = pair_open();
    struct num out;
    uint32_t all;
    (void)none;
    CHECK_EQ(leat_serve(x.a, calc, &impl, NULL), LEAT_OK);
    const struct exposed *twice_fn = at_load(&exposures_of(x.a)->first);
    for (uint64_t i = 0, n = 0; n < KEYS; i++) {
        uint64_t id = XXH3_64bits_withSeed((const char *)&i, sizeof i, (uintptr_t)twice_fn);
        if (keyed_hash(&known, id) & (BUCKETS - 1))
            continue;
        CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ n }, &out, ((leat_string){ (const char *)&i, sizeof i, 0 })), LEAT_OK);
        CHECK_EQ(out.n, 2 * n);
        n++;
    }
    struct keeper *k = exposures_of(x.a)->keeper;
    uint32_t most = longest(&k->lock, &k->slots, &all);
    CHECK_EQ(all, KEYS);
    CHECK(most < LONG);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(keys_that_a_peer_has_chosen_do_not_meet_in_one_place, keys)

T_MAIN()
