/* talk.c - fuzz targets of sessions: a made-up peer that says what the input says, to a node with a program.
 *
 * Both begin with one byte.  1: the node has dialed the peer (and uses what it has), else the peer has dialed the node.  2: hang up at
 * the end; else BYE, and read on.
 * frames: then frames, each u8 kind, u8 flags (0x80: a yield after it; 0x40: its number is wrong), u8 length, the fields as bytes.
 * talk: then steps, see step().  The peer keeps count as a good one would, so that a conversation gets far; a field may be wrong. */
#include "app.h"
#include "fuzz.h"
#include "peer.h"

enum { ENDS = 8, STEPS_MAX = 300 };

struct talker {
    struct link *l;
    struct cur in;
    uint64_t sent;                                   /* numbered frames */
    bool dialer;                                     /* the peer is */
    uint64_t made, opened;                           /* ids */
    struct told { uint64_t id, number, total, granted, returned; bool later; } end[ENDS];    /* ends the peer speaks of */
    uint64_t opens[ENDS];
    struct buf got;                                  /* what the node said and has not been looked at */
    uint64_t asked_ends[3], asked_calls[4];          /* ids of what the node asked for, by its name; 0: not yet */
    bool later_ends[3], later_calls[4];              /* they were refused: our type is another */
    bool form_told;                                  /* by frames FORM, for who refers to it */
};
static struct cur input;
static bool structured;

/* What the node asks for, to be answered. */
static void hear(struct talker *t, uint8_t kind, struct cur c)
{
    static const char *const ends[] = { "b", "u", "r" }, *const calls[] = { "calc.twice", "calc.echo", "calc.give", "work" };
    size_t n;
    (void)cur_take(&c, 16);
    uint64_t id = cur_varint(&c);
    (void)cur_take(&c, kind == FRAME_ATTACH ? 17 : 1);
    const char *name = cur_text(&c, &n);
    for (int i = 0; name && kind == FRAME_ATTACH && i < 3; i++)
        if (strlen(ends[i]) == n && memcmp(ends[i], name, n) == 0)
            t->asked_ends[i] = id;
    for (int i = 0; name && kind == FRAME_OPEN && i < 4; i++)
        if (strlen(calls[i]) == n && memcmp(calls[i], name, n) == 0)
            t->asked_calls[i] = id;
}

static leat_err drain(struct talker **arg)
{
    struct talker *t = *arg;
    char room[4096];
    size_t n, at = PREAMBLE_BYTES;
    while (link_read(t->l, room, sizeof room, &n) == LEAT_OK) {
        buf_put(&t->got, room, n);
        while (t->got.len >= at + FRAME_HEADER) {
            struct cur c = cur_of(t->got.p + at, t->got.len - at);
            uint32_t len = cur_u32(&c);
            uint8_t kind = cur_u8(&c);
            FUZZ_CHECK(len <= LIMIT_FRAME);
            if (t->got.len - at < FRAME_HEADER + len)
                break;
            if (kind == FRAME_ATTACH || kind == FRAME_OPEN)
                hear(t, kind, cur_of(t->got.p + at + FRAME_HEADER, len));
            at += FRAME_HEADER + len;
        }
    }
    return LEAT_OK;
}

static bool send(struct talker *t, struct buf *b)
{
    bool good = buf_err(b) == LEAT_OK && peer_write(t->l, b->p, b->len) == LEAT_OK;
    buf_free(b);
    return good;
}

/* -- frames ------------------------------------------------------------------------------------------------------------------- */
static bool frame(struct talker *t)
{
    struct buf b = { 0 };
    uint8_t kind = fuzz_u8(&t->in), flags = fuzz_u8(&t->in);
    size_t n = fuzz_u8(&t->in);
    n = MIN(n, cur_left(&t->in));
    uint64_t number = kind >= FRAME_FIRST_NUMBERED ? ++t->sent : 0;
    size_t at = peer_begin(&b, kind, flags & 0x3f, flags & 0x40 ? number + fuzz_u64(&t->in) : number);
    n = MIN(n, cur_left(&t->in));
    buf_put(&b, cur_take(&t->in, n), n);
    peer_end(&b, at);
    bool good = send(t, &b);
    if (flags & 0x80)
        leat_yield();
    return good;
}

