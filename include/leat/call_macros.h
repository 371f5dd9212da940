/* leat/call_macros.h - how the macros of call.h are made, and the functions they end in. */
#ifndef LEAT_CALL_H
#include "call.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_CALL_MACROS_H
#define LEAT_CALL_MACROS_H
LEAT_CHECK leat_err leat_call_once_(leat_peer *p, const char *svc, const leat_method *m, const void *in, void *out, leat_string key);
/* size and value: of a reply, and where in it the value is */
LEAT_CHECK leat_err leat_call_async_(leat_group *g, leat_peer *p, const char *svc, const leat_method *m, const void *in, size_t size,
    size_t value, leat_chan_ **ret);
#define LEAT_METHOD_OF_(S, m) (&S##_methods[offsetof(struct S##_impl, m) / sizeof(leat_method_fn_ *)])
#define LEAT_CALL_ONCE_(p, S, m, in, out, key) leat_must_check_(((void)sizeof(LEAT_NOBODY_(struct S##_impl)->m(NULL, (in), (out))), \
    leat_call_once_(p, #S, LEAT_METHOD_OF_(S, m), (in), (out), key)))
#ifndef __cplusplus
#define LEAT_CALL_ASYNC_(g, p, S, m, in, ret) leat_must_check_(__extension__ ({ \
    LEAT_ASSERT_(LEAT_IS_(*(ret), LEAT_RX_), "leat_call_async: the result is a leat_rx(struct T_reply)"); \
    LEAT_ASSERT_(LEAT_SAME_(__typeof__(((LEAT_ELEM_(*(ret)) *)0)->reply), leat_reply), \
        "leat_call_async: the result is a leat_rx(struct T_reply), where T is what the method gives"); \
    (void)sizeof(((struct S##_impl *)0)->m(NULL, (in), &((LEAT_ELEM_(*(ret)) *)0)->value)); \
    __typeof__(ret) leat_r_ = (ret); leat_chan_ *leat_c_; \
    leat_err leat_x_ = leat_call_async_(g, p, #S, LEAT_METHOD_OF_(S, m), (in), sizeof(LEAT_ELEM_(*(ret))), \
        offsetof(LEAT_ELEM_(*(ret)), value), &leat_c_); \
    if (leat_x_ == LEAT_OK) *leat_r_ = (__typeof__(*(ret)))leat_c_; \
    leat_x_; }))
#else
#define LEAT_CALL_ASYNC_(g, p, S, m, in, ret) leat_must_check_(__extension__ ({ auto *leat_r_ = (ret); leat_chan_ *leat_c_; \
    using leat_t_ = leat_reply_elem_t<decltype(*leat_r_)>; \
    static_assert(!leat_of_<leat_rx_t<leat_t_>>::tx && std::is_same<decltype(leat_r_), leat_rx_t<leat_t_> *>::value && \
        std::is_same<decltype(leat_t_::reply), leat_reply>::value, \
        "leat_call_async: the result is a leat_rx(struct T_reply), where T is what the method gives"); \
    (void)sizeof(LEAT_NOBODY_(struct S##_impl)->m(nullptr, (in), &LEAT_NOBODY_(leat_t_)->value)); \
    leat_err leat_x_ = leat_call_async_(g, p, #S, LEAT_METHOD_OF_(S, m), (in), sizeof(leat_t_), offsetof(leat_t_, value), &leat_c_); \
    if (leat_x_ == LEAT_OK) *leat_r_ = reinterpret_cast<leat_rx_t<leat_t_>>(leat_c_); \
    leat_x_; }))
#endif
#endif
