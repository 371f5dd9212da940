/* conf.h - what LEAT_SIM says: "seed=17,nodes=3,faults=cut,limit=3600,steps=50000000,fd=5,trace=/PATH"; every part may be left out. */
#ifndef SIM_CONF_H
#define SIM_CONF_H
#include <stdint.h>
#include "leat.h"

enum { SIM_NODES_DEFAULT = 3, SIM_NODES_MAX = 64, SIM_TRACE_MAX = 512 };

enum sim_faults { FAULTS_NONE, FAULTS_DELAY, FAULTS_CUT, FAULTS_CRASH, FAULTS_ALL, FAULTS_COUNT };

struct sim_conf {
    uint64_t seed;
    uint32_t nodes;                                  /* machines */
    enum sim_faults faults;
    int64_t limit_ns;                                /* virtual time after which the world ends */
    uint64_t steps;                                  /* turns of tasks after which it ends */
    int fd;                                          /* the report goes there; -1: to standard error, as a sentence */
    char trace[SIM_TRACE_MAX];                       /* the readable trace goes to this file; "": nowhere */
};

LEAT_CHECK leat_err sim_conf_parse(const char *text, struct sim_conf *ret);  /* INVAL */
#endif
