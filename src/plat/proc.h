/* proc.h - processes, their terminals and their sockets, as a launcher needs them.
 *
 * Every function returns 0 or a positive errno, and leaves *ret untouched on failure.  None needs a runtime or allocates; all
 * may be called from a program with one thread only, because proc_start forks and runs plain code in the child.
 * All descriptors made here close on exec; proc_start lets a child keep the ones it is given. */
#ifndef PLAT_PROC_H
#define PLAT_PROC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_var { const char *name, *value; };

/* What has the child's C library take its memory in large pieces and keep it, small blocks in a list for each size: a short life has fewer
 * page faults, and puts no free blocks together.  Without a name where the environment says already how memory is to be taken. */
struct proc_var proc_large_heap(void);

struct proc_start {
    char **argv;                                     /* argv[0] is looked up on PATH; ends with NULL */
    const struct proc_var *vars;                     /* set in the child's environment; ends with a NULL name */
    int keep_fd;                                     /* stays open in the child under this number, or -1 */
    int out_fd, err_fd;                              /* become the child's standard output and error, or -1: as here */
    bool own_group;                                  /* a process group of its own, with /dev/null as standard input */
};

struct proc_end { pid_t pid; int code, signo; };     /* how a child ended: by exit(code) when signo is 0 */
struct proc_signal { int signo; pid_t from; };       /* from: the sender's pid; 0: the kernel, as for ^C on a terminal */

/* Returns once the child runs argv[0]; it dies by SIGKILL when this process does.  An errno of exec is returned like any other. */
int proc_start(const struct proc_start *p, pid_t *ret);
/* A copy of this process that goes on from here: *ret is 0 in it.  It gets `on_death` when this process dies. */
int proc_fork(int on_death, pid_t *ret);
int proc_reap(struct proc_end *ret);                 /* EAGAIN: no child has ended; ECHILD: there are none */
int proc_wait(pid_t pid, struct proc_end *ret);      /* waits for this child */
/* From now on the orphans among this process's descendants become its children. */
int proc_adopt_orphans(void);
int proc_kill_children(int signo);                   /* signals every child; ECHILD: there are none */
void proc_kill(pid_t pid, int signo);                /* negative: a process group; one that is gone is no error */

/* Signals as things to read: the listed ones are blocked from now on; the descriptor becomes readable when one has come. */
int proc_signals(const int *signo, size_t count, int *ret);
int proc_next_signal(int fd, struct proc_signal *ret);   /* EAGAIN: none waits */
bool proc_ignores(int signo);
void proc_ignore(int signo);

int proc_pipe(int *ret_read, int *ret_write);
int proc_packets(int *ret_a, int *ret_b);            /* two ends of one socket that keeps packets apart */
int proc_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds);  /* a packet, with descriptors; EPIPE */
/* A terminal of our own, for a program's output: what is written to *ret_slave is read from *ret_master unchanged. */
int proc_pty(int *ret_master, int *ret_slave);
int proc_pty_size(int pty, int like, unsigned less_columns);  /* the size of the terminal `like`, so many columns narrower */
bool proc_is_tty(int fd);
int proc_read(int fd, void *buf, size_t cap, size_t *ret);   /* EAGAIN; 0 bytes: the end, also of a terminal nobody holds */
int proc_write(int fd, const void *buf, size_t len, size_t *ret);
void proc_close(int *fd);                            /* and sets *fd to -1; -1 is accepted */
struct pollfd;
int proc_poll(struct pollfd *at, size_t count, int64_t timeout_ms);   /* below 0: no limit; a signal ends it early */

int proc_temp_dir(const char *base, char *ret, size_t cap);  /* a new directory base/leat-XXXXXX for this user alone */
void proc_remove_dir(const char *path, unsigned files);      /* with the files 0 to files - 1 in it; nobody minds if gone */
int proc_listen_unix(const char *path, int *ret);
int proc_listen_loopback(int *ret, uint16_t *ret_port);      /* 127.0.0.1, a free port */
int proc_random(void *ret, size_t len);
int64_t proc_clock_ms(void);                         /* monotonic */
int64_t proc_cpu_ms(void);                           /* user and system time, ours and of the children that were waited for */
bool proc_is_bad_program(int error);                 /* of proc_start: it is the program named that cannot be run */
const char *proc_error(int error);                   /* "no such file or directory": in words, in lower case; static */
const char *proc_signal_name(int signo);             /* "KILL"; "?" */
#endif
