/* plan.h - the faults a world will meet.
 *
 * A fault comes when a certain chunk of bytes arrives, not at a certain time: so it comes while machines talk, however long or short the
 * program runs, and it hits a link that is in use.  As text: "cut@120+crash@300/2000ms+clog@310/ever", or "none". */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H
#include "base/rng.h"
#include "leat.h"
#include "sim/conf.h"

enum fault_kind {
    FAULT_SLOW, FAULT_CUT, FAULT_HALF, FAULT_DOWN, FAULT_SILENCE, FAULT_ONE_WAY, FAULT_CLOG, FAULT_REFUSE, FAULT_CRASH, FAULT_POWER,
    FAULT_KINDS
};
extern const char *const fault_names[FAULT_KINDS];

struct planned {
    enum fault_kind kind;
    uint64_t at_chunk;                               /* it comes when so many chunks have arrived between machines */
    int64_t lasts;                                   /* ns, or NEVER; of a crash: until the machine starts again */
    bool struck;
};
struct plan {
    struct planned at[PLAN_MAX];
    uint32_t len, struck;
    char text[640];                                  /* what has come of it, for people: "cut h0-h2 at 0.200 s" */
};

void plan_draw(struct plan *p, const struct sim_conf *c, struct rng *r);
LEAT_CHECK leat_err plan_parse(const char *text, struct plan *ret);  /* INVAL */
void plan_format(const struct plan *p, char *to, size_t cap);
#endif
