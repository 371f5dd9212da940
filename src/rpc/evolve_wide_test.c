/* evolve_wide_test.c - types that differ, and whose descriptions are too long for one frame: they go before the frame that needs them. */
#include "pair.h"
#include "peer.h"
#include "chan/chan.h"
#include "sess/ends.h"
#include "sess/sess.h"

/* narrow has fewer fields than wide, and both have descriptions of some 63 KB. */
enum { NARROW = 248, WIDE = 250, NAME_BYTES = 250, FORM_BYTES = 5 + WIDE * (NAME_BYTES + 5) };
static leat_field fields[WIDE];
static char names[WIDE][NAME_BYTES + 1];
#define OF_INTS(id, n) static const leat_type id##_type = { .name = #id, .fields = fields, .size = 8 * (n), .count = n, \
    .kind = LEAT_K_STRUCT_, .field_size = sizeof(leat_field), .align = 8 }
struct wide { int64_t at[WIDE]; };
struct narrow { int64_t at[NARROW]; };
OF_INTS(wide, WIDE);
OF_INTS(narrow, NARROW);
LEAT_STRUCT(total, (int64, n));

static void prepare(void)
{
    for (uint32_t i = 0; i < WIDE; i++) {
        memset(names[i], 'x', NAME_BYTES);
        names[i][snprintf(names[i], 8, "f%u", i)] = '_';
        fields[i] = (leat_field){ .name = names[i], .offset = 8 * i, .size = 8, .kind = LEAT_K_INT_ };
    }
}
#define WIDELY(id, fn) TEST(id##_inproc) { prepare(); AT(INPROC, fn); } TEST(id##_unix) { prepare(); AT(UNIX, fn); } \
    TEST(id##_tcp) { prepare(); AT(TCP, fn); }

static struct wide wide_of(int64_t n)
{
    struct wide v;
    for (int i = 0; i < WIDE; i++)
        v.at[i] = n + i;
    return v;
}
static struct narrow narrow_of(int64_t n)
{
    struct narrow v;
    for (int i = 0; i < NARROW; i++)
        v.at[i] = n + i;
    return v;
}

static bool is_wide(const struct wide *v, int64_t n, bool from_narrow)
{
    for (int i = 0; i < WIDE; i++)
        if (v->at[i] != (from_narrow && i >= NARROW ? 0 : n + i))
            return false;
    return true;
}
static bool is_narrow(const struct narrow *v, int64_t n)
{
    for (int i = 0; i < NARROW; i++)
        if (v->at[i] != n + i)
            return false;
    return true;
}

/* -- calls -------------------------------------------------------------------------------------------------------------------------- */
static _Atomic int64_t ran;
static leat_err widen(void *self, const struct wide *in, struct wide *out)
{
    (void)self;
    atomic_fetch_add(&ran, 1);
    *out = wide_of(in->at[0] + 1);
    return is_wide(in, in->at[0], true) ? LEAT_OK : LEAT_INVAL;
}

static const leat_method there[] = { { "a", &wide_type, &wide_type, NULL }, { "b", &wide_type, &wide_type, NULL } };
static const leat_method here[] = { { "a", &narrow_type, &narrow_type, NULL }, { "b", &narrow_type, &narrow_type, NULL } };
static void (*const functions[])(void) = { (void (*)(void))widen, (void (*)(void))widen };

struct caller { leat_peer *p; int first; };
static leat_err call_some(struct caller *c)
{
    for (int i = 0; i < 6; i++) {
        struct narrow in = narrow_of(c->first + i), out;
        LEAT_TRY(i == 4 ? leat_call_once_(c->p, "wide", &here[i & 1], &in, &out, LEAT_STRING("once"))
                        : leat_call_(c->p, "wide", &here[i & 1], &in, &out));
        CHECK(i == 4 || is_narrow(&out, c->first + i + 1));
    }
    return LEAT_OK;
}

static leat_err calls(leat_none *none)
{
    enum { CALLERS = 6 };
    struct pair x = pair_open();
    leat_err err;
    (void)none;
    at_store(&ran, 0);
    CHECK_EQ(leat_serve_(x.a, "wide", there, 2, &functions, NULL), LEAT_OK);
    for (int round = 0; round < 2; round++) {
        leat_with_group(g, err)
            for (int i = 0; i < (round ? CALLERS : 1); i++)
                CHECK_EQ(leat_go(&g, call_some, (struct caller){ x.p, 0 }), LEAT_OK);
        CHECK_EQ(err, LEAT_OK);
    }
    CHECK_EQ(at_load(&ran), 5 * (CALLERS + 1) + 1);  /* that with a key: once */
    pair_close(&x);
    return LEAT_OK;
}
WIDELY(calls_whose_descriptions_are_long_are_read_by_name, calls)

/* Before anything is known of the types, by many at once: no form is taken for another's. */
static leat_err calls_at_once(leat_none *none)
{
    enum { CALLERS = 8 };
    struct pair x = pair_open();
    leat_err err;
    (void)none;
    CHECK_EQ(leat_serve_(x.a, "wide", there, 2, &functions, NULL), LEAT_OK);
    leat_with_group(g, err)
        for (int i = 0; i < CALLERS; i++)
            CHECK_EQ(leat_go(&g, call_some, (struct caller){ x.p, 100 }), LEAT_OK);
    CHECK_EQ(err, LEAT_OK);
    pair_close(&x);
    return LEAT_OK;
}
WIDELY(long_descriptions_of_many_calls_at_once_are_told_apart, calls_at_once)

/* -- channels --------------------------------------------------------------------------------------------------------------------- */
static leat_err channels(leat_none *none)
{
    struct pair x = pair_open();
    (void)none;
    for (uint32_t cap = 1; cap < 3; cap++) {
        leat_chan_ *w = leat_chan_make_(sizeof(struct wide), cap), *n = leat_chan_make_(sizeof(struct narrow), cap);
        leat_chan_ *out = NULL, *in = NULL;
        struct narrow sent = narrow_of(7);
        struct wide got;
        CHECK_EQ(leat_export_(x.a, "to", w, 1, &wide_type), LEAT_OK);
        CHECK_EQ(leat_import_(x.p, "to", &out, 1, &narrow_type, cap), LEAT_OK);
        CHECK_EQ(leat_send_(out, &sent), LEAT_OK);
        CHECK_EQ(leat_recv_(w, &got), LEAT_OK);
        CHECK(is_wide(&got, 7, true));
        CHECK_EQ(leat_send_(n, &sent), LEAT_OK);     /* queued, and it moves */
        CHECK_EQ(leat_export_(x.a, "from", n, 0, &narrow_type), LEAT_OK);
        CHECK_EQ(leat_import_(x.p, "from", &in, 0, &wide_type, 0), LEAT_OK);
        CHECK_EQ(leat_recv_(in, &got), LEAT_OK);
        CHECK(is_wide(&got, 7, true));
        leat_unexport(x.a, "to");
        leat_unexport(x.a, "from");
        leat_unref_end_(out, LEAT_TX_END_);
        leat_unref_end_(in, LEAT_RX_END_);
        leat_unref_(w);
        leat_unref_(n);
    }
    pair_close(&x);
    return LEAT_OK;
}
WIDELY(channels_whose_descriptions_are_long_are_read_by_name, channels)

/* -- tasks, and ends inside values ---------------------------------------------------------------------------------------------------- */
static const leat_field narrow_end = { .name = "out", .size = sizeof(void *), .kind = LEAT_K_TX_, .type = &narrow_type };
static const leat_field wide_end = { .name = "out", .size = sizeof(void *), .kind = LEAT_K_TX_, .type = &wide_type };
static const leat_type gives_narrow_type = { .name = "gives_narrow", .fields = &narrow_end, .size = sizeof(void *), .count = 1,
    .kind = LEAT_K_STRUCT_, .field_size = sizeof(leat_field), .align = _Alignof(void *) };
static const leat_type gives_wide_type = { .name = "gives_wide", .fields = &wide_end, .size = sizeof(void *), .count = 1,
    .kind = LEAT_K_STRUCT_, .field_size = sizeof(leat_field), .align = _Alignof(void *) };

static leat_err use_end(leat_chan_ **out)
{
    struct narrow v = narrow_of(-9);
    return leat_send_(*out, &v);
}
static leat_err take_wide(struct wide *v)
{
    atomic_fetch_add(&ran, 1);
    return is_wide(v, 3, true) ? LEAT_OK : LEAT_INVAL;
}

static leat_err tasks(leat_none *none)
{
    struct pair x = pair_open();
    leat_chan_ *c = leat_chan_make_(sizeof(struct wide), 1);
    struct narrow v = narrow_of(3);
    struct wide got;
    leat_err err;
    (void)none;
    at_store(&ran, 0);
    CHECK_EQ(leat_expose_(x.a, "take", (leat_fn_ *)(void (*)(void))take_wide, &wide_type), LEAT_OK);
    CHECK_EQ(leat_expose_(x.a, "use", (leat_fn_ *)(void (*)(void))use_end, &gives_narrow_type), LEAT_OK);
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++)
            CHECK_EQ(leat_go_on_(&g, x.p, "take", &narrow_type, &v), LEAT_OK);
        for (int i = 0; i < 3; i++) {
            leat_chan_ *end = leat_ref_(c, LEAT_TX_END_);
            CHECK_EQ(leat_go_on_(&g, x.p, "use", &gives_wide_type, &end), LEAT_OK);
            CHECK_EQ(leat_recv_(c, &got), LEAT_OK);
            CHECK(is_wide(&got, -9, true));
        }
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(at_load(&ran), 3);
    leat_unref_(c);
    pair_close(&x);
    return LEAT_OK;
}
WIDELY(tasks_and_ends_whose_descriptions_are_long_are_read_by_name, tasks)

