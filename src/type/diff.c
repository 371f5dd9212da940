/* diff.c - canonical forms read: is it one, and where do two of them differ, in words.
 *
 * The bytes may come from anywhere.  Laws: a read goes through a struct cur, so none is out of bounds; nesting is counted, so the
 * stack is bounded; every step of a loop takes at least one byte, and the members of one definition are searched at most twice, so
 * the work is linear; nothing is allocated.  What is printed of a foreign name is printable ASCII and short. */
#include <stdarg.h>
#include <stdio.h>
#include "base/limits.h"
#include "type/desc.h"
#include "type/form.h"

struct form {                                        /* being read */
    struct cur c;
    uint8_t open[LIMIT_TYPE_DEPTH];                  /* the kinds of the definitions around c */
    uint32_t opened, depth;
    bool part;                                       /* of a form that is known to be valid: references lead out of it */
};
struct member { const char *name; size_t len; int64_t tag; };

static bool skip_type(struct form *f);

static bool is_number(unsigned kind, unsigned size)
{
    if (kind == LEAT_K_FLOAT_)
        return size == 4 || size == 8;
    return (kind == LEAT_K_INT_ || kind == LEAT_K_UINT_) && (size == 1 || size == 2 || size == 4 || size == 8);
}

static bool has_members(unsigned kind) { return kind == LEAT_K_STRUCT_ || kind == LEAT_K_ENUM_ || kind == LEAT_K_ONEOF_; }

/* the name and tag of the next member; the type (of an enumerator: none) is left to be read */
static bool read_member(struct cur *c, struct member *m)
{
    m->name = cur_text(c, &m->len);
    m->tag = form_unzigzag(cur_varint(c));
    return !c->bad && m->len > 0 && m->len <= LIMIT_TYPE_NAME && m->tag >= INT32_MIN && m->tag <= INT32_MAX;
}

static bool skip_members(struct form *f, unsigned kind)
{
    struct member m;
    bool good = true;
    f->open[f->opened++] = (uint8_t)kind;            /* depth was checked by skip_type */
    for (uint64_t n = cur_varint(&f->c); good && n > 0; n--)
        good = read_member(&f->c, &m) && (kind == LEAT_K_ENUM_ || skip_type(f));
    f->opened--;
    return good && !f->c.bad;
}

static bool skip_definition(struct form *f, unsigned kind)
{
    uint64_t up = cur_varint(&f->c);
    if (f->c.bad || (up > f->opened && !f->part))
        return false;
    if (f->part && up > 0)
        return true;
    return up > 0 ? f->open[f->opened - up] == kind && kind != LEAT_K_ENUM_ : skip_members(f, kind);
}

static bool skip_body(struct form *f, unsigned kind)
{
    switch (kind) {
    case LEAT_K_BOOL_: case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_DATE_: case LEAT_K_DURATION_: case LEAT_K_ERROR_:
    case LEAT_K_CSTR_:
        return !f->c.bad;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        return is_number(kind, cur_u8(&f->c));
    case LEAT_K_CHARS_:
        return cur_varint(&f->c) > 0;
    case LEAT_K_ARRAY_: {
        bool some = cur_varint(&f->c) > 0;
        uint8_t num = cur_u8(&f->c), size = cur_u8(&f->c);
        return some && is_number(num, size);
    }
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_:
        return skip_type(f);
    default:
        return has_members(kind) && skip_definition(f, kind);
    }
}

static bool skip_type(struct form *f)
{
    if (f->depth == LIMIT_TYPE_DEPTH)
        return false;
    f->depth++;
    uint8_t kind = cur_u8(&f->c);
    bool good = !f->c.bad && skip_body(f, kind);
    f->depth--;
    return good;
}

bool type_form_valid(struct cur form)
{
    struct form f = { .c = form };
    return cur_left(&form) <= LIMIT_TYPE_BYTES && cur_u8(&f.c) == FORM_VERSION && skip_type(&f) && cur_done(&f.c);
}

/* == In words. ========================================================================================================== */
struct diff { char *text; size_t cap; char path[400]; bool field; };

__attribute__((format(printf, 3, 4))) static size_t add(char *to, size_t cap, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    size_t len = strnlen(to, cap);
    if (len < cap)
        vsnprintf(to + len, cap - len, fmt, a);
    va_end(a);
    return len;
}

