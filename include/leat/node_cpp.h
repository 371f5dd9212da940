/* leat/node_cpp.h - descriptions, and what needs one, for C++17: the same spelling as in C, the same layout, the same fingerprint.
 *
 * A description is of its translation unit, as in C, so two files may each have a struct job of their own.  It is constant: it is
 * there before any constructor runs.  The options of a field (.tag = 3) are assignments in a constant expression, not designators. */
#ifndef LEAT_NODE_H
#include "node.h"                               /* read alone, it still works */
#endif
#ifndef LEAT_NODE_CPP_H
#define LEAT_NODE_CPP_H
extern "C++" {
/* The size of an integer, below 0 where it is signed; 0: it is none.  As in C char is unsigned here, and bool is no number. */
template <class T> constexpr int leat_int_size_()
{
    if constexpr (std::is_enum<T>::value)
        return leat_int_size_<std::underlying_type_t<T>>();
    else if constexpr (!std::is_integral<T>::value || std::is_same<std::remove_cv_t<T>, bool>::value)
        return 0;
    else
        return std::is_unsigned<T>::value || std::is_same<std::remove_cv_t<T>, char>::value ? int(sizeof(T)) : -int(sizeof(T));
}
template <class M, class C> constexpr bool leat_member_is_(int code)
{
    constexpr int m = leat_int_size_<M>(), c = leat_int_size_<C>();
    return code == LEAT_K_LOCAL_ || std::is_same<std::remove_cv_t<M>, C>::value || (code != LEAT_K_BOOL_ && m != 0 && m == c) ||
        (code == LEAT_K_ENUM_ && (m == 4 || m == -4));
}
template <class T> constexpr const leat_type *leat_number_()
{
    constexpr int n = leat_int_size_<T>();
    static_assert(n != 0 || std::is_same<T, float>::value || std::is_same<T, double>::value, "an array is of numbers");
    return n == 1 ? &leat_uint8_type_ : n == 2 ? &leat_uint16_type_ : n == 4 ? &leat_uint32_type_ : n == 8 ? &leat_uint64_type_ :
        n == -1 ? &leat_int8_type_ : n == -2 ? &leat_int16_type_ : n == -4 ? &leat_int32_type_ : n == -8 ? &leat_int64_type_ :
        std::is_same<T, float>::value ? &leat_float32_type_ : &leat_float64_type_;
}
template <class T, class C> leat_chan_ *leat_carries_(C c)
{
    static_assert(std::is_same<leat_elem_t<C>, T>::value, "the channel carries another type than the one that is named");
    return reinterpret_cast<leat_chan_ *>(c);
}
template <class T, class C> leat_err leat_export_as_(leat_node *n, const char *name, C c, const leat_type *t)
{
    static_assert(!leat_of_<C>::tx || !leat_of_<C>::rx,
        "leat_export: one end, not both: leat_tx_of(c) lets peers send, leat_rx_of(c) lets them receive");
    return leat_export_(n, name, leat_carries_<T>(c), leat_of_<C>::tx, t);
}
template <class T, class C> leat_err leat_import_as_(leat_peer *p, const char *name, C *ret, const leat_type *t, size_t capacity)
{
    static_assert(!leat_of_<C>::tx || !leat_of_<C>::rx, "leat_import: one end, not both: a leat_tx or a leat_rx");
    static_assert(std::is_same<leat_elem_t<C>, T>::value, "the channel carries another type than the one that is named");
    leat_chan_ *c;
    leat_err e = leat_import_(p, name, &c, leat_of_<C>::tx, t, capacity);
    if (e == LEAT_OK)
        *ret = reinterpret_cast<C>(c);
    return e;
}
template <class C> using leat_reply_elem_t = leat_elem_t<typename std::remove_reference<C>::type>;
}
#define LEAT_NUMBER_(T) leat_number_<T>()
/* at most four options a field; what is not there is nothing */
#define LEAT_OPTIONS_(f, ...) LEAT_OPTIONS2_(f, __VA_ARGS__, , , , , )
#define LEAT_OPTIONS2_(f, a, b, c, d, ...) (void)(f a); (void)(f b); (void)(f c); (void)(f d);
#define LEAT_DESCR_(S, kind, name, ...) LEAT_CALL2_(LEAT_DESCR2_, S, name, LEAT_K_##kind, __VA_ARGS__)
#define LEAT_DESCR2_(S, n, C, code_, inner, ...) [] { \
    static_assert(leat_member_is_<decltype(S##_c_::n), C>(code_), "the member " #n " is not of the C type of its kind, " #C); \
    leat_field leat_f_ = { #n, inner, (uint32_t)offsetof(S##_c_, n), (uint32_t)sizeof(S##_c_::n), code_, 0, 0, nullptr }; \
    LEAT_OPTIONS_(leat_f_, __VA_ARGS__) return leat_f_; }(),
#define LEAT_ENUM_DESCR_(E, n, v, ...) [] { leat_field leat_f_ = { #n, nullptr, 0, 0, 0, 0, v, nullptr }; \
    LEAT_OPTIONS_(leat_f_, __VA_ARGS__) return leat_f_; }(),
#define LEAT_TABLE_(S, T, code, F, ...) namespace { extern const leat_type S##_type; \
    LEAT_MAYBE_ constexpr leat_field S##_fields[] = { LEAT_MAP_(F, S, __VA_ARGS__) }; \
    LEAT_MAYBE_ constexpr leat_type S##_type = { #S, S##_fields, sizeof(T), sizeof S##_fields / sizeof *S##_fields, \
        code, sizeof(leat_field), alignof(T) }; } \
    static_assert(std::is_trivially_copyable<T>::value && std::is_standard_layout<T>::value, \
        #T " travels as its members: it has no constructor, no virtual function and nothing of its own to copy")
#define LEAT_DESCRIBE_(S, T, ...) LEAT_REPLY_(S, T); LEAT_TABLE_(S, T, LEAT_K_STRUCT_, LEAT_DESCR_, __VA_ARGS__); LEAT_REPLY_TABLE_(S)
/* 32 bits, as in C; and any number may be in them, also one that has no name */
#define LEAT_ENUM_(E, ...) enum E : int32_t { LEAT_MAP_(LEAT_ENUMERATOR_, E, __VA_ARGS__) }; \
    LEAT_TABLE_(E, enum E, LEAT_K_ENUM_, LEAT_ENUM_DESCR_, __VA_ARGS__)
#define LEAT_ONEOF_(O, ...) enum O##_case : uint32_t { O##_none, LEAT_MAP_(LEAT_CASE_NAME_, O, __VA_ARGS__) }; \
    struct O { enum O##_case which; union { LEAT_MAP_(LEAT_MEMBER_, O, __VA_ARGS__) }; }; typedef struct O O##_c_, O##_is_a_oneof_; \
    LEAT_TABLE_(O, struct O, LEAT_K_ONEOF_, LEAT_DESCR_, __VA_ARGS__)
#define LEAT_ONCE_(S, kind, name, ...) std::remove_cv_t<decltype(S##_c_::name)> name;
#define LEAT_NONE_LEFT_OUT_(S, T) static_assert((sizeof(struct S##_once_) + alignof(T) - 1) / alignof(T) * alignof(T) >= sizeof(T), \
    LEAT_LEFT_OUT_(T))
/* One value more than are described: that an aggregate takes it, says that a member was left out. */
#define LEAT_FILLED_(S, T, ...) extern "C++" { namespace { \
    template <class U> std::true_type S##_more_(decltype(U{ LEAT_MAP_(LEAT_FILL_, S, __VA_ARGS__) {} }) *); \
    template <class U> std::false_type S##_more_(...); } } \
    static_assert(!(std::is_aggregate<T>::value && decltype(S##_more_<T>(nullptr))::value), LEAT_LEFT_OUT_(T))
#define LEAT_FILL_(S, kind, name, ...) {},

#define LEAT_PUSH_(list, ...) leat_must_check_(__extension__ ({ auto *leat_l_ = (list); \
    typename std::remove_reference<decltype(*leat_l_->at)>::type leat_v_ = __VA_ARGS__; \
    leat_push_(leat_l_, sizeof leat_v_, &leat_v_); }))
#define LEAT_CHAN_OWNS_(c, S) leat_chan_owns_(leat_carries_<S##_c_>(c), &S##_type)
#define LEAT_EXPORT_(n, name, c, S) leat_must_check_(leat_export_as_<S##_c_>(n, name, c, &S##_type))
#define LEAT_IMPORT_(p, name, ret, S, cap) leat_must_check_(leat_import_as_<S##_c_>(p, name, ret, &S##_type, cap))
#define LEAT_NOBODY_(T) static_cast<T *>(nullptr)   /* for what is only looked at by the compiler */
#endif
