/* sim_test.h - what the tests of sim/ share: a function run in a world, and what the world reported. */
#ifndef SIM_SIM_TEST_H
#define SIM_SIM_TEST_H
#include "base/rng.h"
#include "run/sched.h"
#include "t.h"

/* How many worlds; T_QUICK=1: so few.  In a world one thread runs at a time, so what a sanitizer can see there it sees in few. */
static inline int sim_worlds(int n, int few) { return getenv("T_QUICK") ? few : n; }

struct sim_seen { char verdict[32], fault[128], hits[600]; int64_t ns; uint64_t steps, hash; };
struct sim_end { struct sim_seen seen; int code; char err[16 << 10]; };

static inline void sim_read(int fd, char *to, size_t cap)
{
    size_t n = 0;
    for (ssize_t k; n < cap - 1 && (k = read(fd, to + n, cap - 1 - n)) > 0; )
        n += (size_t)k;
    to[n] = 0;
    close(fd);
}

static inline void sim_word(const char *line, const char *name, char *to, size_t cap, char until)
{
    const char *p = strstr(line, name);
    size_t n = 0;
    for (p = p ? p + strlen(name) : ""; *p && *p != until && *p != '\n' && n < cap - 1; )
        to[n++] = *p++;
    to[n] = 0;
}

static inline struct sim_seen sim_parse(const char *text)
{
    struct sim_seen s;
    char n[32];
    sim_word(text, "verdict=", s.verdict, sizeof s.verdict, ' ');
    sim_word(text, "fault=", s.fault, sizeof s.fault, '\n');
    sim_word(text, "hits=", s.hits, sizeof s.hits, ' ');
    sim_word(text, "ns=", n, sizeof n, ' ');
    s.ns = strtoll(n, NULL, 10);
    sim_word(text, "steps=", n, sizeof n, ' ');
    s.steps = strtoull(n, NULL, 10);
    sim_word(text, "hash=", n, sizeof n, ' ');
    s.hash = strtoull(n, NULL, 16);
    return s;
}

static inline void sim_go(const char *conf, leat_fn_ *fn, int fd)
{
    char full[200];
    leat_none none = LEAT_NONE;
    static const leat_site_ site = { "test", "test.c", 1 };
    snprintf(full, sizeof full, "%s,fd=%d", conf, fd);
    setenv("LEAT_SIM", full, 1);
    leat_ignore(leat_run_(LEAT_VERSION, NULL, 0, fn, &site, &none, sizeof none));
}

/* Runs fn in a world, in this process. */
static inline struct sim_seen sim_of(const char *conf, leat_fn_ *fn)
{
    int p[2];
    char text[4096];
    CHECK(pipe(p) == 0);
    sim_go(conf, fn, p[1]);
    close(p[1]);
    sim_read(p[0], text, sizeof text);
    return sim_parse(text);
}

/* The same in a child, for worlds that end their process. */
static inline struct sim_end sim_end_of(const char *conf, leat_fn_ *fn)
{
    static struct sim_end e;
    int p[2], err[2], status;
    char text[4096];
    CHECK(pipe(p) == 0 && pipe(err) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(err[1], 2);
        close(p[0]);
        close(err[0]);
        sim_go(conf, fn, p[1]);
        _exit(0);
    }
    close(p[1]);
    close(err[1]);
    sim_read(p[0], text, sizeof text);
    sim_read(err[0], e.err, sizeof e.err);
    waitpid(pid, &status, 0);
    e.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    e.seen = sim_parse(text);
    return e;
}
#endif
