/* deal_test.c - one queue and several workers, which are nodes of this process: every element has one result, whatever ends. */
#include "pair.h"
#include "base/rng.h"
#include "chan/chan.h"
#include "rpc/workers.h"
#include "sess/impl.h"

/* What an element asks of its worker: `fail` is an error to return; `breaks`: its session breaks in so many attempts. */
LEAT_STRUCT(job, (uint64, n), (string, text), (uint32, fail), (uint32, breaks), (bool, waits), (uint32, ms));
LEAT_STRUCT(answer, (uint64, n), (uint64, number), (uint32, attempt), (uint32, site), (string, text));
LEAT_SERVICE(shop, (work, job, answer), (other, job, answer));

enum { SITES = 3 };
struct site { leat_node *n; leat_peer *p; uint32_t index; _Atomic uint32_t now, most, ran, canceled; };
static struct site site[SITES];
static leat_node *boss;
static leat_workers *ws;
static _Atomic uint32_t waiting, gate;               /* methods that wait for the gate */

static uint32_t times(uint32_t n) { return getenv("T_QUICK") ? n / 10 : n; }

static leat_err wait_at_gate(struct site *s)
{
    leat_err err = LEAT_OK;
    atomic_fetch_add(&waiting, 1);
    while (!at_load(&gate) && err == LEAT_OK)
        err = leat_sleep(LEAT_MS(1));
    if (err != LEAT_OK)
        at_store(&s->canceled, (uint32_t)err);
    return err;
}

/* All sessions of a site break, as seen from there. */
static void cut(struct site *s)
{
    lock(&s->n->lock);
    for (struct sess *x = s->n->sessions; x; x = x->next)
        sess_break(x, LEAT_SYS, "the test cuts it");
    unlock(&s->n->lock);
}

static leat_err work_at(struct site *s, const struct job *in, struct answer *out)
{
    const leat_dealt *d = leat_dealt_here();
    CHECK(d != NULL);
    if (in->waits)
        LEAT_TRY(wait_at_gate(s));
    if (in->ms)
        LEAT_TRY(leat_sleep(LEAT_MS(in->ms)));
    if (d->attempt <= in->breaks)
        cut(s);
    if (in->fail)
        return leat_fail((leat_err)in->fail, "no luck with %d", (int)in->n);
    *out = (struct answer){ .n = in->n * 2, .number = d->number, .attempt = d->attempt, .site = s->index };
    return leat_string_dup(in->text.p, in->text.len, &out->text);
}

static leat_err shop_work(void *self, const struct job *in, struct answer *out)
{
    struct site *s = self;
    uint32_t now = atomic_fetch_add(&s->now, 1) + 1, seen = at_load(&s->most);
    atomic_fetch_add(&s->ran, 1);
    while (now > seen && !atomic_compare_exchange_weak(&s->most, &seen, now))
        continue;
    leat_err err = work_at(s, in, out);
    atomic_fetch_sub(&s->now, 1);
    return err;
}

static const struct shop_impl shop = { .work = shop_work, .other = shop_work };

static const char *url_of(uint32_t i)
{
    static char url_[SITES][64];
    snprintf(url_[i], sizeof url_[i], place == INPROC ? "inproc:site-%u" : place == UNIX ? "unix:/tmp/leat-deal-%u-%d"
        : "tcp://127.0.0.1:0", i, (int)getpid());
    return url_[i];
}

static void open_site_at(uint32_t i, const char *at_url)
{
    char name[20];
    snprintf(name, sizeof name, "site %u", i);
    site[i].index = i;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = name }, &site[i].n), LEAT_OK);
    CHECK_EQ(leat_serve(site[i].n, shop, &shop, &site[i]), LEAT_OK);
    CHECK_EQ(leat_node_listen(site[i].n, at_url), LEAT_OK);
}

static void dial_site(uint32_t i) { CHECK_EQ(leat_node_dial(boss, leat_node_url(site[i].n), &site[i].p), LEAT_OK); }

static void open_sites(uint32_t n)
{
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "boss" }, &boss), LEAT_OK);
    CHECK_EQ(leat_workers_open(boss, &ws), LEAT_OK);
    for (uint32_t i = 0; i < n; i++) {
        open_site_at(i, url_of(i));
        dial_site(i);
        CHECK_EQ(leat_workers_add(ws, site[i].p), LEAT_OK);
    }
}

