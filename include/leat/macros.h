/* leat/macros.h - how the macros of leat.h are made.  Read leat.h for what they mean; include neither this nor leat_abi.h.
 *
 * Laws.  1. A macro evaluates each argument once (typeof, sizeof and _Static_assert do not evaluate) and ends in a function.
 * 2. A channel is T *(**)(struct leat_tx_end *): an object pointer that is never dereferenced.  Such types are structural in C,
 * so T and the direction are known everywhere with no declaration per T, and a compiler prints them in words.
 * 3. A variable that a channel lives in is written by the macro, never through another pointer type (strict aliasing).
 * 4. Names made by a macro that may nest are numbered; the select's cannot be, so it silences -Wshadow for its own line. */
#ifndef LEAT_MACROS_H
#define LEAT_MACROS_H
#include "fwd.h"
#include "map.h"
#ifdef __GNUC__
/* An installed header is a "system" header, and there gcc drops the warning for an ignored leat_send.  A line marker without the
 * flag 3 makes this an ordinary header again; the pragma before it keeps -Wpedantic from remarking on the marker. */
#pragma GCC system_header
# 17 "leat/macros.h"
#else
#error "leat needs GNU C: gcc 12 or clang 14, or newer"
#endif
#define LEAT_CHECK __attribute__((warn_unused_result))
#define LEAT_MAYBE_ __attribute__((unused))
#define LEAT_PRINTF_(f, a) __attribute__((format(printf, f, a)))
#define LEAT_CLEANUP_(f) __attribute__((cleanup(f)))
#ifdef __cplusplus
#define LEAT_BEGIN_ _Pragma("GCC visibility push(default)") extern "C" {
#define LEAT_END_ } _Pragma("GCC visibility pop")
#define LEAT_VALUE_(T, ...) (T{ __VA_ARGS__ })
#else
#define LEAT_BEGIN_ _Pragma("GCC visibility push(default)")     /* what is declared here is what the library exports */
#define LEAT_END_ _Pragma("GCC visibility pop")
#define LEAT_VALUE_(T, ...) (__extension__ (T){ __VA_ARGS__ })
#ifndef LEAT_NO_PRAGMA                               /* channels of two types are two types: gcc 14 and clang 16 say so anyway */
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#ifdef __clang__
#pragma GCC diagnostic warning "-Wincompatible-pointer-types-discards-qualifiers"
#endif
#endif
#endif
#ifdef LEAT_STRICT                                   /* an ignored error, also of other libraries, is a compile error */
#pragma GCC diagnostic error "-Wunused-result"
#endif
#define LEAT_QUIET_ _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")
#define LEAT_LOUD_  _Pragma("GCC diagnostic pop")
#define LEAT_ASSERT_(cond, msg) ((void)sizeof(struct { _Static_assert(cond, msg); char leat_; }))

#define LEAT_TRY_(expr) do { leat_err leat_e_ = (expr); if (leat_e_ != LEAT_OK) return leat_e_; } while (0)
#define LEAT_IGNORE_(expr) do { leat_err leat_e_ = (expr); (void)leat_e_; } while (0)
#define LEAT_DUR_(n, unit) LEAT_VALUE_(leat_dur, (int64_t)((n) * INT64_C(unit)))

/* Scopes: a for that runs once.  leaving it any way runs the cleanup. */
#define LEAT_WITH_(T, begin, end) LEAT_WITH2_(T, begin, end, __COUNTER__)
#define LEAT_WITH2_(T, begin, end, n) LEAT_WITH3_(T, begin, end, LEAT_CAT_(leat_w, n), LEAT_CAT_(leat_o, n))
#define LEAT_WITH3_(T, begin, end, w, once) for (T w LEAT_CLEANUP_(end) = begin, *once = &w; once; once = NULL)
#define LEAT_WITH_GROUP_(g, err) LEAT_WITH_GROUP2_(g, err, leat_group_begin_, LEAT_CAT_(leat_o, __COUNTER__))
#define LEAT_WITH_RACE_(g, err) LEAT_WITH_GROUP2_(g, err, leat_race_begin_, LEAT_CAT_(leat_o, __COUNTER__))
#define LEAT_WITH_GROUP2_(g, err, begin, once) for (leat_group g LEAT_CLEANUP_(leat_group_end_) = { { NULL } }, \
    *once = begin(&g, &(err)); once; (err) = leat_group_join_(once, err), once = NULL)