/* -- conversations ------------------------------------------------------------------------------------------------------------ */
/* One field.  `wrong` counts down to the one that the input replaces. */
static int wrong;
static void num_field(struct talker *t, struct buf *b, uint64_t v) { buf_varint(b, wrong-- == 0 ? fuzz_u64(&t->in) : v); }
static void u8_field(struct talker *t, struct buf *b, uint8_t v) { buf_u8(b, wrong-- == 0 ? (uint8_t)fuzz_u64(&t->in) : v); }
static void u32_field(struct talker *t, struct buf *b, uint32_t v) { buf_u32(b, wrong-- == 0 ? (uint32_t)fuzz_u64(&t->in) : v); }
static void u64_field(struct talker *t, struct buf *b, uint64_t v) { buf_u64(b, wrong-- == 0 ? fuzz_u64(&t->in) : v); }

static void print_field(struct talker *t, struct buf *b, const leat_type *type)
{
    struct type_print p = { { 0 } };
    if (type)
        FUZZ_CHECK(type_print(type, &p) == LEAT_OK);
    if (wrong-- == 0)
        p.b[0] ^= fuzz_u8(&t->in);
    buf_put(b, p.b, sizeof p.b);
}

/* What a peer of a later version has in the place of our types, and one that nobody can read as ours. */
LEAT_STRUCT(num_later, (string, note), (int64, n));
LEAT_STRUCT(item_later, (list(num_later), nums), (string, text), (uint8, fresh));
LEAT_STRUCT(pass_later, (rx(num_later), in), (uint8, how), (tx(num_later), out), (bool, more));
LEAT_STRUCT(num_other, (string, n));
enum { NUM, ITEM, PASS, LATER };                     /* LATER + ITEM: that of a later version */
static const leat_type *const forms[] = { &num_type, &item_type, &pass_type, &num_later_type, &item_later_type, &pass_later_type,
    &num_other_type, NULL };
enum { FORMS = ARRAY_LEN(forms) };

static struct cur form_of(uint32_t which)
{
    struct cur form = { 0 };
    if (forms[which % FORMS])
        FUZZ_CHECK(type_form(forms[which % FORMS], &form) == LEAT_OK);
    return form;
}

/* The form itself, or the byte that stands for the one that went before. */
static void form_field(struct talker *t, struct buf *b, uint32_t which)
{
    struct cur form = form_of(which);
    size_t n = cur_left(&form), at;
    bool told = t->form_told;
    t->form_told = false;
    if (told)
        buf_text(b, "", 1);
    else
        buf_text(b, (const char *)form.p, n);
    at = b->len - (told ? 1 : n);
    if (wrong-- == 0 && b->len > at && buf_err(b) == LEAT_OK)
        b->p[at + fuzz_u64(&t->in) % (b->len - at)] ^= fuzz_u8(&t->in);
}

/* A frame FORM: how 0: all of it, 1: the first half, 2: the rest, 3: all, and then more. */
static void form_piece(struct talker *t, struct buf *b, uint32_t which, uint32_t how)
{
    struct cur form = form_of(which);
    size_t n = cur_left(&form), half = n / 2;
    const uint8_t *p = how == 2 ? form.p + half : form.p;
    buf_put(b, p, how == 1 ? half : how == 2 ? n - half : n);
    if (wrong-- == 0 && n)
        buf_u8(b, fuzz_u8(&t->in));
    t->form_told = !(how & 1);
}

