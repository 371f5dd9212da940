#!/usr/bin/env python3
"""faults.py - every kind of fault (kinds.py) while two programs talk, and while words are counted: nothing is lost or doubled, and every
doubt is told.

    faults.py                             a test program: each kind with a seed
    faults.py --seeds 1..1000 [--only REGEX] [--jobs N] [--state DIR]      the campaign, with what was measured at its end; stopped, it
                                          goes on from DIR.  A kind is named `talk KIND` or `words KIND`
"""
import os
import random
import re
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), os.path.dirname(os.path.abspath(__file__))]
import judge  # noqa: E402
import tap  # noqa: E402
from campaign import State, campaign  # noqa: E402
from kinds import KINDS, SMOKE  # noqa: E402
from words import WORDCOUNT, Outcome, Words, verdict_of_words  # noqa: E402
from world import DEAD_S, GRACE_S, PEER, RELAY, SLACK_S, STARVED_S, World, why_no_network, why_no_tun  # noqa: E402

WARM = 20                                    # of each work, before the fault


class Result:
    """late: problems that a machine without time for these programs makes, too."""

    def __init__(self, kind, seed):
        self.kind, self.seed, self.problems, self.late, self.recovery_s, self.down_s, self.counts = kind, seed, [], [], None, None, {}

    def settle(self, starved, more):
        """What is late counts where the programs had the time to be in time."""
        if self.late and starved:
            self.counts['starved'] = 1
        else:
            self.problems += self.late
        if self.problems:
            self.problems += more


def why_not(place):
    return why_no_tun() if place == 'tun' else why_no_network() if place == 'veth' else None


def why_never(kind):
    whys = [why_not(p) for p in kind.places]
    return whys[0] if all(whys) else None


def run(kind, seed, world=World, where=None):
    """One run, at a place of the seed's choice if no other is said; raises tap.Skip where its network cannot be made."""
    rng = random.Random(seed * 1009 + KINDS.index(kind))
    if why_never(kind):
        raise tap.Skip(why_never(kind))
    place = rng.choice([p for p in kind.places if not why_not(p)])
    place = where or place
    result = Result(kind, seed)
    with world(place, seed) as w:
        _, bad = w.works_after(0, SLACK_S + DEAD_S, WARM)
        if bad:
            result.late = ['before any fault it ' + bad]
            began = healed = time.monotonic_ns()
        else:
            began, healed = kind.fault(w, rng)
            first, bad = w.works_after(healed, SLACK_S + DEAD_S)
            result.recovery_s = max(first.values(), default=0) / 1e9
            result.late = [bad] if bad else []
        time.sleep(rng.uniform(0, 0.05))
        starved = w.waited_s() > STARVED_S
        result.problems = w.finish()
        (look if world is World else look_at_words)(result, w, began, healed)
        result.settle(starved, ['at %s; driver: %s; server: %s' % (place, w.peer['drive'].errors[-5:], w.peer['serve'].errors[-5:])])
    return result


def look(result, w, began, healed):
    driver, server = w.side('drive', 'drive' in result.kind.killed), w.side('serve', 'serve' in result.kind.killed)
    bound_s = DEAD_S + (healed - began) / 1e9 + SLACK_S
    result.problems += judge.judge(driver, server)
    result.late += judge.too_long(driver, bound_s * 1e9) + judge.too_long(server, bound_s * 1e9)
    result.counts = judge.count(driver, server)
    lost = [r.end for r in driver.of('L') if r.outcome == judge.PEER_LOST and r.end > began]
    if lost and result.kind.dead:
        result.down_s = (min(lost) - began) / 1e9
        if result.down_s > DEAD_S + SLACK_S:
            result.late.append('the peer was down and this was told after %.2f s' % result.down_s)
    if result.kind.dead and not lost:
        result.late.append('the peer was down and nobody was told')
    if w.place in result.kind.outlived:
        result.late += judge.unbroken(driver, server)
        result.problems += judge.too_soon(driver, GRACE_S * 1e9)


def look_at_words(result, w, began, _):
    drive = w.peer['drive']
    seconds = (time.monotonic_ns() - began) / 1e9
    bad, late, how = verdict_of_words(Outcome(drive.process.returncode, drive.lines, drive.errors, w.feed.taken, w.url, seconds, w.alone,
                                              result.kind.dead, w.place in result.kind.outlived))
    result.problems += bad
    result.late += late
    result.counts = {how: 1, 'alone' if w.alone else 'with another': 1, 'pieces': w.feed.taken}


# == the campaign ==

WORKS = {'talk': World, 'words': Words}
NAMES = {'%s %s' % (work, kind.name): (kind, world) for kind in KINDS for work, world in WORKS.items()}


def attempt(job):
    name, seed = job
    kind, world = NAMES[name]
    try:
        result = run(kind, seed, world)
    except Exception as e:                                      # a program that does not start is this run's failure
        result = Result(kind, seed)
        result.problems = ['%s: %s' % (type(e).__name__, e)]
    return {'name': name, 'seed': seed, 'problems': result.problems, 'recovery_s': result.recovery_s, 'down_s': result.down_s,
            'counts': result.counts}


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def main():
    first, _, last = option('--seeds', '').partition('..')
    names = [n for n in NAMES if re.search(option('--only', ''), n)]
    for name in [n for n in names if why_never(NAMES[n][0])]:
        names.remove(name)
        print('%-40s skipped: %s' % (name, why_never(NAMES[name][0])), flush=True)
    state = State(option('--state', None), (PEER, WORDCOUNT, RELAY))
    return campaign(attempt, names, range(int(first), int(last or first) + 1), int(option('--jobs', 8)), state)


# == the test program ==

APART = ('cut_at_a_byte', 'cut_again_and_again')      # at each place by its name: they stand for what links go through


def smoke(kind, world, where=None):
    for seed in range(1, int(os.environ.get('FAULTS_SEEDS', 1)) + 1):
        result = run(kind, seed, world, where)
        if result.problems:
            return ['seed %d:' % seed] + result.problems
    return None


if '--seeds' in sys.argv:
    sys.exit(main())
tap.main([(k.name, lambda k=k: smoke(k, World)) for k in KINDS if k.name not in APART] +
         [('%s_%s' % (k.name, p), lambda k=k, p=p: smoke(k, World, p)) for k in KINDS if k.name in APART for p in k.places] +
         [(name, lambda k=k: smoke(k, Words)) for k in KINDS if (name := 'words_are_counted_' + k.name) in SMOKE], jobs=8)
