/* door.h - the links on which nobody has said hello yet.
 *
 * Each has a task and a descriptor, so there are at most LIMIT_NODE_HELLOS of them: when one more comes, the oldest is shut, which
 * has had the longest to speak.  The same makes room when there are no descriptors left.  So who speaks at once gets in, however
 * many are silent. */
#ifndef SESS_DOOR_H
#define SESS_DOOR_H
#include "link/link.h"

struct door_guest { struct door_guest *next, *prev; struct link *link; bool in, pushed; };
struct doorway { struct door_guest *oldest, *newest; uint32_t n; };     /* all under the node's lock */

void door_in(leat_node *n, struct door_guest *g, struct link *l);    /* l lives until door_out */
void door_out(leat_node *n, struct door_guest *g);
void door_make_room(leat_node *n);                   /* shuts half of them */
#endif
