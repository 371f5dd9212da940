/* monitor_test.c - the events of sessions as channels, and what leat_node_dump says of sessions. */
#include <fcntl.h>
#include "pair.h"
#include "base/alloc.h"
#include "link/link.h"
#include "run/sched.h"
#include "sess/impl.h"

typedef leat_rx(leat_peer_event) events;

static leat_peer_event next(events c, enum leat_peer_state state)
{
    leat_peer_event v;
    CHECK_EQ(leat_recv(c, &v), LEAT_OK);
    CHECK_EQ(v.state, state);
    return v;
}
static void no_more(events *c)
{
    leat_peer_event v;
    CHECK_EQ(leat_recv(*c, &v), LEAT_CLOSED);
    leat_unref(*c);
    *c = NULL;
}

/* The link of s breaks.  to: where its dialer comes back; NULL: as before. */
static void cut(leat_peer *p, const char *to)
{
    struct sess *s = sess_of(p);
    char *url_new = to ? mem_alloc(strlen(to) + 1) : NULL, *old = NULL;
    if (to)
        memcpy(url_new, to, strlen(to) + 1);
    lock(&s->out_lock);
    if (to) {
        old = s->url;
        s->url = url_new;
    }
    CHECK(s->link);
    link_shutdown(s->link);
    unlock(&s->out_lock);
    mem_free(old);
}

static leat_node *node(const char *name, leat_dur grace)
{
    leat_node *n = NULL;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = name, .grace = grace }, &n), LEAT_OK);
    return n;
}

/* -- one peer ------------------------------------------------------------------------------------------------------------------ */
static leat_err cut_and_closed(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    events c = leat_peer_events(x.p), d = leat_peer_events(x.p);
    leat_peer_event v = next(c, LEAT_PEER_UP);
    CHECK_STR(v.name, "node a");
    CHECK(v.attempt >= 1 && v.number == 1 && v.err == LEAT_OK && !v.why[0] && !v.grace.ns);
    uint32_t first = v.attempt;
    uint64_t session = v.session;
    cut(x.p, NULL);
    v = next(c, LEAT_PEER_DOWN);
    CHECK(v.grace.ns > 0 && v.grace.ns <= LEAT_S(30).ns && v.attempt == first && v.number == 2 && v.why[0]);
    v = next(c, LEAT_PEER_UP);
    CHECK(v.attempt > first && v.number == 3 && !v.why[0]);
    leat_peer_close(x.p);
    v = next(c, LEAT_PEER_ENDED);
    CHECK(v.err == LEAT_OK && v.number == 4 && v.session == session);
    CHECK_STR(v.why, "the session was closed");
    no_more(&c);
    pair_close(&x);
    for (int i = 0; i < 4; i++)                      /* the other one has outlived the peer and the node */
        v = next(d, (enum leat_peer_state[]){ LEAT_PEER_UP, LEAT_PEER_DOWN, LEAT_PEER_UP, LEAT_PEER_ENDED }[i]);
    CHECK_EQ(v.number, 4);
    no_more(&d);
    return LEAT_OK;
}
ANYWHERE(a_monitor_sees_its_session_up_down_up_and_closed, cut_and_closed)

static leat_err late(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    leat_node_close(x.a);
    CHECK_EQ(leat_peer_wait(x.p), LEAT_OK);
    for (int i = 0; i < 2; i++) {
        events c = leat_peer_events(x.p);
        leat_peer_event v = next(c, LEAT_PEER_ENDED);
        CHECK(v.err == LEAT_OK && v.number == 1);
        CHECK_STR(v.why, "the session was closed");
        no_more(&c);
    }
    leat_node_close(x.b);
    CHECK(!leat_peer_events(NULL));
    CHECK_HAS(leat_err_detail(), "no peer");
    return LEAT_OK;
}
ANYWHERE(a_monitor_of_what_has_ended_says_so_and_closes, late)

