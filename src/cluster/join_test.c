/* join_test.c - who works for a node: itself, those of a list, those of a launch; and how the others end. */
#include "t.h"
#include "cluster/join.h"

static void quiet(int level, const char *line) { (void)level; (void)line; }
static const leat_opts quiet_opts = { .log = quiet };

static void run(leat_err (*fn)(leat_none *))
{
    for (int i = 0; i < 4; i++)
        unsetenv((const char *[]){ "LEAT_NODES", "LEAT_RANK", "LEAT_LISTEN_FD", "LEAT_JOB" }[i]);
    leat_err e = leat_run(&quiet_opts, fn, LEAT_NONE);
    if (e != LEAT_OK)
        fprintf(stderr, "# %s: %s\n", leat_err_name(e), leat_err_detail());
    CHECK_EQ(e, LEAT_OK);
}

static leat_err alone(leat_none *none)
{
    (void)none;
    leat_auto_node leat_node *n = NULL;
    leat_peers p, q;
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_node_join(n, NULL, &p));
    CHECK_EQ(p.len, 1);
    CHECK_EQ(p.rank, 0);
    LEAT_TRY(leat_node_join(n, NULL, &q));           /* again: nothing is lost of the first */
    CHECK(p.at != q.at);
    CHECK(p.at[0] == q.at[0]);
    return LEAT_OK;
}

TEST(a_process_that_nobody_launched_works_for_itself) { run(alone); }

static leat_err listed(leat_none *none)
{
    (void)none;
    leat_auto_node leat_node *a = NULL;
    leat_auto_node leat_node *b = NULL;
    leat_auto_node leat_node *n = NULL;
    leat_peers p;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "a" }, &a));
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "b" }, &b));
    LEAT_TRY(leat_node_open(NULL, &n));
    LEAT_TRY(leat_node_listen(a, "inproc:a"));
    LEAT_TRY(leat_node_listen(b, "inproc:b"));
    LEAT_TRY(leat_node_join(n, "inproc:a,inproc:b", &p));
    CHECK_EQ(p.len, 2);
    CHECK_STR(leat_peer_name(p.at[0]), "a");
    CHECK_STR(leat_peer_name(p.at[1]), "b");
    return LEAT_OK;
}

TEST(a_list_gives_its_nodes_in_order) { run(listed); }

static leat_err wrong(leat_none *none)
{
    (void)none;
    leat_auto_node leat_node *n = NULL;
    leat_peers p = { .rank = 77 };
    LEAT_TRY(leat_node_open(NULL, &n));
    CHECK_EQ(leat_node_join(n, "inproc:nobody", &p), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "inproc:nobody");
    CHECK_EQ(leat_node_join(n, "", &p), LEAT_INVAL);
    CHECK_EQ(leat_node_join(n, "nonsense", &p), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "nonsense");
    CHECK_EQ(leat_node_join(n, "inproc:a,", &p), LEAT_INVAL);
    setenv("LEAT_NODES", "inproc:a", 1);
    CHECK_EQ(leat_node_join(n, NULL, &p), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "LEAT_RANK");
    CHECK_EQ(p.rank, 77);                            /* untouched */
    return LEAT_OK;
}

TEST(what_cannot_be_joined_is_named) { run(wrong); }

/* A launch of three, in one program: each with a node of its own. */
struct member { uint32_t rank; leat_tx(uint32_t) ended; };

static leat_err member(struct member *m)
{
    char *urls[] = { "inproc:m0", "inproc:m1", "inproc:m2" };
    const struct cluster c = { .nodes = { urls, 3 }, .rank = m->rank, .listen_fd = -1 };
    leat_auto_node leat_node *n = NULL;
    leat_peers p;
    LEAT_TRY(leat_node_open(NULL, &n));
    leat_err err = cluster_join(n, &c, &p);
    if (m->rank == 0) {
        CHECK_EQ(err, LEAT_OK);
        CHECK_EQ(p.len, 2);
        CHECK_EQ(p.rank, 0);
        return LEAT_OK;                              /* closes the node */
    }
    CHECK_EQ(err, LEAT_CANCELED);
    leat_ignore(leat_try_send(m->ended, m->rank));
    return err;
}

static leat_chan(uint32_t) ended;

static leat_err launch(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_with_group(g, err)
        for (uint32_t i = 0; i < 3; i++)             /* the later ones come when the first may have called them already */
            LEAT_TRY(leat_go(&g, member, (struct member){ i, leat_tx_of(ended) }));
    return err;
}

TEST(the_others_serve_until_node_0_ends_and_then_their_program_ends_well)
{
    ended = leat_chan_make(uint32_t, 3);
    run(launch);                                     /* LEAT_OK, although a task has returned LEAT_CANCELED */
    CHECK(leat_len(ended) >= 1);                     /* in one program the first to notice ends them all */
    leat_unref(ended);
}

T_MAIN()
