/* zmq_bench - the rows between processes with libzmq: PAIR for one channel, DEALER and ROUTER for calls, XPUB and SUB for the fan-out. */
#include <zmq.h>
#include "../pair.h"

static void *ctx;

static void check(int rc, const char *what)
{
    if (rc < 0)
        pair_fail(what, zmq_strerror(zmq_errno()));
}

static void *sock(int type)
{
    if (!ctx) {
        ctx = zmq_ctx_new();
        zmq_ctx_set(ctx, ZMQ_IO_THREADS, pair_workers);
    }
    void *s = zmq_socket(ctx, type);
    if (!s)
        pair_fail("zmq_socket", zmq_strerror(zmq_errno()));
    return s;
}

static void *listening(int type, const char *url)
{
    char real[URL_MAX];
    size_t len = sizeof real;
    void *s = sock(type);
    check(zmq_bind(s, url), "zmq_bind");
    check(zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, real, &len), "ZMQ_LAST_ENDPOINT");
    pair_tell(real);
    return s;
}

static void *connected(int type, const char *url)
{
    void *s = sock(type);
    check(zmq_connect(s, url), "zmq_connect");
    return s;
}

static void put(void *s, int64_t v, size_t size)
{
    zmq_msg_t m;
    check(zmq_msg_init_size(&m, size), "zmq_msg_init_size");
    memcpy(zmq_msg_data(&m), &v, sizeof v);
    check(zmq_msg_send(&m, s, 0), "zmq_msg_send");
}

static int64_t get(void *s)
{
    zmq_msg_t m;
    int64_t v;
    zmq_msg_init(&m);
    check(zmq_msg_recv(&m, s, 0), "zmq_msg_recv");
    memcpy(&v, zmq_msg_data(&m), sizeof v);
    zmq_msg_close(&m);
    return v;
}

static void end(void *s)
{
    zmq_close(s);
    zmq_ctx_term(ctx);
}

static void serve_pingpong(const char *url)
{
    void *s = listening(ZMQ_PAIR, url);
    for (int64_t v; (v = get(s)) >= 0; )
        put(s, v + 1, sizeof v);
    end(s);
}

static void run_pingpong(const char *name, const char *url, long n)
{
    void *s = connected(ZMQ_PAIR, url);
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++) {
        put(s, i, sizeof i);
        if (get(s) != i + 1)
            pair_fail(name, "a wrong answer");
    }
    pair_result(name, "us", (pair_now_ns() - start) / 1e3 / (double)n);
    put(s, -1, sizeof(int64_t));
    end(s);
}

static void serve_stream(const char *url)
{
    void *s = listening(ZMQ_PAIR, url);
    int64_t sum = 0;
    for (int64_t v; (v = get(s)) >= 0; )
        sum += v;
    put(s, sum, sizeof sum);
    get(s);
    end(s);
}

static void run_stream(const char *name, const char *url, long n)
{
    void *s = connected(ZMQ_PAIR, url);
    double start = pair_now_ns();
    for (int64_t i = 0; i < n; i++)
        put(s, i, pair_now->size);
    put(s, -1, sizeof(int64_t));
    if (get(s) != (int64_t)n * (n - 1) / 2)
        pair_fail(name, "a wrong sum");
    pair_rate(name, start, n);
    put(s, -1, sizeof(int64_t));
    end(s);
}

/* A ROUTER gives the sender's name before what it sent. */
static void serve_calls(const char *url)
{
    void *s = listening(ZMQ_ROUTER, url);
    for (;;) {
        zmq_msg_t who;
        zmq_msg_init(&who);
        check(zmq_msg_recv(&who, s, 0), "zmq_msg_recv");
        int64_t v = get(s);
        if (v == -1)
            break;
        check(zmq_msg_send(&who, s, ZMQ_SNDMORE), "zmq_msg_send");
        put(s, v + 1, sizeof v);
    }
    end(s);
}

static void run_calls(const char *name, const char *url, long n)
{
    void *s = connected(ZMQ_DEALER, url);
    int64_t sent = 0, sum = 0;
    double start = pair_now_ns();
    for (; sent < pair_now->at_a_time && sent < n; sent++)
        put(s, sent, sizeof sent);
    for (long i = 0; i < n; i++) {
        sum += get(s);
        if (sent < n)
            put(s, sent++, sizeof sent);
    }
    if (sum != (int64_t)n * (n + 1) / 2)
        pair_fail(name, "a wrong sum");
    pair_rate(name, start, n);
    put(s, -1, sizeof(int64_t));
    end(s);
}

