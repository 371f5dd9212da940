/* powser.h - power series as tasks, for chan_powser1_test.c (coefficients travel as values) and chan_powser2_test.c (as pointers).
 *
 * A series is a pair of channels: a request on req is answered by the next coefficient on dat; a denominator of 0 is the end.  From
 * Douglas McIlroy, Squinting at Power Series: each operation is a task that asks its operands for no more than it is asked for.
 * The includer says what travels: ITEM, item_of(rat) and rat_of(item). */
LEAT_STRUCT(rat, (int64, num), (int64, den));

struct series { leat_chan(struct num) req; leat_chan(ITEM) dat; struct series *next; };
typedef struct series *ps;
static ps all_series;                                    /* given back at the end, as all of them may be asked until then */
static leat_mutex all_lock;
static leat_group *tasks;
static _Atomic int seqno;

static ps ps_make(void)
{
    ps s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->req = leat_chan_make(struct num, 0);
    s->dat = leat_chan_make(ITEM, 0);
    CHECK(s->req && s->dat);
    while (leat_lock(&all_lock) != LEAT_OK)
        ;
    s->next = all_series;
    all_series = s;
    leat_unlock(&all_lock);
    return s;
}

static void ps_free_all(void)
{
    for (ps s; (s = all_series); free(s)) {
        all_series = s->next;
        leat_unref(s->req);
        leat_unref(s->dat);
    }
}

/* -- rational numbers ---------------------------------------------------------------------------------------------------------------- */
static int64_t gcd(int64_t u, int64_t v)
{
    u = u < 0 ? -u : u;
    while (u) {
        int64_t r = v % u;
        v = u;
        u = r;
    }
    return v;
}

static struct rat frac(int64_t u, int64_t v)
{
    int64_t g = gcd(u, v);
    return v > 0 ? (struct rat){ u / g, v / g } : (struct rat){ -u / g, -v / g };
}

static struct rat whole(int64_t u) { return frac(u, 1); }
static const struct rat finis = { 1, 0 };
static bool ended(struct rat u) { return u.den == 0; }
static bool equal(struct rat a, struct rat b) { return a.num == b.num && a.den == b.den; }

static struct rat add(struct rat u, struct rat v)
{
    int64_t g = gcd(u.den, v.den);
    return frac(u.num * (v.den / g) + v.num * (u.den / g), u.den * (v.den / g));
}

static struct rat mul(struct rat u, struct rat v)
{
    int64_t g1 = gcd(u.num, v.den), g2 = gcd(v.num, u.den);
    g1 = g1 < 0 ? -g1 : g1 ? g1 : 1;
    g2 = g2 < 0 ? -g2 : g2 ? g2 : 1;
    return (struct rat){ (u.num / g1) * (v.num / g2), (u.den / g2) * (v.den / g1) };
}

/* -- asking and answering ------------------------------------------------------------------------------------------------------------ */
static leat_err get(ps in, struct rat *ret)
{
    ITEM it;
    LEAT_TRY(leat_send(in->req, { ++seqno }));
    LEAT_TRY(leat_recv(in->dat, &it));
    *ret = rat_of(it);
    return LEAT_OK;
}

static leat_err asked(ps out)
{
    struct num v;
    return leat_recv(out->req, &v);
}

static leat_err answer(ps out, struct rat r)
{
    ITEM it = item_of(r);
    leat_err err = leat_send(out->dat, it);
    if (err != LEAT_OK)
        (void)rat_of(it);                            /* it is still ours */
    return err;
}

static leat_err put(ps out, struct rat r)
{
    LEAT_TRY(asked(out));
    return answer(out, r);
}

