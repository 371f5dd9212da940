/* sim_judge.c - what came of each seed, and of all.
 *
 * ok       the program ended with 0, and printed what it printed under the other seeds that ended with 0.
 * error    it ended with an error, and its world had met a fault: that is allowed, a wrong result is not.
 * failed   anything else: a deadlock, a limit, a signal, a sanitizer's report, an error without a fault, another output, a law of the
 *          library that did not hold, something left when all had ended in order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plat/proc.h"
#include "tool/launch.h"
#include "tool/sim.h"
#include "tool/tool.h"

enum { STATE_EVERY = 50 };

struct sim_judge {
    const struct sim_opts *o;
    struct sim_totals t;
    struct sim_result first;                         /* with --twice: the first of the two */
    bool have_first, redraw;
    int64_t began_ms, cpu_before_ms;
};

/* -- judging ------------------------------------------------------------------------------------------------------------------- */
static bool has(const struct sim_text *t, const char *word)
{
    return memmem(t->head, t->head_len, word, strlen(word)) || memmem(t->tail, t->tail_len, word, strlen(word));
}

static bool by_sanitizer(const struct sim_result *r)
{
    return has(&r->err, "ERROR: AddressSanitizer") || has(&r->err, "ERROR: LeakSanitizer") || has(&r->err, ": runtime error: ") ||
        has(&r->err, "WARNING: ThreadSanitizer");
}

static bool is_standstill(const char *verdict)
{
    static const char *const names[] = { "deadlock", "timeout", "stuck", "law", "leak" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(verdict, names[i]) == 0)
            return true;
    return false;
}

const char *sim_why_failed(const struct sim_opts *o, const struct sim_totals *t, const struct sim_result *r, char *buf, size_t cap)
{
    if (r->overdue)
        snprintf(buf, cap, "no end within %u s of real time", o->timeout_s);
    else if (r->signo)
        snprintf(buf, cap, "killed by signal %d (SIG%s)", r->signo, proc_signal_name(r->signo));
    else if (by_sanitizer(r))
        return "a sanitizer's report";
    else if (r->ended < r->begun)
        snprintf(buf, cap, "exit code %d in the middle of leat_run", r->code);
    else if (is_standstill(r->verdict))
        return r->verdict;
    else if (r->code && o->must_succeed)
        snprintf(buf, cap, "exit code %d where it must succeed", r->code);
    else if (r->code && !r->met)
        snprintf(buf, cap, "exit code %d without a fault", r->code);
    else if (!r->code && t->have_output && !o->any_output && (r->out_hash != t->out_hash || r->out_len != t->out_len))
        snprintf(buf, cap, "another output than that of seed %" PRIu64 " (--any-output allows it)", t->output_seed);
    else
        return NULL;
    return buf;
}

/* -- printing --------------------------------------------------------------------------------------------------------------------- */
const char *sim_grouped(uint64_t n, char buf[32])
{
    char *p = buf + 31;
    *p = 0;
    for (int digits = 0; n || !digits; n /= 10) {
        if (digits && digits % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + n % 10);
        digits++;
    }
    return p;
}

