#!/usr/bin/env python3
"""growth.py - how the cost of one operation grows with the number of tasks, cases, timers, connections: leat, and Go beside it.

Measures the points of each curve, leat and Go in turn, and writes docs/growth/: a chart of each curve (SVG) and README.md with the
figures.  Each point goes to BUILD/growth.jsonl as soon as it is there; a run that was interrupted goes on where it ended, and
--again begins anew.  Exit code 1: a program failed; 2: wrong arguments.
"""
import argparse
import collections
import datetime
import json
import os
import resource
import statistics
import sys
import time

import run as bench
from rows import better
from svg import chart, number
from who import Failure, Go, Leat

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
QUIET_LOAD = 1.5                     # what the program itself makes, and a little
FDS_BESIDE = 100                     # descriptors that a process needs beside its connections

# points: the numbers.  program: what is run with the number, or, with {} in it, has the number in its name.  ops: how many operations
# such a program does.  charts: (row, file, unit, title).  peers: who has the program.  delay: ms each way, through the relay.
Curve = collections.namedtuple('Curve', 'name x_label points program ops charts peers delay', defaults=(('leat', 'go'), 0))
CAPACITIES = (1, 4, 16, 64, 256, 1024, 4096)


def _capacity(name, delay, path):
    return Curve(name, 'capacity of the channel', CAPACITIES, 'growth-capacity', None, [
        ('growth-capacity', name, '/s', 'Elements of 8 bytes a second, ' + path)], ('leat',), delay)


CURVES = [
    Curve('tasks', 'tasks', (1000, 10000, 100000, 1000000), 'parked', None, [
        ('parked', 'tasks-start', 'ns', 'Start a task and let it wait'),
        ('wake', 'tasks-wake', 'ns', 'Wake a waiting task, and its end'),
        ('parked-bytes', 'tasks-bytes', 'B', 'Memory of a waiting task')]),
    Curve('select', 'channels in one select', (2, 8, 64, 250, 1000), 'growth-select', None, [
        ('growth-select-ready', 'select-ready', 'ns', 'A select that finds one ready'),
        ('growth-select-blocked', 'select-blocked', 'ns', 'A select that waits')]),
    Curve('timers', 'timers', (1, 10, 100, 1000, 10000, 100000, 1000000), 'growth-timers', None, [
        ('growth-timers-set', 'timers-set', 'ns', 'Start a task that sleeps'),
        ('growth-timers-lift', 'timers-lift', 'ns', 'Cancel a task that sleeps, and its end')]),
    Curve('sleepers', 'sleepers, 500 due each millisecond', (100, 1000, 10000, 100000), 'sleepers', None, [
        ('sleepers-p99', 'timers-late', 'us', 'How late 1 in 100 wakes')]),
    Curve('connections', 'connections', (1, 10, 100, 1000, 10000), 'echo-{}', 50000, [
        ('echo-{}', 'connections', '/s', 'Echoes of 64 bytes over TCP a second')]),
    Curve('size', 'bytes of an element', (8, 64, 512, 4096, 32768, 262144, 1048576), 'growth-size', None, [
        ('growth-size', 'net-size', '/s', 'Elements a second between two processes over TCP'),
        ('growth-size-bytes', 'net-size-bytes', 'MB/s', 'The same in bytes')]),
    Curve('channels', 'channels (Go: connections)', (1, 10, 100, 1000, 10000), 'growth-channels', None, [
        ('growth-channels', 'net-channels', '/s', 'Elements of 8 bytes a second over many channels')]),
    _capacity('capacity', 0, 'over loopback'),
    _capacity('capacity-2ms', 1, 'round trip 2 ms'),
    _capacity('capacity-20ms', 10, 'round trip 20 ms'),
]


def key_of(curve, n, who, workers):
    return '%s %d %s %d' % (curve.name, n, who, workers)


def load_points(path):
    """{key: {'rows': {row: [median, unit]}, 'load': .., 'date': ..}}; a line that was cut off counts as none."""
    points = {}
    try:
        with open(path) as f:
            for line in f:
                try:
                    p = json.loads(line)
                    points[p['key']] = p
                except (ValueError, KeyError):
                    continue
    except OSError:
        pass
    return points


def measure(curve, n, who, workers):
    """{row: [median, unit]} of a few runs, or of one where that takes long."""
    found = {}
    program = curve.program.format(n) if '{}' in curve.program else curve.program
    runs = 1 if n >= 100000 or curve.delay else 3
    relay = os.path.join(who.build_dir, 'test', 'faults', 'faults_relay')
    more = ['--relay', relay, '--delay', str(curve.delay)] if curve.delay else []
    for _ in range(runs):
        for row, (value, unit) in bench.run_once(who, program, workers, curve.ops or n, more).items():
            found.setdefault(row, []).append((value, unit))
    return {row: [statistics.median(v for v, _ in values), values[0][1]] for row, values in found.items()}