static void close_sites(void)
{
    leat_workers_close(ws);
    leat_node_close(boss);
    for (uint32_t i = 0; i < SITES; i++)
        leat_node_close(site[i].n);
}

/* -- a feeder, a deal and a taker ------------------------------------------------------------------------------------------- */
struct feed { leat_tx(struct job) out; uint64_t from, to; struct job like; };

static leat_err feed(struct feed *f)
{
    for (uint64_t i = f->from; i < f->to; i++) {
        struct job t = f->like;
        t.n = i;
        LEAT_TRY(leat_string_dup("some text", 9, &t.text));
        leat_err err = leat_send(f->out, t);
        if (err != LEAT_OK) {                        /* the deal has ended: what it returns is checked */
            leat_drop(job, &t);
            return LEAT_OK;
        }
    }
    leat_close(f->out);
    return LEAT_OK;
}

struct take { leat_rx(struct answer_reply) in; bool *seen; uint64_t total, errors, most_attempts; bool ordered; };

static leat_err take(struct take **arg)
{
    struct take *t = *arg;
    struct answer_reply r;
    while (leat_recv(t->in, &r) == LEAT_OK) {
        CHECK(!t->seen[r.reply.number]);             /* once */
        CHECK(!t->ordered || r.reply.number == t->total);
        t->seen[r.reply.number] = true;
        t->total++;
        if (leat_reply_err(&r.reply) != LEAT_OK) {
            CHECK_HAS(leat_err_detail(), "no luck with");
            t->errors++;
            continue;
        }
        CHECK_EQ(r.value.n, 2 * r.reply.number);     /* the feeder counts as the deal does */
        CHECK_EQ(r.value.number, r.reply.number);
        CHECK_EQ(r.value.attempt, r.reply.attempt);
        CHECK_EQ(r.value.site, r.reply.worker);
        CHECK_EQ(r.value.text.len, 9);
        if (r.reply.attempt > t->most_attempts)
            t->most_attempts = r.reply.attempt;
        leat_drop(answer, &r.value);
    }
    return LEAT_OK;
}

/* What the deal of n elements returns, after its end. */
static leat_err deal_n(uint64_t n, struct job like, const leat_deal_opts *o, struct take *t)
{
    leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, 3);
    leat_auto leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, 2);
    leat_err err, result = LEAT_OK;
    char text[600] = "";
    bool *seen = calloc(n, 1);
    *t = (struct take){ .in = leat_rx_of(answers), .seen = seen, .ordered = o && o->ordered };
    leat_with_group(g, err) {
        leat_with_group(f, err) {
            LEAT_TRY(leat_go(&g, take, (struct take *){ t }));
            LEAT_TRY(leat_go(&f, feed, (struct feed){ leat_tx_of(tasks), 0, n, like }));
            result = leat_deal(ws, shop, work, leat_rx_of(tasks), leat_tx_of(answers), o);
            snprintf(text, sizeof text, "%s", leat_err_detail());
            leat_group_cancel(&f);
        }
        leat_close(answers);
        err = LEAT_OK;
    }
    struct job left;
    while (leat_try_recv(tasks, &left) == LEAT_OK)
        leat_drop(job, &left);
    free(seen);
    if (result != LEAT_OK)
        return leat_fail(result, "%s", text);
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(t->total, n);
    return LEAT_OK;
}

