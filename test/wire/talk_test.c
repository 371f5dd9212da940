/* talk_test.c - whole conversations, byte by byte: a peer that follows a script, and a real node.
 *
 * talk/NAME.txt holds the bytes of both sides as docs/wire.md has them, written by hand:
 *     > title      what the peer writes, in the lines that follow
 *     < title      what the node must write, exactly
 *     ! words      what the node's program does then (act)
 *     16 00 ?? | note      bytes in hex; ?? may be any, @@ is the next of the 16 that the last ?? were; # begins
 *                          a comment
 * So each frame shows that the node makes just these bytes, or that it takes them and does what they say. */
#include <ctype.h>
#include "base/base.h"
#include "link/link.h"
#include "pair.h"
#include "sess/sess.h"

LEAT_STRUCT(mark, (int32, n));
LEAT_SERVICE(calc, (twice, mark, mark), (wait, mark, mark));

enum { OPS = 8, LINE = 512, BYTES = 4096 };
static struct link *the_link;
static struct link_listener *listener;
static leat_node *node;
static leat_peer *the_peer;
static leat_chan(struct mark) marks;                 /* of which the node is the home */
static leat_tx(struct mark) tx;                      /* what it has imported */
static leat_node *behind;                            /* another one, to which the node is a relay */
static leat_peer *way_in;                            /* the node, as that one knows it */
static leat_tx(struct mark) beyond;                  /* what that one has imported from the node, which has imported it */
static struct { leat_err err; int32_t n; bool done; } op[OPS];       /* what the program does, in turn */
static int begun, ended;
static leat_group *work;

/* -- the node's program ------------------------------------------------------------------------------------------------------------ */
static leat_err calc_twice(void *self, const struct mark *in, struct mark *out)
{
    (void)self;
    out->n = in->n * 2;
    return LEAT_OK;
}
static leat_err calc_wait(void *self, const struct mark *in, struct mark *out)
{
    (void)self, (void)in, (void)out;
    return leat_sleep(LEAT_S(1000));
}
static const struct calc_impl calc = { calc_twice, calc_wait };

static leat_err doubled(struct mark *m) { return m->n == 7 ? LEAT_OK : leat_fail(LEAT_INVAL, "it is %d", (int)m->n); }

struct job { char what[24]; int32_t n; int at; };

static leat_err by_select(int32_t n)
{
    struct mark m = { n }, never;
    leat_auto leat_chan(struct mark) quiet = leat_chan_make(struct mark, 0);
    leat_err err;
    leat_select(err) {
        leat_on_send(tx, &m) { }
        leat_on_recv(quiet, &never) { }
    }
    return err;
}

static leat_err called(const char *what, struct job *j)
{
    struct mark out = { 0 };
    leat_err err = LEAT_OK;
    if (strcmp(what, "call") == 0)
        err = leat_call(the_peer, calc, twice, &(struct mark){ j->n }, &out);
    leat_with_deadline(LEAT_MS(30))
        if (strcmp(what, "call-and-leave") == 0)
            err = leat_call(the_peer, calc, wait, &(struct mark){ j->n }, &out);
    j->n = out.n;
    return err;
}

static leat_err sent(const char *what, int32_t n)
{
    leat_err err = LEAT_OK;
    if (strcmp(what, "send") == 0)
        return leat_send(tx, { n });
    if (strcmp(what, "try") == 0)
        return leat_try_send(tx, { n });
    leat_with_deadline(LEAT_MS(30))
        err = leat_send(tx, { n });                  /* send-and-leave */
    return err;
}

