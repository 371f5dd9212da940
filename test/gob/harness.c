/* harness.c - leat's gob, kept alive over a pipe for fuzz/: a request is a byte, a length (32 bits, little-endian) and so many bytes;
 * an answer is a length and so many bytes.
 *
 *   d  a stream: a line a value, the id of its type in 16 digits and what `leat decode` prints; NUL; what is wrong or nothing
 *   k  a stream: its types, a line each
 *   t  a type as text, NUL, a stream: how many values of it fit that type (32 bits), the length of the following (32 bits), those values
 *      as a stream of leat's own encoder, then what is wrong or nothing
 *   n  numbers: 4 or 8, and the bits of such a float, in 8 bytes, of each: a line each, its JSON, a blank, and the bits, in base 16,
 *      of what is read from that
 *
 * The text of a type, which describe in fuzz/types.go writes: b bool; i8, u2, f4 ... numbers of so many bytes; s string; c cstr; y bytes;
 * t date; d duration; e enum; x error; {NAME.FIELD=T.FIELD=T} struct; r3; the fourth struct that began; *T optional; [T list; a5;T array;
 * mT map; pK V pairs. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "leat.h"
#include "type/gob_codec.h"
#include "type/gob_feed.h"

static void *need(void *p)
{
    if (!p) {
        fputs("harness: no memory\n", stderr);
        exit(3);
    }
    return p;
}

/* == Types, which live for ever: what is known of one is kept by its address ================================================ */

LEAT_ENUM(hue, (RED, 0), (GREEN, 7));
LEAT_STRUCT(hued, (enum(hue), h));

struct reader { const char *at; leat_type *structs[64]; int count; };

static leat_field field_of(struct reader *r);

static leat_type *type_new(const char *name, size_t n)
{
    leat_type *t = need(calloc(1, sizeof *t));
    *t = (leat_type){ .name = need(strndup(name, n)), .kind = LEAT_K_STRUCT_, .field_size = sizeof(leat_field), .align = 1 };
    return t;
}

static void add(leat_type *t, const leat_field *f, uint32_t align)
{
    leat_field *all = need(realloc((void *)(uintptr_t)t->fields, (t->count + 1) * sizeof *all));
    uint32_t at = (t->size + align - 1) / align * align;
    all[t->count] = *f;
    all[t->count++].offset = at;
    t->fields = all;
    t->size = at + f->size;
    t->align = t->align > align ? t->align : align;
}

static uint32_t align_of(const leat_field *f)
{
    return f->kind == LEAT_K_STRUCT_ || f->kind == LEAT_K_ARRAY_ ? f->type->align
         : f->kind == LEAT_K_BOOL_ || f->kind == LEAT_K_INT_ || f->kind == LEAT_K_UINT_ || f->kind == LEAT_K_FLOAT_ ? f->size
         : f->kind == LEAT_K_ENUM_ ? (uint32_t)_Alignof(enum hue) : 8;
}

static void round_up(leat_type *t) { t->size = (t->size + t->align - 1) / t->align * t->align; }

/* What stands in a list, a map or at the top: a struct, or one that stands for its only member */
static const leat_type *type_of(leat_field f)
{
    if (f.kind == LEAT_K_STRUCT_)
        return f.type;
    leat_type *t = type_new("bare", 4);
    f.name = "v";
    f.flags |= LEAT_BARE;
    add(t, &f, align_of(&f));
    round_up(t);
    return t;
}

static leat_field struct_of(struct reader *r)
{
    size_t n = strcspn(r->at, ".}");
    leat_type *t = type_new(r->at, n);
    if (r->count == 64)
        exit(3);
    r->structs[r->count++] = t;
    r->at += n;
    while (*r->at == '.') {
        const char *name = r->at + 1;
        r->at = name + strcspn(name, "=") + 1;
        size_t len = (size_t)(r->at - 1 - name);
        leat_field f = field_of(r);
        f.name = need(strndup(name, len));
        add(t, &f, align_of(&f));
    }
    r->at++;
    round_up(t);
    return (leat_field){ .kind = LEAT_K_STRUCT_, .type = t, .size = t->size };
}

static leat_field pairs_of(struct reader *r)
{
    leat_type *t = type_new("pair", 4);
    leat_field k = field_of(r), v = field_of(r);
    k.name = "key";
    v.name = "value";
    add(t, &k, align_of(&k));
    add(t, &v, align_of(&v));
    round_up(t);
    return (leat_field){ .kind = LEAT_K_LIST_, .type = t, .size = sizeof(leat_strings), .flags = LEAT_PAIRS };
}

static leat_field number(struct reader *r, unsigned kind)
{
    return (leat_field){ .kind = (uint16_t)kind, .size = (uint32_t)(*r->at++ - '0') };
}