def raise_limit():
    """How many descriptors a process may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def missing(curve, n, limit):
    """Why a point cannot be measured here, or nothing."""
    if curve.name in ('connections', 'channels') and n + FDS_BESIDE > limit:
        return '%d connections need %d descriptors, and RLIMIT_NOFILE is %d (ulimit -Hn): left out' % (n, n + FDS_BESIDE, limit)
    return ''


def measure_all(args, whos, out):
    progress, notes = bench.Progress(), []
    points = {} if args.again else load_points(out)
    limit = raise_limit()
    with open(out, 'w') as f:
        for p in points.values():
            f.write(json.dumps(p) + '\n')
        steps = [(c, n, w, who) for c in CURVES if args.only in c.name for n in c.points for w in args.workers for who in whos
                 if who.name in c.peers]
        for i, (curve, n, workers, who) in enumerate(steps):
            key, why = key_of(curve, n, who.name, workers), missing(curve, n, limit)
            if why and why not in notes:
                notes.append(why)
            if why or key in points:
                continue
            progress.show('%d/%d %s' % (i + 1, len(steps), key))
            points[key] = {'key': key, 'rows': measure(curve, n, who, workers), 'load': round(os.getloadavg()[0], 1),
                           'date': datetime.date.today().isoformat()}
            f.write(json.dumps(points[key]) + '\n')
            f.flush()
    progress.clear()
    return points, notes


def series_of(curve, row, points, names, workers):
    """[(who, workers, [(n, value)])] of one chart."""
    out = []
    for who in names:
        for w in workers:
            line = []
            for n in curve.points:
                p = points.get(key_of(curve, n, who, w))
                value = p and p['rows'].get(row.format(n))
                if value and value[0] > 0:
                    line.append((n, value[0]))
            if line:
                out.append((who, w, line))
    return out


def table(series, unit):
    """Lines of Markdown: a row a number, and how many times better leat is."""
    at = {(who, w, n): v for who, w, line in series for n, v in line}
    workers = sorted({w for _, w, _ in series})
    names = sorted({who for who, _, _ in series}, key=lambda who: who != 'leat')
    shown = names + (['times better'] if len(names) > 1 else [])
    head = ['n'] + ['%s, %d worker%s' % (who, w, 's' if w > 1 else '') for w in workers for who in shown]
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---:|' * len(head)]
    for n in sorted({n for _, _, n in at}):
        cells = ['{:,}'.format(n)]
        for w in workers:
            values = [at.get((who, w, n)) for who in names]
            cells += ['%s %s' % (number(v), unit) if v else '-' for v in values]
            if len(names) > 1:
                cells.append('%.2f' % better(unit, values[0], values[1]) if all(values) else '-')
        lines.append('| ' + ' | '.join(cells) + ' |')
    return lines


def write_docs(args, whos, points, notes):
    folder = args.docs
    os.makedirs(folder, exist_ok=True)
    used = list(points.values())
    days = sorted({p['date'] for p in used})
    loads = [p['load'] for p in used]
    when = '%s, load %.1f to %.1f' % (' to '.join(sorted({days[0], days[-1]})), min(loads), max(loads))
    page = ['# How it grows', '', 'Written by `make growth` (`bench/growth.py`): %s; %s.' % (bench.machine(), when),
            '', '%s. Each figure is the median of three runs, from 100,000 on of one.' % '; '.join('%s: %s' % (w.name, w.version)
                                                                                                 for w in whos)]
    if min(loads) > QUIET_LOAD:
        page += ['', '**The machine was busy with other things**, so the figures say how the curves bend and little of how high they '
                 'are; `make growth AGAIN=1` on a quiet one replaces them.']
    page += ['', 'Both axes are logarithmic. A flat curve: the cost of one does not depend on how many there are.']
    page += ['', *notes] if notes else []
    for curve in CURVES:
        for row, name, unit, title in curve.charts:
            series = series_of(curve, row, points, [w.name for w in whos], args.workers)
            if not series:
                continue
            with open(os.path.join(folder, name + '.svg'), 'w') as f:
                f.write(chart(title, when, curve.x_label, unit, series))
            page += ['', '## %s' % title, '', '![%s](%s.svg)' % (title, name), '', *table(series, unit)]
    page += ['', 'Go: a select statement for 2, 8 and 64 channels, `reflect.Select` for other numbers. A connection is loaded by one '
             'client process, the same for every server, which needs a CPU itself.']
    with open(os.path.join(folder, 'README.md'), 'w') as f:
        f.write('\n'.join(page) + '\n')


def arguments(argv):
    p = argparse.ArgumentParser(prog='bench/growth.py', description='How the cost of one grows with how many there are.')
    p.add_argument('--only', default='', metavar='NAME', help='of: %s' % ', '.join(c.name for c in CURVES))
    p.add_argument('--again', action='store_true', help='measure what has been measured already, too')
    p.add_argument('--workers', default='1,2', help='worker threads: a list')
    p.add_argument('--build', default=os.path.join(ROOT, 'build-bench'), metavar='DIR', help='the build directory')
    p.add_argument('--docs', default=os.path.join(ROOT, 'docs', 'growth'), metavar='DIR', help='where the charts go')
    args = p.parse_args(argv)
    if not any(args.only in c.name for c in CURVES):
        p.error('no curve %r: there are %s' % (args.only, ', '.join(c.name for c in CURVES)))
    args.workers = [int(w) for w in args.workers.split(',')]
    args.build = os.path.abspath(args.build)
    return args


def main(argv):
    args = arguments(argv)
    began = time.monotonic()
    whos = [Leat('leat', args.build, []), Go('go', args.build, [])]
    for who in whos:
        who.prepare(bench.Progress())
    for who in whos:
        if who.absent:
            print('%s: left out: %s' % (who.name, who.absent))
    whos = [w for w in whos if not w.absent]
    points, notes = measure_all(args, whos, os.path.join(args.build, 'growth.jsonl'))
    write_docs(args, whos, points, notes)
    for note in notes:
        print(note)
    print('%s: %d points, %d s' % (os.path.relpath(args.docs), len(points), time.monotonic() - began))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as e:
        sys.stderr.write('growth: %s\n' % e)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write('\ngrowth: interrupted; what was measured is kept\n')
        sys.exit(130)
