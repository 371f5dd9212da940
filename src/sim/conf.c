/* conf.c - reads LEAT_SIM: see conf.h. */
#include "sim/conf.h"
#include <string.h>
#include "base/base.h"

enum { LIMIT_S_DEFAULT = 3600, STEPS_DEFAULT = 50000000 };

static const char *const names[FAULTS_COUNT] = { "none", "delay", "cut", "crash", "all", "heal" };

struct part { const char *name, *value; int name_len, len; };

static leat_err number(const struct part *p, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    bool good = p->len > 0;
    for (int i = 0; i < p->len; i++) {
        good &= p->value[i] >= '0' && p->value[i] <= '9' && n <= (UINT64_MAX - 9) / 10;
        n = n * 10 + (uint64_t)(p->value[i] - '0');
    }
    if (!good || n < min || n > max)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: %.*s=%.*s: it must be a number from %llu to %llu", p->name_len, p->name, p->len,
            p->value, (unsigned long long)min, (unsigned long long)max);
    *ret = n;
    return LEAT_OK;
}

static leat_err faults(const struct part *p, struct sim_conf *c)
{
    for (int i = 0; i < FAULTS_COUNT; i++)
        if (strlen(names[i]) == (size_t)p->len && memcmp(names[i], p->value, (size_t)p->len) == 0) {
            c->faults = (enum sim_faults)i;
            return LEAT_OK;
        }
    return leat_fail(LEAT_INVAL, "LEAT_SIM: faults=%.*s: there are none, delay, cut, crash, all and heal", p->len, p->value);
}

static bool is(const struct part *p, const char *name)
{
    return strlen(name) == (size_t)p->name_len && memcmp(name, p->name, (size_t)p->name_len) == 0;
}

static leat_err text(const struct part *p, char *to, int cap)
{
    if (p->len >= cap)
        return leat_fail(LEAT_INVAL, "LEAT_SIM: %.*s=%.20s...: more than %d bytes", p->name_len, p->name, p->value, cap - 1);
    memcpy(to, p->value, (size_t)p->len);
    to[p->len] = 0;
    return LEAT_OK;
}

static leat_err set(const struct part *p, struct sim_conf *c)
{
    uint64_t n = 0;
    if (is(p, "seed"))
        return number(p, 0, UINT64_MAX, &c->seed);
    if (is(p, "faults"))
        return faults(p, c);
    if (is(p, "trace"))
        return text(p, c->trace, SIM_TRACE_MAX);
    if (is(p, "plan"))
        return text(p, c->plan, SIM_PLAN_MAX);
    if (is(p, "bugs"))
        return text(p, c->bugs, SIM_BUGS_MAX);
    if (is(p, "restarts")) {
        LEAT_TRY(number(p, 0, 1, &n));
        c->stay_dead = !n;
    } else if (is(p, "tasks")) {
        LEAT_TRY(number(p, 0, 1, &n));
        c->tasks = n;
    } else if (is(p, "most")) {
        LEAT_TRY(number(p, 1, PLAN_MAX, &n));
        c->most = (uint32_t)n;
    } else if (is(p, "nodes")) {
        LEAT_TRY(number(p, 1, SIM_NODES_MAX, &n));
        c->nodes = (uint32_t)n;
    } else if (is(p, "limit")) {
        LEAT_TRY(number(p, 1, 1000000000, &n));
        c->limit_ns = (int64_t)n * 1000000000;
    } else if (is(p, "steps")) {
        LEAT_TRY(number(p, 1, UINT64_MAX, &c->steps));
    } else if (is(p, "fd")) {
        LEAT_TRY(number(p, 0, 1 << 20, &n));
        c->fd = (int)n;
    } else if (is(p, "serve")) {
        LEAT_TRY(number(p, 0, 1 << 20, &n));
        c->serve = (int)n;
    } else {
        return leat_fail(LEAT_INVAL, "LEAT_SIM: there is no setting '%.*s'; see docs/sim.md", p->name_len, p->name);
    }
    return LEAT_OK;
}

leat_err sim_conf_parse(const char *text, struct sim_conf *ret)
{
    struct sim_conf c = { .seed = 1, .nodes = SIM_NODES_DEFAULT, .faults = FAULTS_ALL, .most = PLAN_DEFAULT,
        .steps = STEPS_DEFAULT, .fd = -1, .serve = -1,
        .limit_ns = (int64_t)LIMIT_S_DEFAULT * 1000000000 };
    while (*text) {
        size_t len = strcspn(text, ","), name = strcspn(text, "=,");
        if (name == len)
            return leat_fail(LEAT_INVAL, "LEAT_SIM: '%.*s' has no value; write NAME=VALUE,NAME=VALUE", (int)MIN(len, (size_t)60), text);
        LEAT_TRY(set(&(struct part){ text, text + name + 1, (int)name, (int)(len - name - 1) }, &c));
        text += len + (text[len] == ',');
    }
    *ret = c;
    return LEAT_OK;
}
