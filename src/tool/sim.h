/* sim.h - `leat sim`: one program under many seeds, each in a process of its own.  sim_cmd.c reads the flags, sim_runs.c starts
 * and collects, sim_report.c reads what the library reports, sim_judge.c says what came of each and of all, sim_points.c counts what was
 * reached, sim_shrink.c makes a failure small, sim_state.c keeps a long campaign's place. */
#ifndef TOOL_SIM_H
#define TOOL_SIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIM_JOBS_MAX = 64, SIM_HEAD = 8 << 10, SIM_TAIL = 1 << 10, SIM_LINE_MAX = 6 << 10, SIM_HITS = 48, SIM_POINTS = 192 };
enum { SIM_PLAN = 512, SIM_BUGS = 1024, SIM_NAME = 48, EXIT_VOID = 3 };

struct sim_opts {
    uint64_t first, last, enough;                    /* seeds; how many that could have reached a point must, for a miss to count */
    const char *nodes, *faults, *limit, *trace, *plan, *bugs, *most, *state;     /* NULL: not given */
    uint32_t jobs, timeout_s;
    bool twice, any_output, no_restarts, tasks, must_succeed, no_shrink, start_each;
    char **argv;                                     /* the program; ends with NULL */
};

struct sim_text { char head[SIM_HEAD], tail[SIM_TAIL]; size_t head_len, tail_len; };         /* the middle of a long one is lost */

struct sim_hit { char name[20]; uint64_t n; };
struct sim_hits { struct sim_hit at[SIM_HITS]; uint32_t len; };
/* A point of the library (src/base/probe.h).  seeds: in how many it was reached, or (bug) could fire. */
struct sim_point { char name[SIM_NAME], of[SIM_NAME]; bool bug; uint64_t seeds, count; };
struct sim_points { struct sim_point at[SIM_POINTS]; uint32_t len; };

struct sim_result {
    uint64_t seed;
    /* what the library reported: src/sim/report.c writes it.  A program may call leat_run more than once: sums, and the last words */
    unsigned begun, ended;
    char wrong[600];                                 /* what it cannot use of LEAT_SIM, and so of our flags */
    char verdict[24], fault[256], plan[SIM_PLAN], bugs[SIM_BUGS];
    int64_t ns;
    uint64_t steps, hash;
    bool planned, struck, met;                       /* ... a fault of the plan came; any fault */
    struct sim_hits hits;
    struct sim_points points;
    /* what the process did */
    int code, signo;
    bool overdue;                                    /* killed after timeout_s of real time */
    uint64_t out_hash, out_len;
    struct sim_text err;
};

/* sim_runs.c: runs all seeds, calls `each` with the results in the order of seeds until it returns a code other than 0.  Returns
 * that, or 0, or 2: the program cannot be started (it has said so). */
int sim_runs(const struct sim_opts *o, int (*each)(void *arg, const struct sim_result *r), void *arg);

/* sim_copies.c: a program that is started once, up to its first leat_run, and copied there for each seed. */
struct proc_end;
struct sim_copies { int sock; pid_t pid; int64_t cpu_us; };
/* false: it is none that can be copied, and nothing is left of it. */
bool sim_copies_open(struct sim_copies *c, const struct sim_opts *o);
/* Has it make a copy with LEAT_SIM=text and these descriptors: output, errors, report (plat/copies.h).  false: it does not run. */
bool sim_copies_order(struct sim_copies *c, const char *text, const int fd[3], pid_t *ret);
void sim_copies_wait(struct sim_copies *c, struct proc_end *ret);    /* waits for that copy */
void sim_copies_close(struct sim_copies *c);         /* when no copy of it runs */
int64_t sim_cpu_ms(void);                            /* user and system time of all processes of `leat sim` so far */

/* sim_report.c */
void sim_report_line(struct sim_result *r, char *line);              /* one line of the library's report; changes it */
void sim_hit_add(struct sim_hits *h, const char *name, uint64_t n);
uint64_t sim_hit_of(const struct sim_hits *h, const char *name);

/* sim_points.c */
void sim_point_add(struct sim_points *s, const struct sim_point *p);
void sim_points_print(const struct sim_points *s);
/* Prints each point that was never reached though `enough` seeds could have; how many there are. */
unsigned sim_points_missed(const struct sim_points *s, const struct sim_hits *h, const struct sim_opts *o, uint64_t seeds);

/* sim_judge.c */
struct sim_totals {                                  /* of a campaign: what sim_state.c keeps */
    uint64_t seeds, ok, errors, failed, never_came, next, first_failed;
    int64_t ns, cpu_ms;                              /* virtual; of processors */
    bool have_output;                                /* of a seed that was ok: what others are compared with */
    uint64_t output_seed, out_hash, out_len;
    struct sim_hits hits;                            /* a fault: in how many seeds it came; else how often */
    struct sim_points points;
};
int sim_judge(const struct sim_opts *o);             /* runs, prints a line for each seed and a summary; the exit code */
/* NULL: r is no failure; else why, a phrase.  t: what outputs are compared with. */
const char *sim_why_failed(const struct sim_opts *o, const struct sim_totals *t, const struct sim_result *r, char *buf, size_t cap);
const char *sim_grouped(uint64_t n, char buf[32]);   /* "1,234" */

/* sim_shrink.c: fewer faults and rare turns, shorter ones, fewer machines, as long as r's failure stays; prints what is left and the
 * command that runs it, and writes its trace where o->trace says. */
void sim_shrink(const struct sim_opts *o, const struct sim_totals *t, const struct sim_result *r, const char *why);

/* sim_state.c */
int sim_state_load(const struct sim_opts *o, struct sim_totals *t);  /* 0; 2: it is another campaign's, and has said so */
void sim_state_save(const struct sim_opts *o, const struct sim_totals *t);
#endif
