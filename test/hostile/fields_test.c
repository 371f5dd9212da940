/* fields_test.c - every field of every frame that a peer may send, at the values where things break, and frames at the wrong time.
 *
 * Whatever it is, the node goes on, a good pair beside it does not notice, no more memory is taken than 64 bytes for each byte received,
 * and when the session ends the peer is told which frame it was. */
#include "villain.h"

/* -- frames as tables ------------------------------------------------------------------------------------------------------------ */
enum field { END_, V, B1, B4, B8, P, T, F, REST };   /* varint, u8, u32, u64, fingerprint of num, text, form of num, bytes of a num */
struct value { enum field as; uint64_t n; const char *text; };
struct frame { uint8_t kind; const char *about, *first; struct value at[14]; };      /* first: what is said before it, see prelude */

#define ID      { V, 3, NULL }
#define NUM(x)  { V, x, NULL }
#define U8(x)   { B1, x, NULL }
#define U32(x)  { B4, x, NULL }
#define U64(x)  { B8, x, NULL }
#define PRINT   { P, 0, NULL }
#define TEXT(x) { T, 0, x }
#define FORM    { F, 0, NULL }
#define VALUE   { REST, 0, NULL }
static const struct frame frames[] = {
    { FRAME_ACK, "ACK", "", { U64(0) } },
    { FRAME_PING, "PING", "", { U64(0) } },
    { FRAME_PONG, "PONG", "", { U64(0) } },
    { FRAME_DEAD, "DEAD", "", { U8(9), TEXT("so long") } },
    { FRAME_ATTACH, "ATTACH", "", { ID, U8(1), PRINT, TEXT("b") } },
    { FRAME_ATTACHED, "ATTACHED", "", { ID, U8(0), U32(4) } },
    { FRAME_ATTACHED, "ATTACHED (refused)", "", { ID, U8(8), TEXT("no"), TEXT("") } },
    { FRAME_DROP, "DROP", "b", { ID } },
    { FRAME_NEED, "NEED", "b", { ID, NUM(2), NUM(0), U8(0) } },
    { FRAME_RETURN, "RETURN", "bn", { ID, NUM(1) } },
    { FRAME_ELEM, "ELEM whole", "bn", { ID, U8(0), NUM(8), VALUE } },
    { FRAME_ELEM, "ELEM piece", "bn", { ID, U8(1), VALUE } },
    { FRAME_ELEM, "ELEM firm", "u", { ID, U8(2), NUM(1), VALUE } },
    { FRAME_ELEM, "ELEM soft", "w", { ID, U8(3), NUM(1), VALUE } },
    { FRAME_WITHDRAW, "WITHDRAW", "wf", { ID, NUM(1) } },
    { FRAME_CLOSE, "CLOSE", "b", { ID } },
    { FRAME_SEALED, "SEALED", "b", { ID, NUM(0) } },
    { FRAME_FINISH, "FINISH", "b", { ID, NUM(0) } },
    { FRAME_FLUSH, "FLUSH", "b", { ID } },
    { FRAME_GRANT, "GRANT", "r", { ID, NUM(4), NUM(2), NUM(16) } },
    { FRAME_NONE, "NONE", "r", { ID } },
    { FRAME_RECALL, "RECALL", "r", { ID } },
    { FRAME_TAKEN, "TAKEN", "q", { ID, NUM(1) } },
    { FRAME_BUSY, "BUSY", "q", { ID, NUM(1) } },
    { FRAME_WITHDRAWN, "WITHDRAWN", "q", { ID, NUM(1) } },
    { FRAME_SEAL, "SEAL", "r", { ID, U8(LEAT_CLOSED) } },
    { FRAME_FLUSHED, "FLUSHED", "r", { ID, NUM(2), NUM(16) } },
    { FRAME_OPEN, "OPEN", "", { ID, U8(0), TEXT("calc.twice"), U64(1000000), PRINT, PRINT, NUM(8), VALUE } },
    { FRAME_RESULT, "RESULT", "", { ID, U8(0), U8(0), TEXT(""), TEXT(""), VALUE } },
    { FRAME_CANCEL, "CANCEL", "o", { ID, U8(3) } },
    { FRAME_DONE, "DONE", "", { ID } },
    { FRAME_TORN, "TORN", "b", { ID, TEXT("x") } },
    { FRAME_INVITE, "INVITE", "q", { ID } },
    { FRAME_ELEM, "ELEM of a select", "u", { ID, U8(4), NUM(1), PRINT, NUM(1), VALUE } },
    { FRAME_ELEM, "ELEM with a send end", "en", { ID, U8(1), U8(0), U8(1), U8(0), NUM(5), PRINT, U32(4), NUM(0), U8(0) } },
    { FRAME_ELEM, "ELEM with a receive end", "en",
        { ID, U8(1), U8(0), U8(0), U8(1), U8(5), NUM(5), PRINT, U32(4), NUM(0), U8(1), TEXT("x") } },
    { FRAME_SEAL, "SEAL of a home that is lost", "r", { ID, U8(LEAT_PEER_LOST), U8(1), NUM(2), NUM(16), TEXT("x") } },
    { FRAME_ATTACHED, "ATTACHED with a way", "", { ID, U8(0), U32(4), U8(1), TEXT("x") } },
    { FRAME_OPEN, "OPEN of a deal", "", { ID, U8(2), TEXT("calc.twice"), U64(1000000), PRINT, PRINT, NUM(8), NUM(1), NUM(1), VALUE } },
    { FRAME_OPEN, "OPEN with a key", "", { ID, U8(4), TEXT("calc.twice"), U64(1000000), PRINT, PRINT, NUM(8), TEXT("key"), VALUE } },
    { FRAME_OPEN, "OPEN with a form", "", { ID, U8(8), TEXT("calc.twice"), U64(1000000), PRINT, PRINT, NUM(8), FORM, VALUE } },
    { FRAME_RESULT, "RESULT of another type", "", { ID, U8(LEAT_TYPE), U8(0), TEXT("argument"), FORM } },
    { FRAME_TYPE, "TYPE", "b", { ID, FORM } },
    { FRAME_FORM, "FORM", "", { VALUE } },
    { FRAME_TYPE, "TYPE (its form goes before)", "bF", { ID, NUM(1), U8(0) } },
};
static const uint64_t edges[] = { 0, 1, 2, 127, 128, 255, 256, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX,
    (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };
enum { EDGES = ARRAY_LEN(edges), MALFORMED = 3 };    /* and: cut before the field, a varint of 11 bytes, bytes too many */

/* v, where it is not v.n or v.text but `edge` */
static void put_edge(struct buf *b, const struct value *v, uint64_t edge)
{
    switch (v->as) {
    case V: buf_varint(b, edge); break;
    case B1: buf_u8(b, (uint8_t)edge); break;
    case B4: buf_u32(b, (uint32_t)edge); break;
    case B8: buf_u64(b, edge); break;
    case P: buf_u64(b, edge); buf_u64(b, edge); break;
    case T: case F: buf_varint(b, edge); buf_put(b, "0123456789", MIN(edge, (uint64_t)10)); break;
    case REST: for (uint64_t i = 0; i < MIN(edge, (uint64_t)300); i++) buf_u8(b, 7); break;
    default: break;
    }
}

static void put_good(struct buf *b, const struct value *v)
{
    struct cur form;
    if (v->as == F) {
        CHECK_EQ(type_form(&num_type, &form), LEAT_OK);
        buf_text(b, (const char *)form.p, cur_left(&form));
    } else if (v->as == P)
        put_print(b, &num_type);
    else if (v->as == T)
        buf_text(b, v->text, strlen(v->text));
    else
        put_edge(b, v, v->as == REST ? 8 : v->n);
}

/* The fields of f, of which number `which` is wrong in the way `how`. */
static void put_fields(struct buf *b, const struct frame *f, int which, int how)
{
    for (int i = 0; f->at[i].as; i++) {
        if (i != which) {
            put_good(b, &f->at[i]);
        } else if (how < EDGES) {
            put_edge(b, &f->at[i], edges[how]);
        } else if (how == EDGES) {
            return;
        } else if (how == EDGES + 1) {
            buf_put(b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
        } else {
            put_good(b, &f->at[i]);
            buf_put(b, "????", 4);
        }
    }
}

/* -- what is said before ------------------------------------------------------------------------------------------------------- */
static void numbers(struct villain *v, uint8_t kind, const char *bytes, size_t n)
{
    struct buf b = { 0 };
    buf_put(&b, bytes, n);
    villain_say(v, kind, 0, &b);
    buf_free(&b);
}

/* b, e, u, w, r, q: imports what has this name; n: needs and gets credits; f: a firm offer; o: a call that naps. */
static void prelude(struct villain *v, const char *first)
{
    for (; *first; first++) {
        if (*first == 'n')
            numbers(v, FRAME_NEED, "\3\2\0\0", 4);
        else if (*first == 'f')
            numbers(v, FRAME_ELEM, "\3\2\1\0\0\0\0\0\0\0\0", 11);
        else if (*first == 'o') {
            struct buf b = { 0 };
            buf_varint(&b, 3);
            buf_u8(&b, 0);
            buf_text(&b, "calc.nap", 8);
            buf_u64(&b, UINT64_MAX);
            put_print(&b, &num_type);
            put_print(&b, &num_type);
            buf_varint(&b, 8);
            buf_u64(&b, 4000);
            villain_say(v, FRAME_OPEN, 0, &b);
            buf_free(&b);
        } else if (*first == 'F') {
            struct buf b = { 0 };
            struct cur form;
            CHECK_EQ(type_form(&num_type, &form), LEAT_OK);
            buf_put(&b, form.p, cur_left(&form));
            villain_say(v, FRAME_FORM, 0, &b);
            buf_free(&b);
        } else {
            villain_attach(v, 3, *first == 'e' ? &pass_type : &num_type, (char[]){ *first, 0 }, *first != 'r' && *first != 'q');
        }
        settle();
    }
}

/* A receive end goes to one importer: who attaches one needs a new stage. */
static void renew(struct stage *s, const char *first)
{
    if (!strpbrk(first, "rq"))
        return;
    stage_close(s);
    stage_open(s);
}

/* -- one after another ------------------------------------------------------------------------------------------------------------ */
static const char *word_of(uint8_t kind)
{
    const char *name = frame_name(kind);
    return name ? name : "0x";
}

static void one(struct stage *s, const struct frame *f, int which, int how)
{
    struct villain v;
    struct buf b = { 0 };
    renew(s, f->first);
    villain_open(&v, "inproc:a", false);
    prelude(&v, f->first);
    CHECK(!villain_ended(&v));
    put_fields(&b, f, which, how);
    fuzz_memory_start();
    villain_say(&v, f->kind, 0, &b);
    settle();
    /* a receive end brings a channel, whose buffer has its own limit */
    if (fuzz_memory() > 64 * b.len + (64 << 10) + (strcmp(f->about, "ELEM with a receive end") == 0 ? LIMIT_HOME_BYTES : 0))
        t_fail(__FILE__, __LINE__, "%s, field %d, %d: %zu bytes of memory", f->about, which, how, fuzz_memory());
    if (villain_ended(&v) && f->kind != FRAME_DEAD) {
        CHECK_HAS(v.dead, word_of(f->kind));
        CHECK(strchr(v.dead, '\n') == NULL);
    }
    villain_close(&v);
    buf_free(&b);
    if (which == 0)
        stage_good(s);
}

static leat_err every_field(void *none)
{
    struct stage s;
    (void)none;
    stage_open(&s);
    for (size_t k = 0; k < ARRAY_LEN(frames); k++)
        for (int which = 0; frames[k].at[which].as; which++)
            for (int how = 0; how < EDGES + MALFORMED; how++)
                one(&s, &frames[k], which, how);
    stage_close(&s);
    return LEAT_OK;
}
IN_WORLD(every_field_of_every_frame_at_its_edges_harms_nobody, every_field)

/* The good ones are good: else the table would test nothing. */
static leat_err table_is_good(void *none)
{
    struct stage s;
    (void)none;
    stage_open(&s);
    for (size_t k = 0; k < ARRAY_LEN(frames); k++) {
        const struct frame *f = &frames[k];
        if (strchr("\3\61\x61\x63\x43\x45\x4a\x33\x41", f->kind))    /* they are answers, or nothing that may come now */
            continue;
        struct villain v;
        struct buf b = { 0 };
        renew(&s, f->first);
        villain_open(&v, "inproc:a", false);
        prelude(&v, f->first);
        put_fields(&b, f, -1, 0);
        villain_say(&v, f->kind, 0, &b);
        settle();
        if (villain_ended(&v))
            t_fail(__FILE__, __LINE__, "%s: %s", f->about, v.dead);
        villain_close(&v);
        buf_free(&b);
    }
    stage_close(&s);
    return LEAT_OK;
}
IN_WORLD(what_the_table_of_frames_calls_good_is_taken, table_is_good)

/* -- at the wrong time --------------------------------------------------------------------------------------------------------------- */
static const struct { const char *about, *first, *then; size_t n; uint8_t kind; bool again; const char *said; } wrong[] = {
    { "an element without a credit", "b", "\3\0\x8\0\0\0\0\0\0\0\0", 11, FRAME_ELEM, false, "ELEM" },
    { "a piece without a credit", "b", "\3\1\0\0\0\0\0\0\0\0", 10, FRAME_ELEM, false, "without a credit" },
    { "SEALED before SEAL", "b", "\3\0", 2, FRAME_SEALED, false, "SEALED" },
    { "FINISH twice", "b", "\3\0", 2, FRAME_FINISH, true, "FINISH" },
    { "DROP twice", "b", "\3", 1, FRAME_DROP, true, NULL },
    { "FINISH with another count", "b", "\3\7", 2, FRAME_FINISH, false, "FINISH" },
    { "RETURN of what it does not have", "b", "\3\1", 2, FRAME_RETURN, false, "RETURN" },
    { "a firm offer twice", "wf", "\3\2\2\0\0\0\0\0\0\0\0", 11, FRAME_ELEM, false, "ELEM" },
    { "BUSY for an offer that waits", "q", "\3\1", 2, FRAME_BUSY, false, "BUSY" },
    { "WITHDRAWN for an offer that was not withdrawn", "q", "\3\1", 2, FRAME_WITHDRAWN, false, "WITHDRAWN" },
    { "TAKEN for an offer that does not exist", "q", "\3\77", 2, FRAME_TAKEN, false, NULL },
    { "INVITE to a buffered channel", "r", "\3", 1, FRAME_INVITE, false, "INVITE" },
    { "SEAL twice", "r", "\3\1", 2, FRAME_SEAL, true, "SEAL" },
    { "SEAL that says something else", "r", "\3\7", 2, FRAME_SEAL, false, "SEAL" },
    { "more accepted than was sent", "r", "\3\4\77\20", 4, FRAME_GRANT, false, "GRANT" },
    { "more bytes accepted than were sent", "r", "\3\4\2\xff\x7f", 5, FRAME_GRANT, false, "GRANT" },
    { "totals that go back", "r", "\3\3\1\10", 4, FRAME_GRANT, false, "GRANT" },
    { "RESULT that nobody asked for", "", "\3\0\0\0\0", 5, FRAME_RESULT, false, "RESULT" },
    { "DONE that nobody asked for", "", "\3", 1, FRAME_DONE, false, "DONE" },
    { "ATTACHED that nobody asked for", "", "\3\0\4\0\0\0", 6, FRAME_ATTACHED, false, "ATTACHED" },
    { "CANCEL of nothing", "", "\x3f\3", 2, FRAME_CANCEL, false, NULL },
    { "a frame of the other side", "b", "\3\4\0\0", 4, FRAME_GRANT, false, "wrong side" },
    { "a frame for the home from the home", "r", "\3\0", 2, FRAME_FINISH, false, "wrong side" },
    { "TYPE twice", "b", "\3\x9\1\xa\0\1\1n\0\3\4", 11, FRAME_TYPE, true, "TYPE" },
    { "TYPE after a need", "bn", "\3\x9\1\xa\0\1\1n\0\3\4", 11, FRAME_TYPE, false, NULL },
    { "TYPE that does not fit", "b", "\3\x8\1\xa\0\1\1n\0\5", 10, FRAME_TYPE, false, "field num.n: int64 here, string there" },
    { "TYPE that is none", "b", "\3\3\1\xa\0", 5, FRAME_TYPE, false, "not a description" },
    { "TYPE of a form that went before", "bF", "\3\1", 3, FRAME_TYPE, false, NULL },
    { "TYPE of a form that did not go before", "b", "\3\1", 3, FRAME_TYPE, false, "TYPE" },
    { "TYPE twice, of one form that went before", "bF", "\3\1", 3, FRAME_TYPE, true, "TYPE" },
    { "TYPE for a site", "r", "\3\x9\1\xa\0\1\1n\0\3\4", 11, FRAME_TYPE, false, "wrong side" },
    { "HELLO in a session", "", "12345678", 8, FRAME_HELLO, false, "HELLO" },
    { "a kind that does not exist", "", "x", 1, 0x7f, false, "0x7f" },
    { "a kind that is kept free", "", "x", 1, 0xff, false, "0xff" },
};

static leat_err at_the_wrong_time(void *none)
{
    struct stage s;
    (void)none;
    stage_open(&s);
    for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
        struct villain v;
        renew(&s, wrong[k].first);
        villain_open(&v, "inproc:a", false);
        prelude(&v, wrong[k].first);
        for (int i = 0; i <= wrong[k].again; i++)
            numbers(&v, wrong[k].kind, wrong[k].then, wrong[k].n);
        settle();
        if (villain_ended(&v) != (wrong[k].said != NULL) || (wrong[k].said && !strstr(v.dead, wrong[k].said)))
            t_fail(__FILE__, __LINE__, "%s: %s, \"%s\"", wrong[k].about, villain_ended(&v) ? "it has ended" : "it goes on", v.dead);
        villain_close(&v);
        stage_good(&s);
    }
    stage_close(&s);
    return LEAT_OK;
}
IN_WORLD(a_frame_at_the_wrong_time_ends_its_session_and_no_other, at_the_wrong_time)

T_MAIN()
