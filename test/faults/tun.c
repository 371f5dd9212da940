/* tun.c - packets through the relay: a device in each of two network namespaces, joined here.
 *
 * The relay reads whole IPv4 packets from one device and writes them to the other, so losing, doubling and reordering them is what a
 * network does to TCP.  It remembers the newest connection and the number that either side expects next, and can forge a reset. */
#include "relay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET_MAX = 2048, QUEUED_MAX = 4096 };
static const char *const address[2] = { "10.77.0.1", "10.77.0.2" };

struct packet { struct packet *next; int64_t at_ns; size_t len; uint8_t data[]; };
static struct { int fd, at; } device[2];
static struct packet *queue[WAYS];                   /* by at_ns */
static uint32_t queued[WAYS];
static int64_t last_ns[WAYS];                        /* without `late`, nothing overtakes */
static struct { bool known; uint16_t port[2]; uint32_t next[WAYS]; } seen;       /* next: what the receiver of that way expects */
static bool refuses;                                 /* who asks for a connection gets a reset */

static void set_address(int s, const char *name, unsigned long what, const char *text)
{
    struct ifreq q = { 0 };
    struct sockaddr_in *a = (struct sockaddr_in *)&q.ifr_addr;
    snprintf(q.ifr_name, sizeof q.ifr_name, "%s", name);
    a->sin_family = AF_INET;
    inet_pton(AF_INET, text, &a->sin_addr);
    if (ioctl(s, what, &q) != 0)
        relay_die("address of a device: %s", strerror(errno));
}

static int device_open(const char *pid, int side)
{
    char path[64];
    struct ifreq q = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        relay_die("%s: %s", path, strerror(errno));
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(q.ifr_name, sizeof q.ifr_name, "way%d", side);
    if (fd < 0 || s < 0 || ioctl(fd, TUNSETIFF, &q) != 0)
        relay_die("/dev/net/tun: %s", strerror(errno));
    set_address(s, q.ifr_name, SIOCSIFADDR, address[side]);
    set_address(s, q.ifr_name, SIOCSIFDSTADDR, address[!side]);
    q.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &q) != 0)
        relay_die("a device does not come up: %s", strerror(errno));
    close(s);
    return fd;
}

/* The TCP header of a packet; NULL: it has none. */
static struct tcphdr *tcp_of(uint8_t *data, size_t len)
{
    struct iphdr *ip = (struct iphdr *)(void *)data;
    size_t head = len >= sizeof *ip ? ip->ihl * 4u : 0;
    if (head < sizeof *ip || ip->version != 4 || ip->protocol != IPPROTO_TCP || len < head + sizeof(struct tcphdr))
        return NULL;
    return (struct tcphdr *)(void *)(data + head);
}

static void note(int w, uint8_t *data, size_t len)
{
    struct tcphdr *t = tcp_of(data, len);
    if (!t)
        return;
    struct iphdr *ip = (struct iphdr *)(void *)data;
    uint32_t next = ntohl(t->seq) + (uint32_t)(len - ip->ihl * 4u - t->doff * 4u) + t->syn + t->fin;
    uint16_t from = t->source, to = t->dest;
    bool same = seen.known && seen.port[w] == from && seen.port[!w] == to;
    if (!same && !t->syn)
        return;                                      /* an old one */
    seen.next[w] = same && (int32_t)(next - seen.next[w]) < 0 && !t->syn ? seen.next[w] : next;
    seen.port[w] = from, seen.port[!w] = to;
    seen.known = true;
}

static void deliver(struct relay *r, int w, struct packet *p)
{
    if (write(device[!w].fd, p->data, p->len) == (ssize_t)p->len)
        r->way[w].passed += p->len;
    note(w, p->data, p->len);
}

static void enqueue(struct relay *r, int w, const uint8_t *data, size_t len, int64_t at_ns)
{
    struct packet *p = malloc(sizeof *p + len), **to = &queue[w];
    if (!p || queued[w] == QUEUED_MAX) {             /* a full queue loses, as any router's */
        free(p);
        return;
    }
    p->at_ns = at_ns, p->len = len;
    memcpy(p->data, data, len);
    if (relay_chance(r, r->way[w].flip_pm))
        p->data[20 + relay_random(r, len - 20)] ^= (uint8_t)(1 << relay_random(r, 8));
    while (*to && (*to)->at_ns <= at_ns)
        to = &(*to)->next;
    p->next = *to;
    *to = p;
    queued[w]++;
}