#define LEAT_WITH_CANCEL_(name) LEAT_WITH_CANCEL2_(name, __COUNTER__)
#define LEAT_WITH_CANCEL2_(name, n) LEAT_WITH_CANCEL3_(name, LEAT_CAT_(leat_w, n), LEAT_CAT_(leat_o, n))
#define LEAT_WITH_CANCEL3_(name, w, once) LEAT_WITH3_(leat_scope_, leat_scope_cancel_(), leat_scope_end_, w, once) \
    for (leat_ctx *name = w.ctx; once; once = NULL)
#define LEAT_WITH_SHIELD_(limit) LEAT_WITH_SHIELD2_(limit, __COUNTER__)
#define LEAT_WITH_SHIELD2_(limit, n) LEAT_WITH_SHIELD3_(limit, LEAT_CAT_(leat_w, n), LEAT_CAT_(leat_o, n))
#define LEAT_WITH_SHIELD3_(limit, w, once) for (leat_shield_ w LEAT_CLEANUP_(leat_shield_end_), \
    *once = leat_shield_begin_(&w, limit); once; once = NULL)
#define LEAT_WITH_LOCK_(m, err) LEAT_WITH_LOCK2_(leat_mutex, leat_lock_begin_, leat_lock_end_, m, err, __COUNTER__)
#define LEAT_WITH_RLOCK_(l, err) LEAT_WITH_LOCK2_(leat_rwlock, leat_rlock_begin_, leat_rlock_end_, l, err, __COUNTER__)
#define LEAT_WITH_WLOCK_(l, err) LEAT_WITH_LOCK2_(leat_rwlock, leat_wlock_begin_, leat_wlock_end_, l, err, __COUNTER__)
#define LEAT_WITH_LOCK2_(T, begin, end, m, err, n) LEAT_WITH_LOCK3_(T, begin, end, m, err, LEAT_CAT_(leat_w, n), LEAT_CAT_(leat_o, n))
#define LEAT_WITH_LOCK3_(T, begin, end, m, err, w, once) for (T *w LEAT_CLEANUP_(end) = begin(m, &(err)), *once = w; once; once = NULL)

/* Select: the long name, which is what a compiler prints for a case that stands alone, is -2 while the cases are noted and then
 * the number of the winner.  It is a local that never escapes, so the two rounds are unrolled and the second tests only numbers;
 * the case array is filled in place and never cleared.  A case is a `for` that runs at most once, so that an `if` may stand
 * before it (no dangling else) and an `else` after it, which would run while the cases are noted, does not compile. */
#define LEAT_K_ leat_case_outside_leat_select_
#define LEAT_SELECT_(err) LEAT_QUIET_ \
    for (leat_select_ leat_q_, *leat_o_ = leat_select_begin_(&leat_q_); leat_o_; leat_o_ = NULL) \
    for (int LEAT_K_ = -2; LEAT_K_ != -1; \
        LEAT_K_ = LEAT_K_ == -2 ? leat_select_wait_(&leat_q_, &(err)) : leat_select_done_(&leat_q_)) LEAT_LOUD_
#define LEAT_CASE_(id, ...) LEAT_CASE2_(id, LEAT_CAT_(leat_b, id), __VA_ARGS__)
#define LEAT_CASE2_(id, once, op, c, p, arg, n) \
    for (bool once = LEAT_K_ == -2 ? leat_case_add_(&leat_q_, op, id, c, p, arg, n) : LEAT_K_ == (id) && leat_case_hit_(&leat_q_); \
        once; once = false)
#define LEAT_ON_RECV_(c, out)  LEAT_CASE_(__COUNTER__, 'r', LEAT_RXRAW_(c, "leat_on_recv"), LEAT_OUT_(c, out), NULL, 0)
#define LEAT_ON_ANY_(cs, n, out, i) LEAT_CASE_(__COUNTER__, 'a', ((void)LEAT_RXRAW_(*(cs), "leat_on_recv_any"), (void *)(cs)), \
    LEAT_OUT_(*(cs), out), LEAT_INDEX_(i), (int64_t)(n))
#define LEAT_ON_SEND_(c, p)    LEAT_CASE_(__COUNTER__, 's', LEAT_TXRAW_(c, "leat_on_send"), LEAT_IN_(c, p), NULL, 0)
#define LEAT_ON_CLOSED_(c)     LEAT_CASE_(__COUNTER__, 'c', LEAT_ANYRAW_(c), NULL, NULL, 0)
#define LEAT_ON_AFTER_(d)      LEAT_CASE_(__COUNTER__, 't', NULL, NULL, NULL, leat_dur_ns_(d))
#define LEAT_ON_DONE_(ctx)     LEAT_CASE_(__COUNTER__, 'd', NULL, leat_ctx_ptr_(ctx), NULL, 0)
#define LEAT_ON_FD_(fd, ev)    LEAT_CASE_(__COUNTER__, 'f', NULL, NULL, NULL, leat_fd_arg_(fd, ev))
#define LEAT_ON_OTHERWISE_     LEAT_CASE_(__COUNTER__, 'o', NULL, NULL, NULL, 0)

#ifndef __cplusplus
#define LEAT_ELEM_(c)   __typeof__(*(**(c))(NULL))
#define LEAT_IS_(c, E)  __builtin_types_compatible_p(__typeof__(c), E(LEAT_ELEM_(c)))
#define LEAT_SAME_(A, B) __builtin_types_compatible_p(A, B)
#define LEAT_TXRAW_(c, op) (LEAT_ASSERT_(LEAT_IS_(c, LEAT_TX_) || LEAT_IS_(c, LEAT_CHAN_), \
    op " needs a send end, leat_tx(T): this is a receive end"), (leat_chan_ *)(c))
#define LEAT_RXRAW_(c, op) (LEAT_ASSERT_(LEAT_IS_(c, LEAT_RX_) || LEAT_IS_(c, LEAT_CHAN_), \
    op " needs a receive end, leat_rx(T): this is a send end"), (leat_chan_ *)(c))
#define LEAT_ANYRAW_(c) (LEAT_ASSERT_(LEAT_IS_(c, LEAT_TX_) || LEAT_IS_(c, LEAT_RX_) || LEAT_IS_(c, LEAT_CHAN_), \
    "this is not a channel"), (leat_chan_ *)(c))
#define LEAT_FITS_(c, p) LEAT_ASSERT_(LEAT_SAME_(__typeof__(*(p)), LEAT_ELEM_(c)), \
    "the channel carries another type: " #p " must be a T *")
#define LEAT_OUT_(c, p) (LEAT_FITS_(c, p), (p))
#define LEAT_IN_(c, p)  (LEAT_FITS_(c, p), (void *)(uintptr_t)(const void *)(p))
#define LEAT_INDEX_(i)  (LEAT_ASSERT_(LEAT_SAME_(__typeof__(i), size_t *), "leat_on_recv_any: " #i " must be a size_t *"), (i))
#define LEAT_CHAN_MAKE_(T, cap) (LEAT_ASSERT_(!LEAT_SAME_(__typeof__(T) *, const __typeof__(T) *), \
    "the element type of a channel cannot be const: it is written on receive"), \
    LEAT_ASSERT_(sizeof(T) + 1 > 0, "the element type of a channel has a fixed size"), (LEAT_CHAN_(T))leat_chan_make_(sizeof(T), cap))
#define LEAT_TX_OF_(c) ((LEAT_TX_(LEAT_ELEM_(c)))LEAT_TXRAW_(c, "leat_tx_of"))
#define LEAT_RX_OF_(c) ((LEAT_RX_(LEAT_ELEM_(c)))LEAT_RXRAW_(c, "leat_rx_of"))
#define LEAT_ENDS_(c)  ((LEAT_IS_(c, LEAT_RX_) ? 0 : LEAT_TX_END_) | (LEAT_IS_(c, LEAT_TX_) ? 0 : LEAT_RX_END_))
#define LEAT_REF_(c)   ((__typeof__(c))leat_ref_(LEAT_ANYRAW_(c), LEAT_ENDS_(c)))
#define LEAT_UNREF_(c) (leat_unref_end_(LEAT_ANYRAW_(c), LEAT_ENDS_(c)), (void)((c) = NULL))
#define LEAT_AUTO_     LEAT_CLEANUP_(leat_auto_end_)
/* the local of type T, or T *, is what makes the compiler name both types; leat_must_check_ keeps the check through the ({ }) */
#define LEAT_PUT_(f, op, c, ...) LEAT_PUT2_(LEAT_CAT_(leat_v, __COUNTER__), f, op, c, __VA_ARGS__)
#define LEAT_PUT2_(v, f, op, c, ...) leat_must_check_(__extension__ ({ LEAT_ELEM_(c) v = __VA_ARGS__; f(LEAT_TXRAW_(c, op), &v); }))
#define LEAT_GET_(f, op, c, out) LEAT_GET2_(LEAT_CAT_(leat_p, __COUNTER__), f, op, c, out)
#define LEAT_GET2_(p, f, op, c, out) leat_must_check_(__extension__ ({ LEAT_ELEM_(c) *p = (out); LEAT_FITS_(c, out); \
    f(LEAT_RXRAW_(c, op), p); }))
