/* report_test.c - what is said of tasks that wait for another node, and that they are no deadlock and have not leaked. */
#include "t.h"
#include "pair.h"
#undef errno
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include "run/report.h"
#include "run/sched.h"
#include "run/watch.h"

LEAT_STRUCT(num, (int64, n));

static char text[1 << 16];
static const char *dump(void)
{
    int p[2];
    size_t n = 0;
    CHECK(pipe(p) == 0 && fcntl(p[1], F_SETPIPE_SZ, 1 << 16) > 0);
    leat_dump(p[1]);
    close(p[1]);
    for (ssize_t k; (k = read(p[0], text + n, sizeof text - 1 - n)) > 0; )
        n += (size_t)k;
    close(p[0]);
    text[n] = 0;
    return text;
}

static leat_err sender(leat_tx(struct num) *c)
{
    leat_err e = LEAT_OK;
    for (int i = 0; e == LEAT_OK; i++)
        e = leat_send(*c, { i });
    return LEAT_OK;
}

/* Another thread asks until the verdict is not of this moment. */
static struct rt *asked;
static const char *_Atomic answer;
static void *ask(void *arg)
{
    const char *veto;
    do {
        sched_yield();
        veto = deadlock_veto(asked);
        CHECK(veto);
    } while (strcmp(veto, "a worker is awake") == 0 || strcmp(veto, "a task is ready") == 0);
    answer = veto;
    CHECK_EQ(leat_send((leat_chan(int))arg, 1), LEAT_OK);
    return NULL;
}

static leat_err waits_for_a_node(leat_none *none)
{
    struct pair x = pair_open();
    leat_err err;
    (void)none;
    leat_auto leat_chan(struct num) home = leat_chan_make(struct num, 2);
    leat_auto leat_tx(struct num) far = NULL;
    CHECK_EQ(leat_export(x.a, "nums", leat_tx_of(home), num), LEAT_OK);
    CHECK_EQ(leat_import(x.p, "nums", &far, num, 2), LEAT_OK);
    leat_auto leat_chan(int) asked_it = leat_chan_make(int, 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, sender, far));
        while (!strstr(dump(), "it sends to channel 0x"))
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK_HAS(text, "(its home is elsewhere, shared with node a (");
        size_t n = 0;
        leat_err e = leat_leaks(STDERR_FILENO, &n);
        CHECK(e != LEAT_OK || n == 0);
        pthread_t t;
        int v;
        asked = rt_self();
        CHECK(pthread_create(&t, NULL, ask, (void *)asked_it) == 0);
        LEAT_TRY(leat_recv(asked_it, &v));
        pthread_join(t, NULL);
        CHECK(strstr(answer, "a task waits for ") == answer);
        leat_group_cancel(&g);
    }
    leat_ignore(err);
    pair_close(&x);
    return LEAT_OK;
}

ANYWHERE(a_task_that_waits_for_a_node_is_shown_with_it_and_is_no_deadlock, waits_for_a_node)

T_MAIN()
