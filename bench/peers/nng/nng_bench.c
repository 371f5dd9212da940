/* nng_bench - the rows between processes with libnng: pair for one channel, req and rep with contexts for calls. */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include "../pair.h"

enum { CONTEXTS = 256 };

static void check(int rc, const char *what)
{
    if (rc != 0)
        pair_fail(what, nng_strerror(rc));
}

/* Port 0: the listener knows the real one. */
static void listening(nng_socket s, const char *url)
{
    nng_listener l;
    char *real;
    check(nng_listener_create(&l, s, url), "nng_listener_create");
    check(nng_listener_start(l, 0), "nng_listener_start");
    if (strncmp(url, "tcp", 3) != 0) {
        pair_tell(url);
        return;
    }
    check(nng_listener_get_string(l, NNG_OPT_URL, &real), "NNG_OPT_URL");
    pair_tell(real);
    nng_strfree(real);
}

static nng_socket pair_socket(void)
{
    nng_socket s;
    check(nng_pair0_open(&s), "nng_pair0_open");
    check(nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, 0), "NNG_OPT_RECVMAXSZ");
    check(nng_socket_set_int(s, NNG_OPT_SENDBUF, 1024), "NNG_OPT_SENDBUF");
    check(nng_socket_set_int(s, NNG_OPT_RECVBUF, 1024), "NNG_OPT_RECVBUF");
    return s;
}

static void put(nng_socket s, int64_t v, size_t size)
{
    nng_msg *m;
    check(nng_msg_alloc(&m, size), "nng_msg_alloc");
    memcpy(nng_msg_body(m), &v, sizeof v);
    check(nng_sendmsg(s, m, 0), "nng_sendmsg");
}

static int64_t get(nng_socket s)
{
    nng_msg *m;
    int64_t v;
    check(nng_recvmsg(s, &m, 0), "nng_recvmsg");
    memcpy(&v, nng_msg_body(m), sizeof v);
    nng_msg_free(m);
    return v;
}

static void serve_pingpong(const char *url)
{
    nng_socket s = pair_socket();
    listening(s, url);
    for (int64_t v; (v = get(s)) >= 0; )
        put(s, v + 1, sizeof v);
    nng_close(s);
}

static void run_pingpong(const char *name, const char *url, long n)
{
    nng_socket s = pair_socket();
    check(nng_dial(s, url, NULL, 0), "nng_dial");
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++) {
        put(s, i, sizeof i);
        if (get(s) != i + 1)
            pair_fail(name, "a wrong answer");
    }
    pair_result(name, "us", (pair_now_ns() - start) / 1e3 / (double)n);
    put(s, -1, sizeof(int64_t));
    nng_msleep(20);                                  /* a close does not wait for what was sent */
    nng_close(s);
}

static void serve_stream(const char *url)
{
    nng_socket s = pair_socket();
    int64_t sum = 0;
    listening(s, url);
    for (int64_t v; (v = get(s)) >= 0; )
        sum += v;
    put(s, sum, sizeof sum);
    get(s);
    nng_close(s);
}

static void run_stream(const char *name, const char *url, long n)
{
    nng_socket s = pair_socket();
    check(nng_dial(s, url, NULL, 0), "nng_dial");
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++)
        put(s, i, pair_now->size);
    put(s, -1, sizeof(int64_t));
    if (get(s) != (int64_t)n * (n - 1) / 2)
        pair_fail(name, "a wrong sum");
    pair_rate(name, start, n);
    put(s, -1, sizeof(int64_t));
    nng_msleep(20);
    nng_close(s);
}

/* -- calls: each context has one under way ---------------------------------------------------------------------------------------- */
struct call { nng_ctx ctx; nng_aio *aio; int receiving; };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static long sent, most;
static int64_t sum, answers;
static int stop;

static void set_stop(void)
{
    pthread_mutex_lock(&mutex);
    stop = 1;
    pthread_cond_signal(&over);
    pthread_mutex_unlock(&mutex);
}

