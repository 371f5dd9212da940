/* names_test.c - looking up names, and dialling what has several addresses.  The resolver is this file's own: getaddrinfo below. */
#include "leat.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "t.h"

/* -- a resolver --------------------------------------------------------------------------------------------------------------- */
static const char *answers[8];                       /* for "many.test"; ends with NULL */
static _Atomic int asked, given, freed, hold;              /* hold: "slow.test" does not answer before it is 0 */
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;

static struct addrinfo *answer(const char *ip, uint16_t port)
{
    struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    bool v6 = inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1;
    a->ai_addr = (struct sockaddr *)(void *)(a + 1);
    a->ai_addrlen = v6 ? sizeof in6 : sizeof in;
    CHECK(v6 || inet_pton(AF_INET, ip, &in.sin_addr) == 1);
    memcpy(a->ai_addr, v6 ? (void *)&in6 : (void *)&in, a->ai_addrlen);
    return a;
}

int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
    struct addrinfo **restrict ret)
{
    (void)hints;
    struct addrinfo **end = ret;
    asked++;
    uint16_t port = strcmp(service, "http") == 0 ? 80 : (uint16_t)atoi(service);
    if (strcmp(host, "slow.test") == 0) {
        pthread_mutex_lock(&held);
        while (hold)
            pthread_cond_wait(&let_go, &held);
        pthread_mutex_unlock(&held);
    } else if (strcmp(host, "many.test") == 0) {
        for (int i = 0; answers[i]; i++, end = &(*end)->ai_next)
            *end = answer(answers[i], port);
        given++;
        return 0;
    } else if (!isdigit((unsigned char)host[0])) {
        return strcmp(host, "busy.test") == 0 ? EAI_AGAIN : EAI_NONAME;
    }
    *ret = answer("127.0.0.9", port);
    given++;
    return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
    for (struct addrinfo *next; a; a = next) {
        next = a->ai_next;
        free(a);
    }
    freed++;
}

/* What is dialled, in order: the last byte of an IPv4 address, 6 for an IPv6 one. */
static char dialled[32];
static _Atomic int dials_made;

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in in = { 0 };
    if (to->sa_family == AF_INET)
        memcpy(&in, to, sizeof in);
    int i = dials_made++;
    if (i < 31)
        dialled[i] = to->sa_family == AF_INET6 ? '6' : (char)('0' + (ntohl(in.sin_addr.s_addr) & 7));
    return (int)syscall(SYS_connect, fd, to, len);
}

static void release(void)
{
    pthread_mutex_lock(&held);
    hold = 0;
    pthread_cond_broadcast(&let_go);
    pthread_mutex_unlock(&held);
}

static void run(leat_err (*fn)(leat_none *))
{
    for (uint32_t w = 1; w <= 2; w++) {
        setenv("LEAT_POLL", w == 1 ? "epoll" : "io_uring", 1);
        leat_err e = leat_run(&(leat_opts){ .workers = w }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "%u workers: %s: %s", w, leat_err_name(e), leat_err_detail());
    }
}

