/* turns.c - the lanes of a race, its two agents, and how far a long one has come. */
#include "turns.h"
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

enum place { TASKS, AGENT_THREADS, VICTIM_THREADS, PLACES };
static const char *const place_name[PLACES] = { "tasks", "agents are threads", "victims are threads" };
enum { LANES = 64, CHUNK = 40000, SPIN_NS = 5000, MEET_NS = 3000, NAP_NS = 100000, FAR_NS = 2000000 };

struct count { long done, given_up, race_done, race_given_up, met; };

struct race {
    const struct op *op;
    enum how how;
    enum place place;
    int lanes;
    struct turns t[LANES];
    struct {
        leat_chan(char) bell;
        _Atomic int asleep, hot;                     /* hot: 1 + the lane at which it waits for the other */
        int64_t next;                                /* the first aim that has not come; INT64_MAX: none */
        bool again;                                  /* a lane is to be looked at again without anybody's saying so */
        unsigned seed;
    } of[2];
    leat_chan(char) ended;                           /* a victim that is a thread */
    _Atomic int eager;                               /* 1 + the lane whose victim is about to begin */
    _Atomic int begun;                               /* the completer runs */
    _Atomic int64_t lead;                            /* by how much the completer comes later than the canceller or the deadline */
    _Atomic int run;                                 /* races in a row with one outcome: of done above 0 */
    _Atomic long done, given_up, race_done, race_given_up, met;
};

static unsigned draw(unsigned *seed) { return (unsigned)rand_r(seed) >> 4; }
static int64_t now(void) { return leat_now().ns; }

/* -- waiting --------------------------------------------------------------------------------------------------------------------- */
static void ring(leat_chan(char) bell) { leat_ignore(leat_try_send(bell, 1)); }

static void wait_for(struct turns *t, _Atomic int *at, int i)
{
    char c;
    if (atomic_load(at) >= i)
        return;
    leat_with_shield(LEAT_S(36000))
        while (atomic_load(at) < i)
            MUST(leat_recv(t->bell, &c));
}

void turns_completed(struct turns *t) { wait_for(t, &t->completed, t->i); }

/* Says how far the victim is. */
static void tell(struct turns *t, _Atomic int *at, int i)
{
    atomic_store(at, i);
    for (int a = 0; a < 2; a++)
        if (atomic_load(&t->race->of[a].asleep) && atomic_exchange(&t->race->of[a].asleep, 0))
            ring(t->race->of[a].bell);
}

/* -- an agent --------------------------------------------------------------------------------------------------------------------- */
enum { PREPARE, START, ACT, RETURN };

/* A pause as long as an operation takes, more often short than long. */
static int64_t jitter(unsigned *seed)
{
    unsigned r = draw(seed);
    return r % 4 == 0 ? 0 : (int64_t)(r >> 8) % (r % 4 == 1 ? 100 : r % 4 == 2 ? 400 : 1500);
}

/* The completer's moment after the other's, or the other way round. */
static int64_t behind(const struct race *r, enum agent me)
{
    int64_t lead = atomic_load(&r->lead);
    if (me == CANCELLER)
        lead = -lead;
    return lead > 0 ? lead : 0;
}

/* Waits for the other agent, shortly.  false: it waits at another lane, and we are to go there. */
static bool meet(struct turns *t, enum agent me)
{
    struct race *r = t->race;
    enum agent other = 1 - me;
    int i = t->of[me].i;
    atomic_store(&t->here[me], i);
    atomic_store(&r->of[me].hot, 1 + t->lane);
    bool away = false;
    for (int64_t end = now() + MEET_NS; atomic_load(&t->here[other]) < i && !away && now() < end; ) {
        int hot = atomic_load(&r->of[other].hot);
        away = me == CANCELLER && hot && hot != 1 + t->lane;
    }
    atomic_store(&r->of[me].hot, 0);
    if (away && atomic_load(&t->here[other]) < i) {
        atomic_store(&t->here[me], 0);
        return false;
    }
    if (me == COMPLETER && atomic_load(&t->here[other]) >= i)
        atomic_fetch_add(&r->met, 1);
    return true;
}

