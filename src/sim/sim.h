/* sim.h - a whole world in one process: several machines, their clock, their chance and the links between them, all from one seed.
 * For boot/ only.  docs/sim.md says what is simulated and what is not. */
#ifndef SIM_SIM_H
#define SIM_SIM_H
#include "run/seam.h"

/* Runs m's function once on each machine of the world that `config` describes ("seed=17,nodes=3,faults=all": conf.h), as rt_run
 * does in the real one.  Returns what the function returned on machine 0.  INVAL: the config is wrong.
 * When the world comes to a standstill, or to a limit, it says so on standard error, with every task, and ends the process. */
LEAT_CHECK leat_err sim_run(const struct rt_main *m, const char *config);
#endif