/* -- all is well ---------------------------------------------------------------------------------------------------------------- */
static leat_err all_well(leat_none *none)
{
    (void)none;
    struct take t;
    leat_worker is[SITES];
    open_sites(SITES);
    CHECK_EQ(deal_n(times(2000), (struct job){ 0 }, NULL, &t), LEAT_OK);
    CHECK_EQ(leat_workers_look(ws, is, SITES), SITES);
    uint64_t done = 0;
    for (uint32_t i = 0; i < SITES; i++) {
        CHECK(is[i].up && is[i].dealt > 0 && is[i].done == is[i].dealt);
        CHECK_EQ(is[i].again + is[i].losses + is[i].out, 0);
        CHECK_HAS(is[i].name, "site ");
        CHECK_EQ(is[i].done, at_load(&site[i].ran));
        done += is[i].done;
    }
    CHECK_EQ(done, times(2000));
    CHECK_EQ(t.most_attempts, 1);
    CHECK_EQ(deal_n(0, (struct job){ 0 }, NULL, &t), LEAT_OK);      /* workers serve one deal after the other */
    CHECK(leat_dealt_here() == NULL);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(each_element_has_one_result, all_well)

static leat_err in_order(leat_none *none)
{
    (void)none;
    struct take t;
    open_sites(SITES);
    CHECK_EQ(deal_n(times(1000), (struct job){ 0 }, &(leat_deal_opts){ .ordered = true }, &t), LEAT_OK);
    for (uint32_t i = 0; i < 3; i++)                 /* also when elements come back late and again */
        CHECK_EQ(deal_n(20, (struct job){ .breaks = i % 2 },
            (&(leat_deal_opts){ .ordered = true, .window = 1, .max_attempts = 99 }), &t), LEAT_OK);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(results_come_in_order_when_asked_for, in_order)

static leat_err itself(leat_none *none)
{
    (void)none;
    struct take t;
    leat_peer *self;
    leat_worker is[2];
    open_sites(1);
    site[1].index = 1;
    CHECK_EQ(leat_serve(boss, shop, &shop, &site[1]), LEAT_OK);
    CHECK_EQ(leat_node_self(boss, &self), LEAT_OK);
    CHECK_EQ(leat_workers_add(ws, self), LEAT_OK);
    CHECK_EQ(deal_n(times(300), (struct job){ .ms = 1 }, NULL, &t), LEAT_OK);
    CHECK_EQ(leat_workers_look(ws, is, 2), 2);
    CHECK(is[0].done > 0 && is[1].done > 0);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_node_is_a_worker_of_its_own_deal, itself)

/* -- what bounds it ------------------------------------------------------------------------------------------------------------- */
struct deal_args { leat_rx(struct job) in; leat_tx(struct answer_reply) out; leat_deal_opts opts; leat_err *ret; };

static leat_err deal_task(struct deal_args *a)
{
    *a->ret = leat_deal(ws, shop, work, a->in, a->out, &a->opts);
    return LEAT_OK;
}

/* With a gate that is shut, so many elements are out and no more; with nobody who takes results, so many are ever taken in. */
static leat_err bounded(leat_none *none)
{
    (void)none;
    enum { N = 40, WINDOW = 4 };
    leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, N);
    leat_auto leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, 1);
    leat_err err, ret = LEAT_AGAIN;
    struct answer_reply r;
    open_sites(2);
    for (uint32_t i = 0; i < N; i++)
        CHECK_EQ(leat_send(tasks, { .n = i, .waits = true }), LEAT_OK);
    leat_close(tasks);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, deal_task, (struct deal_args){ leat_rx_of(tasks), leat_tx_of(answers), { .window = WINDOW }, &ret }));
        while (at_load(&waiting) < 2 * WINDOW)
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        LEAT_TRY(leat_sleep(LEAT_MS(20)));           /* what should not come may come now */
        CHECK_EQ(at_load(&waiting), 2 * WINDOW);
        CHECK_EQ(leat_len(tasks), N - 2 * WINDOW);
        leat_err second = leat_deal(ws, shop, work, leat_rx_of(tasks), leat_tx_of(answers), NULL);
        CHECK_EQ(second, LEAT_INVAL);
        CHECK_HAS(leat_err_detail(), "under way");
        at_store(&gate, 1);
        while (leat_len(tasks) > N - 2 * WINDOW - 1)  /* one result is in the channel: so one more has been taken in */
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        LEAT_TRY(leat_sleep(LEAT_MS(20)));
        CHECK_EQ(leat_len(tasks), N - 2 * WINDOW - 1);
        for (uint32_t i = 0; i < N; i++)
            LEAT_TRY(leat_recv(answers, &r));
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(ret, LEAT_OK);
    CHECK_EQ(at_load(&site[0].most), WINDOW);
    CHECK_EQ(at_load(&site[1].most), WINDOW);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_window_for_each_worker_is_out_and_results_that_nobody_takes_stop_it, bounded)