static void text_field(struct talker *t, struct buf *b, const char *text)
{
    size_t n = strlen(text);
    if (wrong-- == 0) {
        uint64_t k = fuzz_u64(&t->in);
        buf_varint(b, k);
        n = MIN(n, (size_t)k);
        buf_put(b, text, n);
        for (size_t i = n; i < k && i < 300; i++)
            buf_u8(b, 'x');
        return;
    }
    buf_text(b, text, n);
}

static uint64_t new_id(struct talker *t) { return ++t->made << 1 | t->dialer; }

/* An end inside a value. */
static void end_record(struct talker *t, struct buf *b, bool rx, bool later, struct told *e)
{
    *e = (struct told){ .id = new_id(t), .granted = 4, .later = later };
    u8_field(t, b, 1);
    u8_field(t, b, rx);
    num_field(t, b, e->id);
    print_field(t, b, later ? &num_later_type : &num_type);
    u32_field(t, b, 4);
    num_field(t, b, 0);
}

static void end_or_none(struct talker *t, struct buf *b, bool some, bool rx, bool later, struct told *e)
{
    if (some)
        end_record(t, b, rx, later, e);
    else
        u8_field(t, b, 0);
}

static void later_num(struct talker *t, struct buf *b, uint8_t how)
{
    text_field(t, b, how & 1 ? "noted" : "");
    u64_field(t, b, how);
}

static void value(struct talker *t, struct buf *b, int type)
{
    uint8_t how = fuzz_u8(&t->in);
    if (type == NUM) {
        u64_field(t, b, how);
    } else if (type == ITEM) {
        text_field(t, b, how & 1 ? "some text that is longer" : "");
        num_field(t, b, how >> 4);
        for (int i = 0; i < how >> 4; i++)
            u64_field(t, b, 5);
        u8_field(t, b, how >> 1 & 1);
        if (how & 2)
            u64_field(t, b, 6);
    } else if (type == PASS) {
        u8_field(t, b, how);
        end_or_none(t, b, how & 0x40, false, false, &t->end[how & 7]);
        end_or_none(t, b, how & 0x80, true, false, &t->end[(how + 1) & 7]);
    } else if (type == LATER + NUM) {
        later_num(t, b, how);
    } else if (type == LATER + ITEM) {
        num_field(t, b, how >> 4);
        for (int i = 0; i < how >> 4; i++)
            later_num(t, b, how);
        text_field(t, b, how & 1 ? "some text that is longer" : "");
        u8_field(t, b, how);
    } else {
        end_or_none(t, b, how & 0x80, true, true, &t->end[(how + 1) & 7]);
        u8_field(t, b, how);
        end_or_none(t, b, how & 0x40, false, true, &t->end[how & 7]);
        u8_field(t, b, how >> 5 & 1);
    }
}

static const struct { const char *name; const leat_type *type; uint8_t sends, cap, kind; } names[] = {
    { "b", &num_type, 1, 4, NUM }, { "u", &num_type, 1, 0, NUM }, { "i", &item_type, 1, 3, ITEM }, { "e", &pass_type, 1, 2, PASS },
    { "r", &num_type, 0, 4, NUM }, { "q", &num_type, 0, 0, NUM }, { "?", &num_type, 1, 0, NUM }, { "b", &item_type, 1, 4, NUM },
};
static const struct { const char *name; const leat_type *in, *out; int kind; } calls[] = {
    { "calc.twice", &num_type, &num_type, NUM }, { "calc.echo", &item_type, &item_type, ITEM },
    { "calc.nap", &num_type, &num_type, NUM }, { "calc.give", &num_type, &pass_type, NUM },
    { "work", &pass_type, NULL, PASS }, { "calc.none", &num_type, &num_type, NUM },
    { "calc.twice", &item_type, &num_type, ITEM }, { "twice", &num_type, NULL, NUM },
};

