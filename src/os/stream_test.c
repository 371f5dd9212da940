/* stream_test.c - what leat/os.h adds to streams: half-close, exact reads, pieces, addresses, pipes, terminals, inherited sockets. */
#include "leat.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "t.h"

static const char *where;

static int rounds(int n) { return getenv("T_QUICK") ? n / 10 : n; }

static void run_at(const char *poll, const char *url, leat_err (*fn)(leat_none *))
{
    setenv("LEAT_POLL", poll, 1);
    where = url;
    for (uint32_t w = 1; w <= 2; w++) {
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
    }
}

#define POLLS(name) \
    static leat_err name##_in(leat_none *a); \
    TEST(name) { run_at("epoll", "", name##_in); run_at("io_uring", "", name##_in); } \
    static leat_err name##_in(leat_none *a __attribute__((unused)))
#define SOCKETS(name) \
    static leat_err name##_in(leat_none *a); \
    TEST(name) { \
        for (int i = 0; i < 4; i++) \
            run_at(i & 1 ? "epoll" : "io_uring", i & 2 ? "tcp://127.0.0.1:0" : "unix:@", name##_in); \
    } \
    static leat_err name##_in(leat_none *a __attribute__((unused)))

static leat_err meet(leat_conn **a, leat_conn **b)
{
    static _Atomic int count;
    char url[64];
    leat_listener *l;
    snprintf(url, sizeof url, strcmp(where, "unix:@") == 0 ? "%sleat-os-%d-%d" : "%s", where, (int)getpid(), count++);
    LEAT_TRY(leat_listen(url, &l));
    LEAT_TRY(leat_dial(leat_listener_addr(l).url, a));
    LEAT_TRY(leat_accept(l, b));
    leat_listener_close(l);
    return LEAT_OK;
}

/* [0] reads what [1] writes */
static leat_err pipe_conns(leat_conn *c[2])
{
    int fd[2];
    CHECK_EQ(pipe2(fd, O_CLOEXEC), 0);
    LEAT_TRY(leat_conn_open_fd(fd[0], &c[0]));
    return leat_conn_open_fd(fd[1], &c[1]);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* -- sockets ---------------------------------------------------------------------------------------------------------------- */
SOCKETS(closing_the_write_side_leaves_the_read_side)
{
    leat_conn *x, *y;
    char buf[8];
    size_t n;
    LEAT_TRY(meet(&x, &y));
    LEAT_TRY(leat_write(x, "ask", 3));
    LEAT_TRY(leat_conn_close_write(x));
    LEAT_TRY(leat_read_full(y, buf, 3, &n));
    CHECK_EQ(leat_read(y, buf, 1, &n), LEAT_CLOSED);
    LEAT_TRY(leat_write(y, "answer", 6));
    LEAT_TRY(leat_read_full(x, buf, 6, &n));
    CHECK(n == 6 && memcmp(buf, "answer", 6) == 0);
    leat_err e = leat_write(x, "more", 4);
    CHECK_EQ(e, LEAT_CLOSED);
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

SOCKETS(a_full_read_tells_an_end_from_an_end_in_the_middle)
{
    leat_conn *x, *y;
    char buf[8];
    size_t n = 9;
    LEAT_TRY(meet(&x, &y));
    LEAT_TRY(leat_write(x, "12345678abc", 11));
    leat_conn_close(x);
    LEAT_TRY(leat_read_full(y, buf, 8, &n));
    CHECK(n == 8 && memcmp(buf, "12345678", 8) == 0);
    CHECK_EQ(leat_read_full(y, buf, 8, &n), LEAT_PEER_LOST);
    CHECK(n == 3 && memcmp(buf, "abc", 3) == 0);
    CHECK_HAS(leat_err_detail(), "3 of 8");
    CHECK_EQ(leat_read_full(y, buf, 8, &n), LEAT_CLOSED);
    CHECK_EQ(n, 0);
    CHECK_EQ(leat_read_full(y, buf, 0, &n), LEAT_OK);
    leat_conn_close(y);
    return LEAT_OK;
}

SOCKETS(a_deadline_in_a_full_read_tells_what_has_come)
{
    leat_conn *x, *y;
    char buf[8];
    size_t n;
    leat_err e = LEAT_OK;
    LEAT_TRY(meet(&x, &y));
    LEAT_TRY(leat_write(x, "abc", 3));
    leat_with_deadline(LEAT_MS(5))
        e = leat_read_full(y, buf, 8, &n);
    CHECK(e == LEAT_DEADLINE && n <= 3);
    size_t before = n;
    LEAT_TRY(leat_write(x, "defgh", 5));
    LEAT_TRY(leat_read_full(y, buf + before, 8 - before, &n));
    CHECK(before + n == 8 && memcmp(buf, "abcdefgh", 8) == 0);
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

enum { PIECES = 300, PIECE = 1021 };
struct one { leat_conn *c; };

static leat_err writes_pieces(struct one *o)
{
    static char data[PIECES][PIECE];
    struct iovec iov[PIECES], same[PIECES];
    for (int i = 0; i < PIECES; i++) {
        memset(data[i], i, PIECE);
        iov[i] = (struct iovec){ data[i], i % 7 ? PIECE : 0 };
    }
    memcpy(same, iov, sizeof iov);
    leat_err e = leat_writev(o->c, iov, PIECES);
    CHECK_MEM(same, iov, sizeof iov);                /* they stay as they are */
    return e == LEAT_OK ? leat_conn_close_write(o->c) : e;
}

SOCKETS(pieces_arrive_in_order_whatever_their_size)
{
    leat_conn *x, *y;
    leat_err err;
    LEAT_TRY(meet(&x, &y));
    /* so small that writes end in the middle of pieces */
    CHECK_EQ(setsockopt(leat_conn_fd(x), SOL_SOCKET, SO_SNDBUF, &(int){ 16384 }, sizeof(int)), 0);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, writes_pieces, (struct one){ x }));
        char first[100], b[3000];
        size_t k, n = 0;
        leat_err e;
        for (;;) {
            struct iovec iov[] = { { first, sizeof first }, { first, 0 }, { b, sizeof b } };
            if ((e = leat_readv(y, iov, 3, &k)) != LEAT_OK)
                break;
            for (size_t i = 0; i < k; i++, n++) {
                int piece = (int)(n / PIECE) * 7 / 6;             /* every seventh is empty */
                unsigned char want = (unsigned char)(piece / 7 * 7 + (int)(n / PIECE) % 6 + 1);
                CHECK_EQ((unsigned char)(i < sizeof first ? first[i] : b[i - sizeof first]), want);
            }
        }
        CHECK_EQ(e, LEAT_CLOSED);
        CHECK_EQ(n, PIECES / 7 * 6 * PIECE + (PIECES % 7 ? PIECES % 7 - 1 : 0) * PIECE);
    }
    CHECK_EQ(leat_readv(y, NULL, -1, &(size_t){ 0 }), LEAT_INVAL);
    CHECK_EQ(leat_readv(y, NULL, 0, &(size_t){ 0 }), LEAT_INVAL);
    CHECK_EQ(leat_writev(y, NULL, -1), LEAT_INVAL);
    leat_conn_break(NULL);
    leat_listener_break(NULL);
    CHECK_EQ(leat_writev(y, NULL, 0), LEAT_OK);
    leat_conn_close(x);
    leat_conn_close(y);
    return err;
}

SOCKETS(both_ends_have_their_addresses)
{
    leat_conn *x, *y;
    LEAT_TRY(meet(&x, &y));
    CHECK_STR(leat_conn_peer(x).url, leat_conn_local(y).url);
    CHECK_STR(leat_conn_local(x).url, leat_conn_peer(y).url);
    CHECK_HAS(leat_conn_peer(x).url, where[0] == 't' ? "tcp://127.0.0.1:" : "unix:@leat-os-");
    leat_conn_close(x);
    leat_conn_close(y);
    return LEAT_OK;
}

/* -- pipes and terminals ------------------------------------------------------------------------------------------------------ */
struct flow { leat_conn *c; size_t n; };

static leat_err pours(struct flow *f)
{
    char buf[10007];
    for (size_t done = 0, k; done < f->n; done += k) {
        k = f->n - done < sizeof buf ? f->n - done : sizeof buf;
        for (size_t i = 0; i < k; i++)
            buf[i] = (char)((done + i) * 31 >> 3);
        LEAT_TRY(leat_write(f->c, buf, k));
    }
    leat_conn_close(f->c);
    return LEAT_OK;
}

POLLS(much_flows_through_a_pipe_and_its_end_comes_last)
{
    leat_conn *c[2];
    leat_err err;
    size_t all = (size_t)rounds(8 << 20), n = 0, k;
    static char buf[65536];
    int before = open_descriptors();
    LEAT_TRY(pipe_conns(c));
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, pours, (struct flow){ c[1], all }));
        leat_err e;
        while ((e = leat_read(c[0], buf, sizeof buf, &k)) == LEAT_OK)
            for (size_t i = 0; i < k; i++, n++)
                if (buf[i] != (char)(n * 31 >> 3))
                    t_fail(__FILE__, __LINE__, "byte %zu is wrong", n);
        CHECK_EQ(e, LEAT_CLOSED);
        CHECK_EQ(n, all);
    }
    leat_conn_close(c[0]);
    CHECK(open_descriptors() - before <= 3);         /* the poll's own, not a pipe's */
    return err;
}

