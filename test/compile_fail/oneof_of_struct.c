/* A struct described as a oneof: its first member would be taken for the number of a case.
 * gcc: note_is_a_oneof_.? undeclared
 * clang: undeclared identifier .?note_is_a_oneof_ */
#include <leat.h>

LEAT_STRUCT(note, (string, text));
LEAT_STRUCT(parcel, (oneof(note), what));
