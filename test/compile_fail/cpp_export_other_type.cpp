/* A channel is exported as another type than it carries, in C++.
 * g++: the channel carries another type than the one that is named
 * clang++: the channel carries another type than the one that is named */
#include <leat.h>
LEAT_STRUCT(event, (int64, n));
LEAT_STRUCT(other, (int64, n));
leat_err share(leat_node *n, leat_tx(event) c);
leat_err share(leat_node *n, leat_tx(event) c) { return leat_export(n, "events", c, other); }