/* The victim has started.  false: not now. */
static bool aim(struct turns *t, enum agent me)
{
    struct race *r = t->race;
    int64_t pause = jitter(&r->of[me].seed);
    if (t->sure == (me == COMPLETER ? SURE_GIVEN_UP : SURE_DONE)) {
        t->of[me].step = RETURN;
        return true;
    }
    t->of[me].step = ACT;
    t->of[me].aim = 0;
    if (t->sure < MEET || (me == COMPLETER && !r->op->complete))
        return true;
    if (r->how == BY_DEADLINE || !r->op->complete) {
        t->of[me].aim = t->due + (me == COMPLETER ? atomic_load(&r->lead) : -atomic_load(&r->lead)) + pause;
        return true;
    }
    if (t->sure == MEET && !meet(t, me)) {
        t->of[me].step = START;
        r->of[me].again = true;
        return false;
    }
    t->of[me].aim = now() + behind(r, me) + pause;
    return true;
}

static bool come(struct turns *t, enum agent me)
{
    struct race *r = t->race;
    int64_t at = t->of[me].aim, left = at ? at - now() : 0;
    if (left > SPIN_NS) {
        r->of[me].next = at < r->of[me].next ? at : r->of[me].next;
        return false;
    }
    while (left > 0)
        left = at - now();
    t->of[me].aim = 0;
    if (me == CANCELLER) {
        leat_cancel(t->ctx, LEAT_REFUSED);
    } else if (r->op->complete && !r->op->complete(t)) {
        r->of[me].again = true;
        return false;
    }
    int i = t->of[me].i++;
    t->of[me].step = me == COMPLETER ? PREPARE : START;
    atomic_store(me == COMPLETER ? &t->completed : &t->cancelled, i);
    ring(t->bell);
    return true;
}

/* Does what there is to do at a lane.  false: nothing was. */
static bool visit(struct turns *t, enum agent me)
{
    int i = t->of[me].i;
    bool some = false;
    if (i > t->n)
        return false;
    if (t->of[me].step == PREPARE) {
        if (atomic_load(&t->returned) < 2 * (i - 1))
            return false;
        if (t->op->prepare)
            t->op->prepare(t);
        t->of[me].step = START;
        atomic_store(&t->prepared, i);
        ring(t->bell);
        some = true;
    }
    if (t->of[me].step == START && (atomic_load(&t->started) < i || !aim(t, me)))
        return some;
    if (t->of[me].step == RETURN) {
        if (atomic_load(&t->returned) < 2 * i - 1)
            return some;
        t->of[me].step = ACT;
    }
    return come(t, me) || some;
}

/* Where the other waits for us, or a victim is about to begin. */
static bool visit_hot(struct race *r, enum agent me)
{
    int hot = atomic_load(&r->of[1 - me].hot), eager = atomic_load(&r->eager);
    bool some = hot && visit(&r->t[hot - 1], me);
    return (eager && visit(&r->t[eager - 1], me)) || some;
}

/* Nothing is to be done: until something may be. */
static void rest(struct race *r, enum agent me)
{
    int64_t left = r->of[me].next == INT64_MAX ? INT64_MAX : r->of[me].next - now() - NAP_NS;
    char c;
    if (r->of[me].again || left <= 0) {
        leat_yield();
    } else if (!atomic_load(&r->of[me].asleep)) {
        atomic_store(&r->of[me].asleep, 1);          /* and looks once more */
    } else {
        leat_err e = LEAT_OK;
        leat_with_deadline(LEAT_NS(left < 1000000000000 ? left : 1000000000000))
            e = leat_recv(r->of[me].bell, &c);
        CHECK(e == LEAT_OK || (e == LEAT_DEADLINE && left != INT64_MAX));
        atomic_store(&r->of[me].asleep, 0);
    }
}

static void serve(struct race *r, enum agent me)
{
    for (;;) {
        int left = 0, did = 0;
        r->of[me].next = INT64_MAX;
        r->of[me].again = false;
        for (int k = 0; k < r->lanes; k++) {
            did += visit_hot(r, me);
            did += visit(&r->t[k], me);
            left += r->t[k].of[me].i <= r->t[k].n;
            if (did % 8 == 7)
                leat_yield();
        }
        if (!left)
            return;
        if (!did)
            rest(r, me);
        else if (r->place == TASKS)
            leat_yield();
    }
}

