/* wordcount - the lines of files are dealt to workers, who split them into words; this one counts.
 *   wordcount run FILE...                          in this process alone
 *   leat run -n 3 -- wordcount run FILE...         with two more processes
 *   wordcount run --on URL,URL FILE...             with nodes that already run
 *   wordcount node URL                             such a node
 * The program is the same in each case: leat_workers_join says who works for it.  A worker that dies changes no total: what it had
 * not finished is dealt again.  --insecure, with run and node: plain TCP beyond this host too. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "lines.h"
#include "progress.h"
#include "words.h"

enum { TOP = 20, OUT_BUF = 64 << 10, GIVE_UP_S = 5 };
enum { EXIT_USAGE = 2, EXIT_DEADLINE = 124, EXIT_INTERRUPTED = 130 };

LEAT_STRUCT(word,  (string, text), (uint64, times));
LEAT_STRUCT(tally, (list(word), words), (uint64, total), (uint32, lines));     /* one for each batch of lines */
LEAT_SERVICE(splitter, (split, lines, tally));

/* == Splitting: what the workers do.  They have only what they were given. == */

static leat_err list_words(struct words *seen, struct tally *out)
{
    struct word w;
    while (words_pop(seen, &w.text, &w.times)) {
        out->total += w.times;
        leat_err err = leat_push(&out->words, w);
        if (err != LEAT_OK) {
            leat_drop(word, &w);
            return err;
        }
    }
    return LEAT_OK;
}

static leat_err split(void *self, const struct lines *in, struct tally *out)
{
    struct words seen = { 0 };
    leat_string rest = in->text, w;
    leat_err err = LEAT_OK;
    (void)self;
    out->lines = in->count;
    while (err == LEAT_OK && words_next(&rest, &w))
        if (!words_add(&seen, w, 1))
            err = leat_fail(LEAT_NOMEM, "no memory for the words of a shard");
    if (err == LEAT_OK)
        err = list_words(&seen, out);
    words_free(&seen);
    return err;
}

static const struct splitter_impl splitter = { .split = split };

/* == Counting: one task that totals and prints. == */

struct pipes { leat_chan(struct lines) lines, huge; leat_chan(struct tally_reply) tallies; };
struct count { struct pipes *c; leat_rx(int) signals; leat_workers *workers; };

static leat_err add(struct words *all, struct progress *p, uint32_t worker, struct tally *t)
{
    bool added = true;
    for (uint32_t i = 0; i < t->words.len && added; i++)
        added = words_add(all, t->words.at[i].text, t->words.at[i].times);
    progress_add(p, worker, t->lines, t->total);
    leat_drop(tally, t);
    return added ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for the table of words");
}

static leat_err add_reply(struct words *all, struct progress *p, struct tally_reply *r)
{
    LEAT_TRY(leat_reply_err(&r->reply));
    return add(all, p, r->reply.worker, &r->value);
}

static leat_err add_huge(struct words *all, struct progress *p, struct lines *l)     /* a word without end: not worth the way */
{
    struct tally t = { .total = 0 };
    leat_err err = split(NULL, l, &t);
    leat_drop(lines, l);
    return err == LEAT_OK ? add(all, p, 0, &t) : err;
}

static leat_err count_until_closed(struct count *a, struct words *all, struct progress *p)
{
    leat_auto leat_rx(leat_time) tick = leat_ticker(LEAT_MS(PROGRESS_TICK_MS));
    struct tally_reply r;
    struct lines l;
    leat_time now;
    leat_err err = LEAT_OK;
    int signo;
    for (bool more = true; more && err == LEAT_OK; ) {
        leat_select(err) {
            leat_on_recv(a->c->tallies, &r)  { err = add_reply(all, p, &r); }
            leat_on_recv(a->c->huge, &l)     { err = add_huge(all, p, &l); }
            leat_on_recv(tick, &now)         { progress_tick(p); }
            leat_on_recv(a->signals, &signo) { err = leat_fail(LEAT_CANCELED, "interrupted"); }
            leat_on_closed(a->c->tallies)    { more = false; }
        }
    }
    return err;
}

static leat_err print_top(const struct words *all)
{
    struct words_slot top[TOP];
    size_t n = words_top(all, TOP, top);
    for (size_t i = 0; i < n; i++)
        printf("%" PRIu64 " %.*s\n", top[i].times, (int)top[i].text.len, top[i].text.p);
    if (fflush(stdout) != 0)
        return leat_fail(LEAT_SYS, "cannot write the result to standard output: %s", strerror(errno));
    return LEAT_OK;
}

static leat_err count(struct count *a)
{
    struct words all = { 0 };
    struct progress p;
    LEAT_TRY(progress_init(&p, a->workers));
    leat_err err = count_until_closed(a, &all, &p);
    progress_clear(&p);
    if (err == LEAT_OK)
        err = print_top(&all);
    if (err == LEAT_OK)
        progress_end(&p);
    words_free(&all);
    progress_done(&p);
    return err;
}

/* == The program: reader -> lines -> the deal (split, anywhere) -> tallies -> counter. == */

struct args { char **files; const char *on; bool insecure; };

static void say_lost(void *self, const leat_worker *w, const char *why)
{
    (void)self;
    progress_say("leat: lost %s; %" PRIu64 " of its shards %s dealt again", why, w->again, w->again == 1 ? "is" : "are");
}

static leat_err work(leat_workers *workers, char **files, struct pipes *c)
{
    const leat_deal_opts opts = { .lost = say_lost, .give_up = LEAT_S(GIVE_UP_S) };
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, lines_read, (struct lines_reader){ files, leat_tx_of(c->lines), leat_tx_of(c->huge) }));
        err = leat_deal(workers, splitter, split, c->lines, c->tallies, &opts);
    }
    return err;
}

