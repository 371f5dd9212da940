/* Both ends of a channel are exported at once, in C++.
 * g++: leat_export: one end, not both
 * clang++: leat_export: one end, not both */
#include <leat.h>
LEAT_STRUCT(event, (int64, n));
leat_err share(leat_node *n, leat_chan(event) c);
leat_err share(leat_node *n, leat_chan(event) c) { return leat_export(n, "events", c, event); }
