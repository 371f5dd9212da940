/* pair.h - for tests of nodes: the same test at three distances, and two nodes of one process with a session between them.
 *
 *     static leat_err talk(leat_none *none) { struct pair x = pair_open(); ... pair_close(&x); return LEAT_OK; }
 *     ANYWHERE(two_nodes_talk, talk)               makes two_nodes_talk_inproc, _unix and _tcp */
#ifndef PAIR_H
#define PAIR_H
#include <unistd.h>
#include "leat.h"
#include "t.h"

enum place { INPROC, UNIX, TCP };
static enum place place;                             /* set by at() and by AT */
static const char *url = "inproc:a";                 /* where node a listens */

__attribute__((unused)) static void at(enum place p)
{
    static char path[64];
    snprintf(path, sizeof path, "unix:/tmp/leat-test-%d", (int)getpid());
    place = p;
    url = p == INPROC ? "inproc:a" : p == UNIX ? path : "tcp://127.0.0.1:0";
}

/* Where a third node may listen. */
static inline const char *another_url(void)
{
    static char path[64];
    snprintf(path, sizeof path, "unix:/tmp/leat-test-%d-c", (int)getpid());
    return place == INPROC ? "inproc:c" : place == UNIX ? path : url;
}

static inline void pair_quiet(int level, const char *line) { (void)level; (void)line; }
static const leat_opts quiet_opts = { .log = pair_quiet };

#define AT(p, fn) do { at(p); CHECK_EQ(leat_run(&quiet_opts, fn, LEAT_NONE), LEAT_OK); } while (0)
#define ANYWHERE(id, fn) TEST(id##_inproc) { AT(INPROC, fn); } TEST(id##_unix) { AT(UNIX, fn); } TEST(id##_tcp) { AT(TCP, fn); }

struct pair { leat_node *a, *b; leat_peer *p; };     /* b has dialed a: p is a, as b knows it */

static inline struct pair pair_open(void)
{
    struct pair x = { NULL, NULL, NULL };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    return x;
}

static inline void pair_close(struct pair *x)
{
    leat_node_close(x->b);
    leat_node_close(x->a);
}
#endif
