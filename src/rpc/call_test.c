/* call_test.c - calls with keys, futures, hooks and limits, between nodes of one process. */
#include "pair.h"
#include "rpc/calls.h"
#include "base/limits.h"
#include "chan/chan.h"
#include "sess/sess.h"

LEAT_STRUCT(num, (uint64, n));
LEAT_STRUCT(text, (string, text));
LEAT_STRUCT(ends, (tx(num), out));
LEAT_SERVICE(calc, (twice, num, num), (gated, num, num), (fail, num, num), (big, num, text), (echo, text, text), (end, ends, num));
LEAT_SERVICE(more, (twice, num, num));

static _Atomic uint32_t ran, gate, inside, most, canceled;

static leat_err calc_twice(void *self, const struct num *in, struct num *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    out->n = in->n * 2;
    return LEAT_OK;
}

/* Waits until the gate is open. */
static leat_err calc_gated(void *self, const struct num *in, struct num *out)
{
    uint32_t now = atomic_fetch_add(&inside, 1) + 1, seen = at_load(&most);
    leat_err err = LEAT_OK;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        continue;
    while (!at_load(&gate) && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    if (err != LEAT_OK)
        atomic_fetch_add(&canceled, 1);
    atomic_fetch_sub(&inside, 1);
    return err == LEAT_OK ? calc_twice(self, in, out) : err;
}

static leat_err calc_fail(void *self, const struct num *in, struct num *out)
{
    (void)self;
    (void)out;
    atomic_fetch_add(&ran, 1);
    return leat_fail((leat_err)in->n, "no luck with %d", (int)in->n);
}

static leat_err calc_big(void *self, const struct num *in, struct text *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    char *p = malloc(in->n);
    memset(p, 'x', in->n);
    leat_err err = leat_string_dup(p, in->n, &out->text);
    free(p);
    return err;
}

static leat_err calc_echo(void *self, const struct text *in, struct text *out)
{
    (void)self;
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}

static leat_err calc_end(void *self, const struct ends *in, struct num *out) { (void)self; (void)in; (void)out; return LEAT_OK; }
static const struct calc_impl calc = { calc_twice, calc_gated, calc_fail, calc_big, calc_echo, calc_end };
static const struct more_impl more = { calc_twice };

static struct pair served(void)
{
    struct pair x = pair_open();
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, more, &more, NULL), LEAT_OK);
    return x;
}

static void until(_Atomic uint32_t *what, uint32_t n)
{
    while (at_load(what) < n)
        leat_ignore(leat_sleep(LEAT_MS(1)));
}

/* -- keys --------------------------------------------------------------------------------------------------------------------------- */
static leat_err keys(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out = { 0 };
    for (uint64_t i = 0; i < 20; i++) {
        CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 4 }, &out, LEAT_STRING("a")), LEAT_OK);
        CHECK_EQ(out.n, 8);
    }
    CHECK_EQ(at_load(&ran), 1);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 5 }, &out, LEAT_STRING("b")), LEAT_OK);
    CHECK_EQ(leat_call_once(x.p, more, twice, &(struct num){ 6 }, &out, LEAT_STRING("a")), LEAT_OK);         /* of another method */
    CHECK_EQ(out.n, 12);
    CHECK_EQ(at_load(&ran), 3);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 5 }, &out, LEAT_STRING("a")), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "with another argument");
    for (int i = 0; i < 2; i++) {                    /* an error is kept as well, with its detail */
        CHECK_EQ(leat_call_once(x.p, calc, fail, &(struct num){ LEAT_LIMIT }, &out, LEAT_STRING("c")), LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "node a");
        CHECK_HAS(leat_err_detail(), "no luck with 7");
    }
    CHECK_EQ(at_load(&ran), 4);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_call_with_a_key_runs_once, keys)

