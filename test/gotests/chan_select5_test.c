/* chan_select5_test.c - what Go's test/chan/select5.go states: a send or a receive in a select does the same whichever other cases
 * stand beside it; the arguments
 * are evaluated once and in order, and the variables of cases that do not run are not touched. */
#include "place.h"

static leat_chan(struct num) c, dummy, nil;
static int order;

/* The cases are looked at in order; channel and variable of one case, as the arguments of any call in C, in either. */
static leat_chan(struct num) fc(leat_chan(struct num) x, int o) { CHECK(o >= order); order = o; return x; }
static struct num *fp(struct num *p, int o) { CHECK(o >= order); order = o; return p; }

enum { EARLY = 1, LATE = 2, DUMMY_SEND = 4, DUMMY_RECV = 8, NIL_SEND = 16, NIL_RECV = 32, WAYS = 64 };
static void never(const char *what) { t_fail(__FILE__, __LINE__, "%s ran", what); }

/* One value through c, received by a select with or without each of six other cases. */
static leat_err recv_with(int with, struct num *x)
{
    struct num other = { -1 };
    leat_err err;
    order = 0;
    leat_select(err) {
        if (with & EARLY)      leat_otherwise                              { never("leat_otherwise before"); }
        leat_on_recv(fc(c, 1), fp(x, 1)) {}
        if (with & LATE)       leat_otherwise                              { never("leat_otherwise after"); }
        if (with & DUMMY_SEND) leat_on_send(fc(dummy, 2), fp(&other, 2))   { never("a send to nobody"); }
        if (with & DUMMY_RECV) leat_on_recv(fc(dummy, 3), fp(&other, 3))   { never("a receive from nobody"); }
        if (with & NIL_SEND)   leat_on_send(fc(nil, 4), fp(&other, 4))     { never("a send to NULL"); }
        if (with & NIL_RECV)   leat_on_recv(fc(nil, 5), fp(&other, 5))    { never("a receive from NULL"); }
    }
    CHECK_EQ(other.n, -1);
    return err;
}

static leat_err send_with(int with, struct num *x)
{
    struct num other = { -1 };
    leat_err err;
    order = 0;
    leat_select(err) {
        if (with & EARLY)      leat_otherwise                              { never("leat_otherwise before"); }
        leat_on_send(fc(c, 1), fp(x, 1)) {}
        if (with & LATE)       leat_otherwise                              { never("leat_otherwise after"); }
        if (with & DUMMY_SEND) leat_on_send(fc(dummy, 2), fp(&other, 2))   { never("a send to nobody"); }
        if (with & DUMMY_RECV) leat_on_recv(fc(dummy, 3), fp(&other, 3))   { never("a receive from nobody"); }
        if (with & NIL_SEND)   leat_on_send(fc(nil, 4), fp(&other, 4))     { never("a send to NULL"); }
        if (with & NIL_RECV)   leat_on_recv(fc(nil, 5), fp(&other, 5))    { never("a receive from NULL"); }
    }
    CHECK_EQ(other.n, -1);
    return err;
}

/* Nothing can run: leat_otherwise does, and no variable is written or even looked at. */
static leat_err none_with(int with, bool *ran)
{
    struct num other = { -1 };
    leat_err err;
    order = 0;
    leat_select(err) {
        if (with & EARLY)      leat_otherwise                              { *ran = true; }
        if (with & DUMMY_SEND) leat_on_send(fc(dummy, 1), fp(&other, 1))   { never("a send to nobody"); }
        if (with & NIL_SEND)   leat_on_send(fc(nil, 2), fp(&other, 2))     { never("a send to NULL"); }
        if (with & DUMMY_RECV) leat_on_recv(fc(dummy, 3), fp(NULL, 3))     { never("a receive from nobody"); }
        if (with & NIL_RECV)   leat_on_recv(fc(nil, 4), fp(NULL, 4))       { never("a receive from NULL"); }
        if (!(with & EARLY))   leat_otherwise                              { *ran = true; }
    }
    CHECK_EQ(other.n, -1);
    return err;
}

static leat_err select5_test(void)
{
    int64_t n = 1;
    struct num x = { 0 }, y;
    c = leat_chan_make(struct num, 1);
    dummy = leat_chan_make(struct num, 0);
    for (int with = 0; with < WAYS; with++) {
        bool ran = false;
        LEAT_TRY(leat_send(c, { n }));
        LEAT_TRY(recv_with(with, &x));
        CHECK_EQ(x.n, n++);
        y.n = n;
        LEAT_TRY(send_with(with, &y));
        LEAT_TRY(leat_recv(c, &x));
        CHECK_EQ(x.n, n++);
        LEAT_TRY(none_with(with, &ran));
        CHECK(ran);
    }
    leat_unref(c);
    leat_unref(dummy);
    return LEAT_OK;
}
AT_TASK(select5, select5_test)

T_MAIN()
