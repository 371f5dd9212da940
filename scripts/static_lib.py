#!/usr/bin/env python3
"""static_lib.py - what the build makes of the library's objects for those who link it statically.

    static_lib.py names LIB.a OBJECT...            an archive in which the names that the library's own files share begin with leat__, so
                                                   that none is one of the program's.  The shared library has its map for that.  The
                                                   members stay apart: a program holds what it uses.
    static_lib.py whole LIB.a LIB.o OBJECT...      one object, which is the library optimized at link time, once

--cc says how the compiler is called.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

PREFIX = 'leat__'                                   # src/plat/symbol.c leaves it out of what it shows


def output(*cmd):
    got = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if got.returncode:
        raise SystemExit('%s: exit code %d\n%s' % (' '.join(cmd), got.returncode, got.stderr))
    return got.stdout


def tool(args, name):
    """The one that belongs to the compiler: another's may not know the processor."""
    return output(*args.cc, '-print-prog-name=' + name).strip() or name


def inside(args, objects):
    """Names of functions and variables that are seen between the library's files and not outside of it."""
    found = set()
    for line in output(tool(args, 'readelf'), '-sW', *objects).splitlines():
        word = line.split()
        if len(word) == 8 and word[4] in ('GLOBAL', 'WEAK') and word[5] in ('HIDDEN', 'INTERNAL') and word[6] != 'UND':
            found.add(word[7])
    return sorted(name for name in found if re.match(r'(?!__)\w+$', name))          # __: the compiler's


def archive(args, out, objects):
    if os.path.exists(out):
        os.unlink(out)
    output(tool(args, 'ar'), 'rcsD', out, *objects)


def names(args, out, *objects):
    with tempfile.TemporaryDirectory() as folder:
        table = os.path.join(folder, 'names')
        with open(table, 'w') as f:
            f.writelines('%s %s%s\n' % (name, PREFIX, name) for name in inside(args, objects))
        renamed = [os.path.join(folder, os.path.basename(path)) for path in objects]
        for was, now in zip(objects, renamed):
            output(tool(args, 'objcopy'), '--redefine-syms=' + table, was, now)
        archive(args, out, renamed)


def whole(args, out, one, *objects):
    output(*args.cc, '-r', '-nostdlib', '-o', one, *objects)
    output(tool(args, 'objcopy'), '-w', '--localize-symbol=*.lto_priv.*', one)     # what was static, and is shared between the parts
    archive(args, out, [one])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--cc', type=shlex.split, required=True, help='the compiler and its flags')
    p.add_argument('what', choices=['names', 'whole'])
    p.add_argument('files', nargs='+')
    args = p.parse_args()
    {'names': names, 'whole': whole}[args.what](args, *args.files)
    return 0


if __name__ == '__main__':
    sys.exit(main())
