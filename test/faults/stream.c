/* stream.c - connections through the relay.
 *
 * A link is two sockets and a queue each way; a chunk that was read goes on when its time has come.  A side that the relay has cut is
 * closed (-1), and what the other side sends is read and lost.  What ends a side goes the way of its bytes, behind them. */
#include "relay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK_MAX = 16 << 10, QUEUE_MAX = 1 << 20 };
enum { ENDS_NOT, ENDS_WELL, ENDS_BY_RESET };

struct chunk { struct chunk *next; int64_t at_ns; size_t len, off; char data[]; };
struct flow {
    struct chunk *first, **last;
    size_t bytes;
    int64_t at_ns;                                   /* of the last chunk: nothing overtakes */
    int ends;                                        /* how the side it comes from has ended */
    bool told, deaf;                                 /* told: the other side has been told so; deaf: bytes were lost */
};
struct link {
    struct link *next;
    int fd[2];                                       /* the dialer's, the target's; -1: closed */
    int at[2];                                       /* in polls */
    bool connecting;
    struct flow flow[WAYS];                          /* flow[w] comes from fd[w] */
};

static struct link *links;
static struct sockaddr_storage from_at, to_at;
static socklen_t from_len, to_len;
static int listener = -1, listener_at;

static void parse(const char *url, struct sockaddr_storage *a, socklen_t *len)
{
    memset(a, 0, sizeof *a);
    if (strncmp(url, "unix:", 5) == 0) {
        struct sockaddr_un *u = (struct sockaddr_un *)a;
        u->sun_family = AF_UNIX;
        if (strlen(url + 5) >= sizeof u->sun_path)
            relay_die("too long: %s", url);
        memcpy(u->sun_path, url + 5, strlen(url + 5) + 1);
        *len = sizeof *u;
        return;
    }
    char host[64];
    unsigned port;
    struct sockaddr_in *i = (struct sockaddr_in *)a;
    i->sin_family = AF_INET;
    if (sscanf(url, "tcp://%63[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &i->sin_addr) != 1)
        relay_die("no address: %s", url);
    i->sin_port = htons((uint16_t)port);
    *len = sizeof *i;
}

static void listen_again(struct relay *r, bool on)
{
    (void)r;
    if (!on) {
        if (listener >= 0)
            close(listener);
        listener = -1;
        return;
    }
    if (listener >= 0)
        return;
    listener = socket(from_at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (from_at.ss_family == AF_UNIX)
        unlink(((struct sockaddr_un *)&from_at)->sun_path);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&from_at, from_len) != 0 || listen(listener, 64) != 0)
        relay_die("cannot listen: %s", strerror(errno));
    getsockname(listener, (struct sockaddr *)&from_at, &(socklen_t){ sizeof from_at });      /* the same port the next time */
}

static void print_url(const struct sockaddr_storage *a)
{
    char host[64];
    const struct sockaddr_in *i = (const struct sockaddr_in *)a;
    if (a->ss_family == AF_UNIX)
        printf("at unix:%s\n", ((const struct sockaddr_un *)a)->sun_path);
    else
        printf("at tcp://%s:%d\n", inet_ntop(AF_INET, &i->sin_addr, host, sizeof host), ntohs(i->sin_port));
    fflush(stdout);
}

static void flow_clear(struct flow *f)
{
    while (f->first) {
        struct chunk *c = f->first;
        f->first = c->next;
        free(c);
    }
    f->last = &f->first;
    f->bytes = 0;
}

/* Closes one side.  By reset, of what was written all has been acknowledged before, within 200 ms, so that exactly so many bytes come. */
static void side_close(struct link *l, int side, bool end)
{
    int fd = l->fd[side], left = 0;
    if (fd < 0)
        return;
    if (!end) {
        for (int i = 0; i < 200 && ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0; i++)
            usleep(1000);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    }
    close(fd);
    l->fd[side] = -1;
    flow_clear(&l->flow[side == 0 ? IN : OUT]);      /* what was on its way to it */
}

static void stream_cut(struct relay *r, int who, bool end)
{
    (void)r;
    for (struct link *l = links; l; l = l->next) {
        if (who & CUT_DIALER)
            side_close(l, 0, end);
        if (who & CUT_TARGET)
            side_close(l, 1, end);
    }
}

static void accept_one(struct relay *r)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct link *l = calloc(1, sizeof *l);
    int to = socket(to_at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!l || to < 0)
        relay_die("out of memory or descriptors");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    *l = (struct link){ .next = links, .fd = { fd, to }, .at = { -1, -1 } };
    for (int w = 0; w < WAYS; w++)
        l->flow[w].last = &l->flow[w].first;
    links = l;
    if (connect(to, (struct sockaddr *)&to_at, to_len) == 0)
        return;
    l->connecting = errno == EINPROGRESS;
    if (!l->connecting)
        side_close(l, 1, true), side_close(l, 0, false);
    (void)r;
}

static void flow_read(struct relay *r, struct link *l, int w)
{
    struct flow *f = &l->flow[w];
    struct way *way = &r->way[w];
    static char data[CHUNK_MAX];
    ssize_t n = read(l->fd[w], data, sizeof data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        f->ends = n == 0 ? ENDS_WELL : ENDS_BY_RESET;
        return;
    }
    f->deaf |= way->swallow || l->fd[!w] < 0;
    if (f->deaf)
        return;
    struct chunk *c = malloc(sizeof *c + (size_t)n);
    if (!c)
        relay_die("no memory");
    int64_t at = relay_due(r, way, (size_t)n);
    f->at_ns = at > f->at_ns ? at : f->at_ns;
    c->next = NULL, c->at_ns = f->at_ns, c->len = (size_t)n, c->off = 0;
    memcpy(c->data, data, (size_t)n);
    *f->last = c;
    f->last = &c->next;
    f->bytes += (size_t)n;
}

