#!/usr/bin/env python3
"""run.py - every test of the Go files has a row in INDEX, and every C test that a row names exists, runs and is reported.

A row is GO-FILE:TEST, C-TEST, PLACES, with two blanks or more between; several rows may name one Go test.  C-TEST is a program and
a test as `meson test` and its -l say them, `gotests/chan_fifo:SynchFifo`.  PLACES are some of `task process node`: the test NAME
is that of the place task, NAME_process and NAME_node stand for the others.  After them, in parentheses, may stand where leat
means something else than Go, and why; a test that is not at all three places must say there why (but for what does not compile).
Or C-TEST is `-` and PLACES is `left out: REASON`.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
import golist                                                   # noqa: E402
import tap                                                      # noqa: E402

SUFFIX = {'task': '', 'process': '_process', 'node': '_node'}
BUILD = os.environ.get('LEAT_BUILD')


class Row:
    def __init__(self, number, text):
        self.number, self.text, self.problem = number, text, None
        self.go, self.c, self.places, self.left_out = '', None, [], None
        columns = re.split(r'\s{2,}', text)
        if len(columns) != 3:
            self.problem = '%d columns where 3 are expected, with two blanks or more between' % len(columns)
            return
        self.go, c, places = columns
        left = re.match(r'left out: (.{12,})$', places)
        if c == '-':
            self.left_out = left and left.group(1)
            self.problem = None if left else 'no C test, and no `left out: REASON`'
            return
        words, _, note = places.partition(' (')
        self.c, self.places = c, words.split()
        if not re.match(r'[\w/]+:\w+$', c):
            self.problem = '%s is not PROGRAM:TEST' % c
        elif not self.places or set(self.places) - set(SUFFIX) or (note and not note.endswith(')')):
            self.problem = '`%s` is not some of `task process node`, with a note in parentheses' % places
        elif len(set(self.places)) < len(SUFFIX) and not note and not c.startswith('check/compile_fail:'):
            self.problem = 'it is not at all of `task process node`, and no note says why'

    def tests(self):
        """(program, test) of each place."""
        program, _, name = self.c.partition(':')
        if program == 'check/compile_fail':
            return [(program, '%s_is_refused_by_%s' % (name, cc)) for cc in ('gcc', 'clang')]
        return [(program, name + SUFFIX[p]) for p in self.places]


def rows_of(text):
    lines = [re.sub(r'^\s*#.*', '', line).strip() for line in text.splitlines()]
    return [Row(n, line) for n, line in enumerate(lines, 1) if line]


def problems_of(index, go_tests):
    """What is wrong between the text of an INDEX and the list of Go's tests."""
    rows = rows_of(index)
    found = ['INDEX:%d: %s: %s' % (r.number, r.problem, r.text) for r in rows if r.problem]
    named = {r.go for r in rows}
    found += ['INDEX: no row for %s' % t for t in go_tests if t not in named]
    found += ['INDEX:%d: Go has no test %s' % (r.number, r.go) for r in rows if r.go and r.go not in go_tests]
    out = {r.go for r in rows if r.left_out}
    found += ['INDEX:%d: %s is left out in another row' % (r.number, r.go) for r in rows if r.c and r.go in out]
    return found


def unmatched(rows, there):
    """Rows whose C tests are not in `there`, {program: names}; and tests of gotests/ programs that no row names."""
    named = {t: r for r in rows if r.c and not r.problem for t in r.tests()}
    found = ['INDEX:%d: there is no test %s:%s' % (r.number, p, t) for (p, t), r in sorted(named.items()) if t not in there.get(p, ())]
    return found + ['%s:%s: no row in INDEX names it' % (p, t) for p in sorted(there) if p.startswith('gotests/') for t in there[p]
                    if (p, t) not in named]


def read(name):
    with open(os.path.join(HERE, name), encoding='utf-8') as f:
        return f.read()


def go_list():
    lines = golist.lines_of(golist.GOLIST)
    return lines[0], lines[1:]


def every_go_test_has_a_row():
    return problems_of(read('INDEX'), go_list()[1])


