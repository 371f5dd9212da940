/* targets.c - the table of fuzz targets. */
#include "fuzz.h"

const struct fuzz_target fuzz_targets[] = {
    { "form", fuzz_form, 512, 400 },
    { "own", fuzz_own, 512, 400 },
    { "bridge", fuzz_bridge, 512, 400 },
    { "record", fuzz_record, 600, 300 },
    { "gob", fuzz_gob, 1024, 300 },
    { "json", fuzz_json, 512, 300 },
    { "described", fuzz_described, 512, 300 },
    { "netrpc", fuzz_netrpc, 1024, 200 },
    { "sim", fuzz_sim, 200, 200 },
    { "env", fuzz_env, 400, 200 },
    { "url", fuzz_url, 400, 200 },
    { "accept", fuzz_accept, 400, 60 },
    { "dial", fuzz_dial, 400, 60 },
    { "frames", fuzz_frames, 2048, 100 },
    { "talk", fuzz_talk, 1024, 200 },
};
const unsigned fuzz_count = ARRAY_LEN(fuzz_targets);
