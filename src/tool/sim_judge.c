/* sim_judge.c - what came of each seed, and of all.
 *
 * ok       the program ended with 0, and printed what it printed under the other seeds that ended with 0.
 * error    it ended with an error, and its world had met a fault: that is allowed, a wrong result is not.
 * failed   anything else: a deadlock, a limit, a signal, a sanitizer's report, an error without a fault, another output. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plat/proc.h"
#include "tool/launch.h"
#include "tool/sim.h"
#include "tool/tool.h"

struct sim_judge {
    const struct sim_opts *o;
    uint64_t seeds, ok, errors, failed, never_came;
    bool have_output;                                /* of a seed that was ok: what others are compared with */
    uint64_t output_seed, out_hash, out_len;
    struct sim_result first;                         /* with --twice: the first of the two */
    bool have_first, redraw;
    struct { char name[20]; uint64_t n; } hits[SIM_HITS];
    uint32_t hit_count;
    int64_t began_ms;
};

/* -- the library's report --------------------------------------------------------------------------------------------------- */
static void hit_add(struct sim_result *r, const char *name, uint64_t n)
{
    uint32_t i = 0;
    while (i < r->hit_count && strcmp(r->hits[i].name, name) != 0)
        i++;
    if (i == SIM_HITS)
        return;
    if (i == r->hit_count) {
        snprintf(r->hits[i].name, sizeof r->hits[i].name, "%s", name);
        r->hit_count++;
    }
    r->hits[i].n += n;
}

static void hits_read(struct sim_result *r, char *text)
{
    char *next = text;
    for (char *p; (p = strsep(&next, ",")); ) {
        char *colon = strchr(p, ':');
        if (!colon)
            continue;
        *colon = 0;
        hit_add(r, p, strtoull(colon + 1, NULL, 10));
    }
}

static void field_read(struct sim_result *r, const char *name, char *value)
{
    if (strcmp(name, "verdict") == 0)
        snprintf(r->verdict, sizeof r->verdict, "%s", value);
    else if (strcmp(name, "ns") == 0)
        r->ns += strtoll(value, NULL, 10);
    else if (strcmp(name, "steps") == 0)
        r->steps += strtoull(value, NULL, 10);
    else if (strcmp(name, "hash") == 0)
        r->hash = r->hash * 0x9fb21c651e98df25u ^ strtoull(value, NULL, 16);
    else if (strcmp(name, "planned") == 0)
        r->planned |= *value != '0';
    else if (strcmp(name, "struck") == 0)
        r->struck |= *value != '0';
    else if (strcmp(name, "hits") == 0)
        hits_read(r, value);
}

void sim_report_line(struct sim_result *r, char *line)
{
    if (strcmp(line, "begin") == 0) {
        r->begun++;
        return;
    }
    if (strncmp(line, "end ", 4) != 0)
        return;
    r->ended++;
    char *fault = strstr(line, " fault="), *next = line + 4;
    if (fault) {
        *fault = 0;
        snprintf(r->fault, sizeof r->fault, "%s", fault + 7);
    }
    for (char *p; (p = strsep(&next, " ")); ) {
        char *equals = strchr(p, '=');
        if (!equals)
            continue;
        *equals = 0;
        field_read(r, p, equals + 1);
    }
}

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

/* NULL: it did not fail; else why, a phrase. */
static const char *why_failed(const struct sim_judge *j, const struct sim_result *r, char *buf, size_t cap)
{
    if (r->overdue)
        snprintf(buf, cap, "no end within %u s of real time", j->o->timeout_s);
    else if (r->signo)
        snprintf(buf, cap, "killed by signal %d (SIG%s)", r->signo, proc_signal_name(r->signo));
    else if (by_sanitizer(r))
        return "a sanitizer's report";
    else if (r->ended < r->begun)
        snprintf(buf, cap, "exit code %d in the middle of leat_run", r->code);
    else if (strcmp(r->verdict, "deadlock") == 0 || strcmp(r->verdict, "timeout") == 0 || strcmp(r->verdict, "stuck") == 0)
        return r->verdict;
    else if (r->code && !r->struck)
        snprintf(buf, cap, "exit code %d without a fault", r->code);
    else if (!r->code && j->have_output && !j->o->any_output && (r->out_hash != j->out_hash || r->out_len != j->out_len))
        snprintf(buf, cap, "another output than that of seed %" PRIu64, j->output_seed);
    else if (j->o->twice && j->have_first && r->hash != j->first.hash)
        snprintf(buf, cap, "another hash the second time, %016" PRIx64 " and then %016" PRIx64, j->first.hash, r->hash);
    else
        return NULL;
    return buf;
}

