/* codec.h - what the programs of the codec benchmark share: the values, the clock, the rows.  Each of them is called
 *     PROGRAM codec|gob|json [--workers N] [N]
 * and prints a JSON line a row: `codec-encode-1` in ns, `codec-encode-1000` in us, the same for decode, and the bytes.
 *
 * One value is {42, "a name of 20 bytes..", 2.5, a date with zone}; the other is a list of 1,000 of them.  Encoding writes to memory that
 * is used again; decoding makes the value and gives back what it took.  N is how many values a batch has; the row is the median of
 * BATCHES of them. */
#ifndef CODEC_H
#define CODEC_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 101, MANY = 1000 };
#define ROW_ID     42
#define ROW_NAME   "a name of 20 bytes.."
#define ROW_VALUE  2.5
#define ROW_S      1700000000
#define ROW_NS     5
#define ROW_ZONE_S 3600
#define ROW_WHEN   "2023-11-14T23:13:20.000000005+01:00"             /* the same date, as text */

static inline void codec_fail(const char *what)
{
    fprintf(stderr, "codec: %s\n", what);
    exit(1);
}

static inline double codec_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int codec_less(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

/* one is called rounds times a batch */
static inline double codec_measure(void (*one)(void *self), void *self, long rounds)
{
    double each[BATCHES];
    one(self);
    for (int i = 0; i < BATCHES; i++) {
        double start = codec_now_ns();
        for (long k = 0; k < rounds; k++)
            one(self);
        each[i] = (codec_now_ns() - start) / (double)rounds;
    }
    qsort(each, BATCHES, sizeof each[0], codec_less);
    return each[BATCHES / 2];
}

/* What a codec does with the one value (many 0) or with the list (1): self is the program's own. */
struct codec {
    const char *name;                                /* codec, gob, json */
    void (*encode[2])(void *self);
    void (*decode[2])(void *self);                   /* what was encoded last; checks what it finds */
    size_t (*bytes)(void *self);                     /* of what was encoded last */
};

static inline void codec_time(const char *codec, const char *what, int many, double ns)
{
    printf("{\"bench\":\"%s-%s-%s\",\"unit\":\"%s\",\"value\":%.6g}\n", codec, what, many ? "1000" : "1", many ? "us" : "ns",
           many ? ns / 1e3 : ns);
}

static inline void codec_rows(const struct codec *c, void *self, long n)
{
    for (int many = 0; many < 2; many++) {
        long rounds = many ? n / MANY + 1 : n;
        double ns = codec_measure(c->encode[many], self, rounds);
        codec_time(c->name, "encode", many, ns);
        printf("{\"bench\":\"%s-bytes-%s\",\"unit\":\"B\",\"value\":%zu}\n", c->name, many ? "1000" : "1", c->bytes(self));
        codec_time(c->name, "decode", many, codec_measure(c->decode[many], self, rounds));
    }
}

/* NAME [--workers N] [N], of codecs[0] to codecs[count - 1] */
static inline int codec_main(int argc, char **argv, const struct codec *codecs, int count, void *self)
{
    long n = 2000;
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--workers") == 0)
            i++;
        else
            n = atol(argv[i]);
    }
    for (int i = 0; i < count && n > 0; i++)
        if (strcmp(codecs[i].name, name) == 0) {
            codec_rows(&codecs[i], self, n);
            return 0;
        }
    fprintf(stderr, "usage: %s NAME [--workers N] [N]; NAME is one of", argv[0]);
    for (int i = 0; i < count; i++)
        fprintf(stderr, " %s", codecs[i].name);
    fprintf(stderr, "\n");
    return 2;
}
#endif
