/* codec_bench.c - leat's codecs of one description: its own, Go's gob, JSON.  See peers/codec/codec.h.
 * It measures a part and not a program, so unlike the others it includes headers of the library's inside.  Of gob it measures what Go's
 * Encoder and Decoder do: messages of one stream, whose types have gone before. */
#include "peers/codec/codec.h"
#include "type/codec.h"
#include "type/gob_codec.h"
#include "type/json.h"

LEAT_STRUCT(row, (int64, id), (string, name), (float64, value), (date, when));
LEAT_STRUCT(rows, (list(row), rows));

struct all {
    struct row one, got_one;
    struct rows many, got_many;
    struct buf b;
    struct gob_writer writer;
    struct gob_reader reader;
};

static void check(leat_err e)
{
    if (e == LEAT_OK)
        return;
    fprintf(stderr, "codec_bench: %s: %s\n", leat_err_name(e), leat_err_detail());
    exit(1);
}

static void look(const struct row *r)
{
    if (r->id != ROW_ID || r->name.len != sizeof ROW_NAME - 1 || r->value != ROW_VALUE || r->when.offset_s != ROW_ZONE_S)
        codec_fail("another value came out");
}

static void look_one(struct all *a)
{
    look(&a->got_one);
    leat_drop(row, &a->got_one);
}

static void look_many(struct all *a)
{
    if (a->got_many.rows.len != MANY)
        codec_fail("another list came out");
    look(&a->got_many.rows.at[MANY - 1]);
    leat_drop(rows, &a->got_many);
}

static size_t bytes(void *self) { return ((struct all *)self)->b.len; }

static void own_encode(struct all *a, const leat_type *t, const void *v)
{
    buf_reset(&a->b);
    check(type_encode(t, v, &a->b, NULL));
}

static void own_encode_one(void *self) { own_encode(self, &row_type, &((struct all *)self)->one); }
static void own_encode_many(void *self) { own_encode(self, &rows_type, &((struct all *)self)->many); }

static void own_decode_one(void *self)
{
    struct all *a = self;
    struct cur c = cur_of(a->b.p, a->b.len);
    check(type_decode(&row_type, &c, &a->got_one, NULL, NULL));
    look_one(a);
}

static void own_decode_many(void *self)
{
    struct all *a = self;
    struct cur c = cur_of(a->b.p, a->b.len);
    check(type_decode(&rows_type, &c, &a->got_many, NULL, NULL));
    look_many(a);
}

static void json_encode_one(void *self)
{
    struct all *a = self;
    buf_reset(&a->b);
    check(type_json_put(&row_type, &a->one, &a->b));
}

static void json_encode_many(void *self)
{
    struct all *a = self;
    buf_reset(&a->b);
    check(type_json_put(&rows_type, &a->many, &a->b));
}

static void json_decode_one(void *self)
{
    struct all *a = self;
    check(type_json_get(&row_type, (const char *)a->b.p, a->b.len, &a->got_one));
    look_one(a);
}

static void json_decode_many(void *self)
{
    struct all *a = self;
    check(type_json_get(&rows_type, (const char *)a->b.p, a->b.len, &a->got_many));
    look_many(a);
}

static void gob_encode(struct all *a, const leat_type *t, const void *v)
{
    buf_reset(&a->b);
    check(gob_write(&a->writer, t, v, &a->b));
}

static void gob_encode_one(void *self) { gob_encode(self, &row_type, &((struct all *)self)->one); }
static void gob_encode_many(void *self) { gob_encode(self, &rows_type, &((struct all *)self)->many); }

/* the messages at b, of which the last is a value */
static void gob_decode(struct all *a, const leat_type *t, void *v)
{
    for (size_t at = 0; at < a->b.len;) {
        uint64_t len;
        int head = gob_length(&a->reader.gob, a->b.p + at, a->b.len - at, at, &len);
        if (head <= 0)
            codec_fail("no message of gob");
        check(gob_message(&a->reader.gob, a->b.p + at + head, (size_t)len, at));
        at += (size_t)head + (size_t)len;
    }
    check(gob_read(&a->reader, t, v));
}

static void gob_decode_one(void *self)
{
    struct all *a = self;
    gob_decode(a, &row_type, &a->got_one);
    look_one(a);
}

static void gob_decode_many(void *self)
{
    struct all *a = self;
    gob_decode(a, &rows_type, &a->got_many);
    look_many(a);
}

static const struct codec codecs[] = {
    { "codec", { own_encode_one, own_encode_many }, { own_decode_one, own_decode_many }, bytes },
    { "json", { json_encode_one, json_encode_many }, { json_decode_one, json_decode_many }, bytes },
    { "gob", { gob_encode_one, gob_encode_many }, { gob_decode_one, gob_decode_many }, bytes },
};

int main(int argc, char **argv)
{
    static struct all a = { .one = { ROW_ID, LEAT_STRING(ROW_NAME), ROW_VALUE, { ROW_S, ROW_NS, ROW_ZONE_S } } };
    for (int i = 0; i < MANY; i++)
        check(leat_push(&a.many.rows, a.one));
    gob_encode_one(&a);                              /* the types go before what is measured */
    gob_decode_one(&a);
    gob_encode_many(&a);
    gob_decode_many(&a);
    int code = codec_main(argc, argv, codecs, 3, &a);
    leat_drop(rows, &a.many);
    gob_writer_free(&a.writer);
    gob_reader_free(&a.reader);
    buf_free(&a.b);
    return code;
}