/* what the type at c is; c belongs to a valid form */
static void add_words(char *to, size_t cap, struct cur c)
{
    static const char *const plain[] = { [LEAT_K_BOOL_] = "bool", [LEAT_K_STRING_] = "string", [LEAT_K_BYTES_] = "bytes",
        [LEAT_K_DATE_] = "date", [LEAT_K_DURATION_] = "duration", [LEAT_K_ERROR_] = "error", [LEAT_K_CSTR_] = "cstr",
        [LEAT_K_STRUCT_] = "struct", [LEAT_K_ENUM_] = "enum", [LEAT_K_ONEOF_] = "oneof", [LEAT_K_OPTIONAL_] = "optional ",
        [LEAT_K_LIST_] = "list of ", [LEAT_K_MAP_] = "map of ", [LEAT_K_TX_] = "tx of ", [LEAT_K_RX_] = "rx of ",
        [LEAT_K_INT_] = "int", [LEAT_K_UINT_] = "uint", [LEAT_K_FLOAT_] = "float", [LEAT_K_ARRAY_] = "array of ",
        [LEAT_K_CHARS_] = "chars" };
    for (;;) {
        unsigned kind = cur_u8(&c);
        add(to, cap, "%s", kind < ARRAY_LEN(plain) && plain[kind] ? plain[kind] : "?");
        switch (kind) {
        case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_: add(to, cap, "%u", cur_u8(&c) * 8u); return;
        case LEAT_K_CHARS_: add(to, cap, "(%llu)", (unsigned long long)cur_varint(&c)); return;
        case LEAT_K_STRUCT_: case LEAT_K_ONEOF_: add(to, cap, "%s", cur_varint(&c) > 0 ? " around it" : ""); return;
        case LEAT_K_ARRAY_: add(to, cap, "%llu ", (unsigned long long)cur_varint(&c)); continue;
        case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_: continue;
        default: return;
        }
    }
}

/* the path one step longer; the result is what path_end takes back */
static size_t path_add(struct diff *d, const char *dot, const char *name, size_t len)
{
    char clean[LIMIT_TYPE_NAME + 1];
    size_t n = 0;
    for (; n < len && n < sizeof clean - 1; n++)
        clean[n] = name[n] > ' ' && name[n] < 127 ? name[n] : '?';
    clean[n] = 0;
    return add(d->path, sizeof d->path, "%s%s", dot, clean);
}
static void path_end(struct diff *d, size_t was) { d->path[was] = 0; }

static void say_path(struct diff *d)
{
    *d->text = 0;
    add(d->text, d->cap, "%s %s: ", d->field ? "field" : "type", d->path);
}

static bool say_types(struct diff *d, struct cur mine, struct cur theirs)
{
    say_path(d);
    add_words(d->text, d->cap, mine);
    add(d->text, d->cap, " here, ");
    add_words(d->text, d->cap, theirs);
    add(d->text, d->cap, " there");
    return true;
}

static bool say_member(struct diff *d, const struct member *m, const char *what)
{
    d->field = true;
    path_add(d, ".", m->name, m->len);
    say_path(d);
    add(d->text, d->cap, "%s", what);
    return true;
}

static bool say_numbers(struct diff *d, const char *word, int64_t mine, int64_t theirs)
{
    say_path(d);
    add(d->text, d->cap, "%s%lld here, %s%lld there", word, (long long)mine, word, (long long)theirs);
    return true;
}

static bool diff_type(struct diff *d, struct cur *mine, struct cur *theirs);

static bool same_name(const struct member *a, const struct member *b) { return a->len == b->len && memcmp(a->name, b->name, a->len) == 0; }

/* which member, counted from 1, of the definition at c has m's name; 0: none */
static uint64_t find_member(struct cur c, unsigned kind, const struct member *m)
{
    struct form f = { .c = c, .part = true };
    struct member x;
    uint64_t n = cur_varint(&f.c);
    for (uint64_t i = 1; i <= n && read_member(&f.c, &x); i++) {
        if (same_name(&x, m))
            return i;
        if (kind != LEAT_K_ENUM_ && !skip_type(&f))
            break;
    }
    return 0;
}

