/* libfuzzer.c - the door of libFuzzer.  FUZZ names the target.  test/fuzz/run.py starts it. */
#include <string.h>
#include "base/rng.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *p, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *p, size_t n, size_t max);           /* libFuzzer's own */

static const struct fuzz_target *chosen(void)
{
    static const struct fuzz_target *t;
    if (!t)
        t = fuzz_named(getenv("FUZZ"));
    if (t)
        return t;
    fprintf(stderr, "fuzz: set FUZZ to one of:");
    for (unsigned i = 0; i < fuzz_count; i++)
        fprintf(stderr, " %s", fuzz_targets[i].name);
    fputc('\n', stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_target *t = chosen();
    if (n <= t->max)
        fuzz_play(t, p, n);
    return 0;
}

/* Something new that makes sense, or damage of either kind. */
size_t LLVMFuzzerCustomMutator(uint8_t *p, size_t n, size_t max, unsigned seed)
{
    const struct fuzz_target *t = chosen();
    struct rng r;
    struct buf b = { 0 };
    rng_init(&r, seed);
    bool made = rng_below(&r, 8) == 0 && fuzz_made(t->name, rng_next(&r), &b) && b.len <= max;
    if (made && b.len)
        memcpy(p, b.p, n = b.len);
    if (!made && rng_below(&r, 2)) {
        n = LLVMFuzzerMutate(p, n, max);
    } else if (!made || rng_below(&r, 2)) {
        uint8_t *room = malloc(max + FUZZ_ROOM);
        FUZZ_CHECK(room != NULL);
        memcpy(room, p, n);
        if (!fuzz_made(t->name, rng_next(&r), &b))
            buf_reset(&b);
        n = MIN(fuzz_mutate(t, &r, room, n, max, b.p, b.len), max);
        memcpy(p, room, n);
        free(room);
    }
    buf_free(&b);
    return n;
}
