"""weak.py - an exhaustive explorer of small concurrent programs under a weak memory model.

A thread is a generator that yields operations and gets their results.  Everything that is left open is tried: which thread goes on,
and which of the stores that it may still see a load returns.  The model is C11's without out-of-thin-air values, by views:

  - A location is the list of its stores in the order in which they came.  A thread has a view: of each location, the oldest store it may
    still read.  A load reads any store from there on; a read-modify-write reads the last one.
  - A store that releases carries its thread's view; a load that acquires takes over the view of the store that it reads.
    A read-modify-write passes on the view of what it read (a release sequence).
  - `sc` operations on one location follow each other; a full fence (`fence`) orders all before it before all after every later one.
  - `na` is memory without atomics: each access must have seen the one before it, or the program has a data race.  That is stricter than
    C11, where two reads are none: a location stands for what one owner hands to the next.

So x86-64, where only a store may come after later loads, and aarch64 show no more than this does, but for one thing: the stores of one
location are ordered as they are executed.  What the kernel does (`sleep`, `wake`: a futex) reads the last store.
The programs must end; a wait in a loop is one operation that is not possible yet (`lock`, `until`).
"""
import collections

Program = collections.namedtuple('Program', 'threads init end stuck barriers')


def program(*threads, init=None, end=None, stuck=(), barriers=False):
    """end(values) says what is wrong when all have ended, or None; stuck: threads that may wait for ever; barriers: some do `barrier`."""
    return Program(threads, init or {}, end or (lambda values: None), frozenset(stuck), barriers)


# -- the operations; mo is '', 'acq', 'rel', 'ar' or 'sc'
def load(at, mo=''): return ('load', at, mo)
def store(at, value, mo=''): return ('store', at, value, mo)
def rmw(at, fn, mo='ar'): return ('rmw', at, fn, mo)
def swap(at, value, mo='ar'): return ('rmw', at, lambda old: value, mo)
def add(at, n, mo='ar'): return ('rmw', at, lambda old: old + n, mo)
def cas(at, expected, value, mo='ar'): return ('rmw', at, lambda old: value if old == expected else None, mo)
def fence(): return ('fence',)
def barrier(): return ('barrier',)                               # the kernel makes every thread pass a fence (membarrier)
def na_read(at): return ('na', at, None)
def na_write(at, value): return ('na', at, value)
def lock(at): return ('until', at, lambda v: v == 0, lambda v: 1)
def unlock(at): return ('store', at, 0, 'rel')
def until(at, test): return ('until', at, test, None)
def sleep(at, value): return ('sleep', at, value)
def wake(at): return ('wake', at)
def fail(text): return ('fail', text)


class Failure(Exception):
    pass


def join(a, b):
    return a if a == b else tuple(map(max, a, b))


