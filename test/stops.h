/* stops.h - a mistake of the caller stops the program: stops(fn, text) runs fn in a child, which must be aborted and have said text. */
#ifndef STOPS_H
#define STOPS_H
#include <sys/resource.h>
#include "t.h"

__attribute__((unused)) static void stops(void (*fn)(void), const char *text)
{
    int fd[2], status;
    char said[4096];
    size_t n = 0;
    CHECK_EQ(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd[1], 2);
        close(fd[0]);
        close(fd[1]);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(fd[1]);
    for (ssize_t k; n + 1 < sizeof said && (k = read(fd[0], said + n, sizeof said - 1 - n)) > 0; n += (size_t)k)
        ;
    said[n] = 0;
    close(fd[0]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_HAS(said, text);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif
