#!/usr/bin/env python3
"""tidy.py [ROOT] - the rules of this project that a program can check.  Prints `path:line: what is wrong`; exit 1 if anything is.

  layers     src/LAYERS: an #include points to its own floor or down; sim is for sim and boot only, tool for tool only; no ../
  seams      #if on an operating system or a processor in src/plat/ only; no errno in src/ above plat/, and there the
             one of plat/errno.h, which survives a switch of stacks
  size       a file has at most 1,000 lines, a function at most 70, a line at most 140 characters
  text       no tab (but in a Makefile and in Go), no blank at the end of a line, a newline at the end of a file; no note to do it later;
             no path of somebody's own machine
  opening    a C file opens with a comment that says what it is
  go         a function of a Go file has at most 70 lines, too; it begins in the first column, as gofmt has it
  built      every .c file of a floor is named in the floor's meson.build
  semantics  every row of a table in docs/semantics.md names a test, `floor/x:test_name`, and each of those exists
"""
import os
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES, LINE_CHARS = 1000, 70, 140
CODE = ('.c', '.h', '.cpp')
TEXT = CODE + ('.py', '.sh', '.md', '.ini', '.map', '.in', '.txt', '.go', '.yml')
NAMED_TEXT = ('Makefile', 'LAYERS', 'LICENSE', 'meson.build', 'meson_options.txt', 'run')
DATA = ('examples/data/', 'test/gob/vectors/')
MACHINE = re.compile(r'\b(__linux__|__linux|__gnu_linux__|__unix__|__APPLE__|_WIN32|__(Free|Net|Open)BSD__|__x86_64__|__i386__|'
                     r'__amd64__|__aarch64__|__arm__|__ARM_\w+|__riscv\w*|__powerpc\w*|__s390x?__|__(SSE|AVX)\w*__)\b')
LATER = re.compile(r'\b(' + 'TO' + r'DO|FIX' + r'ME|XX' + r'X)\b')
SOMEBODYS = re.compile(r'(?<![\w.~:/-])/' + r'(work|home|root|Users)/|\bsub' + r'agents?\b')
ONLY_FOR = {'sim': ('sim', 'boot'), 'tool': ('tool',)}
TEST_NAME = re.compile(r'`([a-z0-9_]+(?:/[a-z0-9_]+)+):([A-Za-z0-9_+]+)`')


def files_of(root):
    """Paths below root of what belongs to the project, from git if it is there."""
    if os.path.exists(os.path.join(root, '.git')):
        got = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard'], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL)
        if got.returncode == 0:
            return sorted(p for p in got.stdout.splitlines() if os.path.isfile(os.path.join(root, p)))
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if n not in ('.git', '__pycache__') and not n.startswith('build')]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(found)


