/* lines.h - a task that reads files and sends their lines in batches.  It belongs to wordcount. */
#ifndef LINES_H
#define LINES_H
#include "leat.h"

enum {
    LINES_BATCH = 16 << 10,                          /* bytes; a batch ends behind a line, so it may have somewhat more */
    LINES_HUGE = 1 << 20,                            /* a batch of more bytes than that is one word, or nearly */
};

LEAT_STRUCT(lines, (string, text), (uint32, count)); /* whole lines, owned, and how many */
struct lines_reader { char **files; leat_tx(struct lines) out, huge; };    /* files ends with NULL */

/* The files' bytes in one row, as cat gives them.  No batch ends within a word: one without a newline ends behind another byte
 * that is no letter; one of more than LINES_HUGE goes to `huge`.  Closes `out` in the end.  SYS: the detail names the file. */
leat_err lines_read(struct lines_reader *r);
#endif
