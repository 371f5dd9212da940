/* diff.c - canonical forms read: is it one, and where do two of them differ, in words.
 *
 * The bytes may come from anywhere.  Laws: a read goes through a struct cur, so none is out of bounds; nesting is counted, and what
 * is open lies in an array, so a task's stack is enough; every step of a loop takes at least one byte, and the members of one
 * definition are searched at most three times, so the work is linear; nothing is allocated.  What is printed of a foreign name is
 * printable ASCII and short. */
#include <stdarg.h>
#include <stdio.h>
#include "base/limits.h"
#include "type/desc.h"
#include "type/form.h"

struct member { const char *name; size_t len; int64_t tag; };

static bool is_number(unsigned kind, unsigned size)
{
    if (kind == LEAT_K_FLOAT_)
        return size == 4 || size == 8;
    return (kind == LEAT_K_INT_ || kind == LEAT_K_UINT_) && (size == 1 || size == 2 || size == 4 || size == 8);
}

static bool has_members(unsigned kind) { return kind == LEAT_K_STRUCT_ || kind == LEAT_K_ENUM_ || kind == LEAT_K_ONEOF_; }

/* the name and tag of the next member; the type (of an enumerator: none) is left to be read */
static void next_member(struct cur *c, struct member *m)
{
    m->name = cur_text(c, &m->len);
    m->tag = form_unzigzag(cur_varint(c));
}

/* the same of bytes that may be no form */
static bool read_member(struct cur *c, struct member *m)
{
    next_member(c, m);
    return !c->bad && m->len > 0 && m->len <= LIMIT_TYPE_NAME && m->tag >= INT32_MIN && m->tag <= INT32_MAX;
}

static bool is_wrapper(unsigned kind)                /* what follows is another type, and no more */
{
    return kind == LEAT_K_OPTIONAL_ || kind == LEAT_K_LIST_ || kind == LEAT_K_MAP_ || kind == LEAT_K_TX_ || kind == LEAT_K_RX_;
}

static bool skip_plain(struct cur *c, unsigned kind)
{
    switch (kind) {
    case LEAT_K_BOOL_: case LEAT_K_STRING_: case LEAT_K_BYTES_: case LEAT_K_DATE_: case LEAT_K_DURATION_: case LEAT_K_ERROR_:
    case LEAT_K_CSTR_:
        return true;
    case LEAT_K_INT_: case LEAT_K_UINT_: case LEAT_K_FLOAT_:
        return is_number(kind, cur_u8(c));
    case LEAT_K_CHARS_:
        return cur_varint(c) > 0;
    case LEAT_K_ARRAY_: {
        bool some = cur_varint(c) > 0;
        uint8_t num = cur_u8(c), size = cur_u8(c);
        return some && is_number(num, size);
    }
    default:
        return false;
    }
}

struct open { uint64_t left; uint8_t kind, depth; }; /* a definition, with so many members to come */
struct opens { struct open at[LIMIT_TYPE_DEPTH]; uint32_t count; bool part; };

/* the head of a definition: a reference, which must lead to one of its kind, or one more that is open */
static bool skip_definition(struct opens *o, struct cur *c, unsigned kind, uint32_t depth)
{
    uint64_t up = cur_varint(c);
    if (up > 0)
        return o->part || (up <= o->count && o->at[o->count - up].kind == kind && kind != LEAT_K_ENUM_);
    o->at[o->count++] = (struct open){ cur_varint(c), (uint8_t)kind, (uint8_t)depth };       /* count < depth, which is checked */
    return true;
}

/* One type.  part: it lies within a form that is known to be valid, and references may lead out of it. */
static bool skip_type(struct cur *c, bool part)
{
    struct opens o = { .count = 0, .part = part };
    struct member m;
    for (uint32_t depth = 1; ; depth++) {
        uint8_t kind = cur_u8(c);
        if (c->bad || depth > LIMIT_TYPE_DEPTH)
            return false;
        if (is_wrapper(kind))
            continue;
        if (!(has_members(kind) ? skip_definition(&o, c, kind, depth) : skip_plain(c, kind)) || c->bad)
            return false;
        for (;;) {                                   /* to the next member that has a type */
            if (o.count == 0)
                return true;
            struct open *top = &o.at[o.count - 1];
            if (top->left == 0) {
                o.count--;
                continue;
            }
            if (!read_member(c, &m))
                return false;
            top->left--;
            depth = top->depth;
            if (top->kind != LEAT_K_ENUM_)
                break;
        }
    }
}

void form_skip(struct cur *c) { (void)skip_type(c, true); }

bool type_form_valid(struct cur form)
{
    return cur_left(&form) <= LIMIT_TYPE_BYTES && cur_u8(&form) == FORM_VERSION && skip_type(&form, false) && cur_done(&form);
}

/* == In words. ========================================================================================================== */
struct diff { char *text; size_t cap; char path[400]; bool field; };

__attribute__((format(printf, 3, 4))) static void add(char *to, size_t cap, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    size_t len = strnlen(to, cap);
    if (len < cap)
        vsnprintf(to + len, cap - len, fmt, a);
    va_end(a);
}

const char *form_word(unsigned kind)
{
    static const char *const plain[] = { [LEAT_K_BOOL_] = "bool", [LEAT_K_STRING_] = "string", [LEAT_K_BYTES_] = "bytes",
        [LEAT_K_DATE_] = "date", [LEAT_K_DURATION_] = "duration", [LEAT_K_ERROR_] = "error", [LEAT_K_CSTR_] = "cstr",
        [LEAT_K_STRUCT_] = "struct", [LEAT_K_ENUM_] = "enum", [LEAT_K_ONEOF_] = "oneof", [LEAT_K_OPTIONAL_] = "optional ",
        [LEAT_K_LIST_] = "list of ", [LEAT_K_MAP_] = "map of ", [LEAT_K_TX_] = "tx of ", [LEAT_K_RX_] = "rx of ",
        [LEAT_K_INT_] = "int", [LEAT_K_UINT_] = "uint", [LEAT_K_FLOAT_] = "float", [LEAT_K_ARRAY_] = "array of ",
        [LEAT_K_CHARS_] = "chars" };
    return kind < ARRAY_LEN(plain) && plain[kind] ? plain[kind] : "?";
}

