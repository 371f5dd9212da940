/* unwind.c - call frame information: finding the entry of a function, running it, applying what it says.
 *
 * An entry (FDE) belongs to a range of code and shares a head (CIE) with others.  Its instructions build a row: how to compute the
 * frame's address (CFA) and where each register of the caller is.  The formats: DWARF 5, section 6.4, and the Linux Standard
 * Base on .eh_frame and .eh_frame_hdr.  What is not understood ends the walk. */
#include "plat/unwind.h"
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <ucontext.h>
#include "plat/peek.h"

enum { ROWS = 4, EXPR_DEPTH = 16 };
enum how { SAME, UNDEFINED, AT_OFFSET, IS_OFFSET, IN_REG, AT_EXPR, IS_EXPR };

struct rule { enum how how; int64_t n; const uint8_t *expr; };
struct row {
    struct rule reg[UNWIND_REGS];
    unsigned cfa_reg;
    int64_t cfa_off;
    const uint8_t *cfa_expr;
};
struct cie {
    uint64_t code_align;
    int64_t data_align;
    unsigned ra;
    uint8_t enc;                                     /* of the addresses in its entries */
    bool sized, signal;                              /* sized: entries have an augmentation; signal: frame of a handler's caller */
    const uint8_t *insn, *end;
};
struct fde {
    struct cie cie;
    uintptr_t from, to;
    const uint8_t *insn, *end;
};

/* -- numbers ----------------------------------------------------------------------------------------------------------- */
static uint64_t uleb(const uint8_t **p)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t b = *(*p)++;
        if (shift < 64)
            v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128))
            return v;
    }
}

static int64_t sleb(const uint8_t **p)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; ) {
        uint8_t b = *(*p)++;
        if (shift < 64)
            v |= (uint64_t)(b & 127) << shift;
        shift += 7;
        if (!(b & 128))
            return (int64_t)(b & 64 && shift < 64 ? v | ~UINT64_C(0) << shift : v);
    }
}

static int64_t fixed(const uint8_t **p, unsigned bytes, bool is_signed)
{
    uint64_t v = 0;
    memcpy(&v, *p, bytes);                           /* both machines are little-endian */
    *p += bytes;
    if (is_signed && bytes < 8 && v >> (8 * bytes - 1))
        v |= ~UINT64_C(0) << (8 * bytes);
    return (int64_t)v;
}

/* An encoded address.  false: of a kind that does not occur in these tables. */
static bool encoded(const uint8_t **p, uint8_t enc, uintptr_t data, uintptr_t *ret)
{
    enum { FORM = 0x0f, WHERE = 0x70, PCREL = 0x10, DATAREL = 0x30 };
    static const int8_t bytes[16] = { 8, 0, 2, 4, 8, 0, 0, 0, 0, 0, -2, -4, -8 };
    uintptr_t base = (enc & WHERE) == PCREL ? (uintptr_t)*p : (enc & WHERE) == DATAREL ? data : 0;
    int n = bytes[enc & FORM];
    if (!n || ((enc & WHERE) != 0 && base == 0))
        return false;
    *ret = base + (uintptr_t)fixed(p, (unsigned)(n < 0 ? -n : n), n < 0);
    return true;
}

/* -- finding the entry ------------------------------------------------------------------------------------------------- */
static bool cie_read(const uint8_t *p, struct cie *c)
{
    uint32_t len = (uint32_t)fixed(&p, 4, false);
    c->end = p + len;
    if (len == UINT32_MAX || fixed(&p, 4, false) != 0)
        return false;
    uint8_t version = *p++;
    const char *aug = (const char *)p;
    p += strlen(aug) + 1;
    c->code_align = uleb(&p);
    c->data_align = sleb(&p);
    c->ra = version == 1 ? *p++ : (unsigned)uleb(&p);
    c->enc = 0;
    c->signal = false;
    c->sized = *aug == 'z';
    c->insn = p;
    if (!c->sized)
        return *aug == 0 && c->ra < UNWIND_REGS;
    uint64_t n = uleb(&p);
    c->insn = p + n;
    for (uintptr_t unused; *++aug; )
        if (*aug == 'R')
            c->enc = *p++;
        else if (*aug == 'L')
            p++;
        else if (*aug == 'S')
            c->signal = true;
        else if (*aug == 'P') {
            uint8_t enc = *p++;
            if (!encoded(&p, enc & 0x7f, 0, &unused) && !encoded(&p, enc & 0x0f, 0, &unused))
                return false;
        } else if (*aug != 'B')
            return false;
    return c->ra < UNWIND_REGS;
}

