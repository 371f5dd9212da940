/* floods_test.c - much of the same: what one peer can cost in memory and work is bounded by what it sends, and by limits that have names.
 *
 * Memory is what the library has asked malloc for, frees not subtracted, so it is more than what is held at any time.  Work is processor
 * time of this process, and only compared: so many times as much may not cost many times more each. */
#include <malloc.h>
#include <time.h>
#include "sess/sess.h"
#include "villain.h"

LEAT_STRUCT(many, (list(pass), all));

enum { FREE = 256 << 10 };                           /* memory for which nothing has to be sent: buffers of the session and the link */
static int scale(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static void numbers(struct villain *v, uint8_t kind, uint8_t flags, uint64_t id, int n, const uint64_t *at)
{
    uint8_t room[64];
    struct buf b = buf_on(room, sizeof room, 0);
    buf_varint(&b, id);
    for (int i = 0; i < n; i++)
        buf_varint(&b, at[i]);
    villain_say(v, kind, flags, &b);
    buf_free(&b);
}
#define SAY(v, kind, id, ...) \
    numbers(v, kind, 0, id, (int)(sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)), (uint64_t[]){ __VA_ARGS__ })

/* A whole OPEN, or, with more, its beginning. */
static void open_call(struct villain *v, uint64_t id, const char *name, size_t total, size_t now)
{
    struct buf b = { 0 };
    bool echo = strcmp(name, "calc.echo") == 0;
    buf_varint(&b, id);
    buf_u8(&b, 0);
    buf_text(&b, name, strlen(name));
    buf_u64(&b, UINT64_MAX);
    put_print(&b, echo ? &item_type : &num_type);
    put_print(&b, echo ? &item_type : &num_type);
    buf_varint(&b, total);
    for (size_t i = 0; i < now; i++)
        buf_u8(&b, 0);
    villain_say(v, FRAME_OPEN, now < total ? FRAME_MORE : 0, &b);
    buf_free(&b);
}

struct scene { struct stage s; struct villain v; };
static void scene_open(struct scene *x, bool deaf)
{
    stage_open(&x->s);
    villain_open(&x->v, "inproc:a", deaf);
    settle();
    fuzz_memory_start();
}
static void scene_close(struct scene *x)
{
    villain_close(&x->v);
    stage_close(&x->s);
}
#define WITHIN(x) do { if (fuzz_memory() > 64 * (x)->v.said + FREE) \
    t_fail(__FILE__, __LINE__, "%zu bytes of memory for %llu received", fuzz_memory(), (unsigned long long)(x)->v.said); } while (0)

