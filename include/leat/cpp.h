/* leat/cpp.h - the typed macros for C++17: the same types, so a struct with channel ends has one layout in C and C++. */
#if !defined LEAT_H && !defined LEAT_MACROS_H
#include "../leat.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_CPP_H
#define LEAT_CPP_H
#include <type_traits>
template <class C> struct leat_of_;
template <class T, class E> struct leat_of_<T *(**)(E *)> {
    using type = T;
    static constexpr bool tx = !std::is_same<E, leat_rx_end>::value, rx = !std::is_same<E, leat_tx_end>::value;
    static_assert(std::is_trivially_copyable<T>::value, "a channel carries bytes: T must be trivially copyable");
};
template <class C> using leat_elem_t = typename leat_of_<typename std::remove_cv<C>::type>::type;
template <class C> struct leat_chan_ *leat_txraw_(C c)
{
    static_assert(leat_of_<C>::tx, "this needs a send end, leat_tx(T)");
    return reinterpret_cast<leat_chan_ *>(c);
}
template <class C> struct leat_chan_ *leat_rxraw_(C c)
{
    static_assert(leat_of_<C>::rx, "this needs a receive end, leat_rx(T)");
    return reinterpret_cast<leat_chan_ *>(c);
}
template <class C> void *leat_out_(C, leat_elem_t<C> *p) { return p; }
template <class C> void *leat_in_(C, const leat_elem_t<C> *p) { return const_cast<leat_elem_t<C> *>(p); }
#define LEAT_TXRAW_(c, op) leat_txraw_(c)
#define LEAT_RXRAW_(c, op) leat_rxraw_(c)
#define LEAT_ANYRAW_(c) reinterpret_cast<leat_chan_ *>(c)
#define LEAT_OUT_(c, p) leat_out_(c, p)
#define LEAT_IN_(c, p)  leat_in_(c, p)
#define LEAT_INDEX_(i)  (i)
#define LEAT_CHAN_MAKE_(T, cap) reinterpret_cast<leat_chan_t<T>>(leat_chan_make_(sizeof(T), cap))
#define LEAT_TX_OF_(c) reinterpret_cast<leat_tx_t<leat_elem_t<decltype(c)>>>(leat_txraw_(c))
#define LEAT_RX_OF_(c) reinterpret_cast<leat_rx_t<leat_elem_t<decltype(c)>>>(leat_rxraw_(c))
#define LEAT_ENDS_(c)  ((leat_of_<decltype(c)>::tx ? LEAT_TX_END_ : 0) | (leat_of_<decltype(c)>::rx ? LEAT_RX_END_ : 0))
#define LEAT_REF_(c)   reinterpret_cast<decltype(c)>(leat_ref_(LEAT_ANYRAW_(c), LEAT_ENDS_(c)))
#define LEAT_UNREF_(c) (leat_unref_end_(LEAT_ANYRAW_(c), LEAT_ENDS_(c)), (void)((c) = nullptr))
#define LEAT_AUTO_     LEAT_CLEANUP_(leat_auto_end_)
#define LEAT_PUT_(f, c, ...) leat_must_check_(__extension__ ({ leat_elem_t<decltype(c)> leat_v_ = __VA_ARGS__; \
    f(leat_txraw_(c), &leat_v_); }))
#define LEAT_SEND_(c, ...)      LEAT_PUT_(leat_send_, c, __VA_ARGS__)
#define LEAT_TRY_SEND_(c, ...)  LEAT_PUT_(leat_try_send_, c, __VA_ARGS__)
#define LEAT_SEND_FROM_(c, p)   leat_send_(leat_txraw_(c), leat_in_(c, p))
#define LEAT_RECV_(c, out)      leat_must_check_(leat_recv_(leat_rxraw_(c), leat_out_(c, out)))
#define LEAT_TRY_RECV_(c, out)  leat_must_check_(leat_try_recv_(leat_rxraw_(c), leat_out_(c, out)))
#define LEAT_CLOSE_(c)  leat_close_(leat_txraw_(c))
#define LEAT_FINISH_(c) leat_finish_(leat_txraw_(c), LEAT_ENDS_(c))
#define LEAT_FLUSH_(c)  leat_flush_(leat_txraw_(c))
#define LEAT_LEN_(c)    leat_len_(LEAT_ANYRAW_(c))
#define LEAT_CAP_(c)    leat_cap_(LEAT_ANYRAW_(c))
#define LEAT_EACH_(v, c, err) for (leat_elem_t<decltype(c)> v; leat_each_(leat_recv(c, &v), &(err)); )
#define LEAT_FN_(fn) reinterpret_cast<leat_fn_ *>(fn)
#define LEAT_COPY_(fn, call, ...) leat_must_check_(__extension__ ({ auto leat_a_ = __VA_ARGS__; \
    static_assert(std::is_trivially_copyable<decltype(leat_a_)>::value, "a task's argument is copied as bytes"); \
    static_assert(std::is_same<decltype((fn)(&leat_a_)), leat_err>::value, "a task returns leat_err"); call; }))
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
#endif
