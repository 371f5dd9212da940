/* info.c - the cache of what is known about types, and the types that the library itself describes.
 *
 * The cache is a table of lists that only ever grow at their heads: readers take no lock.  Two threads that make the same info at the
 * same time both put one in; either is right, and that one of them is never found again costs memory once.  The cache is the
 * one thing here that is of the process and not of a runtime: it holds constants. */
#include "base/alloc.h"
#include "type/json_level.h"
#include "type/plan.h"
#define XXH_INLINE_ALL                               /* the header alone: no library to link, also when cross-compiling */
#include <xxhash.h>

struct type_info *type_cache_[1 << TYPE_CACHE_BITS];

#define NUMBER(id, k, T) const leat_type leat_##id##_type_ = { .name = #id, .kind = k, .size = sizeof(T), .align = _Alignof(T), \
    .field_size = sizeof(leat_field) }
NUMBER(int8, LEAT_K_INT_, int8_t);
NUMBER(int16, LEAT_K_INT_, int16_t);
NUMBER(int32, LEAT_K_INT_, int32_t);
NUMBER(int64, LEAT_K_INT_, int64_t);
NUMBER(uint8, LEAT_K_UINT_, uint8_t);
NUMBER(uint16, LEAT_K_UINT_, uint16_t);
NUMBER(uint32, LEAT_K_UINT_, uint32_t);
NUMBER(uint64, LEAT_K_UINT_, uint64_t);
NUMBER(float32, LEAT_K_FLOAT_, float);
NUMBER(float64, LEAT_K_FLOAT_, double);
NUMBER(string, LEAT_K_STRING_, leat_string);

static void cache_add(struct type_info *i)
{
    struct type_info **slot = type_slot_of_(i->type);
    i->next = __atomic_load_n(slot, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(slot, &i->next, i, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        continue;
}

struct type_print type_print_of(struct cur form)
{
    struct type_print p;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(form.p, cur_left(&form)));
    memcpy(p.b, hash.digest, sizeof p.b);
    return p;
}

leat_err type_info_make(const leat_type *t, const struct type_info **ret)
{
    struct buf form = { 0 };
    struct type_info *i = mem_zalloc(sizeof *i);
    struct json_key *keys = NULL;
    void *plans = NULL;
    leat_err e = i ? type_form_write(t, &form) : leat_fail(LEAT_NOMEM, "the description of %s", t->name);
    if (e == LEAT_OK)
        e = json_keys_make(t, &keys);
    if (e == LEAT_OK)
        e = type_plan_make(t, i, &plans);
    if (e != LEAT_OK) {
        buf_free(&form);
        mem_free(keys);
        mem_free(i);
        return e;
    }
    i->type = t;
    i->keys = keys;
    i->form = form.p;
    i->form_len = form.len;
    i->print = type_print_of(cur_of(form.p, form.len));
    cache_add(i);
    *ret = i;
    return LEAT_OK;
}

leat_err type_print(const leat_type *t, struct type_print *ret)
{
    const struct type_info *i;
    LEAT_TRY(type_info_get(t, &i));
    *ret = i->print;
    return LEAT_OK;
}

leat_err type_form(const leat_type *t, struct cur *ret)
{
    const struct type_info *i;
    LEAT_TRY(type_info_get(t, &i));
    *ret = cur_of(i->form, i->form_len);
    return LEAT_OK;
}
