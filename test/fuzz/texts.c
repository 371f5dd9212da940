/* texts.c - fuzz targets of what people and launchers write: LEAT_SIM, LEAT_NODES and its like, addresses. */
#include <string.h>
#include "base/url.h"
#include "cluster/env.h"
#include "fuzz.h"
#include "link/link.h"
#include "sim/conf.h"

/* The bytes as a C string of exactly their length, so that a checker sees a read past the end. */
static char *text_of(const uint8_t *p, size_t n)
{
    char *s = malloc(n + 1);
    FUZZ_CHECK(s != NULL);
    if (n)
        memcpy(s, p, n);
    s[n] = 0;
    return s;
}

void fuzz_sim(const uint8_t *p, size_t n)
{
    char *s = text_of(p, n);
    struct sim_conf c = { .nodes = 77 };
    leat_err e = sim_conf_parse(s, &c);
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_INVAL);
    if (e == LEAT_OK)
        FUZZ_CHECK(c.nodes >= 1 && c.nodes <= SIM_NODES_MAX && c.faults < FAULTS_COUNT && c.limit_ns > 0 && c.steps > 0);
    else
        FUZZ_CHECK(c.nodes == 77 && strstr(leat_err_detail(), "LEAT_SIM"));
    free(s);
}

/* LEAT_NODES, LEAT_RANK, LEAT_LISTEN_FD and LEAT_JOB, with a line break between them.  A ! is a variable that is not set. */
static char *vars[4];
static const char *get(const char *name)
{
    static const char *const names[] = { "LEAT_NODES", "LEAT_RANK", "LEAT_LISTEN_FD", "LEAT_JOB" };
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return vars[i] && strcmp(vars[i], "!") != 0 ? vars[i] : NULL;
    return NULL;
}

void fuzz_env(const uint8_t *p, size_t n)
{
    char *s = text_of(p, n), *at = s;
    for (int i = 0; i < 4; i++) {
        vars[i] = at;
        at = at ? strchr(at, '\n') : NULL;
        if (at)
            *at++ = 0;
    }
    struct cluster c;
    fuzz_memory_start();
    leat_err e = cluster_read(get, &c);
    FUZZ_MEMORY(n, 1024);
    FUZZ_CHECK(e == LEAT_OK || e == LEAT_INVAL || e == LEAT_LIMIT || fuzz_starved(e));
    if (e == LEAT_OK) {
        FUZZ_CHECK(c.nodes.len == 0 || c.rank < c.nodes.len);
        FUZZ_CHECK(c.job[0] == 0 || strlen(c.job) == CLUSTER_JOB_LEN);
        for (uint32_t i = 0; i < c.nodes.len; i++)
            FUZZ_CHECK(strlen(c.nodes.at[i]) > 1);
        cluster_done(&c);
    }
    free(s);
}

/* What was understood is written as a text that is understood as the same. */
void fuzz_url(const uint8_t *p, size_t n)
{
    char *s = text_of(p, n), text[URL_TEXT_MAX + 1];
    struct url u, again;
    memset(&u, 0, sizeof u);
    const char *wrong = url_parse(s, &u);
    if (!wrong && u.kind != URL_OTHER) {
        FUZZ_CHECK(url_text(&u, text, sizeof text) < sizeof text);
        memset(&again, 0, sizeof again);
        FUZZ_CHECK(url_parse(text, &again) == NULL);
        FUZZ_CHECK(again.kind == u.kind && again.port == u.port && again.v6 == u.v6);
        FUZZ_CHECK(strcmp(again.host, u.host) == 0 && strcmp(again.path, u.path) == 0);
    }
    if (wrong)
        FUZZ_CHECK(*wrong && u.scheme[0] == 0);
    free(s);
}
