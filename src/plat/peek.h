/* peek.h - reading memory that others may be writing, or that may not be there: for what looks at a program from inside it.
 * No tool that watches memory sees these reads.  [signal] */
#ifndef PLAT_PEEK_H
#define PLAT_PEEK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word that is mapped. */
static inline uintptr_t peek_word(const void *from)
{
    uintptr_t v;
#if defined(__x86_64__)
    __asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(from) : "memory");
#else
    __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(from) : "memory");
#endif
    return v;
}

static inline void *peek_pointer(const void *from) { return (void *)peek_word(from); }
static inline uint32_t peek_u32(const void *from)     /* little-endian, like all machines here */
{
    return (uint32_t)(peek_word((const void *)((uintptr_t)from & ~(uintptr_t)7)) >> ((uintptr_t)from & 4) * 8);
}

static inline uint8_t peek_u8(const void *from) { return (uint8_t)(peek_u32(from) >> ((uintptr_t)from & 3) * 8); }

/* n bytes, any number of which may be unmapped: how many could be had, from the start on. */
size_t peek(const void *from, void *to, size_t n);
#endif
