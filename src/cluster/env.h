/* env.h - who this process is among the nodes of its program, as the launcher says in the environment (docs/launch.md).
 *
 * What the environment holds may be wrong or hostile: every value is checked, and what does not fit is LEAT_INVAL with a detail
 * that names the variable.  Addresses are checked for their form only; the link floor knows what they mean.
 * No OS, and of the runtime only leat_fail. */
#ifndef CLUSTER_ENV_H
#define CLUSTER_ENV_H
#include "leat.h"

enum {
    CLUSTER_URL_MAX = 1024,                          /* bytes of one address */
    CLUSTER_JOB_LEN = 32,                            /* hexadecimal digits: 128 bits */
};

struct url_list { char **at; uint32_t len; };        /* from 1 to LEAT_PEERS_MAX addresses; one piece of memory */

struct cluster {
    struct url_list nodes;                           /* by rank; none: nobody launched this process */
    uint32_t rank;
    int listen_fd;                                   /* a socket that already listens at nodes.at[rank], or -1 */
    char job[CLUSTER_JOB_LEN + 1];                   /* common to the nodes of one launch; may be empty */
};

typedef const char *cluster_getenv(const char *name);

LEAT_CHECK leat_err cluster_self(struct cluster *ret);                       /* [owned: cluster_done] INVAL, NOMEM */
LEAT_CHECK leat_err cluster_read(cluster_getenv *get, struct cluster *ret);  /* the same, from another environment */
void cluster_done(struct cluster *c);

/* "URL,URL" to its parts.  what: how a failure names the text.  INVAL, LIMIT, NOMEM */
LEAT_CHECK leat_err url_list_parse(const char *what, const char *text, struct url_list *ret);    /* [owned: url_list_done] */
void url_list_done(struct url_list *l);
#endif
