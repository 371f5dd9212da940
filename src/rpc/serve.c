/* serve.c - who answers: runs exposed functions and methods for a peer.  See calls.h.
 *
 * An OPEN that has come whole becomes a task of the node.  Its argument is decoded by the reader, at once, because frames for ends
 * inside it may follow.  The task has what remained of the caller's deadline, and a context of its own, which CANCEL and the end of
 * the session cancel.  When the function returns its argument is dropped; what it wants to keep it takes out (and zeroes). */
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "rpc/calls.h"
#include "run/err.h"
#include "run/seam.h"
#include "sess/value.h"
#include "type/codec.h"
#include "type/error.h"

static void job_free(struct job *j)
{
    if (j->arg && !j->fn->in_plain)
        leat_drop_(j->fn->in, j->arg);
    if (j->out && !j->fn->out_plain)
        leat_drop_(j->fn->out, j->out);
    if (j->arg != j->arg_room)
        mem_free(j->arg);
    if (j->out != j->out_room)
        mem_free(j->out);
    buf_free(&j->partial);
    kept_unref(j->kept);
    struct sess *s = j->s;
    spare_put(calls_of(s), &calls_of(s)->spare_jobs, &j->slot);
    sess_unref(s);
}

/* -- answers -------------------------------------------------------------------------------------------------------------------- */
struct answer { leat_err err; bool own; const char *text; struct cur form; const struct buf *more; };     /* more: of an error; or NULL */

static leat_err send_answer(const struct job *j, const struct answer *a, const struct buf *v)
{
    uint8_t room[CALL_HEAD];
    struct buf head = buf_on(room, sizeof room, 0);
    buf_u8(&head, (uint8_t)a->err);
    buf_u8(&head, a->own);
    buf_text(&head, a->text, a->err == LEAT_OK ? 0 : strlen(a->text));
    frame_put_form(&head, a->form);
    leat_err err = buf_err(&head);
    if (err == LEAT_OK)
        err = calls_send(j->s, &(struct said){ FRAME_RESULT, j->slot.id, &head, v, 0, a->form }, NULL);
    buf_free(&head);
    return err;
}

static void answer(const struct job *j, const struct answer *a)
{
    static const struct buf none;
    leat_err err = send_answer(j, a, a->more ? a->more : &none);
    if (err != LEAT_OK && !sess_ended(j->s))
        sess_break(j->s, err, "no memory for an answer");
}

static void answer_done(const struct job *j)
{
    struct buf *b = sess_begin(j->s, FRAME_DONE);
    if (!b)
        return;
    buf_varint(b, j->slot.id);
    (void)sess_commit_must(j->s);
}

/* What is kept may have errors with more than the peer reads: then it is read and written again. */
static leat_err answer_kept(struct job *j)
{
    const struct buf *kept = kept_result(j->kept);
    const leat_type *t = j->fn->out;
    if (!sess_plain(j->s))
        return send_answer(j, &(struct answer){ .err = LEAT_OK }, kept);
    struct buf plain = { .max = LIMIT_ELEM };
    struct cur in = cur_of(kept->p, kept->len);
    void *v = mem_zalloc(t->size);
    leat_err err = v ? type_decode(t, &in, v, NULL, NULL) : leat_fail(LEAT_NOMEM, "no memory for a result that was kept");
    if (err == LEAT_OK) {
        err = type_encode(t, v, &plain, &type_plain);
        leat_drop_(t, v);
    }
    mem_free(v);
    if (err == LEAT_OK)
        err = send_answer(j, &(struct answer){ .err = LEAT_OK }, &plain);
    buf_free(&plain);
    return err;
}

