/* env_test.c - what a launcher may say in the environment, and what it may not. */
#include "cluster/env.h"
#include "t.h"

static const char *nodes, *rank, *fd, *job;          /* the environment of a test */

static const char *get(const char *name)
{
    if (strcmp(name, "LEAT_NODES") == 0)
        return nodes;
    if (strcmp(name, "LEAT_RANK") == 0)
        return rank;
    return strcmp(name, "LEAT_LISTEN_FD") == 0 ? fd : strcmp(name, "LEAT_JOB") == 0 ? job : NULL;
}

static void check_bad(leat_err expected, const char *word)
{
    struct cluster c = { .rank = 77 };
    CHECK_EQ(cluster_read(get, &c), expected);
    CHECK_EQ(c.rank, 77);                            /* untouched */
    CHECK(c.nodes.at == NULL);
    CHECK_HAS(leat_err_detail(), word);
}

TEST(nobody_launched_a_process_without_leat_nodes)
{
    struct cluster c;
    rank = "5";
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    CHECK_EQ(c.nodes.len, 0);
    CHECK_EQ(c.listen_fd, -1);
    nodes = "";
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    CHECK_EQ(c.nodes.len, 0);
    cluster_done(&c);
}

TEST(a_launched_process_knows_its_place)
{
    struct cluster c;
    nodes = "unix:/run/x/0,tcp://127.0.0.1:7000,tcp://[::1]:7001";
    rank = "2";
    fd = "9";
    job = "0123456789abcdef0123456789abcdef";
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    CHECK_EQ(c.nodes.len, 3);
    CHECK_EQ(c.rank, 2);
    CHECK_EQ(c.listen_fd, 9);
    CHECK_STR(c.job, job);
    CHECK_STR(c.nodes.at[0], "unix:/run/x/0");
    CHECK_STR(c.nodes.at[1], "tcp://127.0.0.1:7000");
    CHECK_STR(c.nodes.at[2], "tcp://[::1]:7001");
    cluster_done(&c);
    CHECK_EQ(c.nodes.len, 0);
}

TEST(a_socket_and_a_job_may_be_missing)
{
    struct cluster c;
    nodes = "unix:/a";
    rank = "0";
    fd = job = "";
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    CHECK_EQ(c.listen_fd, -1);
    CHECK_STR(c.job, "");
    cluster_done(&c);
}

TEST(a_wrong_rank_is_refused)
{
    static const char *const bad[] = { "3", "-1", "+1", "", " 1", "1 ", "01", "x", "1x", "4294967296", "99999999999999999999999999" };
    nodes = "unix:/a,unix:/b,unix:/c";
    check_bad(LEAT_INVAL, "LEAT_RANK is not");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rank = bad[i];
        check_bad(LEAT_INVAL, "from 0 to 2");
    }
}

TEST(a_wrong_descriptor_is_refused)
{
    static const char *const bad[] = { "0", "2", "-1", "03", "x", "3x", "99999999999999999999" };
    nodes = "unix:/a";
    rank = "0";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fd = bad[i];
        check_bad(LEAT_INVAL, "LEAT_LISTEN_FD");
    }
}

TEST(a_wrong_job_is_refused)
{
    static const char *const bad[] = { "0", "0123456789abcdef0123456789abcdeg", "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdef0" };
    nodes = "unix:/a";
    rank = "0";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        job = bad[i];
        check_bad(LEAT_INVAL, "LEAT_JOB");
    }
}

TEST(a_wrong_address_is_refused)
{
    static const char *const bad[] = { ",", "unix:/a,", ",unix:/a", "unix:/a,,unix:/b", "unix:", "/a/path", "localhost", ":80",
        "TCP://x", "tcp://a b", "tcp://a\nb", "tcp://\x7f", "tcp://\xc3\xa9", "unix:/a, unix:/b" };
    rank = "0";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nodes = bad[i];
        check_bad(LEAT_INVAL, "LEAT_NODES: ");
    }
}

TEST(too_long_and_too_many_addresses_are_refused)
{
    static char text[16 * (LEAT_PEERS_MAX + 2)];
    rank = "0";
    nodes = text;
    memset(text, 'a', CLUSTER_URL_MAX + 1);
    memcpy(text, "unix:", 5);
    check_bad(LEAT_INVAL, "more than 1024 bytes");
    text[CLUSTER_URL_MAX] = 0;
    struct cluster c;
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    cluster_done(&c);
    text[0] = 0;
    for (int i = 0; i < LEAT_PEERS_MAX; i++)
        strcat(text, i ? ",unix:/a" : "unix:/a");
    CHECK_EQ(cluster_read(get, &c), LEAT_OK);
    CHECK_EQ(c.nodes.len, LEAT_PEERS_MAX);
    cluster_done(&c);
    strcat(text, ",unix:/a");
    check_bad(LEAT_LIMIT, "at most 1024");
}

T_MAIN()