static leat_field array_of(struct reader *r)
{
    static const leat_type *const ints[] = { [1] = &leat_int8_type_, [2] = &leat_int16_type_, [4] = &leat_int32_type_,
        [8] = &leat_int64_type_ };
    static const leat_type *const uints[] = { [1] = &leat_uint8_type_, [2] = &leat_uint16_type_, [4] = &leat_uint32_type_,
        [8] = &leat_uint64_type_ };
    char *end;
    unsigned n = (unsigned)strtoul(r->at, &end, 10);
    r->at = end + 1;
    leat_field f = field_of(r);
    const leat_type *t = f.kind == LEAT_K_INT_ ? ints[f.size] : f.kind == LEAT_K_UINT_ ? uints[f.size]
                       : f.size == 4 ? &leat_float32_type_ : &leat_float64_type_;
    return (leat_field){ .kind = LEAT_K_ARRAY_, .type = t, .size = n * t->size };
}

static leat_field field_of(struct reader *r)
{
    char *end;
    int nth;
    switch (*r->at++) {
    case 'b': return (leat_field){ .kind = LEAT_K_BOOL_, .size = 1 };
    case 'i': return number(r, LEAT_K_INT_);
    case 'u': return number(r, LEAT_K_UINT_);
    case 'f': return number(r, LEAT_K_FLOAT_);
    case 's': return (leat_field){ .kind = LEAT_K_STRING_, .size = sizeof(leat_string) };
    case 'c': return (leat_field){ .kind = LEAT_K_CSTR_, .size = sizeof(char *) };
    case 'y': return (leat_field){ .kind = LEAT_K_BYTES_, .size = sizeof(leat_bytes) };
    case 't': return (leat_field){ .kind = LEAT_K_DATE_, .size = sizeof(leat_date) };
    case 'd': return (leat_field){ .kind = LEAT_K_DURATION_, .size = sizeof(leat_dur) };
    case 'e': return (leat_field){ .kind = LEAT_K_ENUM_, .size = sizeof(enum hue), .type = &hue_type };
    case 'x': return (leat_field){ .kind = LEAT_K_ERROR_, .size = sizeof(leat_error) };
    case '{': return struct_of(r);
    case 'r':
        nth = (int)strtol(r->at, &end, 10);
        r->at = end + 1;
        /* a size of 0: it is not done, so this is by pointer */
        return (leat_field){ .kind = LEAT_K_STRUCT_, .type = r->structs[nth], .size = r->structs[nth]->size };
    case '*': return (leat_field){ .kind = LEAT_K_OPTIONAL_, .type = type_of(field_of(r)), .size = sizeof(void *) };
    case '[': return (leat_field){ .kind = LEAT_K_LIST_, .type = type_of(field_of(r)), .size = sizeof(leat_strings) };
    case 'm': return (leat_field){ .kind = LEAT_K_MAP_, .type = type_of(field_of(r)), .size = sizeof(leat_strings) };
    case 'a': return array_of(r);
    case 'p': return pairs_of(r);
    }
    fprintf(stderr, "harness: a type that is none: %s\n", r->at - 1);
    exit(3);
}

static const leat_type *type_from(const char *text)
{
    enum { MAX = 1 << 16 };
    static struct { char *text; const leat_type *type; } known[MAX];
    size_t at = 5381;
    for (const char *p = text; *p; p++)
        at = at * 33 + (unsigned char)*p;
    for (at %= MAX; known[at].text; at = (at + 1) % MAX)
        if (strcmp(known[at].text, text) == 0)
            return known[at].type;
    struct reader r = { .at = text };
    known[at].type = type_of(field_of(&r));
    known[at].text = need(strdup(text));
    return known[at].type;
}

/* == Streams ============================================================================================================== */

struct source { const uint8_t *p; size_t n; };

static leat_err source_read(void *self, void *p, size_t cap, size_t *n)
{
    struct source *s = self;
    *n = s->n < cap ? s->n : cap;
    if (*n)
        memcpy(p, s->p, *n);
    s->p += *n;
    s->n -= *n;
    return LEAT_OK;
}

static void put_why(struct buf *out, leat_err e, const struct gob *g)
{
    char text[400];
    int n = snprintf(text, sizeof text, "%s: byte %llu: %s", leat_err_name(e), (unsigned long long)g->at, g->why ? g->why : "");
    buf_put(out, text, (size_t)n);
}

static void put_text(struct buf *out, const struct gob_text *t)
{
    if (t->n)
        buf_put(out, t->p, t->n);
    buf_u8(out, ' ');
}

static void put_number(struct buf *out, int64_t n)
{
    char text[24];
    buf_put(out, text, (size_t)snprintf(text, sizeof text, "%016lld", (long long)n));
}

static void put_type(struct buf *out, const struct gob_type *t)
{
    put_number(out, t->id);
    put_number(out, (int64_t)t->kind);
    put_number(out, t->elem);
    put_number(out, t->key);
    put_number(out, (int64_t)t->len);
    put_text(out, &t->name);
    for (size_t i = 0; i < t->nfields; i++) {
        put_number(out, t->fields[i].type);
        put_text(out, &t->fields[i].name);
    }
    buf_u8(out, '\n');
}

