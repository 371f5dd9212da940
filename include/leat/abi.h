/* leat/abi.h - the functions that the macros end in.  This is the binary interface: nothing here changes within a major version. */
#ifndef LEAT_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_ABI_H
#define LEAT_ABI_H
typedef struct leat_chan_ leat_chan_;
typedef leat_err leat_fn_(void *arg);
typedef struct leat_site_ { const char *name, *file; uint32_t line; } leat_site_;          /* where a task was started: static */
typedef struct leat_scope_ { leat_ctx *saved, *ctx; int64_t until; } leat_scope_;
typedef struct leat_shield_ { void *opaque_[20]; } leat_shield_;
typedef struct leat_pin_ { void *saved; } leat_pin_;
enum { LEAT_SELECT_MAX_ = 16 };
typedef struct leat_case_ { void *c, *p; size_t *which; int64_t n; int32_t id; uint8_t op, pad_[3]; } leat_case_;
typedef struct leat_select_ {                         /* flags: 1 a case has won and its body has yet to run; 2 more is set; 4 no memory */
    uint32_t n, flags;
    leat_case_ on[LEAT_SELECT_MAX_], *more;           /* more: those beyond, from leat_case_more_ until leat_select_run_ */
} leat_select_;

int *leat_errno_(void);                              /* not const as glibc's is: read again after a park */
#undef errno
#define errno (*leat_errno_())

LEAT_CHECK static inline leat_err leat_must_check_(leat_err e) { return e; }
LEAT_CHECK leat_err leat_run_(uint32_t version, const leat_opts *o, size_t opts_size, leat_fn_ *fn, const leat_site_ *site,
    const void *arg, size_t len);
LEAT_CHECK leat_err leat_go_(leat_group *g, leat_fn_ *fn, const leat_site_ *site, const void *arg, size_t len);
LEAT_CHECK leat_err leat_blocking_(leat_fn_ *fn, void *arg);
leat_group *leat_group_begin_(leat_group *g, leat_err *err);   /* makes g's context the current one */
leat_group *leat_race_begin_(leat_group *g, leat_err *err);
leat_err leat_group_join_(leat_group *g, leat_err own);
void leat_group_end_(leat_group *g);
leat_pin_ leat_pin_begin_(void);
void leat_pin_end_(leat_pin_ *p);
leat_scope_ leat_scope_begin_(leat_dur limit);
leat_scope_ leat_scope_deadline_(leat_dur limit, leat_err cause);
leat_scope_ leat_scope_cancel_(void);
leat_scope_ leat_scope_hibernate_(leat_dur after);
leat_scope_ leat_scope_value_(const void *key, void *p);
void leat_scope_end_(leat_scope_ *s);
leat_shield_ *leat_shield_begin_(leat_shield_ *s, leat_dur limit);
void leat_shield_end_(leat_shield_ *s);
LEAT_CHECK leat_err leat_timer_func_(leat_timer **ret, leat_group *g, leat_dur d, leat_fn_ *fn, const leat_site_ *site,
    const void *arg, size_t len);
LEAT_CHECK leat_err leat_after_func_(leat_after **ret, leat_ctx *ctx, leat_fn_ *fn, const leat_site_ *site, const void *arg,
    size_t len);
static inline leat_mutex *leat_lock_begin_(leat_mutex *m, leat_err *e) { *e = leat_lock(m); return *e == LEAT_OK ? m : NULL; }
static inline void leat_lock_end_(leat_mutex **m) { if (*m) leat_unlock(*m); }
static inline leat_rwlock *leat_rlock_begin_(leat_rwlock *l, leat_err *e) { *e = leat_rlock(l); return *e == LEAT_OK ? l : NULL; }
static inline void leat_rlock_end_(leat_rwlock **l) { if (*l) leat_runlock(*l); }
static inline leat_rwlock *leat_wlock_begin_(leat_rwlock *l, leat_err *e) { *e = leat_wlock(l); return *e == LEAT_OK ? l : NULL; }
static inline void leat_wlock_end_(leat_rwlock **l) { if (*l) leat_wunlock(*l); }

leat_chan_ *leat_chan_make_(size_t elem_size, size_t capacity);
enum { LEAT_TX_END_ = 1, LEAT_RX_END_ = 2 };
leat_chan_ *leat_ref_(leat_chan_ *c, int ends);        /* which ends the new owner holds: LEAT_TX_END_ | LEAT_RX_END_ */
void leat_unref_(leat_chan_ *c);                      /* of an owner whose ends are not known (leat_auto): they stay counted */
void leat_unref_end_(leat_chan_ *c, int ends);        /* of an owner of these ends */
/* any pointer variable, read as bytes: its declared type is the user's channel type, not leat_chan_ * */
static inline void leat_auto_end_(void *var) { leat_chan_ *c; __builtin_memcpy(&c, var, sizeof c); leat_unref_(c); }
LEAT_CHECK leat_err leat_send_(leat_chan_ *c, const void *v);
LEAT_CHECK leat_err leat_recv_(leat_chan_ *c, void *out);
LEAT_CHECK leat_err leat_try_send_(leat_chan_ *c, const void *v);
LEAT_CHECK leat_err leat_try_recv_(leat_chan_ *c, void *out);
void leat_close_(leat_chan_ *c);
void leat_finish_(leat_chan_ *c, int ends);             /* which ends who has finished holds */
LEAT_CHECK leat_err leat_flush_(leat_chan_ *c);
size_t leat_len_(leat_chan_ *c);
size_t leat_cap_(leat_chan_ *c);
static inline bool leat_each_(leat_err e, leat_err *err) { *err = e == LEAT_CLOSED ? LEAT_OK : e; return e == LEAT_OK; }

leat_case_ *leat_case_more_(leat_select_ *s);          /* room for case s->n, which is beyond s->on; never NULL */
int leat_select_run_(leat_select_ *s, leat_err *err);  /* the id of the case that ran, or -1 and *err */
static inline leat_select_ *leat_select_begin_(leat_select_ *s) { s->n = 0; s->flags = 0; return s; }
static inline int leat_select_wait_(leat_select_ *s, leat_err *err)
{
    int k = leat_select_run_(s, err);
    if (k < -1)
        __builtin_unreachable();                     /* lets the compiler drop the first round's tests from the second */
    s->flags = k >= 0;
    return k;
}
static inline bool leat_case_hit_(leat_select_ *s) { s->flags = 0; return true; }
void leat_select_lost_(const leat_select_ *s) __attribute__((noreturn, cold));   /* a bug in the program: aborts and says which */
static inline int leat_select_done_(const leat_select_ *s)
{
    if (__builtin_expect(s->flags != 0, 0))
        leat_select_lost_(s);                        /* the condition before the winning case changed while it waited */
    return -1;
}
static inline bool leat_case_add_(leat_select_ *s, char op, int32_t id, void *c, void *p, size_t *which, int64_t n)
{
    leat_case_ *x = s->n < LEAT_SELECT_MAX_ ? &s->on[s->n] : leat_case_more_(s);
    x->c = c; x->p = p; x->which = which; x->n = n; x->id = id; x->op = (uint8_t)op;
    s->n++;
    return false;
}
static inline int64_t leat_dur_ns_(leat_dur d) { return d.ns; }
static inline void *leat_ctx_ptr_(leat_ctx *c) { return c; }
static inline int64_t leat_fd_arg_(int fd, int events) { return (int64_t)fd << 8 | (events & 255); }
#endif
