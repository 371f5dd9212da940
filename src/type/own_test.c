/* own_test.c - who owns what: drop, dup, push, strings that borrow and strings that own. */
#include "type_test.h"

TEST(drop_frees_what_is_owned_and_zeroes)
{
    struct rng r;
    rng_init(&r, 30);
    for (int i = 0; i < 100; i++) {
        struct all a = { 0 }, zero = { 0 };
        fill(&all_type, &a, &r);
        leat_drop(all, &a);
        CHECK_MEM(&a, &zero, sizeof a);
        leat_drop(all, &a);                          /* twice is once */
    }
    leat_drop(all, NULL);
}

TEST(drop_leaves_alone_what_is_borrowed)
{
    char on_the_stack[] = "abc";
    leat_string names[] = { LEAT_STRING("a"), leat_string_of(on_the_stack) };
    struct point points[] = { { 1, 2 } };
    struct square lent = { .side = 1 };
    CHECK_EQ(leat_string_dup("owned by the lender", 19, &lent.label), LEAT_OK);
    struct square_entry entry[] = { { LEAT_STRING("k"), lent } };
    struct all a = { .name = LEAT_STRING("literal"), .raw = { (const uint8_t *)on_the_stack, 3, 0 }, .names = { names, 2, 0 },
        .points = { points, 1, 0 }, .squares = { entry, 1, 0 }, .failed = { .code = LEAT_GONE, .text = leat_string_of("x") },
        .shape = { .which = shape_words, .words = LEAT_STRING("w") } };
    leat_drop(all, &a);
    CHECK_STR(on_the_stack, "abc");
    CHECK_MEM(lent.label.p, "owned", 5);
    leat_drop(square, &lent);
}

TEST(a_oneof_without_such_a_case_owns_nothing)
{
    struct shape s = { .which = (enum shape_case)77, .square = { 1, LEAT_STRING("x") } };
    leat_drop(shape, &s);
    CHECK_EQ(s.which, 0);
}

TEST(a_copy_owns_all_it_has_and_is_equal)
{
    struct rng r;
    rng_init(&r, 31);
    for (int i = 0; i < 100; i++) {
        struct all a = { 0 }, b;
        fill(&all_type, &a, &r);
        CHECK_EQ(leat_dup(all, &a, &b), LEAT_OK);
        CHECK(same_value(&all_type, &a, &b));
        leat_drop(all, &a);
        leat_drop(all, &b);
    }
    char text[] = "borrowed";
    leat_string names[] = { leat_string_of(text), LEAT_STRING("x") };
    struct all a = { .name = leat_string_of(text), .names = { names, 2, 0 } }, b;
    CHECK_EQ(leat_dup(all, &a, &b), LEAT_OK);
    CHECK(b.name.owned && b.names.cap == 2 && b.names.at != names && b.names.at[0].owned);
    memset(text, 'z', sizeof text - 1);
    CHECK_MEM(b.name.p, "borrowed", 8);
    leat_drop(all, &b);
}

TEST(a_copy_shares_local_fields_and_has_its_own_strings)
{
    struct old o = { .id = 3, .name = "n", .note = strdup("note"), .lock = &o, .n = 4 }, b;
    CHECK_EQ(leat_dup(old, &o, &b), LEAT_OK);
    CHECK(b.lock == &o && b.note != o.note && b.id == 3 && b.n == 4);
    CHECK_STR(b.note, "note");
    CHECK_STR(b.name, "n");
    leat_drop(old, &b);
    leat_drop(old, &o);
    struct point p = { 1, 2 }, q;
    CHECK_EQ(leat_dup(point, &p, &q), LEAT_OK);
    CHECK_MEM(&p, &q, sizeof p);
}

TEST(a_copy_has_a_reference_of_its_own_to_each_end)
{
    leat_chan_ *c = leat_chan_make_(8, 0);
    struct shard s = { .text = LEAT_STRING("t") }, b;
    memcpy(&s.out, &c, sizeof c);
    CHECK_EQ(leat_dup(shard, &s, &b), LEAT_OK);
    CHECK(b.out == s.out && b.in == NULL);
    leat_drop(shard, &s);
    leat_drop(shard, &b);                            /* a checker sees one too few, and one too many */
}

