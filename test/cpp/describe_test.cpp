// describe_test.cpp - a program in C++ describes its structs: as C does, to the last byte, and it uses them like one in C.
#include "other.h"
#include "t.h"

static struct tree named(leat_string name)
{
    struct tree t = {};
    t.name = name;
    return t;
}

// Every kind but ends, filled in; what it owns is dropped by who has it.
static leat_err full(struct tree *t)
{
    *t = {};
    t->name = LEAT_STRING("oak");
    LEAT_TRY(leat_bytes_dup("\0\xff", 2, &t->raw));
    t->left = leat_new(tree);
    t->left->name = LEAT_STRING("left");
    LEAT_TRY(leat_push(&t->kids, named(LEAT_STRING("kid"))));
    LEAT_TRY(leat_push(&t->by_name, { LEAT_STRING("unit"), { 1.0 } }));
    LEAT_TRY(leat_push(&t->names, LEAT_STRING("x")));
    LEAT_TRY(leat_push(&t->ids, -5));
    LEAT_TRY(leat_push(&t->weights, 0.5));
    t->leaf = true;
    t->id[15] = 9;
    t->color = static_cast<enum color>(7);            // a number without a name is kept
    t->shape.which = shape_square;
    t->shape.square.side = 3;
    t->numbers = { -1, -2, -3, -4, 1, 2, 3, 4, 1.5F, 2.5, true };
    t->when = { 1700000000, 7, 3600 };
    t->took = LEAT_MS(2.5);
    t->failed.code = LEAT_REFUSED;
    t->failed.text = LEAT_STRING("no");
    return t->left->name.len == 4 ? LEAT_OK : LEAT_NOMEM;
}

TEST(descriptions_are_those_of_c)
{
#define SAME_AS_C(S) same_description(type_in_c(#S), &S##_type);
    EACH_TYPE(SAME_AS_C)
}

TEST(fingerprints_are_those_of_c)
{
#define PRINT_AS_C(S) same_fingerprint(type_in_c(#S), &S##_type);
    EACH_TYPE(PRINT_AS_C)
}

TEST(a_value_is_copied_dropped_and_is_json_both_ways)
{
    struct tree t, copy, back;
    leat_string json, again;
    CHECK_EQ(full(&t), LEAT_OK);
    CHECK_EQ(leat_dup(tree, &t, &copy), LEAT_OK);
    leat_drop(tree, &t);
    CHECK(!t.left && t.kids.len == 0);
    CHECK_EQ(leat_json_write(tree, &copy, &json), LEAT_OK);
    CHECK_EQ(leat_json_read(tree, json.p, json.len, &back), LEAT_OK);
    CHECK_EQ(leat_json_write(tree, &back, &again), LEAT_OK);
    CHECK(json.len == again.len && memcmp(json.p, again.p, json.len) == 0);
    CHECK(back.shape.which == shape_square && back.shape.square.side == 3 && back.when.offset_s == 3600);
    CHECK_EQ(back.color, 7);
    leat_drop(tree, &copy);
    leat_drop(tree, &back);
    leat_string_drop(&json);
    leat_string_drop(&again);
}

// -- Between nodes: a is of C, b of C++. --
struct both { leat_node *a, *b; leat_peer *a_of_b, *b_of_a; c_side c; };

static leat_err area(void *, const struct shape *in, struct circle *out)
{
    if (in->which != shape_circle)
        return leat_fail(LEAT_INVAL, "a shape of C++, please");
    out->r = in->circle.r * in->circle.r * 4;
    return LEAT_OK;
}
static leat_err move(void *, const POINT *in, POINT *out)
{
    *out = *in;
    return LEAT_OK;
}
static const geo_impl geo_of_cpp = { area, move };

