/* peer.c - the C side of go/leat's tests: does what it is told, a line each, and says how it ended.
 *
 *     ID COMMAND [SLOT or number ...]      to standard input; each is a task of its own, so one may wait while others come
 *     ID ERROR WHY NUMBER DETAIL           to standard output, when it has ended
 *
 * A slot holds the ends of a channel of marks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"

LEAT_STRUCT(mark, (int32, n));
LEAT_STRUCT(job, (int32, n), (tx(mark), out), (rx(mark), in));
LEAT_ENUM(colour, (red, 1), (blue, -2));
LEAT_ONEOF(choice, (string, text), (int64, number));
LEAT_STRUCT(tree, (int32, n), (list(tree), kids));
struct odd { char *c, *none; char h[8]; int at; };
LEAT_DESCRIBE(odd, (cstr, c), (cstr, none), (chars(8), h), (local, at));
LEAT_STRUCT(all, (bool, b), (int8, i1), (int16, i2), (int32, i4), (int64, i8), (uint8, u1), (uint16, u2), (uint32, u4), (uint64, u8),
    (float32, f4), (float64, f8), (string, text), (bytes, raw), (date, at), (duration, took), (error, err), (strings, words),
    (optional(mark), some), (optional(mark), none), (list(mark), marks), (map(mark), by), (array(int16_t, 3), three), (enum(colour), e),
    (oneof(choice), x), (oneof(choice), y), (struct(tree), t, .tag = 7), (struct(odd), o));
LEAT_SERVICE(calc, (twice, mark, mark), (wait, mark, mark), (echo, all, all), (fails, mark, mark));

LEAT_STRUCT(leaf, (int32, alpha), (int32, beta), (int32, gamma), (int32, delta), (int32, epsilon));
LEAT_STRUCT(twig, (struct(leaf), a), (struct(leaf), b), (struct(leaf), c), (struct(leaf), d), (struct(leaf), e), (struct(leaf), f));
LEAT_STRUCT(bough, (struct(twig), a), (struct(twig), b), (struct(twig), c), (struct(twig), d), (struct(twig), e), (struct(twig), f));
LEAT_STRUCT(crown, (struct(bough), a), (struct(bough), b), (struct(bough), c), (struct(bough), d), (struct(bough), e), (struct(bough), f));
LEAT_STRUCT(forest, (struct(crown), a), (struct(crown), b), (struct(crown), c), (struct(crown), d));  /* its description: some 45 KB */
LEAT_SERVICE(woods, (grow, forest, forest));

enum { SLOTS = 16, LINE = 256 };
struct command { char text[LINE]; };
static leat_tx(struct mark) tx[SLOTS];
static leat_rx(struct mark) rx[SLOTS];
static leat_node *node;
static leat_peer *peer;
static leat_chan(struct command) commands;

/* -- what a Go program may call or start here, and what this one starts there ----------------------------------------------------- */
static leat_err calc_twice(void *self, const struct mark *in, struct mark *out)
{
    (void)self;
    out->n = in->n * 2;
    return LEAT_OK;
}
static leat_err calc_wait(void *self, const struct mark *in, struct mark *out)
{
    leat_err err = leat_sleep(LEAT_S(1000));
    (void)self, (void)in, (void)out;
    printf("0 cause %d\n", (int)leat_ctx_cause());
    fflush(stdout);
    return err;
}
static leat_err calc_echo(void *self, const struct all *in, struct all *out)
{
    (void)self;
    return leat_dup(all, in, out);
}
static leat_err calc_fails(void *self, const struct mark *in, struct mark *out)
{
    (void)self, (void)out;
    if (in->n < 100)
        return leat_fail((leat_err)in->n, "as it was told");
    leat_error cause = { .code = LEAT_SYS, .text = LEAT_STRING("no room"), .node = LEAT_STRING("n3") };
    leat_error e = { .code = (leat_err)(in->n - 100), .text = LEAT_STRING("as it was told"), .cause = &cause,
        .details = { (const uint8_t *)"\0\377\1", 3, 0 } };
    return leat_error_raise(&e);
}

static leat_chan(struct forest) forests;
static leat_err woods_grow(void *self, const struct forest *in, struct forest *out)
{
    (void)self;
    *out = *in;
    out->d.f.f.f.epsilon++;
    return LEAT_OK;
}
static leat_err plant(struct forest *f) { return leat_send_from(forests, f); }

/* 10 for each byte of details, 1 for each cause with a code and a text. */
static int of_error(leat_err err)
{
    leat_error e = { .code = LEAT_OK };
    int n = 0;
    if (err == LEAT_OK || leat_error_of(err, &e) != LEAT_OK)
        return 0;
    for (const leat_error *x = e.cause; x; x = x->cause)
        n += x->code != LEAT_OK && x->text.len > 0;
    n += 10 * (int)e.details.len;
    leat_error_drop(&e);
    return n;
}
static const struct calc_impl calc = { calc_twice, calc_wait, calc_echo, calc_fails };
static const struct woods_impl woods = { .grow = woods_grow };

