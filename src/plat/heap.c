/* heap.c - /proc/self/maps, /proc/self/pagemap, and the headers of glibc's malloc.
 *
 * A chunk begins with the size of the one before (which owns that word while it is in use) and its own size; the low bits of that say:
 * the chunk before is in use (1), it has a mapping of its own (2), it is not of the main heap (4).  The block is what follows.
 * A main heap is the program break's mapping.  Others begin at multiples of ARENA with a record of which the third word is how
 * many bytes of it are used; the first chunk comes behind that record, and in the first heap of an arena behind another one, whose
 * size differs between versions: the first place from which the headers lead exactly to the end is it. */
#include "plat/heap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/base.h"
#include "plat/peek.h"

enum { ARENA = 64 << 20, BEFORE_FIRST = 8192, FENCE = 16, CHUNK_MIN = 32, PAGE = 4096, PIECE = 8 * PAGE };
enum { PREV_IN_USE = 1, OWN_MAPPING = 2, NOT_MAIN = 4 };

/* -- scratch ----------------------------------------------------------------------------------------------------------- */
bool scratch_open(struct scratch *s, size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *s = (struct scratch){ p == MAP_FAILED ? NULL : p, 0, bytes };
    return s->mem != NULL;
}

void scratch_close(struct scratch *s)
{
    if (s->mem)
        munmap(s->mem, s->bytes);
    s->mem = NULL;
}

void *scratch_take(struct scratch *s, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > s->bytes - s->used)
        return NULL;
    s->used += bytes;
    return s->mem + s->used - bytes;
}

