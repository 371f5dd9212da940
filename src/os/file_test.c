/* file_test.c - files, through io_uring and on the pool's threads: one contract. */
#include "leat.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "t.h"

static char dir[64];

static int rounds(int n) { return getenv("T_QUICK") ? (n + 9) / 10 : n; }

static const char *const names[] = { "a", "f", "fifo", "large", "link", "log", "none", "none/f", "t" };
enum { NAMES = sizeof names / sizeof *names };
static char paths[NAMES][128];                       /* written by enter_dir alone: tasks read them all at once */

static void enter_dir(void)
{
    for (int i = 0; i < NAMES; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%s", dir, names[i]);
}

static const char *at(const char *name)
{
    for (int i = 0; i < NAMES; i++)
        if (strcmp(name, names[i]) == 0)
            return paths[i];
    t_fail(__FILE__, __LINE__, "no path was made for %s", name);
}

static int files_left(void)
{
    DIR *d = opendir(dir);
    int n = -2;                                      /* . and .. */
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void run(leat_err (*fn)(leat_none *))
{
    for (int i = 0; i < 6; i++) {
        char cmd[100];
        setenv("LEAT_FILES", i & 1 ? "pool" : "io_uring", 1);
        setenv("LEAT_POLL", i & 2 ? "epoll" : "io_uring", 1);
        snprintf(dir, sizeof dir, "/tmp/leat-file-XXXXXX");
        CHECK(mkdtemp(dir));
        enter_dir();
        int before = descriptors();
        leat_err e = leat_run(&(leat_opts){ .workers = i < 4 ? 1 : 2 }, fn, LEAT_NONE);
        if (e != LEAT_OK)
            t_fail(__FILE__, __LINE__, "way %d: %s: %s", i, leat_err_name(e), leat_err_detail());
        CHECK_EQ(descriptors(), before);
        snprintf(cmd, sizeof cmd, "rm -r %s", dir);
        CHECK_EQ(system(cmd), 0);
    }
}

#define BY_RING_AND_POOL(name) \
    static leat_err name##_in(leat_none *none); \
    TEST(name) { run(name##_in); } \
    static leat_err name##_in(leat_none *none __attribute__((unused)))

BY_RING_AND_POOL(what_was_written_at_an_offset_is_read_there)
{
    leat_file *f;
    char buf[16];
    size_t n;
    int64_t size;
    LEAT_TRY(leat_file_open(at("a"), O_RDWR | O_CREAT | O_EXCL, 0600, &f));
    LEAT_TRY(leat_file_write_at(f, 5, "world", 5));
    LEAT_TRY(leat_file_write_at(f, 0, "hello", 5));
    LEAT_TRY(leat_file_read_at(f, 0, buf, sizeof buf, &n));
    CHECK(n == 10 && memcmp(buf, "helloworld", 10) == 0);
    LEAT_TRY(leat_file_read_at(f, 7, buf, 2, &n));
    CHECK(n == 2 && memcmp(buf, "rl", 2) == 0);
    CHECK_EQ(leat_file_read_at(f, 10, buf, 1, &n), LEAT_CLOSED);
    LEAT_TRY(leat_file_size(f, &size));
    CHECK_EQ(size, 10);
    LEAT_TRY(leat_file_sync(f));
    CHECK(fcntl(leat_file_fd(f), F_GETFD) & FD_CLOEXEC);
    LEAT_TRY(leat_file_close(f));
    LEAT_TRY(leat_file_close(NULL));
    return LEAT_OK;
}

BY_RING_AND_POOL(errors_name_the_file_and_say_how_much_was_written)
{
    leat_file *f = NULL;
    char b;
    size_t n = 77;
    CHECK_EQ(leat_file_open(at("none"), O_RDONLY, 0, &f), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOENT);
    CHECK_HAS(leat_err_detail(), "/none");
    CHECK_EQ(leat_file_open(NULL, O_RDONLY, 0, &f), LEAT_INVAL);
    CHECK(!f);
    LEAT_TRY(leat_file_open("/dev/full", O_WRONLY, 0, &f));
    CHECK_EQ(leat_file_write_at(f, 0, "xyz", 3), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOSPC);
    CHECK_HAS(leat_err_detail(), "0 of 3 bytes");
    CHECK_EQ(leat_file_append(f, "x", 1), LEAT_INVAL);
    CHECK_EQ(leat_file_read_at(f, 0, &b, 1, &n), LEAT_SYS);   /* not open for reading */
    CHECK_EQ(leat_err_sys(), EBADF);
    CHECK_EQ(leat_file_read_at(f, -1, &b, 1, &n), LEAT_INVAL);
    CHECK_EQ(leat_file_write_at(f, -1, &b, 1), LEAT_INVAL);
    CHECK_EQ(n, 77);
    return leat_file_close(f);
}

struct appends { leat_file *f; int id, n; };
struct line { int id, i; char fill[56]; };

static leat_err appends(struct appends *a)
{
    for (int i = 0; i < a->n; i++) {
        struct line l = { a->id, i, { 0 } };
        LEAT_TRY(leat_file_append(a->f, &l, sizeof l));
    }
    return LEAT_OK;
}

BY_RING_AND_POOL(tasks_append_whole_pieces_in_their_order)
{
    leat_file *f;
    leat_err err;
    char *all;
    size_t len;
    int next[8] = { 0 }, n = rounds(200);
    LEAT_TRY(leat_file_open(at("log"), O_WRONLY | O_APPEND | O_CREAT, 0600, &f));
    leat_with_group(g, err)
        for (int i = 0; i < 8; i++)
            LEAT_TRY(leat_go(&g, appends, (struct appends){ f, i, n }));
    LEAT_TRY(err);
    LEAT_TRY(leat_file_close(f));
    LEAT_TRY(leat_file_read_all(at("log"), 0, &all, &len));
    CHECK_EQ(len, 8 * (size_t)n * sizeof(struct line));
    for (size_t i = 0; i < len / sizeof(struct line); i++) {
        struct line l;
        memcpy(&l, all + i * sizeof l, sizeof l);
        CHECK_EQ(l.i, next[l.id]++);
    }
    free(all);
    return LEAT_OK;
}

struct block { leat_file *f; int id, n; };
enum { BLOCK = 64 << 10 };
static leat_err blocks(struct block *b)
{
    char *p = malloc(BLOCK), *q = malloc(BLOCK);
    leat_err e = LEAT_OK;
    for (int i = 0; i < b->n && e == LEAT_OK; i++) {
        int64_t where = ((int64_t)i * 16 + b->id) * BLOCK;
        memset(p, b->id * 16 + i, BLOCK);
        e = leat_file_write_at(b->f, where, p, BLOCK);
        for (size_t n = 0, k; e == LEAT_OK && n < BLOCK; n += k)
            e = leat_file_read_at(b->f, where + (int64_t)n, q + n, BLOCK - n, &k);
        if (e == LEAT_OK)
            CHECK_MEM(p, q, BLOCK);
    }
    free(p);
    free(q);
    return e;
}

BY_RING_AND_POOL(many_tasks_write_and_read_one_large_file)
{
    leat_file *f;
    leat_err err;
    LEAT_TRY(leat_file_open(at("large"), O_RDWR | O_CREAT, 0600, &f));
    leat_with_group(g, err)
        for (int i = 0; i < 16; i++)
            LEAT_TRY(leat_go(&g, blocks, (struct block){ f, i, rounds(8) }));
    LEAT_TRY(err);
    return leat_file_close(f);
}

/* -- cancel, deadline, close ------------------------------------------------------------------------------------------------- */
static leat_err opens_fifo(leat_none *none)
{
    leat_file *f;
    (void)none;
    leat_err e = leat_file_open(at("fifo"), O_RDONLY, 0, &f);
    return e == LEAT_OK ? leat_file_close(f) : e;
}

struct reads { leat_file *f; };
static leat_err reads(struct reads *r)
{
    char b;
    size_t n;
    return leat_file_read_at(r->f, 0, &b, 1, &n);
}

BY_RING_AND_POOL(a_wait_for_a_fifo_ends_by_deadline_and_cancel)
{
    leat_err e = LEAT_OK, err;
    leat_file *f;
    CHECK_EQ(mkfifo(at("fifo"), 0600), 0);
    leat_with_deadline(LEAT_MS(5))
        e = opens_fifo(NULL);
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, opens_fifo, LEAT_NONE));
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    LEAT_TRY(leat_file_open(at("fifo"), O_RDWR, 0, &f));     /* with both ends open, reading waits */
    leat_with_deadline(LEAT_MS(5))
        e = reads(&(struct reads){ f });
    CHECK_EQ(e, LEAT_DEADLINE);
    leat_with_group(g, err) {
        for (int i = 0; i < 5; i++)
            LEAT_TRY(leat_go(&g, reads, (struct reads){ f }));
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    LEAT_TRY(leat_file_write_at(f, 0, "x", 1));
    LEAT_TRY(reads(&(struct reads){ f }));           /* and the byte is there for who comes later */
    return leat_file_close(f);
}

BY_RING_AND_POOL(calls_that_wait_do_not_hold_up_those_that_need_not)
{
    enum { WAITING = 20 };
    leat_err err;
    leat_file *f;
    CHECK_EQ(mkfifo(at("fifo"), 0600), 0);
    leat_with_group(g, err) {
        for (int i = 0; i < WAITING; i++)
            LEAT_TRY(leat_go(&g, opens_fifo, LEAT_NONE));
        LEAT_TRY(leat_sleep(LEAT_MS(5)));
        LEAT_TRY(leat_file_open(at("a"), O_RDWR | O_CREAT, 0600, &f));
        LEAT_TRY(leat_file_write_at(f, 0, "x", 1));
        LEAT_TRY(leat_file_sync(f));
        LEAT_TRY(reads(&(struct reads){ f }));
        LEAT_TRY(leat_file_close(f));
        leat_group_cancel(&g);
    }
    CHECK_EQ(err, LEAT_CANCELED);
    return LEAT_OK;
}

struct races { leat_file *f; _Atomic int got; };
struct race { struct races *r; };
static leat_err race(struct race *p)
{
    leat_err e = reads(&(struct reads){ p->r->f });
    if (e == LEAT_OK)
        p->r->got++;
    return e;
}

BY_RING_AND_POOL(a_byte_and_a_cancel_race_and_no_byte_is_lost)
{
    struct races r = { NULL, 0 };
    leat_err err;
    CHECK_EQ(mkfifo(at("fifo"), 0600), 0);
    LEAT_TRY(leat_file_open(at("fifo"), O_RDWR | O_NONBLOCK, 0, &r.f));
    int fd = leat_file_fd(r.f), n = rounds(100), left = 0;
    fcntl(fd, F_SETFL, 0);                           /* reading waits again */
    for (int i = 0; i < n; i++) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, race, (struct race){ &r }));
            leat_yield();
            CHECK_EQ(write(fd, "x", 1), 1);
            leat_group_cancel(&g);
        }
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (char b; read(fd, &b, 1) == 1; )
        left++;
    CHECK_EQ(r.got + left, n);
    return leat_file_close(r.f);
}