static leat_err bad_keys(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out = { 0 };
    struct text big = { 0 };
    char *key = calloc(LIMIT_KEY + 1, 1);
    struct ends e = { NULL };
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 4 }, &out, leat_string_view(key, 0)), LEAT_INVAL);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 4 }, &out, leat_string_view(key, LIMIT_KEY + 1)), LEAT_INVAL);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 4 }, &out, leat_string_view(key, LIMIT_KEY)), LEAT_OK);
    CHECK_EQ(leat_call_once(x.p, calc, end, &e, &out, LEAT_STRING("a")), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "ends of channels");
    CHECK_EQ(leat_call_once(NULL, calc, twice, &(struct num){ 4 }, &out, LEAT_STRING("a")), LEAT_INVAL);
    at_store(&ran, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(leat_call_once(x.p, calc, big, &(struct num){ LIMIT_KEPT_RESULT - 100 }, &big, LEAT_STRING("a")), LEAT_OK);
        CHECK_EQ(big.text.len, LIMIT_KEPT_RESULT - 100);
        leat_drop(text, &big);
        CHECK_EQ(leat_call_once(x.p, calc, big, &(struct num){ LIMIT_KEPT_RESULT + 1 }, &big, LEAT_STRING("b")), LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "it has run");
    }
    CHECK_EQ(at_load(&ran), 2);
    free(key);
    CHECK_EQ(leat_node_close(x.a), LEAT_OK);
    leat_ignore(leat_peer_wait(x.p));
    CHECK_EQ(leat_call_once(x.p, calc, end, &e, &out, LEAT_STRING("a")), LEAT_INVAL);    /* nobody there has to say so */
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 4 }, &out, LEAT_STRING("a")), LEAT_PEER_LOST);
    CHECK_EQ(leat_node_close(x.b), LEAT_OK);
    return LEAT_OK;
}
ANYWHERE(a_key_that_cannot_be_kept_is_an_error, bad_keys)

struct one { leat_peer *p; uint64_t n; leat_err *err; };

static leat_err call_gated(struct one *o)
{
    struct num out = { 0 };
    *o->err = leat_call_once(o->p, calc, gated, &(struct num){ o->n }, &out, LEAT_STRING("gated"));
    if (*o->err == LEAT_OK)
        CHECK_EQ(out.n, 2 * o->n);
    return LEAT_OK;
}

static leat_err repeats_wait(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_err err, each[5];
    leat_with_group(g, err) {
        for (int i = 0; i < 5; i++)
            LEAT_TRY(leat_go(&g, call_gated, (struct one){ x.p, 3, &each[i] }));
        until(&inside, 1);
        LEAT_TRY(leat_sleep(LEAT_MS(10)));
        CHECK_EQ(at_load(&inside), 1);
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(each[i], LEAT_OK);
    CHECK_EQ(at_load(&ran), 1);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_repeat_waits_for_the_first_while_that_runs, repeats_wait)

/* What nobody can tell is told by the repeat: after a deadline, and over a new session after the loss of the first. */
static leat_err unknown(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_err err, first = LEAT_OK, second = LEAT_OK;
    leat_peer *again;
    for (int64_t ms = 20; first == LEAT_OK || first == LEAT_DEADLINE; ms *= 2)      /* DEADLINE: it was not even sent */
        leat_with_deadline(LEAT_MS(ms))
            CHECK_EQ(call_gated(&(struct one){ x.p, 9, &first }), LEAT_OK);
    CHECK_EQ(first, LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_DEADLINE);
    until(&inside, 1);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, call_gated, (struct one){ x.p, 9, &first }));
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
        CHECK_EQ(at_load(&inside), 1);
        sess_break(sess_of(x.p), LEAT_SYS, "the test cuts it");
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK(first == LEAT_UNKNOWN || first == LEAT_PEER_LOST);
    LEAT_TRY(leat_sleep(LEAT_MS(20)));               /* a cancel would have come by now */
    CHECK_EQ(at_load(&inside), 1);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &again), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, call_gated, (struct one){ again, 9, &second }));
        LEAT_TRY(leat_sleep(LEAT_MS(5)));
        at_store(&gate, 1);
    }
    CHECK_EQ(second, LEAT_OK);
    CHECK_EQ(at_load(&ran), 1);
    CHECK_EQ(at_load(&canceled), 0);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(an_unknown_call_with_a_key_is_repeated_safely, unknown)

/* So a node has room for the keys of hundreds of calls in each second of the time that it keeps them. */
static leat_err small(leat_none *none)
{
    enum { N = 1000, EACH = 512 };
    (void)none;
    struct pair x = served();
    struct num out;
    struct keeper *k = exposures_of(x.a)->keeper;
    for (uint64_t i = 0; i < N; i++)
        CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ i }, &out, leat_string_view((const char *)&i, sizeof i)), LEAT_OK);
    lock(&k->lock);
    size_t bytes = k->bytes;
    unlock(&k->lock);
    CHECK(bytes > 0 && bytes <= N * EACH);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_key_with_a_small_result_takes_little_of_the_room_for_keys, small)

