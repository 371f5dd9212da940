/* net_test.c - links of simulated worlds: bytes arrive once and in order however they are delayed and cut to pieces; faults come. */
#include "link/link.h"
#include "run/host.h"
#include "sim/sim_test.h"

enum { TOTAL = 300000, SEEDS = 40 };

static bool is_node(char rank) { return *host_getenv("LEAT_RANK") == rank; }

static uint8_t byte_at(size_t i) { return (uint8_t)(i * 2654435761u >> 13); }

static leat_err write_all(struct link *l, size_t total)
{
    uint64_t r = total;
    for (size_t at = 0; at < total; ) {
        uint8_t b[8192];
        size_t n = MIN(1 + (size_t)(rng_mix(&r) % sizeof b), total - at), half = n / 2;
        for (size_t i = 0; i < n; i++)
            b[i] = byte_at(at + i);
        struct iovec v[2] = { { b, half }, { b + half, n - half } };
        LEAT_TRY(link_writev(l, v, 2));
        at += n;
    }
    return LEAT_OK;
}

/* Checks what it reads; *ret: how many bytes came before the error that it returns. */
static leat_err read_all(struct link *l, size_t *ret)
{
    uint8_t b[5000];
    size_t n, at = 0;
    leat_err err;
    while ((err = link_read(l, b, sizeof b, &n)) == LEAT_OK) {
        CHECK(n >= 1 && n <= sizeof b);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(b[i], byte_at(at + i));
        at += n;
        *ret = at;
    }
    return err;
}

/* Machine 1 sends TOTAL bytes to machine 0 and closes. */
static leat_err dial_soon(const char *url, struct link **ret)
{
    for (;;) {                                       /* machines start at different times */
        leat_err err = link_dial(url, ret);
        if (err != LEAT_REFUSED)
            return err;
        LEAT_TRY(leat_sleep(LEAT_MS(10)));
    }
}

static leat_err sender(void)
{
    struct link *l;
    leat_err err = dial_soon("tcp://h0:1", &l);
    if (err != LEAT_OK)
        return err;
    CHECK_STR(l->text, "tcp://h0:1");
    err = write_all(l, TOTAL);
    link_close(l);
    return err;
}

static size_t got;
static leat_err how;

static leat_err stream(leat_none *none)
{
    struct link_listener *p;
    struct link *l;
    (void)none;
    if (is_node('1'))
        return sender();
    if (!is_node('0'))
        return LEAT_OK;
    got = 0;
    how = LEAT_OK;
    LEAT_TRY(link_listen("tcp://h0:1", NULL, &p));
    CHECK_STR(link_listener_url(p), "tcp://h0:1");
    leat_with_deadline(LEAT_S(20))
        how = link_accept(p, &l);
    if (how == LEAT_OK) {
        leat_with_deadline(LEAT_S(100))
            how = read_all(l, &got);
        link_close(l);
    }
    link_listener_close(p);
    return how == LEAT_CLOSED && got == TOTAL ? LEAT_OK : leat_fail(how == LEAT_CLOSED ? LEAT_INVAL : how, "after %zu bytes", got);
}

static bool hit(const struct sim_seen *s, const char *name) { return strstr(s->hits, name) != NULL; }

static struct sim_seen streams(const char *faults, int seed)
{
    char conf[80];
    snprintf(conf, sizeof conf, "seed=%d,nodes=3,faults=%s,most=1,restarts=0,bugs=none", seed, faults);
    return sim_of(conf, (leat_fn_ *)(void *)stream);
}

TEST(all_bytes_arrive_in_order_however_they_are_delayed_and_cut_to_pieces)
{
    int delayed = 0, pieces = 0, full = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct sim_seen s = streams("delay", seed);
        CHECK_STR(s.verdict, "ok");
        delayed += hit(&s, "delay:");
        pieces += hit(&s, "short_read:");
        full += hit(&s, "full_link:");
    }
    CHECK(delayed && pieces && full);
}

TEST(without_faults_there_is_no_delay_and_nothing_is_cut_to_pieces)
{
    struct sim_seen s = streams("none", 1);
    CHECK_STR(s.verdict, "ok");
    CHECK(!hit(&s, "delay:") && !hit(&s, "short_read:"));
}

