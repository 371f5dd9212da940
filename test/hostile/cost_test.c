/* cost_test.c - what a peer keeps a node from giving back has an end: room for sessions, and memory that waits for an acknowledgement. */
#include "sess/impl.h"
#include "villain.h"

enum { GRACE_MS = 30000, STRANGERS = 60, ROOM = 8, CALLS = 20 };

/* -- sessions that wait for their dialer ------------------------------------------------------------------------------------------ */
/* As villain_open, of a dialer that may come back within the grace. */
static void enter(struct villain *v, const char *url)
{
    static uint64_t who = 1 << 20;
    struct buf b = { 0 };
    *v = (struct villain){ .deaf = false };
    CHECK_EQ(link_dial(url, &v->l), LEAT_OK);
    peer_hello(&b, 1, who += 10);
    buf_u32(&b, GRACE_MS);
    buf_set_u32(&b, PREAMBLE_BYTES, (uint32_t)(b.len - PREAMBLE_BYTES - FRAME_HEADER));
    villain_write(v, &b);
    buf_free(&b);
    struct villain *self = v;
    CHECK_EQ(leat_go(&v->g, villain_reads, self), LEAT_OK);
    settle();
}

static void call_twice(struct villain *v, uint64_t id)
{
    struct buf b = { 0 };
    buf_varint(&b, id);
    buf_u8(&b, 0);
    buf_text(&b, "calc.twice", 10);
    buf_u64(&b, UINT64_MAX);
    put_print(&b, &num_type);
    put_print(&b, &num_type);
    buf_varint(&b, 8);
    buf_u64(&b, 1);
    villain_say(v, FRAME_OPEN, 0, &b);
    buf_free(&b);
    settle();
}

static uint32_t sessions(leat_node *n)               /* that have not ended */
{
    uint32_t live = 0;
    lock(&n->lock);
    for (struct sess *s = n->sessions; s; s = s->next)
        live += at_load(&s->state) < SESS_BROKEN;
    unlock(&n->lock);
    return live;
}

/* A guest that was there and has done something; s: its session. */
struct guest { struct villain v; struct sess *s; };

static void guest_enter(struct guest *g, struct stage *x)
{
    enter(&g->v, "inproc:a");
    villain_attach(&g->v, 3, &num_type, "b", true);
    settle();
    CHECK_EQ(g->v.heard[FRAME_ATTACHED], 1);
    lock(&x->a.n->lock);
    g->s = x->a.n->sessions;                         /* the latest is the first */
    sess_ref(g->s);
    unlock(&x->a.n->lock);
    villain_close(&g->v);
    leat_ignore(leat_sleep(LEAT_MS(20)));
    CHECK(sess_is_down(g->s));
}

static leat_err strangers(void *none)
{
    struct stage x;
    struct guest first;
    leat_peer *p;
    (void)none;
    stage_open(&x);
    node_sessions_max = ROOM;
    guest_enter(&first, &x);
    for (int i = 0; i < STRANGERS; i++) {            /* they come, say nothing but their name, and go */
        struct villain v;
        enter(&v, "inproc:a");
        CHECK_EQ(v.heard[FRAME_WELCOME], 1);
        CHECK_EQ(v.heard[FRAME_DEAD], 0);
        villain_close(&v);
        leat_ignore(leat_sleep(LEAT_MS(20)));
        CHECK(sessions(x.a.n) <= ROOM);
    }
    CHECK_EQ(sessions(x.a.n), ROOM);
    CHECK(sess_is_down(first.s));                    /* it was the longest without a link, and strangers go before it */
    leat_node *late;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "late" }, &late), LEAT_OK);
    CHECK_EQ(leat_node_dial(late, "inproc:a", &p), LEAT_OK);
    leat_node_close(late);
    leat_ignore(leat_sleep(LEAT_S(40)));
    CHECK(sess_ended(first.s));                      /* its grace is over */
    CHECK(strstr(sess_fail_text(first.s), "did not come back within 30 s"));
    sess_unref(first.s);
    CHECK_EQ(sessions(x.a.n), 1);
    stage_close(&x);
    return LEAT_OK;
}
IN_WORLD(strangers_that_come_and_go_leave_room_for_others, strangers)

static leat_err absent(void *none)
{
    struct stage x;
    struct guest g[ROOM];
    (void)none;
    stage_open(&x);
    node_sessions_max = ROOM;
    for (int i = 0; i < ROOM; i++)                   /* one is the stage's own: so the last one is one too many */
        guest_enter(&g[i], &x);
    CHECK(sess_ended(g[0].s));
    CHECK(strstr(sess_fail_text(g[0].s), "has 8 sessions, and this one was without a link for the longest"));
    for (int i = 1; i < ROOM; i++)
        CHECK(sess_is_down(g[i].s));
    CHECK_EQ(sessions(x.a.n), ROOM);
    for (int i = 0; i < ROOM; i++)
        sess_unref(g[i].s);
    stage_close(&x);
    return LEAT_OK;
}
IN_WORLD(of_sessions_that_were_in_use_the_longest_absent_goes_first, absent)

