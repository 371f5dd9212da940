/* mute.h - a link that is there, and takes nothing: what is sent waits unwritten. */
#ifndef MUTE_H
#define MUTE_H
#include "sess/impl.h"

/* The link of s takes nothing, or takes again. */
static inline void mute(struct sess *s, bool on)
{
    struct task *wake = NULL;
    lock(&s->out_lock);
    s->mute = on;
    sess_writer_wake_locked(s, &wake);
    unlock(&s->out_lock);
    sess_writer_ready(wake);
}
#endif
