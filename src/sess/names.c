/* names.c - channel ends that have a name.
 *
 * A node keeps a table of what it exports.  An import sends ATTACH with an id it makes and waits for ATTACHED; by then both sides have
 * their struct end.  An exported send end may be imported any number of times: each import is one more site, and one more sender.  An
 * exported receive end is imported once: the channel's home moves to the importer, with what is queued, and keeps its capacity.
 * Locks: exports->lock is never held together with a channel's. */
#define XXH_INLINE_ALL                               /* see type/info.c */
#include <xxhash.h>
#include "sess/names.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "run/err.h"
#include "sess/home.h"
#include "sess/impl.h"
#include "sess/value.h"

enum { TEXT_MAX = 400, TRIES = 4 };                  /* TRIES: the exporter may change while one asks */

struct attach {                                      /* an import that waits; ends->lock, but for what never changes */
    struct attach *next;
    uint64_t id;
    const leat_type *type;
    bool sends, done, abandoned;
    bool again, other;                               /* ask once more, with the exporter's print: it is of another type, which fits */
    struct type_print print;                         /* what is asked for */
    const struct type_bridge *as;                    /* other, and it receives */
    leat_err err;
    leat_chan_ *c;
    struct waiters waiters;
    char text[TEXT_MAX];
};

static struct exports *exports_of(leat_node *n) { return node_slots(n)->exports; }
static int end_bit(bool sends) { return sends ? LEAT_TX_END_ : LEAT_RX_END_; }

leat_err names_node_open(leat_node *n)
{
    struct exports *t = node_slots(n)->exports = mem_zalloc(sizeof *t);
    if (!t)
        return leat_fail(LEAT_NOMEM, "no memory for a node");
    t->seed = node_key(n)->b;
    return LEAT_OK;
}

static void export_free(struct export *x)
{
    if (x->sends)
        leat_finish_(x->c, LEAT_TX_END_);            /* in so many words: whoever finished before must not hide it */
    leat_unref_end_(x->c, end_bit(x->sends));
    mem_free(x);
}

static void all_free(struct exports *t)
{
    for (int i = 0; i < EXPORT_BUCKETS; i++) {
        lock(&t->lock);
        struct export *x = t->bucket[i];
        t->bucket[i] = NULL;
        unlock(&t->lock);
        for (struct export *next; x; x = next) {
            next = x->next;
            export_free(x);
        }
    }
}

/* What was exported is let go while peers can still be told: they see a finished channel, or that nobody receives. */
void names_node_closing(leat_node *n)
{
    all_free(exports_of(n));
}

void names_node_close(leat_node *n)
{
    struct exports *t = exports_of(n);
    if (t)
        all_free(t);
    mem_free(t);
    node_slots(n)->exports = NULL;
}

static uint64_t hash_of(const struct exports *t, const char *name, size_t len) { return XXH3_64bits_withSeed(name, len, t->seed); }

/* Where the one of this name is, or where one would be added. */
static struct export **place_locked(struct exports *t, uint64_t hash, const char *name, size_t len)
{
    struct export **p = &t->bucket[hash % EXPORT_BUCKETS];
    while (*p && !((*p)->hash == hash && strlen((*p)->name) == len && memcmp((*p)->name, name, len) == 0))
        p = &(*p)->next;
    return p;
}

