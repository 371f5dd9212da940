/* link_test.c - links of every kind: bytes both ways, in order; shutdown wakes both; a break is seen; addresses that are wrong. */
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "link/link.h"
#include "run/sched.h"

static const char *url = "inproc:a";
static const struct link_listen_opts plain = { false };
#define RUN(fn) CHECK_EQ(leat_run(NULL, fn, LEAT_NONE), LEAT_OK)

static struct link_listener *listen_here(void)
{
    struct link_listener *l = NULL;
    leat_err e = link_listen(url, &plain, &l);
    if (e != LEAT_OK)
        fprintf(stderr, "# %s\n", leat_err_detail());
    CHECK_EQ(e, LEAT_OK);
    return l;
}

/* Both ends of a link of the kind under test. */
static struct link_listener *pair(struct link **a, struct link **b)
{
    struct link_listener *l = listen_here();
    CHECK_EQ(link_dial(link_listener_url(l), a), LEAT_OK);
    CHECK_EQ(link_accept(l, b), LEAT_OK);
    return l;
}

static leat_err put(struct link *l, const void *p, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    return link_writev(l, &v, 1);
}

/* -- bytes ----------------------------------------------------------------------------------------------------------------- */
enum { MANY = 4 << 20 };

static leat_err pour(struct link **l)
{
    uint32_t v[1000], w[777];
    uint32_t k = 0;
    while (k < MANY / 4) {
        struct iovec iov[2] = { { v, 0 }, { w, 0 } };
        for (size_t i = 0; i < ARRAY_LEN(v) && k < MANY / 4; i++, iov[0].iov_len += 4)
            v[i] = k++;
        for (size_t i = 0; i < ARRAY_LEN(w) && k < MANY / 4; i++, iov[1].iov_len += 4)
            w[i] = k++;
        CHECK_EQ(link_writev(*l, iov, 2), LEAT_OK);
    }
    return LEAT_OK;
}

static leat_err drink(struct link **l)
{
    static const size_t caps[] = { 1, 3, 4096, 100000 };
    uint8_t *all = malloc(MANY);
    size_t n = 0, k;
    CHECK(all != NULL);
    for (int i = 0; n < MANY; i++) {
        CHECK_EQ(link_read(*l, all + n, MIN(caps[i & 3], MANY - n), &k), LEAT_OK);
        CHECK(k > 0);
        n += k;
    }
    for (uint32_t i = 0; i < MANY / 4; i++) {
        uint32_t v;
        memcpy(&v, all + 4 * i, 4);
        CHECK_EQ(v, i);
    }
    free(all);
    return LEAT_OK;
}

static leat_err both_ways(leat_none *none)
{
    (void)none;
    struct link *a, *b;
    leat_err err;
    struct link_listener *l = pair(&a, &b);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, pour, a), LEAT_OK);
        CHECK_EQ(leat_go(&g, drink, b), LEAT_OK);
        CHECK_EQ(leat_go(&g, pour, b), LEAT_OK);
        CHECK_EQ(leat_go(&g, drink, a), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    link_close(a);
    link_close(b);
    link_listener_close(l);
    return LEAT_OK;
}

static leat_err last_words(leat_none *none)
{
    (void)none;
    struct link *a, *b;
    char got[16];
    size_t n;
    struct link_listener *l = pair(&a, &b);
    CHECK_EQ(put(a, "last", 4), LEAT_OK);
    link_close(a);
    CHECK_EQ(link_read(b, got, sizeof got, &n), LEAT_OK);            /* what was written arrives after the close */
    CHECK_EQ(n, 4);
    CHECK_EQ(link_read(b, got, sizeof got, &n), LEAT_CLOSED);
    link_close(b);
    link_listener_close(l);
    return LEAT_OK;
}

