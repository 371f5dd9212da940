/* errors_test.c - errors that the headers name and no other test gets: limits that are reached, and things that are of the wrong sort. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "t.h"
#include "leat.h"

LEAT_STRUCT(item, (int64, n));
LEAT_STRUCT(chained, (optional(chained), next));
LEAT_STRUCT(ended, (tx(item), out));

static leat_err nothing(leat_none *none) { (void)none; return LEAT_OK; }

static leat_err at_the_limit(leat_none *none)
{
    leat_timer *first, *second = NULL;
    leat_after *after = NULL;
    leat_err err;
    bool was = true;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&first, &g, LEAT_S(1000), nothing, LEAT_NONE));         /* one of two tasks; this is the other */
        CHECK_EQ(leat_timer_func(&second, &g, LEAT_S(1000), nothing, LEAT_NONE), LEAT_LIMIT);
        CHECK_EQ(leat_after_func(&after, NULL, nothing, LEAT_NONE), LEAT_LIMIT);
        CHECK_EQ(leat_go(&g, nothing, LEAT_NONE), LEAT_LIMIT);
        CHECK_EQ(leat_timer_reset(first, LEAT_S(1000), &was), LEAT_LIMIT);    /* its task has yet to end: it is stopped */
        CHECK(was && !second && !after && !leat_timer_stop(first));
        leat_timer_close(first);
    }
    return err;
}
TEST(tasks_that_begin_later_count_among_max_tasks)
{
    CHECK_EQ(leat_run((&(leat_opts){ .workers = 1, .max_tasks = 2 }), at_the_limit, LEAT_NONE), LEAT_OK);
}

static leat_err in_a_cancelled_group(leat_none *none)
{
    leat_timer *t = NULL, *other = NULL;
    leat_err err;
    bool was = true;
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&t, &g, LEAT_S(1000), nothing, LEAT_NONE));
        CHECK(leat_timer_stop(t));
        leat_group_cancel(&g);
        CHECK_EQ(leat_timer_reset(t, LEAT_S(1), &was), LEAT_CANCELED);
        CHECK_EQ(leat_timer_func(&other, &g, LEAT_S(1), nothing, LEAT_NONE), LEAT_CANCELED);
        CHECK(!other);
        leat_timer_close(t);
    }
    return err;
}
TEST(a_cancelled_group_takes_no_task_that_begins_later) { CHECK_EQ(leat_run(NULL, in_a_cancelled_group, LEAT_NONE), LEAT_OK); }

/* Its memory goes at once; what was around it then ends, and would find it if it knew it. */
static void use_in_vain(leat_err why)
{
    static leat_group g[2];
    leat_timer *t = NULL;
    memset(g, 0, sizeof g);
    CHECK_EQ(leat_go(&g[0], nothing, LEAT_NONE), why);
    CHECK_EQ(leat_timer_func(&t, &g[1], LEAT_S(1000), nothing, LEAT_NONE), why);
    memset(g, 0xee, sizeof g);
}
static leat_err groups_of_nobody(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_with_cancel(ctx) {
        use_in_vain(LEAT_LIMIT);
        leat_cancel(ctx, LEAT_CANCELED);
        use_in_vain(LEAT_CANCELED);
    }
    leat_with_group(around, err) {
        use_in_vain(LEAT_LIMIT);
        leat_group_cancel(&around);
        use_in_vain(LEAT_CANCELED);
    }
    return err;
}
TEST(a_group_whose_first_task_cannot_start_need_not_be_waited_for)
{
    CHECK_EQ(leat_run(&(leat_opts){ .max_tasks = 1 }, groups_of_nobody, LEAT_NONE), LEAT_OK);
}

static leat_err files_of_the_wrong_sort(leat_none *none)
{
    char folder[] = "/tmp/leat_errors.XXXXXX", path[64];
    leat_file *f;
    int64_t size = 7;
    (void)none;
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    LEAT_TRY(leat_file_open(path, O_RDWR, 0, &f));
    CHECK_EQ(leat_file_size(f, &size), LEAT_INVAL);
    CHECK_EQ(size, 7);
    CHECK_EQ(leat_file_sync(f), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), EINVAL);
    LEAT_TRY(leat_file_close(f));
    unlink(path);
    rmdir(folder);
    CHECK_EQ(leat_file_read_all(NULL, 0, &(char *){ NULL }, &(size_t){ 0 }), LEAT_INVAL);
    CHECK_EQ(leat_file_replace(NULL, "x", 1, 0600), LEAT_INVAL);
    return LEAT_OK;
}
TEST(a_fifo_has_no_size_and_no_disk) { CHECK_EQ(leat_run(NULL, files_of_the_wrong_sort, LEAT_NONE), LEAT_OK); }

