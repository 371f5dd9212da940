#!/usr/bin/env python3
"""faults.py - every kind of fault (kinds.py) while two programs talk: nothing is lost or doubled, and every doubt is told.

    faults.py                             a test program: each kind with a few seeds
    faults.py --seeds 1..1000 [--only REGEX] [--jobs N]      the campaign, with what was measured at its end
"""
import concurrent.futures
import os
import random
import re
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), os.path.dirname(os.path.abspath(__file__))]
import judge  # noqa: E402
import tap  # noqa: E402
from kinds import KINDS  # noqa: E402
from world import DEAD_S, SLACK_S, World, why_no_network, why_no_tun  # noqa: E402

WARM = 20                                    # of each work, before the fault


class Result:
    def __init__(self, kind, seed):
        self.kind, self.seed, self.problems, self.recovery_s, self.down_s, self.counts = kind, seed, [], None, None, {}


def why_not(place):
    return why_no_tun() if place == 'tun' else why_no_network() if place == 'veth' else None


def run(kind, seed):
    """One run; raises tap.Skip where its network cannot be made."""
    rng = random.Random(seed * 1009 + KINDS.index(kind))
    place = rng.choice([p for p in kind.places if not why_not(p)] or [None])
    if not place:
        raise tap.Skip(why_not(kind.places[0]))
    result = Result(kind, seed)
    with World(place, seed) as w:
        _, bad = w.works_after(0, SLACK_S + DEAD_S, WARM)
        if bad:
            result.problems = ['before any fault it ' + bad] + w.peer['drive'].errors + w.peer['serve'].errors
            return result
        began, healed = kind.fault(w, rng)
        first, bad = w.works_after(healed, SLACK_S + DEAD_S)
        result.recovery_s = max(first.values(), default=0) / 1e9
        time.sleep(rng.uniform(0, 0.05))
        result.problems = ([bad] if bad else []) + w.finish()
        look(result, w, began, healed)
        if result.problems:
            result.problems += ['at %s; driver: %s; server: %s' % (place, w.peer['drive'].errors[-5:], w.peer['serve'].errors[-5:])]
    return result


def look(result, w, began, healed):
    driver, server = w.side('drive', 'drive' in result.kind.killed), w.side('serve', 'serve' in result.kind.killed)
    bound_s = DEAD_S + (healed - began) / 1e9 + SLACK_S
    result.problems += judge.judge(driver, server, bound_s * 1e9)
    result.counts = judge.count(driver, server)
    lost = [r.end for r in driver.of('L') if r.outcome == judge.PEER_LOST and r.end > began]
    if lost and result.kind.dead:
        result.down_s = (min(lost) - began) / 1e9
        if result.down_s > DEAD_S + SLACK_S:
            result.problems.append('the peer was down and this was told after %.2f s' % result.down_s)
    if result.kind.dead and not lost:
        result.problems.append('the peer was down and nobody was told')
    if w.place in result.kind.outlived:
        result.problems += judge.unbroken(driver, server)


# == the campaign ==

def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else float('nan')


def report(kind, results):
    counts = {}
    for r in results:
        for name, n in r.counts.items():
            counts[name] = counts.get(name, 0) + n
    times = [r.recovery_s for r in results if r.recovery_s is not None]
    down = [r.down_s for r in results if r.down_s is not None]
    bad = [r for r in results if r.problems]
    print('%-34s %5d runs %3d bad  recovery %5.2f s median %5.2f p99%s  %s' % (
        kind.name, len(results), len(bad), percentile(times, 0.5), percentile(times, 0.99),
        '  down %.3f s median %.3f p99' % (percentile(down, 0.5), percentile(down, 0.99)) if down else '',
        ' '.join('%s %d' % x for x in sorted(counts.items()))), flush=True)
    for r in bad[:5]:
        print('    seed %d: %s' % (r.seed, '\n        '.join(r.problems[:12])), flush=True)
    return bool(bad)


def attempt(kind, seed):
    try:
        return run(kind, seed)
    except tap.Skip:
        raise
    except Exception as e:                                      # a program that does not start is this run's failure
        result = Result(kind, seed)
        result.problems = ['%s: %s' % (type(e).__name__, e)]
        return result


def campaign(seeds, only, jobs):
    first, _, last = seeds.partition('..')
    bad = 0
    for kind in KINDS:
        if not re.search(only, kind.name):
            continue
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            runs = [pool.submit(attempt, kind, seed) for seed in range(int(first), int(last or first) + 1)]
        try:
            bad += report(kind, [r.result() for r in runs])
        except tap.Skip as why:
            print('%-34s skipped: %s' % (kind.name, why), flush=True)
    print('%d kinds of fault, %d with a run that is bad' % (len(KINDS), bad))
    return bad


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


# == the test program ==

def smoke(kind):
    for seed in range(1, int(os.environ.get('FAULTS_SEEDS', 1)) + 1):
        result = run(kind, seed)
        if result.problems:
            return ['seed %d:' % seed] + result.problems
    return None


if '--seeds' in sys.argv:
    sys.exit(1 if campaign(option('--seeds', '1..10'), option('--only', ''), int(option('--jobs', 8))) else 0)
tap.main([(kind.name, lambda k=kind: smoke(k)) for kind in KINDS], jobs=8)
