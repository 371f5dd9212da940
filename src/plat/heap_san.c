/* heap_san.c - the blocks of AddressSanitizer's malloc, which says of each when it comes and goes (heap.h).
 *
 * Tables by address, each under a lock of its own: 0 is empty, 1 was there once.  heap_hold takes all locks before the others are
 * stopped, so no table is in the middle of a change then.  Small blocks lie in one range of the address space, which is found by one of
 * them; large ones in mappings of their own.  Nothing here may call malloc. */
#include "plat/heap.h"
#if SAN_ADDRESS
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "plat/atomic.h"

void __asan_get_shadow_mapping(size_t *scale, size_t *offset);
void *__asan_get_current_fake_stack(void);
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));

enum { TABLES = 64, ROOM_MIN = 4096, GONE = 1, ADDRESS_BITS = 47 };
#define SMALL_SPACE ((uintptr_t)1 << 42)             /* where small blocks are: so large, and a multiple of that */

struct slot { uintptr_t at, bytes; };
static struct table {
    _Atomic uint32_t lock;
    struct slot *slot;                               /* all: under lock */
    size_t room, used, live;                         /* used: live or GONE */
} table[TABLES];

static void table_lock(struct table *t)
{
    for (unsigned n = 0; atomic_exchange_explicit(&t->lock, 1, ACQ); )
        if (++n % 64 == 0)
            sched_yield();
}

static void table_unlock(struct table *t)
{
    at_store_rel(&t->lock, 0);
}

static uint64_t mixed(uintptr_t at)
{
    return (at >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct table *table_of(uintptr_t at)
{
    return &table[mixed(at) >> 58];
}

static struct slot *slot_of(const struct table *t, uintptr_t at)
{
    size_t i = (size_t)(mixed(at) >> 16) & (t->room - 1);
    while (t->slot[i].at != at && t->slot[i].at != 0)
        i = (i + 1) & (t->room - 1);
    return &t->slot[i];
}

static bool table_room(struct table *t)
{
    if (2 * (t->used + 1) <= t->room)
        return true;
    struct table old = *t;
    t->room = ROOM_MIN;
    while (t->room < 4 * (t->live + 1))
        t->room *= 2;
    void *p = mmap(NULL, t->room * sizeof *t->slot, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        t->room = old.room;
        return false;
    }
    t->slot = p;
    t->used = t->live;
    for (size_t i = 0; i < old.room; i++)
        if (old.slot[i].at > GONE)
            *slot_of(t, old.slot[i].at) = old.slot[i];
    if (old.slot)
        munmap(old.slot, old.room * sizeof *old.slot);
    return true;
}

static void comes(const volatile void *p, size_t bytes)
{
    uintptr_t at = (uintptr_t)p;
    struct table *t = table_of(at);
    if (!at)
        return;
    table_lock(t);
    if (table_room(t)) {                             /* else its memory counts as unknown: it hides leaks, no more */
        struct slot *s = slot_of(t, at);
        t->used += !s->at;
        t->live += !s->at;
        *s = (struct slot){ at, bytes ? bytes : 1 };
    }
    table_unlock(t);
}

static void goes(const volatile void *p)
{
    uintptr_t at = (uintptr_t)p;
    struct table *t = table_of(at);
    if (!at)
        return;
    table_lock(t);
    struct slot *s = t->room ? slot_of(t, at) : NULL;
    if (s && s->at) {
        *s = (struct slot){ GONE, 0 };
        t->live--;
    }
    table_unlock(t);
}

__attribute__((constructor(101))) static void listen_to_malloc(void)
{
    __sanitizer_install_malloc_and_free_hooks(comes, goes);
}

bool heap_open(void)
{
    return __asan_get_current_fake_stack() == NULL;
}

void heap_hold(void)
{
    for (int i = 0; i < TABLES; i++)
        table_lock(&table[i]);
}

void heap_release(void)
{
    for (int i = 0; i < TABLES; i++)
        table_unlock(&table[i]);
}

uintptr_t heap_key(void)
{
    void *p = malloc(16);
    uintptr_t space = (uintptr_t)p / SMALL_SPACE * SMALL_SPACE;
    free(p);
    return space;
}

bool heap_blocks(struct scratch *s, const struct mapping *m, size_t n, uintptr_t key, struct span **blocks, size_t *n_blocks,
    struct span **walked, size_t *n_walked)
{
    size_t live = 0, large = 0, scale, offset;
    (void)m;
    (void)n;
    for (int i = 0; i < TABLES; i++)
        live += table[i].live;
    struct span *out = *blocks = scratch_take(s, (live + 1) * sizeof *out);
    for (int i = 0; out && i < TABLES; i++)
        for (size_t k = 0; k < table[i].room; k++) {
            struct slot x = table[i].slot[k];
            if (x.at <= GONE)
                continue;
            *out++ = (struct span){ x.at, (x.at + x.bytes + 7) & ~(uintptr_t)7 };
            large += x.at - key >= SMALL_SPACE;
        }
    struct span *w = *walked = scratch_take(s, (2 + TABLES + large) * sizeof *w);
    if (!out || !w)
        return false;
    *n_blocks = (size_t)(out - *blocks);
    __asan_get_shadow_mapping(&scale, &offset);
    *w++ = (struct span){ key, key + SMALL_SPACE };
    *w++ = (struct span){ offset, offset + ((uintptr_t)1 << (ADDRESS_BITS - scale)) };
    for (int i = 0; i < TABLES; i++)
        if (table[i].room)
            *w++ = (struct span){ (uintptr_t)table[i].slot, (uintptr_t)(table[i].slot + table[i].room) };
    for (const struct span *x = *blocks; x < out; x++)
        if (x->from - key >= SMALL_SPACE)
            *w++ = *x;
    *n_walked = (size_t)(w - *walked);
    return true;
}
#endif
