/* sim_cmd.c - `leat sim`: reads its flags. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tool/launch.h"
#include "tool/sim.h"
#include "tool/tool.h"

enum { NODES_MAX = 64, TIMEOUT_S = 300, TIMEOUT_MAX_S = 1000000, LIMIT_MAX_S = 1000000000, MOST_MAX = 12, ENOUGH = 1000 };

static const char help_text[] =
    "leat sim [--seeds A..B] [--nodes N] [--faults F] -- PROGRAM ARGS...\n"
    "\n"
    "Runs PROGRAM, which needs no change, in a simulated world once for each seed: N machines in one process, virtual time, delayed\n"
    "and faulty links, machines that crash and come back, tasks in any order.  All chance comes from the seed, so a seed that fails\n"
    "fails again: see docs/sim.md.\n"
    "\n"
    "  --seeds A..B    these seeds (default 1..100); --seeds A is one\n"
    "  --nodes N       machines, 1 to 64 (default 3), which PROGRAM finds as if `leat run` had started it; 1: no network\n"
    "  --faults F      none (also no delays), delay, cut, crash, heal (all of them, but each is over soon), or all (default): half the\n"
    "                  seeds delays alone, the others up to six faults\n"
    "  --most N        at most N faults a seed\n"
    "  --no-restarts   a machine that has crashed never starts again\n"
    "  --plan P        these faults and no others, as a failing seed's line names them: cut@120+crash@300/2000ms, or none\n"
    "  --bugs B        these rare turns of the library and no others: NAME+NAME, or none\n"
    "  --must-succeed  an error is a failure, also after a fault\n"
    "  --trace FILE    writes all that happens to FILE, for one seed; with many seeds: for the first that failed, when it is shrunk\n"
    "  --tasks         the trace has every turn of a task, too\n"
    "  --no-shrink     does not look for the faults that a failure needs\n"
    "  --state FILE    keeps the campaign's place in FILE, and goes on from there\n"
    "  --enough N      so many seeds that could have reached a point must have (default 1000), or the campaign is void\n"
    "  --twice         runs each seed twice and fails when the two differ\n"
    "  --any-output    different seeds may print different things and end with 0\n"
    "  --limit S       ends a world after S seconds of virtual time (default 3600)\n"
    "  --timeout S     and after S seconds of real time (default 300)\n"
    "  --jobs N        processes at a time (default 2)\n"
    "  --start-each    starts PROGRAM anew for each seed, also where what it does before leat_run could be done once\n"
    "\n"
    "Each seed gets a line: how it ended, its faults, and a hash of all that happened.  Failed are a deadlock, a limit, a crash, a\n"
    "sanitizer's report, a broken law of the library, an error without a fault, and an output that differs from other seeds'.\n"
    "Exit code: 0 no seed failed; 1 some did; 2 wrong arguments; 3 void: none failed, but some points were never reached.\n";

static int number(const char *flag, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && n <= max / 10; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    if (p == text || *p || n < min || n > max)
        return usage_error("%s '%s': not a number from %llu to %llu; give one in that range", flag, text,
            (unsigned long long)min, (unsigned long long)max);
    *ret = n;
    return 0;
}

static int seeds(char *text, struct sim_opts *o)
{
    const uint64_t max = UINT64_MAX / 100;
    char *dots = strstr(text, "..");
    if (dots)
        *dots = 0;
    int code = number("--seeds", text, 0, max, &o->first);
    o->last = o->first;
    if (!code && dots)
        code = number("--seeds", dots + 2, 0, max, &o->last);
    if (!code && o->last < o->first)
        return usage_error("--seeds %s..%s: the last is before the first; write --seeds %s..%s", text, dots + 2, dots + 2, text);
    return code;
}

static int faults(const char *text, struct sim_opts *o)
{
    static const char *const names[] = { "none", "delay", "cut", "crash", "all", "heal" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            o->faults = text;
            return 0;
        }
    return usage_error("--faults '%s': there are no such faults; give none, delay, cut, crash, all or heal", text);
}

/* Said before the first world begins, and not when there is something to write. */
static int writable(const char *flag, const char *file)
{
    char dir[4096], why[200];
    const char *slash = strrchr(file, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
    if (access(file, F_OK) == 0 ? access(file, W_OK) == 0 : access(dir, W_OK) == 0)
        return 0;
    snprintf(why, sizeof why, "%m");
    return usage_error("%s %s: cannot be written: %s; name a file that can", flag, file, why);
}

static int trace(const char *text, struct sim_opts *o)
{
    if (!*text || strchr(text, ',') || strlen(text) > 500)
        return usage_error("--trace '%s': not the name of a file; give one of 1 to 500 bytes without a comma", text);
    o->trace = text;
    return 0;
}

static int words(const char *flag, const char *text, size_t max, const char **ret)
{
    if (!*text || strpbrk(text, ", ") || strlen(text) >= max)
        return usage_error("%s '%s': not parts with + between them, of at most %zu bytes; `leat sim --help` shows how", flag, text,
            max - 1);
    *ret = text;
    return 0;
}

static int counted(const char *name, const char *text, uint64_t max, const char **ret)
{
    uint64_t n;
    *ret = text;
    return number(name, text, 1, max, &n);
}

static int flag(const char *name, char *value, struct sim_opts *o)
{
    uint64_t n = 0;
    int code;
    if (strcmp(name, "--seeds") == 0)
        return seeds(value, o);
    if (strcmp(name, "--faults") == 0)
        return faults(value, o);
    if (strcmp(name, "--trace") == 0)
        return trace(value, o);
    if (strcmp(name, "--plan") == 0)
        return words(name, value, SIM_PLAN, &o->plan);
    if (strcmp(name, "--bugs") == 0)
        return words(name, value, SIM_BUGS, &o->bugs);
    if (strcmp(name, "--state") == 0)
        return words(name, value, 4000, &o->state);
    if (strcmp(name, "--nodes") == 0)
        return counted(name, value, NODES_MAX, &o->nodes);
    if (strcmp(name, "--most") == 0)
        return counted(name, value, MOST_MAX, &o->most);
    if (strcmp(name, "--limit") == 0)
        return counted(name, value, LIMIT_MAX_S, &o->limit);
    if (strcmp(name, "--enough") == 0)
        return number(name, value, 1, UINT32_MAX, &o->enough);
    code = number(name, value, 1, strcmp(name, "--jobs") == 0 ? SIM_JOBS_MAX : TIMEOUT_MAX_S, &n);
    *(strcmp(name, "--jobs") == 0 ? &o->jobs : &o->timeout_s) = (uint32_t)n;
    return code;
}

static bool *switch_of(const char *name, struct sim_opts *o)
{
    const struct { const char *name; bool *at; } all[] = { { "--twice", &o->twice }, { "--any-output", &o->any_output },
        { "--no-restarts", &o->no_restarts }, { "--must-succeed", &o->must_succeed }, { "--tasks", &o->tasks },
        { "--no-shrink", &o->no_shrink }, { "--start-each", &o->start_each } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].at;
    return NULL;
}

/* One flag at argv[0]: how many arguments it took, or 0: *code. */
static int parse_flag(char **argv, struct sim_opts *o, int *code)
{
    static const char *const names[] = { "--seeds", "--nodes", "--faults", "--trace", "--limit", "--timeout", "--jobs", "--plan", "--bugs",
        "--most", "--state", "--enough" };
    bool *on = switch_of(argv[0], o);
    *code = 0;
    if (on) {
        *on = true;
        return 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(argv[0], names[i], n) != 0 || (argv[0][n] && argv[0][n] != '='))
            continue;
        char *value = argv[0][n] ? argv[0] + n + 1 : argv[1];
        int used = argv[0][n] ? 1 : 2;
        *code = value ? flag(names[i], value, o) : usage_error("flag '%s' needs a value; `leat sim --help` shows how", argv[0]);
        return *code ? 0 : used;
    }
    *code = usage_error("unknown flag '%s'; `leat sim --help` lists them", argv[0]);
    return 0;
}

int sim_cmd(int argc, char **argv)
{
    struct sim_opts o = { .first = 1, .last = 100, .nodes = "3", .faults = "all", .limit = "3600", .jobs = 2, .timeout_s = TIMEOUT_S,
        .enough = ENOUGH };
    int i = 0, code;
    while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return say_help(help_text);
        int used = parse_flag(argv + i, &o, &code);
        if (!used)
            return code;
        i += used;
    }
    if (i < argc && strcmp(argv[i], "--") != 0)
        return usage_error("sim: '%s' stands where -- is expected; write the program after it: `leat sim -- %s`", argv[i], argv[i]);
    if (++i >= argc)
        return usage_error("sim: no program to run; name it at the end, as in `leat sim --seeds 1..100 -- ./program`");
    if (o.tasks && !o.trace)
        return usage_error("--tasks: there is no trace that could have them; give --trace FILE, too");
    o.argv = argv + i;
    if ((o.trace && (code = writable("--trace", o.trace)) != 0) || (o.state && (code = writable("--state", o.state)) != 0))
        return code;
    return sim_judge(&o);
}