static leat_err broken(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    events c = leat_peer_events(x.p);
    (void)next(c, LEAT_PEER_UP);
    sess_break(sess_of(x.p), LEAT_INVAL, "enough of this");
    leat_peer_event v = next(c, LEAT_PEER_ENDED);
    CHECK_EQ(v.err, LEAT_PEER_LOST);
    CHECK_HAS(v.why, "enough of this");
    no_more(&c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_monitor_says_why_a_session_is_lost, broken)

static leat_err slow(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    enum { CUTS = 6 };
    events c = leat_peer_events(x.p), lazy = leat_peer_events(x.p);
    leat_peer_event v;
    (void)next(c, LEAT_PEER_UP);
    for (int i = 0; i < CUTS; i++) {
        cut(x.p, NULL);
        (void)next(c, LEAT_PEER_DOWN);
        (void)next(c, LEAT_PEER_UP);
    }
    leat_peer_close(x.p);
    uint64_t last = next(c, LEAT_PEER_ENDED).number, n = 0, before = 0;
    CHECK_EQ(last, 2 * CUTS + 2);
    no_more(&c);
    for (; leat_recv(lazy, &v) == LEAT_OK; n++) {
        CHECK(before ? v.number == before + 1 : v.number > 1);
        before = v.number;
    }
    CHECK(n >= 1 && n < last && before == last && v.state == LEAT_PEER_ENDED);
    no_more(&lazy);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_monitor_that_is_slow_loses_the_oldest_events_and_never_the_last, slow)

/* Whoever knocks is sent away. */
static leat_err gate(struct link_listener **l)
{
    struct link *x;
    while (link_accept(*l, &x) == LEAT_OK)
        link_close(x);
    return LEAT_OK;
}

static leat_err grace_over(leat_none *none)
{
    leat_err err;
    struct link_listen_opts o = { 0 };
    struct link_listener *l;
    leat_node *a = node("node a", LEAT_S(30)), *b = node("node b", LEAT_MS(300));
    leat_peer *p = NULL;
    (void)none;
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(link_listen(another_url(), &o, &l), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, gate, l));
        events c = leat_peer_events(p);
        (void)next(c, LEAT_PEER_UP);
        cut(p, link_listener_url(l));
        leat_peer_event v = next(c, LEAT_PEER_DOWN);
        CHECK(v.grace.ns <= LEAT_MS(300).ns);
        events d = leat_peer_events(p);              /* it begins with what is so now */
        CHECK_EQ(leat_recv(d, &v), LEAT_OK);
        CHECK(v.number == 1 && v.state != LEAT_PEER_UP && v.why[0]);
        v = next(c, LEAT_PEER_ENDED);
        CHECK_EQ(v.err, LEAT_PEER_LOST);
        CHECK_HAS(v.why, "the link broke: ");
        CHECK_HAS(v.why, "within 0.3 s");
        no_more(&c);
        leat_unref(d);
        link_listener_shutdown(l);
        leat_group_cancel(&g);
    }
    link_listener_close(l);
    leat_node_close(b);
    leat_node_close(a);
    return LEAT_OK;
}
ANYWHERE(a_monitor_sees_the_grace_go_by, grace_over)

struct work { leat_tx(uint64_t) c; };
static leat_err counting(struct work *w)
{
    for (uint64_t i = 0; leat_send(w->c, i) == LEAT_OK; i++)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    return LEAT_OK;
}
static leat_err beside(leat_none *none)
{
    (void)none;
    leat_err err, e = LEAT_OK;
    struct pair x = pair_open();
    events c = leat_peer_events(x.p);
    leat_auto leat_chan(uint64_t) nums = leat_chan_make(uint64_t, 0);
    leat_peer_event v = { 0 };
    uint64_t n, got = 0, seen = 0;
    bool over = false;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, counting, (struct work){ leat_tx_of(nums) }));
        while (!over && e == LEAT_OK) {
            leat_select(e) {
                leat_on_recv(nums, &n) {
                    if (++got == 3)
                        cut(x.p, NULL);
                }
                leat_on_recv(c, &v) {
                    if (++seen == 3)
                        leat_peer_close(x.p);
                }
                leat_on_closed(c) { over = true; }
            }
        }
        leat_group_cancel(&g);
    }
    CHECK(over && got >= 3 && seen == 4 && v.state == LEAT_PEER_ENDED);
    no_more(&c);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_select_waits_for_events_beside_a_receive, beside)

