#!/usr/bin/env python3
"""run.py - runs the test programs of build directories and says what failed.

    test/run.py [options] [DIR[=LABEL]...]            build directories as they are
    test/run.py [options] --variants gcc,asan         those of variants.py: configured and built first

The list of programs comes from `meson introspect --tests`.  At most --jobs + 1 programs run at once, each in a process group of its
own with a time limit.  A program prints TAP; one that ends without a plan, ends with an error that no test reported, runs out of
time or leaves a process behind counts as a failed test.  The last line is `N passed, N failed` and nothing else, and the exit
code is 1 if anything failed.
"""
import argparse
import collections
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
RESULT = re.compile(r'^(not )?ok \d+(?: -)?(?: (.*?))?(?:\s*# (SKIP)\b:?\s*(.*))?$', re.I)
PLAN = re.compile(r'^1\.\.(\d+)(?:\s*# SKIP\s*(.*))?$', re.I)
SHOWN_LINES = 80                     # of one failed test: the first 20 and the last 60

Program = collections.namedtuple('Program', 'label name cmd env cwd limit_s protocol parallel priority')


class Outcome:
    """What one run of one program showed: names that passed, (name, lines) that failed, (name, why) that were skipped."""

    def __init__(self, program):
        self.program, self.passed, self.failed, self.skipped, self.seconds = program, [], [], [], 0.0

    @property
    def title(self):
        return ('%s %s' % (self.program.label, self.program.name)).strip()


def parse_tap(out, lines, code):
    """Fills `out` from the lines of a TAP program.  A test's output is what stands between the result before and its own."""
    planned, seen, since = None, 0, []
    for line in lines:
        plan, result = PLAN.match(line), RESULT.match(line)
        if plan:
            planned = int(plan.group(1))
            if planned == 0:
                out.skipped.append(('all', plan.group(2) or ''))
        elif result:
            seen += 1
            name = result.group(2) or 'test %d' % seen
            if result.group(3):
                out.skipped.append((name, result.group(4)))
            elif result.group(1):
                out.failed.append((name, since))
            else:
                out.passed.append(name)
            since = []
        else:
            since.append(line)
    if planned is None:
        out.failed.append(('(no plan: it ended early, with exit code %s)' % code, since))
    elif planned != seen:
        out.failed.append(('(%d results where the plan says %d)' % (seen, planned), since))
    elif code != 0 and not out.failed:
        out.failed.append(('(exit code %s although every test passed)' % code, since))


def parse_exit(out, lines, code):
    if code == 77:
        out.skipped.append(('program', lines[-1] if lines else ''))
    elif code == 0:
        out.passed.append('program')
    else:
        out.failed.append(('(exit code %s)' % code, lines))