TEST(an_error_is_made_of_a_failure_wrapped_and_raised_again)
{
    leat_error e, more = { 0 };
    CHECK_EQ(leat_error_of(leat_fail(LEAT_REFUSED, "no %s", "luck"), &e), LEAT_OK);
    CHECK(e.code == LEAT_REFUSED && e.text.len == 7 && e.node.len == 0 && !e.cause);
    CHECK_EQ(leat_error_wrap(&e, LEAT_INVAL, "the plan"), LEAT_OK);
    e.cause->node = LEAT_STRING("node b");
    CHECK_EQ(leat_error_raise(&e), LEAT_INVAL);
    CHECK_STR(leat_err_detail(), "the plan: no luck");
    CHECK_EQ(leat_wrap(LEAT_INVAL, "here"), LEAT_INVAL);
    CHECK_EQ(leat_error_of(LEAT_INVAL, &more), LEAT_OK);
    CHECK(more.text.len == 14 && memcmp(more.text.p, "here: the plan", 14) == 0 && more.node.len == 0);
    CHECK(more.cause && more.cause->code == LEAT_REFUSED && more.cause->text.len == 7 && more.cause->node.len == 6);
    leat_error_drop(&more);
    CHECK_EQ(leat_error_of(LEAT_GONE, &more), LEAT_OK);          /* not the last failure: what its code says */
    CHECK(more.text.len > 0 && more.node.len == 0);
    leat_error_drop(&more);
    CHECK(leat_error_find(&e, LEAT_REFUSED) == e.cause && leat_error_find(NULL, LEAT_OK) == NULL);
    leat_error_drop(&e);
    leat_error_drop(NULL);
    CHECK(!e.cause);
    CHECK_EQ(leat_error_raise(&e), LEAT_OK);
    CHECK_EQ(leat_error_raise(NULL), LEAT_OK);
    e.code = LEAT_GONE;
    CHECK_EQ(leat_error_raise(&e), LEAT_GONE);
}

TEST(a_copy_without_memory_leaves_nothing_and_touches_nothing)
{
    struct rng r;
    struct all a = { 0 }, b, was;
    rng_init(&r, 32);
    fill(&all_type, &a, &r);
    memset(&b, 0x5a, sizeof b);
    memcpy(&was, &b, sizeof b);
    leat_err e = LEAT_NOMEM;
    for (long i = 0; e == LEAT_NOMEM; i++) {
        struct failing f = { .at = i };
        struct mem_hook h = { failing_hook, &f };
        mem_hook = &h;
        e = leat_dup(all, &a, &b);
        mem_hook = NULL;
        if (e != LEAT_OK)
            CHECK_MEM(&b, &was, sizeof b);
        else
            CHECK(i > 20);
    }
    CHECK_EQ(e, LEAT_OK);
    CHECK(same_value(&all_type, &a, &b));
    leat_drop(all, &a);
    leat_drop(all, &b);
}

/* a chain of n nodes, each the left, the right, the only kid or the only entry of the last; *top is the caller's */
static void chain(struct node *top, int n)
{
    memset(top, 0, sizeof *top);
    struct node *at = top;
    for (int i = 0; i < n; i++) {
        struct node none = { 0 };
        switch (i % 3) {
        case 0: at = at->left = leat_new(node); break;
        case 1: at = at->right = leat_new(node); break;
        default:
            CHECK_EQ(leat_push(&at->kids, none), LEAT_OK);
            at = at->kids.at;
        }
        CHECK_EQ(leat_string_dup("name", 4, &at->name), LEAT_OK);
    }
}

TEST(a_value_of_any_depth_is_copied_and_dropped)
{
    struct node n, copy;
    chain(&n, 300000);                               /* with a frame a level this is far more than a stack */
    CHECK_EQ(leat_dup(node, &n, &copy), LEAT_OK);
    leat_drop(node, &n);
    leat_drop(node, &copy);
}

