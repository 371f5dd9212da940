/* join_test.c - who works for a node: itself, those of a list, those of a launch; and how the others end. */
#include "t.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* -- as a launcher starts them ------------------------------------------------------------------------------------------------ */
/* A launch of three, in one program: each has a socket that listens already.  The others serve, and leave when node 0 has ended, not
 * before. */
LEAT_STRUCT(num, (uint64, n));
LEAT_SERVICE(echo, (say, num, num));
static leat_err say(void *self, const struct num *in, struct num *out) { (void)self; *out = *in; return LEAT_OK; }
static const struct echo_impl echo = { .say = say };

enum { NODES = 3, ROUNDS = 20 };
static struct { char url[NODES][64]; int fd[NODES]; _Atomic uint32_t over, left; } started;

static void listen_unix(int i)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof a.sun_path, "/tmp/leat-join-%d-%d", (int)getpid(), i);
    snprintf(started.url[i], sizeof started.url[i], "unix:%.50s", a.sun_path);
    started.fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(started.fd[i], (struct sockaddr *)&a, sizeof a) == 0);
}

static void listen_tcp(int i)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    started.fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(started.fd[i], (struct sockaddr *)&a, sizeof a) == 0);
    CHECK(getsockname(started.fd[i], (struct sockaddr *)&a, &n) == 0);
    snprintf(started.url[i], sizeof started.url[i], "tcp://127.0.0.1:%u", ntohs(a.sin_port));
}

static leat_err one_of_three(uint32_t *rank)
{
    char *urls[NODES] = { started.url[0], started.url[1], started.url[2] };
    const struct cluster c = { .nodes = { urls, NODES }, .rank = *rank, .listen_fd = started.fd[*rank] };
    leat_auto_node leat_node *n = NULL;
    leat_peers p = { .len = 0 };
    LEAT_TRY(leat_node_open(NULL, &n));
    CHECK_EQ(leat_serve(n, echo, &echo, NULL), LEAT_OK);
    leat_err err = cluster_join(n, &c, &p);
    if (*rank != 0) {
        CHECK_EQ(err, LEAT_CANCELED);
        CHECK(atomic_load(&started.over));
        atomic_fetch_add(&started.left, 1);
        return err;
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(p.len, NODES - 1);
    for (uint64_t i = 0; i < ROUNDS * p.len; i++) {
        struct num out = { 0 };
        CHECK_EQ(leat_call(p.at[i % p.len], echo, say, &(struct num){ i }, &out), LEAT_OK);
        CHECK_EQ(out.n, i);
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    }
    atomic_store(&started.over, 1);
    return LEAT_OK;                                  /* closes the node */
}

static leat_err three(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_with_group(g, err)
        for (uint32_t i = 0; i < NODES; i++)
            LEAT_TRY(leat_go(&g, one_of_three, i));
    return err;
}

static void launched(void (*listen_at)(int))
{
    for (int i = 0; i < NODES; i++) {
        listen_at(i);
        CHECK(listen(started.fd[i], 16) == 0);
    }
    run(three);
    CHECK(atomic_load(&started.left) >= 1);          /* the first to notice ends them all */
    for (int i = 0; i < NODES; i++)
        if (strncmp(started.url[i], "unix:", 5) == 0)
            unlink(started.url[i] + 5);
}
TEST(the_others_serve_as_long_as_node_0_lives_unix) { launched(listen_unix); }
TEST(the_others_serve_as_long_as_node_0_lives_tcp) { launched(listen_tcp); }

T_MAIN()