/* The last line of standard error, or the first that the library wrote when the world came to a standstill. */
static void print_error(const struct sim_result *r, bool failed)
{
    const char *p = r->err.tail_len ? r->err.tail : r->err.head, *end = p + (r->err.tail_len ? r->err.tail_len : r->err.head_len);
    while (end > p && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    const char *line = end;
    while (line > p && line[-1] != '\n' && line[-1] != '\r')
        line--;
    if (!failed && end > line)
        printf(": %.*s", (int)(end - line), line);
}

static void print_all_errors(const struct sim_result *r)
{
    enum { LINES = 60 };
    const char *p = r->err.head, *end = p + r->err.head_len;
    for (int i = 0; p < end && i < LINES; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        printf("    | %.*s\n", (int)n, p);
        p += n + 1;
    }
    if (p < end || r->err.tail_len)
        puts("    | ...");
}

static void print_again(const struct sim_judge *j, const struct sim_result *r)
{
    const struct sim_opts *o = j->o;
    printf("    again: leat sim%s%s%s --seeds %" PRIu64 " --nodes %s --faults %s%s%s%s%s%s%s --trace trace-%" PRIu64 ".txt --",
        o->any_output ? " --any-output" : "", o->must_succeed ? " --must-succeed" : "", o->no_restarts ? " --no-restarts" : "", r->seed,
        o->nodes, o->faults, o->most ? " --most " : "", o->most ? o->most : "", o->plan ? " --plan " : "", o->plan ? o->plan : "",
        o->bugs ? " --bugs " : "", o->bugs ? o->bugs : "", r->seed);
    for (char **a = j->o->argv; *a; a++)
        printf(" %s", *a);
    puts("");
}

static void print_seed(const struct sim_judge *j, const struct sim_result *r, const char *failed)
{
    char buf[32];
    printf("seed %" PRIu64 ": ", r->seed);
    if (failed)
        printf("FAILED, %s, ", failed);
    else if (r->code)
        printf("%s, exit code %d, ", strcmp(r->verdict, "ok") ? r->verdict : "error", r->code);
    else
        printf("ok ");
    printf("%.3f s virtual, %s steps, %s, hash %016" PRIx64, (double)r->ns / 1e9, sim_grouped(r->steps, buf),
        *r->fault ? r->fault : *r->plan ? r->plan : "-", r->hash);
    if (r->code || failed)
        print_error(r, failed);
    puts("");
    if (failed) {
        print_all_errors(r);
        print_again(j, r);
    }
}

static bool is_fault(const char *hit)
{
    static const char *const names[] = { "slow", "cut", "half_cut", "down", "silence", "one_way", "clog", "refuse", "crash", "power_loss",
        "restart", "heal", "overlap" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(hit, names[i]) == 0)
            return true;
    return false;
}

static void count(struct sim_judge *j, const struct sim_result *r, const char *failed)
{
    struct sim_totals *t = &j->t;
    t->seeds++;
    t->next = r->seed + 1;
    t->ns += r->ns;
    *(failed ? &t->failed : r->code ? &t->errors : &t->ok) += 1;
    t->never_came += r->planned && !r->struck;
    for (uint32_t i = 0; i < r->hits.len; i++)
        sim_hit_add(&t->hits, r->hits.at[i].name, is_fault(r->hits.at[i].name) ? 1 : r->hits.at[i].n);
    for (uint32_t i = 0; i < r->points.len; i++)
        sim_point_add(&t->points, &r->points.at[i]);
    if (!failed && !r->code && !t->have_output) {
        t->have_output = true;
        t->output_seed = r->seed;
        t->out_hash = r->out_hash;
        t->out_len = r->out_len;
    }
}

static void clear_line(const struct sim_judge *j)
{
    if (j->redraw)
        fputs("\r\033[K", stderr);
}

/* The second run of a seed was another than the first: NULL, or says so. */
static const char *differs(struct sim_judge *j, const struct sim_result *r, char *buf, size_t cap)
{
    bool same = !j->o->twice || r->hash == j->first.hash;
    j->have_first = false;
    if (same)
        return NULL;
    snprintf(buf, cap, "another hash the second time, %016" PRIx64 " and then %016" PRIx64, j->first.hash, r->hash);
    return buf;
}

static void keep_place(struct sim_judge *j)
{
    j->t.cpu_ms = j->cpu_before_ms + sim_cpu_ms();
    sim_state_save(j->o, &j->t);
}

static int judge(void *arg, const struct sim_result *r)
{
    struct sim_judge *j = arg;
    char buf[160];
    if (r->wrong[0]) {
        clear_line(j);
        return usage_error("--%s", r->wrong);        /* NAME=VALUE: why; what to do */
    }
    if (!r->begun && !r->signo && !r->overdue) {
        clear_line(j);
        return usage_error("%s ended with %d and never called leat_run: it is not linked to leat, or these arguments do not bring it "
            "there; try it without `leat sim`", j->o->argv[0], r->code);
    }
    if (j->o->twice && !j->have_first) {
        j->first = *r;
        j->have_first = true;
        return 0;
    }
    const char *failed = sim_why_failed(j->o, &j->t, r, buf, sizeof buf);
    if (!failed)
        failed = differs(j, r, buf, sizeof buf);
    j->have_first = false;
    count(j, r, failed);
    clear_line(j);
    print_seed(j, r, failed);
    if (failed && j->t.failed == 1 && !j->o->no_shrink && !j->o->plan)
        sim_shrink(j->o, &j->t, r, failed);
    fflush(stdout);
    if (j->redraw)
        fprintf(stderr, "%" PRIu64 " of %" PRIu64 " seeds: %" PRIu64 " ok, %" PRIu64 " ended with an error, %" PRIu64 " failed", j->t.seeds,
            j->o->last - j->o->first + 1, j->t.ok, j->t.errors, j->t.failed);
    if (j->t.seeds % STATE_EVERY == 0)
        keep_place(j);
    return 0;
}

/* -- the summary ------------------------------------------------------------------------------------------------------------------ */
static void print_never(const struct sim_judge *j)
{
    static const struct { const char *name, *of; } wanted[] = {
        { "delay", "delay cut crash all" }, { "short_read", "delay cut crash all" }, { "late_start", "delay cut crash all" },
        { "slow", "delay all" }, { "cut", "cut all" }, { "silence", "cut all" }, { "one_way", "cut all" }, { "heal", "cut all" },
        { "crash", "crash all" }, { "power_loss", "crash all" },
    };
    const char *sep = "; never happened: ";
    if (strcmp(j->o->nodes, "1") == 0 || j->o->plan)
        return;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strstr(wanted[i].of, j->o->faults) && !sim_hit_of(&j->t.hits, wanted[i].name)) {
            printf("%s%s", sep, wanted[i].name);
            sep = ", ";
        }
}