#define LEAT_SEND_(c, ...)      LEAT_PUT_(leat_send_, "leat_send", c, __VA_ARGS__)
#define LEAT_TRY_SEND_(c, ...)  LEAT_PUT_(leat_try_send_, "leat_try_send", c, __VA_ARGS__)
#define LEAT_SEND_FROM_(c, p) leat_must_check_(__extension__ ({ const LEAT_ELEM_(c) *leat_p_ = (p); \
    leat_send_(LEAT_TXRAW_(c, "leat_send_from"), leat_p_); }))
#define LEAT_RECV_(c, out)      LEAT_GET_(leat_recv_, "leat_recv", c, out)
#define LEAT_TRY_RECV_(c, out)  LEAT_GET_(leat_try_recv_, "leat_try_recv", c, out)
#define LEAT_CLOSE_(c)  leat_close_(LEAT_TXRAW_(c, "leat_close"))
#define LEAT_FINISH_(c) leat_finish_(LEAT_TXRAW_(c, "leat_finish"), LEAT_ENDS_(c))
#define LEAT_FLUSH_(c) leat_flush_(LEAT_TXRAW_(c, "leat_flush"))
#define LEAT_LEN_(c)    leat_len_(LEAT_ANYRAW_(c))
#define LEAT_CAP_(c)    leat_cap_(LEAT_ANYRAW_(c))
#define LEAT_EACH_(v, c, err) for (LEAT_ELEM_(c) v; leat_each_(leat_recv(c, &v), &(err)); )

/* Tasks: the call in typeof checks fn's parameter against the argument and names both types. */
#define LEAT_COPY_(fn, call, ...) leat_must_check_(__extension__ ({ __auto_type leat_a_ = __VA_ARGS__; \
    LEAT_ASSERT_(LEAT_SAME_(__typeof__((fn)(&leat_a_)), leat_err), "a task returns leat_err: " #fn " does not"); call; }))
#define LEAT_FN_(fn) ((leat_fn_ *)(void (*)(void))(fn))
#define LEAT_SITE_(fn) static const leat_site_ leat_s_ = { #fn, __FILE__, __LINE__ }
#define LEAT_RUN_(o, fn, ...) LEAT_COPY_(fn, __extension__ ({ LEAT_SITE_(fn); \
    leat_run_(LEAT_VERSION, o, sizeof(leat_opts), LEAT_FN_(fn), &leat_s_, &leat_a_, sizeof leat_a_); }), __VA_ARGS__)
#define LEAT_GO_(g, fn, ...)  LEAT_COPY_(fn, __extension__ ({ LEAT_SITE_(fn); \
    leat_go_(g, LEAT_FN_(fn), &leat_s_, &leat_a_, sizeof leat_a_); }), __VA_ARGS__)
#define LEAT_TIMER_FUNC_(ret, g, d, fn, ...) LEAT_COPY_(fn, __extension__ ({ LEAT_SITE_(fn); \
    leat_timer_func_(ret, g, d, LEAT_FN_(fn), &leat_s_, &leat_a_, sizeof leat_a_); }), __VA_ARGS__)
#define LEAT_AFTER_FUNC_(ret, ctx, fn, ...) LEAT_COPY_(fn, __extension__ ({ LEAT_SITE_(fn); \
    leat_after_func_(ret, ctx, LEAT_FN_(fn), &leat_s_, &leat_a_, sizeof leat_a_); }), __VA_ARGS__)
#define LEAT_BLOCKING_(fn, ...) LEAT_COPY_(fn, leat_blocking_(LEAT_FN_(fn), &leat_a_), __VA_ARGS__)
#else
#include "cpp.h"
#endif
#endif
