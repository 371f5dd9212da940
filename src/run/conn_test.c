/* conn_test.c - streams over TCP and Unix sockets, and over both implementations of the poll. */
#include "run/conn.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "t.h"

static const char *where;                            /* the address to listen at in this test */

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static void run(leat_err (*fn)(leat_none *))
{
    for (uint32_t w = 1; w <= 3; w++) {
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
    }
}

static void run_at(const char *poll, bool tcp, leat_err (*fn)(leat_none *))
{
    static char path[64];
    setenv("LEAT_POLL", poll, 1);
    snprintf(path, sizeof path, "unix:/tmp/leat-conn-%d", (int)getpid());
    where = tcp ? "tcp://127.0.0.1:0" : path;
    run(fn);
    CHECK(access(path + 5, F_OK) != 0);              /* nothing is left behind */
}

#define EVERYWHERE(name) \
    static leat_err name##_in(leat_none *a); \
    TEST(name##_tcp) { run_at("epoll", true, name##_in); } \
    TEST(name##_unix) { run_at("epoll", false, name##_in); } \
    TEST(name##_tcp_io_uring) { run_at("io_uring", true, name##_in); } \
    TEST(name##_unix_io_uring) { run_at("io_uring", false, name##_in); } \
    static leat_err name##_in(leat_none *a __attribute__((unused)))

/* both ends of a new stream */
static leat_err meet(leat_conn **a, leat_conn **b)
{
    leat_listener *l;
    LEAT_TRY(leat_listen(where, &l));
    LEAT_TRY(leat_dial(listener_url(l), a));
    LEAT_TRY(leat_accept(l, b));
    leat_listener_close(l);
    return LEAT_OK;
}

static leat_err read_all(leat_conn *c, void *buf, size_t n)
{
    for (size_t k; n; n -= k, buf = (char *)buf + k)
        LEAT_TRY(leat_read(c, buf, n, &k));
    return LEAT_OK;
}

struct one { leat_conn *c; int n; };
struct served { leat_listener *l; int n; };

static leat_err echo(struct one *o)
{
    char buf[4096];
    leat_err e = LEAT_OK;
    for (size_t n; e == LEAT_OK && (e = leat_read(o->c, buf, sizeof buf, &n)) == LEAT_OK; )
        e = leat_write(o->c, buf, n);
    leat_conn_close(o->c);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}

static leat_err serve(struct served *s)
{
    leat_err err;
    leat_with_group(g, err)
        for (int i = 0; i < s->n; i++) {
            leat_conn *c;
            LEAT_TRY(leat_accept(s->l, &c));
            LEAT_TRY(leat_go(&g, echo, (struct one){ c, 0 }));
        }
    return err;
}

struct client { const char *url; int id; };

static leat_err client(struct client *k)
{
    leat_conn *c;
    LEAT_TRY(leat_dial(k->url, &c));
    for (uint32_t i = 0, back; i < (uint32_t)rounds(100); i++) {
        uint32_t v = (uint32_t)k->id << 16 | i;
        LEAT_TRY(leat_write(c, &v, sizeof v));
        LEAT_TRY(read_all(c, &back, sizeof back));
        CHECK_EQ(back, v);
    }
    leat_conn_close(c);
    return LEAT_OK;
}

EVERYWHERE(a_hundred_connections_are_echoed)
{
    leat_listener *l;
    leat_err err;
    LEAT_TRY(leat_listen(where, &l));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, serve, (struct served){ l, 50 }));
        LEAT_TRY(leat_go(&g, serve, (struct served){ l, 50 }));      /* two tasks accept at one listener */
        for (int i = 0; i < 100; i++)
            LEAT_TRY(leat_go(&g, client, (struct client){ listener_url(l), i }));
    }
    leat_listener_close(l);
    return err;
}

enum { MUCH = 8 << 20 };

static leat_err pours(struct one *o)
{
    uint8_t *p = malloc((size_t)o->n);
    for (int i = 0; i < o->n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 12));
    leat_err e = leat_write(o->c, p, (size_t)o->n / 3);
    struct iovec iov[4] = { { p, 0 }, { p + o->n / 3, 1 }, { p, 0 }, { p + o->n / 3 + 1, (size_t)(o->n - o->n / 3 - 1) } };
    if (e == LEAT_OK)
        e = conn_writev(o->c, iov, 4);
    free(p);
    return e == LEAT_OK ? conn_shutdown_write(o->c) : e;
}

