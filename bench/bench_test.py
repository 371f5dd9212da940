#!/usr/bin/env python3
"""bench_test.py BUILD_DIR - a smoke run of every benchmark: each prints its rows as JSON, and nothing is timed.  Prints TAP."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from rows import ROWS                                # noqa: E402

KEYS = {'bench', 'who', 'unit', 'median', 'min', 'max', 'runs', 'workers'}


def bench(*args):
    return subprocess.run([sys.executable, os.path.join(HERE, 'run.py')] + list(args), capture_output=True, text=True)


def rows_are_whole(build, who):
    """What is wrong with the rows of `who` after a smoke run, or nothing."""
    with tempfile.NamedTemporaryFile(suffix='.jsonl') as out:
        done = bench('--quick', '--build', build, '--peers', '' if who == 'leat' else who, '--out', out.name)
        if done.returncode:
            return done.stdout + done.stderr
        found = [json.loads(line) for line in open(out.name)]
    wrong = ['not of the agreed form: %s' % f for f in found if set(f) != KEYS or not f['min'] <= f['median'] <= f['max']]
    units = {f['bench']: f['unit'] for f in found if f['who'] == who}
    wrong += ['no row %s in %s' % (r.name, r.unit) for r in ROWS if who in r.peers and units.get(r.name) != r.unit]
    return '\n'.join(wrong)


def every_row_of_leat(build):
    return rows_are_whole(build, 'leat')


def every_row_of_the_sockets_by_hand(build):
    return rows_are_whole(build, 'raw')


def every_row_of_go(build):
    if not shutil.which('go'):
        raise LookupError('there is no go command')
    return rows_are_whole(build, 'go')


def wrong_arguments_are_refused(build):
    for args, word in ((['--only', '('], 'regular expression'), (['--only', 'no such row'], 'no row matches'),
                       (['--peers', 'cobol'], "no peer 'cobol'"), (['--workers', '0'], '--workers'), (['--runs', '0'], '--runs')):
        done = bench('--build', build, *args)
        if done.returncode != 2 or word not in done.stderr:
            return '%s: exit code %d and %s' % (args, done.returncode, done.stderr)
    return ''


def a_failing_program_is_named_and_fails_the_run(build):
    with tempfile.TemporaryDirectory() as empty:
        os.mkdir(os.path.join(empty, 'bench'))
        program = os.path.join(empty, 'bench', 'leat_bench')
        with open(program, 'w') as f:
            f.write('#!/bin/sh\necho broken on purpose >&2\nexit 3\n')
        os.chmod(program, 0o755)
        done = bench('--quick', '--build', empty, '--only', '^spawn$', '--peers', '')
        ok = done.returncode == 1 and 'exit code 3: broken on purpose' in done.stdout
        return '' if ok else '%d %s %s' % (done.returncode, done.stdout, done.stderr)


def main(build):
    tests = [every_row_of_leat, every_row_of_the_sockets_by_hand, every_row_of_go, wrong_arguments_are_refused,
             a_failing_program_is_named_and_fails_the_run]
    bad = 0
    print('1..%d' % len(tests), flush=True)
    for i, test in enumerate(tests):
        skip = ''
        try:
            wrong = test(build)
        except LookupError as e:
            wrong, skip = '', ' # SKIP %s' % e
        for line in wrong.splitlines():
            print('# ' + line)
        bad += wrong != ''
        print('%sok %d - %s%s' % ('not ' if wrong else '', i + 1, test.__name__, skip), flush=True)
    return bad != 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