static leat_err run_job(struct job *j)
{
    struct mark m = { 0 };
    leat_err err = LEAT_OK;
    const char *w = j->what;
    if (strcmp(w, "dial") == 0)
        err = leat_node_dial(node, link_listener_url(listener), &the_peer);
    else if (strcmp(w, "import") == 0)
        err = leat_import(the_peer, "marks", &tx, mark, 0);
    else if (strcmp(w, "recv") == 0)
        err = leat_recv(marks, &m), j->n = m.n;
    else if (strcmp(w, "select") == 0)
        err = by_select(j->n);
    else if (strcmp(w, "flush") == 0)
        err = leat_flush(tx);
    else if (strcmp(w, "follower-send") == 0)
        err = leat_send(beyond, { j->n });
    else if (strncmp(w, "call", 4) == 0)
        err = called(w, j);
    else if (strcmp(w, "leave") == 0)
        leat_node_close(node), node = NULL;
    else
        err = sent(w, j->n);
    op[j->at].err = err;
    op[j->at].n = j->n;
    op[j->at].done = true;
    return LEAT_OK;
}

/* The oldest thing that was begun has ended with this error, and this number. */
static void ends(int err, int n)
{
    int at = ended++ % OPS;
    CHECK(at < begun);
    while (!op[at].done)
        leat_ignore(leat_sleep(LEAT_MS(1)));
    if (op[at].err != (leat_err)err || (n >= 0 && op[at].n != n))
        t_fail(__FILE__, __LINE__, "it ended with %s and %d: %s", leat_err_name(op[at].err), (int)op[at].n, leat_err_detail());
    op[at].done = false;
}

/* Another node takes from this one the end that it has imported. */
static void follow(void)
{
    CHECK_EQ(leat_node_listen(node, "inproc:way"), LEAT_OK);
    CHECK_EQ(leat_export(node, "way", tx, mark), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "q" }, &behind), LEAT_OK);
    CHECK_EQ(leat_node_dial(behind, leat_node_url(node), &way_in), LEAT_OK);
    CHECK_EQ(leat_import(way_in, "way", &beyond, mark, 0), LEAT_OK);
}

static void act(const char *line)
{
    char what[24];
    int n = 0, m = -1, k = sscanf(line, "%23s %d %d", what, &n, &m);
    CHECK(k >= 1);
    if (strcmp(what, "listen") == 0) {
        CHECK_EQ(leat_node_listen(node, url), LEAT_OK);
        CHECK_EQ(link_dial(leat_node_url(node), &the_link), LEAT_OK);
    } else if (strcmp(what, "cut") == 0) {
        link_close(the_link);
        CHECK_EQ(link_dial(leat_node_url(node), &the_link), LEAT_OK);
    } else if (strcmp(what, "wait-dial") == 0) {
        CHECK_EQ(link_accept(listener, &the_link), LEAT_OK);
    } else if (strcmp(what, "export") == 0) {
        marks = leat_chan_make(struct mark, (size_t)n);
        CHECK_EQ(leat_export(node, "marks", leat_tx_of(marks), mark), LEAT_OK);
    } else if (strcmp(what, "shut") == 0) {
        leat_close(marks);
    } else if (strcmp(what, "serve") == 0) {
        CHECK_EQ(leat_serve(node, calc, &calc, NULL), LEAT_OK);
        CHECK_EQ(leat_expose(node, doubled, mark), LEAT_OK);
    } else if (strcmp(what, "close") == 0) {
        leat_close(tx);
    } else if (strcmp(what, "drop") == 0) {
        leat_unref(tx), tx = NULL;
    } else if (strcmp(what, "gone") == 0) {
        leat_unref(marks), marks = NULL;
    } else if (strcmp(what, "follow") == 0) {
        follow();
    } else if (strcmp(what, "follower-dies") == 0) {
        sess_break(sess_of(way_in), LEAT_SYS, "the test ends it");
    } else if (strcmp(what, "ends") == 0) {
        ends(n, m);
    } else {
        struct job j = { .n = n, .at = begun++ % OPS };
        memcpy(j.what, what, sizeof what);
        CHECK_EQ(leat_go(work, run_job, j), LEAT_OK);
    }
}

