/* gob_enc.c - values of described types as gob.
 *
 * A value is written by steps whose places lie in w->frames, so that depth costs no stack.  The definitions that it needs are found
 * first: each type the other side does not know gets an id and a line in w->sent, and those lines are walked until none is new. */
#include "base/alloc.h"
#include "base/limits.h"
#include "type/gob_codec.h"
#include "type/plan.h"

enum { ID_FIRST = 65 };

/* == Numbers ============================================================================================================= */

enum { UINT_ROOM = 16, DATE_ROOM = 17 };             /* what raw_uint and raw_date may write to */

/* to must have UINT_ROOM bytes; how far it came */
static inline uint8_t *raw_uint(uint8_t *to, uint64_t v)
{
    if (v < 128) {
        *to = (uint8_t)v;
        return to + 1;
    }
    uint32_t n = 8 - (uint32_t)__builtin_clzll(v) / 8;
    v = __builtin_bswap64(v) >> (64 - 8 * n);
    *to = (uint8_t)(256 - n);
    memcpy(to + 1, &v, sizeof v);
    return to + 1 + n;
}

static void put_uint(struct buf *b, uint64_t v)
{
    uint8_t bytes[UINT_ROOM];
    buf_put(b, bytes, (size_t)(raw_uint(bytes, v) - bytes));
}

static inline uint64_t uint_of(int64_t v) { return v < 0 ? ~(uint64_t)v << 1 | 1 : (uint64_t)v << 1; }
static void put_int(struct buf *b, int64_t v) { put_uint(b, uint_of(v)); }

static void put_text(struct buf *b, const char *p, size_t n)
{
    put_uint(b, n);
    buf_put(b, p, n);
}

/* == Definitions ========================================================================================================= */

static struct gob_sent *sent_at(struct gob_writer *w, size_t i) { return (struct gob_sent *)(void *)w->sent.p + i; }

/* The id of a type, new if need be; 0: it does not travel in gob (the detail is set) or there is no memory (w->sent). */
static int64_t id_of(struct gob_writer *w, struct gob_view v)
{
    uint32_t offset = 0;
    v = gob_view_bare(v, &offset);
    switch (v.kind) {
    case LEAT_K_BOOL_: return GOB_BOOL;
    case LEAT_K_INT_: case LEAT_K_ENUM_: case LEAT_K_DURATION_: return GOB_INT;
    case LEAT_K_UINT_: return GOB_UINT;
    case LEAT_K_FLOAT_: return GOB_FLOAT;
    case LEAT_K_STRING_: case LEAT_K_CSTR_: case LEAT_K_CHARS_: return GOB_STRING;
    case LEAT_K_BYTES_: return GOB_BYTES;
    case LEAT_K_TX_: case LEAT_K_RX_: return 0;
    }
    struct gob_sent s = { .type = v.inner, .key = v.kind == LEAT_K_OPTIONAL_ ? LEAT_K_STRUCT_ : v.kind };
    if (gob_pairs(v))
        s.key |= (uint32_t)LEAT_PAIRS << 16;
    if (v.kind == LEAT_K_ARRAY_)
        s.len = v.size / v.inner->size;
    if (v.kind == LEAT_K_DATE_ || v.kind == LEAT_K_ERROR_)
        s.type = NULL;
    size_t n = w->sent.len / sizeof s;
    for (size_t i = 0; i < n; i++) {
        const struct gob_sent *x = sent_at(w, i);
        if (x->type == s.type && x->key == s.key && x->len == s.len)
            return x->id;
    }
    s.id = ID_FIRST + (int64_t)n;
    buf_put(&w->sent, &s, sizeof s);
    return buf_err(&w->sent) == LEAT_OK ? s.id : 0;
}

