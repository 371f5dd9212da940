/* net.h - what the files of net_bench share: a benchmark is a server and a client, in two processes, that use leat as any program does.
 *
 * The server exports channels or serves methods, calls server_listen, and works until the client has closed its last channel.
 * The client is connected when its run begins; it does n operations, checks what came out, and prints a JSON line a result. */
#ifndef NET_H
#define NET_H
#include <stdio.h>
#include "leat.h"

struct server { leat_node *node; const char *url; int tell; int64_t n; };
struct client { leat_node *node; leat_peer *peer; const char *name, *url; int64_t n; };
struct net_bench {
    const char *name;
    int64_t n;                                       /* operations, when the command line says nothing else */
    leat_err (*serve)(struct server *s);
    leat_err (*run)(struct client *c);
    bool cpu;                                        /* also print NAME-cpu: CPU seconds of both processes for a million operations */
};

extern const struct net_bench net_pairs[], net_calls[], net_many[], net_growth[];    /* each ends with an entry without a name */

leat_err server_listen(struct server *s);            /* listens and tells the client where */
leat_err net_serve_sum(struct server *s, size_t ahead);              /* numbers come on "in", their sum goes out on "sum" */
void net_result(const char *name, const char *unit, double value);
void net_per_second(const char *name, leat_time start, int64_t n);
LEAT_CHECK leat_err net_equal(const char *what, int64_t got, int64_t want);        /* INVAL and a detail when they differ */

LEAT_STRUCT(number, (int64, v));
LEAT_STRUCT(block, (array(uint64_t, 128), words));   /* 1 KiB */
LEAT_STRUCT(blob, (bytes, data));
#endif
