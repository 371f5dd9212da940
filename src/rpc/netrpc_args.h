/* netrpc_args.h - the arguments of a net/rpc call that were JSON: the text, its type, which is made up from it or was given as Go writes
 * types, and the value.  Three passes, a file each: netrpc_tree.c, netrpc_shape.c (or netrpc_gotype.c), netrpc_value.c.
 *
 * Law.  What is here belongs to one call and one task, and needs no lock: places in buffers are numbers, as the buffers move.  Only the
 * described types (netrpc_type_of) belong to the connection, whose stream knows them. */
#ifndef RPC_NETRPC_ARGS_H
#define RPC_NETRPC_ARGS_H
#include "rpc/netrpc.h"
#include "type/json_lex.h"

enum { NETRPC_DEPTH = 50 };                          /* values, or types, inside each other: the passes are recursive */

/* A value of the text.  bytes, uint: it was {"$base64": "..."} or {"$uint": n}, and is the string or the number. */
struct json_node {
    uint8_t kind;                                    /* enum json_token */
    bool bytes, uint;
    uint32_t next, child;                            /* 0: none; the root is node 1 */
    uint32_t at;                                     /* its place in the text; of a number: where its digits are */
    uint32_t text, len;                              /* of a string, in args.text; of a number: len alone */
    uint32_t key, key_len;                           /* of a member, in args.text */
};

/* A type.  ANY: nothing is known of it, as of a null.  FIELD: a member of a struct, whose type is `elem`. */
enum shape_kind { SHAPE_ANY, SHAPE_BOOL, SHAPE_INT, SHAPE_UINT, SHAPE_FLOAT, SHAPE_STRING, SHAPE_BYTES, SHAPE_TIME, SHAPE_SLICE,
    SHAPE_ARRAY, SHAPE_MAP, SHAPE_STRUCT, SHAPE_FIELD };
struct net_shape {
    enum shape_kind kind;
    uint8_t bits;                                    /* of a number; its value takes 8 bytes all the same */
    bool negative;                                   /* a number below 0 was among those that it was made up from */
    bool times;                                      /* a time is in it: it is not zero where nothing is */
    uint32_t elem, key;                              /* of a slice, an array, a map; of a map */
    uint32_t first, last, count;                     /* of the fields of a struct */
    uint32_t next, seen;                             /* of a field: the one behind it; the object that had it last */
    uint32_t name, name_len;                         /* of a field, in args.text: as in Go, with a NUL behind it */
    uint32_t len;                                    /* of an array */
    uint32_t offset, there;                          /* of a field: its place, and that of the byte that says whether it was given */
    uint32_t size;                                   /* of all others: bytes of a value here */
};

struct netrpc_block { struct netrpc_block *next; uint64_t data[]; };

struct netrpc_args {
    struct json_lex lex;
    struct buf nodes, text, shapes;                  /* entry 0 of nodes and shapes is none */
    struct netrpc_block *blocks;                     /* the memory of the value */
    size_t taken;                                    /* and its bytes */
    uint32_t root, shape, depth;
    bool given;                                      /* the type was: the text must keep to it */
    void *value;
};

static inline struct json_node *args_node(struct netrpc_args *a, uint32_t i) { return (struct json_node *)(void *)a->nodes.p + i; }
static inline struct net_shape *args_shape(struct netrpc_args *a, uint32_t i) { return (struct net_shape *)(void *)a->shapes.p + i; }

enum { ARGS_SLOT = 8 };
static inline uint64_t args_slots(uint64_t bytes) { return (bytes + ARGS_SLOT - 1) / ARGS_SLOT * ARGS_SLOT; }
/* What a map has for each key: both, each from a slot on */
static inline uint32_t args_entry(const struct net_shape *key, const struct net_shape *elem)
{
    return (uint32_t)(args_slots(key->size) + args_slots(elem->size));
}

leat_err netrpc_bad(leat_err e, size_t at, const char *why);                      /* e, with "JSON, byte AT: WHY" as its detail */

/* type NULL: it is made up from the text.  INVAL, LIMIT, NOMEM: the detail says where in which text.  netrpc_args_free in any case. */
LEAT_CHECK leat_err netrpc_args_read(struct netrpc_args *a, const char *type, const char *json);
void netrpc_args_free(struct netrpc_args *a);
LEAT_CHECK leat_err netrpc_put_args(struct netrpc *s, void *args);                /* a netrpc_body_fn.  Under s->lock */

LEAT_CHECK leat_err netrpc_tree(struct netrpc_args *a);                           /* the text, to a->nodes */
uint32_t netrpc_shape_new(struct netrpc_args *a, enum shape_kind kind, unsigned bits);      /* 0: no memory */
/* The field of that name of a struct; `after`: where the search begins, a field or 0.  0: there is none */
uint32_t netrpc_field(struct netrpc_args *a, uint32_t shape, uint32_t after, const char *name, size_t n);
LEAT_CHECK leat_err netrpc_field_add(struct netrpc_args *a, uint32_t shape, const char *name, size_t n, uint32_t type, uint32_t *ret);
/* A key of JSON as a field of Go, in room: one that begins with a small letter is as a member of C. */
size_t netrpc_field_name(char room[256], const char **name, size_t n);
LEAT_CHECK leat_err netrpc_infer(struct netrpc_args *a, uint32_t *ret);           /* a shape for the tree */
LEAT_CHECK leat_err netrpc_go_type(struct netrpc_args *a, const char *text, uint32_t *ret);          /* the shape that the text says */
LEAT_CHECK leat_err netrpc_layout(struct netrpc_args *a, uint32_t shape);         /* sizes and places.  LIMIT */
LEAT_CHECK leat_err netrpc_value(struct netrpc_args *a);                          /* the tree as a value of a->shape, to a->value */
const leat_type *netrpc_type_of(struct netrpc *s, struct netrpc_args *a, uint32_t shape);   /* NULL: no memory.  Under s->lock */
#endif