/* The result of a method that has succeeded.  On failure the value is still the job's. */
static leat_err answer_value(struct job *j)
{
    uint8_t room[CALL_HEAD];
    struct buf v = buf_on(room, sizeof room, LIMIT_ELEM);
    struct value_out o;
    leat_err err;
    value_out_init(&o, j->s, NULL, true);
    while ((err = value_pack(&o, j->fn->out, j->out, &v)) == LEAT_AGAIN)
        leat_yield();
    if (err == LEAT_OK) {
        err = send_answer(j, &(struct answer){ .err = LEAT_OK }, &v);
        bool ends = o.n;
        if (err == LEAT_OK)
            value_sent(&o);
        else
            value_unsent(&o);
        if (ends)
            value_moved(j->s);
    }
    buf_free(&v);
    if (err == LEAT_OK) {
        if (!j->fn->out_plain)
            type_moved(j->fn->out, j->out);
        if (j->out != j->out_room)
            mem_free(j->out);
        j->out = NULL;
    }
    return err;
}

/* -- the task ---------------------------------------------------------------------------------------------------------------------- */
static const char dealt_key;                         /* of leat_value: the element that this task and its children work at */

const leat_dealt *leat_dealt_here(void) { return leat_value(&dealt_key); }

static leat_err call_method(struct run *r)
{
    leat_err err;
    if (!r->dealt.attempt)
        return ((leat_method_fn_ *)r->fn->call)(r->fn->self, r->arg, r->out);
    leat_with_value(&dealt_key, &r->dealt)
        err = ((leat_method_fn_ *)r->fn->call)(r->fn->self, r->arg, r->out);
    return err;
}

leat_err run_method(struct run *r)
{
    limit_come(at_load_acq(&r->fn->limit), &r->turn, NULL, NULL);
    leat_err err = limit_wait(&r->turn, r->fn->name);
    r->refused = err != LEAT_OK;
    if (err == LEAT_OK)
        err = call_method(r);
    limit_leave(&r->turn);
    return err;
}

/* The method, once for its key. */
static leat_err run_kept(struct job *j)
{
    bool first;
    leat_err err;
    j->refused = true;
    j->kept = kept_find(exposures_of(sess_node(j->s))->keeper, j->fn, &j->key, &first, &err);
    if (!j->kept)
        return err;
    if (first) {
        LEAT_TRY(kept_start(j->kept, sess_node(j->s), j->arg, j->dealt));
        if (j->arg != j->arg_room)
            mem_free(j->arg);
        j->arg = NULL;
    }
    j->refused = false;
    return kept_wait(j->kept, &j->refused);
}

/* Its turn, first among what its peer has here, then among what its service has: that of a method with a key comes when it is to run. */
static void come(struct job *j)
{
    j->placed = true;
    j->turn[1] = (struct ticket){ .at = NULL };
    limit_come(calls_of(j->s)->limit, &j->turn[0], j->keyed ? NULL : at_load_acq(&j->fn->limit), j->keyed ? NULL : &j->turn[1]);
}

static void leave(struct job *j)
{
    if (!j->placed)
        return;
    limit_leave(&j->turn[0]);                        /* behind it nobody else touches the other */
    limit_leave(&j->turn[1]);
}

static leat_err run_limited(struct job *j)
{
    if (!j->placed)
        come(j);
    leat_err err = limit_wait(&j->turn[0], sess_name(j->s));
    if (err == LEAT_OK && !j->keyed)
        err = limit_wait(&j->turn[1], j->fn->name);
    j->refused = err != LEAT_OK;
    if (err == LEAT_OK && j->keyed)
        err = run_kept(j);
    else if (err == LEAT_OK)
        err = j->fn->fn ? j->fn->fn(j->arg) : call_method(&(struct run){ .fn = j->fn, .arg = j->arg, .out = j->out, .dealt = j->dealt });
    leave(j);
    return err;
}

static leat_err run_inside(void *job) { return run_limited(job); }

static leat_err run_fn(struct job *j)
{
    struct exposures *t = exposures_of(sess_node(j->s));
    if (likely(!at_load_acq(&t->more) && !j->keyed && !j->dealt.attempt))
        return j->fn->fn ? j->fn->fn(j->arg) : ((leat_method_fn_ *)j->fn->call)(j->fn->self, j->arg, j->out);
    struct hook *hook = at_load_acq(&t->served_hook);
    if (!hook)
        return run_limited(j);
    leat_called c = { j->fn->name, sess_peer(j->s), j->arg, j->keyed ? NULL : j->out, leat_string_view(j->key.p, j->keyed ? j->key.len : 0),
        j->dealt.attempt ? &j->dealt : NULL };
    leat_err err = around(hook, &c, run_inside, j);
    leave(j);                                        /* a hook that came meanwhile may not have gone on */
    return err;
}

