/* A oneof described as a struct: its cases would be read as members, all of them.
 * g++: either_is_a_struct_.? was not declared
 * clang++: unknown type name .?either_is_a_struct_ */
#include <leat.h>

LEAT_STRUCT(note, (string, text));
LEAT_ONEOF(either, (struct(note), note), (int64, number));
LEAT_STRUCT(parcel, (struct(either), what));