POLLS(writing_to_a_pipe_that_nobody_reads_is_an_error_and_no_signal)
{
    leat_conn *c[2];
    LEAT_TRY(pipe_conns(c));
    leat_conn_close(c[0]);
    CHECK_EQ(leat_write(c[1], "x", 1), LEAT_CLOSED);
    CHECK_HAS(leat_err_detail(), "none of 1 bytes");
    CHECK_EQ(leat_conn_close_write(c[1]), LEAT_INVAL);
    leat_conn_close(c[1]);
    return LEAT_OK;
}

static leat_err reads_one(struct one *o)
{
    char b;
    size_t n;
    return leat_read(o->c, &b, 1, &n);
}

static leat_err writes_much(struct one *o)
{
    static char much[1 << 20];
    leat_err e = leat_write(o->c, much, sizeof much);
    if (e != LEAT_OK)
        CHECK_HAS(leat_err_detail(), "of 1048576 bytes had gone");
    return e;
}

POLLS(waits_for_a_pipe_end_by_deadline_cancel_and_close)
{
    leat_conn *c[2];
    leat_err e = LEAT_OK, err;
    LEAT_TRY(pipe_conns(c));
    leat_with_deadline(LEAT_MS(2))
        e = reads_one(&(struct one){ c[0] });
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_deadline(LEAT_MS(2))
        e = writes_much(&(struct one){ c[1] });
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, writes_much, (struct one){ c[1] }));
        leat_yield();
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    leat_conn_close(c[0]);
    leat_conn_close(c[1]);
    for (int i = 0; i < rounds(200); i++) {
        LEAT_TRY(pipe_conns(c));
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, reads_one, (struct one){ c[0] }));
            if (i % 2)
                leat_yield();                        /* before, while, or after it begins to wait */
            leat_conn_break(c[0]);
        }
        CHECK_EQ(err, LEAT_CLOSED);
        leat_conn_close(c[0]);
        leat_conn_close(c[1]);
    }
    return LEAT_OK;
}

