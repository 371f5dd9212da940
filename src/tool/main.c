/* main.c - the leat command: finds the command that is named first and calls it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "leat.h"
#include "tool/launch.h"
#include "tool/tool.h"

static const struct command { const char *name; int (*fn)(int argc, char **argv); const char *help; } commands[] = {
    { "run", run_cmd, "start a program on several nodes of this host" },
    { "sim", sim_cmd, "run a program in a simulated world, once for each seed" },
    { "decode", decode_cmd, "show what is in a stream of Go's encoding/gob, as JSON" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int usage_error(const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    fputs("leat: ", stderr);
    vfprintf(stderr, fmt, a);
    fputc('\n', stderr);
    va_end(a);
    return EXIT_USAGE;
}

/* What was printed has arrived only when closing says so: a full disk fails there. */
static int close_stdout(int code)
{
    if (fflush(stdout) != 0 || fclose(stdout) != 0) {
        fputs("leat: cannot write to standard output: is the disk full?\n", stderr);
        return EXIT_FAILURE;
    }
    return code;
}

int say_help(const char *text)
{
    fputs(text, stdout);
    return close_stdout(EXIT_SUCCESS);
}

static int help(void)
{
    puts("leat: tasks and channels that mean the same in a process, between processes and between hosts\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  leat %-6s %s\n", commands[i].name, commands[i].help);
    puts("\n`leat COMMAND --help` tells more.  Exit codes: 0; 1 failed; 2 wrong arguments; 124 deadline; 130 interrupted.");
    return close_stdout(0);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help();
    if (strcmp(name, "--version") == 0) {
        printf("leat %d.%d.%d\n", LEAT_VERSION >> 16, LEAT_VERSION >> 8 & 255, LEAT_VERSION & 255);
        return close_stdout(0);
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].fn(argc - 2, argv + 2);
    if (!*name)
        return usage_error("no command given; `leat --help` lists them");
    return usage_error("unknown %s '%s'; `leat --help` lists what there is", *name == '-' ? "flag" : "command", name);
}
