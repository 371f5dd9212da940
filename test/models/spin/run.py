#!/usr/bin/env python3
"""run.py - the protocols of sessions and channels between processes, in every order of things: Spin models.

    test/models/spin/run.py            prints TAP, and for each model its bounds, states and seconds
    MODELS_LONG=1 ...                  also with the larger bounds

A model holds with its bounds, and each of its switches (#define NAME BREAK(n)) is found out; the first word of a switch's comment,
PROGRESS or LIVE, says which search finds it, and AT the bounds where the usual ones are too small for that.  What a failure looks like,
step by step:  cd DIR; BROKEN=n ./pan -r MODEL.pml.trail, where DIR is what the failing test names.
"""
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
import tap                                                       # noqa: E402

SAFETY, PROGRESS, LIVE = 'safety', 'progress', 'live'
LONG = os.environ.get('MODELS_LONG')
MEMORY = 6000                            # MiB that one search may take

# What is searched: kind, bounds (options of the preprocessor), and for LIVE the formula.  `long`: only with MODELS_LONG.
MODELS = {
    'session': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DN=3'), (SAFETY, '-DLINKS=4')]),
    'credit': dict(
        short=[(SAFETY, '-DSENDS=1')],
        long=[(SAFETY, '-DSENDS=1 -DOWN=2'), (SAFETY, '-DC=2 -DSENDS=1'), (SAFETY, '-DSENDS=2 -DTASKS=2 -DOWN=0'),
              (LIVE, '', 'turn_of_site'), (LIVE, '', 'turn_of_home')],
        live={'NOT_IN_TURN': 'turn_of_site', 'NEED_GOES_FIRST': 'turn_of_site'}, live_else='turn_of_home',
        at={'RECALL_ONLY_ONCE': '-DSENDS=1 -DOWN=2', 'OWN_WAITS_UNTOLD': '-DSENDS=1 -DOWN=2'}),
    'crowd': dict(
        short=[(SAFETY, '-DCANCELS=0 -DWHIMS=0')],
        at={'NOT_JUDGED_AGAIN': ''},
        long=[(SAFETY, '-DCANCELS=0'), (SAFETY, '')]),
    'loss': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DSENDS=3')]),
    'totals': dict(short=[(SAFETY, '-DCOMES=3')], long=[(SAFETY, '-DCOMES=3 -DBREAKS=3')]),
    'window': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DC=4 -DSENDS=8')]),
    'relay': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DSENDS=2')]),
    'move': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DC=3 -DSENDS=5'), (SAFETY, '-DC=1 -DSENDS=5')]),
    'handover': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DSENDS=3')]),
    'refs': dict(short=[(SAFETY, '-DGRANTS=1')], long=[(SAFETY, '')]),
    'deal': dict(short=[(SAFETY, '')], long=[(SAFETY, '-DWINDOW=2'), (SAFETY, '-DLOSSES=3')]),
    'select': dict(
        short=[(SAFETY, '-DFULL')],
        progress='-DFULL -DCANCELS=0',
        long=[(PROGRESS, '-DFULL -DCANCELS=0'), (SAFETY, '')]),
}
COMPILE = {SAFETY: ['-DSAFETY'], PROGRESS: ['-DNP'], LIVE: ['-DNFAIR=6']}
SEARCH = {SAFETY: [], PROGRESS: ['-l', '-f'], LIVE: ['-a', '-f']}

sizes = []                               # printed at the end, when nothing else is
atexit.register(lambda: print('\n'.join(sizes)))
scratch = tempfile.mkdtemp(prefix='leat-spin-')
verifiers, locks, guard = {}, {}, threading.Lock()
keep = []                                # a failure's directory is


def clean():
    if not keep:
        shutil.rmtree(scratch, ignore_errors=True)


atexit.register(clean)


