/* gob_decl.c - the types of a gob stream as Go declarations.
 *
 * Only types with a name of their own are declared; others ("[]int", the pointer behind a big.Int) are written where they are used.
 * Two types of one name, from two packages, are told apart by the id of the second. */
#include <stdlib.h>
#include "type/gob.h"

/* Types without a name are written wherever they are used, which of a few that use each other twice makes more than anybody reads, and of
 * a circle more than there is.  So only so deep inside each other, and all of them at most UNNAMED_TIMES as much as is there, and
 * UNNAMED_FREE bytes.  PART: what a type or a field takes beside its name, more or less. */
enum { DEPTH = 100, UNNAMED_TIMES = 8, UNNAMED_FREE = 64 << 10, PART = 64 };

static bool is_name(struct gob_text t)
{
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = (uint8_t)t.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && c != '_' && c < 128 && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return t.n > 0;
}

/* of: in the order of the stream, by which second says whether an earlier one has the same name.  unnamed: bytes that are left for those */
struct decls { const struct gob *g; const struct json_sink *s; const struct gob_type **of; bool *second; size_t n, unnamed; };

static void text(const struct decls *d, struct gob_text t)
{
    if (t.n)
        d->s->put(d->s->self, t.p, t.n);
}

static void name(const struct decls *d, const struct gob_type *t)
{
    text(d, t->name);
    if (d->second[t->order]) {
        json_put(d->s, "_");
        json_int(d->s, t->id);
    }
}

static size_t weight(const struct gob_type *t)
{
    size_t n = PART + t->name.n;
    for (size_t i = 0; i < t->nfields; i++)
        n += PART + t->fields[i].name.n;
    return n;
}

static void body(struct decls *d, const struct gob_type *t, int depth);

static void use(struct decls *d, int64_t id, int depth)
{
    static const char *const basic[] = { "?", "bool", "int", "uint", "float64", "[]byte", "string", "complex128", "interface{}" };
    const struct gob_type *t = gob_type_of(d->g, id);
    if (id >= GOB_BOOL && id <= GOB_INTERFACE)
        json_put(d->s, basic[id]);
    else if (!t || depth > DEPTH)
        json_put(d->s, "struct{} /* a type that is not defined */");
    else if (gob_is_time(t))
        json_put(d->s, "time.Time");
    else if (is_name(t->name))
        name(d, t);
    else if (weight(t) > d->unnamed)
        json_put(d->s, "struct{} /* more without a name than is written */");
    else {
        d->unnamed -= weight(t);
        body(d, t, depth + 1);
    }
}

static void body(struct decls *d, const struct gob_type *t, int depth)
{
    static const char *const methods[] = { "GobEncode", "MarshalBinary", "MarshalText" };
    switch (t->kind) {
    case GOB_STRUCT:
        json_put(d->s, t->nfields ? "struct {\n" : "struct{}");
        for (size_t i = 0; i < t->nfields; i++) {
            json_put(d->s, "\t");
            text(d, t->fields[i].name);
            json_put(d->s, " ");
            use(d, t->fields[i].type, depth + 1);
            json_put(d->s, "\n");
        }
        json_put(d->s, t->nfields ? "}" : "");
        break;
    case GOB_MAP:
        json_put(d->s, "map[");
        use(d, t->key, depth + 1);
        json_put(d->s, "]");
        use(d, t->elem, depth + 1);
        break;
    case GOB_OPAQUE:
        json_put(d->s, "[]byte /* as ");
        json_put(d->s, methods[t->len - 4]);
        json_put(d->s, " wrote it */");
        break;
    default:
        json_put(d->s, "[");
        if (t->kind == GOB_ARRAY)
            json_uint(d->s, t->len);
        json_put(d->s, "]");
        use(d, t->elem, depth + 1);
        break;
    }
}

static int by_order(const void *a, const void *b)
{
    const struct gob_type *const *x = a, *const *y = b;
    return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

static int by_name(const void *a, const void *b)
{
    const struct gob_type *const *x = a, *const *y = b;
    size_t n = (*x)->name.n < (*y)->name.n ? (*x)->name.n : (*y)->name.n;
    int c = memcmp((*x)->name.p, (*y)->name.p, n);
    return c ? c : (*x)->name.n != (*y)->name.n ? ((*x)->name.n < (*y)->name.n ? -1 : 1) : by_order(a, b);
}

static void declare_all(struct decls *d)
{
    d->unnamed = UNNAMED_FREE;
    for (size_t i = 0; i < d->g->size; i++)
        if (d->g->table[i]) {
            d->of[d->n++] = d->g->table[i];
            d->unnamed += UNNAMED_TIMES * weight(d->g->table[i]);
        }
    qsort((void *)d->of, d->n, sizeof *d->of, by_name);
    for (size_t i = 1; i < d->n; i++) {
        const struct gob_text *x = &d->of[i - 1]->name, *y = &d->of[i]->name;
        d->second[d->of[i]->order] = x->n == y->n && memcmp(x->p, y->p, x->n) == 0;
    }
    qsort((void *)d->of, d->n, sizeof *d->of, by_order);
    for (size_t i = 0; i < d->n; i++)
        if (is_name(d->of[i]->name) && !gob_is_time(d->of[i])) {
            json_put(d->s, "type ");
            name(d, d->of[i]);
            json_put(d->s, " ");
            body(d, d->of[i], 0);
            json_put(d->s, "\n");
        }
}

leat_err gob_declarations(const struct gob *g, const struct json_sink *s)
{
    struct decls d = { .g = g, .s = s };
    d.of = mem_alloc((g->used + 1) * sizeof *d.of);
    d.second = mem_zalloc(g->used + 1);
    if (d.of && d.second)
        declare_all(&d);
    leat_err e = d.of && d.second ? LEAT_OK : LEAT_NOMEM;
    mem_free((void *)d.of);
    mem_free(d.second);
    return e;
}
