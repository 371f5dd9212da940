/* opens_test.c - what an OPEN may ask for, said frame by frame: what can not be asked for is refused, or ends its session: it never ran. */
#include "peer.h"
#include "rpc/calls.h"
#include "sess/impl.h"
#include "type/desc.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(ends, (tx(num), out));
LEAT_SERVICE(calc, (twice, num, num), (end, ends, num), (give, num, ends), (gated, num, num));
static _Atomic uint32_t ran, gate, refusals;

static leat_err calc_twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = 2 * in->n;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err calc_end(void *self, const struct ends *in, struct num *out)
{
    (void)self;
    (void)in;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
static leat_err calc_give(void *self, const struct num *in, struct ends *out)
{
    (void)self;
    (void)in;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}
/* Until the gate is open, or it is cancelled. */
static leat_err calc_gated(void *self, const struct num *in, struct num *out)
{
    (void)self;
    out->n = in->n;
    while (!at_load(&gate) && leat_ctx_err() == LEAT_OK)
        leat_yield();
    atomic_fetch_add(&ran, 1);
    return leat_ctx_err();
}
static const struct calc_impl calc = { calc_twice, calc_end, calc_give, calc_gated };
static leat_err job(struct num *n)
{
    (void)n;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}

/* what: as docs/wire.md has it, of which 4 is a key, and 8 the form of the argument. */
enum { CALL = 0, TASK = 1, DEALT = 2, KEYED = 4, FORM = 8 };
struct open { uint8_t what; const char *name; const leat_type *in, *out; uint64_t attempt; const char *key; const leat_type *form;
    uint8_t arg; };

/* The argument is eight bytes: a num, or a longer thing that must not be looked at. */
static struct buf open_fields(uint64_t id, const struct open *o)
{
    static const uint8_t zeros[16];
    struct type_print print;
    struct buf b = { 0 };
    struct cur form;
    buf_varint(&b, id);
    buf_u8(&b, o->what);
    buf_text(&b, o->name, strlen(o->name));
    buf_u64(&b, UINT64_MAX);
    CHECK_EQ(type_print(o->in, &print), LEAT_OK);
    buf_put(&b, print.b, 16);
    if (o->out)
        CHECK_EQ(type_print(o->out, &print), LEAT_OK);
    buf_put(&b, o->out ? print.b : zeros, 16);
    buf_varint(&b, 8);
    if (o->what & DEALT) {
        buf_varint(&b, 5);
        buf_varint(&b, o->attempt);
    }
    if (o->what & KEYED)
        buf_text(&b, o->key, strlen(o->key));
    if (o->what & FORM) {
        CHECK_EQ(type_form(o->form, &form), LEAT_OK);
        buf_text(&b, (const char *)form.p, cur_left(&form));
    }
    buf_u64(&b, o->arg);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    return b;
}

static void say_open(struct peer *p, uint64_t id, const struct open *o)
{
    struct buf b = open_fields(id, o);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&b);
}

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, job, num), LEAT_OK);
    at_store(&ran, 0);
    at_store(&gate, 0);
    at_store(&refusals, 0);
    return x;
}

/* The answer, which must be of leat itself and have this text in it. */
static void answered(struct peer *p, uint64_t id, leat_err want, const char *text)
{
    size_t len;
    char said[200];
    struct peer_frame f = peer_expect(p, FRAME_RESULT);
    CHECK_EQ(cur_varint(&f.in), id);
    CHECK_EQ(cur_u8(&f.in), want);
    CHECK_EQ(cur_u8(&f.in), 0);
    const char *t = cur_text(&f.in, &len);
    CHECK(t != NULL);
    snprintf(said, sizeof said, "%.*s", (int)len, t);
    CHECK_HAS(said, text);
}

/* -- refused ------------------------------------------------------------------------------------------------------------------------- */
static leat_err refused(const struct open *all, size_t n, leat_err want, const char *text)
{
    static struct peer p;
    struct pair x = served();
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&p, leat_node_url(x.a), 7);
        for (uint64_t i = 0; i < n; i++) {
            say_open(&p, 2 * i + 3, &all[i]);
            answered(&p, 2 * i + 3, want, text);
        }
        CHECK_EQ(at_load(&ran), 0);
        say_open(&p, 99, &(struct open){ CALL, "calc.twice", &num_type, &num_type, 0, NULL, NULL, 0 });
        answered(&p, 99, LEAT_OK, "");               /* the session goes on */
        CHECK_EQ(at_load(&ran), 1);
        peer_hang_up(&p);
    }
    pair_close(&x);
    return LEAT_OK;
}