static void decode(const uint8_t *p, size_t n, struct buf *out, bool types)
{
    struct source from = { p, n };
    struct gob g = { 0 };
    struct gob_feed f = { .read = source_read, .self = &from, .gob = &g, .limit = LIMIT_GOB_MESSAGE };
    const struct json_sink to = json_to_buf(out);
    leat_err e;
    while ((e = gob_feed_next(&f)) == LEAT_OK) {
        if (!g.value || types)
            continue;
        put_number(out, g.type);
        if ((e = gob_json(&g, &to)) != LEAT_OK)
            break;
        buf_u8(out, '\n');
    }
    for (size_t i = 0; types && i < g.size; i++)
        if (g.table[i])
            put_type(out, g.table[i]);
    buf_u8(out, 0);
    if (e != LEAT_CLOSED && !types)
        put_why(out, e, &g);
    gob_feed_free(&f);
    gob_free(&g);
}

static void through(const uint8_t *p, size_t n, struct buf *out)
{
    const leat_type *t = type_from((const char *)p);
    size_t text = strlen((const char *)p) + 1;
    struct source from = { p + text, n - text };
    struct gob_reader r = { 0 };
    struct gob_writer w = { 0 };
    struct gob_feed f = { .read = source_read, .self = &from, .gob = &r.gob, .limit = LIMIT_GOB_MESSAGE };
    struct buf again = { 0 }, why = { 0 };
    void *v = need(malloc(t->size ? t->size : 1));
    uint32_t good = 0;
    leat_err e;
    for (;; good++) {
        if ((e = gob_feed_value(&f)) != LEAT_OK) {
            if (e != LEAT_CLOSED)
                put_why(&why, e, &r.gob);
            break;
        }
        if ((e = gob_read(&r, t, v)) != LEAT_OK) {
            const char *text_of = leat_err_detail();
            buf_put(&why, "misfit: ", 8);
            buf_put(&why, text_of, strlen(text_of));
            break;
        }
        if (gob_write(&w, t, v, &again) != LEAT_OK) {
            fprintf(stderr, "harness: cannot be written: %s\n", leat_err_detail());
            abort();
        }
        leat_drop_(t, v);
    }
    free(v);
    buf_put(out, &good, 4);
    uint32_t len = (uint32_t)again.len;
    buf_put(out, &len, 4);
    if (len)
        buf_put(out, again.p, len);
    if (why.len)
        buf_put(out, why.p, why.len);
    buf_free(&again);
    buf_free(&why);
    gob_feed_free(&f);
    gob_reader_free(&r);
    gob_writer_free(&w);
}

/* == Floats ================================================================================================================= */

LEAT_STRUCT(wide, (float64, v));
LEAT_STRUCT(narrow, (float32, v));

/* {"v":1.5}: 1.5 and what is read back, bits */
static void put_float(struct buf *out, leat_string json, uint64_t bits)
{
    char text[24];
    buf_put(out, json.p + 5, json.len - 6);
    int n = snprintf(text, sizeof text, " %llx\n", (unsigned long long)bits);
    buf_put(out, text, (size_t)n);
    leat_string_drop(&json);
}

static void numbers(const uint8_t *p, size_t n, struct buf *out)
{
    for (const uint8_t *end = p + n - n % 9; p < end; p += 9) {
        leat_string json = { 0 };
        uint32_t less;
        uint64_t bits;
        struct narrow f, f_again = { 0 };
        struct wide d, d_again = { 0 };
        memcpy(&d.v, p + 1, sizeof d.v);
        memcpy(&f.v, p + 1, sizeof f.v);
        if ((p[0] == 4 ? leat_json_write(narrow, &f, &json) : leat_json_write(wide, &d, &json)) != LEAT_OK)
            need(NULL);
        if ((p[0] == 4 ? leat_json_read(narrow, json.p, json.len, &f_again) : leat_json_read(wide, json.p, json.len, &d_again)) != LEAT_OK)
            abort();
        memcpy(&less, &f_again.v, sizeof less);
        memcpy(&bits, &d_again.v, sizeof bits);
        put_float(out, json, p[0] == 4 ? less : bits);
    }
}

static void *serve(void *none)
{
    struct buf out = { 0 };
    uint8_t *in = NULL, head[5];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        uint32_t n;
        memcpy(&n, head + 1, 4);
        uint8_t *block = need(malloc(n + 1u));                       /* of its own size, so that a read behind it is seen */
        if (fread(block, 1, n, stdin) != n)
            exit(3);
        block[n] = 0;
        buf_reset(&out);
        if (head[0] == 't')
            through(block, n, &out);
        else if (head[0] == 'n')
            numbers(block, n, &out);
        else
            decode(block, n, &out, head[0] == 'k');
        free(block);
        if (buf_err(&out) != LEAT_OK)
            need(NULL);
        n = (uint32_t)out.len;
        fwrite(&n, 1, 4, stdout);
        if (n)
            fwrite(out.p, 1, n, stdout);
        fflush(stdout);
    }
    free(in);
    buf_free(&out);
    return none;
}

int main(void)
{
    enum { STACK = 64 << 20 };                       /* as `leat decode` has */
    pthread_attr_t deep;
    pthread_t t;
    (void)hued_type;
    pthread_attr_init(&deep);
    pthread_attr_setstacksize(&deep, STACK);
    if (pthread_create(&t, &deep, serve, NULL) != 0)
        return 3;
    pthread_join(t, NULL);
    return 0;
}