static void print_speed(const struct sim_judge *j)
{
    char buf[32];
    double nodes = strtod(j->o->nodes, NULL), cpu = (double)j->t.cpu_ms / 1e3;
    if (cpu > 0)
        printf("; %s node-hours simulated in an hour of a processor", sim_grouped((uint64_t)((double)j->t.ns / 1e9 * nodes / cpu), buf));
}

static void print_summary(const struct sim_judge *j)
{
    const struct sim_totals *t = &j->t;
    char buf[32];
    printf("%s seeds: ", sim_grouped(t->seeds, buf));
    printf("%s ok, ", sim_grouped(t->ok, buf));
    printf("%s ended with an error, ", sim_grouped(t->errors, buf));
    printf("%s failed, in %.1f s", sim_grouped(t->failed, buf), (double)(proc_clock_ms() - j->began_ms) / 1e3);
    for (uint32_t i = 0; i < t->hits.len; i++)
        printf("%s %s %s", i ? "," : "; happened:", t->hits.at[i].name, sim_grouped(t->hits.at[i].n, buf));
    print_never(j);
    print_speed(j);
    if (t->never_came)
        printf("; %" PRIu64 " planned fault%s never came: the program had ended", t->never_came, t->never_came > 1 ? "s" : "");
    puts("");
}

static int over(struct sim_judge *j)
{
    unsigned missed = 0;
    keep_place(j);
    if (j->o->first != j->o->last)
        sim_points_print(&j->t.points);
    missed = sim_points_missed(&j->t.points, &j->t.hits, j->o, j->t.seeds);
    print_summary(j);
    if (fflush(stdout) != 0) {
        fputs("leat: cannot write to standard output: is the disk full?\n", stderr);
        return EXIT_FAILURE;
    }
    return j->t.failed ? EXIT_FAILURE : missed ? EXIT_VOID : EXIT_SUCCESS;
}

int sim_judge(const struct sim_opts *o)
{
    struct sim_judge *j = calloc(1, sizeof *j);
    struct sim_opts rest = *o;
    if (!j)
        abort();
    j->o = o;
    j->redraw = proc_is_tty(2);
    j->began_ms = proc_clock_ms();
    int code = sim_state_load(o, &j->t);
    j->cpu_before_ms = j->t.cpu_ms;
    if (o->first != o->last)
        rest.trace = NULL;                           /* of the first failure, when it is shrunk */
    if (j->t.seeds)
        rest.first = j->t.next;
    if (!code && rest.first <= o->last)
        code = sim_runs(&rest, judge, j);
    clear_line(j);
    if (!code)
        code = over(j);
    free(j);
    return code;
}
