/* sim_state.c - a file with what a campaign has found so far, so that one that was stopped goes on where it was. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool/launch.h"
#include "tool/sim.h"
#include "tool/tool.h"

enum { LINE = 512 };

static uint64_t mix(uint64_t h, const char *s)
{
    for (const char *p = s ? s : ""; ; p++) {
        h = (h ^ (uint8_t)*p) * 0x100000001b3u;
        if (!*p)
            return h;
    }
}

/* What makes two campaigns one: all but how far they go. */
static uint64_t campaign(const struct sim_opts *o)
{
    uint64_t h = 0xcbf29ce484222325u ^ o->first;
    h = mix(mix(mix(mix(h, o->nodes), o->faults), o->limit), o->most);
    h = mix(mix(h, o->plan), o->bugs) ^ (uint64_t)(o->no_restarts | o->any_output << 1 | o->must_succeed << 2);
    for (char **a = o->argv; *a; a++)
        h = mix(h, *a);
    return h;
}

#define NUMBERS(t) { &(t)->seeds, &(t)->ok, &(t)->errors, &(t)->failed, &(t)->never_came, &(t)->next, &(t)->first_failed, \
    &(t)->output_seed, &(t)->out_hash, &(t)->out_len }

static void line_read(char *line, struct sim_totals *t)
{
    struct sim_point p = { .bug = false };
    char name[20];
    uint64_t n;
    int bug;
    if (sscanf(line, "hit %19s %" SCNu64, name, &n) == 2) {
        sim_hit_add(&t->hits, name, n);
    } else if (sscanf(line, "point %47s %47s %d %" SCNu64 " %" SCNu64, p.name, p.of, &bug, &p.seeds, &p.count) == 5) {
        p.bug = bug;
        sim_point_add(&t->points, &p);
    }
}

int sim_state_load(const struct sim_opts *o, struct sim_totals *t)
{
    uint64_t id = 0, output = 0, *const at[] = NUMBERS(t);
    char line[LINE];
    FILE *f = o->state ? fopen(o->state, "r") : NULL;
    if (!f)
        return 0;                                    /* a campaign begins */
    bool good = fscanf(f, "leat-sim %" SCNx64, &id) == 1 && id == campaign(o);
    for (size_t i = 0; good && i < sizeof at / sizeof *at; i++)
        good = fscanf(f, "%" SCNu64, at[i]) == 1;
    good = good && fscanf(f, "%" SCNu64 " %" SCNd64 " %" SCNd64, &output, &t->ns, &t->cpu_ms) == 3;
    t->have_output = output;
    while (good && fgets(line, sizeof line, f))
        line_read(line, t);
    fclose(f);
    return good ? 0 : usage_error("--state %s: it is of another campaign; name another file, or remove it", o->state);
}

void sim_state_save(const struct sim_opts *o, const struct sim_totals *t)
{
    const uint64_t *const at[] = NUMBERS(t);
    char path[4096];
    if (!o->state)
        return;
    snprintf(path, sizeof path, "%s.new", o->state);
    FILE *f = fopen(path, "w");
    if (!f) {
        fprintf(stderr, "leat: --state %s: cannot be written: the place of this campaign is not kept; is there room?\n", o->state);
        return;
    }
    fprintf(f, "leat-sim %" PRIx64 "\n", campaign(o));
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        fprintf(f, "%" PRIu64 " ", *at[i]);
    fprintf(f, "%d %" PRId64 " %" PRId64 "\n", t->have_output, t->ns, t->cpu_ms);
    for (uint32_t i = 0; i < t->hits.len; i++)
        fprintf(f, "hit %s %" PRIu64 "\n", t->hits.at[i].name, t->hits.at[i].n);
    for (uint32_t i = 0; i < t->points.len; i++)
        fprintf(f, "point %s %s %d %" PRIu64 " %" PRIu64 "\n", t->points.at[i].name, t->points.at[i].of, t->points.at[i].bug,
            t->points.at[i].seeds, t->points.at[i].count);
    if (fclose(f) != 0 || rename(path, o->state) != 0)
        fprintf(stderr, "leat: --state %s: cannot be written: the place of this campaign is not kept; is there room?\n", o->state);
}
