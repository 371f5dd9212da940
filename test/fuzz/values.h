/* values.h - the described types that the fuzz targets of values read, and that make.c makes. */
#ifndef VALUES_H
#define VALUES_H
#include "type/type_test.h"

static const leat_type *const types[] = { &all_type, &node_type, &word_type, &shard_type, &old_type, &numbers_type, &loose_type,
    &point_type, &square_type };

/* what became of the types of type_test.h */
LEAT_STRUCT(numbers_later, (int16, a), (int64, b), (int32, c), (uint16, e), (int32, f), (int64, g), (uint64, h), (float64, i), (bool, k),
    (bool, fresh));
LEAT_STRUCT(square_later, (string, label), (float64, side), (int8, more));
LEAT_ONEOF(shape_later, (int64, tiny), (string, words), (struct(square_later), square), (bool, flag));
LEAT_STRUCT(node_later, (map(node_later), by_name), (list(node_later), kids), (string, name), (optional(node_later), right));
LEAT_STRUCT(all_later, (array(uint32_t, 9), five), (oneof(shape_later), shape), (struct(point), spot), (map(square_later), squares),
    (optional(numbers_later), numbers), (bytes, name), (date, when), (error, failed), (list(point), looses), (struct(node_later), tree));
struct old_later { char name[60]; leat_string note; unsigned long long id; };
LEAT_DESCRIBE(old_later, (chars(60), name), (string, note), (uint64, id));
LEAT_STRUCT(word_later, (uint64, times), (bytes, text));
LEAT_STRUCT(shard_later, (tx(word), out), (rx(word_later), in), (int8, n));
LEAT_STRUCT(shard_less, (bytes, text));
static const leat_type *const bridged[] = { &word_type, &all_type, &node_type, &shape_type, &old_type, &shard_type, &numbers_type,
    &word_later_type, &all_later_type, &node_later_type, &shape_later_type, &old_later_type, &shard_later_type, &numbers_later_type,
    &shard_less_type };
/* small ones, in which each thing is met often */
LEAT_STRUCT(moment, (date, when), (duration, took));
LEAT_STRUCT(moments, (list(moment), all), (date, last));
LEAT_STRUCT(trouble, (error, failed));
LEAT_STRUCT(entry, (string, key), (struct(moment), value));
LEAT_STRUCT(pairs, (list(entry), table, .flags = LEAT_PAIRS), (map(moment), named));
LEAT_STRUCT(count, (int32, key), (int64, value));
LEAT_STRUCT(counts, (list(count), table, .flags = LEAT_PAIRS), (int64s, ids), (float64s, weights));
LEAT_STRUCT(far, (struct(point), key), (uint8, value));
LEAT_STRUCT(fars, (list(far), table, .flags = LEAT_PAIRS), (array(uint64_t, 2), pair), (array(int64_t, 2), other));
LEAT_STRUCT(bare, (int64, n, .flags = LEAT_BARE));
LEAT_STRUCT(plain, (struct(bare), n), (float32, f), (chars(8), c), (cstr, s), (enum(color), color), (array(int8_t, 3), three), (bool, b),
    (bytes, raw), (int8, i), (uint8, u), (optional(bare), maybe));
LEAT_STRUCT(choice, (oneof(shape), shape), (list(plain), rows), (list(circle), circles));
struct nil { void *lock; };
typedef struct { struct nil *at; uint32_t len, cap; } nil_list;
LEAT_DESCRIBE(nil, (local, lock));
LEAT_STRUCT(empties, (list(nil), none), (list(bare), bares), (optional(nil), maybe));
LEAT_STRUCT(empties_later, (list(word), none), (int8, more));
LEAT_STRUCT(left_out, (int8, nothing));
/* what a field that is not wanted is made of */
LEAT_STRUCT(wide, (int8, nothing), (struct(plain), a), (list(trouble), b), (map(moments), c), (oneof(shape), d), (optional(trouble), e),
    (list(nil), f), (tx(word), g), (rx(word), h), (error, i), (cstr, j), (chars(9), k), (array(float, 2), l), (list(shard), m));
LEAT_STRUCT(plain_later, (int64, n), (float64, f), (string, c), (string, s), (int64, i), (uint64, u), (bool, b), (int64s, three));
LEAT_STRUCT(tagged, (int32, a, .tag = 1), (string, b, .tag = 2), (struct(point), c, .tag = -3), (int8, d));
LEAT_STRUCT(tagged_later, (string, words, .tag = 2), (int64, a, .tag = 1), (int8, d, .tag = 4), (struct(point), c, .tag = -3));
LEAT_STRUCT(moment_less, (duration, took), (int8, more));
LEAT_STRUCT(two, (struct(moment), a), (struct(moment), b), (map(moment), c));
LEAT_STRUCT(two_later, (struct(moment), a), (struct(moment_less), b), (map(moment_less), c));
static const leat_type *const more[] = { &word_type, &all_type, &node_type, &shape_type, &old_type, &shard_type, &numbers_type,
    &word_later_type, &all_later_type, &node_later_type, &shape_later_type, &old_later_type, &shard_later_type, &numbers_later_type,
    &moment_type, &moments_type, &trouble_type, &pairs_type, &plain_type, &choice_type, &empties_type, &empties_later_type, &left_out_type,
    &wide_type, &square_type, &square_later_type, &plain_later_type,
    &tagged_type, &tagged_later_type, &counts_type, &fars_type, &two_type, &two_later_type };
/* whose canonical forms are compared */
static const leat_type *const forms[] = { &word_type, &all_type, &node_type, &shape_type, &color_type, &shard_type, &numbers_type,
    &old_type, &tagged_type, &wide_type, &choice_type, &plain_type };
enum { TYPES = sizeof types / sizeof *types, BRIDGED = sizeof bridged / sizeof *bridged, MORE = sizeof more / sizeof *more,
    FORMS = sizeof forms / sizeof *forms };

/* The type that a byte of the input names: one of types, or with 0x40 one of the others. */
static inline const leat_type *type_named(uint8_t how) { return how & 0x40 ? more[how % MORE] : types[how % TYPES]; }
#endif
