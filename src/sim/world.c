/* world.c - the machines of a world, its clock and its choices: the seam that run/ calls, and sim_run around it.
 *
 * The runtime's first task is the world's own.  It starts the program's main function once on each machine, and ends when that of
 * machine 0 has ended and the others have followed.  A machine's tasks are known by task.host, which tasks inherit. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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

struct machine *machine_self(void)
{
    return host_self();
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

/* -- machines ---------------------------------------------------------------------------------------------------------------- */
static leat_err program_main(struct machine *m)
{
    const struct rt_main *p = m->world->main;
    void *arg = sim_alloc(p->len);                   /* each machine has an argument of its own, as each process would */
    leat_err err;
    if (p->len)
        memcpy(arg, p->arg, p->len);
    leat_with_cancel(ctx) {
        m->root = ctx;
        group_open_in(group_of(&m->host.detached), m->world->rt, ctx, NEVER);
        err = p->fn(arg);
        m->fault = err_take(task_self(), err);
        leat_cancel(&group_of(&m->host.detached)->ctx, err);
        leat_ignore(leat_group_wait(&m->host.detached));
        rt_at_end_run(m->world->rt, &m->host);
        m->root = NULL;
    }
    free(arg);
    return err;
}

static leat_err machine_main(struct machine **arg)
{
    struct machine *m = *arg;
    struct world *w = m->world;
    if (w->conf.nodes > 1 && w->conf.faults != FAULTS_NONE) {
        int64_t late = sim_log_uniform(&w->net, 1000, 1000000000);
        w->hits[HIT_LATE_START] += late > 100000000;
        leat_ignore(leat_sleep(LEAT_NS(late)));
    }
    m->err = program_main(m);
    if (m->served) {
        err_free(m->fault);
        m->fault = NULL;
        m->err = LEAT_OK;
    }
    m->ended = true;
    trace_event(w, "end", m->id, m->err);
    trace_say(w, "h%u  has ended: %s", m->id, leat_err_name(m->err));
    return leat_send(w->ends, m->id);
}

static void machine_init(struct world *w, uint32_t i)
{
    struct machine *m = &w->machines[i];
    uint64_t seed = w->conf.seed, high = rng_mix(&seed), low = rng_mix(&seed);
    m->world = w;
    m->id = i;
    m->next_port = 40000;
    snprintf(m->rank, sizeof m->rank, "%u", i);
    snprintf(m->job, sizeof m->job, "%016" PRIx64 "%016" PRIx64, high, low);
    size_t n = strlen(w->nodes);
    snprintf(w->nodes + n, sizeof w->nodes - n, "%stcp://h%u:1", i ? "," : "", i);
}

static leat_err machines_start(struct world *w)
{
    struct task *t = task_self();
    leat_err err = LEAT_OK;
    for (uint32_t i = 0; i < w->conf.nodes && err == LEAT_OK; i++) {
        struct machine *m = &w->machines[i];
        t->host = &m->host;                          /* inherited by the task that starts here */
        err = leat_go_(&w->group, (leat_fn_ *)(void *)machine_main, w->main->site, &m, sizeof m);
    }
    t->host = NULL;
    return err;
}

static struct machine *straggler(struct world *w)
{
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        if (!w->machines[i].ended && !w->machines[i].dead)
            return &w->machines[i];
    return NULL;
}

/* Waits until all machines that live have ended, at most PATIENCE_S.  The first that has not, or NULL. */
static struct machine *await_others(struct world *w)
{
    uint32_t id;
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_S(PATIENCE_S)) {
        while (straggler(w) && err == LEAT_OK)
            err = leat_recv(w->ends, &id);
    }
    return straggler(w);
}

static leat_err world_main(struct world **arg)
{
    struct world *w = *arg;
    struct machine *late;
    uint32_t id;
    w->rt = rt_self();
    net_open(w);
    LEAT_TRY(machines_start(w));
    while (!w->machines[0].ended)
        LEAT_TRY(leat_recv(w->ends, &id));
    if (await_others(w)) {
        trace_say(w, "the machines that have not ended are told to");
        for (uint32_t i = 0; i < w->conf.nodes; i++)
            leat_cancel(w->machines[i].root, LEAT_CANCELED);
        if ((late = await_others(w)))
            sim_stop(w, "stuck", "node %u has not ended %d s after node 0, though its context was cancelled then", late->id,
                PATIENCE_S);
    }
    if (!w->dead)                                    /* the tasks of a machine that crashed never end */
        leat_ignore(leat_group_wait(&w->group));
    struct machine *m = &w->machines[0];
    err_give(task_self(), m->fault, m->err);
    m->fault = NULL;
    return m->err;
}

/* -- the whole ----------------------------------------------------------------------------------------------------------------- */
static struct world *world_new(const struct rt_main *m, const struct sim_conf *c)
{
    struct world *w = sim_alloc(sizeof *w);
    uint64_t seed = c->seed;
    w->conf = *c;
    w->main = m;
    w->now = START_NS;
    rng_init(&w->sched, rng_mix(&seed));
    rng_init(&w->net, rng_mix(&seed));
    rng_init(&w->faults, rng_mix(&seed));
    rng_init(&w->program, rng_mix(&seed));
    w->machines = sim_alloc(c->nodes * sizeof *w->machines);
    for (uint32_t i = 0; i < c->nodes; i++)
        machine_init(w, i);
    trace_open(w);
    trace_event(w, "world", c->seed, (uint64_t)c->nodes << 32 | c->faults);
    plan_make(w);
    return w;
}

static void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        err_free(w->machines[i].fault);
    net_close(w);
    leat_unref(w->ends);
    free(w->events.at);
    free(w->machines);
    free(w);
}

leat_err sim_run(const struct rt_main *m, const char *config)
{
    static const leat_site_ site = { "world", "sim", 0 };
    struct sim_conf c;
    LEAT_TRY(sim_conf_parse(config, &c));
    if (c.fd >= 0 && write(c.fd, "begin\n", 6) != 6)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: fd=%d: nothing can be written there", c.fd);
    struct world *w = world_new(m, &c);
    w->ends = leat_chan_make(uint32_t, SIM_NODES_MAX);
    leat_err err = rt_run(&(struct rt_main){ .opts = m->opts, .fn = (leat_fn_ *)(void *)world_main, .site = &site, .arg = &w,
        .len = sizeof w, .seam = &world_seam, .seam_self = w });
    trace_event(w, "over", w->steps, err);
    report(w, err == LEAT_OK ? "ok" : leat_err_name(err));
    world_free(w);
    return err;
}
