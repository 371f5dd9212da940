/* relay.c - a path with faults, for tests: everything that goes through it can be delayed, held, lost, cut.
 *
 *   relay stream FROM TO [SEED]       listens at FROM (tcp://127.0.0.1:0, unix:/path), and leads each connection to TO
 *   relay tun PID PID [SEED]          carries packets between the network namespaces of two processes, which become 10.77.0.1 and
 *                                     10.77.0.2 to each other
 *
 * It prints `at FROM` when it is ready, then reads commands, a line each, and prints each when it is done, behind the monotonic time in
 * ns.  WAY is out (from who dials), in (back) or both; WHO is dialer, target or both; PM is so many of 1,000.
 *
 *   delay WAY MS [JITTER]    rate WAY BYTES_A_SECOND    stall WAY PM MS    chunk WAY BYTES
 *   hold WAY                 nothing goes on; what comes is kept             release WAY    it goes on; ends swallow, too
 *   swallow WAY              nothing goes on, and what comes is lost: a connection that has lost bytes stays deaf
 *   cut WHO                  resets connections, of one side: the other hears nothing any more.  Packets: a forged RST
 *   cut WHO WAY N            when exactly N bytes more have gone that way
 *   often WHO WAY MOST TIMES the same, TIMES times, each after 1 to MOST bytes more
 *   end WHO [WAY N]          as cut, but an orderly end
 *   refuse, accept           nobody listens, and again somebody does
 *   loss WAY PM    twice WAY PM    flip WAY PM    late WAY PM MS    hole WAY BYTES       packets only
 *   wait MS    await WAY N   the next command is read later: after so long, or after so many bytes more
 *
 * The end of the commands ends the relay, but for `stay`, after which it stays. */
#include "relay.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_NS = 1000000000, MS_NS = 1000000, LINE_MAX_ = 160 };

static char line_buf[4096];
static size_t line_len;
static bool stays;

void relay_die(const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    fputs("relay: ", stderr);
    vfprintf(stderr, fmt, a);
    fputc('\n', stderr);
    va_end(a);
    exit(1);
}

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

uint64_t relay_random(struct relay *r, uint64_t below)
{
    uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15);          /* splitmix64: Steele, Lea, Flood, 2014 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return below ? (z ^ (z >> 31)) % below : 0;
}

bool relay_chance(struct relay *r, uint32_t per_mille)
{
    return per_mille && relay_random(r, 1000) < per_mille;
}

int64_t relay_due(struct relay *r, struct way *w, size_t len)
{
    int64_t at = r->now_ns + w->delay_ns + (int64_t)relay_random(r, (uint64_t)w->jitter_ns);
    if (relay_chance(r, w->stall_pm))
        at += w->stall_ns;
    if (w->rate) {
        at = at > w->free_ns ? at : w->free_ns;
        w->free_ns = at + (int64_t)len * 1000000000 / w->rate;
    }
    return at;
}

void relay_wake(struct relay *r, int64_t at_ns)
{
    r->wake_ns = at_ns < r->wake_ns ? at_ns : r->wake_ns;
}

int relay_poll(struct relay *r, int fd, short events)
{
    if (r->n_polls == POLLS_MAX)
        relay_die("more than %d descriptors", POLLS_MAX);
    r->polls[r->n_polls] = (struct pollfd){ .fd = fd, .events = events };
    return r->n_polls++;
}

/* -- commands --------------------------------------------------------------------------------------------------------------- */

struct command { char *word[6]; int n; };

static int64_t number(const struct command *c, int i, int64_t absent)
{
    return i < c->n ? atoll(c->word[i]) : absent;
}

static int ways_of(const char *text)                 /* a bit for each */
{
    return strcmp(text, "out") == 0 ? 1 << OUT : strcmp(text, "in") == 0 ? 1 << IN : strcmp(text, "both") == 0 ? 3 : 0;
}

static int who_of(const char *text)
{
    return strcmp(text, "dialer") == 0 ? CUT_DIALER : strcmp(text, "target") == 0 ? CUT_TARGET : strcmp(text, "both") == 0 ? CUT_BOTH : 0;
}

static bool set_way(struct way *w, const char *verb, const struct command *c)
{
    uint32_t n = (uint32_t)number(c, 2, 0);
    int64_t ms_ns = number(c, 3, 0) * MS_NS;
    if (strcmp(verb, "delay") == 0)
        w->delay_ns = n * (int64_t)MS_NS, w->jitter_ns = ms_ns;
    else if (strcmp(verb, "rate") == 0)
        w->rate = n, w->free_ns = 0;
    else if (strcmp(verb, "stall") == 0)
        w->stall_pm = n, w->stall_ns = ms_ns;
    else if (strcmp(verb, "chunk") == 0)
        w->chunk = n;
    else if (strcmp(verb, "hold") == 0)
        w->held = true;
    else if (strcmp(verb, "swallow") == 0)
        w->swallow = true;
    else if (strcmp(verb, "release") == 0)
        w->held = w->swallow = false;
    else if (strcmp(verb, "loss") == 0)
        w->loss_pm = n;
    else if (strcmp(verb, "twice") == 0)
        w->twice_pm = n;
    else if (strcmp(verb, "flip") == 0)
        w->flip_pm = n;
    else if (strcmp(verb, "late") == 0)
        w->late_pm = n, w->late_ns = ms_ns;
    else if (strcmp(verb, "hole") == 0)
        w->hole = n;
    else
        return false;
    return true;
}