/* Until the dump says this of the task which was started with this function. */
static void until_it(const char *function, const char *what)
{
    static char text[1 << 16];
    char head[64];
    snprintf(head, sizeof head, "task %s ", function);
    for (const char *at = NULL, *end = NULL; !at || !memmem(at, (size_t)(end - at), what, strlen(what)); ) {
        int fd = memfd_create("dump", MFD_CLOEXEC);
        CHECK(leat_sleep(LEAT_US(100)) == LEAT_OK && fd >= 0);
        leat_dump(fd);
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        close(fd);
        CHECK(n > 0);
        text[n] = 0;
        if ((at = strstr(text, head)))
            end = strstr(at + 1, "\ntask ") ? strstr(at + 1, "\ntask ") : text + n;
    }
}

struct closes { leat_file *f; };
static leat_err closes(struct closes *c) { return leat_file_close(c->f); }

BY_RING_AND_POOL(a_close_waits_for_the_calls_under_way_even_when_cancelled)
{
    leat_file *f;
    leat_err err;
    CHECK_EQ(mkfifo(at("fifo"), 0600), 0);
    LEAT_TRY(leat_file_open(at("fifo"), O_RDWR, 0, &f));
    char what[128];
    int fd = leat_file_fd(f);
    int other = open(at("fifo"), O_WRONLY | O_CLOEXEC);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, reads, (struct reads){ f }));
        until_it("reads", "it waits for ");
        leat_with_group(h, err) {
            LEAT_TRY(leat_go(&h, closes, (struct closes){ f }));
            snprintf(what, sizeof what, "it waits, to close it, for the calls under way on descriptor %d", fd);
            until_it("closes", what);
            leat_group_cancel(&h);
            CHECK_EQ(write(other, "x", 1), 1);       /* ends the read; only then the close */
        }
        CHECK(err == LEAT_OK || err == LEAT_CANCELED);
    }
    close(other);
    CHECK_EQ(err, LEAT_OK);
    return LEAT_OK;
}

