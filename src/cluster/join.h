/* join.h - leat_node_join for who knows its place already; and what boot/ needs of it. */
#ifndef CLUSTER_JOIN_H
#define CLUSTER_JOIN_H
#include "cluster/env.h"
#include "sess/sess.h"

extern const struct sess_user cluster_user;          /* frees with a node what leat_node_join gave out */

LEAT_CHECK leat_err cluster_join(leat_node *n, const struct cluster *c, leat_peers *ret);   /* [blocks] as leat_node_join(n, NULL, ret) */
#endif
