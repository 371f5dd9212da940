/* wordcount - tasks on other nodes split lines into words, this one counts.
 *   wordcount run FILE...                          in this process alone
 *   leat run -n 3 -- wordcount run FILE...         with two more processes
 *   wordcount run --on URL,URL FILE...             with nodes that already run
 *   wordcount node URL                             such a node
 * The program is the same in each case: leat_node_join says who works for it. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "lines.h"
#include "progress.h"
#include "words.h"

enum { TOP = 20, SHARDS_A_NODE = 4, PIECE_MAX = 256 << 10, OUT_BUF = 64 << 10 };
enum { EXIT_USAGE = 2, EXIT_DEADLINE = 124, EXIT_INTERRUPTED = 130 };

LEAT_STRUCT(word,  (string, text), (uint64, times), (uint32, node));
LEAT_STRUCT(shard, (string, text), (uint32, node), (tx(word), out));  /* `out` is the counter's channel, used from afar */

/* == Splitting: the task that runs on the workers.  It has only what it was given. == */

static leat_err send_words(struct words *seen, const struct shard *s)
{
    struct word w = { .node = s->node };
    while (words_pop(seen, &w.text, &w.times)) {
        leat_err err = leat_send(s->out, w);          /* waits when the counter is slow: credit, not a queue without end */
        if (err != LEAT_OK) {
            if (err != LEAT_UNKNOWN)
                leat_drop(word, &w);                  /* certainly not sent, so it is still ours */
            return err;
        }
    }
    return LEAT_OK;
}

static leat_err split(struct shard *s)
{
    struct words seen = { 0 };
    leat_string rest = s->text, w;
    leat_err err = LEAT_OK;
    while (err == LEAT_OK && words_next(&rest, &w))
        if (!words_add(&seen, w, 1))
            err = leat_fail(LEAT_NOMEM, "no memory for the words of a shard");
    if (err == LEAT_OK)
        err = send_words(&seen, s);
    words_free(&seen);
    return err;
}

/* == Driving: a few tasks here for each worker; each has one shard there at a time. == */

struct report { uint32_t node, lines; };              /* a shard is done */
struct drive {
    leat_peer *peer;
    uint32_t node;
    leat_rx(struct lines) in;
    leat_tx(struct word) words;
    leat_tx(struct report) reports;
};

static leat_err drive_one(struct drive *d, struct lines *l)
{
    struct shard s = { l->text, d->node, leat_ref(d->words) };
    leat_err err, sent = LEAT_OK;
    *l = (struct lines){ .count = l->count };         /* the text is the shard's now */
    if (s.text.len > PIECE_MAX) {                     /* a word without end: not worth the way */
        err = split(&s);
        leat_drop(shard, &s);
        return err;
    }
    leat_with_group(g, err)                           /* a group may own tasks on other nodes; its end waits for this one */
        err = sent = leat_go_on(&g, d->peer, split, shard, s);
    if (sent != LEAT_OK && sent != LEAT_UNKNOWN)
        leat_drop(shard, &s);                         /* certainly not started, so it is still ours */
    if (err == LEAT_UNKNOWN)                          /* it may have run: for one who does not try again, that is a failure */
        err = leat_fail(leat_err_why(), "%s", leat_err_detail());
    return err;
}

static leat_err drive(struct drive *d)
{
    leat_err err;
    leat_each(l, d->in, err) {
        LEAT_TRY(drive_one(d, &l));                   /* LEAT_PEER_LOST when the node dies: never a wrong total */
        LEAT_TRY(leat_send(d->reports, { d->node, l.count }));
    }
    return err;
}

/* == Counting: one task that totals and prints. == */

struct count {
    leat_rx(struct word) words;
    leat_rx(struct report) reports;
    leat_rx(int) signals;
    const leat_peers *peers;
};

static leat_err add(struct words *all, struct progress *p, struct word *w)
{
    bool added = words_add(all, w->text, w->times);
    p->node[w->node].words += w->times;
    leat_drop(word, w);
    return added ? LEAT_OK : leat_fail(LEAT_NOMEM, "no memory for the table of words");
}

