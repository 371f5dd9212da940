#!/bin/sh
# demo.sh [FILE...] - counts the words of a book with three processes, and shows what has happened.  `make demo` calls it.
set -u
cd "$(dirname "$0")/.." || exit 1
b=${LEAT_BUILD:-build}
[ $# -gt 0 ] || set -- examples/data/opticks.txt
out=$(mktemp -d "${TMPDIR:-/tmp}/leat-demo-XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT
trap 'exit 129' HUP
trap 'exit 141' PIPE
trap 'exit 143' TERM

bold= plain=
[ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ] && bold=$(printf '\033[1m') && plain=$(printf '\033[0m')
title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

commas() { printf '%s\n' "$1" | sed -e ':a' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/' -e 'ta'; }

# Runs the rest of its arguments, standard output to a file; prints the seconds it took.
timed() {
    to=$1; shift
    began=$(date +%s%N)
    "$@" >"$to" 2>"$to.err" || { cat "$to.err" >&2; return 1; }
    awk -v ns=$(($(date +%s%N) - began)) 'BEGIN { printf "%.2f s", ns / 1e9 }'
}

with_coreutils() {
    cat "$@" | LC_ALL=C tr -cs A-Za-z '\n' | LC_ALL=C tr A-Z a-z | grep . | LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1nr -k2,2 |
        head -20 | sed 's/^ *//'
}

verdict() { cmp -s "$out/$1" "$out/$2" && echo "the same 20 lines" || { echo "ANOTHER RESULT"; touch "$out/differs"; }; }

what="$*"
[ $# -le 3 ] || what="$1 and $(($# - 1)) other files"
title "Three processes on this host count the words of $what"
echo "\$ $b/leat run -n 3 --link tcp -- $b/examples/wordcount run $*"
"$b/leat" run -n 3 --link tcp -- "$b/examples/wordcount" run "$@" >"$out/three" || exit
paste - - - - <"$out/three" | awk -F '\t' '{ for (i = 1; i <= NF; i++) { split($i, w, " "); printf "  %7d %-10s", w[1], w[2] } print "" }'

# The same once more; a worker is killed when half of the text has been read.  Standard input is a pipe, so that there is a middle.
killed() {
    mkfifo "$out/text" && mkfifo "$out/log" || return 1
    "$b/leat" run -n 3 --link tcp -- "$b/examples/wordcount" run "$out/text" >"$out/killed" 2>"$out/log" &
    launch=$!
    {
        while read -r line; do
            printf '%s\n' "$line"
            case $line in "node 2 is pid "*) rest=${line#node 2 is pid }; echo "${rest%% *}" >"$out/pid";; esac
        done <"$out/log" >"$out/said"
    } &
    {
        cat "$@"
        until [ -s "$out/pid" ]; do sleep 0.05; done
        kill -KILL "$(cat "$out/pid")"
        cat "$@"
    } >"$out/text"
    wait $launch
}

title "Once more, the text twice over, and node 2 is killed in the middle (kill -KILL)"
killed "$@" || { cat "$out/said" >&2; exit 1; }
sed -n -e 's/^\[0\] leat: lost/  lost/p' -e 's/^\[0\] \(.*words\/s\).*/  \1/p' "$out/said"
"$b/examples/wordcount" run "$@" "$@" >"$out/twice" 2>/dev/null || exit

one=$(timed "$out/one" "$b/examples/wordcount" run "$@") || exit
coreutils=$(timed "$out/coreutils" with_coreutils "$@") || exit
bytes=$(commas "$(cat "$@" | wc -c | tr -d ' ')")

title "What you have just seen"
cat <<TEXT
  Node 0 read $bytes bytes and dealt their lines, 16 KiB at a time, to nodes 1 and 2, each to one that had room.
  Those split them into words; one result for each 16 KiB came back, and one task on node 0 added them up.
  The line of node 0 says who did how much.  What a killed node had not finished was dealt again: no total changes.

  in one process, without the launcher     $(verdict three one), in $one
  tr | sort | uniq -c | sort | head        $(verdict three coreutils), in $coreutils
  twice over, node 2 killed in the middle  $(verdict twice killed), as without the kill
TEXT

title "What to type next"
cat <<TEXT
  $b/examples/wordcount run $*
      the same program in one process; nothing but the launcher made it three
  $b/examples/wordcount node tcp://127.0.0.1:7000 &
  $b/examples/wordcount run --on tcp://127.0.0.1:7000 $*
      with a node that runs already
  $b/leat sim --seeds 1..20 -- $b/examples/wordcount run $*
      the same program on simulated hosts, with delays, cuts and crashes that each seed repeats exactly
  make demo FILES="README.md include/leat.h"
      other files
  make test
      everything this project promises; docs/start.md shows how to write such a program
TEXT
[ ! -e "$out/differs" ]
