/* The error of a reply moves out of it, in C++ (in C the compilers only warn).
 * g++: invalid conversion from 'const leat_reply\*' to 'leat_reply\*'
 * clang++: no matching function|cannot initialize a parameter of type 'leat_reply \*' */
#include <leat.h>
LEAT_STRUCT(value, (uint64, number));
leat_err look(const value_reply *r);
leat_err look(const value_reply *r) { return leat_reply_err(&r->reply); }
