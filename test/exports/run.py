#!/usr/bin/env python3
"""run.py - libleat.so exports what the public headers declare, all of it and nothing else, and libleat.a has no name that could be
a program's.  LEAT_BUILD names the build directory."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

BUILD = os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build'))


def output(*cmd):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, text=True).stdout


def declared():
    """The functions and variables that the headers declare, as the compiler saw them."""
    with tempfile.TemporaryDirectory() as folder:
        c_file, protos = os.path.join(folder, 'x.c'), os.path.join(folder, 'x.X')
        with open(c_file, 'w') as f:
            f.write('#include <leat.h>\n')
        cpp = output('gcc', '-std=gnu11', '-I' + ROOT + '/include', '-E', '-P', c_file)
        output('gcc', '-std=gnu11', '-I' + ROOT + '/include', '-aux-info', protos, '-S', '-o', os.devnull, c_file)
        with open(protos) as f:
            functions = re.findall(r'\*/ extern .*?\b(leat_\w+) \(', f.read())
    variables = [v for names in re.findall(r'\bextern const \w+ ([^();]*);', cpp) for v in re.findall(r'leat_\w+', names)]
    return set(functions), set(variables)


def exported():
    """Dynamic symbols, without the name of the version itself."""
    lines = [line.split() for line in output('nm', '-D', '--defined-only', os.path.join(BUILD, 'libleat.so')).splitlines()]
    return {words[-1].split('@')[0] for words in lines if words[-2] != 'A'}


def defined():
    lines = output('nm', '--defined-only', '-g', os.path.join(BUILD, 'libleat.a')).splitlines()
    return {words[-1] for words in (line.split() for line in lines) if len(words) == 3 and words[-2] in 'TDRBVW'}


def nothing_else():
    functions, variables = declared()
    return ['exported, but in no header: ' + name for name in sorted(exported() - functions - variables)]


def all_that_is_declared():
    functions, variables = declared()
    lost = (functions | variables) & (defined() - exported())
    return ['defined and declared, but hidden: ' + name for name in sorted(lost)]


def all_exists():
    functions, variables = declared()
    if len(functions) < 60:
        return 'only %d functions were found in the headers: what this test reads has changed' % len(functions)
    return ['declared, but not there: ' + name for name in sorted((functions | variables) - exported())]


def names_of_the_archive(archive='libleat.a'):
    """Whoever links it shares one space of names with it."""
    lines = [line.split() for line in output('nm', '--defined-only', '-g', os.path.join(BUILD, archive)).splitlines()]
    names = {words[-1] for words in lines if len(words) == 3}
    if not names & declared()[0]:
        return 'no name was found: what this test reads has changed'
    return ['a name of %s that does not begin with leat_: %s' % (archive, name) for name in sorted(names) if not re.match('leat_|__', name)]


if sys.argv[1:2] == ['--archive']:                               # of another one that is installed
    name = sys.argv[2]
    del sys.argv[1:3]
    tap.main([('every_name_of_the_archive_is_leats', lambda: names_of_the_archive(name))])
tap.main([('nothing_else_is_exported', nothing_else), ('every_name_of_the_archive_is_leats', names_of_the_archive),
          ('what_is_declared_and_defined_is_exported', all_that_is_declared),
          ('every_declared_function_exists', all_exists)])