leat_err leat_export_(leat_node *n, const char *name, leat_chan_ *c, int sends, const leat_type *t)
{
    size_t len = name ? strlen(name) : 0;
    struct type_print print;
    if (!n || !c)
        return leat_fail(LEAT_INVAL, "leat_export: the %s is NULL", n ? "channel" : "node");
    if (len == 0 || len > EXPORT_NAME_MAX)
        return leat_fail(LEAT_INVAL, "leat_export: a name has from 1 to %d bytes", EXPORT_NAME_MAX);
    LEAT_TRY(type_print(t, &print));
    struct export *x = mem_zalloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "leat_export: no memory");
    memcpy(x->name, name, len);
    x->type = t;
    x->sends = sends;
    x->c = leat_ref_(c, end_bit(sends));
    struct exports *e = exports_of(n);
    x->hash = hash_of(e, name, len);
    lock(&e->lock);
    struct export **p = place_locked(e, x->hash, name, len);
    bool taken = *p != NULL;
    if (!taken)
        *p = x;
    unlock(&e->lock);
    if (!taken)
        chan_describe(c, t, leat_drop_);
    if (!taken)
        return LEAT_OK;
    export_free(x);
    return leat_fail(LEAT_INVAL, "leat_export: something is exported as '%s' already", name);
}

void leat_unexport_(leat_node *n, const char *name)
{
    struct exports *e = n && name ? exports_of(n) : NULL;
    if (!e)
        return;
    size_t len = strlen(name);
    uint64_t hash = hash_of(e, name, len);
    lock(&e->lock);
    struct export **p = place_locked(e, hash, name, len), *x = *p;
    if (x)
        *p = x->next;
    unlock(&e->lock);
    if (x)
        export_free(x);
}

/* -- the side of the exporter -------------------------------------------------------------------------------------------------- */
struct asked { uint64_t id; bool sends; struct type_print print; const char *name; size_t len; };

static leat_err may(struct sess *s, const struct asked *a)
{
    const leat_node_opts *o = &sess_node(s)->opts;
    char name[EXPORT_NAME_MAX + 1] = { 0 };
    memcpy(name, a->name, a->len);
    return o->allow ? o->allow(o->self, "", name, a->sends) : LEAT_OK;
}

/* A copy of the export, with a reference of its own; or the refusal. */
static leat_err look_up(struct sess *s, const struct asked *a, struct export *ret)
{
    struct exports *e = exports_of(sess_node(s));
    uint64_t hash = hash_of(e, a->name, a->len);
    lock(&e->lock);
    struct export *x = *place_locked(e, hash, a->name, a->len);
    if (x) {
        *ret = *x;
        leat_ref_(ret->c, 0);                        /* not an owner of an end: it only keeps the channel */
    }
    unlock(&e->lock);
    ret->next = NULL;
    if (!x)
        ret->c = NULL;
    if (!x)
        return leat_fail(LEAT_REFUSED, "%s exports nothing as '%.*s'", node_name(sess_node(s)), (int)a->len, a->name);
    if (x && ret->sends != a->sends)
        return leat_fail(LEAT_REFUSED, "'%s' is a %s end", ret->name, ret->sends ? "send" : "receive");
    struct type_print mine;
    LEAT_TRY(type_print(ret->type, &mine));
    if (!type_print_same(&mine, &a->print))
        return leat_fail(LEAT_TYPE, "'%s' carries another type, %s", ret->name, ret->type->name);
    return LEAT_OK;
}

static void answer_ok(struct sess *s, uint64_t id, const leat_chan_ *c, const struct end *way)
{
    struct buf *b = sess_begin(s, FRAME_ATTACHED);
    if (!b)
        return;
    buf_varint(b, id);
    buf_u8(b, LEAT_OK);
    buf_u32(b, c->cap);
    if (!at_load(&c->site) && way)
        relay_left_out(c, node_name(sess_node(s)), b);
    else if (way)
        relay_path_out(way, b);
    (void)sess_commit_answer(s);
}

static leat_err give_tx(struct sess *s, const struct export *x, uint64_t id)
{
    struct end *e;
    leat_chan_ *c = x->c;
    lock(&c->lock);
    const struct end *way = at_load(&c->site) ? (const struct end *)(const void *)c->net : NULL;
    leat_err err = way ? relay_way(way, sess_text(s)) : LEAT_OK;
    if (err == LEAT_OK)
        err = way ? relay_make_locked(c) : home_make_locked(c, x->type);
    if (err == LEAT_OK)
        err = end_new(s, id, c, x->type, false, &e);
    if (err == LEAT_OK) {
        at_store(&e->known, false);                  /* the importer knows the id only: nothing goes before ATTACHED */
        answer_ok(s, id, c, way);
        home_join_locked(e);
    }
    unlock(&c->lock);
    return err;
}

