/* frames.c - the names of the frames in what arrives, for the trace. */
#include <inttypes.h>
#include <string.h>
#include "sess/frame.h"
#include "sim/net.h"

static uint64_t little(const uint8_t *p, int n)
{
    uint64_t v = 0;
    while (n)
        v = v << 8 | p[--n];
    return v;
}

/* A whole header is there: says what it is, and how much of the frame follows. */
static size_t say(struct frames *x, char *to, size_t cap)
{
    uint32_t len = (uint32_t)little(x->head, 4);
    uint8_t kind = x->head[4];
    const char *name = frame_name(kind);
    bool numbered = kind >= FRAME_FIRST_NUMBERED;
    x->skip = len - (numbered ? MIN(len, (uint32_t)FRAME_NUMBERED - FRAME_HEADER) : 0);
    x->have = 0;
    if (!name || len > LIMIT_FRAME) {
        x->lost = true;
        return (size_t)snprintf(to, cap, " ?");
    }
    if (!numbered)
        return (size_t)snprintf(to, cap, " %s", name);
    return (size_t)snprintf(to, cap, " %s#%" PRIu64 "^%" PRIu64, name, little(x->head + 8, 8), little(x->head + 16, 8));
}

void frames_name(struct flow *f, const uint8_t *p, size_t n, char *to, size_t cap)
{
    struct frames *x = &f->frames;
    size_t at = 0;
    to[0] = 0;
    while (n && !x->lost) {
        if (x->skip) {
            size_t k = MIN(n, (size_t)x->skip);
            x->skip -= (uint32_t)k;
            p += k;
            n -= k;
            continue;
        }
        x->head[x->have++] = *p++;
        n--;
        if (!x->begun && x->have == PREAMBLE_BYTES) {
            x->lost = memcmp(x->head, PREAMBLE_MAGIC, 8) != 0;
            x->begun = true;
            x->have = 0;
            continue;
        }
        uint32_t want = x->have > 4 && x->head[4] >= FRAME_FIRST_NUMBERED ? FRAME_NUMBERED : FRAME_HEADER;
        if (x->begun && x->have == want)
            at += say(x, to + MIN(at, cap), cap - MIN(at, cap));
    }
    if (at >= cap)
        memcpy(to + cap - 5, " ...", 5);
}
