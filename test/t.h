/* t.h - a test program: TEST(name) { CHECK(...); } ... T_MAIN().
 *
 * Each test runs in a child process of its own, so that a crash, a leak or a hang (60 s) is that test's alone and no test sees
 * what another left behind.  Prints TAP.  Arguments name tests to run; none: all; -l lists them.  T_NOFORK=1 runs them in this process, for
 * debuggers.  A failed CHECK says where and ends the test. */
#ifndef T_H
#define T_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct t_test { const char *name; void (*fn)(void); struct t_test *next; } t_test;
__attribute__((unused)) static t_test *t_first, **t_last = &t_first;

#define TEST(id) \
    static void id(void); \
    __attribute__((constructor)) static void t_add_##id(void) \
    { \
        static t_test t = { #id, id, NULL }; \
        *t_last = &t; \
        t_last = &t.next; \
    } \
    static void id(void)

__attribute__((noreturn, format(printf, 3, 4), unused)) static void t_fail(const char *file, int line, const char *fmt, ...)
{
    __builtin_va_list a;
    __builtin_va_start(a, fmt);
    fprintf(stderr, "# %s:%d: ", file, line);
    vfprintf(stderr, fmt, a);
    fputc('\n', stderr);
    __builtin_va_end(a);
    fflush(NULL);
    _exit(1);
}

#define CHECK(cond) do { if (!(cond)) t_fail(__FILE__, __LINE__, "not so: %s", #cond); } while (0)
#define CHECK_EQ(a, b) do { long long a_ = (long long)(a), b_ = (long long)(b); \
    if (a_ != b_) t_fail(__FILE__, __LINE__, "%s is %lld, not %s = %lld", #a, a_, #b, b_); } while (0)
#define CHECK_STR(a, b) do { const char *a_ = (a), *b_ = (b); \
    if (!a_ || !b_ || strcmp(a_, b_)) \
        t_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, a_ ? a_ : "(null)", b_ ? b_ : "(null)"); } while (0)
#define CHECK_HAS(a, b) do { const char *a_ = (a), *b_ = (b); \
    if (!a_ || !strstr(a_, b_)) t_fail(__FILE__, __LINE__, "%s is \"%s\", which lacks \"%s\"", #a, a_ ? a_ : "(null)", b_); } while (0)
#define CHECK_MEM(a, b, n) do { if (memcmp((a), (b), (n))) \
    t_fail(__FILE__, __LINE__, "%s and %s differ in %zu bytes", #a, #b, (size_t)(n)); } while (0)

static inline int t_run(const t_test *t)
{
    if (getenv("T_NOFORK")) {
        t->fn();
        return 0;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60 * (getenv("T_SLOW") ? 5 : 1));
        t->fn();
        fflush(NULL);
        exit(0);                                     /* not _exit: leak checkers report here */
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        fprintf(stderr, "# %s: killed by signal %d (%s)\n", t->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    return status;
}

static inline int t_main(int argc, char **argv)
{
    int n = 0, bad = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (const t_test *t = t_first; t; t = t->next)
            puts(t->name);
        return 0;
    }
    for (const t_test *t = t_first; t; t = t->next) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], t->name) == 0;
        if (!wanted)
            continue;
        int failed = t_run(t) != 0;
        bad += failed;
        printf("%sok %d - %s\n", failed ? "not " : "", ++n, t->name);
    }
    printf("1..%d\n", n);
    return bad != 0 || n == 0;
}

#define T_MAIN() int main(int argc, char **argv) { return t_main(argc, argv); }
#endif