static leat_err multiply(struct job *j)
{
    struct mark m;
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && (err = leat_recv(j->in, &m)) == LEAT_OK)
        err = leat_send(j->out, { m.n * j->n });
    return err == LEAT_CLOSED ? LEAT_OK : err;
}

/* -- commands ------------------------------------------------------------------------------------------------------------------------ */
struct words { char what[32], name[128]; int a, b, c; };

static leat_err make(int slot, int cap)
{
    leat_chan(struct mark) c = leat_chan_make(struct mark, (size_t)cap);
    tx[slot] = leat_ref(leat_tx_of(c));
    rx[slot] = leat_ref(leat_rx_of(c));
    leat_unref(c);                                   /* by its name, so that what it was of the two counts no more */
    return LEAT_OK;
}

static leat_err many(int slot, int from, int count)
{
    leat_err err = LEAT_OK;
    for (int i = 0; err == LEAT_OK && i < count; i++)
        err = leat_send(tx[slot], { from + i });
    return err;
}

/* How many come until the close, in their order. */
static leat_err all_of(int slot, int *ret)
{
    leat_err err;
    *ret = 0;
    leat_each(m, rx[slot], err)
        if (m.n != (*ret)++)
            return leat_fail(LEAT_INVAL, "%d, not %d", (int)m.n, *ret - 1);
    return err;
}

static leat_err selects(const struct words *w, int *ret)
{
    struct mark m = { w->b }, got = { -1 };
    leat_auto leat_chan(struct mark) quiet = leat_chan_make(struct mark, 0);
    leat_err err;
    leat_select(err) {
        leat_on_send(tx[w->a], &m) { *ret = -1; }
        leat_on_recv(w->c >= 0 ? rx[w->c] : leat_rx_of(quiet), &got) { *ret = got.n; }
    }
    return err;
}

static leat_err starts(const struct words *w)
{
    leat_err err;
    leat_with_group(g, err)
        if ((err = leat_go_on(&g, peer, multiply, job, { w->c, leat_ref(tx[w->a]), rx[w->b] })) == LEAT_OK)
            rx[w->b] = NULL;
    return err;
}

static leat_err of_channels(const struct words *w, int *ret)
{
    struct mark m = { 0 };
    const char *what = w->what;
    leat_err err = LEAT_OK;
    if (strcmp(what, "make") == 0)
        err = make(w->a, w->b);
    else if (strcmp(what, "send") == 0)
        err = leat_send(tx[w->a], { w->b });
    else if (strcmp(what, "try") == 0)
        err = leat_try_send(tx[w->a], { w->b });
    else if (strcmp(what, "many") == 0)
        err = many(w->a, w->b, w->c);
    else if (strcmp(what, "all") == 0)
        err = all_of(w->a, ret);
    else if (strcmp(what, "recv") == 0)
        err = leat_recv(rx[w->a], &m), *ret = m.n;
    else if (strcmp(what, "len") == 0)
        *ret = (int)leat_len(rx[w->a]);
    else if (strcmp(what, "select") == 0)
        err = selects(w, ret);
    else if (strcmp(what, "flush") == 0)
        err = leat_flush(tx[w->a]);
    else if (strcmp(what, "close") == 0)
        leat_close(tx[w->a]);
    else if (strcmp(what, "finish") == 0)
        leat_finish(tx[w->a]);
    else if (strcmp(what, "drop") == 0)
        leat_unref(tx[w->a]);
    else if (strcmp(what, "release") == 0)
        leat_unref(rx[w->a]);
    else
        err = leat_fail(LEAT_INVAL, "no command: %s", what);
    return err;
}

static leat_err of_nodes(const struct words *w, bool *ret)
{
    const char *what = w->what;
    *ret = true;
    if (strcmp(what, "listen") == 0)
        return leat_node_listen(node, w->name);
    if (strcmp(what, "dial") == 0)
        return leat_node_dial(node, w->name, &peer);
    if (strcmp(what, "export-tx") == 0)
        return leat_export(node, w->name, tx[w->a], mark);
    if (strcmp(what, "export-rx") == 0) {
        leat_err err = leat_export(node, w->name, rx[w->a], mark);
        leat_unref(rx[w->a]);
        return err;
    }
    if (strcmp(what, "unexport") == 0) {
        leat_unexport(node, w->name);
        return LEAT_OK;
    }
    if (strcmp(what, "import-tx") == 0)
        return leat_import(peer, w->name, &tx[w->a], mark, 0);
    if (strcmp(what, "import-rx") == 0)
        return leat_import(peer, w->name, &rx[w->a], mark, 0);
    if (strcmp(what, "plant") == 0) {
        leat_auto leat_tx(struct forest) out = NULL;
        static struct forest one = { .d.f.f.f.epsilon = 20 };
        LEAT_TRY(leat_import(peer, w->name, &out, forest, 0));
        return leat_send_from(out, &one);
    }
    *ret = false;
    return LEAT_OK;
}

