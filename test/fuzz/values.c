/* values.c - fuzz targets of values: leat's own encoding, gob, JSON, and net/rpc, which is made of them. */
#include <string.h>
#include "fuzz.h"
#include "base/limits.h"
#include "rpc/netrpc_call.h"
#include "leat/record.h"
#include "type/bridge.h"
#include "type/form_json.h"
#include "type/gob_codec.h"
#include "type/gob_feed.h"
#include "type/json.h"
#include "type/record_feed.h"
#include "type/type_test.h"

static const leat_type *const types[] = { &all_type, &node_type, &word_type, &shard_type, &old_type, &numbers_type, &loose_type,
    &point_type, &square_type };

static bool is_zero(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const char *)p)[i])
            return false;
    return true;
}

/* -- leat's own --------------------------------------------------------------------------------------------------------------- */
static leat_err get_end(struct type_ends *self, struct cur *in, int is_rx, const leat_type *elem, const struct type_bridge *as,
    leat_chan_ **ret)
{
    uint8_t b = cur_u8(in);
    (void)self, (void)is_rx, (void)as;
    if (in->bad || b > 1)
        return leat_fail(LEAT_INVAL, "no end");
    *ret = leat_chan_make_(elem->size, b);
    return *ret ? LEAT_OK : LEAT_NOMEM;
}
static leat_err put_end(struct type_ends *self, leat_chan_ *c, int is_rx, const leat_type *elem, struct buf *out)
{
    (void)self, (void)is_rx, (void)elem;
    buf_u8(out, (uint8_t)leat_cap_(c));
    return buf_err(out);
}

/* What is understood is written as the same bytes; what is not leaves nothing. */
void fuzz_own(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    uint8_t how = fuzz_u8(&in);
    const leat_type *t = types[how % ARRAY_LEN(types)];
    struct type_ends ends = { .put = put_end, .get = get_end };
    size_t k = cur_left(&in);
    uint8_t *exact = malloc(k ? k : 1);
    void *v = malloc(t->size);
    FUZZ_CHECK(exact && v);
    if (k)
        memcpy(exact, in.p, k);
    memset(v, 0x5a, t->size);
    struct cur c = cur_of(exact, k);
    fuzz_memory_start();
    leat_err e = type_decode(t, &c, v, how & 0x80 ? NULL : &ends, NULL);
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT || e == LEAT_INVAL);
    if (how & 0x80 || t != &shard_type)              /* channels are the session's to count */
        FUZZ_MEMORY(k, LIMIT_DECODE_FREE + 80 * LIMIT_VALUE_DEPTH);
    if (e == LEAT_OK) {
        struct buf b = { 0 };
        FUZZ_CHECK(type_encode(t, v, &b, &ends) == LEAT_OK);
        FUZZ_CHECK(b.len == k - cur_left(&c) && memcmp(b.p, exact, b.len) == 0);
        buf_free(&b);
        leat_drop_(t, v);
    } else {
        FUZZ_CHECK(c.bad && is_zero(v, t->size) && *leat_err_detail());
    }
    free(v);
    free(exact);
}

/* what became of the types of type_test.h */
LEAT_STRUCT(numbers_later, (int16, a), (int64, b), (int32, c), (uint16, e), (int32, f), (int64, g), (uint64, h), (float64, i), (bool, k),
    (bool, fresh));
LEAT_STRUCT(square_later, (string, label), (float64, side), (int8, more));
LEAT_ONEOF(shape_later, (int64, tiny), (string, words), (struct(square_later), square), (bool, flag));
LEAT_STRUCT(node_later, (map(node_later), by_name), (list(node_later), kids), (string, name), (optional(node_later), right));
LEAT_STRUCT(all_later, (array(uint32_t, 9), five), (oneof(shape_later), shape), (struct(point), spot), (map(square_later), squares),
    (optional(numbers_later), numbers), (bytes, name), (date, when), (error, failed), (list(point), looses), (struct(node_later), tree));