/* One element after the other: they go around; and past who still has one. */
static leat_err in_turn(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, 1);
    leat_auto leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, 1);
    leat_err err, ret = LEAT_AGAIN;
    struct answer_reply r;
    uint32_t each[SITES] = { 0 }, held = SITES;
    open_sites(SITES);
    leat_with_deadline(LEAT_S(40)) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, deal_task, (struct deal_args){ leat_rx_of(tasks), leat_tx_of(answers), { .window = 4 }, &ret }));
            for (uint32_t i = 0; i < 4 * SITES; i++) {
                LEAT_TRY(leat_send(tasks, { .n = i }));
                LEAT_TRY(leat_recv(answers, &r));
                each[r.reply.worker]++;
                leat_drop(answer, &r.value);
            }
            for (uint32_t i = 0; i < SITES; i++)
                CHECK_EQ(each[i], 4);
            LEAT_TRY(leat_send(tasks, { .waits = true }));
            while (at_load(&waiting) < 1)
                LEAT_TRY(leat_sleep(LEAT_MS(1)));
            for (uint32_t i = 0; i < SITES; i++)
                held = at_load(&site[i].now) ? i : held;
            for (uint32_t i = 0; i < 8; i++) {
                LEAT_TRY(leat_send(tasks, { .n = i }));
                LEAT_TRY(leat_recv(answers, &r));
                CHECK(r.reply.worker != held);
                leat_drop(answer, &r.value);
            }
            at_store(&gate, 1);
            LEAT_TRY(leat_recv(answers, &r));
            CHECK_EQ(r.reply.worker, held);
            leat_drop(answer, &r.value);
            leat_close(tasks);
        }
        CHECK_EQ(err, LEAT_OK);
    }
    CHECK_EQ(ret, LEAT_OK);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(an_element_goes_to_the_worker_that_has_the_fewest_in_turn, in_turn)

/* -- errors ------------------------------------------------------------------------------------------------------------------------ */
static leat_err errors(leat_none *none)
{
    (void)none;
    struct take t;
    open_sites(2);
    unsigned element, unlucky;
    CHECK_EQ(deal_n(50, (struct job){ .fail = LEAT_INVAL }, NULL, &t), LEAT_INVAL);
    const char *number = strstr(leat_err_detail(), "element "), *cause = strstr(leat_err_detail(), "no luck with ");
    CHECK(number && sscanf(number, "element %u:", &element) == 1);
    CHECK(cause && sscanf(cause, "no luck with %u", &unlucky) == 1);
    CHECK_EQ(element, unlucky);
    CHECK_HAS(leat_err_detail(), "site ");
    CHECK_EQ(deal_n(50, (struct job){ .fail = LEAT_INVAL }, &(leat_deal_opts){ .errors = true }, &t), LEAT_OK);
    CHECK_EQ(t.errors, 50);
    CHECK_EQ(deal_n(5, (struct job){ .fail = LEAT_DEADLINE }, &(leat_deal_opts){ .window = 1 }, &t), LEAT_DEADLINE);
    CHECK_EQ(deal_n(5, (struct job){ .fail = LEAT_PEER_LOST }, NULL, &t), LEAT_REMOTE);             /* says the method: no loss */
    CHECK_EQ(deal_n(50, (struct job){ 0 }, NULL, &t), LEAT_OK);     /* the workers are as they were */
    close_sites();
    return LEAT_OK;
}
ANYWHERE(the_error_of_a_method_ends_the_deal_or_is_a_result, errors)

static leat_err not_served(leat_none *none)
{
    (void)none;
    struct take t;
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "boss" }, &boss), LEAT_OK);
    CHECK_EQ(leat_workers_open(boss, &ws), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "site 0" }, &site[0].n), LEAT_OK);
    CHECK_EQ(leat_node_listen(site[0].n, url_of(0)), LEAT_OK);
    dial_site(0);
    CHECK_EQ(leat_workers_add(ws, site[0].p), LEAT_OK);
    CHECK_EQ(deal_n(3, (struct job){ 0 }, &(leat_deal_opts){ .errors = true }, &t), LEAT_REFUSED);
    CHECK_HAS(leat_err_detail(), "site 0");
    CHECK_HAS(leat_err_detail(), "shop.work");
    CHECK_EQ(leat_workers_add(ws, NULL), LEAT_INVAL);
    CHECK_EQ(leat_workers_add_url(ws, "pigeon://coop"), LEAT_INVAL);
    CHECK_EQ(leat_workers_add_url(ws, "tcp://127.0.0.1"), LEAT_INVAL);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_worker_without_the_method_ends_the_deal, not_served)

