/* race.h - a fragment of a program and the verdict of ThreadSanitizer: RACE(name) { ... } must be reported, NORACE(name) { ... } not.
 *
 * A fragment is the first task of a runtime in a process of its own; what its tasks share are the variables below.  It is linked with
 * leat_race, where the only order between tasks is that of the memory model (src/plat/edges.h).  So a verdict does not hang on which
 * task came first, but for fragments where another order of things is another program: one that must be reported gets TURNS runs to
 * do so, with one worker and with four, one that must not is silent in QUIET runs.  Without ThreadSanitizer all are skipped. */
#ifndef GOTESTS_RACE_H
#define GOTESTS_RACE_H
#include "t.h"
#include <sys/mman.h>
#include "leat.h"

enum { TURNS = 40, QUIET = 4, REPORTED = 66 };
typedef struct race { const char *name; void (*fn)(void); bool is; struct race *next; } race;
static race *race_first, **race_last = &race_first;

#define RACE_(id, verdict) \
    static void id(void); \
    __attribute__((constructor)) static void race_add_##id(void) \
    { \
        static race t = { #id, id, verdict, NULL }; \
        *race_last = &t; \
        race_last = &t.next; \
    } \
    static void id(void)
#define RACE(id)   RACE_(id, true)
#define NORACE(id) RACE_(id, false)

/* -- the words of the fragments ----------------------------------------------------------------------------------------------- */
int x, y, z, v, v1, v2, data[16];                    /* not static: a compiler must not see who looks at them */
leat_chan(int) c, c1, c2, c3, done, back;

#define USE(var) ((void)*(volatile __typeof__(var) *)&(var))
/* TASK(f) { ... } and go(f): a task that nobody waits for. */
#define TASK(id) \
    static void id##_body(void); \
    static leat_err id(leat_none *none) { (void)none; id##_body(); return LEAT_OK; } \
    static void id##_body(void)
#define go(id) leat_ignore(leat_go(NULL, id, LEAT_NONE))

__attribute__((unused)) static leat_chan(int) make(size_t cap)
{
    leat_chan(int) n = leat_chan_make(int, cap);
    CHECK(n);
    return n;
}
__attribute__((unused)) static leat_err put(leat_chan(int) to, int value) { return leat_send(to, value); }
__attribute__((unused)) static void send(leat_chan(int) to) { leat_ignore(put(to, 1)); }
__attribute__((unused)) static int recv(leat_chan(int) from)
{
    int got = 0;
    leat_ignore(leat_recv(from, &got));
    return got;
}
__attribute__((unused)) static void nap(void) { leat_ignore(leat_sleep(LEAT_MS(5))); }    /* for others to get on: never for a verdict */

/* -- running ------------------------------------------------------------------------------------------------------------------- */
#ifdef RACE_EDGES
struct race_run { const race *t; };

static leat_err race_task(struct race_run *r)
{
    r->t->fn();
    return LEAT_OK;
}

/* The exit code; the report is in the file log. */
static inline int race_once(const race *t, int turn, int log)
{
    fflush(NULL);
    CHECK(ftruncate(log, 0) == 0 && lseek(log, 0, SEEK_SET) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60 * (getenv("T_SLOW") ? 5 : 1));
        dup2(log, 2);
        leat_opts o = { .workers = turn % 2 ? 1 : 4 };
        exit(leat_run(&o, race_task, (struct race_run){ t }) != LEAT_OK);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void race_show(int log)
{
    char buf[4096], *line, *rest = buf;
    ssize_t n = pread(log, buf, sizeof buf - 1, 0);
    buf[n > 0 ? n : 0] = 0;
    while ((line = strsep(&rest, "\n")))
        fprintf(stderr, "# %s\n", line);
}

static inline bool race_judge(const race *t)
{
    int log = memfd_create("log", 0), code = 0, turn = 0;
    CHECK(log >= 0);
    for (; turn < (t->is ? TURNS : QUIET); turn++)
        if ((code = race_once(t, turn, log)) != 0)
            break;
    bool ok = code == (t->is ? REPORTED : 0);
    if (!ok) {
        fprintf(stderr, "# %s: exit code %d in run %d, where %s\n", t->name, code, turn, t->is ? "a race is" : "none is");
        race_show(log);
    }
    close(log);
    return ok;
}
#endif

static int race_main(int argc, char **argv)
{
    int n = 0, bad = 0;
    (void)t_last;                                    /* these are no TESTs: each has more runs than one */
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool list = argc == 2 && strcmp(argv[1], "-l") == 0;
    for (const race *t = race_first; t; t = t->next) {
        bool wanted = argc < 2 || list;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], t->name) == 0;
        if (!wanted)
            continue;
        n++;
        if (list) {
            puts(t->name);
            continue;
        }
#ifdef RACE_EDGES
        bool ok = race_judge(t);
        bad += !ok;
        printf("%sok %d - %s\n", ok ? "" : "not ", n, t->name);
#else
        printf("ok %d - %s # SKIP needs ThreadSanitizer\n", n, t->name);
#endif
    }
    if (!list)
        printf("1..%d\n", n);
    return bad != 0 || n == 0;
}

#define RACE_MAIN() int main(int argc, char **argv) { return race_main(argc, argv); }
#endif