def programs():
    """The commands of the programs that the runner runs, as it finds them."""
    got = subprocess.run(['meson', 'introspect', '--tests', BUILD], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {t['name']: t['cmd'] for t in json.loads(got)}


def output_of(cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace').stdout


def wanted(rows):
    """{program: tests of it that the rows name}"""
    found = {}
    for r in rows:
        for p, t in r.tests() if r.c and not r.problem else []:
            found.setdefault(p, []).append(t)
    return found


def every_c_test_exists_and_has_a_row():
    rows, commands = rows_of(read('INDEX')), programs()
    mine = [p for p in commands if p in wanted(rows) or p.startswith('gotests/')]
    return unmatched(rows, {p: output_of(commands[p] + ['-l']).split() for p in mine})


def every_c_test_runs_and_is_reported():
    commands, found = programs(), []
    for p, names in sorted(wanted(rows_of(read('INDEX'))).items()):
        if p not in commands:
            continue                                            # said above
        names = sorted(set(names))
        got = output_of(commands[p] + names)
        ok = re.findall(r'^ok \d+ - (\w+)$', got, re.M)
        bad = [n for n in names if n not in ok and not re.search(r'^ok \d+ - %s # SKIP' % n, got, re.M)]
        if bad:
            found += ['%s: not reported as passed: %s' % (p, ', '.join(bad))] + got.splitlines()
    return found


def the_list_is_that_of_the_go_tree():
    root, version = golist.goroot(), go_list()[0]
    if not root:
        raise tap.Skip('there is no Go tree')
    if golist.version_of(root) != version:
        raise tap.Skip('the Go tree is %s, the list of %s' % (golist.version_of(root), version))
    return None if golist.text_of(root) == read('GOLIST') else 'GOLIST is old: test/gotests/golist.py makes it anew'


GO = ['a.go:main', 'b_test.go:TestB']
GOOD = '# rows\na.go:main  gotests/a:one  task process (a reason)\nb_test.go:TestB  -  left out: there is no reflection in C\n'
BROKEN = [
    ('a_good_index_has_no_problems', GOOD, None),
    ('a_go_test_without_a_row_is_reported', 'a.go:main  gotests/a:one  task\n', 'no row for b_test.go:TestB'),
    ('a_row_of_no_go_test_is_reported', GOOD + 'c.go:main  gotests/c:one  task\n', 'Go has no test c.go:main'),
    ('a_row_without_a_reason_is_reported', GOOD.replace('there is no reflection in C', ''), 'no `left out: REASON`'),
    ('a_place_that_is_none_is_reported', GOOD.replace('process', 'moon'), 'is not some of'),
    ('a_row_without_places_is_reported', GOOD.replace('  task process (a reason)', ''), '2 columns'),
    ('a_test_that_is_not_at_all_places_says_why', GOOD.replace(' (a reason)', ''), 'no note says why'),
    ('a_test_at_all_places_needs_no_note', GOOD.replace('process (a reason)', 'process node'), None),
    ('a_test_both_left_out_and_there_is_reported', GOOD + 'b_test.go:TestB  gotests/b:x  task\n', 'is left out in another row'),
]


def broken(index, expected):
    got = problems_of(index, GO)
    good = not got if expected is None else any(expected in line for line in got)
    return None if good else ['expected: %s' % expected, 'got:'] + got


def a_test_that_is_gone_is_reported():
    got = unmatched(rows_of(GOOD), {'gotests/a': ['one', 'other']})
    want = ['INDEX:2: there is no test gotests/a:one_process', 'gotests/a:other: no row in INDEX names it']
    return None if got == want else got


tests = [(f.__name__, f) for f in (every_go_test_has_a_row, every_c_test_exists_and_has_a_row, every_c_test_runs_and_is_reported,
                                   the_list_is_that_of_the_go_tree, a_test_that_is_gone_is_reported)]
tests += [(name, lambda i=index, e=expected: broken(i, e)) for name, index, expected in BROKEN]
tap.main(tests)
