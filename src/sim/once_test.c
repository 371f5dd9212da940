/* once_test.c - calls with keys in simulated worlds, repeated until they have an answer: over links that break, to nodes that are killed
 * and start again, with deadlines and cancels in the middle, two callers for each key, and limits on what runs.
 *
 *  1. In one life of a node a method runs at most once for a key, however often and by whomever it is asked for.
 *  2. A result is that of such a run: all who have it from the same life have the same.
 *  3. An error of the way to it is followed by an answer, as long as a way leads to the node.
 *  4. Never more run than the limit of the service, also of those whose caller has left: a method keeps its slot until it returns. */
#include "leat.h"
#undef errno
#include "run/host.h"
#include "run/seam.h"
#include "sim/sim_test.h"

enum { SEEDS = 40, FEW = 4, SERVERS = 2, KEYS = 24, TWICE = 2, LIVES = 64, MOST = 3, WAITING = 12, TRIES = 400 };

LEAT_STRUCT(job, (uint64, id), (uint64, sleep_ms));
LEAT_STRUCT(done, (uint64, id), (uint64, life), (uint64, number));
LEAT_SERVICE(work, (once, job, done), (plain, job, done));

static struct {
    int lives[SERVERS], running[SERVERS][LIVES], most;
    uint8_t ran[SERVERS][LIVES][KEYS];
    uint64_t number[SERVERS][LIVES][KEYS], numbers;
    bool over, limited;
    int answers, repeats, late, unknown, refused;
} w;

struct life { uint32_t server; int n; };

static uint32_t any(uint32_t below) { return (uint32_t)(rt_random(rt_self()) % below); }

/* Stays a while after its context is over: what a limit counts is the method, not its caller. */
static void stay(struct life *l, uint64_t ms)
{
    int *running = &w.running[l->server][l->n];
    ++*running;
    w.most = *running > w.most ? *running : w.most;
    CHECK(!w.limited || *running <= MOST);
    leat_ignore(leat_sleep(LEAT_MS((int)ms)));
    for (int i = 0; i < 3; i++)
        leat_yield();
    --*running;
}

static leat_err once(void *self, const struct job *in, struct done *out)
{
    struct life *l = self;
    CHECK_EQ(++w.ran[l->server][l->n][in->id], 1);
    *out = (struct done){ .id = in->id, .life = (uint64_t)l->n, .number = w.number[l->server][l->n][in->id] = ++w.numbers };
    stay(l, in->sleep_ms);
    return LEAT_OK;
}

static leat_err plain(void *self, const struct job *in, struct done *out)
{
    out->id = in->id;
    stay(self, in->sleep_ms);
    return LEAT_OK;
}
static const struct work_impl impl = { .once = once, .plain = plain };

/* -- who calls ---------------------------------------------------------------------------------------------------------------------- */
struct drive { leat_node *n; leat_peer *peer; uint32_t server; uint64_t id; bool keyed; struct done out; leat_err err; };

static leat_err ask(struct drive **arg)
{
    struct drive *d = *arg;
    struct job in = { .id = d->id, .sleep_ms = d->id * 7 % 60 };         /* one key, one argument */
    char key[32];
    snprintf(key, sizeof key, "key %llu", (unsigned long long)d->id);
    d->err = d->keyed ? leat_call_once(d->peer, work, once, &in, &d->out, leat_string_of(key))
                      : leat_call(d->peer, work, plain, &in, &d->out);
    return LEAT_OK;
}

/* In one of the ways */
static leat_err ask_somehow(struct drive *d)
{
    uint32_t how = any(4);
    leat_dur soon = how < 3 ? LEAT_MS(any(80)) : LEAT_S(300);
    leat_err err;
    d->err = LEAT_CANCELED;
    if (how == 0) {
        leat_with_group(g, err)
            if (leat_go(&g, ask, d) == LEAT_OK) {
                leat_ignore(leat_sleep(soon));
                leat_group_cancel(&g);
            }
    } else {
        leat_with_deadline(soon)
            leat_ignore(ask(&d));
    }
    return d->err;
}

static void answered(struct drive *d)
{
    CHECK_EQ(d->out.id, d->id);
    w.answers++;
    if (!d->keyed)
        return;
    CHECK(d->out.life < (uint64_t)w.lives[d->server]);
    CHECK_EQ(w.ran[d->server][d->out.life][d->id], 1);
    CHECK_EQ(d->out.number, w.number[d->server][d->out.life][d->id]);
}