/* Elements come from a third node, which is lost: what it sent has its results, and they are not said to be all. */
static leat_err torn(leat_none *none)
{
    enum { N = 3 };
    (void)none;
    leat_node *third;
    leat_peer *p;
    leat_tx(struct job) out;
    leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, N);
    leat_auto leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, N);
    struct answer_reply r;
    open_sites(1);
    CHECK_EQ(leat_node_listen(boss, another_url()), LEAT_OK);
    CHECK_EQ(leat_export(boss, "jobs", leat_tx_of(tasks), job), LEAT_OK);
    CHECK_EQ(leat_node_open(&(leat_node_opts){ .name = "third" }, &third), LEAT_OK);
    leat_with_deadline(LEAT_S(40)) {
        CHECK_EQ(leat_node_dial(third, leat_node_url(boss), &p), LEAT_OK);
        CHECK_EQ(leat_import(p, "jobs", &out, job, 0), LEAT_OK);
        for (uint32_t i = 0; i < N; i++)
            CHECK_EQ(leat_send(out, { .n = i }), LEAT_OK);
        CHECK_EQ(leat_flush(out), LEAT_OK);
        leat_unexport(boss, "jobs");
        leat_finish(tasks);                          /* the third node's is the only sender */
        sess_break(sess_of(p), LEAT_SYS, "the test ends it");
        CHECK_EQ(leat_deal(ws, shop, work, leat_rx_of(tasks), leat_tx_of(answers), NULL), LEAT_PEER_LOST);
        CHECK_HAS(leat_err_detail(), "the channel of elements: a sender was lost");
        for (uint32_t i = 0; i < N; i++) {
            CHECK_EQ(leat_try_recv(answers, &r), LEAT_OK);
            CHECK_EQ(leat_reply_err(&r.reply), LEAT_OK);
            leat_drop(answer, &r.value);
        }
    }
    leat_unref(out);
    leat_node_close(third);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_sender_of_elements_that_is_lost_ends_the_deal_behind_the_results_of_what_it_sent, torn)

static leat_err nobody_takes(leat_none *none)
{
    (void)none;
    open_sites(1);
    for (int gone = 0; gone < 2; gone++) {
        leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, 1);
        leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, 1);
        leat_auto leat_tx(struct answer_reply) out = leat_ref(leat_tx_of(answers));
        CHECK_EQ(leat_send(tasks, { .n = 1 }), LEAT_OK);
        if (!gone)
            leat_close(answers);
        leat_unref(answers);
        CHECK_EQ(leat_deal(ws, shop, work, leat_rx_of(tasks), out, NULL), gone ? LEAT_GONE : LEAT_CLOSED);
    }
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_closed_channel_of_results_ends_the_deal, nobody_takes)

static leat_err canceled(leat_none *none)
{
    (void)none;
    struct take t;
    open_sites(2);
    leat_err err = LEAT_OK;
    leat_with_deadline(LEAT_MS(50))
        err = deal_n(20, (struct job){ .waits = true }, NULL, &t);
    CHECK_EQ(err, LEAT_DEADLINE);
    while (!at_load(&site[0].canceled) || !at_load(&site[1].canceled))
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    at_store(&gate, 1);
    CHECK_EQ(deal_n(20, (struct job){ .waits = true }, NULL, &t), LEAT_OK);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_deadline_reaches_the_methods, canceled)

static leat_err cancel_when_both_wait(leat_ctx **ctx)
{
    while (at_load(&waiting) < 2)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    leat_cancel(*ctx, LEAT_CANCELED);
    return LEAT_OK;
}