POLLS(a_terminal_gives_its_lines_and_its_end)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
    char buf[64];
    size_t n;
    leat_conn *m, *s;
    leat_err e = LEAT_OK;
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int shared = dup(slave);                         /* as a shell's that started us */
    LEAT_TRY(leat_conn_open_fd(master, &m));
    LEAT_TRY(leat_conn_open_fd(slave, &s));
    CHECK(!(fcntl(shared, F_GETFL) & O_NONBLOCK));   /* stays as it is for others */
    close(shared);
    LEAT_TRY(leat_write(m, "one\ntwo\n", 8));
    LEAT_TRY(leat_read(s, buf, sizeof buf, &n));
    CHECK(n == 4 && memcmp(buf, "one\n", 4) == 0);
    LEAT_TRY(leat_read(s, buf, sizeof buf, &n));
    CHECK(n == 4 && memcmp(buf, "two\n", 4) == 0);
    leat_with_deadline(LEAT_MS(2))
        e = leat_read(s, buf, sizeof buf, &n);
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_conn_close(s);
    do
        e = leat_read(m, buf, sizeof buf, &n);       /* what it echoed, then the end */
    while (e == LEAT_OK);
    CHECK_EQ(e, LEAT_CLOSED);
    leat_conn_close(m);
    return LEAT_OK;
}

POLLS(a_full_device_is_an_error_with_its_errno)
{
    leat_conn *c;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    LEAT_TRY(leat_conn_open_fd(fd, &c));
    CHECK_EQ(leat_write(c, "x", 1), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOSPC);
    leat_conn_close(c);
    return LEAT_OK;
}

POLLS(what_is_no_stream_stays_the_callers)
{
    leat_conn *c = NULL;
    leat_listener *l = NULL;
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(leat_conn_open_fd(file, &c), LEAT_INVAL);
    CHECK_EQ(leat_conn_open_fd(udp, &c), LEAT_INVAL);
    CHECK_EQ(leat_conn_open_fd(1000, &c), LEAT_INVAL);
    CHECK_EQ(leat_listener_open_fd(file, &l), LEAT_INVAL);
    CHECK(!c && !l && close(file) == 0 && close(udp) == 0);
    return LEAT_OK;
}

static void *from_a_thread(void *arg)
{
    leat_conn **c = arg;
    char buf[3];
    size_t n;
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_MS(2))
        e = leat_read_full(c[0], buf, 3, &n);
    CHECK(e == LEAT_DEADLINE && n == 0);
    CHECK_EQ(leat_writev(c[1], (struct iovec[]){ { "ab", 2 }, { "c", 1 } }, 2), LEAT_OK);
    CHECK_EQ(leat_read_full(c[0], buf, 3, &n), LEAT_OK);
    CHECK_MEM(buf, "abc", 3);
    leat_conn_close(c[1]);
    CHECK_EQ(leat_read_full(c[0], buf, 3, &n), LEAT_CLOSED);
    leat_conn_close(c[0]);
    return NULL;
}

