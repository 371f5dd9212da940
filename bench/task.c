/* task.c - starting tasks, giving way, and a mutex that eight of them share. */
#include "bench.h"

static leat_err nothing(leat_none *none)
{
    (void)none;
    return LEAT_OK;
}

static leat_err spawn(int64_t n)
{
    enum { BATCH = 1000 };
    int64_t done = 0;
    leat_err err;
    leat_time start = leat_now();
    for (; done < n; done += BATCH) {
        leat_with_group(g, err)
            for (int i = 0; i < BATCH; i++)
                LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
        LEAT_TRY(err);
    }
    bench_per("spawn", start, done);
    return LEAT_OK;
}

static leat_err spawn_wait(int64_t n)
{
    leat_group g = { 0 };
    leat_time start = leat_now();
    for (int64_t i = 0; i < n; i++) {
        LEAT_TRY(leat_go(&g, nothing, LEAT_NONE));
        LEAT_TRY(leat_group_wait(&g));
    }
    bench_per("spawn-wait", start, n);
    return LEAT_OK;
}

struct yielder { int64_t n; };

static leat_err yielder(struct yielder *y)
{
    for (int64_t i = 0; i < y->n; i++)
        leat_yield();
    return LEAT_OK;
}

static leat_err yield(int64_t n)
{
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, yielder, (struct yielder){ n / 2 }));
        LEAT_TRY(leat_go(&g, yielder, (struct yielder){ n / 2 }));
    }
    bench_per("yield", start, n / 2 * 2);
    return err;
}

struct counter { leat_mutex *lock; int64_t *count, n; };

static leat_err counter(struct counter *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        LEAT_TRY(leat_lock(c->lock));
        ++*c->count;
        leat_unlock(c->lock);
    }
    return LEAT_OK;
}

static leat_err mutex(int64_t n)
{
    enum { TASKS = 8 };
    leat_mutex lock = { { NULL } };
    int64_t count = 0, each = n / TASKS + 1;
    leat_err err;
    leat_time start = leat_now();
    leat_with_group(g, err)
        for (int i = 0; i < TASKS; i++)
            LEAT_TRY(leat_go(&g, counter, (struct counter){ &lock, &count, each }));
    LEAT_TRY(err);
    bench_per("mutex", start, each * TASKS);
    return bench_equal("the count", count, each * TASKS);
}

const struct bench bench_task[] = {
    { "spawn", 2000000, spawn },
    { "spawn-wait", 1000000, spawn_wait },
    { "yield", 10000000, yield },
    { "mutex", 4000000, mutex },
    { 0 }
};
