/* net.h - the records of a simulated world's links, for net.c, place.c and frames.c.
 *
 * A cable has two ends and a flow each way.  A flow keeps what is under way in order: each of its chunks has an event that says
 * "the first one arrives now", so however the events fall, bytes never overtake each other.
 *  under_way  bytes that were written and not yet read; over the window the writer waits.
 *  shut       this end was shut down: nothing passes for it any more; the other side reads to the end of what was written.
 *  broken     this end has learned that the link is no more.  What had arrived is still read, unless it went with the link.
 * Cables, ports and machines live as long as the world: events may point to them. */
#ifndef SIM_NET_H
#define SIM_NET_H
#include "base/url.h"
#include "link/link.h"
#include "sim/world.h"

enum { NET_KEY_MAX = URL_PATH_MAX + 1 };

struct chunk { struct chunk *next; size_t len, at; bool fin; uint8_t bytes[]; };
struct chunks { struct chunk *first, *last; };

/* What frames.c has seen of a flow, for the trace: where in which frame its bytes are. */
struct frames { uint32_t have, skip; bool begun, lost; uint8_t head[24]; };

struct end;
struct flow {
    struct cable *cable;
    struct end *to;
    struct machine *from, *dest;                     /* incarnations: a machine that was started again is another one */
    uint32_t from_id, to_id;
    struct chunks way, here;                         /* under way; arrived */
    size_t under_way;
    int64_t last_at;
    bool fin;                                        /* the end of the stream has arrived */
    struct task *reader, *writer;                    /* who waits */
    struct frames frames;
};
struct end {
    struct link link;
    struct cable *cable;
    struct flow *in, *out;
    bool shut, broken;
};
struct cable {
    struct cable *next;                              /* all of the world's */
    struct cable *queued;                            /* not yet accepted: the port's queue */
    struct world *world;
    uint64_t id;
    struct end end[2];                               /* 0: who dialed */
    struct flow flow[2];                             /* 0: from end 0 */
};
struct port {                                        /* where somebody listens */
    struct link_listener l;
    struct port *next;
    struct machine *machine;
    char key[NET_KEY_MAX];                           /* the number of a tcp port, the path of a unix socket */
    struct cable *first, *last;
    struct task *acceptor;
    bool shut;
};

/* net.c */
struct cable *cable_new(struct world *w, const char *url, struct machine *from, struct machine *to);
int64_t net_delay(struct world *w, uint32_t from, uint32_t to, size_t len);  /* ns that so many bytes take now */
void end_close(struct link *l);

/* frames.c: names the frames in n bytes that arrive, as in "ELEM #7 GRANT #8"; nothing where the trace is not written */
void frames_name(struct flow *f, const uint8_t *p, size_t n, char *to, size_t cap);
#endif
