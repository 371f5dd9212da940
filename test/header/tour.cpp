// tour.cpp - the part of leat.h within a process from C++17: the same calls, the same channel types.
#include <cstdio>
#include <leat.h>

LEAT_STRUCT(event, (uint64, number), (string, text), (tx(event), reply));
struct producer { leat_tx(int) out; };

static leat_err produce(producer *p)
{
    for (int i = 0; i < 3; i++)
        LEAT_TRY(leat_send(p->out, i));
    LEAT_TRY(leat_flush(p->out));
    leat_close(p->out);
    return LEAT_OK;
}

static leat_err count(int *n)
{
    ++*n;
    return LEAT_OK;
}

// What waits for other tasks without a channel, and what begins later.
static leat_err others()
{
    leat_rwlock l = {};
    leat_cond c = {};
    leat_mutex m = {};
    leat_waitgroup w = {};
    leat_sem s = { 2, {} };
    leat_timer *t = nullptr;
    leat_after *a = nullptr;
    leat_time at;
    leat_err err = LEAT_OK;
    leat_with_rlock(&l, err)
        LEAT_TRY(leat_try_rlock(&l));
    LEAT_TRY(err);
    leat_runlock(&l);
    leat_with_wlock(&l, err) { }
    LEAT_TRY(leat_acquire(&s, 2));
    leat_release(&s, 2);
    leat_cond_signal(&c);
    leat_with_lock(&m, err)
        leat_waitgroup_add(&w, 0);
    LEAT_TRY(err);
    LEAT_TRY(leat_waitgroup_wait(&w));
    LEAT_TRY(leat_timer_open(LEAT_MS(1), &t));
    LEAT_TRY(leat_recv(leat_timer_rx(t), &at));
    leat_timer_close(t);
    leat_with_group(g, err) {
        LEAT_TRY(leat_timer_func(&t, &g, LEAT_MS(1), count, 1));
        leat_with_cancel(ctx)
            LEAT_TRY(leat_after_func(&a, ctx, count, 2));
    }
    leat_timer_close(t);
    leat_after_close(a);
    return err;
}

static leat_err app(leat_none *)
{
    LEAT_TRY(others());
    leat_auto leat_chan(int) c = leat_chan_make(int, 1);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, produce, producer{ leat_tx_of(c) }));
        int v = 0;
        for (bool open = true; open && !err; )
            leat_select(err) {
                leat_on_recv(c, &v) {
                    std::printf("%d\n", v);
                    leat_select(err) {
                        leat_otherwise { }
                    }
                }
                leat_on_closed(c) { open = false; }
                leat_on_after(LEAT_S(1)) { err = leat_fail(LEAT_DEADLINE, "silence"); }
            }
        leat_with_deadline(LEAT_MS(5))
            leat_with_cancel(ctx)
                leat_cancel(ctx, LEAT_INVAL);
        leat_each(x, leat_rx_of(c), err)
            std::printf("never %d\n", x);
    }
    leat_tx(event) none = nullptr;
    return none == nullptr ? err : LEAT_INVAL;
}

int main()
{
    return leat_run(nullptr, app, LEAT_NONE) != LEAT_OK;
}
