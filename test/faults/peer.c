/* peer.c - the two programs that talk while faults happen, and write down what became of every operation.
 *
 *   peer serve|drive URL LOG IDLE_MS PATIENCE_MS GRACE_MS SEED LIFE
 *
 * The one serves a buffered channel, an unbuffered one and a service; and a task that sends to the other's channel.  The other dials, uses
 * them all at once, and dials anew whenever its session has ended, until its standard input ends; then it flushes, closes and leaves.
 * Every number is sent once, also by the next LIFE of a program that was killed: what a log of one says must fit the log of the other,
 * and judge.py looks whether it does.
 *
 * A log is a row of struct record, each written at once, so that it is whole up to the moment of a kill. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "leat.h"

enum { CAP = 16, CALLERS = 3, TABLE = 64 << 10, BURST = 8, LIFE_EPOCHS = 10000, LIFE_SHIFT = 40 };

/* What: 's' stream, 'm' rendezvous, 'e' rendezvous in a select, 'c' call, 'b' stream back: of who sent, n and its outcome.  The same in
 * capitals: of who received, or executed.  'F' 'f': the flush of the stream and of the stream back, n may be lost.  'D': dialed, 'L': that
 * session has ended, 'l': the other side has seen its end.  'X': n came damaged. */
struct record { uint8_t what, outcome, why, aux; uint32_t epoch; int64_t n, begin_ns, end_ns; };

LEAT_STRUCT(item, (int64, n), (int64, epoch), (string, text));
LEAT_STRUCT(slip, (int64, n), (int64, epoch), (string, text));
LEAT_STRUCT(answer, (int64, n));
LEAT_STRUCT(feed, (int64, epoch), (tx(item), out));
LEAT_SERVICE(book, (put, slip, answer));

static int log_fd = -1;
static uint8_t table[TABLE];
static uint32_t seed, life;
static _Atomic bool stopping;
static _Atomic int64_t next_n, next_back;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void note(struct record r)
{
    r.end_ns = now_ns();
    if (write(log_fd, &r, sizeof r) != sizeof r) {
        perror("peer: log");
        _exit(3);
    }
}

