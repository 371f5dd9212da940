/* blocks_test.c - every function that [blocks], begun where it would wait and the context is over already: cancelled, or past its deadline.
 * It says so, and nothing has happened; what no context ends is done all the same.  test/public looks that each of them is here. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "t.h"
#include "leat.h"

LEAT_STRUCT(item, (int64, n));
LEAT_SERVICE(shop, (sell, item, item));

static _Atomic int sold;
static leat_err sell(void *self, const struct item *in, struct item *out)
{
    (void)self;
    atomic_fetch_add(&sold, 1);
    *out = *in;
    return LEAT_OK;
}
static leat_err take(struct item *i)
{
    (void)i;
    atomic_fetch_add(&sold, 1);
    return LEAT_OK;
}
static const struct shop_impl shop = { sell };

/* What the operations work on. */
struct world {
    leat_chan(int) full, empty;
    leat_mutex held;
    leat_rwlock read, written;
    leat_sem none;
    leat_cond cond;
    leat_waitgroup waitgroup;
    int pipe[2];
    leat_conn *conn, *other;
    leat_listener *listener;
    char folder[64], path[80], url[120], silent[120];
    leat_listener *nobody;                           /* at `silent`: what is dialed there waits for ever */
    leat_file *file;
    leat_node *a, *b;                                /* b has dialed a */
    leat_peer *p;
    leat_tx(struct item) out;                        /* of b; its channel is a's, and full */
    leat_chan(struct item) items, unbuffered;
    leat_tx(struct item) out0;                       /* the same, unbuffered */
    leat_workers *workers;
    leat_chan(struct item_reply) replies;
    leat_netrpc *netrpc;
};

static leat_err open_here(struct world *w)
{
    w->full = leat_chan_make(int, 1);
    w->empty = leat_chan_make(int, 0);
    CHECK(w->full && w->empty && pipe(w->pipe) == 0);
    LEAT_TRY(leat_send(w->full, 1));
    LEAT_TRY(leat_lock(&w->held));
    LEAT_TRY(leat_rlock(&w->read));
    LEAT_TRY(leat_wlock(&w->written));
    w->none.size = 1;
    LEAT_TRY(leat_acquire(&w->none, 1));
    leat_waitgroup_add(&w->waitgroup, 1);
    snprintf(w->folder, sizeof w->folder, "/tmp/leat_blocks.XXXXXX");
    CHECK(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/file", w->folder);
    snprintf(w->url, sizeof w->url, "unix:%s/s", w->folder);
    LEAT_TRY(leat_file_open(w->path, O_RDWR | O_CREAT | O_APPEND, 0600, &w->file));
    LEAT_TRY(leat_file_append(w->file, "text", 4));
    snprintf(w->silent, sizeof w->silent, "unix:%s/t", w->folder);
    LEAT_TRY(leat_listen(w->silent, &w->nobody));
    LEAT_TRY(leat_listen(w->url, &w->listener));
    LEAT_TRY(leat_dial(w->url, &w->conn));
    return leat_accept(w->listener, &w->other);
}

static leat_err open_nodes(struct world *w)
{
    w->items = leat_chan_make(struct item, 1);
    w->unbuffered = leat_chan_make(struct item, 0);
    w->replies = leat_chan_make(struct item_reply, 1);
    CHECK(w->items && w->unbuffered && w->replies);
    LEAT_TRY(leat_node_open(NULL, &w->a));
    LEAT_TRY(leat_node_open(NULL, &w->b));
    LEAT_TRY(leat_serve(w->a, shop, &shop, NULL));
    LEAT_TRY(leat_expose(w->a, take, item));
    LEAT_TRY(leat_export(w->a, "items", leat_tx_of(w->items), item));
    LEAT_TRY(leat_export(w->a, "unbuffered", leat_tx_of(w->unbuffered), item));
    LEAT_TRY(leat_node_listen(w->a, "inproc:a"));
    LEAT_TRY(leat_node_dial(w->b, "inproc:a", &w->p));
    LEAT_TRY(leat_import(w->p, "items", &w->out, item, 1));
    LEAT_TRY(leat_import(w->p, "unbuffered", &w->out0, item, 1));
    LEAT_TRY(leat_send(w->out, { 1 }));
    LEAT_TRY(leat_flush(w->out));
    LEAT_TRY(leat_workers_open(w->b, &w->workers));
    LEAT_TRY(leat_workers_add(w->workers, w->p));
    return leat_netrpc_dial(w->silent, &w->netrpc);
}

static void close_all(struct world *w)
{
    leat_netrpc_close(w->netrpc);
    leat_workers_close(w->workers);
    leat_unref(w->out);
    leat_unref(w->out0);
    leat_node_close(w->b);
    leat_node_close(w->a);
    leat_unref(w->items);
    leat_unref(w->unbuffered);
    leat_unref(w->replies);
    leat_conn_close(w->conn);
    leat_conn_close(w->other);
    leat_listener_close(w->listener);
    leat_listener_close(w->nobody);
    leat_ignore(leat_file_close(w->file));
    unlink(w->path);
    rmdir(w->folder);
    leat_unlock(&w->held);
    leat_runlock(&w->read);
    leat_wunlock(&w->written);
    leat_release(&w->none, 1);
    leat_unref(w->full);
    leat_unref(w->empty);
    close(w->pipe[0]);
    close(w->pipe[1]);
}

typedef leat_err op(struct world *w);
enum how { GIVES_UP, IS_DONE, EITHER };
struct trying { op *fn; enum how how; };

static leat_err try_all(struct trying *t)
{
    struct world w = { .conn = NULL };
    leat_err e = open_here(&w), canceled = LEAT_OK, late = LEAT_OK;
    if (e == LEAT_OK)
        e = open_nodes(&w);
    CHECK_EQ(e, LEAT_OK);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_LIMIT);                /* the cause is not what they return */
        canceled = t->fn(&w);
    }
    if (t->how != IS_DONE) {
        CHECK(canceled == LEAT_CANCELED || (t->how == EITHER && canceled == LEAT_OK));
        leat_with_deadline(LEAT_NS(0))
            late = t->fn(&w);
        CHECK(late == LEAT_DEADLINE || (t->how == EITHER && late == LEAT_OK));
    }
    CHECK_EQ(atomic_load(&sold), 0);
    close_all(&w);
    return t->how == EITHER ? LEAT_OK : canceled;
}