static bool dial(struct drive *d)                    /* false: no way leads there any more */
{
    char url[32];
    snprintf(url, sizeof url, "tcp://h%u:1", d->server + 1);
    d->peer = NULL;
    for (int i = 0; i < 100 && !d->peer; i++)
        leat_with_deadline(LEAT_S(30))
            if (leat_node_dial(d->n, url, &d->peer) != LEAT_OK)
                leat_ignore(leat_sleep(LEAT_MS(100)));
    return d->peer;
}

/* Until it is answered. */
static leat_err drives(struct drive *arg)
{
    struct drive d = *arg;
    bool there = dial(&d);
    for (int i = 0; i < TRIES && there; i++) {
        leat_err err = ask_somehow(&d);
        w.repeats += i > 0;
        w.unknown += err == LEAT_UNKNOWN;
        w.late += err == LEAT_DEADLINE || err == LEAT_CANCELED;
        w.refused += err == LEAT_LIMIT;
        if (err == LEAT_OK)
            return answered(&d), LEAT_OK;
        CHECK(err == LEAT_UNKNOWN || err == LEAT_DEADLINE || err == LEAT_CANCELED || err == LEAT_PEER_LOST || err == LEAT_LIMIT);
        CHECK(w.limited || err != LEAT_LIMIT);
        if (err == LEAT_PEER_LOST || (err == LEAT_UNKNOWN && leat_err_why() == LEAT_PEER_LOST))
            there = dial(&d);
        if (err == LEAT_LIMIT)
            CHECK_EQ(leat_sleep(LEAT_MS(5 + any(50))), LEAT_OK);
    }
    CHECK(!there);                                   /* else one was never answered */
    return LEAT_OK;
}

static leat_err calls(leat_node *n)
{
    leat_err err;
    leat_with_group(g, err)
        for (uint64_t i = 0; i < KEYS * TWICE; i++)
            for (int keyed = 0; keyed < 2; keyed++)
                LEAT_TRY(leat_go(&g, drives, (struct drive){ .n = n, .server = (uint32_t)(i % SERVERS), .id = i / TWICE, .keyed = keyed }));
    return err;
}

/* -- a node ------------------------------------------------------------------------------------------------------------------------- */
static leat_err node(leat_none *none)
{
    uint32_t rank = (uint32_t)atoi(host_getenv("LEAT_RANK"));
    leat_auto_node leat_node *n = NULL;
    struct life life = { .server = rank - 1 };
    char url[32];
    (void)none;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .grace = LEAT_S(1) }, &n));
    if (rank == 0) {
        leat_err err = calls(n);
        w.over = err == LEAT_OK;
        return err;
    }
    life.n = w.lives[life.server]++;
    CHECK(life.n < LIVES);
    LEAT_TRY(leat_serve(n, work, &impl, &life));
    if (w.limited)
        LEAT_TRY(leat_limit_service(n, "work", (leat_call_limits){ MOST, WAITING }));
    snprintf(url, sizeof url, "tcp://h%u:1", rank);
    LEAT_TRY(leat_node_listen(n, url));
    return leat_sleep(LEAT_S(1000000));
}

/* How often the callers of all worlds were answered, repeated, told what. */
static void worlds(const char *faults)
{
    int answers = 0, repeats = 0, unknown = 0, late = 0, most = 0, refused = 0, lives = 0;
    for (int seed = 0; seed < sim_worlds(SEEDS, FEW); seed++) {
        char conf[80];
        memset(&w, 0, sizeof w);
        w.limited = seed % 2;
        snprintf(conf, sizeof conf, "seed=%d,nodes=%d,faults=%s", seed, SERVERS + 1, faults);
        struct sim_seen seen = sim_of(conf, (leat_fn_ *)(void *)node);
        CHECK_STR(seen.verdict, "ok");
        if (strcmp(faults, "cut") != 0)
            CHECK_EQ(w.answers, 2 * KEYS * TWICE);
        answers += w.answers;
        repeats += w.repeats;
        unknown += w.unknown;
        late += w.late;
        refused += w.refused;
        for (int i = 0; i < SERVERS; i++)
            lives = w.lives[i] > lives ? w.lives[i] : lives;
        most = w.most > most ? w.most : most;
    }
    CHECK(answers && repeats && unknown && late && refused && most > MOST);
    CHECK(strcmp(faults, "heal") != 0 || lives > 1);
}

TEST(calls_with_keys_over_slow_links_run_once) { worlds("delay"); }
TEST(calls_with_keys_over_links_that_break_run_once) { worlds("cut"); }
TEST(calls_with_keys_run_once_in_each_life_of_their_node) { worlds("heal"); }

T_MAIN()
