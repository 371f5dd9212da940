/* opens_test.c - what an OPEN may ask for, said frame by frame: what can not be asked for is refused, or ends its session: it never ran. */
#include "peer.h"
#include "rpc/calls.h"
#include "type/desc.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(ends, (tx(num), out));
LEAT_SERVICE(calc, (twice, num, num), (end, ends, num), (give, num, ends));
static _Atomic uint32_t ran;

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
static const struct calc_impl calc = { calc_twice, calc_end, calc_give };
static leat_err job(struct num *n)
{
    (void)n;
    atomic_fetch_add(&ran, 1);
    return LEAT_OK;
}

/* what: as docs/wire.md has it, of which 4 is a key, and 8 the form of the argument. */
enum { CALL = 0, TASK = 1, DEALT = 2, KEYED = 4, FORM = 8 };
struct open { uint8_t what; const char *name; const leat_type *in, *out; uint64_t attempt; const char *key; const leat_type *form; };

/* The argument is eight bytes of zeros: a num, or a longer thing that must not be looked at. */
static void say_open(struct peer *p, uint64_t id, const struct open *o)
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
    buf_put(&b, zeros, 8);
    peer_send(p, FRAME_OPEN, 0, &b);
    buf_free(&b);
}

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, job, num), LEAT_OK);
    at_store(&ran, 0);
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
        say_open(&p, 99, &(struct open){ CALL, "calc.twice", &num_type, &num_type, 0, NULL, NULL });
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
    static const struct open all[] = { { KEYED, "calc.end", &ends_type, &num_type, 0, "a", NULL },
        { KEYED, "calc.give", &num_type, &ends_type, 0, "b", NULL } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_INVAL, "has ends of channels, which are not kept for a key");
}
ANYWHERE(a_key_for_values_with_ends_is_refused_by_who_would_keep_them, keyed_ends)

static leat_err no_method(leat_none *none)
{
    static const struct open all[] = { { CALL, "job", &num_type, &num_type, 0, NULL, NULL },
        { KEYED, "job", &num_type, &num_type, 0, "a", NULL }, { DEALT, "job", &num_type, &num_type, 1, NULL, NULL },
        { CALL, "calc.thrice", &num_type, &num_type, 0, NULL, NULL } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_REFUSED, "serves no method");
}
ANYWHERE(a_function_that_is_called_as_a_method_is_refused, no_method)

static leat_err no_function(leat_none *none)
{
    static const struct open all[] = { { TASK, "calc.twice", &num_type, NULL, 0, NULL, NULL },
        { TASK, "jobs", &num_type, NULL, 0, NULL, NULL } };
    (void)none;
    return refused(all, ARRAY_LEN(all), LEAT_REFUSED, "exposes no function");
}
ANYWHERE(a_method_that_is_started_as_a_task_is_refused, no_function)

/* -- what is no OPEN ----------------------------------------------------------------------------------------------------------------- */
static leat_err malformed(leat_none *none)
{
    static const struct open all[] = {
        { TASK | KEYED, "job", &num_type, NULL, 0, "a", NULL },                   /* what a task returns is not kept */
        { TASK | DEALT, "job", &num_type, NULL, 1, NULL, NULL },
        { KEYED, "calc.twice", &num_type, &num_type, 0, "", NULL },
        { DEALT, "calc.twice", &num_type, &num_type, 0, NULL, NULL },             /* attempts begin with 1 */
        { DEALT, "calc.twice", &num_type, &num_type, UINT64_C(1) << 32, NULL, NULL },
        { FORM, "calc.twice", &num_type, &num_type, 0, NULL, &ends_type },        /* not the type of the argument */
        { 16, "calc.twice", &num_type, &num_type, 0, NULL, NULL },
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

T_MAIN()