/* A node keeps what fits, and refuses a new key while it does not; what it keeps has its time. */
static leat_err bounded(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct text big = { 0 };
    struct num out;
    uint64_t i = 0;
    leat_err err;
    for (;; i++) {
        char key[20];
        snprintf(key, sizeof key, "%d", (int)i);
        err = leat_call_once(x.p, calc, big, &(struct num){ LIMIT_KEPT_RESULT - 100 }, &big, leat_string_of(key));
        if (err != LEAT_OK)
            break;
        leat_drop(text, &big);
    }
    CHECK_EQ(err, LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "no room for another key");
    CHECK(i > 150 && i <= LIMIT_KEPT_BYTES / (LIMIT_KEPT_RESULT - 100));
    CHECK_EQ(at_load(&ran), i);
    CHECK_EQ(leat_call_once(x.p, calc, big, &(struct num){ LIMIT_KEPT_RESULT - 100 }, &big, LEAT_STRING("7")), LEAT_OK);
    leat_drop(text, &big);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 1 }, &out), LEAT_OK);
    LEAT_TRY(leat_sleep(LEAT_S(LIMIT_KEPT_S + 1)));  /* of a virtual clock */
    at_store(&ran, 0);
    CHECK_EQ(leat_call_once(x.p, calc, big, &(struct num){ 10 }, &big, LEAT_STRING("7")), LEAT_OK);          /* as new */
    leat_drop(text, &big);
    CHECK_EQ(at_load(&ran), 1);
    pair_close(&x);
    return LEAT_OK;
}
TEST(what_is_kept_for_keys_is_bounded_in_bytes_and_time)
{
    setenv("LEAT_SIM", "seed=1,nodes=1,faults=none", 1);
    AT(INPROC, bounded);
}

/* While it runs each counts as the largest that there may be; there would be room for 250 of those. */
static leat_err many_kept(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out;
    for (uint64_t again = 0; again < 2; again++)
        for (uint64_t i = 0; i < 600; i++) {
            char key[20];
            snprintf(key, sizeof key, "%d", (int)i);
            CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ i }, &out, leat_string_of(key)), LEAT_OK);
            CHECK_EQ(out.n, 2 * i);
        }
    CHECK_EQ(at_load(&ran), 600);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(many_small_results_are_kept_for_their_keys, many_kept)

/* -- futures -------------------------------------------------------------------------------------------------------------------------- */
static leat_err futures(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_rx(struct num_reply) slow = NULL, fast = NULL, bad = NULL;
    leat_rx(struct text_reply) text = NULL, unheard = NULL;
    struct num_reply r;
    struct text_reply t;
    leat_err err, e = LEAT_OK;
    leat_with_group(g, err) {
        LEAT_TRY(leat_call_async(&g, x.p, calc, gated, &(struct num){ 1 }, &slow));
        LEAT_TRY(leat_call_async(&g, x.p, calc, twice, &(struct num){ 21 }, &fast));
        LEAT_TRY(leat_call_async(&g, x.p, calc, fail, &(struct num){ LEAT_LIMIT }, &bad));
        LEAT_TRY(leat_call_async(&g, x.p, calc, echo, (&(struct text){ LEAT_STRING("hello") }), &text));
        LEAT_TRY(leat_call_async(&g, x.p, calc, echo, (&(struct text){ LEAT_STRING("who?") }), &unheard));
        leat_unref(unheard);
        leat_select(e) {                             /* whichever is there: only one can be */
            leat_on_recv(slow, &r) { CHECK(false); }
            leat_on_recv(fast, &r) { CHECK_EQ(r.value.n, 42); }
        }
        CHECK_EQ(e, LEAT_OK);
        CHECK_EQ(leat_recv(bad, &r), LEAT_OK);
        CHECK_EQ(leat_reply_err(&r.reply), LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "no luck with 7");
        CHECK_EQ(leat_recv(text, &t), LEAT_OK);
        CHECK_EQ(leat_reply_err(&t.reply), LEAT_OK);
        CHECK_EQ(t.value.text.len, 5);
        CHECK_MEM(t.value.text.p, "hello", 5);
        leat_drop(text, &t.value);
        CHECK_EQ(leat_recv(text, &t), LEAT_CLOSED);  /* once */
        at_store(&gate, 1);
        CHECK_EQ(leat_recv(slow, &r), LEAT_OK);
        CHECK_EQ(r.value.n, 2);
    }
    CHECK_EQ(err, LEAT_OK);
    leat_unref(slow);
    leat_unref(fast);
    leat_unref(bad);
    leat_unref(text);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_select_waits_for_several_calls, futures)

