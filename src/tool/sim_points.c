/* sim_points.c - which places of the library a campaign has reached, and which it should have.
 *
 * A point names another one that leads to it, or a fault.  When that was reached in many seeds and the point in none, the campaign has
 * not tested what it claims to: it is void. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "tool/sim.h"

void sim_point_add(struct sim_points *s, const struct sim_point *p)
{
    uint32_t i = 0;
    while (i < s->len && (s->at[i].bug != p->bug || strcmp(s->at[i].name, p->name) != 0))
        i++;
    if (i == SIM_POINTS)
        return;
    if (i == s->len) {
        s->at[s->len++] = *p;
        return;
    }
    s->at[i].seeds += p->seeds;
    s->at[i].count += p->count;
}

static void print_kind(const struct sim_points *s, bool bug, const char *head)
{
    char a[32], b[32];
    bool any = false;
    for (uint32_t i = 0; i < s->len; i++) {
        const struct sim_point *p = &s->at[i];
        if (p->bug != bug || (!p->seeds && !p->count))
            continue;
        if (!any)
            puts(head);
        any = true;
        printf("  %-36s %12s %14s\n", p->name, sim_grouped(p->seeds, a), sim_grouped(p->count, b));
    }
}

void sim_points_print(const struct sim_points *s)
{
    print_kind(s, false, "points reached                            in seeds          times");
    print_kind(s, true, "rare turns                            possible in          fired");
}

/* In how many seeds what leads to p was reached. */
static uint64_t could(const struct sim_points *s, const struct sim_hits *h, const char *of)
{
    if (strcmp(of, "-") == 0)
        return 0;                                    /* the way into what this program need not use */
    for (uint32_t i = 0; i < s->len; i++)
        if (strcmp(s->at[i].name, of) == 0)
            return s->at[i].bug && !s->at[i].count ? 0 : s->at[i].seeds;
    return sim_hit_of(h, of);
}

/* What these faults should have brought: (name, which --faults ask for it). */
static unsigned faults_missed(const struct sim_hits *h, const struct sim_opts *o, uint64_t seeds)
{
    static const struct { const char *name, *of; } wanted[] = {
        { "delay", "delay cut crash all heal" }, { "short_read", "delay cut crash all heal" }, { "late_start", "delay cut crash all heal" },
        { "slow", "delay all heal" }, { "cut", "cut all heal" }, { "half_cut", "cut all heal" }, { "down", "cut all heal" },
        { "silence", "cut all heal" }, { "one_way", "cut all heal" }, { "clog", "cut all heal" }, { "refuse", "cut all heal" },
        { "heal", "cut all heal" }, { "crash", "crash all heal" }, { "power_loss", "crash all heal" }, { "restart", "crash all heal" },
        { "torn_chunk", "cut all heal" }, { "overlap", "all heal" },
    };
    unsigned n = 0;
    if (strcmp(o->nodes, "1") == 0 || o->plan || seeds < o->enough)
        return 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strstr(wanted[i].of, o->faults) && !sim_hit_of(h, wanted[i].name) &&
            !(o->no_restarts && strcmp(wanted[i].name, "restart") == 0) && !(o->most && strcmp(wanted[i].name, "overlap") == 0)) {
            printf("void: never reached %s, in %" PRIu64 " seeds\n", wanted[i].name, seeds);
            n++;
        }
    return n;
}

unsigned sim_points_missed(const struct sim_points *s, const struct sim_hits *h, const struct sim_opts *o, uint64_t seeds)
{
    unsigned missed = faults_missed(h, o, seeds);
    uint64_t most = missed ? seeds : 0;
    for (uint32_t i = 0; i < s->len; i++) {
        const struct sim_point *p = &s->at[i];
        uint64_t n = could(s, h, p->of);
        if (p->bug || p->count || n < o->enough)
            continue;
        printf("void: never reached %s, though %" PRIu64 " seeds came to %s\n", p->name, n, p->of);
        missed++;
        most = MAX(most, n);
    }
    if (missed)
        printf("void: what was never reached has not been tested: other seeds or --faults may come there; for a program that need not, "
               "--enough %" PRIu64 "\n", most + 1);
    return missed;
}