static leat_err drinks(struct one *o)
{
    static const size_t sizes[] = { 1, 65536, 100, 4096, 200000 };
    uint8_t *buf = malloc(200000);
    size_t n = 0, k;
    leat_err e;
    for (size_t i = 0; (e = leat_read(o->c, buf, sizes[i % 5], &k)) == LEAT_OK; i++)
        for (size_t j = 0; j < k; j++, n++)
            if (buf[j] != (uint8_t)(n * 7 + (n >> 12)))
                t_fail(__FILE__, __LINE__, "byte %zu is wrong", n);
    free(buf);
    CHECK_EQ(n, o->n);
    return e == LEAT_CLOSED ? LEAT_OK : e;
}

EVERYWHERE(much_flows_both_ways_at_once_and_each_way_ends_by_itself)
{
    leat_conn *x, *y;
    leat_err err;
    int n = rounds(MUCH);
    LEAT_TRY(meet(&x, &y));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pours, (struct one){ x, n }));
        LEAT_TRY(leat_go(&g, drinks, (struct one){ x, n }));
        LEAT_TRY(leat_go(&g, pours, (struct one){ y, n }));
        LEAT_TRY(leat_go(&g, drinks, (struct one){ y, n }));
    }
    leat_conn_close(x);
    leat_conn_close(y);
    return err;
}

EVERYWHERE(half_a_close_leaves_the_other_half)
{
    leat_conn *x, *y;
    char buf[8];
    size_t n;
    LEAT_TRY(meet(&x, &y));
    LEAT_TRY(leat_write(x, "abc", 3));
    LEAT_TRY(conn_shutdown_write(x));
    LEAT_TRY(leat_read(y, buf, sizeof buf, &n));
    CHECK_EQ(n, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(leat_read(y, buf, sizeof buf, &n), LEAT_CLOSED);
        CHECK_HAS(leat_err_detail(), "the other side has ended");
    }
    LEAT_TRY(leat_write(y, "defg", 4));
    LEAT_TRY(leat_read(x, buf, sizeof buf, &n));
    CHECK_EQ(n, 4);
    leat_conn_close(y);
    CHECK_EQ(leat_read(x, buf, sizeof buf, &n), LEAT_CLOSED);
    CHECK_EQ(leat_write(x, "h", 1), LEAT_CLOSED);
    CHECK_HAS(leat_err_detail(), "none of 1 bytes");
    leat_conn_close(x);
    return LEAT_OK;
}

/* Reads what came together with the end, also when it fills the buffer only in part. */
EVERYWHERE(the_end_is_seen_behind_the_last_bytes)
{
    for (int i = 0; i < rounds(200); i++) {
        leat_conn *x, *y;
        char buf[64];
        size_t n;
        LEAT_TRY(meet(&x, &y));
        LEAT_TRY(leat_write(x, "1", 1));
        LEAT_TRY(leat_read(y, buf, sizeof buf, &n));
        leat_with_deadline(LEAT_US(1))
            leat_ignore(leat_read(y, buf, sizeof buf, &n));
        LEAT_TRY(leat_write(x, "22", 2));
        if (i % 2)
            leat_yield();
        leat_conn_close(x);
        if (i % 3)
            leat_yield();
        LEAT_TRY(leat_read(y, buf, sizeof buf, &n));
        CHECK_EQ(n, 2);
        leat_with_deadline(LEAT_S(30))
            CHECK_EQ(leat_read(y, buf, sizeof buf, &n), LEAT_CLOSED);
        leat_conn_close(y);
    }
    return LEAT_OK;
}