static void receive(struct relay *r, int w, const uint8_t *data, size_t len)
{
    struct way *way = &r->way[w];
    if (way->swallow || relay_chance(r, way->loss_pm) || (way->hole && len > way->hole) || len < 21)
        return;
    int64_t at = relay_due(r, way, len);
    bool late = relay_chance(r, way->late_pm);
    at = at > last_ns[w] ? at : last_ns[w];
    if (!late)
        last_ns[w] = at;
    enqueue(r, w, data, len, late ? at + way->late_ns : at);
    if (relay_chance(r, way->twice_pm))
        enqueue(r, w, data, len, at);
}

static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A reset for whoever receives way w, as if its peer had sent it: from and to these ports, with these numbers. */
static void forge(int w, uint16_t from, uint16_t to, uint32_t seq, uint32_t ack)
{
    struct { struct iphdr ip; struct tcphdr tcp; } p = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };
    struct { uint32_t from, to; uint16_t protocol, len; struct tcphdr tcp; } sum;
    p.ip.tot_len = htons(sizeof p);
    inet_pton(AF_INET, address[w], &p.ip.saddr);
    inet_pton(AF_INET, address[!w], &p.ip.daddr);
    p.ip.check = htons(sum_of((uint8_t *)&p.ip, sizeof p.ip, 0));
    p.tcp.source = from, p.tcp.dest = to;
    p.tcp.seq = htonl(seq), p.tcp.ack_seq = htonl(ack);
    p.tcp.doff = 5, p.tcp.rst = 1, p.tcp.ack = 1;
    sum.from = p.ip.saddr, sum.to = p.ip.daddr, sum.protocol = htons(IPPROTO_TCP), sum.len = htons(sizeof p.tcp), sum.tcp = p.tcp;
    p.tcp.check = htons(sum_of((uint8_t *)&sum, sizeof sum, 0));
    if (write(device[!w].fd, &p, sizeof p) != sizeof p)
        relay_die("a reset cannot be sent: %s", strerror(errno));
}

static void tun_cut(struct relay *r, int who, bool end)
{
    (void)r, (void)end;
    if (!seen.known)
        return;
    if (who & CUT_TARGET)
        forge(OUT, seen.port[0], seen.port[1], seen.next[OUT], seen.next[IN]);
    if (who & CUT_DIALER)
        forge(IN, seen.port[1], seen.port[0], seen.next[IN], seen.next[OUT]);
}

static bool refused(int w, uint8_t *data, size_t len)
{
    const struct tcphdr *t = tcp_of(data, len);
    if (!refuses || !t || !t->syn || t->ack)
        return false;
    forge(!w, t->dest, t->source, 0, ntohl(t->seq) + 1);
    return true;
}

static void tun_listen(struct relay *r, bool on)
{
    (void)r;
    refuses = !on;
}

static void tun_move(struct relay *r)
{
    uint8_t data[PACKET_MAX];
    for (int w = 0; w < WAYS; w++) {
        ssize_t n;
        while ((n = read(device[w].fd, data, sizeof data)) > 0)
            if (!refused(w, data, (size_t)n))
                receive(r, w, data, (size_t)n);
        while (queue[w] && queue[w]->at_ns <= r->now_ns && !r->way[w].held) {
            struct packet *p = queue[w];
            queue[w] = p->next;
            queued[w]--;
            deliver(r, w, p);
            free(p);
        }
        if (r->cut.who && r->cut.way == w && r->cut.at <= r->way[w].passed) {
            struct cut k = r->cut;
            r->cut.who = 0;
            tun_cut(r, k.who, k.end);
            if (k.times > 0) {
                k.at = r->way[w].passed + 1 + relay_random(r, k.most);
                k.times--;
                r->cut = k;
            }
        }
    }
}

static void tun_ask(struct relay *r)
{
    for (int w = 0; w < WAYS; w++) {
        relay_poll(r, device[w].fd, POLLIN);
        if (queue[w] && !r->way[w].held)
            relay_wake(r, queue[w]->at_ns);
    }
}

const struct carrier *tun_open(struct relay *r, const char *pid_a, const char *pid_b)
{
    static const struct carrier k = { tun_ask, tun_move, tun_cut, tun_listen };
    (void)r;
    device[0].fd = device_open(pid_a, 0);
    device[1].fd = device_open(pid_b, 1);
    printf("at %s\n", address[1]);
    fflush(stdout);
    return &k;
}