static leat_err present(void *none)
{
    struct stage x;
    struct villain v[ROOM];
    (void)none;
    stage_open(&x);
    node_sessions_max = ROOM;
    for (int i = 0; i < ROOM; i++)
        enter(&v[i], "inproc:a");
    CHECK_EQ(v[ROOM - 1].heard[FRAME_WELCOME], 0);
    CHECK(strstr(v[ROOM - 1].dead, "node a has 8 sessions already"));
    for (int i = 0; i < ROOM - 1; i++)
        CHECK(!villain_ended(&v[i]));                /* who is there stays */
    villain_close(&v[ROOM - 1]);
    villain_close(&v[0]);
    enter(&v[0], "inproc:a");
    CHECK_EQ(v[0].heard[FRAME_WELCOME], 1);
    for (int i = 0; i < ROOM - 1; i++)
        villain_close(&v[i]);
    stage_close(&x);
    return LEAT_OK;
}
IN_WORLD(who_is_there_stays_and_one_too_many_is_told_so, present)

/* -- what is not acknowledged ------------------------------------------------------------------------------------------------------- */
/* Calls are answered, so there is something to acknowledge.  Then `every` second of so many the peer does something; when it was cut. */
static int lasts(struct villain *v, int seconds, void (*every)(struct villain *v, int second))
{
    int second = 0;
    for (int i = 0; i < CALLS; i++)
        call_twice(v, 1 + 2 * (uint64_t)i);
    CHECK_EQ(v->heard[FRAME_RESULT], CALLS);
    for (; second < seconds && !villain_ended(v); second++) {
        every(v, second);
        leat_ignore(leat_sleep(LEAT_S(1)));
    }
    return second;
}

static uint64_t numbered(const struct villain *v)
{
    uint64_t n = 0;
    for (int kind = FRAME_FIRST_NUMBERED; kind < FRAME_KINDS; kind++)
        n += v->heard[kind];
    return n;
}

static void say_ack(struct villain *v, uint8_t kind, uint64_t ack)
{
    struct buf b = { 0 };
    buf_u64(&b, ack);
    villain_say(v, kind, 0, &b);
    buf_free(&b);
}

static uint64_t answered;                            /* PINGs */
static void answer(struct villain *v, uint64_t ack)
{
    for (; answered < v->heard[FRAME_PING]; answered++)
        say_ack(v, FRAME_PONG, ack);
}

static void answers_and_has_nothing(struct villain *v, int second) { (void)second; answer(v, 0); }
static void answers_and_has_all(struct villain *v, int second) { (void)second; answer(v, numbered(v)); }
static void talks(struct villain *v, int second) { (void)second; say_ack(v, FRAME_ACK, 0); }
static void talks_and_takes_some(struct villain *v, int second) { say_ack(v, FRAME_ACK, (uint64_t)second / 200); }

static void cost(void (*every)(struct villain *v, int second), int seconds, int from, int to, const char *told)
{
    struct stage x;
    struct villain v;
    answered = 0;
    stage_open(&x);
    enter(&v, "inproc:a");
    int at = lasts(&v, seconds, every);
    CHECK(at >= from && at <= to);
    CHECK(told ? strstr(v.dead, told) != NULL : !villain_ended(&v));
    villain_close(&v);
    stage_close(&x);
}

static leat_err no_acks(void *none)
{
    (void)none;
    cost(answers_and_has_nothing, 400, 5, 30, "it does not acknowledge 20 frames that came before the PING");
    return LEAT_OK;
}
IN_WORLD(who_answers_a_ping_and_does_not_acknowledge_what_came_before_it_is_cut, no_acks)

static leat_err acks(void *none)
{
    (void)none;
    cost(answers_and_has_all, 1000, 1000, 1000, NULL);
    return LEAT_OK;
}
IN_WORLD(who_answers_every_ping_as_it_should_stays, acks)

static leat_err talk(void *none)
{
    (void)none;
    cost(talks, 1000, LIMIT_SESS_UNACKED_S, LIMIT_SESS_UNACKED_S + 30, "for 300 s it has acknowledged nothing that it was sent");
    return LEAT_OK;
}
IN_WORLD(who_talks_and_never_acknowledges_anything_is_cut, talk)

static leat_err some(void *none)
{
    (void)none;
    cost(talks_and_takes_some, 2000, 2000, 2000, NULL);
    return LEAT_OK;
}
IN_WORLD(who_talks_and_acknowledges_a_little_now_and_then_stays, some)

T_MAIN()
