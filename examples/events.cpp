/* events - the other half of pipeline.c, in C++: structs are described with the same words, and are the same type.
 *   pipeline take unix:/tmp/events &      (in C) prints events as they come
 *   events unix:/tmp/events               makes a thousand of them, and prints the last one as JSON */
#include <cstdio>
#include <string>
#include "leat.h"

LEAT_ENUM(level, (info, 0), (warning, 1));
LEAT_STRUCT(event, (uint64, number), (enum(level), level), (string, text));

struct args { const char *url; };

static leat_err make(args *a)
{
    leat_auto_node leat_node *node = nullptr;
    leat_auto leat_tx(event) events = nullptr;
    leat_peer *taker;
    const std::string text = "tick";                 // a string may borrow: the bytes are the sender's for as long as they are read
    event e = {};
    leat_string json;
    LEAT_TRY(leat_node_open(nullptr, &node));
    LEAT_TRY(leat_node_dial(node, a->url, &taker));
    LEAT_TRY(leat_import(taker, "events", &events, event, 8));
    for (e.number = 0; e.number < 1000; e.number++) {
        e.level = e.number % 100 == 99 ? warning : info;
        e.text = leat_string_view(text.data(), uint32_t(text.size()));
        LEAT_TRY(leat_send(events, e));
    }
    leat_close(events);
    LEAT_TRY(leat_json_write(event, &e, &json));
    std::printf("%.*s\n", int(json.len), json.p);
    leat_string_drop(&json);
    return LEAT_OK;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: events URL\n"), 2;
    leat_err err = leat_run(nullptr, make, args{ argv[1] });
    if (err != LEAT_OK)
        fprintf(stderr, "events: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
