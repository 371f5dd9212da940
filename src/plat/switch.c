/* switch.c - what a stack looks like before its first switch. */
#include "plat/switch.h"
#include <stdint.h>
#include <string.h>

void plat_entry(void);

void *plat_switch_init(void *top, void (*fn)(void))
{
#if defined(__x86_64__)
    /* six registers and the address popped last; then the stack is aligned, as it must be before a call */
    void **sp = (void **)top - 9;
    memset(sp, 0, 9 * sizeof *sp);
    sp[4] = (void *)(uintptr_t)fn;                   /* rbx */
    sp[6] = (void *)(uintptr_t)plat_entry;
#elif defined(__aarch64__)
    void **sp = (void **)top - 20;
    memset(sp, 0, 20 * sizeof *sp);
    sp[0] = (void *)(uintptr_t)fn;                   /* x19 */
    sp[11] = (void *)(uintptr_t)plat_entry;          /* x30 */
#endif
    return sp;
}
