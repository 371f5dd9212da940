"""campaign.py - many runs of many kinds, several at once, each in a network of its own; it may be stopped and go on later.

What has been run is a line each in DIR/runs, behind a line that says which programs ran: another build has another DIR.  Every kind has
had about as many seeds as every other whenever it is stopped.
"""
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time

REPORT_S = 30                                # a line on standard error so often


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else float('nan')


class State:
    """The results there are, and where the next ones are written down; folder: None keeps them in memory only."""

    def __init__(self, folder, programs):
        self.results, self.file = [], None
        if not folder:
            return
        os.makedirs(folder, exist_ok=True)
        path, build = os.path.join(folder, 'runs'), hashlib.sha256()
        for program in programs:
            with open(program, 'rb') as f:
                build.update(f.read())
        lines = []
        if os.path.exists(path):
            with open(path) as f:
                lines = [x for x in f.read().splitlines(True) if x.endswith('\n')]     # the last may be half written
        if lines and json.loads(lines[0]) != build.hexdigest():
            sys.exit('faults: %s has runs of other programs than these; name another folder, or remove it' % path)
        self.results = [json.loads(x) for x in lines[1:]]
        with open(path, 'w') as f:
            f.writelines(lines or [json.dumps(build.hexdigest()) + '\n'])
        self.file = open(path, 'a')

    def add(self, result):
        self.results.append(result)
        if self.file:
            self.file.write(json.dumps(result) + '\n')
            self.file.flush()


def report(name, results):
    """A line of what was measured, and the first runs that were bad."""
    counts = {}
    for r in results:
        for what, n in r['counts'].items():
            counts[what] = counts.get(what, 0) + n
    times = [r['recovery_s'] for r in results if r['recovery_s'] is not None]
    down = [r['down_s'] for r in results if r['down_s'] is not None]
    bad = [r for r in results if r['problems']]
    print('%-40s %5d runs %3d bad  recovery %5.2f s median %5.2f p99%s  %s' % (
        name, len(results), len(bad), percentile(times, 0.5), percentile(times, 0.99),
        '  down %.3f s median %.3f p99' % (percentile(down, 0.5), percentile(down, 0.99)) if down else '',
        ' '.join('%s %d' % x for x in sorted(counts.items()))))
    for r in bad[:5]:
        print('    seed %d: %s' % (r['seed'], '\n        '.join(r['problems'][:12])))
    return bool(bad)


def alone():
    """In a process of the pool: the end of the campaign ends a run in order, with its programs and its folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def stop(*_):
    raise KeyboardInterrupt


def campaign(run, names, seeds, jobs, state):
    """run((name, seed)) gives a result; all names for the first seed, then all for the next.  Whether a run was bad."""
    had = {(r['name'], r['seed']) for r in state.results}
    todo = [(name, seed) for seed in seeds for name in names if (name, seed) not in had]
    began = told = time.monotonic()
    signal.signal(signal.SIGTERM, stop)
    print('%d runs, %d of them done before; %d at a time' % (len(names) * len(seeds), len(names) * len(seeds) - len(todo), jobs),
          flush=True)
    with multiprocessing.Pool(jobs, alone) as pool:
        try:
            for n, result in enumerate(pool.imap_unordered(run, todo), 1):
                state.add(result)
                now = time.monotonic()
                if result['problems']:
                    print('%s, seed %d: %s' % (result['name'], result['seed'], '\n    '.join(result['problems'])), file=sys.stderr,
                          flush=True)
                if now - told >= REPORT_S or n == len(todo):
                    told, rate = now, n / (now - began)
                    print('%d of %d runs, %d bad, %.2f a second, %.1f hours left' % (
                        len(state.results), len(names) * len(seeds), sum(bool(r['problems']) for r in state.results), rate,
                        (len(todo) - n) / rate / 3600), file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print('stopped: started again with the same --state it goes on', file=sys.stderr, flush=True)
    bad = sum(report(name, [r for r in state.results if r['name'] == name]) for name in names)
    print('%d kinds of fault, %d runs, %d of them bad' % (
        len(names), len(state.results), sum(bool(r['problems']) for r in state.results)), flush=True)
    return bad > 0