/* -- frames that cost nothing ------------------------------------------------------------------------------------------------- */
static leat_err pings(void *none)
{
    struct scene x;
    struct buf b = { 0 };
    (void)none;
    scene_open(&x, false);
    buf_u64(&b, 0);
    for (int i = 0; i < scale(50000); i++)
        villain_say(&x.v, FRAME_PING, 0, &b);
    settle();
    CHECK(fuzz_memory() < FREE);
    CHECK(x.v.heard[FRAME_PONG] >= 1 && !villain_ended(&x.v));
    buf_free(&b);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(a_flood_of_pings_costs_nothing, pings)

static leat_err nobody(void *none)
{
    static const uint8_t kinds[] = { FRAME_NEED, FRAME_ELEM, FRAME_GRANT, FRAME_TAKEN, FRAME_SEAL, FRAME_FLUSH, FRAME_DROP, FRAME_CANCEL };
    struct scene x;
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i < scale(50000); i++)
        SAY(&x.v, kinds[i % (int)ARRAY_LEN(kinds)], 1001 + 2 * (uint64_t)i, 1, 1, 1);
    settle();
    CHECK(fuzz_memory() < FREE && !villain_ended(&x.v));
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(frames_for_ends_and_calls_that_do_not_exist_cost_nothing, nobody)

/* -- what is asked for ----------------------------------------------------------------------------------------------------------- */
static leat_err refusals(void *none)
{
    struct scene x;
    int n = scale(20000);
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i < n; i++)
        villain_attach(&x.v, 3 + 2 * (uint64_t)i, &num_type, i & 1 ? "nobody" : "i", true);    /* no such name, and another type */
    settle();
    CHECK_EQ(x.v.heard[FRAME_ATTACHED], n);
    WITHIN(&x);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(a_flood_of_attaches_that_are_refused_is_answered_and_forgotten, refusals)

static leat_err ends(void *none)
{
    struct scene x;
    int n = scale(20000);
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i < n; i++)
        villain_attach(&x.v, 3 + 2 * (uint64_t)i, &num_type, "b", true);
    settle();
    CHECK_EQ(x.v.heard[FRAME_ATTACHED], n);
    WITHIN(&x);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(ends_cost_no_more_than_their_bytes_times_64, ends)

static leat_err opens(void *none)
{
    struct scene x;
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i <= LIMIT_SESS_OPENS && !villain_ended(&x.v); i++)
        open_call(&x.v, 1 + 2 * (uint64_t)i, "calc.twice", 8, 1);
    settle();
    CHECK_HAS(x.v.dead, "OPEN");
    CHECK_HAS(x.v.dead, "more calls than were agreed on");
    WITHIN(&x);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(calls_that_are_begun_have_a_limit, opens)

static leat_err announced(void *none)
{
    struct scene x;
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i < 5; i++)
        open_call(&x.v, 1 + 2 * (uint64_t)i, "calc.twice", LIMIT_ELEM, 1);
    settle();
    CHECK_HAS(x.v.dead, "more calls than were agreed on");
    CHECK(fuzz_memory() < FREE);                     /* what is announced is not allocated */
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(bytes_that_are_announced_count_and_cost_nothing, announced)

static leat_err endless(void *none)
{
    struct scene x;
    struct buf b = { 0 };
    (void)none;
    scene_open(&x, false);
    villain_attach(&x.v, 3, &item_type, "i", true);
    SAY(&x.v, FRAME_NEED, 3, 1, 0, 0);
    settle();
    buf_varint(&b, 3);
    buf_u8(&b, 1);
    for (int i = 0; i < LIMIT_FRAME_CUT; i++)
        buf_u8(&b, 1);
    for (int i = 0; i < 2 * LIMIT_ELEM / LIMIT_FRAME_CUT && !villain_ended(&x.v); i++)
        villain_say(&x.v, FRAME_ELEM, FRAME_MORE, &b);
    settle();
    CHECK_HAS(x.v.dead, "ELEM");
    CHECK_HAS(x.v.dead, "more than");
    CHECK(x.v.said < LIMIT_ELEM + (1 << 20));
    WITHIN(&x);
    buf_free(&b);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(an_element_without_end_ends_at_its_limit, endless)

/* The beginning of an item whose text, it says, has nearly 16 MiB; then more of it. */
enum { ANNOUNCED = LIMIT_ELEM - 100, ELEM_HEAD = 2 };
static void say_text(struct villain *v, bool first, size_t n)
{
    struct buf b = { 0 };
    buf_varint(&b, 3);
    buf_u8(&b, 1);
    if (first)
        buf_varint(&b, ANNOUNCED);
    for (size_t i = 0; i < n; i++)
        buf_u8(&b, 'x');
    villain_say(v, FRAME_ELEM, FRAME_MORE, &b);
    buf_free(&b);
}

/* A frame that says it has n bytes, of which only so many come. */
static void say_half(struct villain *v, size_t n, size_t come)
{
    buf_reset(&v->out);
    size_t at = peer_begin(&v->out, FRAME_ELEM, FRAME_MORE, ++v->sent);
    buf_varint(&v->out, 3);
    buf_u8(&v->out, 1);
    for (size_t i = 0; i < n; i++)
        buf_u8(&v->out, 'x');
    peer_end(&v->out, at);
    v->out.len = at + FRAME_NUMBERED + ELEM_HEAD + come;
    villain_write(v, &v->out);
}

/* What is there of a long text has its memory: never more than so many times what has come, whatever was announced. */
static leat_err long_texts(void *none)
{
    static const size_t firsts[] = { 1, 100, 4000, LIMIT_FRAME_CUT, 60 << 10 };
    enum { SMALL = 4 << 10 };                        /* records, of the end's element and of the inbox */
    (void)none;
    for (size_t k = 0; k < ARRAY_LEN(firsts); k++)
        for (int half = 0; half < 2; half++) {
            struct scene x;
            scene_open(&x, false);
            villain_attach(&x.v, 3, &item_type, "i", true);
            SAY(&x.v, FRAME_NEED, 3, 1, 0, 0);
            for (int i = 0; i < 20; i++)             /* the inbox becomes as large as it gets */
                numbers(&x.v, FRAME_GRANT, 0, 1001, 3, (uint64_t[]){ 1, 1, 1 });
            settle();
            uint64_t before = x.v.said, taken = fuzz_memory();
            for (int i = 0; i < 40; i++) {
                say_text(&x.v, i == 0, MIN(firsts[k] + 700 * (size_t)i, (size_t)60 << 10));
                settle();
                if (fuzz_memory() - taken > 64 * (x.v.said - before) + SMALL)
                    t_fail(__FILE__, __LINE__, "%zu bytes of memory for %llu received", fuzz_memory() - taken,
                        (unsigned long long)(x.v.said - before));
            }
            if (half) {
                say_half(&x.v, 60 << 10, 10);
                settle();
            }
            CHECK(fuzz_memory() - taken <= 64 * (x.v.said - before) + SMALL);
            CHECK_STR(x.v.dead, "");
            scene_close(&x);
        }
    return LEAT_OK;
}
IN_WORLD(a_long_text_takes_memory_as_it_comes_and_not_as_it_is_announced, long_texts)

/* -- ends inside values ---------------------------------------------------------------------------------------------------------- */
static void record(struct buf *b, uint8_t flags, uint64_t id, uint32_t cap)
{
    buf_u8(b, 1);
    buf_u8(b, flags);
    buf_varint(b, id);
    put_print(b, &num_type);
    if (!(flags & 2)) {
        buf_u32(b, cap);
        buf_varint(b, 0);
    }
}

/* One pass, by a piece on end 3 for which there is a credit. */
static void pass(struct villain *v, uint8_t flags, uint64_t id, uint32_t cap)
{
    struct buf b = { 0 };
    buf_varint(&b, 3);
    buf_u8(&b, 1);
    buf_u8(&b, 0);
    if (flags & 1)
        buf_u8(&b, 0);
    record(&b, flags, id, cap);
    if (!(flags & 1))
        buf_u8(&b, 0);
    villain_say(v, FRAME_ELEM, 0, &b);
    buf_free(&b);
}

static const struct { uint8_t flags; uint64_t id; uint32_t cap; const char *said; } forged[] = {
    { 0, 4, 1, "not one that this peer makes" }, { 0, 1, 1, "not one that this peer makes" }, { 0, 3, 1, "in use already" },
    { 2, 5, 0, "does not come from here" }, { 2, UINT64_MAX, 0, "does not come from here" }, { 0, 5, UINT32_MAX, "a channel of" },
    { 1, 5, UINT32_MAX, "a channel of" }, { 1, 5, 0x7fffffff, "cannot move here" }, { 0x80, 5, 1, "malformed" }, { 3, 3, 0, "" },
};
static leat_err forgeries(void *none)
{
    (void)none;
    for (size_t k = 0; k < ARRAY_LEN(forged); k++) {
        struct scene x;
        scene_open(&x, false);
        villain_attach(&x.v, 3, &pass_type, "e", true);
        SAY(&x.v, FRAME_NEED, 3, 2, 0, 0);
        settle();
        pass(&x.v, forged[k].flags, forged[k].id, forged[k].cap);
        settle();
        CHECK_HAS(x.v.dead, "ELEM");
        CHECK_HAS(x.v.dead, forged[k].said);
        WITHIN(&x);
        scene_close(&x);
    }
    return LEAT_OK;
}
IN_WORLD(ends_with_forged_ids_and_capacities_are_refused, forgeries)

static leat_err buffers(void *none)
{
    struct scene x;
    (void)none;
    scene_open(&x, false);
    villain_attach(&x.v, 3, &pass_type, "e", true);
    uint32_t cap = LIMIT_HOME_BYTES / 2 / sizeof(struct num);
    for (int i = 0; i < 3 && !villain_ended(&x.v); i++) {
        CHECK(i < 3);
        SAY(&x.v, FRAME_NEED, 3, 2, 2 * (uint64_t)i, 0);
        settle();
        pass(&x.v, 1, 5 + 2 * (uint64_t)i, cap);
        settle();
    }
    CHECK_HAS(x.v.dead, "cannot move here");
    CHECK(fuzz_memory() < LIMIT_HOME_BYTES + FREE);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(the_buffers_that_one_peer_moves_here_have_a_limit_together, buffers)

static leat_err seventeen(void *none)
{
    struct scene x;
    struct buf b = { 0 };
    leat_chan(struct many) m = leat_chan_make(struct many, 0);
    (void)none;
    scene_open(&x, false);
    CHECK_EQ(leat_export(x.s.a.n, "m", leat_tx_of(m), many), LEAT_OK);
    villain_attach(&x.v, 3, &many_type, "m", true);
    settle();
    buf_varint(&b, 3);
    buf_u8(&b, 2);
    buf_varint(&b, 1);
    buf_varint(&b, 17);
    for (int i = 0; i < 17; i++) {
        buf_u8(&b, 0);
        record(&b, 0, 5 + 2 * (uint64_t)i, 1);
        buf_u8(&b, 0);
    }
    villain_say(&x.v, FRAME_ELEM, 0, &b);
    settle();
    CHECK_HAS(x.v.dead, "more than 16 ends");
    buf_free(&b);
    scene_close(&x);
    leat_unref(m);
    return LEAT_OK;
}
IN_WORLD(a_value_brings_at_most_16_ends, seventeen)

/* -- who does not read ------------------------------------------------------------------------------------------------------------- */
static leat_err deaf(void *none)
{
    struct scene x;
    uint64_t i = 0;
    (void)none;
    sess_owed_max = 2 << 20;
    scene_open(&x, true);
    for (uint64_t was = 0; i < 200000 && x.v.said != was; ) {     /* until the link takes no more */
        was = x.v.said;
        open_call(&x.v, 1 + 2 * i, "calc.nothing", 0, 0);
        if (++i % 1000 == 0)
            settle();                                /* what it says after the end is read for a while, and forgotten */
    }
    if (i < 10000 || i >= 200000)
        t_fail(__FILE__, __LINE__, "after %llu calls", (unsigned long long)i);
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(who_asks_and_takes_no_answers_is_left, deaf)

static leat_err deaf_calls(void *none)
{
    struct scene x;
    (void)none;
    scene_open(&x, true);
    size_t before = mallinfo2().uordblks;            /* 0 where another allocator stands in for malloc's */
    for (int i = 0; i < scale(10000); i++) {
        struct buf b = { 0 };
        buf_varint(&b, 1 + 2 * (uint64_t)i);
        buf_u8(&b, 0);
        buf_text(&b, "calc.echo", 9);
        buf_u64(&b, UINT64_MAX);
        put_print(&b, &item_type);
        put_print(&b, &item_type);
        buf_varint(&b, 1004);
        buf_varint(&b, 1000);
        for (int k = 0; k < 1000; k++)
            buf_u8(&b, 'x');
        buf_u8(&b, 0);
        buf_u8(&b, 0);
        villain_say(&x.v, FRAME_OPEN, 0, &b);
        buf_free(&b);
    }
    settle();
    size_t held = mallinfo2().uordblks;
    CHECK(held < before + 4 * x.v.said + LIMIT_SESS_UNSENT + FREE);  /* the argument, the result, the task; not yet its answer */
    scene_close(&x);
    return LEAT_OK;
}
IN_WORLD(answers_that_are_not_taken_stay_where_they_are, deaf_calls)

/* -- work ------------------------------------------------------------------------------------------------------------------------- */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds for each of a fixed number of frames that ask for credits and give them up, with n ends on one channel. */
static int ends_n;
static double needs_cost, end_cost;
static leat_err needs(void *none)
{
    enum { FRAMES = 20000 };
    struct scene x;
    (void)none;
    scene_open(&x, false);
    for (int i = 0; i < ends_n; i++)
        villain_attach(&x.v, 3 + 2 * (uint64_t)i, &num_type, "b", true);
    for (int i = 0; i < ends_n; i++)
        SAY(&x.v, FRAME_NEED, 3 + 2 * (uint64_t)i, 1000, 0, 0);
    settle();
    double t = cpu_s();
    for (int i = 0; i < FRAMES; i++)
        SAY(&x.v, FRAME_NEED, 3 + 2 * (uint64_t)(ends_n - 1 - i % 2), i & 2 ? 1000 : 0, 0, 0);
    settle();
    needs_cost = (cpu_s() - t) / FRAMES;
    CHECK(!villain_ended(&x.v));
    t = cpu_s();
    villain_close(&x.v);
    settle();
    leat_ignore(leat_sleep(LEAT_S(100)));            /* the session has ended, and with it its ends */
    end_cost = (cpu_s() - t) / ends_n;
    stage_close(&x.s);
    return LEAT_OK;
}
static void measure(int n, double *need, double *end)
{
    *need = *end = 1e9;
    for (int i = 0; i < 3; i++) {                    /* the least of three: what else runs here only adds */
        ends_n = n;
        fuzz_world((leat_fn_ *)(void (*)(void))needs, NULL, 0);
        *need = MIN(*need, needs_cost);
        *end = MIN(*end, end_cost);
    }
}
TEST(the_work_for_a_frame_does_not_grow_with_the_ends_of_its_channel)
{
    double need[2], end[2];
    measure(100, &need[0], &end[0]);
    measure(4000, &need[1], &end[1]);
    if (need[1] > 10 * need[0] || end[1] > 10 * end[0])              /* a walk over all of them would be 40 times as much */
        t_fail(__FILE__, __LINE__, "with 40 times the ends a frame costs %.0f ns instead of %.0f, the end of one %.0f instead of %.0f",
            need[1] * 1e9, need[0] * 1e9, end[1] * 1e9, end[0] * 1e9);
}

T_MAIN()