static void put_common(struct buf *b, const char *name, size_t n, int64_t id)
{
    buf_u8(b, 1);                                    /* field 0 of each kind */
    if (n) {
        buf_u8(b, 1);
        put_text(b, name, n);
    }
    buf_u8(b, n ? 1 : 2);
    put_int(b, id);
    buf_u8(b, 0);
}

static void put_field_type(struct buf *b, const char *name, unsigned flags, int64_t id)
{
    char room[256];
    bool as_is = flags & GOB_AS_IT_IS;
    size_t n = as_is ? strlen(name) : gob_name(room, name);
    buf_u8(b, 1);
    put_text(b, as_is ? name : room, n);
    buf_u8(b, 1);
    put_int(b, id);
    buf_u8(b, 0);
}

static leat_err no_id(const struct gob_writer *w, const leat_type *t, const char *name)
{
    if (buf_err(&w->sent) != LEAT_OK)
        return leat_fail(LEAT_NOMEM, "no memory for a gob stream");
    return leat_fail(LEAT_INVAL, "%s.%s: a channel end does not travel in gob", t ? t->name : "?", name);
}

static leat_err put_fields(struct gob_writer *w, struct buf *b, const leat_type *t, bool oneof)
{
    uint32_t count = oneof;
    for (uint32_t i = 0; i < t->count; i++)
        count += type_field(t, i)->kind != LEAT_K_LOCAL_;
    if (!count)
        return LEAT_OK;
    buf_u8(b, 1);
    put_uint(b, count);
    if (oneof)
        put_field_type(b, "Which", 0, GOB_UINT);
    for (uint32_t i = 0; i < t->count; i++) {
        const leat_field *f = type_field(t, i);
        if (f->kind == LEAT_K_LOCAL_)
            continue;
        int64_t id = id_of(w, gob_view_field(f));
        if (!id)
            return no_id(w, t, f->name);
        put_field_type(b, f->name, f->flags, id);
    }
    return LEAT_OK;
}

/* ArrayT, SliceT, StructT, MapT and GobEncoderT are fields 0 to 4 of a definition. */
static leat_err put_definition(struct gob_writer *w, struct buf *b, const struct gob_sent *s)
{
    char room[256];
    const leat_type *pair = s->key >> 16 ? s->type : NULL;
    int64_t key = GOB_STRING, elem = 0;
    switch (s->key & 0xFFFF) {
    case LEAT_K_DATE_:
        buf_u8(b, 5);
        put_common(b, "Time", 4, s->id);
        break;
    case LEAT_K_ERROR_:
        buf_u8(b, 3);
        put_common(b, "Error", 5, s->id);
        buf_u8(b, 1);
        put_uint(b, 2);
        put_field_type(b, "Code", 0, GOB_INT);
        put_field_type(b, "Text", 0, GOB_STRING);
        break;
    case LEAT_K_STRUCT_: case LEAT_K_ONEOF_:
        buf_u8(b, 3);
        put_common(b, room, gob_name(room, s->type->name), s->id);
        LEAT_TRY(put_fields(w, b, s->type, (s->key & 0xFFFF) == LEAT_K_ONEOF_));
        break;
    default:
        if (pair)
            key = id_of(w, gob_view_field(type_field(pair, 0)));
        elem = id_of(w, pair ? gob_view_field(type_field(pair, 1)) : gob_view_of(s->type));
        if (!key || !elem)
            return no_id(w, s->type, "value");
        bool is_map = pair || s->key == LEAT_K_MAP_, is_array = s->key == LEAT_K_ARRAY_;
        buf_u8(b, is_map ? 4 : is_array ? 1 : 2);
        put_common(b, "", 0, s->id);
        buf_u8(b, 1);
        put_int(b, is_map ? key : elem);
        if (is_map || is_array) {
            buf_u8(b, 1);
            put_int(b, is_map ? elem : (int64_t)s->len);
        }
    }
    buf_u8(b, 0);
    buf_u8(b, 0);
    return LEAT_OK;
}

