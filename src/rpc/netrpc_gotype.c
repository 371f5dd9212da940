/* netrpc_gotype.c - the type of arguments as Go writes it: struct { A, B int; M map[string][]T }, and so on.
 *
 * `struct` may be missing before its brace, and a pointer is what it points to, as gob has it.  What gob cannot send without more than
 * the text says - an interface, a type by its own name - is refused. */
#include <stdio.h>
#include <string.h>
#include "rpc/netrpc_args.h"

struct parse { struct netrpc_args *a; const char *from, *p; uint32_t depth; };

static leat_err bad_at(const struct parse *t, const char *at, const char *why)
{
    return leat_fail(LEAT_INVAL, "type, byte %zu: %s", (size_t)(at - t->from), why);
}

static leat_err no_room(void) { return leat_fail(LEAT_NOMEM, "no memory for the arguments"); }

static void space(struct parse *t) { t->p += strspn(t->p, " \t\r\n"); }

static bool eat(struct parse *t, char c)             /* never past the NUL at the end */
{
    space(t);
    if (*t->p != c)
        return false;
    t->p++;
    return true;
}

/* How many bytes of a name are at p; those that are no ASCII are taken for letters. */
static size_t name_at(const char *p)
{
    static const char ascii[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t n = 0;
    while (p[n] && (strchr(ascii, p[n]) || (uint8_t)p[n] >= 0x80 || (n > 0 && p[n] >= '0' && p[n] <= '9')))
        n++;
    return n;
}

static leat_err type(struct parse *t, uint32_t *ret);

static leat_err made(struct parse *t, enum shape_kind kind, unsigned bits, uint32_t *ret)
{
    *ret = netrpc_shape_new(t->a, kind, bits);
    return *ret ? LEAT_OK : no_room();
}

/* == Names =============================================================================================================== */

static const struct { const char *name; enum shape_kind kind; unsigned bits; } names[] = {
    { "bool", SHAPE_BOOL, 0 }, { "string", SHAPE_STRING, 0 }, { "int", SHAPE_INT, 64 }, { "int8", SHAPE_INT, 8 },
    { "int16", SHAPE_INT, 16 }, { "int32", SHAPE_INT, 32 }, { "int64", SHAPE_INT, 64 }, { "rune", SHAPE_INT, 32 },
    { "uint", SHAPE_UINT, 64 }, { "uint8", SHAPE_UINT, 8 }, { "uint16", SHAPE_UINT, 16 }, { "uint32", SHAPE_UINT, 32 },
    { "uint64", SHAPE_UINT, 64 }, { "uintptr", SHAPE_UINT, 64 }, { "byte", SHAPE_UINT, 8 }, { "float32", SHAPE_FLOAT, 32 },
    { "float64", SHAPE_FLOAT, 64 }, { "time.Time", SHAPE_TIME, 0 }, { "time.Duration", SHAPE_INT, 64 },
};

static const char *const interfaces[] = { "any", "error", "interface" };

static leat_err named(struct parse *t, uint32_t *ret)
{
    const char *at = t->p;
    size_t n = name_at(at);
    if (at[n] == '.' && name_at(at + n + 1))
        n += 1 + name_at(at + n + 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == n && memcmp(names[i].name, at, n) == 0) {
            t->p += n;
            return made(t, names[i].kind, names[i].bits, ret);
        }
    for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++)
        if (strlen(interfaces[i]) == n && memcmp(interfaces[i], at, n) == 0)
            return bad_at(t, at, "an interface: gob sends the name of the type in it, which only Go programs know");
    if (n >= 7 && memcmp(at, "complex", 7) == 0)
        return bad_at(t, at, "complex numbers cannot be sent from here");
    if ((n == 4 && memcmp(at, "chan", 4) == 0) || (n == 4 && memcmp(at, "func", 4) == 0))
        return bad_at(t, at, "gob sends no channels and no functions");
    if (n == 0)
        return bad_at(t, at, *at ? "here should be a type" : "it ends where a type should be");
    return leat_fail(LEAT_INVAL, "type, byte %zu: there is no type %.*s: write what it is", (size_t)(at - t->from),
        (int)MIN(n, (size_t)60), at);
}

/* == Types with parts ==================================================================================================== */

static leat_err row(struct parse *t, uint32_t *ret)
{
    uint64_t len = 0;
    uint32_t elem;
    const char *at = t->p;
    bool slice = eat(t, ']');
    if (!slice) {
        space(t);
        for (at = t->p; *t->p >= '0' && *t->p <= '9' && len <= UINT32_MAX; t->p++)
            len = len * 10 + (uint64_t)(*t->p - '0');
        if (t->p == at || len > UINT32_MAX || !eat(t, ']'))
            return bad_at(t, t->p, "an array is [number]type, and a slice []type");
    }
    LEAT_TRY(type(t, &elem));
    const struct net_shape *s = args_shape(t->a, elem);
    if (slice && s->kind == SHAPE_UINT && s->bits == 8)
        return made(t, SHAPE_BYTES, 0, ret);
    LEAT_TRY(made(t, slice ? SHAPE_SLICE : SHAPE_ARRAY, 0, ret));
    args_shape(t->a, *ret)->elem = elem;
    args_shape(t->a, *ret)->len = (uint32_t)len;
    return LEAT_OK;
}