/* -- waking ------------------------------------------------------------------------------------------------------------------- */
static leat_err read_until_shut(struct link **l)
{
    char got[16];
    size_t n;
    CHECK_EQ(link_read(*l, got, sizeof got, &n), LEAT_CLOSED);
    return LEAT_OK;
}
static leat_err write_until_shut(struct link **l)
{
    static const char zeros[8192];
    leat_err e;
    while ((e = put(*l, zeros, sizeof zeros)) == LEAT_OK)
        ;
    CHECK(e == LEAT_CLOSED || e == LEAT_SYS);
    return LEAT_OK;
}
static leat_err accept_until_shut(struct link_listener **l)
{
    struct link *x;
    CHECK_EQ(link_accept(*l, &x), LEAT_CLOSED);
    CHECK_EQ(link_accept(*l, &x), LEAT_CLOSED);
    return LEAT_OK;
}
static leat_err shut_wakes(leat_none *none)
{
    (void)none;
    struct link *a, *b;
    leat_err err;
    struct link_listener *l = pair(&a, &b);
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, read_until_shut, a), LEAT_OK);
        CHECK_EQ(leat_go(&g, write_until_shut, a), LEAT_OK);
        CHECK_EQ(leat_go(&g, accept_until_shut, l), LEAT_OK);
        CHECK_EQ(leat_sleep(LEAT_MS(5)), LEAT_OK);   /* all three wait now, most likely; right either way */
        link_shutdown(a);
        link_shutdown(a);
        link_listener_shutdown(l);
        link_listener_shutdown(l);
    }
    CHECK_EQ(err, LEAT_OK);
    link_close(a);
    link_close(b);
    link_listener_close(l);
    return LEAT_OK;
}

static leat_err obeys(leat_none *none)
{
    (void)none;
    struct link *a, *b, *x;
    char got[16];
    size_t n;
    struct link_listener *l = pair(&a, &b);
    leat_with_deadline(LEAT_MS(5)) {
        CHECK_EQ(link_read(a, got, sizeof got, &n), LEAT_DEADLINE);
        CHECK_EQ(link_accept(l, &x), LEAT_DEADLINE);
    }
    CHECK_EQ(put(b, "x", 1), LEAT_OK);
    CHECK_EQ(link_read(a, got, sizeof got, &n), LEAT_OK);            /* nothing is lost by a read that ended early */
    CHECK_EQ(n, 1);
    link_close(a);
    link_close(b);
    link_listener_close(l);
    return LEAT_OK;
}

TEST(link_inproc_carries_bytes_both_ways) { RUN(both_ways); }
TEST(link_inproc_delivers_the_last_words) { RUN(last_words); }
TEST(link_inproc_shutdown_wakes_all) { RUN(shut_wakes); }
TEST(link_inproc_obeys_deadlines) { RUN(obeys); }

static leat_err names(leat_none *none)
{
    (void)none;
    struct link_listener *l = listen_here(), *m;
    struct link *x;
    CHECK_EQ(link_listen(url, &plain, &m), LEAT_REFUSED);
    CHECK_EQ(link_dial(url, &x), LEAT_OK);
    link_listener_close(l);                          /* with one dialed and never accepted */
    char got[4];
    size_t n;
    CHECK_EQ(link_read(x, got, sizeof got, &n), LEAT_CLOSED);
    link_close(x);
    CHECK_EQ(link_dial(url, &x), LEAT_REFUSED);
    l = listen_here();
    link_listener_close(l);
    link_listener_close(NULL);
    link_close(NULL);
    return LEAT_OK;
}
TEST(link_inproc_names_come_and_go) { RUN(names); }

static leat_err self(leat_none *none)
{
    (void)none;
    struct link *a, *b;
    leat_err err;
    CHECK_EQ(link_pair("itself", &a, &b), LEAT_OK);
    CHECK_STR(a->text, "itself");
    leat_with_group(g, err) {
        CHECK_EQ(leat_go(&g, pour, a), LEAT_OK);
        CHECK_EQ(leat_go(&g, drink, b), LEAT_OK);
    }
    CHECK_EQ(err, LEAT_OK);
    link_close(a);
    link_close(b);
    return LEAT_OK;
}
TEST(link_pair_needs_no_name) { RUN(self); }

/* -- sockets ------------------------------------------------------------------------------------------------------------------ */
static char path[64];
static void use_unix(void)
{
    snprintf(path, sizeof path, "unix:/tmp/leat-link-%d", (int)getpid());
    url = path;
}
static void use_tcp(void) { url = "tcp://127.0.0.1:0"; }

TEST(link_unix_carries_bytes_both_ways) { use_unix(); RUN(both_ways); }
TEST(link_unix_delivers_the_last_words) { use_unix(); RUN(last_words); }
TEST(link_unix_shutdown_wakes_all) { use_unix(); RUN(shut_wakes); }
TEST(link_unix_obeys_deadlines) { use_unix(); RUN(obeys); }
TEST(link_tcp_carries_bytes_both_ways) { use_tcp(); RUN(both_ways); }
TEST(link_tcp_delivers_the_last_words) { use_tcp(); RUN(last_words); }
TEST(link_tcp_shutdown_wakes_all) { use_tcp(); RUN(shut_wakes); }
TEST(link_tcp_obeys_deadlines) { use_tcp(); RUN(obeys); }

