#!/usr/bin/env python3
"""run.py - every model holds in every order of things, each of its switches is found out, and the explorer knows the litmus tests.

    test/models/run.py            prints TAP, with the number of states of each
    MODELS_LONG=1 ...             also what takes long
"""
import atexit
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.dirname(HERE), HERE]
import models                                                    # noqa: E402
import tap                                                       # noqa: E402
import weak                                                      # noqa: E402
from weak import add, cas, fence, load, na_read, na_write, program, store    # noqa: E402


sizes = []                           # printed at the end, when nothing else is
atexit.register(lambda: print('\n'.join(sizes)))


def holds(model):
    def test():
        if model in models.LONG and not os.environ.get('MODELS_LONG'):
            raise tap.Skip('takes long: MODELS_LONG=1, or make models')
        states, wrong = weak.explore(model(set()))
        sizes.append('# %s: %d states' % (model.__name__, states))
        return [wrong[0]] + wrong[1] if wrong else None
    return test


def finds(model, switch):
    def test():
        states, wrong = weak.explore(model({switch}))
        return None if wrong else '%d states, and no failure, although %s' % (states, switch)
    return test


# -- the explorer itself: what two or three threads may read, together ---------------------------------------------------------
def outcomes(*threads, **init):
    """The results of all threads in every order, each thread ending with a tuple that it stores in `out0`, `out1`, ..."""
    seen = set()

    def end(values):
        seen.add(tuple(values['out%d' % i] for i in range(len(threads))))
    init.update({'out%d' % i: None for i in range(len(threads))})
    weak.explore(program(*threads, init=init, end=end))
    return seen


def stores_then_loads(mine, other, out, between):
    def thread():
        yield store(mine, 1)
        if between:
            yield fence()
        yield store(out, (yield load(other)))
    return thread


def a_load_may_come_before_a_store_unless_a_fence_is_between():
    both = [outcomes(stores_then_loads('x', 'y', 'out0', f), stores_then_loads('y', 'x', 'out1', f), x=0, y=0) for f in (0, 1)]
    return None if (0, 0) in both[0] and (0, 0) not in both[1] and len(both[1]) == 3 else str(both)


def a_message_passes_by_release_and_acquire_alone():
    def sends(mo):
        def thread():
            yield store('data', 1)
            yield store('flag', 1, mo)
            yield store('out0', 0)
        return thread

    def receives(mo):
        def thread():
            flag = yield load('flag', mo)
            yield store('out1', (flag, (yield load('data'))))
        return thread
    for rel, acq in (('', ''), ('rel', ''), ('', 'acq'), ('rel', 'acq')):
        stale = (0, (1, 0)) in outcomes(sends(rel), receives(acq), data=0, flag=0)
        if stale == ((rel, acq) == ('rel', 'acq')):
            return '%s %s: stale data %s' % (rel, acq, stale)
    return None


def a_location_never_goes_back():
    def writes():
        yield store('x', 1)
        yield store('x', 2)
        yield store('out0', 0)

    def reads():
        a = yield load('x')
        yield store('out1', (a, (yield load('x'))))
    bad = [o for o in outcomes(writes, reads, x=0) if o[1][0] > o[1][1]]
    return str(bad) if bad else None


def a_read_modify_write_passes_a_release_on():
    def sends():
        yield store('data', 1)
        yield store('n', 1, 'rel')
        yield store('out0', 0)

    def adds():
        yield add('n', 1, '')
        yield store('out1', 0)

    def receives():
        n = yield load('n', 'acq')
        yield store('out2', (n, (yield load('data'))))
    seen = outcomes(sends, adds, receives, data=0, n=0)
    return None if not [o for o in seen if o[2] == (2, 0)] and [o for o in seen if o[2] == (2, 1)] else str(seen)


def two_read_modify_writes_never_read_the_same():
    def takes(out):
        def thread():
            yield store(out, (yield cas('x', 0, 1)) == 0)
        return thread
    return None if outcomes(takes('out0'), takes('out1'), x=0) == {(True, False), (False, True)} else 'both, or neither'