static leat_err by_cancel(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err, result = LEAT_OK;
    open_sites(2);
    leat_with_cancel(ctx) {
        leat_with_group(g, err) {
            LEAT_TRY(leat_go(&g, cancel_when_both_wait, (leat_ctx *){ ctx }));
            result = deal_n(2, (struct job){ .waits = true }, &(leat_deal_opts){ .window = 1 }, &t);
        }
        leat_ignore(err);
    }
    CHECK_EQ(result, LEAT_CANCELED);
    for (uint32_t i = 0; i < 2; i++) {
        while (!at_load(&site[i].canceled))
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
        CHECK_EQ(at_load(&site[i].canceled), LEAT_CANCELED);
    }
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_cancel_reaches_the_methods, by_cancel)

/* -- losses -------------------------------------------------------------------------------------------------------------------- */
static struct { uint32_t n; uint64_t again; char name[64], why[200]; } losses;

static void note_loss(void *self, const leat_worker *w, const char *why)
{
    (void)self;
    losses.n++;
    losses.again += w->again;
    snprintf(losses.name, sizeof losses.name, "%s", w->name);
    snprintf(losses.why, sizeof losses.why, "%s", why);
}

/* Every element breaks its session in its first attempt: all come back done in a later one, over new sessions. */
static leat_err all_lost_once(leat_none *none)
{
    (void)none;
    struct take t;
    leat_worker is[SITES];
    uint64_t again = 0, lost = 0;
    open_sites(SITES);
    CHECK_EQ(deal_n(12, (struct job){ .breaks = 1 }, (&(leat_deal_opts){ .window = 2, .max_attempts = 99, .lost = note_loss }), &t),
        LEAT_OK);
    CHECK(t.most_attempts >= 2);
    leat_workers_look(ws, is, SITES);
    for (uint32_t i = 0; i < SITES; i++) {
        again += is[i].again;
        lost += is[i].losses;
        CHECK_EQ(is[i].dealt, is[i].done + is[i].again);
    }
    CHECK(lost > 0 && again >= 12);
    CHECK_EQ(losses.n, lost);
    CHECK_EQ(losses.again, again);
    CHECK_HAS(losses.name, "site ");
    CHECK_HAS(losses.why, "the test cuts it");
    close_sites();
    return LEAT_OK;
}
ANYWHERE(what_a_lost_worker_had_is_dealt_again_with_its_number_and_a_raised_attempt, all_lost_once)

/* What was dealt to a worker that is lost has not run there, so it is done elsewhere as what it is: its first attempt.  With one worker of
 * the runtime the deal has dealt before anybody tells it of the loss. */
static leat_err never_ran(leat_none *none)
{
    enum { N = 8 };
    (void)none;
    leat_auto leat_chan(struct job) tasks = leat_chan_make(struct job, N);
    leat_auto leat_chan(struct answer_reply) answers = leat_chan_make(struct answer_reply, N);
    struct answer_reply r;
    leat_worker is[2];
    open_sites(2);
    for (uint32_t i = 0; i < N; i++)
        CHECK_EQ(leat_send(tasks, { .n = i }), LEAT_OK);
    leat_close(tasks);
    sess_break(sess_of(site[0].p), LEAT_SYS, "the test ends it");
    CHECK_EQ(leat_peer_wait(site[0].p), LEAT_PEER_LOST);
    leat_deal_opts o = { .max_attempts = 1 };        /* which is of attempts that may have run */
    CHECK_EQ(leat_deal(ws, shop, work, leat_rx_of(tasks), leat_tx_of(answers), &o), LEAT_OK);
    leat_workers_look(ws, is, 2);
    CHECK(is[0].again > 0);
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQ(leat_recv(answers, &r), LEAT_OK);
        CHECK_EQ(r.reply.attempt, 1);
        CHECK_EQ(r.value.attempt, 1);
        leat_drop(answer, &r.value);
    }
    close_sites();
    return LEAT_OK;
}
static const leat_opts one_worker = { .log = pair_quiet, .workers = 1 };
#define ALONE(p) do { at(p); CHECK_EQ(leat_run(&one_worker, never_ran, LEAT_NONE), LEAT_OK); } while (0)
TEST(what_never_ran_at_a_lost_worker_keeps_its_attempt_unix) { ALONE(UNIX); }
TEST(what_never_ran_at_a_lost_worker_keeps_its_attempt_tcp) { ALONE(TCP); }

