/* world.c - the machines of a world, its clock and its choices: the seam that run/ calls, and sim_run around it.
 *
 * The runtime's first task is the world's own.  It starts the program's main function once on each machine, and again on those that
 * come back from a crash; it ends when that of machine 0 has ended and the others have followed. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/probe.h"
#include "plat/copies.h"
#include "plat/mem.h"
#include "run/err.h"
#include "run/host.h"
#include "run/rt.h"
#include "run/sched.h"
#include "sim/sim.h"
#include "sim/world.h"

enum { PATIENCE_S = 120 };                           /* how long the others may take to notice that machine 0 has ended */

void *sim_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

int64_t sim_log_uniform(struct rng *r, int64_t min, int64_t max)
{
    uint32_t bits = 0;
    while (min << bits < max)
        bits++;
    int64_t low = min << rng_below(r, bits ? bits : 1);
    return MIN(low + (int64_t)(rng_next(r) % (uint64_t)low), max);
}

/* -- waiting for what comes from an event or another task --------------------------------------------------------------------- */
leat_err slot_wait(struct task **slot)
{
    struct task *t = task_self();
    assert(!*slot);
    *slot = t;
    at_store(&t->park, PARK_WAIT);
    uint32_t why = task_wait(t);
    if (why == PARK_CHAN)
        return LEAT_OK;
    if (*slot == t)
        *slot = NULL;
    leat_err e = task_wait_err(t, why);
    return e == LEAT_AGAIN ? LEAT_OK : e;
}

void slot_wake(struct task **slot)
{
    struct task *t = *slot;
    *slot = NULL;
    if (t && task_claim(t, PARK_CHAN))
        task_ready(worker_self(), t);
}

/* -- the seam ---------------------------------------------------------------------------------------------------------------- */
static int64_t world_now(void *self) { return ((struct world *)self)->now; }
static uint64_t world_random(void *self) { return rng_next(&((struct world *)self)->program); }

static void check_limits(struct world *w)
{
    if (w->now - START_NS > w->conf.limit_ns)
        sim_stop(w, "timeout", "the program has not ended within %" PRId64 " s of virtual time: it waits for what does not come",
            w->conf.limit_ns / 1000000000);
    if (w->steps > w->conf.steps)
        sim_stop(w, "timeout", "the program has not ended within %" PRIu64 " turns of its tasks; is it waiting in a loop?",
            w->conf.steps);
}

static bool may_run(const struct task *t)
{
    return !t->host || !machine_of(t->host)->dead;
}

/* The k-th of those that may run; all may while no machine has crashed. */
static uint32_t nth_alive(struct task **ready, uint32_t n, uint32_t k)
{
    for (uint32_t i = 0; i < n; i++)
        if (may_run(ready[i]) && k-- == 0)
            return i;
    return n;
}

static uint32_t world_choose(void *self, struct task **ready, uint32_t n)
{
    struct world *w = self;
    uint32_t alive = n, k;
    if (w->dead) {
        alive = 0;
        for (uint32_t i = 0; i < n; i++)
            alive += may_run(ready[i]);
    }
    if (!alive)
        return n;
    w->hits[HIT_CHOICE] += alive > 1;
    w->steps++;
    w->now += STEP_NS;
    check_limits(w);
    k = rng_below(&w->sched, alive);
    trace_task(w, ready[w->dead ? nth_alive(ready, n, k) : k], k, alive);
    k = w->dead ? nth_alive(ready, n, k) : k;
    struct task *t = ready[k];
    events_run(w);                                   /* may crash the machine of the very task that was chosen */
    return may_run(t) ? k : world_choose(self, ready, n);
}

static bool world_idle(void *self, int64_t next)
{
    struct world *w = self;
    int64_t event = event_next(w), at = MIN(next, event);
    if (at == NEVER)
        sim_stop(w, "deadlock", "all tasks are asleep for ever");
    if (at > w->now) {
        w->now = at;
        w->hits[HIT_JUMP]++;
    }
    check_limits(w);
    events_run(w);
    return true;
}

static const char *world_getenv(void *self, struct host *host, const char *name)
{
    struct world *w = self;
    if (strcmp(name, "LEAT_SIM") == 0 || strcmp(name, "LEAT_LISTEN_FD") == 0)
        return NULL;
    if (strcmp(name, "LEAT_NODES") == 0)
        return w->conf.nodes > 1 ? w->nodes : NULL;
    if (!host || w->conf.nodes == 1)
        return getenv(name);
    if (strcmp(name, "LEAT_RANK") == 0)
        return machine_of(host)->rank;
    return strcmp(name, "LEAT_JOB") == 0 ? machine_of(host)->job : getenv(name);
}

static void world_served(void *self, struct host *host)
{
    struct machine *m = machine_of(host);
    (void)self;
    m->served = true;
    leat_cancel(m->root, LEAT_CANCELED);
}

static const struct seam world_seam = { world_now, world_random, world_choose, world_idle, world_getenv, world_served };

/* -- the course of a world --------------------------------------------------------------------------------------------------------- */
static struct machine *straggler(struct world *w)
{
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        if (!w->machines[i]->ended && !w->machines[i]->dead)
            return w->machines[i];
    return NULL;
}

/* Waits until all machines that live have ended, at most PATIENCE_S.  The first that has not, or NULL. */
static struct machine *await_others(struct world *w)
{
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_S(PATIENCE_S)) {
        while (straggler(w) && err == LEAT_OK)
            err = slot_wait(&w->waker);
    }
    return straggler(w);
}

