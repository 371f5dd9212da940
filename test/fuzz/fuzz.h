/* fuzz.h - the fuzz targets, and what they share.
 *
 * A target is a function that takes any bytes and must come back: what it finds wrong it says with FUZZ_CHECK, which aborts.  It is
 * deterministic: the same bytes make the same run, on one thread, in virtual time.  The same functions serve two programs: fuzz/corpus,
 * which plays the corpus and some thousand mutations of it in every `make test` (corpus_test.c), and the real fuzzer of `make fuzz`
 * (libfuzzer.c). */
#ifndef FUZZ_H
#define FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "leat.h"
#undef errno

struct fuzz_target {
    const char *name;
    void (*run)(const uint8_t *p, size_t n);
    uint32_t max;                                    /* bytes of an input worth trying */
    uint32_t share;                                  /* in percent: how many mutations the player tries, against the others */
    uint8_t cut, head;                               /* mutate.c: how its bytes are cut into messages, and how many are before the first */
};
enum { CUT_NOT, CUT_GOB, CUT_VARINT, CUT_WORDS };
extern const struct fuzz_target fuzz_targets[];
extern const unsigned fuzz_count;
const struct fuzz_target *fuzz_named(const char *name);          /* NULL: there is none */

/* Runs it; and once more if it has asked for memory, with one of its allocations failing: which one, the bytes say. */
void fuzz_play(const struct fuzz_target *t, const uint8_t *p, size_t n);

#define FUZZ_CHECK(cond) do { if (!(cond)) fuzz_wrong(__FILE__, __LINE__, #cond); } while (0)
__attribute__((noreturn)) void fuzz_wrong(const char *file, int line, const char *what);

/* From here on allocations are counted, and may fail, until fuzz_memory: so many bytes were asked for, frees not subtracted. */
void fuzz_memory_start(void);
size_t fuzz_memory(void);
bool fuzz_starved(leat_err e);                       /* NOMEM, and one has failed */
bool fuzz_honest(leat_err e);                        /* what is said of bytes that are not good: INVAL, LIMIT, TYPE; or starved */
/* The law of every reader: at most 64 bytes of memory for each byte it was given, and something to start with. */
#define FUZZ_MEMORY(bytes, free_) FUZZ_CHECK(fuzz_memory() <= 64 * (size_t)(bytes) + (free_))

/* Runs fn as the first task of a program of its own, with one thread and a clock that jumps.  FUZZ_CHECK fails when all of its tasks are
 * asleep for ever, or when it has not ended after so many turns that it must be in a loop. */
void fuzz_world(leat_fn_ *fn, const void *arg, size_t len);
extern const char *fuzz_job;                         /* its LEAT_JOB, or NULL */

/* A cursor that gives zeros when it is at its end: inputs that are cut short still mean something. */
static inline uint8_t fuzz_u8(struct cur *c) { return cur_left(c) ? cur_u8(c) : 0; }
uint64_t fuzz_u64(struct cur *c);                    /* one byte: a small number or one of those where things break; or eight more */

/* An input that makes sense to the target of this name, the same for the same number; false: there are none for it, or not this one. */
bool fuzz_made(const char *target, uint64_t number, struct buf *ret);
/* Damages p of n bytes, with room for max and FUZZ_ROOM more; other: an input whose bytes may be used.  How many bytes it has now. */
enum { FUZZ_ROOM = 64 };
struct rng;
size_t fuzz_mutate(const struct fuzz_target *t, struct rng *r, uint8_t *p, size_t n, size_t max, const uint8_t *other, size_t other_n);

void fuzz_form(const uint8_t *p, size_t n);          /* forms.c: canonical forms */
void fuzz_own(const uint8_t *p, size_t n);           /* values.c: leat's own encoding */
void fuzz_bridge(const uint8_t *p, size_t n);        /* forms and values of another type */
void fuzz_record(const uint8_t *p, size_t n);        /* streams of values in files */
void fuzz_gob(const uint8_t *p, size_t n);           /* gob streams: printed, and read as described types */
void fuzz_json(const uint8_t *p, size_t n);          /* JSON text as arguments of net/rpc */
void fuzz_described(const uint8_t *p, size_t n);     /* JSON text as described types */
void fuzz_netrpc(const uint8_t *p, size_t n);        /* net/rpc as the server and the client read it */
void fuzz_sim(const uint8_t *p, size_t n);           /* texts.c: LEAT_SIM */
void fuzz_env(const uint8_t *p, size_t n);           /* LEAT_NODES and its like */
void fuzz_url(const uint8_t *p, size_t n);           /* addresses */
void fuzz_accept(const uint8_t *p, size_t n);        /* hello.c: what a stranger says who dials us */
void fuzz_dial(const uint8_t *p, size_t n);          /* what a stranger answers whom we dial */
void fuzz_frames(const uint8_t *p, size_t n);        /* talk.c: any frames after a hello */
void fuzz_talk(const uint8_t *p, size_t n);          /* conversations that make sense, but for some fields */
#endif
