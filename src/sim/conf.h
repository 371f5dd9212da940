/* conf.h - what LEAT_SIM says: "seed=17,nodes=3,faults=cut,..."; every part may be left out: docs/sim.md. */
#ifndef SIM_CONF_H
#define SIM_CONF_H
#include <stdbool.h>
#include <stdint.h>
#include "leat.h"

enum { SIM_NODES_DEFAULT = 3, SIM_NODES_MAX = 64, SIM_TRACE_MAX = 512 };
enum { PLAN_MAX = 12, PLAN_DEFAULT = 6, SIM_PLAN_MAX = 512, SIM_BUGS_MAX = 1024 };

enum sim_faults { FAULTS_NONE, FAULTS_DELAY, FAULTS_CUT, FAULTS_CRASH, FAULTS_ALL, FAULTS_HEAL, FAULTS_COUNT };

struct sim_conf {
    uint64_t seed;
    uint32_t nodes;                                  /* machines */
    enum sim_faults faults;
    uint32_t most;                                   /* faults at most */
    char plan[SIM_PLAN_MAX];                         /* these faults and no others: plan.h; "": as the seed wants */
    char bugs[SIM_BUGS_MAX];                         /* these rare turns (probe.h): "NAME+NAME", "none"; "": as the seed wants */
    bool stay_dead;                                  /* what has crashed never starts again */
    bool tasks;                                      /* the trace has every turn of a task */
    int64_t limit_ns;                                /* virtual time after which the world ends */
    uint64_t steps;                                  /* turns of tasks after which it ends */
    int fd;                                          /* the report goes there; -1: to standard error, as a sentence */
    int serve;                                       /* orders come there: each is another text like this one; -1: this one is all */
    char trace[SIM_TRACE_MAX];                       /* the readable trace goes to this file; "": nowhere */
};

LEAT_CHECK leat_err sim_conf_parse(const char *text, struct sim_conf *ret);  /* INVAL */
#endif
