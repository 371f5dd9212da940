/* program.c - a program for the tests of `leat sim`: does what its argument says.  "early-...": before leat_run, what may forbid that
 * a process is copied there; each start of the program adds a byte to the file that EARLY names. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "leat.h"

struct what { const char *name; };

static leat_err leave(leat_none *none)
{
    (void)none;
    return LEAT_OK;
}

static leat_err deadlock(void)
{
    leat_auto leat_chan(int) c = leat_chan_make(int, 0);
    int v;
    return leat_recv(c, &v);
}

static leat_err add_one(int **n)
{
    int was = **n;
    leat_yield();                                    /* the race: others add meanwhile */
    **n = was + 1;
    return LEAT_OK;
}

static leat_err race(void)
{
    int n = 0;
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, add_one, &n));
    printf("%d\n", n);
    return err;
}

LEAT_STRUCT(item, (uint64, n));
LEAT_STRUCT(feed, (tx(item), out));

static leat_err lost_feed(struct feed *f)
{
    for (uint64_t i = 0; i < 50; i++)
        LEAT_TRY(leat_send(f->out, { i }));
    return leat_sleep(LEAT_S(1));
}

/* Node 1 sends to node 0, which takes a lost peer for a broken promise: for the search after the fault that a failure needs. */
static leat_err lost(void)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, lost_feed, feed));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    leat_auto leat_chan(struct item) items = leat_chan_make(struct item, 2);
    struct item got;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go_on(&g, peers.at[0], lost_feed, feed, { leat_ref(leat_tx_of(items)) }));
        for (int i = 0; i < 50 && err == LEAT_OK; i++)
            err = leat_recv(items, &got);
    }
    if (err != LEAT_OK)
        abort();
    return err;
}

static leat_err stand(struct feed *f)
{
    LEAT_TRY(leat_send(f->out, { 1 }));
    return leat_sleep(LEAT_S(100000));
}

/* Node 0 starts several tasks on each peer, and none of them ends before all are there. */
static leat_err standing(void)
{
    enum { TASKS = 12 };
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err, ups = LEAT_OK;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, stand, feed));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    leat_auto leat_chan(struct item) up = leat_chan_make(struct item, 2);
    leat_with_group(g, err) {
        for (uint32_t i = 0; i < TASKS; i++)
            LEAT_TRY(leat_go_on(&g, peers.at[i % peers.len], stand, feed, { leat_ref(leat_tx_of(up)) }));
        struct item got;
        for (int i = 0; i < TASKS && ups == LEAT_OK; i++)
            ups = leat_recv(up, &got);
        leat_group_cancel(&g);
    }
    return ups;
}

/* Node 0 starts a task on the first peer that dials the second, once, and ends with what came of that. */
static leat_err dial_h2(struct item *it)
{
    leat_auto_node leat_node *n = NULL;
    leat_peer *p;
    (void)it;
    LEAT_TRY(leat_node_open(NULL, &n));
    leat_err err = leat_node_dial(n, "tcp://h2:1", &p);
    return err == LEAT_OK ? err : leat_fail(LEAT_REFUSED, "dialed once");
}

static leat_err dials(void)
{
    leat_auto_node leat_node *n = NULL;
    leat_peers peers;
    leat_err err;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_expose(n, dial_h2, item));
    LEAT_TRY(leat_node_join(n, NULL, &peers));
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, peers.at[0], dial_h2, item, { 0 }));
    return err;
}

/* -- before leat_run, and what the run finds of it ----------------------------------------------------------------------------------- */
static struct { int fd, *shared; pid_t child; pthread_t thread; volatile bool ran; } early;

static void *mark(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(early.shared, __ATOMIC_SEQ_CST))
        usleep(1000);
    early.ran = true;
    return NULL;
}

static void *shared_page(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        exit(4);
    return p;
}

