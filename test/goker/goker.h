/* goker.h - programs that leak tasks, after the patterns that studies of bugs in large Go programs found.  Each is made to leak in every
 * run (who comes first is forced by handshakes), and leat_leaks must find the tasks named, all of them, and no other at any time.
 *
 *     GOKER(Cockroach584, "manage") { ... }     the body is a task without a group; the text: the functions of the tasks that leak
 *
 * The functions of a program are numbered by nothing but their names; memory is never freed, and the process ends when the verdict is
 * there, so nobody looks at errors that only a cancel could bring. */
#ifndef GOKER_H
#define GOKER_H
#include "t.h"
#include "leat.h"
#undef errno
#include "plat/san.h"
#include <fcntl.h>

/* ThreadSanitizer puts another allocator in the place of glibc's; there only false alarms can be looked for. */
static inline bool goker_blind(void);

#define new(T) ((T *)calloc(1, sizeof(T)))
#define GO(fn, ...) do { if (leat_go(NULL, fn, __VA_ARGS__) != LEAT_OK) t_fail(__FILE__, __LINE__, "leat_go " #fn); } while (0)
#define UNTIL(cond) while (!(cond)) leat_yield()
#define MAKE(n) leat_chan_make(int, n)
typedef leat_chan(int) channel;
static inline void lock(leat_mutex *m) { leat_ignore(leat_lock(m)); }
static inline void unlock(leat_mutex *m) { leat_unlock(m); }
static inline void send(channel c) { leat_ignore(leat_send(c, 1)); }
static inline leat_err recv(channel c) { int v; return leat_recv(c, &v); }
static inline void pause_a_little(void) { leat_ignore(leat_sleep(LEAT_MS(1))); }
static inline void wait_closed(channel c) { leat_ignore(recv(c)); }

static char goker_text[1 << 18];

/* The functions of the leaked tasks, sorted, with a blank between. */
static inline const char *goker_names(void)
{
    static char names[4096];
    char *list[256], *next = goker_text;
    int n = 0;
    for (char *p; (p = next) && *p; ) {
        next = strchr(p, '\n');
        if (next)
            *next++ = 0;
        if (strncmp(p, "task ", 5) != 0 || n == 256)
            continue;
        p[5 + strcspn(p + 5, " ")] = 0;
        list[n++] = p + 5;
    }
    names[0] = 0;
    for (int left = n; left; left--) {
        int least = -1;
        for (int i = 0; i < n; i++)
            if (list[i] && (least < 0 || strcmp(list[i], list[least]) < 0))
                least = i;
        if (names[0])
            strcat(names, " ");
        strcat(names, list[least]);
        list[least] = NULL;
    }
    return names;
}

static inline const char *goker_look(void)
{
    int p[2];
    size_t n = 0, got = 0;
    CHECK(pipe(p) == 0 && fcntl(p[1], F_SETPIPE_SZ, 1 << 18) > 0);
    leat_err e = leat_leaks(p[1], &n);
    close(p[1]);
    for (ssize_t k; (k = read(p[0], goker_text + got, sizeof goker_text - 1 - got)) > 0; )
        got += (size_t)k;
    close(p[0]);
    goker_text[got] = 0;
    if (e == LEAT_AGAIN)                             /* on a machine under load a thread may not stop in time */
        return NULL;
    if (e != LEAT_OK)
        t_fail(__FILE__, __LINE__, "leat_leaks: %s", leat_err_detail());
    return goker_names();
}

/* Every name in `some` is in `all`, as often at most. */
static inline bool goker_part(const char *some, const char *all)
{
    while (*some) {
        size_t n = strcspn(some, " "), m;
        while (*all && ((m = strcspn(all, " ")) != n || strncmp(all, some, n) != 0))
            all += m + (all[m] == ' ');
        if (!*all)
            return false;
        all += n + (all[n] == ' ');
        some += n + (some[n] == ' ');
    }
    return true;
}

static inline leat_err goker_watch(const char *expect)
{
    for (int looks = 0;; looks++) {
        leat_ignore(leat_sleep(LEAT_MS(2)));
        const char *names = goker_look();
        if (!names)
            continue;
        if (!goker_part(names, expect))
            t_fail(__FILE__, __LINE__, "leaked are (%s), expected (%s)", names, expect);
        if (strcmp(names, expect) == 0) {
            printf("# after %d looks: %s\n", looks + 1, names);
            fflush(NULL);
            _exit(0);
        }
        if (looks == 2000)
            t_fail(__FILE__, __LINE__, "leaked are only (%s), expected (%s)", names, expect);
    }
}

#define GOKER(id, expect) \
    static leat_err id##_(leat_none *none); \
    static leat_err id##_run(leat_none *none) { GO(id##_, *none); return goker_watch(expect); } \
    TEST(id) { if (!goker_blind()) CHECK_EQ(leat_run(&(leat_opts){ .workers = 2 }, id##_run, LEAT_NONE), LEAT_OK); } \
    static leat_err id##_(leat_none *none __attribute__((unused)))

/* A task that waits for a channel in a block that only it knows is the least that must be found. */
static inline leat_err goker_probe_task(channel **c) { wait_closed(**c); return LEAT_OK; }
static inline leat_err goker_probe_start(leat_none *none)
{
    channel *c = new(channel);
    (void)none;
    *c = MAKE(0);
    GO(goker_probe_task, c);
    return LEAT_OK;
}
static inline leat_err goker_probe(leat_none *none)
{
    size_t n = 0;
    GO(goker_probe_start, *none);
    for (int i = 0; i < 2000 && n == 0; i++) {
        leat_ignore(leat_sleep(LEAT_MS(2)));
        leat_err e = leat_leaks(-1, &n);
        if (e == LEAT_INVAL)
            break;
    }
    _exit(n == 1 ? 0 : 1);
}
static inline bool goker_blind(void)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(leat_run(&(leat_opts){ .workers = 2 }, goker_probe, LEAT_NONE) != LEAT_OK);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!SAN_THREAD)                                 /* whose malloc does not say what it gives and takes */
        CHECK_EQ(status, 0);
    if (status)
        printf("# under ThreadSanitizer leaks cannot be told\n");
    return status != 0;
}
#endif
