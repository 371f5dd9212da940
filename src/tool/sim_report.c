/* sim_report.c - reads what the library says of a run: src/sim/report.c writes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool/sim.h"

void sim_hit_add(struct sim_hits *h, const char *name, uint64_t n)
{
    uint32_t i = 0;
    while (i < h->len && strcmp(h->at[i].name, name) != 0)
        i++;
    if (i == SIM_HITS)
        return;
    if (i == h->len)
        snprintf(h->at[h->len++].name, sizeof h->at->name, "%s", name);
    h->at[i].n += n;
}

uint64_t sim_hit_of(const struct sim_hits *h, const char *name)
{
    for (uint32_t i = 0; i < h->len; i++)
        if (strcmp(h->at[i].name, name) == 0)
            return h->at[i].n;
    return 0;
}

static void hits_read(struct sim_result *r, char *text)
{
    char *next = text;
    for (char *p; (p = strsep(&next, ",")); ) {
        char *colon = strchr(p, ':');
        if (!colon)
            continue;
        *colon = 0;
        sim_hit_add(&r->hits, p, strtoull(colon + 1, NULL, 10));
    }
}

static void field_read(struct sim_result *r, const char *name, char *value)
{
    if (strcmp(name, "verdict") == 0)
        snprintf(r->verdict, sizeof r->verdict, "%s", value);
    else if (strcmp(name, "ns") == 0)
        r->ns += strtoll(value, NULL, 10);
    else if (strcmp(name, "steps") == 0)
        r->steps += strtoull(value, NULL, 10);
    else if (strcmp(name, "hash") == 0)
        r->hash = r->hash * 0x9fb21c651e98df25u ^ strtoull(value, NULL, 16);
    else if (strcmp(name, "planned") == 0)
        r->planned |= *value != '0';
    else if (strcmp(name, "struck") == 0)
        r->struck |= *value != '0';
    else if (strcmp(name, "met") == 0)
        r->met |= *value != '0';
    else if (strcmp(name, "plan") == 0)
        snprintf(r->plan, sizeof r->plan, "%s", value);
    else if (strcmp(name, "bugs") == 0)
        snprintf(r->bugs, sizeof r->bugs, "%s", value);
    else if (strcmp(name, "hits") == 0)
        hits_read(r, value);
}

/* "met NAME COUNT OF" or "bug NAME COUNT -" */
static void point_read(struct sim_result *r, char *text)
{
    char *next = text, *kind = strsep(&next, " "), *name = strsep(&next, " "), *count = strsep(&next, " "), *of = next;
    struct sim_point p = { .bug = strcmp(kind, "bug") == 0 };
    if (!of)
        return;
    snprintf(p.name, sizeof p.name, "%s", name);
    snprintf(p.of, sizeof p.of, "%s", of);
    p.count = strtoull(count, NULL, 10);
    p.seeds = p.bug || p.count;
    sim_point_add(&r->points, &p);
}

static void fields_read(struct sim_result *r, char *line)
{
    for (char *p; (p = strsep(&line, " ")); ) {
        char *equals = strchr(p, '=');
        if (!equals)
            continue;
        *equals = 0;
        field_read(r, p, equals + 1);
    }
}

void sim_report_line(struct sim_result *r, char *line)
{
    if (strcmp(line, "begin") == 0) {
        r->begun++;
        return;
    }
    if (strncmp(line, "wrong LEAT_SIM: ", 16) == 0) {
        snprintf(r->wrong, sizeof r->wrong, "%s", line + 16);
        return;
    }
    if (strncmp(line, "point ", 6) == 0) {
        point_read(r, line + 6);
        return;
    }
    if (strncmp(line, "drawn ", 6) == 0) {
        fields_read(r, line + 6);
        return;
    }
    if (strncmp(line, "end ", 4) != 0)
        return;
    r->ended++;
    char *fault = strstr(line, " fault=");
    if (fault) {
        *fault = 0;
        snprintf(r->fault, sizeof r->fault, "%s", fault + 7);
    }
    fields_read(r, line + 4);
}