static leat_err too_many_workers(leat_none *none)
{
    static char list[LEAT_PEERS_MAX * 9 + 10];
    leat_auto_node leat_node *n = NULL;
    leat_auto_workers leat_workers *w = NULL;
    leat_peer *p;
    leat_peers peers;
    (void)none;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_workers_open(n, &w));
    LEAT_TRY(leat_node_self(n, &p));
    for (int i = 0; i < LEAT_PEERS_MAX; i++) {
        LEAT_TRY(leat_workers_add_url(w, "inproc:x"));
        strcat(list, "inproc:x,");
    }
    strcat(list, "inproc:x");
    CHECK_EQ(leat_workers_add_url(w, "inproc:x"), LEAT_LIMIT);
    CHECK_EQ(leat_workers_add(w, p), LEAT_LIMIT);
    CHECK_EQ(leat_workers_look(w, NULL, 0), LEAT_PEERS_MAX);
    CHECK_EQ(leat_workers_join(w, list), LEAT_LIMIT);
    CHECK_EQ(leat_node_join(n, list, &peers), LEAT_LIMIT);
    return LEAT_OK;
}
TEST(workers_and_addresses_of_nodes_have_a_limit) { CHECK_EQ(leat_run(NULL, too_many_workers, LEAT_NONE), LEAT_OK); }

static leat_err reset_by_the_peer(leat_none *none)
{
    leat_listener *l;
    leat_conn *here, *there;
    char c;
    size_t n = 7;
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
    (void)none;
    LEAT_TRY(leat_listen("tcp://127.0.0.1:0", &l));
    LEAT_TRY(leat_dial(leat_listener_addr(l).url, &here));
    LEAT_TRY(leat_accept(l, &there));
    CHECK(setsockopt(leat_conn_fd(there), SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    leat_conn_close(there);                          /* RST instead of an end */
    CHECK_EQ(leat_read(here, &c, 1, &n), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ECONNRESET);
    CHECK_EQ(n, 7);
    leat_conn_close(here);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(a_stream_that_is_reset_has_not_ended) { CHECK_EQ(leat_run(NULL, reset_by_the_peer, LEAT_NONE), LEAT_OK); }

TEST(what_json_cannot_say_and_cannot_hold)
{
    enum { DEEP = 2000 };
    static char text[DEEP * 9 + 1];
    leat_chan(struct item) c = leat_chan_make(struct item, 1);
    struct ended e = { leat_tx_of(c) };
    struct chained *read = leat_new(chained);
    leat_string s = { 0 };
    CHECK(c && read);
    CHECK_EQ(leat_json_write(ended, &e, &s), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "out");
    CHECK(!s.p);
    for (int i = 0; i < DEEP; i++)
        memcpy(text + 8 * i, "{\"next\":", 8);
    memset(text + 8 * DEEP, '}', DEEP);
    CHECK_EQ(leat_json_read(chained, text, strlen(text), read), LEAT_LIMIT);
    CHECK(!read->next);
    free(read);
    leat_unref(c);
}

TEST(a_select_has_a_limit_of_ends)
{
    enum { MOST = 65536 };
    leat_rx(int) *none = calloc(MOST + 1, sizeof *none);
    leat_err err;
    size_t which;
    int v;
    CHECK(none);
    leat_select(err) {
        leat_on_recv_any(none, MOST + 1, &v, &which) { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_LIMIT);
    leat_select(err) {
        leat_on_recv_any(none, MOST, &v, &which) { CHECK(false); }
    }
    CHECK_EQ(err, LEAT_CLOSED);                      /* no case can ever run */
    free(none);
}

static leat_err keep_nothing(void *self, const void *p, size_t n) { (void)self; (void)p; (void)n; return LEAT_OK; }

TEST(a_recorded_stream_has_a_limit_of_types)
{
    enum { MOST = 1024 };
    static leat_type types[MOST + 1];
    static char names[MOST + 1][8];
    leat_recorder *r;
    const struct item i = { 1 };
    CHECK_EQ(leat_recorder_open(keep_nothing, NULL, &r), LEAT_OK);
    for (int k = 0; k <= MOST; k++) {
        snprintf(names[k], sizeof names[k], "t%d", k);
        types[k] = item_type;
        types[k].name = names[k];
    }
    for (int k = 0; k < MOST; k++)
        CHECK_EQ(leat_record_(r, &types[k], &i), LEAT_OK);
    CHECK_EQ(leat_record_(r, &types[MOST], &i), LEAT_LIMIT);
    CHECK_EQ(leat_record_(r, &types[0], &i), LEAT_OK);           /* nothing was written, and the stream goes on */
    leat_recorder_close(r);
}

T_MAIN()