/* -- whole files --------------------------------------------------------------------------------------------------------------- */
BY_RING_AND_POOL(a_file_is_read_whole_or_not_at_all)
{
    char *p = NULL, *big = malloc(300000);
    size_t n = 0;
    memset(big, 'b', 300000);
    LEAT_TRY(leat_file_replace(at("f"), big, 300000, 0600));
    LEAT_TRY(leat_file_read_all(at("f"), 0, &p, &n));
    CHECK(n == 300000 && memcmp(p, big, n) == 0 && p[n] == 0);
    free(p);
    LEAT_TRY(leat_file_read_all(at("f"), 300000, &p, &n));
    free(p);
    p = NULL;
    CHECK_EQ(leat_file_read_all(at("f"), 299999, &p, &n), LEAT_LIMIT);
    CHECK(!p);
    LEAT_TRY(leat_file_replace(at("f"), "", 0, 0600));
    LEAT_TRY(leat_file_read_all(at("f"), 0, &p, &n));
    CHECK(n == 0 && p[0] == 0);
    free(p);
    LEAT_TRY(leat_file_read_all("/proc/self/status", 0, &p, &n));    /* which says that it has no byte */
    CHECK_HAS(p, "Name:");
    free(p);
    free(big);
    return LEAT_OK;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    CHECK_EQ(stat(path, &st), 0);
    return st.st_mode & 07777;
}

