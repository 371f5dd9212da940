/* record.c - described values in files: see leat/record.h, and docs/wire.md for the bytes. */
#include "leat/record.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "type/bridge.h"
#include "type/record_feed.h"

/* -- writing ---------------------------------------------------------------------------------------------------------------------- */
struct leat_recorder {
    leat_record_write *write;
    void *self;
    bool begun;
    leat_err broken;
    uint32_t types;
    struct buf out, value;                           /* of one call */
    const leat_type *type[RECORD_TYPES];
};

leat_err leat_recorder_open(leat_record_write *write, void *self, leat_recorder **ret)
{
    leat_recorder *r = mem_zalloc(sizeof *r);
    if (!r)
        return leat_fail(LEAT_NOMEM, "no memory for a recorder");
    r->write = write;
    r->self = self;
    *ret = r;
    return LEAT_OK;
}

void leat_recorder_close(leat_recorder *r)
{
    if (!r)
        return;
    buf_free(&r->out);
    buf_free(&r->value);
    mem_free(r);
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static leat_err put_type(leat_recorder *r, const leat_type *t)
{
    struct cur form;
    size_t name = MIN(strlen(t->name), (size_t)LIMIT_TYPE_NAME);
    LEAT_TRY(type_form(t, &form));
    buf_varint(&r->out, 1 + varint_bytes(name) + name + cur_left(&form));
    buf_u8(&r->out, RECORD_TYPE);
    buf_text(&r->out, t->name, name);
    buf_put(&r->out, form.p, cur_left(&form));
    return LEAT_OK;
}

/* The whole of what is to be written; nothing has changed yet but r->out. */
static leat_err build(leat_recorder *r, const leat_type *t, const void *v, uint32_t *number)
{
    uint32_t i = 0;
    while (i < r->types && r->type[i] != t)
        i++;
    if (i == RECORD_TYPES)
        return leat_fail(LEAT_LIMIT, "leat_record: over %d types in one stream", RECORD_TYPES);
    *number = i + 1;
    buf_reset(&r->out);
    buf_reset(&r->value);
    r->value.max = RECORD_MAX - 16;
    r->out.max = RECORD_MAX + LIMIT_TYPE_BYTES * 2;
    LEAT_TRY(type_encode(t, v, &r->value, NULL));
    if (!r->begun)
        buf_put(&r->out, RECORD_MAGIC, RECORD_MAGIC_BYTES);
    if (i == r->types)
        LEAT_TRY(put_type(r, t));
    buf_varint(&r->out, 1 + varint_bytes(*number) + r->value.len);
    buf_u8(&r->out, RECORD_VALUE);
    buf_varint(&r->out, *number);
    buf_put(&r->out, r->value.p, r->value.len);
    return buf_err(&r->out) == LEAT_OK ? LEAT_OK : leat_fail(buf_err(&r->out), "leat_record: no room for a value of %s", t->name);
}

leat_err leat_record_(leat_recorder *r, const leat_type *t, const void *v)
{
    uint32_t number = 0;
    if (r->broken != LEAT_OK)
        return leat_fail(r->broken, "leat_record: the stream is broken, as an earlier write has failed");
    LEAT_TRY(build(r, t, v, &number));
    leat_err e = r->broken = r->write(r->self, r->out.p, r->out.len);
    if (e != LEAT_OK)
        return e;
    r->begun = true;
    if (number > r->types)
        r->type[r->types++] = t;
    return LEAT_OK;
}

/* -- reading ---------------------------------------------------------------------------------------------------------------------- */
struct played {                                      /* a type of the stream */
    uint8_t *form;
    size_t len;
    const leat_type *as;                             /* what it was read as last, and how; bridge NULL: it is the same */
    struct type_bridge *bridge;
};
struct leat_player {
    struct record_feed feed;
    uint32_t types;
    struct played *next;                             /* the type of the value that waits; NULL: none does */
    struct cur value;
    uint64_t at;                                     /* where it begins in the stream */
    struct played type[RECORD_TYPES];
};

leat_err leat_player_open(leat_record_read *read, void *self, size_t limit, leat_player **ret)
{
    leat_player *r = mem_zalloc(sizeof *r);
    if (!r)
        return leat_fail(LEAT_NOMEM, "no memory for a player");
    r->feed = (struct record_feed){ .read = read, .self = self, .limit = limit && limit < RECORD_MAX ? limit : RECORD_MAX };
    *ret = r;
    return LEAT_OK;
}

void leat_player_close(leat_player *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->types; i++) {
        mem_free(r->type[i].form);
        type_bridge_free(r->type[i].bridge);
    }
    buf_free(&r->feed.in);
    mem_free(r);
}

