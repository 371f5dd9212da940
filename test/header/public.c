/* public.c - a library's own header with channels in it, read before and after leat.h; leat/fwd.h brings nothing else along. */
#include <leat/fwd.h>

struct mylib;
struct event;
leat_rx(struct event) mylib_events(struct mylib *m);
struct mylib_ops {
    leat_tx(struct event) sink;
    leat_rx(struct event) (*open)(struct mylib *m);
};
#if defined errno || defined LEAT_TRY
#error "leat/fwd.h leaks"
#endif
#include <leat.h>

struct event { int n; };
leat_err mylib_next(struct mylib *m, struct event *ret);

leat_err mylib_next(struct mylib *m, struct event *ret)
{
    return leat_recv(mylib_events(m), ret);
}