static void put_message(struct buf *out, const struct buf *body)
{
    put_uint(out, body->len);
    buf_put(out, body->p, body->len);
}

static leat_err put_definitions(struct gob_writer *w, struct buf *out)
{
    for (size_t i = w->sure / sizeof(struct gob_sent); i < w->sent.len / sizeof(struct gob_sent); i++) {
        struct gob_sent s = *sent_at(w, i);          /* a copy: the lines move as they grow */
        buf_reset(&w->body);
        put_int(&w->body, -s.id);
        LEAT_TRY(put_definition(w, &w->body, &s));
        LEAT_TRY(buf_err(&w->body));
        put_message(out, &w->body);
    }
    return LEAT_OK;
}

/* == Values ============================================================================================================== */

struct place {                                       /* rows: `left` values of v that follow each other; of structs: those after this one */
    struct gob_view v;                               /* of each value of a row */
    const leat_type *fields, *pair;                  /* a struct; the entries of a map with LEAT_PAIRS */
    const char *at;
    uint32_t left, stride, next;                     /* next: the field of `fields` that is next */
    uint32_t skipped;                                /* how many fields on from the last one sent */
    bool keyed;                                      /* the entries of a map: a string first */
};

static leat_err push(struct gob_writer *w, const struct place *p)
{
    if (w->frames.len >= LIMIT_GOB_DEPTH * sizeof *p)
        return leat_fail(LEAT_LIMIT, "values inside each other over %d deep", LIMIT_GOB_DEPTH);
    buf_put(&w->frames, p, sizeof *p);
    return buf_err(&w->frames);
}

static int64_t int_at(struct gob_view v, const void *at)
{
    int8_t a;
    int16_t b;
    int32_t c;
    int64_t d;
    switch (v.size) {
    case 1: memcpy(&a, at, 1); return a;
    case 2: memcpy(&b, at, 2); return b;
    case 4: memcpy(&c, at, 4); return c;
    default: memcpy(&d, at, 8); return d;
    }
}

static uint64_t uint_at(struct gob_view v, const void *at)
{
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    switch (v.size) {
    case 1: memcpy(&a, at, 1); return a;
    case 2: memcpy(&b, at, 2); return b;
    case 4: memcpy(&c, at, 4); return c;
    default: memcpy(&d, at, 8); return d;
    }
}

static uint64_t float_at(struct gob_view v, const void *at)
{
    float f;
    double d;
    uint64_t bits;
    memcpy(&f, at, sizeof f);
    if (v.size == 4)
        d = (double)f;
    else
        memcpy(&d, at, sizeof d);
    memcpy(&bits, &d, sizeof bits);
    return __builtin_bswap64(bits);
}

/* Text of any kind; false: NULL with a length, or chars without an end. */
static bool text_at(struct gob_view v, const char *at, const char **p, size_t *n)
{
    leat_string s;
    if (v.kind == LEAT_K_CHARS_) {
        *p = at;
        *n = strnlen(at, v.size);
        return *n < v.size;
    }
    if (v.kind == LEAT_K_CSTR_) {
        memcpy(p, at, sizeof *p);
        *n = *p ? strlen(*p) : 0;
        return true;
    }
    memcpy(&s, at, sizeof s);
    *p = s.p;
    *n = s.len;
    return s.p || !s.len;
}

/* time.Time's own encoding: version 1, seconds since year 1, nanoseconds, minutes east or -1 for UTC; version 2: seconds east too. */
static uint8_t *raw_date(uint8_t *to, const char *at)
{
    leat_date d;
    memcpy(&d, at, sizeof d);
    uint64_t sec = __builtin_bswap64((uint64_t)d.s + 62135596800u);
    uint32_t ns = __builtin_bswap32(d.ns);
    int32_t minutes = d.offset_s / 60, rest = d.offset_s % 60;
    int16_t east = d.offset_s == 0 ? -1 : (int16_t)minutes;
    to[0] = rest ? 16 : 15;
    to[1] = rest ? 2 : 1;
    memcpy(to + 2, &sec, sizeof sec);
    memcpy(to + 10, &ns, sizeof ns);
    to[14] = (uint8_t)((uint16_t)east >> 8);
    to[15] = (uint8_t)east;
    to[16] = (uint8_t)(int8_t)rest;
    return to + (rest ? 17 : 16);
}

