/* app.c - the program of app.h.  Whatever its peer does, no wait in it lasts longer than a few seconds. */
#include "app.h"
#include <string.h>
#include "fuzz.h"

#define SOON LEAT_S(2)

/* -- who receives --------------------------------------------------------------------------------------------------------------- */
static leat_err take_b(struct app **a)
{
    struct num v;
    while (leat_recv((*a)->b, &v) == LEAT_OK)
        ;
    return LEAT_OK;
}

static leat_err take_u(struct app **a)
{
    struct num v;
    leat_err e = LEAT_OK;
    while (e == LEAT_OK) {
        leat_select(e) {
            leat_on_recv((*a)->u, &v) { }
            leat_on_after(LEAT_MS(300)) { }
        }
    }
    return LEAT_OK;
}

static leat_err take_i(struct app **a)
{
    struct item v;
    while (leat_recv((*a)->i, &v) == LEAT_OK)
        leat_drop(item, &v);
    return LEAT_OK;
}

/* Uses the ends that have come, as a program would. */
static void use(struct pass *v)
{
    struct num x = { 7 };
    leat_with_deadline(SOON) {
        if (v->out && v->how & 1)
            leat_ignore(leat_send(v->out, x));
        if (v->out && v->how & 2)
            leat_ignore(leat_try_send(v->out, x));
        if (v->in && v->how & 4)
            leat_ignore(leat_recv(v->in, &x));
        if (v->in && v->how & 8)
            leat_ignore(leat_try_recv(v->in, &x));
        if (v->out && v->how & 16)
            leat_ignore(leat_flush(v->out));
        if (v->out && v->how & 32)
            leat_close(v->out);
    }
}

static leat_err take_e(struct app **a)
{
    struct pass v;
    while (leat_recv((*a)->e, &v) == LEAT_OK) {
        use(&v);
        leat_drop(pass, &v);
    }
    return LEAT_OK;
}

static leat_err feed_q(struct app **a)
{
    for (int k = 0; k < 5; k++) {
        struct num x = { k };
        leat_err e = LEAT_OK;
        leat_with_deadline(SOON)
            e = leat_send((*a)->q, x);
        if (e != LEAT_OK && e != LEAT_DEADLINE && e != LEAT_UNKNOWN)
            break;
    }
    return LEAT_OK;
}

/* -- who serves ---------------------------------------------------------------------------------------------------------------- */
static leat_err twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = (int64_t)((uint64_t)in->n * 2);
    return LEAT_OK;
}
static leat_err echo(void *self, const struct item *in, struct item *out)
{
    (void)self;
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}
static leat_err nap(void *self, const struct num *in, struct num *out)
{
    (void)self, (void)out;
    return leat_sleep(LEAT_MS(in->n & 4095));
}
static leat_err give(void *self, const struct num *in, struct pass *out)
{
    leat_chan(struct num) c = leat_chan_make(struct num, 2);
    (void)self;
    out->how = (uint8_t)in->n;
    if (c && in->n & 1)
        out->out = leat_ref(leat_tx_of(c));
    else if (c)
        out->in = leat_ref(leat_rx_of(c));
    leat_unref(c);
    return LEAT_OK;
}
static const struct calc_impl calc_impl = { twice, echo, nap, give };

static leat_err work(struct pass *p)
{
    use(p);
    return LEAT_OK;
}

/* -- all of it ------------------------------------------------------------------------------------------------------------------- */
leat_err app_open(struct app *a, const char *name)
{
    *a = (struct app){ .b = leat_chan_make(struct num, 4), .u = leat_chan_make(struct num, 0), .r = leat_chan_make(struct num, 4),
        .q = leat_chan_make(struct num, 0), .i = leat_chan_make(struct item, 3), .e = leat_chan_make(struct pass, 2) };
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .name = name }, &a->n));
    for (int k = 0; k < 2; k++)
        LEAT_TRY(leat_send(a->r, { k }));
    LEAT_TRY(leat_export(a->n, "b", leat_tx_of(a->b), num));
    LEAT_TRY(leat_export(a->n, "u", leat_tx_of(a->u), num));
    LEAT_TRY(leat_export(a->n, "i", leat_tx_of(a->i), item));
    LEAT_TRY(leat_export(a->n, "e", leat_tx_of(a->e), pass));
    LEAT_TRY(leat_export(a->n, "r", leat_rx_of(a->r), num));
    LEAT_TRY(leat_export(a->n, "q", leat_rx_of(a->q), num));
    LEAT_TRY(leat_serve(a->n, calc, &calc_impl, NULL));
    LEAT_TRY(leat_expose(a->n, work, pass));
    struct app *self = a;
    LEAT_TRY(leat_go(&a->g, take_b, self));
    LEAT_TRY(leat_go(&a->g, take_u, self));
    LEAT_TRY(leat_go(&a->g, take_i, self));
    LEAT_TRY(leat_go(&a->g, take_e, self));
    return leat_go(&a->g, feed_q, self);
}

