/* frame.c - names of frames, for errors and traces. */
#include "sess/frame.h"
#include <stddef.h>
#include "base/base.h"

static const char *const names[] = {
    [FRAME_HELLO] = "HELLO", [FRAME_WELCOME] = "WELCOME", [FRAME_DEAD] = "DEAD", [FRAME_ACK] = "ACK", [FRAME_PING] = "PING",
    [FRAME_PONG] = "PONG", [FRAME_BYE] = "BYE", [FRAME_ATTACH] = "ATTACH", [FRAME_ATTACHED] = "ATTACHED", [FRAME_DROP] = "DROP",
    [FRAME_TORN] = "TORN", [FRAME_TYPE] = "TYPE", [FRAME_FORM] = "FORM",
    [FRAME_NEED] = "NEED", [FRAME_GRANT] = "GRANT", [FRAME_NONE] = "NONE", [FRAME_RECALL] = "RECALL",
    [FRAME_RETURN] = "RETURN", [FRAME_ELEM] = "ELEM", [FRAME_INVITE] = "INVITE", [FRAME_TAKEN] = "TAKEN", [FRAME_BUSY] = "BUSY",
    [FRAME_WITHDRAW] = "WITHDRAW", [FRAME_WITHDRAWN] = "WITHDRAWN", [FRAME_CLOSE] = "CLOSE", [FRAME_SEAL] = "SEAL",
    [FRAME_SEALED] = "SEALED", [FRAME_FINISH] = "FINISH", [FRAME_FLUSH] = "FLUSH", [FRAME_FLUSHED] = "FLUSHED",
    [FRAME_OPEN] = "OPEN", [FRAME_RESULT] = "RESULT", [FRAME_CANCEL] = "CANCEL", [FRAME_DONE] = "DONE",
};

const char *frame_name(uint8_t kind)
{
    return kind < ARRAY_LEN(names) ? names[kind] : NULL;
}