static bool fde_read(const uint8_t *p, uintptr_t pc, struct fde *f)
{
    uint32_t len = (uint32_t)fixed(&p, 4, false);
    f->end = p + len;
    const uint8_t *at = p;
    uint32_t back = (uint32_t)fixed(&p, 4, false);
    uintptr_t size;
    if (len == UINT32_MAX || len == 0 || back == 0 || !cie_read(at - back, &f->cie) || !encoded(&p, f->cie.enc, 0, &f->from) ||
        !encoded(&p, f->cie.enc & 0x0f, 0, &size))
        return false;
    f->to = f->from + size;
    if (f->cie.sized) {
        uint64_t n = uleb(&p);
        p += n;
    }
    f->insn = p;
    return pc >= f->from && pc < f->to;
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
static const uint8_t *table_of(uintptr_t pc)
{
    struct dl_find_object o;
    return _dl_find_object((void *)pc, &o) == 0 ? o.dlfo_eh_frame : NULL;
}
#else
struct wanted { uintptr_t pc; const uint8_t *table; };

static int look_in(struct dl_phdr_info *i, size_t size, void *arg)
{
    struct wanted *w = arg;
    const uint8_t *table = NULL;
    bool here = false;
    (void)size;
    for (int k = 0; k < i->dlpi_phnum; k++) {
        const ElfW(Phdr) *h = &i->dlpi_phdr[k];
        uintptr_t at = i->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_LOAD && w->pc >= at && w->pc - at < h->p_memsz)
            here = true;
        if (h->p_type == PT_GNU_EH_FRAME)
            table = (const uint8_t *)at;
    }
    if (here)
        w->table = table;
    return here;
}

static const uint8_t *table_of(uintptr_t pc)         /* takes the loader's lock: an older glibc has nothing else */
{
    struct wanted w = { pc, NULL };
    dl_iterate_phdr(look_in, &w);
    return w.table;
}
#endif