def verifier(model, kind, bounds):
    """The directory with the verifier of a model: made once."""
    key = (model, kind, bounds)
    with guard:
        lock = locks.setdefault(key, threading.Lock())
    with lock:
        if key not in verifiers:
            where = tempfile.mkdtemp(prefix='%s-%s-' % (model, kind), dir=scratch)
            source = ['-DLIVE'] if kind == LIVE else []
            subprocess.run(['spin', '-a'] + source + bounds.split() + [os.path.join(HERE, model + '.pml')], cwd=where, check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            subprocess.run(['gcc', '-O2' if LONG else '-O1', '-w', '-DCOLLAPSE', '-DMEMLIM=%d' % MEMORY] + COMPILE[kind] +
                           ['-o', 'pan', 'pan.c'], cwd=where, check=True)
            verifiers[key] = where
    return verifiers[key]


def search(model, kind, bounds, formula=None, broken=0):
    """(states, seconds, what is wrong or None, directory).  An incomplete search is an error."""
    for tool in ('spin', 'gcc'):
        tap.need(tool)
    where = verifier(model, kind, bounds)
    begun = time.time()
    options = ['-E'] + (['-w24', '-m4000000'] if LONG else ['-w18', '-m50000']) + SEARCH[kind] + (['-N', formula] if formula else [])
    ran = subprocess.run(['./pan'] + options, cwd=where, env=dict(os.environ, BROKEN=str(broken)), stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    out = ran.stdout
    counted = re.search(r'(\d[\d.e+]*) states, stored', out)
    if not counted or 'max search depth too small' in out or 'reached -DMEMLIM' in out or 'out of memory' in out:
        raise RuntimeError('the search did not end:\n' + out)
    wrong = re.search(r'pan:\d+: (.*)', out)
    if bool(wrong) == ('errors: 0' in out):
        raise RuntimeError('no verdict:\n' + out)
    return int(float(counted.group(1))), time.time() - begun, wrong and wrong.group(1), where


def named(model, kind, bounds, formula=None):
    return ' '.join([model] + ([kind] if kind != SAFETY else []) + ([formula] if formula else []) + ([bounds] if bounds else []))


def holds(model, run):
    def test():
        states, seconds, wrong, where = search(model, *run)
        sizes.append('# %s: %d states, %.1f s' % (named(model, *run), states, seconds))
        if wrong:
            keep.append(where)
            return [wrong, 'see %s' % where]
        return None
    return test


def switches(model):
    """[(name, number, comment)]"""
    with open(os.path.join(HERE, model + '.pml'), encoding='utf-8') as f:
        return [(n, int(k), why) for n, k, why in re.findall(r'^#define (\w+) BREAK\((\d+)\) +/\* (.*?) \*/$', f.read(), re.M)]


def run_that_finds(model, name, why):
    entry = MODELS[model]
    kind = {'PROGRESS:': PROGRESS, 'LIVE:': LIVE}.get(why.split()[0], SAFETY)
    if kind == LIVE:
        return (LIVE, '', entry.get('live', {}).get(name, entry.get('live_else')))
    return (kind, entry['progress'] if kind == PROGRESS else entry.get('at', {}).get(name, entry['short'][0][1]))


def finds(model, name, number, why):
    def test():
        run = run_that_finds(model, name, why)
        states, seconds, wrong, _ = search(model, *run, broken=number)
        sizes.append('# %s, %s: found after %d states, %.1f s' % (named(model, *run), name, states, seconds))
        return None if wrong else 'all %d states hold, although %s' % (states, why)
    return test


def every_switch_has_a_number_of_its_own():
    bad = [m for m in MODELS if sorted(k for _, k, _ in switches(m)) != list(range(1, len(switches(m)) + 1)) or not switches(m)]
    files = {f[:-4] for f in os.listdir(HERE) if f.endswith('.pml')}
    return ['numbers: ' + m for m in bad] + ['not in the table: ' + m for m in files - set(MODELS)] or None


TESTS = [('every_switch_has_a_number_of_its_own', every_switch_has_a_number_of_its_own)]
for m in MODELS:
    for run in MODELS[m]['short'] + (MODELS[m]['long'] if LONG else []):
        TESTS.append((re.sub(r'\W+', '_', named(m, *run)) + '_holds', holds(m, run)))
    TESTS += [('%s_fails_with_%s' % (m, s[0]), finds(m, *s)) for s in switches(m)]
tap.main(TESTS)