struct old_later { char name[60]; leat_string note; unsigned long long id; };
LEAT_DESCRIBE(old_later, (chars(60), name), (string, note), (uint64, id));
LEAT_STRUCT(word_later, (uint64, times), (bytes, text));
LEAT_STRUCT(shard_later, (tx(word), out), (rx(word_later), in), (int8, n));
LEAT_STRUCT(shard_less, (bytes, text));
static const leat_type *const bridged[] = { &word_type, &all_type, &node_type, &shape_type, &old_type, &shard_type, &numbers_type,
    &word_later_type, &all_later_type, &node_later_type, &shape_later_type, &old_later_type, &shard_later_type, &numbers_later_type,
    &shard_less_type };

/* The first byte says which type reads, the second which one wrote, then how many bytes are laid over its form and where; the rest is a
 * value.  0x80: without ends. */
void fuzz_bridge(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n), form;
    uint8_t how = fuzz_u8(&in), other = fuzz_u8(&in);
    const leat_type *t = bridged[how % ARRAY_LEN(bridged)];
    struct buf b = { 0 };
    struct type_bridge *as;
    FUZZ_CHECK(type_form(bridged[other % ARRAY_LEN(bridged)], &form) == LEAT_OK);
    buf_put(&b, form.p, cur_left(&form));
    size_t k = MIN((size_t)fuzz_u8(&in), cur_left(&in)), at = k ? fuzz_u8(&in) % b.len : 0;
    k = MIN(k, cur_left(&in));
    if (other & 0x80)
        b.len = at;                                  /* not over it, but instead of its end */
    for (size_t i = 0; i < k; i++)
        if (at + i < b.len)
            b.p[at + i] = fuzz_u8(&in);
        else
            buf_u8(&b, fuzz_u8(&in));
    uint8_t *exact = malloc(b.len ? b.len : 1);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, b.p, b.len);
    fuzz_memory_start();
    leat_err e = type_bridge_make(t, cur_of(exact, b.len), &as), check = type_bridge_check(t, cur_of(exact, b.len));
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT);
    FUZZ_CHECK(check == LEAT_OK || check == LEAT_TYPE || check == LEAT_LIMIT);
    FUZZ_CHECK(fuzz_memory() < (1 << 20));
    if (e == LEAT_OK) {
        struct type_ends ends = { .put = put_end, .get = get_end };
        struct cur bytes = cur_of(cur_take(&in, cur_left(&in)), 0);
        bytes.end = in.end;
        void *v = malloc(t->size);
        FUZZ_CHECK(v != NULL);
        fuzz_memory_start();
        if (type_decode_as(as, &bytes, v, how & 0x80 ? NULL : &ends, NULL) == LEAT_OK)
            leat_drop_(t, v);
        else
            FUZZ_CHECK(bytes.bad && is_zero(v, t->size));
        if (how & 0x80)
            FUZZ_CHECK(fuzz_memory() <= as->ratio * n + LIMIT_DECODE_FREE + 80 * LIMIT_VALUE_DEPTH);
        free(v);
        type_bridge_free(as);
    }
    free(exact);
    buf_free(&b);
}

/* -- values in files ----------------------------------------------------------------------------------------------------------- */
struct stream { struct cur c; uint8_t step; };       /* given in pieces of `step` */
static leat_err give_some(void *self, void *p, size_t cap, size_t *n)
{
    struct stream *b = self;
    size_t most = MIN(cap, (size_t)b->step + 1), k = MIN(most, cur_left(&b->c));
    *n = k;
    if (k)
        memcpy(p, cur_take(&b->c, k), k);
    return LEAT_OK;
}