/* One coefficient of each of two series, asked for in the order in which they can. */
static leat_err get2(ps a, ps b, struct rat out[2])
{
    leat_tx(struct num) req[2] = { leat_tx_of(a->req), leat_tx_of(b->req) };
    leat_rx(ITEM) dat[2] = { NULL, NULL };
    for (int n = 0; n < 4; n++) {
        struct num number = { ++seqno };
        int got = -1;
        ITEM it;
        leat_err err;
        leat_select(err) {
            leat_on_send(req[0], &number) { dat[0] = leat_rx_of(a->dat); req[0] = NULL; }
            leat_on_send(req[1], &number) { dat[1] = leat_rx_of(b->dat); req[1] = NULL; }
            leat_on_recv(dat[0], &it)     { got = 0; }
            leat_on_recv(dat[1], &it)     { got = 1; }
        }
        LEAT_TRY(err);
        if (got >= 0) {
            out[got] = rat_of(it);
            dat[got] = NULL;
        }
    }
    return LEAT_OK;
}

static leat_err copy(ps in, ps out)
{
    for (;;) {
        struct rat r;
        LEAT_TRY(asked(out));
        LEAT_TRY(get(in, &r));
        LEAT_TRY(answer(out, r));
    }
}

/* -- the operations: each makes a series and starts its task ------------------------------------------------------------------------- */
struct op { ps u, v, z; struct rat c; int n; };
#define START(fn, ...) leat_ignore(leat_go(tasks, fn, (struct op){ __VA_ARGS__ }))   /* not at the end, when all are cancelled */

/* Two copies of a series that may be read at different speeds.  A task for each coefficient: it is born when somebody wants it and
 * ends when both have had it.  The newest serves out[0], always the one who is ahead; the oldest serves the other, and passes that on. */
struct split { ps in, out[2]; leat_chan(struct num) wait; };
static leat_err split_one(struct split *s);
static leat_err split_begin(ps in, ps first, ps second, leat_chan(struct num) wait)
{
    leat_err err = leat_go(tasks, split_one, (struct split){ in, { first, second }, leat_ref(wait) });
    if (err != LEAT_OK)
        leat_unref(wait);                            /* what the task would have given back */
    return err;
}

static leat_err split_one(struct split *s)
{
    leat_auto leat_chan(struct num) wait = s->wait;
    bool both = false, swap = false;
    struct num v;
    struct rat r;
    leat_err err;
    leat_select(err) {
        leat_on_recv(s->out[0]->req, &v) {}
        leat_on_recv(wait, &v)           { both = true; }
    }
    LEAT_TRY(err);
    if (both) {
        leat_select(err) {
            leat_on_recv(s->out[0]->req, &v) {}
            leat_on_recv(s->out[1]->req, &v) { swap = true; }
        }
        LEAT_TRY(err);
    }
    ps first = s->out[swap], second = s->out[!swap];
    LEAT_TRY(leat_send(s->in->req, { ++seqno }));
    leat_auto leat_chan(struct num) release = leat_chan_make(struct num, 0);
    LEAT_TRY(split_begin(s->in, first, second, release));
    ITEM it;
    LEAT_TRY(leat_recv(s->in->dat, &it));
    r = rat_of(it);
    LEAT_TRY(answer(first, r));
    if (!both)
        LEAT_TRY(leat_recv(wait, &v));
    LEAT_TRY(asked(second));
    LEAT_TRY(answer(second, r));
    return leat_send(release, { 0 });
}

static leat_err split(ps u, ps out[2])
{
    leat_auto leat_chan(struct num) wait = leat_chan_make(struct num, 0);
    LEAT_TRY(split_begin(u, out[0], out[1], wait));
    return leat_send(wait, { 0 });
}

struct split_task { ps u, out[2]; };
static leat_err split_task(struct split_task *s) { return split(s->u, s->out); }
static void ps_split(ps u, ps out[2])
{
    out[0] = ps_make();
    out[1] = ps_make();
    leat_ignore(leat_go(tasks, split_task, (struct split_task){ u, { out[0], out[1] } }));
}