/* what the type at c is; c belongs to a valid form */
static void add_words(char *to, size_t cap, struct cur c)
{
    for (;;) {
        unsigned kind = cur_u8(&c);
        add(to, cap, "%s", form_word(kind));
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

/* the path one step longer */
static void path_add(struct diff *d, const char *dot, const char *name, size_t len)
{
    char clean[LIMIT_TYPE_NAME + 1];
    size_t n = 0;
    for (; n < len && n < sizeof clean - 1; n++)
        clean[n] = name[n] > ' ' && name[n] < 127 ? name[n] : '?';
    clean[n] = 0;
    add(d->path, sizeof d->path, "%s%s", dot, clean);
}

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

static bool same_name(const struct member *a, const struct member *b) { return a->len == b->len && memcmp(a->name, b->name, a->len) == 0; }

/* which member, counted from 1, of the definition at c, of a valid form, has m's name; 0: none */
static uint64_t find_member(struct cur c, unsigned kind, const struct member *m)
{
    struct member x;
    uint64_t n = cur_varint(&c);
    for (uint64_t i = 1; i <= n; i++) {
        next_member(&c, &x);
        if (same_name(&x, m))
            return i;
        if (kind != LEAT_K_ENUM_)
            form_skip(&c);
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
    path_add(d, ".", m->name, m->len);
    d->field = true;
    return say_numbers(d, "number ", (int64_t)here, (int64_t)there);
}

/* a definition that is being compared, and on each side where it begins and how many members are to come */
struct level { struct cur mine_at, theirs_at; uint64_t mine, theirs; size_t path; unsigned kind; };

/* the name and the number of the next member of a level; what follows, if it does not differ, is its type */
static bool diff_member(struct diff *d, struct level *l, struct cur *mine, struct cur *theirs)
{
    struct member a, b;
    d->path[l->path] = 0;
    if (l->theirs > 0)
        next_member(theirs, &b);
    if (l->mine == 0)
        return say_member(d, &b, "missing here");
    next_member(mine, &a);
    if (l->theirs == 0)
        return say_member(d, &a, "missing there");
    l->mine--;
    l->theirs--;
    if (!same_name(&a, &b))
        return say_misplaced(d, l->kind, l->mine_at, l->theirs_at, &a, &b);
    path_add(d, ".", a.name, a.len);
    d->field = true;
    if (a.tag == b.tag)
        return false;
    return say_numbers(d, l->kind == LEAT_K_ENUM_ ? "" : "tag ", a.tag, b.tag);
}

/* the heads of two types, down to a definition, which is left open in *l (l->kind is 0 if there is none) */
static bool diff_head(struct diff *d, struct level *l, struct cur *mine, struct cur *theirs)
{
    l->kind = 0;
    for (;;) {
        const struct cur mine_at = *mine, theirs_at = *theirs;
        unsigned kind = cur_u8(mine);
        if (kind != cur_u8(theirs))
            return say_types(d, mine_at, theirs_at);
        if (is_wrapper(kind)) {
            path_add(d, kind == LEAT_K_LIST_ || kind == LEAT_K_MAP_ ? "[]" : "", "", 0);
            continue;
        }
        if (!has_members(kind)) {
            skip_plain(mine, kind);
            skip_plain(theirs, kind);
            size_t n = (size_t)(mine->p - mine_at.p);
            bool same = n == (size_t)(theirs->p - theirs_at.p) && memcmp(mine_at.p, theirs_at.p, n) == 0;
            if (same)
                return false;
            return say_types(d, mine_at, theirs_at);
        }
        uint64_t here = cur_varint(mine), there = cur_varint(theirs);
        if (here != there)
            return say_types(d, mine_at, theirs_at);
        if (here == 0) {
            *l = (struct level){ .mine_at = *mine, .theirs_at = *theirs, .path = strlen(d->path), .kind = kind };
            l->mine = cur_varint(mine);
            l->theirs = cur_varint(theirs);
        }
        return false;
    }
}

/* two valid forms without their versions */
static bool diff_types(struct diff *d, struct cur mine, struct cur theirs)
{
    struct level levels[LIMIT_TYPE_DEPTH + 1];       /* one more to be filled by diff_head */
    uint32_t count = 0;
    for (;;) {
        if (diff_head(d, &levels[count], &mine, &theirs))
            return true;
        count += levels[count].kind != 0;
        for (;;) {                                   /* to the next member that has a type */
            if (count == 0)
                return false;
            struct level *top = &levels[count - 1];
            if (top->mine == 0 && top->theirs == 0) {
                count--;
                continue;
            }
            if (diff_member(d, top, &mine, &theirs))
                return true;
            if (top->kind != LEAT_K_ENUM_)
                break;
        }
    }
}

bool type_diff(const char *name, struct cur mine, struct cur theirs, char *text, size_t cap)
{
    struct diff d = { .text = text, .cap = cap };
    path_add(&d, "", name, strlen(name));
    *text = 0;
    if (!type_form_valid(theirs)) {
        say_path(&d);
        add(text, cap, "what came from the other side is not a description of a type");
        return true;
    }
    cur_u8(&mine);
    cur_u8(&theirs);
    return diff_types(&d, mine, theirs);
}
