/* netrpc_shape.c - the types of arguments that were JSON: made up from a text, laid out in memory, and described.
 *
 * What is made up fits all of the text: an array of objects is one of structs with all their keys, and one with whole numbers and others
 * is one of others.  Numbers take 8 bytes whatever their width is, as gob knows no widths.
 * A description is made once for each shape and kept as long as the connection: the gob stream knows types by their descriptions. */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "rpc/netrpc_args.h"

/* == Shapes ============================================================================================================== */

uint32_t netrpc_shape_new(struct netrpc_args *a, enum shape_kind kind, unsigned bits)
{
    struct net_shape s = { .kind = kind, .bits = (uint8_t)bits };
    if (a->shapes.len == 0)
        buf_put(&a->shapes, &(struct net_shape){ 0 }, sizeof s);
    buf_put(&a->shapes, &s, sizeof s);
    return buf_err(&a->shapes) == LEAT_OK ? (uint32_t)(a->shapes.len / sizeof s) - 1 : 0;
}

static leat_err no_room(void) { return leat_fail(LEAT_NOMEM, "no memory for the arguments"); }

uint32_t netrpc_field(struct netrpc_args *a, uint32_t shape, uint32_t after, const char *name, size_t n)
{
    const struct net_shape *s = args_shape(a, shape);
    uint32_t i = after ? args_shape(a, after)->next : s->first;
    for (uint32_t tried = 0; tried < s->count; tried++, i = args_shape(a, i)->next) {
        i = i ? i : s->first;                        /* they mostly come in their order */
        const struct net_shape *f = args_shape(a, i);
        if (f->name_len == n && memcmp(a->text.p + f->name, name, n) == 0)
            return i;
    }
    return 0;
}

leat_err netrpc_field_add(struct netrpc_args *a, uint32_t shape, const char *name, size_t n, uint32_t type, uint32_t *ret)
{
    uint32_t at = (uint32_t)a->text.len;
    if (args_shape(a, shape)->count == LIMIT_NETRPC_FIELDS)
        return leat_fail(LEAT_LIMIT, "a struct of over %d fields: is it a map?", LIMIT_NETRPC_FIELDS);
    buf_put(&a->text, name, n);
    buf_u8(&a->text, 0);
    *ret = netrpc_shape_new(a, SHAPE_FIELD, 0);
    if (buf_err(&a->text) != LEAT_OK || !*ret)
        return no_room();
    struct net_shape *f = args_shape(a, *ret), *s = args_shape(a, shape);
    f->elem = type;
    f->name = at;
    f->name_len = (uint32_t)n;
    *(s->last ? &args_shape(a, s->last)->next : &s->first) = *ret;
    s->last = *ret;
    s->count++;
    return LEAT_OK;
}

size_t netrpc_field_name(char room[256], const char **name, size_t n)
{
    char key[256];
    if (n == 0 || n > 255 || !((**name >= 'a' && **name <= 'z') || **name == '_') || memchr(*name, 0, n))
        return n;
    memcpy(key, *name, n);
    key[n] = 0;
    *name = room;
    return gob_name(room, key);
}

/* == Made up from a text ================================================================================================= */

static leat_err several(const struct json_node *n)
{
    return netrpc_bad(LEAT_INVAL, n->at, "this is of another type than what stands in its place before");
}

/* Whole numbers are int, or uint over its end; others float64. */
static leat_err infer_number(struct netrpc_args *a, uint32_t shape, const struct json_node *n)
{
    struct net_shape *s = args_shape(a, shape);
    const char *p = a->lex.from + n->at;
    bool whole = !memchr(p, '.', n->len) && !memchr(p, 'e', n->len) && !memchr(p, 'E', n->len), negative = *p == '-';
    enum shape_kind kind = SHAPE_FLOAT;
    int64_t i;
    uint64_t u;
    double d;
    if (n->uint)
        kind = SHAPE_UINT;
    else if (whole && json_number_int(p, n->len, &i))
        kind = SHAPE_INT;
    else if (whole && json_number_uint(p, n->len, &u))
        kind = SHAPE_UINT;
    else if (!json_number_float(p, n->len, &d))
        return netrpc_bad(LEAT_INVAL, n->at, "a number that no float64 holds");
    bool number = s->kind == SHAPE_INT || s->kind == SHAPE_UINT || s->kind == SHAPE_FLOAT;
    s->negative |= negative && !n->uint;
    if (s->kind != SHAPE_ANY && !number)
        return several(n);
    if (s->kind == SHAPE_ANY || kind > s->kind)      /* INT, UINT, FLOAT: each takes those before it, but no uint those below 0 */
        s->kind = kind;
    s->bits = 64;
    return s->kind == SHAPE_UINT && s->negative ? several(n) : LEAT_OK;
}

