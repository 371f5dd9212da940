/* program.c - for run.py: tasks that wait, one that runs, one that has not begun; then a call of all_parked for a breakpoint.  With an
 * argument they hibernate, and all_parked is called again and again. */
#include "leat.h"

void all_parked(void);
__attribute__((noinline)) void all_parked(void) { __asm__ volatile("" ::: "memory"); }

static _Atomic int there;
static __attribute__((noinline)) leat_err wait_inside(leat_chan(int) c)
{
    int v = 0;
    there++;
    leat_err e = leat_recv(c, &v);
    __asm__ volatile("" : "+r"(e));                  /* the frame is to be seen */
    return e;
}
static leat_err reader(leat_chan(int) *c)
{
    leat_task_name("conn 17");
    return wait_inside(*c) == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL;
}
/* Its frame has a frame pointer, since it is as long as its argument says. */
static __attribute__((noinline)) leat_err wait_in_room(leat_chan(int) c, int n)
{
    char *room = __builtin_alloca((size_t)n);
    leat_err e;
    __asm__ volatile("" : : "r"(room) : "memory");
    e = wait_inside(c);
    __asm__ volatile("" : "+r"(e) : "r"(room) : "memory");
    return e;
}
static leat_err nameless(leat_chan(int) *c) { return wait_in_room(*c, 100) == LEAT_CLOSED ? LEAT_OK : LEAT_INVAL; }
static leat_err chooser(leat_chan(int) *c)
{
    leat_err err;
    int v;
    leat_select(err) {
        leat_on_recv(*c, &v) { }
        leat_on_after(LEAT_S(3600)) { }
    }
    return err == LEAT_CLOSED ? LEAT_OK : err;
}
static leat_err sleepers(leat_none *none)
{
    leat_err err;
    leat_auto leat_chan(int) c = leat_chan_make(int, 4);
    (void)none;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, reader, c));
        LEAT_TRY(leat_go(&g, nameless, c));
        LEAT_TRY(leat_go(&g, chooser, c));
        for (;;) {
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
            all_parked();
        }
    }
    return err;
}

static leat_err fresh(leat_none *none) { (void)none; return LEAT_OK; }

static leat_err app(leat_none *none)
{
    leat_err err;
    leat_auto leat_chan(int) c = leat_chan_make(int, 4);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, reader, c));
        LEAT_TRY(leat_sleep(LEAT_MS(20)));           /* one worker: when this returns, reader has parked */
        while (!there)
            leat_yield();
        LEAT_TRY(leat_go(&g, fresh, *none));
        all_parked();
        leat_close(c);
    }
    return err;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return leat_run((&(leat_opts){ .workers = 1, .hibernate_after = LEAT_MS(1) }), sleepers, LEAT_NONE) != LEAT_OK;
    return leat_run(&(leat_opts){ .workers = 1 }, app, LEAT_NONE) != LEAT_OK;
}
