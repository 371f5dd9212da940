/* evolve_deal_test.c - deals between programs that describe a struct differently: the elements are of one, the workers of others.  Each
 * worker is read and written by its own plan, also after it was lost; one that cannot be is LEAT_TYPE and has not run. */
#include "pair.h"
#include "chan/chan.h"
#include "sess/impl.h"

/* what the program of the deal has */
LEAT_STRUCT(piece, (string, text), (int32, n), (bool, urgent), (uint16, note));
LEAT_STRUCT(tally, (string, text), (int64, sum), (float64, mean), (strings, words));
/* a newer program: fields moved, added (round, tags), dropped (urgent), widened (n); of the result it sends others, and narrower ones */
LEAT_STRUCT(piece_new, (strings, tags), (int64, n), (string, text), (int64, round), (uint32, note));
LEAT_STRUCT(tally_new, (float32, mean), (string, text), (bytes, raw), (int16, sum));
/* an older one: fewer fields of each */
LEAT_STRUCT(piece_old, (int32, n));
LEAT_STRUCT(tally_old, (int32, sum));
/* and programs that it cannot work with */
LEAT_STRUCT(piece_bad, (string, text), (int16, n));
LEAT_STRUCT(tally_bad, (string, text), (string, sum));
LEAT_SERVICE(mill, (grind, piece, tally));

enum { MOST = 30000 };                               /* elements of a deal whose workers do not come back: the test fails */
enum { SAME, NEWER, OLDER, BAD_IN, BAD_OUT, KINDS };
struct site { leat_node *n; int kind; uint64_t seed; _Atomic uint32_t ran, broken; };
static struct site site[KINDS];
static leat_node *boss;
static leat_workers *ws;
static bool breaks;                                  /* each worker loses its session once; set before the deal */

static bool is(leat_string s, const char *want) { return s.len == strlen(want) && memcmp(s.p, want, s.len) == 0; }

/* All sessions of a site break, as seen from there: once. */
static void ran_at(struct site *s)
{
    uint32_t n = atomic_fetch_add(&s->ran, 1) + 1;
    if (!breaks || n < 3 || atomic_exchange(&s->broken, 1))
        return;
    lock(&s->n->lock);
    for (struct sess *x = s->n->sessions; x; x = x->next)
        sess_break(x, LEAT_SYS, "the test cuts it");
    unlock(&s->n->lock);
}

static leat_err grind(void *self, const struct piece *in, struct tally *out)
{
    ran_at(self);
    CHECK(is(in->text, "grain") && in->urgent && in->note == 9);
    *out = (struct tally){ .sum = in->n, .mean = 0.5 };
    return leat_string_dup("flour", 5, &out->text);
}

static leat_err grind_new(void *self, const struct piece_new *in, struct tally_new *out)
{
    ran_at(self);
    CHECK(is(in->text, "grain") && in->round == 0 && in->tags.len == 0 && in->note == 9);
    *out = (struct tally_new){ .sum = (int16_t)in->n, .mean = 0.5f };
    LEAT_TRY(leat_bytes_dup("not known there", 15, &out->raw));
    return leat_string_dup("flour", 5, &out->text);
}

static leat_err grind_old(void *self, const struct piece_old *in, struct tally_old *out)
{
    ran_at(self);
    out->sum = in->n;
    return LEAT_OK;
}

static leat_err grind_never(void *self, const void *in, void *out)
{
    (void)in;
    (void)out;
    ran_at(self);
    return LEAT_OK;
}

#define GRIND(in, out) { "grind", &in##_type, &out##_type, &out##_reply_type }
static const leat_method methods[KINDS] = {
    [SAME] = GRIND(piece, tally), [NEWER] = GRIND(piece_new, tally_new), [OLDER] = GRIND(piece_old, tally_old),
    [BAD_IN] = GRIND(piece_bad, tally), [BAD_OUT] = GRIND(piece, tally_bad),
};
static void (*const functions[KINDS])(void) = {
    (void (*)(void))grind, (void (*)(void))grind_new, (void (*)(void))grind_old, (void (*)(void))grind_never, (void (*)(void))grind_never,
};

static const char *url_of(int i)
{
    static char text[64];
    snprintf(text, sizeof text, place == INPROC ? "inproc:mill-%d" : place == UNIX ? "unix:/tmp/leat-mill-%d-%d" : "tcp://127.0.0.1:0", i,
        (int)getpid());
    return text;
}

static void open_site(int kind)
{
    struct site *s = &site[kind];
    leat_peer *p;
    char name[20];
    snprintf(name, sizeof name, "mill %d", kind);
    s->kind = kind;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = name }, &s->n), LEAT_OK);
    CHECK_EQ(leat_serve_(s->n, "mill", &methods[kind], 1, &functions[kind], s), LEAT_OK);
    CHECK_EQ(leat_node_listen(s->n, url_of(kind)), LEAT_OK);
    CHECK_EQ(leat_node_dial(boss, leat_node_url(s->n), &p), LEAT_OK);
    CHECK_EQ(leat_workers_add(ws, p), LEAT_OK);
}

static void open_boss(void)
{
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "boss" }, &boss), LEAT_OK);
    CHECK_EQ(leat_workers_open(boss, &ws), LEAT_OK);
}

static void close_all(void)
{
    leat_workers_close(ws);
    leat_node_close(boss);
    for (int i = 0; i < KINDS; i++)
        if (site[i].n)
            leat_node_close(site[i].n);
}

struct feed { leat_tx(struct piece) out; uint32_t n, *fed; };

/* Whether each that was lost has run something since. */
static bool all_are_back(void)
{
    for (int i = 0; i < KINDS; i++)
        if (site[i].n && breaks && at_load(&site[i].ran) < 5)
            return false;
    return true;
}