static void put_error(struct buf *b, const char *at)
{
    leat_error e;
    memcpy(&e, at, sizeof e);
    if (e.code) {
        buf_u8(b, 1);
        put_int(b, (int32_t)e.code);                 /* one of another program's may be below 0 */
    }
    if (e.text.len) {
        buf_u8(b, e.code ? 1 : 2);
        put_text(b, e.text.p, e.text.len);
    }
    buf_u8(b, 0);
}

/* Whether Go would leave the field out. */
static bool left_out(struct gob_view v, const char *at)
{
    static const char zeros[16];
    const char *p;
    size_t n;
    leat_error e;
    uint32_t which;
    switch (v.kind) {
    case LEAT_K_BOOL_: case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: case LEAT_K_ENUM_: case LEAT_K_DURATION_:
        return uint_at(v, at) == 0;
    case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_CSTR_: case LEAT_K_CHARS_:
        return text_at(v, at, &p, &n) && n == 0;
    case LEAT_K_LIST_: case LEAT_K_MAP_:
        return ((const leat_strings *)(const void *)at)->len == 0;
    case LEAT_K_OPTIONAL_:
        return memcmp(at, zeros, sizeof(void *)) == 0;
    case LEAT_K_ERROR_:
        memcpy(&e, at, sizeof e);
        return e.code == LEAT_OK && e.text.len == 0;
    case LEAT_K_ONEOF_:
        memcpy(&which, at, sizeof which);
        return which == 0;
    default:
        return false;
    }
}

/* A row of structs is the place of its first one. */
static leat_err push_row(struct gob_writer *w, struct place *p)
{
    uint32_t offset = 0;
    struct gob_view v = gob_view_bare(p->v, &offset);
    if (p->left > 0 && !p->pair && !p->keyed && v.kind == LEAT_K_STRUCT_) {
        p->fields = v.inner;
        p->at += offset;
        p->left--;
    }
    return push(w, p);
}

static leat_err put_block(struct gob_writer *w, struct gob_view v, const char *at)
{
    leat_strings l;
    memcpy(&l, at, sizeof l);
    struct place p = { .v = gob_view_of(v.inner), .at = (const char *)l.at, .left = l.len, .stride = v.inner->size, .pair = gob_pairs(v) };
    if (l.len && !l.at)
        return leat_fail(LEAT_INVAL, "a list of %u elements without an array", l.len);
    if (v.kind == LEAT_K_MAP_) {
        uint32_t value_off;
        p.keyed = true;
        type_plan_layout(v.inner, &value_off, &p.stride);
        p.next = value_off;
    }
    put_uint(&w->body, l.len);
    return push_row(w, &p);
}

static leat_err put_array(struct gob_writer *w, struct gob_view v, const char *at)
{
    uint32_t n = v.size / v.inner->size;
    struct place p = { .v = gob_view_of(v.inner), .at = at, .left = n, .stride = v.inner->size };
    put_uint(&w->body, n);
    return push_row(w, &p);
}

/* A struct, or the case that a oneof has */
static leat_err put_struct(struct gob_writer *w, struct gob_view v, const char *at)
{
    if (v.kind == LEAT_K_OPTIONAL_)
        memcpy(&at, at, sizeof(void *));
    return push(w, &(struct place){ .fields = v.inner, .at = at });
}

enum leaf { LEAF, ZERO, PARTS };                     /* put; not put, as it is zero and may be left out; something else */

