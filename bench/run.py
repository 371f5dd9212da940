#!/usr/bin/env python3
"""run.py - measures leat beside the same programs of others, in turn, and says how many times faster it is.

Prints a table and writes one JSON object a line: {"bench":"pingpong","who":"leat","unit":"ns","median":..,"min":..,"max":..,
"runs":5,"workers":2}.  Exit code 1: a program failed or printed something else than its rows; 2: wrong arguments.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

from rows import ONE_THREAD, ROWS, better, meets, more_is_better
from who import PEERS, Failure, Leat

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
RUN_LIMIT_S = 300                    # of one run of one program


class Progress:
    """One line on standard error that is redrawn; on anything but a terminal, a line per program."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.last = None

    def show(self, text, detail=''):
        if self.terminal:
            sys.stderr.write('\r\033[K%s%s' % (text, detail))
        elif text != self.last:
            sys.stderr.write(text + '\n')
        self.last = text
        sys.stderr.flush()

    def clear(self):
        if self.terminal:
            sys.stderr.write('\r\033[K')
            sys.stderr.flush()


def machine():
    cpu = platform.machine()
    try:
        with open('/proc/cpuinfo') as f:
            cpu = next((line.split(':', 1)[1].strip() for line in f if line.startswith('model name')), cpu)
    except OSError:
        pass
    return '%s, %d CPUs, Linux %s' % (cpu, len(os.sched_getaffinity(0)), platform.release())


def run_once(who, program, workers, n, more=()):
    """{row: (value, unit)} of one run of one program."""
    command = who.call(program, workers, n) + list(more)
    try:
        done = subprocess.run(command, env=who.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=RUN_LIMIT_S, text=True)
    except subprocess.TimeoutExpired:
        raise Failure('%s: still running after %d s' % (' '.join(command), RUN_LIMIT_S))
    except OSError as e:
        raise Failure('%s: %s' % (command[0], e.strerror))
    if done.returncode:
        why = done.stderr.strip().splitlines()
        raise Failure('%s: exit code %d%s' % (' '.join(command), done.returncode, ': ' + why[-1] if why else ''))
    rows = {}
    for line in done.stdout.splitlines():
        try:
            r = json.loads(line)
            rows[r['bench']] = (float(r['value']), r['unit'])
        except (ValueError, KeyError, TypeError):
            raise Failure('%s: not a result: %s' % (' '.join(command), line))
    return rows


class Table:
    """The rows as they come: one line for leat and the first peer, and one for each further peer."""
    HEAD = ('row', 'w', 'leat', '', 'peer', 'times better', 'target')
    LINE = '%-23s %2s  %-27s %-5s %-27s %-20s %s'

    def __init__(self, progress):
        self.progress, self.color = progress, sys.stdout.isatty() and 'NO_COLOR' not in os.environ
        self.slower, self.missed, self.medians = [], [], {}

    def line(self, text, color=None):
        self.progress.clear()
        print('\033[%dm%s\033[0m' % (color, text) if color and self.color else text, flush=True)

    @staticmethod
    def number(v):
        if v >= 1e6:
            return '%.3g M' % (v / 1e6)
        return '%.0f' % v if v >= 1000 else '%.4g' % v

    def cell(self, values, unit):
        if not values:
            return '-'
        low, high = self.number(min(values)), self.number(max(values))
        return '%s (%s - %s) %s' % (self.number(statistics.median(values)), low, high, unit)

    def target(self, row, workers, text, met):
        if not met:
            self.missed.append('%s (%d)' % (row.name, workers))
        return text if met else text + ' missed'

    def row(self, row, workers, values, failed):
        """values: {who: [value of each run]}; failed: {who}."""
        ours, mark, color = values.get('leat', []), '', None
        self.medians.update({(row.name, workers, who): statistics.median(v) for who, v in values.items() if v})
        target = row.targets[0 if workers == 1 else 1]
        if target and ours:
            best, sign = (max(ours), '>=') if more_is_better(row.unit) else (min(ours), '<=')
            mark = self.target(row, workers, '%s %s' % (sign, self.number(target)), meets(row.unit, best, target))
        head = (row.name, workers, 'failed' if 'leat' in failed else self.cell(ours, row.unit))
        peers = [w for w in values if w != 'leat'] or ['']
        for who in peers:
            theirs = values.get(who, [])
            ratio = ''
            if ours and theirs:
                times = better(row.unit, statistics.median(ours), statistics.median(theirs))
                each = [better(row.unit, a, b) for a, b in zip(ours, theirs)]
                ratio = '%.2f (%.2f - %.2f)' % (times, min(each), max(each))
                if who == 'raw' and row.of_raw:
                    mark = self.target(row, workers, '>= %.2f times' % row.of_raw, max(each) >= row.of_raw)
                if times < 1 and who != 'raw':
                    self.slower.append('%s (%d, %s)' % (row.name, workers, who))
                    ratio, color = ratio + ' SLOWER', 31
            cell = 'failed' if who in failed else self.cell(theirs, row.unit) if who else ''
            self.line((self.LINE % (head + (who, cell, ratio, mark))).rstrip(), color)
            head, mark, color = ('', '', ''), '', None


def measure(program, workers, whos, args, say):
    """({who: {row: [value of each run]}}, {who: why it failed}).  One run each in turn, so that what drifts hits all alike."""
    found, failed = {w.name: {} for w in whos}, {}
    n = next(r.quick for r in ROWS if r.program == program) if args.quick else None
    for i in range(args.runs):
        for who in whos:
            if who.name in failed:
                continue
            say(': %s %d/%d' % (who.name, i + 1, args.runs))
            try:
                for name, (value, unit) in run_once(who, program, workers, n).items():
                    found[who.name].setdefault(name, []).append(value)
                    if any(r.name == name and r.unit != unit for r in ROWS):
                        raise Failure('%s: %s is in %s' % (who.name, name, unit))
            except Failure as e:
                failed[who.name] = str(e)
    return found, failed


