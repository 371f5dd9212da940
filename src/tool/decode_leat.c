/* decode_leat.c - shows a stream of leat/record.h, whose types it brings along. */
#include "tool/decode_leat.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "type/desc.h"
#include "type/form_json.h"

struct known { uint8_t *form; size_t len; struct form_tree tree; };
struct shown { struct record_feed *f; const struct json_sink *out; bool types; uint32_t n; struct known at[RECORD_TYPES]; };

static leat_err on_type(struct shown *x, struct cur in, uint64_t at)
{
    size_t len;
    const char *name = cur_text(&in, &len);
    if (!name || len > LIMIT_TYPE_NAME || !type_form_valid(in))
        return record_bad(x->f, at, "a description that is none");
    if (x->n == RECORD_TYPES)
        return record_bad(x->f, at, "more than 1,024 types");
    struct known *t = &x->at[x->n];
    t->len = cur_left(&in);
    if (!(t->form = mem_alloc(t->len)))
        return LEAT_NOMEM;
    memcpy(t->form, in.p, t->len);
    x->n++;
    LEAT_TRY(form_tree_make(&t->tree, cur_of(t->form, t->len)));
    if (x->types)
        form_declare(cur_of(t->form, t->len), name, len, x->out);
    return LEAT_OK;
}

static leat_err on_value(struct shown *x, struct cur in, uint64_t at)
{
    const uint8_t *began = in.p;
    uint64_t number = cur_varint(&in);
    uint64_t steps = 0;
    size_t good;
    if (in.bad || number == 0 || number > x->n)
        return record_bad(x->f, at, "a value of a type that was not described");
    if (x->types)
        return LEAT_OK;
    const struct known *t = &x->at[number - 1];
    const char *why = form_json(&t->tree, in, x->out, &good, &steps);
    if (why)
        return record_bad(x->f, at + (uint64_t)(in.p - began) + good, why);
    json_put(x->out, "\n");
    return LEAT_OK;
}

leat_err decode_leat(struct record_feed *f, bool types, const struct json_sink *out, bool (*stop)(void))
{
    struct shown *x = mem_zalloc(sizeof *x);
    leat_err e = x ? LEAT_OK : LEAT_NOMEM;
    for (; e == LEAT_OK && !stop(); ) {
        uint8_t kind;
        struct cur in;
        uint64_t at;
        x->f = f;
        x->out = out;
        x->types = types;
        e = record_next(f, &kind, &in, &at);
        if (e == LEAT_OK)
            e = kind == RECORD_TYPE ? on_type(x, in, at) : on_value(x, in, at);
    }
    for (uint32_t i = 0; x && i < x->n; i++) {
        form_tree_free(&x->at[i].tree);
        mem_free(x->at[i].form);
    }
    mem_free(x);
    return e;
}