static leat_err start_due(struct world *w)
{
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        if (w->machines[i]->again) {
            w->machines[i]->again = false;
            w->hits[HIT_RESTART]++;
            trace_event(w, "restart", i, 0);
            trace_say(w, "h%u  starts again", i);
            LEAT_TRY(machine_start(machine_new(w, i)));
        }
    return LEAT_OK;
}

static void end_others(struct world *w)
{
    struct machine *late;
    if (!await_others(w))
        return;
    trace_say(w, "the machines that have not ended are told to");
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        if (!w->machines[i]->dead)
            leat_cancel(w->machines[i]->root, LEAT_CANCELED);
    if ((late = await_others(w)))
        sim_stop(w, "stuck", "node %u has not ended %d s after node 0, though its context was cancelled then", late->id, PATIENCE_S);
}

static leat_err world_main(struct world **arg)
{
    struct world *w = *arg;
    w->rt = rt_self();
    net_open(w);
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        LEAT_TRY(machine_start(w->machines[i]));
    while (!w->machines[0]->ended) {
        LEAT_TRY(slot_wait(&w->waker));
        LEAT_TRY(start_due(w));
    }
    end_others(w);
    if (!w->dead)                                    /* the tasks of a machine that crashed never end */
        leat_ignore(leat_group_wait(&w->group));
    struct machine *m = w->machines[0];
    err_give(task_self(), m->fault, m->err);
    m->fault = NULL;
    return m->err;
}

/* -- the whole ----------------------------------------------------------------------------------------------------------------- */
static void world_free(struct world *w)
{
    if (w->ways)
        net_close(w);
    free(w->events.at);
    machines_free(w);
    free(w->pad);
    free(w);
}

static leat_err world_new(const struct rt_main *m, const struct sim_conf *c, struct world **ret)
{
    struct world *w = sim_alloc(sizeof *w);
    uint64_t seed = c->seed;
    w->conf = *c;
    w->pad = plat_mem_pad();
    w->main = m;
    w->now = START_NS;
    rng_init(&w->sched, rng_mix(&seed));
    rng_init(&w->net, rng_mix(&seed));
    rng_init(&w->faults, rng_mix(&seed));
    rng_init(&w->program, rng_mix(&seed));
    w->machines = sim_alloc(c->nodes * sizeof(struct machine *));
    plan_draw(&w->plan, c, &w->faults);
    leat_err err = c->plan[0] ? plan_parse(c->plan, &w->plan) : LEAT_OK;
    for (uint32_t i = 0; i < c->nodes; i++) {
        size_t n = strlen(w->nodes);
        (void)machine_new(w, i);
        snprintf(w->nodes + n, sizeof w->nodes - n, "%stcp://h%u:1", i ? "," : "", i);
    }
    if (err != LEAT_OK) {
        world_free(w);
        return err;
    }
    trace_open(w);
    trace_event(w, "world", c->seed, (uint64_t)c->nodes << 32 | c->faults);
    *ret = w;
    return LEAT_OK;
}

static void probes_start(struct world *w)
{
    struct probe_watch watch = sim_watch;
    const char *bugs = w->conf.bugs;
    watch.self = w;
    if (w->conf.faults == FAULTS_NONE && !*bugs)
        bugs = "none";
    probes_begin(w->conf.seed, strcmp(bugs, "none") == 0 ? "" : *bugs ? bugs : NULL,
        w->conf.faults > FAULTS_DELAY && w->conf.faults != FAULTS_HEAL, &watch);
}

/* Goes on in a copy of this process, for each order of `leat sim`; another leat_run in the same copy finds that order in LEAT_SIM. */
static leat_err next_order(struct sim_conf *c)
{
    char order[8 << 10];
    int report = -1;
    copies_serve(c->serve, order, sizeof order - 32, &report);
    snprintf(order + strlen(order), 32, ",fd=%d", report);
    if (setenv("LEAT_SIM", order, 1) != 0)
        return LEAT_NOMEM;
    return sim_conf_parse(order, c);
}

/* What conf.c cannot tell: it knows neither faults nor the points of this program. */
static leat_err conf_check(const struct sim_conf *c)
{
    struct plan plan;
    size_t len;
    const char *name = strcmp(c->bugs, "none") == 0 ? NULL : probes_unknown(c->bugs, &len);
    if (name)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: bugs=%s: there is no rare turn '%.*s'; write NAME+NAME, as a failed seed's line names them",
            c->bugs, (int)len, name);
    return c->plan[0] ? plan_parse(c->plan, &plan) : LEAT_OK;
}

leat_err sim_run(const struct rt_main *m, const char *config)
{
    static const leat_site_ site = { "world", "sim", 0 };
    struct sim_conf c;
    struct world *w;
    LEAT_TRY(sim_conf_parse(config, &c));
    if (c.serve >= 0)
        LEAT_TRY(next_order(&c));
    leat_err wrong = conf_check(&c);
    if (wrong != LEAT_OK) {
        if (c.fd >= 0)
            dprintf(c.fd, "wrong %s\n", leat_err_detail());
        return wrong;
    }
    if (c.fd >= 0 && write(c.fd, "begin\n", 6) != 6)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: fd=%d: nothing can be written there", c.fd);
    LEAT_TRY(world_new(m, &c, &w));
    probes_start(w);
    report_drawn(w);
    leat_err err = rt_run(&(struct rt_main){ .opts = m->opts, .fn = (leat_fn_ *)(void *)world_main, .site = &site, .arg = &w,
        .len = sizeof w, .seam = &world_seam, .seam_self = w });
    probes_end();
    trace_event(w, "over", w->steps, err);
    if (err == LEAT_OK && !w->dead)
        report_leaks(w);
    report(w, err == LEAT_OK ? "ok" : leat_err_name(err));
    world_free(w);
    return err;
}
