/* The result of a call is of another type than the method gives, in C++.
 * g++: cannot convert 'question\*' to 'answer_c_\*|invalid conversion|cannot convert
 * clang++: cannot initialize a parameter of type 'answer_c_ \*'|no known conversion|cannot initialize */
#include <leat.h>
LEAT_STRUCT(question, (int64, n));
LEAT_STRUCT(answer, (int64, n));
LEAT_SERVICE(oracle, (ask, question, answer));
leat_err ask(leat_peer *p, question *q);
leat_err ask(leat_peer *p, question *q) { return leat_call(p, oracle, ask, q, q); }
