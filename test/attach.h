/* attach.h - for tests that are a peer themselves: the fields of an ATTACH. */
#ifndef ATTACH_H
#define ATTACH_H
#include "base/buf.h"
#include "type/desc.h"
#include "t.h"

/* The fingerprint of t. */
static inline void put_print(struct buf *b, const leat_type *t)
{
    struct type_print print;
    CHECK_EQ(type_print(t, &print), LEAT_OK);
    buf_put(b, print.b, sizeof print.b);
}

/* What imports the end of elements t that is exported as `name`, under this id; sends: to send there. */
static inline void put_attach(struct buf *b, uint64_t id, const leat_type *t, const char *name, bool sends)
{
    buf_varint(b, id);
    buf_u8(b, sends);
    put_print(b, t);
    buf_text(b, name, strlen(name));
}
#endif
