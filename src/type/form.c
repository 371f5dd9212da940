/* form.c - the canonical form of a type: written from a description; see docs/wire.md, "Types".
 *
 * The form depends on nothing but structure: names of types, offsets, sizes in memory and JSON names are not in it, and a struct is
 * written out wherever it occurs, so two descriptions of one struct cannot make two forms of it.  Only a struct inside itself is a
 * number: how many definitions up it is.  So a form is read in one pass with no table.  The price is that a struct used in many
 * places is written as often; LIMIT_TYPE_BYTES and LIMIT_TYPE_DEPTH end what would grow without bound. */
#include "type/desc.h"
#include "base/limits.h"
#include "type/form.h"

struct writer {
    struct buf *out;
    const leat_type *open[LIMIT_TYPE_DEPTH];         /* the definitions that are being written, outermost first */
    uint32_t opened, depth;
};

static leat_err write_type(struct writer *w, unsigned kind, uint32_t size, const leat_type *inner, const char *where);

static leat_err write_name(struct writer *w, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    if (n == 0 || n > LIMIT_TYPE_NAME)
        return leat_fail(LEAT_LIMIT, "a name in a description is empty or over %d bytes", LIMIT_TYPE_NAME);
    buf_text(w->out, name, n);
    return LEAT_OK;
}

static leat_err write_members(struct writer *w, const leat_type *t)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->count; i++)
        count += type_field(t, i)->kind != LEAT_K_LOCAL_;
    buf_varint(w->out, count);
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (f->kind == LEAT_K_LOCAL_)
            continue;
        LEAT_TRY(write_name(w, f->name));
        buf_varint(w->out, form_zigzag(f->tag));
        if (t->kind != LEAT_K_ENUM_)
            LEAT_TRY(write_type(w, f->kind, f->size, f->type, f->name));
        if (w->out->len > LIMIT_TYPE_BYTES)          /* at once: a struct used again and again can double with each field */
            return leat_fail(LEAT_LIMIT, "the description of %s is over %d bytes", t->name, LIMIT_TYPE_BYTES);
    }
    return LEAT_OK;
}

/* a struct, oneof or enum: how many definitions up it is, or 0 and what is in it */
static leat_err write_definition(struct writer *w, const leat_type *t)
{
    for (uint32_t up = 1; up <= w->opened; up++)
        if (w->open[w->opened - up] == t) {
            buf_varint(w->out, up);
            return LEAT_OK;
        }
    buf_varint(w->out, 0);
    w->open[w->opened++] = t;                        /* depth < LIMIT_TYPE_DEPTH was checked by write_type */
    leat_err e = write_members(w, t);
    w->opened--;
    return e;
}

static leat_err write_array(struct writer *w, uint32_t size, const leat_type *num, const char *where)
{
    if (!num || num->size == 0 || size % num->size != 0)
        return leat_fail(LEAT_INVAL, "the array %s is not made of numbers", where);
    buf_varint(w->out, size / num->size);
    return write_type(w, num->kind, num->size, NULL, where);
}

/* the elements of optional, list, map, tx and rx are described by themselves; a number or string there is a type with no fields */
static leat_err write_inner(struct writer *w, const leat_type *t, const char *where)
{
    if (!t)
        return leat_fail(LEAT_INVAL, "the field %s has no description of what is inside", where);
    return write_type(w, t->kind, t->size, t, where);
}

static leat_err write_type(struct writer *w, unsigned kind, uint32_t size, const leat_type *inner, const char *where)
{
    if (w->depth == LIMIT_TYPE_DEPTH)
        return leat_fail(LEAT_LIMIT, "the description goes over %d types deep at %s", LIMIT_TYPE_DEPTH, where);
    w->depth++;
    leat_err e = LEAT_OK;
    buf_u8(w->out, (uint8_t)kind);
    switch (kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        buf_u8(w->out, (uint8_t)size);
        break;
    case LEAT_K_CHARS_:
        buf_varint(w->out, size);
        break;
    case LEAT_K_ARRAY_:
        e = write_array(w, size, inner, where);
        break;
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_:
        e = inner ? write_definition(w, inner) : write_inner(w, NULL, where);
        break;
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_:
        e = write_inner(w, inner, where);
        break;
    case LEAT_K_BOOL_: case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_DATE_: case LEAT_K_DURATION_: case LEAT_K_ERROR_:
    case LEAT_K_CSTR_:
        break;
    default:
        e = leat_fail(LEAT_INVAL, "the field %s is of a kind this library does not know: %u", where, kind);
    }
    w->depth--;
    return e;
}

leat_err type_form_write(const leat_type *t, struct buf *out)
{
    struct buf form = { .max = LIMIT_TYPE_BYTES * 2 };
    struct writer w = { .out = &form };
    buf_u8(&form, FORM_VERSION);
    leat_err e = write_type(&w, t->kind, t->size, t, t->name);
    if (e == LEAT_OK && buf_err(&form) != LEAT_OK)
        e = leat_fail(buf_err(&form), "the description of %s", t->name);
    if (e == LEAT_OK && (e = buf_err(out)) == LEAT_OK) {
        size_t before = out->len;
        buf_put(out, form.p, form.len);
        if ((e = buf_err(out)) != LEAT_OK)
            buf_undo(out, before);
    }
    buf_free(&form);
    return e;
}
