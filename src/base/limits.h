/* limits.h - the limits that are not options, in one place, each with what happens there.
 * What a program may set is in leat_opts and leat_node_opts; what a peer may set is in the hello of its session. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    /* bytes in one growable buffer, when its owner names no other: the buffer fails with LEAT_LIMIT */
    LIMIT_BUF = 1 << 30,

    /* the canonical form of one type: fingerprint, import and export fail with LEAT_LIMIT; a foreign one is refused */
    LIMIT_TYPE_BYTES = 64 << 10,
    LIMIT_TYPE_NODES = 256,              /* different structs, enums and oneofs reached from one type */
    LIMIT_TYPE_FIELDS = 4096,            /* fields of all of them together */
    LIMIT_TYPE_NAME = 255,               /* bytes in the name of a type, field or enumerator */
    LIMIT_TYPE_DEPTH = 32,               /* structs inside structs in one description, by value or not */

    /* values: encode fails with LEAT_LIMIT, decode with LEAT_TYPE, dup with LEAT_LIMIT.  A drop has no limit. */
    LIMIT_VALUE_DEPTH = 256,             /* pointers, lists and structs inside each other: about 100 bytes of stack each */
    LIMIT_LIST = 0xffffffff,             /* elements of a list: its length is 32 bits; leat_push fails with LEAT_LIMIT */

    /* memory that decoding may take for each byte received, on top of LIMIT_DECODE_FREE: over it, LEAT_LIMIT */
    LIMIT_DECODE_RATIO = 64,
    LIMIT_DECODE_FREE = 4096,
};
#endif
