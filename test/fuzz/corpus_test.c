/* corpus_test.c - plays the corpus of every fuzz target, and mutations of it that are the same in every run.  No fuzzer needed.
 *
 * FUZZ_N=n: n mutations for each hundred of a target's share.  FUZZ_TRACE=1: says before each what it is, and its bytes.  A file as an
 * argument (NAME ./FILE...) is played by itself. */
#include <dirent.h>
#include <sys/stat.h>
#include "base/rng.h"
#include "fuzz.h"
#include "t.h"

enum { FILES_MAX = 700, MADE = 240 };

struct input { char name[64]; uint8_t *p; size_t n; };
static struct input files[FILES_MAX];
static int count;

static bool load(const char *path, struct input *ret)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f)
        return false;
    CHECK(fstat(fileno(f), &st) == 0);
    ret->n = (size_t)st.st_size;
    ret->p = malloc(ret->n + 1);
    CHECK(ret->p && fread(ret->p, 1, ret->n, f) == ret->n);
    fclose(f);
    const char *base = strrchr(path, '/');
    snprintf(ret->name, sizeof ret->name, "%s", base ? base + 1 : path);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

static void load_all(const char *target)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", FUZZ_CORPUS, target);
    DIR *d = opendir(path);
    for (struct dirent *x; d && (x = readdir(d)); ) {
        if (x->d_name[0] == '.')
            continue;
        CHECK(count < FILES_MAX);
        snprintf(path, sizeof path, "%s/%s/%s", FUZZ_CORPUS, target, x->d_name);
        CHECK(load(path, &files[count++]));
    }
    if (d)
        closedir(d);
    qsort(files, (size_t)count, sizeof *files, by_name);
    CHECK(count > 0);
}

/* Values of every described type, as its codecs write them. */
static void make_all(const struct fuzz_target *t)
{
    struct buf b = { 0 };
    for (uint32_t n = 0; n < MADE && count < FILES_MAX; n++)
        if (fuzz_made(t->name, n, &b) && b.len <= t->max) {
            struct input *x = &files[count++];
            *x = (struct input){ .p = malloc(b.len), .n = b.len };
            CHECK(x->p != NULL);
            memcpy(x->p, b.p, b.len);
            snprintf(x->name, sizeof x->name, "made %u", n);
        }
    buf_free(&b);
}

static void play(const struct fuzz_target *t, const char *what, const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);              /* so that a checker sees a read past the end */
    CHECK(exact != NULL);
    if (n)
        memcpy(exact, p, n);
    if (getenv("FUZZ_TRACE")) {
        fprintf(stderr, "# %s %s, %zu bytes: ", t->name, what, n);
        for (size_t i = 0; i < n; i++)
            fprintf(stderr, "%02x", p[i]);
        fputc('\n', stderr);
    }
    fuzz_play(t, exact, n);
    free(exact);
}

static void play_all(const struct fuzz_target *t)
{
    const char *wanted = getenv("FUZZ_N");
    long n = wanted ? atol(wanted) : getenv("T_QUICK") ? 100 : 500;
    struct rng r;
    struct buf made = { 0 };
    char what[100];
    uint8_t *p = malloc(t->max + FUZZ_ROOM);
    CHECK(p != NULL);
    load_all(t->name);
    make_all(t);
    for (int i = 0; i < count; i++)
        play(t, files[i].name, files[i].p, files[i].n);
    rng_init(&r, 1);
    for (long i = 0; i < n * (long)t->share / 100; i++) {
        const struct input *x = &files[rng_below(&r, (uint32_t)count)], *y = &files[rng_below(&r, (uint32_t)count)];
        bool fresh = i % 2 && fuzz_made(t->name, (uint64_t)(MADE + i), &made) && made.len <= t->max;
        size_t k = fresh ? made.len : MIN(x->n, (size_t)t->max);
        if (k)
            memcpy(p, fresh ? made.p : x->p, k);
        for (uint32_t m = rng_below(&r, 7); m; m--)
            k = fuzz_mutate(t, &r, p, k, t->max, y->p, y->n);
        snprintf(what, sizeof what, "mutation %ld of %s", i, fresh ? "something new" : x->name);
        play(t, what, p, k);
    }
    buf_free(&made);
    free(p);
    for (int i = 0; i < count; i++)
        free(files[i].p);
}

TEST(form) { play_all(fuzz_named("form")); }
TEST(own) { play_all(fuzz_named("own")); }
TEST(bridge) { play_all(fuzz_named("bridge")); }
TEST(record) { play_all(fuzz_named("record")); }
TEST(gob) { play_all(fuzz_named("gob")); }
TEST(json) { play_all(fuzz_named("json")); }
TEST(described) { play_all(fuzz_named("described")); }
TEST(netrpc) { play_all(fuzz_named("netrpc")); }
TEST(sim) { play_all(fuzz_named("sim")); }
TEST(env) { play_all(fuzz_named("env")); }
TEST(url) { play_all(fuzz_named("url")); }
TEST(accept) { play_all(fuzz_named("accept")); }
TEST(dial) { play_all(fuzz_named("dial")); }
TEST(frames) { play_all(fuzz_named("frames")); }
TEST(talk) { play_all(fuzz_named("talk")); }

int main(int argc, char **argv)
{
    const struct fuzz_target *t = argc > 2 && strchr(argv[2], '/') ? fuzz_named(argv[1]) : NULL;
    if (!t)
        return t_main(argc, argv);
    for (int i = 2; i < argc; i++) {
        struct input x;
        if (!load(argv[i], &x)) {
            perror(argv[i]);
            return 2;
        }
        play(t, x.name, x.p, x.n);
        free(x.p);
    }
    return 0;
}
