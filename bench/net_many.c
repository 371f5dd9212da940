/* net_many.c - what many channels in one session cost: each other's time, and memory; and what a session costs to make. */
#include <stdlib.h>
#include <string.h>
#include "net.h"

LEAT_STRUCT(small, (array(uint64_t, 8), words));     /* 64 B */
LEAT_STRUCT(send_end, (tx(small), end));

enum { FAN = 100, FAN_AHEAD = 256 };
enum { MANY = 1000, MANY_AHEAD = 16, PHASES = 3 };

/* -- a server that hands out send ends of as many channels as it is asked for, each with a task that receives -------------------- */
struct sink { leat_rx(struct small) in; leat_tx(struct number) got; leat_rx(struct number) go_on; };

/* words[0] != 0: says that everything before it has come.  words[1] != 0: receives no more until it is told to. */
static leat_err sink(struct sink *k)
{
    struct number go;
    leat_auto leat_rx(struct small) in = k->in;
    leat_err err;
    int64_t n = 0;
    leat_each(x, in, err) {
        n++;
        if (x.words[0])
            LEAT_TRY(leat_send(k->got, { n }));
        if (x.words[1])
            LEAT_TRY(leat_recv(k->go_on, &go));
    }
    return err;
}

static leat_err sink_start(leat_group *g, leat_tx(struct send_end) ends, size_t ahead, struct sink k)
{
    leat_auto leat_chan(struct small) c = leat_chan_make(struct small, ahead);
    struct send_end away = { leat_ref(leat_tx_of(c)) };
    leat_err err = c ? leat_send_from(ends, &away) : LEAT_NOMEM;
    if (err) {
        leat_drop(send_end, &away);
        return err;
    }
    k.in = leat_ref(leat_rx_of(c));
    return leat_go(g, sink, k);
}

static leat_err serve_sinks(struct server *s, int count, size_t ahead)
{
    leat_auto leat_chan(struct send_end) ends = leat_chan_make(struct send_end, 0);     /* queued, it could not move */
    leat_auto leat_chan(struct number) got = leat_chan_make(struct number, 1024), go_on = leat_chan_make(struct number, 1);
    leat_err err;
    LEAT_TRY(leat_export(s->node, "ends", leat_rx_of(ends), send_end));
    LEAT_TRY(leat_export(s->node, "got", leat_rx_of(got), number));
    LEAT_TRY(leat_export(s->node, "go on", leat_tx_of(go_on), number));
    LEAT_TRY(server_listen(s));
    leat_with_group(g, err)
        for (int i = 0; i < count; i++)
            LEAT_TRY(sink_start(&g, leat_tx_of(ends), ahead, (struct sink){ NULL, leat_tx_of(got), leat_rx_of(go_on) }));
    return err;
}

struct taps { leat_tx(struct small) *out; int count; leat_rx(struct number) got; leat_tx(struct number) go_on; };

static void taps_close(struct taps *t)
{
    for (int i = 0; i < t->count; i++) {
        leat_close(t->out[i]);
        leat_unref(t->out[i]);
    }
    free(t->out);
    leat_unref(t->got);
    leat_unref(t->go_on);
}

static leat_err taps_open(struct client *c, struct taps *t, int count)
{
    leat_auto leat_rx(struct send_end) ends = NULL;
    *t = (struct taps){ .out = calloc((size_t)count, sizeof *t->out) };
    if (!t->out)
        return LEAT_NOMEM;
    LEAT_TRY(leat_import(c->peer, "ends", &ends, send_end, 0));
    LEAT_TRY(leat_import(c->peer, "got", &t->got, number, 0));
    LEAT_TRY(leat_import(c->peer, "go on", &t->go_on, number, 0));
    for (struct send_end e; t->count < count; t->count++) {
        LEAT_TRY(leat_recv(ends, &e));
        t->out[t->count] = e.end;
    }
    return LEAT_OK;
}

static leat_err taps_wait(struct taps *t, int count)
{
    for (struct number x; count > 0; count--)
        LEAT_TRY(leat_recv(t->got, &x));
    return LEAT_OK;
}