/* What more is said of the error that a function has just returned, for a peer that reads it. */
static void keep_error(struct job *j, leat_err err)
{
    if (sess_plain(j->s))
        return;
    buf_reset(&j->partial);
    j->partial.max = LIMIT_ELEM;
    if (error_pack(err, &j->partial) != LEAT_OK)
        buf_free(&j->partial);                       /* then it is code and text */
}

/* Runs it with its context; *text: the detail of its error. */
static leat_err run_job(struct job *j, char *text, size_t cap)
{
    struct calls *t = calls_of(j->s);
    leat_err err = LEAT_OK;
    at_store(&task_self()->deadline, j->deadline);   /* nothing else is this task's to obey */
    leat_with_cancel(ctx) {
        lock(&t->lock);
        j->ctx = ctx;
        if (j->canceled)
            leat_cancel(ctx, j->cause);
        unlock(&t->lock);
        err = run_fn(j);
        text[0] = 0;
        if (err != LEAT_OK) {
            snprintf(text, cap, "%s", leat_err_detail());
            keep_error(j, err);
        }
        lock(&t->lock);
        j->ctx = NULL;
        slots_take(&t->jobs, j->slot.id);            /* a CANCEL that comes now finds that the answer is on its way */
        unlock(&t->lock);
    }
    at_store(&task_self()->deadline, NEVER);
    return err;
}

static leat_err job_task(struct job **arg)
{
    struct job *j = *arg;
    char text[CALL_TEXT];
    leat_err err = run_job(j, text, sizeof text);
    if (j->arg && !j->fn->in_plain)
        leat_drop_(j->fn->in, j->arg);               /* ends inside are done before the answer says so */
    if (!j->over)
        leat_ignore(sess_wait_room(j->s));           /* who asks and does not take the answers has so many jobs here, and no more */
    bool over = j->over, done = j->canceled && j->what == OPEN_CALL;             /* out of the table: nobody else knows it */
    if (!over && done) {
        answer_done(j);
    } else if (!over) {
        leat_err sent = LEAT_OK;
        bool value = err == LEAT_OK && j->fn->out;
        if (value && (sent = kept_result(j->kept) ? answer_kept(j) : answer_value(j)) != LEAT_OK)
            snprintf(text, sizeof text, "the result cannot be sent: %s", leat_err_detail());
        if (!value || sent != LEAT_OK)
            answer(j, &(struct answer){ .err = value ? sent : err, .own = !value && !j->refused, .text = text,
                .more = err != LEAT_OK && !j->refused ? &j->partial : NULL });
    }
    job_free(j);
    return LEAT_OK;
}

/* In place of job_task: its task has found no memory for a stack (task_go). */
static leat_err job_starved(struct job **arg)
{
    struct job *j = *arg;
    struct calls *t = calls_of(j->s);
    char text[CALL_TEXT];
    snprintf(text, sizeof text, "'%s' has not run: %s has no memory for its stack", j->fn->name, node_name(sess_node(j->s)));
    leave(j);
    lock(&t->lock);
    slots_take(&t->jobs, j->slot.id);
    unlock(&t->lock);
    if (!j->fn->in_plain)
        leat_drop_(j->fn->in, j->arg);
    if (!j->over && j->canceled && j->what == OPEN_CALL) {
        answer_done(j);
    } else if (!j->over) {
        answer(j, &(struct answer){ .err = LEAT_NOMEM, .text = text });
        sess_owe(j->s, FRAME_NUMBERED + strlen(text));               /* nobody here may wait for room */
    }
    job_free(j);
    return LEAT_OK;
}