TEST(a_link_that_is_cut_is_an_error_and_never_an_early_end)
{
    int cut = 0, silence = 0, healed = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct sim_seen s = streams("cut", seed), again = streams("cut", seed);
        CHECK_EQ(s.hash, again.hash);
        CHECK(strcmp(s.verdict, "INVAL") != 0);
        if (!hit(&s, ",cut:") && !hit(&s, "silence:") && !hit(&s, "one_way:") && !hit(&s, "half_cut:") && !hit(&s, "down:") &&
            !hit(&s, "clog:") && !hit(&s, "refuse:"))
            CHECK_STR(s.verdict, "ok");
        if (hit(&s, ",cut:") || hit(&s, "down:"))
            CHECK_STR(s.verdict, "PEER_LOST");
        cut += hit(&s, ",cut:");
        silence += hit(&s, "silence:") && strcmp(s.verdict, "DEADLINE") == 0;
        healed += hit(&s, "heal:") && strcmp(s.verdict, "ok") == 0;
    }
    CHECK(cut && silence && healed);
}

TEST(a_crash_breaks_links_and_a_power_loss_is_silent)
{
    int crash = 0, power = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        struct sim_seen s = streams("crash", seed);
        if (hit(&s, "crash:"))
            CHECK(strcmp(s.verdict, "PEER_LOST") == 0 || strcmp(s.verdict, "ok") == 0);
        if (hit(&s, "power_loss:"))
            CHECK(strcmp(s.verdict, "DEADLINE") == 0 || strcmp(s.verdict, "ok") == 0);
        crash += strcmp(s.verdict, "PEER_LOST") == 0;
        power += strcmp(s.verdict, "DEADLINE") == 0;
    }
    CHECK(crash && power);
}

/* -- addresses ------------------------------------------------------------------------------------------------------------------- */
static leat_err addresses(leat_none *none)
{
    struct link_listener *p, *q;
    struct link *l, *m;
    (void)none;
    if (!is_node('0'))
        return LEAT_OK;
    CHECK_EQ(link_dial("tcp://h1:9", &l), LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "tcp://h1:9: nobody listens there");
    CHECK_EQ(link_dial("tcp://h3:9", &l), LEAT_SYS);
    CHECK_STR(leat_err_detail(), "tcp://h3:9: there is no host h3 in this simulated world; its hosts are h0 to h2");
    CHECK_EQ(link_dial("tcp://example.org:80", &l), LEAT_SYS);
    CHECK_EQ(link_dial("tcp://h1", &l), LEAT_INVAL);
    CHECK_EQ(link_listen("tcp://h1:9", NULL, &p), LEAT_SYS);
    CHECK_EQ(link_listen("tcp://127.0.0.1:0", NULL, &p), LEAT_OK);
    CHECK_STR(link_listener_url(p), "tcp://h0:40001");
    CHECK_EQ(link_listen("tcp://localhost:40001", NULL, &q), LEAT_SYS);
    CHECK_HAS(leat_err_detail(), "in use");
    CHECK_EQ(link_listen("unix:/tmp/x", NULL, &q), LEAT_OK);
    CHECK_STR(link_listener_url(q), "unix:/tmp/x");
    CHECK_EQ(link_dial("unix:/tmp/x", &l), LEAT_OK);
    CHECK_EQ(link_accept(q, &m), LEAT_OK);
    link_listener_close(q);
    CHECK_EQ(link_dial("unix:/tmp/x", &l), LEAT_REFUSED);
    link_shutdown(m);
    size_t n;
    CHECK_EQ(link_read(l, &n, 1, &n), LEAT_CLOSED);
    link_close(l);
    link_close(m);
    link_listener_shutdown(p);
    CHECK_EQ(link_accept(p, &l), LEAT_CLOSED);
    link_listener_close(p);
    return LEAT_OK;
}

TEST(addresses_are_those_of_the_world)
{
    CHECK_STR(sim_of("seed=1,nodes=3,faults=none", (leat_fn_ *)(void *)addresses).verdict, "ok");
}

T_MAIN()
