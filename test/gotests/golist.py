#!/usr/bin/env python3
"""golist.py [GOROOT] - writes GOLIST: the Go version, and each test of the files that FILES names, as FILE:TEST.

In a _test.go file a test is each Test, Benchmark, Example and Fuzz function, but TestMain; any other file is a program, and its one
test is `main`.  Without GOROOT it is the tree of the `go` command, or /usr/local/go.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLIST = os.path.join(HERE, 'GOLIST')


def goroot():
    """A Go tree with its tests, or None."""
    found = [os.environ.get('GOROOT')]
    try:
        found.append(subprocess.run(['go', 'env', 'GOROOT'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip())
    except OSError:
        pass
    return next((r for r in found + ['/usr/local/go', '/usr/lib/go'] if r and os.path.isdir(os.path.join(r, 'test', 'chan'))), None)


def lines_of(path):
    """The lines of a list, without comments and empty ones."""
    with open(path, encoding='utf-8') as f:
        return [text for text in (re.sub(r'(^|\s+)#.*', '', line).strip() for line in f) if text]


def version_of(root):
    with open(os.path.join(root, 'VERSION'), encoding='utf-8') as f:
        return f.readline().strip()


def tests_of(root, patterns):
    found = []
    for pattern in patterns:
        paths = sorted(glob.glob(os.path.join(root, pattern)))
        if not paths:
            raise SystemExit('leat: golist: %s: there is no such file in %s' % (pattern, root))
        for path in paths:
            name = os.path.relpath(path, root)
            if not path.endswith('_test.go'):
                found.append(name + ':main')
                continue
            with open(path, encoding='utf-8') as f:
                found += ['%s:%s' % (name, m) for m in re.findall(r'^func ((?:Test|Benchmark|Example|Fuzz)\w*)\(', f.read(), re.M)
                          if m != 'TestMain']
    return sorted(set(found), key=found.index)


def text_of(root):
    return '# Made by golist.py from FILES and a Go tree of this version:\n%s\n%s\n' % (
        version_of(root), '\n'.join(tests_of(root, lines_of(os.path.join(HERE, 'FILES')))))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else goroot()
    if not root:
        raise SystemExit('leat: golist: no Go tree with a test folder: golist.py GOROOT')
    with open(GOLIST, 'w', encoding='utf-8') as f:
        f.write(text_of(root))
    return 0


if __name__ == '__main__':
    sys.exit(main())
