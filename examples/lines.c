/* lines.c - reads on the threads that may block, cuts what has come, sends it on: see lines.h. */
#include "lines.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH_MAX = 1 << 30 };                       /* of a batch: reached only by a word of that length */

struct pending { char *p; size_t len, cap; };        /* what is read and not yet sent */
struct open_call { const char *path; int *fd, *error; };
struct read_call { int fd; char *to; size_t cap, *got; int *error; };

static leat_err open_file(struct open_call *c)       /* runs on a thread that may block: a pipe waits for its writer */
{
    *c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
    *c->error = *c->fd < 0 ? errno : 0;
    return LEAT_OK;
}

static leat_err read_file(struct read_call *c)
{
    ssize_t n = read(c->fd, c->to, c->cap);
    *c->error = n < 0 ? errno : 0;
    *c->got = n < 0 ? 0 : (size_t)n;
    return LEAT_OK;
}

static leat_err cannot_read(const char *path, int error)
{
    char why[100];
    snprintf(why, sizeof why, "%s", strerror(error));
    why[0] = (char)tolower((unsigned char)why[0]);
    return leat_fail(LEAT_SYS, "cannot read '%s': %s; name files that can be read", path, why);
}

/* How much of the pending bytes may be sent: up to a newline, else up to a byte that is no letter, else nothing. */
static size_t cut(const struct pending *b)
{
    const char *newline = memrchr(b->p, '\n', b->len);
    if (newline)
        return (size_t)(newline - b->p) + 1;
    size_t n = b->len;
    while (n > 0 && ((b->p[n - 1] | 32) >= 'a' && (b->p[n - 1] | 32) <= 'z'))
        n--;
    return n;
}

static uint32_t count_lines(const char *p, size_t len, bool last)
{
    uint32_t n = last && len > 0 && p[len - 1] != '\n';
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

/* Sends the first n pending bytes. */
static leat_err send_some(struct pending *b, size_t n, bool last, const struct lines_reader *r)
{
    char *rest = malloc(b->cap);
    if (!rest)
        return leat_fail(LEAT_NOMEM, "no memory for a batch of lines");
    memcpy(rest, b->p + n, b->len - n);
    struct lines l = { { b->p, (uint32_t)n, true }, count_lines(b->p, n, last) };
    b->p = rest;
    b->len -= n;
    leat_err err = leat_send(n > LINES_HUGE ? r->huge : r->out, l);
    if (err != LEAT_OK && err != LEAT_UNKNOWN)
        leat_drop(lines, &l);                        /* certainly not sent, so it is still ours */
    return err;
}

static leat_err make_room(struct pending *b, const char *path)
{
    if (b->cap - b->len >= LINES_BATCH)
        return LEAT_OK;
    size_t cap = b->cap * 2 + LINES_BATCH;
    char *p = cap > LENGTH_MAX ? NULL : realloc(b->p, cap);
    if (!p)
        return leat_fail(LEAT_LIMIT, "'%s' holds a word of more than %zu bytes: there is no memory for it", path, b->len);
    b->p = p;
    b->cap = cap;
    return LEAT_OK;
}

static leat_err read_on(int fd, const char *path, struct pending *b, const struct lines_reader *r)
{
    for (;;) {
        size_t got = 0, n;
        int error = 0;
        LEAT_TRY(make_room(b, path));
        LEAT_TRY(leat_blocking(read_file, (struct read_call){ fd, b->p + b->len, LINES_BATCH, &got, &error }));
        if (error)
            return cannot_read(path, error);
        if (got == 0)
            return LEAT_OK;
        b->len += got;
        if ((b->len >= LINES_BATCH || got < LINES_BATCH) && (n = cut(b)) > 0)
            LEAT_TRY(send_some(b, n, false, r));
    }
}

static leat_err read_all(struct lines_reader *r, struct pending *b)
{
    for (char **f = r->files; *f; f++) {
        int fd = -1, error = 0;
        LEAT_TRY(leat_blocking(open_file, (struct open_call){ *f, &fd, &error }));
        if (error)
            return cannot_read(*f, error);
        leat_err err = read_on(fd, *f, b, r);
        close(fd);
        LEAT_TRY(err);
    }
    return b->len > 0 ? send_some(b, b->len, true, r) : LEAT_OK;
}

leat_err lines_read(struct lines_reader *r)
{
    struct pending b = { 0 };
    leat_err err = read_all(r, &b);
    free(b.p);
    leat_close(r->out);
    return err;
}