/* -- a victim ----------------------------------------------------------------------------------------------------------------------- */
static void begin(struct turns *t)
{
    if (t->sure == EAGER)
        atomic_store(&t->race->eager, 1 + t->lane);
    tell(t, &t->started, t->i);
}

static leat_err act(struct turns *t, int64_t us)
{
    if (t->race->how == BY_DEADLINE || !t->op->complete)
        t->due = now() + (t->race->how == BY_DEADLINE ? us * 1000 : t->after.ns);
    begin(t);
    if (t->sure == EAGER)
        for (int64_t end = now() + jitter(&t->seed) / 4; now() < end; )
            ;
    leat_err e = t->op->act(t);
    tell(t, &t->returned, 2 * t->i - 1);
    return e;
}

/* Who has lost comes a little sooner; the longer it goes on so, the more. */
static void learn(struct race *r, bool done)
{
    int run = atomic_load(&r->run);
    run = done ? (run > 0 ? run + 1 : 1) : (run < 0 ? run - 1 : -1);
    atomic_store(&r->run, run);
    int long_ = (run < 0 ? -run : run) / 4;
    int64_t step = INT64_C(10) << (long_ < 12 ? long_ : 12), lead = atomic_load(&r->lead) + (done ? step : -step);
    if (lead > -FAR_NS && lead < FAR_NS)
        atomic_store(&r->lead, lead);
}

static void one_turn(struct turns *t)
{
    struct race *r = t->race;
    leat_err e = LEAT_OK, given_up = r->how == BY_CANCEL ? LEAT_CANCELED : LEAT_DEADLINE;
    bool races = t->sure >= MEET;
    int64_t us = t->sure == SURE_DONE ? 3600000000 : t->sure == SURE_GIVEN_UP ? draw(&t->seed) % 3 * 20 : draw(&t->seed) % 90;
    if (t->op->slow && races)
        us *= t->op->slow;
    leat_with_cancel(ctx) {
        t->ctx = ctx;
        if (r->how == BY_CANCEL)
            e = act(t, us);
        else
            leat_with_deadline(LEAT_US(us))
                e = act(t, us);
        if (r->how == BY_CANCEL)
            wait_for(t, &t->cancelled, t->i);        /* the context stays until nobody cancels it any more */
    }
    if (e != LEAT_OK && e != given_up)
        t_fail(__FILE__, __LINE__, "%s, turn %d of lane %d: neither done nor %s, but %s: %s", t->op->name, t->i, t->lane,
            leat_err_name(given_up), leat_err_name(e), leat_err_detail());
    CHECK(!(t->sure == SURE_DONE && e != LEAT_OK) && !(t->sure == SURE_GIVEN_UP && e == LEAT_OK));
    atomic_fetch_add(e == LEAT_OK ? &r->done : &r->given_up, 1);
    if (races) {
        atomic_fetch_add(e == LEAT_OK ? &r->race_done : &r->race_given_up, 1);
        learn(r, e == LEAT_OK);
    }
    if (!t->op->late)
        turns_completed(t);
    t->op->look(t, e);
    CHECK_EQ(atomic_load(&t->completed), t->i);
}

static leat_err victim(struct turns **p)
{
    struct turns *t = *p;
    if (t->op->open)
        t->op->open(t);
    tell(t, &t->returned, 0);
    for (t->i = 1; t->i <= t->n; t->i++) {
        wait_for(t, &t->prepared, t->i);
        t->sure = t->i % 8 == 0 ? SURE_GIVEN_UP : t->i % 8 == 1 ? SURE_DONE : t->i % 8 < 5 ? MEET : EAGER;
        t->after = t->sure == SURE_GIVEN_UP ? LEAT_S(3600) : t->sure == SURE_DONE ? LEAT_US(1) : LEAT_US(draw(&t->seed) % 90);
        one_turn(t);
        tell(t, &t->returned, 2 * t->i);
    }
    if (t->op->close)
        t->op->close(t);
    return LEAT_OK;
}

