/* tour.c - every macro of leat.h once, nested where nesting is allowed: none of it warns, in any standard. */
#include <leat.h>

struct job { int number; };
leat_err channels(leat_chan(int) c, leat_tx(struct job) jobs);
leat_err scopes(leat_mutex *m, leat_group *g);
leat_err selects(leat_chan(int) c, leat_rx(int) *ends, size_t n);
leat_err errnos(int fd);
int main(void);

static leat_err work(struct job *j)
{
    return j->number ? leat_sleep(LEAT_MS(j->number)) : leat_fail(LEAT_INVAL, "job %d", j->number);
}

leat_err channels(leat_chan(int) c, leat_tx(struct job) jobs)
{
    leat_auto leat_chan(int[4]) arrays = leat_chan_make(int[4], 2);
    leat_tx(int) out = leat_ref(leat_tx_of(c));
    const int four[4] = { 1, 2, 3, 4 };
    leat_err err;
    int v;
    LEAT_TRY(leat_send(out, 1));
    LEAT_TRY(leat_send(jobs, { .number = 7 }));
    LEAT_TRY(leat_send_from(arrays, &four));
    LEAT_TRY(leat_recv(c, &v));
    leat_ignore(leat_try_send(out, v));
    if (leat_try_recv(leat_rx_of(c), &v) == LEAT_AGAIN && leat_len(c) < leat_cap(c))
        LEAT_TRY(leat_flush(out));
    leat_each(x, c, err)
        leat_each(y, c, err)
            v += x + y;
    leat_finish(out);
    leat_close(c);
    leat_unref(out);
    return err;
}

leat_err scopes(leat_mutex *m, leat_group *g)
{
    static const char key = 0;
    leat_err err;
    leat_with_group(inner, err) {
        LEAT_TRY(leat_go(&inner, work, (struct job){ 1 }));
        leat_with_deadline(LEAT_S(0.5))
            leat_with_cancel(ctx)
                leat_with_value(&key, g)
                    leat_cancel(ctx, LEAT_INVAL);
        leat_with_shield(LEAT_S(1))
            leat_with_race(fastest, err)
                LEAT_TRY(leat_go(&fastest, work, (struct job){ 1 }));
        leat_with_pinned
            LEAT_TRY(leat_blocking(work, (struct job){ 2 }));
    }
    leat_with_lock(m, err)
        leat_with_lock(m + 1, err)
            leat_yield();
    return err != LEAT_OK ? leat_wrap(err, "scopes") : leat_group_wait(g);
}

leat_err selects(leat_chan(int) c, leat_rx(int) *ends, size_t n)
{
    leat_err err, inner;
    size_t which = 0;
    int v = 0;
    leat_select(err) {
        leat_on_recv(c, &v) {
            leat_select(inner) {
                leat_on_recv(c, &v) { v++; }
                leat_otherwise { v--; }
            }
            LEAT_TRY(inner);
        }
        leat_on_recv_any(ends, n, &v, &which) { v += (int)which; }
        if (n > 1)
            leat_on_send(c, &v) { v = 0; }
        leat_on_closed(c) { return LEAT_CLOSED; }
        leat_on_fd(0, LEAT_READ) { v = 1; }
        leat_on_after(LEAT_US(10)) { err = leat_fail(LEAT_DEADLINE, "silence"); }
    }
    return err;
}

leat_err errnos(int fd)
{
    errno = 0;
    LEAT_TRY(leat_fd_wait(fd, LEAT_READ | LEAT_WRITE));
    return errno ? LEAT_SYS : LEAT_OK;
}

int main(void)
{
    return leat_run(&(leat_opts){ .workers = 2 }, work, (struct job){ 1 }) != LEAT_OK;
}
