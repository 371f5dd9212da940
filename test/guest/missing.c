/* missing.c - stands for a program of this folder whose library is not installed: names it. */
#include <stdio.h>

int main(void)
{
    puts("1..0 # SKIP " MISSING " is not installed; scripts/deps.sh test installs it");
    return 0;
}