static leat_err feed(struct feed *f)
{
    for (uint32_t i = 0; i < f->n || !all_are_back(); i++) {
        CHECK(i < MOST);
        if (i >= f->n)
            leat_ignore(leat_sleep(LEAT_MS(1)));
        *f->fed = i + 1;
        leat_err err = leat_send(f->out, { LEAT_STRING("grain"), (int32_t)i, true, 9 });
        if (err != LEAT_OK)
            return LEAT_OK;                          /* the deal has ended: what it returns is checked */
    }
    leat_close(f->out);
    return LEAT_OK;
}

struct take { leat_rx(struct tally_reply) in; uint32_t *got; uint32_t by[KINDS]; };      /* got: results, by number */
static leat_err take(struct take **arg)
{
    struct take *t = *arg;
    struct tally_reply r;
    int order[KINDS];
    for (int i = 0, n = 0; i < KINDS; i++)           /* workers are numbered as they were added */
        if (site[i].n)
            order[n++] = i;
    while (leat_recv(t->in, &r) == LEAT_OK) {
        CHECK_EQ(leat_reply_err(&r.reply), LEAT_OK);
        int kind = order[r.reply.worker];
        t->got[r.reply.number]++;
        t->by[kind]++;
        CHECK_EQ(r.value.sum, r.reply.number);
        CHECK_EQ(r.value.words.len, 0);
        CHECK(kind == OLDER ? r.value.mean == 0 && r.value.text.len == 0 : r.value.mean == 0.5 && is(r.value.text, "flour"));
        leat_drop(tally, &r.value);
    }
    return LEAT_OK;
}

/* Deals n elements; what the deal returned.  window 1: each worker has some. */
static leat_err deal_n(uint32_t n, struct take *t)
{
    leat_auto leat_chan(struct piece) pieces = leat_chan_make(struct piece, 3);
    leat_auto leat_chan(struct tally_reply) tallies = leat_chan_make(struct tally_reply, 2);
    leat_err err, result = LEAT_OK;
    char text[600] = "";
    *t = (struct take){ .in = leat_rx_of(tallies), .got = calloc(MOST, sizeof *t->got) };
    uint32_t fed = 0;
    leat_with_group(g, err) {
        leat_with_group(f, err) {
            LEAT_TRY(leat_go(&g, take, (struct take *){ t }));
            LEAT_TRY(leat_go(&f, feed, (struct feed){ leat_tx_of(pieces), n, &fed }));
            result = leat_deal(ws, mill, grind, leat_rx_of(pieces), leat_tx_of(tallies), (&(leat_deal_opts){ .window = 1 }));
            snprintf(text, sizeof text, "%s", leat_err_detail());
            leat_group_cancel(&f);
        }
        leat_close(tallies);
        err = LEAT_OK;
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK(result != LEAT_OK || fed >= n);
    for (uint32_t i = 0; i < fed; i++)
        CHECK(t->got[i] == 1 || (result != LEAT_OK && t->got[i] == 0));
    free(t->got);
    return result == LEAT_OK ? result : leat_fail(result, "%s", text);
}

static leat_err together(leat_none *none)
{
    (void)none;
    struct take t;
    open_boss();
    for (int i = SAME; i <= OLDER; i++)
        open_site(i);
    CHECK_EQ(deal_n(60, &t), LEAT_OK);
    for (int i = SAME; i <= OLDER; i++) {
        CHECK(t.by[i] > 0);
        CHECK_EQ(t.by[i], at_load(&site[i].ran));    /* a try that is refused for its type does not run */
    }
    close_all();
    return LEAT_OK;
}
ANYWHERE(workers_of_older_and_newer_programs_share_a_deal, together)

static leat_err lost(leat_none *none)
{
    (void)none;
    struct take t;
    leat_worker now[KINDS];
    breaks = true;
    open_boss();
    open_site(NEWER);
    open_site(OLDER);
    CHECK_EQ(deal_n(60, &t), LEAT_OK);
    CHECK_EQ(leat_workers_look(ws, now, KINDS), 2);
    CHECK(now[0].losses == 1 && now[1].losses == 1);
    CHECK(t.by[NEWER] >= 4 && t.by[OLDER] >= 4);     /* two over its first session, and two over the next one */
    close_all();
    return LEAT_OK;
}
ANYWHERE(a_worker_of_another_program_that_was_lost_is_dealt_to_over_its_next_session, lost)

static leat_err misfit(int kind, const char *field)
{
    struct take t;
    char name[20];
    open_boss();
    open_site(SAME);
    open_site(kind);
    CHECK_EQ(deal_n(60, &t), LEAT_TYPE);
    snprintf(name, sizeof name, "mill %d", kind);
    CHECK_HAS(leat_err_detail(), "element ");
    CHECK_HAS(leat_err_detail(), name);
    CHECK_HAS(leat_err_detail(), kind == BAD_IN ? "argument of 'mill.grind'" : "result of 'mill.grind'");
    CHECK_HAS(leat_err_detail(), field);
    CHECK_EQ(at_load(&site[kind].ran), 0);
    close_all();
    return LEAT_OK;
}
static leat_err misfit_in(leat_none *n) { (void)n; return misfit(BAD_IN, "field piece.n: int32 here, int16 there"); }
static leat_err misfit_out(leat_none *n) { (void)n; return misfit(BAD_OUT, "field tally.sum: int64 here, string there"); }
ANYWHERE(a_worker_that_cannot_read_the_elements_ends_the_deal_and_has_not_run, misfit_in)
ANYWHERE(a_worker_whose_results_cannot_be_read_ends_the_deal_and_has_not_run, misfit_out)

T_MAIN()
