#!/usr/bin/env python3
"""run.py - what the documents tell people to type is there: targets of make and their variables, programs, the flags of ours, scripts,
environment variables, and the names of the library.

A command is a line of a block of shell, an indented line, or words in backticks, that begins with the name of something that is ours: make,
leat, build/..., build-bench/..., scripts/..., test/..., bench/....  LEAT_BUILD names the build directory.
"""
import glob
import json
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

BUILD = os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build'))
COMMAND = re.compile(r'^(?:\$ )?((?:[A-Z][A-Z_]*=\S* )*)((?:make|leat)\b(?![/:=-])|(?:build|build-bench|scripts|test|bench|examples)/\S+)'
                     r'(.*)$')
BEHIND = re.compile(r'^.*?\b(?:valgrind|strace|gdb|taskset)\b.*?(?=build(?:-bench)?/)')     # what runs ours


def read(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


def pages():
    found = ['README.md', 'go/leat/README.md'] + [os.path.relpath(p, ROOT) for p in glob.glob(ROOT + '/docs/**/*.md', recursive=True)]
    return sorted(found)


def texts():
    """(page, line number, text that may be a command)"""
    for page in pages():
        block = None
        for n, line in enumerate(read(page).splitlines(), 1):
            if line.startswith('```'):
                block = line[3:].strip() or 'none' if block is None else None
            elif block == 'sh' or (block is None and line.startswith('    ')):
                yield page, n, line.strip()
            elif block is None:
                for words in re.findall(r'`([^`]+)`', line):
                    yield page, n, words


def commands():
    """(page, line number, what is set before it, the program, its words)"""
    for page, n, text in texts():
        for part in re.split(r'\s&&?\s|\s&$|;\s|\s\|\s|\s{4,}|\s+#\s', BEHIND.sub('', text)):
            m = COMMAND.match(part.strip())
            if m:
                try:
                    yield page, n, m.group(1).split(), m.group(2), shlex.split(m.group(3))
                except ValueError:                              # a quote of a sentence
                    yield page, n, m.group(1).split(), m.group(2), m.group(3).split()


def of_make():
    text = read('Makefile')
    targets = {t for line in re.findall(r'^([a-z][a-z -]*):(?!=)', text, re.M) for t in line.split()}
    variables = set(re.findall(r'\$\(([A-Z_]+)\)', text)) | set(re.findall(r'[ ,(]([A-Z]+)\)?,', text)) | {'JOBS', 'CC'}
    wrong, count = [], 0
    for page, n, before, program, args in commands():
        if program != 'make':
            continue
        count += 1
        for a in args + before:
            name = a.split('=')[0]
            if '=' in a and name not in variables:
                wrong.append('%s:%d: make knows no %s' % (page, n, name))
            elif '=' not in a and re.match(r'[a-z-]+$', a) and a not in targets:
                wrong.append('%s:%d: make has no target %s' % (page, n, a))
    return wrong if count > 30 else 'only %d commands of make: is the pattern right?' % count


def of_programs():
    """Programs are built, scripts are there."""
    got = subprocess.run(['meson', 'introspect', '--targets', BUILD], check=True, stdout=subprocess.PIPE, text=True).stdout
    built = {os.path.relpath(f, BUILD) for t in json.loads(got) for f in t['filename']}
    wrong, count = [], 0
    for page, n, _, program, _ in commands():
        where, _, rest = program.rstrip(',.').partition('/')
        if not rest:
            continue
        count += 1
        if where in ('build', 'build-bench'):
            if rest not in built and rest not in ('libleat.so', 'bench.jsonl'):            # a link; and what a run writes
                wrong.append('%s:%d: nothing builds %s' % (page, n, program))
        elif not glob.glob(os.path.join(ROOT, program.rstrip(',.'))) and not program in built and \
                not re.match('(bench|test)/[a-z_]+$', program):           # the name of a test, as make test ONLY= has it
            wrong.append('%s:%d: there is no %s' % (page, n, program))
    return wrong if count > 100 else 'only %d programs: is the pattern right?' % count


def of_leat():
    """Commands and flags of the tool, as its --help has them; also of the programs in Python, whose text names them."""
    helps = {}
    wrong, count = [], 0
    for page, n, _, program, args in commands():
        if program in ('leat', 'build/leat') and args and re.match('[a-z]+$', args[0]):
            if re.search(r'leat %s\b' % args[0], read('scripts', 'leat-gdb.py')):
                continue                                        # a command of gdb
            what, flags = args[0], args[1:args.index('--') if '--' in args else None]
            if what not in helps:
                got = subprocess.run([os.path.join(BUILD, 'leat'), what, '--help'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True)
                helps[what] = got.stdout if got.returncode == 0 else None
            if helps[what] is None:
                wrong.append('%s:%d: leat has no command %s' % (page, n, what))
                continue
            text = helps[what] + ' --help'
        elif program.endswith('.py'):
            text, flags = read(program), args
        else:
            continue
        count += 1
        wrong += ['%s:%d: %s has no %s' % (page, n, program, f) for f in flags if re.match('--[a-z]', f) and
                  not re.search(re.escape(f.split('=')[0]) + r'(?![\w-])', text)]
    return wrong if count > 15 else 'only %d commands of leat: is the pattern right?' % count


def of_names():
    """What looks like a name of the library, or like a variable of the environment, is one."""
    known = set()
    for pattern in ('include/**/*.h', 'src/**/*.[ch]', 'examples/**/*.[ch]', 'scripts/*', 'bench/*.c', 'test/**/*.h', 'test/**/*.py',
                    'test/**/*.c', 'go/leat/**/*.go', 'Makefile', 'meson*', 'test/**/meson.build'):
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            if os.path.isfile(path) and os.path.relpath(path, ROOT) != 'test/docs/run.py':
                known |= set(re.findall(r'\b(?:leat|LEAT)_[A-Za-z0-9_]+', read(path)))
    wrong = []
    for page in pages():
        for n, line in enumerate(read(page).splitlines(), 1):
            for name in re.findall(r'\b(?:leat|LEAT)_[A-Za-z0-9_]*[A-Za-z0-9]\b(?!\*|[.:/]\w|_)', line):
                if name not in known and name + '_' not in known and not any(k.startswith(name + '_') for k in known):
                    wrong.append('%s:%d: there is no %s' % (page, n, name))
    return wrong if len(known) > 500 else 'only %d names: is the pattern right?' % len(known)


def of_links():
    """Files, and headings within pages, that links name."""
    wrong, count = [], 0
    for page in pages():
        for n, line in enumerate(read(page).splitlines(), 1):
            for path, _, heading in (x.partition('#') for x in re.findall(r'\]\(([^):\s]+)\)', line)):
                count += 1
                target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                if not os.path.exists(os.path.join(ROOT, target)):
                    wrong.append('%s:%d: there is no %s' % (page, n, target))
                elif heading and heading not in {re.sub(r'[^\w -]', '', h.lower()).replace(' ', '-')
                                                 for h in re.findall(r'^#+ (.*)', read(target), re.M)}:
                    wrong.append('%s:%d: %s has no heading #%s' % (page, n, target, heading))
    return wrong if count > 40 else 'only %d links: is the pattern right?' % count


tap.main([('make_has_what_the_documents_say', of_make), ('programs_that_the_documents_name_are_built', of_programs),
          ('leat_has_the_commands_and_flags_that_the_documents_say', of_leat), ('names_in_the_documents_exist', of_names),
          ('links_of_the_documents_lead_somewhere', of_links)])
