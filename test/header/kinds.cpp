// kinds.cpp - every kind of field as C++: the same descriptions, the same layout.
#include "kinds.h"

static_assert(sizeof(leat_tx(struct tree)) == sizeof(void *), "a channel end is a pointer in both languages");
