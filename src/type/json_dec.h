/* json_dec.h - what json_dec.c and json_date.c share. */
#ifndef TYPE_JSON_DEC_H
#define TYPE_JSON_DEC_H
#include "leat.h"

bool json_date_in(const char *p, size_t n, leat_date *ret);          /* false: no time of RFC 3339; a leap second is none either */
#endif
