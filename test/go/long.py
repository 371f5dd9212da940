#!/usr/bin/env python3
"""long.py SECONDS - go/leat for longer: five rounds of its tests under Go's race detector, with C at the other end, then its fuzzers, for
so many seconds together.  What a fuzzer finds is kept in go/leat/testdata."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import gopeer                                                   # noqa: E402

MODULE = os.path.join(gopeer.ROOT, 'go', 'leat')
FUZZERS = ['FuzzFrames', 'FuzzProgram', 'FuzzValue', 'FuzzForm', 'FuzzHello']


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    env = dict(gopeer.environment(), LEAT_GO_PEER=os.path.join(gopeer.BUILD, 'test', 'go', 'go_peer'))
    commands = [['vet', './...'], ['test', '-race', '-count', '5', './...']]
    each = '%ds' % max(1, seconds // len(FUZZERS))
    commands += [['test', '-run', '^$', '-fuzz', '^%s$' % name, '-fuzztime', each, '.'] for name in FUZZERS]
    return any([subprocess.run(['go'] + args, cwd=MODULE, env=env).returncode for args in commands])


if __name__ == '__main__':
    sys.exit(main())
