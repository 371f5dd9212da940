/* types.c - peers that describe a type otherwise: the bridges of a session (type/bridge.h), and the frame TYPE.
 *
 * Who is to read learns the form of who writes: from a refusal, which brings the form of who refuses; from OPEN, which may bring that
 * of its argument; from the type of a value that ends of channels lie in; and of what a site sends, from its frame TYPE.  A bridge is
 * made once for a pair of types and lives as long as the session.  Only the reader task makes and looks for them; whoever was given
 * one may use it while it holds the session. */
#include "sess/value.h"
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "sess/home.h"
#include "type/bridge.h"

struct kept { struct kept *next; struct type_print print; uint32_t len; uint8_t form[]; };
struct bridges {
    struct type_bridge *at[LIMIT_SESS_BRIDGES];
    uint32_t n;
    size_t bytes;
    struct kept *forms;                              /* that were told with OPENs, whatever became of those */
    uint32_t forms_n;
    size_t form_bytes;
};

static struct bridges *bridges_of(struct sess *s)
{
    struct ends *e = ends_of(s);
    if (!e->bridges)
        e->bridges = mem_zalloc(sizeof *e->bridges);
    return e->bridges;
}

/* -- forms on the wire ------------------------------------------------------------------------------------------------------- */
bool value_form(const struct sess *s, const leat_type *t, struct cur *ret)
{
    if (type_form(t, ret) == LEAT_OK && (cur_left(ret) <= LIMIT_FRAME_FORM || sess_forms(s)))
        return true;
    *ret = (struct cur){ 0 };
    return false;
}

void value_form_why(const struct sess *s, const leat_type *t, char *to, size_t cap)
{
    struct cur form;
    if (type_form(t, &form) == LEAT_OK)
        snprintf(to, cap, ": the description of %s has %zu bytes, and the version of %s cannot be told one of over %d", t->name,
            cur_left(&form), sess_text(s), LIMIT_FRAME_FORM);
    else
        snprintf(to, cap, ": %s", leat_err_detail());
}

struct cur value_form_in(struct sess *s, struct cur *in)
{
    struct ends *t = ends_of(s);
    size_t len;
    const char *p = cur_text(in, &len);
    if (!p || len != 1 || *p != 0)
        return cur_of(p, len);
    in->bad |= !t->form_whole;
    t->form_whole = false;
    return in->bad ? (struct cur){ 0 } : cur_of(t->form.p, t->form.len);
}

/* What a peer has under way is one form, and memory for what has come of it.  It stays until the next one, for who reads it. */
leat_err forms_on_form(struct sess *s, uint8_t flags, struct cur *in)
{
    struct ends *t = ends_of(s);
    if (!sess_forms(s))
        return leat_fail(LEAT_INVAL, "a frame FORM, which the version of this session has not");
    if (!t->form_more)
        buf_reset(&t->form);
    t->form_more = flags & FRAME_MORE;
    t->form_whole = !t->form_more;
    t->form.max = LIMIT_TYPE_BYTES;
    buf_put(&t->form, in->p, cur_left(in));
    in->p = in->end;
    return buf_err(&t->form) == LEAT_OK ? LEAT_OK
        : leat_fail(buf_err(&t->form), "the description of a type, of over %d bytes", LIMIT_TYPE_BYTES);
}

static void forget_forms(struct bridges *t)
{
    for (struct kept *k; (k = t->forms) != NULL; mem_free(k))
        t->forms = k->next;
    t->forms_n = 0;
    t->form_bytes = 0;
}

struct cur value_form_kept(struct sess *s, const struct type_print *print)
{
    const struct bridges *t = ends_of(s)->bridges;
    for (const struct kept *k = t ? t->forms : NULL; k; k = k->next)
        if (type_print_same(&k->print, print))
            return cur_of(k->form, k->len);
    return (struct cur){ 0 };
}

void value_form_keep(struct sess *s, const struct type_print *print, struct cur form)
{
    size_t bytes = sizeof(struct kept) + cur_left(&form);
    struct bridges *t = bridges_of(s);
    if (!t || cur_left(&form) > LIMIT_TYPE_BYTES || value_form_kept(s, print).p)
        return;
    if (t->forms_n == LIMIT_SESS_FORMS || t->form_bytes + bytes > LIMIT_SESS_FORM_BYTES)
        forget_forms(t);
    struct kept *k = mem_alloc(bytes);
    if (!k)
        return;                                      /* then the next OPEN without it is refused */
    k->print = *print;
    k->len = (uint32_t)cur_left(&form);
    memcpy(k->form, form.p, k->len);
    k->next = t->forms;
    t->forms = k;
    t->forms_n++;
    t->form_bytes += bytes;
}