static void record_play(struct stream from, const leat_type *t)
{
    leat_player *r;
    leat_err e;
    void *v = malloc(t->size);
    FUZZ_CHECK(v && leat_player_open(give_some, &from, 1 << 20, &r) == LEAT_OK);
    while ((e = leat_play_(r, t, v)) == LEAT_OK)
        leat_drop_(t, v);
    FUZZ_CHECK(e == LEAT_CLOSED || e == LEAT_INVAL || e == LEAT_LIMIT || e == LEAT_TYPE);
    FUZZ_CHECK(is_zero(v, t->size));
    leat_player_close(r);
    free(v);
}

/* The first byte says as what it is played, the second in what pieces it comes; it is shown as well. */
void fuzz_record(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    const leat_type *t = types[fuzz_u8(&in) % ARRAY_LEN(types)];
    struct stream from = { .step = fuzz_u8(&in) };
    struct buf b = { 0 }, out = { 0 };
    struct json_sink s = json_to_buf(&out);
    struct cur form = { 0 }, got;
    uint8_t kind;
    uint64_t at;
    size_t len;
    buf_put(&b, RECORD_MAGIC, RECORD_MAGIC_BYTES);
    buf_put(&b, in.p, cur_left(&in));
    from.c = cur_of(b.p, b.len);
    record_play(from, t);
    struct form_tree tree = { .nodes = { 0 } };
    struct record_feed f = { .read = give_some, .self = &from, .limit = 1 << 20 };
    out.max = 1 << 20;
    while (record_next(&f, &kind, &got, &at) == LEAT_OK) {
        static uint8_t kept[1 << 16];
        if (kind == RECORD_TYPE && cur_text(&got, &len) && type_form_valid(got)) {
            memcpy(kept, got.p, cur_left(&got));
            form = cur_of(kept, cur_left(&got));
            form_declare(form, "x_y", 3, &s);
            form_tree_free(&tree);
            FUZZ_CHECK(form_tree_make(&tree, form) == LEAT_OK);
        } else if (kind == RECORD_VALUE && cur_left(&form)) {
            uint64_t steps = 0;
            (void)cur_varint(&got);
            const char *why = form_json(&tree, got, &s, &len, &steps);
            FUZZ_CHECK(why || len == cur_left(&got));
            FUZZ_CHECK(steps <= (1 << 17) + 80 * (uint64_t)cur_left(&got));
        }
        buf_reset(&out);
    }
    form_tree_free(&tree);
    buf_free(&f.in);
    buf_free(&out);
    buf_free(&b);
}

/* -- gob ---------------------------------------------------------------------------------------------------------------------- */
struct bytes { struct cur c; uint8_t step; };        /* given in pieces of `step` */
static leat_err give(void *self, void *p, size_t cap, size_t *n)
{
    struct bytes *b = self;
    size_t most = MIN(cap, (size_t)b->step + 1), k = MIN(most, cur_left(&b->c));
    *n = k;
    if (k)
        memcpy(p, cur_take(&b->c, k), k);
    return LEAT_OK;
}

static bool honest(leat_err e) { return e == LEAT_INVAL || e == LEAT_LIMIT || e == LEAT_TYPE || e == LEAT_CLOSED; }

static void gob_print(struct bytes *from)
{
    struct gob g = { 0 };
    struct gob_feed f = { .read = give, .self = from, .gob = &g, .limit = 1 << 20 };
    leat_err e;
    g.deepest = 1000;
    while ((e = gob_feed_value(&f)) == LEAT_OK) {
        struct buf out = { 0 };
        struct json_sink s = json_to_buf(&out);
        leat_err shown = gob_json(&g, &s);
        FUZZ_CHECK(shown == LEAT_OK || shown == LEAT_LIMIT);
        buf_free(&out);
    }
    FUZZ_CHECK(honest(e) && (e == LEAT_CLOSED || g.why));
    struct buf out = { 0 };
    struct json_sink s = json_to_buf(&out);
    FUZZ_CHECK(gob_declarations(&g, &s) == LEAT_OK);
    buf_free(&out);
    gob_feed_free(&f);
    gob_free(&g);
}

