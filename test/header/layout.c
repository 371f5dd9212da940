/* layout.c - the layout as C has it. */
#include "layout.h"
