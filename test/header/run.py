#!/usr/bin/env python3
"""run.py - what may be written compiles without a warning: every public header alone, the files of this folder, the examples.

Headers: C11 with GNU extensions under gcc and clang, C++20 and C++17 under g++ and clang++, found with -I and with
-isystem.
Sources: strict and GNU C11 and C17, and C23 as far as the compiler has it, with optimization off and on.
"""
import glob
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

INCLUDE = os.path.join(ROOT, 'include')
PLAIN = ['-Wall', '-Wextra', '-Werror']
STERN = PLAIN + ['-Wshadow', '-Wpedantic', '-Wconversion', '-Wcast-qual', '-Wundef']
READ = '-fsyntax-only'                            # what a standard refuses is said there; what an optimizer warns of is one for all
C_WAYS = [['-std=c11', '-O0'], ['-std=gnu11', '-O2'], ['-std=c17', '-O2', READ], ['-std=gnu17', '-O0', READ], ['-std=gnu2x', '-O2', READ]]
CXX_WAYS = [['-std=c++17'], ['-std=c++20', READ], ['-std=c++2b', READ]]
CXX_ONLY = ['leat/cpp.h', 'leat/node_cpp.h']


def compile_it(cmd, text=None):
    got = subprocess.run(cmd + ['-o', os.devnull], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [] if got.returncode == 0 else [' '.join(cmd)] + got.stdout.splitlines()[:12]


def header_alone(header, compiler, language, standards):
    tap.need(compiler)
    text = '#include <%s>\nint main(void);\n' % header
    problems = []
    for std, how in zip(standards, ('-I', '-isystem')):
        problems += compile_it([compiler, '-std=' + std, *PLAIN, how, INCLUDE, '-x', language, '-fsyntax-only', '-'], text)
    return problems


def source(path, compiler, ways):
    tap.need(compiler)
    problems = []
    for way in ways:
        flags = STERN if path.endswith('.c') else PLAIN + ['-Wshadow', '-Wcast-qual', '-Wundef']
        problems += compile_it([compiler, *way, *flags, '-D_GNU_SOURCE', '-I' + INCLUDE, '-c', path])
    return problems


def refused_in_words(compiler):
    tap.need(compiler)
    text = '#include <leat.h>\nint main(void);\n'
    problems = []
    for how in ('-m32', '-mx32') if os.uname().machine == 'x86_64' else ():
        said = compile_it([compiler, how, '-I', INCLUDE, '-x', 'c', '-fsyntax-only', '-'], text)
        errors = [line for line in said if 'error: ' in line]        # what else is missing for that processor comes behind it
        if not errors or '"leat needs 64-bit addresses' not in errors[0]:
            problems += ['%s: these are not the first words:' % how] + said
    return problems


def another_library():
    """A <stdlib.h> that says nothing of glibc: configuring ends with a sentence, before anything else is missed."""
    tap.need('meson')
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'stdlib.h'), 'w', encoding='utf-8'):
            pass
        env = dict(os.environ, CC='gcc', CXX='g++', CPPFLAGS='-isystem ' + folder, CFLAGS='', CXXFLAGS='')
        got = subprocess.run(['meson', 'setup', os.path.join(folder, 'build'), ROOT], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    return [] if got.returncode == 1 and 'leat needs glibc' in got.stdout else got.stdout.splitlines()[-12:]


def name_of(path):
    return os.path.relpath(path, ROOT).replace('/', '_').replace('.', '_').replace('-', '_')


tests = []
for h in sorted(glob.glob(INCLUDE + '/**/*.h', recursive=True)):
    h = os.path.relpath(h, INCLUDE)
    for cc, lang, stds in (('gcc', 'c', ['gnu11', 'gnu11']), ('clang', 'c', ['gnu11', 'gnu11']),
                           ('g++', 'c++', ['c++20', 'c++17']), ('clang++', 'c++', ['c++20', 'c++17'])):
        if lang == 'c++' or h not in CXX_ONLY:
            tests.append(('%s_compiles_alone_under_%s' % (name_of(INCLUDE + '/' + h), cc),
                          lambda h=h, c=cc, l=lang, s=stds: header_alone(h, c, l, s)))
sources = sorted(glob.glob(HERE + '/*.c') + glob.glob(ROOT + '/examples/*.c'))
for c_file in sources:
    for cc in ('gcc', 'clang'):
        tests.append(('%s_is_clean_under_%s' % (name_of(c_file), cc), lambda p=c_file, c=cc: source(p, c, C_WAYS)))
for cxx_file in sorted(glob.glob(HERE + '/*.cpp')):
    for cc in ('g++', 'clang++'):
        tests.append(('%s_is_clean_under_%s' % (name_of(cxx_file), cc),
                      lambda p=cxx_file, c=cc: source(p, c, CXX_WAYS)))
for cc in ('gcc', 'clang'):
    tests.append(('addresses_of_32_bits_are_refused_in_words_by_' + cc, lambda c=cc: refused_in_words(c)))
tests.append(('another_c_library_is_refused_in_words', another_library))
tap.main(tests)