/* leat_call_once asks for no such thing; another program may. */
static leat_err keyed_ends(leat_none *none)
{
    static const struct open all[] = { { KEYED, "calc.end", &ends_type, &num_type, 0, "a", NULL, 0 },
        { KEYED, "calc.give", &num_type, &ends_type, 0, "b", NULL, 0 } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_INVAL, "has ends of channels, which are not kept for a key");
}
ANYWHERE(a_key_for_values_with_ends_is_refused_by_who_would_keep_them, keyed_ends)

static leat_err no_method(leat_none *none)
{
    static const struct open all[] = { { CALL, "job", &num_type, &num_type, 0, NULL, NULL, 0 },
        { KEYED, "job", &num_type, &num_type, 0, "a", NULL, 0 }, { DEALT, "job", &num_type, &num_type, 1, NULL, NULL, 0 },
        { CALL, "calc.thrice", &num_type, &num_type, 0, NULL, NULL, 0 } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_REFUSED, "serves no method");
}
ANYWHERE(a_function_that_is_called_as_a_method_is_refused, no_method)

static leat_err no_function(leat_none *none)
{
    static const struct open all[] = { { TASK, "calc.twice", &num_type, NULL, 0, NULL, NULL, 0 },
        { TASK, "jobs", &num_type, NULL, 0, NULL, NULL, 0 } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_REFUSED, "exposes no function");
}
ANYWHERE(a_method_that_is_started_as_a_task_is_refused, no_function)

/* -- what is no OPEN ----------------------------------------------------------------------------------------------------------------- */
static leat_err malformed(leat_none *none)
{
    static const struct open all[] = {
        { TASK | KEYED, "job", &num_type, NULL, 0, "a", NULL, 0 },                   /* what a task returns is not kept */
        { TASK | DEALT, "job", &num_type, NULL, 1, NULL, NULL, 0 },
        { KEYED, "calc.twice", &num_type, &num_type, 0, "", NULL, 0 },
        { DEALT, "calc.twice", &num_type, &num_type, 0, NULL, NULL, 0 },             /* attempts begin with 1 */
        { DEALT, "calc.twice", &num_type, &num_type, UINT64_C(1) << 32, NULL, NULL, 0 },
        { FORM, "calc.twice", &num_type, &num_type, 0, NULL, &ends_type, 0 },        /* not the type of the argument */
        { 16, "calc.twice", &num_type, &num_type, 0, NULL, NULL, 0 },
    };
    static struct peer p;
    struct pair x = served();
    struct num out = { 0 };
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            struct peer_frame f;
            char said[200];
            peer_dial(&p, leat_node_url(x.a), 70 + i);
            say_open(&p, 3, &all[i]);
            while ((f = peer_next(&p)).kind != FRAME_DEAD)
                CHECK(f.kind != FRAME_RESULT);
            snprintf(said, sizeof said, "%.*s", (int)cur_left(&f.in), (const char *)f.in.p);
            CHECK_HAS(said, "OPEN");
            peer_hang_up(&p);
        }
        CHECK_EQ(at_load(&ran), 0);
        CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 4 }, &out), LEAT_OK);        /* nobody else has noticed */
        CHECK_EQ(out.n, 8);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_open_that_asks_for_what_there_is_not_ends_its_session, malformed)

/* -- what has not run, says leat itself -- */
static const struct open waits = { CALL, "calc.gated", &num_type, &num_type, 0, NULL, NULL, 0 },
    plain = { CALL, "calc.twice", &num_type, &num_type, 0, NULL, NULL, 0 },
    keyed = { KEYED, "calc.twice", &num_type, &num_type, 0, "a", NULL, 0 },
    other = { KEYED, "calc.twice", &num_type, &num_type, 0, "a", NULL, 1 };