/* -- bridges --------------------------------------------------------------------------------------------------------------------- */

const struct type_bridge *value_bridge_known(struct sess *s, const leat_type *mine, const struct type_print *theirs)
{
    const struct bridges *t = ends_of(s)->bridges;
    for (uint32_t i = 0; t && i < t->n; i++)
        if (t->at[i]->type == mine && type_print_same(&t->at[i]->print, theirs))
            return t->at[i];
    return NULL;
}

static leat_err add(struct sess *s, struct type_bridge *b)
{
    struct bridges *t = bridges_of(s);
    if (b->tells && !sess_types(s))
        return leat_fail(LEAT_TYPE, "type %s: it has send ends, and the version of %s cannot be told what will be sent", b->type->name,
            sess_text(s));
    if (!t)
        return leat_fail(LEAT_NOMEM, "type %s: no memory to read the other side's", b->type->name);
    if (t->n == LIMIT_SESS_BRIDGES || t->bytes + b->bytes > LIMIT_SESS_BRIDGE_BYTES)
        return leat_fail(LEAT_LIMIT, "type %s: of one peer at most %d types that differ are read, and %d bytes for that", b->type->name,
            LIMIT_SESS_BRIDGES, LIMIT_SESS_BRIDGE_BYTES);
    t->at[t->n++] = b;
    t->bytes += b->bytes;
    return LEAT_OK;
}

leat_err value_bridge(struct sess *s, const leat_type *mine, struct cur theirs, const struct type_bridge **ret)
{
    struct type_print print = type_print_of(theirs);
    struct type_bridge *b;
    if ((*ret = value_bridge_known(s, mine, &print)) != NULL)
        return LEAT_OK;
    LEAT_TRY(type_bridge_make(mine, theirs, &b));
    leat_err err = add(s, b);
    if (err == LEAT_OK)
        *ret = b;
    else
        type_bridge_free(b);
    return err;
}

void value_bridges_free(struct ends *e)
{
    for (uint32_t i = 0; e->bridges && i < e->bridges->n; i++)
        type_bridge_free(e->bridges->at[i]);
    if (e->bridges)
        forget_forms(e->bridges);
    mem_free(e->bridges);
    buf_free(&e->form);
}

leat_err value_check(struct sess *s, const leat_type *mine, struct cur theirs)
{
    struct cur form;
    LEAT_TRY(type_bridge_check(mine, theirs));
    if (!sess_types(s))
        return leat_fail(LEAT_TYPE, "type %s: it is another one there, which the version of %s cannot be told", mine->name, sess_text(s));
    if (value_form(s, mine, &form))
        return LEAT_OK;
    char why[400];
    value_form_why(s, mine, why, sizeof why);
    return leat_fail(LEAT_TYPE, "type %s: it is another one there%s", mine->name, why);
}

/* What is sent on this site's end is of the form of t: before anything is. */
void end_tell_type(struct end *e, const leat_type *t)
{
    struct cur form;
    if (!value_form(e->s, t, &form))
        return;                                      /* value_check has seen that it can be */
    struct buf *b = sess_begin_form(e->s, FRAME_TYPE, 0, form);
    if (!b)
        return;
    buf_varint(b, e->id);
    frame_put_form(b, form);
    (void)sess_commit_must(e->s);
}

leat_err home_on_type(struct end *e, struct cur *in)
{
    const struct type_bridge *as;
    struct cur form = value_form_in(e->s, in);
    if (in->bad)
        return LEAT_OK;                              /* the caller says so */
    lock(&e->c->lock);
    bool late = e->as || e->accepted || e->partial || e->delivering;
    unlock(&e->c->lock);
    if (late)
        return leat_fail(LEAT_INVAL, "a frame TYPE for end %llu after what it is about", (unsigned long long)e->id);
    LEAT_TRY(value_bridge(e->s, e->type, form, &as));
    lock(&e->c->lock);
    end_read_as(e, as);
    unlock(&e->c->lock);
    return LEAT_OK;
}

void end_read_as(struct end *e, const struct type_bridge *as)
{
    e->as = as;
    e->raw = as ? 0 : e->raw;
    e->ends_inside |= as && as->ends;
}