static void element(struct talker *t, struct buf *b, struct told *e, uint8_t arg)
{
    int kind = (arg >> 3 & 3) % 3 + (e->later ? LATER : 0), what = arg >> 5 & 3;
    num_field(t, b, e->id);
    u8_field(t, b, (uint8_t)what);
    if (what >= 2)
        num_field(t, b, ++e->number);
    e->total++;
    if (what != 0) {
        value(t, b, kind);
        return;
    }
    struct buf v = { 0 };
    value(t, &v, kind);
    num_field(t, b, v.len);
    buf_put(b, v.p, v.len);
    buf_free(&v);
}

static void open_call(struct talker *t, struct buf *b, uint8_t arg)
{
    struct buf v = { 0 };
    int i = arg & 7, kind = calls[i].kind + (arg & 16 ? LATER : 0);
    uint64_t id = ++t->opened << 1 | t->dialer;
    t->opens[id >> 1 & 7] = id;
    value(t, &v, kind);
    num_field(t, b, id);
    u8_field(t, b, (uint8_t)((calls[i].out == NULL) | (arg & 32 ? 8 : 0)));
    text_field(t, b, calls[i].name);
    u64_field(t, b, arg & 8 ? 1000000 : UINT64_MAX);
    print_field(t, b, arg & 16 ? forms[kind] : calls[i].in);
    print_field(t, b, calls[i].out);
    num_field(t, b, v.len);
    if (arg & 32)
        form_field(t, b, (uint32_t)kind);
    buf_put(b, v.p, v.len);
    buf_free(&v);
}

/* The answer to a call of the node's. */
static void answer(struct talker *t, struct buf *b, uint8_t arg)
{
    static const int results[] = { NUM, ITEM, PASS, PASS };      /* of calls[], but for the task, which has none */
    int kind = arg >> 5 & 3;
    num_field(t, b, t->asked_calls[arg & 3]);
    u8_field(t, b, arg & 8 ? LEAT_TYPE : LEAT_OK);
    u8_field(t, b, arg >> 4 & 1);
    text_field(t, b, !(arg & 8) ? "" : arg & 4 ? "result of another type" : "argument of another type\x1b[2J");
    if (arg & 8 && !(arg & 16)) {
        form_field(t, b, arg >> 5);
        t->later_calls[arg & 3] = arg & 4;
    } else {
        text_field(t, b, "");
    }
    if (!(arg & 8))
        value(t, b, t->later_calls[arg & 3] ? LATER + results[kind] : kind);
}

static void attached(struct talker *t, struct buf *b, uint8_t arg)
{
    int i = (arg & 7) % 3;
    uint64_t id = t->asked_ends[i];
    num_field(t, b, id);
    u8_field(t, b, !(arg & 8) ? LEAT_OK : arg & 32 ? LEAT_TYPE : LEAT_REFUSED);
    if (arg & 8 && arg & 32) {
        text_field(t, b, "it is another type here");
        form_field(t, b, arg & 16 ? FORMS - 2 : LATER + NUM);
        t->later_ends[i] = true;
    } else if (arg & 8) {
        text_field(t, b, "no\r\nsuch\x1b[2Jname");
        text_field(t, b, "");
    } else {
        u32_field(t, b, arg & 16 ? 4 : 0);
        t->end[arg & 7] = (struct told){ .id = id, .later = t->later_ends[i] };     /* of "b" 0, 3, 6, of "u" 1, 4, 7, of "r" 2, 5 */
    }
}

/* The frames of one end that have only numbers. */
static void numbers(struct talker *t, struct buf *b, uint8_t kind, struct told *e, uint8_t arg)
{
    uint8_t k = arg >> 3;
    num_field(t, b, e->id);
    switch (kind) {
    case FRAME_NEED: num_field(t, b, k & 7); num_field(t, b, e->granted); u8_field(t, b, k >> 3 & 1); break;
    case FRAME_GRANT: num_field(t, b, e->granted += k & 7); num_field(t, b, e->total += k >> 3); num_field(t, b, 8 * e->total); break;
    case FRAME_RETURN: num_field(t, b, e->returned += k & 7); break;
    case FRAME_TAKEN: case FRAME_BUSY: case FRAME_WITHDRAWN: num_field(t, b, e->number += k & 1); break;
    case FRAME_WITHDRAW: num_field(t, b, e->number); break;
    case FRAME_SEAL: u8_field(t, b, k & 1 ? LEAT_GONE : LEAT_CLOSED); break;
    case FRAME_SEALED: case FRAME_FINISH: num_field(t, b, e->total); break;
    case FRAME_FLUSHED: num_field(t, b, e->total); num_field(t, b, 8 * e->total); break;
    default: break;
    }
}

