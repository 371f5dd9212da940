/* list.c - leat_node_dump: a node's sessions, and which ends of channels it shares with its peers.  For people, and for tests of what
 * was let go.
 * Each end is looked at under its channel's lock, one after the other: the list is of no single moment. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include "base/alloc.h"
#include "sess/home.h"
#include "sess/impl.h"

enum { LINE_MAX_ = 512 };

static void put_line(int fd, const char *line, size_t n)
{
    for (ssize_t k; n && (k = write(fd, line, n)) > 0; line += k)
        n -= (size_t)k;
}

/* Lock of the channel held. */
static int of_site(const struct end *e, char *at, size_t room)
{
    const struct home *h = relay_below(e);
    bool lost = e->relay && e->relay->lost;
    int n = snprintf(at, room, "sends there, %" PRIu64 " sent, ", e->sent);
    if (e->c->cap)
        n += snprintf(at + n, room - (size_t)n, "%" PRIu64 " of them accepted, %u idle credits", e->accepted,
            chan_idle_credits_locked(e->c));
    else
        n += snprintf(at + n, room - (size_t)n, "%s under way", e->unanswered ? "one" : "none");
    n += snprintf(at + n, room - (size_t)n, "%s%s%s%s", h && h->ends ? ", others send through it" : "",
        e->dormant ? ", leaves when it is taken" : "", lost ? ", lost beyond there" : e->sealed ? ", closed" : "",
        e->relay && e->relay->path ? ", on by " : "");
    if (e->relay && e->relay->path)
        n += snprintf(at + n, room - (size_t)n, "%s", e->relay->path);
    return n;
}

static int of_home(const struct end *e, char *at, size_t room)
{
    const struct home *h = e->home;
    return snprintf(at, room, "%s, %" PRIu64 " accepted, %u credits out, %u wanted%s%s%s", h && h->up ? "passes on" : "receives here",
        e->accepted, e->out, e->need, e->delivering ? ", one waits for a receiver" : "", e->finished ? ", finished" : "",
        h && h->torn ? ", torn" : "");
}

static void show(struct end *e, int fd)
{
    char line[LINE_MAX_];
    leat_chan_ *c = e->c;
    size_t room = sizeof line - 2;
    int n = snprintf(line, room / 2, "%s: end %" PRIu64 " of channel %p (%s, capacity %u): ", sess_text(e->s), e->id, (void *)c,
        e->type->name, c->cap);
    n = MIN(n, (int)room / 2 - 1);
    lock(&c->lock);
    int k = e->site ? of_site(e, line + n, room - (size_t)n) : of_home(e, line + n, room - (size_t)n);
    unlock(&c->lock);
    n = MIN(n + k, (int)room - 1);
    line[n++] = '\n';
    put_line(fd, line, (size_t)n);
}

leat_err ends_all(struct sess *s, struct end ***ret, uint32_t *ret_n)
{
    struct ends *t = ends_of(s);
    uint32_t room = 0, n = 0;
    struct end **all = NULL;
    for (bool whole = false; !whole; ) {
        lock(&t->lock);
        whole = t->slots.count <= room;
        room = t->slots.count;
        for (uint32_t i = 0; whole && i < t->slots.buckets; i++)
            for (struct slot *x = *slots_bucket(&t->slots, i); x; x = x->next) {
                struct end *e = container_of(x, struct end, slot);
                end_ref(e);
                all[n++] = e;
            }
        unlock(&t->lock);
        if (whole)
            break;
        mem_free(all);
        if (!(all = mem_alloc(room * sizeof *all)))
            return leat_fail(LEAT_NOMEM, "no memory to look at the %u ends of channels that %s knows", room, sess_text(s));
    }
    *ret = all;
    *ret_n = n;
    return LEAT_OK;
}

static int of_link(struct sess *s, char *at, size_t room)
{
    lock(&s->out_lock);
    bool closing = at_load(&s->state) != SESS_LIVE, down = !at_load(&s->up);
    int n;
    if (!down) {
        n = snprintf(at, room, "%sup on link %u, ", closing ? "being closed, " : "", s->attempt);
    } else {
        double left = (double)(s->down_until - leat_now().ns) / 1e9, grace = (double)s->grace.ns / 1e9;
        n = snprintf(at, room, "%sdown since %.3f s, %.3f s of its grace left (%.200s), ", closing ? "being closed, " : "",
            MAX(grace - left, 0.0), MAX(left, 0.0), s->down);
    }
    unlock(&s->out_lock);
    return n;
}

static void show_session(struct sess *s, int fd)
{
    char line[LINE_MAX_ * 2];
    int room = (int)sizeof line - 120, n = snprintf(line, (size_t)room / 2, "%s: session: ", sess_text(s));
    n = MIN(n, room / 2 - 1);
    n = MIN(n + of_link(s, line + n, (size_t)(room - n)), room - 1);
    n += snprintf(line + n, sizeof line - (size_t)n, "%" PRIu64 " frames sent, %" PRIu64 " received, %zu bytes kept\n", at_load(&s->sent),
        at_load(&s->received), at_load(&s->kept));
    put_line(fd, line, (size_t)n);
}

static size_t show_all(struct sess *s, int fd)
{
    uint32_t n;
    struct end **all;
    if (ends_all(s, &all, &n) != LEAT_OK)
        return 0;
    if (fd >= 0)
        show_session(s, fd);
    for (uint32_t i = 0; i < n; i++) {
        if (fd >= 0)
            show(all[i], fd);
        end_unref(all[i]);
    }
    mem_free(all);
    return n;
}

struct sess *node_next_session(leat_node *n, struct sess *s)
{
    lock(&n->lock);
    struct sess *x = s && s->listed ? s->next : s ? NULL : n->sessions;
    while (x && x->over)
        x = x->next;
    if (x)
        sess_ref(x);
    unlock(&n->lock);
    sess_unref(s);
    return x;
}

size_t leat_node_dump(leat_node *n, int fd)
{
    size_t count = 0;
    for (struct sess *s = n ? node_next_session(n, NULL) : NULL; s; s = node_next_session(n, s))
        count += show_all(s, fd);
    return count;
}