/* -- a race --------------------------------------------------------------------------------------------------------------------------- */
static leat_err completer(struct race **r)
{
    leat_with_pinned {
        atomic_store(&(*r)->begun, 1);
        serve(*r, COMPLETER);
    }
    return LEAT_OK;
}

/* What is ready behind a task that computes goes to another worker: so the agents stand on two. */
static leat_err canceller(struct race **r)
{
    leat_err err;
    leat_with_pinned {
        leat_with_group(g, err) {
            MUST(leat_go(&g, completer, *r));
            while (!atomic_load(&(*r)->begun))
                ;
            if ((*r)->how == BY_CANCEL)
                serve(*r, CANCELLER);
        }
    }
    return err;
}

static void *completer_thread(void *r) { serve(r, COMPLETER); return NULL; }
static void *canceller_thread(void *r) { serve(r, CANCELLER); return NULL; }
static void *victim_thread(void *lane)
{
    struct turns *t = lane;
    MUST(victim(&t));
    ring(t->race->ended);
    return NULL;
}

static leat_err all(struct race **p)
{
    struct race *r = *p;
    pthread_t of[LANES];
    int threads = 0;
    leat_err err;
    char c;
    leat_with_group(g, err) {
        if (r->place != AGENT_THREADS)
            MUST(leat_go(&g, canceller, r));
        else
            CHECK_EQ(pthread_create(&of[threads++], NULL, completer_thread, r), 0);
        if (r->place == AGENT_THREADS && r->how == BY_CANCEL)
            CHECK_EQ(pthread_create(&of[threads++], NULL, canceller_thread, r), 0);
        for (int k = 0; k < r->lanes; k++)
            if (r->place != VICTIM_THREADS)
                MUST(leat_go(&g, victim, &r->t[k]));
            else
                CHECK_EQ(pthread_create(&of[threads++], NULL, victim_thread, &r->t[k]), 0);
        for (int k = 0; k < r->lanes && r->place == VICTIM_THREADS; k++)
            MUST(leat_recv(r->ended, &c));           /* a task joins nobody who may still need its worker */
    }
    while (threads)
        pthread_join(of[--threads], NULL);
    return err;
}

static struct race *race_open(const struct op *op, enum how how, enum place place, int lanes, int n)
{
    struct race *r = calloc(1, sizeof *r);
    unsigned seed = (unsigned)now();
    CHECK(r && (r->ended = leat_chan_make(char, LANES)));
    r->op = op;
    r->how = how;
    r->place = place;
    r->lanes = lanes;
    for (int a = 0; a < 2; a++) {
        CHECK((r->of[a].bell = leat_chan_make(char, 1)));
        r->of[a].seed = seed + (unsigned)a;
    }
    for (int k = 0; k < lanes; k++) {
        struct turns *t = &r->t[k];
        *t = (struct turns){ .op = op, .race = r, .lane = k, .n = n, .returned = -1, .seed = seed + 2 + (unsigned)k };
        t->of[COMPLETER].i = t->of[CANCELLER].i = 1;
        t->of[CANCELLER].step = START;
        CHECK((t->bell = leat_chan_make(char, 1)));
    }
    return r;
}

static void race_close(struct race *r)
{
    for (int k = 0; k < r->lanes; k++)
        leat_unref(r->t[k].bell);
    for (int a = 0; a < 2; a++)
        leat_unref(r->of[a].bell);
    leat_unref(r->ended);
    free(r);
}

/* About so many turns, a few at least of each lane. */
static void some_turns(const struct op *op, enum how how, enum place place, long turns, struct count *sum)
{
    int lanes = getenv("RACE_TURNS") ? LANES : 8;
    if (place == VICTIM_THREADS)
        lanes = 4;
    if (op->lanes && op->lanes < lanes)
        lanes = op->lanes;
    struct race *r = race_open(op, how, place, lanes, (int)(turns / lanes) < 9 ? 9 : (int)(turns / lanes));
    leat_err e = leat_run(&(leat_opts){ .workers = 2 }, all, r);
    if (e != LEAT_OK)
        t_fail(__FILE__, __LINE__, "%s: %s: %s", op->name, leat_err_name(e), leat_err_detail());
    CHECK_EQ(r->done + r->given_up, (long)lanes * r->t[0].n);
    CHECK(r->done > 0 && r->given_up > 0);
    sum->done += r->done;
    sum->given_up += r->given_up;
    sum->race_done += r->race_done;
    sum->race_given_up += r->race_given_up;
    sum->met += r->met;
    race_close(r);
}