/* -- by hand --------------------------------------------------------------------------------------------------------------------------- */
static struct peer hand;
static leat_chan_ *marks;

static leat_node *node_a(uint16_t minor)
{
    leat_node *n;
    marks = leat_chan_make_(sizeof(struct wide), 1);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "node a" }, &n), LEAT_OK);
    CHECK_EQ(leat_node_listen(n, url), LEAT_OK);
    CHECK_EQ(leat_export_(n, "to", marks, 1, &wide_type), LEAT_OK);
    CHECK_EQ(leat_serve_(n, "wide", there, 2, &functions, NULL), LEAT_OK);
    peer_minor = minor;
    peer_dial(&hand, leat_node_url(n), 1);
    return n;
}

static void done_with(leat_node *n)
{
    peer_hang_up(&hand);
    leat_node_close(n);
    leat_unref_(marks);
}

static void ask(uint8_t kind, uint64_t id)           /* for an end, or for a call, of another type than the node has */
{
    static const uint8_t other[16] = { 1 };
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, kind == FRAME_ATTACH);
    if (kind == FRAME_OPEN) {
        buf_text(&b, "wide.a", 6);
        buf_u64(&b, UINT64_MAX);
    }
    buf_put(&b, other, 16);
    if (kind == FRAME_ATTACH)
        buf_text(&b, "to", 2);
    if (kind == FRAME_OPEN) {
        buf_put(&b, other, 16);
        buf_varint(&b, 0);
    }
    peer_send(&hand, kind, 0, &b);
    buf_free(&b);
}