static leat_err infer(struct netrpc_args *a, uint32_t shape, uint32_t node);

static leat_err infer_array(struct netrpc_args *a, uint32_t shape, uint32_t node)
{
    uint32_t elem = args_shape(a, shape)->elem;
    if (!elem && !(elem = netrpc_shape_new(a, SHAPE_ANY, 0)))
        return no_room();
    args_shape(a, shape)->elem = elem;
    for (uint32_t c = args_node(a, node)->child; c; c = args_node(a, c)->next)
        LEAT_TRY(infer(a, elem, c));
    return LEAT_OK;
}

static leat_err infer_object(struct netrpc_args *a, uint32_t shape, uint32_t node)
{
    uint32_t f = 0, type;
    char room[256], key[256];
    for (uint32_t c = args_node(a, node)->child; c; c = args_node(a, c)->next) {
        const struct json_node *m = args_node(a, c);
        const char *name = (const char *)a->text.p + m->key;
        size_t n = netrpc_field_name(room, &name, m->key_len);
        if (n == 0 || n > 255 || memchr(name, 0, n))
            return netrpc_bad(LEAT_INVAL, m->at, "before it is a key that is no name of a field");
        uint32_t found = netrpc_field(a, shape, f, name, n);
        if (!found) {
            memcpy(key, name, n);                    /* it may lie in what grows */
            if (!(type = netrpc_shape_new(a, SHAPE_ANY, 0)))
                return no_room();
            LEAT_TRY(netrpc_field_add(a, shape, key, n, type, &found));
        }
        if (args_shape(a, found)->seen == node)
            return netrpc_bad(LEAT_INVAL, args_node(a, c)->at, "before it is a key that was given already");
        args_shape(a, f = found)->seen = node;
        LEAT_TRY(infer(a, args_shape(a, f)->elem, c));
    }
    return LEAT_OK;
}

/* The shape becomes one that the value fits, too. */
static leat_err infer(struct netrpc_args *a, uint32_t shape, uint32_t node)
{
    const struct json_node *n = args_node(a, node);
    struct net_shape *s = args_shape(a, shape);
    enum shape_kind kind;
    switch (n->kind) {
    case JSON_NULL: return LEAT_OK;
    case JSON_NUMBER: return infer_number(a, shape, n);
    case JSON_OBJECT: kind = SHAPE_STRUCT; break;
    case JSON_ARRAY: kind = SHAPE_SLICE; break;
    case JSON_STRING: kind = n->bytes ? SHAPE_BYTES : SHAPE_STRING; break;
    default: kind = SHAPE_BOOL;
    }
    if (s->kind != SHAPE_ANY && s->kind != kind)
        return several(n);
    s->kind = kind;
    return kind == SHAPE_STRUCT ? infer_object(a, shape, node) : kind == SHAPE_SLICE ? infer_array(a, shape, node) : LEAT_OK;
}

/* Fields of which nothing is known are left out; what is in an array that has nothing in it is taken for int. */
static void settle(struct netrpc_args *a, uint32_t shape)
{
    struct net_shape *s = args_shape(a, shape);
    if (s->kind == SHAPE_ANY)
        *s = (struct net_shape){ .kind = SHAPE_INT, .bits = 64 };
    else if (s->kind == SHAPE_SLICE)
        settle(a, s->elem);
    if (s->kind != SHAPE_STRUCT)
        return;
    uint32_t first = s->first;
    s->first = s->last = s->count = 0;
    for (uint32_t next, i = first; i; i = next) {
        struct net_shape *f = args_shape(a, i), *t = args_shape(a, f->elem);
        next = f->next;
        if (t->kind == SHAPE_ANY || (t->kind == SHAPE_SLICE && args_shape(a, t->elem)->kind == SHAPE_ANY))
            continue;
        settle(a, f->elem);
        f->next = 0;
        *(s->last ? &args_shape(a, s->last)->next : &s->first) = i;
        s->last = i;
        s->count++;
    }
}

leat_err netrpc_infer(struct netrpc_args *a, uint32_t *ret)
{
    *ret = netrpc_shape_new(a, SHAPE_ANY, 0);
    if (!*ret)
        return no_room();
    LEAT_TRY(infer(a, *ret, a->root));
    settle(a, *ret);
    return LEAT_OK;
}

