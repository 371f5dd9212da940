/* guest.h - a runtime within another's loop.  For boot/. */
#ifndef RUN_GUEST_H
#define RUN_GUEST_H
#include "run/seam.h"

leat_err guest_start(const struct rt_main *m, leat_guest **ret);     /* m->arg is copied */
#endif