/* Closes the descriptor that was there at the start, and has another file under its number, unless that is NULL. */
static void do_given(const char *number, const char *path)
{
    int given = number ? atoi(number) : -1;
    int other = path ? open(path, O_RDONLY) : -1;
    if (given < 0 || close(given) != 0 || (path && (early.fd = dup2(other, given)) != given) || (path && close(other) != 0))
        exit(4);
}

static void do_early(const char *what)
{
    static int own;
    const char *path = getenv("EARLY");
    int fd = open(path ? path : "", O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0)
        exit(4);
    early.shared = &own;
    if (strcmp(what, "print") == 0 || strcmp(what, "buffer") == 0)
        printf("early\n");
    if (strcmp(what, "print") == 0)
        fflush(stdout);
    if (strcmp(what, "open") == 0)
        early.fd = open(path, O_RDONLY);
    if (strcmp(what, "close") == 0 || strcmp(what, "replace") == 0)
        do_given(getenv("GIVEN"), strcmp(what, "replace") == 0 ? path : NULL);
    if (strcmp(what, "memory") == 0)
        early.shared = shared_page();
    if (strcmp(what, "child") == 0 && (early.child = fork()) == 0)
        _exit(5);
    if (strcmp(what, "alarm") == 0)
        alarm(1000);
    if (strcmp(what, "thread") == 0 && pthread_create(&early.thread, NULL, mark, NULL) != 0)
        exit(4);
}

/* As it must be, where the program was started for this run alone. */
static leat_err look_early(const char *what)
{
    char c;
    int status = 0;
    if ((strcmp(what, "open") == 0 || strcmp(what, "replace") == 0) && read(early.fd, &c, 1) != 1)
        return leat_fail(LEAT_INVAL, "the file was read by another");
    if (strcmp(what, "memory") == 0 && early.shared[0]++ != 0)
        return leat_fail(LEAT_INVAL, "the memory was written by another");
    if (strcmp(what, "child") == 0 && (waitpid(early.child, &status, 0) != early.child || WEXITSTATUS(status) != 5))
        return leat_fail(LEAT_INVAL, "the child is not there");
    if (strcmp(what, "alarm") == 0 && alarm(0) == 0)
        return leat_fail(LEAT_INVAL, "the alarm is not set");
    if (strcmp(what, "thread") == 0) {
        __atomic_store_n(early.shared, 1, __ATOMIC_SEQ_CST);
        if (pthread_join(early.thread, NULL) != 0 || !early.ran)
            return leat_fail(LEAT_INVAL, "the thread is not there");
    }
    return LEAT_OK;
}

static leat_err run(struct what *w)
{
    if (strncmp(w->name, "early-", 6) == 0)
        return look_early(w->name + 6);
    if (strcmp(w->name, "lost") == 0)
        return lost();
    if (strcmp(w->name, "standing") == 0)
        return standing();
    if (strcmp(w->name, "dials") == 0)
        return dials();
    if (strcmp(w->name, "year") == 0)
        return leat_sleep(LEAT_S(365 * 24 * 3600));
    if (strcmp(w->name, "deadlock") == 0)
        return deadlock();
    if (strcmp(w->name, "race") == 0)
        return race();
    if (strcmp(w->name, "fail") == 0)
        return leat_fail(LEAT_INVAL, "as it was told to");
    if (strcmp(w->name, "abort") == 0)
        abort();
    if (strcmp(w->name, "exit") == 0)
        exit(7);
    while (strcmp(w->name, "poll") == 0)
        LEAT_TRY(leat_sleep(LEAT_S(1)));
    while (strcmp(w->name, "spin") == 0)
        ;
    return leat_go(NULL, leave, LEAT_NONE);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 3;
    if (strncmp(argv[1], "early-", 6) == 0)
        do_early(argv[1] + 6);
    leat_err err = leat_run(NULL, run, (struct what){ argv[1] });
    if (err != LEAT_OK)
        fprintf(stderr, "leat: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