static leat_err future_canceled(leat_none *none)
{
    (void)none;
    struct pair x = served();
    leat_rx(struct num_reply) slow = NULL;
    struct num_reply r;
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_call_async(&g, x.p, calc, gated, &(struct num){ 1 }, &slow));
        until(&inside, 1);
        leat_group_cancel(&g);
    }
    CHECK_EQ(leat_recv(slow, &r), LEAT_OK);          /* the group has ended, and the reply says how */
    CHECK_EQ(leat_reply_err(&r.reply), LEAT_UNKNOWN);
    CHECK_EQ(leat_err_why(), LEAT_CANCELED);
    until(&canceled, 1);
    leat_unref(slow);
    CHECK_EQ(leat_call_async(NULL, NULL, calc, gated, &(struct num){ 1 }, &slow), LEAT_INVAL);
    CHECK(slow == NULL);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(the_cancel_of_a_group_ends_its_futures, future_canceled)

/* -- hooks ----------------------------------------------------------------------------------------------------------------------- */
static char said[400];
static _Atomic uint32_t said_lock;

static void say(const char *fmt, const char *a, const char *b)
{
    lock(&said_lock);
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, fmt, a, b);
    unlock(&said_lock);
}

static leat_err hook(void *self, const leat_called *c, leat_next *next)
{
    const char *name = self;
    say("%s>%s ", name, c->name);
    leat_err err = leat_proceed(next);
    say("%s<%s ", name, leat_err_name(err));
    return err;
}

static leat_err method_says(void *self, const struct num *in, struct num *out)
{
    say("%s%s ", "runs", "");
    return calc_twice(self, in, out);
}

static leat_err task_says(struct num *n) { (void)n; say("%s%s ", "runs", ""); return LEAT_OK; }

/* The words of `want` are in what was said, one after the other, with others between them. */
static void in_order(const char *want)
{
    const char *at = said;
    char word[40];
    for (int n; sscanf(want, "%39s%n", word, &n) == 1; want += n) {
        at = strstr(at, word);
        if (!at)
            t_fail(__FILE__, __LINE__, "no %s in its place in \"%s\"", word, said);
        at += strlen(word);
    }
}

static leat_err hooks(leat_none *none)
{
    (void)none;
    static const struct more_impl says = { method_says };
    struct pair x = pair_open();
    struct num out = { 0 };
    leat_err err;
    CHECK_EQ(leat_serve(x.a, more, &says, NULL), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, task_says, num), LEAT_OK);
    CHECK_EQ(leat_hook_calls(x.b, hook, "outer"), LEAT_OK);
    CHECK_EQ(leat_hook_calls(x.b, hook, "mid"), LEAT_OK);
    CHECK_EQ(leat_hook_calls(x.b, hook, "inner"), LEAT_OK);
    CHECK_EQ(leat_hook_served(x.a, hook, "OUTER"), LEAT_OK);
    CHECK_EQ(leat_hook_served(x.a, hook, "INNER"), LEAT_OK);
    CHECK_EQ(leat_call(x.p, more, twice, &(struct num){ 4 }, &out), LEAT_OK);
    CHECK_EQ(out.n, 8);
    CHECK_STR(said, "outer>more.twice mid>more.twice inner>more.twice OUTER>more.twice INNER>more.twice runs "
        "INNER<OK OUTER<OK inner<OK mid<OK outer<OK ");
    said[0] = 0;
    leat_with_group(g, err)
        LEAT_TRY(leat_go_on(&g, x.p, task_says, num, { 1 }));
    CHECK_EQ(err, LEAT_OK);
    CHECK(strncmp(said, "outer>task_says mid>task_says inner>task_says ", 46) == 0);
    in_order("inner<OK mid<OK outer<OK ");           /* the start, which does not wait for the task */
    in_order("OUTER>task_says INNER>task_says runs INNER<OK OUTER<OK ");
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(hooks_are_around_calls_on_both_sides_the_first_outermost, hooks)