static void wait_stop(void)
{
    pthread_mutex_lock(&mutex);
    while (!stop)
        pthread_cond_wait(&over, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void answer(void *arg)
{
    struct call *c = arg;
    int64_t v;
    if (nng_aio_result(c->aio) != 0)
        return;
    if (!c->receiving) {
        c->receiving = 1;
        nng_ctx_recv(c->ctx, c->aio);
        return;
    }
    nng_msg *m = nng_aio_get_msg(c->aio);
    memcpy(&v, nng_msg_body(m), sizeof v);
    if (v < 0)
        set_stop();
    v++;
    memcpy(nng_msg_body(m), &v, sizeof v);
    nng_aio_set_msg(c->aio, m);
    c->receiving = 0;
    nng_ctx_send(c->ctx, c->aio);
}

static void serve_calls(const char *url)
{
    static struct call calls[CONTEXTS];
    nng_socket s;
    check(nng_rep0_open(&s), "nng_rep0_open");
    for (int i = 0; i < CONTEXTS; i++) {
        check(nng_ctx_open(&calls[i].ctx, s), "nng_ctx_open");
        check(nng_aio_alloc(&calls[i].aio, answer, &calls[i]), "nng_aio_alloc");
        calls[i].receiving = 1;
        nng_ctx_recv(calls[i].ctx, calls[i].aio);
    }
    listening(s, url);
    wait_stop();
    nng_msleep(20);
    nng_close(s);
}

static void ask(struct call *c)
{
    nng_msg *m;
    int64_t v = sent++;
    check(nng_msg_alloc(&m, sizeof v), "nng_msg_alloc");
    memcpy(nng_msg_body(m), &v, sizeof v);
    nng_aio_set_msg(c->aio, m);
    c->receiving = 0;
    nng_ctx_send(c->ctx, c->aio);
}

static void asked(void *arg)
{
    struct call *c = arg;
    int64_t v;
    check(nng_aio_result(c->aio), "a call");
    if (!c->receiving) {
        c->receiving = 1;
        nng_ctx_recv(c->ctx, c->aio);
        return;
    }
    nng_msg *m = nng_aio_get_msg(c->aio);
    memcpy(&v, nng_msg_body(m), sizeof v);
    nng_msg_free(m);
    pthread_mutex_lock(&mutex);
    sum += v;
    answers++;
    int again = sent < most;
    if (again)
        ask(c);
    if (answers == most) {
        stop = 1;
        pthread_cond_signal(&over);
    }
    pthread_mutex_unlock(&mutex);
}

static void end_server(nng_socket s)
{
    int64_t v = -2;
    size_t len = sizeof v;
    check(nng_send(s, &v, sizeof v, 0), "nng_send");
    check(nng_recv(s, &v, &len, 0), "nng_recv");
    nng_close(s);
}

static void run_calls(const char *name, const char *url, long n)
{
    static struct call calls[CONTEXTS];
    nng_socket s;
    check(nng_req0_open(&s), "nng_req0_open");
    check(nng_dial(s, url, NULL, 0), "nng_dial");
    most = n;
    double start = pair_now_ns();
    for (int i = 0; i < pair_now->at_a_time && i < n; i++) {
        check(nng_ctx_open(&calls[i].ctx, s), "nng_ctx_open");
        check(nng_aio_alloc(&calls[i].aio, asked, &calls[i]), "nng_aio_alloc");
        pthread_mutex_lock(&mutex);
        if (sent < most)
            ask(&calls[i]);
        pthread_mutex_unlock(&mutex);
    }
    wait_stop();
    pair_rate(name, start, n);
    if (sum != (int64_t)n * (n + 1) / 2)
        pair_fail(name, "a wrong sum");
    end_server(s);
}

static void run_setup(const char *name, const char *url, long n)
{
    double ns = 0;
    nng_socket s;
    for (int64_t i = 0; i < n; i++) {
        size_t len = sizeof i;
        int64_t v = i;
        double start = pair_now_ns();
        check(nng_req0_open(&s), "nng_req0_open");
        check(nng_dial(s, url, NULL, 0), "nng_dial");
        check(nng_send(s, &v, sizeof v, 0), "nng_send");
        check(nng_recv(s, &v, &len, 0), "nng_recv");
        ns += pair_now_ns() - start;
        nng_close(s);
    }
    pair_result(name, "us", ns / 1e3 / (double)n);
    check(nng_req0_open(&s), "nng_req0_open");
    check(nng_dial(s, url, NULL, 0), "nng_dial");
    end_server(s);
}

int main(int argc, char **argv)
{
    static const struct pair_bench all[] = {
        { "tcp-pingpong", 5000, serve_pingpong, run_pingpong, 8, 0, 0 },
        { "unix-pingpong", 5000, serve_pingpong, run_pingpong, 8, 0, 0 },
        { "tcp-stream-8", 200000, serve_stream, run_stream, 8, 0, 1 },
        { "unix-stream-8", 200000, serve_stream, run_stream, 8, 0, 0 },
        { "tcp-stream-1k", 200000, serve_stream, run_stream, KIB, 0, 0 },
        { "tcp-stream-1m", 1000, serve_stream, run_stream, MIB, 0, 0 },
        { "unix-stream-1m", 1000, serve_stream, run_stream, MIB, 0, 0 },
        { "calls-1", 5000, serve_calls, run_calls, 8, 1, 0 },
        { "calls-16", 30000, serve_calls, run_calls, 8, 16, 0 },
        { "calls-256", 50000, serve_calls, run_calls, 8, 256, 0 },
        { "tcp-setup", 100, serve_calls, run_setup, 8, 0, 0 },
        { "unix-setup", 100, serve_calls, run_setup, 8, 0, 0 },
        { 0 }
    };
    return pair_main(argc, argv, all, "tcp://127.0.0.1:0", "ipc://");
}
