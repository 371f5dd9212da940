/* app.h - the program whose node a made-up peer talks to: channels of every sort exported, a service, a task that can be started, and
 * tasks that use what comes.  For fuzz targets and test/hostile. */
#ifndef APP_H
#define APP_H
#include "leat.h"
#undef errno
#include "type/desc.h"

LEAT_STRUCT(num, (int64, n));
LEAT_STRUCT(item, (string, text), (list(num), nums), (optional(num), maybe));
LEAT_STRUCT(pass, (uint8, how), (tx(num), out), (rx(num), in));
LEAT_SERVICE(calc, (twice, num, num), (echo, item, item), (nap, num, num), (give, num, pass));

/* Exported: "b" (num, capacity 4, to send), "u" (num, 0, to send), "i" (item, 3, to send), "e" (pass, 2, to send), "r" (num, 4, to
 * receive, 2 queued), "q" (num, 0, to receive). */
struct app {
    leat_node *n;
    leat_chan(struct num) b, u, r, q;
    leat_chan(struct item) i;
    leat_chan(struct pass) e;
    leat_group g;
};
leat_err app_open(struct app *a, const char *name);  /* all of it runs */
void app_close(struct app *a);                       /* [blocks] node and all */
/* What a program does with a peer it has dialed: imports "b" and "u" to send on and "r" to receive from, calls, starts a task. */
leat_err app_use(leat_peer *p);
#endif
