/* raw.h - what the programs in this folder share. */
#ifndef RAW_H
#define RAW_H
#include <stddef.h>

void fail(const char *what) __attribute__((noreturn));   /* says why, from errno, and ends the program */
double now_ns(void);
void put(int fd, const void *p, size_t len);
void echo_server(int port, int workers);             /* never returns */
double echo_load(const char *server, int workers, int conns, long n);      /* round trips a second */
#endif
