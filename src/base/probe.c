/* probe.c - the points of probe.h: which fire in a world, and how often each was reached. */
#include "base/probe.h"
#include <string.h>
#include "base/rng.h"

bool probe_on;
static struct probe_watch watch;

/* weak: where no point is linked in, there is no such section */
extern struct probe *const first_probe[] __asm__("__start_leat_probes") __attribute__((weak, visibility("hidden")));
extern struct probe *const last_probe[] __asm__("__stop_leat_probes") __attribute__((weak, visibility("hidden")));

static uint64_t name_hash(const char *s)             /* FNV-1a: of the name, not of where the linker put it */
{
    uint64_t h = 0xcbf29ce484222325u;
    while (*s)
        h = (h ^ (uint8_t)*s++) * 0x100000001b3u;
    return h;
}

static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; *p; p += *p == '+') {
        size_t len = strcspn(p, "+");
        if (len == n && memcmp(p, name, n) == 0)
            return true;
        p += len;
    }
    return false;
}

/* A quarter of the worlds have no rare turns at all, the others a quarter of them. */
static void draw(struct probe *p, uint64_t seed, const char *active, bool faults)
{
    static const uint32_t one_in[] = { 2, 8, 64, 512 };
    uint64_t world = seed, r = seed ^ name_hash(p->name);
    bool calm = rng_mix(&world) % 4 == 0, drawn = rng_mix(&r) % 4 == 0 && (faults || strncmp(p->name, "fault.", 6) != 0);
    p->active = p->kind == PROBE_BUGGIFY && (active ? listed(active, p->name) : drawn && !calm);
    p->one_in = one_in[rng_mix(&r) % ARRAY_LEN(one_in)];
    p->chance = r;
    p->count = 0;
    p->level = 0;
}

void probes_begin(uint64_t seed, const char *active, bool faults, const struct probe_watch *w)
{
    watch = *w;
    for (struct probe *const *p = first_probe; p < last_probe; p++)
        draw(*p, seed, active, faults);
    probe_on = true;
}

static bool is_rare_turn(const char *name, size_t len)
{
    for (struct probe *const *p = first_probe; p < last_probe; p++)
        if ((*p)->kind == PROBE_BUGGIFY && strlen((*p)->name) == len && memcmp((*p)->name, name, len) == 0)
            return true;
    return false;
}

const char *probes_unknown(const char *list, size_t *len)
{
    for (const char *p = list; *p; p += *len, p += *p == '+')
        if (*len = strcspn(p, "+"), !is_rare_turn(p, *len))
            return p;
    return NULL;
}

void probes_end(void)
{
    probe_on = false;
}

void probes_each(void (*fn)(void *arg, const struct probe *p), void *arg)
{
    for (struct probe *const *p = first_probe; p < last_probe; p++)
        fn(arg, *p);
}

uint64_t probes_count(const char *name)
{
    uint64_t n = 0;
    for (struct probe *const *p = first_probe; p < last_probe; p++)
        if ((*p)->kind != PROBE_GAUGE && strcmp((*p)->name, name) == 0)
            n += (*p)->count;
    return n;
}

bool probe_fires(struct probe *p)
{
    if (!p->active || rng_mix(&p->chance) % p->one_in)
        return false;
    p->count++;
    watch.fired(watch.self, p);
    return true;
}

void probe_reached(struct probe *p)
{
    if (p->count++ == 0)
        watch.fired(watch.self, p);
}

void probe_level(struct probe *p, int d)
{
    p->level += d;
}

void probe_broken(const char *law, const char *file, int line)
{
    watch.broken(watch.self, law, file, line);
}