static leat_err give_rx(struct sess *s, const struct export *x, uint64_t id)
{
    struct value_out o;
    leat_chan_ *c = x->c;
    leat_err err;
    value_out_init(&o, s, NULL, true);
    lock(&c->lock);
    for (;; cpu_pause()) {
        err = at_load(&c->site) ? leat_fail(LEAT_REFUSED, "'%s' has a receiver already, elsewhere", x->name) : LEAT_OK;
        if (err == LEAT_OK)
            err = value_pack_rx(&o, id, x->type, c);
        if (err != LEAT_AGAIN)
            break;
        unlock(&c->lock);                            /* who has a channel of what is queued may need this one */
        lock(&c->lock);
    }
    if (err == LEAT_OK) {
        struct end *e = o.at[0].e;
        at_store(&e->known, false);                  /* as above: who has no end yet does not hear a NEED */
        answer_ok(s, id, c, e);
        value_sent(&o);
    }
    unlock(&c->lock);
    value_moved(s);
    return err == LEAT_REFUSED || err == LEAT_LIMIT ? leat_wrap(err, "'%s'", x->name) : err;
}

static void refuse(struct sess *s, uint64_t id, leat_err err, const leat_type *mine)
{
    char text[400];
    struct cur form = { 0 };
    int n = snprintf(text, sizeof text, "%s", leat_err_detail());
    if (err == LEAT_TYPE && mine && !sess_owes_much(s) && !value_form(s, mine, &form) && n >= 0 && (size_t)n < sizeof text)
        value_form_why(s, mine, text + n, sizeof text - (size_t)n);
    struct buf *b = sess_begin_form(s, FRAME_ATTACHED, 0, form);
    if (!b)
        return;
    buf_varint(b, id);
    buf_u8(b, (uint8_t)err);
    buf_text(b, text, strlen(text));
    frame_put_form(b, form);
    (void)sess_commit_answer(s);
}

leat_err names_on_attach(struct sess *s, uint8_t flags, struct cur *in)
{
    struct asked a = { .id = cur_varint(in) };
    struct export x = { .c = NULL };
    (void)flags;
    a.sends = cur_u8(in);
    cur_get(in, a.print.b, sizeof a.print.b);
    a.name = cur_text(in, &a.len);
    if (in->bad || a.len > EXPORT_NAME_MAX || !ends_id_theirs(s, a.id))
        return leat_fail(LEAT_INVAL, "a malformed frame ATTACH");
    leat_err err = may(s, &a);                       /* first: whom it refuses learns nothing of what there is */
    if (err == LEAT_OK)
        err = look_up(s, &a, &x);
    if (err == LEAT_OK)
        err = x.sends ? give_tx(s, &x, a.id) : give_rx(s, &x, a.id);
    if (err != LEAT_OK)
        refuse(s, a.id, err, x.type);
    leat_unref_(x.c);
    return LEAT_OK;
}

/* -- the side of the importer --------------------------------------------------------------------------------------------------- */
static void settle_locked(struct attach *x)
{
    x->done = true;
    for (struct waiter *w; (w = waiter_claim(&x->waiters)); ) {
        waiter_win(w, true);
        task_ready(worker_self(), w->task);
    }
}

static struct attach *attach_take(struct ends *t, uint64_t id)
{
    struct attach **p = &t->attaching, *x;
    while ((x = *p) && x->id != id)
        p = &x->next;
    if (x)
        *p = x->next;
    return x;
}

/* What ATTACHED says after its id. */
struct attached { leat_err err; uint32_t cap; struct relay_way way; const char *text; size_t len; struct cur form; };