static leat_err run_with(leat_workers *workers, char **files, struct pipes *c)
{
    leat_auto leat_rx(int) signals = leat_signals((const int[]){ SIGINT }, 1);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, count, (struct count){ c, signals, workers }));
        err = work(workers, files, c);
        if (err == LEAT_OK)
            leat_close(c->tallies);                   /* all have been dealt and are done; else the counter is cancelled */
    }
    return err;
}

static void drain(struct pipes *c)                    /* what was under way when it failed; no call fails here, so its detail stays */
{
    struct lines l;
    struct tally_reply r;
    while (leat_len(c->lines) > 0 && leat_try_recv(c->lines, &l) == LEAT_OK)
        leat_drop(lines, &l);
    while (leat_len(c->tallies) > 0 && leat_try_recv(c->tallies, &r) == LEAT_OK)
        leat_drop(tally, &r.value);
}

static leat_err run(struct args *a)
{
    leat_auto leat_chan(struct lines) lines = leat_chan_make(struct lines, 4), huge = leat_chan_make(struct lines, 0);
    leat_auto leat_chan(struct tally_reply) tallies = leat_chan_make(struct tally_reply, 16);
    leat_auto_node leat_node *node = NULL;
    leat_auto_workers leat_workers *workers = NULL;
    struct pipes c = { lines, huge, tallies };
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .insecure = a->insecure }, &node));
    LEAT_TRY(leat_serve(node, splitter, &splitter, NULL));
    LEAT_TRY(leat_workers_open(node, &workers));
    LEAT_TRY(leat_workers_join(workers, a->on));      /* a worker of `leat run` serves in here until node 0 ends */
    leat_err err = run_with(workers, a->files, &c);
    drain(&c);
    return err;
}

struct serve { const char *url; bool insecure; int *signo; };

static leat_err serve(struct serve *s)
{
    leat_auto leat_rx(int) signals = leat_signals((const int[]){ SIGINT, SIGTERM }, 2);
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(&(leat_node_opts){ .insecure = s->insecure }, &node));
    LEAT_TRY(leat_serve(node, splitter, &splitter, NULL));
    LEAT_TRY(leat_node_listen(node, s->url));
    printf("listening on %s\n", leat_node_url(node));
    if (fflush(stdout) != 0)
        return leat_fail(LEAT_SYS, "cannot write to standard output: %s", strerror(errno));
    LEAT_TRY(leat_recv(signals, s->signo));
    leat_with_deadline(LEAT_S(2)) {                   /* for what is under way */
        leat_node_close(node);
        node = NULL;
    }
    return LEAT_OK;
}

/* == The command line. == */

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "leat: wordcount: %s%s; usage: wordcount run [--on URL,URL] [--insecure] FILE... "
        "or wordcount node URL [--insecure]\n", what, which);
    return EXIT_USAGE;
}

static int exit_code(leat_err err, int signo)
{
    if (err == LEAT_OK && signo == SIGINT)
        return EXIT_INTERRUPTED;
    if (err == LEAT_SYS)                              /* the detail says it in the system's words */
        fprintf(stderr, "leat: %s\n", leat_err_detail());
    else if (err != LEAT_OK)
        fprintf(stderr, "leat: %s: %s\n", leat_err_name(err), leat_err_detail());
    else if (fclose(stdout) != 0)
        return fprintf(stderr, "leat: cannot write the result to standard output: %s\n", strerror(errno)), EXIT_FAILURE;
    return err == LEAT_OK ? EXIT_SUCCESS : err == LEAT_DEADLINE ? EXIT_DEADLINE : err == LEAT_CANCELED ? EXIT_INTERRUPTED
        : EXIT_FAILURE;
}

static int run_main(char **argv)
{
    struct args a = { .files = argv };
    size_t files = 0;
    for (bool flags = true; *argv; argv++) {
        if (!flags || argv[0][0] != '-')
            a.files[files++] = *argv;                 /* in place: flags are left out */
        else if (strcmp(*argv, "--") == 0)
            flags = false;
        else if (strcmp(*argv, "--insecure") == 0)
            a.insecure = true;
        else if (strncmp(*argv, "--on=", 5) == 0)
            a.on = *argv + 5;
        else if (strcmp(*argv, "--on") != 0)
            return usage("unknown flag ", *argv);
        else if (!(a.on = *++argv))
            return usage("--on needs the addresses of nodes", "");
    }
    a.files[files] = NULL;
    if (files == 0)
        return usage("no file is named", "");
    return exit_code(leat_run(NULL, run, a), 0);
}

static int node_main(char **argv)
{
    int signo = 0;
    struct serve s = { NULL, false, &signo };
    for (; *argv; argv++) {
        if (strcmp(*argv, "--insecure") == 0)
            s.insecure = true;
        else if (argv[0][0] == '-' || s.url)
            return usage("a node needs one address", "");
        else
            s.url = *argv;
    }
    if (!s.url)
        return usage("a node needs one address", "");
    leat_err err = leat_run(NULL, serve, s);
    return exit_code(err, signo);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOFBF, OUT_BUF);           /* see progress_clear */
    if (argc < 2)
        return usage("no command", "");
    if (strcmp(argv[1], "run") == 0)
        return run_main(argv + 2);
    if (strcmp(argv[1], "node") == 0)
        return node_main(argv + 2);
    return usage("unknown command ", argv[1]);
}
