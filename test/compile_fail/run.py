#!/usr/bin/env python3
"""run.py - every file of this folder is refused by both compilers, with the words that its first lines promise.

A .c file is for gcc and clang (one of them for clang alone), a .cpp file for g++ and clang++.  It opens with what the misuse is and, for
each compiler, a regular expression that one error must match.  It is compiled twice: with the header as the project has it, and with the
header installed as a system header, where compilers drop warnings.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

INCLUDE = os.path.join(ROOT, 'include')
BY_CLANG_ALONE = ('existing_left_out_gap.c',)
EXPECTED = 67                                                   # the misuses that the design names: none may get lost


def promised(path):
    with open(path) as f:
        head = f.read().split('*/')[0]
    return {m.group(1): m.group(2).strip() for m in re.finditer(r'^ \* (gcc|clang|g\+\+|clang\+\+): (.*)$', head, re.M)}


def said(text):
    """The lines of errors and notes; clang's "'typeof(...)' (aka 'int *')" as "'int *'"."""
    lines = [line for line in text.splitlines() if re.search(r': (error|warning|note): ', line)]
    return re.sub(r"'(?:__)?typeof(?:__)? ?\(.*?' \(aka ('.*?')\)", r'\1', '\n'.join(lines))


def compile_it(compiler, path, how, *flags):
    tap.need(compiler)
    cmd = [compiler, '-std=c++17' if compiler.endswith('++') else '-std=c11', *flags, how, INCLUDE, '-c', path, '-o', os.devnull]
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, LC_ALL='C'))


def refused(path, compiler):
    words = promised(path)[compiler]
    problems = []
    for how in ('-I', '-isystem'):
        got = compile_it(compiler, path, how, '-DLEAT_STRICT')
        command = ' '.join(got.args)
        if got.returncode == 0:
            problems.append('accepted: ' + command)
        elif got.returncode < 0 or 'internal compiler error' in got.stdout:
            problems.append('the compiler broke: ' + command)
        elif 'error: ' not in got.stdout or not re.search(words, said(got.stdout)):
            problems += ['refused, but not with /%s/: %s' % (words, command)] + got.stdout.splitlines()
    return problems


def warned(compiler):
    """Without LEAT_STRICT and without -W flags an ignored error is a warning, from a system header too."""
    path = os.path.join(HERE, 'ignored_error.c')
    got = [compile_it(compiler, path, how) for how in ('-I', '-isystem')]
    return [line for g in got if g.returncode or not re.search(promised(path)[compiler], said(g.stdout)) for line in
            [' '.join(g.args)] + g.stdout.splitlines()]


def all_there():
    found = len(glob.glob(os.path.join(HERE, '*.c')) + glob.glob(os.path.join(HERE, '*.cpp')))
    return None if found >= EXPECTED else '%d misuses where %d are expected' % (found, EXPECTED)


tests = [('every_misuse_is_there', all_there)]
tests += [('an_ignored_error_warns_under_' + c, lambda c=c: warned(c)) for c in ('gcc', 'clang')]
for c_file in sorted(glob.glob(os.path.join(HERE, '*.c'))):
    for cc in ('gcc', 'clang'):
        if cc == 'gcc' and os.path.basename(c_file) in BY_CLANG_ALONE:
            continue
        tests.append(('%s_is_refused_by_%s' % (os.path.basename(c_file)[:-2], cc), lambda p=c_file, c=cc: refused(p, c)))
for cpp_file in sorted(glob.glob(os.path.join(HERE, '*.cpp'))):
    for cc in ('g++', 'clang++'):
        tests.append(('%s_is_refused_by_%s' % (os.path.basename(cpp_file)[:-4], 'gxx' if cc == 'g++' else 'clangxx'),
                      lambda p=cpp_file, c=cc: refused(p, c)))
tap.main(tests)