TEST(a_thread_that_is_no_task_uses_a_pipe)
{
    leat_conn *c[2];
    pthread_t t;
    CHECK_EQ(pipe_conns(c), LEAT_OK);
    CHECK_EQ(pthread_create(&t, NULL, from_a_thread, c), 0);
    pthread_join(t, NULL);
}

/* -- inherited sockets --------------------------------------------------------------------------------------------------------- */
static void become_listener(int fd)
{
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(l >= 0 && bind(l, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)) == 0 && listen(l, 5) == 0);
    if (l != fd) {
        CHECK_EQ(dup2(l, fd), fd);
        close(l);
    }
}

TEST(inherited_sockets_are_taken_once_by_name_and_accept)
{
    char pid[16];
    leat_listener *l = NULL, *m;
    leat_conn *x, *y;
    size_t n;
    char c;
    CHECK_EQ(leat_listen_inherited(NULL, &l), LEAT_REFUSED);
    become_listener(3);
    become_listener(4);
    CHECK_EQ(dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 5), 5);
    snprintf(pid, sizeof pid, "%d", (int)getpid() + 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    setenv("LISTEN_FDNAMES", "web:admin:null", 1);
    CHECK_EQ(leat_listen_inherited(NULL, &l), LEAT_REFUSED);          /* meant for another process */
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    CHECK_EQ(leat_listen_inherited("mail", &l), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "web:admin:null");
    CHECK_EQ(leat_listen_inherited("null", &l), LEAT_INVAL);
    CHECK(!l);
    CHECK_EQ(leat_listen_inherited("admin", &l), LEAT_OK);
    CHECK_EQ(leat_listen_inherited("admin", &m), LEAT_REFUSED);
    CHECK_EQ(leat_listen_inherited(NULL, &m), LEAT_OK);               /* web */
    CHECK(fcntl(4, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(leat_dial(leat_listener_addr(l).url, &x), LEAT_OK);
    CHECK_EQ(leat_accept(l, &y), LEAT_OK);
    CHECK_EQ(leat_write(x, "!", 1), LEAT_OK);
    CHECK_EQ(leat_read(y, &c, 1, &n), LEAT_OK);
    leat_conn_close(x);
    leat_conn_close(y);
    leat_listener_close(l);
    leat_listener_close(m);
}

/* A Unix listener whose queue is full: the system tells nobody when there is room, so a dial looks again, at most 50 ms apart. */
static leat_err accepts_by_hand(int *fd)
{
    int one = accept(*fd, NULL, NULL);
    CHECK(one >= 0);
    close(one);
    return LEAT_OK;
}
static leat_err dials(const char **url)
{
    leat_conn *c;
    LEAT_TRY(leat_dial(*url, &c));
    leat_conn_close(c);
    return LEAT_OK;
}
POLLS(a_dial_waits_for_room_in_a_full_queue_and_obeys_its_context)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char url[64];
    const char *p = url;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n = 0;
    leat_conn *c, *queued[64];
    leat_err e = LEAT_OK, err;
    snprintf(url, sizeof url, "unix:@leat-full-%d", (int)getpid());
    snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "%s", url + 6);
    CHECK(bind(fd, (void *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(url) - 5)) == 0 && listen(fd, 1) == 0);
    while (e == LEAT_OK) {
        CHECK(n < 64);
        leat_with_deadline(LEAT_MS(20))
            e = leat_dial(url, &queued[n]);
        n += e == LEAT_OK;
    }
    CHECK_EQ(e, LEAT_DEADLINE);
    CHECK_HAS(leat_err_detail(), "queue is full");
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_REFUSED);
        CHECK_EQ(leat_dial(url, &c), LEAT_CANCELED);
    }
    leat_with_group(g, err) {                        /* a cancel that comes while it waits */
        LEAT_TRY(leat_go(&g, dials, p));
        LEAT_TRY(leat_sleep(LEAT_MS(5)));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, dials, p));
        LEAT_TRY(leat_sleep(LEAT_MS(2)));
        for (int i = 0; i < n + 1; i++)              /* accepts block until somebody is there, so the dialed one is the last */
            LEAT_TRY(leat_blocking(accepts_by_hand, fd));
    }
    CHECK_EQ(err, LEAT_OK);
    while (n)
        leat_conn_close(queued[--n]);
    close(fd);
    return LEAT_OK;
}

T_MAIN()
