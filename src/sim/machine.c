/* machine.c - the machines of a world: each runs the program's main function, and again when it has crashed and comes back.
 * A machine's tasks are known by task.host, which tasks inherit; those of an incarnation that has crashed never run again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "run/err.h"
#include "run/host.h"
#include "run/rt.h"
#include "run/sched.h"
#include "sim/world.h"

struct machine *machine_self(void)
{
    return host_self();
}

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
        group_of(&m->host.detached)->loose = true;
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
    if (w->conf.nodes > 1 && w->conf.faults != FAULTS_NONE && m->number == 0) {
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
    slot_wake(&w->waker);
    return LEAT_OK;
}

/* LEAT_JOB is the launcher's, so it is the same in every incarnation. */
struct machine *machine_new(struct world *w, uint32_t id)
{
    struct machine *m = sim_alloc(sizeof *m), *older = w->machines[id];
    uint64_t seed = w->conf.seed, high = rng_mix(&seed), low = rng_mix(&seed);
    m->world = w;
    m->id = id;
    m->older = older;
    m->number = older ? older->number + 1 : 0;
    m->next_port = 40000 + 1000 * m->number;
    snprintf(m->rank, sizeof m->rank, "%u", id);
    snprintf(m->job, sizeof m->job, "%016" PRIx64 "%016" PRIx64, high, low);
    w->machines[id] = m;
    return m;
}

leat_err machine_start(struct machine *m)
{
    struct task *t = task_self();
    struct world *w = m->world;
    t->host = &m->host;                              /* inherited by the task that starts here */
    leat_err err = leat_go_(&w->group, (leat_fn_ *)(void *)machine_main, w->main->site, &m, sizeof m);
    t->host = NULL;
    return err;
}

void machines_free(struct world *w)
{
    for (uint32_t i = 0; i < w->conf.nodes; i++)
        for (struct machine *m = w->machines[i], *older; m; m = older) {
            older = m->older;
            err_free(m->fault);
            free(m);
        }
    free(w->machines);
}
