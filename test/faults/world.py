"""world.py - the programs and the networks of one run: two peers (peer.c), what lies between them, and their logs.

A network is two namespaces of the kernel, made for the run and gone with its processes: nothing outside is touched, and no name of
anything is left.  Without the right to make them, `why_no_network` says why.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import judge

BUILD = os.path.abspath(os.environ.get('LEAT_BUILD', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'build')))
RELAY = os.path.join(BUILD, 'test', 'faults', 'faults_relay')
PEER = os.path.join(BUILD, 'test', 'faults', 'faults_peer')
SCALE = 3 if os.environ.get('T_SLOW') else 1                    # of every time, where programs are slow
IDLE_S, PATIENCE_S, GRACE_S = 0.15 * SCALE, 0.15 * SCALE, 1.5 * SCALE
DEAD_S = IDLE_S + PATIENCE_S + GRACE_S                          # after so long a silent peer is certainly lost
TIMES_MS = [str(int(t * 1000)) for t in (IDLE_S, PATIENCE_S, GRACE_S)]
SLACK_S = 10 * SCALE                                            # what a loaded machine may add to any of them
STARVED_S = 0.2 * SCALE                                         # who had to wait so long for a processor is not judged by time
LOOK_S = 0.1                                                    # so often Ending looks
END_S = 60 * SCALE                                              # the programs take their time to end in order
PORT = 7100
ADDRESS = ('10.77.0.1', '10.77.0.2')
_networks = {}


def unshared():
    """The command under which a process has a network of its own."""
    return ['unshare', '-n'] if os.getuid() == 0 else ['unshare', '-rn']


def why_no_network():
    """None, or why this machine lets us make none."""
    if 'why' not in _networks:
        lacks = [t for t in ('unshare', 'nsenter', 'ip', 'ss') if not shutil.which(t)]
        got = None if lacks else subprocess.run(unshared() + ['ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1'],
                                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        _networks['why'] = ('%s is not installed' % lacks[0] if lacks else None if got.returncode == 0 else
                            'no network namespaces: ' + ' '.join(got.stdout.split()))
    return _networks['why']


def why_no_tun():
    if why_no_network():
        return why_no_network()
    return None if os.access('/dev/net/tun', os.R_OK | os.W_OK) else '/dev/net/tun cannot be opened'


class Process:
    """A program whose lines are read as they come; its standard input stays open until `close`."""

    def __init__(self, cmd):
        self.process = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid, self.lines, self.errors, self.changed, self.over = self.process.pid, [], [], threading.Condition(), 0
        self.threads = [threading.Thread(target=self.read, args=a, daemon=True)
                        for a in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for t in self.threads:
            t.start()

    def read(self, pipe, lines):
        for line in pipe:
            with self.changed:
                lines.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.over += 1
            self.changed.notify_all()

    def line(self, has, seconds=30 * SCALE):
        """Waits for a line of standard output that has this in it; the line."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [x for x in self.lines if has in x]
                if found:
                    return found[0]
                if self.over == 2 or not self.changed.wait(end - time.monotonic()) and time.monotonic() > end:
                    raise AssertionError('no line with %r; out %r err %r' % (has, self.lines, self.errors))

    def say(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for t in self.threads:
            t.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def threads(pid):
    """{thread: (its state, ns that it has run)} of a program; what this kernel does not tell is not there."""
    found = {}
    try:
        for tid in os.listdir('/proc/%d/task' % pid):
            with open('/proc/%d/task/%s/stat' % (pid, tid)) as f:
                state = f.read().rpartition(')')[2].split()[0]
            with open('/proc/%d/task/%s/schedstat' % (pid, tid)) as f:
                found[tid] = state, int(f.read().split()[0])
    except OSError:                                             # it has ended meanwhile
        pass
    return found


def kept_back(before, after, passed_ns):
    """Whether a thread that wants to run had a processor for less than half of the time."""
    return any(state == 'R' and tid in before and ran - before[tid][1] < passed_ns / 2 for tid, (state, ran) in after.items())


class Ending:
    """Waits for the end of a program, and bounds the time that it takes.  What passes while a thread of these programs is kept from a
    processor does not count, up to `most` times the bound: a program that sleeps for ever is told from one that has no time."""

    most = 20

    def __init__(self, programs):
        self.programs = programs

    def look(self):
        return {(p.pid, tid): x for p in self.programs for tid, x in threads(p.pid).items()}

    def wait(self, p, seconds):
        """Its exit code; raises subprocess.TimeoutExpired."""
        began, counted, seen = time.monotonic(), 0, self.look()
        while True:
            at = time.monotonic()
            try:
                return p.process.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                now, passed = self.look(), time.monotonic() - at
                counted += 0 if kept_back(seen, now, passed * 1e9) else passed
                seen = now
                if counted > seconds or time.monotonic() - began > seconds * self.most:
                    raise


class World:
    """place: tcp or unix, through the relay; tun, through the relay between two networks; veth, two networks and no relay."""

    READY = {'serve': 'at ', 'drive': 'drives'}                 # what a program says when it is ready

    def __init__(self, place, seed, peers=True):
        self.peers, self.place, self.seed, self.relay, self.processes = peers, place, seed, None, []
        self.holders, self.lives = [None, None], {'drive': 0, 'serve': 0}
        self.peer = {}

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='leat-faults-')
        try:
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            p.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *cmd):
        self.processes.append(Process(list(cmd)))
        return self.processes[-1]

    def within(self, side, *cmd):
        """The command as it is to be run in the network of a side (0: who dials)."""
        if not self.holders[side]:
            return list(cmd)
        enter = ['-U', '--preserve-credentials'] if os.getuid() else []
        return ['nsenter', '-t', str(self.holders[side].pid), *enter, '-n'] + list(cmd)

    def ip(self, side, *lines):
        """Commands of ip(8), in the network of a side."""
        subprocess.run(self.within(side, 'ip', '-batch', '-'), input='\n'.join(lines) + '\n', check=True, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def networks(self):
        # the second is made within the first one's users, so that a device can join the two
        self.holders[0] = self.start(*unshared(), 'sh', '-c', 'echo here; exec cat')
        self.holders[0].line('here')
        self.holders[1] = self.start(*self.within(0, 'unshare', '-n', 'sh', '-c', 'echo here; exec cat'))
        self.holders[1].line('here')
        for side in (0, 1):
            self.ip(side, 'link set lo up')
        if self.place == 'veth':
            self.ip(0, 'link add way0 type veth peer name way1 netns %d' % self.holders[1].pid)
            for side in (0, 1):
                self.ip(side, 'addr add %s/24 dev way%d' % (ADDRESS[side], side), 'link set way%d up' % side)

    def open(self):
        if self.place in ('tun', 'veth'):
            self.networks()
        if self.place == 'tun':
            self.relay = self.start(*self.within(0, RELAY, 'tun', *(str(h.pid) for h in self.holders), str(self.seed)))
            self.relay.line('at ')
        if self.peers:
            self.open_peers()

    def open_peers(self):
        self.serve_url = {'tcp': 'tcp://127.0.0.1:0', 'unix': 'unix:%s/s' % self.dir}.get(self.place, 'tcp://%s:%d' % (ADDRESS[1], PORT))
        self.run_peer('serve')
        self.url = self.serve_url
        if self.place in ('tcp', 'unix'):
            at = 'tcp://127.0.0.1:0' if self.place == 'tcp' else 'unix:%s/r' % self.dir
            self.relay = self.start(RELAY, 'stream', at, self.url, str(self.seed))
            self.url = self.relay.line('at ')[3:]
        self.run_peer('drive')

    def run_peer(self, role):
        """Starts a peer, again at the same address if it was killed."""
        life = self.lives[role]
        self.lives[role] += 1
        side = 1 if role == 'serve' else 0
        p = self.peer[role] = self.start(*self.within(side, *self.program(role, life)))
        ready = p.line(self.READY[role])
        if role == 'serve':
            self.serve_url = ready.split()[-1]

    def program(self, role, life):
        url = self.serve_url if role == 'serve' else self.url
        return [PEER, role, url, self.log(role, life), *TIMES_MS, str(self.seed), str(life)]

    def log(self, role, life):
        return os.path.join(self.dir, '%s.%d' % (role, life))

    def side(self, role, killed=False):
        return judge.Side([judge.read(self.log(role, life)) for life in range(self.lives[role])], killed)

    def tell(self, *commands):
        """Commands to the relay, which has done them when this returns; the time, in ns."""
        at = 0
        for c in commands:
            before = len(self.relay.lines)
            self.relay.say(c)
            with self.relay.changed:
                while not (done := [x for x in self.relay.lines[before:] if x.endswith(' ' + c)]):
                    if self.relay.over == 2 or not self.relay.changed.wait(30):
                        raise AssertionError('relay: %r: %r' % (c, self.relay.errors))
            at = int(done[0].split()[0])
        return at

    def works_after(self, since_ns, seconds, enough=1):
        """Waits until every work has gone on after this moment; when each first did so, in ns after it, or what has not."""
        end, first, offset, seen = time.monotonic() + seconds, {}, {}, {}
        while True:
            for role, whats in (('drive', 'mecB'), ('serve', 'S')):
                path = self.log(role, self.lives[role] - 1)
                records = judge.read(path, offset.get(path, 0))
                offset[path] = offset.get(path, 0) + len(records) * judge.RECORD.size
                for r in records:
                    if r.what in whats and r.outcome == judge.OK and r.end > since_ns:
                        seen[r.what] = seen.get(r.what, 0) + 1
                        if seen[r.what] >= enough:
                            first.setdefault(r.what, r.end - since_ns)
            if len(first) == 5:
                return first, None
            if time.monotonic() > end:
                return first, 'does not go on within %.1f s: %s' % (seconds, ', '.join(sorted(set('mecBS') - set(first))))
            time.sleep(0.01)

    def waited_s(self):
        """How long these programs could have run and were kept from it, together, of each its worst thread."""
        total = 0
        for p in self.processes:
            waited = [0]
            try:
                for thread in os.listdir('/proc/%d/task' % p.pid):
                    with open('/proc/%d/task/%s/schedstat' % (p.pid, thread)) as f:
                        waited.append(int(f.read().split()[1]))
            except OSError:                          # it has ended meanwhile, or this kernel does not tell
                pass
            total += max(waited)
        return total / 1e9

    def finish(self):
        """Ends the peers in order; lines that say what went wrong."""
        problems = []
        for role in ('drive', 'serve'):
            p = self.peer[role]
            try:
                p.process.stdin.close()
                code = Ending(self.processes).wait(p, END_S)
            except subprocess.TimeoutExpired:
                problems.append('%s does not end' % role)
                p.signal(signal.SIGKILL)
                continue
            if code != 0:
                problems += ['%s ended with %d' % (role, code)] + p.errors[-40:]
        return problems