def write_rows(out, row, workers, values):
    for who, v in values.items():
        if v:
            out.write(json.dumps({'bench': row.name, 'who': who, 'unit': row.unit, 'median': statistics.median(v), 'min': min(v),
                                  'max': max(v), 'runs': len(v), 'workers': workers}, separators=(',', ':')) + '\n')
    out.flush()


def measure_all(rows, whos, args, out, progress):
    """The table and the failures."""
    table, failures, programs = Table(progress), [], []
    for row in rows:
        if row.program not in programs:
            programs.append(row.program)
    steps = [(p, w) for p in programs for w in (args.workers[:1] if p in ONE_THREAD else args.workers)]
    table.line((Table.LINE % Table.HEAD).rstrip())
    for step, (program, workers) in enumerate(steps):
        mine = [r for r in rows if r.program == program]
        text = '%d/%d %s, %d worker%s' % (step + 1, len(steps), program, workers, '' if workers == 1 else 's')
        able = [w for w in whos if w.name in mine[0].peers]
        found, failed = measure(program, workers, able, args, lambda detail: progress.show(text, detail))
        for who, why in failed.items():
            failures.append(why)
        for row in mine:
            values = {w.name: found[w.name].get(row.name, []) for w in able}
            failures += ['%s: %s printed no row %s' % (program, w.name, row.name) for w in able
                         if not values[w.name] and w.name not in failed and w.name in row.peers]
            table.row(row, workers, values, failed)
            write_rows(out, row, workers, values)
    progress.clear()
    return table, failures


def arguments(argv):
    p = argparse.ArgumentParser(prog='bench/run.py', description='Measures leat beside the same programs of others.')
    p.add_argument('--only', default='', metavar='REGEX', help='rows whose name matches')
    p.add_argument('--peers', default=' '.join(PEERS), metavar='"NAME ..."', help='of: %s; "" for none' % ' '.join(PEERS))
    p.add_argument('--runs', type=int, default=5, help='of each program, in turn')
    p.add_argument('--workers', default='1,2', help='worker threads: a list')
    p.add_argument('--build', default=os.path.join(ROOT, 'build-bench'), metavar='DIR', help='the build directory')
    p.add_argument('--out', metavar='FILE', help='where the JSON lines go: DIR/bench.jsonl')
    p.add_argument('--quick', action='store_true', help='a smoke run: tiny n, one run, two workers')
    p.add_argument('--list', action='store_true', help='say what each row means, and end')
    args = p.parse_args(argv)
    try:
        args.only = re.compile(args.only)
    except re.error as e:
        p.error('--only is not a regular expression: %s' % e)
    args.peers = args.peers.split()
    for name in args.peers:
        if name not in PEERS:
            p.error('no peer %r: there are %s' % (name, ', '.join(PEERS)))
    if args.quick:
        args.runs, args.workers = 1, '2'
    if args.runs < 1:
        p.error('--runs takes a number from 1')
    if not re.fullmatch(r'[1-9]\d{0,3}(,[1-9]\d{0,3})*', args.workers):
        p.error('--workers takes a list of numbers such as 1,2')
    args.workers = [int(w) for w in args.workers.split(',')]
    args.rows = [r for r in ROWS if args.only.search(r.name)]
    if not args.rows:
        p.error('no row matches %r; --list names them' % args.only.pattern)
    args.build = os.path.abspath(args.build)
    args.out = args.out or os.path.join(args.build, 'bench.jsonl')
    return args


def main(argv):
    args = arguments(argv)
    if args.list:
        for r in args.rows:
            print('%-23s %-4s %s' % (r.name, r.unit, r.what))
        return 0
    progress = Progress()
    os.makedirs(os.path.join(args.build, 'bench'), exist_ok=True)
    whos = [Leat('leat', args.build, args.rows)] + [PEERS[name](name, args.build, args.rows) for name in args.peers]
    whos = [w for w in whos if w.programs]
    for who in whos:
        who.prepare(progress)
    progress.clear()
    print('%s; load %.1f; %d run%s each, in turn' % (machine(), os.getloadavg()[0], args.runs, '' if args.runs == 1 else 's'))
    for who in whos:
        print('%s: %s' % (who.name, 'left out: ' + who.absent if who.absent else who.version))
    began = time.monotonic()
    with open(args.out, 'w') as out:
        table, failures = measure_all(args.rows, [w for w in whos if not w.absent], args, out, progress)
    print('median (min - max) of %d; times better: from the medians (least - most of the runs in pairs)' % args.runs)
    if table.slower:
        print('slower than a peer: ' + ', '.join(table.slower))
    if table.missed and not args.quick:
        print('target missed by the best run: ' + ', '.join(table.missed))
    for workers in args.workers:
        stream, calls = table.medians.get(('tcp-stream-8', workers, 'leat')), table.medians.get(('netrpc-calls', workers, 'go'))
        if stream and calls:
            print('%d worker%s: a TCP stream carries %.0f times as many elements as net/rpc makes calls (at least 10 wanted)'
                  % (workers, '' if workers == 1 else 's', stream / calls))
    for why in failures:
        print('failed: ' + why)
    print('%s: %d s' % (os.path.relpath(args.out), time.monotonic() - began))
    return 1 if failures else 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as e:
        sys.stderr.write('bench: %s\n' % e)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write('\nbench: interrupted\n')
        sys.exit(130)
