#!/usr/bin/env python3
"""run.py - the test runner counts what happens: what fails, crashes, hangs, ends early or leaves something behind is no pass."""
import io
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402
import importlib.util                                           # noqa: E402

spec = importlib.util.spec_from_file_location('test_runner', os.path.join(os.path.dirname(HERE), 'run.py'))
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)


def ran(script, limit_s=20, protocol='tap'):
    """(exit code, what was printed) of the runner for one program, a shell script."""
    printed = io.StringIO()
    report = runner.Report(printed)
    program = runner.Program('', 'x', ['sh', '-c', script], {}, tempfile.gettempdir(), limit_s, protocol, True, 0)
    runner.Runner(2).run_all([program], report)
    return report.finish(), printed.getvalue()


def counts(script, last, code, *words, **how):
    """The last line is `last`, the exit code is `code`, and `words` were printed."""
    got_code, text = ran(script, **how)
    lines = text.splitlines()
    missing = [w for w in words if w not in text]
    return None if lines[-1] == last and got_code == code and not missing else (
        ['wanted %r and exit code %d%s; got %d' % (last, code, ''.join(', ' + w for w in missing), got_code)] + lines)


CASES = [
    ('tests_that_pass_are_counted', 'echo ok 1 - a; echo ok 2 - b; echo 1..2', '2 passed, 0 failed', 0),
    ('a_test_that_fails_shows_its_output_and_only_its', 'echo quiet; echo ok 1 - a; echo why; echo not ok 2 - b; echo 1..2; exit 1',
     '1 passed, 1 failed', 1, 'not ok  b', '      why'),
    ('a_crash_without_a_plan_fails', 'echo ok 1 - a; kill -SEGV $$', '1 passed, 1 failed', 1, 'no plan', 'signal 11'),
    ('a_plan_that_is_not_kept_fails', 'echo ok 1 - a; echo 1..2', '1 passed, 1 failed', 1, '1 results where the plan says 2'),
    ('an_exit_code_that_no_test_explains_fails',
     'echo ok 1 - a; echo 1..1; exit 99', '1 passed, 1 failed', 1, 'although every test passed'),
    ('a_program_that_prints_nothing_fails', 'true', '0 passed, 1 failed', 1, 'no plan'),
    ('a_skipped_test_is_named_and_not_counted', 'echo "ok 1 - a # SKIP no such thing"; echo ok 2 - b; echo 1..2', '1 passed, 0 failed',
     0, 'a: no such thing'),
    ('nothing_run_is_no_success', 'echo 1..0', '0 passed, 0 failed', 1),
    ('a_plain_program_fails_by_its_exit_code', 'exit 3', '0 passed, 1 failed', 1, 'exit code 3'),
]
tests = [(c[0], lambda c=c: counts(c[1], c[2], c[3], *c[4:], protocol='exitcode' if c[0].startswith('a_plain') else 'tap')) for c in CASES]
tests += [
    ('a_program_that_hangs_is_ended_and_fails', lambda: counts('echo ok 1 - a; sleep 60; echo 1..1', '1 passed, 1 failed', 1,
                                                               'still running after 1 s', 'sleep', limit_s=1)),
    ('a_process_left_behind_is_ended_and_fails', lambda: counts('sleep 60 >&- 2>&- & echo ok 1 - a; echo 1..1', '1 passed, 1 failed',
                                                                1, 'left behind: sleep')),
]


def under_nohup():
    """Programs begin with SIGHUP as it is by default; the runner goes on ignoring it."""
    with tempfile.TemporaryDirectory() as folder:
        listed = os.path.join(folder, 'meson')
        with open(listed, 'w') as f:
            f.write("#!/bin/sh\necho '%s'\n" % json.dumps([{
                'name': 'x', 'suite': [], 'cmd': ['sh', '-c', 'kill -HUP $PPID; kill -HUP $$; echo ok 1 - a; echo 1..1'], 'env': {},
                'workdir': folder, 'timeout': 20, 'protocol': 'tap', 'is_parallel': True, 'priority': 0}]))
        os.symlink('/bin/true', os.path.join(folder, 'ninja'))
        os.chmod(listed, 0o755)
        got = subprocess.run(['nohup', sys.executable, spec.origin, folder], env=dict(os.environ, PATH=folder + ':' + os.environ['PATH']),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    return None if got.returncode == 1 and 'signal 1' in got.stdout else got.stdout.splitlines()


tests.append(('programs_begin_with_the_default_of_a_hangup', under_nohup))
tap.main(tests)
