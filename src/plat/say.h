/* say.h - text to a descriptor, from anywhere. */
#ifndef PLAT_SAY_H
#define PLAT_SAY_H
#include <stddef.h>

void plat_say(int fd, const char *text, size_t n);   /* all of it, or what the descriptor takes; errno stays; [signal] */
#endif