/* -- a long one, which may be interrupted: RACE_STATE has a line for each part that is done ------------------------------------ */
static void state_read(const char *test, enum place place, struct count *sum)
{
    const char *path = getenv("RACE_STATE");
    FILE *f = path ? fopen(path, "r") : NULL;
    char name[128];
    int at;
    struct count c;
    while (f && fscanf(f, "%127s %d %ld %ld %ld %ld %ld", name, &at, &c.done, &c.given_up, &c.race_done, &c.race_given_up, &c.met) == 7)
        if (strcmp(name, test) == 0 && at == (int)place) {
            sum->done += c.done;
            sum->given_up += c.given_up;
            sum->race_done += c.race_done;
            sum->race_given_up += c.race_given_up;
            sum->met += c.met;
        }
    if (f)
        fclose(f);
}

static void state_add(const char *test, enum place place, const struct count *c)
{
    const char *path = getenv("RACE_STATE");
    char line[256];
    if (!path)
        return;
    int n = snprintf(line, sizeof line, "%s %d %ld %ld %ld %ld %ld\n", test, (int)place, c->done, c->given_up, c->race_done,
        c->race_given_up, c->met), fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    CHECK(fd >= 0 && write(fd, line, (size_t)n) == n);
    close(fd);
}

static void campaign(const char *test, const struct op *op, enum how how, enum place place, long wanted)
{
    struct count sum = { 0 };
    int64_t from = now(), shown = 0;
    clock_t used = clock();
    state_read(test, place, &sum);
    long before = sum.done + sum.given_up, all;
    while ((all = sum.done + sum.given_up) < wanted) {
        struct count c = { 0 };
        long part = CHUNK / (op->slow ? op->slow : 1) / (place == VICTIM_THREADS ? 10 : 1);
        alarm(1800);
        some_turns(op, how, place, wanted - all < part ? wanted - all : part, &c);
        state_add(test, place, &c);
        sum.done += c.done;
        sum.given_up += c.given_up;
        sum.race_done += c.race_done;
        sum.race_given_up += c.race_given_up;
        sum.met += c.met;
        if (now() - shown > 10000000000 && (shown = now()))
            printf("# %s, %s: %ld of %ld\n", test, place_name[place], sum.done + sum.given_up, wanted);
    }
    printf("# %s, %s: %ld turns, %ld done, %ld given up; of those that raced %ld done, %ld given up; %ld met", test, place_name[place],
        all, sum.done, sum.given_up, sum.race_done, sum.race_given_up, sum.met);
    if (all > before)
        printf("; a turn took %.1f us, %.1f of a processor", (double)(now() - from) / 1000 / (double)(all - before),
            (double)(clock() - used) * 1e6 / CLOCKS_PER_SEC / (double)(all - before));
    puts("");
    CHECK(wanted < 10000 || (sum.race_done > 0 && sum.race_given_up > 0));
}

void turns_run(const char *test, const struct op *op, enum how how)
{
    const char *n = getenv("RACE_TURNS");
    long wanted = n ? atol(n) : getenv("T_QUICK") ? 72 : 640 / (op->slow ? op->slow : 1);
    for (int place = TASKS; place < PLACES; place++) {
        struct count c = { 0 };
        if (place == VICTIM_THREADS && op->tasks_only)
            continue;
        long share = place == TASKS ? wanted * 3 / 4 : place == VICTIM_THREADS ? wanted / 50 : wanted - wanted * 3 / 4;
        share -= place == AGENT_THREADS && !op->tasks_only ? wanted / 50 : 0;
        if (n)
            campaign(test, op, how, place, share);
        else
            some_turns(op, how, place, share, &c);
    }
}