static leat_err poison(leat_none *none)
{
    (void)none;
    struct take t;
    open_sites(SITES);
    CHECK_EQ(deal_n(1, (struct job){ .breaks = 99 }, &(leat_deal_opts){ .max_attempts = 3 }, &t), LEAT_LIMIT);
    CHECK_HAS(leat_err_detail(), "element 0: 3 workers in a row");
    CHECK_EQ(at_load(&site[0].ran) + at_load(&site[1].ran) + at_load(&site[2].ran), 3);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(an_element_that_ends_its_workers_ends_the_deal_and_is_named, poison)

/* A method that says so is cancelled: it is taken for one of a worker that ends, which may still be there. */
static leat_err says_canceled(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err = LEAT_OK;
    open_sites(1);
    leat_with_deadline(LEAT_S(40)) {
        err = deal_n(1, (struct job){ .fail = LEAT_CANCELED }, &(leat_deal_opts){ .max_attempts = 3 }, &t);
        CHECK_EQ(err, LEAT_LIMIT);
        CHECK_HAS(leat_err_detail(), "element 0: 3 workers in a row");
        CHECK_EQ(at_load(&site[0].ran), 3);
        CHECK_EQ(deal_n(5, (struct job){ 0 }, NULL, &t), LEAT_OK);
    }
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_worker_whose_method_says_that_it_was_cancelled_is_dealt_elements_still, says_canceled)

/* It has worked for longer than that when it is lost: so long without a worker is from then on. */
static leat_err lost_late(leat_none *none)
{
    (void)none;
    struct take t;
    open_sites(1);
    leat_deal_opts o = { .give_up = LEAT_S(10), .lost = note_loss };
    CHECK_EQ(deal_n(1, (struct job){ .ms = 20000, .breaks = 1 }, &o, &t), LEAT_OK);
    CHECK_EQ(losses.n, 1);
    CHECK_EQ(t.most_attempts, 2);
    close_sites();
    return LEAT_OK;
}
TEST(the_time_without_any_worker_begins_when_the_last_one_is_lost)
{
    setenv("LEAT_SIM", "seed=1,nodes=1,faults=none", 1);             /* of a virtual clock */
    AT(INPROC, lost_late);
}

struct killer { uint32_t i; bool again; };

/* Closes a site in the middle, and opens another node at its address. */
static leat_err kill_site(struct killer *k)
{
    char at_url[128];
    struct site *s = &site[k->i];
    while (at_load(&waiting) < 2)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    snprintf(at_url, sizeof at_url, "%s", leat_node_url(s->n));
    leat_with_cancel(ctx) {                          /* at once, not when its work is done */
        leat_cancel(ctx, LEAT_CANCELED);
        leat_node_close(s->n);
    }
    s->n = NULL;
    if (k->again)
        open_site_at(k->i, at_url);
    at_store(&gate, 1);
    return LEAT_OK;
}

static leat_err comes_back(leat_none *none)
{
    (void)none;
    struct take t;
    leat_worker is[1];
    leat_err err;
    open_sites(1);
    leat_with_group(g, err) {                        /* the only worker: without it nothing is done */
        LEAT_TRY(leat_go(&g, kill_site, (struct killer){ 0, true }));
        err = deal_n(30, (struct job){ .waits = true }, &(leat_deal_opts){ .lost = note_loss }, &t);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(losses.n, 1);
    leat_workers_look(ws, is, 1);
    CHECK_EQ(is[0].losses, 1);
    CHECK_EQ(is[0].done, 30);
    CHECK(is[0].up);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_worker_that_comes_back_at_its_address_is_dealt_elements_again, comes_back)

static leat_err goes_on_without(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err;
    open_sites(2);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, kill_site, (struct killer){ 1, false }));
        err = deal_n(30, (struct job){ .waits = true }, &(leat_deal_opts){ .lost = note_loss }, &t);
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(losses.n, 1);
    CHECK_STR(losses.name, "site 1");
    close_sites();
    return LEAT_OK;
}
ANYWHERE(the_others_do_what_a_lost_worker_had, goes_on_without)