/* The frame that refuses: its reason.  went_before: where its form would be there is a 0. */
static void refusal(uint8_t kind, uint64_t id, char *why, size_t cap, bool went_before)
{
    struct peer_frame f = peer_expect(&hand, kind);
    size_t len;
    CHECK_EQ(cur_varint(&f.in), id);
    CHECK_EQ(cur_u8(&f.in), LEAT_TYPE);
    if (kind == FRAME_RESULT)
        CHECK_EQ(cur_u8(&f.in), 0);
    const char *text = cur_text(&f.in, &len);
    CHECK(text && len < cap);
    memcpy(why, text, len);
    why[len] = 0;
    text = cur_text(&f.in, &len);
    CHECK(text && len == went_before && !(len && *text) && cur_left(&f.in) == 0);
}

static void whole_form(void)
{
    size_t got = 0;
    bool more = true;
    struct cur form;
    CHECK_EQ(type_form(&wide_type, &form), LEAT_OK);
    while (more) {
        struct peer_frame f = peer_expect(&hand, FRAME_FORM);
        more = f.flags & FRAME_MORE;
        CHECK(cur_left(&f.in) == LIMIT_FRAME_CUT || !more);
        const uint8_t *part = cur_take(&form, cur_left(&f.in));
        CHECK(part);
        CHECK_MEM(part, f.in.p, cur_left(&f.in));
        got += cur_left(&f.in);
    }
    CHECK(got == FORM_BYTES && cur_done(&form));
}