/* -- one element to each of 100 channels, again and again ------------------------------------------------------------------------ */
static leat_err serve_fan(struct server *s) { return serve_sinks(s, FAN, FAN_AHEAD); }

static leat_err fan_out(struct client *c, struct taps *t)
{
    int64_t rounds = c->n / FAN + 1;
    leat_time start = leat_now();
    for (int64_t i = 1; i <= rounds; i++)
        for (int k = 0; k < FAN; k++)
            LEAT_TRY(leat_send(t->out[k], { { i == rounds } }));
    LEAT_TRY(taps_wait(t, FAN));
    net_per_second(c->name, start, rounds * FAN);
    return LEAT_OK;
}

static leat_err run_fan(struct client *c)
{
    struct taps t;
    leat_err err = taps_open(c, &t, FAN);
    if (!err)
        err = fan_out(c, &t);
    taps_close(&t);
    return err;
}

/* -- 1,000 channels, each with a task that sends and one that receives; does one that is not received from hinder the others? -------- */
static leat_err serve_many(struct server *s) { return serve_sinks(s, MANY, MANY_AHEAD); }

struct feed { leat_tx(struct small) out; int64_t n; };

static leat_err feed(struct feed *f)
{
    for (int64_t i = 1; i <= f->n; i++)
        LEAT_TRY(leat_send(f->out, { { i == f->n } }));
    return LEAT_OK;
}

/* Elements a second over all channels but the first; that one is fed as well, and stalled: its receiver stops after the first. */
static leat_err phase(struct taps *t, int64_t each, bool stalled, double *rate)
{
    leat_err err, inner;
    leat_group stuck = { 0 };
    leat_time start = leat_now();
    if (stalled)
        LEAT_TRY(leat_send(t->out[0], { { 0, 1 } }));
    LEAT_TRY(leat_go(&stuck, feed, (struct feed){ t->out[0], stalled ? INT64_MAX : each }));
    leat_with_group(g, err) {
        for (int i = 1; i < MANY; i++)
            LEAT_TRY(leat_go(&g, feed, (struct feed){ t->out[i], each }));
        LEAT_TRY(taps_wait(t, stalled ? MANY - 1 : MANY));
    }
    *rate = (double)(MANY - 1) * (double)each / ((double)leat_since(start).ns / 1e9);
    if (stalled) {
        leat_group_cancel(&stuck);
        inner = leat_send(t->go_on, { 1 });
        err = err ? err : inner;
    }
    inner = leat_group_wait(&stuck);
    return err ? err : inner == LEAT_CANCELED ? LEAT_OK : inner;
}

static leat_err stalled(struct client *c, struct taps *t)
{
    double best[2] = { 0 }, rate;
    for (int i = 0; i < 2 * PHASES; i++) {
        LEAT_TRY(phase(t, c->n / MANY + 1, i % 2, &rate));
        best[i % 2] = rate > best[i % 2] ? rate : best[i % 2];
    }
    net_result("many-1000", "/s", best[0]);
    net_result(c->name, "%", 100 * best[1] / best[0]);
    return LEAT_OK;
}

static leat_err run_stalled(struct client *c)
{
    struct taps t;
    leat_err err = taps_open(c, &t, MANY);
    if (!err)
        err = stalled(c, &t);
    taps_close(&t);
    return err;
}

/* -- what an end costs: n send ends go to the other process, which keeps them ------------------------------------------------------- */
static double rss_bytes(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (f)
        fclose(f);
    return kib * 1024;
}