static void gob_typed(struct bytes *from, const leat_type *t)
{
    struct gob_reader r = { 0 };
    struct gob_feed f = { .read = give, .self = from, .gob = &r.gob, .limit = 1 << 20 };
    void *v = malloc(t->size);
    leat_err e;
    FUZZ_CHECK(v != NULL);
    while ((e = gob_feed_value(&f)) == LEAT_OK) {
        memset(v, 0x5a, t->size);
        leat_err got = gob_read(&r, t, v);
        FUZZ_CHECK(got == LEAT_OK || honest(got));
        if (got == LEAT_OK) {
            struct gob_writer w = { 0 };
            struct buf out = { 0 };
            leat_err put = gob_write(&w, t, v, &out);
            FUZZ_CHECK(put == LEAT_OK || put == LEAT_INVAL || put == LEAT_LIMIT);
            buf_free(&out);
            gob_writer_free(&w);
            leat_drop_(t, v);
        } else {
            FUZZ_CHECK(is_zero(v, t->size));
        }
    }
    FUZZ_CHECK(honest(e));
    free(v);
    gob_feed_free(&f);
    gob_reader_free(&r);
}

void fuzz_gob(const uint8_t *p, size_t n)
{
    struct bytes from = { .c = cur_of(p, n) };
    uint8_t how = fuzz_u8(&from.c);
    from.step = fuzz_u8(&from.c);
    fuzz_memory_start();
    if (how & 0x80)
        gob_print(&from);
    else
        gob_typed(&from, types[how % ARRAY_LEN(types)]);
    FUZZ_MEMORY(2 * n, 512 << 10);
}

/* -- JSON and net/rpc ----------------------------------------------------------------------------------------------------------- */
void fuzz_json(const uint8_t *p, size_t n)
{
    struct netrpc s;
    char *text = malloc(n + 1);
    FUZZ_CHECK(text && netrpc_open(&s, NULL) == LEAT_OK);
    if (n)
        memcpy(text, p, n);
    text[n] = 0;
    fuzz_memory_start();
    for (int i = 0; i < 2; i++) {                    /* again: the shapes are known */
        leat_err e = netrpc_put_json(&s, text);
        FUZZ_CHECK(e == LEAT_OK || e == LEAT_INVAL || e == LEAT_LIMIT || e == LEAT_TYPE);
        FUZZ_CHECK(e == LEAT_OK || *leat_err_detail());
    }
    FUZZ_MEMORY(8 * n, 64 << 10);
    netrpc_free(&s);
    free(text);
}

/* What is understood is written as a text that is understood as the same. */
void fuzz_described(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    const leat_type *t = types[fuzz_u8(&in) % ARRAY_LEN(types)];
    size_t k = cur_left(&in);
    char *exact = malloc(k ? k : 1), *v = malloc(t->size);
    struct buf text = { 0 }, again = { 0 };
    FUZZ_CHECK(exact && v);
    if (k)
        memcpy(exact, in.p, k);
    memset(v, 0x5a, t->size);
    fuzz_memory_start();
    leat_err e = type_json_get(t, exact, k, v);
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_TYPE || e == LEAT_LIMIT || e == LEAT_INVAL);
    FUZZ_MEMORY(4 * k, 256 << 10);
    if (e == LEAT_OK) {
        FUZZ_CHECK(type_json_put(t, v, &text) == LEAT_OK);
        leat_drop_(t, v);
        FUZZ_CHECK(type_json_get(t, (const char *)text.p, text.len, v) == LEAT_OK);
        FUZZ_CHECK(type_json_put(t, v, &again) == LEAT_OK);
        FUZZ_CHECK(text.len == again.len && memcmp(text.p, again.p, text.len) == 0);
        leat_drop_(t, v);
    } else {
        FUZZ_CHECK(is_zero(v, t->size) && *leat_err_detail());
    }
    buf_free(&text);
    buf_free(&again);
    free(v);
    free(exact);
}

