/* io_test.c - what waits for the world: descriptors, streams, connections, system calls, signals. */
#include "turns.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

struct io {
    int fd[2];                                       /* a pipe */
    int queue, filler;                               /* a listener that is full, and who fills it */
    leat_listener *listener;
    leat_conn *near_, *far_;
    leat_rx(int) signals;
    int signo;
    char got;
    unsigned char *sent, *seen;
    size_t gone, come;
    struct sockaddr_un at;
    char url[128];
};
static struct io *io_of(struct turns *t) { return t->state; }
static void io_open(struct turns *t)
{
    struct io *s = calloc(1, sizeof *s);
    CHECK((t->state = s));
    s->at.sun_family = AF_UNIX;
    snprintf(s->at.sun_path, sizeof s->at.sun_path, "/tmp/leat-cancel-%d-%d", (int)getpid(), t->lane);
    snprintf(s->url, sizeof s->url, "unix:%s", s->at.sun_path);
}
static void io_close(struct turns *t) { free(t->state); }

/* -- descriptors and system calls: a pipe in which one byte lies or not ------------------------------------------------------------ */
static void pipe_open(struct turns *t)
{
    io_open(t);
    CHECK_EQ(pipe2(io_of(t)->fd, O_NONBLOCK | O_CLOEXEC), 0);
}
static void pipe_close(struct turns *t)
{
    close(io_of(t)->fd[0]);
    close(io_of(t)->fd[1]);
    io_close(t);
}
static bool byte_complete(struct turns *t)
{
    char c = (char)t->of[COMPLETER].i;
    CHECK_EQ(write(io_of(t)->fd[1], &c, 1), 1);
    return true;
}
static void byte_there(struct turns *t, bool is)
{
    int fd = io_of(t)->fd[0];
    char c = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    CHECK_EQ(read(fd, &c, 1), is ? 1 : -1);
    CHECK(!is || c == (char)t->i);
    CHECK_EQ(read(fd, &c, 1), -1);
}
static leat_err fd_act(struct turns *t)
{
    leat_err e = leat_fd_wait(io_of(t)->fd[0], LEAT_READ);
    if (e == LEAT_OK) {
        char c;
        CHECK_EQ(read(io_of(t)->fd[0], &c, 1), 1);   /* ready means ready */
        CHECK_EQ(write(io_of(t)->fd[1], &c, 1), 1);
    }
    return e;
}
static leat_err fd_select(struct turns *t)
{
    leat_err err;
    leat_select(err) {
        leat_on_fd(io_of(t)->fd[0], LEAT_READ) { }
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

static leat_err read_byte(struct turns **t)
{
    char c = 0;
    ssize_t n = read(io_of(*t)->fd[0], &c, 1);
    if (n == 1)
        CHECK(c == (char)(*t)->i);
    return n == 1 ? LEAT_OK : leat_fail(LEAT_INVAL, "interrupted");
}
static void blocking_prepare(struct turns *t) { fcntl(io_of(t)->fd[0], F_SETFL, 0); }
static leat_err blocking_act(struct turns *t) { return leat_blocking(read_byte, t); }
static void blocking_look(struct turns *t, leat_err outcome) { byte_there(t, outcome != LEAT_OK); }
static const struct op blocking = { "blocking system call", .open = pipe_open, .prepare = blocking_prepare, .act = blocking_act,
    .complete = byte_complete, .look = blocking_look, .close = pipe_close, .tasks_only = true, .lanes = 32, .slow = 4 };
RACES(blocking)

/* -- streams --------------------------------------------------------------------------------------------------------------------------- */
static void listen_open(struct turns *t)
{
    io_open(t);
    MUST(leat_listen(io_of(t)->url, &io_of(t)->listener));
}
static void listen_close(struct turns *t)
{
    leat_listener_close(io_of(t)->listener);
    io_close(t);
}
static void stream_open(struct turns *t)
{
    struct io *s;
    listen_open(t);
    s = io_of(t);
    MUST(leat_dial(s->url, &s->near_));
    MUST(leat_accept(s->listener, &s->far_));
    leat_listener_close(s->listener);
}
static void streams_close(struct turns *t)
{
    leat_conn_close(io_of(t)->near_);
    leat_conn_close(io_of(t)->far_);
}
static void stream_close(struct turns *t)
{
    streams_close(t);
    io_close(t);
}
static leat_err read_act(struct turns *t)
{
    size_t n;
    return leat_read(io_of(t)->near_, &io_of(t)->got, 1, &n);
}
static bool read_complete(struct turns *t)
{
    char c = (char)t->of[COMPLETER].i;
    MUST(leat_write(io_of(t)->far_, &c, 1));
    return true;
}
static void read_look(struct turns *t, leat_err outcome)
{
    size_t n;
    if (outcome != LEAT_OK)
        MUST(leat_read(io_of(t)->near_, &io_of(t)->got, 1, &n));
    CHECK(io_of(t)->got == (char)t->i);
}
static const struct op stream_read = { "read", .open = stream_open, .act = read_act, .complete = read_complete, .look = read_look,
    .close = stream_close };
RACES_IO(stream_read)

/* More than the system holds, each byte of another value than its neighbours; who reads them all sees each once, in order. */
enum { MUCH = 24 << 10, HELD = 4 << 10 };
static void write_open(struct turns *t)
{
    stream_open(t);
    struct io *s = io_of(t);
    CHECK_EQ(setsockopt(leat_conn_fd(s->near_), SOL_SOCKET, SO_SNDBUF, &(int){ HELD }, sizeof(int)), 0);
    CHECK((s->sent = malloc(MUCH)) && (s->seen = malloc(MUCH)));
    for (int i = 0; i < MUCH; i++)
        s->sent[i] = (unsigned char)(i % 251);
}
static void write_close(struct turns *t)
{
    free(io_of(t)->sent);
    free(io_of(t)->seen);
    stream_close(t);
}
static void write_prepare(struct turns *t)
{
    io_of(t)->come = 0;
    memset(io_of(t)->seen, 0, MUCH);
}
static leat_err write_act(struct turns *t)
{
    struct io *s = io_of(t);
    leat_err e = leat_write(s->near_, s->sent, MUCH);
    s->gone = MUCH;
    if (e != LEAT_OK) {
        const char *d = strrchr(leat_err_detail(), ';');
        CHECK(d && sscanf(d, "; %zu of", &s->gone) == 1 && s->gone < MUCH);
    }
    return e;
}
static bool write_complete(struct turns *t)
{
    struct io *s = io_of(t);
    for (ssize_t n; s->come < MUCH; s->come += (size_t)n)
        if ((n = recv(leat_conn_fd(s->far_), s->seen + s->come, MUCH - s->come, MSG_DONTWAIT)) <= 0) {
            CHECK(n < 0 && (errno == EAGAIN || errno == EINTR));
            return false;
        }
    return true;
}
static void write_look(struct turns *t, leat_err outcome)
{
    struct io *s = io_of(t);
    (void)outcome;
    if (s->gone < MUCH)
        MUST(leat_write(s->near_, s->sent + s->gone, MUCH - s->gone));       /* it said how much has gone: the rest makes it whole */
    turns_completed(t);
    CHECK_MEM(s->sent, s->seen, MUCH);
}
static const struct op stream_write = { "write", .open = write_open, .prepare = write_prepare, .act = write_act,
    .complete = write_complete, .look = write_look, .close = write_close, .late = true, .slow = 4 };
RACES_IO(stream_write)

static leat_err accept_act(struct turns *t)
{
    io_of(t)->near_ = NULL;
    return leat_accept(io_of(t)->listener, &io_of(t)->near_);
}
static bool accept_complete(struct turns *t)
{
    MUST(leat_dial(io_of(t)->url, &io_of(t)->far_));
    return true;
}
static void accept_look(struct turns *t, leat_err outcome)
{
    struct io *s = io_of(t);
    char c = (char)t->i;
    size_t n;
    CHECK_EQ(s->near_ != NULL, outcome == LEAT_OK);
    if (outcome != LEAT_OK)
        MUST(leat_accept(s->listener, &s->near_));
    MUST(leat_write(s->far_, &c, 1));
    MUST(leat_read(s->near_, &s->got, 1, &n));
    CHECK(s->got == c);
    streams_close(t);
}
static const struct op accepting = { "accept", .open = listen_open, .act = accept_act, .complete = accept_complete,
    .look = accept_look, .close = listen_close, .slow = 2 };
RACES_IO(accepting)

/* A listener whose queue of one is full, so that a dial waits. */
static void dial_open(struct turns *t)
{
    io_open(t);
    struct io *s = io_of(t);
    s->queue = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(s->queue >= 0 && bind(s->queue, (struct sockaddr *)&s->at, sizeof s->at) == 0 && listen(s->queue, 0) == 0);
}
static void dial_close(struct turns *t)
{
    close(io_of(t)->queue);
    unlink(io_of(t)->at.sun_path);
    io_close(t);
}
static void dial_prepare(struct turns *t)
{
    struct io *s = io_of(t);
    s->filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->filler >= 0 && connect(s->filler, (struct sockaddr *)&s->at, sizeof s->at) == 0);
}
static leat_err dial_act(struct turns *t)
{
    io_of(t)->near_ = NULL;
    return leat_dial(io_of(t)->url, &io_of(t)->near_);
}
static bool dial_complete(struct turns *t)
{
    int taken = accept(io_of(t)->queue, NULL, NULL);
    CHECK(taken >= 0);
    close(taken);
    close(io_of(t)->filler);
    return true;
}
static void dial_look(struct turns *t, leat_err outcome)
{
    struct io *s = io_of(t);
    char c = (char)t->i, d = 0;
    int taken = accept(s->queue, NULL, NULL);
    CHECK_EQ(s->near_ != NULL, outcome == LEAT_OK);
    CHECK_EQ(taken >= 0, outcome == LEAT_OK);        /* nobody is in the queue whom nobody knows */
    if (outcome != LEAT_OK)
        return;
    MUST(leat_write(s->near_, &c, 1));
    CHECK(read(taken, &d, 1) == 1 && d == c);
    leat_conn_close(s->near_);
    close(taken);
}
static const struct op dialing = { "dial", .open = dial_open, .prepare = dial_prepare, .act = dial_act, .complete = dial_complete,
    .look = dial_look, .close = dial_close, .slow = 16 };
RACES_IO(dialing)

/* -- signals ----------------------------------------------------------------------------------------------------------------- */
static const int signal_of[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGURG, SIGWINCH, SIGIO };
enum { SIGNALS = sizeof signal_of / sizeof *signal_of };
static void signals_open(struct turns *t)
{
    io_open(t);
    CHECK((io_of(t)->signals = leat_signals(&signal_of[t->lane], 1)));
}
static void signals_close(struct turns *t)
{
    leat_unref(io_of(t)->signals);
    io_close(t);
}
static leat_err signals_act(struct turns *t)
{
    io_of(t)->signo = 0;
    return leat_recv(io_of(t)->signals, &io_of(t)->signo);
}
static bool signals_complete(struct turns *t) { CHECK_EQ(kill(getpid(), signal_of[t->lane]), 0); return true; }
static void signals_look(struct turns *t, leat_err outcome)
{
    int more;
    if (outcome != LEAT_OK)
        MUST(leat_recv(io_of(t)->signals, &io_of(t)->signo));
    CHECK_EQ(io_of(t)->signo, signal_of[t->lane]);
    CHECK_EQ(leat_try_recv(io_of(t)->signals, &more), LEAT_AGAIN);
}
static const struct op signal_recv = { "signals", .open = signals_open, .act = signals_act, .complete = signals_complete,
    .look = signals_look, .close = signals_close, .tasks_only = true, .lanes = SIGNALS, .slow = 2 };
RACES_IO(signal_recv)

T_MAIN()