static leat_err send_and_take(both *x)
{
    leat_auto leat_tx(tree) trees = nullptr;
    leat_auto leat_chan(tree) back = leat_chan_make(tree, 1);
    leat_chan(tree) forth = leat_chan_make(tree, 1);
    leat_auto leat_tx(tree) asks = leat_ref(leat_tx_of(forth));
    struct tree t, got;
    leat_string here, there;
    LEAT_TRY(leat_import(x->a_of_b, "trees", &trees, tree, 4));
    LEAT_TRY(full(&t));
    LEAT_TRY(leat_json_write(tree, &t, &here));
    LEAT_TRY(leat_send(trees, t));
    LEAT_TRY(c_side_take(&x->c, &there));
    CHECK(here.len == there.len && memcmp(here.p, there.p, here.len) == 0);
    leat_string_drop(&here);
    leat_string_drop(&there);
    t = {};
    t.back = leat_ref(leat_tx_of(back));
    t.forth = leat_ref(leat_rx_of(forth));
    leat_unref(forth);
    LEAT_TRY(leat_send_from(trees, &t));
    LEAT_TRY(leat_send(asks, named(LEAT_STRING("asked"))));
    LEAT_TRY(c_side_take(&x->c, &there));
    leat_string_drop(&there);
    LEAT_TRY(leat_recv(back, &got));
    CHECK(got.name.len == 5 && memcmp(got.name.p, "asked", 5) == 0);
    leat_drop(tree, &got);
    return LEAT_OK;
}

static leat_err call_both_ways(both *x)
{
    struct shape in = {};
    struct circle out = {};
    POINT p = { 3, 4 };
    in.which = shape_square;
    in.square.side = 5;
    LEAT_TRY(leat_call(x->a_of_b, geo, area, &in, &out));
    CHECK(out.r == 25);
    LEAT_TRY(leat_call_once(x->a_of_b, geo, move, &p, &p, LEAT_STRING("key")));
    CHECK(p.x == 4 && p.y == 3);
    in.which = shape_none;
    CHECK_EQ(leat_call(x->a_of_b, geo, area, &in, &out), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "no shape");
    return c_side_call(&x->c, 2);
}

static leat_err futures_tasks_and_deals(both *x)
{
    leat_auto leat_rx(circle_reply) reply = nullptr;
    leat_auto leat_chan(tree) back = leat_chan_make(tree, 1);
    leat_auto leat_chan(shape) shapes = leat_chan_make(shape, 3);
    leat_auto leat_chan(circle_reply) areas = leat_chan_make(circle_reply, 3);
    leat_auto_workers leat_workers *w = nullptr;
    struct circle_reply r;
    struct shape in = {};
    struct tree got, t = {};
    double sum = 0;
    leat_err err;
    leat_chan_owns(back, tree);
    in.which = shape_circle;
    in.circle.r = 1;
    leat_with_group(g, err) {
        LEAT_TRY(leat_call_async(&g, x->a_of_b, geo, area, &in, &reply));
        t = named(LEAT_STRING("three"));
        t.back = leat_ref(leat_tx_of(back));
        LEAT_TRY(leat_go_on(&g, x->a_of_b, tell, tree, t));
        LEAT_TRY(leat_recv(reply, &r));
        CHECK(r.reply.err == LEAT_OK && r.value.r == 3);
        LEAT_TRY(leat_recv(back, &got));
    }
    CHECK_EQ(got.ids.at[0], 5);
    leat_drop(tree, &got);
    for (in.circle.r = 0; in.circle.r < 3; in.circle.r++)
        LEAT_TRY(leat_send(shapes, in));
    leat_close(shapes);
    LEAT_TRY(leat_workers_open(x->b, &w));
    LEAT_TRY(leat_workers_add(w, x->a_of_b));
    LEAT_TRY(leat_deal(w, geo, area, leat_rx_of(shapes), leat_tx_of(areas), nullptr));
    leat_close(areas);
    leat_chan_owns(areas, circle_reply);
    leat_each(a, areas, err) {
        sum += a.value.r;
        leat_drop(circle_reply, &a);
    }
    CHECK(sum == 3 + 12);
    return err;
}

