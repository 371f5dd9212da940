/* late.h - for tests that are linked with -Wl,--wrap=sess_break: a session breaks late.
 *
 * Whoever breaks one first lets its writer write all that is due by then.  So what a peer must not hear of, since the session breaks, it
 * does hear, if it was committed before. */
#ifndef LATE_H
#define LATE_H
#include <stdarg.h>
#include <stdio.h>
#include "run/err.h"
#include "sess/impl.h"

void __real_sess_break(struct sess *s, leat_err err, const char *fmt, ...);
void __wrap_sess_break(struct sess *s, leat_err err, const char *fmt, ...);

static inline bool late_writer_waits(struct sess *s)
{
    lock(&s->out_lock);
    bool waits = s->writer || s->writer_left || at_load(&s->state) >= SESS_BROKEN;
    unlock(&s->out_lock);
    return waits;
}

void __wrap_sess_break(struct sess *s, leat_err err, const char *fmt, ...)
{
    char why[FAIL_MAX], detail[FAIL_MAX];
    va_list a;
    va_start(a, fmt);
    vsnprintf(why, sizeof why, fmt, a);
    va_end(a);
    snprintf(detail, sizeof detail, "%s", leat_err_detail());
    for (int i = 0; i < 10000 && task_self() && !late_writer_waits(s); i++)
        if (leat_sleep(LEAT_MS(1)) != LEAT_OK)
            break;                                   /* the node is being closed */
    leat_ignore(leat_fail(err, "%s", detail));       /* as it was */
    __real_sess_break(s, err, "%s", why);
}
#endif