/* -- OPEN --------------------------------------------------------------------------------------------------------------------------- */
static leat_err refuse(struct job *j, const struct answer *a)
{
    struct calls *t = calls_of(j->s);
    lock(&t->lock);
    slots_take(&t->jobs, j->slot.id);
    unlock(&t->lock);
    answer(j, a);
    sess_owe(j->s, FRAME_NUMBERED + strlen(a->text) + cur_left(&a->form));
    t->job_bytes -= j->total;
    job_free(j);
    return LEAT_OK;
}

static leat_err refuse_form(struct job *j, const char *text, const leat_type *mine)
{
    struct answer a = { .err = LEAT_TYPE, .text = text };
    char said[CALL_TEXT + 300];
    if (!sess_owes_much(j->s) && !value_form(j->s, mine, &a.form)) {
        int n = snprintf(said, sizeof said, "%s", text);
        if (n >= 0 && (size_t)n < sizeof said)
            value_form_why(j->s, mine, said + n, sizeof said - (size_t)n);
        a.text = said;
    }
    return refuse(j, &a);
}

/* The session breaks.  Its end frees what is in the table. */
static leat_err malformed(struct job *j, leat_err err)
{
    if (!j->listed) {
        sess_refuse(j->s, FRAME_OPEN, err);          /* before ends in the argument go */
        job_free(j);
    }
    return err;
}

/* What the header asks for, once all bytes are here. */
struct asked { const char *name; size_t len; struct type_print in, out; struct cur form; };      /* form: empty if it did not come */

static leat_err start(struct job *j, struct cur *bytes)
{
    static const leat_site_ call_site = { "leat_serve", __FILE__, __LINE__ }, task_site = { "leat_expose", __FILE__, __LINE__ };
    struct calls *t = calls_of(j->s);
    if (j->early != LEAT_OK)
        return j->early == LEAT_TYPE ? refuse_form(j, j->text, j->text[0] == 'r' ? j->fn->out : j->fn->in)
                                     : refuse(j, &(struct answer){ .err = j->early, .text = j->text });
    const struct exposed *f = j->fn;
    j->arg = room_for(f->in->size, j->arg_room);
    j->out = f->out ? room_for(f->out->size, j->out_room) : NULL;
    if (!j->arg || (f->out && !j->out))
        return refuse(j, &(struct answer){ .err = LEAT_NOMEM, .text = "no memory for the argument" });
    if (j->keyed)
        call_key_hash(&j->key, bytes);
    leat_err err = value_unpack(j->s, FRAME_OPEN, f->in, j->as, bytes, j->arg);
    if (err == LEAT_OK && !cur_done(bytes))
        err = leat_fail(LEAT_INVAL, "an argument with bytes too many");
    if (err == LEAT_NOMEM || err == LEAT_LIMIT)
        return refuse(j, &(struct answer){ .err = err, .text = leat_err_detail() });
    if (err != LEAT_OK)
        return malformed(j, err);
    t->job_bytes -= j->total;
    j->total = 0;
    buf_free(&j->partial);
    lock(&t->lock);
    bool listed = j->listed || slots_add(&t->jobs, &j->slot);
    j->listed = j->started = listed;
    unlock(&t->lock);
    if (!listed)
        return refuse(j, &(struct answer){ .err = LEAT_NOMEM, .text = "no memory for a call" });
    struct exposures *x = exposures_of(sess_node(j->s));
    if (unlikely(at_load_acq(&x->more)) && !at_load_acq(&x->served_hook))
        come(j);                                     /* here, in the order of OPENs */
    err = task_go(node_group(sess_node(j->s)), (leat_fn_ *)(void (*)(void))job_task, f->out ? &call_site : &task_site, &j, sizeof j,
        (leat_fn_ *)(void (*)(void))job_starved);
    if (err != LEAT_OK)
        leave(j);
    return err == LEAT_OK ? err : refuse(j, &(struct answer){ .err = err == LEAT_CANCELED ? LEAT_PEER_LOST : err,
        .text = err == LEAT_CANCELED ? "the node is closing" : leat_err_detail() });
}

