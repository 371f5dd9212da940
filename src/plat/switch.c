/* switch.c - what a stack looks like before its first switch, and one that was copied away. */
#include "plat/switch.h"
#include <stdint.h>
#include <string.h>

void plat_entry(void);
void plat_away_entry(void);

void *(*plat_away_back)(struct plat_away *a);

/* The word of a frame of plat_switch in which it says where to go on, and on which stack; not all do. */
#if defined(__x86_64__)
enum { PC = 6, SP = -1 };
#else
enum { PC = 11, SP = 20 };
#endif

void plat_switch_away(struct plat_away *a)
{
    void **frame = (void **)(a + 1);
    a->pc = frame[PC];
    frame[PC] = (void *)(uintptr_t)plat_away_entry;
    if (SP >= 0)
        frame[SP < 0 ? 0 : SP] = a->sp;
}

void *plat_switch_init(void *top, void (*fn)(void))
{
#if defined(__x86_64__)
    /* six registers and the address popped last; then the stack is aligned, as it must be before a call */
    void **sp = (void **)top - 9;
    memset(sp, 0, 9 * sizeof *sp);
    sp[4] = (void *)(uintptr_t)fn;                   /* rbx */
    sp[6] = (void *)(uintptr_t)plat_entry;
#elif defined(__aarch64__)
    void **sp = (void **)top - 22;
    memset(sp, 0, 22 * sizeof *sp);
    sp[0] = (void *)(uintptr_t)fn;                   /* x19 */
    sp[11] = (void *)(uintptr_t)plat_entry;          /* x30 */
    sp[SP] = top;
#endif
    return sp;
}
