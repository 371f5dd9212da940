/* plan.c - draws a plan of faults, reads one, writes one: see plan.h. */
#include "sim/plan.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/world.h"

enum { CHUNKS_MAX = 4096, NEAR_MAX = 64 };

static const int64_t ms = 1000000;

const char *const fault_names[FAULT_KINDS] = { "slow", "cut", "half", "down", "silence", "oneway", "clog", "refuse", "crash", "power" };

/* -- drawing ------------------------------------------------------------------------------------------------------------------- */
static enum fault_kind draw_cut(struct rng *r)
{
    static const enum fault_kind kinds[] = { FAULT_CUT, FAULT_CUT, FAULT_HALF, FAULT_DOWN, FAULT_DOWN, FAULT_SILENCE, FAULT_ONE_WAY,
        FAULT_CLOG, FAULT_REFUSE };
    return kinds[rng_below(r, ARRAY_LEN(kinds))];
}

static enum fault_kind draw_crash(struct rng *r) { return sim_chance(r, 2) ? FAULT_CRASH : FAULT_POWER; }

static enum fault_kind draw_kind(enum sim_faults f, struct rng *r)
{
    switch (f) {
    case FAULTS_DELAY:
        return FAULT_SLOW;
    case FAULTS_CUT:
        return draw_cut(r);
    case FAULTS_CRASH:
        return draw_crash(r);
    default: {
        uint32_t k = rng_below(r, 8);
        return k < 5 ? draw_cut(r) : k == 5 ? FAULT_SLOW : draw_crash(r);
    }
    }
}

/* In whole ms, so that a plan is short as text. */
static int64_t draw_ms(struct rng *r, int64_t min, int64_t max)
{
    return sim_log_uniform(r, min, max) * ms;
}

static int64_t draw_time(const struct planned *f, const struct sim_conf *c, struct rng *r)
{
    bool ever = sim_chance(r, 3), five = sim_chance(r, 3);
    int64_t any = draw_ms(r, 100, 60000), brief = draw_ms(r, 10, 5000);
    if (f->kind == FAULT_CUT || f->kind == FAULT_HALF)
        return 0;
    if (c->stay_dead && (f->kind == FAULT_CRASH || f->kind == FAULT_POWER))
        return NEVER;
    if (c->faults == FAULTS_HEAL)
        return f->kind == FAULT_DOWN && five ? 5000 * ms : brief;
    if (f->kind == FAULT_SLOW || f->kind == FAULT_REFUSE)
        return any;
    if (ever)
        return NEVER;
    return f->kind == FAULT_DOWN && five ? 5000 * ms : any;
}

static uint32_t draw_count(const struct sim_conf *c, struct rng *r)
{
    uint32_t n = 1;
    bool calm = sim_chance(r, 2), slow = sim_chance(r, 4);
    while (n < c->most && sim_chance(r, 2))
        n++;
    if (c->nodes == 1 || c->faults == FAULTS_NONE || (c->faults == FAULTS_ALL && calm) || (c->faults == FAULTS_DELAY && !slow))
        return 0;
    return n;
}

/* Half of the later ones come soon after the one before, so while what that broke is being mended. */
void plan_draw(struct plan *p, const struct sim_conf *c, struct rng *r)
{
    uint64_t before = 0;
    p->len = draw_count(c, r);
    for (uint32_t i = 0; i < p->len; i++) {
        struct planned *f = &p->at[i];
        bool near = i && sim_chance(r, 2);
        f->kind = draw_kind(c->faults, r);
        f->at_chunk = near ? before + (uint64_t)sim_log_uniform(r, 1, NEAR_MAX) : (uint64_t)sim_log_uniform(r, 1, CHUNKS_MAX);
        f->lasts = draw_time(f, c, r);
        before = f->at_chunk;
    }
}

/* -- as text ------------------------------------------------------------------------------------------------------------------- */
void plan_format(const struct plan *p, char *to, size_t cap)
{
    size_t n = 0;
    snprintf(to, cap, "none");
    for (uint32_t i = 0; i < p->len && n < cap; i++) {
        const struct planned *f = &p->at[i];
        n += (size_t)snprintf(to + n, cap - n, "%s%s@%" PRIu64, i ? "+" : "", fault_names[f->kind], f->at_chunk);
        if (n < cap && f->lasts == NEVER)
            n += (size_t)snprintf(to + n, cap - n, "/ever");
        else if (n < cap && f->lasts)
            n += (size_t)snprintf(to + n, cap - n, "/%" PRId64 "ms", f->lasts / ms);
    }
}

/* One fault, and what follows it. */
static const char *parse_one(const char *s, struct planned *f)
{
    char *end;
    size_t n = strcspn(s, "@");
    uint32_t k = 0;
    while (k < FAULT_KINDS && (strlen(fault_names[k]) != n || memcmp(fault_names[k], s, n) != 0))
        k++;
    if (k == FAULT_KINDS || s[n] != '@' || s[n + 1] < '0' || s[n + 1] > '9')
        return NULL;
    *f = (struct planned){ .kind = (enum fault_kind)k, .at_chunk = strtoull(s + n + 1, &end, 10) };
    if (*end != '/')
        return end;
    if (strncmp(end, "/ever", 5) == 0) {
        f->lasts = NEVER;
        return end + 5;
    }
    unsigned long long n_ms = strtoull(end + 1, &end, 10);
    if (strncmp(end, "ms", 2) != 0 || n_ms > 1000000000000)
        return NULL;
    f->lasts = (int64_t)n_ms * ms;
    return end + 2;
}

leat_err plan_parse(const char *text, struct plan *ret)
{
    struct plan p = { .len = 0 };
    const char *s = strcmp(text, "none") == 0 ? "" : text;
    while (s && *s) {
        if (p.len == PLAN_MAX)
            return leat_fail(LEAT_INVAL, "LEAT_SIM: plan=%s: at most %d faults", text, PLAN_MAX);
        s = parse_one(s, &p.at[p.len++]);
        if (s && *s && *s++ != '+')
            s = NULL;
    }
    if (!s)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: plan=%s: write KIND@CHUNK/TIME+KIND@CHUNK, as in cut@120+crash@300/2000ms", text);
    *ret = p;
    return LEAT_OK;
}
