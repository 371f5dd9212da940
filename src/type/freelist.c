/* freelist.c - what a thread keeps, from its first block to its end.  See freelist.h. */
#include "type/freelist.h"
#include <pthread.h>
#include "plat/san.h"

static struct freelist none;                         /* never written */
static struct freelist closed;                       /* the same, for good */
__thread struct freelist *freelist_mine = &none;

static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;                                   /* once says when */

static void freelist_free(struct freelist *s)
{
    for (uint32_t i = 0; i < FREELIST_CLASSES; i++)
        for (void *p = s->bin[i].head, *next; p; p = next) {
            __builtin_memcpy(&next, p, sizeof next);
            free(p);
        }
    free(s);
}

/* The thread ends.  What it gives back from now on goes at once. */
static void freelist_end(void *self)
{
    freelist_mine = &closed;
    freelist_free(self);
}

void freelist_give_back(void)
{
    struct freelist *s = freelist_mine;
    if (s == &none || s == &closed)
        return;
    freelist_mine = &none;
    (void)pthread_setspecific(at_exit, NULL);
    freelist_free(s);
}

static void once_key(void)
{
    ready = !san_watches_memory() && pthread_key_create(&at_exit, freelist_end) == 0;
}

/* NULL: this thread keeps nothing.  Not by way of the hook: giving back cannot fail. */
static struct freelist *freelist_make(void)
{
    pthread_once(&once, once_key);
    struct freelist *s = ready ? calloc(1, sizeof *s) : NULL;
    if (s && pthread_setspecific(at_exit, s) != 0) {
        free(s);
        s = NULL;
    }
    for (uint32_t i = 0; s && i < FREELIST_CLASSES; i++)
        s->bin[i].room = FREELIST_EACH;
    return s;
}

__attribute__((noinline)) void *freelist_take_(uint32_t class)
{
    return mem_alloc(freelist_bytes(class));
}

__attribute__((noinline)) void freelist_put_(void *p, uint32_t class)
{
    if (freelist_mine == &none) {
        struct freelist *s = freelist_make();
        freelist_mine = s ? s : &closed;
        if (s) {
            freelist_put(p, class);
            return;
        }
    }
    mem_free(p);
}
