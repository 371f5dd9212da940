/* run_cmd.c - `leat run`: reads its flags and launches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool/launch.h"
#include "tool/tool.h"

static const char help_text[] =
    "leat run -n N [--link unix|tcp] -- PROGRAM ARGS...\n"
    "\n"
    "Starts PROGRAM on N nodes of this host (1 to 256), which find each other through the environment: see docs/launch.md.\n"
    "Node 0 keeps the terminal; the others serve until it ends.  Each node's standard error is prefixed by its number.\n"
    "\n"
    "  -n N           how many nodes\n"
    "  --link LINK    how they reach each other: unix (sockets in a directory of your own, the default) or tcp (127.0.0.1)\n"
    "\n"
    "^C, SIGTERM, SIGHUP and the end of node 0 end all of them.\n"
    "Exit code: node 0's (128 + the signal if one killed it); 130 after ^C; 2 wrong arguments, or PROGRAM cannot be started.\n";

static int parse_count(const char *text, uint32_t *ret)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end)
        return usage_error("-n '%s': not a number; give the number of nodes, from 1 to %d", text, LAUNCH_NODES_MAX);
    if (n < 1 || n > LAUNCH_NODES_MAX)
        return usage_error("-n %s: a launch has from 1 to %d nodes; give a number in that range", text, LAUNCH_NODES_MAX);
    *ret = (uint32_t)n;
    return 0;
}

static int parse_link(const char *text, bool *ret)
{
    if (strcmp(text, "unix") != 0 && strcmp(text, "tcp") != 0)
        return usage_error("--link '%s': there is no such link; give unix or tcp", text);
    *ret = *text == 't';
    return 0;
}

/* If argv[0] is the flag `name`, its value: attached to it (after `glue`) or the next argument.  *used: 1 or 2; 0: another flag. */
static const char *flag_value(char **argv, const char *name, const char *glue, int *used)
{
    size_t n = strlen(name), g = strlen(glue);
    *used = 0;
    if (strcmp(argv[0], name) == 0) {
        *used = argv[1] ? 2 : 1;
        return argv[1];
    }
    if (strncmp(argv[0], name, n) == 0 && strncmp(argv[0] + n, glue, g) == 0) {
        *used = 1;
        return argv[0] + n + g;
    }
    return NULL;
}

/* Reads one flag: 0 and how many arguments it took, or an exit code. */
static int parse_flag(char **argv, struct launch *l, int *used)
{
    const char *value = flag_value(argv, "-n", "", used);
    if (value)
        return parse_count(value, &l->nodes);
    if (*used == 0)
        value = flag_value(argv, "--link", "=", used);
    if (value)
        return parse_link(value, &l->tcp);
    if (*used)
        return usage_error("flag '%s' needs a value; `leat run --help` shows how", argv[0]);
    return usage_error("unknown flag '%s'; `leat run --help` lists them", argv[0]);
}

int run_cmd(int argc, char **argv)
{
    struct launch l = { 0 };
    int i = 0;
    while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0) {
        int used;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return say_help(help_text);
        int code = parse_flag(argv + i, &l, &used);
        if (code)
            return code;
        i += used;
    }
    if (l.nodes == 0)
        return usage_error("run: no number of nodes; give -n N, as in `leat run -n 3 -- ./program`");
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (i >= argc)
        return usage_error("run: no program to start; name it at the end, as in `leat run -n 3 -- ./program`");
    l.argv = argv + i;
    return launch_run(&l);
}
