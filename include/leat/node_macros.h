/* leat/node_macros.h - how the macros of leat_node.h are made, and the functions they end in. */
#ifndef LEAT_NODE_H
#include "node.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_NODE_MACROS_H
#define LEAT_NODE_MACROS_H
enum { LEAT_K_BOOL_ = 1, LEAT_K_INT_, LEAT_K_UINT_, LEAT_K_FLOAT_, LEAT_K_STRING_, LEAT_K_BYTES_, LEAT_K_DATE_, LEAT_K_DURATION_,
    LEAT_K_ERROR_, LEAT_K_STRUCT_, LEAT_K_ENUM_, LEAT_K_ONEOF_, LEAT_K_OPTIONAL_, LEAT_K_LIST_, LEAT_K_ARRAY_, LEAT_K_TX_,
    LEAT_K_RX_, LEAT_K_MAP_, LEAT_K_CSTR_, LEAT_K_CHARS_, LEAT_K_LOCAL_ };
typedef struct leat_type leat_type;
typedef struct leat_field {                          /* read by the library by its size, so it may grow at the end */
    const char *name; const leat_type *type; uint32_t offset, size; uint16_t kind, flags; int32_t tag; const char *json;
} leat_field;
struct leat_type { const char *name; const leat_field *fields; uint32_t size, count; uint16_t kind, field_size; uint32_t align; };

extern const leat_type leat_string_type_, leat_int8_type_, leat_int16_type_, leat_int32_type_, leat_int64_type_, leat_uint8_type_,
    leat_uint16_type_, leat_uint32_type_, leat_uint64_type_, leat_float32_type_, leat_float64_type_, leat_reply_type_;
/* a kind is three words: the C type of the member, the code, the description of what is inside */
#define LEAT_K__Bool      bool, LEAT_K_BOOL_, NULL   /* `bool` is a macro for _Bool before C23 */
#define LEAT_K_bool       bool, LEAT_K_BOOL_, NULL
#define LEAT_K_int8       int8_t, LEAT_K_INT_, NULL
#define LEAT_K_int16      int16_t, LEAT_K_INT_, NULL
#define LEAT_K_int32      int32_t, LEAT_K_INT_, NULL
#define LEAT_K_int64      int64_t, LEAT_K_INT_, NULL
#define LEAT_K_uint8      uint8_t, LEAT_K_UINT_, NULL
#define LEAT_K_uint16     uint16_t, LEAT_K_UINT_, NULL
#define LEAT_K_uint32     uint32_t, LEAT_K_UINT_, NULL
#define LEAT_K_uint64     uint64_t, LEAT_K_UINT_, NULL
#define LEAT_K_float32    float, LEAT_K_FLOAT_, NULL
#define LEAT_K_float64    double, LEAT_K_FLOAT_, NULL
#define LEAT_K_string     leat_string, LEAT_K_STRING_, NULL
#define LEAT_K_bytes      leat_bytes, LEAT_K_BYTES_, NULL
#define LEAT_K_date       leat_date, LEAT_K_DATE_, NULL
#define LEAT_K_duration   leat_dur, LEAT_K_DURATION_, NULL
#define LEAT_K_error      leat_error, LEAT_K_ERROR_, NULL
/* a struct is no oneof, though `struct O` is the C type of one */
#define LEAT_K_struct(S)  struct S, LEAT_K_STRUCT_, &S##_type + 0 * sizeof(S##_is_a_struct_)
#define LEAT_K_enum(E)    enum E, LEAT_K_ENUM_, &E##_type
#define LEAT_K_oneof(O)   struct O, LEAT_K_ONEOF_, &O##_type + 0 * sizeof(O##_is_a_oneof_)
#define LEAT_K_optional(S) struct S *, LEAT_K_OPTIONAL_, &S##_type
#define LEAT_K_list(S)    S##_list, LEAT_K_LIST_, &S##_type
#define LEAT_K_map(S)     S##_map, LEAT_K_MAP_, &S##_type     /* keys are strings, in the order they came */
#define LEAT_K_strings    leat_strings, LEAT_K_LIST_, &leat_string_type_
#define LEAT_K_int64s     leat_int64s, LEAT_K_LIST_, &leat_int64_type_
#define LEAT_K_float64s   leat_float64s, LEAT_K_LIST_, &leat_float64_type_
#define LEAT_K_array(T, n) T[n], LEAT_K_ARRAY_, LEAT_NUMBER_(T)
#define LEAT_K_tx(S)      leat_tx(struct S), LEAT_K_TX_, &S##_type
#define LEAT_K_rx(S)      leat_rx(struct S), LEAT_K_RX_, &S##_type
#define LEAT_K_cstr       char *, LEAT_K_CSTR_, NULL
#define LEAT_K_chars(n)   char[n], LEAT_K_CHARS_, NULL
#define LEAT_K_local      void, LEAT_K_LOCAL_, NULL
#define LEAT_K_reply_     leat_reply, LEAT_K_STRUCT_, &leat_reply_type_
#define LEAT_K_replied_(S) S##_c_, LEAT_K_STRUCT_, &S##_type
#define LEAT_MEMBER_(S, kind, name, ...) LEAT_CALL2_(LEAT_MEMBER2_, name, LEAT_K_##kind, )
#define LEAT_MEMBER2_(name, C, ...) __typeof__(C) name;
#ifndef __cplusplus
/* what an array is made of: a number, so that both sides agree on more than its size */
#define LEAT_NUMBER_(T) _Generic(*(T *)0, char: &leat_uint8_type_, signed char: &leat_int8_type_, unsigned char: &leat_uint8_type_, \
    short: &leat_int16_type_, unsigned short: &leat_uint16_type_, int: &leat_int32_type_, unsigned: &leat_uint32_type_, \
    long: sizeof(long) == 8 ? &leat_int64_type_ : &leat_int32_type_, long long: &leat_int64_type_, \
    unsigned long: sizeof(long) == 8 ? &leat_uint64_type_ : &leat_uint32_type_, unsigned long long: &leat_uint64_type_, \
    float: &leat_float32_type_, double: &leat_float64_type_)
