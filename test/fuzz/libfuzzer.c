/* libfuzzer.c - the door of libFuzzer.  FUZZ names the target.  test/fuzz/run.py starts it. */
#include <string.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct fuzz_target *chosen(void)
{
    const char *name = getenv("FUZZ");
    for (unsigned i = 0; name && i < fuzz_count; i++)
        if (strcmp(fuzz_targets[i].name, name) == 0)
            return &fuzz_targets[i];
    fprintf(stderr, "fuzz: set FUZZ to one of:");
    for (unsigned i = 0; i < fuzz_count; i++)
        fprintf(stderr, " %s", fuzz_targets[i].name);
    fputc('\n', stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct fuzz_target *t;
    if (!t)
        t = chosen();
    if (n <= t->max)
        t->run(p, n);
    return 0;
}
