/* blocking.c - leat_blocking. */
#include "run/blocking.h"

void blocking_end(struct rt *rt) { (void)rt; }
