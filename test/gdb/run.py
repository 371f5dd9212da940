#!/usr/bin/env python3
"""run.py - scripts/leat-gdb.py in gdb: on a live program and on a core of it.  LEAT_BUILD names the build directory."""
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
PROGRAM = os.path.join(BUILD, 'test', 'gdb', 'gdb_program')
SCRIPT = os.path.join(ROOT, 'scripts', 'leat-gdb.py')


def gdb(args, *commands):
    tap.need('gdb')
    cmd = ['gdb', '-nx', '-q', '-batch', '-ex', 'set debuginfod enabled off', '-ex', 'source ' + SCRIPT]
    for c in commands:
        cmd += ['-ex', c]
    return subprocess.run(cmd + args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          timeout=200).stdout


def missing(out, wanted):
    return ['no line like %s in:' % w for w in wanted if not re.search(w, out, re.M)] + out.splitlines() \
        if not all(re.search(w, out, re.M) for w in wanted) else []


TASKS = [r'^ *\d+  reader "conn 17" started at \S*program\.c:\d+: it receives from channel 0x[0-9a-f]+ \(0 of 4 queued\)$',
         r'^ *\d+  app started at \S*program\.c:\d+: runs on worker 0$', r'^ *\d+  fresh started at \S*program\.c:\d+: not begun$']
CALLS = [r'#\d+ +wait_inside \(\S*program\.c:\d+\)\n(.*\n)*? *#\d+ +task_main ']
BREAK = ['break all_parked', 'run']


def live_tasks():
    return missing(gdb([PROGRAM], *BREAK, 'leat tasks', 'kill'), TASKS)


def live_calls():
    return missing(gdb([PROGRAM], *BREAK, 'leat bt reader', 'leat bt app', 'kill'),
                   CALLS + [r'#0 +all_parked ', r'#\d+ +app \(\S*program\.c:\d+\)'])


def goes_on():
    """What was looked at goes on as if nothing had been."""
    return missing(gdb([PROGRAM], *BREAK, 'leat bt all', 'continue'), CALLS + [r'exited normally'])


def of_a_core():
    with tempfile.TemporaryDirectory() as folder:
        core = os.path.join(folder, 'core')
        made = gdb([PROGRAM], *BREAK, 'leat core ' + core, 'kill')
        if not os.path.exists(core):
            return ['no core was made:'] + made.splitlines()
        return missing(gdb([PROGRAM, core], 'leat tasks', 'leat bt all'), TASKS + CALLS)


ASLEEP = ["break all_parked if 'rt.c'::all->hibernated >= 3", 'run hibernate']
SLEEPERS = [r'^ *\d+  reader "conn 17" started at \S*program\.c:\d+: it receives from channel 0x[0-9a-f]+ \(0 of 4 queued\)$'] + [
    r'^ *\d+  %s started at \S*program\.c:\d+: .*\n( +#.*\n)* +#\d+ +%s \(\S*program\.c:\d+\)\n( +#.*\n)* +#\d+ +task_main ' % calls
    for calls in (('reader "conn 17"', r'wait_inside \(\S*program\.c:\d+\)\n +#\d+ +reader'),
                  ('nameless', r'wait_in_room \(\S*program\.c:\d+\)\n +#\d+ +nameless'), ('chooser', 'chooser'))] + [
    r'chooser .*: it waits in a select: receives from channel 0x[0-9a-f]+ \(0 of 4 queued\), with a deadline$']


def of_the_hibernated():
    """Their frames are read in the copy: live, and in a core."""
    with tempfile.TemporaryDirectory() as folder:
        core = os.path.join(folder, 'core')
        made = gdb([PROGRAM], *ASLEEP, 'leat bt all', 'leat core ' + core, 'kill')
        if not os.path.exists(core):
            return ['no core was made:'] + made.splitlines()
        return missing(made, SLEEPERS) + missing(gdb([PROGRAM, core], 'leat bt all'), SLEEPERS)


if __name__ == '__main__':
    tap.main([('gdb_lists_the_tasks_of_a_live_program', live_tasks), ('gdb_shows_the_calls_of_parked_and_running_tasks', live_calls),
              ('a_program_that_was_looked_at_goes_on', goes_on), ('gdb_does_the_same_with_a_core', of_a_core),
              ('gdb_shows_the_calls_of_hibernated_tasks', of_the_hibernated)])
