/* relay.h - many processes' standard error as one: whole lines, each behind the number of its node.
 *
 * What a node writes is kept until its line is complete.  On a terminal the line that is not complete yet is shown too, and
 * redrawn below whatever else is said meanwhile: so a progress line that a node redraws with \r stays the last line.  A node
 * that draws its own bare terminal control besides \r is not understood, only passed on.
 * Nothing here reads or writes a descriptor: the launcher takes what `out` holds.  One thread. */
#ifndef TOOL_RELAY_H
#define TOOL_RELAY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RELAY_LINE_MAX = 8192,                           /* a longer line is broken into lines of this length */
    RELAY_OUT_HIGH = 256 * 1024,                     /* with so much unwritten, the launcher stops reading */
};

struct relay_line { char *text; uint32_t len; bool returned; };  /* returned: a \r has come, so what follows replaces the text */
struct relay {
    struct relay_line *at;                           /* one a node */
    char *out;                                       /* to be written, out_len bytes */
    size_t out_len, out_cap;
    uint32_t nodes;
    int shown;                                       /* the node whose unfinished line is on the terminal, or -1 */
    bool tty, colour;
};

bool relay_init(struct relay *r, uint32_t nodes, bool tty, bool colour);   /* false: no memory, and nothing to be done */
void relay_done(struct relay *r);
void relay_feed(struct relay *r, uint32_t node, const char *bytes, size_t len);
void relay_end(struct relay *r, uint32_t node);      /* the node says no more */
void relay_say(struct relay *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* a line of the launcher's own */
void relay_taken(struct relay *r, size_t len);       /* the first len bytes of out are written */
unsigned relay_columns(uint32_t nodes);              /* how wide the widest prefix is */
#endif
