/* A class that copies itself by code of its own cannot be sent as its members.
 * g++: travels as its members: it has no constructor
 * clang++: travels as its members: it has no constructor */
#include <string>
#include <leat.h>
struct named { int32_t n; std::string name; };
LEAT_DESCRIBE(named, (int32, n), (local, name));
