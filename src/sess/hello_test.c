/* hello_test.c - what may knock at a node's port, and what a node may knock at: one clear line on each side, nobody else notices. */
#include "t.h"
#include "link/link.h"
#include "run/sched.h"
#include "sess/impl.h"

static const struct sess_user *const users[] = { NULL };
static const char *url = "inproc:a";

static struct { _Atomic uint32_t lock, n; char last[1024]; } logged;
static void keep(int level, const char *line)
{
    (void)level;
    lock(&logged.lock);
    snprintf(logged.last, sizeof logged.last, "%s", line);
    unlock(&logged.lock);
    atomic_fetch_add_explicit(&logged.n, 1, ACQ_REL);
}
static const leat_opts opts = { .log = keep };
#define RUN(fn) CHECK_EQ(leat_run(&opts, fn, LEAT_NONE), LEAT_OK)

static leat_node *open_node(const char *name)
{
    leat_node_opts o = { .name = name, .idle = LEAT_MS(50), .patience = LEAT_MS(450) };
    leat_node *n = NULL;
    CHECK_EQ(node_open(&o, users, &n), LEAT_OK);
    return n;
}

static void write_all(struct link *l, const void *p, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    CHECK_EQ(link_writev(l, &v, 1), LEAT_OK);
}

/* Until the other side closes; zero bytes become blanks. */
static void read_all(struct link *l, char *to, size_t cap)
{
    size_t n = 0, k;
    while (n + 1 < cap && link_read(l, to + n, cap - 1 - n, &k) == LEAT_OK)
        n += k;
    to[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (!to[i])
            to[i] = ' ';
}

static void put_hello(struct buf *b, uint16_t major, const char *job)
{
    buf_put(b, PREAMBLE_MAGIC, 8);
    buf_u16(b, major);
    buf_u16(b, 0);
    buf_u32(b, 0);
    size_t at = b->len;
    buf_u32(b, 0);
    buf_u8(b, FRAME_HELLO);
    buf_u8(b, 0);
    buf_u16(b, 0);
    buf_u64(b, 1);
    buf_u32(b, 1);
    buf_u32(b, 0);
    for (int i = 0; i < 4; i++)
        buf_u64(b, i < 2 ? 9 : 0);
    buf_u64(b, 1);
    for (int i = 0; i < 4; i++)
        buf_u32(b, 1 << 20);
    buf_text(b, "raw", 3);
    buf_text(b, job, strlen(job));
    buf_set_u32(b, at, (uint32_t)(b->len - at - FRAME_HEADER));
}

/* -- strangers at the door ------------------------------------------------------------------------------------------------- */
static struct { const void *p; size_t n; const char *log, *answer; bool hang_up; } knock;

static leat_err door(leat_none *none)
{
    (void)none;
    leat_node *a = open_node("node a"), *b = open_node("node b");
    leat_peer *p = NULL, *q = NULL;
    struct link *l;
    char got[4096];
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &p), LEAT_OK);
    CHECK_EQ(link_dial(leat_node_url(a), &l), LEAT_OK);
    if (knock.n)
        write_all(l, knock.p, knock.n);
    if (!knock.hang_up) {
        read_all(l, got, sizeof got);
        if (knock.answer)
            CHECK_HAS(got, knock.answer);
    }
    link_close(l);
    while (!at_load_acq(&logged.n))
        leat_yield();
    CHECK_HAS(logged.last, "leat: node a: refused a link from ");
    CHECK_HAS(logged.last, knock.log);
    CHECK_EQ(leat_node_dial(b, leat_node_url(a), &q), LEAT_OK);      /* it goes on serving, and the first peer is there still */
    leat_peer_close(q);
    CHECK(!sess_ended(sess_of(p)));
    leat_node_close(b);
    leat_node_close(a);
    CHECK_EQ(at_load(&logged.n), 1);
    return LEAT_OK;
}
#define KNOCK(name, bytes, what, said, hang) TEST(name) { knock.p = bytes; knock.n = sizeof(bytes) - 1; knock.log = what; \
    knock.answer = said; knock.hang_up = hang; RUN(door); }