/* -- all of a node ---------------------------------------------------------------------------------------------------------- */
static leat_err came_and_went(leat_none *none)
{
    (void)none;
    leat_node *a = node("node a", LEAT_S(30)), *b = node("node b", LEAT_S(30)), *c = node("node c", LEAT_S(30));
    leat_peer *pb = NULL, *pc = NULL;
    events all = leat_node_events(a);
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &pb), LEAT_OK);
    leat_peer_event vb = next(all, LEAT_PEER_UP);
    CHECK_STR(vb.name, "node b");
    CHECK_EQ(leat_node_dial(c, leat_node_url(a), &pc), LEAT_OK);
    leat_peer_event vc = next(all, LEAT_PEER_UP), v;
    CHECK_STR(vc.name, "node c");
    CHECK(vb.session != vc.session);
    cut(pb, NULL);
    CHECK_EQ((v = next(all, LEAT_PEER_DOWN)).session, vb.session);
    CHECK_EQ((v = next(all, LEAT_PEER_UP)).session, vb.session);
    CHECK(v.attempt > vb.attempt);
    leat_node_close(c);
    v = next(all, LEAT_PEER_ENDED);
    CHECK(v.session == vc.session && v.err == LEAT_OK);
    CHECK_STR(v.name, "node c");
    leat_node_close(a);
    CHECK_EQ(next(all, LEAT_PEER_ENDED).session, vb.session);
    no_more(&all);
    leat_node_close(b);
    CHECK(!leat_node_events(NULL));
    return LEAT_OK;
}
ANYWHERE(a_node_tells_who_came_and_went, came_and_went)

