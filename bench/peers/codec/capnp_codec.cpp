// capnp_codec.cpp - the same with Cap'n Proto.  To encode is to build a message and lay it out flat; nothing is unpacked, so to decode is
// to look at every field of it.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include "row.capnp.h"
#include "codec.h"

namespace {

struct All {
    kj::Array<capnp::word> b;
    capnp::word room[16 * 1024];                     // for the first segment: all fits
    uint64_t sum;
};

size_t bytes(void *self) { return static_cast<All *>(self)->b.asBytes().size(); }

void fill(Row::Builder r)
{
    r.setId(ROW_ID);
    r.setName(ROW_NAME);
    r.setValue(ROW_VALUE);
    r.setS(ROW_S);
    r.setNs(ROW_NS);
    r.setOffset(ROW_ZONE_S);
}

void encode_one(void *self)
{
    All *a = static_cast<All *>(self);
    capnp::MallocMessageBuilder m(kj::arrayPtr(a->room, 64));
    fill(m.initRoot<Row>());
    a->b = capnp::messageToFlatArray(m);
}

void encode_many(void *self)
{
    All *a = static_cast<All *>(self);
    capnp::MallocMessageBuilder m(kj::arrayPtr(a->room, sizeof a->room / sizeof a->room[0]));
    auto rows = m.initRoot<Rows>().initRows(MANY);
    for (unsigned i = 0; i < MANY; i++)
        fill(rows[i]);
    a->b = capnp::messageToFlatArray(m);
}

uint64_t look(Row::Reader r)
{
    if (r.getId() != ROW_ID || r.getName().size() != sizeof ROW_NAME - 1 || r.getValue() != ROW_VALUE || r.getOffset() != ROW_ZONE_S)
        codec_fail("another value came out");
    return static_cast<uint64_t>(r.getS()) + r.getNs();
}

void decode_one(void *self)
{
    All *a = static_cast<All *>(self);
    capnp::FlatArrayMessageReader m(a->b);
    a->sum += look(m.getRoot<Row>());
}

void decode_many(void *self)
{
    All *a = static_cast<All *>(self);
    capnp::FlatArrayMessageReader m(a->b);
    auto rows = m.getRoot<Rows>().getRows();
    if (rows.size() != MANY)
        codec_fail("another list came out");
    for (auto r : rows)
        a->sum += look(r);
}

}  // namespace

int main(int argc, char **argv)
{
    static const struct codec c = { "codec", { encode_one, encode_many }, { decode_one, decode_many }, bytes };
    static All a;
    return codec_main(argc, argv, &c, 1, &a);
}