static leat_err count_until_closed(struct count *c, struct words *all, struct progress *p)
{
    leat_auto leat_rx(leat_time) tick = leat_ticker(LEAT_MS(PROGRESS_TICK_MS));
    struct report r;
    struct word w;
    leat_time now;
    leat_err err = LEAT_OK;
    int signo;
    for (bool more = true; more && err == LEAT_OK; ) {
        leat_select(err) {
            leat_on_recv(c->words, &w)     { err = w.node < p->nodes ? add(all, p, &w) : leat_fail(LEAT_INVAL, "no such node"); }
            leat_on_recv(c->reports, &r)   { p->node[r.node].lines += r.lines; }
            leat_on_recv(tick, &now)       { progress_tick(p); }
            leat_on_recv(c->signals, &signo) { err = leat_fail(LEAT_CANCELED, "interrupted"); }
            leat_on_closed(c->words)       { more = false; }
        }
    }
    while (err == LEAT_OK && leat_try_recv(c->reports, &r) == LEAT_OK)
        p->node[r.node].lines += r.lines;
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

static leat_err count(struct count *c)
{
    struct words all = { 0 };
    struct progress p;
    LEAT_TRY(progress_init(&p, c->peers));
    leat_err err = count_until_closed(c, &all, &p);
    progress_clear(&p);
    if (err == LEAT_OK)
        err = print_top(&all);
    if (err == LEAT_OK)
        progress_end(&p);
    words_free(&all);
    progress_done(&p);
    return err;
}

/* == The program: reader -> lines -> drivers -> (split, anywhere) -> words -> counter. == */

struct args { char **files; const char *on; };

struct pipes { leat_chan(struct lines) lines; leat_chan(struct word) words; leat_chan(struct report) reports; };

struct watch { leat_peer *peer; };

static leat_err watch(struct watch *w)                /* so that a node's death is noticed even while it has nothing to do */
{
    leat_err err = leat_peer_wait(w->peer);
    return err == LEAT_PEER_LOST ? err : LEAT_OK;     /* closed, or the work is done */
}

static leat_err work(const leat_peers *peers, char **files, struct pipes *c)
{
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, lines_read, (struct lines_reader){ files, leat_tx_of(c->lines) }));
        for (uint32_t i = 0; i < peers->len * SHARDS_A_NODE; i++) {
            uint32_t node = i % peers->len;
            LEAT_TRY(leat_go(&g, drive, (struct drive){ peers->at[node], node, leat_rx_of(c->lines), leat_tx_of(c->words),
                leat_tx_of(c->reports) }));
        }
    }
    return err;
}

static leat_err watched_work(const leat_peers *peers, char **files, struct pipes *c)
{
    leat_err err;
    leat_with_group(g, err) {
        for (uint32_t i = 0; i < peers->len; i++)
            LEAT_TRY(leat_go(&g, watch, (struct watch){ peers->at[i] }));
        err = work(peers, files, c);
        if (err == LEAT_OK)
            leat_group_cancel(&g);
    }
    return err;
}

static leat_err run_with(const leat_peers *peers, char **files, struct pipes *c)
{
    leat_auto leat_rx(int) signals = leat_signals((const int[]){ SIGINT }, 1);
    leat_err err;
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, count, (struct count){ leat_rx_of(c->words), leat_rx_of(c->reports), signals, peers }));
        err = watched_work(peers, files, c);
        if (err == LEAT_OK)
            leat_close(c->words);                     /* every producer, near or far, has ended; else the counter is cancelled */
    }
    return err;
}

static void drain(struct pipes *c)                    /* what was under way when it failed; no call fails here, so its detail stays */
{
    struct lines l;
    struct word w;
    while (leat_len(c->lines) > 0 && leat_try_recv(c->lines, &l) == LEAT_OK)
        leat_drop(lines, &l);
    while (leat_len(c->words) > 0 && leat_try_recv(c->words, &w) == LEAT_OK)
        leat_drop(word, &w);
}

static leat_err run(struct args *a)
{
    leat_auto leat_chan(struct lines) lines = leat_chan_make(struct lines, 4);
    leat_auto leat_chan(struct word) words = leat_chan_make(struct word, 256);
    leat_auto leat_chan(struct report) reports = leat_chan_make(struct report, 16);
    leat_auto_node leat_node *node = NULL;
    struct pipes c = { lines, words, reports };
    leat_peers peers;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_expose(node, split, shard));        /* only what is listed can be started from afar */
    LEAT_TRY(leat_node_join(node, a->on, &peers));    /* a worker of `leat run` serves in here until node 0 ends */
    leat_err err = run_with(&peers, a->files, &c);
    drain(&c);
    return err;
}

struct serve { const char *url; int *signo; };

static leat_err serve(struct serve *s)
{
    leat_auto leat_rx(int) signals = leat_signals((const int[]){ SIGINT, SIGTERM }, 2);
    leat_auto_node leat_node *node = NULL;
    LEAT_TRY(leat_node_open(NULL, &node));
    LEAT_TRY(leat_expose(node, split, shard));
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
    fprintf(stderr, "leat: wordcount: %s%s; usage: wordcount run [--on URL,URL] FILE... or wordcount node URL\n", what, which);
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

int main(int argc, char **argv)
{
    int signo = 0;
    setvbuf(stdout, NULL, _IOFBF, OUT_BUF);           /* see progress_clear */
    if (argc < 2)
        return usage("no command", "");
    if (strcmp(argv[1], "run") == 0)
        return run_main(argv + 2);
    if (strcmp(argv[1], "node") != 0)
        return usage("unknown command ", argv[1]);
    if (argc != 3 || argv[2][0] == '-')
        return usage("a node needs one address", "");
    leat_err err = leat_run(NULL, serve, (struct serve){ argv[2], &signo });
    return exit_code(err, signo);
}
