/* values.c - fuzz targets of values: leat's own encoding, gob, JSON, and net/rpc, which is made of them. */
#include <string.h>
#include "fuzz.h"
#include "base/limits.h"
#include "rpc/netrpc_args.h"
#include "rpc/netrpc_call.h"
#include "leat/record.h"
#include "type/bridge.h"
#include "type/form_json.h"
#include "type/gob_codec.h"
#include "type/gob_feed.h"
#include "type/json.h"
#include "type/record_feed.h"
#include "values.h"

/* A stream that is given in pieces of step + 1 bytes; FAILS: and breaks at its end. */
enum { FAILS = 254 };
struct bytes { struct cur c; uint8_t step; };
static leat_err give(void *self, void *p, size_t cap, size_t *n)
{
    struct bytes *b = self;
    size_t most = MIN(cap, (size_t)b->step + 1), k = MIN(most, cur_left(&b->c));
    *n = k;
    if (k)
        memcpy(p, cur_take(&b->c, k), k);
    return k == 0 && b->step == FAILS ? leat_fail(LEAT_PEER_LOST, "it broke") : LEAT_OK;
}
static bool broke(const struct bytes *b, leat_err e) { return b->step == FAILS && e == LEAT_PEER_LOST; }

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

/* The same bytes, of which some came by themselves.  What is left of them is the caller's, if the value has not taken it. */
static leat_err decode_part(const leat_type *t, struct cur *c, void *v, struct type_ends *ends, size_t at, size_t len)
{
    struct buf rest = { 0 };
    struct type_part part = { .at = MIN(at, cur_left(c)) };
    part.len = MIN(len, cur_left(c) - part.at);
    if (part.len == 0)                               /* a part has some */
        return LEAT_OK;
    part.p = malloc(part.len);
    FUZZ_CHECK(part.p != NULL);
    memcpy(part.p, c->p + part.at, part.len);
    buf_put(&rest, c->p, part.at);
    buf_put(&rest, c->p + part.at + part.len, cur_left(c) - part.at - part.len);
    struct cur in = cur_of(rest.p, rest.len);
    in.bad = rest.len == 0;
    fuzz_memory_start();
    leat_err e = type_decode_part(t, &in, v, ends, &part);
    fuzz_memory();
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_INVAL || fuzz_honest(e));
    FUZZ_CHECK(e == LEAT_OK ? !in.bad : is_zero(v, t->size));
    if (e == LEAT_OK)
        leat_drop_(t, v);
    free(part.p);
    buf_free(&rest);
    return e;
}

/* What is understood is written as the same bytes; what is not leaves nothing.  0x20: some of them come by themselves, see decode_part;
 * 0x10: those that are found to be worth it in the first `at`. */
/* The value into a buffer on borrowed room that may have no more than some part of its bytes, which has something else in it when that is
 * said. */
static void into_little(const leat_type *t, const void *v, size_t len, uint8_t how, struct type_ends *ends)
{
    static const char before[40] = "";
    uint8_t room[16];
    size_t there = how & 1 ? sizeof before : how & 2 ? 4 : 0, most = there + len * (how & 7) / 7;
    struct buf b = buf_on(room, sizeof room, 4096);
    buf_put(&b, before, there);
    buf_limit(&b, how & 8 && there ? there - 1 : most ? most : 1);
    leat_err e = type_encode(t, v, &b, ends);
    if (b.len >= 4)
        buf_set_u32(&b, 0, 7);                      /* or nothing, when something did not fit */
    FUZZ_CHECK(b.len <= MAX(most, (size_t)1) && (e == LEAT_OK || e == LEAT_LIMIT));
    buf_free(&b);
}

