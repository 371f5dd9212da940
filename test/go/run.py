#!/usr/bin/env python3
"""run.py - go/leat, the pure Go module that speaks docs/wire.md: its own tests, and the programs that it has beside those of C."""
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import gopeer                                                   # noqa: E402
import tap                                                      # noqa: E402

ROOT, BUILD = gopeer.ROOT, gopeer.BUILD
MODULE = os.environ.get('LEAT_GO_MODULE', os.path.join(ROOT, 'go', 'leat'))
LIMIT_S = 240


def go(*args, **more):
    """Runs the go command in the module; its output, if it fails."""
    gopeer.need()
    env = dict(gopeer.environment(), LEAT_GO_PEER=os.path.join(BUILD, 'test', 'go', 'go_peer'), **more)
    got = subprocess.run(['go'] + list(args), cwd=MODULE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, timeout=LIMIT_S)
    return got.stdout.splitlines() + ['go %s: exit code %d' % (args[0], got.returncode)] if got.returncode else []


def vet():
    problems = go('vet', './...')
    got = subprocess.run(['gofmt', '-l', '.'], cwd=MODULE, stdout=subprocess.PIPE, text=True)
    return problems + ['not as gofmt has it: ' + path for path in got.stdout.split()]


def unit_unix():
    return go('test', '-count=1', '-timeout', '200s', './...', LEAT_GO_NETWORK='unix')


def unit_tcp():
    """Those of which the network is a part: the others have run."""
    return go('test', '-count=1', '-timeout', '200s', '-run',
              'WithC|ToC|CSends|CCalls|CallsC|ThroughC|BothWays|Relay|AreChanged|Tasks|Golden', '.', LEAT_GO_NETWORK='tcp')


def race():
    """Nodes of Go among themselves under Go's race detector; all of them, with C, and five times: make go."""
    gopeer.need()
    tap.need('gcc')
    few = 'TestSeveralNodesShareAChannel|TestACallWithAKeyRunsOnce|TestATaskHasBothEndsOfAPipeline|TestGoneFlushTryAndRefusals'
    return go('test', '-race', '-count', '1', '-timeout', '200s', '-run', '^(%s)$' % few, '.')


def range_over_a_channel_of_c():
    program = gopeer.build(os.path.join(MODULE, 'examples', 'range'), 'go-range')
    with tempfile.TemporaryDirectory() as folder:
        url = 'unix:' + os.path.join(folder, 's')
        with subprocess.Popen([os.path.join(BUILD, 'examples', 'range'), url], stderr=subprocess.PIPE, text=True) as c:
            while not os.path.exists(url[5:]) and c.poll() is None:
                time.sleep(0.01)
            try:
                got = subprocess.run([program, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
                code, said = c.wait(60), c.stderr.read()
            finally:
                c.kill()
    want = ''.join('%d squared is %d\n' % (n, n * n) for n in range(100)) + 'ended: <nil>\n'
    return [] if (got.stdout, code, said) == (want, 0, '') else [got.stdout, '%d: %s' % (code, said)]


def text(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


def the_readme_shows_the_programs():
    page = text('README.md')
    shown = (('examples/range.c', 'c'), ('go/leat/examples/range/main.go', 'go'))
    return ['README.md does not show %s as it is' % path for path, mark in shown
            if text(path).split('\n', 1)[1] not in re.findall(r'^```%s\n(.*?)^```$' % mark, page, re.S | re.M)]


if __name__ == '__main__':
    tap.main([('vet', vet),
              ('unit_unix', unit_unix),
              ('unit_tcp', unit_tcp),
              ('race', race),
              ('range_over_a_channel_of_c', range_over_a_channel_of_c),
              ('the_readme_shows_the_programs', the_readme_shows_the_programs)])