static void *fan_one(const char *url)
{
    void *s = connected(ZMQ_SUB, url);
    check(zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0), "ZMQ_SUBSCRIBE");
    return s;
}

static void serve_fan(const char *url)
{
    char there[URL_MAX];
    void *control = listening(ZMQ_PAIR, url);
    zmq_pollitem_t in[FAN] = { { 0 } };
    int open = FAN;
    check(zmq_recv(control, there, sizeof there, 0), "zmq_recv");
    for (int i = 0; i < FAN; i++)
        in[i] = (zmq_pollitem_t){ .socket = fan_one(there), .events = ZMQ_POLLIN };
    while (open > 0) {
        check(zmq_poll(in, FAN, -1), "zmq_poll");
        for (int i = 0; i < FAN; i++) {
            char mem[SMALL];
            int64_t v = 0;
            while (in[i].revents && zmq_recv(in[i].socket, mem, sizeof mem, ZMQ_DONTWAIT) > 0)
                memcpy(&v, mem, sizeof v);
            open -= v < 0;
        }
    }
    put(control, 1, sizeof(int64_t));
    for (int i = 0; i < FAN; i++)
        zmq_close(in[i].socket);
    get(control);
    end(control);
}

static void run_fan(const char *name, const char *url, long n)
{
    char there[URL_MAX], word[SMALL];
    size_t len = sizeof there;
    int yes = 1;
    void *control = connected(ZMQ_PAIR, url), *out = sock(ZMQ_XPUB);
    check(zmq_setsockopt(out, ZMQ_XPUB_NODROP, &yes, sizeof yes), "ZMQ_XPUB_NODROP");
    check(zmq_setsockopt(out, ZMQ_XPUB_VERBOSE, &yes, sizeof yes), "ZMQ_XPUB_VERBOSE");
    check(zmq_bind(out, "tcp://127.0.0.1:*"), "zmq_bind");
    check(zmq_getsockopt(out, ZMQ_LAST_ENDPOINT, there, &len), "ZMQ_LAST_ENDPOINT");
    check(zmq_send(control, there, sizeof there, 0), "zmq_send");
    for (int i = 0; i < FAN; i++)
        check(zmq_recv(out, word, sizeof word, 0), "zmq_recv");      /* a subscription */
    double start = pair_now_ns();
    for (int64_t i = 0; i < n / FAN; i++)
        put(out, i, SMALL);
    put(out, -1, SMALL);
    get(control);
    pair_rate(name, start, n / FAN * FAN);
    put(control, -1, sizeof(int64_t));
    zmq_close(out);
    end(control);
}

static void run_setup(const char *name, const char *url, long n)
{
    double ns = 0;
    void *s;
    for (int64_t i = 0; i < n; i++) {
        double start = pair_now_ns();
        s = connected(ZMQ_DEALER, url);
        put(s, i, sizeof i);
        get(s);
        ns += pair_now_ns() - start;
        zmq_close(s);
    }
    pair_result(name, "us", ns / 1e3 / (double)n);
    s = connected(ZMQ_DEALER, url);
    put(s, -1, sizeof(int64_t));
    end(s);
}

int main(int argc, char **argv)
{
    static const struct pair_bench all[] = {
        { "tcp-pingpong", 10000, serve_pingpong, run_pingpong, 8, 0, 0 },
        { "unix-pingpong", 10000, serve_pingpong, run_pingpong, 8, 0, 0 },
        { "tcp-stream-8", 3000000, serve_stream, run_stream, 8, 0, 1 },
        { "unix-stream-8", 3000000, serve_stream, run_stream, 8, 0, 0 },
        { "tcp-stream-1k", 500000, serve_stream, run_stream, KIB, 0, 0 },
        { "tcp-stream-1m", 2000, serve_stream, run_stream, MIB, 0, 0 },
        { "unix-stream-1m", 2000, serve_stream, run_stream, MIB, 0, 0 },
        { "calls-1", 10000, serve_calls, run_calls, 8, 1, 0 },
        { "calls-16", 100000, serve_calls, run_calls, 8, 16, 0 },
        { "calls-256", 300000, serve_calls, run_calls, 8, 256, 0 },
        { "fan-out-100", 2000000, serve_fan, run_fan, SMALL, 0, 0 },
        { "tcp-setup", 300, serve_calls, run_setup, 8, 0, 0 },
        { "unix-setup", 300, serve_calls, run_setup, 8, 0, 0 },
        { 0 }
    };
    return pair_main(argc, argv, all, "tcp://127.0.0.1:*", "ipc://");
}
