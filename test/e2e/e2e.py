"""e2e.py - what the end-to-end tests share: programs started as a user starts them, and what they leave behind.

Each test has a World: a scratch directory, and a mark in the environment of all it starts, by which anything left is found.
Nothing sleeps for luck: a test waits for a line, for an end or for an absence, each with a limit.
"""
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402

BUILD = os.path.abspath(os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build')))
LEAT = os.path.join(BUILD, 'leat')
LIMIT_S = 120                        # far more than anything takes; sanitizers and a loaded machine are slow


def example(name):
    return os.path.join(BUILD, 'examples', name)


class Running:
    """A process whose standard output and error are read as they come."""

    def __init__(self, cmd, env, **how):
        self.process = subprocess.Popen(cmd, env=env, stdin=how.pop('stdin', subprocess.DEVNULL), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, **how)
        self.pid, self.text = self.process.pid, {self.process.stdout: b'', self.process.stderr: b''}
        self.open = set(self.text)

    def read(self, seconds):
        ready, _, _ = select.select(list(self.open), [], [], max(0, seconds))
        for pipe in ready:
            got = os.read(pipe.fileno(), 65536)
            self.text[pipe] += got
            if not got:
                self.open.discard(pipe)

    def until(self, pattern, where='err', seconds=LIMIT_S):
        """Reads on until the pattern has come on standard error (or 'out'); the match."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, getattr(self, where), re.M)
            if found:
                return found
            if not self.open or time.monotonic() > end:
                raise AssertionError('%r did not come; out: %r err: %r' % (pattern, self.out, self.err))
            self.read(min(1, end - time.monotonic()))

    def end(self, seconds=LIMIT_S):
        """Reads to the end of both; the exit code."""
        end = time.monotonic() + seconds
        while self.open and time.monotonic() < end:
            self.read(min(1, end - time.monotonic()))
        if self.open:
            raise AssertionError('still running after %d s; out: %r err: %r' % (seconds, self.out, self.err))
        return self.process.wait(max(1, end - time.monotonic()))

    def kill(self, signo):
        os.kill(self.pid, signo)

    @property
    def out(self):
        return self.text[self.process.stdout].decode('utf-8', 'replace')

    @property
    def err(self):
        return self.text[self.process.stderr].decode('utf-8', 'replace')


class World:
    def __init__(self):
        self.mark = 'leat-test-' + uuid.uuid4().hex

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='leat-e2e-')
        self.sockets = self.path('run')
        os.mkdir(self.sockets, 0o700)
        self.env = dict(os.environ, LEAT_TEST_MARK=self.mark, XDG_RUNTIME_DIR=self.sockets)
        for name in ('LEAT_NODES', 'LEAT_RANK', 'LEAT_LISTEN_FD', 'LEAT_JOB'):
            self.env.pop(name, None)
        return self

    def __exit__(self, *_):
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return self.path(name)

    def start(self, *cmd, **how):
        return Running(list(cmd), dict(self.env, **how.pop('env', {})), **how)

    def run(self, *cmd, **how):
        """Runs to the end: exit code, standard output, standard error."""
        got = subprocess.run(list(cmd), env=dict(self.env, **how.pop('env', {})), stdin=how.pop('stdin', subprocess.DEVNULL),
                             stdout=how.pop('stdout', subprocess.PIPE), stderr=subprocess.PIPE, timeout=LIMIT_S, **how)
        return got.returncode, (got.stdout or b'').decode('utf-8', 'replace'), got.stderr.decode('utf-8', 'replace')

    def living(self):
        """Pids of the processes that carry this world's mark."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/environ' % pid, 'rb') as f:
                    marked = self.mark.encode() in f.read()
                with open('/proc/%s/stat' % pid) as f:
                    state = f.read().rsplit(')', 1)[1].split()[0]
            except OSError:
                continue
            if marked and state not in 'ZX':
                found.append(int(pid))
        return found

    def left(self, seconds=10):
        """Lines that say which processes and files are still there when the time is up."""
        end = time.monotonic() + seconds
        while True:
            problems = ['process %d is left' % p for p in self.living()] + ['file %s is left' % f for f in os.listdir(self.sockets)]
            if not problems or time.monotonic() > end:
                return problems
            time.sleep(0.02)


def differ(what, got, expected):
    """No lines when equal."""
    return [] if got == expected else ['%s is %r' % (what, got), 'and not %r' % (expected,)]


def one_line(text, start, *parts):
    """Lines that say how text is not one line that starts so and has these parts."""
    lines = text.splitlines()
    if len(lines) == 1 and lines[0].startswith(start) and all(p in lines[0] for p in parts):
        return []
    return ['not one line %r with %r but:' % (start, parts)] + lines