static leat_err unix_file(leat_none *none)
{
    (void)none;
    use_unix();
    struct link_listener *l = listen_here();
    CHECK_STR(link_listener_url(l), url);
    CHECK_EQ(access(path + 5, F_OK), 0);
    link_listener_close(l);
    CHECK(access(path + 5, F_OK) != 0);
    return LEAT_OK;
}
TEST(link_unix_file_goes_with_its_listener) { RUN(unix_file); }

static leat_err off_host(leat_none *none)
{
    (void)none;
    struct link_listener *l = NULL;
    struct link_listen_opts o = { .insecure = true };
    CHECK_EQ(link_listen("tcp://*:0", &plain, &l), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "tcp://*:0: plain TCP has no keys, so it stays on this host");
    CHECK_HAS(leat_err_detail(), "allow it by `.insecure = true`");
    CHECK_EQ(link_listen("tcp://0.0.0.0:0", &plain, &l), LEAT_REFUSED);
    CHECK_EQ(link_listen("tcp://[::]:0", &plain, &l), LEAT_REFUSED);
    CHECK_EQ(link_listen("tcp://192.0.2.1:0", &plain, &l), LEAT_REFUSED);
    CHECK_EQ(link_listen("tcp://127.0.0.1.example.org:0", &plain, &l), LEAT_REFUSED);
    CHECK(l == NULL);
    CHECK_EQ(link_listen("tcp://0.0.0.0:0", &o, &l), LEAT_OK);
    link_listener_close(l);
    CHECK_EQ(link_listen("tcp://localhost:0", &plain, &l), LEAT_OK);
    link_listener_close(l);
    return LEAT_OK;
}
TEST(link_tcp_listens_on_this_host_only_unless_told) { RUN(off_host); }

static void dial_fails(const char *to, leat_err want, const char *why)
{
    struct link *x = NULL;
    leat_err e = link_dial(to, &x);
    if (e != want || !strstr(leat_err_detail(), why))
        fprintf(stderr, "# %s: %s: %s\n", to, leat_err_name(e), leat_err_detail());
    CHECK_EQ(e, want);
    CHECK_HAS(leat_err_detail(), why);
    CHECK(x == NULL);
}
static leat_err bad_addresses(leat_none *none)
{
    (void)none;
    struct link_listener *l, *m;
    char was[LINK_TEXT_MAX];
    use_tcp();
    l = listen_here();
    CHECK_EQ(link_listen(link_listener_url(l), &plain, &m), LEAT_SYS);
    CHECK_HAS(leat_err_detail(), "somebody listens there already");
    snprintf(was, sizeof was, "%s", link_listener_url(l));
    link_listener_close(l);
    dial_fails(was, LEAT_REFUSED, "nobody listens there");
    dial_fails("unix:/tmp/leat-nobody-is-here", LEAT_REFUSED, "no such socket file");
    dial_fails("tcp://name.invalid:1", LEAT_SYS, "leat_dial tcp://name.invalid:1: ");
    dial_fails("tcp://127.0.0.1", LEAT_INVAL, "it has no port");
    dial_fails("tcp://", LEAT_INVAL, "address is tcp://HOST:PORT");
    dial_fails("tcp://127.0.0.1:99999", LEAT_INVAL, "address is tcp://HOST:PORT");
    dial_fails("udp://127.0.0.1:9", LEAT_INVAL, "is no address");
    return LEAT_OK;
}
TEST(link_addresses_that_are_wrong) { RUN(bad_addresses); }

static leat_err adopted(leat_none *none)
{
    (void)none;
    struct link_listener *l, *k;
    struct link *a, *b;
    use_tcp();
    l = listen_here();
    leat_listener *raw;
    CHECK_EQ(leat_listen(url, &raw), LEAT_OK);
    leat_listener_close(raw);
    CHECK_EQ(link_listen_fd(-1, "tcp://127.0.0.1:1", &k), LEAT_INVAL);
    CHECK_EQ(link_listen_fd(0, "inproc:a", &k), LEAT_INVAL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 8) == 0);
    CHECK_EQ(link_listen_fd(fd, "tcp://127.0.0.1:0", &k), LEAT_OK);
    CHECK_EQ(link_dial(link_listener_url(k), &a), LEAT_OK);
    CHECK_EQ(link_accept(k, &b), LEAT_OK);
    CHECK_HAS(b->text, "tcp://127.0.0.1:");
    CHECK_STR(a->text, link_listener_url(k));
    link_close(a);
    link_close(b);
    link_listener_close(k);
    link_listener_close(l);
    return LEAT_OK;
}
TEST(link_adopts_a_socket_that_listens) { RUN(adopted); }
T_MAIN()