static bool no_memory(void *self, size_t n) { (void)self, (void)n; return true; }

static void bush(struct node *at, int depth)
{
    memset(at, 0, sizeof *at);
    if (depth == 0)
        return;
    at->left = leat_new(node);
    at->right = leat_new(node);
    bush(at->left, depth - 1);
    bush(at->right, depth - 1);
}

TEST(drop_needs_no_memory)
{
    static const struct mem_hook h = { no_memory, NULL };
    struct node a, b;
    chain(&a, 2000);
    bush(&b, 13);
    mem_hook = &h;
    leat_drop(node, &a);
    leat_drop(node, &b);
    mem_hook = NULL;
}

TEST(a_wide_and_deep_value_is_dropped_and_copied)
{
    struct node b, c;
    bush(&b, 13);
    CHECK_EQ(leat_dup(node, &b, &c), LEAT_OK);
    leat_drop(node, &b);
    leat_drop(node, &c);
}

/* == Building values. ==================================================================================================== */
TEST(push_appends_and_owns)
{
    struct all a = { 0 };
    for (int i = 0; i < 1000; i++) {
        leat_string s;
        CHECK_EQ(leat_string_dup("text", 4, &s), LEAT_OK);
        CHECK_EQ(leat_push(&a.names, s), LEAT_OK);
        CHECK_EQ(leat_push(&a.ids, i), LEAT_OK);
        CHECK_EQ(leat_push(&a.points, { .x = i, .y = -i }), LEAT_OK);
    }
    CHECK(a.names.len == 1000 && a.names.at[999].len == 4 && a.ids.at[999] == 999 && a.points.at[500].y == -500);
    CHECK(a.names.cap >= 1000);
    leat_drop(all, &a);
}

TEST(push_to_a_borrowed_list_is_refused)
{
    int64_t lent[2] = { 1, 2 };
    leat_int64s ids = { lent, 2, 0 };
    CHECK_EQ(leat_push(&ids, 3), LEAT_INVAL);
    CHECK(ids.at == lent && ids.len == 2);
}

TEST(push_over_the_limit_or_without_memory_leaves_the_list)
{
    static const struct mem_hook h = { no_memory, NULL };
    int64_t one;
    leat_int64s full = { &one, UINT32_MAX, UINT32_MAX }, none = { 0 };
    CHECK_EQ(leat_push(&full, 3), LEAT_LIMIT);
    CHECK(full.at == &one && full.len == UINT32_MAX);
    mem_hook = &h;
    CHECK_EQ(leat_push(&none, 3), LEAT_NOMEM);
    CHECK(leat_new(point) == NULL);
    leat_string s = LEAT_STRING("as before");
    CHECK_EQ(leat_string_dup("x", 1, &s), LEAT_NOMEM);
    mem_hook = NULL;
    CHECK(none.at == NULL && none.cap == 0 && s.len == 9);
}

TEST(strings_borrow_or_own_as_their_makers_say)
{
    leat_string s = leat_string_of(NULL);
    CHECK(s.p == NULL && s.len == 0 && !s.owned);
    s = leat_string_of("abc");
    CHECK(s.len == 3 && !s.owned);
    s = LEAT_STRING("a\0b");
    CHECK(s.len == 3 && !s.owned);
    CHECK_EQ(leat_string_dup("", 0, &s), LEAT_OK);
    CHECK(s.p == NULL && !s.owned);
    leat_bytes b;
    CHECK_EQ(leat_bytes_dup("\1\2", 2, &b), LEAT_OK);
    CHECK(b.owned && b.len == 2 && b.p[1] == 2);
    free((void *)(uintptr_t)b.p);                    /* it is malloc's */
    CHECK_EQ(leat_string_dup("x", (size_t)UINT32_MAX + 1, &s), LEAT_LIMIT);
    struct point *p = leat_new(point);
    CHECK(p->x == 0 && p->y == 0);
    free(p);
}

T_MAIN()