/* name(w) returns CANCELED, and DEADLINE. */
#define GIVES_UP(name) \
    static leat_err name##_(struct world *w); \
    TEST(name) { CHECK_EQ(leat_run(NULL, try_all, (struct trying){ name##_, GIVES_UP }), LEAT_CANCELED); } \
    static leat_err name##_(struct world *w)
/* The same, unless an answer of the other side was faster. */
#define GIVES_UP_OR_IS_DONE(name) \
    static leat_err name##_(struct world *w); \
    TEST(name) { CHECK_EQ(leat_run(NULL, try_all, (struct trying){ name##_, EITHER }), LEAT_OK); } \
    static leat_err name##_(struct world *w)
/* name(w) is done in a cancelled context as in any, and says `error`. */
#define IS_DONE(name, error) \
    static leat_err name##_(struct world *w); \
    TEST(name) { CHECK_EQ(leat_run(NULL, try_all, (struct trying){ name##_, IS_DONE }), error); } \
    static leat_err name##_(struct world *w)

/* -- channels, locks, tasks -------------------------------------------------------------------------------------------------- */
GIVES_UP(a_sleep) { (void)w; return leat_sleep(LEAT_S(1000)); }
GIVES_UP(a_send_to_a_full_channel) { return leat_send(w->full, 2); }
GIVES_UP(a_send_without_a_receiver) { return leat_send_from(w->empty, (&(int){ 2 })); }
GIVES_UP(a_receive) { return leat_recv(w->empty, (&(int){ 0 })); }
GIVES_UP(a_select)
{
    leat_err err;
    int v = 0;
    leat_select(err) {
        leat_on_recv(w->empty, &v) { CHECK(false); }
        leat_on_send(w->full, &v) { CHECK(false); }
        leat_on_after(LEAT_S(1000)) { CHECK(false); }
    }
    return err;
}
GIVES_UP(a_lock) { return leat_lock(&w->held); }
GIVES_UP(a_lock_to_read) { return leat_rlock(&w->written); }
GIVES_UP(a_lock_to_write) { return leat_wlock(&w->read); }
GIVES_UP(a_lock_to_write_behind_a_writer) { return leat_wlock(&w->written); }
GIVES_UP(a_condition)
{
    leat_err e = leat_cond_wait(&w->cond, &w->held);
    CHECK_EQ(leat_try_lock(&w->held), LEAT_AGAIN);   /* it is had again */
    return e;
}
GIVES_UP(a_wait_group) { return leat_waitgroup_wait(&w->waitgroup); }
GIVES_UP(a_semaphore) { return leat_acquire(&w->none, 1); }

static leat_once once;
static leat_chan(int) started;
static leat_err long_one(void)
{
    LEAT_TRY(leat_send(started, 1));
    return leat_sleep(LEAT_S(1000));
}
static leat_err first(leat_none *none) { (void)none; return leat_do_once(&once, long_one); }
GIVES_UP(a_once_that_another_runs)
{
    leat_err e = LEAT_OK, end = LEAT_OK;
    int v;
    (void)w;
    leat_with_shield(LEAT_S(1000)) {
        leat_with_group(g, end) {
            memset(&once, 0, sizeof once);
            started = leat_chan_make(int, 0);
            LEAT_TRY(leat_go(&g, first, LEAT_NONE));
            LEAT_TRY(leat_recv(started, &v));
            leat_with_cancel(ctx) {
                leat_cancel(ctx, LEAT_CANCELED);
                e = leat_do_once(&once, long_one);
            }
            leat_with_deadline(LEAT_NS(0))
                CHECK_EQ(leat_do_once(&once, long_one), LEAT_DEADLINE);
            leat_group_cancel(&g);
        }
        leat_unref(started);
    }
    CHECK_EQ(e, LEAT_CANCELED);
    return leat_ctx_err();
}
/* Its tasks see the cancel, and it waits for them. */
static leat_err sleeper(leat_none *none) { (void)none; return leat_sleep(LEAT_S(1000)); }
GIVES_UP(a_group_by_its_tasks)
{
    leat_group g = { { NULL } };
    (void)w;
    leat_err e = leat_go(&g, sleeper, LEAT_NONE), first = leat_group_wait(&g);
    return e == LEAT_OK ? first : e;
}
static leat_err never(leat_none *none) { (void)none; CHECK(false); return LEAT_OK; }
GIVES_UP(a_call_on_the_pool) { (void)w; return leat_blocking(never, LEAT_NONE); }

/* -- streams, files, programs ------------------------------------------------------------------------------------------------ */
GIVES_UP(a_descriptor) { return leat_fd_wait(w->pipe[0], LEAT_READ); }
GIVES_UP(an_accept) { return leat_accept(w->listener, &(leat_conn *){ NULL }); }
GIVES_UP(a_dial) { return leat_dial(w->url, &(leat_conn *){ NULL }); }
GIVES_UP(a_look_up) { (void)w; return leat_resolve("host.invalid", "80", &(leat_addrs){ 0 }); }
GIVES_UP(a_read) { char c; return leat_read(w->conn, &c, 1, &(size_t){ 0 }); }
GIVES_UP(a_read_into_pieces)
{
    char c;
    return leat_readv(w->conn, &(struct iovec){ &c, 1 }, 1, &(size_t){ 0 });
}
GIVES_UP(a_read_of_so_many)
{
    char c;
    size_t n = 9;
    leat_err e = leat_read_full(w->conn, &c, 1, &n);
    CHECK_EQ(n, 0);
    return e;
}
enum { MUCH = 8 << 20 };
static leat_err write_much(struct world *w, bool pieces)
{
    char *much = calloc(1, MUCH);
    CHECK(much);
    leat_err e = pieces ? leat_writev(w->conn, &(struct iovec){ much, MUCH }, 1) : leat_write(w->conn, much, MUCH);
    free(much);
    return e;
}
GIVES_UP(a_write_of_more_than_fits) { return write_much(w, false); }
GIVES_UP(a_write_of_pieces) { return write_much(w, true); }
GIVES_UP(a_file_that_is_opened) { return leat_file_open(w->path, O_RDONLY, 0, &(leat_file *){ NULL }); }
GIVES_UP(a_file_that_is_read_whole) { return leat_file_read_all(w->path, 0, &(char *){ NULL }, &(size_t){ 0 }); }
GIVES_UP(a_file_that_is_replaced) { return leat_file_replace(w->path, "new", 3, 0600); }
GIVES_UP(a_read_of_a_file) { char c; return leat_file_read_at(w->file, 0, &c, 1, &(size_t){ 0 }); }
GIVES_UP(a_write_of_a_file) { return leat_file_write_at(w->file, 0, "x", 1); }
GIVES_UP(an_append) { return leat_file_append(w->file, "x", 1); }
GIVES_UP(a_sync) { return leat_file_sync(w->file); }
IS_DONE(a_file_is_closed, LEAT_OK)
{
    int64_t size = 0;
    CHECK_EQ(leat_file_size(w->file, &size), LEAT_OK);           /* does not wait */
    CHECK_EQ(size, 4);
    leat_err e = leat_file_close(w->file);
    w->file = NULL;
    return e;
}
static leat_err child_of(struct world *w, bool waits)
{
    static const char *const argv[] = { "sleep", "1000", NULL };
    leat_child *c = NULL;
    leat_exit x = { -1, -1 };
    leat_err e = LEAT_OK;
    (void)w;
    CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = argv }, &c), leat_ctx_err());        /* nothing was started */
    CHECK(!c);
    leat_with_shield(LEAT_S(1000))
        CHECK_EQ(leat_spawn(&(leat_spawn_opts){ .argv = argv }, &c), LEAT_OK);
    if (waits) {
        e = leat_child_wait(c, &x);
        CHECK_EQ(x.signo, SIGTERM);
    }
    leat_child_close(c);
    return e;
}
GIVES_UP(a_child) { return child_of(w, true); }
IS_DONE(a_child_is_closed, LEAT_OK) { return child_of(w, false); }

/* -- nodes --------------------------------------------------------------------------------------------------------------------- */
GIVES_UP(a_send_to_a_full_channel_elsewhere) { return leat_send(w->out, { 2 }); }
GIVES_UP(a_send_without_a_receiver_elsewhere) { return leat_send(w->out0, { 2 }); }
GIVES_UP_OR_IS_DONE(a_try_elsewhere)
{
    leat_err e = leat_try_send(w->out0, { 2 });
    return e == LEAT_AGAIN ? LEAT_OK : e;
}
GIVES_UP_OR_IS_DONE(an_import)
{
    leat_tx(struct item) more = NULL;
    leat_err e = leat_import(w->p, "items", &more, item, 1);
    CHECK_EQ(more != NULL, e == LEAT_OK);
    leat_unref(more);
    return e;
}
GIVES_UP(a_call)
{
    struct item in = { 1 }, out = { 9 };
    leat_err e = leat_call(w->p, shop, sell, &in, &out);
    CHECK_EQ(out.n, 9);
    return e;
}
GIVES_UP(a_call_with_a_key)
{
    struct item in = { 1 }, out = { 9 };
    return leat_call_once(w->p, shop, sell, &in, &out, LEAT_STRING("key"));
}
static leat_err hook(void *self, const leat_called *c, leat_next *next)
{
    (void)self;
    (void)c;
    return leat_proceed(next);
}
GIVES_UP(a_call_that_a_hook_lets_proceed)
{
    struct item in = { 1 }, out = { 9 };
    LEAT_TRY(leat_hook_calls(w->b, hook, NULL));
    return leat_call(w->p, shop, sell, &in, &out);
}
GIVES_UP(a_remote_task) { return leat_go_on(NULL, w->p, take, item, { 1 }); }
GIVES_UP(a_deal) { return leat_deal(w->workers, shop, sell, leat_rx_of(w->items), leat_tx_of(w->replies), NULL); }
GIVES_UP(a_node_that_goes_on) { return leat_node_wait(w->a); }
GIVES_UP(a_session_that_goes_on) { return leat_peer_wait(w->p); }
GIVES_UP_OR_IS_DONE(a_node_that_is_dialed) { return leat_node_dial(w->b, "inproc:a", &(leat_peer *){ NULL }); }
GIVES_UP_OR_IS_DONE(a_node_that_dials_itself) { return leat_node_self(w->b, &(leat_peer *){ NULL }); }
GIVES_UP_OR_IS_DONE(a_launch_that_is_joined) { return leat_node_join(w->b, "inproc:a", &(leat_peers){ 0 }); }
GIVES_UP_OR_IS_DONE(workers_that_are_looked_for)
{
    leat_auto_workers leat_workers *more = NULL;
    LEAT_TRY(leat_workers_open(w->b, &more));
    return leat_workers_join(more, "inproc:a");
}
GIVES_UP(a_call_of_net_rpc)
{
    struct item in = { 1 }, out = { 9 };
    leat_err e = leat_netrpc_call(w->netrpc, "Shop.Sell", item, &in, item, &out);
    CHECK_EQ(out.n, 9);
    return e == LEAT_UNKNOWN ? leat_err_why() : e;
}
GIVES_UP(a_call_of_net_rpc_in_json)
{
    leat_string reply = { 0 };
    leat_err e = leat_netrpc_call_json(w->netrpc, "Shop.Sell", "{\"n\": 1}", &reply);
    return e == LEAT_UNKNOWN ? leat_err_why() : e;
}
GIVES_UP(a_call_of_net_rpc_of_a_type)
{
    leat_string reply = { 0 };
    leat_err e = leat_netrpc_call_json_as(w->netrpc, "Shop.Sell", "{N int}", "{\"N\": 1}", &reply);
    return e == LEAT_UNKNOWN ? leat_err_why() : e;
}
GIVES_UP(a_server_of_net_rpc) { return leat_netrpc_serve(w->a, w->listener); }
GIVES_UP(a_connection_of_net_rpc) { return leat_netrpc_serve_conn(w->a, w->other); }
GIVES_UP(a_dial_of_net_rpc) { return leat_netrpc_dial(w->url, &(leat_netrpc *){ NULL }); }
IS_DONE(a_connection_of_net_rpc_is_closed, LEAT_OK)
{
    leat_netrpc_close(w->netrpc);
    w->netrpc = NULL;
    return LEAT_OK;
}
IS_DONE(workers_are_let_go, LEAT_OK)
{
    leat_workers_close(w->workers);
    w->workers = NULL;
    return LEAT_OK;
}
/* The peers are well, and answer within the 0.1 s that are left to them; on a slow machine they may not, and then it is UNKNOWN. */
static leat_err well(leat_err e)
{
    CHECK(e == LEAT_OK || (e == LEAT_UNKNOWN && leat_err_why() == LEAT_CANCELED));
    return LEAT_OK;
}
IS_DONE(a_session_is_closed, LEAT_OK)
{
    leat_peer *p = w->p;
    leat_workers_close(w->workers);
    w->workers = NULL;
    return well(leat_peer_close(p));
}
IS_DONE(a_node_is_closed, LEAT_OK)
{
    leat_node *b = w->b;
    leat_workers_close(w->workers);
    w->workers = NULL;
    w->b = NULL;
    return well(leat_node_close(b));
}
/* All has arrived already: there is nothing to wait for.  Where there is: sess/refs, sess/flush. */
IS_DONE(a_flush_of_a_node, LEAT_OK)
{
    leat_doubt d = { 9, 9, 9 };
    leat_err e = leat_node_flush(w->b, &d);
    CHECK(d.elements == 0 && d.calls == 0 && d.peers == 0);
    return e;
}
IS_DONE(a_flush, LEAT_OK) { return leat_flush(w->out); }

/* -- a guest --------------------------------------------------------------------------------------------------------------------- */
static leat_err guest_app(leat_none *none) { (void)none; return leat_sleep(LEAT_S(1000)); }
TEST(a_guest_is_ended)
{
    leat_guest *g;
    CHECK_EQ(leat_guest_start(&g, NULL, guest_app, LEAT_NONE), LEAT_OK);
    CHECK_EQ(leat_guest_step(g, LEAT_MS(1)), LEAT_OK);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_LIMIT);
        CHECK_EQ(leat_guest_end(g), LEAT_CANCELED);  /* its program's, which was cancelled */
    }
}

T_MAIN()