static leat_err keep_ends(leat_rx(struct send_end) in, leat_tx(struct number) sum, struct send_end *kept, int64_t n)
{
    double before = rss_bytes();
    for (int64_t i = 0; i < n; i++)
        LEAT_TRY(leat_recv(in, &kept[i]));
    LEAT_TRY(leat_send(sum, { (int64_t)((rss_bytes() - before) / (double)n) }));
    struct send_end none;
    leat_err err = leat_recv(in, &none);
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

static leat_err serve_ends(struct server *s)
{
    leat_auto leat_chan(struct send_end) in = leat_chan_make(struct send_end, 64);
    leat_auto leat_chan(struct number) sum = leat_chan_make(struct number, 1), count = leat_chan_make(struct number, 1);
    struct number n;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), send_end));
    LEAT_TRY(leat_export(s->node, "count", leat_tx_of(count), number));
    LEAT_TRY(leat_export(s->node, "sum", leat_rx_of(sum), number));
    LEAT_TRY(server_listen(s));
    LEAT_TRY(leat_recv(count, &n));
    struct send_end *kept = calloc((size_t)n.v, sizeof *kept);
    if (!kept)
        return LEAT_NOMEM;
    memset(kept, 0xff, (size_t)n.v * sizeof *kept);  /* so that its pages are not counted */
    memset(kept, 0, (size_t)n.v * sizeof *kept);
    leat_err err = keep_ends(leat_rx_of(in), leat_tx_of(sum), kept, n.v);
    for (int64_t i = 0; i < n.v; i++)
        leat_drop(send_end, &kept[i]);
    free(kept);
    return err;
}

static leat_err give_ends(struct client *c, leat_chan(struct small) *mine)
{
    leat_auto leat_tx(struct send_end) out = NULL;
    leat_auto leat_tx(struct number) count = NULL;
    leat_auto leat_rx(struct number) sum = NULL;
    struct number x;
    LEAT_TRY(leat_import(c->peer, "in", &out, send_end, 0));
    LEAT_TRY(leat_import(c->peer, "count", &count, number, 0));
    LEAT_TRY(leat_import(c->peer, "sum", &sum, number, 0));
    for (int64_t i = 0; i < c->n; i++)
        if (!(mine[i] = leat_chan_make(struct small, 1)))
            return LEAT_NOMEM;
    LEAT_TRY(leat_send(count, { c->n }));
    double before = rss_bytes();
    for (int64_t i = 0; i < c->n; i++)
        LEAT_TRY(leat_send(out, { leat_ref(leat_tx_of(mine[i])) }));
    LEAT_TRY(leat_recv(sum, &x));
    net_result("ends-bytes", "B", (double)x.v);
    net_result("ends-bytes-home", "B", (rss_bytes() - before) / (double)c->n);
    leat_close(out);
    return LEAT_OK;
}

static leat_err run_ends(struct client *c)
{
    leat_chan(struct small) *mine = calloc((size_t)c->n, sizeof *mine);
    leat_err err = mine ? give_ends(c, mine) : LEAT_NOMEM;
    for (int64_t i = 0; mine && i < c->n; i++)
        leat_unref(mine[i]);
    free(mine);
    return err;
}

/* -- a session from the dial on, until it can be used -------------------------------------------------------------------------------- */
static leat_err serve_setup(struct server *s)
{
    leat_auto leat_chan(struct number) in = leat_chan_make(struct number, 1);
    struct number x;
    LEAT_TRY(leat_export(s->node, "in", leat_tx_of(in), number));
    LEAT_TRY(server_listen(s));
    leat_err err = leat_recv(in, &x);
    return err;
}

static leat_err run_setup(struct client *c)
{
    leat_auto leat_tx(struct number) out = NULL;
    int64_t ns = 0;
    LEAT_TRY(leat_import(c->peer, "in", &out, number, 0));
    for (int64_t i = 0; i < c->n; i++) {
        leat_peer *peer;
        leat_time start = leat_now();
        LEAT_TRY(leat_node_dial(c->node, c->url, &peer));
        ns += leat_since(start).ns;
        leat_peer_close(peer);
    }
    net_result(c->name, "us", (double)ns / 1e3 / (double)c->n);
    return leat_send(out, { 1 });
}

const struct net_bench net_many[] = {
    { "fan-out-100", 3000000, serve_fan, run_fan, false },
    { "stalled-1000", 1000000, serve_many, run_stalled, false },
    { "ends-bytes", 100000, serve_ends, run_ends, false },
    { "tcp-setup", 500, serve_setup, run_setup, false },
    { "unix-setup", 500, serve_setup, run_setup, false },
    { 0 }
};
