/* plan.h - a description made ready to run: for each type the list of steps that turn a value into bytes and back.
 *
 * Laws.  1. Structs by value are laid open, and fields that follow each other in memory and in the description are one COPY: a
 * struct without padding, pointers and bools is one step, and an array of them is one memcpy.
 * 2. No step reads or writes padding or a local field, so no memory leaks to a peer.
 * 3. A plan is constant once type_plan has given it, and lives for ever.
 * 4. Values are little-endian in memory as on the wire; plan.c does not compile where that is not so. */
#ifndef TYPE_PLAN_H
#define TYPE_PLAN_H
#include "type/desc.h"

enum { OP_END, OP_COPY, OP_BOOL, OP_TEXT, OP_CSTR, OP_CHARS, OP_OPTIONAL, OP_LIST, OP_MAP, OP_ONEOF, OP_TX, OP_RX, OP_ERROR,
    OP_OWN,                                          /* from here on: only in plans that read values of another type (bridge.h) */
    OP_WIDEN = OP_OWN, OP_TEXT_CSTR, OP_WRAP, OP_UNWRAP, OP_WHICH, OP_CASES,
    OP_SKIP, OP_SKIP_TEXT, OP_SKIP_CSTR, OP_SKIP_OPTIONAL, OP_SKIP_LIST, OP_SKIP_TX, OP_SKIP_RX, OP_SKIP_ERROR };

struct type_bridge;
struct type_op {
    uint8_t code;
    uint8_t from, to;                                /* WIDEN: numbers of so many bytes to so many */
    union { uint8_t fill, how; };                    /* WIDEN: a WIDEN_; how: of a step in a row, a ROW_ */
    uint32_t off;                                    /* of the field, from the start of the value */
    uint32_t n;                                      /* COPY, SKIP: bytes; CHARS: room; ONEOF, CASES: cases; WIDEN: numbers; WHICH: it */
    union {
        const struct type_plan *sub;                 /* OPTIONAL, LIST: of one element; MAP: of one entry; ONEOF, CASES: n of them;
                                                        WRAP: of what is now behind a pointer; UNWRAP: of what is not */
        const struct type_bridge *as;                /* RX, SKIP_RX of such a plan: of the elements */
    };
    const leat_type *elem;                           /* TX, RX */
    const char *name;                                /* "when.s": of the (first) field, for messages; "" for an element itself */
};

enum { WIDEN_ZERO, WIDEN_SIGN, WIDEN_FLOAT };
enum { ROW_END, ROW_TEXT, ROW_COPY_8, ROW_COPY_32, ROW_COPY, ROW_BOOL };       /* COPY_32: of 16 to 32 bytes; COPY: of others than 8 */

struct type_plan {
    const struct type_op *ops;                       /* ends with OP_END */
    uint32_t size, align;                            /* of one value in memory */
    uint32_t min;                                    /* the least number of bytes of one value on the wire */
    bool raw;                                        /* one COPY of all its bytes */
    bool row;                                        /* COPY, BOOL and TEXT alone, of at least `min` > 0 bytes: see rows.c */
    bool whole;                                      /* a row whose steps write every byte of it */
    uint32_t texts;                                  /* of a row: how many TEXTs, and where in it they lie */
    const uint32_t *text_at;
};

struct json_key;
struct type_info {
    const leat_type *type;
    struct type_info *next;                          /* in the cache; written before the info is shared */
    struct type_print print;
    const uint8_t *form;
    size_t form_len;
    const struct type_plan *plan;
    const struct json_key *keys;                     /* json_level.h */
    size_t ratio;                                    /* memory that a byte on the wire may need: see LIMIT_DECODE_RATIO */
    bool flat;                                       /* owns nothing and points nowhere */
};

/* All there is to know of t, made on the first call and kept.  Any thread.  INVAL, LIMIT, NOMEM as type_form. */
LEAT_CHECK leat_err type_info_make(const leat_type *t, const struct type_info **ret);
enum { TYPE_CACHE_BITS = 8 };
extern struct type_info *type_cache_[1 << TYPE_CACHE_BITS];          /* heads of lists; atomic: see info.c */
static inline struct type_info **type_slot_of_(const leat_type *t)
{
    return &type_cache_[((uintptr_t)t >> 4) * 0x9e3779b97f4a7c15u >> (64 - TYPE_CACHE_BITS)];
}
static inline const struct type_info *type_info_find(const leat_type *t)     /* NULL: not made yet */
{
    const struct type_info *i = __atomic_load_n(type_slot_of_(t), __ATOMIC_ACQUIRE);
    while (unlikely(i && i->type != t))
        i = i->next;
    return i;
}
static inline leat_err type_info_get(const leat_type *t, const struct type_info **ret)
{
    *ret = type_info_find(t);
    return likely(*ret != NULL) ? LEAT_OK : type_info_make(t, ret);
}

/* for info.c: the plans of t, all in one block of memory at *ret, which is freed with mem_free; sets info's plan, ratio and flat */
LEAT_CHECK leat_err type_plan_make(const leat_type *t, struct type_info *info, void **ret);
void type_plan_layout(const leat_type *value, uint32_t *value_off, uint32_t *entry_size);    /* of the entries of a map of it */
#endif