static leat_err failed(leat_player *r, leat_err e)
{
    if (r->feed.why)
        return leat_fail(e, "leat_play: byte %llu: %s", (unsigned long long)r->feed.at, r->feed.why);
    return e == LEAT_NOMEM ? leat_fail(e, "leat_play: no memory") : e;
}

static leat_err bad(leat_player *r, uint64_t at, const char *why)
{
    (void)record_bad(&r->feed, at, why);
    return failed(r, LEAT_INVAL);
}

static leat_err on_type(leat_player *r, struct cur in, uint64_t at)
{
    size_t n;
    (void)cur_text(&in, &n);
    if (in.bad || n > LIMIT_TYPE_NAME || !type_form_valid(in))
        return bad(r, at, "a description that is none");
    if (r->types == RECORD_TYPES)
        return bad(r, at, "more than 1,024 types");
    struct played *t = &r->type[r->types];
    t->len = cur_left(&in);
    if (!(t->form = mem_alloc(t->len)))
        return failed(r, LEAT_NOMEM);
    memcpy(t->form, in.p, t->len);
    r->types++;
    return LEAT_OK;
}

/* The value that is next, if it is not here yet. */
static leat_err fetch(leat_player *r)
{
    while (!r->next) {
        uint8_t kind;
        struct cur in;
        uint64_t at;
        leat_err e = record_next(&r->feed, &kind, &in, &at);
        if (e != LEAT_OK)
            return failed(r, e);
        if (kind == RECORD_TYPE) {
            LEAT_TRY(on_type(r, in, at));
            continue;
        }
        uint64_t number = cur_varint(&in);
        if (in.bad || number == 0 || number > r->types)
            return bad(r, at, "a value of a type that was not described");
        r->next = &r->type[number - 1];
        r->at = at;
        r->value = in;
    }
    return LEAT_OK;
}

/* How t->form is read as `mine`. */
static leat_err prepare(struct played *t, const leat_type *mine)
{
    struct cur own, theirs = cur_of(t->form, t->len);
    struct type_bridge *b = NULL;
    if (t->as == mine)
        return LEAT_OK;
    LEAT_TRY(type_form(mine, &own));
    if (cur_left(&own) != t->len || memcmp(own.p, t->form, t->len) != 0)
        LEAT_TRY(type_bridge_make(mine, theirs, &b));
    type_bridge_free(t->bridge);
    t->bridge = b;
    t->as = mine;
    return LEAT_OK;
}

leat_err leat_play_(leat_player *r, const leat_type *t, void *ret)
{
    memset(ret, 0, t->size);
    LEAT_TRY(fetch(r));
    LEAT_TRY(prepare(r->next, t));
    struct cur in = r->value;
    leat_err e = r->next->bridge ? type_decode_as(r->next->bridge, &in, ret, NULL, NULL) : type_decode(t, &in, ret, NULL, NULL);
    if (e == LEAT_NOMEM)
        return e;
    r->next = NULL;
    if (e == LEAT_OK && !cur_done(&in)) {
        leat_drop_(t, ret);
        e = leat_fail(LEAT_TYPE, "bytes too many");
    }
    if (e == LEAT_OK)
        return e;
    leat_err why = e == LEAT_LIMIT ? e : LEAT_INVAL;
    (void)record_bad(&r->feed, r->at, "a value that is none");
    return leat_wrap(why, "leat_play: byte %llu", (unsigned long long)r->at);
}
