/* corpus_test.c - plays the corpus of every fuzz target, and mutations of it that are the same in every run.  No fuzzer needed.
 *
 * FUZZ_N=n: n mutations for each hundred of a target's share.  FUZZ_TRACE=1: says before each what it is, and its bytes.  A file as an
 * argument (NAME ./FILE...) is played by itself. */
#include <dirent.h>
#include <sys/stat.h>
#include "base/rng.h"
#include "fuzz.h"
#include "t.h"

enum { FILES_MAX = 400, GROWN = 64, MADE = 180 };

struct input { char name[64]; uint8_t *p; size_t n; };
static struct input files[FILES_MAX];
static int count;

static const struct fuzz_target *find(const char *name)
{
    for (unsigned i = 0; i < fuzz_count; i++)
        if (strcmp(fuzz_targets[i].name, name) == 0)
            return &fuzz_targets[i];
    return NULL;
}

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
    t->run(exact, n);
    free(exact);
}

static size_t mutate(struct rng *r, uint8_t *p, size_t n, size_t max)
{
    static const uint8_t good[] = { 0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff };
    size_t at = n ? rng_below(r, (uint32_t)n) : 0, k;
    switch (rng_below(r, 8)) {
    case 0: if (n) p[at] ^= (uint8_t)(1 << rng_below(r, 8)); break;
    case 1: if (n) p[at] = (uint8_t)rng_next(r); break;
    case 2: if (n) p[at] = good[rng_below(r, sizeof good)]; break;
    case 3:                                          /* cut out */
        k = n - at ? 1 + rng_below(r, (uint32_t)MIN(n - at, (size_t)8)) : 0;
        memmove(p + at, p + at + k, n - at - k);
        return n - k;
    case 4: return at;                               /* cut short */
    case 5: case 6: {                                /* put in: something new, or some of what there is */
        uint8_t some[16];
        k = 1 + rng_below(r, 16);
        if (n + k > max)
            break;
        size_t from = n > k ? rng_below(r, (uint32_t)(n - k)) : 0;
        for (size_t i = 0; i < k; i++)
            some[i] = rng_below(r, 2) && n > k ? p[from + i] : good[rng_below(r, sizeof good)];
        memmove(p + at + k, p + at, n - at);
        memcpy(p + at, some, k);
        return n + k;
    }
    default: {                                       /* one file's head, another's tail */
        const struct input *x = &files[rng_below(r, (uint32_t)count)];
        size_t from = x->n ? rng_below(r, (uint32_t)x->n) : 0;
        k = MIN(x->n - from, max - at);
        if (k)
            memcpy(p + at, x->p + from, k);
        return at + k;
    }
    }
    return n;
}

static void play_all(const struct fuzz_target *t)
{
    const char *wanted = getenv("FUZZ_N");
    long n = wanted ? atol(wanted) : getenv("T_QUICK") ? 100 : 500;
    struct rng r;
    char what[100];
    uint8_t *p = malloc(t->max + GROWN);
    CHECK(p != NULL);
    load_all(t->name);
    make_all(t);
    for (int i = 0; i < count; i++)
        play(t, files[i].name, files[i].p, files[i].n);
    rng_init(&r, 1);
    for (long i = 0; i < n * (long)t->share / 100; i++) {
        const struct input *x = &files[rng_below(&r, (uint32_t)count)];
        size_t k = MIN(x->n, (size_t)t->max);
        memcpy(p, x->p, k);
        for (uint32_t m = 1 + rng_below(&r, 6); m; m--)
            k = mutate(&r, p, k, t->max);
        snprintf(what, sizeof what, "mutation %ld of %s", i, x->name);
        play(t, what, p, k);
    }
    free(p);
    for (int i = 0; i < count; i++)
        free(files[i].p);
}

TEST(form) { play_all(find("form")); }
TEST(own) { play_all(find("own")); }
TEST(bridge) { play_all(find("bridge")); }
TEST(record) { play_all(find("record")); }
TEST(gob) { play_all(find("gob")); }
TEST(json) { play_all(find("json")); }
TEST(described) { play_all(find("described")); }
TEST(netrpc) { play_all(find("netrpc")); }
TEST(sim) { play_all(find("sim")); }
TEST(env) { play_all(find("env")); }
TEST(url) { play_all(find("url")); }
TEST(accept) { play_all(find("accept")); }
TEST(dial) { play_all(find("dial")); }
TEST(frames) { play_all(find("frames")); }
TEST(talk) { play_all(find("talk")); }

int main(int argc, char **argv)
{
    const struct fuzz_target *t = argc > 2 && strchr(argv[2], '/') ? find(argv[1]) : NULL;
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