static bool read_attached(struct sess *s, struct cur *in, struct attached *ret)
{
    *ret = (struct attached){ .err = (leat_err)cur_u8(in) };
    if (ret->err == LEAT_OK) {
        ret->cap = cur_u32(in);
        if (cur_left(in))
            leat_ignore(relay_path_in(in, &ret->way));
    } else {
        ret->text = cur_text(in, &ret->len);
        ret->form = value_form_in(s, in);
    }
    return !in->bad;
}

/* text: why the exporter refused; where types do not fit, the field that does not.  Where they do, the waiter asks again. */
static void refused(struct sess *s, struct attach *x, const struct attached *a)
{
    x->err = a->err == LEAT_TYPE || a->err == LEAT_LIMIT || a->err == LEAT_NOMEM ? a->err : LEAT_REFUSED;
    sess_show(x->text, sizeof x->text, a->text, a->len);
    if (x->err != LEAT_TYPE || !cur_left(&a->form))
        return;
    leat_err err = x->sends ? value_check(s, x->type, a->form) : value_bridge(s, x->type, a->form, &x->as);
    struct type_print theirs = type_print_of(a->form);
    if (err == LEAT_OK && !type_print_same(&theirs, &x->print)) {
        x->again = x->other = true;
        x->print = theirs;
        return;
    }
    x->err = err == LEAT_OK ? LEAT_TYPE : err;
    size_t at = strlen(x->text);
    if (err != LEAT_OK)
        snprintf(x->text + at, sizeof x->text - at, ": %s", leat_err_detail());
}

/* A frame that is cut short leaves whoever waits to the end of the session. */
leat_err names_on_attached(struct sess *s, uint8_t flags, struct cur *in)
{
    struct ends *t = ends_of(s);
    uint64_t id = cur_varint(in);
    struct attached a;
    (void)flags;
    if (!read_attached(s, in, &a))
        return leat_fail(LEAT_INVAL, "a malformed frame ATTACHED");
    lock(&t->lock);
    struct attach *x = attach_take(t, id);
    unlock(&t->lock);
    if (!x)
        return leat_fail(LEAT_INVAL, "a frame ATTACHED that nobody asked for");
    leat_chan_ *c = NULL;
    leat_err err = LEAT_OK;
    if (a.err == LEAT_OK) {
        struct joining j = { .id = id, .rx = !x->sends, .cap = a.cap, .way = a.way, .as = x->as,
            .tells = x->sends && x->other };
        err = x->err = value_join(s, &j, x->type, &c);       /* else the other side believes in an end that is not here */
        if (err != LEAT_OK)
            snprintf(x->text, sizeof x->text, "%s", leat_err_detail());
    } else {
        refused(s, x, &a);
    }
    lock(&t->lock);
    bool abandoned = x->abandoned, sends = x->sends;
    x->c = c;
    settle_locked(x);
    unlock(&t->lock);
    if (abandoned) {
        if (c)
            leat_unref_end_(c, end_bit(sends));
        mem_free(x);
    }
    return err;
}

void names_lost(struct sess *s)
{
    struct ends *t = ends_of(s);
    lock(&t->lock);
    struct attach *x = t->attaching, *next;
    t->attaching = NULL;
    for (; x; x = next) {
        next = x->next;
        x->err = LEAT_PEER_LOST;
        if (x->abandoned)
            mem_free(x);
        else
            settle_locked(x);
    }
    unlock(&t->lock);
}

/* It was not asked.  A peer may answer all the same, as it can tell what the next number is: then x belongs to that answer, which is being
 * taken in, and *left is set. */
static void unask(struct ends *t, struct attach *x, bool *left)
{
    leat_chan_ *c = NULL;
    lock(&t->lock);
    if (attach_take(t, x->id) == x || x->done)
        c = x->c;
    else
        *left = x->abandoned = true;
    bool sends = x->sends;
    unlock(&t->lock);
    if (c)
        leat_unref_end_(c, end_bit(sends));
}