void fuzz_own(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    uint8_t how = fuzz_u8(&in);
    const leat_type *t = type_named(how);
    struct type_ends ends = { .put = put_end, .get = get_end };
    size_t at = how & 0x20 ? fuzz_u8(&in) : 0, len = how & 0x20 ? fuzz_u8(&in) : 0, k = cur_left(&in);
    uint8_t *exact = malloc(k ? k : 1);
    void *v = malloc(t->size);
    FUZZ_CHECK(exact && v);
    if (k)
        memcpy(exact, in.p, k);
    memset(v, 0x5a, t->size);
    struct cur c = cur_of(exact, k);
    struct type_part part;
    if (how & 0x10 && type_find_part(t, cur_of(exact, MIN(at, k)), 1 + len % 8, &part)) {
        FUZZ_CHECK(part.at <= MIN(at, k) && part.at + part.len > MIN(at, k));
        at = part.at;
        len = part.len;
    }
    if (how & 0x20)
        (void)decode_part(t, &c, v, how & 0x80 ? NULL : &ends, at, len);
    memset(v, 0x5a, t->size);
    if (k == 0 && how & 0x10)
        cur_fail(&c);                                /* so it came */
    size_t budget = 2 * k + 40;
    fuzz_memory_start();
    leat_err e = type_decode(t, &c, v, how & 0x80 ? NULL : &ends, how & 0x30 ? NULL : &budget);
    size_t took = fuzz_memory();
    FUZZ_CHECK(e == LEAT_OK || fuzz_honest(e));
    if (how & 0x80 || (t != &shard_type && t != &shard_later_type))      /* channels are the session's to count */
        FUZZ_CHECK(took <= LIMIT_DECODE_RATIO * k + LIMIT_DECODE_FREE + 80 * LIMIT_VALUE_DEPTH);
    if (e == LEAT_OK) {
        struct buf b = { 0 };
        FUZZ_CHECK(type_encode(t, v, &b, &ends) == LEAT_OK);
        FUZZ_CHECK(b.len == k - cur_left(&c) && memcmp(b.p, exact, b.len) == 0);
        into_little(t, v, b.len, how, &ends);
        buf_free(&b);
        leat_drop_(t, v);
    } else {
        FUZZ_CHECK(c.bad && is_zero(v, t->size) && *leat_err_detail());
    }
    free(v);
    free(exact);
}

/* The first byte says which type reads, the second which one wrote, then how many bytes are laid over its form and where; the rest is a
 * value.  0x80: without ends; 0x40: how many is two bytes, and it is one of more[]. */
void fuzz_bridge(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n), form;
    uint8_t how = fuzz_u8(&in), other = fuzz_u8(&in);
    const leat_type *t = how & 0x40 ? more[how % MORE] : bridged[how % BRIDGED];
    struct buf b = { 0 };
    struct type_bridge *as;
    FUZZ_CHECK(type_form(bridged[other % BRIDGED], &form) == LEAT_OK);
    buf_put(&b, form.p, cur_left(&form));
    size_t k = fuzz_u8(&in);
    if (how & 0x40)
        k |= (size_t)fuzz_u8(&in) << 8;
    k = MIN(k, cur_left(&in));
    size_t at = k ? fuzz_u8(&in) % b.len : 0;
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
    FUZZ_CHECK(fuzz_memory() < (1 << 20));
    FUZZ_CHECK((e == LEAT_OK || fuzz_honest(e)) && (check == LEAT_OK || fuzz_honest(check)));
    if (e == LEAT_OK) {
        struct type_ends ends = { .put = put_end, .get = get_end };
        struct cur bytes = cur_of(cur_take(&in, cur_left(&in)), 0);
        bytes.end = in.end;
        bytes.bad = how & 0x10 && cur_left(&in) == 0;
        void *v = malloc(t->size);
        FUZZ_CHECK(v != NULL);
        fuzz_memory_start();
        e = type_decode_as(as, &bytes, v, how & 0x80 ? NULL : &ends, NULL);
        size_t took = fuzz_memory();
        if (e == LEAT_OK)
            leat_drop_(t, v);
        else
            FUZZ_CHECK(bytes.bad && is_zero(v, t->size));
        if (how & 0x80)
            FUZZ_CHECK(took <= as->ratio * n + LIMIT_DECODE_FREE + 80 * LIMIT_VALUE_DEPTH);
        free(v);
        type_bridge_free(as);
    }
    free(exact);
    buf_free(&b);
}

/* -- values in files ----------------------------------------------------------------------------------------------------------- */
static void record_play(struct bytes from, const leat_type *t)
{
    leat_player *r;
    leat_err e;
    void *v = malloc(t->size);
    FUZZ_CHECK(v && leat_player_open(give, &from, 1 << 20, &r) == LEAT_OK);
    fuzz_memory_start();
    while ((e = leat_play_(r, t, v)) == LEAT_OK)
        leat_drop_(t, v);
    fuzz_memory();
    FUZZ_CHECK(e == LEAT_CLOSED || fuzz_honest(e) || broke(&from, e));
    FUZZ_CHECK(is_zero(v, t->size));
    leat_player_close(r);
    free(v);
}

/* The first byte says as what it is played (0x80: the first bytes of a stream are the input's, too), the second in what pieces it comes;
 * it is shown as well. */
