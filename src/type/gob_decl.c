/* gob_decl.c - the types of a gob stream as Go declarations.
 *
 * Only types with a name of their own are declared; others ("[]int", the pointer behind a big.Int) are written where they are used.
 * Two types of one name, from two packages, are told apart by the id of the second.  What a type has of itself without a slice or a map
 * between is a pointer there, as anything else would be no Go.  One with parameters, "Pair[int,main.Point]", is one of them to the wire: it
 * is declared as Pair_int_main_Point. */
#include <stdlib.h>
#include "type/gob.h"

/* Types without a name are written wherever they are used, which of a few that use each other twice makes more than anybody reads, and of
 * a circle more than there is.  So only so deep inside each other, and all of them at most UNNAMED_TIMES as much as is there, and
 * UNNAMED_FREE bytes.  PART: what a type or a field takes beside its name, more or less. */
enum { DEPTH = 100, UNNAMED_TIMES = 8, UNNAMED_FREE = 64 << 10, PART = 64 };

static bool in_name(uint8_t c, bool first)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 128 || (!first && c >= '0' && c <= '9');
}

/* What the type is called in a declaration, to room for its name; how many bytes, 0: it is not declared. */
static size_t spell(struct gob_text t, char *to)
{
    size_t n = 0;
    while (n < t.n && in_name((uint8_t)t.p[n], n == 0))
        n++;
    if (n < t.n && (n == 0 || t.p[n] != '[' || t.p[t.n - 1] != ']' || (n == 3 && memcmp(t.p, "map", 3) == 0)))
        return 0;
    for (size_t i = 0; i < t.n; i++) {
        bool dot = i >= n && strchr("\xc2\xb7", t.p[i]);         /* Go's mark of a type that is local to a function */
        to[i] = in_name((uint8_t)t.p[i], false) && !dot ? t.p[i] : '_';
    }
    return n == t.n ? n : t.n - 1;                   /* without what the ] has become */
}

/* of, name, second, group: by order.  second: an earlier one has the same name.  unnamed: bytes that are left for those without one */
struct decls {
    const struct gob *g;
    const struct json_sink *s;
    const struct gob_type **of;
    struct gob_text *name;
    bool *second;
    size_t *group, unnamed, tabs;
    char *names;
};

static void text(const struct decls *d, struct gob_text t)
{
    if (t.n)
        d->s->put(d->s->self, t.p, t.n);
}

static void name(const struct decls *d, const struct gob_type *t)
{
    text(d, d->name[t->order]);
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

/* A type where `in` has it: as a field or an element */
static void use(struct decls *d, const struct gob_type *in, int64_t id, int depth)
{
    static const char *const basic[] = { "?", "bool", "int", "uint", "float64", "[]byte", "string", "complex128", "interface{}" };
    const struct gob_type *t = gob_type_of(d->g, id);
    bool direct = in->kind == GOB_STRUCT || in->kind == GOB_ARRAY;
    if (t && direct && d->group[t->order] == d->group[in->order])
        json_put(d->s, "*");
    if (id >= GOB_BOOL && id <= GOB_INTERFACE)
        json_put(d->s, basic[id]);
    else if (!t || depth > DEPTH)
        json_put(d->s, "struct{} /* a type that is not defined */");
    else if (gob_is_time(t))
        json_put(d->s, "time.Time");
    else if (d->name[t->order].n)
        name(d, t);
    else if (weight(t) > d->unnamed)
        json_put(d->s, "struct{} /* more without a name than is written */");
    else {
        d->unnamed -= weight(t);
        body(d, t, depth + 1);
    }
}

static void line(const struct decls *d)
{
    json_put(d->s, "\n");
    for (size_t i = 0; i < d->tabs; i++)
        json_put(d->s, "\t");
}

static void fields(struct decls *d, const struct gob_type *t, int depth)
{
    json_put(d->s, t->nfields ? "struct {" : "struct{");
    d->tabs++;
    for (size_t i = 0; i < t->nfields; i++) {
        line(d);
        text(d, t->fields[i].name);
        json_put(d->s, " ");
        use(d, t, t->fields[i].type, depth + 1);
    }
    d->tabs--;
    if (t->nfields)
        line(d);
    json_put(d->s, "}");
}

static void body(struct decls *d, const struct gob_type *t, int depth)
{
    static const char *const methods[] = { "GobEncode", "MarshalBinary", "MarshalText" };
    switch (t->kind) {
    case GOB_STRUCT:
        fields(d, t, depth);
        break;
    case GOB_MAP:
        json_put(d->s, "map[");
        use(d, t, t->key, depth + 1);
        json_put(d->s, "]");
        use(d, t, t->elem, depth + 1);
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
        use(d, t, t->elem, depth + 1);
        break;
    }
}

static int by_order(const void *a, const void *b)
{
    const struct gob_type *const *x = a, *const *y = b;
    return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

static int by_name(const void *a, const void *b, void *self)
{
    const struct gob_type *const *x = a, *const *y = b;
    const struct decls *d = self;
    const struct gob_text *p = &d->name[(*x)->order], *q = &d->name[(*y)->order];
    size_t n = p->n < q->n ? p->n : q->n;
    int c = n ? memcmp(p->p, q->p, n) : 0;
    return c ? c : p->n != q->n ? (p->n < q->n ? -1 : 1) : by_order(a, b);
}

/* All types, and what each is called */
static void collect(struct decls *d)
{
    size_t n = 0;
    char *to = d->names;
    for (size_t i = 0; i < d->g->size; i++)
        if (d->g->table[i]) {
            struct gob_type *t = d->g->table[i];
            d->of[n++] = t;
            d->unnamed += UNNAMED_TIMES * weight(t);
            d->name[t->order] = (struct gob_text){ to, spell(t->name, to) };
            to += d->name[t->order].n;
        }
    qsort_r((void *)d->of, n, sizeof *d->of, by_name, d);
    for (size_t i = 1; i < n; i++) {
        const struct gob_text *x = &d->name[d->of[i - 1]->order], *y = &d->name[d->of[i]->order];
        d->second[d->of[i]->order] = x->n == y->n && x->n && memcmp(x->p, y->p, x->n) == 0;
    }
    qsort((void *)d->of, n, sizeof *d->of, by_order);
}

static leat_err declare_all(struct decls *d)
{
    collect(d);
    LEAT_TRY(gob_circles(d->g, d->of, d->group));
    for (size_t i = 0; i < d->g->used; i++)
        if (d->name[i].n && !gob_is_time(d->of[i])) {
            json_put(d->s, "type ");
            name(d, d->of[i]);
            json_put(d->s, " ");
            body(d, d->of[i], 0);
            json_put(d->s, "\n");
        }
    return LEAT_OK;
}

leat_err gob_declarations(const struct gob *g, const struct json_sink *s)
{
    struct decls d = { .g = g, .s = s, .unnamed = UNNAMED_FREE };
    size_t names = 0;
    for (size_t i = 0; i < g->size; i++)
        names += g->table[i] ? g->table[i]->name.n : 0;
    d.of = mem_alloc((g->used + 1) * sizeof *d.of);
    d.name = mem_alloc((g->used + 1) * sizeof *d.name);
    d.second = mem_zalloc(g->used + 1);
    d.group = mem_alloc((g->used + 1) * sizeof *d.group);
    d.names = mem_alloc(names + 1);
    leat_err e = d.of && d.name && d.second && d.group && d.names ? declare_all(&d) : LEAT_NOMEM;
    mem_free((void *)d.of);
    mem_free(d.name);
    mem_free(d.second);
    mem_free(d.group);
    mem_free(d.names);
    return e;
}
