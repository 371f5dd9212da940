/* tool.h - the commands of leat: each takes the arguments that follow its name, says what goes wrong and returns the exit code:
 * 0; 1 failed; 2 wrong arguments; 124 a deadline passed; 130 interrupted. */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H
int run_cmd(int argc, char **argv);
int sim_cmd(int argc, char **argv);
int decode_cmd(int argc, char **argv);

/* Prints it to standard output, which is closed then; returns the exit code. */
int say_help(const char *text);

/* Prints one line, "leat: what is wrong: why; what to do", and returns 2. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
