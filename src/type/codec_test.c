/* codec_test.c - values to bytes and back: every kind, values that cannot be sent, bytes that are no value, and no memory. */
#include "type_test.h"
#include "base/limits.h"
#include "type/plan.h"

/* encodes *v, checks that the bytes are `want` unless it is NULL, decodes them to *ret; both values stay the caller's */
static void round_trip(const leat_type *t, const void *v, void *ret, const void *want, size_t len)
{
    struct buf b = { 0 };
    buf_put(&b, "before", 6);
    CHECK_EQ(type_encode(t, v, &b, NULL), LEAT_OK);
    if (want) {
        CHECK_EQ(b.len - 6, len);
        CHECK_MEM(b.p + 6, want, len);
    }
    CHECK_MEM(b.p, "before", 6);
    uint8_t *exact = malloc(b.len);                  /* so that a checker sees a read past the end */
    memcpy(exact, b.p, b.len);
    struct cur c = cur_of(exact + 6, b.len - 6);
    memset(ret, 0x5a, t->size);
    CHECK_EQ(type_decode(t, &c, ret, NULL, NULL), LEAT_OK);
    CHECK(cur_done(&c));
    CHECK(same_value(t, v, ret));
    free(exact);
    buf_free(&b);
}
#define ROUND(S, v, ret, want) round_trip(&S##_type, v, ret, want, sizeof(want) - 1)

static leat_err decode_bytes(const leat_type *t, const void *bytes, size_t n, void *v, struct type_ends *ends)
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    struct cur c = cur_of(exact, n);
    leat_err e = type_decode(t, &c, v, ends, NULL);
    if (e != LEAT_OK) {
        CHECK(c.bad);
        for (uint32_t i = 0; i < t->size; i++)
            CHECK_EQ(((char *)v)[i], 0);             /* a failed decode leaves nothing */
    }
    free(exact);
    return e;
}

