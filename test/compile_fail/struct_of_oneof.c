/* A oneof described as a struct: its cases would be read as members, all of them.
 * gcc: either_is_a_struct_.? undeclared
 * clang: undeclared identifier .?either_is_a_struct_ */
#include <leat.h>

LEAT_STRUCT(note, (string, text));
LEAT_ONEOF(either, (struct(note), note), (int64, number));
LEAT_STRUCT(parcel, (struct(either), what));