/* == In memory =========================================================================================================== */

static leat_err lay_fields(struct netrpc_args *a, struct net_shape *s, uint64_t *size)
{
    for (uint32_t i = s->first; i; i = args_shape(a, i)->next) {
        struct net_shape *f = args_shape(a, i);
        LEAT_TRY(netrpc_layout(a, f->elem));
        f->offset = (uint32_t)*size;
        *size += args_slots(args_shape(a, f->elem)->size);
        s->times |= args_shape(a, f->elem)->times;
        if (*size > LIMIT_NETRPC_TYPE)
            return LEAT_OK;                          /* its caller says it */
    }
    for (uint32_t i = s->first; i; i = args_shape(a, i)->next)
        args_shape(a, i)->there = (uint32_t)(*size)++;
    *size = args_slots(*size);
    return LEAT_OK;
}

leat_err netrpc_layout(struct netrpc_args *a, uint32_t shape)
{
    struct net_shape *s = args_shape(a, shape);          /* nothing is added any more: it stays */
    uint64_t size = 0;
    if (s->size)
        return LEAT_OK;
    if (s->elem)
        LEAT_TRY(netrpc_layout(a, s->elem));
    switch (s->kind) {
    case SHAPE_BOOL: size = 1; break;
    case SHAPE_STRING: case SHAPE_BYTES: size = sizeof(leat_string); break;
    case SHAPE_TIME: size = sizeof(leat_date); break;
    case SHAPE_SLICE: size = sizeof(leat_strings); break;
    case SHAPE_MAP:
        LEAT_TRY(netrpc_layout(a, s->key));
        size = sizeof(leat_strings);
        break;
    case SHAPE_ARRAY: size = args_slots((uint64_t)s->len * args_shape(a, s->elem)->size); break;
    case SHAPE_STRUCT: LEAT_TRY(lay_fields(a, s, &size)); break;
    default: size = ARGS_SLOT;
    }
    if (size > LIMIT_NETRPC_TYPE)
        return leat_fail(LEAT_LIMIT, "a type whose values have over %d bytes before anything is in them", LIMIT_NETRPC_TYPE);
    s->times |= s->kind == SHAPE_TIME || (s->kind == SHAPE_ARRAY && args_shape(a, s->elem)->times);
    s->size = size ? (uint32_t)size : ARGS_SLOT;
    return LEAT_OK;
}

/* == Described =========================================================================================================== */

struct netrpc_shape { struct netrpc_shape *next; char *sign; size_t sign_len; leat_type type; leat_field fields[]; };

/* What tells types apart, as text */
static void sign(struct netrpc_args *a, uint32_t shape, struct buf *out)
{
    static const char letters[] = "?biufsyt[#m{";
    const struct net_shape *s = args_shape(a, shape);
    buf_u8(out, (uint8_t)letters[s->kind]);
    if (s->kind == SHAPE_ARRAY)
        buf_put(out, &s->len, sizeof s->len);
    if (s->kind == SHAPE_MAP)
        sign(a, s->key, out);
    if (s->elem)
        sign(a, s->elem, out);
    for (uint32_t i = s->first; i; i = args_shape(a, i)->next) {
        buf_put(out, a->text.p + args_shape(a, i)->name, args_shape(a, i)->name_len + 1);
        sign(a, args_shape(a, i)->elem, out);
    }
    if (s->kind == SHAPE_STRUCT)
        buf_u8(out, '}');
}

void netrpc_shapes_free(struct netrpc *s)
{
    for (struct netrpc_shape *next, *x = s->shapes; x; x = next) {
        next = x->next;
        for (uint32_t i = 0; i < x->type.count; i++)
            mem_free((void *)(uintptr_t)x->fields[i].name);
        mem_free(x->sign);
        mem_free(x);
    }
}

/* The description with that sign.  NULL: no memory.  *made: it is new, and has no fields yet. */
static struct netrpc_shape *described(struct netrpc *s, const struct buf *sign, uint32_t fields, uint32_t size, bool *made)
{
    struct netrpc_shape *x = s->shapes;
    while (x && (x->sign_len != sign->len || memcmp(x->sign, sign->p, sign->len) != 0))
        x = x->next;
    *made = !x;
    if (x || !(x = mem_zalloc(sizeof *x + fields * sizeof *x->fields)))
        return x;
    if (!(x->sign = mem_alloc(sign->len))) {
        mem_free(x);
        return NULL;
    }
    memcpy(x->sign, sign->p, sign->len);
    x->sign_len = sign->len;
    x->type = (leat_type){ "", x->fields, size, fields, LEAT_K_STRUCT_, sizeof(leat_field), ARGS_SLOT };
    x->next = s->shapes;
    s->shapes = x;
    return x;
}