/* Refuses what is over 10, sees keys, goes on twice where it is told to. */
static leat_err guard(void *self, const leat_called *c, leat_next *next)
{
    const struct num *in = c->in;
    (void)self;
    CHECK_STR(leat_peer_name(c->peer), "node b");
    CHECK(c->dealt == NULL);
    if (in->n > 10)
        return leat_fail(LEAT_REFUSED, "%d is too much", (int)in->n);
    leat_err err = leat_proceed(next);
    if (in->n == 9) {
        CHECK_EQ(c->key.len, 3);
        CHECK_MEM(c->key.p, "key", 3);
    }
    return in->n == 10 ? leat_proceed(next) : err;
}

static leat_err no_answer(void *self, const leat_called *c, leat_next *next)
{
    (void)self;
    (void)c;
    (void)next;
    return leat_fail(LEAT_REFUSED, "not from here");
}

static leat_err refusals(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out = { 0 };
    CHECK_EQ(leat_hook_served(x.a, guard, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 11 }, &out), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "11 is too much");
    CHECK_EQ(at_load(&ran), 0);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 10 }, &out), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "the second time");
    CHECK_EQ(at_load(&ran), 1);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 9 }, &out, LEAT_STRING("key")), LEAT_OK);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 12 }, &out, LEAT_STRING("new")), LEAT_REFUSED);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 8 }, &out, LEAT_STRING("new")), LEAT_OK);       /* refused: not used */
    CHECK_EQ(leat_hook_calls(x.b, no_answer, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 1 }, &out), LEAT_REFUSED);
    CHECK_STR(leat_err_detail(), "not from here");
    CHECK_EQ(leat_hook_calls(x.b, NULL, NULL), LEAT_INVAL);
    CHECK_EQ(leat_hook_served(NULL, guard, NULL), LEAT_INVAL);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_hook_refuses_and_goes_on_once, refusals)

/* OK without going on, or of what has failed. */
static leat_err all_is_well(void *self, const leat_called *c, leat_next *next)
{
    (void)self;
    if (((const struct num *)c->in)->n > 0)
        leat_ignore(leat_proceed(next));
    return LEAT_OK;
}

static leat_err oks(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out = { 7 };
    CHECK_EQ(leat_hook_calls(x.b, all_is_well, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 0 }, &out), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "did not go on");
    CHECK_EQ(leat_call(x.p, calc, fail, &(struct num){ LEAT_LIMIT }, &out), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "there is no result");
    CHECK_EQ(out.n, 7);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 2 }, &out), LEAT_OK);
    CHECK_EQ(out.n, 4);
    pair_close(&x);
    at_store(&ran, 0);
    x = served();
    CHECK_EQ(leat_hook_served(x.a, all_is_well, NULL), LEAT_OK);
    CHECK_EQ(leat_call(x.p, calc, twice, &(struct num){ 0 }, &out), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "did not go on");
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 0 }, &out, LEAT_STRING("key")), LEAT_INVAL);
    CHECK_EQ(at_load(&ran), 0);
    CHECK_EQ(leat_call_once(x.p, calc, twice, &(struct num){ 2 }, &out, LEAT_STRING("key")), LEAT_OK);     /* it was not used up */
    CHECK_EQ(out.n, 4);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_hook_does_not_say_ok_of_what_has_not_run, oks)

LEAT_STRUCT(errand, (string, text), (tx(num), out));
static leat_err errand_task(struct errand *e) { return leat_send(e->out, { e->text.len }); }

static leat_err of_tasks(void *self, const leat_called *c, leat_next *next)
{
    const struct errand *e = c->in;
    (void)self;
    CHECK(c->out == NULL && c->key.len == 0 && strcmp(c->name, "errand_task") == 0);
    if (e->text.len == 0)
        return leat_fail(LEAT_REFUSED, "nothing to do");
    if (e->text.len == 1)
        return LEAT_OK;                              /* and does not go on */
    leat_err err = leat_proceed(next);
    return e->text.len == 2 ? leat_fail(LEAT_SYS, "too late") : err;
}