static leat_err of_forests(const struct words *w, int *n, bool *ret)
{
    static struct forest one, back;                  /* large for a stack; one of these at a time */
    leat_err err = LEAT_OK;
    one.d.f.f.f.epsilon = w->b;
    *ret = true;
    if (strcmp(w->what, "grow") == 0)
        err = leat_call(peer, woods, grow, &one, &back);
    else if (strcmp(w->what, "forest") == 0)
        err = leat_recv(forests, &back);
    else
        *ret = false;
    *n = back.d.f.f.f.epsilon;
    return err;
}

static leat_err of_calls(const struct words *w, int *n, bool *ret)
{
    struct mark out = { 0 };
    struct all in = { .i8 = w->b, .text = LEAT_STRING("from C"), .x = { .which = choice_number, .number = 6 } }, back = { 0 };
    leat_err err = LEAT_OK;
    *ret = true;
    if (strcmp(w->what, "call") == 0)
        err = leat_call(peer, calc, twice, &(struct mark){ w->b }, &out);
    else if (strcmp(w->what, "once") == 0)
        err = leat_call_once(peer, calc, twice, &(struct mark){ w->b }, &out, LEAT_STRING("a key"));
    else if (strcmp(w->what, "fails") == 0)
        out.n = of_error(err = leat_call(peer, calc, fails, &(struct mark){ w->b }, &out));
    else if (strcmp(w->what, "echo") == 0) {
        err = leat_call(peer, calc, echo, &in, &back);
        out.n = (int)(back.i8 + back.x.number);
        leat_drop(all, &back);
    } else if (strcmp(w->what, "wait") == 0) {
        leat_with_deadline(LEAT_MS(w->b))
            err = leat_call(peer, calc, wait, &(struct mark){ 0 }, &out);
    } else if (strcmp(w->what, "start") == 0)
        err = starts(w);
    else
        *ret = false;
    *n = out.n;
    return err;
}

static leat_err work(struct command *c)
{
    struct words w = { .c = -1 };
    int id = 0, at = 0, number = 0;
    bool mine = false;
    leat_err err = LEAT_OK;
    if (sscanf(c->text, "%d %31s %n", &id, w.what, &at) >= 2) {
        if (c->text[at] >= 'a' && c->text[at] <= 'z')
            sscanf(c->text + at, "%127s %d", w.name, &w.a);
        else
            sscanf(c->text + at, "%d %d %d", &w.a, &w.b, &w.c);
    }
    if (w.a < 0 || w.a >= SLOTS)
        w.a = 0;
    char *limit = strstr(c->text, "within ");
    leat_with_deadline(limit ? LEAT_MS(atoi(limit + 7)) : LEAT_S(1000)) {
        err = of_nodes(&w, &mine);
        if (!mine)
            err = of_calls(&w, &number, &mine);
        if (!mine)
            err = of_forests(&w, &number, &mine);
        if (!mine)
            err = of_channels(&w, &number);
    }
    leat_err why = err == LEAT_UNKNOWN ? leat_err_why() : LEAT_OK;
    const char *detail = err == LEAT_OK ? strcmp(w.what, "listen") == 0 ? leat_node_url(node) : "-" : leat_err_detail();
    printf("%d %s %s %d %s\n", id, leat_err_name(err), leat_err_name(why), number, detail);
    fflush(stdout);
    return LEAT_OK;
}

/* -- standard input ---------------------------------------------------------------------------------------------- */
static leat_err reads(struct command *c)
{
    leat_conn *in;
    size_t got, n = 0;
    LEAT_TRY(leat_conn_open_fd(0, &in));
    while (leat_read(in, c->text + n, 1, &got) == LEAT_OK)
        if (c->text[n] == '\n' || n == LINE - 2) {
            c->text[n] = 0;
            LEAT_TRY(leat_send_from(commands, c));
            n = 0;
        } else {
            n++;
        }
    leat_conn_close(in);
    leat_close(commands);
    return LEAT_OK;
}

static leat_err app(leat_node_opts *o)
{
    struct command c = { { 0 } };
    leat_err err;
    commands = leat_chan_make(struct command, 16);
    LEAT_TRY(leat_node_open(o, &node));
    LEAT_TRY(leat_serve(node, calc, &calc, NULL));
    LEAT_TRY(leat_expose(node, multiply, job));
    forests = leat_chan_make(struct forest, 4);
    LEAT_TRY(leat_serve(node, woods, &woods, NULL));
    LEAT_TRY(leat_expose(node, plant, forest));
    LEAT_TRY(leat_export(node, "forests", leat_tx_of(forests), forest));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, reads, c));
        while (leat_recv(commands, &c) == LEAT_OK && strncmp(c.text, "0 leave", 7) != 0)
            LEAT_TRY(leat_go(&g, work, c));
        leat_node_close(node);
        leat_group_cancel(&g);
    }
    for (int i = 0; i < SLOTS; i++) {
        leat_unref(tx[i]);
        leat_unref(rx[i]);
    }
    leat_unref(forests);
    leat_unref(commands);
    return LEAT_OK;
}

int main(int argc, char **argv)
{
    leat_node_opts o = { .name = argc > 1 ? argv[1] : "c", .idle = LEAT_MS(argc > 2 ? atoi(argv[2]) : 5000) };
    return leat_run(NULL, app, o) != LEAT_OK;
}
