/* frame.h - the frames of a session, as bytes.  docs/wire.md says the same for people.
 *
 * A link begins with a preamble from each side, then frames follow.  A frame is a header of 8 bytes (u32 length of what follows
 * the header, u8 kind, u8 flags, u16 zero), then for a numbered kind u64 number and u64 ack (both count in length), then its
 * fields.  Numbers are little-endian.  Kinds are fixed for good; gaps are for later kinds, and an unknown kind breaks the session. */
#ifndef SESS_FRAME_H
#define SESS_FRAME_H
#include <stdint.h>
#include "base/limits.h"

#define PREAMBLE_MAGIC "\x8bLEAT\r\n\x1a"             /* 8 bytes: not text, not TLS; breaks when a line end is converted */
enum {
    WIRE_MAJOR = 1, WIRE_MINOR = 3,
    WIRE_TYPES = 1,                                  /* the minor version from which on TYPE and the form in OPEN are known */
    WIRE_ERRORS = 2,                                 /* and from which on an error may have more than code and text */
    WIRE_FORMS = 3,                                  /* and from which on a form that is too long for a frame goes before it */
    PREAMBLE_BYTES = 16,                             /* magic, u16 major, u16 minor, u32 zero */
    FRAME_HEADER = 8, FRAME_NUMBERED = 24,
    FRAME_MARK = 6,                                  /* u16 of the header: zero where it is written; see sess_moment */
    FRAME_TAILED = 0xffff,                           /* as that, in memory only: more of the frame lies elsewhere, and is not counted in
                                                      * its length there: sess_tail */
    FRAME_MORE = 1,                                  /* flag: what this frame carries goes on in the next one of its object */
};

enum frame_kind {
    FRAME_VOID = 0x00,                               /* in memory only: taken back before it was written */
    /* not numbered */
    FRAME_HELLO = 0x01, FRAME_WELCOME = 0x02, FRAME_DEAD = 0x03, FRAME_ACK = 0x04, FRAME_PING = 0x05, FRAME_PONG = 0x06,
    /* numbered from here on.  The session itself */
    FRAME_FIRST_NUMBERED = 0x20, FRAME_BYE = 0x20,
    /* ends of channels */
    FRAME_ATTACH = 0x30, FRAME_ATTACHED = 0x31, FRAME_DROP = 0x32, FRAME_TORN = 0x33, FRAME_TYPE = 0x34,
    FRAME_FORM = 0x35,
    FRAME_NEED = 0x38, FRAME_GRANT = 0x39, FRAME_NONE = 0x3a, FRAME_RECALL = 0x3b, FRAME_RETURN = 0x3c,
    FRAME_ELEM = 0x40, FRAME_INVITE = 0x41, FRAME_TAKEN = 0x42, FRAME_BUSY = 0x43, FRAME_WITHDRAW = 0x44, FRAME_WITHDRAWN = 0x45,
    FRAME_CLOSE = 0x48, FRAME_SEAL = 0x49, FRAME_SEALED = 0x4a, FRAME_FINISH = 0x4b, FRAME_FLUSH = 0x4c, FRAME_FLUSHED = 0x4d,
    /* calls and tasks */
    FRAME_OPEN = 0x60, FRAME_RESULT = 0x61, FRAME_CANCEL = 0x62, FRAME_DONE = 0x63,
    FRAME_KINDS = 0x100,
};

const char *frame_name(uint8_t kind);                /* "ELEM"; "0x99" of an unknown one is the caller's to print: NULL */
#endif