KNOCK(hello_tls_is_recognised, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "it speaks TLS, not leat", "it speaks TLS, not leat", false)
KNOCK(hello_ssh_is_recognised, "SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH, not leat", "it speaks SSH", false)
KNOCK(hello_text_is_refused, "EHLO example.org\r\n", "it speaks another protocol, not leat", "another protocol", false)
KNOCK(hello_magic_that_is_nearly_right, "\x8bLEAT\n\x1a....................", "bytes that mean nothing here", NULL, false)
KNOCK(hello_silence_is_refused, "", "it sent no hello within 0.5 s", "it sent no hello within", false)
KNOCK(hello_two_bytes_and_silence, "GE", "it sent no hello within 0.5 s", NULL, false)
KNOCK(hello_nothing_then_gone, "", "it closed the link and said nothing", NULL, true)
KNOCK(hello_half_then_gone, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\x50\0\0\0\1", "it was gone in the middle of its hello", NULL, true)
KNOCK(hello_too_long, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\1\4\0\0\1\0\0\0", "its hello is wrong: too long", "too long", false)
KNOCK(hello_hostile_length, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\xff\xff\xff\xff\1\0\0\0", "its hello is wrong: too long", "too long", false)
KNOCK(hello_too_short, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\2\0\0\0\1\0\0\0xx", "too short", "too short", false)
KNOCK(hello_ping_instead, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0", "no hello at all", "no hello at all", false)
KNOCK(hello_element_instead, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0", "no hello at all", "no hello at all", false)

static leat_err job_door(leat_none *none)
{
    (void)none;
    setenv("LEAT_JOB", "0123456789abcdef0123456789abcdef", 1);
    knock.log = "it belongs to another launch (LEAT_JOB)";
    knock.answer = "node a says of this side: it belongs to another launch";
    return door(none);
}
TEST(hello_of_another_launch_is_refused)
{
    struct buf b = { 0 };
    put_hello(&b, WIRE_MAJOR, "00000000000000000000000000000000");
    knock.p = b.p;
    knock.n = b.len;
    RUN(job_door);
    buf_free(&b);
}

static leat_err silent_flood(leat_none *none)
{
    (void)none;
    leat_node *a = open_node("node a");
    struct link *l[50];
    CHECK_EQ(leat_node_listen(a, url), LEAT_OK);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(link_dial(leat_node_url(a), &l[i]), LEAT_OK);
        write_all(l[i], "\x8bLE", 3);
    }
    leat_node_close(a);                              /* does not wait for them */
    for (int i = 0; i < 50; i++)
        link_close(l[i]);
    return LEAT_OK;
}
TEST(hello_half_said_does_not_hold_up_a_close) { RUN(silent_flood); }

/* -- strangers behind the door --------------------------------------------------------------------------------------------- */
static struct { const void *p; size_t n; bool listen_first; const char *why; int more; } host;      /* more: times that it answers */

static leat_err host_one(struct link_listener **l)
{
    struct link *x;
    char got[512];
    size_t n;
    CHECK_EQ(link_accept(*l, &x), LEAT_OK);
    if (host.listen_first)
        CHECK_EQ(link_read(x, got, sizeof got, &n), LEAT_OK);
    write_all(x, host.p, host.n);
    if (!host.listen_first)
        read_all(x, got, sizeof got);
    link_close(x);
    return host.more-- > 0 ? host_one(l) : LEAT_OK;
}
static leat_err behind(leat_none *none)
{
    (void)none;
    leat_err err;
    leat_node *b = open_node("node b");
    struct link_listener *l;
    struct link_listen_opts o = { 0 };
    leat_peer *p = NULL;
    char start[300];
    CHECK_EQ(link_listen(url, &o, &l), LEAT_OK);
    leat_with_group(g, err) {
        err = leat_go(&g, host_one, l);
        CHECK_EQ(leat_node_dial(b, link_listener_url(l), &p), LEAT_REFUSED);
        CHECK_HAS(leat_err_detail(), host.why);
        snprintf(start, sizeof start, "%s: ", link_listener_url(l));
        CHECK(strncmp(leat_err_detail(), start, strlen(start)) == 0);
        CHECK(p == NULL);
    }
    CHECK_EQ(err, LEAT_OK);
    link_listener_close(l);
    leat_node_close(b);
    return LEAT_OK;
}
#define BEHIND(name, bytes, first, text) TEST(name) { host.p = bytes; host.n = sizeof(bytes) - 1; host.listen_first = first; \
    host.why = text; RUN(behind); }
BEHIND(dial_of_a_tls_server, "\x15\x03\x01\0\x02\x02\x16", true, "it speaks TLS, not leat")
BEHIND(dial_of_an_ssh_server, "SSH-2.0-OpenSSH_9.2p1\r\n", false, "it speaks SSH, not leat")
BEHIND(dial_of_another_server, "220 mail.example.org ESMTP\r\n", false, "it speaks another protocol, not leat")
BEHIND(dial_of_another_version, PREAMBLE_MAGIC "\2\0\0\0\0\0\0\0", true, "it speaks version 2 of leat's protocol, this side version 1")
BEHIND(dial_is_refused_with_a_reason, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\5\0\0\0\3\0\0\0\x09\3not", true, "it refuses: not")
/* What breaks in the middle of a hello is asked again, as nothing was sent yet; but not for ever. */
#define BEHIND_THRICE(name, bytes, text) TEST(name) { host.p = bytes; host.n = sizeof(bytes) - 1; host.listen_first = true; \
    host.why = text; host.more = 2; RUN(behind); CHECK_EQ(host.more, -1); }
BEHIND_THRICE(dial_of_what_closes_at_once, "", "it closed the link and said nothing")
BEHIND_THRICE(dial_of_what_answers_by_half, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\x40\0\0\0\2", "it was gone in the middle of its hello")
BEHIND(dial_of_a_wrong_welcome, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0xx", true, "its answer to the hello is wrong")
BEHIND(dial_of_an_echo, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", true, "its answer to the hello is wrong")

/* -- addresses -------------------------------------------------------------------------------------------------------------- */
static void dial_fails(leat_node *n, const char *to, leat_err want, const char *why)
{
    leat_peer *p = NULL;
    leat_err e = leat_node_dial(n, to, &p);
    if (e != want)
        fprintf(stderr, "# %s: %s: %s\n", to, leat_err_name(e), leat_err_detail());
    CHECK_EQ(e, want);
    CHECK_HAS(leat_err_detail(), why);
}
static void listen_fails(leat_node *n, const char *at, leat_err want, const char *why)
{
    leat_err e = leat_node_listen(n, at);
    if (e != want)
        fprintf(stderr, "# %s: %s: %s\n", at, leat_err_name(e), leat_err_detail());
    CHECK_EQ(e, want);
    CHECK_HAS(leat_err_detail(), why);
}
static leat_err addresses(leat_none *none)
{
    (void)none;
    leat_node *a = open_node("node a");
    CHECK(leat_node_url(a) == NULL);
    dial_fails(a, "inproc:nobody", LEAT_REFUSED, "inproc:nobody: nobody listens there");
    dial_fails(a, "", LEAT_INVAL, "an address is empty");
    dial_fails(a, "gopher://x", LEAT_INVAL, "'gopher://x' is no address: write tcp://HOST:PORT");
    dial_fails(a, "inproc:", LEAT_INVAL, "'inproc:' is no address");
    CHECK_EQ(leat_node_listen(a, "inproc:a"), LEAT_OK);
    listen_fails(a, "inproc:a", LEAT_REFUSED, "another node of this program listens there");
    CHECK_STR(leat_node_url(a), "inproc:a");
    leat_node_close(a);
    a = open_node("node a");
    CHECK_EQ(leat_node_listen(a, "inproc:a"), LEAT_OK);              /* a name is free again after the close */
    leat_node_close(a);
    return LEAT_OK;
}
TEST(node_addresses_that_are_wrong) { RUN(addresses); }

static leat_err names(leat_none *none)
{
    (void)none;
    leat_node *n = NULL;
    leat_node_opts o = { .name = "a name that is much longer than anybody could want to read in the trace of a program" };
    CHECK_EQ(node_open(&o, users, &n), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "has more than 63 bytes");
    CHECK_EQ(node_open(NULL, users, &n), LEAT_OK);
    CHECK_HAS(node_name(n), "sess_hello_test[");
    leat_node_close(n);
    setenv("LEAT_RANK", "2", 1);
    CHECK_EQ(node_open(NULL, users, &n), LEAT_OK);
    CHECK_STR(node_name(n), "node 2");
    leat_node_close(n);
    leat_node_close(NULL);
    leat_peer_close(NULL);
    return LEAT_OK;
}
TEST(node_names) { RUN(names); }
TEST(node_needs_a_runtime)
{
    leat_node *n = NULL;
    CHECK_EQ(node_open(NULL, users, &n), LEAT_INVAL);
    CHECK_HAS(leat_err_detail(), "call it below leat_run");
}
/* -- the same over sockets --------------------------------------------------------------------------------------------------- */
static void use_tcp(void) { url = "tcp://127.0.0.1:0"; }
static void use_unix(void)
{
    static char path[64];
    snprintf(path, sizeof path, "unix:/tmp/leat-hello-%d", (int)getpid());
    url = path;
}
/* At every kind of address. */
#define KNOCK_AT(name, use, bytes, what, said) TEST(name) { use; knock.p = bytes; knock.n = sizeof(bytes) - 1; knock.log = what; \
    knock.answer = said; knock.hang_up = false; RUN(door); }
#define KNOCK_ANYWHERE(name, bytes, what, said) KNOCK_AT(name##_inproc, (void)0, bytes, what, said) \
    KNOCK_AT(name##_unix, use_unix(), bytes, what, said) KNOCK_AT(name##_tcp, use_tcp(), bytes, what, said)
KNOCK_ANYWHERE(hello_http_is_recognised_and_answered, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "it speaks HTTP, not leat", "HTTP/1.1 400 Bad")
KNOCK_ANYWHERE(hello_noise_is_refused, "\xde\xad\xbe\xef\1\2\3\4\5\6\7\xff\xfe", "bytes that mean nothing here", "bytes that mean nothing")
KNOCK_ANYWHERE(hello_other_version, PREAMBLE_MAGIC "\7\0\0\0\0\0\0\0",
    "it speaks version 7 of leat's protocol, this side version 1", "version 7")
#define KNOCK_TCP(name, bytes, what, said, hang) TEST(name) { use_tcp(); knock.p = bytes; knock.n = sizeof(bytes) - 1; knock.log = what; \
    knock.answer = said; knock.hang_up = hang; RUN(door); }
KNOCK_TCP(hello_tls_over_tcp, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "it speaks TLS, not leat", "it speaks TLS", false)
KNOCK_TCP(hello_silence_over_tcp, "", "it sent no hello within 0.5 s", "it sent no hello within", false)
KNOCK_TCP(hello_half_over_tcp, PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0\x50\0\0\0\1", "in the middle of its hello", NULL, true)
TEST(dial_of_what_closes_at_once_over_tcp)
{
    use_tcp();
    host.p = "";
    host.n = 0;
    host.listen_first = true;
    host.why = "it closed the link and said nothing";
    host.more = 2;
    RUN(behind);
}
static const char noise[20000] = { 7 };
KNOCK_TCP(hello_much_noise_over_tcp, noise, "bytes that mean nothing here", "bytes that mean nothing", false)
#define BEHIND_AT(name, use, bytes, first, text) TEST(name) { use; host.p = bytes; host.n = sizeof(bytes) - 1; \
    host.listen_first = first; host.why = text; RUN(behind); }
#define BEHIND_ANYWHERE(name, bytes, first, text) BEHIND_AT(name##_inproc, (void)0, bytes, first, text) \
    BEHIND_AT(name##_unix, use_unix(), bytes, first, text) BEHIND_AT(name##_tcp, use_tcp(), bytes, first, text)
BEHIND_ANYWHERE(dial_of_a_web_server, "HTTP/1.1 400 Bad Request\r\n\r\n", true, "it speaks HTTP, not leat")
BEHIND_AT(dial_of_an_ssh_server_over_tcp, use_tcp(), "SSH-2.0-OpenSSH_9.2p1\r\n", false, "it speaks SSH, not leat")

/* -- a hello that comes too late --------------------------------------------------------------------------------------------- */
/* Who accepts breaks the first link, and says of the second that its hello came too late.  That is said of this link and of no session:
 * there is a third. */
static struct { struct link_listener *l; _Atomic uint32_t links; } late;
static leat_err accepts_three(leat_none *none)
{
    static const char welcome[] = PREAMBLE_MAGIC "\1\0\0\0\0\0\0\0" "\x33\0\0\0\2\0\0\0" "incarnation....." "\1\0\0\0\0\0\0\0"
        "\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0" "\5node2" "\0" "\x60\xea\0\0";     /* a grace of 60 s */
    char got[4096];
    (void)none;
    for (uint32_t n = 1; n <= 3; n++) {
        struct link *l;
        size_t k;
        CHECK_EQ(link_accept(late.l, &l), LEAT_OK);
        CHECK_EQ(link_read(l, got, sizeof got, &k), LEAT_OK);        /* its hello */
        if (n == 2) {
            write_all(l, welcome, PREAMBLE_BYTES);
            hello_leave(l, LEAT_DEADLINE, "it sent no hello in time");
        } else {
            write_all(l, welcome, sizeof welcome - 1);
        }
        at_store_rel(&late.links, n);
        if (n == 3)
            read_all(l, got, sizeof got);
        link_close(l);
    }
    return LEAT_OK;
}

static leat_err too_late(leat_none *none)
{
    (void)none;
    leat_node *b = open_node("node b");
    leat_peer *p = NULL;
    leat_err err;
    CHECK_EQ(link_listen(url, &(struct link_listen_opts){ 0 }, &late.l), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, accepts_three, LEAT_NONE));
        CHECK_EQ(leat_node_dial(b, link_listener_url(late.l), &p), LEAT_OK);
        while (at_load_acq(&late.links) < 3) {
            CHECK(!sess_ended(sess_of(p)));
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        }
        leat_with_deadline(LEAT_MS(1))
            leat_ignore(leat_node_close(b));
    }
    CHECK_EQ(err, LEAT_OK);
    link_listener_close(late.l);
    return LEAT_OK;
}
TEST(a_hello_that_was_late_is_said_of_its_link_alone_unix) { use_unix(); RUN(too_late); }
TEST(a_hello_that_was_late_is_said_of_its_link_alone_tcp) { use_tcp(); RUN(too_late); }

T_MAIN()
