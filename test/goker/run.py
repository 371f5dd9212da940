#!/usr/bin/env python3
"""run.py - INDEX has a row for each of Go's programs that leak, each row's program exists here, and none is without a row.

Go's list is read from its source where that is installed; else this is skipped and says so.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

GO = 'src/runtime/testdata/testgoroutineleakprofile/goker'


def rows():
    with open(os.path.join(HERE, 'INDEX')) as f:
        return [line.split() for line in f if line.strip() and not line.startswith('#')]


def programs():
    found = set()
    for path in glob.glob(os.path.join(HERE, '*_test.c')):
        with open(path) as f:
            names = re.findall(r'^GOKER\((\w+),', f.read(), re.M)
        found |= {'goker/%s:%s' % (os.path.basename(path)[:-len('_test.c')], name) for name in names}
    return found


def every_program_has_one_row():
    named = [r[1] for r in rows()]
    here = programs()
    if len(here) < 60:
        return ['too few programs: is the pattern right?']
    return ['INDEX: no program %s' % n for n in named if n not in here] + \
        ['%s: no row in INDEX' % p for p in sorted(here - set(named))] + \
        ['INDEX: %s twice' % n for n in sorted(set(named)) if named.count(n) > 1]


def every_go_program_has_a_row():
    root = next((r for r in (os.environ.get('GOROOT'), '/usr/local/go', '/usr/lib/go') if r and os.path.isdir(os.path.join(r, GO))), None)
    if not root:
        raise tap.Skip('no Go source with ' + GO)
    named, wrong = {r[0]: r[1].split(':')[1] for r in rows()}, []
    for path in sorted(glob.glob(os.path.join(root, GO, '*.go'))):
        with open(path) as f:
            name = re.search(r'register\("(\w+)"', f.read())
        if name and named.get(os.path.basename(path)) != name.group(1):
            wrong.append('INDEX: %s is %s' % (os.path.basename(path), name.group(1)))
    return wrong


if __name__ == '__main__':
    tap.main([('every_program_has_one_row', every_program_has_one_row), ('every_go_program_has_a_row', every_go_program_has_a_row)])
