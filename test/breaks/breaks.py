#!/usr/bin/env python3
"""breaks.py [REGEX] - breaks each promise that docs/semantics.md makes at a distance, and looks whether its tests notice: table.py.

A break is built beside the build directory LEAT_BUILD (build): the files it changes are compiled with their own commands, and the test
programs linked with those objects in the place of the library's.  So nothing there changes.  A test notices when it fails, or does not
end in many times the time that it takes without the break.  REGEX: of `heading: row`, or of the place in a file of breaks."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import table

GO = 'go/leat/'
LEAST_S, TIMES, SUM = 12, 10, re.compile(r'^(not )?ok \d+(?: -)?(?: (.*?))?(\s*# SKIP.*)?$')


class Build:
    """A build directory, and how what is in it was made."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.programs = {t['name']: t for t in self.introspect('--tests')}
        self.targets = {t['id']: t for t in self.introspect('--targets')}
        self.by_file = {t['filename'][0]: t for t in self.targets.values() if t['filename']}
        self.listed, self.linked = {}, {}
        with open(os.path.join(self.path, 'compile_commands.json')) as f:
            self.objects = {}                        # of a file several: the tool has some of the library's for itself
            for x in json.load(f):
                if not x['output'].startswith('libleat_race'):
                    self.objects.setdefault(os.path.normpath(os.path.join(x['directory'], x['file'])), []).append(x)

    def introspect(self, what):
        return json.loads(subprocess.run(['meson', 'introspect', what, self.path], check=True, stdout=subprocess.PIPE).stdout)

    def names(self, program):
        if program not in self.listed:
            got = subprocess.run(self.programs[program]['cmd'] + ['-l'], stdout=subprocess.PIPE, text=True, timeout=60,
                                 env=dict(os.environ, **self.programs[program]['env']))
            self.listed[program] = set(got.stdout.split())
        return self.listed[program]

    def link_command(self, exe):
        if exe not in self.linked:
            got = subprocess.run(['ninja', '-C', self.path, '-t', 'commands', '-s', os.path.relpath(exe, self.path)], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()
            self.linked[exe] = shlex.split([x for x in got if not x.startswith('ninja:')][-1])
        return self.linked[exe]


class Broken:
    """One break, built in a folder of its own."""

    def __init__(self, build, texts, folder):
        self.build, self.folder, self.changed, self.env = build, folder, {}, {}
        for path, text in texts.items():
            if path.startswith(GO):
                self.go(path, text)
            else:
                self.compile(path, text)

    def go(self, path, text):
        """In a copy of the module, which test/go/run.py is told of."""
        there = os.path.join(self.folder, GO)
        if not self.env:
            shutil.copytree(os.path.join(table.ROOT, GO), there)
        self.env['LEAT_GO_MODULE'] = there
        with open(os.path.join(self.folder, path), 'w') as f:
            f.write(text)

    def compile(self, path, text):
        objects = self.build.objects.get(os.path.join(table.ROOT, path), [])
        if not objects:
            raise RuntimeError('%s is not compiled by itself: break a .c file' % path)
        src = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(src), exist_ok=True)
        with open(src, 'w') as f:
            f.write(text)
        for n, x in enumerate(objects):
            self.compile_as(x, src, '%s.%d.o' % (src[:-2], n))

    def compile_as(self, x, src, out):
        command = [src if a == x['file'] else out if a == x['output'] else a for a in shlex.split(x['command'])]
        command = [a for a in command if a not in ('-MD',)]
        for flag in ('-MQ', '-MF'):
            at = command.index(flag)
            del command[at:at + 2]
        got = subprocess.run(command + ['-w'], cwd=x['directory'], stderr=subprocess.PIPE, text=True)
        if got.returncode:
            raise RuntimeError('does not compile:\n' + got.stderr)
        self.changed[x['output']] = out

    def link(self, exe):
        """The program, with what was changed; in the same place below our folder."""
        out = os.path.join(self.folder, 'build', os.path.relpath(exe, self.build.path))
        if os.path.isfile(out) and not os.path.islink(out):
            return out
        os.makedirs(os.path.dirname(out), exist_ok=True)
        command = list(self.build.link_command(exe))
        command[command.index('-o') + 1] = out
        for was, now in self.changed.items():
            if was in command:
                command[command.index(was)] = now
            elif was.startswith('libleat'):          # then the archive's own is not asked for
                at = next((i for i, a in enumerate(command) if a.startswith('-Wl,--start-group') or a.endswith('.a')), None)
                if at:
                    command.insert(at, now)
        if os.path.lexists(out):
            os.unlink(out)
        got = subprocess.run(command, cwd=self.build.path, stderr=subprocess.PIPE, text=True)
        if got.returncode:
            raise RuntimeError('does not link:\n' + got.stderr)
        return out

    def mirror(self, program):
        """For a test that runs programs of LEAT_BUILD: a folder like that."""
        there = os.path.join(self.folder, 'build')
        for target in program['depends']:
            for exe in self.build.targets[target]['filename']:
                if os.access(exe, os.X_OK) and self.build.targets[target]['type'] == 'executable':
                    self.link(exe)
        for folder, names, files in os.walk(there):
            for name in os.listdir(os.path.join(self.build.path, os.path.relpath(folder, there))):
                at = os.path.join(folder, name)
                if not os.path.lexists(at):
                    os.symlink(os.path.join(self.build.path, os.path.relpath(at, there)), at)
            names[:] = [n for n in names if not os.path.islink(os.path.join(folder, n))]
        return there

    def command(self, program):
        p = self.build.programs[program]
        if p['cmd'][0].endswith('.py'):
            return p['cmd'], dict(p['env'], LEAT_BUILD=self.mirror(p), **self.env)
        return [self.link(p['cmd'][0])] + p['cmd'][1:], p['env']