static leat_err task_hooks(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_chan(struct num) c = leat_chan_make(struct num, 4);
    leat_err err;
    struct num v;
    CHECK_EQ(leat_expose(x.a, errand_task, errand), LEAT_OK);
    CHECK_EQ(leat_hook_calls(x.b, of_tasks, NULL), LEAT_OK);
    leat_with_group(g, err) {
        leat_tx(struct num) out = leat_ref(leat_tx_of(c));
        CHECK_EQ(leat_go_on(&g, x.p, errand_task, errand, { LEAT_STRING(""), out }), LEAT_REFUSED);      /* and out is still ours */
        CHECK_STR(leat_err_detail(), "nothing to do");
        CHECK_EQ(leat_go_on(&g, x.p, errand_task, errand, { LEAT_STRING("1"), out }), LEAT_INVAL);
        CHECK_EQ(leat_go_on(&g, x.p, errand_task, errand, { LEAT_STRING("22"), out }), LEAT_OK);         /* it runs, whatever was said */
        CHECK_EQ(leat_recv(c, &v), LEAT_OK);
        CHECK_EQ(v.n, 2);
    }
    CHECK_EQ(err, LEAT_OK);
    leat_finish(c);
    CHECK_EQ(leat_recv(c, &v), LEAT_CLOSED);         /* no reference was lost or given twice */
    leat_unref(c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_hook_refuses_the_start_of_a_task_and_what_it_was_given_stays, task_hooks)

/* -- limits ---------------------------------------------------------------------------------------------------------------------- */
struct caller { leat_peer *p; _Atomic uint32_t *ok, *limit; };

static leat_err caller(struct caller *c)
{
    struct num out;
    leat_err err = leat_call(c->p, calc, gated, &(struct num){ 1 }, &out);
    CHECK(err == LEAT_OK || err == LEAT_LIMIT);
    if (err == LEAT_LIMIT)
        CHECK_HAS(leat_err_detail(), "run and 3 wait already");
    atomic_fetch_add(err == LEAT_OK ? c->ok : c->limit, 1);
    return LEAT_OK;
}

/* n calls at a time, with room for `room`. */
static void crowd(leat_peer *p, uint32_t n, uint32_t running, uint32_t room)
{
    _Atomic uint32_t ok = 0, limit = 0;
    leat_err err;
    at_store(&gate, 0);
    at_store(&most, 0);
    leat_with_group(g, err) {
        for (uint32_t i = 0; i < n; i++)
            CHECK_EQ(leat_go(&g, caller, (struct caller){ p, &ok, &limit }), LEAT_OK);
        until(&limit, n - room);
        until(&inside, running);
        leat_ignore(leat_sleep(LEAT_MS(10)));
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ok), room);
    CHECK_EQ(at_load(&limit), n - room);
    CHECK_EQ(at_load(&most), running);
}

static leat_err service_limits(leat_none *none)
{
    (void)none;
    struct pair x = served();
    struct num out = { 0 };
    leat_err err = LEAT_OK, each[2] = { LEAT_UNKNOWN, LEAT_UNKNOWN };
    CHECK_EQ(leat_limit_service(x.a, "calc", (leat_call_limits){ 2, 3 }), LEAT_OK);
    CHECK_EQ(leat_limit_service(x.a, "calc", (leat_call_limits){ 2, 3 }), LEAT_INVAL);
    CHECK_EQ(leat_limit_service(x.a, "none", (leat_call_limits){ 0, 3 }), LEAT_INVAL);
    crowd(x.p, 9, 2, 5);
    at_store(&gate, 0);
    leat_with_group(g, err) {
        for (uint64_t i = 0; i < 2; i++)
            LEAT_TRY(leat_go(&g, call_gated, (struct one){ x.p, 5, &each[i] }));
        until(&inside, 1);                           /* one key: one runs */
        CHECK_EQ(leat_call(x.p, more, twice, &(struct num){ 1 }, &out), LEAT_OK);    /* another service is not concerned */
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(each[i], LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_service_runs_so_many_calls_and_refuses_who_would_wait_beyond, service_limits)

static leat_err peer_limits(leat_none *none)
{
    (void)none;
    struct pair x = { NULL, NULL, NULL };
    leat_peer *other;
    struct num out = { 0 };
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_limit_peers(x.a, (leat_call_limits){ 0, 0 }), LEAT_INVAL);
    CHECK_EQ(leat_limit_peers(x.a, (leat_call_limits){ 2, 3 }), LEAT_OK);
    CHECK_EQ(leat_serve(x.a, calc, &calc, NULL), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &other), LEAT_OK);
    crowd(x.p, 9, 2, 5);
    at_store(&gate, 0);
    leat_err err;
    leat_rx(struct num_reply) held[2] = { NULL, NULL };
    leat_with_group(g, err) {
        for (int i = 0; i < 2; i++)
            LEAT_TRY(leat_call_async(&g, x.p, calc, gated, &(struct num){ 1 }, &held[i]));
        until(&inside, 2);
        CHECK_EQ(leat_call(other, calc, twice, &(struct num){ 1 }, &out), LEAT_OK);  /* one peer does not stand in another's way */
        leat_with_deadline(LEAT_MS(10))
            CHECK(leat_call(x.p, calc, twice, &(struct num){ 1 }, &out) != LEAT_OK); /* who waits obeys its context */
        at_store(&gate, 1);
    }
    CHECK_EQ(err, LEAT_OK);
    leat_unref(held[0]);
    leat_unref(held[1]);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_peer_has_so_many_running_and_does_not_stand_in_the_way_of_another, peer_limits)