static void note_outcome(char what, leat_err err, int64_t epoch, int64_t n, int64_t begin_ns)
{
    leat_err why = err == LEAT_UNKNOWN ? leat_err_why() : LEAT_OK;
    note((struct record){ .what = (uint8_t)what, .outcome = (uint8_t)err, .why = (uint8_t)why, .epoch = (uint32_t)epoch, .n = n,
        .begin_ns = begin_ns });
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The text that belongs to n: mostly short, at times long enough to be cut into frames. */
static leat_string text_of(int64_t n)
{
    uint64_t h = mix((uint64_t)n + 1);
    uint32_t len = (uint32_t)(h % 128 == 0 ? h >> 8 & 0x7fff : h % 8 == 0 ? h >> 8 & 0x7ff : h >> 8 & 0x3f);
    return leat_string_view((const char *)table + (h >> 32 & 0x3fff), len);
}

static void note_receipt(char what, int64_t epoch, int64_t n, leat_string text)
{
    leat_string good = text_of(n);
    if (text.len != good.len || memcmp(text.p ? text.p : "", good.p, good.len) != 0)
        what = 'X';
    note((struct record){ .what = (uint8_t)what, .epoch = (uint32_t)epoch, .n = n, .begin_ns = now_ns() });
}

/* One operation in eight has a short deadline. */
static leat_dur patience_of(int64_t n)
{
    uint64_t h = mix((uint64_t)n * 77 + seed);
    return h % 8 == 0 ? LEAT_MS(1 + (h >> 8) % 40) : LEAT_S(3600);
}

static bool lasting(leat_err err)                    /* of a session that goes on */
{
    return err == LEAT_OK || err == LEAT_DEADLINE || (err == LEAT_UNKNOWN && leat_err_why() == LEAT_DEADLINE);
}

/* == Sending: the same for every channel. == */

struct sending { leat_tx(struct item) to; int64_t epoch; char what; int pause_us; _Atomic int64_t *next; };

static leat_err send_all(struct sending *s)
{
    for (int i = 1; !atomic_load(&stopping); i++) {
        int64_t n = atomic_fetch_add(s->next, 1), begin_ns = now_ns();
        leat_err err = LEAT_OK;
        leat_with_deadline(patience_of(n))
            err = leat_send(s->to, { n, s->epoch, text_of(n) });
        bool goes_on = lasting(err);
        note_outcome(s->what, err, s->epoch, n, begin_ns);
        if (!goes_on || (i % BURST == 0 && leat_sleep(LEAT_US(s->pause_us)) != LEAT_OK))
            break;
    }
    return LEAT_OK;
}

/* Offers each number in a select, beside a timer: AGAIN where that was first. */
static leat_err select_all(struct sending *s)
{
    while (!atomic_load(&stopping)) {
        int64_t n = atomic_fetch_add(s->next, 1), begin_ns = now_ns();
        struct item it = { n, s->epoch, text_of(n) };
        leat_err err = LEAT_OK, done = LEAT_OK;
        leat_with_deadline(patience_of(n))
            leat_select(err) {
                leat_on_send(s->to, &it)                                { done = LEAT_OK; }
                leat_on_after(LEAT_MS(1 + mix((uint64_t)n + seed) % 60)) { done = LEAT_AGAIN; }
            }
        bool goes_on = lasting(err);
        note_outcome(s->what, err == LEAT_OK ? done : err, s->epoch, n, begin_ns);
        if (!goes_on || leat_sleep(LEAT_US(s->pause_us)) != LEAT_OK)
            break;
    }
    return LEAT_OK;
}

static void flush(leat_tx(struct item) to, char what, int64_t epoch)
{
    int64_t begin_ns = now_ns();
    unsigned long long n = 0;
    leat_err err = leat_flush(to);
    const char *text = err == LEAT_UNKNOWN ? strstr(leat_err_detail(), "the last ") : NULL;
    if (text)
        n = strtoull(text + strlen("the last "), NULL, 10);
    note_outcome(what, err, epoch, (int64_t)n, begin_ns);
}

static leat_err receive_until_end(leat_rx(struct item) from, char what)
{
    struct item i;
    leat_err err;
    while ((err = leat_recv(from, &i)) == LEAT_OK) {
        note_receipt(what, i.epoch, i.n, i.text);
        leat_drop(item, &i);
    }
    return err;
}

/* == The side that serves. == */

static leat_err book_put(void *self, const struct slip *in, struct answer *out)
{
    (void)self;
    note_receipt('C', in->epoch, in->n, in->text);
    out->n = in->n * 2 + 1;
    if (mix((uint64_t)in->n) % 16 == 0)
        leat_ignore(leat_sleep(LEAT_MS(mix((uint64_t)in->n) / 16 % 20)));
    return LEAT_OK;
}

static leat_err feed(struct feed *f)
{
    struct sending s = { f->out, f->epoch, 'b', 2000, &next_back };
    leat_err err = send_all(&s);
    leat_err cause = leat_ctx_cause();
    leat_with_shield(LEAT_S(20))
        flush(f->out, 'f', f->epoch);
    note_outcome('l', cause, f->epoch, 0, now_ns());
    return err;
}

struct taking { leat_rx(struct item) from; char what; };

static leat_err take(struct taking *t)
{
    leat_ignore(receive_until_end(t->from, t->what));
    return LEAT_OK;
}

struct args { char **argv; leat_node_opts opts; };

static leat_err serve(struct args *a)
{
    static const struct book_impl impl = { .put = book_put };
    leat_auto leat_chan(struct item) stream = leat_chan_make(struct item, CAP);
    leat_auto leat_chan(struct item) meet = leat_chan_make(struct item, 0);
    leat_auto leat_chan(struct item) elect = leat_chan_make(struct item, 0);
    leat_node *node = NULL;
    leat_err err;
    LEAT_TRY(leat_node_open(&a->opts, &node));
    LEAT_TRY(leat_export(node, "stream", leat_tx_of(stream), item));
    LEAT_TRY(leat_export(node, "meet", leat_tx_of(meet), item));
    LEAT_TRY(leat_export(node, "elect", leat_tx_of(elect), item));
    LEAT_TRY(leat_serve(node, book, &impl, NULL));
    LEAT_TRY(leat_expose(node, feed, feed));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, take, (struct taking){ leat_rx_of(stream), 'S' }));
        LEAT_TRY(leat_go(&g, take, (struct taking){ leat_rx_of(meet), 'M' }));
        LEAT_TRY(leat_go(&g, take, (struct taking){ leat_rx_of(elect), 'E' }));
        LEAT_TRY(leat_node_listen(node, a->argv[2]));
        printf("at %s\n", leat_node_url(node));
        fflush(stdout);
        LEAT_TRY(leat_fd_wait(STDIN_FILENO, LEAT_READ));
        atomic_store(&stopping, true);
        leat_with_deadline(LEAT_S(10))
            leat_node_close(node);
        leat_finish(stream);
        leat_finish(meet);
        leat_finish(elect);
    }
    return err;
}

/* == The side that drives. == */

struct session { leat_peer *peer; int64_t epoch; leat_tx(struct item) stream, meet, elect; };

static leat_err watch(struct session *s)
{
    int64_t begin_ns = now_ns();
    leat_err err = leat_peer_wait(s->peer);
    if (err != LEAT_CANCELED) {
        fprintf(stderr, "peer: session %lld: %s: %s\n", (long long)s->epoch, leat_err_name(err), leat_err_detail());
        note_outcome('L', err, s->epoch, 0, begin_ns);
    }
    return LEAT_OK;
}

