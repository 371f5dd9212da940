/* kinds.h - a description of every kind of field, and a service: compiled as C and as C++. */
#include <leat.h>

LEAT_ENUM(color, (red, 0), (green, 1));
LEAT_STRUCT(circle, (float64, r));
LEAT_STRUCT(square, (float64, side, .tag = 7, .json = "s"));
LEAT_ONEOF(shape, (struct(circle), circle), (struct(square), square));
LEAT_STRUCT(numbers, (int8, a), (int16, b), (int32, c), (int64, d), (uint8, e), (uint16, f), (uint32, g), (uint64, h),
    (float32, i), (float64, j), (bool, k));
LEAT_STRUCT(tree, (string, name), (bytes, raw), (optional(tree), left), (list(tree), kids), (map(circle), by_name),
    (strings, names), (int64s, ids), (float64s, weights), (tx(tree), back), (rx(tree), forth), (bool, leaf),
    (array(uint8_t, 16), id), (enum(color), color), (oneof(shape), shape), (struct(numbers), numbers), (date, when),
    (duration, took), (error, failed));

struct old { unsigned long long id; char name[32]; char *note; void *lock; long n; };
LEAT_DESCRIBE(old, (uint64, id), (chars(32), name), (cstr, note), (local, lock), (int64, n));
struct pair_of { int first; char second; };
union either { int i; float f; };
struct odd {
    const bool on; void (*done)(void); int slots[4]; struct pair_of pair; union either either; union { int32_t i; float f; }; char end;
};
LEAT_DESCRIBE(odd, (local, on), (local, done), (local, slots), (local, pair), (local, either), (int32, i), (local, f), (uint8, end));
typedef struct { int x, y; } POINT;
LEAT_DESCRIBE_AS(point, POINT, (int32, x), (int32, y));
struct flagged { int64_t n; unsigned on : 1, off : 1; };
LEAT_DESCRIBE_SOME(flagged, struct flagged, (int64, n));
LEAT_SERVICE(geo, (area, shape, circle), (move, point, point));
