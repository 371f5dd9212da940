/* io_test.c - what waits for the world: descriptors, streams, connections, system calls, signals. */
#include "turns.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* -- descriptors and system calls: a pipe in which one byte lies or not ------------------------------------------------------------ */
static int fd[2];
static void pipe_open(struct turns *t) { (void)t; CHECK_EQ(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0); }
static void pipe_close(struct turns *t) { (void)t; close(fd[0]); close(fd[1]); }
static void byte_complete(struct turns *t) { char c = (char)t->i; CHECK_EQ(write(fd[1], &c, 1), 1); }
static void byte_there(struct turns *t, bool is)
{
    char c = 0;
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    CHECK_EQ(read(fd[0], &c, 1), is ? 1 : -1);
    CHECK(!is || c == (char)t->i);
    CHECK_EQ(read(fd[0], &c, 1), -1);
}
static leat_err fd_act(struct turns *t)
{
    (void)t;
    leat_err e = leat_fd_wait(fd[0], LEAT_READ);
    if (e == LEAT_OK) {
        char c;
        CHECK_EQ(read(fd[0], &c, 1), 1);             /* ready means ready */
        CHECK_EQ(write(fd[1], &c, 1), 1);
    }
    return e;
}
static leat_err fd_select(struct turns *t)
{
    leat_err err;
    (void)t;
    leat_select(err) {
        leat_on_fd(fd[0], LEAT_READ) { }
    }
    return err;
}
static void fd_look(struct turns *t, leat_err outcome)
{
    (void)outcome;
    byte_there(t, true);
}
static const struct op fd_wait = { "fd wait", .open = pipe_open, .act = fd_act, .complete = byte_complete, .look = fd_look,
    .close = pipe_close };
static const struct op select_fd = { "select on a descriptor", .open = pipe_open, .act = fd_select, .complete = byte_complete,
    .look = fd_look, .close = pipe_close };
RACES_IO(fd_wait)
RACES_IO(select_fd)

static leat_err read_byte(int *t)
{
    char c = 0;
    ssize_t n = read(fd[0], &c, 1);
    if (n == 1)
        CHECK(c == (char)*t);
    return n == 1 ? LEAT_OK : leat_fail(LEAT_INVAL, "interrupted");
}
static void blocking_prepare(struct turns *t) { (void)t; fcntl(fd[0], F_SETFL, 0); }
static leat_err blocking_act(struct turns *t) { return leat_blocking(read_byte, t->i); }
static void blocking_look(struct turns *t, leat_err outcome) { byte_there(t, outcome != LEAT_OK); }
static const struct op blocking = { "blocking system call", .open = pipe_open, .prepare = blocking_prepare, .act = blocking_act,
    .complete = byte_complete, .look = blocking_look, .close = pipe_close, .slow = 4 };
RACES(blocking)

/* -- streams --------------------------------------------------------------------------------------------------------------------------- */
static leat_listener *listener;
static leat_conn *near_, *far_;
static char path[96], url[128];
static char got;

static void listen_open(struct turns *t)
{
    (void)t;
    snprintf(path, sizeof path, "/tmp/leat-cancel-%d", (int)getpid());
    snprintf(url, sizeof url, "unix:%s", path);
    MUST(leat_listen(url, &listener));
}
static void listen_close(struct turns *t) { (void)t; leat_listener_close(listener); }
static void stream_open(struct turns *t)
{
    listen_open(t);
    MUST(leat_dial(url, &near_));
    MUST(leat_accept(listener, &far_));
    listen_close(t);
}
static void stream_close(struct turns *t) { (void)t; leat_conn_close(near_); leat_conn_close(far_); }
static leat_err read_act(struct turns *t)
{
    size_t n;
    (void)t;
    return leat_read(near_, &got, 1, &n);
}
static void read_complete(struct turns *t) { char c = (char)t->i; MUST(leat_write(far_, &c, 1)); }
static void read_look(struct turns *t, leat_err outcome)
{
    size_t n;
    if (outcome != LEAT_OK)
        MUST(leat_read(near_, &got, 1, &n));
    CHECK(got == (char)t->i);
}
static const struct op stream_read = { "read", .open = stream_open, .act = read_act, .complete = read_complete, .look = read_look,
    .close = stream_close };
RACES_IO(stream_read)