void app_close(struct app *a)
{
    leat_with_deadline(LEAT_S(5))
        leat_node_close(a->n);
    leat_group_cancel(&a->g);
    leat_ignore(leat_group_wait(&a->g));
    leat_unref(a->b);
    leat_unref(a->u);
    leat_unref(a->i);
    leat_unref(a->e);
    leat_unref(a->r);
    leat_unref(a->q);
}

/* -- who asks ------------------------------------------------------------------------------------------------------------------- */
/* A wait of 2 s, one for the answer of a home that has been told to forget it, and what a loaded world adds. */
static leat_err use_b(leat_peer **p)
{
    leat_auto leat_tx(struct num) b = NULL;
    leat_err e = LEAT_OK;
    leat_with_deadline(SOON)
        e = leat_import(*p, "b", &b, num, 4);
    for (int k = 0; k < 6 && e == LEAT_OK; k++)
        leat_with_deadline(LEAT_MS(300)) {
            struct num x = { k };
            e = k & 1 ? leat_try_send(b, x) : leat_send(b, x);
            if (e == LEAT_AGAIN || e == LEAT_DEADLINE)
                e = LEAT_OK;
        }
    if (b)
        leat_with_deadline(SOON)
            leat_ignore(leat_flush(b));
    return LEAT_OK;
}

static leat_err use_u(leat_peer **p)
{
    leat_auto leat_tx(struct num) u = NULL;
    leat_err e = LEAT_OK;
    leat_with_deadline(SOON)
        e = leat_import(*p, "u", &u, num, 0);
    for (int k = 0; k < 4 && e == LEAT_OK; k++)
        leat_with_deadline(LEAT_MS(300)) {
            struct num x = { k };
            leat_err sent = k & 1 ? leat_try_send(u, x) : leat_send(u, x);
            FUZZ_CHECK(sent != LEAT_AGAIN || k & 1);
        }
    return LEAT_OK;
}

static leat_err use_r(leat_peer **p)
{
    leat_auto leat_rx(struct num) r = NULL;
    struct num v;
    leat_err e = LEAT_OK;
    leat_with_deadline(SOON) {
        e = leat_import(*p, "r", &r, num, 4);
        while (e == LEAT_OK)
            e = leat_recv(r, &v);
    }
    return LEAT_OK;
}

static leat_err use_calls(leat_peer **p)
{
    struct num in = { 3 }, out;
    struct item i = { .text = LEAT_STRING("hello") }, o = { 0 };
    struct pass got = { 0 };
    leat_err e = LEAT_OK;
    leat_with_deadline(SOON) {
        leat_ignore(leat_call(*p, calc, twice, &in, &out));
        if (leat_call(*p, calc, echo, &i, &o) == LEAT_OK)
            leat_drop(item, &o);
        if (leat_call(*p, calc, give, &in, &got) == LEAT_OK) {
            use(&got);
            leat_drop(pass, &got);
        }
        leat_with_group(g, e) {
            leat_auto leat_chan(struct num) c = leat_chan_make(struct num, 2);
            struct pass arg = { .how = 5, .out = leat_ref(leat_tx_of(c)) };
            leat_err sent = leat_go_on(&g, *p, work, pass, arg);
            if (sent != LEAT_OK && sent != LEAT_UNKNOWN)
                leat_drop(pass, &arg);
            leat_ignore(leat_recv(c, &out));
        }
    }
    (void)e;
    return LEAT_OK;
}

leat_err app_use(leat_peer *p)
{
    leat_err e;
    leat_with_group(g, e) {
        LEAT_TRY(leat_go(&g, use_b, p));
        LEAT_TRY(leat_go(&g, use_u, p));
        LEAT_TRY(leat_go(&g, use_r, p));
        LEAT_TRY(leat_go(&g, use_calls, p));
    }
    return e;
}