/* An argument of another type: whether it can be read.  false, and early is set: it could be, but for memory or a limit. */
static bool may_read(struct job *j, const struct asked *a)
{
    j->as = value_bridge_known(j->s, j->fn->in, &a->in);
    if (j->as)
        return true;
    struct cur form = cur_left(&a->form) ? a->form : value_form_kept(j->s, &a->in);
    if (!cur_left(&form))
        return false;
    leat_err err = value_bridge(j->s, j->fn->in, form, &j->as);
    if (err != LEAT_OK && err != LEAT_TYPE) {
        j->early = err;
        snprintf(j->text, sizeof j->text, "argument of '%s': %s", j->fn->name, leat_err_detail());
    }
    return err == LEAT_OK;
}

static void match(struct job *j, const struct asked *a)
{
    struct exposed *f = exposed_find(sess_node(j->s), a->name, a->len);
    if (!f || (f->out != NULL) != (j->what == OPEN_CALL)) {
        j->early = LEAT_REFUSED;
        snprintf(j->text, sizeof j->text, "%s %s no %s '%.*s'", node_name(sess_node(j->s)), j->what == OPEN_CALL ? "serves" : "exposes",
            j->what == OPEN_CALL ? "method" : "function", (int)a->len, a->name);
        return;
    }
    j->fn = f;
    if (j->keyed && (value_has_ends(f->in) || value_has_ends(f->out))) {
        j->early = LEAT_INVAL;
        snprintf(j->text, sizeof j->text, "'%s' has ends of channels, which are not kept for a key", f->name);
        return;
    }
    bool in = type_print_same(&a->in, &f->in_print) || may_read(j, a), out = !f->out || type_print_same(&a->out, &f->out_print);
    if ((in && out) || j->early != LEAT_OK)
        return;
    j->early = LEAT_TYPE;
    snprintf(j->text, sizeof j->text, "%s of '%s' is of another type", in ? "result" : "argument", f->name);
}

static void read_dealt(struct cur *in, struct job *j)
{
    j->dealt.number = cur_varint(in);
    uint64_t attempt = cur_varint(in);
    j->what &= (uint8_t)~OPEN_DEALT;
    in->bad |= (j->what & ~OPEN_KEYED) != OPEN_CALL || attempt == 0 || attempt > UINT32_MAX;
    j->dealt.attempt = (uint32_t)attempt;
}

static void read_key(struct cur *in, struct job *j)
{
    size_t len;
    const char *key = cur_text(in, &len);
    j->what &= (uint8_t)~OPEN_KEYED;
    in->bad |= j->what != OPEN_CALL || len == 0 || len > LIMIT_KEY;
    if (in->bad)
        return;
    j->keyed = true;
    j->key.len = (uint8_t)len;
    memcpy(j->key.p, key, len);
}

static void read_form(struct sess *s, struct cur *in, struct asked *a)
{
    a->form = value_form_in(s, in);
    struct type_print print = type_print_of(a->form);
    in->bad |= !type_print_same(&print, &a->in);
    if (!in->bad)
        value_form_keep(s, &a->in, a->form);         /* whatever becomes of this OPEN */
}

static leat_err read_open(struct sess *s, struct cur *in, struct job *j, uint32_t running)
{
    struct calls *t = calls_of(s);
    struct asked a = { .len = 0 };
    j->s = s;
    sess_ref(s);
    j->what = cur_u8(in);
    a.name = cur_text(in, &a.len);
    uint64_t left = cur_u64(in);
    cur_get(in, a.in.b, sizeof a.in.b);
    cur_get(in, a.out.b, sizeof a.out.b);
    uint64_t total = cur_varint(in);
    bool form = j->what & OPEN_FORM;
    j->what &= (uint8_t)~OPEN_FORM;
    if (j->what & OPEN_DEALT)
        read_dealt(in, j);
    if (j->what & OPEN_KEYED)
        read_key(in, j);
    if (form)
        read_form(s, in, &a);
    if (in->bad || j->what > OPEN_TASK || a.len > CALL_NAME || total > LIMIT_ELEM)
        return leat_fail(LEAT_INVAL, "a malformed frame OPEN");
    if (running >= LIMIT_SESS_OPENS || t->job_bytes + total > LIMIT_SESS_OPEN_BYTES)
        return leat_fail(LEAT_LIMIT, "more calls than were agreed on");
    int64_t now = left >= (uint64_t)NEVER ? 0 : rt_now(task_self()->rt);
    j->total = j->partial.max = (size_t)total;
    j->deadline = left >= (uint64_t)(NEVER - now) ? NEVER : now + (int64_t)left;
    match(j, &a);
    t->job_bytes += total;
    return LEAT_OK;
}

