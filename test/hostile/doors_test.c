/* doors_test.c - strangers at the door of a node that listens, over real sockets: who speaks something else, who says nothing, who says
 * it slowly, and who comes in masses.  The strangers are a process of their own; a good pair talks on beside them.
 *
 * HOSTILE_N=n: so many strangers (make hostile N=1000000); else a few thousand. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "leat.h"
#undef errno
#include "sess/frame.h"
#include "t.h"

LEAT_STRUCT(num, (int64, n));

static bool tcp;
static char path[64];
static uint16_t port;
static long strangers(void)
{
    const char *n = getenv("HOSTILE_N");
    return n ? atol(n) : getenv("T_QUICK") ? 300 : 3000;
}

/* -- a stranger ------------------------------------------------------------------------------------------------------------------- */
static int connect_to(bool over_tcp, const char *to, uint16_t at)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(at), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s", to);
    int fd = socket(over_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct timeval limit = { 20, 0 };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int e = over_tcp ? connect(fd, (struct sockaddr *)(void *)&in, sizeof in) : connect(fd, (struct sockaddr *)(void *)&un, sizeof un);
    if (e == 0)
        return fd;
    close(fd);
    return -1;
}

static size_t foreign(struct rng *r, char *to, size_t cap)
{
    static const struct { const char *p; size_t n; } words[] = {
#define WORD(s) { s, sizeof(s) - 1 }
        WORD("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), WORD("POST /a HTTP/1.0\r\n\r\n"), WORD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        WORD("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), WORD("SSH-2.0-OpenSSH_9.2\r\n"), WORD("EHLO example.org\r\n"), WORD("\r\n"),
        WORD(PREAMBLE_MAGIC), WORD(PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0"), WORD(PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\x50\0\0\0\1\0\0\0"),
        WORD(PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\xff\xff\xff\xff\1\0\0\0"), WORD(PREAMBLE_MAGIC "\7\0\0\0\0\0\0\0"), WORD(""),
    };
    size_t k = rng_below(r, ARRAY_LEN(words) + 3), n = 0;
    if (k < ARRAY_LEN(words)) {
        memcpy(to, words[k].p, words[k].n);
        return words[k].n;
    }
    for (n = rng_below(r, (uint32_t)cap); n && k; k = 0)
        for (size_t i = 0; i < n; i++)
            to[i] = (char)rng_next(r);
    return n;
}

/* Knocks, says something foreign, and hears the answer out or hangs up. */
static struct said { _Atomic uint64_t links, bytes; } *said_in_all;      /* shared with the strangers, if somebody counts */
static void knock(struct rng *r)
{
    char said[300], got[600];
    size_t n = foreign(r, said, sizeof said);
    int fd = connect_to(tcp, path, port);
    if (fd < 0)
        return;
    bool whole = n > 20 || rng_below(r, 2);
    if (said_in_all) {
        atomic_fetch_add(&said_in_all->links, 1);
        atomic_fetch_add(&said_in_all->bytes, n);
    }
    if (n && send(fd, said, n, MSG_NOSIGNAL) < 0)
        n = 0;
    if (whole)
        shutdown(fd, SHUT_WR);
    else
        n = 0;
    while (n && recv(fd, got, sizeof got, 0) > 0)
        ;
    close(fd);
}

/* -- the good ones ------------------------------------------------------------------------------------------------------------------ */
static _Atomic uint32_t lines;
static void count_lines(int level, const char *line)
{
    (void)level;
    CHECK(strchr(line, '\n') == NULL && strlen(line) < 900);
    atomic_fetch_add(&lines, 1);
}
static const leat_opts opts = { .workers = 2, .log = count_lines };

struct good { leat_node *a, *b; leat_peer *p; leat_chan(struct num) c; leat_tx(struct num) tx; int64_t sent; };

static void good_talk(struct good *g)
{
    struct num v;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(leat_send(g->tx, { g->sent }), LEAT_OK);
        CHECK_EQ(leat_recv(g->c, &v), LEAT_OK);
        CHECK_EQ(v.n, g->sent++);
    }
}

static void good_open(struct good *g, int patience_ms)
{
    char url[80];
    snprintf(path, sizeof path, "/tmp/leat-doors-%d", (int)getpid());
    snprintf(url, sizeof url, tcp ? "tcp://127.0.0.1:0" : "unix:%s", path);
    leat_node_opts o = { .name = "node a", .idle = LEAT_MS(patience_ms / 10), .patience = LEAT_MS(patience_ms - patience_ms / 10) };
    *g = (struct good){ .c = leat_chan_make(struct num, 4) };
    CHECK_EQ(leat_node_open(&o, &g->a), LEAT_OK);
    CHECK_EQ(leat_node_listen(g->a, url), LEAT_OK);
    CHECK_EQ(leat_export(g->a, "c", leat_tx_of(g->c), num), LEAT_OK);
    const char *at = strrchr(leat_node_url(g->a), ':');
    port = tcp ? (uint16_t)atoi(at + 1) : 0;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &g->b), LEAT_OK);
    CHECK_EQ(leat_node_dial(g->b, leat_node_url(g->a), &g->p), LEAT_OK);
    CHECK_EQ(leat_import(g->p, "c", &g->tx, num, 4), LEAT_OK);
    good_talk(g);
}