/* -- of tasks -- */
static leat_err gated_task(struct num *n)
{
    uint32_t here = atomic_fetch_add(&inside, 1) + 1, seen = at_load(&most);
    (void)n;
    while (here > seen && !atomic_compare_exchange_weak(&most, &seen, here))
        continue;
    until(&gate, 1);
    atomic_fetch_sub(&inside, 1);
    return LEAT_OK;
}

static leat_err starter(struct caller *c)
{
    leat_err err;
    leat_with_group(g, err)
        CHECK_EQ(leat_go_on(&g, c->p, gated_task, num, { 1 }), LEAT_OK);
    CHECK(err == LEAT_OK || err == LEAT_LIMIT);
    if (err == LEAT_LIMIT)
        CHECK_HAS(leat_err_detail(), "1 run and 2 wait already");
    atomic_fetch_add(err == LEAT_OK ? c->ok : c->limit, 1);
    return LEAT_OK;
}

static bool by_peer;
static leat_err task_limits(leat_none *none)
{
    (void)none;
    struct pair x = { NULL, NULL, NULL };
    _Atomic uint32_t ok = 0, limit = 0;
    leat_err all;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &x.a), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node b" }, &x.b), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, gated_task, num), LEAT_OK);
    CHECK_EQ(leat_expose(x.a, task_says, num), LEAT_OK);
    if (by_peer)
        CHECK_EQ(leat_limit_peers(x.a, (leat_call_limits){ 1, 2 }), LEAT_OK);
    else
        CHECK_EQ(leat_limit_service(x.a, "gated_task", (leat_call_limits){ 1, 2 }), LEAT_OK);
    CHECK_EQ(leat_node_listen(x.a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(x.b, leat_node_url(x.a), &x.p), LEAT_OK);
    at_store(&gate, 0);
    at_store(&most, 0);
    leat_with_group(outer, all) {
        leat_err err;
        for (int i = 0; i < 5; i++)
            CHECK_EQ(leat_go(&outer, starter, (struct caller){ x.p, &ok, &limit }), LEAT_OK);
        until(&limit, 2);                            /* so one runs, and two wait */
        leat_with_group(g, err)
            CHECK_EQ(leat_go_on(&g, x.p, task_says, num, { 5 }), LEAT_OK);
        CHECK_EQ(err, by_peer ? LEAT_LIMIT : LEAT_OK);           /* another function has no limit, the peer has */
        at_store(&gate, 1);
    }
    CHECK_EQ(all, LEAT_OK);
    CHECK_EQ(at_load(&most), 1);
    CHECK(at_load(&ok) == 3 && at_load(&limit) == 2);
    pair_close(&x);
    return LEAT_OK;
}
static leat_err task_limits_fn(leat_none *n) { by_peer = false; return task_limits(n); }
static leat_err task_limits_peer(leat_none *n) { by_peer = true; return task_limits(n); }
ANYWHERE(a_function_runs_so_many_tasks_and_refuses_who_would_wait_beyond, task_limits_fn)
ANYWHERE(a_peer_has_so_many_tasks_running, task_limits_peer)

T_MAIN()