static leat_err reads(struct one *o)
{
    char c;
    size_t n;
    return leat_read(o->c, &c, 1, &n) == LEAT_CLOSED ? LEAT_OK : leat_fail(LEAT_INVAL, "not closed");
}

static leat_err writes(struct one *o)
{
    static char zeros[1 << 20];
    leat_err e;
    while ((e = leat_write(o->c, zeros, sizeof zeros)) == LEAT_OK)
        ;
    CHECK_HAS(leat_err_detail(), "bytes had gone");
    return e == LEAT_CLOSED ? LEAT_OK : e;
}

EVERYWHERE(close_wakes_reader_and_writer)
{
    for (int i = 0; i < rounds(100); i++) {
        leat_conn *x, *y;
        leat_err err;
        LEAT_TRY(meet(&x, &y));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, reads, (struct one){ x, 0 }));
            LEAT_TRY(leat_go(&g, writes, (struct one){ x, 0 }));
            LEAT_TRY(leat_sleep(LEAT_US(i * 20)));   /* before, while, or after they begin to wait: conn_break is for all three */
            conn_break(x);
            conn_break(x);
        }
        LEAT_TRY(err);
        CHECK_EQ(reads(&(struct one){ x, 0 }), LEAT_OK);
        leat_conn_close(x);
        leat_conn_close(y);
    }
    leat_conn_close(NULL);
    leat_listener_close(NULL);
    return LEAT_OK;
}

static leat_err accepts(struct served *s)
{
    leat_conn *c;
    return leat_accept(s->l, &c) == LEAT_CLOSED ? LEAT_OK : leat_fail(LEAT_INVAL, "not closed");
}

static leat_err fd_waits(struct one *o) { return leat_fd_wait(leat_conn_fd(o->c), LEAT_READ); }

EVERYWHERE(close_wakes_who_waits_for_a_connection)
{
    leat_listener *l;
    leat_err err;
    LEAT_TRY(leat_listen(where, &l));
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, accepts, (struct served){ l, 0 }));
        LEAT_TRY(leat_sleep(LEAT_US(500)));          /* before, while or after they begin to wait: a break is for all three */
        listener_break(l);
    }
    leat_listener_close(l);
    return err;
}

/* The program may wait for a stream's descriptor by itself, beside the stream's own reader. */
EVERYWHERE(select_waits_for_the_descriptor_of_a_stream)
{
    leat_conn *x, *y;
    char buf[64];
    size_t n;
    leat_err err;
    LEAT_TRY(meet(&x, &y));
    for (int i = 0; i < rounds(300); i++) {
        int hit = 0;
        LEAT_TRY(leat_write(x, "ab", 2));
        leat_select(err) {
            leat_on_fd(leat_conn_fd(y), LEAT_READ) { hit = 1; }
            leat_on_after(LEAT_S(30)) { hit = 2; }
        }
        LEAT_TRY(err);
        CHECK_EQ(hit, 1);
        leat_with_deadline(LEAT_S(30))
            LEAT_TRY(leat_read(y, buf, sizeof buf, &n));
        CHECK_EQ(n, 2);
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, fd_waits, (struct one){ y, 0 }));
            leat_yield();
            LEAT_TRY(leat_write(x, "c", 1));
            leat_with_deadline(LEAT_S(30))
                LEAT_TRY(leat_read(y, buf, 1, &n));
            LEAT_TRY(leat_write(x, "d", 1));
        }
        LEAT_TRY(err);
        leat_with_deadline(LEAT_S(30))
            LEAT_TRY(leat_read(y, buf, 1, &n));
    }
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

