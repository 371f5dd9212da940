/* decode_cmd.c - `leat decode`: shows what is in a stream whose types nobody told it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool/tool.h"
#include "tool/decode_leat.h"
#include "base/limits.h"
#include "type/gob_feed.h"

static const char help_text[] =
    "leat decode [--from gob|leat] [--types] [FILE|-]\n"
    "\n"
    "Prints the values of a stream, one JSON document a line, without knowing its types beforehand: of Go's encoding/gob, or of\n"
    "leat's own codec (leat/record.h).\n"
    "FILE is standard input when it is - or missing.\n"
    "\n"
    "  --from WHAT     what the stream is: gob (the default) or leat\n"
    "  --types         prints the types of the stream instead, as Go declarations\n"
    "\n"
    "Fields that are zero are printed too; bytes are base 64, times RFC 3339, the keys of a gob map sorted.\n"
    "A bad stream prints its good values, then one error with the offset of the byte where it went wrong.\n"
    "Exit code: 0; 1 the stream is bad or cut short, or could not be read; 2 wrong arguments.\n";

struct decode {
    const char *file;
    bool types, own;                                 /* own: not gob, but leat's codec */
    FILE *in;
    struct gob gob;
    struct gob_feed feed;
    int code;
};

static int failed(struct decode *d, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "leat: decode: %s: %s\n", d->file, what);
    return d->code = EXIT_FAILURE;
}

static int system_failed(struct decode *d, const char *what, const char *todo)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %m; %s", what, todo);     /* before anything else can change what %m means */
    return failed(d, text);
}

static int bad_at(struct decode *d, const char *why, uint64_t at)
{
    fflush(stdout);
    fprintf(stderr, "leat: decode: %s: byte %llu: %s\n", d->file, (unsigned long long)at, why);
    return d->code = EXIT_FAILURE;
}

static leat_err read_file(void *self, void *p, size_t cap, size_t *n)
{
    struct decode *d = self;
    *n = fread(p, 1, cap, d->in);
    if (*n || !ferror(d->in))
        return LEAT_OK;
    system_failed(d, "cannot read", "name a file that can be read");
    return LEAT_SYS;
}

static void to_stdout(void *self, const void *p, size_t n)
{
    (void)self;
    fwrite(p, 1, n, stdout);
}

static bool nobody_reads(void *self)
{
    (void)self;
    return ferror(stdout) != 0;
}

/* The next value or definition.  false: the end, good or bad (d->code) */
static bool message(struct decode *d)
{
    const struct json_sink out = { .put = to_stdout, .over = nobody_reads };
    if (d->types)
        d->feed.defined = false;                     /* definitions are all that is wanted */
    leat_err e = gob_feed_next(&d->feed);
    if (e == LEAT_OK && d->gob.value && !d->types) {
        e = gob_json(&d->gob, &out);
        json_put(&out, "\n");
    }
    if (e == LEAT_NOMEM)
        failed(d, "no memory");
    else if (e == LEAT_LIMIT && !d->gob.why)
        bad_at(d, d->gob.over, d->gob.offset + (uint64_t)(d->gob.c.p - d->gob.start));
    else if (e != LEAT_OK && e != LEAT_CLOSED && !d->code)
        bad_at(d, d->gob.why, d->gob.at);
    return e == LEAT_OK && !ferror(stdout);
}

static bool stdout_failed(void) { return ferror(stdout) != 0; }

static void decode_own(struct decode *d)
{
    const struct json_sink out = { .put = to_stdout, .over = nobody_reads };
    struct record_feed f = { .read = read_file, .self = d, .limit = RECORD_MAX };
    leat_err e = decode_leat(&f, d->types, &out, stdout_failed);
    if (e == LEAT_NOMEM)
        failed(d, "no memory");
    else if (e != LEAT_OK && e != LEAT_CLOSED && !d->code)
        bad_at(d, f.why, f.at);
    buf_free(&f.in);
}

static void *decode(void *self)
{
    struct decode *d = self;
    const struct json_sink out = { .put = to_stdout, .over = nobody_reads };
    if (d->own) {
        decode_own(d);
        return NULL;
    }
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
        return system_failed(d, "cannot open", "name a file that can be read");
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
    gob_feed_free(&d->feed);
    gob_free(&d->gob);
    if (fflush(stdout) != 0 || ferror(stdout))
        return d->code ? d->code : (fputs("leat: cannot write to standard output: is the disk full?\n", stderr), EXIT_FAILURE);
    return d->code;
}

static int from(struct decode *d, const char *value)
{
    if (!value)
        return usage_error("flag '--from' needs a value; `leat decode --help` shows how");
    d->own = strcmp(value, "leat") == 0;
    return d->own || strcmp(value, "gob") == 0 ? 0 : usage_error("--from '%s': there is no such stream; give gob or leat", value);
}

int decode_cmd(int argc, char **argv)
{
    struct decode d = { .file = "-", .feed = { .read = read_file, .limit = LIMIT_GOB_MESSAGE } };
    d.feed.self = &d;
    d.feed.gob = &d.gob;
    int i = 0, code = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] && !code; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return say_help(help_text);
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if (strcmp(argv[i], "--types") == 0)
            d.types = true;
        else if (strcmp(argv[i], "--from") == 0)
            code = from(&d, argv[++i < argc ? i : argc]);
        else if (strncmp(argv[i], "--from=", 7) == 0)
            code = from(&d, argv[i] + 7);
        else
            code = usage_error("unknown flag '%s'; `leat decode --help` lists them", argv[i]);
    }
    if (code)
        return code;
    if (argc - i > 1)
        return usage_error("decode: '%s' is one file too many: one stream at a time; name one file", argv[i + 1]);
    if (i < argc)
        d.file = argv[i];
    return open_and_decode(&d);
}
