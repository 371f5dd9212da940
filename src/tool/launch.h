/* launch.h - one program on several nodes of this host.
 *
 * Two processes do it.  The one that was called only waits, and hands on the signals it gets.  The other, its child, is the
 * parent of all nodes: it binds their sockets, starts them, reads their standard error and ends them.  Each looks after the
 * other, so that whichever is killed, even by SIGKILL, no process and no file is left. */
#ifndef TOOL_LAUNCH_H
#define TOOL_LAUNCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    LAUNCH_NODES_MAX = 256,
    LAUNCH_DIR_MAX = 90,                             /* with "/255" behind it a path still fits a unix socket's address */
};
enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };     /* beside EXIT_SUCCESS and EXIT_FAILURE */

struct launch {
    uint32_t nodes;
    bool tcp;                                        /* over 127.0.0.1; else over unix sockets */
    char **argv;                                     /* the program; ends with NULL */
};

/* Says on standard error what goes wrong.  Returns the exit code: node 0's; 130 after ^C. */
int launch_run(const struct launch *l);

/* In the child: dir is where unix sockets go.  Returns the exit code. */
int supervise(const struct launch *l, const char *dir);

/* The signals that end a launch, those that matter to this process, and SIGCHLD, as a descriptor: an errno or 0. */
int launch_signals(int *ret);
#endif