/* A write that its deadline ends says how much has gone, and so much the other side reads. */
EVERYWHERE(what_a_write_says_has_gone_is_read)
{
    leat_conn *x, *y;
    static char zeros[1 << 20];
    unsigned long long went = 0, of = 0;
    size_t sent = 0, got = 0, n;
    leat_err e = LEAT_OK;
    LEAT_TRY(meet(&x, &y));
    leat_with_deadline(LEAT_MS(5))
        while ((e = leat_write(x, zeros, sizeof zeros)) == LEAT_OK)
            sent += sizeof zeros;
    CHECK_EQ(e, LEAT_DEADLINE);
    const char *text = strrchr(leat_err_detail(), ';');
    CHECK(text && sscanf(text, "; %llu of %llu bytes had gone", &went, &of) == 2);
    CHECK_EQ(of, sizeof zeros);
    leat_conn_close(x);
    while ((e = leat_read(y, zeros, sizeof zeros, &n)) == LEAT_OK)
        got += n;
    CHECK_EQ(e, LEAT_CLOSED);
    CHECK_EQ(got, sent + went);
    leat_conn_close(y);
    return LEAT_OK;
}

EVERYWHERE(deadlines_end_reading_writing_and_accepting)
{
    leat_conn *x, *y;
    static char zeros[1 << 20];
    char c;
    size_t n;
    leat_listener *l;
    LEAT_TRY(meet(&x, &y));
    leat_with_deadline(LEAT_MS(2))
        CHECK_EQ(leat_read(x, &c, 1, &n), LEAT_DEADLINE);
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_MS(20))
        while (e == LEAT_OK)
            e = leat_write(x, zeros, sizeof zeros);
    CHECK_EQ(e, LEAT_DEADLINE);
    CHECK_HAS(leat_err_detail(), "of 1048576 bytes had gone");
    LEAT_TRY(leat_listen(where, &l));
    leat_conn *none = (leat_conn *)1;
    leat_with_deadline(LEAT_MS(2))
        CHECK_EQ(leat_accept(l, &none), LEAT_DEADLINE);
    CHECK(none == (leat_conn *)1);
    leat_listener_close(l);
    CHECK_EQ(leat_read(x, &c, 0, &n), LEAT_INVAL);
    CHECK_EQ(conn_try_read(x, &c, 1, &n), LEAT_AGAIN);
    LEAT_TRY(leat_write(y, "z", 1));
    LEAT_TRY(leat_fd_wait(leat_conn_fd(x), LEAT_READ));
    CHECK_EQ(conn_try_read(x, &c, 1, &n), LEAT_OK);
    CHECK_EQ(c, 'z');
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

struct cut { leat_conn *c; leat_chan(int) out; };

static leat_err read_one(struct cut *k)
{
    char c = 0;
    size_t n;
    leat_err e = leat_read(k->c, &c, 1, &n);
    if (e == LEAT_OK)
        CHECK_EQ(c, 'x');
    return leat_send(k->out, (int)e);
}

EVERYWHERE(a_cancel_and_a_byte_race_and_nothing_is_lost)
{
    leat_conn *x, *y;
    char c;
    size_t k;
    LEAT_TRY(meet(&x, &y));
    for (int i = 0; i < rounds(1000); i++) {
        leat_chan(int) out = leat_chan_make(int, 1);
        int got;
        leat_err err;
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, read_one, (struct cut){ y, out }));
            if (i % 2)
                leat_yield();
            LEAT_TRY(leat_write(x, "x", 1));
            leat_group_cancel(&g);
        }
        if (leat_try_recv(out, &got) == LEAT_OK) {
            CHECK(got == LEAT_OK || got == LEAT_CANCELED);
            if (got == LEAT_OK)
                CHECK_EQ(conn_try_read(y, &c, 1, &k), LEAT_AGAIN);
        } else {
            got = LEAT_CANCELED;                     /* it never ran */
        }
        if (got == LEAT_CANCELED)
            LEAT_TRY(leat_read(y, &c, 1, &k));
        leat_unref(out);
    }
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