/* -- ends that are let go -------------------------------------------------------------------------------------------------- */
static leat_err dropped(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    for (int i = 0; i < 1000; i++) {
        events one = leat_peer_events(x.p), all = leat_node_events(x.b);
        leat_unref(one);
        leat_unref(all);
        CHECK(node_monitors(x.b) <= 2);
    }
    events c = leat_peer_events(x.p);
    (void)next(c, LEAT_PEER_UP);
    CHECK_EQ(node_monitors(x.b), 1);
    leat_unref(c);
    cut(x.p, NULL);
    while (node_monitors(x.b))
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(monitors_that_nobody_hears_are_forgotten, dropped)

struct ev {
    enum leat_peer_state state;
    leat_err err;
    leat_dur grace;
    uint32_t attempt;
    uint64_t session, number;
    char name[64], why[256];
};
LEAT_DESCRIBE(ev, (local, state), (local, err), (local, grace), (uint32, attempt), (uint64, session), (uint64, number), (chars(64), name),
    (local, why));
_Static_assert(sizeof(struct ev) == sizeof(leat_peer_event), "the same");

/* Were it not closed, the reader might have to wait for a peer. */
static leat_err given_away(leat_none *none)
{
    (void)none;
    struct pair x = pair_open();
    struct ev v;
    leat_rx(struct ev) c = (leat_rx(struct ev))(void *)leat_peer_events(x.p), there = NULL;
    CHECK_EQ(leat_export(x.b, "events", c, ev), LEAT_OK);
    leat_unref(c);
    leat_peer *pb = NULL;
    leat_node *third = node("node c", LEAT_S(30));
    CHECK_EQ(leat_node_listen(x.b, another_url()), LEAT_OK);
    CHECK_EQ(leat_node_dial(third, leat_node_url(x.b), &pb), LEAT_OK);
    CHECK_EQ(leat_import(pb, "events", &there, ev, 4), LEAT_OK);
    cut(x.p, NULL);
    CHECK_EQ(leat_recv(there, &v), LEAT_OK);         /* that it was up, from before */
    CHECK_EQ(leat_recv(there, &v), LEAT_CLOSED);
    CHECK_EQ(node_monitors(x.b), 0);
    leat_unref(there);
    leat_node_close(third);
    pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(events_that_are_given_to_another_process_are_closed, given_away)

/* -- a process that dies ------------------------------------------------------------------------------------------------------ */
static int told[2];
static leat_err victim(leat_none *none)
{
    char line[160] = "";
    (void)none;
    leat_node *a = node("node a", LEAT_S(30));
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    snprintf(line, sizeof line, "%s", leat_node_url(a));
    CHECK_EQ(write(told[1], line, sizeof line), sizeof line);
    return leat_node_wait(a);
}
static pid_t pid;
static leat_err killed(leat_none *none)
{
    char line[160];
    leat_peer *p = NULL;
    (void)none;
    CHECK_EQ(read(told[0], line, sizeof line), sizeof line);
    leat_node *b = node("node b", LEAT_S(30));
    CHECK_EQ(leat_node_dial(b, line, &p), LEAT_OK);
    events c = leat_peer_events(p);
    (void)next(c, LEAT_PEER_UP);
    kill(pid, SIGKILL);
    (void)next(c, LEAT_PEER_DOWN);
    leat_peer_event v = next(c, LEAT_PEER_ENDED);    /* within the grace: this host knows that nobody listens */
    CHECK_EQ(v.err, LEAT_PEER_LOST);
    CHECK_HAS(v.why, "nobody listens there any more");
    no_more(&c);
    leat_node_close(b);
    return LEAT_OK;
}
static void kill_at(enum place place_)
{
    at(place_);
    CHECK(pipe(told) == 0);
    pid = fork();
    if (pid == 0) {
        leat_ignore(leat_run(&quiet_opts, victim, LEAT_NONE));
        _exit(0);
    }
    CHECK_EQ(leat_run(&quiet_opts, killed, LEAT_NONE), LEAT_OK);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    if (place_ == UNIX)
        unlink(url + 5);
}
TEST(a_monitor_sees_a_process_die_unix) { kill_at(UNIX); }
TEST(a_monitor_sees_a_process_die_tcp) { kill_at(TCP); }

/* -- reports ---------------------------------------------------------------------------------------------------------------- */
static const char *dump(leat_node *n)
{
    static char text[1 << 14];
    int p[2];
    size_t at = 0;
    CHECK(pipe(p) == 0);
    CHECK_EQ(leat_node_dump(n, p[1]), 0);            /* counts ends of channels */
    close(p[1]);
    for (ssize_t k; (k = read(p[0], text + at, sizeof text - 1 - at)) > 0; )
        at += (size_t)k;
    close(p[0]);
    text[at] = 0;
    return text;
}

static leat_err reported(leat_none *none)
{
    leat_err err;
    struct link_listen_opts o = { 0 };
    struct link_listener *l;
    char want[64];
    struct pair x = pair_open();
    (void)none;
    CHECK_EQ(link_listen(another_url(), &o, &l), LEAT_OK);
    events c = leat_peer_events(x.p);
    snprintf(want, sizeof want, "): session: up on link %u, ", next(c, LEAT_PEER_UP).attempt);
    CHECK_HAS(dump(x.b), want);
    CHECK_HAS(dump(x.b), "node a (");
    CHECK_HAS(dump(x.b), " bytes kept\n");
    CHECK_HAS(dump(x.a), "node b (");
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, gate, l));
        cut(x.p, link_listener_url(l));
        leat_peer_event v = next(c, LEAT_PEER_DOWN);
        CHECK_HAS(dump(x.b), "): session: down since ");
        CHECK_HAS(dump(x.b), " of its grace left (");
        CHECK_HAS(dump(x.b), v.why);
        sess_break(sess_of(x.p), LEAT_INVAL, "it is enough");
        (void)next(c, LEAT_PEER_ENDED);
        no_more(&c);
        while (*dump(x.b))                           /* off the list, a moment later */
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        link_listener_shutdown(l);
        leat_group_cancel(&g);
    }
    link_listener_close(l);
    leat_with_deadline(LEAT_MS(1))                   /* its peer does not come back */
        pair_close(&x);
    return LEAT_OK;
}
ANYWHERE(a_node_says_how_its_sessions_are, reported)

T_MAIN()
