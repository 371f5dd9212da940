/* codec_bench - leat's own codec: encode and decode, one {int64; string; double; date} and a list of 1,000 of them.
 *     codec_bench [ROUNDS]        prints a JSON line a result; unit ns for one value, us for the list; and the bytes of each
 * It measures a part and not a program, so unlike the others it includes headers of the library's inside.  What a decoded value
 * owns is dropped within the time. */
#include <stdio.h>
#include <stdlib.h>
#include "type/codec.h"

LEAT_STRUCT(row, (int64, id), (string, name), (float64, value), (date, when));
LEAT_STRUCT(rows, (list(row), rows));
LEAT_STRUCT(flat, (int64, id), (float64, value), (date, when));

static void result(const char *name, const char *unit, leat_time start, double per)
{
    printf("{\"bench\":\"codec_%s\",\"unit\":\"%s\",\"value\":%.4g}\n", name, unit, (double)leat_since(start).ns / per);
}

static void check(leat_err e)
{
    if (e == LEAT_OK)
        return;
    fprintf(stderr, "codec_bench: %s: %s\n", leat_err_name(e), leat_err_detail());
    exit(1);
}

static void measure(const char *name, const leat_type *t, const void *v, size_t rounds, const char *unit, double scale)
{
    _Alignas(16) char got[128];
    char text[64];
    struct buf b = { 0 };
    check(type_encode(t, v, &b, NULL));              /* the plan is made, the buffer has its size */
    leat_time start = leat_now();
    for (size_t i = 0; i < rounds; i++) {
        buf_reset(&b);
        check(type_encode(t, v, &b, NULL));
    }
    snprintf(text, sizeof text, "encode_%s", name);
    result(text, unit, start, (double)rounds * scale);
    start = leat_now();
    for (size_t i = 0; i < rounds; i++) {
        struct cur c = cur_of(b.p, b.len);
        check(type_decode(t, &c, got, NULL, NULL));
        leat_drop_(t, got);
    }
    snprintf(text, sizeof text, "decode_%s", name);
    result(text, unit, start, (double)rounds * scale);
    printf("{\"bench\":\"codec_bytes_%s\",\"unit\":\"bytes\",\"value\":%zu}\n", name, b.len);
    buf_free(&b);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    struct row one = { 42, LEAT_STRING("a name of 20 bytes.."), 2.5, { 1700000000, 5, 3600 } };
    struct flat flat = { 42, 2.5, { 1700000000, 5, 3600 } };
    struct rows many = { .rows = { 0 } };
    for (int i = 0; i < 1000; i++)
        check(leat_push(&many.rows, one));
    measure("flat", &flat_type, &flat, rounds, "ns", 1);
    measure("one", &row_type, &one, rounds, "ns", 1);
    measure("1000", &rows_type, &many, rounds / 500 + 1, "us", 1000);
    leat_drop(rows, &many);
    return 0;
}
