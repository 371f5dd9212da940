/* blocking.h - a pool of threads for calls that block theirs (blocking.c). */
#ifndef RUN_BLOCKING_H
#define RUN_BLOCKING_H
struct rt;
void blocking_end(struct rt *rt);                    /* joins its threads; no call is under way */
#endif