static void fields(struct talker *t, struct buf *b, uint8_t kind, struct told *e, uint8_t arg)
{
    switch (kind) {
    case FRAME_TYPE:
        num_field(t, b, e->id);
        form_field(t, b, LATER + (arg >> 3 & 3));
        e->later = true;
        break;
    case FRAME_FORM: form_piece(t, b, arg & 7, arg >> 3 & 3); break;
    case FRAME_ATTACH:
        *e = (struct told){ .id = new_id(t) };
        num_field(t, b, e->id);
        u8_field(t, b, names[arg >> 3 & 7].sends);
        print_field(t, b, names[arg >> 3 & 7].type);
        text_field(t, b, names[arg >> 3 & 7].name);
        break;
    case FRAME_ELEM: element(t, b, e, arg); break;
    case FRAME_ATTACHED: attached(t, b, arg); break;
    case FRAME_OPEN: open_call(t, b, arg); break;
    case FRAME_RESULT: answer(t, b, arg); break;
    case FRAME_CANCEL: num_field(t, b, t->opens[arg & 7]); u8_field(t, b, arg >> 3); break;
    case FRAME_DONE: num_field(t, b, t->asked_calls[arg & 3]); break;
    case FRAME_PING: case FRAME_PONG: case FRAME_ACK: u64_field(t, b, 0); break;
    case FRAME_DEAD: u8_field(t, b, LEAT_LIMIT); text_field(t, b, "so\nlong"); break;
    case FRAME_BYE: break;
    default: numbers(t, b, kind, e, arg); break;
    }
}

/* u8 op: the kind of the frame from `kinds` (op & 31), 0x20: the flag more, 0x40: a yield after it, 0x80: a field is wrong, the one that
 * the next byte counts.  u8 arg: which end (3 bits) and what else the frame needs.  Kind 0: a pause of so many milliseconds; from 0xc0 on
 * TYPE, from 0xe0 on FORM. */
static bool step(struct talker *t)
{
    static const uint8_t kinds[32] = { 0, FRAME_ATTACH, FRAME_ELEM, FRAME_ELEM, FRAME_NEED, FRAME_RETURN, FRAME_WITHDRAW, FRAME_CLOSE,
        FRAME_SEALED, FRAME_FINISH, FRAME_FLUSH, FRAME_DROP, FRAME_GRANT, FRAME_NONE, FRAME_RECALL, FRAME_TAKEN, FRAME_BUSY,
        FRAME_WITHDRAWN, FRAME_SEAL, FRAME_FLUSHED, FRAME_ATTACHED, FRAME_OPEN, FRAME_RESULT, FRAME_CANCEL, FRAME_DONE, FRAME_PING,
        FRAME_PONG, FRAME_ACK,
        FRAME_INVITE, FRAME_TORN, FRAME_DEAD, FRAME_BYE };
    uint8_t op = fuzz_u8(&t->in), kind = kinds[op & 31];
    wrong = op & 0x80 ? fuzz_u8(&t->in) & 31 : -1;
    uint8_t arg = fuzz_u8(&t->in);
    if (kind == 0 && arg < 0xc0) {
        leat_ignore(leat_sleep(LEAT_MS(arg)));
        return true;
    }
    if (kind == 0)
        kind = arg < 0xe0 ? FRAME_TYPE : FRAME_FORM;
    struct buf b = { 0 };
    struct told *e = &t->end[arg & 7];
    uint8_t flags = op & 0x20 || (kind == FRAME_FORM && arg & 8) ? FRAME_MORE : 0;
    size_t at = peer_begin(&b, kind, flags, kind >= FRAME_FIRST_NUMBERED ? ++t->sent : 0);
    fields(t, &b, kind, e, arg);
    peer_end(&b, at);
    bool good = send(t, &b);
    if (op & 0x40)
        leat_yield();
    return good;
}

