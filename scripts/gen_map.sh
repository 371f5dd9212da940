#!/bin/sh
# writes include/leat/map.h: a plain chain, so that it is C99, needs no __VA_OPT__ and a mistake is reported once, not 256 times
cat <<'H'
/* leat/map.h - LEAT_MAP_(F, S, (a, b), (c, d), ...): F(S, a, b, ) F(S, c, d, ) ...  At most 64 tuples.  Made by gen_map.sh.
 * A chain and not a recursion: C11 without __VA_OPT__, no warning under -Wpedantic, and short error messages. */
#ifndef LEAT_MAP_H
#define LEAT_MAP_H
#define LEAT_CAT_(a, b) LEAT_CAT2_(a, b)
#define LEAT_CAT2_(a, b) a##b
#define LEAT_OPEN_(...) __VA_ARGS__
#define LEAT_APPLY_(F, ...) F(__VA_ARGS__)
#define LEAT_CALL2_(F, ...) F(__VA_ARGS__)            /* the same again: a macro does not expand inside itself */
H
printf '#define LEAT_MAP_(F, S, ...) LEAT_CAT_(LEAT_MAP_, LEAT_COUNT_(__VA_ARGS__))(F, S, __VA_ARGS__)\n'
printf '#define LEAT_COUNT_(...) LEAT_COUNT2_(__VA_ARGS__'
i=64; while [ $i -ge 1 ]; do [ $((i%4)) = 0 ] && printf ', \\\n    has_over_64_fields' || printf ', has_over_64_fields'; i=$((i-1)); done
i=64; while [ $i -ge 1 ]; do [ $((i%16)) = 0 ] && printf ', \\\n    %d' $i || printf ', %d' $i; i=$((i-1)); done; printf ', 0)\n'
printf '#define LEAT_COUNT2_('
i=1; while [ $i -le 128 ]; do printf 'a%d, ' $i; [ $((i%16)) = 0 ] && printf '\\\n    '; i=$((i+1)); done; printf 'n, ...) n\n'
printf '#define LEAT_MAP_1(F, S, t) LEAT_APPLY_(F, S, LEAT_OPEN_ t, )\n'
i=2; while [ $i -le 64 ]; do
    printf '#define LEAT_MAP_%d(F, S, t, ...) LEAT_MAP_1(F, S, t) LEAT_MAP_%d(F, S, __VA_ARGS__)\n' $i $((i-1)); i=$((i+1))
done
echo '#endif'
