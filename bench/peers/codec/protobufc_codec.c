/* protobufc_codec.c - the same with protobuf-c. */
#include "row.pb-c.h"
#include "codec.h"

struct all {
    Date when;
    Row one;
    Rows many;
    Row *each[MANY];
    uint8_t *b;
    size_t len;
};

static size_t bytes(void *self) { return ((struct all *)self)->len; }

static void encode_one(void *self)
{
    struct all *a = self;
    a->len = row__pack(&a->one, a->b);
}

static void encode_many(void *self)
{
    struct all *a = self;
    a->len = rows__pack(&a->many, a->b);
}

static void look(const Row *r)
{
    if (!r || r->id != ROW_ID || strlen(r->name) != sizeof ROW_NAME - 1 || r->value != ROW_VALUE || r->when->offset_s != ROW_ZONE_S)
        codec_fail("another value came out");
}

static void decode_one(void *self)
{
    struct all *a = self;
    Row *r = row__unpack(NULL, a->len, a->b);
    look(r);
    row__free_unpacked(r, NULL);
}

static void decode_many(void *self)
{
    struct all *a = self;
    Rows *r = rows__unpack(NULL, a->len, a->b);
    if (!r || r->n_rows != MANY)
        codec_fail("another list came out");
    look(r->rows[MANY - 1]);
    rows__free_unpacked(r, NULL);
}

int main(int argc, char **argv)
{
    static const struct codec c = { "codec", { encode_one, encode_many }, { decode_one, decode_many }, bytes };
    static struct all a;
    static char name[] = ROW_NAME;
    date__init(&a.when);
    row__init(&a.one);
    rows__init(&a.many);
    a.when.s = ROW_S;
    a.when.ns = ROW_NS;
    a.when.offset_s = ROW_ZONE_S;
    a.one.id = ROW_ID;
    a.one.name = name;
    a.one.value = ROW_VALUE;
    a.one.when = &a.when;
    for (int i = 0; i < MANY; i++)
        a.each[i] = &a.one;
    a.many.n_rows = MANY;
    a.many.rows = a.each;
    a.b = malloc(rows__get_packed_size(&a.many));
    if (!a.b)
        codec_fail("no memory");
    return codec_main(argc, argv, &c, 1, &a);
}