static void good_close(struct good *g)
{
    good_talk(g);
    leat_unref(g->tx);
    leat_node_close(g->b);
    leat_node_close(g->a);
    leat_unref(g->c);
}

/* A newcomer gets in. */
static void newcomer(struct good *g)
{
    leat_auto_node leat_node *n = NULL;
    leat_peer *p;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "newcomer" }, &n), LEAT_OK);
    leat_err e = leat_node_dial(n, leat_node_url(g->a), &p);
    if (e != LEAT_OK)
        t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e), leat_err_detail());
}

/* The strangers, in a process; 0 there. */
static pid_t start(void)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);            /* nobody stays behind when the test fails */
    return pid;
}
static bool ended(pid_t pid)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, WNOHANG);
    CHECK(got == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return got == pid;
}

/* -- masses that speak something else ------------------------------------------------------------------------------------------------- */
/* What this process allocates meanwhile: for each stranger so much, and 64 times what it said; and LARGE blocks are address space for
 * stacks. */
enum { FOR_A_LINK = 8 << 10, FOR_A_BYTE = 64, BLOCKS_FOR_A_LINK = 20, LARGE = 16 << 20 };
static _Atomic uint64_t taken, blocks;
static bool count_memory(void *self, size_t n)
{
    (void)self;
    atomic_fetch_add_explicit(&taken, n < LARGE ? n : 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
    return false;
}

static double cpu_s(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static leat_err masses(leat_none *none)
{
    struct good g;
    struct rusage was, is;
    (void)none;
    good_open(&g, 5000);
    said_in_all = mmap(NULL, sizeof *said_in_all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(said_in_all != MAP_FAILED);
    uint64_t taken_before = atomic_load(&taken), blocks_before = atomic_load(&blocks);
    leat_time began = leat_now();
    getrusage(RUSAGE_SELF, &was);
    pid_t pid = start();
    if (pid == 0) {
        struct rng r;
        rng_init(&r, 7);
        for (long i = strangers(); i > 0; i--)
            knock(&r);
        _exit(0);
    }
    while (!ended(pid)) {
        good_talk(&g);
        leat_ignore(leat_sleep(LEAT_MS(5)));
        alarm(60);                                   /* what counts is that it goes on */
    }
    uint64_t links = atomic_load(&said_in_all->links), bytes = atomic_load(&said_in_all->bytes);
    uint64_t memory = atomic_load(&taken) - taken_before, pieces = atomic_load(&blocks) - blocks_before;
    newcomer(&g);
    getrusage(RUSAGE_SELF, &is);
    fprintf(stderr, "# %llu strangers said %llu bytes; for each %.1f blocks of together %.0f bytes, and %.1f us of a processor; "
        "%ld KiB more at the most\n", (unsigned long long)links, (unsigned long long)bytes, (double)pieces / (double)links,
        (double)memory / (double)links, (cpu_s(&is) - cpu_s(&was)) * 1e6 / (double)links, is.ru_maxrss - was.ru_maxrss);
    CHECK(links > 0 && memory < links * FOR_A_LINK + bytes * FOR_A_BYTE && pieces < links * BLOCKS_FOR_A_LINK);
    CHECK(is.ru_maxrss - was.ru_maxrss < (getenv("T_SLOW") ? 200 << 10 : 64 << 10));        /* KiB, however many they were */
    int64_t seconds = leat_since(began).ns / 1000000000 + 2;
    CHECK(atomic_load(&lines) >= 1 && atomic_load(&lines) <= 10 * seconds);
    good_close(&g);
    return LEAT_OK;
}
static void over(bool tcp_, leat_err (*fn)(leat_none *))
{
    static const struct mem_hook hook = { count_memory, NULL };
    tcp = tcp_;
    mem_hook = &hook;
    CHECK_EQ(leat_run(&opts, fn, LEAT_NONE), LEAT_OK);
}
TEST(masses_that_speak_something_else_are_refused_in_few_words_unix) { over(false, masses); }
TEST(masses_that_speak_something_else_are_refused_in_few_words_tcp) { over(true, masses); }

/* -- silence --------------------------------------------------------------------------------------------------------------------------- */
/* `n` that say nothing, or a byte of a good hello now and then, and never hang up; until they are all hung up on. */
static void silent(int n, bool slow)
{
    struct pollfd *p = calloc((size_t)n, sizeof *p);
    size_t said = 0;
    int open = 0;
    for (int i = 0; i < n; i++) {
        p[i] = (struct pollfd){ .fd = connect_to(tcp, path, port), .events = POLLIN };
        open += p[i].fd >= 0;
    }
    for (int turn = 0; open && turn < 600; turn++) {
        poll(p, (nfds_t)n, 50);
        for (int i = 0; i < n; i++) {
            char got[600];
            if (p[i].fd < 0)
                continue;
            if (slow && said < 8 && turn % 2 == 0)
                (void)!send(p[i].fd, &PREAMBLE_MAGIC[said], 1, MSG_NOSIGNAL);
            if (p[i].revents && recv(p[i].fd, got, sizeof got, MSG_DONTWAIT) <= 0) {
                close(p[i].fd);
                p[i].fd = -1;
                open--;
            }
        }
        said += slow && turn % 2 == 0;
    }
    free(p);
    _exit(open != 0);
}

static int how_many;
static bool slowly;
static leat_err hold_the_door(leat_none *none)
{
    struct good g;
    (void)none;
    good_open(&g, getenv("T_SLOW") ? 3000 : 1000);
    pid_t pid = start();
    if (pid == 0)
        silent(how_many, slowly);
    do {
        good_talk(&g);
        newcomer(&g);
        leat_ignore(leat_sleep(LEAT_MS(20)));
    } while (!ended(pid));
    good_close(&g);
    return LEAT_OK;
}
static void silence(bool slow)
{
    how_many = getenv("T_QUICK") ? 50 : 300;
    slowly = slow;
    CHECK_EQ(leat_run(&opts, hold_the_door, LEAT_NONE), LEAT_OK);
}
TEST(who_says_nothing_is_refused_in_time_unix) { silence(false); }
TEST(who_says_nothing_is_refused_in_time_tcp) { tcp = true; silence(false); }
TEST(who_says_a_byte_now_and_then_is_refused_in_time_unix) { silence(true); }
TEST(who_says_a_byte_now_and_then_is_refused_in_time_tcp) { tcp = true; silence(true); }

/* -- more than there are descriptors --------------------------------------------------------------------------------------------------- */
static leat_err no_descriptors(leat_none *none)
{
    struct good g;
    struct rlimit was, few;
    (void)none;
    good_open(&g, 60000);                            /* nobody is refused for his silence alone while this runs */
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
    int fd = dup(0);
    close(fd);
    few = (struct rlimit){ .rlim_cur = (rlim_t)fd + 40, .rlim_max = was.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);      /* before anybody comes: all would be let in */
    pid_t pid = start();
    if (pid == 0) {
        int n = 0;
        setrlimit(RLIMIT_NOFILE, &was);
        for (; n < 100; n++)
            if (connect_to(tcp, path, port) < 0)
                _exit(1);
        pause();
    }
    for (int i = 0; i < 20; i++) {
        good_talk(&g);
        leat_ignore(leat_sleep(LEAT_MS(20)));
    }
    leat_peer *late;
    while (leat_node_dial(g.b, leat_node_url(g.a), &late) != LEAT_OK) {  /* they make room for one another, and for him */
        if (few.rlim_cur < (rlim_t)fd + 48)          /* who comes has a descriptor of his own, which is here one of this process, too */
            few.rlim_cur++;
        CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
        leat_ignore(leat_sleep(LEAT_MS(20)));
    }
    kill(pid, SIGKILL);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    good_close(&g);
    return LEAT_OK;
}
TEST(more_half_open_links_than_descriptors_keep_nobody_out_unix) { over(false, no_descriptors); }
TEST(more_half_open_links_than_descriptors_keep_nobody_out_tcp) { over(true, no_descriptors); }

/* -- storms ---------------------------------------------------------------------------------------------------------------------------- */
static leat_err one_of_a_storm(const char **url)
{
    for (int i = 0; i < (getenv("T_QUICK") ? 5 : 30); i++) {
        leat_auto_node leat_node *n = NULL;
        leat_peer *p;
        CHECK_EQ(leat_node_open(NULL, &n), LEAT_OK);
        leat_err e = leat_node_dial(n, *url, &p);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%s: %s", leat_err_name(e), leat_err_detail());
    }
    return LEAT_OK;
}
static leat_err storm(leat_none *none)
{
    struct good g;
    leat_err err;
    (void)none;
    good_open(&g, 30000);
    const char *url = leat_node_url(g.a);
    leat_with_group(all, err) {
        for (int i = 0; i < 16; i++)
            LEAT_TRY(leat_go(&all, one_of_a_storm, url));
        good_talk(&g);
    }
    CHECK_EQ(err, LEAT_OK);
    good_close(&g);
    return LEAT_OK;
}
TEST(a_storm_of_connections_is_served_unix) { over(false, storm); }
TEST(a_storm_of_connections_is_served_tcp) { over(true, storm); }

T_MAIN()
