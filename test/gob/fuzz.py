#!/usr/bin/env python3
"""fuzz.py SECONDS [SEED] - leat's gob against Go's (fuzz/) for so long; SEED: the first one, else of the clock.

A stream on which the two disagree is printed and kept in build/gob-found; `fuzz -seed N -from K -count 1 HARNESS` makes it again.  A Go
process that runs out of memory, as Go's reader does when a damaged map says that it is large, is counted and another one goes on behind it.
The exit code is 1 if anything was found."""
import collections
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import gopeer                                                   # noqa: E402

HARNESS = os.path.join(gopeer.BUILD, 'test', 'gob_harness')
DIFFERENCES = os.path.join(HERE, 'differences')
FOUND = os.path.join(gopeer.BUILD, 'gob-found')
MEMORY = 6 << 30


def limit():
    if 'LEAT_SANITIZED' not in os.environ:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(program, seed, start, seconds, extra=()):
    """One process: what it said, the case it came to, and whether it died."""
    with tempfile.NamedTemporaryFile() as progress:
        got = subprocess.run([program, '-seed', str(seed), '-from', str(start), '-seconds', str(seconds), '-differences', DIFFERENCES,
                              '-found', FOUND, '-progress', progress.name] + list(extra) + [HARNESS], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, preexec_fn=limit, timeout=seconds + 600)
        at = int(progress.read() or b'0')
    text, error = got.stdout.decode('utf-8', 'replace'), got.stderr.decode('utf-8', 'replace')
    done = re.search(r'^DONE (\d+) (\{.*\})$', text, re.M)
    if done:
        return text, json.loads(done.group(2)), int(done.group(1)), ''
    return text, {}, at + 1, error


def campaign(program, seconds, seed):
    counts, found, start, until = collections.Counter(), 0, 0, time.monotonic() + seconds
    os.makedirs(FOUND, exist_ok=True)
    while time.monotonic() < until:
        text, some, start, died = run(program, seed, start, max(1, int(until - time.monotonic())))
        counts.update(some)
        for finding in re.findall(r'^FOUND .*?(?=^FOUND|^DONE|\Z)', text, re.M | re.S):
            found += 1
            print('seed %d: %s' % (seed, finding[:3000]), flush=True)
        if died:
            memory = 'out of memory' in died or 'cannot allocate' in died
            counts['Go ran out of memory' if memory else 'Go died'] += 1
            if not memory:
                found += 1
                print('seed %d, case %d: Go died:\n%s' % (seed, start - 1, died[:2000]), flush=True)
        if start >= 200000:
            seed, start = seed + 1, 0
    print('\n'.join('%12d  %s' % (n, what) for what, n in sorted(counts.items())))
    print('%d findings' % found)
    return 1 if found else 0


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    program = gopeer.build(os.path.join(HERE, 'fuzz'), 'gob-fuzz')
    if subprocess.run([program, '-samples', '-differences', DIFFERENCES, HARNESS]).returncode:
        return 1
    return campaign(program, seconds, int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))


if __name__ == '__main__':
    sys.exit(main())
