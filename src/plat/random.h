/* random.h - random bytes that nobody can guess. */
#ifndef PLAT_RANDOM_H
#define PLAT_RANDOM_H
#include <stddef.h>

int plat_random(void *to, size_t len);               /* 0 or an errno */
const char *plat_program_name(void);                 /* of this process: "wordcount"; static */
int plat_pid(void);
#endif