static leat_err add_task(struct op *o)
{
    for (;;) {
        struct rat uv[2];
        LEAT_TRY(asked(o->z));
        LEAT_TRY(get2(o->u, o->v, uv));
        bool end[2] = { ended(uv[0]), ended(uv[1]) };
        LEAT_TRY(answer(o->z, end[0] && end[1] ? finis : end[0] ? uv[1] : end[1] ? uv[0] : add(uv[0], uv[1])));
        if (end[0] != end[1])
            return copy(end[0] ? o->v : o->u, o->z);
    }
}
static ps ps_add(ps u, ps v) { ps z = ps_make(); START(add_task, .u = u, .v = v, .z = z); return z; }

static leat_err cmul_task(struct op *o)
{
    for (;;) {
        struct rat u;
        LEAT_TRY(asked(o->z));
        LEAT_TRY(get(o->u, &u));
        LEAT_TRY(answer(o->z, ended(u) ? finis : mul(o->c, u)));
        if (ended(u))
            return LEAT_OK;
    }
}
static ps ps_cmul(struct rat c, ps u) { ps z = ps_make(); START(cmul_task, .c = c, .u = u, .z = z); return z; }
static ps ps_sub(ps u, ps v) { return ps_add(u, ps_cmul(whole(-1), v)); }

static leat_err rep_task(struct op *o)
{
    for (;;)
        LEAT_TRY(put(o->z, o->c));
}
static ps ps_rep(struct rat c) { ps z = ps_make(); START(rep_task, .c = c, .z = z); return z; }

/* (u + x U)(v + x V) = uv + x (uV + vU) + x x UV */
static ps ps_mul(ps u, ps v);
static leat_err mul_task(struct op *o)
{
    struct rat uv[2], w;
    ps uu[2], vv[2];
    LEAT_TRY(asked(o->z));
    LEAT_TRY(get2(o->u, o->v, uv));
    if (ended(uv[0]) || ended(uv[1]))
        return answer(o->z, finis);
    LEAT_TRY(answer(o->z, mul(uv[0], uv[1])));
    ps_split(o->u, uu);
    ps_split(o->v, vv);
    ps sum = ps_add(ps_cmul(uv[0], vv[0]), ps_cmul(uv[1], uu[0]));
    LEAT_TRY(asked(o->z));
    LEAT_TRY(get(sum, &w));
    LEAT_TRY(answer(o->z, w));
    return copy(ps_add(sum, ps_mul(uu[1], vv[1])), o->z);
}
static ps ps_mul(ps u, ps v) { ps z = ps_make(); START(mul_task, .u = u, .v = v, .z = z); return z; }

static leat_err diff_task(struct op *o)
{
    struct rat u;
    LEAT_TRY(asked(o->z));
    LEAT_TRY(get(o->u, &u));
    for (int i = 1; !ended(u); i++) {
        LEAT_TRY(get(o->u, &u));
        if (!ended(u)) {
            LEAT_TRY(answer(o->z, mul(whole(i), u)));
            LEAT_TRY(asked(o->z));
        }
    }
    return answer(o->z, finis);
}
static ps ps_diff(ps u) { ps z = ps_make(); START(diff_task, .u = u, .z = z); return z; }

static leat_err integ_task(struct op *o)
{
    LEAT_TRY(put(o->z, o->c));
    for (int i = 1;; i++) {
        struct rat u;
        LEAT_TRY(asked(o->z));
        LEAT_TRY(get(o->u, &u));
        LEAT_TRY(answer(o->z, ended(u) ? finis : mul(frac(1, i), u)));
        if (ended(u))
            return LEAT_OK;
    }
}
static ps ps_integ(struct rat c, ps u) { ps z = ps_make(); START(integ_task, .c = c, .u = u, .z = z); return z; }

/* Z = exp(U): Z' = Z U', so Z is the integral of that, and asks itself. */
static leat_err exp_split(struct split_task *s)
{
    return split(ps_integ(whole(1), ps_mul(s->out[0], ps_diff(s->u))), s->out);
}
static ps ps_exp(ps u)
{
    struct split_task s = { u, { ps_make(), ps_make() } };
    leat_ignore(leat_go(tasks, exp_split, s));
    return s.out[1];
}

/* U(c x^n) */
static leat_err subst_task(struct op *o)
{
    struct rat c = whole(1), u;
    for (;;) {
        LEAT_TRY(asked(o->z));
        LEAT_TRY(get(o->u, &u));
        LEAT_TRY(answer(o->z, ended(u) ? finis : mul(u, c)));
        c = mul(c, o->c);
        if (ended(u))
            return LEAT_OK;
        for (int i = 1; i < o->n; i++)
            LEAT_TRY(put(o->z, whole(0)));
    }
}
static ps ps_subst(ps u, struct rat c, int n) { ps z = ps_make(); START(subst_task, .u = u, .c = c, .n = n, .z = z); return z; }

/* -- what is checked ----------------------------------------------------------------------------------------------------------------- */
enum { TERMS = 10 };

static leat_err check_terms(ps u, const struct rat *want)
{
    for (int i = 0; i < TERMS; i++) {
        struct rat r;
        LEAT_TRY(get(u, &r));
        if (!equal(r, want[i]))
            t_fail(__FILE__, __LINE__, "term %d is %lld/%lld, not %lld/%lld", i, (long long)r.num, (long long)r.den,
                (long long)want[i].num, (long long)want[i].den);
    }
    return LEAT_OK;
}

static leat_err check_all(ps u, struct rat want)
{
    struct rat a[TERMS];
    for (int i = 0; i < TERMS; i++)
        a[i] = want;
    return check_terms(u, a);
}

static leat_err check_plain(ps ones, ps twos)            /* what needs no select */
{
    struct rat count[TERMS], integ[TERMS], atan[TERMS];
    for (int i = 0; i < TERMS; i++) {
        count[i] = whole(i + 1);
        integ[i] = i ? frac(1, i) : whole(0);
        atan[i] = i % 2 ? frac(i % 4 == 1 ? 1 : -1, i) : whole(0);
    }
    LEAT_TRY(check_all(ones, whole(1)));
    LEAT_TRY(check_terms(ps_diff(ones), count));
    LEAT_TRY(check_terms(ps_integ(whole(0), ones), integ));
    LEAT_TRY(check_all(ps_cmul(whole(-1), twos), whole(-2)));
    return check_terms(ps_integ(whole(0), ps_subst(ones, whole(-1), 2)), atan);
}

static leat_err check_selects(ps ones, ps twos)
{
    static const struct rat exps[TERMS] = { { 1, 1 }, { 1, 1 }, { 3, 2 }, { 13, 6 }, { 73, 24 }, { 167, 40 }, { 4051, 720 },
        { 37633, 5040 }, { 43817, 4480 }, { 4596553, 362880 } };
    struct rat count[TERMS];
    for (int i = 0; i < TERMS; i++)
        count[i] = whole(i + 1);
    LEAT_TRY(check_all(ps_add(ones, ones), whole(2)));
    LEAT_TRY(check_all(ps_add(ones, twos), whole(3)));
    LEAT_TRY(check_all(ps_sub(ones, twos), whole(-1)));
    LEAT_TRY(check_terms(ps_mul(ones, ones), count));
    return check_terms(ps_exp(ones), exps);
}

static leat_err powser_test(void)
{
    leat_err err;
    leat_with_group(g, err) {
        tasks = &g;
        ps ones = ps_rep(whole(1)), twos = ps_rep(whole(2));
        LEAT_TRY(check_plain(ones, twos));
        LEAT_TRY(check_selects(ones, twos));
        leat_group_cancel(&g);                       /* series have no end */
    }
    ps_free_all();
    return err == LEAT_CANCELED ? LEAT_OK : err;
}