def group_members(pgid):
    """Living processes of the group, as 'name (pid)'."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                head, rest = f.read().rsplit(')', 1)
        except OSError:
            continue
        rest = rest.split()
        if int(rest[2]) == pgid and rest[0] not in 'ZX':
            found.append('%s (%s)' % (head.split('(', 1)[1], pid))
    return found


def kill_group(pgid):
    try:
        os.killpg(pgid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


class Runner:
    def __init__(self, jobs):
        self.jobs, self.lock, self.running, self.stopped = jobs, threading.Lock(), set(), False

    def run_one(self, program):
        out, began = Outcome(program), time.monotonic()
        env = dict(os.environ, **program.env)
        with tempfile.TemporaryFile() as log:
            try:
                child = subprocess.Popen(program.cmd, cwd=program.cwd, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=subprocess.STDOUT, start_new_session=True)
            except OSError as e:
                out.failed.append(('(does not start: %s)' % e, []))
                return out
            with self.lock:
                self.running.add(child.pid)
            code, left = self.await_end(child, program.limit_s)
            with self.lock:
                self.running.discard(child.pid)
            log.seek(0)
            lines = log.read().decode('utf-8', 'replace').splitlines()
        out.seconds = time.monotonic() - began
        if code is None:
            tail = lines
            parse_tap(out, lines, 'none')
            out.failed = [f for f in out.failed if not f[0].startswith('(')]
            out.failed.append(('(still running after %d s)' % program.limit_s, tail[-20:] + ['# it had: ' + ', '.join(left)]))
            return out
        (parse_tap if program.protocol == 'tap' else parse_exit)(out, lines, 'signal %d' % -code if code < 0 else code)
        if left:
            out.failed.append(('(left behind: %s)' % ', '.join(left), []))
        return out

    @staticmethod
    def await_end(child, limit_s):
        """(exit code, or None when its time was up; processes it left behind)"""
        try:
            code = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            left = group_members(child.pid)
            kill_group(child.pid)
            child.wait()
            return None, left
        left = group_members(child.pid)
        for _ in range(20):                         # a child that was told to end may need a moment
            if not left:
                break
            time.sleep(0.05)
            left = group_members(child.pid)
        kill_group(child.pid)
        return code, left

    def run_all(self, programs, report):
        """Runs them; those that must be alone come last.  `report` is called with each outcome, never by two threads at once."""
        ordered = sorted(programs, key=lambda p: -p.priority)
        self.run_queue(collections.deque(p for p in ordered if p.parallel), self.jobs, report)
        self.run_queue(collections.deque(p for p in ordered if not p.parallel), 1, report)

    def run_queue(self, queue, jobs, report):
        def worker():
            while not self.stopped:
                try:
                    program = queue.popleft()
                except IndexError:
                    return
                report.started(program)
                outcome = self.run_one(program)
                if not self.stopped:
                    report.ended(outcome)
        threads = [threading.Thread(target=worker, daemon=True) for _ in range(min(jobs, len(queue)))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def stop(self):
        self.stopped = True
        with self.lock:
            for pgid in self.running:
                kill_group(pgid)


class Report:
    """Counts and prints.  One redrawn line on a terminal, a line a program otherwise."""

    def __init__(self, out=sys.stdout):
        self.lock, self.out = threading.Lock(), out
        self.tty = out.isatty() and os.environ.get('TERM') != 'dumb'
        self.passed, self.failed, self.skipped, self.now, self.total, self.done = 0, [], [], [], 0, 0
        self.began = time.monotonic()

    def started(self, program):
        with self.lock:
            self.now.append(program)
            self.redraw()

    def redraw(self):
        if self.tty:
            text = '%d/%d  %d passed, %d failed  %s' % (self.done, self.total, self.passed, len(self.failed), ', '.join(
                ('%s %s' % (p.label, p.name)).strip() for p in self.now))
            self.out.write('\r\x1b[K' + text[:os.get_terminal_size().columns - 1])
            self.out.flush()

    def say(self, text):
        self.out.write(('\r\x1b[K' if self.tty else '') + text + '\n')
        self.out.flush()

    def ended(self, out):
        with self.lock:
            if out.program in self.now:
                self.now.remove(out.program)
            self.done += 1
            self.passed += len(out.passed)
            self.failed += ['%s: %s' % (out.title, name) for name, _ in out.failed]
            whys = collections.OrderedDict()
            for name, why in out.skipped:
                whys.setdefault(why, []).append(name)
            for why, names in whys.items():             # many tests that lack one thing are one line
                what = names[0] if len(names) == 1 else '%d tests' % len(names)
                self.skipped.append('%s: %s%s' % (out.title, what, ': ' + why if why else ''))
            if out.failed or not self.tty:
                self.say('%-36s %4d passed%s  %6.2f s' % (
                    out.title, len(out.passed), ', %d failed' % len(out.failed) if out.failed else '', out.seconds))
            for name, lines in out.failed:
                self.say('  not ok  %s' % name)
                for line in self.cut(lines):
                    self.say('      ' + line)
            self.redraw()

    @staticmethod
    def cut(lines):
        if len(lines) <= SHOWN_LINES:
            return lines
        return lines[:20] + ['... %d lines ...' % (len(lines) - SHOWN_LINES)] + lines[20 - SHOWN_LINES:]

    def broken(self, what, lines):
        """Something that kept tests from running at all."""
        with self.lock:
            self.failed.append(what)
            self.say('  not ok  %s' % what)
            for line in self.cut(lines):
                self.say('      ' + line)

    def finish(self):
        if self.tty:
            self.out.write('\r\x1b[K')
            self.tty = False
        self.say('took %d s' % (time.monotonic() - self.began))
        for text in self.skipped:
            self.say('skipped  ' + text)
        for text in self.failed:
            self.say('not ok   ' + text)
        self.say('%d passed, %d failed' % (self.passed, len(self.failed)))
        return 1 if self.failed or not self.passed else 0


def introspect(build):
    text = subprocess.run(['meson', 'introspect', '--tests', build], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)


def names_of(cmd, env, cwd):
    """The tests inside a program that understands -l (t.h and tap.py do)."""
    try:
        got = subprocess.run(cmd + ['-l'], env=dict(os.environ, **env), cwd=cwd, stdout=subprocess.PIPE, timeout=60,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return got.stdout.split() if got.returncode == 0 else []


def programs_of(build, label, args, wrapper=(), env=(), among=None, slower=1):
    """The programs of a build directory that the options ask for.  --only matches `floor/x` or `floor/x:test_name`."""
    for t in introspect(build):
        suites = [s.split(':')[-1] for s in t['suite']]
        if args.suite and args.suite not in suites or among and not re.search(among, t['name']):
            continue
        script = t['cmd'][0].endswith('.py')            # it inherits fixed addresses; valgrind and qemu would run Python instead
        cmd = (list(wrapper) if not script or wrapper and wrapper[0] == 'setarch' else []) + t['cmd']
        full_env = dict(t['env'], **dict(env))
        cwd = t['workdir'] or os.path.abspath(build)
        if args.only and not re.search(args.only, t['name']):
            wanted = [n for n in names_of(cmd, full_env, cwd) if re.search(args.only, '%s:%s' % (t['name'], n))]
            if not wanted:
                continue
            cmd += wanted
        limit = args.timeout or (t['timeout'] or 300) * slower
        yield Program(label, t['name'], cmd, full_env, cwd, limit, t['protocol'], t.get('is_parallel', True), t.get('priority', 0))


def sets_of(args, report):
    """Yields one list of programs for each build directory or variant, made ready when its turn comes."""
    if args.variants:
        sys.path.insert(0, HERE)
        import variants
        for name in variants.chosen(args.variants):
            lack = variants.lacking(name)
            if lack and args.lenient:
                report.skipped.append('%s: needs %s, which is not installed' % (name, lack))
                continue
            problem = variants.prepare(name, args.jobs, report.say)
            if problem:
                report.broken('%s: %s' % (name, problem[0]), problem[1])
                continue
            v = variants.TABLE[name]
            yield list(programs_of(variants.build_dir(name), name, args, variants.wrapper(v), v['env'], v['among'], v['slower']))
    for arg in args.dirs:
        build, _, label = arg.partition('=')
        if not label and len(args.dirs) > 1:
            label = re.sub(r'^build-', '', os.path.basename(os.path.normpath(build)))
        built = subprocess.run(['ninja', '-C', build, '-j%d' % args.jobs], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if built.returncode:
            report.broken('%s: does not build' % build, built.stdout.splitlines())
            continue
        yield list(programs_of(build, label, args))


def main():
    p = argparse.ArgumentParser(description='Runs test programs; the last line is `N passed, N failed`.')
    p.add_argument('dirs', nargs='*', metavar='DIR[=LABEL]', help='build directories (default: build, when no variants are named)')
    p.add_argument('--variants', metavar='A,B', help='configure, build and run these variants; all: every one; see variants.py')
    p.add_argument('--only', metavar='REGEX', help='programs (floor/x) or tests (floor/x:name) that match')
    p.add_argument('--suite', help='only tests of this meson suite')
    p.add_argument('--repeat', type=int, default=1, metavar='N', help='run everything N times')
    p.add_argument('--timeout', type=float, metavar='S', help='seconds a program may take (default: what meson says)')
    p.add_argument('--jobs', type=int, default=2, metavar='N', help='compilers at once; programs one more, as many wait (default 2)')
    p.add_argument('--lenient', action='store_true', help='a tool that is not installed is a reason to skip, not to fail')
    args = p.parse_args()
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:           # under nohup; programs begin with the default of what is caught here
        signal.signal(signal.SIGHUP, lambda *_: None)
    os.environ['T_LENIENT'] = '1' if args.lenient else ''
    if not args.dirs and not args.variants:
        args.dirs = [os.path.join(ROOT, 'build')]
    runner, report = Runner(args.jobs + 1), Report()
    try:
        for programs in sets_of(args, report):
            report.total += len(programs) * args.repeat
            for _ in range(args.repeat):
                runner.run_all(programs, report)
    except KeyboardInterrupt:
        runner.stop()
        print('\ninterrupted')
        return 130
    except subprocess.CalledProcessError as e:
        report.broken('%s ended with %d' % (' '.join(e.cmd), e.returncode), [])
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