BY_RING_AND_POOL(a_replaced_file_keeps_its_mode_and_its_links)
{
    char *p;
    size_t n;
    umask(022);
    LEAT_TRY(leat_file_replace(at("f"), "one", 3, 0666));
    CHECK_EQ(mode_of(at("f")), 0644);
    CHECK_EQ(chmod(at("f"), 0604), 0);
    CHECK_EQ(symlink("f", at("link")), 0);
    LEAT_TRY(leat_file_replace(at("link"), "two", 3, 0600));
    CHECK_EQ(mode_of(at("f")), 0604);
    LEAT_TRY(leat_file_read_all(at("f"), 0, &p, &n));
    CHECK(n == 3 && memcmp(p, "two", 3) == 0);
    free(p);
    CHECK_EQ(leat_file_replace(dir, "x", 1, 0600), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), EISDIR);
    CHECK_EQ(leat_file_replace(at("none/f"), "x", 1, 0600), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), ENOENT);
    CHECK_EQ(files_left(), 2);
    return LEAT_OK;
}

BY_RING_AND_POOL(a_replacement_that_fails_or_is_cancelled_leaves_the_old_file)
{
    char *p, *big = calloc(1, 1 << 20);
    size_t n;
    leat_err e = LEAT_OK;
    struct rlimit old, small;
    LEAT_TRY(leat_file_replace(at("f"), "old", 3, 0600));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){ 4096, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);                 /* the disk is full, so to speak */
    CHECK_EQ(leat_file_replace(at("f"), big, 1 << 20, 0600), LEAT_SYS);
    CHECK_EQ(leat_err_sys(), EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    leat_with_cancel(ctx) {
        leat_cancel(ctx, LEAT_REFUSED);
        e = leat_file_replace(at("f"), big, 1 << 20, 0600);
    }
    CHECK_EQ(e, LEAT_CANCELED);
    LEAT_TRY(leat_file_read_all(at("f"), 0, &p, &n));
    CHECK(n == 3 && memcmp(p, "old", 3) == 0);
    CHECK_EQ(files_left(), 1);
    free(p);
    for (int i = 0; i < rounds(16); i++) {           /* at any moment: the old or the new, never less */
        leat_with_deadline(LEAT_US(i * 120))
            e = leat_file_replace(at("f"), big, 1 << 20, 0600);
        CHECK(e == LEAT_OK || e == LEAT_DEADLINE);
        LEAT_TRY(leat_file_read_all(at("f"), 0, &p, &n));
        CHECK(n == (e == LEAT_OK ? 1 << 20 : 3));
        CHECK_EQ(files_left(), 1);
        free(p);
        LEAT_TRY(leat_file_replace(at("f"), "old", 3, 0600));
    }
    free(big);
    return LEAT_OK;
}

static void *from_a_thread(void *arg)
{
    leat_file *f;
    char buf[8], *p;
    size_t n;
    leat_err e = LEAT_OK;
    CHECK_EQ(leat_file_open(at("t"), O_RDWR | O_CREAT, 0600, &f), LEAT_OK);
    CHECK_EQ(leat_file_write_at(f, 0, "abc", 3), LEAT_OK);
    CHECK_EQ(leat_file_read_at(f, 1, buf, 8, &n), LEAT_OK);
    CHECK(n == 2 && buf[0] == 'b');
    leat_with_deadline(LEAT_NS(0))
        e = leat_file_read_at(f, 1, buf, 8, &n);
    CHECK_EQ(e, LEAT_DEADLINE);
    CHECK_EQ(leat_file_close(f), LEAT_OK);
    CHECK_EQ(leat_file_replace(at("t"), "new", 3, 0600), LEAT_OK);
    CHECK_EQ(leat_file_read_all(at("t"), 0, &p, &n), LEAT_OK);
    CHECK_STR(p, "new");
    free(p);
    return arg;
}

TEST(a_thread_that_is_no_task_uses_files)
{
    pthread_t t;
    strcpy(dir, "/tmp/leat-file-XXXXXX");
    CHECK(mkdtemp(dir));
    enter_dir();
    CHECK_EQ(pthread_create(&t, NULL, from_a_thread, NULL), 0);
    pthread_join(t, NULL);
    unlink(at("t"));
    rmdir(dir);
}

T_MAIN()
