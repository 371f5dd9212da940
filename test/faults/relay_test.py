#!/usr/bin/env python3
"""relay_test.py - the relay does to what goes through it what it is told, to the byte."""
import hashlib
import os
import shutil
import socket
import sys
import tempfile
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), os.path.dirname(os.path.abspath(__file__))]
import tap  # noqa: E402
from world import RELAY, Process  # noqa: E402

DATA = b''.join(hashlib.sha256(b'%d' % i).digest() for i in range(4096))       # 128 KiB
LIMIT_S = 30


class Path:
    """A listener here, the relay, and connections through it."""

    def __init__(self, family=socket.AF_INET, seed=1):
        self.family, self.dir, self.sockets = family, tempfile.mkdtemp(prefix='leat-relay-'), []
        self.target = self.keep(socket.socket(family))
        self.target.bind(('127.0.0.1', 0) if family == socket.AF_INET else self.dir + '/t')
        self.target.listen()
        to = 'tcp://127.0.0.1:%d' % self.target.getsockname()[1] if family == socket.AF_INET else 'unix:%s/t' % self.dir
        at = 'tcp://127.0.0.1:0' if family == socket.AF_INET else 'unix:%s/r' % self.dir
        self.relay = Process([RELAY, 'stream', at, to, str(seed)])
        self.at = self.relay.line('at ')[3:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()
        self.relay.kill()
        shutil.rmtree(self.dir)

    def keep(self, s):
        s.settimeout(LIMIT_S)
        self.sockets.append(s)
        return s

    def dial(self):
        a = self.keep(socket.socket(self.family))
        a.connect(self.at[5:] if self.family == socket.AF_UNIX else ('127.0.0.1', int(self.at.rpartition(':')[2])))
        return a

    def pair(self):
        a = self.dial()
        return a, self.keep(self.target.accept()[0])

    def tell(self, *commands):
        for c in commands:
            self.relay.say(c)
            self.relay.line(' ' + c)


def all_of(s, most=len(DATA)):
    """What comes until the end, and how it ends: 'end', 'reset', or 'more'."""
    got = b''
    while len(got) < most:
        try:
            more = s.recv(65536)
        except ConnectionError:
            return got, 'reset'
        if not more:
            return got, 'end'
        got += more
    return got, 'more'


def silent(s, seconds=0.1):
    s.settimeout(seconds)
    try:
        return ['%r came' % s.recv(10)]
    except TimeoutError:
        return []
    finally:
        s.settimeout(LIMIT_S)


def send(s, data):
    """Whether it was reset meanwhile."""
    try:
        s.sendall(data)
        return False
    except ConnectionError:
        return True


def passes(family):
    with Path(family) as p:
        a, b = p.pair()
        for x, y in ((a, b), (b, a)):
            x.sendall(DATA[:50000])
            if all_of(y, 50000)[0] != DATA[:50000]:
                return 'other bytes came'
        a.shutdown(socket.SHUT_WR)
        if b.recv(1) != b'':
            return 'no end'
        b.sendall(b'late')
        b.close()
        return None if all_of(a) == (b'late', 'end') else 'what came behind a half close is lost'


def cuts_after_exactly(n, verb, how):
    found = []
    for way in ('out', 'in'):
        with Path() as p:
            a, b = p.pair()
            x, y = (a, b) if way == 'out' else (b, a)
            p.tell('%s both %s %d' % (verb, way, n))
            reset = send(x, DATA)
            got = all_of(y)
            if (len(got[0]), got[1]) != (n, how) or got[0] != DATA[:n]:
                found.append('%s: %d bytes, %s' % (way, len(got[0]), got[1]))
            if verb == 'cut' and not reset and all_of(x)[1] != 'reset':
                found.append('%s: the sender is not reset' % way)
    return found


def one_side_hears_nothing():
    with Path() as p:
        a, b = p.pair()
        p.tell('cut dialer')
        found = [] if all_of(a) == (b'', 'reset') else ['the dialer is not reset']
        b.sendall(b'lost')
        return found + silent(b)


def held_bytes_come_when_released():
    with Path() as p:
        a, b = p.pair()
        p.tell('hold out')
        a.sendall(DATA[:1000])
        b.sendall(b'back')
        found = silent(b) + ([] if a.recv(4) == b'back' else ['the other way is held, too'])
        p.tell('release out')
        return found + ([] if all_of(b, 1000)[0] == DATA[:1000] else ['other bytes came'])


def swallowed_bytes_never_come():
    with Path() as p:
        a, b = p.pair()
        p.tell('swallow out')
        a.sendall(b'lost')
        found = silent(b)
        p.tell('release out')
        a.sendall(b'also')
        found += silent(b)
        a, b = p.pair()
        a.sendall(b'good')
        return found + ([] if b.recv(4) == b'good' else ['a later connection is deaf'])


def a_delay_is_no_shorter():
    with Path() as p:
        a, b = p.pair()
        p.tell('delay out 60')
        began = time.monotonic()
        a.sendall(b'x')
        b.recv(1)
        return None if time.monotonic() - began >= 0.06 else 'it came after %.3f s' % (time.monotonic() - began)


def a_rate_is_no_higher():
    with Path() as p:
        a, b = p.pair()
        p.tell('rate out 200000')
        began = time.monotonic()
        a.sendall(DATA[:40000])
        all_of(b, 40000)
        took = time.monotonic() - began
        return None if took >= 0.1 else '40,000 bytes came within %.3f s' % took       # the last chunk of 16 KiB is not paid for


def nobody_listens_while_it_refuses():
    with Path() as p:
        p.tell('refuse')
        try:
            p.dial()
            return 'somebody listens'
        except ConnectionError:
            p.tell('accept')
        a, b = p.pair()
        a.sendall(b'x')
        return None if b.recv(1) == b'x' else 'it does not accept again'


def cuts_of(seed):
    """Where the relay cuts when it is told to do so often: the bytes of each connection."""
    found = []
    with Path(seed=seed) as p:
        p.tell('often both out 1000 5')
        for _ in range(5):
            a, b = p.pair()
            send(a, DATA[:1000])
            found.append(len(all_of(b)[0]))
    return found


def the_same_seed_cuts_at_the_same_bytes():
    one, again, other = cuts_of(7), cuts_of(7), cuts_of(8)
    return None if one == again and one != other else '%s, again %s, and with another seed %s' % (one, again, other)


def waits_for_bytes():
    with Path() as p:
        a, b = p.pair()
        p.tell('await out 100')
        p.relay.say('hold in')
        a.sendall(DATA[:99])
        all_of(b, 99)
        b.sendall(b'1')
        found = [] if a.recv(1) == b'1' else ['it did not wait']
        a.sendall(b'x')
        p.relay.line(' hold in')
        b.sendall(b'2')
        return found + silent(a)


tap.main([(f.__name__, f) for f in (one_side_hears_nothing, held_bytes_come_when_released, swallowed_bytes_never_come,
                                    a_delay_is_no_shorter, a_rate_is_no_higher, nobody_listens_while_it_refuses,
                                    the_same_seed_cuts_at_the_same_bytes, waits_for_bytes)] +
         [('passes_' + name, lambda f=f: passes(f)) for name, f in (('tcp', socket.AF_INET), ('unix', socket.AF_UNIX))] +
         [('%ss_after_exactly_%d' % (verb, n), lambda n=n, v=verb, h=how: cuts_after_exactly(n, v, h))
          for verb, how in (('cut', 'reset'), ('end', 'end')) for n in (0, 1, 16385, 100000)])
