/* err.h - the details of a failure belong to the task, not to the thread. */
#ifndef RUN_ERR_H
#define RUN_ERR_H
#include "leat.h"

struct task;
struct fault;

leat_err err_sys(int sys, const char *fmt, ...) LEAT_PRINTF_(2, 3);     /* LEAT_SYS with its errno; the text gets ": strerror" */
leat_err err_unknown(leat_err why, const char *fmt, ...) LEAT_PRINTF_(2, 3);
void err_node(const char *name, size_t n);           /* the last failure is of that peer */
const char *err_detail_of(leat_err e, char *node, size_t cap);         /* of e, if it was this task's last failure, and the peer or "" */
/* The last failure of this task is that of a value, v, whose words begin `before` bytes on in its text; done(v) when it is forgotten. */
void err_value(void *v, void (*done)(void *), size_t before);
void *err_value_of(leat_err e, size_t *before);      /* of e, if it was this task's last failure; NULL: it has none; borrowed */
void err_sent(const void *v);                        /* the last failure, UNKNOWN, is of the case of a select that sends *v */
bool err_known(leat_err e);                          /* it is one of those of leat.h; OK is one */
leat_err err_of(leat_err e);                         /* notes that this call of the task failed so, without a text of its own */
leat_err err_again(leat_err e);                      /* what a call within has failed with, and may have told */
leat_err err_last(void);                             /* the task's last failure, or OK */
struct fault *err_take(struct task *t, leat_err e);  /* moves the task's details of e out; may be NULL */
void err_give(struct task *t, struct fault *f, leat_err e);             /* and into a task; frees what was there */
void err_free(struct fault *f);
#endif