/* What a peer of version 1.3 sees: pieces of 16 KiB, then the frame with a 0 where the form would be. */
static leat_err pieces(leat_none *none)
{
    char why[400];
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        leat_node *n = node_a(3);
        ask(FRAME_ATTACH, 3);
        whole_form();
        refusal(FRAME_ATTACHED, 3, why, sizeof why, true);
        CHECK_STR(why, "'to' carries another type, wide");
        ask(FRAME_OPEN, 5);
        whole_form();
        refusal(FRAME_RESULT, 5, why, sizeof why, true);
        CHECK_STR(why, "argument of 'wide.a' is of another type");
        done_with(n);
    }
    return LEAT_OK;
}
WIDELY(a_long_description_goes_in_pieces_before_its_frame, pieces)

static leat_err older(leat_none *none)
{
    char why[400];
    (void)none;
    leat_with_deadline(LEAT_S(50)) {
        leat_node *n = node_a(2);
        ask(FRAME_ATTACH, 3);
        refusal(FRAME_ATTACHED, 3, why, sizeof why, false);
        CHECK_HAS(why, "'to' carries another type, wide: the description of wide has 63755 bytes, and the version of peer");
        CHECK_HAS(why, "cannot be told one of over 32768");
        ask(FRAME_OPEN, 5);
        refusal(FRAME_RESULT, 5, why, sizeof why, false);
        CHECK_HAS(why, "argument of 'wide.a' is of another type: the description of wide has 63755 bytes, and the version of peer");
        done_with(n);
    }
    return LEAT_OK;
}
WIDELY(to_an_older_peer_a_long_description_is_named_with_its_limit, older)

/* What a peer says instead; the reason that it is told. */
struct bad { const char *about; uint16_t minor; size_t bytes; int times; bool used; const char *why; };
static const struct bad bad[] = {
    { "FORM in version 1.2", 2, 10, 1, false, "FORM" },
    { "a form of more than 64 KiB", 3, 60000, 2, false, "65536" },
    { "a form that is not there", 3, 0, 0, true, "OPEN" },
    { "a form that goes on", 3, 10, 1, true, "OPEN" },
};

static leat_err badly(leat_none *none)
{
    static uint8_t bytes[60000];
    (void)none;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        leat_with_deadline(LEAT_S(50)) {
            leat_node *n = node_a(bad[i].minor);
            struct buf b = { 0 };
            struct peer_frame f;
            buf_put(&b, bytes, bad[i].bytes);
            for (int k = 0; k < bad[i].times; k++)
                peer_send(&hand, FRAME_FORM, FRAME_MORE, &b);
            buf_reset(&b);
            buf_varint(&b, 3);
            buf_u8(&b, 8);
            buf_text(&b, "wide.a", 6);
            buf_u64(&b, UINT64_MAX);
            buf_put(&b, bytes, 32);
            buf_varint(&b, 0);
            buf_text(&b, "", 1);
            if (bad[i].used)
                peer_send(&hand, FRAME_OPEN, 0, &b);
            buf_free(&b);
            while ((f = peer_next(&hand)).kind != FRAME_DEAD)
                continue;
            if (!memmem(f.in.p, cur_left(&f.in), bad[i].why, strlen(bad[i].why)))
                t_fail(__FILE__, __LINE__, "%s: %.*s", bad[i].about, (int)cur_left(&f.in), (const char *)f.in.p);
            done_with(n);
        }
    return LEAT_OK;
}
WIDELY(a_description_that_is_too_long_or_not_there_ends_the_session, badly)

T_MAIN()