/* long and long long of one size and sign are one kind; so are an enum and its integer */
#define LEAT_INT_(T) _Generic(*(T *)0, char: 1, signed char: -1, unsigned char: 1, short: -2, unsigned short: 2, int: -4, \
    unsigned: 4, long: -(int)sizeof(long), unsigned long: (int)sizeof(long), long long: -8, unsigned long long: 8, default: 0)
#define LEAT_MEMBER_IS_(M, C, code) (LEAT_SAME_(M, C) || (code) == LEAT_K_LOCAL_ || \
    ((code) != LEAT_K_BOOL_ && LEAT_INT_(M) != 0 && LEAT_INT_(M) == LEAT_INT_(__typeof__(C))))
#define LEAT_DESCR_(S, kind, name, ...) LEAT_CALL2_(LEAT_DESCR2_, S, name, LEAT_K_##kind, __VA_ARGS__)
#define LEAT_DESCR2_(S, n, C, code, inner, ...) { .name = #n, .type = inner, .offset = (uint32_t)offsetof(S##_c_, n), .kind = code, \
    .size = (uint32_t)(sizeof(((S##_c_ *)0)->n) + 0 * sizeof(struct { \
    _Static_assert(LEAT_MEMBER_IS_(__typeof__(((S##_c_ *)0)->n), C, code), \
    "the member " #n " is not of the C type of its kind, " #C); char leat_; })), __VA_ARGS__ },
#define LEAT_DESCRIBE_(S, T, ...) LEAT_REPLY_(S, T); LEAT_TABLE_(S, T, LEAT_K_STRUCT_, LEAT_DESCR_, __VA_ARGS__); LEAT_REPLY_TABLE_(S)
#define LEAT_TABLE_(S, T, code, F, ...) LEAT_MAYBE_ static const leat_type S##_type; \
    LEAT_MAYBE_ static const leat_field S##_fields[] = { LEAT_MAP_(F, S, __VA_ARGS__) }; \
    LEAT_MAYBE_ static const leat_type S##_type = { #S, S##_fields, sizeof(T), sizeof S##_fields / sizeof *S##_fields, \
        code, sizeof(leat_field), _Alignof(T) }
#define LEAT_ENUM_(E, ...) enum E { LEAT_MAP_(LEAT_ENUMERATOR_, E, __VA_ARGS__) }; \
    LEAT_TABLE_(E, enum E, LEAT_K_ENUM_, LEAT_ENUM_DESCR_, __VA_ARGS__)
#define LEAT_ENUM_DESCR_(E, n, v, ...) { .name = #n, .tag = v, __VA_ARGS__ },
#define LEAT_ONEOF_(O, ...) enum O##_case { O##_none, LEAT_MAP_(LEAT_CASE_NAME_, O, __VA_ARGS__) }; \
    struct O { enum O##_case which; union { LEAT_MAP_(LEAT_MEMBER_, O, __VA_ARGS__) }; }; typedef struct O O##_c_, O##_is_a_oneof_; \
    LEAT_TABLE_(O, struct O, LEAT_K_ONEOF_, LEAT_DESCR_, __VA_ARGS__)
#endif
#define LEAT_REPLY_(S, T) typedef T S##_c_, S##_is_a_struct_; struct S##_reply { leat_reply reply; S##_c_ value; }; \
    typedef struct S##_reply S##_reply_c_
#define LEAT_REPLY_TABLE_(S) LEAT_TABLE_(S##_reply, struct S##_reply, LEAT_K_STRUCT_, LEAT_DESCR_, (reply_, reply), (replied_(S), value))
/* A struct of the members that are described, which nobody uses: one that is described twice is there twice, and without one that was left
 * out it is smaller, unless that lay in a gap.  So the struct is also filled, in order, by as many values as are described: where one was
 * left out, the last member gets none, about which clang can be made to complain; C++ tries whether it takes one more. */
#define LEAT_WHOLE_(S, T, ...) LEAT_ONCE_OF_(S, T, __VA_ARGS__); LEAT_NONE_LEFT_OUT_(S, T); LEAT_FILLED_(S, T, __VA_ARGS__)
#define LEAT_ONCE_OF_(S, T, ...) LEAT_DESCRIBE_(S, T, __VA_ARGS__); struct S##_once_ { LEAT_MAP_(LEAT_ONCE_, S, __VA_ARGS__) }
#ifndef __cplusplus
#define LEAT_ONCE_(S, kind, name, ...) __typeof__(((S##_c_ *)0)->name) name;
#define LEAT_NONE_LEFT_OUT_(S, T) _Static_assert((sizeof(struct S##_once_) + _Alignof(T) - 1) / _Alignof(T) * _Alignof(T) >= sizeof(T), \
    LEAT_LEFT_OUT_(T))
#ifdef __clang__
#define LEAT_FILLED_(S, T, ...) \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic error \"-Wmissing-field-initializers\"") \
    _Pragma("clang diagnostic ignored \"-Wmissing-braces\"") _Pragma("clang diagnostic ignored \"-Wbraced-scalar-init\"") \
    _Pragma("clang diagnostic ignored \"-Wexcess-initializers\"") \
    _Static_assert(sizeof((T){ LEAT_MAP_(LEAT_FILL_, S, __VA_ARGS__) }) == sizeof(T), LEAT_LEFT_OUT_(T)); \
    _Pragma("clang diagnostic pop") struct S##_once_
#define LEAT_FILL_(S, kind, name, ...) { 0 },
#else
#define LEAT_FILLED_(S, T, ...) struct S##_once_     /* gcc has no value that fills any member without a warning */
#endif
#endif
#define LEAT_LEFT_OUT_(T) \
    "a member of " #T " is not described: name every one, in their order, what stays here as (local, member); or LEAT_DESCRIBE_SOME"
#define LEAT_ENUMERATOR_(E, n, v, ...) n = v,
#define LEAT_CASE_NAME_(O, kind, n, ...) O##_##n,
#define LEAT_STRUCT_(S, ...) struct S; typedef struct S##_list { struct S *at; uint32_t len, cap; } S##_list; \
    struct S##_entry; typedef struct S##_map { struct S##_entry *at; uint32_t len, cap; } S##_map; \
    struct S { LEAT_MAP_(LEAT_MEMBER_, S, __VA_ARGS__) }; \
    struct S##_entry { leat_string key; struct S value; }; LEAT_DESCRIBE_(S, struct S, __VA_ARGS__)

LEAT_CHECK leat_err leat_node_open_(uint32_t version, const leat_node_opts *o, size_t opts_size, leat_node **ret);
/* not a macro: &(leat_node_opts){ .name = "a", .grace = LEAT_S(1) } has a comma */
static inline leat_err leat_node_open(const leat_node_opts *o, leat_node **ret)
{
    return leat_node_open_(LEAT_VERSION, o, sizeof *o, ret);
}
void leat_node_end_(leat_node **n);                  /* closes it; what failed before keeps its detail */
void leat_drop_(const leat_type *t, void *v);
void *leat_new_(size_t size);
LEAT_CHECK leat_err leat_push_(void *list, size_t size, const void *value);   /* list: { T *at; uint32_t len, cap; }, T of `size` bytes */
#define LEAT_NEW_(S) ((S##_c_ *)leat_new_(sizeof(S##_c_)))
LEAT_CHECK leat_err leat_dup_(const leat_type *t, const void *v, void *ret);
LEAT_CHECK leat_err leat_export_(leat_node *n, const char *name, leat_chan_ *c, int sends, const leat_type *t);
void leat_chan_owns_(leat_chan_ *c, const leat_type *t);
void leat_unexport_(leat_node *n, const char *name);
LEAT_CHECK leat_err leat_import_(leat_peer *p, const char *name, leat_chan_ **ret, int sends, const leat_type *t, size_t capacity);
typedef struct leat_method { const char *name; const leat_type *in, *out, *reply; } leat_method;      /* reply: of a struct OUT_reply */
typedef leat_err leat_method_fn_(void *self, const void *in, void *out);
LEAT_CHECK leat_err leat_serve_(leat_node *n, const char *svc, const leat_method *m, size_t count, const void *impl, void *self);
LEAT_CHECK leat_err leat_call_(leat_peer *p, const char *svc, const leat_method *m, const void *in, void *out);
LEAT_CHECK leat_err leat_expose_(leat_node *n, const char *name, leat_fn_ *fn, const leat_type *t);
LEAT_CHECK leat_err leat_go_on_(leat_group *g, leat_peer *p, const char *name, const leat_type *t, const void *arg);
#ifdef __cplusplus
#include "node_cpp.h"
#else
#define LEAT_PUSH_(list, ...) leat_must_check_(__extension__ ({ __auto_type leat_l_ = (list); \
    __typeof__(*leat_l_->at) leat_v_ = __VA_ARGS__; leat_push_(leat_l_, sizeof leat_v_, &leat_v_); }))
#define LEAT_OF_(c, S) LEAT_ASSERT_(LEAT_SAME_(LEAT_ELEM_(c), S##_c_), "the channel carries another type than " #S)
#define LEAT_CHAN_OWNS_(c, S) (LEAT_OF_(c, S), leat_chan_owns_(LEAT_ANYRAW_(c), &S##_type))
#define LEAT_END_OF_(c, fn) LEAT_ASSERT_(!LEAT_IS_(c, LEAT_CHAN_), \
    fn ": one end, not both: leat_tx_of(c) lets peers send, leat_rx_of(c) lets them receive")
#define LEAT_EXPORT_(n, name, c, S) leat_must_check_((LEAT_OF_(c, S), LEAT_END_OF_(c, "leat_export"), \
    leat_export_(n, name, LEAT_ANYRAW_(c), LEAT_IS_(c, LEAT_TX_), &S##_type)))
#define LEAT_IMPORT_(p, name, ret, S, cap) leat_must_check_(__extension__ ({ LEAT_OF_(*(ret), S); LEAT_END_OF_(*(ret), "leat_import"); \
    __typeof__(ret) leat_r_ = (ret); leat_chan_ *leat_c_; \
    leat_err leat_x_ = leat_import_(p, name, &leat_c_, LEAT_IS_(*(ret), LEAT_TX_), &S##_type, cap); \
    if (leat_x_ == LEAT_OK) *leat_r_ = (__typeof__(*(ret)))leat_c_; \
    leat_x_; }))
#define LEAT_NOBODY_(T) ((T *)0)
#endif
#define LEAT_DROP_(S, p) __extension__ ({ S##_c_ *leat_d_ = (p); leat_drop_(&S##_type, leat_d_); })
#define LEAT_DUP_(S, p, ret) leat_must_check_(__extension__ ({ const S##_c_ *leat_d_ = (p); S##_c_ *leat_r_ = (ret); \
    leat_dup_(&S##_type, leat_d_, leat_r_); }))
#define LEAT_SLOT_(S, m, IN, OUT, ...) leat_err (*m)(void *self, const IN##_c_ *in, OUT##_c_ *out);
#define LEAT_METHOD_(S, m, IN, OUT, ...) { #m, &IN##_type, &OUT##_type, &OUT##_reply_type },
#define LEAT_SERVICE_(S, ...) struct S##_impl { LEAT_MAP_(LEAT_SLOT_, S, __VA_ARGS__) }; \
    LEAT_MAYBE_ static const leat_method S##_methods[] = { LEAT_MAP_(LEAT_METHOD_, S, __VA_ARGS__) }
#define LEAT_SERVE_(n, S, impl, self) leat_must_check_(__extension__ ({ const struct S##_impl *leat_i_ = (impl); \
    leat_serve_(n, #S, S##_methods, sizeof S##_methods / sizeof *S##_methods, leat_i_, self); }))
#define LEAT_CALL_(p, S, m, in, out) leat_must_check_(((void)sizeof(LEAT_NOBODY_(struct S##_impl)->m(NULL, (in), (out))), \
    leat_call_(p, #S, &S##_methods[offsetof(struct S##_impl, m) / sizeof(leat_method_fn_ *)], (in), (out))))
#define LEAT_EXPOSE_(n, fn, S) leat_must_check_(((void)sizeof((fn)(LEAT_NOBODY_(S##_c_))), leat_expose_(n, #fn, LEAT_FN_(fn), &S##_type)))
#define LEAT_GO_ON_(g, p, fn, S, ...) leat_must_check_(__extension__ ({ S##_c_ leat_a_ = __VA_ARGS__; (void)sizeof((fn)(&leat_a_)); \
    leat_go_on_(g, p, #fn, &S##_type, &leat_a_); }))
#endif
