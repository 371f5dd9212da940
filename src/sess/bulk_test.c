/* bulk_test.c - elements that do not fit into a frame or into what may be under way, and many ends in one session. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "leat.h"
#include "t.h"
#include "pair.h"

LEAT_STRUCT(blob, (bytes, data));
LEAT_STRUCT(word, (string, text));
LEAT_STRUCT(given, (tx(word), end));

enum { SIZE = 256 << 10, AHEAD = 8, MOST = 8 * AHEAD * SIZE };

static atomic_size_t largest;

static bool note_size(void *self, size_t n)
{
    size_t was = atomic_load(&largest);
    (void)self;
    while (n > was && !atomic_compare_exchange_weak(&largest, &was, n))
        ;
    return false;
}
static const struct mem_hook noting = { note_size, NULL };

struct source { leat_tx(struct blob) out; uint8_t *mem; int64_t n; };

static leat_err send_all(struct source *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        s->mem[0] = s->mem[SIZE - 1] = (uint8_t)i;
        LEAT_TRY(leat_send(s->out, { { s->mem, SIZE, 0 } }));
    }
    leat_close(s->out);
    return LEAT_OK;
}

static void receive_all(leat_chan(struct blob) in, int64_t n)
{
    leat_err err;
    int64_t i = 0;
    leat_each(x, in, err) {
        CHECK(x.data.len == SIZE && x.data.p[0] == (uint8_t)i && x.data.p[SIZE - 1] == (uint8_t)i);
        leat_drop(blob, &x);
        i++;
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(i, n);
}

/* A sender that is always ahead keeps a backlog all the time.  It is as long as the credits allow, not as all that was ever sent. */
static leat_err stream(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    const int64_t n = getenv("T_QUICK") ? 200 : 400;
    leat_chan(struct blob) in = leat_chan_make(struct blob, AHEAD);
    leat_tx(struct blob) out = NULL;
    uint8_t *mem = calloc(1, SIZE);
    leat_group g = { 0 };
    CHECK(in && mem);
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), blob), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, blob, 0), LEAT_OK);
    CHECK_EQ(leat_go(&g, send_all, (struct source){ out, mem, n }), LEAT_OK);
    receive_all(in, n);
    CHECK_EQ(leat_group_wait(&g), LEAT_OK);
    CHECK(atomic_load(&largest) <= MOST);
    leat_unref(out);
    leat_unref(in);
    free(mem);
    pair_close(&x);
    return LEAT_OK;
}

static void bulk(enum place p)
{
    at(p);
    mem_hook = &noting;
    CHECK_EQ(leat_run(&quiet_opts, stream, LEAT_NONE), LEAT_OK);
    mem_hook = NULL;
}
TEST(a_stream_of_large_elements_takes_no_more_memory_than_its_credits_inproc) { bulk(INPROC); }
TEST(a_stream_of_large_elements_takes_no_more_memory_than_its_credits_unix) { bulk(UNIX); }
TEST(a_stream_of_large_elements_takes_no_more_memory_than_its_credits_tcp) { bulk(TCP); }

/* Elements of every size on several channels in turn, so that small ones are gathered behind large ones, which are cut: each channel
 * has its own in order and whole. */
enum { LANES = 5, LANE_AHEAD = 64 };

static uint32_t size_of(int lane, int64_t i)         /* mostly small, now and then more than a frame holds, and nothing at all */
{
    uint32_t r = (uint32_t)(i * 2654435761u + (uint32_t)lane * 40503u) >> 16;
    return r % 50 == 0 ? 20000 + r : r % 7 == 0 ? 0 : r % 300;
}

struct lane { leat_rx(struct blob) in; int number; int64_t n; };

static leat_err check_lane(struct lane *l)
{
    leat_err err;
    int64_t i = 0;
    leat_each(x, l->in, err) {
        CHECK_EQ(x.data.len, size_of(l->number, i));
        for (uint32_t k = 0; k < x.data.len; k += 97)
            CHECK_EQ(x.data.p[k], (uint8_t)(i + l->number + k));
        leat_drop(blob, &x);
        i++;
    }
    CHECK_EQ(i, l->n);
    return err;
}

static leat_err send_lanes(leat_tx(struct blob) *out, uint8_t *mem, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < LANES; k++) {
            uint32_t size = size_of(k, i);
            for (uint32_t j = 0; j < size; j++)
                mem[j] = (uint8_t)(i + k + j);
            LEAT_TRY(leat_send(out[k], { { mem, size, 0 } }));
        }
    for (int k = 0; k < LANES; k++)
        leat_close(out[k]);
    return LEAT_OK;
}

static leat_err mixed(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    const int64_t n = getenv("T_QUICK") ? 500 : 3000;
    leat_chan(struct blob) in[LANES];
    leat_tx(struct blob) out[LANES] = { NULL };
    uint8_t *mem = malloc(1 << 20);
    char name[8];
    leat_err err;
    leat_with_group(g, err) {
        for (int k = 0; k < LANES; k++) {
            snprintf(name, sizeof name, "in %d", k);
            CHECK(in[k] = leat_chan_make(struct blob, LANE_AHEAD));
            CHECK_EQ(leat_export(x.a, name, leat_tx_of(in[k]), blob), LEAT_OK);
            CHECK_EQ(leat_import(x.p, name, &out[k], blob, 0), LEAT_OK);
            CHECK_EQ(leat_go(&g, check_lane, (struct lane){ leat_rx_of(in[k]), k, n }), LEAT_OK);
        }
        CHECK_EQ(send_lanes(out, mem, n), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    for (int k = 0; k < LANES; k++) {
        leat_unref(out[k]);
        leat_unref(in[k]);
    }
    free(mem);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(elements_of_every_size_on_channels_in_turn_stay_whole_and_in_order, mixed)

/* Both sides are in this process: a record of the channel's home and its end at one, a channel and its end at the other. */
enum { ENDS = 4000, END_BYTES = 512 };
static leat_tx(struct word) kept[ENDS];
static leat_chan(struct word) made[ENDS];

static leat_err keep_ends(leat_rx(struct given) *in)
{
    struct given g;
    for (int i = 0; i < ENDS; i++) {
        LEAT_TRY(leat_recv(*in, &g));
        kept[i] = g.end;
    }
    return LEAT_OK;
}

static leat_err many_ends(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct given) in = leat_chan_make(struct given, 0);
    leat_tx(struct given) out = NULL;
    leat_err err;
    CHECK_EQ(leat_export(x.a, "in", leat_tx_of(in), given), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "in", &out, given, 0), LEAT_OK);
    for (int i = 0; i < ENDS; i++)
        CHECK(made[i] = leat_chan_make(struct word, 1));
    size_t before = mallinfo2().uordblks;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, keep_ends, leat_rx_of(in)));
        for (int i = 0; i < ENDS; i++)
            LEAT_TRY(leat_send(out, { leat_ref(leat_tx_of(made[i])) }));
    }
    CHECK_EQ(err, LEAT_OK);
    size_t each = (mallinfo2().uordblks - before) / ENDS;            /* 0 where another allocator stands in for malloc's */
    CHECK(each <= 2 * END_BYTES);
    for (int i = 0; i < ENDS; i++) {
        leat_unref(kept[i]);
        leat_unref(made[i]);
    }
    leat_unref(out);
    leat_unref(in);
    pair_close(&x);
    return LEAT_OK;
}
TEST(an_end_costs_each_side_at_most_512_bytes) { AT(INPROC, many_ends); }

T_MAIN()