static leat_err over_the_limit(leat_none *none)
{
    static struct peer p;
    struct pair x = served();
    (void)none;
    CHECK_EQ(leat_limit_service(x.a, "calc", (leat_call_limits){ 1, 0 }), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&p, leat_node_url(x.a), 7);
        say_open(&p, 3, &waits);
        say_open(&p, 5, &plain);
        answered(&p, 5, LEAT_LIMIT, "1 run and 0 wait already");
        say_open(&p, 7, &keyed);
        answered(&p, 7, LEAT_LIMIT, "1 run and 0 wait already");
        CHECK_EQ(at_load(&ran), 0);
        at_store(&gate, 1);
        answered(&p, 3, LEAT_OK, "");
        say_open(&p, 9, &keyed);                     /* as new: nothing has been kept for it */
        answered(&p, 9, LEAT_OK, "");
        CHECK_EQ(at_load(&ran), 2);
        say_open(&p, 11, &other);
        answered(&p, 11, LEAT_INVAL, "with another argument");
        say_open(&p, 13, &keyed);
        answered(&p, 13, LEAT_OK, "");
        CHECK_EQ(at_load(&ran), 2);
        peer_hang_up(&p);
    }
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(what_is_refused_at_a_limit_or_for_its_key_is_no_error_of_the_method_and_uses_no_key_up, over_the_limit)

/* -- before it runs: with one worker of the runtime, the task of a method begins when this one waits -- */
static leat_err cancel_first(leat_none *none)
{
    static struct peer p;
    struct pair x = served();
    (void)none;
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&p, leat_node_url(x.a), 7);
        say_open(&p, 3, &waits);
        PEER_SAY(&p, FRAME_CANCEL, 3, LEAT_CANCELED);
        struct peer_frame f = peer_expect(&p, FRAME_DONE);
        CHECK_EQ(cur_varint(&f.in), 3);
        peer_hang_up(&p);
    }
    pair_close(&x);
    return LEAT_OK;
}

static leat_err refuse_one(void *self, const leat_called *c, leat_next *next)
{
    (void)self;
    (void)c;
    return atomic_fetch_add(&refusals, 1) ? leat_proceed(next) : leat_fail(LEAT_REFUSED, "not this one");
}

/* A hook that was not there when the OPEN came refuses what has a place at a limit already. */
static leat_err hook_after(leat_none *none)
{
    static struct peer p;
    struct pair x = served();
    (void)none;
    CHECK_EQ(leat_limit_service(x.a, "calc", (leat_call_limits){ 1, 0 }), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        peer_dial(&p, leat_node_url(x.a), 7);
        peer_heard(&p, 3);
        lock(&x.a->lock);
        struct sess *s = x.a->sessions;
        while (s && strcmp(sess_name(s), "peer") != 0)
            s = s->next;
        unlock(&x.a->lock);
        CHECK(s != NULL);
        struct buf b = open_fields(3, &plain);
        struct cur in = cur_of(b.p, b.len);
        CHECK_EQ(serve_on_open(s, 0, &in), LEAT_OK);
        buf_free(&b);
        CHECK_EQ(leat_hook_served(x.a, refuse_one, NULL), LEAT_OK);
        struct peer_frame f = peer_expect(&p, FRAME_RESULT);
        CHECK_EQ(cur_varint(&f.in), 3);
        CHECK_EQ(cur_u8(&f.in), LEAT_REFUSED);
        say_open(&p, 5, &plain);
        answered(&p, 5, LEAT_OK, "");
        CHECK_EQ(at_load(&refusals), 2);
        peer_hang_up(&p);
    }
    pair_close(&x);
    return LEAT_OK;
}

static const leat_opts one_worker = { .log = pair_quiet, .workers = 1 };
#define ALONE(p, fn) do { at(p); CHECK_EQ(leat_run(&one_worker, fn, LEAT_NONE), LEAT_OK); } while (0)
TEST(a_method_that_is_cancelled_before_it_begins_hears_of_it_unix) { ALONE(UNIX, cancel_first); }
TEST(a_method_that_is_cancelled_before_it_begins_hears_of_it_tcp) { ALONE(TCP, cancel_first); }
TEST(who_is_refused_by_a_hook_that_came_later_gives_its_place_back_unix) { ALONE(UNIX, hook_after); }
TEST(who_is_refused_by_a_hook_that_came_later_gives_its_place_back_tcp) { ALONE(TCP, hook_after); }

T_MAIN()