#define IN_A_TASK(name) \
    static leat_err name##_in(leat_none *none); \
    TEST(name) { run(name##_in); } \
    static leat_err name##_in(leat_none *none __attribute__((unused)))

/* -- looking up --------------------------------------------------------------------------------------------------------------- */
IN_A_TASK(addresses_are_their_own_and_names_are_looked_up)
{
    leat_addrs a;
    asked = 0;
    LEAT_TRY(leat_resolve("127.0.0.3", "7000", &a));
    CHECK(a.len == 1 && asked == 0);
    CHECK_STR(a.at[0].url, "tcp://127.0.0.3:7000");
    LEAT_TRY(leat_resolve("::1", NULL, &a));
    CHECK(a.len == 1 && asked == 0);
    CHECK_STR(a.at[0].url, "tcp://[::1]:0");
    answers[0] = "::1", answers[1] = "127.0.0.2", answers[2] = NULL;
    LEAT_TRY(leat_resolve("many.test", "http", &a));
    CHECK(a.len == 2 && asked == 1);
    CHECK_STR(a.at[0].url, "tcp://[::1]:80");
    CHECK_STR(a.at[1].url, "tcp://127.0.0.2:80");
    LEAT_TRY(leat_resolve("127.0.0.3", "http", &a));
    CHECK_EQ(asked, 2);
    return LEAT_OK;
}

IN_A_TASK(what_is_wrong_with_a_name_is_said)
{
    leat_addrs a = { .len = 77 };
    char longest[300] = { 0 };
    memset(longest, 'a', 260);
    CHECK_EQ(leat_resolve("none.test", "1", &a), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOENT);
    CHECK_HAS(leat_err_detail(), "none.test");
    CHECK_EQ(leat_resolve("busy.test", "1", &a), LEAT_SYS);
    CHECK_HAS(leat_err_detail(), "no name server answered");
    CHECK_EQ(leat_resolve("", "1", &a), LEAT_INVAL);
    CHECK_EQ(leat_resolve(NULL, "1", &a), LEAT_INVAL);
    CHECK_EQ(leat_resolve(longest, "1", &a), LEAT_INVAL);
    CHECK_EQ(leat_resolve("127.0.0.1", "65536", &a), LEAT_INVAL);
    CHECK_EQ(leat_resolve("127.0.0.1", "", &a), LEAT_INVAL);
    CHECK_EQ(a.len, 77);
    return LEAT_OK;
}

struct asks { const char *host; };
static leat_err asks(struct asks *k)
{
    leat_addrs a;
    return leat_resolve(k->host, "1", &a);
}

IN_A_TASK(a_look_up_that_is_given_up_returns_at_once_and_its_answer_is_dropped)
{
    leat_err err, e = LEAT_OK;
    int before = freed;
    hold = 1;
    leat_with_deadline(LEAT_MS(2))
        e = asks(&(struct asks){ "slow.test" });     /* the resolver still sleeps */
    CHECK(e == LEAT_DEADLINE && freed == before);
    leat_with_group(g, err) {
        for (int i = 0; i < 3; i++)
            LEAT_TRY(leat_go(&g, asks, (struct asks){ "slow.test" }));
        leat_yield();
        leat_group_cancel(&g);
    }
    CHECK(err == LEAT_CANCELED && freed == before);
    leat_with_deadline(LEAT_MS(2)) {
        leat_conn *c;
        e = leat_dial("tcp://slow.test:1", &c);
    }
    CHECK_EQ(e, LEAT_DEADLINE);
    release();
    LEAT_TRY(asks(&(struct asks){ "slow.test" }));   /* the pool still serves */
    return LEAT_OK;
}

static void *asks_outside(void *arg)
{
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_MS(2))
        e = asks(&(struct asks){ "slow.test" });
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_deadline(LEAT_S(50)) {
        CHECK_EQ(asks(&(struct asks){ "many.test" }), LEAT_OK);
        CHECK_EQ(asks(&(struct asks){ "none.test" }), LEAT_SYS);
        CHECK_HAS(leat_err_detail(), "none.test");
    }
    release();
    return arg;
}

TEST(a_thread_that_is_no_task_gives_up_a_look_up_too)
{
    pthread_t t;
    hold = 1;
    answers[0] = "127.0.0.2", answers[1] = NULL;
    CHECK_EQ(pthread_create(&t, NULL, asks_outside, NULL), 0);
    pthread_join(t, NULL);
    while (freed < given)                            /* the one that was left sees its answer off */
        sched_yield();
}

/* -- dialling what has several addresses ---------------------------------------------------------------------------------------- */
/* A listener on ip whose queue is full: it never answers.  Its port, and the descriptors that keep it so. */
struct silent { int fd[8]; };

/* 0: somebody has that port. */
static uint16_t silence(struct silent *s, const char *ip, uint16_t port)
{
    struct addrinfo *a = answer(ip, port);
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    s->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool free_ = bind(s->fd[0], a->ai_addr, a->ai_addrlen) == 0 && listen(s->fd[0], 0) == 0;
    free(a);
    if (!free_) {
        close(s->fd[0]);
        return 0;
    }
    CHECK_EQ(getsockname(s->fd[0], (struct sockaddr *)(void *)&in, &n), 0);
    for (int i = 1; i < 8; i++) {
        s->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (syscall(SYS_connect, s->fd[i], &in, sizeof in) != 0)
            CHECK_EQ(errno, EINPROGRESS);
    }
    return ntohs(in.sin_port);
}

static void silence_end(struct silent *s)
{
    for (int i = 0; i < 8; i++)
        close(s->fd[i]);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* The first address does not answer, the second refuses, the third is there. */
IN_A_TASK(the_first_address_to_answer_wins_and_nothing_is_left_of_the_others)
{
    struct silent s;
    leat_listener *l = NULL;
    leat_conn *c, *d;
    char url[64];
    uint16_t port = 0;
    for (int i = 0; i < 50 && !port; i++) {          /* one port that is free at both */
        leat_listener_close(l);
        LEAT_TRY(leat_listen("tcp://127.0.0.4:0", &l));
        port = silence(&s, "127.0.0.2", (uint16_t)atoi(strrchr(leat_listener_addr(l).url, ':') + 1));
    }
    CHECK(port);
    answers[0] = "127.0.0.2", answers[1] = "127.0.0.3", answers[2] = "127.0.0.4", answers[3] = NULL;
    snprintf(url, sizeof url, "tcp://many.test:%u", port);
    int before = descriptors();
    LEAT_TRY(leat_dial(url, &c));
    CHECK_HAS(leat_conn_peer(c).url, "127.0.0.4");
    LEAT_TRY(leat_accept(l, &d));
    leat_conn_close(c);
    leat_conn_close(d);
    CHECK(descriptors() - before <= 2);              /* a poll, if there was none yet */
    leat_listener_close(l);
    silence_end(&s);
    return LEAT_OK;
}

IN_A_TASK(families_take_turns_and_a_refusal_starts_the_next_at_once)
{
    leat_conn *c;
    int v6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    answers[0] = "127.0.0.2", answers[1] = "127.0.0.3", answers[2] = "127.0.0.4", answers[3] = "::1", answers[4] = NULL;
    dials_made = 0;
    memset(dialled, 0, sizeof dialled);
    CHECK_EQ(leat_dial("tcp://many.test:1", &c), LEAT_REFUSED);
    CHECK_STR(dialled, v6 >= 0 ? "2634" : "234");    /* a host without IPv6 makes no such socket */
    close(v6);
    return LEAT_OK;
}

IN_A_TASK(when_all_refuse_the_dial_says_so)
{
    leat_conn *c = NULL;
    answers[0] = "127.0.0.2", answers[1] = "127.0.0.3", answers[2] = NULL;
    CHECK_EQ(leat_dial("tcp://many.test:1", &c), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "many.test");
    CHECK(!c);
    return LEAT_OK;
}

struct dials { char url[64]; };
static leat_err dials(struct dials *d)
{
    leat_conn *c;
    return leat_dial(d->url, &c);
}

IN_A_TASK(a_race_that_nobody_wins_is_ended_by_cancel_and_deadline)
{
    struct silent s;
    struct dials d;
    leat_err err, e = LEAT_OK;
    uint16_t port = silence(&s, "127.0.0.2", 0);
    int before = descriptors();
    answers[0] = answers[1] = answers[2] = "127.0.0.2", answers[3] = NULL;
    snprintf(d.url, sizeof d.url, "tcp://many.test:%u", port);
    leat_with_deadline(LEAT_MS(300))
        e = dials(&d);
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, dials, d));
        leat_ignore(leat_sleep(LEAT_MS(1)));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    CHECK(descriptors() - before <= 2);
    silence_end(&s);
    return LEAT_OK;
}

TEST(a_thread_that_is_no_task_tries_one_after_the_other)
{
    leat_listener *l;
    leat_conn *c;
    char url[64];
    CHECK_EQ(leat_listen("tcp://127.0.0.4:0", &l), LEAT_OK);
    answers[0] = "127.0.0.3", answers[1] = "127.0.0.4", answers[2] = NULL;
    snprintf(url, sizeof url, "tcp://many.test:%s", strrchr(leat_listener_addr(l).url, ':') + 1);
    CHECK_EQ(leat_dial(url, &c), LEAT_OK);
    CHECK_HAS(leat_conn_peer(c).url, "127.0.0.4");
    leat_conn_close(c);
    leat_listener_close(l);
}

T_MAIN()