static void *blocks(void *arg)
{
    struct one *o = arg;
    char c;
    size_t n;
    for (int i = 0; i < o->n; i++) {
        CHECK_EQ(leat_read(o->c, &c, 1, &n), LEAT_OK);
        CHECK_EQ(leat_write(o->c, &c, 1), LEAT_OK);
    }
    CHECK_EQ(leat_read(o->c, &c, 1, &n), LEAT_CLOSED);
    return NULL;
}

EVERYWHERE(a_thread_that_is_no_task_reads_and_writes)
{
    leat_conn *x, *y;
    pthread_t t;
    char c;
    size_t n;
    LEAT_TRY(meet(&x, &y));
    struct one o = { y, rounds(500) };
    CHECK_EQ(pthread_create(&t, NULL, blocks, &o), 0);
    for (int i = 0; i < o.n; i++) {
        LEAT_TRY(leat_write(x, "q", 1));
        LEAT_TRY(leat_read(x, &c, 1, &n));
    }
    conn_break(y);
    pthread_join(t, NULL);
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

/* -- a stream that is older than the runtime ----------------------------------------------------------------------------- */
static leat_conn *left[2];

static leat_err leaves(leat_none *a) { (void)a; return meet(&left[0], &left[1]); }

static leat_err picks_up(leat_none *a)
{
    char c;
    size_t n;
    (void)a;
    leat_with_deadline(LEAT_MS(1))
        CHECK_EQ(leat_read(left[1], &c, 1, &n), LEAT_DEADLINE);
    LEAT_TRY(leat_write(left[0], "x", 1));
    return leat_read(left[1], &c, 1, &n);
}

TEST(a_stream_outlives_the_runtime_in_which_it_began)
{
    where = "tcp://127.0.0.1:0";
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(leat_run(NULL, leaves, LEAT_NONE), LEAT_OK);
        for (int k = 0; k < 3; k++)
            CHECK_EQ(leat_run(NULL, picks_up, LEAT_NONE), LEAT_OK);
        leat_conn_close(left[0]);
        leat_conn_close(left[1]);
    }
}

/* -- what can go wrong, in words ----------------------------------------------------------------------------------------- */
static void dial_fails(const char *url, leat_err want, int sys, const char *words)
{
    leat_conn *c = (leat_conn *)1;
    leat_err e = leat_dial(url, &c);
    if (e != want || (sys && leat_err_sys() != sys))
        t_fail(__FILE__, __LINE__, "leat_dial %s: %s (%d) %s", url, leat_err_name(e), leat_err_sys(), leat_err_detail());
    CHECK_HAS(leat_err_detail(), words);
    CHECK_HAS(leat_err_detail(), url);
    CHECK(c == (leat_conn *)1);
}

static void listen_fails(const char *url, leat_err want, int sys, const char *words)
{
    leat_listener *l = (leat_listener *)1;
    leat_err e = leat_listen(url, &l);
    if (e != want || (sys && leat_err_sys() != sys))
        t_fail(__FILE__, __LINE__, "leat_listen %s: %s (%d) %s", url, leat_err_name(e), leat_err_sys(), leat_err_detail());
    CHECK_HAS(leat_err_detail(), words);
    CHECK_HAS(leat_err_detail(), url);
    CHECK(l == (leat_listener *)1);
}

