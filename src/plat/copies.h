/* copies.h - a process that waits where it is and makes a copy of itself for each order it gets over a socket: what comes before that place
 * is paid once.  For `leat sim` (proc.h has the other end) and a program in a simulated world.
 *
 * Over the socket, in packets: to the process copies_given, and from it copies_said; then by turns an order (its text, with three
 * descriptors: output, errors and the report of the copy), copies_said when the copy was made, and copies_said when it has ended. */
#ifndef PLAT_COPIES_H
#define PLAT_COPIES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COPIES_FDS = 3, COPIES_GIVEN = 128 };
/* Descriptors above 2 that the process has from who started it, and which file each is. */
struct copies_fd { int64_t fd, dev, ino; };
struct copies_given { int64_t n; struct copies_fd at[COPIES_GIVEN]; };
int copies_given(struct copies_given *ret);          /* to a program that is started now.  0, or an errno: also of too many */
/* This process has 0 to 2, sock, and of others only such as were given: who is started anew shares those, too. */
bool copies_only_given(int sock, const struct copies_given *g);

/* At first pid is of the process, and error says whether it is one that can be copied (EBUSY: it is not); then pid is of the copy; then
 * code and signo say how that has ended, and cpu_us what the process and all copies but the last have used of processors. */
struct copies_said { int64_t pid, error, code, signo, cpu_us; };

/* Returns in each copy: order is the text, with a 0 behind it, *ret_report the third descriptor; the other two are its standard output
 * and error, and it is a process group of its own that dies with the process.  Else the process ends here, when the socket is closed or
 * when it is not one to be copied: it has another thread, a child, a timer, a descriptor that it was not given, or memory that it
 * shares. */
void copies_serve(int sock, char *order, size_t cap, int *ret_report);
#endif
