/* conf.c - reads LEAT_SIM: see conf.h. */
#include "sim/conf.h"
#include <string.h>
#include "base/base.h"

enum { LIMIT_S_DEFAULT = 3600, STEPS_DEFAULT = 50000000 };

static const char *const fault_names[FAULTS_COUNT] = { "none", "delay", "cut", "crash", "all" };

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
        if (strlen(fault_names[i]) == (size_t)p->len && memcmp(fault_names[i], p->value, (size_t)p->len) == 0) {
            c->faults = (enum sim_faults)i;
            return LEAT_OK;
        }
    return leat_fail(LEAT_INVAL, "LEAT_SIM: faults=%.*s: there are none, delay, cut, crash and all", p->len, p->value);
}

static bool is(const struct part *p, const char *name)
{
    return strlen(name) == (size_t)p->name_len && memcmp(name, p->name, (size_t)p->name_len) == 0;
}

static leat_err set(const struct part *p, struct sim_conf *c)
{
    uint64_t n = 0;
    if (is(p, "seed"))
        return number(p, 0, UINT64_MAX, &c->seed);
    if (is(p, "faults"))
        return faults(p, c);
    if (is(p, "trace")) {
        if (p->len >= SIM_TRACE_MAX)
            return leat_fail(LEAT_INVAL, "LEAT_SIM: trace=%.20s...: a path of more than %d bytes", p->value, SIM_TRACE_MAX - 1);
        memcpy(c->trace, p->value, (size_t)p->len);
        c->trace[p->len] = 0;
        return LEAT_OK;
    }
    if (is(p, "nodes")) {
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
    } else {
        return leat_fail(LEAT_INVAL, "LEAT_SIM: there is no setting '%.*s'; see docs/sim.md", p->name_len, p->name);
    }
    return LEAT_OK;
}

leat_err sim_conf_parse(const char *text, struct sim_conf *ret)
{
    struct sim_conf c = { .seed = 1, .nodes = SIM_NODES_DEFAULT, .faults = FAULTS_ALL, .steps = STEPS_DEFAULT, .fd = -1,
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