/* -- mappings ---------------------------------------------------------------------------------------------------------- */
static const char *hex(const char *p, uintptr_t *ret)
{
    for (*ret = 0;; p++)
        if (*p >= '0' && *p <= '9')
            *ret = *ret * 16 + (uintptr_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            *ret = *ret * 16 + (uintptr_t)(*p - 'a' + 10);
        else
            return p;
}

/* "from-to rwxp offset dev inode   name" */
static void mapping_of(const char *line, const char *end, struct mapping *list, size_t *n)
{
    struct mapping m = { 0, 0, false };
    const char *p = hex(line, &m.from);
    p = hex(p + 1, &m.to);
    bool readable = p[1] == 'r', writable = p[2] == 'w', private = p[4] == 'p';
    const char *name = end;
    while (name > p && name[-1] != ' ')
        name--;
    size_t len = (size_t)(end - name);
    m.brk = len == 6 && memcmp(name, "[heap]", 6) == 0;
    bool of_kernel = len >= 5 && (memcmp(name, "[vvar", 5) == 0 || memcmp(name, "[vsys", 5) == 0 || memcmp(name, "[vdso", 5) == 0);
    bool device = len > 5 && memcmp(name, "/dev/", 5) == 0 && !(len > 9 && memcmp(name, "/dev/shm/", 9) == 0) && len != 9;
    struct mapping *last = *n ? &list[*n - 1] : NULL;
    if (m.brk && last && last->brk && last->to == m.from)        /* one heap: what it has grown by since a fork is a mapping of its own */
        last->to = m.to;
    else if (readable && (writable || (private && (len == 0 || *name != '/'))) && !of_kernel && !device)
        list[(*n)++] = m;
}

bool heap_mappings(struct scratch *s, struct mapping **ret, size_t *n)
{
    enum { TEXT = 8 << 20, LINE_MIN = 40 };
    char *text = scratch_take(s, TEXT);
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    if (fd < 0 || !text) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (ssize_t k; len < TEXT && (k = read(fd, text + len, TEXT - len)) > 0; )
        len += (size_t)k;
    close(fd);
    *n = 0;
    *ret = scratch_take(s, (len / LINE_MIN + 1) * sizeof **ret);
    if (!*ret || len == TEXT)
        return false;
    for (char *p = text, *end; p < text + len && (end = memchr(p, '\n', (size_t)(text + len - p))); p = end + 1)
        mapping_of(p, end, *ret, n);
    return true;
}

/* -- blocks ------------------------------------------------------------------------------------------------------------ */
#if !SAN_ADDRESS
uintptr_t heap_key(void)
{
    volatile uintptr_t at = (uintptr_t)malloc(40);
    free((void *)at);
    return at ? peek_word((const void *)(at + 8)) : 0;
}

struct walk { struct span *out; size_t n, max; uintptr_t key, end; bool main; };

static uintptr_t size_word(uintptr_t chunk) { return peek_word((const void *)(chunk + 8)); }

/* From a chunk to the exact end of its heap.  out null: only whether it leads there. */
static bool walk(struct walk *w, uintptr_t p)
{
    while (p + FENCE <= w->end) {
        uintptr_t word = size_word(p), size = word & ~(uintptr_t)7, next = p + size;
        if (!w->main && (size == 0 || size == FENCE) && w->end - p <= CHUNK_MIN)
            return true;                             /* the fence behind a heap that is full */
        if ((word & OWN_MAPPING) || size < CHUNK_MIN || size % 16 || next > w->end || next < p)
            return false;
        if (next == w->end)
            return true;                             /* the topmost one, which is free */
        bool used = next + FENCE <= w->end && (size_word(next) & PREV_IN_USE);
        if (used && !w->main && !(word & NOT_MAIN) && (size_word(next) & ~(uintptr_t)7) > FENCE)
            return false;
        if (used && w->out && (!w->key || peek_word((const void *)(p + 24)) != w->key)) {
            if (w->n == w->max)
                return false;
            w->out[w->n++] = (struct span){ p + 16, next + 8 };
        }
        p = next;
    }
    return p == w->end;
}

static bool walk_from(struct walk *w, uintptr_t first)
{
    struct walk probe = *w;
    size_t n = w->n;
    probe.out = NULL;
    if (!walk(&probe, first))
        return false;
    if (walk(w, first))
        return true;
    w->n = n;
    return false;
}

/* The heap that begins at base, within the mapping.  Returns its end, or 0. */
static uintptr_t walk_arena(struct walk *w, uintptr_t base, const struct mapping *m)
{
    uintptr_t head[3];
    if (m->to - base < PAGE || peek((const void *)base, head, sizeof head) != sizeof head)           /* it may be a guard page */
        return 0;
    uintptr_t owner = head[0], bytes = head[2];
    if (owner == 0 || owner % 16 || bytes < PAGE || bytes % PAGE || bytes > ARENA || base + bytes > m->to)
        return 0;
    w->main = false;
    w->end = base + bytes;
    for (uintptr_t off = 32; off < BEFORE_FIRST && off < bytes; off += 16)
        if (walk_from(w, base + off))
            return w->end;
    return 0;
}

bool heap_blocks(struct scratch *s, const struct mapping *m, size_t n, uintptr_t key, struct span **blocks, size_t *n_blocks,
    struct span **walked, size_t *n_walked)
{
    size_t max_walked = 0;
    for (size_t i = 0; i < n; i++)
        max_walked += 2 + (m[i].to - m[i].from) / ARENA;
    *walked = scratch_take(s, max_walked * sizeof **walked);
    *n_walked = 0;
    size_t max = (s->bytes - s->used) / sizeof **blocks / 2;         /* the rest is needed for marks and text */
    struct walk w = { *walked ? scratch_take(s, 0) : NULL, 0, max, key, 0, false };
    if (!w.out)
        return false;
    w.out = (struct span *)(void *)(s->mem + s->used);
    for (size_t i = 0; i < n; i++) {
        w.main = true;
        w.end = m[i].to;
        if (m[i].brk && walk_from(&w, m[i].from)) {
            (*walked)[(*n_walked)++] = (struct span){ m[i].from, m[i].to };
            continue;
        }
        for (uintptr_t at = (m[i].from + ARENA - 1) & ~(uintptr_t)(ARENA - 1); !m[i].brk && at < m[i].to; at += ARENA) {
            uintptr_t end = walk_arena(&w, at, &m[i]);
            if (end)
                (*walked)[(*n_walked)++] = (struct span){ at, end };
        }
    }
    *blocks = w.out;
    *n_blocks = w.n;
    return scratch_take(s, w.n * sizeof **blocks) != NULL || w.n == 0;
}

#endif

/* -- contents ---------------------------------------------------------------------------------------------------------- */
/* Which of the next pages have something: a page that was never touched is not read, or it would be made. */
static size_t pages_there(int fd, uintptr_t from, size_t pages, uint64_t *entry)
{
    ssize_t k = fd < 0 ? -1 : pread(fd, entry, pages * sizeof *entry, (off_t)(from / PAGE * sizeof *entry));
    if (k <= 0)
        for (size_t i = 0; i < pages; i++)
            entry[i] = UINT64_C(1) << 63;
    return k <= 0 ? pages : (size_t)k / sizeof *entry;
}

void heap_read(uintptr_t from, uintptr_t to, void (*fn)(void *arg, const uintptr_t *words, size_t n, uintptr_t at), void *arg)
{
    static uintptr_t words[PIECE / sizeof(uintptr_t)];               /* one at a time looks */
    uint64_t entry[PIECE / PAGE];
    int fd = to - from > PAGE ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
    from = (from + 7) & ~(uintptr_t)7;
    for (uintptr_t at = from; at < to; ) {
        size_t pages = (MIN(to - (at & ~(uintptr_t)(PAGE - 1)), (uintptr_t)PIECE) + PAGE - 1) / PAGE;
        pages = pages_there(fd, at, pages, entry);
        for (size_t i = 0; i < pages && at < to; i++) {
            uintptr_t end = MIN((at & ~(uintptr_t)(PAGE - 1)) + PAGE, to);
            if (entry[i] >> 62) {
                size_t got = peek((const void *)at, words, (size_t)(end - at) & ~(size_t)7);
                fn(arg, words, got / sizeof words[0], at);
            }
            at = end;
        }
        if (pages == 0)
            break;
    }
    if (fd >= 0)
        close(fd);
}
