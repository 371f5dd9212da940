/* words.h - the words of a text, and a table that counts them.  It belongs to wordcount and knows nothing of tasks.
 * A word is a run of ASCII letters, as long as possible, in lower case. */
#ifndef WORDS_H
#define WORDS_H
#include "leat.h"

struct words_slot { leat_string text; uint64_t times; uint32_t hash; };           /* text.p NULL: free */
struct words { struct words_slot *at; size_t len, cap; };                         /* {0} is empty */

bool words_next(leat_string *rest, leat_string *ret);          /* cuts the next run of letters off rest; false: there is none */
bool words_add(struct words *w, leat_string word, uint64_t times);                /* copies; false: no memory */
bool words_pop(struct words *w, leat_string *ret, uint64_t *ret_times);           /* takes any word out, owned; false: empty */
/* The n words that come most often, then by word; they still belong to the table.  Returns how many there are. */
size_t words_top(const struct words *w, size_t n, struct words_slot *ret);
void words_free(struct words *w);
#endif
