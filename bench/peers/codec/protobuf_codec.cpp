// protobuf_codec.cpp - the same with protobuf C++, its messages used again, as it wants to be used.
#include <string>
#include "row.pb.h"
#include "codec.h"

namespace {

struct All {
    Row one, got_one;
    Rows many, got_many;
    std::string b;
};

size_t bytes(void *self) { return static_cast<All *>(self)->b.size(); }

template <class Message> void encode(std::string *to, const Message &m)
{
    to->clear();                                     // keeps its memory
    if (!m.SerializeToString(to))
        codec_fail("not encoded");
}

void encode_one(void *self)
{
    All *a = static_cast<All *>(self);
    encode(&a->b, a->one);
}

void encode_many(void *self)
{
    All *a = static_cast<All *>(self);
    encode(&a->b, a->many);
}

void look(const Row &r)
{
    if (r.id() != ROW_ID || r.name().size() != sizeof ROW_NAME - 1 || r.value() != ROW_VALUE || r.when().offset_s() != ROW_ZONE_S)
        codec_fail("another value came out");
}

void decode_one(void *self)
{
    All *a = static_cast<All *>(self);
    if (!a->got_one.ParseFromString(a->b))
        codec_fail("not decoded");
    look(a->got_one);
}

void decode_many(void *self)
{
    All *a = static_cast<All *>(self);
    if (!a->got_many.ParseFromString(a->b) || a->got_many.rows_size() != MANY)
        codec_fail("another list came out");
    look(a->got_many.rows(MANY - 1));
}

}  // namespace

int main(int argc, char **argv)
{
    static const struct codec c = { "codec", { encode_one, encode_many }, { decode_one, decode_many }, bytes };
    static All a;
    a.one.set_id(ROW_ID);
    a.one.set_name(ROW_NAME);
    a.one.set_value(ROW_VALUE);
    a.one.mutable_when()->set_s(ROW_S);
    a.one.mutable_when()->set_ns(ROW_NS);
    a.one.mutable_when()->set_offset_s(ROW_ZONE_S);
    for (int i = 0; i < MANY; i++)
        *a.many.add_rows() = a.one;
    return codec_main(argc, argv, &c, 1, &a);
}
