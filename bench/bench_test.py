#!/usr/bin/env python3
"""bench_test.py BUILD_DIR rows|peers - a smoke run of every benchmark: each prints its rows as JSON, and nothing is timed.  Prints TAP.
`rows`: leat's own; `peers`: those of others, and what is made of the rows, which is the same however leat was built."""
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import growth                                        # noqa: E402
from rows import ROWS                                # noqa: E402
from who import compiler_of, compiler_word           # noqa: E402

KEYS = {'bench', 'who', 'unit', 'median', 'min', 'max', 'runs', 'workers'}


def bench(*args):
    return subprocess.run([sys.executable, os.path.join(HERE, 'run.py')] + list(args), capture_output=True, text=True)


def rows_are_whole(build, who):
    """What is wrong with the rows of `who` after a smoke run, or nothing."""
    with tempfile.NamedTemporaryFile(suffix='.jsonl') as out:
        done = bench('--quick', '--build', build, '--peers', '' if who == 'leat' else who, '--out', out.name)
        if done.returncode:
            return done.stdout + done.stderr
        if 'left out' in done.stdout:
            raise LookupError(re.search('left out: (.*)', done.stdout).group(1))
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
    return rows_are_whole(build, 'go')


def every_row_of_erlang(build):
    return rows_are_whole(build, 'erlang')


def if_built(build, who):
    """Compilers of C++ and Rust take too long for a test."""
    if not any(os.path.exists(os.path.join(build, 'bench', who + kind)) for kind in ('_bench', '_codec')):
        raise LookupError('make bench builds it')
    return rows_are_whole(build, who)


def every_row_of_tokio(build):
    return if_built(build, 'tokio')


def every_row_of_boost(build):
    return if_built(build, 'boost')


def every_row_of_zmq(build):
    return if_built(build, 'zmq')


def every_row_of_nng(build):
    return if_built(build, 'nng')


def every_row_of_grpc(build):
    return if_built(build, 'grpc')


def every_row_of_the_codecs(build):
    """Of those that are built; each that is not is named."""
    absent, wrong = [], ''
    for who in ('protobuf', 'protobufc', 'capnp', 'msgpack', 'cjson'):
        try:
            wrong += if_built(build, who)
        except LookupError as e:
            absent.append('%s: %s' % (who, e))
    if len(absent) == 5:
        raise LookupError(absent[0])
    return wrong


def charts_are_drawn_from_points_and_nothing_is_measured_twice(build):
    """Points of all curves are given, so growth.py only draws: every chart is well-formed, and the tables have the figures."""
    with tempfile.TemporaryDirectory() as docs:
        points = os.path.join(build, 'growth.jsonl')
        kept = open(points).read() if os.path.exists(points) else None
        try:
            with open(points, 'w') as f:
                for c in growth.CURVES:
                    for n, w, who in ((n, w, who) for n in c.points for w in (1, 2) for who in c.peers):
                        rows = {row.format(n): [n * w + 0.5, unit] for row, _, unit, _ in c.charts}
                        f.write(json.dumps({'key': growth.key_of(c, n, who, w), 'rows': rows, 'load': 9.5, 'date': '2020-02-02'}) + '\n')
                f.write('{"key": "cut o')
            done = subprocess.run([sys.executable, os.path.join(HERE, 'growth.py'), '--build', build, '--docs', docs], capture_output=True,
                                  text=True)
        finally:
            os.remove(points) if kept is None else open(points, 'w').write(kept)
        if done.returncode:
            return done.stdout + done.stderr
        page = open(os.path.join(docs, 'README.md')).read()
        for name in [name for c in growth.CURVES for _, name, _, _ in c.charts]:
            root = xml.etree.ElementTree.parse(os.path.join(docs, name + '.svg')).getroot()
            if not root.findall('{http://www.w3.org/2000/svg}polyline') or '(%s.svg)' % name not in page:
                return 'no curve in %s.svg, or it is not on the page' % name
        wanted = ('2020-02-02, load 9.5', 'was busy', '| 1,000 | 1k ns |')
        return ''.join('the page lacks %r\n' % w for w in wanted if w not in page)


def the_compiler_is_named_and_not_its_cache(build):
    words = {'ccache cc -c x.c': 'cc', '/usr/bin/ccache /usr/bin/clang-14 -c x.c': '/usr/bin/clang-14', 'gcc -c x.c': 'gcc'}
    wrong = ['%s: %s' % (c, compiler_word(c)) for c in words if compiler_word(c) != words[c]]
    head = compiler_of(build)
    if not re.search(r'\d+\.\d+.*, -O.*, asserts o', head) or 'cache' in head:
        wrong.append('the head of the table has %r' % head)
    return '\n'.join(wrong)


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


def a_target_has_the_sign_of_its_unit(build):
    wrong = []
    for name, binary, unit, value, cell in (
            ('stalled-1000', 'net_bench', '%', 97, '>= 95'), ('stalled-1000', 'net_bench', '%', 90, '>= 95 missed'),
            ('spawn', 'leat_bench', 'ns', 23, '<= 24'), ('spawn', 'leat_bench', 'ns', 25, '<= 24 missed'),
            ('fan-out-100', 'net_bench', '/s', 11e6, '>= 10 M'), ('fan-out-100', 'net_bench', '/s', 9e6, '>= 10 M missed')):
        with tempfile.TemporaryDirectory() as made_up:
            os.mkdir(os.path.join(made_up, 'bench'))
            program = os.path.join(made_up, 'bench', binary)
            with open(program, 'w') as f:
                f.write('#!/bin/sh\necho \'{"bench":"%s","unit":"%s","value":%g}\'\n' % (name, unit, value))
            os.chmod(program, 0o755)
            done = bench('--quick', '--build', made_up, '--only', '^%s$' % name, '--peers', '')
        row = [line for line in done.stdout.splitlines() if line.startswith(name)]
        if len(row) != 1 or not row[0].endswith(' ' + cell):
            wrong.append('%s of %g: %s' % (name, value, row or done.stdout + done.stderr))
    return '\n'.join(wrong)


TESTS = {
    'rows': [every_row_of_leat, a_failing_program_is_named_and_fails_the_run],
    'peers': [every_row_of_the_sockets_by_hand, every_row_of_go, every_row_of_erlang, every_row_of_tokio, every_row_of_boost,
              every_row_of_zmq, every_row_of_nng, every_row_of_grpc, every_row_of_the_codecs,
              charts_are_drawn_from_points_and_nothing_is_measured_twice, the_compiler_is_named_and_not_its_cache,
              wrong_arguments_are_refused, a_target_has_the_sign_of_its_unit],
}


def main(build, which):
    tests = TESTS[which]
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
    sys.exit(main(*sys.argv[1:]))
