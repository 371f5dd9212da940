/* sim.h - `leat sim`: one program under many seeds, each in a process of its own.  sim_cmd.c reads the flags, sim_runs.c starts
 * and collects, sim_judge.c says what came of each and of all. */
#ifndef TOOL_SIM_H
#define TOOL_SIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SIM_JOBS_MAX = 64, SIM_HEAD = 8 << 10, SIM_TAIL = 1 << 10, SIM_LINE_MAX = 1024, SIM_HITS = 32 };

struct sim_opts {
    uint64_t first, last;                            /* seeds */
    const char *nodes, *faults, *limit, *trace;
    uint32_t jobs, timeout_s;
    bool twice, any_output;
    char **argv;                                     /* the program; ends with NULL */
};

struct sim_text { char head[SIM_HEAD], tail[SIM_TAIL]; size_t head_len, tail_len; };         /* the middle of a long one is lost */

struct sim_result {
    uint64_t seed;
    /* what the library reported: src/sim/trace.c writes it.  A program may call leat_run more than once: sums, and the last words */
    unsigned begun, ended;
    char verdict[24], fault[96];
    int64_t ns;
    uint64_t steps, hash;
    bool planned, struck;
    struct { char name[20]; uint64_t n; } hits[SIM_HITS];
    uint32_t hit_count;
    /* what the process did */
    int code, signo;
    bool overdue;                                    /* killed after timeout_s of real time */
    uint64_t out_hash, out_len;
    struct sim_text err;
};

/* sim_runs.c: runs all seeds, calls `each` with the results in the order of seeds until it returns a code other than 0.  Returns
 * that, or 0, or 2: the program cannot be started (it has said so). */
struct sim_judge;
int sim_runs(const struct sim_opts *o, int (*each)(struct sim_judge *j, const struct sim_result *r), struct sim_judge *j);
void sim_report_line(struct sim_result *r, char *line);              /* one line of the library's report; changes it */

/* sim_judge.c */
int sim_judge(const struct sim_opts *o);             /* runs, prints a line for each seed and a summary; the exit code */
#endif