static leat_err two_languages(int *place)
{
    both x = {};
    LEAT_TRY(pair_of_nodes(*place, &x.a, &x.b, &x.a_of_b, &x.b_of_a));
    LEAT_TRY(c_side_open(&x.c, x.a, x.b_of_a));
    LEAT_TRY(leat_serve(x.b, geo, &geo_of_cpp, nullptr));
    LEAT_TRY(leat_expose(x.b, tell, tree));
    LEAT_TRY(send_and_take(&x));
    LEAT_TRY(call_both_ways(&x));
    LEAT_TRY(futures_tasks_and_deals(&x));
    leat_unref(x.c.trees);
    leat_node_close(x.b);
    leat_node_close(x.a);
    return LEAT_OK;
}

static void quiet(int, const char *) { }
static void talk(int place)
{
    leat_opts o = {};
    o.log = quiet;
    leat_err e = leat_run(&o, two_languages, place);
    CHECK_STR(e ? leat_err_detail() : "", "");
}

TEST(a_node_of_cpp_and_one_of_c_talk_inproc) { talk(0); }
TEST(a_node_of_cpp_and_one_of_c_talk_unix) { talk(1); }
TEST(a_node_of_cpp_and_one_of_c_talk_tcp) { talk(2); }

// -- Structs of other code, described beside it. --
namespace theirs {
struct sample { unsigned id; char name[8]; double value; long long at; void *driver; enum { idle, busy } state; };
}
namespace ours {
LEAT_ENUM(state, (idle, 0), (busy, 1));
LEAT_DESCRIBE_AS(sample, theirs::sample, (uint32, id, .tag = 1), (chars(8), name), (float64, value, .tag = 4, .json = "v"),
    (int64, at), (local, driver), (enum(state), state));
}

static leat_err keep(void *self, const void *p, size_t n)
{
    auto *b = static_cast<leat_bytes *>(self);
    leat_bytes all = { static_cast<uint8_t *>(realloc(const_cast<uint8_t *>(b->p), b->len + n)), uint32_t(b->len + n), 1 };
    memcpy(const_cast<uint8_t *>(all.p) + b->len, p, n);
    *b = all;
    return LEAT_OK;
}
static leat_err give(void *self, void *p, size_t cap, size_t *n)
{
    auto *b = static_cast<leat_bytes *>(self);
    *n = b->len < cap ? b->len : cap;
    memcpy(p, b->p, *n);
    b->p += *n;
    b->len -= uint32_t(*n);
    return LEAT_OK;
}

TEST(a_struct_of_other_code_is_json_and_a_record)
{
    using ours::sample_c_;
    using ours::sample_type;
    theirs::sample s = { 7, "oven", 181.5, 9, &s, theirs::sample::busy }, got;
    leat_string json;
    leat_bytes file = {}, rest;
    leat_recorder *r = nullptr;
    leat_player *p = nullptr;
    CHECK_EQ(leat_json_write(sample, &s, &json), LEAT_OK);
    const char want[] = "{\"id\":7,\"name\":\"oven\",\"v\":181.5,\"at\":9,\"state\":\"busy\"}";
    CHECK(json.len == sizeof want - 1 && memcmp(json.p, want, json.len) == 0);
    leat_string_drop(&json);
    CHECK_EQ(leat_recorder_open(keep, &file, &r), LEAT_OK);
    CHECK_EQ(leat_record(r, sample, &s), LEAT_OK);
    leat_recorder_close(r);
    rest = file;
    CHECK_EQ(leat_player_open(give, &rest, 0, &p), LEAT_OK);
    CHECK_EQ(leat_play(p, sample, &got), LEAT_OK);
    CHECK(got.id == 7 && got.at == 9 && !got.driver && got.state == theirs::sample::busy);
    CHECK_EQ(leat_play(p, sample, &got), LEAT_CLOSED);
    leat_player_close(p);
    leat_bytes_drop(&file);
}

T_MAIN()
