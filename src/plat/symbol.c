/* symbol.c - the section .symtab of an ELF file, else .dynsym, searched from end to end: reports are rare and have few lines. */
#include "plat/symbol.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "plat/errno.h"
#include "plat/random.h"

#define INSIDE "leat__"                              /* what scripts/static_lib.py puts before names of the library's own */

struct place { const void *key; uintptr_t base; const char *path; };

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
static int place_of(uintptr_t pc, struct place *ret)
{
    struct dl_find_object o;
    if (_dl_find_object((void *)pc, &o) != 0 || !o.dlfo_link_map)
        return -1;
    *ret = (struct place){ o.dlfo_link_map, o.dlfo_link_map->l_addr, o.dlfo_link_map->l_name };
    return 0;
}
#else
static int place_of(uintptr_t pc, struct place *ret)
{
    Dl_info i;
    struct link_map *m;
    if (dladdr1((void *)pc, &i, (void **)&m, RTLD_DL_LINKMAP) == 0 || !m)
        return -1;
    *ret = (struct place){ m, m->l_addr, m->l_name };
    return 0;
}
#endif

static struct symbol_file *file_of(struct symbols *s, const struct place *at)
{
    for (unsigned i = 0; i < SYMBOL_FILES; i++)
        if (s->file[i].key == at->key)
            return &s->file[i];
    struct symbol_file *f = &s->file[s->next++ % SYMBOL_FILES];
    if (f->map)
        munmap((void *)(uintptr_t)f->map, f->len);
    *f = (struct symbol_file){ at->key, NULL, 0 };
    struct stat st;
    int fd = open(at->path && *at->path ? at->path : "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return f;
    if (fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(ElfW(Ehdr))) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED) {
            f->map = p;
            f->len = (size_t)st.st_size;
        }
    }
    close(fd);
    return f;
}

static const ElfW(Shdr) *section(const struct symbol_file *f, unsigned type)
{
    const ElfW(Ehdr) *h = (const void *)f->map;
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_shentsize != sizeof(ElfW(Shdr)) || h->e_shoff % 8 ||
        h->e_shoff > f->len || (f->len - h->e_shoff) / sizeof(ElfW(Shdr)) < h->e_shnum)
        return NULL;
    const ElfW(Shdr) *s = (const void *)(f->map + h->e_shoff);
    for (unsigned i = 0; i < h->e_shnum; i++)
        if (s[i].sh_type == type && s[i].sh_link < h->e_shnum && s[i].sh_offset <= f->len && s[i].sh_size <= f->len - s[i].sh_offset)
            return &s[i];
    return NULL;
}

static void search(const struct symbol_file *f, uintptr_t at, struct symbol *ret)
{
    const ElfW(Shdr) *s = section(f, SHT_SYMTAB);
    if (!s && !(s = section(f, SHT_DYNSYM)))
        return;
    const ElfW(Shdr) *text = (const ElfW(Shdr) *)(const void *)(f->map + ((const ElfW(Ehdr) *)(const void *)f->map)->e_shoff) + s->sh_link;
    const ElfW(Sym) *sym = (const void *)(f->map + s->sh_offset);
    if (text->sh_offset > f->len || text->sh_size > f->len - text->sh_offset || s->sh_offset % 8)
        return;
    for (size_t i = 0; i < s->sh_size / sizeof *sym; i++)
        if ((sym[i].st_info & 15) == STT_FUNC && sym[i].st_shndx != SHN_UNDEF && at >= sym[i].st_value &&
            at - sym[i].st_value < sym[i].st_size && sym[i].st_name < text->sh_size) {
            ret->name = f->map + text->sh_offset + sym[i].st_name;
            if (strncmp(ret->name, INSIDE, sizeof INSIDE - 1) == 0)
                ret->name += sizeof INSIDE - 1;
            ret->in_name = at - sym[i].st_value;
            return;
        }
}

static const char *last_part(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path && *path ? path : plat_program_name();
}

void symbol_find(struct symbols *s, uintptr_t pc, struct symbol *ret)
{
    int saved = errno;
    struct place at;
    *ret = (struct symbol){ "?", pc, NULL, 0 };
    if (place_of(pc, &at) == 0) {
        ret->file = last_part(at.path);
        ret->in_file = pc - at.base;
        const struct symbol_file *f = file_of(s, &at);
        if (f->map)
            search(f, ret->in_file, ret);
    }
    errno = saved;
}

void symbols_done(struct symbols *s)
{
    for (unsigned i = 0; i < SYMBOL_FILES; i++)
        if (s->file[i].map)
            munmap((void *)(uintptr_t)s->file[i].map, s->file[i].len);
    *s = (struct symbols){ 0 };
}
