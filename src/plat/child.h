/* child.h - starting another program from a process with many threads, and hearing of its end by a descriptor.
 *
 * Every function returns 0 or a positive errno, and leaves *ret untouched on failure.  All descriptors made here close on exec and are 3
 * or above, so that none is in the way of a child's first three. */
#ifndef PLAT_CHILD_H
#define PLAT_CHILD_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child_start {
    const char *const *argv, *const *env;            /* env NULL: ours */
    const char *cwd;                                 /* NULL: ours */
    int fd[3];                                       /* become its first three, or -1: ours */
    bool err_to_out;                                 /* its third is its second */
    bool group;                                      /* a process group of its own */
};
enum child_step { CHILD_PROGRAM, CHILD_DIR, CHILD_OTHER };           /* what an error is about */

/* Returns when it runs.  The memory of this process is lent to the child until then, not copied; no other thread may run a handler in
 * it.  What keeps it from running is returned, and nothing is left of it. */
int child_start(const struct child_start *p, pid_t *ret_pid, int *ret_fd, enum child_step *ret_step);
int child_status(int pidfd, int *code, int *signo);  /* takes the status of one that has ended, once.  EAGAIN: it runs; ECHILD */
int child_await(int pidfd, int *code, int *signo);   /* the same, and the thread sleeps until then: for one that has been killed */
int child_signal(int pidfd, int signo);              /* ESRCH: it has ended */
int child_signal_group(pid_t pid, int signo);        /* while its status has not been taken */
int child_pipe(bool we_read, int *ret_ours, int *ret_its);           /* ours does not block */
int child_null(bool write, int *ret);
bool child_ends_untold(void);                        /* SIGCHLD is ignored: the system throws each status away */
/* A process that need not be ours.  LIVES: *ret_fd can be read when it has ended.  UNKNOWN: the system does not say. */
enum child_watch { CHILD_LIVES, CHILD_GONE, CHILD_UNKNOWN };
enum child_watch child_watch(int64_t pid, int *ret_fd);
void child_close(int fd);                            /* below 0: nothing */
#endif