class Explorer:
    """Depth first over all states that differ.  A thread's state is the list of results it got: its generator is run again from those."""

    def __init__(self, what):
        self.program, self.ids, self.names, self.steps, self.children = what, {}, [], {}, {}
        self.zero = None

    def loc(self, name):
        if name not in self.ids:
            raise Failure('no such location: %s' % (name,))
        return self.ids[name]

    def next_of(self, who, history):
        """The operation after these results, or None: it has ended."""
        key = (who, history)
        if key not in self.steps:
            gen, results = self.program.threads[who](), []
            at = history
            while at:
                results.append(at[1])
                at = at[0]
            op = next(gen, None)
            for r in reversed(results):
                try:
                    op = gen.send(r)
                except StopIteration:
                    op = None
            self.steps[key] = op
        return self.steps[key]

    def run(self):
        """(number of states, None or (what is wrong, the way there))"""
        init = sorted(self.program.init.items())
        self.ids = {name: i for i, (name, _) in enumerate(init)}
        self.names = [name for name, _ in init]
        self.zero = zero = (0,) * len(init)
        n = len(self.program.threads)
        memory = tuple(((value, zero, zero),) for _, value in init)
        # history, view, view of relaxed loads (for a fence), view of the last fence, location it sleeps at
        threads = tuple((None, zero, zero, zero, None) for _ in range(n))
        first = (threads, memory, zero)
        seen, todo = {first}, [(first, None)]
        while todo:
            state, way = todo.pop()
            try:
                found = list(self.successors(state))
            except Failure as e:
                return len(seen), (str(e), self.told(way))
            for who, text, new in found:
                if new not in seen:
                    seen.add(new)
                    todo.append((new, (way, who, text)))
        return len(seen), None

    @staticmethod
    def told(way):
        lines = []
        while way:
            lines.append('%s: %s' % (way[1], way[2]))
            way = way[0]
        return lines[::-1]

    def successors(self, state):
        threads, memory, sc = state
        possible, ended, out = False, True, []
        for who, t in enumerate(threads):
            op = self.next_of(who, t[0]) if t[4] is None else ('asleep',)
            if op is None:
                continue
            ended = False
            if op[0] == 'asleep':
                continue
            steps = list(self.step(state, who, op))
            if steps and op[0] == 'na' and not self.program.barriers:
                return steps                         # its place among what others do does not matter, but for a barrier
            possible = possible or bool(steps)
            out += steps
        if ended:
            wrong = self.program.end({name: memory[i][-1][0] for name, i in self.ids.items()})
            if wrong:
                raise Failure('at the end: %s' % wrong)
        elif not possible:
            waits = [w for w, t in enumerate(threads) if t[4] is not None or self.next_of(w, t[0]) is not None]
            if set(waits) - self.program.stuck:
                raise Failure('waits for ever: %s' % ', '.join(self.program.threads[w].__name__ for w in waits))
        return out

    def after(self, state, who, text, result, view, acq=None, rel=None, memory=None, sc=None, asleep=None):
        threads, old_memory, old_sc = state
        t = threads[who]
        new = ((t[0], result), view, t[2] if acq is None else acq, t[3] if rel is None else rel, asleep)
        return (self.program.threads[who].__name__, text,
                (threads[:who] + (new,) + threads[who + 1:], old_memory if memory is None else memory, old_sc if sc is None else sc))

    @staticmethod
    def seen_at(view, at, index):
        return view if view[at] >= index else view[:at] + (index,) + view[at + 1:]

    def step(self, state, who, op):
        return getattr(self, 'do_' + op[0])(state, who, *op[1:])

    def do_fail(self, state, who, text):
        raise Failure(text)

    def read(self, state, who, at, index, mo):
        """(value, view, view of relaxed loads) after reading this store"""
        _, view, acq, _, _ = state[0][who]
        value, carried, _ = state[1][at][index]
        view = self.seen_at(view, at, index)
        if mo in ('acq', 'ar', 'sc'):
            view = join(view, carried)
        return value, view, join(acq, carried)

    def do_load(self, state, who, name, mo):
        at = self.loc(name)
        first = max(state[0][who][1][at], state[2][at] if mo == 'sc' else 0)
        for index in range(first, len(state[1][at])):
            value, view, acq = self.read(state, who, at, index, mo)
            yield self.after(state, who, '%s is %s' % (name, value), value, view, acq)

    def write(self, state, who, at, value, view, mo, passed_on=None):
        """(view, memory, sc) after it"""
        threads, memory, sc = state
        index = len(memory[at])
        view = self.seen_at(view, at, index)
        carried = view if mo in ('rel', 'ar', 'sc') else self.seen_at(threads[who][3], at, index)
        if passed_on is not None:
            carried = join(carried, passed_on)
        memory = memory[:at] + (memory[at] + ((value, carried, view),),) + memory[at + 1:]
        return view, memory, self.seen_at(sc, at, index) if mo == 'sc' else sc

    def do_store(self, state, who, name, value, mo):
        at = self.loc(name)
        view, memory, sc = self.write(state, who, at, value, state[0][who][1], mo)
        yield self.after(state, who, '%s := %s' % (name, value), None, view, memory=memory, sc=sc)

    def do_rmw(self, state, who, name, fn, mo):
        at = self.loc(name)
        last = len(state[1][at]) - 1
        for index in range(state[0][who][1][at], last + 1):
            new = fn(state[1][at][index][0])
            if index < last and new is not None:
                continue                             # it succeeds on the last store only
            old, view, acq = self.read(state, who, at, index, mo)
            if new is None:
                yield self.after(state, who, '%s is %s, no change' % (name, old), old, view, acq)
                continue
            view, memory, sc = self.write(state, who, at, new, view, mo, state[1][at][index][1])
            yield self.after(state, who, '%s: %s -> %s' % (name, old, new), old, view, acq, memory=memory, sc=sc)

    def do_until(self, state, who, name, test, change):
        at = self.loc(name)
        last = len(state[1][at]) - 1
        if not test(state[1][at][last][0]):
            return
        old, view, acq = self.read(state, who, at, last, 'acq')
        if change is None:
            yield self.after(state, who, '%s is %s at last' % (name, old), old, view, acq)
            return
        view, memory, sc = self.write(state, who, at, change(old), view, 'acq', state[1][at][last][1])
        yield self.after(state, who, 'takes %s' % name, old, view, acq, memory=memory, sc=sc)

    def do_fence(self, state, who):
        threads, memory, sc = state
        view = join(join(threads[who][1], threads[who][2]), sc)
        yield self.after(state, who, 'fence', None, view, rel=view, sc=join(sc, view))

    def do_barrier(self, state, who):
        threads, memory, sc = state
        for t in threads:
            sc = join(sc, join(t[1], t[2]))
        fenced = tuple((t[0], join(t[1], sc), t[2], join(t[1], sc), t[4]) for t in threads)
        yield self.after((fenced, memory, sc), who, 'every thread passes a fence', None, sc, rel=sc)

    def do_na(self, state, who, name, value):
        threads, memory, sc = state
        at = self.loc(name)
        old, _, count = memory[at][0]
        view = threads[who][1]
        if view[at] != count[at]:
            raise Failure('a data race: %s %s %s without having seen the access before' % (
                self.program.threads[who].__name__, 'reads' if value is None else 'writes', name))
        count = self.seen_at(count, at, count[at] + 1)
        memory = memory[:at] + (((old if value is None else value, self.zero, count),),) + memory[at + 1:]
        yield self.after(state, who, '%s %s' % ('reads' if value is None else 'writes', name), old,
                         self.seen_at(view, at, count[at]), memory=memory)

    def do_sleep(self, state, who, name, value):
        at = self.loc(name)
        if state[1][at][-1][0] != value:
            yield self.after(state, who, '%s is not %s: no sleep' % (name, value), False, state[0][who][1])
        else:
            yield self.after(state, who, 'sleeps at %s' % name, True, state[0][who][1], asleep=at)

    def do_wake(self, state, who, name):
        at = self.loc(name)
        threads = tuple(t[:4] + (None,) if t[4] == at else t for t in state[0])
        yield self.after((threads,) + state[1:], who, 'wakes who sleeps at %s' % name, None, threads[who][1])


def explore(what):
    return Explorer(what).run()