/* the members at one place have two names: one is missing on a side, or the order differs */
static bool say_misplaced(struct diff *d, unsigned kind, struct cur mine, struct cur theirs, const struct member *m, const struct member *t)
{
    uint64_t there = find_member(theirs, kind, m);
    if (there == 0)
        return say_member(d, m, "missing there");
    if (find_member(mine, kind, t) == 0)
        return say_member(d, t, "missing here");
    uint64_t here = find_member(mine, kind, m);
    size_t was = path_add(d, ".", m->name, m->len);
    d->field = true;
    say_numbers(d, "number ", (int64_t)here, (int64_t)there);
    path_end(d, was);
    return true;
}

static bool diff_member(struct diff *d, unsigned kind, struct cur *mine, struct cur *theirs, const struct member *m, const struct member *t)
{
    size_t was = path_add(d, ".", m->name, m->len);
    bool outer = d->field, differ;
    d->field = true;
    if (m->tag != t->tag)
        differ = say_numbers(d, kind == LEAT_K_ENUM_ ? "" : "tag ", m->tag, t->tag);
    else
        differ = kind != LEAT_K_ENUM_ && diff_type(d, mine, theirs);
    d->field = outer;
    path_end(d, was);
    return differ;
}

static bool diff_members(struct diff *d, unsigned kind, struct cur *mine, struct cur *theirs)
{
    const struct cur mine_at = *mine, theirs_at = *theirs;
    uint64_t m_count = cur_varint(mine), t_count = cur_varint(theirs);
    for (uint64_t i = 0; i < MAX(m_count, t_count); i++) {
        struct member a, b;
        if (i >= m_count)
            return read_member(theirs, &b) && say_member(d, &b, "missing here");
        if (i >= t_count)
            return read_member(mine, &a) && say_member(d, &a, "missing there");
        if (!read_member(mine, &a) || !read_member(theirs, &b))
            return false;                            /* not reached: both forms are valid */
        if (!same_name(&a, &b))
            return say_misplaced(d, kind, mine_at, theirs_at, &a, &b);
        if (diff_member(d, kind, mine, theirs, &a, &b))
            return true;
    }
    return false;
}

static bool diff_type(struct diff *d, struct cur *mine, struct cur *theirs)
{
    struct cur mine_at = *mine, theirs_at = *theirs;
    unsigned kind = cur_u8(mine);
    if (kind != cur_u8(theirs))
        return say_types(d, mine_at, theirs_at);
    switch (kind) {
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        return cur_u8(mine) != cur_u8(theirs) && say_types(d, mine_at, theirs_at);
    case LEAT_K_CHARS_:
        return cur_varint(mine) != cur_varint(theirs) && say_types(d, mine_at, theirs_at);
    case LEAT_K_ARRAY_: {
        bool counts = cur_varint(mine) != cur_varint(theirs), kinds = cur_u8(mine) != cur_u8(theirs);
        return (counts | kinds | (cur_u8(mine) != cur_u8(theirs))) && say_types(d, mine_at, theirs_at);
    }
    case LEAT_K_LIST_: case LEAT_K_MAP_: {
        size_t was = path_add(d, "[]", "", 0);
        bool differ = diff_type(d, mine, theirs);
        path_end(d, was);
        return differ;
    }
    case LEAT_K_OPTIONAL_: case LEAT_K_TX_: case LEAT_K_RX_:
        return diff_type(d, mine, theirs);
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_: {
        uint64_t here = cur_varint(mine), there = cur_varint(theirs);
        if (here != there)
            return say_types(d, mine_at, theirs_at);
        return here == 0 && diff_members(d, kind, mine, theirs);
    }
    default:
        return false;
    }
}

bool type_diff(const char *name, struct cur mine, struct cur theirs, char *text, size_t cap)
{
    struct diff d = { .text = text, .cap = cap };
    path_add(&d, "", name, strlen(name));
    *text = 0;
    if (!type_form_valid(theirs) || !type_form_valid(mine)) {
        say_path(&d);
        add(text, cap, "what came from the other side is not a description of a type");
        return true;
    }
    cur_u8(&mine);
    cur_u8(&theirs);
    return diff_type(&d, &mine, &theirs);
}
