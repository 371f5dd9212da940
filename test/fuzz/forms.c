/* forms.c - the fuzz target of canonical forms: valid or not, and what differs from ours, in words. */
#include <string.h>
#include "fuzz.h"
#include "base/limits.h"
#include "values.h"

/* The first byte says with which of ours it is compared; 0x80: ours with the rest laid over it from a place on. */
void fuzz_form(const uint8_t *p, size_t n)
{
    struct cur in = cur_of(p, n), mine;
    uint8_t how = fuzz_u8(&in);
    const leat_type *t = forms[how % FORMS];
    struct buf b = { 0 };
    char text[200];
    FUZZ_CHECK(type_form(t, &mine) == LEAT_OK);
    if (how & 0x80) {
        buf_put(&b, mine.p, cur_left(&mine));
        size_t at = (size_t)fuzz_u8(&in) << 8 | fuzz_u8(&in), k = cur_left(&in);
        at = b.len ? at % b.len : 0;
        if (k && at + k <= b.len)
            memcpy(b.p + at, in.p, k);
        else
            buf_put(&b, in.p, k);
    } else {
        buf_put(&b, in.p, cur_left(&in));
    }
    uint8_t *exact = malloc(b.len ? b.len : 1);      /* so that a checker sees a read past the end */
    FUZZ_CHECK(exact != NULL);
    if (b.len)
        memcpy(exact, b.p, b.len);
    struct cur theirs = cur_of(exact, b.len);
    fuzz_memory_start();
    bool valid = type_form_valid(theirs), same = b.len == cur_left(&mine) && memcmp(exact, mine.p, b.len) == 0;
    for (size_t cap = 1; cap <= sizeof text; cap = cap < 8 ? cap + 3 : cap * 5) {
        memset(text, 'x', sizeof text);
        bool differs = type_diff(t->name, mine, theirs, text, cap);
        FUZZ_CHECK(memchr(text, 0, cap) != NULL);
        FUZZ_CHECK(differs == !same);
        for (const char *c = text; *c; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ' && (unsigned char)*c < 127);
    }
    FUZZ_CHECK(valid || !same);
    FUZZ_MEMORY(0, 0);
    free(exact);
    buf_free(&b);
}