/* How many of len bytes may go that way at once; the armed cut and the chunk size bound them. */
static size_t at_once(struct relay *r, int w, size_t len)
{
    const struct cut *k = &r->cut;
    if (r->way[w].chunk)
        len = len < r->way[w].chunk ? len : 1 + relay_random(r, r->way[w].chunk);
    if (k->who && k->way == w && k->at - r->way[w].passed < len)
        len = (size_t)(k->at - r->way[w].passed);
    return len;
}

static void cut_now(struct relay *r)
{
    struct cut k = r->cut;
    r->cut.who = 0;
    stream_cut(r, k.who, k.end);
    printf("%lld cut at %llu\n", (long long)r->now_ns, (unsigned long long)k.at);
    fflush(stdout);
    if (k.times > 0) {
        k.at = r->way[k.way].passed + 1 + relay_random(r, k.most);
        k.times--;
        r->cut = k;
    }
}

static void flow_write(struct relay *r, struct link *l, int w)
{
    struct flow *f = &l->flow[w];
    struct way *way = &r->way[w];
    while (f->first && f->first->at_ns <= r->now_ns && !way->held && !way->swallow && l->fd[!w] >= 0) {
        struct chunk *c = f->first;
        ssize_t n = send(l->fd[!w], c->data + c->off, at_once(r, w, c->len - c->off), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            l->flow[!w].ends = ENDS_BY_RESET;
            flow_clear(f);
            return;
        }
        c->off += (size_t)n;
        f->bytes -= (size_t)n;
        way->passed += (uint64_t)n;
        if (c->off == c->len && !(f->first = c->next))
            f->last = &f->first;
        if (c->off == c->len)
            free(c);
        if (r->cut.who && r->cut.way == w && r->cut.at == way->passed)
            cut_now(r);
    }
}

static void flow_end(struct relay *r, struct link *l, int w)
{
    struct flow *f = &l->flow[w];
    if (!f->ends || f->told || f->first || r->way[w].held || r->way[w].swallow || r->now_ns < f->at_ns)
        return;
    f->told = true;
    if (f->ends == ENDS_BY_RESET || f->deaf) {
        side_close(l, !w, false);
        side_close(l, w, true);
    } else if (l->fd[!w] >= 0) {
        shutdown(l->fd[!w], SHUT_WR);
    }
}

static void link_move(struct relay *r, struct link *l)
{
    if (l->connecting && l->at[1] >= 0 && r->polls[l->at[1]].revents) {
        int err = 0;
        getsockopt(l->fd[1], SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof err });
        l->connecting = false;
        if (err)
            side_close(l, 1, true), side_close(l, 0, false);
    }
    for (int w = 0; w < WAYS && !l->connecting; w++)
        if (l->fd[w] >= 0 && l->at[w] >= 0 && !l->flow[w].ends && (r->polls[l->at[w]].revents & ~POLLOUT))
            flow_read(r, l, w);
    for (int w = 0; w < WAYS && !l->connecting; w++) {
        flow_write(r, l, w);
        flow_end(r, l, w);
    }
    bool over[2];
    for (int w = 0; w < WAYS; w++)
        over[w] = l->fd[w] < 0 || l->flow[w].told || (l->flow[w].ends && l->fd[!w] < 0);
    if (over[0] && over[1])
        side_close(l, 0, true), side_close(l, 1, true);
}

static void stream_move(struct relay *r)
{
    if (listener >= 0 && listener_at >= 0 && r->polls[listener_at].revents)
        accept_one(r);
    for (struct link *l = links; l; l = l->next)
        link_move(r, l);
    for (struct link **p = &links; *p; ) {
        struct link *l = *p;
        if (l->fd[0] >= 0 || l->fd[1] >= 0) {
            p = &l->next;
            continue;
        }
        *p = l->next;
        flow_clear(&l->flow[OUT]);
        flow_clear(&l->flow[IN]);
        free(l);
    }
}

static void link_ask(struct relay *r, struct link *l)
{
    short events[2] = { 0, 0 };
    for (int w = 0; w < WAYS; w++) {
        struct flow *f = &l->flow[w];
        bool goes = !r->way[w].held && !r->way[w].swallow;
        if (!l->connecting && !f->ends && f->bytes < QUEUE_MAX)
            events[w] |= POLLIN;
        if (f->first && goes && f->first->at_ns <= r->now_ns)
            events[!w] |= POLLOUT;
        else if (f->first && goes)
            relay_wake(r, f->first->at_ns);
        else if (f->ends && !f->told && goes)
            relay_wake(r, f->at_ns > r->now_ns ? f->at_ns : r->now_ns);
    }
    if (l->connecting)
        events[1] = POLLOUT;
    for (int s = 0; s < 2; s++)
        l->at[s] = l->fd[s] >= 0 && events[s] ? relay_poll(r, l->fd[s], events[s]) : -1;
}

static void stream_ask(struct relay *r)
{
    listener_at = listener >= 0 ? relay_poll(r, listener, POLLIN) : -1;
    for (struct link *l = links; l; l = l->next)
        link_ask(r, l);
}

const struct carrier *stream_open(struct relay *r, const char *from, const char *to)
{
    static const struct carrier k = { stream_ask, stream_move, stream_cut, listen_again };
    parse(from, &from_at, &from_len);
    parse(to, &to_at, &to_len);
    listen_again(r, true);
    print_url(&from_at);
    return &k;
}