static bool do_cut(struct relay *r, const struct carrier *k, const char *verb, const struct command *c)
{
    bool often = strcmp(verb, "often") == 0, end = strcmp(verb, "end") == 0;
    int who = c->n > 1 ? who_of(c->word[1]) : 0, ways = c->n > 2 ? ways_of(c->word[2]) : 0;
    if (!who || (!often && !end && strcmp(verb, "cut") != 0))
        return false;
    uint64_t n = (uint64_t)number(c, 3, 0);
    if (c->n == 2 || (n == 0 && !often)) {
        k->cut(r, who, end);
        return !often;
    }
    int way = ways == 1 << OUT ? OUT : IN;
    uint64_t bytes = often ? 1 + relay_random(r, n) : n;
    r->cut = (struct cut){ who, way, end, r->way[way].passed + bytes, (uint32_t)n, often ? (uint32_t)number(c, 4, 1) - 1 : 0 };
    return ways == 1 << OUT || ways == 1 << IN;
}

/* What keeps the next command from being read. */
static struct { int64_t until_ns; int way; uint64_t bytes; } pause_;

static bool command_wait(struct relay *r, const char *verb, const struct command *c)
{
    if (strcmp(verb, "wait") == 0)
        pause_.until_ns = r->now_ns + number(c, 1, 0) * MS_NS;
    else if (strcmp(verb, "await") == 0 && c->n == 3 && ways_of(c->word[1]) % 3)
        pause_.way = ways_of(c->word[1]) >> 1, pause_.bytes = r->way[pause_.way].passed + (uint64_t)number(c, 2, 0);
    else
        return false;
    return true;
}

static void obey(struct relay *r, const struct carrier *k, char line[static LINE_MAX_])
{
    char text[LINE_MAX_], *save = NULL;
    struct command c = { .n = 0 };
    bool good = false;
    memcpy(text, line, sizeof text);
    for (char *w = strtok_r(line, " ", &save); w && c.n < 6; w = strtok_r(NULL, " ", &save))
        c.word[c.n++] = w;
    if (c.n == 0 || c.word[0][0] == '#')
        return;
    const char *verb = c.word[0];
    int ways = c.n > 1 ? ways_of(c.word[1]) : 0;
    if (strcmp(verb, "stay") == 0)
        good = stays = true;
    else if ((strcmp(verb, "refuse") == 0 || strcmp(verb, "accept") == 0))
        k->listen(r, verb[0] == 'a'), good = true;
    else if (do_cut(r, k, verb, &c) || command_wait(r, verb, &c))
        good = true;
    for (int w = 0; w < WAYS && !good; w++)
        if (ways & 1 << w)
            good = set_way(&r->way[w], verb, &c) && (w == IN || ways != 3);
    if (!good)
        relay_die("no such command: %s", text);
    printf("%lld %s\n", (long long)r->now_ns, text);
    fflush(stdout);
}

static bool paused(struct relay *r)
{
    if (pause_.until_ns > r->now_ns)
        relay_wake(r, pause_.until_ns);
    return pause_.until_ns > r->now_ns || pause_.bytes > r->way[pause_.way].passed;
}

static void obey_all(struct relay *r, const struct carrier *k)
{
    char *end;
    while (!paused(r) && (end = memchr(line_buf, '\n', line_len)) != NULL) {
        char line[LINE_MAX_] = "";
        size_t n = (size_t)(end - line_buf);
        if (n >= sizeof line)
            relay_die("a command of %zu bytes", n);
        memcpy(line, line_buf, n);
        line_len -= n + 1;
        memmove(line_buf, end + 1, line_len);
        obey(r, k, line);
    }
}

static bool read_commands(void)                      /* false: there are no more */
{
    ssize_t n = read(STDIN_FILENO, line_buf + line_len, sizeof line_buf - line_len);
    if (n <= 0)
        return n < 0 && (errno == EINTR || errno == EAGAIN);
    line_len += (size_t)n;
    return true;
}

int main(int argc, char **argv)
{
    static struct relay r;
    bool more = true;
    if (argc < 4 || argc > 5)
        relay_die("usage: relay stream FROM TO [SEED], or relay tun PID PID [SEED]");
    r.random = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    r.now_ns = clock_ns();
    const struct carrier *k = strcmp(argv[1], "tun") == 0 ? tun_open(&r, argv[2], argv[3]) : stream_open(&r, argv[2], argv[3]);
    for (;;) {
        int stdin_at = -1;
        r.n_polls = 0;
        r.wake_ns = r.now_ns + IDLE_NS;
        obey_all(&r, k);
        if (!more && !stays && !memchr(line_buf, '\n', line_len))
            return 0;
        if (more && line_len < sizeof line_buf)
            stdin_at = relay_poll(&r, STDIN_FILENO, POLLIN);
        k->ask(&r);
        int64_t ns = r.wake_ns - clock_ns();
        struct timespec t = { ns > 0 ? ns / 1000000000 : 0, ns > 0 ? ns % 1000000000 : 0 };
        if (ppoll(r.polls, (nfds_t)r.n_polls, &t, NULL) < 0 && errno != EINTR)
            relay_die("poll: %s", strerror(errno));
        r.now_ns = clock_ns();
        if (stdin_at >= 0 && r.polls[stdin_at].revents)
            more = read_commands();
        k->move(&r);
    }
}
