/* conn_open.h - what conn.c and dial.c share: the record of a stream. */
#ifndef RUN_CONN_OPEN_H
#define RUN_CONN_OPEN_H
#include "run/io.h"

struct leat_conn {
    struct io_sock sock;
    _Atomic uint32_t refs;
    bool dry;                                        /* the reader's: the last read emptied it, see io_sock_mark */
    bool device;                                     /* no socket but a pipe or a device (plat/stream_fd.h) */
    uint32_t reads, writes;                          /* the reader's, the writer's: calls since the last one that waited */
    char peer[];
};

leat_err conn_new(int fd, const char *peer, leat_conn **ret);        /* takes fd on LEAT_OK */
#endif
