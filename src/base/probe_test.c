/* probe_test.c - points fire by the seed alone, or where they are listed, and never outside of a world. */
#include "base/probe.h"
#include "t.h"

static unsigned told, broken;
static void on_fired(void *self, const struct probe *p) { told += self == &told && p->name[0] == 't'; }
static void on_broken(void *self, const char *law, const char *file, int line)
{
    broken += self == &told && strcmp(law, "1 + 1 == 3") == 0 && file && line > 0;
}
static const struct probe_watch watch = { on_fired, on_broken, &told };

static bool one(void) { return BUGGIFY("test.one"); }
static bool two(void) { return BUGGIFY("test.two"); }
static void met(void) { SOMETIMES("test.met", "test.one"); }
static void met_too(void) { SOMETIMES("test.met", "test.one"); }

/* How one() and two() fire in a world, a bit each. */
static uint64_t pattern(uint64_t seed, const char *active, bool (*fn)(void))
{
    uint64_t bits = 0;
    probes_begin(seed, active, true, &watch);
    for (int i = 0; i < 64; i++)
        bits = bits << 1 | fn();
    probes_end();
    return bits;
}

TEST(a_point_fires_by_the_seed_and_only_in_some_worlds)
{
    int some = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint64_t a = pattern(seed, NULL, one);
        CHECK_EQ(a, pattern(seed, NULL, one));
        some += a != 0;
    }
    CHECK(some > 20 && some < 200);
}

TEST(listed_points_fire_and_no_others_and_as_they_would_have)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t a = pattern(seed, NULL, one);
        CHECK(a == 0 || a == pattern(seed, "test.tw+test.one", one));
        CHECK_EQ(pattern(seed, "test.one", two), 0);
        CHECK_EQ(pattern(seed, "test.one+x", two), 0);
        CHECK_EQ(pattern(seed, "", one), 0);
    }
}

TEST(a_name_that_no_rare_turn_has_is_found)
{
    size_t len = 0;
    const char *at = "test.one+test.onetwo+test.two";
    CHECK(!probes_unknown("", &len) && !probes_unknown("test.two", &len) && !probes_unknown("test.one+test.two", &len));
    CHECK(probes_unknown(at, &len) == at + 9 && len == 11);
    CHECK(probes_unknown("test.met", &len) != NULL);              /* a point, but no turn */
    CHECK(probes_unknown("++", &len) != NULL && len == 0);
}

TEST(nothing_fires_and_no_law_is_looked_at_outside_of_a_world)
{
    for (int i = 0; i < 1000; i++)
        CHECK(!one() && !two());
    LAW(1 + 1 == 3);
    GAUGE("test.alive", 1);
    CHECK_EQ(broken, 0);
}

static void sum_level(void *arg, const struct probe *p) { *(int64_t *)arg += p->level; }

TEST(points_of_one_name_are_counted_together_and_gauges_are_summed)
{
    int64_t level = 0;
    probes_begin(1, "", true, &watch);
    met();
    met();
    met_too();
    CHECK_EQ(probes_count("test.met"), 3);
    CHECK_EQ(told, 2);
    for (int i = 0; i < 5; i++)
        GAUGE("test.alive", 1);
    GAUGE("test.alive", -4);
    probes_each(sum_level, &level);
    CHECK_EQ(level, 1);
    LAW(1 + 1 == 3);
    LAW(1 + 1 == 2);
    CHECK_EQ(broken, 1);
    probes_end();
    probes_begin(1, "", true, &watch);
    CHECK_EQ(probes_count("test.met"), 0);
    probes_end();
}

T_MAIN()
