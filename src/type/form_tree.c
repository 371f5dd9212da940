/* form_tree.c - a form read once.  See form_tree.h. */
#include "type/form_tree.h"
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "type/form.h"

struct reader { struct form_tree *t; struct cur in; uint32_t open[LIMIT_TYPE_DEPTH], opened; };

void form_tree_free(struct form_tree *t)
{
    buf_free(&t->nodes);
    buf_free(&t->members);
}

static struct form_node *node_at(struct reader *r, uint32_t i) { return (struct form_node *)(void *)r->t->nodes.p + i; }

static int by_number(const void *a, const void *b)
{
    const struct form_member *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);            /* both lie in one form */
}

static leat_err read_type(struct reader *r, uint32_t *ret);

static leat_err read_members(struct reader *r, uint32_t i, uint32_t count)
{
    uint32_t first = (uint32_t)(r->t->members.len / sizeof(struct form_member));
    node_at(r, i)->first = first;
    node_at(r, i)->count = count;
    if (count > 0 && !buf_add(&r->t->members, count * sizeof(struct form_member)))
        return LEAT_NOMEM;
    for (uint32_t k = 0; k < count; k++) {
        size_t len;
        struct form_member m = { .name = cur_text(&r->in, &len) };
        m.len = (uint32_t)len;
        m.number = (int32_t)form_unzigzag(cur_varint(&r->in));
        if (node_at(r, i)->kind != LEAT_K_ENUM_)
            LEAT_TRY(read_type(r, &m.type));
        ((struct form_member *)(void *)r->t->members.p)[first + k] = m;
    }
    if (count > 0 && node_at(r, i)->kind == LEAT_K_ENUM_)
        qsort((struct form_member *)(void *)r->t->members.p + first, count, sizeof(struct form_member), by_number);
    return LEAT_OK;
}

static leat_err read_inside(struct reader *r, uint32_t i, unsigned kind)
{
    uint32_t inner;
    switch (kind) {
    case LEAT_K_STRUCT_: case LEAT_K_ENUM_: case LEAT_K_ONEOF_: {
        uint64_t count = cur_varint(&r->in);         /* the form is valid: so many are there */
        r->open[r->opened++] = i;
        LEAT_TRY(read_members(r, i, (uint32_t)count));
        r->opened--;
        return LEAT_OK;
    }
    case LEAT_K_OPTIONAL_: case LEAT_K_LIST_: case LEAT_K_MAP_: case LEAT_K_TX_: case LEAT_K_RX_:
        LEAT_TRY(read_type(r, &inner));
        node_at(r, i)->inner = inner;
        return LEAT_OK;
    case LEAT_K_CHARS_: case LEAT_K_ARRAY_:
        node_at(r, i)->count = (uint32_t)MIN(cur_varint(&r->in), (uint64_t)UINT32_MAX);
        break;
    default:
        break;
    }
    if (kind == LEAT_K_ARRAY_)
        node_at(r, i)->number = cur_u8(&r->in);
    if (kind == LEAT_K_ARRAY_ || kind == LEAT_K_INT_ || kind == LEAT_K_UINT_ || kind == LEAT_K_FLOAT_)
        node_at(r, i)->size = cur_u8(&r->in);
    return LEAT_OK;
}

static leat_err read_type(struct reader *r, uint32_t *ret)
{
    struct form_node n = { .kind = cur_u8(&r->in) };
    if (n.kind == LEAT_K_STRUCT_ || n.kind == LEAT_K_ENUM_ || n.kind == LEAT_K_ONEOF_) {
        uint64_t up = cur_varint(&r->in);
        if (up > 0) {
            *ret = r->open[r->opened - up];
            return LEAT_OK;
        }
    }
    *ret = (uint32_t)(r->t->nodes.len / sizeof n);
    buf_put(&r->t->nodes, &n, sizeof n);
    LEAT_TRY(buf_err(&r->t->nodes));
    return read_inside(r, *ret, n.kind);
}

leat_err form_tree_make(struct form_tree *t, struct cur form)
{
    struct reader r = { .t = t, .in = form };
    uint32_t root;
    *t = (struct form_tree){ .nodes = { 0 } };
    cur_u8(&r.in);                                   /* the version of the grammar */
    return read_type(&r, &root);
}

const struct form_member *form_enumerator(const struct form_tree *t, const struct form_node *n, int32_t number, uint64_t *steps)
{
    uint32_t low = 0, high = n->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        ++*steps;
        if (form_member(t, n, mid)->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n->count && form_member(t, n, low)->number == number ? form_member(t, n, low) : NULL;
}
