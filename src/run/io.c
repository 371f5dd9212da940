/* io.c - waiting for descriptors. */
#include "run/io.h"

void io_tick(struct worker *w) { (void)w; }
void io_poll(struct worker *w) { (void)w; }
void io_sleep(struct worker *w, int64_t limit) { (void)w; (void)limit; }
void io_wake(struct rt *rt) { (void)rt; }
void io_end(struct rt *rt) { (void)rt; }

leat_err io_watch(int fd, int events, struct waiter *x) { (void)fd; (void)events; (void)x; return LEAT_INVAL; }
void io_unwatch(int fd, struct waiter *x) { (void)fd; (void)x; }
bool io_ready(int fd, int events) { (void)fd; (void)events; return false; }
