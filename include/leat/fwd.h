/* leat/fwd.h - only the channel types, for a library's public header: no functions, no pragmas, no errno.
 *     leat_rx(struct event) mylib_events(struct mylib *m);      8 bytes in any ABI; struct event may be incomplete here */
#ifndef LEAT_FWD_H
#define LEAT_FWD_H
struct leat_both_ends; struct leat_tx_end; struct leat_rx_end;        /* never defined: only words in a type */
#define leat_chan(...) LEAT_CHAN_(__VA_ARGS__)
#define leat_tx(...) LEAT_TX_(__VA_ARGS__)
#define leat_rx(...) LEAT_RX_(__VA_ARGS__)
#ifdef __cplusplus
template <class T> using leat_chan_t = T *(**)(leat_both_ends *);
template <class T> using leat_tx_t = T *(**)(leat_tx_end *);
template <class T> using leat_rx_t = T *(**)(leat_rx_end *);
#define LEAT_CHAN_(...) leat_chan_t<__VA_ARGS__>
#define LEAT_TX_(...) leat_tx_t<__VA_ARGS__>
#define LEAT_RX_(...) leat_rx_t<__VA_ARGS__>
#else
#define LEAT_CHAN_(...) __typeof__(__typeof__(__VA_ARGS__) *(**)(struct leat_both_ends *))
#define LEAT_TX_(...) __typeof__(__typeof__(__VA_ARGS__) *(**)(struct leat_tx_end *))
#define LEAT_RX_(...) __typeof__(__typeof__(__VA_ARGS__) *(**)(struct leat_rx_end *))
#endif
#endif
