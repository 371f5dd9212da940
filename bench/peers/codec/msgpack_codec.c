/* msgpack_codec.c - the same with MessagePack, by msgpack-c: a value is an array of its fields, its date one of three numbers. */
#include <msgpack.h>
#include "codec.h"

struct all {
    msgpack_sbuffer b;
    msgpack_unpacked got;
};

static size_t bytes(void *self) { return ((struct all *)self)->b.size; }

static void pack_row(msgpack_packer *p)
{
    msgpack_pack_array(p, 4);
    msgpack_pack_int64(p, ROW_ID);
    msgpack_pack_str(p, sizeof ROW_NAME - 1);
    msgpack_pack_str_body(p, ROW_NAME, sizeof ROW_NAME - 1);
    msgpack_pack_double(p, ROW_VALUE);
    msgpack_pack_array(p, 3);
    msgpack_pack_int64(p, ROW_S);
    msgpack_pack_uint32(p, ROW_NS);
    msgpack_pack_int32(p, ROW_ZONE_S);
}

static void encode(struct all *a, int many)
{
    msgpack_packer p;
    msgpack_sbuffer_clear(&a->b);
    msgpack_packer_init(&p, &a->b, msgpack_sbuffer_write);
    if (many)
        msgpack_pack_array(&p, MANY);
    for (int i = 0; i < (many ? MANY : 1); i++)
        pack_row(&p);
}

static void encode_one(void *self) { encode(self, 0); }
static void encode_many(void *self) { encode(self, 1); }

static void look(const msgpack_object *o)
{
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 4 || o->via.array.ptr[0].via.i64 != ROW_ID
        || o->via.array.ptr[1].via.str.size != sizeof ROW_NAME - 1 || o->via.array.ptr[2].via.f64 != ROW_VALUE
        || o->via.array.ptr[3].via.array.ptr[2].via.i64 != ROW_ZONE_S)
        codec_fail("another value came out");
}

static const msgpack_object *decode(struct all *a)
{
    size_t at = 0;
    if (msgpack_unpack_next(&a->got, a->b.data, a->b.size, &at) != MSGPACK_UNPACK_SUCCESS)
        codec_fail("no value of MessagePack");
    return &a->got.data;                             /* the next one gives back its memory */
}

static void decode_one(void *self) { look(decode(self)); }

static void decode_many(void *self)
{
    const msgpack_object *o = decode(self);
    if (o->via.array.size != MANY)
        codec_fail("another list came out");
    look(&o->via.array.ptr[MANY - 1]);
}

int main(int argc, char **argv)
{
    static const struct codec c = { "codec", { encode_one, encode_many }, { decode_one, decode_many }, bytes };
    static struct all a;
    msgpack_sbuffer_init(&a.b);
    msgpack_unpacked_init(&a.got);
    return codec_main(argc, argv, &c, 1, &a);
}
