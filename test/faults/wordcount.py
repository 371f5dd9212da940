#!/usr/bin/env python3
"""wordcount.py - the word count while a worker is killed and restarted and the link to another is cut for five seconds: the right total.

Two workers run; examples/wordcount reads a pipe that is fed here, so everything happens in the middle of the text.  What it prints is
compared with what Python counts.
"""
import collections
import os
import re
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), os.path.dirname(os.path.abspath(__file__))]
import tap  # noqa: E402
from world import ADDRESS, BUILD, RELAY, SCALE, Process, World, why_no_network  # noqa: E402

WORDCOUNT = os.path.join(BUILD, 'examples', 'wordcount')
BOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'examples', 'data', 'opticks.txt')
CUT_S = 5                            # the time that is promised
BEFORE, MEANWHILE, AFTER = 2, 6, 2   # books


def right_answer(text):
    counts = collections.Counter(w.lower() for w in re.findall(rb'[A-Za-z]+', text))
    top = sorted(counts.items(), key=lambda x: (-x[1], x[0]))[:20]
    return [b'%d %s' % (n, w) for w, n in top]


class Feed(threading.Thread):
    """Writes books into the pipe, evenly over the time there is, from its own thread: the pipe may be full."""

    def __init__(self, path, book):
        super().__init__(daemon=True)
        self.path, self.book, self.go, self.written, self.wrong = path, book, threading.Event(), 0, None
        self.start()

    def run(self):
        try:
            with open(self.path, 'wb') as pipe:
                for _ in range(BEFORE):
                    self.put(pipe, self.book)
                for _ in range(MEANWHILE):
                    self.put(pipe, self.book)
                    time.sleep(CUT_S / MEANWHILE)
                self.go.wait()
                for _ in range(AFTER):
                    self.put(pipe, self.book)
        except OSError as e:                         # its reader has ended
            self.wrong = str(e)

    def put(self, pipe, book):
        pipe.write(book)
        pipe.flush()
        self.written += len(book)

    def until(self, books):
        end = time.monotonic() + 60 * SCALE
        while self.written < books * len(self.book):
            if self.wrong or time.monotonic() > end:
                raise AssertionError('%d of %d bytes were taken: %s' % (self.written, books * len(self.book), self.wrong))
            time.sleep(0.01)


def node(w, side, url):
    """A worker; where it listens."""
    p = w.start(*w.within(side, WORDCOUNT, 'node', '--insecure', url))
    return p, p.line('listening on ').split()[-1]


def count(w, first_url, restarted, cut, heal, outlived=True):
    """Counts; the worker `restarted` (side, url) is killed and started again while the link to the other one is cut.  outlived: that one
    is then not lost."""
    with open(BOOK, 'rb') as f:
        book = f.read()
    victim, url = node(w, *restarted)
    path = os.path.join(w.dir, 'text')
    os.mkfifo(path)
    counting = w.start(*w.within(0, WORDCOUNT, 'run', '--insecure', '--on', '%s,%s' % (first_url, url), path))
    feed = Feed(path, book)
    feed.until(BEFORE)
    cut()
    began = time.monotonic()
    victim.kill()
    time.sleep(0.5)
    node(w, restarted[0], url)
    time.sleep(max(0, began + CUT_S - time.monotonic()))
    heal()
    feed.go.set()
    code = counting.process.wait(60 * SCALE)
    with counting.changed:
        counting.changed.wait_for(lambda: counting.over == 2, 10)
    want = right_answer(book * (BEFORE + MEANWHILE + AFTER))
    problems = [] if code == 0 else ['the exit code is %d' % code]
    if [x.encode() for x in counting.lines] != want:
        problems += ['another result: %r' % counting.lines[:5], 'and not:        %r' % want[:5]]
    if not any('lost ' in x and url in x for x in counting.errors):
        problems += ['nobody was lost: the worker was killed too late, or that was not told']
    if outlived and any('lost ' in x and first_url in x for x in counting.errors):
        problems += ['the worker whose link was cut was lost']
    return problems + counting.errors[-10:] if problems else []


def over_relay(*commands, undo, outlived=True, unix=False):
    """The first worker is behind a relay, which cuts its link; both are on this host."""
    def test():
        with World('none', 1, peers=False) as w:
            worker, relay, other = ['unix:%s/%s' % (w.dir, x) for x in ('w', 'r', 'o')] if unix else ['tcp://127.0.0.1:0'] * 3
            _, url = node(w, 0, worker)
            w.relay = Process([RELAY, 'stream', relay, url])
            w.processes.append(w.relay)
            at = w.relay.line('at ')[3:]
            return count(w, at, (0, other), lambda: w.tell(*commands), lambda: w.tell(*undo), outlived)
    return test


def over_cable():
    """The first worker is on another host, and its interface goes down."""
    if why_no_network():
        raise tap.Skip(why_no_network())
    with World('veth', 1, peers=False) as w:
        _, url = node(w, 1, 'tcp://%s:0' % ADDRESS[1])
        return count(w, url, (0, 'tcp://127.0.0.1:0'), lambda: w.ip(1, 'link set way1 down'), lambda: w.ip(1, 'link set way1 up'))


tap.main([('the_total_is_right_with_a_worker_killed_and_a_cable_cut_for_five_seconds', over_cable),
          ('the_total_is_right_with_a_worker_killed_and_a_link_reset_for_five_seconds',
           over_relay('cut both', 'hold both', undo=('release both',))),
          ('the_total_is_right_with_a_worker_killed_and_a_link_reset_for_five_seconds_unix',
           over_relay('cut both', 'hold both', undo=('release both',), unix=True)),
          ('the_total_is_right_with_a_worker_killed_and_another_out_of_reach_for_five_seconds',
           over_relay('refuse', 'cut both', undo=('accept',), outlived=False))], jobs=4)
