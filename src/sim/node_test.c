/* node_test.c - nodes in simulated worlds: they find each other, stay together while only delayed, and notice what is lost. */
#include "leat.h"
#undef errno
#include "sim/sim_test.h"

enum { SEEDS = 40, WATCH_S = 200 };

struct watch { leat_peer *peer; };

static leat_err watch(struct watch *w)
{
    leat_err err = leat_peer_wait(w->peer);
    return err == LEAT_OK ? leat_fail(LEAT_INVAL, "a peer has left before node 0") : err;
}

/* Node 0 stays with the others for a while, in which nothing but heartbeats passes; it ends early when one is lost. */
static leat_err together(leat_none *none)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    leat_with_deadline(LEAT_S(WATCH_S)) {
        leat_with_group(g, err)
            for (uint32_t i = 0; i < peers.len; i++)
                LEAT_TRY(leat_go(&g, watch, (struct watch){ peers.at[i] }));
    }
    return err == LEAT_DEADLINE ? LEAT_OK : err;
}

static struct sim_seen run(const char *faults, int seed)
{
    char conf[80];
    snprintf(conf, sizeof conf, "seed=%d,nodes=3,faults=%s,most=1,restarts=0,bugs=none", seed, faults);
    return sim_of(conf, (leat_fn_ *)(void *)together);
}

static bool hit(const struct sim_seen *s, const char *name) { return strstr(s->hits, name) != NULL; }

/* When the fault came, s; it lasts for ever or more than `s`. */
static double struck_at(const struct sim_seen *s)
{
    const char *p = strstr(s->fault, " at ");
    return p ? atof(p + 4) : 1e9;
}

static double lasts(const struct sim_seen *s)
{
    const char *p = strstr(s->fault, " for ");
    return !p ? 0 : strncmp(p + 5, "ever", 4) == 0 ? 1e9 : atof(p + 5);
}

TEST(nodes_find_each_other_and_stay_together_however_slow_the_links_are)
{
    for (int seed = 0; seed < SEEDS / 2; seed++) {
        struct sim_seen s = run("delay", seed);
        CHECK_STR(s.verdict, "ok");
        CHECK_EQ(s.hash, run("delay", seed).hash);
    }
}

/* The grace is 30 s, and the default silence 10 s. */
TEST(a_cut_loses_nobody_and_a_silence_beyond_the_grace_does)
{
    int cut = 0, silent = 0, passed = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct sim_seen s = run("cut", seed);
        double at = struck_at(&s), took = (double)s.ns / 1e9 - at;
        bool lost = strcmp(s.verdict, "ok") != 0;
        if (lost)                                    /* SYS, REFUSED: it came while they were looking for each other */
            if (!strstr("PEER_LOST SYS REFUSED", s.verdict)) t_fail(__FILE__, __LINE__, "seed %d: %s", seed, s.verdict);
        if (hit(&s, ",cut:") || hit(&s, "half_cut:") || (hit(&s, "down:") && lasts(&s) < 20)) {
            CHECK(strcmp(s.verdict, "PEER_LOST") != 0);
            cut += !lost && at < WATCH_S - 1;
        }
        if ((hit(&s, "silence:") || hit(&s, "one_way:")) && lasts(&s) > 55 && at < WATCH_S - 80) {
            CHECK(lost);
            CHECK(took < 90);
            silent++;
        }
        passed += hit(&s, "heal:") && !lost;
    }
    CHECK(cut && silent && passed);
}

TEST(a_crash_is_noticed_with_and_without_a_word)
{
    int crash = 0, power = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct sim_seen s = run("crash", seed);
        bool lost = strcmp(s.verdict, "ok") != 0;
        if (struck_at(&s) < WATCH_S - 40)
            CHECK(lost);
        crash += lost && hit(&s, "crash:");
        power += lost && hit(&s, "power_loss:");
    }
    CHECK(crash && power);
}

T_MAIN()