static leat_err call_all(struct session *s)
{
    while (!atomic_load(&stopping)) {
        int64_t n = atomic_fetch_add(&next_n, 1), begin_ns = now_ns();
        struct answer out = { 0 };
        leat_err err = LEAT_OK;
        struct slip in = { n, s->epoch, text_of(n) };
        leat_with_deadline(patience_of(n))
            err = leat_call(s->peer, book, put, &in, &out);
        bool goes_on = lasting(err);
        note_outcome(err == LEAT_OK && out.n != n * 2 + 1 ? 'X' : 'c', err, s->epoch, n, begin_ns);
        if (!goes_on || leat_sleep(LEAT_US(500)) != LEAT_OK)
            break;
    }
    return LEAT_OK;
}

static leat_err talk(struct session *s, leat_group *g)
{
    leat_err err;
    leat_with_group(ops, err) {
        LEAT_TRY(leat_go(&ops, send_all, (struct sending){ s->stream, s->epoch, 's', 2000, &next_n }));
        LEAT_TRY(leat_go(&ops, send_all, (struct sending){ s->meet, s->epoch, 'm', 500, &next_n }));
        LEAT_TRY(leat_go(&ops, select_all, (struct sending){ s->elect, s->epoch, 'e', 700, &next_n }));
        for (int i = 0; i < CALLERS; i++)
            LEAT_TRY(leat_go(&ops, call_all, *s));
    }
    flush(s->stream, 'F', s->epoch);
    leat_group_cancel(g);
    return err;
}

static leat_err session(struct session *s)
{
    leat_auto leat_chan(struct item) back = leat_chan_make(struct item, 4);
    leat_auto leat_tx(struct item) stream = NULL;
    leat_auto leat_tx(struct item) meet = NULL;
    leat_auto leat_tx(struct item) elect = NULL;
    struct item i;
    leat_err err;
    leat_with_deadline(LEAT_S(60)) {
        LEAT_TRY(leat_import(s->peer, "stream", &stream, item, CAP));
        LEAT_TRY(leat_import(s->peer, "meet", &meet, item, 0));
        LEAT_TRY(leat_import(s->peer, "elect", &elect, item, 0));
    }
    s->stream = stream, s->meet = meet, s->elect = elect;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, watch, *s));
        LEAT_TRY(leat_go(&g, take, (struct taking){ leat_rx_of(back), 'B' }));
        leat_err sent = leat_go_on(&g, s->peer, feed, feed, { s->epoch, leat_ref(leat_tx_of(back)) });
        err = sent == LEAT_OK || sent == LEAT_UNKNOWN ? talk(s, &g) : sent;
    }
    while (leat_try_recv(back, &i) == LEAT_OK) {
        note_receipt('B', i.epoch, i.n, i.text);
        leat_drop(item, &i);
    }
    return err;
}

struct dialing { leat_node *node; const char *url; };

static leat_err dial_all(struct dialing *d)
{
    for (int64_t epoch = (int64_t)life * LIFE_EPOCHS + 1; !atomic_load(&stopping); epoch++) {
        struct session s = { .epoch = epoch };
        int64_t begin_ns = now_ns();
        leat_err err = LEAT_OK;
        leat_with_deadline(LEAT_S(1))
            err = leat_node_dial(d->node, d->url, &s.peer);
        note_outcome('D', err, epoch, 0, begin_ns);
        if (err == LEAT_OK) {
            leat_ignore(session(&s));
            leat_with_deadline(LEAT_S(10))
                leat_peer_close(s.peer);
        } else if (leat_sleep(LEAT_MS(10)) != LEAT_OK) {
            break;
        }
    }
    return LEAT_OK;
}

static leat_err drive(struct args *a)
{
    leat_auto_node leat_node *node = NULL;
    leat_err err;
    LEAT_TRY(leat_node_open(&a->opts, &node));
    printf("drives\n");
    fflush(stdout);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, dial_all, (struct dialing){ node, a->argv[2] }));
        LEAT_TRY(leat_fd_wait(STDIN_FILENO, LEAT_READ));
        atomic_store(&stopping, true);
    }
    return err;
}

int main(int argc, char **argv)
{
    bool drives = argc > 1 && strcmp(argv[1], "drive") == 0;
    if (argc != 9 || (!drives && strcmp(argv[1], "serve") != 0))
        return fprintf(stderr, "usage: peer serve|drive URL LOG IDLE_MS PATIENCE_MS GRACE_MS SEED LIFE\n"), 2;
    struct args a = { argv, { .name = argv[1], .insecure = true, .idle = LEAT_MS(atoi(argv[4])), .patience = LEAT_MS(atoi(argv[5])),
        .grace = LEAT_MS(atoi(argv[6])) } };
    seed = (uint32_t)atoi(argv[7]);
    life = (uint32_t)atoi(argv[8]);
    next_n = next_back = (int64_t)life << LIFE_SHIFT | 1;
    log_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (uint32_t i = 0; i < TABLE; i++)
        table[i] = (uint8_t)mix(i);
    leat_err err = drives ? leat_run(NULL, drive, a) : leat_run(NULL, serve, a);
    if (err != LEAT_OK)
        fprintf(stderr, "peer: %s: %s: %s\n", argv[1], leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