/* A value without parts, behind `skip` if that is not 0: it is a field so many on from the last one, and left out when it is zero. */
static inline enum leaf put_leaf(struct buf *b, struct gob_view v, const char *at, uint32_t skip)
{
    leat_string s = { 0 };
    uint64_t x = 0;
    bool zero = false;
    switch (v.kind) {
    case LEAT_K_BOOL_: x = *at != 0; zero = !x; break;
    case LEAT_K_UINT_: x = uint_at(v, at); zero = !x; break;
    case LEAT_K_INT_: case LEAT_K_ENUM_: case LEAT_K_DURATION_: x = uint_of(int_at(v, at)); zero = !x; break;
    case LEAT_K_FLOAT_: zero = !uint_at(v, at); x = float_at(v, at); break;
    case LEAT_K_DATE_: break;
    case LEAT_K_STRING_: case LEAT_K_BYTES_:
        memcpy(&s, at, sizeof s);
        zero = !s.len;
        x = s.len;
        if (!s.p && s.len)
            return PARTS;
        break;
    default: return PARTS;
    }
    if (zero && skip)
        return ZERO;
    uint8_t *from = buf_room(b, UINT_ROOM * 2 + DATE_ROOM + s.len), *to = from;
    if (!from)
        return LEAF;                                 /* what failed is in b */
    if (skip)
        to = raw_uint(to, skip);
    to = v.kind == LEAT_K_DATE_ ? raw_date(to, at) : raw_uint(to, x);
    copy_short(to, s.p, s.len);
    b->len += (size_t)(to - from) + s.len;
    return LEAF;
}

static leat_err put_value(struct gob_writer *w, struct gob_view v, const char *at);

static leat_err put_oneof(struct gob_writer *w, const leat_type *t, const char *at)
{
    uint32_t which, count = 0;
    memcpy(&which, at, sizeof which);
    if (which > t->count)
        return leat_fail(LEAT_INVAL, "%s: no case %u", t->name, which);
    if (which) {
        buf_u8(&w->body, 1);
        put_uint(&w->body, which);
        for (uint32_t i = 0; i + 1 < which; i++)
            count += type_field(t, i)->kind != LEAT_K_LOCAL_;
        put_uint(&w->body, count + 1);
    }
    struct place end = { .fields = t, .next = t->count };
    LEAT_TRY(push(w, &end));
    return which ? put_value(w, gob_view_field(type_field(t, which - 1)), at + type_field(t, which - 1)->offset) : LEAT_OK;
}

/* One value, or what must be done for it later */
static leat_err put_value(struct gob_writer *w, struct gob_view v, const char *at)
{
    uint32_t offset = 0;
    const char *p;
    size_t n;
    v = gob_view_bare(v, &offset);
    at += offset;
    if (put_leaf(&w->body, v, at, 0) == LEAF)
        return LEAT_OK;
    switch (v.kind) {
    case LEAT_K_ERROR_: put_error(&w->body, at); return LEAT_OK;
    case LEAT_K_ONEOF_: return put_oneof(w, v.inner, at);
    case LEAT_K_STRUCT_: case LEAT_K_OPTIONAL_: return put_struct(w, v, at);
    case LEAT_K_LIST_: case LEAT_K_MAP_: return put_block(w, v, at);
    case LEAT_K_ARRAY_: return put_array(w, v, at);
    default:
        if (!text_at(v, at, &p, &n))
            return leat_fail(LEAT_INVAL, "text that is none: chars without a NUL, or a length without bytes");
        put_text(&w->body, p, n);
        return LEAT_OK;
    }
}

