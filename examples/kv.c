/* kv - a service with two methods, and a client whose deadline reaches the server.
 *   kv serve URL        kv put URL KEY VALUE        kv get URL KEY */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "leat.h"

LEAT_STRUCT(key,   (string, key));
LEAT_STRUCT(value, (string, value), (uint64, version));
LEAT_STRUCT(pair,  (string, key), (string, value));
LEAT_SERVICE(kv, (get, key, value), (put, pair, value));   /* kv_impl, and typed calls */

/* == The server. == */

enum { ENTRIES_MAX = 1000 };
struct entry { leat_string key, value; uint64_t version; };
struct store { leat_mutex lock; size_t len; struct entry at[ENTRIES_MAX]; };     /* the lock protects all of it */

static struct entry *find(struct store *s, leat_string key)
{
    for (size_t i = 0; i < s->len; i++)
        if (s->at[i].key.len == key.len && memcmp(s->at[i].key.p, key.p, key.len) == 0)
            return &s->at[i];
    return NULL;
}

static leat_err kv_get(void *self, const struct key *in, struct value *out)
{
    struct store *s = self;
    leat_err err;
    leat_with_lock(&s->lock, err) {                        /* a task waits here, never a thread */
        struct entry *e = find(s, in->key);
        if (!e)
            return leat_fail(LEAT_REFUSED, "no key '%.*s'", (int)in->key.len, in->key.p);
        LEAT_TRY(leat_string_dup(e->value.p, e->value.len, &out->value));
        out->version = e->version;
    }
    return err;
}

static leat_err store_put(struct store *s, const struct pair *in, struct value *out)
{
    struct entry *e = find(s, in->key);
    leat_string value;
    if (!e && s->len == ENTRIES_MAX)
        return leat_fail(LEAT_LIMIT, "there are %d keys already", ENTRIES_MAX);
    LEAT_TRY(leat_string_dup(in->value.p, in->value.len, &value));
    if (!e) {
        struct entry more = { .version = 0 };
        leat_err err = leat_string_dup(in->key.p, in->key.len, &more.key);
        if (err != LEAT_OK) {
            leat_drop(value, &((struct value){ .value = value }));
            return err;
        }
        s->at[s->len] = more;
        e = &s->at[s->len++];
    }
    leat_drop(value, &((struct value){ .value = e->value }));
    e->value = value;
    out->version = ++e->version;
    return LEAT_OK;
}

static leat_err kv_put(void *self, const struct pair *in, struct value *out)
{
    struct store *s = self;
    leat_err err;
    leat_with_lock(&s->lock, err)
        err = store_put(s, in, out);
    return err;
}

struct args { char **argv; };

static leat_err server(struct args *a)
{
    static struct store store;
    static const struct kv_impl impl = { .get = kv_get, .put = kv_put };
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = "kv" }, &node));
    LEAT_TRY(leat_serve(node, kv, &impl, &store));         /* a mistyped method does not compile */
    LEAT_TRY(leat_node_listen(node, a->argv[2]));
    fprintf(stderr, "listening on %s\n", leat_node_url(node));
    return leat_node_wait(node);
}

/* == The client. == */

static leat_err call(leat_peer *peer, char **argv, struct value *ret)
{
    leat_err err;
    if (strcmp(argv[1], "get") == 0)
        err = leat_call(peer, kv, get, &((struct key){ leat_string_of(argv[3]) }), ret);
    else
        err = leat_call(peer, kv, put, &((struct pair){ leat_string_of(argv[3]), leat_string_of(argv[4]) }), ret);
    if (err == LEAT_UNKNOWN)                               /* nobody can tell whether it ran */
        return leat_fail(leat_err_why(), "no answer to %s, which may have happened or not", argv[1]);
    return err;
}

static leat_err client(struct args *a)
{
    leat_auto_node leat_node *node = NULL;
    leat_peer *peer;                                       /* belongs to the node */
    struct value v = { .version = 0 };
    LEAT_TRY(leat_node_open(NULL, &node));
    leat_with_deadline(LEAT_S(2)) {                        /* covers all that waits in here, and what the server does for it */
        LEAT_TRY(leat_node_dial(node, a->argv[2], &peer));
        LEAT_TRY(call(peer, a->argv, &v));
    }
    if (v.value.len > 0)
        printf("%.*s\n", (int)v.value.len, v.value.p);
    printf("version %" PRIu64 "\n", v.version);
    leat_drop(value, &v);
    return LEAT_OK;
}

int main(int argc, char **argv)
{
    bool serves = argc == 3 && strcmp(argv[1], "serve") == 0;
    if (!serves && !(argc == 4 && strcmp(argv[1], "get") == 0) && !(argc == 5 && strcmp(argv[1], "put") == 0))
        return fprintf(stderr, "usage: kv serve URL | kv get URL KEY | kv put URL KEY VALUE\n"), 2;
    leat_err err = leat_run(NULL, serves ? server : client, (struct args){ argv });
    if (err != LEAT_OK)
        fprintf(stderr, "kv: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err == LEAT_DEADLINE ? 124 : err != LEAT_OK;
}
