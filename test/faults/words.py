"""words.py - the word count (examples/wordcount, with the times of world.py) in place of the two peers, while a fault happens to it.

`drive` counts what is written to its standard input, `serve` is a worker on the other side; by the seed there is a second worker beside
who counts, so that the deal goes on without the first.  What must hold:

  the total is right, whatever died; without any worker for GIVE_UP_S it may be PEER_LOST instead, and says so
  who is dead is told as lost, and who is not, where a session outlives the fault, is not
  it ends, and workers end in order
"""
import collections
import functools
import os
import re
import signal
import subprocess
import threading
import time

from world import BUILD, DEAD_S, Ending, SCALE, SLACK_S, TIMES_MS, World

WORDCOUNT = os.path.join(BUILD, 'test', 'faults', 'faults_wordcount')
BOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'examples', 'data', 'opticks.txt')
GIVE_UP_S = 5                               # wordcount's, without any worker
PIECE = 6 << 10                             # written at a time: each is a shard, mostly
PAUSE_S = 0.003                             # after each
TOP = 20
AHEAD = 40                                  # pieces on the way between who writes and the workers' results, at most: pipe, queue, windows


@functools.lru_cache(maxsize=None)           # two threads may both make it: the same
def pieces():
    """[(bytes, their words)], whole lines each."""
    with open(BOOK, 'rb') as f:
        lines = f.read(60 * PIECE).splitlines(True)[:-1]
    made, text = [], b''
    for line in lines:
        text += line
        if len(text) >= PIECE:
            made.append((text, collections.Counter(w.lower() for w in re.findall(rb'[A-Za-z]+', text))))
            text = b''
    return made


def right_answer(taken):
    """What is to be printed of so many pieces."""
    counts = collections.Counter()
    for i, (_, words) in enumerate(pieces()):
        times = taken // len(pieces()) + (i < taken % len(pieces()))
        for word, n in words.items():
            counts[word] += n * times
    top = sorted((x for x in counts.items() if x[1]), key=lambda x: (-x[1], x[0]))[:TOP]
    return ['%d %s' % (n, w.decode()) for w, n in top]


class Feed(threading.Thread):
    """Writes pieces to a program until it is told to stop, or that program is gone; from its own thread, as the pipe may be full."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.fd, self.taken, self.enough, self.broken = os.dup(process.process.stdin.fileno()), 0, threading.Event(), False
        process.process.stdin.close()
        self.start()

    def run(self):
        try:
            while not self.enough.wait(PAUSE_S):
                text = pieces()[self.taken % len(pieces())][0]
                while text:
                    text = text[os.write(self.fd, text):]
                self.taken += 1
        except BrokenPipeError:                     # killed, or it has failed
            self.broken = True
        finally:
            os.close(self.fd)


class Words(World):
    READY = {'serve': 'listening on ', 'drive': ''}

    def __init__(self, place, seed):
        super().__init__(place, seed)
        self.alone, self.feed = (seed + len(place)) % 2 == 0, None

    def open_peers(self):
        os.environ['FAULTS_MS'] = ','.join(TIMES_MS)
        self.second = None
        if not self.alone:
            self.second = self.start(*self.within(0, WORDCOUNT, 'node', 'unix:%s/second' % self.dir))
            self.second.line('listening on ')
        super().open_peers()

    def program(self, role, _):
        if role == 'serve':
            return [WORDCOUNT, 'node', '--insecure', self.serve_url]
        return [WORDCOUNT, 'run', '--insecure', '--on', self.url + ('' if self.alone else ',unix:%s/second' % self.dir), '/dev/stdin']

    def run_peer(self, role):
        if role == 'serve':
            return super().run_peer(role)
        self.lives[role] += 1
        self.peer[role] = self.start(*self.within(0, *self.program(role, 0)))
        self.feed = Feed(self.peer[role])

    def works_after(self, _, seconds, enough=1):
        """Waits until the deal goes on: more is taken than what was on its way; when, or what is wrong.  A program that has failed is
        judged later."""
        began, end, taken = time.monotonic(), time.monotonic() + seconds, self.feed.taken
        while self.feed.taken < taken + AHEAD + enough and not self.feed.broken:
            if time.monotonic() > end:
                return {}, 'no more than %d pieces within %.1f s' % (self.feed.taken - taken, seconds)
            time.sleep(0.01)
        return {'words': (time.monotonic() - began) * 1e9}, None

    def finish(self):
        """Ends the text and the programs, in order; lines that say what went wrong.  How the count ended is for `verdict_of_words`."""
        problems = []
        self.feed.enough.set()
        try:
            Ending(self.processes).wait(self.peer['drive'], DEAD_S + SLACK_S + GIVE_UP_S * SCALE)
        except subprocess.TimeoutExpired:
            problems.append('the count does not end')
            self.peer['drive'].kill()
        self.feed.join(SLACK_S)
        for name, p in (('the worker', self.peer['serve']), ('the second worker', self.second)):
            problems += ended_in_order(name, p, self.processes) if p else []
        with self.peer['drive'].changed:
            self.peer['drive'].changed.wait_for(lambda: self.peer['drive'].over == 2, SLACK_S)
        return problems


def ended_in_order(name, p, programs):
    p.signal(signal.SIGTERM)
    try:
        code = Ending(programs).wait(p, DEAD_S + SLACK_S)
    except subprocess.TimeoutExpired:
        return [name + ' does not end']
    return [] if code == 0 else ['%s ended with %d' % (name, code)] + p.errors[-20:]


Outcome = collections.namedtuple('Outcome', 'code out err taken url seconds alone dead outlived')


def verdict_of_words(o):
    """(what does not hold, what does not hold where there was time for it, how the count ended).  seconds: from the beginning of the
    fault to the end of the count."""
    lost = [x for x in o.err if 'lost ' in x and o.url in x]
    late = []
    if o.outlived and lost:
        late.append('the worker was lost, and its session outlives this: ' + lost[0])
    if o.dead and not lost:
        late.append('the worker was dead and nobody was told')
    if o.code == 0:
        same = o.out == right_answer(o.taken)
        return [] if same else ['another result: %r and not %r' % (o.out[:5], right_answer(o.taken)[:5])], late, 'right'
    says = ['the count ended with %d' % o.code] + o.err[-20:]
    part = ['part of a result: %r' % o.out[:5]] if o.out else []
    if o.code == 1 and any('no answer to the hello' in x for x in o.err):           # it never began
        return part, late + says, 'given up'
    if o.code == 1 and o.alone and any('PEER_LOST: ' in x for x in o.err) and o.seconds >= GIVE_UP_S:
        return part, late, 'given up'
    return says, late, 'wrong'
