/* fail_more_test.c - every request to the system refused in turn: timers and calls that come later, locks, JSON, files, other programs. */
#include "fail.h"
#include <fcntl.h>
#include "leat/record.h"

LEAT_STRUCT(num, (int64, n));
LEAT_STRUCT(failure, (error, why));
LEAT_STRUCT(page, (string, title), (strings, words), (list(num), nums), (optional(num), maybe), (map(num), notes));

/* -- timers ------------------------------------------------------------------------------------------------------------------- */
static leat_err counts(_Atomic int **n) { atomic_fetch_add(*n, 1); return LEAT_OK; }
static leat_err later_(leat_none *none)
{
    (void)none;
    leat_timer *one = NULL, *tick = NULL, *call = NULL;
    leat_after *after = NULL, *never = NULL;
    leat_time at;
    bool was, before = false;
    _Atomic int n = 0, ended = 0;
    leat_err err, e = leat_timer_open(LEAT_US(20), &one);
    e = e == LEAT_OK ? leat_ticker_open(LEAT_US(20), &tick) : e;
    e = e == LEAT_OK ? leat_recv(leat_timer_rx(one), &at) : e;
    e = e == LEAT_OK ? leat_recv(leat_timer_rx(tick), &at) : e;
    e = e == LEAT_OK ? leat_timer_reset(one, LEAT_US(20), &was) : e;
    e = e == LEAT_OK ? leat_recv(leat_timer_rx(one), &at) : e;
    if (e == LEAT_OK)
        leat_with_group(g, err) {
            e = leat_timer_func(&call, &g, LEAT_US(20), counts, &n);
            if (e == LEAT_OK)
                e = leat_sleep(LEAT_US(100));
            if (e == LEAT_OK)
                e = leat_timer_reset(call, LEAT_US(1), &before);
        }
    if (e == LEAT_OK)
        leat_with_cancel(ctx) {
            e = leat_ctx_err();                      /* CANCELED: there was no memory for the context */
            if (e == LEAT_OK)
                e = leat_after_func(&after, ctx, counts, &ended);
            if (e == LEAT_OK)
                e = leat_after_func(&never, ctx, counts, &ended);
            if (never)
                CHECK(leat_after_stop(never));
            leat_cancel(ctx, LEAT_CANCELED);
        }
    while (e == LEAT_OK && !atomic_load(&ended))
        e = leat_sleep(LEAT_US(20));
    if (e == LEAT_OK) {
        CHECK_EQ(atomic_load(&n), 2 - before);
        CHECK_EQ(atomic_load(&ended), 1);
    }
    if (tick)
        (void)leat_timer_stop(tick);
    leat_after_close(after);
    leat_after_close(never);
    leat_timer_close(one);
    leat_timer_close(tick);
    leat_timer_close(call);
    return e;
}
SWEEP(later)

/* -- locks -------------------------------------------------------------------------------------------------------------------- */
struct shared { leat_mutex m; leat_cond c; leat_rwlock rw; leat_waitgroup wg; leat_sem sem; int n; };
static leat_err uses(struct shared **p)
{
    struct shared *s = *p;
    leat_err err, e = LEAT_OK;
    leat_with_wlock(&s->rw, err)
        leat_yield();
    if (err == LEAT_OK)
        leat_with_rlock(&s->rw, err)
            leat_yield();
    if (err == LEAT_OK && (err = leat_acquire(&s->sem, 2)) == LEAT_OK) {
        leat_yield();
        leat_release(&s->sem, 2);
    }
    leat_waitgroup_done(&s->wg);                     /* who waits must not wait for ever */
    if (err == LEAT_OK)
        leat_with_lock(&s->m, err) {
            s->n++;
            leat_cond_broadcast(&s->c);
            while (s->n < 4 && e == LEAT_OK)
                e = leat_cond_wait(&s->c, &s->m);
        }
    return err != LEAT_OK ? err : e;
}
static leat_err locking_(leat_none *none)
{
    (void)none;
    struct shared s = { .sem = { .size = 3 } };
    leat_err err;
    leat_with_group(g, err) {
        for (int i = 0; i < 4; i++) {
            leat_waitgroup_add(&s.wg, 1);
            err = leat_go(&g, uses, &s);
            if (err != LEAT_OK) {
                leat_waitgroup_done(&s.wg);
                return err;
            }
        }
        LEAT_TRY(leat_waitgroup_wait(&s.wg));
    }
    CHECK(err != LEAT_OK || (s.n == 4 && leat_try_wlock(&s.rw) == LEAT_OK && leat_try_acquire(&s.sem, 3) == LEAT_OK));
    return err;
}
SWEEP(locking)

/* -- JSON ----------------------------------------------------------------------------------------------------------------------- */
static leat_err json_(leat_none *none)
{
    (void)none;
    static const char text[] = "{\"title\": \"a \\u00fc\", \"words\": [\"x\", \"yy\", \"zzz\"], \"nums\": [{\"n\": 1}, {\"n\": 2}], "
        "\"maybe\": {\"n\": 3}, \"notes\": {\"k\": {\"n\": 4}, \"l\": {\"n\": 5}}}";
    struct page p, q;
    leat_string out = { 0 };
    LEAT_TRY(leat_json_read(page, text, sizeof text - 1, &p));
    leat_err e = leat_dup(page, &p, &q);
    if (e == LEAT_OK) {
        e = leat_json_write(page, &q, &out);
        CHECK(q.nums.len == 2 && q.nums.at[1].n == 2);
        leat_drop(page, &q);
    }
    leat_drop(page, &p);
    CHECK(e != LEAT_OK || out.len > 60);
    free((void *)(uintptr_t)out.p);
    return e;
}
SWEEP(json)