/* LIMIT: it is not there yet. */
static leat_err attach_add(struct sess *s, struct attach *x, const char *name)
{
    struct ends *t = ends_of(s);
    uint32_t n = 0;
    x->id = ends_id(s);
    lock(&t->lock);
    bool over = t->over;
    for (const struct attach *y = t->attaching; y; y = y->next)
        n++;
    if (!over && n < LIMIT_SESS_IMPORTS) {
        x->next = t->attaching;
        t->attaching = x;
    }
    unlock(&t->lock);
    if (over)
        return sess_lost(s);
    return n < LIMIT_SESS_IMPORTS ? LEAT_OK
        : leat_fail(LEAT_LIMIT, "leat_import '%s': %s has not answered %u imports before", name, sess_text(s), n);
}

/* [blocks] while there is no link: who gives up then has asked for nothing, and leaves nothing.  *left: see unask. */
static leat_err ask(struct sess *s, struct attach *x, const char *name, bool *left)
{
    LEAT_TRY(sess_wait_room(s));
    LEAT_TRY(attach_add(s, x, name));
    struct buf *b = sess_begin(s, FRAME_ATTACH);
    if (!b) {
        unask(ends_of(s), x, left);                  /* not there any more: the end of the session had it */
        return sess_lost(s);
    }
    buf_varint(b, x->id);
    buf_u8(b, x->sends);
    buf_put(b, x->print.b, sizeof x->print.b);
    buf_text(b, name, strlen(name));
    leat_err err = sess_commit(s);
    if (err != LEAT_OK)
        unask(ends_of(s), x, left);
    return err;
}

/* OK: x is done.  An error: x belongs to the answer that is still to come. */
static leat_err wait_answer(struct ends *t, struct attach *x)
{
    lock(&t->lock);
    while (!x->done) {
        struct waiter me = { .task = task_self() };
        waiter_add(&x->waiters, &me);
        at_store(&me.task->park, PARK_WAIT);
        unlock_fence(&t->lock);
        uint32_t why = task_wait(me.task);
        leat_err err = why == PARK_CHAN ? LEAT_AGAIN : task_wait_err(me.task, why);
        lock(&t->lock);
        if (me.on)
            waiter_del(&x->waiters, &me);
        if (err != LEAT_AGAIN && !x->done) {
            x->abandoned = true;
            unlock(&t->lock);
            return err;
        }
    }
    unlock(&t->lock);
    return LEAT_OK;
}

leat_err leat_import_(leat_peer *p, const char *name, leat_chan_ **ret, int sends, const leat_type *t, size_t capacity)
{
    struct sess *s = sess_of(p);
    (void)capacity;                                  /* the channel keeps that of its maker, or it would mean something else here */
    if (!p || !name || strlen(name) == 0 || strlen(name) > EXPORT_NAME_MAX)
        return leat_fail(LEAT_INVAL, "leat_import: a peer and a name of 1 to %d bytes are needed", EXPORT_NAME_MAX);
    struct attach *x = mem_zalloc(sizeof *x);
    if (!x)
        return leat_fail(LEAT_NOMEM, "leat_import: no memory");
    x->type = t;
    x->sends = sends;
    leat_err err = type_print(t, &x->print);
    for (int tries = 0; err == LEAT_OK && (tries == 0 || x->again) && tries < TRIES; tries++) {
        bool left = false;
        x->done = x->again = false;
        if ((err = ask(s, x, name, &left)) == LEAT_OK)
            left = (err = wait_answer(ends_of(s), x)) != LEAT_OK;
        if (left)
            return err;                              /* x is the answer's */
    }
    if (err == LEAT_OK) {
        *ret = x->err == LEAT_OK ? x->c : *ret;
        err = x->err == LEAT_OK ? LEAT_OK
            : x->err == LEAT_PEER_LOST ? sess_lost(s) : leat_fail(x->err, "leat_import '%s' from %s: %s", name, sess_text(s), x->text);
    }
    mem_free(x);
    return err;
}