/* -- the script ---------------------------------------------------------------------------------------------------------------------- */
static const char *name;
static struct { char way, title[LINE]; uint8_t b[BYTES]; bool any[BYTES]; size_t n; int line; } part;
static uint8_t seen[16];                             /* what the last ?? were */
static size_t seen_n, used_n;

static void play_part(void)
{
    uint8_t got[BYTES];
    size_t n = 0, k;
    struct iovec v = { part.b, part.n };
    if (part.way == '>' && part.n)
        CHECK_EQ(link_writev(the_link, &v, 1), LEAT_OK);
    for (; part.way == '<' && n < part.n; n += k) {
        leat_err err = link_read(the_link, got + n, part.n - n, &k);
        if (err != LEAT_OK)
            t_fail("talk", part.line, "%s: %s: %zu of %zu bytes, then %s %s", name, part.title, n, part.n, leat_err_name(err),
                leat_err_detail());
    }
    for (size_t i = 0; i < n; i++)
        if (!part.any[i] && got[i] != part.b[i]) {
            for (size_t at = 0; at < n; at++)
                fprintf(stderr, "%s%02x", at == i ? " *" : " ", got[at]);
            t_fail("talk", part.line, "%s: %s: byte %zu is %02x, not %02x", name, part.title, i, got[i], part.b[i]);
        }
    for (size_t i = 0; i < n; i++)
        if (part.any[i])
            seen[seen_n++ % 16] = got[i];
    part.n = 0;
}

static void bytes_of(const char *s)
{
    for (; *s && *s != '|' && *s != '#'; s++) {
        if (isspace((unsigned char)*s))
            continue;
        CHECK(part.n < BYTES);
        part.any[part.n] = *s == '?';
        part.b[part.n] = *s == '?' ? 0 : *s == '@' ? seen[used_n++ % 16] : (uint8_t)strtoul((char[]){ s[0], s[1], 0 }, NULL, 16);
        CHECK(*s == '?' || *s == '@' || (isxdigit((unsigned char)s[0]) && isxdigit((unsigned char)s[1])));
        part.n++;
        s++;
    }
}

static void play(void)
{
    char path[LINE], line[LINE];
    snprintf(path, sizeof path, "%s/talk/%s.txt", WIRE_DIR, name);
    FILE *f = fopen(path, "r");
    CHECK(f);
    for (int at = 1; fgets(line, sizeof line, f); at++) {
        line[strcspn(line, "\n")] = 0;
        if (!strchr("><!", line[0]) || !line[0]) {
            bytes_of(line);
            continue;
        }
        play_part();
        part.way = line[0];
        part.line = at;
        snprintf(part.title, sizeof part.title, "%s", line + 1);
        if (line[0] == '!')
            act(line + 1);
    }
    play_part();
    fclose(f);
}

static leat_err talk(leat_none *none)
{
    leat_err err;
    (void)none;
    leat_dur idle = strcmp(name, "silent") == 0 ? LEAT_MS(50) : LEAT_S(100);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "n", .idle = idle, .patience = LEAT_S(100) }, &node), LEAT_OK);
    CHECK_EQ(link_listen(another_url(), &(struct link_listen_opts){ .insecure = false }, &listener), LEAT_OK);
    leat_with_deadline(LEAT_S(50))
        leat_with_group(g, err) {
            work = &g;
            play();
        }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(begun, ended);
    if (the_link)
        link_close(the_link);
    link_listener_close(listener);
    if (tx)
        leat_unref(tx);
    if (marks)
        leat_unref(marks);
    if (behind) {
        leat_unref(beyond);
        leat_ignore(leat_node_close(behind));
    }
    if (node)
        leat_ignore(leat_node_close(node));
    return LEAT_OK;
}

static const leat_opts one_worker = { .log = pair_quiet, .workers = 1 };
#define TALK(id) TEST(id) { name = #id; at(UNIX); CHECK_EQ(leat_run(&one_worker, talk, LEAT_NONE), LEAT_OK); }
#include "talks.h"
T_MAIN()
