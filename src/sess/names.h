/* names.h - channel ends that have a name: leat_export, leat_import. */
#ifndef SESS_NAMES_H
#define SESS_NAMES_H
#include "sess/sess.h"

enum { EXPORT_NAME_MAX = 255, EXPORT_BUCKETS = 1024 };         /* the table never grows: that would be under its lock.  Of 10,000 names
                                                      * 10 meet */
struct export {
    struct export *next;
    uint64_t hash;
    leat_chan_ *c;                                   /* a reference */
    const leat_type *type;
    bool sends;
    char name[EXPORT_NAME_MAX + 1];
};
struct exports {                                     /* node_slots(n)->exports */
    _Atomic uint32_t lock;
    uint64_t seed;                                   /* names may be what a peer has chosen */
    struct export *bucket[EXPORT_BUCKETS];           /* lock */
};

extern const struct sess_user netchan_user;          /* what boot/ gives to node_open (ends.c) */

leat_err names_node_open(leat_node *n);
void names_node_closing(leat_node *n);
void names_node_close(leat_node *n);
leat_err names_on_attach(struct sess *s, uint8_t flags, struct cur *in);
leat_err names_on_attached(struct sess *s, uint8_t flags, struct cur *in);
void names_lost(struct sess *s);                     /* the session has ended: imports that wait */
#endif
