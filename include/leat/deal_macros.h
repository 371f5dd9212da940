/* leat/deal_macros.h - how the macros of deal.h are made, and the functions they end in. */
#ifndef LEAT_DEAL_H
#include "deal.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_DEAL_MACROS_H
#define LEAT_DEAL_MACROS_H
static inline void leat_workers_end_(leat_workers **w) { leat_workers_close(*w); }
/* The method and the two channels.  value: where in an element of out the result is. */
typedef struct leat_deal_ {
    const char *service; const leat_method *method; leat_chan_ *in, *out; size_t in_size, out_size, value;
} leat_deal_;
LEAT_CHECK leat_err leat_deal_run_(leat_workers *w, const leat_deal_ *what, const leat_deal_opts *opts, size_t opts_size);
#ifndef __cplusplus
#define LEAT_REPLY_OF_(c) LEAT_ASSERT_(LEAT_SAME_(__typeof__(((LEAT_ELEM_(c) *)0)->reply), leat_reply), \
    "the results are a channel of struct T_reply, where T is what the method gives")
/* leat_o_: an end that is a cast has a type in it, which offsetof may not (clang says so from 17 on, with -Wpedantic) */
#define LEAT_DEAL_(w, S, m, in_, out_, opts) leat_must_check_(__extension__ ({ typedef LEAT_ELEM_(out_) leat_o_; LEAT_REPLY_OF_(out_); \
    (void)sizeof(((struct S##_impl *)0)->m(NULL, (LEAT_ELEM_(in_) *)0, &((leat_o_ *)0)->value)); \
    leat_deal_run_(w, &(const leat_deal_){ #S, &S##_methods[offsetof(struct S##_impl, m) / sizeof(leat_method_fn_ *)], \
        LEAT_RXRAW_(in_, "leat_deal"), LEAT_TXRAW_(out_, "leat_deal"), sizeof(LEAT_ELEM_(in_)), sizeof(leat_o_), \
        offsetof(leat_o_, value) }, opts, sizeof(leat_deal_opts)); }))
#else
#define LEAT_DEAL_(w, S, m, in_, out_, opts) leat_must_check_(__extension__ ({ auto leat_in_ch_ = (in_); auto leat_out_ch_ = (out_); \
    using leat_a_ = leat_elem_t<decltype(leat_in_ch_)>; using leat_t_ = leat_elem_t<decltype(leat_out_ch_)>; \
    static_assert(std::is_same<decltype(leat_t_::reply), leat_reply>::value, \
        "the results are a channel of struct T_reply, where T is what the method gives"); \
    (void)sizeof(LEAT_NOBODY_(struct S##_impl)->m(nullptr, LEAT_NOBODY_(leat_a_), &LEAT_NOBODY_(leat_t_)->value)); \
    const leat_deal_ leat_d_ = { #S, LEAT_METHOD_OF_(S, m), leat_rxraw_(leat_in_ch_), leat_txraw_(leat_out_ch_), sizeof(leat_a_), \
        sizeof(leat_t_), offsetof(leat_t_, value) }; \
    leat_deal_run_(w, &leat_d_, opts, sizeof(leat_deal_opts)); }))
#endif
#endif