/* The client's or the server's side of a stream: headers and bodies in turn. */
void fuzz_netrpc(const uint8_t *p, size_t n)
{
    struct bytes from = { .c = cur_of(p, n) };
    uint8_t how = fuzz_u8(&from.c);
    struct netrpc s;
    from.step = fuzz_u8(&from.c);
    FUZZ_CHECK(netrpc_open(&s, NULL) == LEAT_OK);
    s.feed.read = give;
    s.feed.self = &from;
    fuzz_memory_start();
    leat_err e = LEAT_OK;
    while (e == LEAT_OK || e == LEAT_TYPE) {
        union { struct Request q; struct Response a; struct all v; } v;
        e = how & 1 ? netrpc_get(&s, &Request_type, &v.q) : netrpc_get(&s, &Response_type, &v.a);
        if (e == LEAT_OK)
            leat_drop_(how & 1 ? &Request_type : &Response_type, &v);
        if (e != LEAT_OK && e != LEAT_TYPE)
            break;
        leat_string json = { 0 };
        e = how & 2 ? netrpc_get_json(&s, &json) : how & 4 ? netrpc_skip(&s) : netrpc_get(&s, &all_type, &v.v);
        leat_drop_(&word_type, &(struct word){ .text = json });
        if (e == LEAT_OK && !(how & 6))
            leat_drop(all, &v.v);
    }
    FUZZ_CHECK(honest(e));
    FUZZ_MEMORY(4 * n, 512 << 10);
    netrpc_free(&s);
}

/* -- inputs that make sense --------------------------------------------------------------------------------------------------- */
/* Texts that no format refuses. */
static void plain(const leat_type *t, void *v)
{
    struct buf b = { 0 };
    struct type_ends ends = { .put = put_end, .get = get_end };
    if (type_encode(t, v, &b, &ends) == LEAT_OK)
        for (size_t i = 0; i < b.len; i++)
            b.p[i] &= 0x7f;
    struct cur c = cur_of(b.p, b.len);
    leat_drop_(t, v);
    memset(v, 0, t->size);
    if (type_decode(t, &c, v, &ends, NULL) != LEAT_OK)
        memset(v, 0, t->size);
    buf_free(&b);
}

static leat_err made_gob(const leat_type *t, const void *v, struct buf *ret)
{
    struct gob_writer w = { 0 };
    leat_err e = gob_write(&w, t, v, ret);
    if (e == LEAT_OK)
        e = gob_write(&w, t, v, ret);                /* the second one has no definitions */
    gob_writer_free(&w);
    return e;
}

bool fuzz_made(const char *target, uint32_t number, struct buf *ret)
{
    bool own = strcmp(target, "own") == 0, gob = strcmp(target, "gob") == 0, json = strcmp(target, "described") == 0;
    struct type_ends ends = { .put = put_end, .get = get_end };
    uint8_t which = (uint8_t)(number % (own || gob || json ? ARRAY_LEN(types) : ARRAY_LEN(bridged)));
    const leat_type *t = own || gob || json ? types[which] : bridged[which];
    struct rng r;
    if (!own && !gob && !json && strcmp(target, "bridge") != 0)
        return false;
    rng_init(&r, number + 1);
    void *v = calloc(1, t->size);
    FUZZ_CHECK(v != NULL);
    fill(t, v, &r);
    if (number / ARRAY_LEN(bridged) % 2)
        plain(t, v);
    buf_reset(ret);
    buf_u8(ret, own || gob || json ? which : (uint8_t)(rng_below(&r, ARRAY_LEN(bridged))));
    if (gob)
        buf_u8(ret, (uint8_t)rng_below(&r, 8));
    else if (!own && !json)
        buf_u8(ret, which), buf_u8(ret, 0);
    leat_err e = gob ? made_gob(t, v, ret) : json ? type_json_put(t, v, ret) : type_encode(t, v, ret, &ends);
    leat_drop_(t, v);
    free(v);
    return e == LEAT_OK;
}