/* The fields that are next, to the first one that has parts. */
static leat_err put_next_fields(struct gob_writer *w, struct place *p)
{
    while (p->next < p->fields->count) {
        const leat_field *f = type_field(p->fields, p->next++);
        uint32_t offset = f->offset;
        struct gob_view v = gob_view_bare(gob_view_field(f), &offset);
        if (f->kind == LEAT_K_LOCAL_)
            continue;
        p->skipped++;
        if (unlikely(f->flags & GOB_IF_THERE) && !p->at[f->tag])
            continue;
        enum leaf done = put_leaf(&w->body, v, p->at + offset, p->skipped);
        if (done == ZERO || (done == PARTS && left_out(v, p->at + offset)))
            continue;
        if (done == PARTS) {
            put_uint(&w->body, p->skipped);
            p->skipped = 0;
            return put_value(w, v, p->at + offset);
        }
        p->skipped = 0;
    }
    put_uint(&w->body, 0);
    if (p->left == 0) {
        w->frames.len -= sizeof *p;
        return LEAT_OK;
    }
    p->left--;
    p->at += p->stride;
    p->next = p->skipped = 0;
    return LEAT_OK;
}

static leat_err put_next_of_row(struct gob_writer *w, struct place *p)
{
    if (!p->left--) {
        w->frames.len -= sizeof *p;
        return LEAT_OK;
    }
    const char *at = p->at;
    const leat_field *key = p->pair ? type_field(p->pair, 0) : NULL, *value = p->pair ? type_field(p->pair, 1) : NULL;
    struct gob_view v = p->v;
    p->at += p->stride;
    if (p->keyed) {
        const leat_string *s = (const leat_string *)(const void *)at;
        put_text(&w->body, s->p, s->len);
        at += p->next;
    }
    if (!key)
        return put_value(w, v, at);
    LEAT_TRY(push(w, &(struct place){ .v = gob_view_field(value), .at = at + value->offset, .left = 1 }));
    return put_value(w, gob_view_field(key), at + key->offset);
}

/* *v as the body of a message */
static leat_err put_body(struct gob_writer *w, const leat_type *t, const void *v, int64_t id)
{
    uint32_t offset = 0;
    struct gob_view view = gob_view_bare(gob_view_of(t), &offset);
    bool is_struct = view.kind == LEAT_K_STRUCT_ || view.kind == LEAT_K_OPTIONAL_ || view.kind == LEAT_K_ONEOF_
        || view.kind == LEAT_K_ERROR_;
    const char *at = (const char *)v + offset;
    buf_reset(&w->body);
    buf_reset(&w->frames);
    put_int(&w->body, id);
    if (!is_struct)
        buf_u8(&w->body, 0);
    if (view.kind == LEAT_K_OPTIONAL_ && left_out(view, at))
        return leat_fail(LEAT_INVAL, "%s: gob cannot send a NULL that is not in a struct", t->name);
    leat_err e = put_value(w, view, at);
    while (e == LEAT_OK && w->frames.len) {
        struct place *p = (struct place *)(void *)(w->frames.p + w->frames.len) - 1;
        e = p->fields ? put_next_fields(w, p) : put_next_of_row(w, p);
    }
    return e == LEAT_OK ? buf_err(&w->body) : e;
}

leat_err gob_write(struct gob_writer *w, const leat_type *t, const void *v, struct buf *out)
{
    size_t was = out->len;
    int64_t id = id_of(w, gob_view_of(t));
    leat_err e = id ? put_definitions(w, out) : no_id(w, t, "value");
    if (e == LEAT_OK)
        e = put_body(w, t, v, id);
    if (e == LEAT_OK) {
        put_message(out, &w->body);
        e = buf_err(out);
    }
    if (e == LEAT_OK) {
        w->sure = w->sent.len;
        return e;
    }
    if (e == LEAT_NOMEM || e == LEAT_LIMIT)
        e = leat_fail(e, "%s: as gob it has no room", t->name);
    buf_undo(out, was);
    buf_undo(&w->sent, w->sure);
    return e;
}

void gob_writer_free(struct gob_writer *w)
{
    buf_free(&w->sent);
    buf_free(&w->body);
    buf_free(&w->frames);
}