static leat_err none_left(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err, result = LEAT_OK;
    char text[600];
    open_sites(1);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, kill_site, (struct killer){ 0, false }));
        result = deal_n(30, (struct job){ .waits = true }, &(leat_deal_opts){ .give_up = LEAT_MS(100) }, &t);
        snprintf(text, sizeof text, "%s", leat_err_detail());
    }
    CHECK_EQ(err, LEAT_OK);
    CHECK_EQ(result, LEAT_PEER_LOST);
    CHECK_HAS(text, "no worker is left: site 0");
    leat_with_deadline(LEAT_MS(50))
        CHECK_EQ(deal_n(1, (struct job){ 0 }, NULL, &t), LEAT_DEADLINE);           /* it waits for one, as long as it may */
    close_sites();
    return LEAT_OK;
}
ANYWHERE(without_any_worker_it_waits_or_gives_up_and_names_the_last, none_left)

struct joiner { const char *url; };

/* The deal has no worker that can do anything until this one comes: by address, before anybody listens there, or as a peer. */
static leat_err join_late(struct joiner *j)
{
    while (at_load(&waiting) < 1)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    open_site_at(1, url_of(1));
    dial_site(1);
    LEAT_TRY(leat_workers_add(ws, site[1].p));
    while (at_load(&site[1].ran) < 5)
        LEAT_TRY(leat_sleep(LEAT_MS(1)));
    (void)j;
    at_store(&gate, 1);
    return LEAT_OK;
}

static leat_err joins(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err;
    open_sites(1);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, join_late, (struct joiner){ NULL }));
        err = deal_n(30, (struct job){ .waits = true }, &(leat_deal_opts){ .window = 8 }, &t);
    }
    CHECK_EQ(err, LEAT_OK);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(a_worker_that_joins_while_it_runs_takes_part, joins)

static leat_err open_late(leat_none *none)
{
    (void)none;
    LEAT_TRY(leat_sleep(LEAT_MS(120)));
    open_site_at(0, url_of(0));
    return LEAT_OK;
}

static leat_err by_address(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err;
    open_sites(0);
    CHECK_EQ(leat_workers_add_url(ws, url_of(0)), LEAT_OK);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, open_late, LEAT_NONE));
        err = deal_n(20, (struct job){ 0 }, NULL, &t);
    }
    CHECK_EQ(err, LEAT_OK);
    close_sites();
    return LEAT_OK;
}
TEST(an_address_is_dialed_until_somebody_serves_there_inproc) { AT(INPROC, by_address); }
TEST(an_address_is_dialed_until_somebody_serves_there_unix) { AT(UNIX, by_address); }

/* -- at random ----------------------------------------------------------------------------------------------------------------- */
static _Atomic bool over;

static leat_err cutter(uint64_t *seed)
{
    struct rng r;
    rng_init(&r, *seed);
    while (!at_load(&over)) {
        for (uint32_t n = rng_below(&r, 300); n > 0; n--)
            leat_yield();
        struct hand *w = ws->at[rng_below(&r, SITES)];
        struct site *s = &site[w->index];
        leat_err err = LEAT_OK;
        char at_url[128];
        snprintf(at_url, sizeof at_url, "%s", leat_node_url(s->n));
        leat_with_cancel(ctx) {
            if (rng_below(&r, 2))                    /* at once or in order: what it had is done, or is dealt again */
                leat_cancel(ctx, LEAT_CANCELED);
            leat_node_close(s->n);
        }
        open_site_at(w->index, at_url);
        err = leat_sleep(LEAT_MS(rng_below(&r, 30)));
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

static leat_err at_random(leat_none *none)
{
    (void)none;
    struct take t;
    leat_err err;
    open_sites(SITES);
    leat_with_group(g, err) {
        LEAT_TRY(leat_go(&g, cutter, (uint64_t){ 7 }));
        for (uint32_t i = 0; i < 4; i++) {
            leat_deal_opts o = { .window = 1 + 3 * i, .ordered = i % 2, .max_attempts = 1000 };
            CHECK_EQ(deal_n(times(400), (struct job){ .ms = i % 2 ? 1 : 0 }, &o, &t), LEAT_OK);
        }
        at_store(&over, true);
    }
    CHECK_EQ(err, LEAT_OK);
    close_sites();
    return LEAT_OK;
}
ANYWHERE(workers_that_come_and_go_at_any_moment_change_no_result, at_random)

T_MAIN()
