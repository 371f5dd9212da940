/* world.c - a program of one thread in virtual time, for fuzz targets: see fuzz.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/rng.h"
#include "fuzz.h"
#include "run/sched.h"
#include "run/seam.h"

enum { TURNS_MAX = 2000000, TURN_NS = 1000 };

void fuzz_wrong(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* -- memory ------------------------------------------------------------------------------------------------------------------- */
static struct { size_t taken, asked, failing; bool counting, failed; } memory;

static bool count(void *self, size_t n)
{
    (void)self;
    if (!memory.counting)
        return false;
    memory.taken += n;
    memory.failed |= ++memory.asked == memory.failing;
    return memory.asked == memory.failing;
}

void fuzz_memory_start(void)
{
    static const struct mem_hook hook = { count, NULL };
    memory.taken = 0;
    memory.counting = true;
    mem_hook = &hook;
}

size_t fuzz_memory(void)
{
    memory.counting = false;
    return memory.taken;
}

bool fuzz_starved(leat_err e) { return e == LEAT_NOMEM && memory.failed; }
bool fuzz_honest(leat_err e) { return e == LEAT_INVAL || e == LEAT_LIMIT || e == LEAT_TYPE || fuzz_starved(e); }

static void play(const struct fuzz_target *t, const uint8_t *p, size_t n, size_t failing)
{
    memory.asked = 0;
    memory.failing = failing;
    memory.failed = memory.counting = false;
    t->run(p, n);
    memory.counting = false;
}

void fuzz_play(const struct fuzz_target *t, const uint8_t *p, size_t n)
{
    uint64_t mix = n;
    play(t, p, n, 0);
    for (size_t i = 0; i < n; i++)
        mix = (mix ^ p[i]) * 0x9E3779B97F4A7C15u;
    if (memory.asked)
        play(t, p, n, 1 + (size_t)(mix >> 32) % memory.asked);
}

/* -- numbers ------------------------------------------------------------------------------------------------------------------ */
uint64_t fuzz_u64(struct cur *c)
{
    static const uint64_t edges[] = { 127, 128, 16383, 16384, 65535, 65536, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
        0x100000000, INT64_MAX - 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };
    uint8_t b = fuzz_u8(c);
    if (b < 0xc0)
        return b & 0x3f;
    if (b < 0xc0 + ARRAY_LEN(edges))
        return edges[b - 0xc0];
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | fuzz_u8(c);
    return v;
}

/* -- the world ---------------------------------------------------------------------------------------------------------------- */
static struct { int64_t now; uint64_t turns; struct rng rng; } world;

static int64_t now(void *self) { (void)self; return world.now; }
static uint64_t chance(void *self) { (void)self; return rng_next(&world.rng); }
static uint32_t choose(void *self, struct task **ready, uint32_t n)
{
    (void)self, (void)ready;
    world.now += TURN_NS;
    FUZZ_CHECK(++world.turns < TURNS_MAX && "the program ends");
    return rng_below(&world.rng, n);
}
static bool idle(void *self, int64_t next)
{
    (void)self;
    FUZZ_CHECK(next != NEVER && "not all tasks sleep for ever");
    if (next > world.now)
        world.now = next;
    return true;
}
const char *fuzz_job;
static const char *env(void *self, struct host *host, const char *name)
{
    (void)self, (void)host;
    return strcmp(name, "LEAT_JOB") == 0 ? fuzz_job : NULL;
}
static void served(void *self, struct host *host) { (void)self, (void)host; }
static void quiet(int level, const char *line) { (void)level, (void)line; }

/* Programs run on a thread of their own, always the same: where a stack lies is a question to /proc for the first thread of a process,
 * and more expensive than all the rest. */
static struct { pthread_mutex_t lock; pthread_cond_t change; pthread_t thread; bool begun, due; struct rt_main m; } runner = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&runner.lock);
    for (;;) {
        while (!runner.due)
            pthread_cond_wait(&runner.change, &runner.lock);
        FUZZ_CHECK(rt_run(&runner.m) == LEAT_OK);
        runner.due = false;
        pthread_cond_broadcast(&runner.change);
    }
    return NULL;
}

void fuzz_world(leat_fn_ *fn, const void *arg, size_t len)
{
    static const struct seam seam = { now, chance, choose, idle, env, served };
    static const leat_site_ site = { "fuzz", __FILE__, __LINE__ };
    static const leat_opts opts = { .log = quiet };
    world.now = 1000000000;
    world.turns = 0;
    rng_init(&world.rng, 1);
    pthread_mutex_lock(&runner.lock);
    if (!runner.begun)
        FUZZ_CHECK(pthread_create(&runner.thread, NULL, run, NULL) == 0);
    runner.begun = runner.due = true;
    runner.m = (struct rt_main){ .opts = &opts, .fn = fn, .site = &site, .arg = arg, .len = len, .seam = &seam };
    pthread_cond_broadcast(&runner.change);
    while (runner.due)
        pthread_cond_wait(&runner.change, &runner.lock);
    pthread_mutex_unlock(&runner.lock);
}