def run(command, env, names, limit):
    """{name: None passed, or how it failed} of tests of one program, and the seconds it took."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command + names, env=dict(os.environ, **env), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            pass
        late = child.poll() is None
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        code = child.wait()
        log.seek(0)
        lines = log.read().decode('utf-8', 'replace').splitlines()
    got = {}
    for line in lines:
        m = SUM.match(line)
        if m and m.group(2):
            got[m.group(2).strip()] = 'skipped' if m.group(3) else 'failed' if m.group(1) else None
    for name in names:
        got.setdefault(name, 'no end in %d s' % limit if late else 'ended with %d' % code)
    said = [x for x in lines if x.startswith('#')]
    return got, time.monotonic() - began, said[:12]


class Judge:
    def __init__(self, build, say=print, verbose=False):
        self.build, self.say, self.verbose, self.plain, self.seconds = build, say, verbose, {}, {}

    def without(self, program, name):
        """None: it passes as things are; else why not."""
        if (program, name) not in self.plain:
            p = self.build.programs[program]
            got, took, _ = run(p['cmd'], p['env'], [name], 300)
            self.plain[program, name], self.seconds[program, name] = got[name], took
        return self.plain[program, name]

    def notices(self, broken, program, name):
        """How the test fails with the break, or None."""
        why = self.without(program, name)
        if why:
            raise RuntimeError('%s:%s fails without any break: %s' % (program, name, why))
        command, env = broken.command(program)
        got, _, said = run(command, env, [name], max(LEAST_S, TIMES * self.seconds[program, name]))
        if got[name] and self.verbose:
            self.say('        %s: %s' % (name, got[name]))
            for line in said:
                self.say('        ' + line)
        return None if got[name] == 'skipped' else got[name]

    def one(self, b, row):
        """What is wrong: a list of lines; empty: each distance has a test that notices, and these are in self.caught."""
        texts, problems = table.edited(b)
        self.caught = []
        if problems:
            return problems
        folder = tempfile.mkdtemp(prefix='leat-break-')
        try:
            broken = Broken(self.build, texts, folder)
            for distance in b.distances(row):
                problems += self.at(b, row, broken, distance)
            if not problems and b.spares:
                program, name = b.spares.split(':')
                if self.notices(broken, program, name):
                    problems.append('it breaks %s, too: everything?' % b.spares)
        except RuntimeError as e:
            problems = str(e).splitlines()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return problems

    def at(self, b, row, broken, distance):
        tried = []
        for program, test in b.by or row.tests:
            if program not in self.build.programs:
                return ['%s is not built' % program]
            full = table.distances(program, test, self.build.names(program)).get(distance, [])
            for name in full:
                text = '%s:%s' % (program, name)
                if text in self.caught:
                    return []
                tried.append(text)
                if self.notices(broken, program, name):
                    self.caught.append(text)
                    return []
        return ['%s: %s' % (distance, 'nothing noticed: ' + ', '.join(tried) if tried else 'no test of the row runs there')]


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else '.'
    build = Build(os.environ.get('LEAT_BUILD') or os.path.join(table.ROOT, 'build'))
    found, problems = table.breaks()
    rows = {(r.section, r.name): r for r in table.rows()}
    judge, caught, lost = Judge(build, lambda text: print(text, flush=True), 'V' in os.environ), 0, []
    for b in found:
        if b.row not in rows or not (re.search(only, b.title) or re.search(only, b.where)):
            continue
        wrong = judge.one(b, rows[b.row])
        caught += not wrong
        lost += ['%s (%s)' % (b.title, b.where)] if wrong else []
        print('%s (%s): %s' % (b.title, b.where, '; '.join(['NOT caught'] + wrong) if wrong
                               else 'broken: caught by ' + ' '.join(judge.caught)), flush=True)
    for text in problems + ['NOT caught: ' + x for x in lost]:
        print(text)
    print('%d promises, %d caught, %d not' % (caught + len(lost), caught, len(lost)))
    return 1 if lost or problems or not caught else 0


if __name__ == '__main__':
    sys.exit(main())