void fuzz_record(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    uint8_t how = fuzz_u8(&in);
    const leat_type *t = type_named(how);
    struct bytes from = { .step = fuzz_u8(&in) };
    struct buf b = { 0 }, out = { 0 };
    struct json_sink s = json_to_buf(&out);
    struct cur form = { 0 }, got;
    uint8_t kind;
    uint64_t at;
    size_t len;
    if (!(how & 0x80))
        buf_put(&b, RECORD_MAGIC, RECORD_MAGIC_BYTES);
    buf_put(&b, in.p, cur_left(&in));
    from.c = cur_of(b.p, b.len);
    record_play(from, t);
    struct form_tree tree = { .nodes = { 0 } };
    struct record_feed f = { .read = give, .self = &from, .limit = 1 << 20 };
    out.max = p && n > 1 && p[1] & 1 ? 600 : 1 << 20;
    while (record_next(&f, &kind, &got, &at) == LEAT_OK) {
        static uint8_t kept[1 << 16];
        if (kind == RECORD_TYPE && cur_text(&got, &len) && type_form_valid(got)) {
            memcpy(kept, got.p, cur_left(&got));
            form = cur_of(kept, cur_left(&got));
            form_declare(form, "x_y", 3, &s);
            form_tree_free(&tree);
            fuzz_memory_start();
            leat_err e = form_tree_make(&tree, form);
            fuzz_memory();
            FUZZ_CHECK(e == LEAT_OK || (e == LEAT_NOMEM && fuzz_honest(e)));
            if (e != LEAT_OK)
                form = (struct cur){ 0 };
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
static bool honest(leat_err e) { return e == LEAT_CLOSED || fuzz_honest(e); }

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
        FUZZ_CHECK(shown == LEAT_OK || shown == LEAT_LIMIT || fuzz_starved(shown));
        buf_free(&out);
    }
    FUZZ_CHECK(broke(from, e) || (honest(e) && (e == LEAT_CLOSED || g.why || fuzz_starved(e))));
    struct buf out = { 0 };
    struct json_sink s = json_to_buf(&out);
    e = gob_declarations(&g, &s);
    FUZZ_CHECK(e == LEAT_OK || fuzz_starved(e));
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
            FUZZ_CHECK(put == LEAT_OK || put == LEAT_INVAL || put == LEAT_LIMIT || fuzz_starved(put));
            buf_free(&out);
            gob_writer_free(&w);
            leat_drop_(t, v);
        } else {
            FUZZ_CHECK(is_zero(v, t->size));
        }
    }
    FUZZ_CHECK(honest(e) || broke(from, e));
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
        gob_typed(&from, type_named(how));
    FUZZ_MEMORY(2 * n, 512 << 10);
}

/* -- JSON and net/rpc ----------------------------------------------------------------------------------------------------------- */
/* A first line that begins with # is the type that the text is of. */
void fuzz_json(const uint8_t *p, size_t n)
{
    struct netrpc s;
    struct netrpc_args a;
    char *text = malloc(n + 1), *type = NULL, *json = text, *line;
    FUZZ_CHECK(text && netrpc_open(&s, NULL) == LEAT_OK);
    if (n)
        memcpy(text, p, n);
    text[n] = 0;
    if (*text == '#' && (line = strchr(text, '\n'))) {
        *line = 0;
        type = text + 1;
        json = line + 1;
    }
    fuzz_memory_start();
    for (int i = 0; i < 2; i++) {                    /* again: the shapes are known */
        leat_err e = netrpc_args_read(&a, type, json);
        e = e == LEAT_OK ? netrpc_put_args(&s, &a) : e;
        netrpc_args_free(&a);
        FUZZ_CHECK(e == LEAT_OK || (fuzz_honest(e) && *leat_err_detail()));
    }
    if (!type)                                       /* else its arrays are as long as it says */
        FUZZ_MEMORY(8 * n, 64 << 10);
    netrpc_free(&s);
    free(text);
}

/* What is understood is written as a text that is understood as the same. */
void fuzz_described(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n);
    const leat_type *t = type_named(fuzz_u8(&in));
    size_t k = cur_left(&in);
    char *exact = malloc(k ? k : 1), *v = malloc(t->size);
    struct buf text = { 0 }, again = { 0 };
    FUZZ_CHECK(exact && v);
    if (k)
        memcpy(exact, in.p, k);
    memset(v, 0x5a, t->size);
    fuzz_memory_start();
    leat_err e = type_json_get(t, exact, k, v);
    FUZZ_MEMORY(4 * k, 256 << 10);
    FUZZ_CHECK(e == LEAT_OK || fuzz_honest(e));
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
    FUZZ_CHECK(honest(e) || broke(&from, e));
    FUZZ_MEMORY(4 * n, 512 << 10);
    netrpc_free(&s);
}