/* -- printing --------------------------------------------------------------------------------------------------------------------- */
static const char *grouped(uint64_t n, char buf[32])
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
    printf("    again: leat sim%s --seeds %" PRIu64 " --nodes %s --faults %s --trace trace-%" PRIu64 ".txt --",
        j->o->any_output ? " --any-output" : "", r->seed, j->o->nodes, j->o->faults, r->seed);
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
    printf("%.3f s virtual, %s steps, %s, hash %016" PRIx64, (double)r->ns / 1e9, grouped(r->steps, buf), *r->fault ? r->fault : "-",
        r->hash);
    if (r->code || failed)
        print_error(r, failed);
    puts("");
    if (failed) {
        print_all_errors(r);
        print_again(j, r);
    }
}

static void count_hits(struct sim_judge *j, const struct sim_result *r)
{
    for (uint32_t i = 0; i < r->hit_count; i++) {
        uint32_t k = 0;
        while (k < j->hit_count && strcmp(j->hits[k].name, r->hits[i].name) != 0)
            k++;
        if (k == j->hit_count)
            snprintf(j->hits[j->hit_count++].name, sizeof j->hits[k].name, "%s", r->hits[i].name);
        j->hits[k].n += r->hits[i].n;
    }
}

static int judge(struct sim_judge *j, const struct sim_result *r)
{
    char buf[160];
    if (!r->begun && !r->signo && !r->overdue) {
        if (j->redraw)
            fputs("\r\033[K", stderr);
        return usage_error("%s ended with %d and never called leat_run: it is not linked to leat, or these arguments do not bring it "
            "there; try it without `leat sim`", j->o->argv[0], r->code);
    }
    if (j->o->twice && !j->have_first) {
        j->first = *r;
        j->have_first = true;
        return 0;
    }
    const char *failed = why_failed(j, r, buf, sizeof buf);
    j->have_first = false;
    j->seeds++;
    *(failed ? &j->failed : r->code ? &j->errors : &j->ok) += 1;
    j->never_came += r->planned && !r->struck;
    count_hits(j, r);
    if (!failed && !r->code && !j->have_output) {
        j->have_output = true;
        j->output_seed = r->seed;
        j->out_hash = r->out_hash;
        j->out_len = r->out_len;
    }
    if (j->redraw)
        fputs("\r\033[K", stderr);
    print_seed(j, r, failed);
    fflush(stdout);
    if (j->redraw)
        fprintf(stderr, "%" PRIu64 " of %" PRIu64 " seeds: %" PRIu64 " ok, %" PRIu64 " ended with an error, %" PRIu64 " failed", j->seeds,
            j->o->last - j->o->first + 1, j->ok, j->errors, j->failed);
    return 0;
}

static uint64_t hit_of(const struct sim_judge *j, const char *name)
{
    for (uint32_t i = 0; i < j->hit_count; i++)
        if (strcmp(j->hits[i].name, name) == 0)
            return j->hits[i].n;
    return 0;
}

/* What these faults should have brought: (name, which --faults ask for it). */
static void print_never(const struct sim_judge *j)
{
    static const struct { const char *name, *of; } wanted[] = {
        { "delay", "delay cut crash all" }, { "short_read", "delay cut crash all" }, { "late_start", "delay cut crash all" },
        { "slow", "delay all" }, { "cut", "cut all" }, { "silence", "cut all" }, { "one_way", "cut all" }, { "heal", "cut all" },
        { "crash", "crash all" }, { "power_loss", "crash all" },
    };
    const char *sep = "; never happened: ";
    if (strcmp(j->o->nodes, "1") == 0)
        return;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strstr(wanted[i].of, j->o->faults) && !hit_of(j, wanted[i].name)) {
            printf("%s%s", sep, wanted[i].name);
            sep = ", ";
        }
}

static void print_summary(const struct sim_judge *j)
{
    char buf[32];
    printf("%s seeds: ", grouped(j->seeds, buf));
    printf("%s ok, ", grouped(j->ok, buf));
    printf("%s ended with an error, ", grouped(j->errors, buf));
    printf("%s failed, in %.1f s", grouped(j->failed, buf), (double)(proc_clock_ms() - j->began_ms) / 1e3);
    for (uint32_t i = 0; i < j->hit_count; i++)
        printf("%s %s %s", i ? "," : "; happened:", j->hits[i].name, grouped(j->hits[i].n, buf));
    print_never(j);
    if (j->never_came)
        printf("; %" PRIu64 " planned fault%s never came: the program had ended", j->never_came, j->never_came > 1 ? "s" : "");
    puts("");
}

int sim_judge(const struct sim_opts *o)
{
    struct sim_judge j = { .o = o, .redraw = proc_is_tty(2), .began_ms = proc_clock_ms() };
    int code = sim_runs(o, judge, &j);
    if (j.redraw)
        fputs("\r\033[K", stderr);
    if (code)
        return code;
    print_summary(&j);
    if (fflush(stdout) != 0) {
        fputs("leat: cannot write to standard output: is the disk full?\n", stderr);
        return EXIT_FAILURE;
    }
    return j.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