def blank_out(text):
    """The C text with comments, strings and character constants blanked and every line in its place."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), text)


def without_directives(code):
    """Preprocessor lines, with those they continue on, blanked."""
    return re.sub(r'^[ \t]*#(?:[^\\\n]|\\.|\\\n)*', lambda m: re.sub(r'[^\n]', ' ', m.group()), code, flags=re.M)


def functions_of(text):
    """(name, first line, last line) of each function with a body.  A body is a { outside of all braces after a `)`, where the
    declaration has no = outside of parentheses."""
    code = without_directives(blank_out(text))
    start, depth, line, found, current = 0, 0, 1, [], None
    for i, ch in enumerate(code):
        if ch == '\n':
            line += 1
        elif ch == '{':
            head = code[start:i]
            if depth == 0 and is_function(head):
                first = line - head.lstrip().count('\n')
                current = (name_of(head), first)
            depth += 1
        elif ch == '}':
            depth -= 1
            if depth == 0:
                if current:
                    found.append(current + (line,))
                current, start = None, i + 1
        elif ch == ';' and depth == 0:
            start = i + 1
    return found


def go_functions_of(text):
    """The same of a Go file, where gofmt puts the last } of a function into the first column."""
    found, current = [], None
    for n, line in enumerate(text.splitlines(), 1):
        m = re.match(r'func (?:\([^)]*\) )?(\w+)', line)
        if m and line.endswith('{'):
            current = (m.group(1), n)
        elif line == '}' and current:
            found.append(current + (n,))
            current = None
    return found


def flat(head):
    """The declaration with what is in parentheses removed."""
    while True:
        less = re.sub(r'\([^()]*\)', '@', head)
        if less == head:
            return head
        head = less


def is_function(head):
    text = flat(head).strip()
    return '@' in text and '=' not in text and not re.search(r'\b(struct|union|enum)\s*(@\s*)?(\w+\s*)?$', text)


def name_of(head):
    m = re.search(r'\bTEST\s*\(\s*(\w+)', head)
    if m:
        return m.group(1)
    names = [n for n in re.findall(r'(\w+)\s*@', flat(head)) if n not in ('__attribute__', '__asm__', '__typeof__', 'typeof')]
    return names[0] if names else '?'


class Tidy:
    def __init__(self, root):
        self.root, self.problems, self.floors = root, [], []
        self.paths = files_of(root)

    def say(self, path, line, text):
        self.problems.append('%s:%d: %s' % (path, line, text))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
            return f.read()

    def check(self):
        if 'src/LAYERS' in self.paths:
            lines = [re.sub(r'#.*', '', x).strip() for x in self.read('src/LAYERS').splitlines()]
            self.floors = [x for x in lines if x]
        for path in self.paths:
            if path.startswith(DATA) or not (path.endswith(TEXT) or os.path.basename(path) in NAMED_TEXT):
                continue
            text = self.read(path)
            self.check_text(path, text)
            if path.endswith(CODE):
                self.check_code(path, text)
            if path.endswith('.go'):
                self.check_functions(path, go_functions_of(text))
        self.check_semantics()
        self.check_rare_turns()
        return self.problems

    def check_text(self, path, text):
        lines = text.splitlines()
        if len(lines) > FILE_LINES:
            self.say(path, len(lines), 'a file of %d lines: at most %d, one concept each' % (len(lines), FILE_LINES))
        if text and not text.endswith('\n'):
            self.say(path, len(lines), 'no newline at the end')
        tabs = os.path.basename(path) == 'Makefile' or path.endswith('.go')
        for n, line in enumerate(lines, 1):
            if path.endswith('.md') and line.startswith('```'):
                tabs = line == '```go'
            if '\t' in line and not tabs:
                self.say(path, n, 'a tab')
            if line.rstrip() != line:
                self.say(path, n, 'blanks at the end of the line')
            if len(line) > LINE_CHARS and not path.endswith('.md'):
                self.say(path, n, 'a line of %d characters: at most %d' % (len(line), LINE_CHARS))
            later, somebodys = LATER.search(line), SOMEBODYS.search(line)
            if later:
                self.say(path, n, '%s: do it or file an issue' % later.group())
            if somebodys:
                self.say(path, n, '"%s" means nothing outside one machine' % somebodys.group())

    def check_code(self, path, text):
        if not text.startswith(('/*', '//')):
            self.say(path, 1, 'does not open with a comment that says what the file is')
        self.check_functions(path, functions_of(text))
        parts = path.split('/')
        floor = parts[1] if parts[0] == 'src' and len(parts) > 2 else None
        if floor != 'plat':
            self.check_seams(path, text, floor)
        if floor:
            self.check_floor(path, text, floor)

    def check_functions(self, path, functions):
        for name, first, last in functions:
            if last - first + 1 > FUNCTION_LINES:
                self.say(path, first, 'function %s has %d lines: at most %d' % (name, last - first + 1, FUNCTION_LINES))

    def check_seams(self, path, text, floor):
        above = floor in self.floors[self.floors.index('plat') + 1:] if floor and 'plat' in self.floors else False
        for n, line in enumerate(blank_out(text).splitlines(), 1):
            found = re.match(r'\s*#\s*(el)?ifn?(def)?\b', line) and MACHINE.search(line)
            if found:
                self.say(path, n, '#if on %s: only src/plat/ may know the machine' % found.group())
            if above and not path.endswith('_test.c') and re.search(r'^(?!\s*#\s*undef).*\berrno\b(?!\.h)', line):
                self.say(path, n, 'errno above plat/: a task may have changed threads since it was set')

    def check_floor(self, path, text, floor):
        if floor not in self.floors:
            self.say(path, 1, 'src/LAYERS has no floor %s' % floor)
            return
        for n, line in enumerate(text.splitlines(), 1):
            if floor == 'plat' and path != 'src/plat/errno.h' and re.match(r'\s*#\s*include\s*<errno.h>', line):
                self.say(path, n, 'include "plat/errno.h": the plain errno may be that of a thread that the task has left')
            m = re.match(r'\s*#\s*include\s*"([^"]*)"', line)
            if not m:
                continue
            target = m.group(1).split('/')
            if '..' in target:
                self.say(path, n, '#include "%s": say from which floor, not how to get there' % m.group(1))
            elif len(target) > 1 and target[0] in self.floors:
                self.check_include(path, n, floor, target[0])
        if path.endswith('.c'):
            build = 'src/%s/meson.build' % floor
            if build not in self.paths or "'%s'" % '/'.join(path.split('/')[2:]) not in self.read(build):
                self.say(path, 1, 'is not named in %s, so nobody builds it' % build)

    def check_include(self, path, n, floor, target):
        if self.floors.index(target) > self.floors.index(floor):
            self.say(path, n, '%s/ includes %s/, which is above it in src/LAYERS' % (floor, target))
        elif floor not in ONLY_FOR.get(target, (floor,)):
            self.say(path, n, '%s/ includes %s/, which only %s may' % (floor, target, ' and '.join(ONLY_FOR[target])))

    def check_semantics(self):
        page = 'docs/semantics.md'
        if page not in self.paths:
            return
        lines = self.read(page).splitlines()
        for n, line in enumerate(lines, 1):
            heading = n < len(lines) and re.match(r'\|[\s:|-]+\|$', lines[n])
            if line.startswith('|') and not heading and not re.match(r'\|[\s:|-]+\|$', line) and not TEST_NAME.search(line):
                self.say(page, n, 'this row names no test')
            for program, test in TEST_NAME.findall(line):
                if not self.has_test(program, test):
                    self.say(page, n, 'there is no test %s:%s' % (program, test))

    def check_rare_turns(self):
        """Each limit stands in the table of docs/sim.md, and so does each rare turn of the library, and no other."""
        limits, page = 'src/base/limits.h', 'docs/sim.md'
        if limits not in self.paths or page not in self.paths:
            return
        table = self.read(page)
        for n, line in enumerate(self.read(limits).splitlines(), 1):
            named = re.match(r'(?:#define|\s+)\s*(LIMIT_\w+)(?: =|\s+\S)', line)
            if named and '`%s`' % named.group(1) not in table:
                self.say(limits, n, '%s has no line in %s: which rare turn comes to it early?' % (named.group(1), page))
        code = ''.join(self.read(p) for p in self.paths if re.match(r'src/.*\.c$', p) and not p.endswith('_test.c'))
        turns = set(re.findall(r'BUGGIFY\("([\w.]+)"\)', code))
        told = set(re.findall(r'^\|.*$', table.split('## Where the code takes rare turns')[-1].split('\n## ')[0], re.M))
        told = {name for line in told for name in re.findall(r'`([a-z]+\.[a-z_]+)`', line)}
        for turn in sorted(turns ^ told):
            self.say(page, 1, '%s is %s' % (turn, 'a rare turn that has no line' if turn in turns else 'no rare turn of the library'))

    def has_test(self, program, test):
        for path in ('src/%s_test.c' % program, 'test/%s_test.c' % program, 'test/%s_test.cpp' % program):
            if path in self.paths and re.search(r'^[A-Z_]+\(%s[,)]' % re.escape(test), self.read(path), re.M):
                return True                             # TEST(name), or a macro that makes one test for each place
        folder = 'test/%s/' % program.split('/')[-1]
        return any(p.startswith((folder, 'test/' + program)) and p.endswith('.py') and "'%s" % test in self.read(p)
                   for p in self.paths)                 # in Python a name may be the beginning of several


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    problems = Tidy(root).check()
    print('\n'.join(problems + ['tidy: %d problems' % len(problems)]))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
