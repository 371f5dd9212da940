#!/usr/bin/env python3
"""Whether the breaks of test/breaks fit src/ and docs/semantics.md, and a few of them broken in earnest (make breaks: all of them)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'sim'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import breaks
import mutants
import table
import tap

SMOKE = [r'^Channels: every receive end gone$']
BUILD = breaks.Build(os.environ.get('LEAT_BUILD') or os.path.join(table.ROOT, 'build'))


def each_edit_fits_once():
    found, problems = table.breaks()
    for b in found:
        problems += table.edited(b)[1]
        if not b.edits:
            problems.append('%s: no edit' % b.where)
    return problems


def each_mutation_fits_once():
    """Those that campaigns of simulated worlds must find (test/sim/mutants.txt)."""
    found = mutants.mutants()
    return [x for m in found for x in table.edited(m)[1]] + [m.title + ': no program' for m in found if m.program not in mutants.PROGRAMS]


def each_promise_at_a_distance_is_broken():
    """Every such row has breaks, but for those that `without` lists; every break is of a row, and names tests of it."""
    found, problems = table.breaks()
    rows = {(r.section, r.name): r for r in table.rows() if table.promised(r)}
    without = table.without()
    for b in found:
        if b.row not in rows:
            problems.append('%s: %s has no such row, with a promise at a distance' % (b.where, table.PAGE))
            continue
        problems += ['%s: its row does not name %s:%s' % ((b.where,) + t) for t in b.by if t not in rows[b.row].tests]
    broken = {b.row for b in found}
    for r in rows.values():
        key = (r.section, r.name)
        there = {d for b in found if b.row == key for d in b.distances(r)}
        problems += ['%s:%d: nothing breaks "%s: %s" %s: write an edit of src/ that does (test/breaks/table.py says how)'
                     % (table.PAGE, r.line, r.section, r.name, d) for d in table.promised(r) if d not in there and key not in without]
    for key in without:
        if key not in rows or key in broken:
            problems.append('without: "%s: %s" does not belong there' % key)
    return problems


def each_distance_has_a_test():
    """Where a cell of a row promises something, a test that the row names runs at that distance."""
    problems, without = [], table.without()
    for r in table.rows():
        there = set()
        for program, test in r.tests:
            if program in BUILD.programs and not program.startswith('gotests/'):
                there |= set(table.distances(program, test, BUILD.names(program)))
        problems += ['%s:%d: "%s" names no test that runs %s' % (table.PAGE, r.line, r.name, d)
                     for d in table.promised(r) if d not in there and (r.section, r.name) not in without]
    return problems


def some_are_broken_and_caught():
    rows = {(r.section, r.name): r for r in table.rows()}
    judge, problems, count = breaks.Judge(BUILD, lambda text: None), [], 0
    for b in table.breaks()[0]:
        if any(re.search(x, b.title) for x in SMOKE):
            count += 1
            problems += ['%s (%s): %s' % (b.title, b.where, x) for x in judge.one(b, rows[b.row])]
    return problems if count > 1 else ['%d breaks are of the smoke' % count]


if __name__ == '__main__':
    tap.main([(f.__name__, f) for f in (each_edit_fits_once, each_mutation_fits_once, each_promise_at_a_distance_is_broken,
                                        each_distance_has_a_test, some_are_broken_and_caught)], jobs=1)