def two_who_see_two_stores_may_disagree_unless_both_fence():
    def writes(at, out):
        def thread():
            yield store(at, 1)
            yield store(out, 0)
        return thread

    def reads(a, b, out, between):
        def thread():
            first = yield load(a, 'acq')
            if between:
                yield fence()
            yield store(out, (first, (yield load(b, 'acq'))))
        return thread
    for between in (False, True):
        seen = outcomes(writes('x', 'out0'), writes('y', 'out1'), reads('x', 'y', 'out2', between), reads('y', 'x', 'out3', between),
                        x=0, y=0)
        if ((0, 0, (1, 0), (1, 0)) in seen) == between:
            return 'with fences: %s: %s' % (between, sorted(seen))
    return None


def memory_without_atomics_must_be_handed_over():
    def one():
        yield na_write('x', 1)
        yield store('flag', 1, 'rel')

    def two(mo):
        def thread():
            if (yield load('flag', mo)):
                yield na_read('x')
        return thread
    found = [weak.explore(program(one, two(mo), init=dict(x=0, flag=0)))[1] for mo in ('', 'acq')]
    return None if found[0] and 'data race' in found[0][0] and not found[1] else str(found)


# -- the models and the source ---------------------------------------------------------------------------------------------------
def the_functions_that_models_stand_for_exist():
    source = ''
    for path in glob.glob(os.path.join(ROOT, 'src', '*', '*.[chS]')):
        with open(path, encoding='utf-8') as f:
            source += f.read()
    with open(os.path.join(HERE, 'models.py'), encoding='utf-8') as f:
        named = re.findall(r'^    def \w+\([^)]*\): +# ([\w, ]+)$', f.read(), re.M)
    gone = [n for text in named for n in text.split(', ') if not re.search(r'\b%s\b' % n, source)]
    return ['no function of the source: %s' % n for n in gone] or (None if len(named) > 20 else 'only %d are named' % len(named))


def each_word_that_is_exchanged_is_accounted_for():
    """docs/design/concurrency.md says of each what it is a part of, and of no other."""
    words = {}
    for path in glob.glob(os.path.join(ROOT, 'src', '*', '*.[ch]')):
        if not path.endswith('_test.c'):
            with open(path, encoding='utf-8') as f:
                text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
            for at in re.findall(r'atomic_(?:compare_exchange|exchange)\w*\(([^,]+),', text):
                words.setdefault(re.findall(r'\w+', at)[-1], os.path.relpath(path, ROOT))
    with open(os.path.join(ROOT, 'docs', 'design', 'concurrency.md'), encoding='utf-8') as f:
        table = f.read().split('| word | what |', 1)[1].split('\n\n', 1)[0]
    said = set(re.findall(r'`(\w+)`', ' '.join(row.split('|')[1] for row in table.splitlines() if row.count('|') > 2)))
    return ['%s of %s is not there' % (w, words[w]) for w in sorted(set(words) - said)] + ['no word: %s' % w for w in said - set(words)]


def name(text):
    return re.sub(r'\W+', '_', text)


LITMUS = [a_load_may_come_before_a_store_unless_a_fence_is_between, a_message_passes_by_release_and_acquire_alone,
          a_location_never_goes_back, a_read_modify_write_passes_a_release_on, two_read_modify_writes_never_read_the_same,
          two_who_see_two_stores_may_disagree_unless_both_fence, memory_without_atomics_must_be_handed_over,
          the_functions_that_models_stand_for_exist, each_word_that_is_exchanged_is_accounted_for]
tap.main([(t.__name__, t) for t in LITMUS] + [entry for model, switches in models.MODELS for entry in
         [(model.__name__, holds(model))] + [('%s_fails_when_%s' % (model.__name__, name(s)), finds(model, s)) for s in switches]])