static leat_err map(struct parse *t, uint32_t *ret)
{
    uint32_t key, elem;
    t->p += 3;
    if (!eat(t, '['))
        return bad_at(t, t->p, "a map is map[type]type");
    space(t);
    const char *at = t->p;
    LEAT_TRY(type(t, &key));
    if (args_shape(t->a, key)->kind > SHAPE_STRING)
        return bad_at(t, at, "the key of a map is a string, a number or a bool");
    if (!eat(t, ']'))
        return bad_at(t, t->p, "a map is map[type]type");
    LEAT_TRY(type(t, &elem));
    LEAT_TRY(made(t, SHAPE_MAP, 0, ret));
    args_shape(t->a, *ret)->key = key;
    args_shape(t->a, *ret)->elem = elem;
    return LEAT_OK;
}

/* What may stand behind the type of a field */
static leat_err tag(struct parse *t)
{
    char quote = *t->p;
    if (quote != '`' && quote != '"')
        return LEAT_OK;
    const char *at = t->p++;
    while (*t->p && *t->p != quote)
        t->p += quote == '"' && t->p[0] == '\\' && t->p[1] ? 2 : 1;
    return *t->p++ == quote ? LEAT_OK : bad_at(t, at, "a tag without its end");
}

/* One line of a struct: names, and their type */
static leat_err fields(struct parse *t, uint32_t me)
{
    const char *first = t->p, *end;
    uint32_t of, f;
    do {
        space(t);
        size_t n = name_at(t->p);
        if (n == 0)
            return bad_at(t, t->p, *t->p ? "here should be the name of a field" : "a struct ends with }");
        if (*t->p == '_' || (*t->p >= 'a' && *t->p <= 'z'))
            return bad_at(t, t->p, "gob sends only fields that begin with a capital");
        if (n > 255)
            return bad_at(t, t->p, "a name of over 255 bytes");
        t->p += n;
    } while (eat(t, ','));
    end = t->p;
    if (*t->p == 0 || strchr(";}.`\"", *t->p))
        return bad_at(t, t->p, "here should be the type of a field; one that is embedded has its type's name");
    LEAT_TRY(type(t, &of));
    for (const char *p = first; p < end; p += strspn(p, ", \t\r\n")) {
        size_t n = name_at(p);
        if (n == 0)
            break;
        if (netrpc_field(t->a, me, 0, p, n))
            return bad_at(t, p, "a field of this name is there already");
        LEAT_TRY(netrpc_field_add(t->a, me, p, n, of, &f));
        p += n;
    }
    t->p += strspn(t->p, " \t\r");
    LEAT_TRY(tag(t));
    t->p += strspn(t->p, " \t\r");
    return *t->p && strchr(";}\n", *t->p) ? LEAT_OK : bad_at(t, t->p, "a field ends with ; or the struct with }");
}

static leat_err structure(struct parse *t, uint32_t *ret)
{
    LEAT_TRY(made(t, SHAPE_STRUCT, 0, ret));
    for (;;) {
        while (eat(t, ';'))
            ;
        if (eat(t, '}'))
            return LEAT_OK;
        LEAT_TRY(fields(t, *ret));
    }
}

static bool word(struct parse *t, const char *w, char behind)
{
    size_t n = strlen(w);
    if (strncmp(t->p, w, n) != 0 || name_at(t->p) != n || t->p[n + strspn(t->p + n, " \t\r\n")] != behind)
        return false;
    return true;
}

static leat_err type(struct parse *t, uint32_t *ret)
{
    leat_err e;
    space(t);
    if (t->depth == NETRPC_DEPTH)
        return leat_fail(LEAT_LIMIT, "type, byte %zu: types inside each other over %d deep", (size_t)(t->p - t->from), NETRPC_DEPTH);
    t->depth++;
    if (word(t, "struct", '{'))
        t->p += strlen("struct");
    if (eat(t, '*'))
        e = type(t, ret);
    else if (eat(t, '(')) {
        e = type(t, ret);
        if (e == LEAT_OK && !eat(t, ')'))
            e = bad_at(t, t->p, "here should be )");
    } else if (eat(t, '['))
        e = row(t, ret);
    else if (eat(t, '{'))
        e = structure(t, ret);
    else
        e = word(t, "map", '[') ? map(t, ret) : named(t, ret);
    t->depth--;
    return e;
}

leat_err netrpc_go_type(struct netrpc_args *a, const char *text, uint32_t *ret)
{
    struct parse t = { .a = a, .from = text, .p = text };
    LEAT_TRY(type(&t, ret));
    space(&t);
    return *t.p ? bad_at(&t, t.p, "more behind the type") : LEAT_OK;
}
