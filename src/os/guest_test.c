/* guest_test.c - files on the thread that drives a guest. */
#include "leat.h"
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include "t.h"

static char path[64];
static leat_file *file;
static atomic_bool opened, reading, has_read;        /* by the guest's task and its host in turn */

static leat_err reads(leat_none *none)
{
    char b;
    size_t n = 0;
    (void)none;
    LEAT_TRY(leat_file_open(path, O_RDWR, 0, &file));
    opened = reading = true;                         /* the call has begun when the step that says so has returned */
    leat_err e = leat_file_read_at(file, 0, &b, 1, &n);
    has_read = true;
    return e;
}

/* Steps until *seen and until the step after which it was seen has returned. */
static leat_err step_until(leat_guest *g, atomic_bool *seen)
{
    leat_err e = LEAT_OK;
    while (e == LEAT_OK && !*seen) {
        struct pollfd p = { leat_guest_fd(g), POLLIN, 0 };
        CHECK_EQ(poll(&p, 1, -1), 1);
        e = leat_guest_step(g, LEAT_MS(1));
    }
    return e;
}

static void close_on_the_host(const char *files)
{
    leat_guest *g;
    setenv("LEAT_FILES", files, 1);
    opened = reading = has_read = false;
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(leat_guest_start(&g, NULL, reads, LEAT_NONE), LEAT_OK);
    CHECK_EQ(step_until(g, &reading), LEAT_OK);
    CHECK(opened && !has_read);
    CHECK_EQ(leat_file_close(file), LEAT_INVAL);     /* the read could end in a step alone */
    CHECK_HAS(leat_err_detail(), "drives a guest");
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK_EQ(write(fd, "x", 1), 1);
    close(fd);
    leat_err e = step_until(g, &has_read);
    CHECK(e == LEAT_OK || e == LEAT_CLOSED);
    CHECK_EQ(leat_file_close(file), LEAT_OK);        /* as it was, and nobody is inside */
    CHECK_EQ(leat_guest_end(g), LEAT_OK);
    unlink(path);
}

TEST(a_file_that_is_in_use_is_not_closed_on_the_thread_of_a_guest)
{
    char dir[] = "/tmp/leat-guest-XXXXXX";
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/fifo", dir);
    close_on_the_host("pool");
    close_on_the_host("io_uring");
    CHECK_EQ(rmdir(dir), 0);
}

T_MAIN()