/* -- values in files ---------------------------------------------------------------------------------------------------------- */
struct tape { char b[2048]; size_t len, at; };
static leat_err tape_write(void *self, const void *p, size_t n)
{
    struct tape *t = self;
    CHECK(n <= sizeof t->b - t->len);
    memcpy(t->b + t->len, p, n);
    t->len += n;
    return LEAT_OK;
}
static leat_err tape_read(void *self, void *p, size_t cap, size_t *n)
{
    struct tape *t = self;
    *n = cap < t->len - t->at ? cap : t->len - t->at;
    memcpy(p, t->b + t->at, *n);
    t->at += *n;
    return LEAT_OK;
}

/* What a refused request keeps from being recorded is not in the stream; what it keeps from being played leaves nothing behind. */
static leat_err tapes_(leat_none *none)
{
    (void)none;
    struct tape t = { .len = 0 };
    leat_recorder *r = NULL;
    leat_player *play = NULL;
    struct num nums[2] = { { 1 }, { 2 } };
    const struct page whole = { .title = LEAT_STRING("a title"), .nums = { nums, 2, 0 } };
    struct page got = { .title = LEAT_STRING("none") };
    struct num n = { 5 };
    int recorded = 0, played = 0;
    leat_err e = leat_recorder_open(tape_write, &t, &r);
    for (int i = 0; i < 3 && e == LEAT_OK; i++) {
        e = i == 1 ? leat_record(r, num, &n) : leat_record(r, page, &whole);
        recorded += e == LEAT_OK;
    }
    leat_recorder_close(r);
    leat_err p = leat_player_open(tape_read, &t, 0, &play);
    while (p == LEAT_OK && played < recorded) {
        p = played == 1 ? leat_play(play, num, &n) : leat_play(play, page, &got);
        if (p == LEAT_OK && played != 1) {
            CHECK(got.nums.len == 2 && got.nums.at[1].n == 2 && got.title.len == 7 && memcmp(got.title.p, "a title", 7) == 0);
            leat_drop(page, &got);
        } else if (p != LEAT_OK) {
            CHECK(played == 1 ? n.n == 0 : !got.title.p && !got.nums.at);
        }
        played += p == LEAT_OK;
    }
    CHECK(p != LEAT_OK || recorded == 0 || leat_play(play, num, &n) != LEAT_OK);
    leat_player_close(play);
    return e != LEAT_OK ? e : p;
}
SWEEP(tapes)

/* -- errors as values -------------------------------------------------------------------------------------------------------- */
static leat_err errors_(leat_none *none)
{
    leat_error e, copy = { 0 };
    (void)none;
    leat_err made = leat_error_of(leat_fail(LEAT_GONE, "a failure"), &e);
    if (made != LEAT_OK)
        return made;
    made = leat_error_wrap(&e, LEAT_REMOTE, "its outcome");
    CHECK(made == LEAT_OK ? e.cause && e.cause->code == LEAT_GONE : !e.cause && e.code == LEAT_GONE);
    struct failure f = { e }, g = { copy };
    if (made == LEAT_OK)
        made = leat_dup(failure, &f, &g);
    leat_drop(failure, &g);
    leat_drop(failure, &f);
    return made;
}
SWEEP(errors)

/* -- files and other programs ------------------------------------------------------------------------------------------------- */
static leat_err files_(leat_none *none)
{
    (void)none;
    char path[64], buf[8], *all = NULL;
    size_t n = 0;
    int64_t size = 0;
    leat_file *f = NULL;
    snprintf(path, sizeof path, "/tmp/leat_fail_more.%d", (int)getpid());
    leat_err e = leat_file_replace(path, "one ", 4, 0600);
    e = e == LEAT_OK ? leat_file_open(path, O_RDWR | O_APPEND, 0, &f) : e;
    e = e == LEAT_OK ? leat_file_append(f, "two", 3) : e;
    e = e == LEAT_OK ? leat_file_sync(f) : e;
    e = e == LEAT_OK ? leat_file_size(f, &size) : e;
    e = e == LEAT_OK ? leat_file_read_at(f, 4, buf, sizeof buf, &n) : e;
    CHECK(e != LEAT_OK || (size == 7 && n == 3 && memcmp(buf, "two", 3) == 0));
    leat_err closed = f ? leat_file_close(f) : LEAT_OK;
    e = e == LEAT_OK ? closed : e;
    e = e == LEAT_OK ? leat_file_read_all(path, 0, &all, &n) : e;
    CHECK(e != LEAT_OK || (n == 7 && strcmp(all, "one two") == 0));
    free(all);
    (void)unlink(path);
    return e;
}
SWEEP(files)

static leat_err children_(leat_none *none)
{
    (void)none;
    leat_child *c = NULL;
    leat_conn *out = NULL;
    leat_exit how_it_ended = { 0, 0 };
    char text[16];
    size_t n = 0;
    LEAT_TRY(leat_spawn(&(leat_spawn_opts){ .argv = (const char *[]){ "/bin/echo", "hello", NULL }, .out = &out }, &c));
    leat_err e = leat_read_full(out, text, 6, &n);
    CHECK(e != LEAT_OK || memcmp(text, "hello\n", 6) == 0);
    e = e == LEAT_OK ? leat_child_wait(c, &how_it_ended) : e;
    CHECK(e != LEAT_OK || (how_it_ended.code == 0 && how_it_ended.signo == 0));
    leat_conn_close(out);
    leat_child_close(c);
    return e;
}
SWEEP(children)

T_MAIN()
