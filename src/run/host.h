/* host.h - the machine that the calling task runs on.  In the real world there is one. */
#ifndef RUN_HOST_H
#define RUN_HOST_H

const char *host_getenv(const char *name);           /* the environment of this machine; borrowed */
void *host_self(void);                               /* null in the real world */
#endif