/* The first of several frames: the next ones are to find it. */
static leat_err list(struct calls *t, struct job *j)
{
    lock(&t->lock);
    j->listed = slots_add(&t->jobs, &j->slot);
    unlock(&t->lock);
    return j->listed ? LEAT_OK : malformed(j, leat_fail(LEAT_NOMEM, "no memory for a call"));
}

leat_err serve_on_open(struct sess *s, uint8_t flags, struct cur *in)
{
    struct calls *t = calls_of(s);
    uint64_t id = cur_varint(in);
    if (in->bad || (id & 1) == (uint64_t)sess_dialed(s))
        return leat_fail(LEAT_INVAL, "a malformed frame OPEN");
    lock(&t->lock);
    struct job *j = (struct job *)(void *)slots_find(&t->jobs, id);
    bool started = j && j->started, first = !j;
    uint32_t running = t->jobs_here;                 /* only this task adds to them */
    if (first)
        j = spare_get_locked(&t->spare_jobs, sizeof *j, offsetof(struct job, arg_room));
    t->jobs_here += first && j;
    unlock(&t->lock);
    if (started)
        return leat_fail(LEAT_INVAL, "a second OPEN of %llu", (unsigned long long)id);
    if (!j)
        return leat_fail(LEAT_NOMEM, "no memory for a call");
    bool more = flags & FRAME_MORE;
    if (first) {
        j->slot.id = id;
        leat_err err = read_open(s, in, j, running);
        if (err != LEAT_OK)
            return malformed(j, err);
        if (more)
            LEAT_TRY(list(t, j));
    }
    struct cur bytes = *in;
    in->p = in->end;
    if (more || j->partial.len) {
        buf_put(&j->partial, bytes.p, cur_left(&bytes));
        if (buf_err(&j->partial) != LEAT_OK)
            return malformed(j, leat_fail(buf_err(&j->partial), "an argument of more bytes than it said"));
        bytes = cur_of(j->partial.p, j->partial.len);
    }
    return more ? LEAT_OK : start(j, &bytes);
}

leat_err serve_on_cancel(struct sess *s, uint8_t flags, struct cur *in)
{
    struct calls *t = calls_of(s);
    uint64_t id = cur_varint(in);
    uint8_t cause = cur_u8(in);
    (void)flags;
    if (in->bad)
        return leat_fail(LEAT_INVAL, "a malformed frame CANCEL");
    lock(&t->lock);
    struct job *j = (struct job *)(void *)slots_find(&t->jobs, id);
    if (j) {                                         /* else the answer is on its way */
        j->canceled = true;
        j->cause = cause > LEAT_OK && cause <= LEAT_SYS ? (leat_err)cause : LEAT_CANCELED;
        if (j->ctx)
            leat_cancel(j->ctx, j->cause);
    }
    unlock(&t->lock);
    return LEAT_OK;
}

/* The session has ended: what runs is cancelled and will answer nobody; what had not started goes. */
void serve_lost(struct sess *s)
{
    struct calls *t = calls_of(s);
    for (;;) {
        lock(&t->lock);
        struct slot *any = slots_any(&t->jobs);
        struct job *j = any ? (struct job *)(void *)slots_take(&t->jobs, any->id) : NULL;
        bool started = j && j->started;
        if (started) {
            j->over = j->canceled = true;
            j->cause = LEAT_PEER_LOST;
            if (j->ctx)
                leat_cancel(j->ctx, LEAT_PEER_LOST);
        }
        unlock(&t->lock);
        if (!j)
            return;
        if (!started)
            job_free(j);
    }
}