static leat_err errors(leat_none *a)
{
    (void)a;
    leat_listener *l;
    char url[64];
    LEAT_TRY(leat_listen("tcp://127.0.0.1:0", &l));
    snprintf(url, sizeof url, "%s", listener_url(l));
    CHECK(strncmp(url, "tcp://127.0.0.1:", 16) == 0 && strcmp(url + 16, "0") != 0);
    listen_fails(url, LEAT_SYS, EADDRINUSE, "somebody listens there already");
    leat_listener_close(l);
    dial_fails(url, LEAT_REFUSED, 0, "nobody listens there");
    dial_fails("unix:/tmp/leat-is-not-here", LEAT_REFUSED, 0, "no such socket file");
    dial_fails("unix:@leat-is-not-here", LEAT_REFUSED, 0, "nobody listens there");
    dial_fails("tcp://name.invalid:1", LEAT_SYS, 0, "name");
    dial_fails("tcp://127.0.0.1", LEAT_INVAL, 0, "no port");
    dial_fails("http://127.0.0.1:1", LEAT_INVAL, 0, "no streams of kind http");
    dial_fails("tcp://*:1", LEAT_INVAL, 0, "name a host");
    dial_fails("tcp://[127.0.0.1]:1", LEAT_REFUSED, 0, "nobody");
    dial_fails("tcp://[x]:1", LEAT_INVAL, 0, "brackets");
    listen_fails("unix:/tmp/leat-no-such-directory/x", LEAT_SYS, ENOENT, "no such directory");
    listen_fails("tcp://192.0.2.1:0", LEAT_SYS, EADDRNOTAVAIL, "no such address");
    leat_conn *c;
    leat_with_deadline(LEAT_NS(1))
        CHECK_EQ(leat_dial(url, &c), LEAT_DEADLINE);
    return LEAT_OK;
}
TEST(what_goes_wrong_is_said_with_the_address) { run(errors); }

