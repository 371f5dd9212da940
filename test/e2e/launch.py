#!/usr/bin/env python3
"""launch.py - `leat run` from outside: what the nodes are given, how all of it ends, and what it leaves behind: nothing."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e import LEAT, World, differ, one_line, tap  # noqa: E402
from terminal import Terminal  # noqa: E402

FOREVER = 'echo ready >&2; while :; do sleep 1000; done'
DEAF = 'trap "" INT TERM HUP; ' + FOREVER


def sh(nodes, script, *flags):
    return [LEAT, 'run', '-n', str(nodes), *flags, '--', 'sh', '-c', script]


def pids(r, nodes):
    """The pids that the launcher has printed, in order."""
    return [int(r.until(r'^node %d is pid (\d+) at ' % i).group(1)) for i in range(nodes)]


def await_ready(r, nodes):
    for i in range(nodes):
        r.until(r'^\[%d\] ready$' % i)


def environment_of(flags, url):
    with World() as w:
        code, out, _ = w.run(*sh(3, 'echo $LEAT_RANK $LEAT_NODES $LEAT_JOB $(readlink /proc/self/fd/$LEAT_LISTEN_FD)', *flags))
        rows = sorted(line.split(' ') for line in out.splitlines())
        problems = differ('the exit code', code, 0) + differ('the ranks', [r[0] for r in rows], ['0', '1', '2'])
        problems += differ('LEAT_NODES', len({r[1] for r in rows}), 1) + differ('LEAT_JOB', len({r[2] for r in rows}), 1)
        if not re.fullmatch('[0-9a-f]{32}', rows[0][2]):
            problems.append('LEAT_JOB is %r' % rows[0][2])
        if not all(re.fullmatch(url, u) for u in rows[0][1].split(',')):
            problems.append('LEAT_NODES is %r' % rows[0][1])
        if len({r[3] for r in rows}) != 3 or not all(r[3].startswith('socket:') for r in rows):
            problems.append('the nodes listen on %r' % [r[3] for r in rows])
        return problems + w.left()


def environment_unix():
    return environment_of([], r'unix:/.*/leat-\w+/[0-2]')


def environment_tcp():
    return environment_of(['--link', 'tcp'], r'tcp://127\.0\.0\.1:[1-9]\d*') + environment_of(['--link=tcp'], r'tcp://127\.0\.0\.1:\d+')


def says_who_is_where():
    with World() as w:
        _, out, err = w.run(*sh(2, 'echo node $LEAT_RANK is pid $$ at $(echo $LEAT_NODES | cut -d, -f$((LEAT_RANK + 1)))'))
        return differ('what it says', sorted(err.splitlines()), sorted(out.splitlines()))


def standard_error_is_prefixed():
    with World() as w:
        _, out, err = w.run(*sh(3, 'printf "a\\nb" >&2; echo out'))
        lines = [line for line in err.splitlines() if line.startswith('[')]
        return differ('standard error', sorted(lines), ['[%d] %s' % (i, c) for i in range(3) for c in 'ab']) + \
            differ('standard output', out, 'out\n' * 3)


def exit_code_is_node_0s():
    with World() as w:
        code, _, err = w.run(*sh(2, '[ $LEAT_RANK = 0 ] && exit 7; exit 0'))
        problems = differ('the exit code', code, 7)
        code, _, err = w.run(*sh(2, '[ $LEAT_RANK = 0 ] && kill -SEGV $$; sleep 1000'))
        return problems + differ('the exit code', code, 128 + signal.SIGSEGV) + w.left() + \
            ([] if re.search(r'^leat: node 0 \(pid \d+\) was killed by signal 11 \(SIGSEGV\)$', err, re.M) else [err])


def end_of_node_0_ends_all():
    with World() as w:
        r = w.start(*sh(3, '[ $LEAT_RANK = 0 ] && { read line; exit 0; }; (%s) & setsid sh -c \'%s\' & wait' % (FOREVER, FOREVER)),
                    stdin=-1)
        for i in (1, 2):
            r.until(r'(?s)(\[%d\] ready.*){2}' % i)
        r.process.stdin.close()
        return differ('the exit code', r.end(), 0) + w.left()


def only_node_0_reads_standard_input():
    with World() as w:
        with open(w.file('in', b'hello\n'), 'rb') as f:
            _, out, _ = w.run(*sh(3, 'echo $LEAT_RANK: $(cat)'), stdin=f)
        return differ('what they read', sorted(out.splitlines()), ['0: hello', '1:', '2:'])


def signal_ends_all(signo, code, script=FOREVER):
    with World() as w:
        r = w.start(*sh(3, script))
        await_ready(r, 3)
        r.kill(signo)
        return differ('the exit code', r.end(), code) + w.left() + differ('standard output', r.out, '')


def interrupt_ends_all():
    return signal_ends_all(signal.SIGINT, 130)


def terminate_ends_all():
    return signal_ends_all(signal.SIGTERM, 143)


def hangup_ends_all():
    return signal_ends_all(signal.SIGHUP, 129)


def the_deaf_end_too():
    return signal_ends_all(signal.SIGINT, 130, DEAF)


def node_0_may_end_in_its_own_way():
    return signal_ends_all(signal.SIGTERM, 5, '[ $LEAT_RANK = 0 ] && trap "exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done')


def killed_launcher_leaves_nothing():
    with World() as w:
        r = w.start(*sh(3, '(%s) & %s' % (FOREVER, FOREVER)))
        for i in range(3):
            r.until(r'(?s)(\[%d\] ready.*){2}' % i)
        r.kill(signal.SIGKILL)
        return w.left() + differ('the exit code', r.process.wait(), -signal.SIGKILL)


def parent_of(pid):
    with open('/proc/%d/stat' % pid) as f:
        return int(f.read().rsplit(')', 1)[1].split()[1])


def killed_supervisor_leaves_nothing():
    with World() as w:
        r = w.start(*sh(3, '(%s) & %s' % (FOREVER, FOREVER)))
        for i in range(3):
            r.until(r'(?s)(\[%d\] ready.*){2}' % i)
        os.kill(parent_of(pids(r, 1)[0]), signal.SIGKILL)
        return differ('the exit code', r.end(), 137) + w.left()


def death_of_a_node_is_reported():
    with World() as w:
        r = w.start(*sh(3, '[ $LEAT_RANK = 0 ] && { read line; exit 3; }; ' + FOREVER), stdin=-1)
        victim = pids(r, 3)[2]
        r.until(r'^\[2\] ready$')
        os.kill(victim, signal.SIGKILL)
        r.until(r'^leat: node 2 \(pid %d\) was killed by signal 9 \(SIGKILL\)$' % victim)
        r.process.stdin.close()
        return differ('the exit code', r.end(), 3) + w.left()


def failure_of_a_node_is_reported():
    with World() as w:
        r = w.start(*sh(2, '[ $LEAT_RANK = 1 ] && exit 9; read line'), stdin=-1)
        r.until(r'^leat: node 1 \(pid \d+\) ended with exit code 9$')
        r.process.stdin.close()
        return differ('the exit code', r.end(), 1)


def bad_command_lines():
    rows = [([], 'no command'), (['frobnicate'], "'frobnicate'"), (['--frobnicate'], "'--frobnicate'"), (['run'], '-n N'),
            (['run', '-n'], "'-n'"), (['run', '-n', '0', '--', 'true'], '-n 0'), (['run', '-n', '100000', '--', 'true'], '1 to 256'),
            (['run', '-n', 'x', '--', 'true'], "'x'"), (['run', '-n', '-1', '--', 'true'], "'-1'"),
            (['run', '-n', '99999999999999999999', '--', 'true'], '1 to 256'), (['run', '-n', '', '--', 'true'], 'not a number'),
            (['run', '-n', '3'], 'no program'), (['run', '-n', '3', '--'], 'no program'),
            (['run', '-n', '3', '--link', 'pigeon', '--', 'true'], "'pigeon'"), (['run', '--link'], "'--link'"),
            (['run', '--frobnicate', '-n', '3', '--', 'true'], "'--frobnicate'")]
    problems = []
    with World() as w:
        for args, word in rows:
            code, out, err = w.run(LEAT, *args)
            problems += differ('the exit code of %r' % args, (code, out), (2, '')) + one_line(err, 'leat: ', word)
        return problems + w.left()


def program_that_cannot_be_started():
    problems = []
    with World() as w:
        for name in ('no-such-program', w.file('data', b'no program'), './nowhere/program', w.dir):
            code, out, err = w.run(LEAT, 'run', '-n', '3', '--', name)
            problems += differ('the exit code of %s' % name, (code, out), (2, '')) + one_line(err, "leat: cannot start '%s': " % name)
        return problems + w.left()


def help_and_version():
    with World() as w:
        code, out, err = w.run(LEAT, '--help')
        problems = differ('--help', (code, err), (0, '')) + ([] if 'leat run' in out else [out])
        code, out, err = w.run(LEAT, 'run', '--help')
        problems += differ('run --help', (code, err), (0, '')) + ([] if '--link' in out else [out])
        code, out, err = w.run(LEAT, '--version')
        problems += differ('--version', (code, bool(re.fullmatch(r'leat \d+\.\d+\.\d+\n', out)), err), (0, True, ''))
        for command in (['--help'], ['--version'], ['run', '--help'], ['sim', '--help'], ['decode', '--help']):
            with open('/dev/full', 'wb') as full:
                code, _, err = w.run(LEAT, *command, stdout=full)
            problems += differ('the exit code of %s on a full disk' % command, code, 1) + one_line(err, 'leat: ', 'is the disk full?')
        return problems


def interrupt_typed_at_a_terminal():
    with World() as w, Terminal(sh(3, FOREVER), w.env) as t:
        for i in range(3):
            t.until(r'\[%d\]\x1b\[0m ready\r\n' % i)
        t.type('\x03')
        return differ('the exit code', t.end(), 130) + w.left()


def node_0_has_the_terminal():
    script = '[ $LEAT_RANK = 0 ] || exit 0; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo ready >&2; read line; echo "got $line"; exit 4'
    with World() as w, Terminal(sh(2, script), w.env) as t:
        t.until(r'\[0\]\x1b\[0m ready')
        t.type('hello\n')
        t.until(r'got hello')
        return differ('the exit code', t.end(), 4) + w.left()


def progress_is_redrawn_on_a_terminal():
    script = 'if [ $LEAT_RANK = 0 ]; then printf "\\r\\033[K10 lines" >&2; read line <go; printf "\\r\\033[K20 lines\\n" >&2; else ' \
        'echo hello >&2; fi'
    with World() as w:
        os.mkfifo(w.path('go'))
        with Terminal(['sh', '-c', 'cd "$0" && exec "$@"', w.dir] + sh(2, script), w.env) as t:
            t.until(r'\[0\]\x1b\[0m 10 lines')
            t.until(r'\[1\]\x1b\[0m hello')
            with open(w.path('go'), 'w') as f:
                f.write('\n')
            t.end()
            screen = t.screen()
    return differ('the lines of node 0', [line for line in screen if line.startswith('[0]')], ['[0] 20 lines']) + \
        differ('the lines of node 1', [line for line in screen if line.startswith('[1]')], ['[1] hello'])


tap.main([
    ('the_environment_over_unix_sockets', environment_unix),
    ('the_environment_over_tcp', environment_tcp),
    ('it_says_which_node_is_where', says_who_is_where),
    ('standard_error_is_prefixed_by_the_node', standard_error_is_prefixed),
    ('the_exit_code_is_node_0s', exit_code_is_node_0s),
    ('the_end_of_node_0_ends_all', end_of_node_0_ends_all),
    ('only_node_0_reads_standard_input', only_node_0_reads_standard_input),
    ('interrupt_ends_all', interrupt_ends_all),
    ('terminate_ends_all', terminate_ends_all),
    ('hangup_ends_all', hangup_ends_all),
    ('programs_that_ignore_signals_end_too', the_deaf_end_too),
    ('node_0_may_end_in_its_own_way', node_0_may_end_in_its_own_way),
    ('a_killed_launcher_leaves_nothing', killed_launcher_leaves_nothing),
    ('a_killed_supervisor_leaves_nothing', killed_supervisor_leaves_nothing),
    ('the_death_of_a_node_is_reported', death_of_a_node_is_reported),
    ('the_failure_of_a_node_is_reported', failure_of_a_node_is_reported),
    ('a_bad_command_line_gets_one_line_and_2', bad_command_lines),
    ('a_program_that_cannot_be_started_gets_one_line_and_2', program_that_cannot_be_started),
    ('help_and_version', help_and_version),
    ('interrupt_typed_at_a_terminal', interrupt_typed_at_a_terminal),
    ('node_0_has_the_terminal', node_0_has_the_terminal),
    ('progress_is_redrawn_on_a_terminal', progress_is_redrawn_on_a_terminal),
])