static bool find(uintptr_t pc, struct fde *f)
{
    const uint8_t *hdr = table_of(pc), *p = hdr;
    uintptr_t unused, count;
    if (!hdr || p[0] != 1 || p[3] != 0x3b)           /* sorted pairs of 32 bits, from the table's own address */
        return false;
    p += 4;
    if (!encoded(&p, hdr[1], (uintptr_t)hdr, &unused) || !encoded(&p, hdr[2], (uintptr_t)hdr, &count) || count == 0)
        return false;
    size_t lo = 0, hi = count;
    int32_t pair[2];
    while (lo < hi) {                                /* the last one that begins at or before pc is lo - 1 */
        size_t mid = (lo + hi) / 2;
        memcpy(pair, p + 8 * mid, sizeof pair);
        if ((uintptr_t)hdr + (uintptr_t)(intptr_t)pair[0] <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return false;
    memcpy(pair, p + 8 * (lo - 1), sizeof pair);
    return fde_read(hdr + pair[1], pc, f);
}

/* -- running it -------------------------------------------------------------------------------------------------------- */
struct machine {
    const struct cie *cie;
    struct row row, first, saved[ROWS];
    unsigned depth;
    uintptr_t at, pc;
};

static bool set(struct machine *m, uint64_t reg, enum how how, int64_t n, const uint8_t *expr)
{
    if (reg < UNWIND_REGS)                           /* others, such as those of floating point, say nothing of the chain */
        m->row.reg[reg] = (struct rule){ how, n, expr };
    return true;
}

static const uint8_t *block(const uint8_t **p)
{
    const uint8_t *b = *p;
    uint64_t n = uleb(p);
    *p += n;
    return b;
}

static bool cfa(struct machine *m, uint64_t reg, int64_t off)
{
    m->row.cfa_reg = (unsigned)reg;
    m->row.cfa_off = off;
    m->row.cfa_expr = NULL;
    return reg < UNWIND_REGS;
}

/* The instructions with an operand in their low bits, and the rest that move.  false: unknown. */
static bool step(struct machine *m, const uint8_t **p)
{
    uint8_t op = *(*p)++, low = op & 63;
    uint64_t r;
    const int64_t d = m->cie->data_align;
    switch (op >> 6) {
    case 1: m->at += low * m->cie->code_align; return true;
    case 2: return set(m, low, AT_OFFSET, (int64_t)uleb(p) * d, NULL);
    case 3:
        if (low < UNWIND_REGS)
            m->row.reg[low] = m->first.reg[low];
        return true;
    default: break;
    }
    switch (op) {
    case 0x00: return true;                                                              /* nop */
    case 0x01: return encoded(p, m->cie->enc, 0, &m->at);                                /* set_loc */
    case 0x02: m->at += (uint64_t)fixed(p, 1, false) * m->cie->code_align; return true;  /* advance_loc1, 2, 4 */
    case 0x03: m->at += (uint64_t)fixed(p, 2, false) * m->cie->code_align; return true;
    case 0x04: m->at += (uint64_t)fixed(p, 4, false) * m->cie->code_align; return true;
    case 0x05: r = uleb(p); return set(m, r, AT_OFFSET, (int64_t)uleb(p) * d, NULL);     /* offset_extended */
    case 0x06:                                                                           /* restore_extended */
        if ((r = uleb(p)) < UNWIND_REGS)
            m->row.reg[r] = m->first.reg[r];
        return true;
    case 0x07: return set(m, uleb(p), UNDEFINED, 0, NULL);
    case 0x08: return set(m, uleb(p), SAME, 0, NULL);
    case 0x09: r = uleb(p); return set(m, r, IN_REG, (int64_t)uleb(p), NULL);            /* register */
    case 0x0a:                                                                           /* remember_state */
        if (m->depth == ROWS)
            return false;
        m->saved[m->depth++] = m->row;
        return true;
    case 0x0b:                                                                           /* restore_state */
        if (m->depth == 0)
            return false;
        m->row = m->saved[--m->depth];
        return true;
    case 0x0c: r = uleb(p); return cfa(m, r, (int64_t)uleb(p));                          /* def_cfa */
    case 0x0d: return cfa(m, uleb(p), m->row.cfa_off);                                   /* def_cfa_register */
    case 0x0e: return cfa(m, m->row.cfa_reg, (int64_t)uleb(p));                          /* def_cfa_offset */
    case 0x0f: m->row.cfa_expr = block(p); return true;                                  /* def_cfa_expression */
    case 0x10: r = uleb(p); return set(m, r, AT_EXPR, 0, block(p));                      /* expression */
    case 0x11: r = uleb(p); return set(m, r, AT_OFFSET, sleb(p) * d, NULL);              /* offset_extended_sf */
    case 0x12: r = uleb(p); return cfa(m, r, sleb(p) * d);                               /* def_cfa_sf */
    case 0x13: return cfa(m, m->row.cfa_reg, sleb(p) * d);                               /* def_cfa_offset_sf */
    case 0x14: r = uleb(p); return set(m, r, IS_OFFSET, (int64_t)uleb(p) * d, NULL);     /* val_offset, _sf */
    case 0x15: r = uleb(p); return set(m, r, IS_OFFSET, sleb(p) * d, NULL);
    case 0x16: r = uleb(p); return set(m, r, IS_EXPR, 0, block(p));                      /* val_expression */
    case 0x2d: return true;                                                              /* a return address becomes signed */
    case 0x2e: (void)uleb(p); return true;                                               /* args_size */
    default: return false;
    }
}

static bool run(struct machine *m, const uint8_t *p, const uint8_t *end)
{
    while (p < end && m->at <= m->pc)
        if (!step(m, &p))
            return false;
    return true;
}

/* -- applying it ------------------------------------------------------------------------------------------------------- */
static bool read_word(const struct unwind *u, uintptr_t at, uintptr_t *ret)
{
    if (at < u->lo || at > u->hi || u->hi - at < sizeof *ret || at % sizeof *ret)
        return false;
    if (u->by)
        return peek((const void *)(at + u->by), ret, sizeof *ret) == sizeof *ret;
    *ret = peek_word((const void *)at);
    return true;
}

static bool evaluate(const struct unwind *u, const uint8_t *p, uintptr_t start, bool pushed, uintptr_t *ret)
{
    uintptr_t s[EXPR_DEPTH];
    unsigned n = 0;
    const uint8_t *end = p;
    uint64_t len = uleb(&end);
    p = end;
    end += len;
    if (pushed)
        s[n++] = start;
    while (p < end) {
        uint8_t op = *p++;
        if (n + 1 >= EXPR_DEPTH)
            return false;
        if (op >= 0x30 && op <= 0x4f) {              /* lit */
            s[n++] = op - 0x30u;
        } else if (op >= 0x70 && op <= 0x8f) {       /* breg */
            if (op - 0x70u >= UNWIND_REGS)
                return false;
            s[n++] = u->reg[op - 0x70] + (uintptr_t)sleb(&p);
        } else if (op >= 0x08 && op <= 0x0f) {       /* const1u ... const8s */
            s[n++] = (uintptr_t)fixed(&p, 1u << (op - 8) / 2, op & 1);
        } else if (op == 0x10) {
            s[n++] = uleb(&p);
        } else if (op == 0x11) {
            s[n++] = (uintptr_t)sleb(&p);
        } else if (n && op == 0x06) {                /* deref */
            if (!read_word(u, s[n - 1], &s[n - 1]))
                return false;
        } else if (n && op == 0x12) {
            s[n] = s[n - 1];
            n++;
        } else if (n && op == 0x23) {
            s[n - 1] += uleb(&p);
        } else if (n >= 2) {
            uintptr_t b = s[--n], *a = &s[n - 1];
            switch (op) {
            case 0x1a: *a &= b; break;
            case 0x1c: *a -= b; break;
            case 0x1e: *a *= b; break;
            case 0x21: *a |= b; break;
            case 0x22: *a += b; break;
            case 0x24: *a <<= b; break;
            case 0x25: *a >>= b; break;
            case 0x2a: *a = (intptr_t)*a >= (intptr_t)b; break;
            default: return false;
            }
        } else {
            return false;
        }
    }
    if (!n)
        return false;
    *ret = s[n - 1];
    return true;
}

static bool recover(const struct unwind *u, const struct rule *r, uintptr_t frame, uintptr_t own, uintptr_t *ret)
{
    uintptr_t at;
    switch (r->how) {
    case SAME: *ret = own; return true;
    case AT_OFFSET: return read_word(u, frame + (uintptr_t)r->n, ret);
    case IS_OFFSET: *ret = frame + (uintptr_t)r->n; return true;
    case IN_REG:
        if ((uint64_t)r->n >= UNWIND_REGS)
            return false;
        *ret = u->reg[r->n];
        return true;
    case AT_EXPR: return evaluate(u, r->expr, frame, true, &at) && read_word(u, at, ret);
    case IS_EXPR: return evaluate(u, r->expr, frame, true, ret);
    default: *ret = 0; return true;
    }
}

static uintptr_t code(uintptr_t pc)
{
#if defined(__aarch64__)
    return pc & ((UINT64_C(1) << 48) - 1);           /* without a signature */
#else
    return pc;
#endif
}

bool unwind_next(struct unwind *u)
{
    struct fde f;
    struct machine m;
    memset(&m, 0, sizeof m);
    m.pc = u->pc - !u->exact;
    if (u->pc == 0 || !find(m.pc, &f))
        return false;
    m.cie = &f.cie;
    m.at = f.from;
    m.row.cfa_reg = UNWIND_REGS;
    if (!run(&m, f.cie.insn, f.cie.end))
        return false;
    m.first = m.row;
    if (!run(&m, f.insn, f.end))
        return false;
    uintptr_t frame, old = u->reg[UNWIND_SP];
    struct unwind up = *u;
    if (m.row.cfa_expr) {
        if (!evaluate(u, m.row.cfa_expr, 0, false, &frame))
            return false;
    } else if (m.row.cfa_reg < UNWIND_REGS) {
        frame = u->reg[m.row.cfa_reg] + (uintptr_t)m.row.cfa_off;
    } else {
        return false;
    }
    if (m.row.reg[f.cie.ra].how == UNDEFINED)
        return false;                                /* the outermost frame says so */
    for (unsigned i = 0; i < UNWIND_REGS; i++)
        if (!recover(u, &m.row.reg[i], frame, u->reg[i], &up.reg[i]))
            return false;
    if (m.row.reg[UNWIND_SP].how == SAME)
        up.reg[UNWIND_SP] = frame;
    up.pc = code(up.reg[f.cie.ra]);
    up.exact = f.cie.signal;
    bool moved = up.reg[UNWIND_SP] > old || (up.reg[UNWIND_SP] == old && up.pc != u->pc);
    if (!moved && !f.cie.signal)                     /* the frame of a handler may be on another stack */
        return false;
    *u = up;
    return u->pc != 0;
}

size_t unwind_all(struct unwind *u, uintptr_t *pc, size_t max)
{
    size_t n = 0;
    while (n < max && u->pc) {
        pc[n++] = u->pc - !u->exact;
        if (!unwind_next(u))
            break;
    }
    return n;
}

/* -- where to start ---------------------------------------------------------------------------------------------------- */
static void start(struct unwind *u, const void *lo, const void *hi)
{
    memset(u, 0, sizeof *u);
    u->lo = (uintptr_t)lo;
    u->hi = (uintptr_t)hi;
    u->exact = true;
}

static void start_parked(struct unwind *u, uintptr_t at, uintptr_t lo, uintptr_t hi, uintptr_t by)
{
#if defined(__x86_64__)
    static const uint8_t order[] = { 15, 14, 13, 12, 3, 6 };         /* as plat_switch_to pushes them */
    enum { FRAME = 56 };
#else
    static const uint8_t order[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30 };
    enum { FRAME = 176 };
#endif
    start(u, (const void *)lo, (const void *)hi);
    u->by = by;
    if (at < u->lo || at > u->hi || u->hi - at < FRAME)
        return;
    for (unsigned i = 0; i < sizeof order; i++)
        (void)read_word(u, at + i * sizeof at, &u->reg[order[i]]);
#if defined(__x86_64__)
    (void)read_word(u, at + sizeof order * sizeof at, &u->pc);
#else
    u->pc = code(u->reg[30]);
#endif
    u->reg[UNWIND_SP] = at + FRAME;
}

void unwind_parked(struct unwind *u, const void *sp, const void *lo, const void *hi)
{
    start_parked(u, (uintptr_t)sp, (uintptr_t)lo, (uintptr_t)hi, 0);
}

void unwind_away(struct unwind *u, uintptr_t sp, uintptr_t hi, uintptr_t by, uintptr_t pc)
{
    start_parked(u, sp, sp, hi, by);
    u->pc = pc;
    if (UNWIND_RA == 30)
        u->reg[UNWIND_RA] = pc;
}

void unwind_signal(struct unwind *u, const void *ucontext, const void *lo, const void *hi)
{
    const ucontext_t *c = ucontext;
    start(u, lo, hi);
#if defined(__x86_64__)
    static const uint8_t from[] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10,
        REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    for (unsigned i = 0; i < sizeof from; i++)
        u->reg[i] = (uintptr_t)c->uc_mcontext.gregs[from[i]];
    u->pc = (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#else
    for (unsigned i = 0; i < 31; i++)
        u->reg[i] = c->uc_mcontext.regs[i];
    u->reg[31] = c->uc_mcontext.sp;
    u->pc = c->uc_mcontext.pc;
#endif
}
