/* relay.c - see relay.h. */
#include "tool/relay.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERASE "\r\033[K"

bool relay_init(struct relay *r, uint32_t nodes, bool tty, bool colour)
{
    *r = (struct relay){ .nodes = nodes, .shown = -1, .tty = tty, .colour = colour };
    r->at = calloc(nodes, sizeof *r->at);
    for (uint32_t i = 0; r->at && i < nodes; i++)
        if (!(r->at[i].text = malloc(RELAY_LINE_MAX))) {
            relay_done(r);
            return false;
        }
    return r->at != NULL;
}

void relay_done(struct relay *r)
{
    for (uint32_t i = 0; r->at && i < r->nodes; i++)
        free(r->at[i].text);
    free(r->at);
    free(r->out);
    *r = (struct relay){ .shown = -1 };
}

unsigned relay_columns(uint32_t nodes)
{
    return (unsigned)snprintf(NULL, 0, "[%u] ", nodes - 1);
}

/* Diagnostics that do not fit into memory are dropped: the nodes' own work is worth more. */
static void put(struct relay *r, const char *text, size_t len)
{
    if (r->out_cap - r->out_len < len) {
        size_t cap = (r->out_len + len) * 2 + 1024;
        char *more = realloc(r->out, cap);
        if (!more)
            return;
        r->out = more;
        r->out_cap = cap;
    }
    memcpy(r->out + r->out_len, text, len);
    r->out_len += len;
}

static void put_prefix(struct relay *r, uint32_t node)
{
    char text[40];
    int n = r->colour ? snprintf(text, sizeof text, "\033[3%um[%u]\033[0m ", 1 + node % 6, node)
                      : snprintf(text, sizeof text, "[%u] ", node);
    put(r, text, (size_t)n);
}

static void hide(struct relay *r)
{
    if (r->shown >= 0)
        put(r, ERASE, sizeof ERASE - 1);
    r->shown = -1;
}

/* On a terminal: the text of a line as it is to be drawn, without an order to erase the line, which it does not need. */
static const char *visible(const struct relay *r, const struct relay_line *l, size_t *ret_len)
{
    static const char *const erase[] = { "\033[K", "\033[0K", "\033[2K" };
    for (size_t i = 0; r->tty && i < sizeof erase / sizeof *erase; i++) {
        size_t n = strlen(erase[i]);
        if (l->len >= n && memcmp(l->text, erase[i], n) == 0) {
            *ret_len = l->len - n;
            return l->text + n;
        }
    }
    *ret_len = l->len;
    return l->text;
}

static void show(struct relay *r, uint32_t node)
{
    size_t len;
    const char *text = visible(r, &r->at[node], &len);
    if (!r->tty || len == 0)
        return;
    put_prefix(r, node);
    put(r, text, len);
    r->shown = (int)node;
}

static void finish_line(struct relay *r, uint32_t node)
{
    size_t len;
    const char *text = visible(r, &r->at[node], &len);
    put_prefix(r, node);
    put(r, text, len);
    put(r, "\n", 1);
    r->at[node].len = 0;
    r->at[node].returned = false;
}

/* A byte of the node's line.  \r\n ends a line like \n; a \r alone means on a terminal that the line is written again. */
static void feed_byte(struct relay *r, uint32_t node, char c)
{
    struct relay_line *l = &r->at[node];
    if (c == '\n') {
        finish_line(r, node);
        return;
    }
    if (c == '\r' && r->tty) {
        l->returned = true;
        return;
    }
    if (l->returned)
        l->len = 0;
    l->returned = false;
    if (l->len == RELAY_LINE_MAX)
        finish_line(r, node);
    l->text[l->len++] = c;
}

void relay_feed(struct relay *r, uint32_t node, const char *bytes, size_t len)
{
    int shown = r->shown;
    hide(r);
    for (size_t i = 0; i < len; i++)
        feed_byte(r, node, bytes[i]);
    if (r->at[node].len > 0)
        show(r, node);
    else if (shown >= 0 && r->at[shown].len > 0)
        show(r, (uint32_t)shown);
}

void relay_end(struct relay *r, uint32_t node)
{
    size_t len;
    visible(r, &r->at[node], &len);
    if (len == 0)
        return;
    hide(r);
    finish_line(r, node);
}

void relay_say(struct relay *r, const char *fmt, ...)
{
    char text[1024];
    va_list a;
    va_start(a, fmt);
    int n = vsnprintf(text, sizeof text, fmt, a);
    va_end(a);
    int shown = r->shown;
    hide(r);
    put(r, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    put(r, "\n", 1);
    if (shown >= 0)
        show(r, (uint32_t)shown);
}

void relay_taken(struct relay *r, size_t len)
{
    memmove(r->out, r->out + len, r->out_len - len);
    r->out_len -= len;
}
