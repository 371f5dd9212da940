/* names.h - channel ends that have a name: leat_export, leat_import. */
#ifndef SESS_NAMES_H
#define SESS_NAMES_H
#include "sess/sess.h"

extern const struct sess_user netchan_user;          /* what boot/ gives to node_open (ends.c) */

leat_err names_node_open(leat_node *n);
void names_node_closing(leat_node *n);
void names_node_close(leat_node *n);
leat_err names_on_attach(struct sess *s, uint8_t flags, struct cur *in);
leat_err names_on_attached(struct sess *s, uint8_t flags, struct cur *in);
void names_lost(struct sess *s);                     /* the session has ended: imports that wait */
#endif