/* More than the system holds, each byte of another value than its neighbours; who reads them all sees each once, in order. */
enum { MUCH = 1 << 20 };
static unsigned char *sent, *seen;
static size_t gone;
static void write_open(struct turns *t)
{
    stream_open(t);
    sent = malloc(MUCH);
    seen = malloc(MUCH);
    for (int i = 0; i < MUCH; i++)
        sent[i] = (unsigned char)(i % 251);
}
static void write_close(struct turns *t) { stream_close(t); free(sent); free(seen); }
static leat_err write_act(struct turns *t)
{
    (void)t;
    leat_err e = leat_write(near_, sent, MUCH);
    gone = MUCH;
    if (e != LEAT_OK) {
        const char *d = strrchr(leat_err_detail(), ';');
        CHECK(d && sscanf(d, "; %zu of", &gone) == 1 && gone < MUCH);
    }
    return e;
}
static void write_complete(struct turns *t)
{
    (void)t;
    for (size_t n, k = 0; k < MUCH; k += n)
        MUST(leat_read(far_, seen + k, MUCH - k, &n));
}
static void write_look(struct turns *t, leat_err outcome)
{
    (void)outcome;
    if (gone < MUCH)
        MUST(leat_write(near_, sent + gone, MUCH - gone));           /* it said how much has gone: the rest makes it whole */
    turns_completed(t);
    CHECK_MEM(sent, seen, MUCH);
}
static const struct op stream_write = { "write", .open = write_open, .act = write_act, .complete = write_complete, .look = write_look,
    .close = write_close, .late = true, .slow = 16 };
RACES_IO(stream_write)

static leat_err accept_act(struct turns *t) { (void)t; near_ = NULL; return leat_accept(listener, &near_); }
static void accept_complete(struct turns *t) { (void)t; MUST(leat_dial(url, &far_)); }
static void accept_look(struct turns *t, leat_err outcome)
{
    char c = (char)t->i;
    size_t n;
    CHECK_EQ(near_ != NULL, outcome == LEAT_OK);
    if (outcome != LEAT_OK)
        MUST(leat_accept(listener, &near_));
    MUST(leat_write(far_, &c, 1));
    MUST(leat_read(near_, &got, 1, &n));
    CHECK(got == c);
    stream_close(t);
}
static const struct op accepting = { "accept", .open = listen_open, .act = accept_act, .complete = accept_complete,
    .look = accept_look, .close = listen_close, .slow = 2 };
RACES_IO(accepting)

/* A listener whose queue of one is full, so that a dial waits. */
static int queue, filler;
static struct sockaddr_un at;
static void dial_open(struct turns *t)
{
    (void)t;
    at.sun_family = AF_UNIX;
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/leat-cancel-%d", (int)getpid());
    snprintf(url, sizeof url, "unix:%s", at.sun_path);
    queue = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(queue >= 0 && bind(queue, (struct sockaddr *)&at, sizeof at) == 0 && listen(queue, 0) == 0);
}
static void dial_close(struct turns *t) { (void)t; close(queue); unlink(at.sun_path); }
static void dial_prepare(struct turns *t)
{
    (void)t;
    filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(filler >= 0 && connect(filler, (struct sockaddr *)&at, sizeof at) == 0);
}
static leat_err dial_act(struct turns *t) { (void)t; near_ = NULL; return leat_dial(url, &near_); }
static void dial_complete(struct turns *t)
{
    (void)t;
    int taken = accept(queue, NULL, NULL);
    CHECK(taken >= 0);
    close(taken);
    close(filler);
}
static void dial_look(struct turns *t, leat_err outcome)
{
    char c = (char)t->i, d = 0;
    int taken = accept(queue, NULL, NULL);
    CHECK_EQ(near_ != NULL, outcome == LEAT_OK);
    CHECK_EQ(taken >= 0, outcome == LEAT_OK);        /* nobody is in the queue whom nobody knows */
    if (outcome != LEAT_OK)
        return;
    MUST(leat_write(near_, &c, 1));
    CHECK(read(taken, &d, 1) == 1 && d == c);
    leat_conn_close(near_);
    close(taken);
}
static const struct op dialing = { "dial", .open = dial_open, .prepare = dial_prepare, .act = dial_act, .complete = dial_complete,
    .look = dial_look, .close = dial_close, .slow = 16 };
RACES_IO(dialing)

/* -- signals ----------------------------------------------------------------------------------------------------------------- */
static leat_rx(int) signals;
static int signo;
static void signals_open(struct turns *t) { (void)t; signals = leat_signals(&(int){ SIGUSR1 }, 1); CHECK(signals != NULL); }
static void signals_close(struct turns *t) { (void)t; leat_unref(signals); }
static leat_err signals_act(struct turns *t) { (void)t; signo = 0; return leat_recv(signals, &signo); }
static void signals_complete(struct turns *t) { (void)t; CHECK_EQ(kill(getpid(), SIGUSR1), 0); }
static void signals_look(struct turns *t, leat_err outcome)
{
    int more;
    (void)t;
    if (outcome != LEAT_OK)
        MUST(leat_recv(signals, &signo));
    CHECK_EQ(signo, SIGUSR1);
    CHECK_EQ(leat_try_recv(signals, &more), LEAT_AGAIN);
}
static const struct op signal_recv = { "signals", .open = signals_open, .act = signals_act, .complete = signals_complete,
    .look = signals_look, .close = signals_close, .slow = 2 };
RACES_IO(signal_recv)

T_MAIN()
