/* leat/map.h - LEAT_MAP_(F, S, (a, b), (c, d), ...): F(S, a, b, ) F(S, c, d, ) ...  At most 64 tuples.  Made by gen_map.sh.
 * A chain and not a recursion: C11 without __VA_OPT__, no warning under -Wpedantic, and short error messages. */
#ifndef LEAT_MAP_H
#define LEAT_MAP_H
#define LEAT_CAT_(a, b) LEAT_CAT2_(a, b)
#define LEAT_CAT2_(a, b) a##b
#define LEAT_OPEN_(...) __VA_ARGS__
#define LEAT_APPLY_(F, ...) F(__VA_ARGS__)
#define LEAT_CALL2_(F, ...) F(__VA_ARGS__)            /* the same again: a macro does not expand inside itself */
#define LEAT_MAP_(F, S, ...) LEAT_CAT_(LEAT_MAP_, LEAT_COUNT_(__VA_ARGS__))(F, S, __VA_ARGS__)
#define LEAT_COUNT_(...) LEAT_COUNT2_(__VA_ARGS__, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    has_over_64_fields, has_over_64_fields, has_over_64_fields, has_over_64_fields, \
    64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, \
    48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, \
    32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, \
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LEAT_COUNT2_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, \
    a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, \
    a33, a34, a35, a36, a37, a38, a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, \
    a49, a50, a51, a52, a53, a54, a55, a56, a57, a58, a59, a60, a61, a62, a63, a64, \
    a65, a66, a67, a68, a69, a70, a71, a72, a73, a74, a75, a76, a77, a78, a79, a80, \
    a81, a82, a83, a84, a85, a86, a87, a88, a89, a90, a91, a92, a93, a94, a95, a96, \
    a97, a98, a99, a100, a101, a102, a103, a104, a105, a106, a107, a108, a109, a110, a111, a112, \
    a113, a114, a115, a116, a117, a118, a119, a120, a121, a122, a123, a124, a125, a126, a127, a128, \
    n, ...) n
#define LEAT_MAP_1(F, S, t) LEAT_APPLY_(F, S, LEAT_OPEN_ t, )
#define LEAT_MAP_2(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_1(F, S, __VA_ARGS__)
#define LEAT_MAP_3(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_2(F, S, __VA_ARGS__)
#define LEAT_MAP_4(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_3(F, S, __VA_ARGS__)
#define LEAT_MAP_5(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_4(F, S, __VA_ARGS__)
#define LEAT_MAP_6(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_5(F, S, __VA_ARGS__)
#define LEAT_MAP_7(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_6(F, S, __VA_ARGS__)
#define LEAT_MAP_8(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_7(F, S, __VA_ARGS__)
#define LEAT_MAP_9(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_8(F, S, __VA_ARGS__)
#define LEAT_MAP_10(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_9(F, S, __VA_ARGS__)
#define LEAT_MAP_11(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_10(F, S, __VA_ARGS__)
#define LEAT_MAP_12(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_11(F, S, __VA_ARGS__)
#define LEAT_MAP_13(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_12(F, S, __VA_ARGS__)
#define LEAT_MAP_14(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_13(F, S, __VA_ARGS__)
#define LEAT_MAP_15(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_14(F, S, __VA_ARGS__)
#define LEAT_MAP_16(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_15(F, S, __VA_ARGS__)
#define LEAT_MAP_17(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_16(F, S, __VA_ARGS__)
#define LEAT_MAP_18(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_17(F, S, __VA_ARGS__)
#define LEAT_MAP_19(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_18(F, S, __VA_ARGS__)
#define LEAT_MAP_20(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_19(F, S, __VA_ARGS__)
#define LEAT_MAP_21(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_20(F, S, __VA_ARGS__)
#define LEAT_MAP_22(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_21(F, S, __VA_ARGS__)
#define LEAT_MAP_23(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_22(F, S, __VA_ARGS__)
#define LEAT_MAP_24(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_23(F, S, __VA_ARGS__)
#define LEAT_MAP_25(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_24(F, S, __VA_ARGS__)
#define LEAT_MAP_26(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_25(F, S, __VA_ARGS__)
#define LEAT_MAP_27(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_26(F, S, __VA_ARGS__)
#define LEAT_MAP_28(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_27(F, S, __VA_ARGS__)
#define LEAT_MAP_29(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_28(F, S, __VA_ARGS__)
#define LEAT_MAP_30(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_29(F, S, __VA_ARGS__)
#define LEAT_MAP_31(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_30(F, S, __VA_ARGS__)
#define LEAT_MAP_32(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_31(F, S, __VA_ARGS__)
#define LEAT_MAP_33(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_32(F, S, __VA_ARGS__)
#define LEAT_MAP_34(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_33(F, S, __VA_ARGS__)
#define LEAT_MAP_35(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_34(F, S, __VA_ARGS__)
#define LEAT_MAP_36(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_35(F, S, __VA_ARGS__)
#define LEAT_MAP_37(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_36(F, S, __VA_ARGS__)
#define LEAT_MAP_38(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_37(F, S, __VA_ARGS__)
#define LEAT_MAP_39(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_38(F, S, __VA_ARGS__)
#define LEAT_MAP_40(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_39(F, S, __VA_ARGS__)
#define LEAT_MAP_41(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_40(F, S, __VA_ARGS__)
#define LEAT_MAP_42(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_41(F, S, __VA_ARGS__)
#define LEAT_MAP_43(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_42(F, S, __VA_ARGS__)
#define LEAT_MAP_44(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_43(F, S, __VA_ARGS__)
#define LEAT_MAP_45(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_44(F, S, __VA_ARGS__)
#define LEAT_MAP_46(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_45(F, S, __VA_ARGS__)
#define LEAT_MAP_47(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_46(F, S, __VA_ARGS__)
#define LEAT_MAP_48(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_47(F, S, __VA_ARGS__)
#define LEAT_MAP_49(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_48(F, S, __VA_ARGS__)
#define LEAT_MAP_50(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_49(F, S, __VA_ARGS__)
#define LEAT_MAP_51(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_50(F, S, __VA_ARGS__)
#define LEAT_MAP_52(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_51(F, S, __VA_ARGS__)
#define LEAT_MAP_53(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_52(F, S, __VA_ARGS__)
#define LEAT_MAP_54(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_53(F, S, __VA_ARGS__)
#define LEAT_MAP_55(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_54(F, S, __VA_ARGS__)
#define LEAT_MAP_56(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_55(F, S, __VA_ARGS__)
#define LEAT_MAP_57(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_56(F, S, __VA_ARGS__)
#define LEAT_MAP_58(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_57(F, S, __VA_ARGS__)
#define LEAT_MAP_59(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_58(F, S, __VA_ARGS__)
#define LEAT_MAP_60(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_59(F, S, __VA_ARGS__)
#define LEAT_MAP_61(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_60(F, S, __VA_ARGS__)
#define LEAT_MAP_62(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_61(F, S, __VA_ARGS__)
#define LEAT_MAP_63(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_62(F, S, __VA_ARGS__)
#define LEAT_MAP_64(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_63(F, S, __VA_ARGS__)
#endif
