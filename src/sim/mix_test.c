/* mix_test.c - channels between nodes under random operations in simulated worlds: sends that wait, try, give up or are selected,
 * receivers that dawdle, links that are slow or cut.  Every outcome is checked against what was received: OK is once, UNKNOWN at
 * most once, any other error never; elements of one task are in order; and no more are ahead than the capacity. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "run/sched.h"
#include "run/seam.h"
#include "sim/sim_test.h"

enum { SEEDS = 150, FEW = 30, NODES = 3, TASKS = 3, EACH = 60, SENDERS = NODES * TASKS };
enum outcome { NOTHING, SENT, PERHAPS, NOT_SENT };

LEAT_STRUCT(num, (uint64, from), (uint64, n), (string, text));

static size_t capacity;
static bool calm;                                    /* no fault is planned: everything must arrive */
static uint8_t outcome[SENDERS][EACH], received[SENDERS][EACH];
static int64_t ahead;                                /* complete and not received (or lost); one thread runs a simulated world */
static uint32_t finished;

static uint32_t any(uint32_t below) { return (uint32_t)(rt_random(rt_self()) % below); }

static leat_err select_send(leat_tx(struct num) out, struct num *v)
{
    leat_err err;
    bool sent = false;
    leat_select(err) {
        leat_on_send(out, v) { sent = true; }
        leat_on_after(LEAT_MS(any(30))) { }
    }
    return err == LEAT_OK && !sent ? LEAT_DEADLINE : err;
}

static leat_err send_somehow(leat_tx(struct num) out, struct num *v)
{
    leat_err err = LEAT_OK;
    switch (any(5)) {
    case 0:
        return leat_try_send_((leat_chan_ *)(void *)out, v);
    case 1:
        leat_with_deadline(LEAT_MS(any(30)))
            err = leat_send_from(out, v);
        return err;
    case 2:
        if (leat_cap(out))
            return select_send(out, v);
        /* fall through */
    default:
        return leat_send_from(out, v);
    }
}

struct sender { leat_tx(struct num) out; uint64_t id; };
static leat_err sender(struct sender *s)
{
    leat_err err = LEAT_OK;
    for (uint64_t i = 0; i < EACH; i++) {
        struct num v = { .from = s->id, .n = i };
        LEAT_TRY(leat_string_dup("some text", 9, &v.text));
        err = send_somehow(s->out, &v);
        outcome[s->id][i] = err == LEAT_OK ? SENT : err == LEAT_UNKNOWN ? PERHAPS : NOT_SENT;
        ahead += err == LEAT_OK;
        if (err != LEAT_OK && err != LEAT_UNKNOWN)
            leat_drop(num, &v);                      /* certainly not sent, so it is still ours */
        CHECK(err != LEAT_CLOSED && err != LEAT_GONE && err != LEAT_INVAL);
        if (err == LEAT_PEER_LOST)
            return LEAT_OK;
        if (any(8) == 0)
            leat_ignore(leat_sleep(LEAT_MS(any(20))));
    }
    finished++;
    return LEAT_OK;
}

static leat_err send_all(uint64_t rank, leat_tx(struct num) out)
{
    leat_err err;
    leat_with_group(g, err)
        for (uint64_t i = 0; i < TASKS; i++)
            LEAT_TRY(leat_go(&g, sender, (struct sender){ out, rank * TASKS + i }));
    leat_finish(out);
    return err;
}

static leat_err node(uint64_t rank)
{
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_tx(struct num) out = NULL;
    leat_peer *p;
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    while ((err = leat_node_dial(n, "tcp://h0:1", &p)) == LEAT_REFUSED)
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
    LEAT_TRY(err);
    LEAT_TRY(leat_import(p, "nums", &out, num, 0));
    return send_all(rank, out);
}

static leat_err take(leat_rx(struct num) in)
{
    struct num v;
    leat_err err;
    uint64_t next[SENDERS] = { 0 };
    while ((err = leat_recv(in, &v)) == LEAT_OK) {
        ahead--;
        CHECK(v.from < SENDERS && v.n < EACH);
        CHECK(v.n >= next[v.from]);                  /* in order; what was given up is left out */
        next[v.from] = v.n + 1;
        CHECK_EQ(received[v.from][v.n]++, 0);
        CHECK_EQ(v.text.len, 9);
        leat_drop(num, &v);
        CHECK(!calm || ahead <= (int64_t)capacity);
        if (any(4) == 0)
            LEAT_TRY(leat_sleep(LEAT_MS(any(5))));
    }
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

struct taker { leat_rx(struct num) in; };
static leat_err taker(struct taker *t) { return take(t->in); }

static leat_err home(void)
{
    leat_auto_node leat_node *n = NULL;
    leat_auto leat_chan(struct num) c = leat_chan_make(struct num, capacity);
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_export(n, "nums", leat_tx_of(c), num));
    LEAT_TRY(leat_node_listen(n, "tcp://h0:1"));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, taker, (struct taker){ leat_rx_of(c) }));
        LEAT_TRY(send_all(0, leat_tx_of(c)));
        LEAT_TRY(leat_sleep(LEAT_S(5)));             /* everybody has imported by then, or never will */
        leat_unexport(n, "nums");
    }
    return err;
}

static leat_err mix(leat_none *none)
{
    int rank = atoi(host_getenv("LEAT_RANK"));
    (void)none;
    return rank ? node((uint64_t)rank) : home();
}

/* What was said of each value, against what was received. */
static void judge(bool complete)
{
    for (int s = 0; s < SENDERS; s++)
        for (int i = 0; i < EACH; i++) {
            CHECK(received[s][i] == 0 || outcome[s][i] == SENT || outcome[s][i] == PERHAPS || outcome[s][i] == NOTHING);
            if (complete)
                CHECK(received[s][i] == 1 || outcome[s][i] != SENT);
            if (calm)
                CHECK(outcome[s][i] == PERHAPS || (outcome[s][i] != NOTHING && (outcome[s][i] == SENT) == (received[s][i] == 1)));
        }
}

static void worlds(const char *faults)
{
    int ok = 0, lost = 0;
    calm = strcmp(faults, "delay") == 0;
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        char conf[80];
        capacity = (size_t[]){ 0, 1, 2, 7, 100 }[seed % 5];
        memset(outcome, 0, sizeof outcome);
        memset(received, 0, sizeof received);
        ahead = 0;
        finished = 0;
        snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=%s,restarts=0", seed, NODES, faults);
        struct sim_seen s = sim_of(conf, (leat_fn_ *)(void *)mix);
        bool good = strcmp(s.verdict, "ok") == 0;
        ok += good;
        lost += strcmp(s.verdict, "PEER_LOST") == 0;
        CHECK(!calm || (good && finished == SENDERS));
        judge(good);
    }
    CHECK(ok > 0 && (calm || lost > 0));
}

TEST(random_operations_have_true_outcomes_over_slow_links) { worlds("delay"); }
TEST(random_operations_have_true_outcomes_over_a_cut) { worlds("cut"); }
TEST(random_operations_have_true_outcomes_when_a_node_crashes) { worlds("crash"); }

T_MAIN()