static bool field(leat_field *f, const char *name, const leat_type *t, uint32_t offset)
{
    if (!t || !(f->name = mem_strdup(name)))
        return false;
    *f = (leat_field){ .name = f->name, .type = t, .offset = offset, .size = t->size, .kind = t->kind, .flags = GOB_AS_IT_IS };
    return true;
}

/* What a map has for each key: a struct of two */
static const leat_type *entry_type(struct netrpc *s, struct netrpc_args *a, const struct net_shape *m)
{
    struct buf name = { 0 };
    bool made;
    const struct net_shape *key = args_shape(a, m->key), *elem = args_shape(a, m->elem);
    const leat_type *k = netrpc_type_of(s, a, m->key), *v = netrpc_type_of(s, a, m->elem);
    buf_u8(&name, 'e');
    sign(a, m->key, &name);
    sign(a, m->elem, &name);
    struct netrpc_shape *x = k && v && buf_err(&name) == LEAT_OK ? described(s, &name, 2, args_entry(key, elem), &made) : NULL;
    buf_free(&name);
    if (x && made && !(field(&x->fields[0], "key", k, 0) && field(&x->fields[1], "value", v, (uint32_t)args_slots(key->size)))) {
        x->sign_len = 0;                             /* half made: nobody finds it */
        return NULL;
    }
    return x ? &x->type : NULL;
}

static bool describe(struct netrpc *s, struct netrpc_args *a, const struct net_shape *of, struct netrpc_shape *x)
{
    leat_field *f = x->fields;
    if (of->kind == SHAPE_STRUCT) {
        for (uint32_t i = of->first; i; i = args_shape(a, i)->next, f++) {
            const struct net_shape *m = args_shape(a, i);
            if (!field(f, (const char *)a->text.p + m->name, netrpc_type_of(s, a, m->elem), m->offset))
                return false;
            f->flags |= GOB_IF_THERE;
            f->tag = (int32_t)m->there;
        }
        return true;
    }
    const leat_type *inner = of->kind == SHAPE_MAP ? entry_type(s, a, of) : netrpc_type_of(s, a, of->elem);
    if (!field(f, "v", inner, 0))                    /* a struct that is its one member */
        return false;
    f->flags = (uint16_t)(LEAT_BARE | (of->kind == SHAPE_MAP ? LEAT_PAIRS : 0));
    f->kind = of->kind == SHAPE_ARRAY ? LEAT_K_ARRAY_ : LEAT_K_LIST_;
    f->size = of->kind == SHAPE_ARRAY ? of->len * inner->size : (uint32_t)sizeof(leat_strings);
    return true;
}

const leat_type *netrpc_type_of(struct netrpc *s, struct netrpc_args *a, uint32_t shape)
{
    static const leat_type of_bool = { "bool", NULL, 1, 0, LEAT_K_BOOL_, sizeof(leat_field), 1 };
    static const leat_type of_bytes = { "bytes", NULL, sizeof(leat_bytes), 0, LEAT_K_BYTES_, sizeof(leat_field), ARGS_SLOT };
    static const leat_type of_time = { "date", NULL, sizeof(leat_date), 0, LEAT_K_DATE_, sizeof(leat_field), ARGS_SLOT };
    static const leat_type *const leaves[] = { NULL, &of_bool, &leat_int64_type_, &leat_uint64_type_, &leat_float64_type_,
        &leat_string_type_, &of_bytes, &of_time };
    const struct net_shape *of = args_shape(a, shape);
    if (of->kind < SHAPE_SLICE)
        return leaves[of->kind];
    struct buf name = { 0 };
    bool made = false;
    sign(a, shape, &name);
    struct netrpc_shape *x = buf_err(&name) != LEAT_OK ? NULL :
        described(s, &name, of->kind == SHAPE_STRUCT ? of->count : 1, of->size, &made);
    buf_free(&name);
    if (x && made && !describe(s, a, of, x)) {
        x->sign_len = 0;                             /* half made: nobody finds it */
        return NULL;
    }
    return x ? &x->type : NULL;
}
