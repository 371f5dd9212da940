/* echo - a TCP echo server: a task a connection, gone after a minute of silence.   echo tcp://127.0.0.1:7007 */
#include <stdio.h>
#include "leat.h"

struct session { leat_conn *conn; };

static leat_err echo(struct session *s)
{
    char buf[4096];
    leat_err err = LEAT_OK;
    for (size_t n; err == LEAT_OK; )
        leat_with_deadline(LEAT_S(60)) {
            err = leat_read(s->conn, buf, sizeof buf, &n);
            if (err == LEAT_OK)
                err = leat_write(s->conn, buf, n);
        }
    leat_conn_close(s->conn);
    return LEAT_OK;                                   /* what one client did is no reason to stop the others */
}

struct server { const char *url; };

static leat_err serve(struct server *s)
{
    leat_listener *l;
    leat_err err;
    LEAT_TRY(leat_listen(s->url, &l));
    fprintf(stderr, "listening on %s\n", s->url);
    leat_with_group(g, err)
        for (struct session c; (err = leat_accept(l, &c.conn)) == LEAT_OK; )
            LEAT_TRY(leat_go(&g, echo, c));
    leat_listener_close(l);
    return err;
}

int main(int argc, char **argv)
{
    leat_err err = leat_run(NULL, serve, (struct server){ argc > 1 ? argv[1] : "tcp://127.0.0.1:7007" });
    fprintf(stderr, "echo: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
