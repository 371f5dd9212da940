/* targets.c - the table of fuzz targets. */
#include <string.h>
#include "fuzz.h"

const struct fuzz_target fuzz_targets[] = {
    { "form", fuzz_form, 1024, 400, CUT_NOT, 0 },
    { "own", fuzz_own, 1024, 400, CUT_NOT, 0 },
    { "bridge", fuzz_bridge, 1500, 400, CUT_NOT, 0 },
    { "record", fuzz_record, 2048, 300, CUT_VARINT, 2 },
    { "gob", fuzz_gob, 3000, 300, CUT_GOB, 2 },
    { "json", fuzz_json, 1024, 300, CUT_WORDS, 0 },
    { "described", fuzz_described, 2048, 300, CUT_WORDS, 1 },
    { "netrpc", fuzz_netrpc, 2048, 200, CUT_GOB, 2 },
    { "sim", fuzz_sim, 200, 200, CUT_NOT, 0 },
    { "env", fuzz_env, 400, 200, CUT_NOT, 0 },
    { "url", fuzz_url, 400, 200, CUT_NOT, 0 },
    { "accept", fuzz_accept, 400, 60, CUT_NOT, 0 },
    { "dial", fuzz_dial, 400, 60, CUT_NOT, 0 },
    { "frames", fuzz_frames, 2048, 100, CUT_NOT, 0 },
    { "talk", fuzz_talk, 1024, 200, CUT_NOT, 0 },
};
const unsigned fuzz_count = ARRAY_LEN(fuzz_targets);

const struct fuzz_target *fuzz_named(const char *name)
{
    for (unsigned i = 0; name && i < fuzz_count; i++)
        if (strcmp(fuzz_targets[i].name, name) == 0)
            return &fuzz_targets[i];
    return NULL;
}
