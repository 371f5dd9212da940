/* echo.c - a TCP echo server, a task a connection.  bench/peers/raw/echo_load starts it, loads it and kills it. */
#include "bench.h"

struct session { leat_conn *conn; };

static leat_err session(struct session *s)
{
    char buf[4096];
    leat_err err = LEAT_OK;
    for (size_t n; err == LEAT_OK; ) {
        err = leat_read(s->conn, buf, sizeof buf, &n);
        if (err == LEAT_OK)
            err = leat_write(s->conn, buf, n);
    }
    leat_conn_close(s->conn);
    return LEAT_OK;                                  /* a client that leaves is no failure */
}

/* Serves at this port of the loopback interface until it is killed. */
static leat_err echo_server(int64_t port)
{
    char url[64];
    leat_listener *l;
    leat_err err;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%lld", (long long)port);
    LEAT_TRY(leat_listen(url, &l));
    leat_with_group(g, err)
        for (struct session s; (err = leat_accept(l, &s.conn)) == LEAT_OK; )
            LEAT_TRY(leat_go(&g, session, s));
    leat_listener_close(l);
    return err;
}

const struct bench bench_echo[] = {
    { "echo-server", 7007, echo_server },
    { 0 }
};
