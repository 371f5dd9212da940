"""tap.py - a test program in Python: tap.main([(name, function), ...]).

A function returns None when all is well, or the lines that say what is wrong; an exception is a failure too, tap.Skip a skip.
Two run at a time (they mostly wait for compilers), results are printed in order.  Arguments name tests to run; -l lists them.
"""
import concurrent.futures
import os
import shutil
import sys
import traceback


class Skip(Exception):
    pass


def need(tool):
    """Skips the test when the tool is missing and the run is lenient (T_LENIENT); else a missing tool is a failure."""
    if not shutil.which(tool):
        raise Skip('%s is not installed' % tool) if os.environ.get('T_LENIENT') else RuntimeError(tool + ' is not installed')


def attempt(function):
    try:
        got = function()
        return [got] if isinstance(got, str) else list(got or [])
    except Skip:
        raise
    except Exception:
        return traceback.format_exc().splitlines()


def main(tests, jobs=2):
    if sys.argv[1:] == ['-l']:
        print('\n'.join(name for name, _ in tests))
        sys.exit(0)
    tests = [t for t in tests if len(sys.argv) == 1 or t[0] in sys.argv[1:]]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [(name, pool.submit(attempt, function)) for name, function in tests]
        for n, (name, future) in enumerate(waiting, 1):
            try:
                problem = future.result()
            except Skip as why:
                print('ok %d - %s # SKIP %s' % (n, name, why), flush=True)
                continue
            for line in problem:
                print('# ' + line)
            bad += bool(problem)
            print('%sok %d - %s' % ('not ' if problem else '', n, name), flush=True)
    print('1..%d' % len(tests))
    sys.exit(1 if bad or not tests else 0)