static leat_err names(leat_none *a)
{
    leat_listener *l;
    leat_conn *c, *d;
    char url[64];
    (void)a;
    LEAT_TRY(leat_listen("tcp://localhost:0", &l));  /* a name: looked up by the pool */
    snprintf(url, sizeof url, "tcp://localhost:%s", strrchr(listener_url(l), ':') + 1);
    LEAT_TRY(leat_dial(url, &c));
    CHECK_STR(conn_peer(c), url);
    LEAT_TRY(leat_accept(l, &d));
    CHECK_HAS(conn_peer(d), "tcp://");
    struct conn_cred k;
    CHECK(!conn_cred(d, &k));
    leat_conn_close(c);
    leat_conn_close(d);
    leat_listener_close(l);
    LEAT_TRY(leat_listen("tcp://*:0", &l));
    snprintf(url, sizeof url, "tcp://127.0.0.1:%s", strrchr(listener_url(l), ':') + 1);
    CHECK(strncmp(listener_url(l), "tcp://*:", 8) == 0);
    LEAT_TRY(leat_dial(url, &c));
    LEAT_TRY(leat_accept(l, &d));
    CHECK(strncmp(conn_peer(d), "tcp://127.0.0.1:", 16) == 0);
    leat_conn_close(c);
    leat_conn_close(d);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(names_are_looked_up_and_a_star_is_every_address) { run(names); }

static char sock_url[64];
static const char *sock_path(void)
{
    snprintf(sock_url, sizeof sock_url, "unix:/tmp/leat-conn-%d-file", (int)getpid());
    return sock_url + 5;
}

static leat_err files(leat_none *a)
{
    leat_listener *l, *m;
    leat_conn *c, *d;
    struct conn_cred k;
    (void)a;
    const char *path = sock_path();
    LEAT_TRY(leat_listen(sock_url, &l));
    CHECK_STR(listener_url(l), sock_url);
    CHECK_EQ(access(path, F_OK), 0);
    listen_fails(sock_url, LEAT_SYS, EADDRINUSE, "somebody listens there already");
    LEAT_TRY(leat_dial(sock_url, &c));
    LEAT_TRY(leat_accept(l, &d));                    /* the one that looked whether somebody listens is gone, and comes first */
    CHECK(conn_cred(d, &k));
    CHECK_EQ(k.pid, getpid());
    CHECK_EQ(k.uid, getuid());
    CHECK_STR(conn_peer(d), sock_url);
    leat_conn_close(c);
    leat_conn_close(d);
    /* the file of another is not removed */
    CHECK_EQ(unlink(path), 0);
    LEAT_TRY(leat_listen(sock_url, &m));
    leat_listener_close(l);
    CHECK_EQ(access(path, F_OK), 0);
    leat_listener_close(m);
    CHECK(access(path, F_OK) != 0);
    /* a stale one is replaced */
    pid_t pid = fork();
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr sa[8] = { { .sa_family = AF_UNIX } };
        memcpy(sa->sa_data, path, strlen(path) + 1);
        _exit(bind(fd, sa, (socklen_t)(2 + strlen(path) + 1)) == 0 && listen(fd, 1) == 0 ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(access(path, F_OK), 0);
    LEAT_TRY(leat_listen(sock_url, &l));
    LEAT_TRY(leat_dial(sock_url, &c));
    leat_conn_close(c);
    leat_listener_close(l);
    CHECK(access(path, F_OK) != 0);
    /* what is no socket is left alone */
    FILE *f = fopen(path, "w");
    fclose(f);
    listen_fails(sock_url, LEAT_SYS, EEXIST, "left alone");
    CHECK_EQ(unlink(path), 0);
    LEAT_TRY(leat_listen("unix:@leat-conn-test-abstract", &l));
    LEAT_TRY(leat_dial("unix:@leat-conn-test-abstract", &c));
    leat_conn_close(c);
    leat_listener_close(l);
    return LEAT_OK;
}
TEST(a_socket_file_is_replaced_when_stale_and_removed_at_the_end) { setenv("LEAT_POLL", "epoll", 1); run(files); }

static leat_err adopts(leat_none *a)
{
    int fd[2], p[2];
    leat_conn *x, *y;
    leat_listener *l = NULL;
    char c;
    size_t n;
    (void)a;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    LEAT_TRY(conn_open_fd(fd[0], &x));
    LEAT_TRY(conn_open_fd(fd[1], &y));
    LEAT_TRY(leat_write(x, "!", 1));
    LEAT_TRY(leat_read(y, &c, 1, &n));
    CHECK_EQ(listener_open_fd(fd[0], NULL, &l), LEAT_INVAL);
    leat_conn_close(x);
    leat_conn_close(y);
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(conn_open_fd(p[0], &x), LEAT_INVAL);
    CHECK_EQ(conn_open_fd(1000, &x), LEAT_INVAL);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(conn_open_fd(s, &x), LEAT_INVAL);
    CHECK_EQ(listen(s, 5), 0);
    CHECK_EQ(conn_open_fd(s, &x), LEAT_INVAL);
    LEAT_TRY(listener_open_fd(s, NULL, &l));
    CHECK(strncmp(listener_url(l), "tcp://*:", 8) == 0);
    leat_listener_close(l);
    close(p[0]);
    close(p[1]);
    return LEAT_OK;
}
TEST(a_descriptor_becomes_a_stream) { run(adopts); }

/* 16 streams are used and closed in turn by many tasks, so that numbers are used again while others wait. */
static leat_err churn(struct client *k)
{
    for (int i = 0; i < rounds(300); i++) {
        leat_conn *c;
        uint32_t v = (uint32_t)(k->id * 1000 + i), back = 0;
        LEAT_TRY(leat_dial(k->url, &c));
        LEAT_TRY(leat_write(c, &v, sizeof v));
        LEAT_TRY(read_all(c, &back, sizeof back));
        CHECK_EQ(back, v);
        leat_conn_close(c);
    }
    return LEAT_OK;
}

EVERYWHERE(descriptors_are_used_again_and_no_stream_hears_of_another)
{
    leat_listener *l;
    leat_err err;
    enum { TASKS = 8 };
    LEAT_TRY(leat_listen(where, &l));
    leat_with_group(g, err) {
        for (int i = 0; i < TASKS; i++) {
            LEAT_TRY(leat_go(&g, serve, (struct served){ l, rounds(300) }));
            LEAT_TRY(leat_go(&g, churn, (struct client){ listener_url(l), i }));
        }
    }
    leat_listener_close(l);
    return err;
}

T_MAIN()
