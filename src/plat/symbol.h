/* symbol.h - which function an address is in.  Reads the symbol tables of the files that are mapped, because what the loader knows
 * lacks every static function.  No lock, no allocation: system calls alone.  [signal] */
#ifndef PLAT_SYMBOL_H
#define PLAT_SYMBOL_H
#include <stddef.h>
#include <stdint.h>

enum { SYMBOL_FILES = 4 };

struct symbol_file { const void *key; const char *map; size_t len; };
struct symbols { struct symbol_file file[SYMBOL_FILES]; unsigned next; };        /* {0} is ready: the files that are open */

struct symbol {
    const char *file;                                /* "program": the last part of its path; "?" */
    uintptr_t in_file;                               /* what addr2line wants to know */
    const char *name;                                /* until symbols_done; NULL: not in a function it knows */
    uintptr_t in_name;
};
void symbol_find(struct symbols *s, uintptr_t pc, struct symbol *ret);
void symbols_done(struct symbols *s);
#endif
