/* layout.cpp - the layout as C++ has it: the same. */
#include "layout.h"
