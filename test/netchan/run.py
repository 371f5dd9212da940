#!/usr/bin/env python3
"""run.py - every row of INDEX names a test that exists, at each of its places, and every test of these programs has a row.

A row is BEHAVIOUR, TEST, PLACES, with two blanks or more between; several rows may state one behaviour.  TEST is a program and a test
without its place, `netchan/ends:NAME`; PLACES are some of unix, tcp (two nodes in one process), process and node (two processes, over
unix: and tcp:), and the test of each is NAME_PLACE.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE)]
import tap                                                      # noqa: E402

PLACES = ('unix', 'tcp', 'process', 'node')


def rows_of(text):
    """((program, test) of each place, what is wrong) of all rows."""
    tests, problems = [], []
    for n, line in enumerate(text.splitlines(), 1):
        columns = re.split(r'\s{2,}', line.strip())
        if not line.strip() or line.startswith('#'):
            continue
        places = columns[-1].split()
        if len(columns) != 3 or not re.match(r'netchan/\w+:\w+$', columns[1]) or not places or set(places) - set(PLACES):
            problems.append('INDEX:%d: not BEHAVIOUR  netchan/PROGRAM:TEST  PLACES: %s' % (n, line))
        else:
            program, _, name = columns[1].partition(':')
            tests += [(program, '%s_%s' % (name, p)) for p in places]
    return tests, problems


def problems_of(index, there):
    """there: (program, test) of every test that exists."""
    tests, problems = rows_of(index)
    problems += ['INDEX: there is no test %s:%s' % t for t in tests if t not in there]
    return problems + ['INDEX: no row for %s:%s' % t for t in there if t not in tests]


def the_index_and_the_tests_agree():
    got = subprocess.run(['meson', 'introspect', '--tests', os.environ['LEAT_BUILD']], check=True, stdout=subprocess.PIPE, text=True).stdout
    programs = {t['name']: t['cmd'] for t in json.loads(got) if t['name'].startswith('netchan/')}
    there = [(p, name) for p, cmd in programs.items()
             for name in subprocess.run(cmd + ['-l'], check=True, stdout=subprocess.PIPE, text=True).stdout.split()]
    with open(os.path.join(HERE, 'INDEX'), encoding='utf-8') as f:
        return problems_of(f.read(), there)


GOOD, THERE = 'it holds  netchan/a:one  unix tcp\n', [('netchan/a', 'one_unix'), ('netchan/a', 'one_tcp')]
CASES = [('a_good_index_has_no_problem', GOOD, THERE, None), ('a_missing_test_is_reported', GOOD, THERE[:1], 'no test netchan/a:one_tcp'),
         ('a_test_without_a_row_is_reported', GOOD, THERE + [('netchan/a', 'two')], 'no row for netchan/a:two'),
         ('a_wrong_place_is_reported', GOOD.replace('tcp', 'moon'), THERE, 'not BEHAVIOUR'),
         ('a_row_of_two_columns_is_reported', 'netchan/a:one  unix tcp\n', THERE, 'not BEHAVIOUR')]


def case(index, there, expected):
    got = problems_of(index, there)
    good = not got if expected is None else any(expected in line for line in got)
    return None if good else ['expected: %s' % expected, 'got:'] + got


tap.main([('the_index_and_the_tests_agree', the_index_and_the_tests_agree)] +
         [(name, lambda i=i, t=t, e=e: case(i, t, e)) for name, i, t, e in CASES])