/* -- all of it ------------------------------------------------------------------------------------------------------------------ */
static void converse(struct talker *t, uint8_t how)
{
    for (int i = 0; i < STEPS_MAX && cur_left(&t->in); i++)
        if (!(structured ? step(t) : frame(t)))
            break;
    if (how & 2)
        return;
    struct buf b = { 0 };
    size_t at = peer_begin(&b, FRAME_BYE, 0, ++t->sent);
    peer_end(&b, at);
    (void)send(t, &b);
}

static void talk_over(struct talker *t, uint8_t how)
{
    leat_err err;
    leat_with_group(g, err) {
        FUZZ_CHECK(leat_go(&g, drain, t) == LEAT_OK);
        converse(t, how);
        if (how & 2)
            link_shutdown(t->l);
        leat_with_deadline(LEAT_S(60))               /* an end comes, whatever was said */
            FUZZ_CHECK(leat_group_wait(&g) == LEAT_OK);
        link_shutdown(t->l);
    }
    FUZZ_CHECK(err == LEAT_OK);
    buf_free(&t->got);
    link_close(t->l);
}

struct behind { struct link_listener *l; uint8_t how; };
static leat_err behind(struct behind *x)
{
    struct talker t = { .in = input, .dialer = false };
    struct buf b = { 0 };
    (void)fuzz_u8(&t.in);
    if (link_accept(x->l, &t.l) != LEAT_OK)
        return LEAT_OK;
    peer_welcome(&b, 77);
    (void)send(&t, &b);
    talk_over(&t, x->how);
    return LEAT_OK;
}

static leat_err dialed(void *arg)
{
    struct cur in = input;
    struct behind x = { .how = fuzz_u8(&in) };
    struct link_listen_opts o = { 0 };
    leat_peer *p = NULL;
    struct app a;
    leat_err err;
    (void)arg;
    FUZZ_CHECK(app_open(&a, "node a") == LEAT_OK);
    FUZZ_CHECK(link_listen("inproc:x", &o, &x.l) == LEAT_OK);
    leat_with_group(g, err) {
        FUZZ_CHECK(leat_go(&g, behind, x) == LEAT_OK);
        if (leat_node_dial(a.n, "inproc:x", &p) == LEAT_OK)
            FUZZ_CHECK(app_use(p) == LEAT_OK);
        app_close(&a);
    }
    FUZZ_CHECK(err == LEAT_OK);
    link_listener_close(x.l);
    return LEAT_OK;
}

static leat_err accepted(void *arg)
{
    struct talker t = { .in = input, .dialer = true };
    uint8_t how = fuzz_u8(&t.in);
    struct app a;
    struct buf b = { 0 };
    (void)arg;
    FUZZ_CHECK(app_open(&a, "node a") == LEAT_OK);
    FUZZ_CHECK(leat_node_listen(a.n, "inproc:a") == LEAT_OK);
    FUZZ_CHECK(link_dial("inproc:a", &t.l) == LEAT_OK);
    peer_hello(&b, 1, 77);
    (void)send(&t, &b);
    talk_over(&t, how);
    app_close(&a);
    return LEAT_OK;
}

static void run(const uint8_t *p, size_t n, bool with_structure)
{
    input = cur_of(p, n);
    structured = with_structure;
    fuzz_world(n && p[0] & 1 ? dialed : accepted, NULL, 0);
}

void fuzz_frames(const uint8_t *p, size_t n) { run(p, n, false); }
void fuzz_talk(const uint8_t *p, size_t n) { run(p, n, true); }
