/* alloc.c - the hook of alloc.h. */
#include "base/alloc.h"

const struct mem_hook *mem_hook;
