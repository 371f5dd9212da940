/* decode_cmd.c - `leat decode`: shows what is in a stream whose types nobody told it. */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool/tool.h"
#include "type/gob.h"

#define CUT_SHORT "cut short: the stream ends inside a message"

static const char help_text[] =
    "leat decode [--from gob] [--types] [FILE|-]\n"
    "\n"
    "Prints the values of a stream of Go's encoding/gob, one JSON document a line, without knowing its types beforehand.\n"
    "FILE is standard input when it is - or missing.\n"
    "\n"
    "  --from gob      what the stream is (default: gob)\n"
    "  --types         prints the types of the stream instead, as Go declarations\n"
    "\n"
    "Fields that the stream leaves out are printed as the zero they are; bytes are base 64, times RFC 3339, the keys of a map sorted.\n"
    "A bad stream prints its good values, then one error with the offset of the byte where it went wrong.\n"
    "Exit code: 0; 1 the stream is bad or cut short, or could not be read; 2 wrong arguments.\n";

struct decode {
    const char *file;
    bool types;
    FILE *in;
    uint8_t *p;                                      /* what was read and not yet decoded: from `from` to `to` */
    size_t from, to, cap;
    uint64_t offset;                                 /* of p[from] in the stream */
    size_t head, taken;                              /* bytes of the message that is read: of its length, and all */
    struct gob gob;
    int code;
};

static int failed(struct decode *d, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "leat: decode: %s: %s\n", d->file, what);
    return d->code = EXIT_FAILURE;
}

static int system_failed(struct decode *d, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %m", what);     /* before anything else can change what %m means */
    return failed(d, text);
}

static int bad_at(struct decode *d, const char *why, uint64_t at)
{
    fflush(stdout);
    fprintf(stderr, "leat: decode: %s: byte %llu: %s\n", d->file, (unsigned long long)at, why);
    return d->code = EXIT_FAILURE;
}

/* Until there are n bytes or the end.  The memory follows what has arrived, not what a length claims. */
static bool need(struct decode *d, size_t n)
{
    while (d->to - d->from < n) {
        if (d->from && d->to == d->cap) {
            memmove(d->p, d->p + d->from, d->to - d->from);
            d->to -= d->from;
            d->from = 0;
        }
        if (d->to == d->cap) {
            size_t cap = d->cap ? d->cap * 2 : 64 << 10;
            uint8_t *p = realloc(d->p, cap);
            if (!p)
                return failed(d, "no memory"), false;
            d->p = p;
            d->cap = cap;
        }
        size_t got = fread(d->p + d->to, 1, d->cap - d->to, d->in);
        d->to += got;
        if (!got && ferror(d->in))
            return system_failed(d, "cannot read"), false;
        if (!got)
            return false;
    }
    return true;
}

static void to_stdout(void *self, const void *p, size_t n)
{
    (void)self;
    fwrite(p, 1, n, stdout);
}

/* One message more behind the `at` bytes of those that are read.  head: of its length; n: both.  false: the end, good or bad. */
static bool next(struct decode *d, size_t at, size_t *head, size_t *n)
{
    uint64_t len = 0;
    need(d, at + 9);                                 /* as many as a length can take; fewer are all there are */
    if (d->code)
        return false;
    int took = gob_length(&d->gob, d->p + d->from + at, d->to - d->from - at, d->offset + at, &len);
    if (took < 0)
        return bad_at(d, d->gob.why, d->gob.at), false;
    if (took == 0 && d->to - d->from == at)
        return false;
    *head = (size_t)took;
    *n = (size_t)took + (size_t)len;
    if (took && need(d, at + *n))
        return true;
    if (!d->code)
        bad_at(d, CUT_SHORT, d->offset + (d->to - d->from));
    return false;
}

static bool more(struct gob *g)
{
    struct decode *d = (struct decode *)((char *)g - offsetof(struct decode, gob));
    size_t head, n;
    if (!next(d, d->taken, &head, &n)) {
        if (!d->code)
            bad_at(d, CUT_SHORT, d->offset + (d->to - d->from));
        return false;
    }
    d->taken += n;
    gob_extend(g, d->p + d->from + d->head, d->taken - d->head);
    return true;
}

/* The next value or definition.  false: the end, good or bad (d->code) */
static bool message(struct decode *d)
{
    const struct json_sink out = { to_stdout, NULL };
    if (!next(d, 0, &d->head, &d->taken))
        return false;
    leat_err e = gob_message(&d->gob, d->p + d->from + d->head, d->taken - d->head, d->offset + d->head);
    if (e == LEAT_OK && d->gob.value && !d->types) {
        e = gob_json(&d->gob, &out);
        json_put(&out, "\n");
    }
    if (e != LEAT_OK && !d->code)
        e == LEAT_NOMEM ? failed(d, "no memory") : bad_at(d, d->gob.why, d->gob.at);
    d->from += d->taken;
    d->offset += d->taken;
    return e == LEAT_OK && !ferror(stdout);
}

static void *decode(void *self)
{
    struct decode *d = self;
    const struct json_sink out = { to_stdout, NULL };
    while (message(d))
        ;
    if (d->types && !d->gob.no_memory && gob_declarations(&d->gob, &out) != LEAT_OK)
        failed(d, "no memory");
    return NULL;
}

static int open_and_decode(struct decode *d)
{
    enum { STACK = 64 << 20 };                       /* for values as deep inside each other as Go allows */
    bool is_stdin = strcmp(d->file, "-") == 0;
    d->in = is_stdin ? stdin : fopen(d->file, "rb");
    if (!d->in)
        return system_failed(d, "cannot open");
    if (is_stdin)
        d->file = "standard input";
    pthread_attr_t deep;
    pthread_t t;
    pthread_attr_init(&deep);
    pthread_attr_setstacksize(&deep, STACK);
    if (pthread_create(&t, &deep, decode, d) != 0)
        failed(d, "no memory for a stack of 64 MiB");
    else
        pthread_join(t, NULL);
    pthread_attr_destroy(&deep);
    if (!is_stdin)
        fclose(d->in);
    free(d->p);
    gob_free(&d->gob);
    if (fflush(stdout) != 0 || ferror(stdout))
        return d->code ? d->code : (fputs("leat: cannot write to standard output: is the disk full?\n", stderr), EXIT_FAILURE);
    return d->code;
}

static int from(const char *value)
{
    if (!value)
        return usage_error("flag '--from' needs a value; `leat decode --help` shows how");
    return strcmp(value, "gob") == 0 ? 0 : usage_error("--from '%s': there is gob", value);
}

int decode_cmd(int argc, char **argv)
{
    struct decode d = { .file = "-", .gob.more = more };
    int i = 0, code = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] && !code; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help_text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (strcmp(argv[i], "--types") == 0)
            d.types = true;
        else if (strcmp(argv[i], "--from") == 0)
            code = from(argv[++i < argc ? i : argc]);
        else if (strncmp(argv[i], "--from=", 7) == 0)
            code = from(argv[i] + 7);
        else
            code = usage_error("unknown flag '%s'; `leat decode --help` lists them", argv[i]);
    }
    if (code)
        return code;
    if (argc - i > 1)
        return usage_error("decode: '%s' is one file too many: one stream at a time", argv[i + 1]);
    if (i < argc)
        d.file = argv[i];
    return open_and_decode(&d);
}
