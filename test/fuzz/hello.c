/* hello.c - fuzz targets of the first words on a link, for both sides. */
#include <string.h>
#include "fuzz.h"
#include "make.h"
#include "peer.h"

/* The first byte: how many bytes go at once, at most 61; 0x80: hang up at the end instead of reading on; 0x40: the node belongs to a
 * launch, or who dials has little time.  ON_AND_ON instead of a number of bytes: all at once, and then more for two seconds; STAYS: all
 * at once, and the link is there until the node has ended.
 * Memory is counted, and may run out, while the stranger is there. */
#define JOB "0123456789abcdef"
enum { STAYS = 0x3e, ON_AND_ON = 0x3f };
static struct cur input;

static leat_err say(struct link *l)
{
    struct cur in = input;
    uint8_t how = fuzz_u8(&in);
    unsigned at_once = how & 0x3f;
    size_t step = at_once && at_once < STAYS ? at_once : cur_left(&in) + 1, n;
    char got[512];
    while (cur_left(&in)) {
        size_t k = MIN(step, cur_left(&in));
        leat_err e = peer_write(l, cur_take(&in, k), k);
        if (e != LEAT_OK)
            return e;
        leat_yield();
    }
    leat_err e = LEAT_OK;
    for (int i = 0; at_once == ON_AND_ON && i < 100 && e == LEAT_OK; i++) {
        e = peer_write(l, "on", 2);
        leat_ignore(leat_sleep(LEAT_MS(20)));
    }
    if (how & 0x80 || at_once == STAYS)
        return LEAT_OK;
    leat_with_deadline(LEAT_S(30))
        while (e == LEAT_OK)
            e = link_read(l, got, sizeof got, &n);
    return e;
}

static leat_node *node(const char *name)
{
    leat_node *n = NULL;
    FUZZ_CHECK(leat_node_open(&(leat_node_opts){ .name = name }, &n) == LEAT_OK);
    return n;
}

static leat_err door(void *arg)
{
    leat_node *a = node("node a"), *b = node("node b");
    leat_peer *p = NULL, *q = NULL;
    struct link *l;
    (void)arg;
    FUZZ_CHECK(leat_node_listen(a, "inproc:a") == LEAT_OK);
    FUZZ_CHECK(leat_node_dial(b, "inproc:a", &p) == LEAT_OK);
    FUZZ_CHECK(link_dial("inproc:a", &l) == LEAT_OK);
    struct cur in = input;
    bool stays = (fuzz_u8(&in) & 0x3f) == STAYS;
    fuzz_memory_start();
    leat_ignore(say(l));
    if (!stays)
        link_close(l);
    (void)fuzz_memory();
    FUZZ_CHECK(leat_node_dial(b, "inproc:a", &q) == LEAT_OK);        /* others do not notice */
    leat_peer_close(q);
    leat_peer_close(p);
    leat_node_close(b);
    leat_node_close(a);
    if (stays)
        link_close(l);
    return LEAT_OK;
}

void fuzz_accept(const uint8_t *p, size_t n)
{
    input = cur_of(p, n);
    fuzz_job = n && p[0] & 0x40 ? JOB : NULL;
    fuzz_world(door, NULL, 0);
    fuzz_job = NULL;
}

static leat_err answer(struct link_listener **l)
{
    struct link *x;
    leat_err e = LEAT_OK;
    leat_with_deadline(LEAT_S(200))                  /* nobody comes whose memory has run out before */
        e = link_accept(*l, &x);
    if (e != LEAT_OK)
        return LEAT_OK;
    leat_ignore(say(x));
    link_close(x);
    return LEAT_OK;
}

static leat_err behind(void *arg)
{
    leat_node *b = node("node b");
    struct link_listener *l;
    struct link_listen_opts o = { 0 };
    leat_peer *p = NULL;
    leat_err err, e = LEAT_OK;
    struct cur in = input;
    int64_t ms = fuzz_u8(&in) & 0x40 ? 5 : 60000;
    (void)arg;
    FUZZ_CHECK(link_listen("inproc:x", &o, &l) == LEAT_OK);
    leat_with_group(g, err) {
        FUZZ_CHECK(leat_go(&g, answer, l) == LEAT_OK);
        fuzz_memory_start();
        leat_with_deadline(LEAT_MS(ms))
            e = leat_node_dial(b, "inproc:x", &p);
        (void)fuzz_memory();
        FUZZ_CHECK(e == LEAT_OK || e == LEAT_REFUSED || e == LEAT_PEER_LOST || (e == LEAT_DEADLINE && ms == 5) || fuzz_starved(e));
        FUZZ_CHECK(e == LEAT_OK || (*leat_err_detail() && p == NULL));
        for (const char *c = e == LEAT_OK ? "" : leat_err_detail(); *c; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 127);       /* what a stranger says is shown to people */
    }
    FUZZ_CHECK(err == LEAT_OK);
    link_listener_close(l);
    leat_node_close(b);
    return LEAT_OK;
}

void fuzz_dial(const uint8_t *p, size_t n)
{
    input = cur_of(p, n);
    fuzz_world(behind, NULL, 0);
}

/* A hello, or the answer to one, of many kinds: for who damages it. */
leat_err make_hello(struct rng *r, struct buf *out, bool answer)
{
    static const char *const jobs[] = { "", JOB, "0123456789abcde0", "x" };
    buf_u8(out, (uint8_t)(rng_below(r, 3) ? rng_below(r, 4) << 6 : rng_below(r, 256)));
    peer_preamble(out);
    size_t at = peer_begin(out, answer ? FRAME_WELCOME : FRAME_HELLO, 0, 0);
    if (!answer) {
        buf_u64(out, 1);
        buf_u32(out, rng_below(r, 3));
        buf_u32(out, rng_below(r, 8) == 0);
    }
    for (int i = 0; i < (answer ? 2 : 4); i++)       /* incarnations */
        buf_u64(out, i < 2 ? 77 : 0);
    buf_u64(out, rng_below(r, 3));
    peer_limits(out);
    buf_text(out, "peer", rng_below(r, 5));
    if (!answer) {
        const char *job = jobs[rng_below(r, ARRAY_LEN(jobs))];
        buf_text(out, job, strlen(job));
    }
    for (uint32_t more = rng_below(r, 4); more; more--)
        buf_u32(out, rng_below(r, 2) ? 30000 : UINT32_MAX);
    peer_end(out, at);
    return buf_err(out);
}