/* these bytes are no value of S, and the detail has these words */
#define REFUSED(S, bytes, words) do { S##_c_ v_; memset(&v_, 0x5a, sizeof v_); \
    CHECK_EQ(decode_bytes(&S##_type, bytes, sizeof(bytes) - 1, &v_, NULL), LEAT_TYPE); CHECK_HAS(leat_err_detail(), words); } while (0)

TEST(numbers_of_every_width_come_back_at_their_ends)
{
    struct numbers lo = { INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN, 0, 0, 0, 0, -1.5f, -1e300, false };
    struct numbers hi = { INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX, 3e38f,
        __builtin_nan(""), true };
    struct numbers got;
    ROUND(numbers, &lo, &got, "\x80" "\x00\x80" "\x00\x00\x00\x80" "\x00\x00\x00\x00\x00\x00\x00\x80" "\x00" "\x00\x00" "\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00" "\x00\x00\xc0\xbf" "\x9c\x75\x00\x88\x3c\xe4\x37\xfe" "\x00");
    CHECK(got.d == INT64_MIN && got.j == -1e300 && !got.k);
    round_trip(&numbers_type, &hi, &got, NULL, 0);
    CHECK(got.h == UINT64_MAX && got.j != got.j && got.k && got.c == INT32_MAX);
}

TEST(a_struct_without_padding_is_its_memory)
{
    struct point p = { 1, -2 }, got;
    const struct type_info *i;
    ROUND(point, &p, &got, "\x01\x00\x00\x00\xfe\xff\xff\xff");
    CHECK_MEM(&p, &got, sizeof p);
    CHECK_EQ(type_info_get(&point_type, &i), LEAT_OK);
    CHECK(i->plan->raw && i->flat);
}

TEST(padding_and_local_fields_never_reach_the_wire)
{
    struct loose l, got;
    memset(&l, 0xee, sizeof l);
    l.a = 1, l.b = 2, l.c = true, l.d = 0, l.e = 3;
    ROUND(loose, &l, &got, "\x01" "\x02\x00\x00\x00\x00\x00\x00\x00" "\x01" "\x00\x00\x00\x00" "\x03\x00");
    for (size_t i = 1; i < offsetof(struct loose, b); i++)
        CHECK_EQ(((char *)&got)[i], 0);              /* nor does the receiver's padding keep what was there */
    struct old o = { .id = 7, .name = "oven", .lock = &o, .n = -1 }, old;
    memset(o.name + 5, 'Z', sizeof o.name - 5);      /* what lies behind the NUL is nobody's business */
    ROUND(old, &o, &old, "\x07\x00\x00\x00\x00\x00\x00\x00" "\x04oven" "\x00" "\xff\xff\xff\xff\xff\xff\xff\xff");
    CHECK(old.lock == NULL && old.note == NULL);
    for (size_t i = 4; i < sizeof old.name; i++)
        CHECK_EQ(old.name[i], 0);
    leat_drop(old, &old);
}

TEST(existing_strings_tell_null_from_empty)
{
    static char text[] = "text", empty[] = "";
    struct old o = { .note = text }, got;
    ROUND(old, &o, &got, "\0\0\0\0\0\0\0\0" "\0" "\x05text" "\0\0\0\0\0\0\0\0");
    CHECK_STR(got.note, "text");
    leat_drop(old, &got);
    o.note = empty;
    ROUND(old, &o, &got, "\0\0\0\0\0\0\0\0" "\0" "\x01" "\0\0\0\0\0\0\0\0");
    CHECK_STR(got.note, "");
    leat_drop(old, &got);
}

TEST(a_string_arrives_owned_whatever_it_was)
{
    struct word w = { .text = LEAT_STRING("hello"), .times = 3 }, got;
    ROUND(word, &w, &got, "\x05hello" "\x03\0\0\0\0\0\0\0");
    CHECK(got.text.owned && got.text.p != w.text.p && got.text.len == 5);
    leat_drop(word, &got);
    CHECK(got.text.p == NULL && got.times == 0);
    w.text = (leat_string){ 0 };
    ROUND(word, &w, &got, "\0" "\x03\0\0\0\0\0\0\0");
    CHECK(got.text.p == NULL && !got.text.owned);
    char big[300];
    memset(big, 'b', sizeof big);
    w.text = leat_string_view(big, sizeof big);
    round_trip(&word_type, &w, &got, NULL, 0);
    CHECK_MEM(got.text.p, big, sizeof big);
    leat_drop(word, &got);
}

TEST(oneof_carries_the_case_it_has)
{
    struct shape s = { .which = shape_none }, got;
    ROUND(shape, &s, &got, "\0");
    CHECK_EQ(got.which, shape_none);
    s = (struct shape){ .which = shape_square, .square = { 2, LEAT_STRING("sq") } };
    ROUND(shape, &s, &got, "\x02" "\0\0\0\0\0\0\0\x40" "\x02sq");
    CHECK(got.which == shape_square && got.square.label.owned);
    leat_drop(shape, &got);
    s = (struct shape){ .which = shape_tiny, .tiny = -1 };
    ROUND(shape, &s, &got, "\x04\xff");
    CHECK_EQ(got.tiny, -1);
}

TEST(lists_maps_arrays_and_optionals_come_back)
{
    leat_string names[] = { LEAT_STRING("a"), LEAT_STRING(""), LEAT_STRING("ccc") };
    int64_t ids[] = { INT64_MIN, 0, 5 };
    struct point spot = { 3, 4 }, points[] = { { 1, 2 }, { 5, 6 } };
    struct square_entry entry[] = { { LEAT_STRING("k"), { 1.0, LEAT_STRING("v") } } };
    struct all a = { .name = LEAT_STRING("n"), .raw = { (const uint8_t *)"\0\xff", 2, 0 }, .spot = &spot, .points = { points, 2, 0 },
        .squares = { entry, 1, 0 }, .names = { names, 3, 0 }, .ids = { ids, 3, 0 }, .five = { 1, 2, 3, 4, 65535 }, .color = minus,
        .when = { -1, 999999999, -3600 }, .took = LEAT_S(2), .failed = { .code = LEAT_PEER_LOST, .text = LEAT_STRING("gone") } }, got;
    round_trip(&all_type, &a, &got, NULL, 0);
    CHECK(got.spot != &spot && got.spot->y == 4);
    CHECK(got.points.len == 2 && got.points.cap == 2 && got.points.at[1].x == 5);
    CHECK(got.squares.len == 1 && got.squares.at[0].value.side == 1.0);
    CHECK_MEM(got.squares.at[0].key.p, "k", 1);
    CHECK_MEM(got.squares.at[0].value.label.p, "v", 1);
    CHECK(got.names.at[1].p == NULL && got.names.at[2].len == 3);
    CHECK(got.ids.at[0] == INT64_MIN && got.five[4] == 65535 && got.color == minus);
    CHECK(got.when.s == -1 && got.when.ns == 999999999 && got.when.offset_s == -3600 && got.took.ns == 2000000000);
    CHECK(got.failed.code == LEAT_PEER_LOST && got.failed.text.len == 4);
    CHECK(got.weights.at == NULL && got.tree.left == NULL);
    leat_drop(all, &got);
    memset(&a, 0, sizeof a);
    round_trip(&all_type, &a, &got, NULL, 0);        /* everything empty; drop has nothing to do */
}

LEAT_STRUCT(painted, (enum(color), color));

TEST(a_number_that_no_enumerator_has_is_kept)
{
    struct painted p = { (enum color)12345 }, got;
    ROUND(painted, &p, &got, "\x39\x30\0\0");
    CHECK_EQ(got.color, 12345);
}

TEST(types_that_are_no_struct_are_values_too)
{
    leat_string s = LEAT_STRING("alone"), got;
    round_trip(&leat_string_type_, &s, &got, "\5alone", 6);
    leat_drop_(&leat_string_type_, &got);
    int64_t n = -1, m;
    round_trip(&leat_int64_type_, &n, &m, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    struct handle h = { &h }, back;
    round_trip(&handle_type, &h, &back, "", 0);      /* nothing but a local field: no bytes at all */
    CHECK(back.lock == NULL);
}

TEST(random_values_of_every_kind_come_back)
{
    static const leat_type *const types[] = { &all_type, &node_type, &old_type, &shape_type, &loose_type, &leat_string_type_ };
    _Alignas(16) char v[sizeof(struct all)], got[sizeof(struct all)];
    struct rng r;
    rng_init(&r, 5);
    for (int i = 0; i < 600; i++) {
        const leat_type *t = types[(size_t)i % ARRAY_LEN(types)];
        memset(v, 0, sizeof v);
        fill(t, v, &r);
        round_trip(t, v, got, NULL, 0);
        leat_drop_(t, v);
        leat_drop_(t, got);
    }
}

/* == Values that cannot be sent. ========================================================================================= */
static void not_sent(const leat_type *t, const void *v, leat_err want, const char *words)
{
    struct buf b = { .max = 1000 };
    buf_put(&b, "x", 1);
    CHECK_EQ(type_encode(t, v, &b, NULL), want);
    CHECK_HAS(leat_err_detail(), words);
    CHECK_EQ(b.len, 1);
    CHECK_EQ(buf_err(&b), LEAT_OK);
    buf_free(&b);
}

TEST(a_value_that_is_none_is_not_sent)
{
    struct shape s = { .which = (enum shape_case)9 };
    not_sent(&shape_type, &s, LEAT_INVAL, "shape: no case 9: there are 4");
    struct old o = { .id = 0 };
    memset(o.name, 'x', sizeof o.name);
    not_sent(&old_type, &o, LEAT_INVAL, "old.name: no NUL in its 32 bytes");
    struct word w = { .text = { NULL, 5, 0 } };
    not_sent(&word_type, &w, LEAT_INVAL, "word.text: 5 bytes at NULL");
    struct all a = { .ids = { NULL, 1, 0 } };
    not_sent(&all_type, &a, LEAT_INVAL, "all.ids: 1 elements at NULL");
    leat_chan_ *c = leat_chan_make_(8, 0);
    struct shard d = { .text = LEAT_STRING("t") };
    memcpy(&d.out, &c, sizeof c);
    not_sent(&shard_type, &d, LEAT_INVAL, "shard.out: a channel end cannot be sent here");
    leat_unref_(c);
}

TEST(the_path_names_the_element_that_is_wrong)
{
    struct node bad = { .name = { NULL, 1, 0 } }, kids[] = { { .name = LEAT_STRING("a") }, { .left = &bad } };
    struct node_entry entry[] = { { LEAT_STRING("k"), { .kids = { kids, 2, 0 } } } };
    struct node n = { .by_name = { entry, 1, 0 } };
    not_sent(&node_type, &n, LEAT_INVAL, "node.by_name[0].kids[1].left.name: 1 bytes at NULL");
    struct all a = { .tree = { .right = &bad } };
    not_sent(&all_type, &a, LEAT_INVAL, "all.tree.right.name: 1 bytes at NULL");
}

TEST(a_value_over_the_limit_leaves_the_buffer_as_it_was)
{
    char big[2000] = "";
    struct word w = { .text = leat_string_view(big, sizeof big) };
    not_sent(&word_type, &w, LEAT_LIMIT, "a value of word is over 1000 bytes");
}

/* What a list has behind the first bytes that are too many is not looked at. */
TEST(a_long_list_over_the_limit_is_not_walked_to_its_end)
{
    enum { MANY = 1000 };
    static struct node kids[MANY];
    struct node n = { .kids = { kids, MANY, 0 } };
    kids[MANY - 1].name = (leat_string){ NULL, 1, 0 };
    not_sent(&node_type, &n, LEAT_LIMIT, "a value of node is over 1000 bytes");
    n.kids.at += MANY - 2;
    n.kids.len = 2;
    not_sent(&node_type, &n, LEAT_INVAL, "node.kids[1].name: 1 bytes at NULL");
}

TEST(a_value_inside_itself_ends_at_the_limit_of_depth)
{
    struct node n = { .left = NULL };
    n.left = &n;
    struct buf b = { 0 };
    CHECK_EQ(type_encode(&node_type, &n, &b, NULL), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "nested over 1024 deep");
    CHECK_EQ(b.len, 0);
    buf_free(&b);
}

static struct node *chain(int n)
{
    struct node *top = NULL;
    for (; n > 0; n--) {
        struct node *x = leat_new(node);
        x->left = top;
        top = x;
    }
    return top;
}

TEST(a_chain_as_deep_as_the_limit_goes_and_comes_back)
{
    struct node *n = chain(LIMIT_VALUE_DEPTH), got;
    round_trip(&node_type, n, &got, NULL, 0);
    leat_drop(node, &got);
    leat_drop(node, n);
    free(n);
}

/* == Bytes that are no value. ============================================================================================ */
TEST(bytes_that_are_no_value_are_refused_with_the_field)
{
    REFUSED(point, "\x01\0\0\0\0\0\0", "point.x: cut short");
    REFUSED(word, "\x05hell", "word.text: 5 bytes announced, 4 left");
    REFUSED(word, "\x05hello\0\0\0", "word.times: cut short");
    REFUSED(word, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "word.text");
    REFUSED(word, "\x80\x00", "word.text: cut short, or a malformed length");
    REFUSED(word, "", "word.text");
    REFUSED(loose, "\1\1\0\0\0\0\0\0\0\x02\0\0\0\0\0\0", "loose.c: a bool that is neither 0 nor 1");
    REFUSED(shape, "\x05", "shape: no such case");
    REFUSED(shape, "\x02\0\0\0\0\0\0\0\0\x09", "shape.square.label: 9 bytes announced, 0 left");
    REFUSED(old, "\0\0\0\0\0\0\0\0\x20" "01234567890123456789012345678901", "old.name: 32 bytes and a NUL do not fit 32");
    REFUSED(old, "\0\0\0\0\0\0\0\0\x02" "a\0", "old.name: a NUL inside");
    REFUSED(old, "\0\0\0\0\0\0\0\0\0\x03" "a\0\0\0\0\0\0\0\0\0", "old.note: a NUL inside");
    REFUSED(node, "\0\2", "node.left: neither there nor not");
    REFUSED(node, "\0\0\0\2" "\0\0\0\0\0" "\7abcd", "node.kids[1].name: 7 bytes announced, 4 left");
    REFUSED(node, "\0\0\0\2" "\0\0\0\0\0" "\7abc", "node.kids: 2 elements announced, 9 bytes left");
    REFUSED(node, "\0\0\0\x7f", "node.kids: 127 elements announced, 0 bytes left");
    REFUSED(shard, "\0\1", "shard.out: a channel end cannot arrive here");
    REFUSED(shard, "\0\2", "shard.out: neither an end nor none");
}

TEST(every_cut_of_a_value_is_refused_and_leaks_nothing)
{
    struct all v = { 0 }, got;
    struct rng r;
    struct buf b = { 0 };
    rng_init(&r, 8);
    fill(&all_type, &v, &r);
    CHECK_EQ(type_encode(&all_type, &v, &b, NULL), LEAT_OK);
    for (size_t n = 0; n < b.len; n++)
        CHECK_EQ(decode_bytes(&all_type, b.p, n, &got, NULL), LEAT_TYPE);
    buf_free(&b);
    leat_drop(all, &v);
}

static const leat_field handles_fields[] = { { .name = "h", .type = &handle_type, .size = 16, .kind = LEAT_K_LIST_ } };
static const leat_type handles_type = { "handles", handles_fields, 16, 1, LEAT_K_STRUCT_, sizeof(leat_field), 8 };
struct handles_c_ { void *at; uint32_t len, cap; };
typedef struct handles_c_ handles_c_;

TEST(elements_of_no_bytes_are_paid_from_the_budget)
{
    handles_c_ v;
    CHECK_EQ(decode_bytes(&handles_type, "\xff\xff\xff\xff\x0f", 5, &v, NULL), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "handles.h: needs more memory than is allowed");
    CHECK_EQ(decode_bytes(&handles_type, "\x0a", 1, &v, NULL), LEAT_OK);
    CHECK(v.len == 10 && ((struct handle *)v.at)[9].lock == NULL);
    leat_drop_(&handles_type, &v);
}

TEST(the_budget_of_the_caller_holds_over_several_values)
{
    struct word w;
    struct cur c = cur_of("\x05hello\0\0\0\0\0\0\0\0\x05hello\0\0\0\0\0\0\0\0", 28);
    enum { TEXT = 24 };                              /* its block: see freelist.h */
    size_t budget = 2 * (TEXT + LIMIT_DECODE_BLOCK) - 1;
    CHECK_EQ(type_decode(&word_type, &c, &w, NULL, &budget), LEAT_OK);
    CHECK_EQ(budget, TEXT + LIMIT_DECODE_BLOCK - 1);
    leat_drop(word, &w);
    CHECK_EQ(type_decode(&word_type, &c, &w, NULL, &budget), LEAT_LIMIT);
    CHECK(c.bad);
}

/* how much memory, in bytes asked of malloc, decoding these bytes took; the value is dropped */
static size_t memory_for(const leat_type *t, const void *bytes, size_t n)
{
    _Alignas(16) char v[sizeof(struct all)];
    struct taking taking = { 0 };
    struct mem_hook h = { taking_hook, &taking };
    struct cur c = cur_of(bytes, n);
    mem_hook = &h;
    leat_err e = type_decode(t, &c, v, NULL, NULL);
    mem_hook = NULL;
    CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT);
    if (e == LEAT_OK)
        leat_drop_(t, v);
    return taking.bytes;
}

TEST(mutated_values_never_harm_and_never_take_more_memory_than_their_bytes_allow)
{
    static const leat_type *const types[] = { &all_type, &node_type, &old_type, &shape_type };
    _Alignas(16) char v[sizeof(struct all)];
    struct rng r;
    rng_init(&r, 13);
    for (int i = 0; i < 400; i++) {
        const leat_type *t = types[(size_t)i % ARRAY_LEN(types)];
        const struct type_info *info;
        struct buf b = { 0 };
        memset(v, 0, sizeof v);
        fill(t, v, &r);
        CHECK_EQ(type_encode(t, v, &b, NULL), LEAT_OK);
        CHECK_EQ(type_info_get(t, &info), LEAT_OK);
        leat_drop_(t, v);
        for (int k = 0; k < 60; k++) {
            size_t n = rng_below(&r, 3) ? b.len : rng_below(&r, (uint32_t)b.len + 1);
            uint8_t *copy = malloc(n ? n : 1);
            memcpy(copy, b.p, n);
            for (uint32_t m = n ? rng_below(&r, 5) : 0; m > 0; m--)
                copy[rng_below(&r, (uint32_t)n)] = (uint8_t)(rng_below(&r, 2) ? rng_next(&r) : rng_below(&r, 4));
            size_t frames = LIMIT_VALUE_DEPTH * 64;  /* decode's own stack, given back at the end */
            CHECK(memory_for(t, copy, n) <= n * info->ratio + LIMIT_DECODE_FREE + frames);
            free(copy);
        }
        buf_free(&b);
    }
}

TEST(a_tower_of_optionals_from_elsewhere_ends_at_the_limit_of_depth)
{
    char bytes[4 * LIMIT_VALUE_DEPTH];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i % 2 == 1;                       /* empty name, left is there, ... */
    struct node v;
    CHECK_EQ(decode_bytes(&node_type, bytes, sizeof bytes, &v, NULL), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "nested over 1024 deep");
}

/* == Memory. ============================================================================================================= */
TEST(every_allocation_of_decode_may_fail_and_nothing_leaks)
{
    struct all v = { 0 }, got;
    struct rng r;
    struct buf b = { 0 };
    rng_init(&r, 9);
    fill(&all_type, &v, &r);
    CHECK_EQ(type_encode(&all_type, &v, &b, NULL), LEAT_OK);
    leat_err e = LEAT_NOMEM;
    for (long i = 0; e == LEAT_NOMEM; i++) {
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        struct cur c = cur_of(b.p, b.len);
        mem_hook = &h;
        e = type_decode(&all_type, &c, &got, NULL, NULL);
        mem_hook = NULL;
        CHECK(e == LEAT_OK ? i > 20 : e == LEAT_NOMEM && c.bad && got.name.p == NULL && got.points.at == NULL);
    }
    CHECK_EQ(e, LEAT_OK);
    CHECK(same_value(&all_type, &v, &got));
    leat_drop(all, &v);
    leat_drop(all, &got);
    buf_free(&b);
}

TEST(every_allocation_of_encode_may_fail_and_the_buffer_is_as_before)
{
    struct node *n = chain(100);
    const struct type_info *info;
    CHECK_EQ(type_info_get(&node_type, &info), LEAT_OK);
    leat_err e = LEAT_NOMEM;
    for (long i = 0; e == LEAT_NOMEM; i++) {
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        struct buf b = { 0 };
        mem_hook = &h;
        e = type_encode(&node_type, n, &b, NULL);
        mem_hook = NULL;
        CHECK(e == LEAT_OK ? i >= 4 && b.len > 100 : e == LEAT_NOMEM && b.len == 0 && buf_err(&b) == LEAT_OK);
        buf_free(&b);
    }
    leat_drop(node, n);
    free(n);
}

TEST(a_flat_type_allocates_nothing)
{
    struct numbers v = { .d = 5, .k = true }, got;
    struct taking taking = { 0 };
    struct mem_hook h = { taking_hook, &taking };
    struct buf b = { 0 };
    CHECK_EQ(type_encode(&numbers_type, &v, &b, NULL), LEAT_OK);
    mem_hook = &h;
    for (int i = 0; i < 10; i++) {
        buf_reset(&b);
        CHECK_EQ(type_encode(&numbers_type, &v, &b, NULL), LEAT_OK);
        struct cur c = cur_of(b.p, b.len);
        CHECK_EQ(type_decode(&numbers_type, &c, &got, NULL, NULL), LEAT_OK);
        leat_drop(numbers, &got);
    }
    mem_hook = NULL;
    CHECK_EQ(taking.bytes, 0);
    buf_free(&b);
}

/* == Channel ends. ======================================================================================================= */
struct fake {
    struct type_ends ends;
    int puts, undone, gets, fail_at;
};

static leat_err fake_put(struct type_ends *self, leat_chan_ *c, int is_rx, const leat_type *elem, struct buf *out)
{
    struct fake *f = container_of(self, struct fake, ends);
    CHECK(c != NULL && elem == &word_type);
    if (f->puts == f->fail_at)
        return leat_fail(LEAT_LIMIT, "too many ends");
    f->puts++;
    buf_u8(out, is_rx ? 'r' : 't');
    return LEAT_OK;
}

static leat_err fake_get(struct type_ends *self, struct cur *in, int is_rx, const leat_type *elem, const struct type_bridge *as,
    leat_chan_ **ret)
{
    struct fake *f = container_of(self, struct fake, ends);
    CHECK(elem == &word_type && !as);
    if (cur_u8(in) != (is_rx ? 'r' : 't'))
        return leat_fail(LEAT_TYPE, "the wrong end");
    if (f->gets == f->fail_at)
        return leat_fail(LEAT_LIMIT, "too many ends");
    f->gets++;
    *ret = leat_chan_make_(sizeof(struct word), 0);
    return LEAT_OK;
}

static void fake_undo(struct type_ends *self, size_t count) { container_of(self, struct fake, ends)->undone += (int)count; }

static struct shard shard_of(leat_chan_ *out, leat_chan_ *in)
{
    struct shard s = { .text = LEAT_STRING("t") };
    memcpy(&s.out, &out, sizeof out);
    memcpy(&s.in, &in, sizeof in);
    return s;
}

TEST(ends_are_written_and_made_by_the_session)
{
    leat_chan_ *c = leat_chan_make_(sizeof(struct word), 0);
    struct fake f = { { .put = fake_put, .get = fake_get, .undo = fake_undo }, .fail_at = -1 };
    struct shard s = shard_of(c, leat_ref_(c, 0)), got;
    struct buf b = { 0 };
    CHECK_EQ(type_encode(&shard_type, &s, &b, &f.ends), LEAT_OK);
    CHECK_EQ(b.len, 6);
    CHECK_MEM(b.p, "\1t\1t\1r", 6);
    CHECK_EQ(f.puts, 2);
    CHECK_EQ(decode_bytes(&shard_type, b.p, b.len, &got, &f.ends), LEAT_OK);
    CHECK(got.out && got.in && f.gets == 2 && f.undone == 0);
    leat_drop(shard, &got);
    CHECK(!got.out);
    type_moved(&shard_type, &s);                     /* both references, which the value owned */
    CHECK(s.out != NULL);                            /* the dead variable is not written to */
    s = shard_of(NULL, NULL);
    buf_reset(&b);
    CHECK_EQ(type_encode(&shard_type, &s, &b, NULL), LEAT_OK);       /* no end is no matter for a session */
    CHECK_MEM(b.p, "\1t\0\0", 4);
    CHECK_EQ(decode_bytes(&shard_type, b.p, b.len, &got, NULL), LEAT_OK);
    leat_drop(shard, &got);
    buf_free(&b);
}

TEST(ends_are_taken_back_when_the_rest_fails)
{
    leat_chan_ *c = leat_chan_make_(sizeof(struct word), 0);
    struct fake f = { { .put = fake_put, .get = fake_get, .undo = fake_undo }, .fail_at = 1 };
    struct shard s = shard_of(c, leat_ref_(c, 0)), got;
    struct buf b = { 0 };
    CHECK_EQ(type_encode(&shard_type, &s, &b, &f.ends), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "shard.in: too many ends");
    CHECK_EQ(f.undone, 1);
    CHECK_EQ(b.len, 0);
    CHECK_EQ(decode_bytes(&shard_type, "\1t\1t\1r", 6, &got, &f.ends), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "shard.in: too many ends");
    CHECK_EQ(decode_bytes(&shard_type, "\1t\1r\1r", 6, &got, &f.ends), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "shard.out: the wrong end");
    buf_limit(&b, 5);                                /* the second end is put, and then the buffer is over */
    f.fail_at = -1;
    f.puts = f.undone = 0;
    CHECK_EQ(type_encode(&shard_type, &s, &b, &f.ends), LEAT_LIMIT);
    CHECK(f.puts == 2 && f.undone == 2);
    type_moved(&shard_type, &s);
    buf_free(&b);
}

/* == On the stack of a task, which is 64 KiB. ============================================================================ */
static leat_type tower[32];
static leat_field stairs[32];

static leat_err work_in_a_task(leat_none *none)
{
    (void)none;
    struct all v = { 0 }, got;
    struct rng r;
    rng_init(&r, 40);
    fill(&all_type, &v, &r);
    round_trip(&all_type, &v, &got, NULL, 0);
    leat_drop(all, &v);
    CHECK_EQ(leat_dup(all, &got, &v), LEAT_OK);
    leat_drop(all, &got);
    leat_drop(all, &v);
    struct node *n = chain(LIMIT_VALUE_DEPTH + 1), copy;
    struct buf b = { 0 };
    CHECK_EQ(leat_dup(node, n, &copy), LEAT_OK);
    CHECK_EQ(type_encode(&node_type, n, &b, NULL), LEAT_LIMIT);
    leat_drop(node, n);
    leat_drop(node, &copy);
    free(n);
    struct cur mine, theirs;
    char text[100];
    int64_t one = 1;
    CHECK_EQ(type_form(&tower[1], &mine), LEAT_OK);
    CHECK_EQ(type_form(&tower[2], &theirs), LEAT_OK);
    CHECK(type_diff("tower", mine, theirs, text, sizeof text));
    CHECK_EQ(type_encode(&tower[1], &one, &b, NULL), LEAT_OK);
    CHECK_EQ(b.len, 8);
    CHECK_EQ(leat_dup_(&tower[1], &one, &one), LEAT_OK);
    leat_drop_(&tower[1], &one);
    buf_free(&b);
    return LEAT_OK;
}

TEST(what_is_deep_fits_the_stack_of_a_task)
{
    for (int i = 0; i < 32; i++) {
        stairs[i] = (leat_field){ .name = "x", .type = &tower[(i + 1) % 32], .size = 8, .kind = i < 31 ? LEAT_K_STRUCT_ : LEAT_K_INT_ };
        tower[i] = (leat_type){ "tower", &stairs[i], 8, 1, LEAT_K_STRUCT_, sizeof(leat_field), 8 };
    }
    CHECK_EQ(leat_run(NULL, work_in_a_task, LEAT_NONE), LEAT_OK);
}

/* an error whose causes are `row` more, the last one of this code */
static leat_error error_row(int row, leat_err last)
{
    leat_error e = { .code = last, .text = LEAT_STRING("the disk is full") };
    for (int i = 0; i < row; i++)
        CHECK_EQ(leat_error_wrap(&e, LEAT_REMOTE, i ? "again" : "no luck"), LEAT_OK);
    return e;
}

LEAT_STRUCT(report, (error, why), (uint8, n));

TEST(an_error_keeps_its_node_details_and_causes)
{
    struct report r = { .why = error_row(1, LEAT_SYS), .n = 7 }, got, copy;
    struct buf b = { 0 }, plain = { 0 };
    r.why.node = LEAT_STRING("n1");
    r.why.cause->details = (leat_bytes){ (const uint8_t *)"\1\2", 2, 0 };
    CHECK_EQ(type_encode(&report_type, &r, &b, NULL), LEAT_OK);
    CHECK_MEM(b.p, "\x0d\0\0\x80\7no luck\2n1\0\1" "\x0e\0\0\x80\x10the disk is full\0\2\1\2\0" "\7", b.len);
    CHECK_EQ(b.len, 4 + 8 + 3 + 1 + 1 + 4 + 17 + 1 + 3 + 1 + 1);
    CHECK_EQ(decode_bytes(&report_type, b.p, b.len, &got, NULL), LEAT_OK);
    CHECK_EQ(leat_dup(report, &got, &copy), LEAT_OK);
    leat_drop(report, &got);
    CHECK(copy.why.node.len == 2 && copy.why.details.len == 0 && copy.why.cause && !copy.why.cause->cause && copy.n == 7);
    CHECK(copy.why.cause->code == LEAT_SYS && copy.why.cause->details.len == 2 && copy.why.cause->details.p[1] == 2);
    leat_drop(report, &copy);
    for (size_t n = 0; n < b.len; n++)
        CHECK_EQ(decode_bytes(&report_type, b.p, n, &got, NULL), LEAT_TYPE);
    CHECK_EQ(type_encode(&report_type, &r, &plain, &type_plain), LEAT_OK);      /* for who speaks version 1.1 */
    CHECK_EQ(plain.len, 4 + 8 + 1);
    CHECK_MEM(plain.p, "\x0d\0\0\0\7no luck\7", plain.len);
    leat_drop(report, &r);
    buf_free(&b);
    buf_free(&plain);
}

TEST(a_row_of_errors_has_a_bound_and_one_form)
{
    static const char more_and_none[] = "\1\0\0\x80\0\0\0\0\7", no_flag[] = "\1\0\0\x80\0\1n\0\2\7";
    struct report r = { .why = error_row(LIMIT_ERROR_CHAIN - 1, LEAT_SYS) }, got;
    struct buf b = { 0 };
    leat_string json;
    CHECK_EQ(type_encode(&report_type, &r, &b, NULL), LEAT_OK);
    CHECK_EQ(decode_bytes(&report_type, b.p, b.len, &got, NULL), LEAT_OK);
    CHECK(leat_error_find(&got.why, LEAT_SYS) && !leat_error_find(&got.why, LEAT_GONE));
    leat_drop(report, &got);
    CHECK_EQ(leat_error_wrap(&r.why, LEAT_GONE, "one too many"), LEAT_LIMIT);
    leat_error ring = r.why;
    ring.cause = &ring;
    buf_reset(&b);
    CHECK_EQ(type_encode(&report_type, &(struct report){ .why = ring }, &b, NULL), LEAT_LIMIT);
    CHECK_EQ(b.len, 0);
    CHECK_EQ(leat_json_write(report, &(struct report){ .why = ring }, &json), LEAT_LIMIT);
    leat_drop(report, &r);
    for (int i = 0; i <= LIMIT_ERROR_CHAIN; i++)
        buf_put(&b, i < LIMIT_ERROR_CHAIN ? "\1\0\0\x80\0\0\0\1" : "\1\0\0\0\0\7", i < LIMIT_ERROR_CHAIN ? 8 : 6);
    CHECK_EQ(decode_bytes(&report_type, b.p, b.len, &got, NULL), LEAT_TYPE);
    CHECK_HAS(leat_err_detail(), "over 16 errors in a row");
    CHECK_EQ(decode_bytes(&report_type, more_and_none, sizeof more_and_none - 1, &got, NULL), LEAT_TYPE);
    CHECK_EQ(decode_bytes(&report_type, no_flag, sizeof no_flag - 1, &got, NULL), LEAT_TYPE);
    buf_free(&b);
}

LEAT_STRUCT(moment, (date, when), (duration, took), (error, failed));

TEST(dates_durations_and_errors_come_back_exactly_and_zones_are_kept)
{
    static const int64_t seconds[] = { INT64_MIN, -62135596800, -1, 0, 1, 253402300799, INT64_MAX };
    static const uint32_t ns[] = { 0, 1, 500000000, 999999999 };
    static const int32_t zones[] = { -86399, -43200, -1, 0, 1, 19800, 20700, 50400, 86399 };
    for (size_t i = 0; i < ARRAY_LEN(seconds) * ARRAY_LEN(ns) * ARRAY_LEN(zones); i++) {
        struct moment got, m = { .when = { seconds[i % 7], ns[i / 7 % 4], zones[i / 28] }, .took = { seconds[(i + 3) % 7] },
            .failed = { .code = (leat_err)(i % 15), .text = LEAT_STRING("node b: calc.twice: no luck: the disk is full") } };
        round_trip(&moment_type, &m, &got, NULL, 0);
        CHECK(got.when.s == m.when.s && got.when.ns == m.when.ns && got.when.offset_s == m.when.offset_s && got.took.ns == m.took.ns);
        CHECK(got.failed.code == m.failed.code && got.failed.text.len == m.failed.text.len);
        leat_drop(moment, &got);
    }
}

T_MAIN()
