#!/usr/bin/env python3
"""examples.py - every example does what its first lines say."""
import glob
import os
import re
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e import BUILD, LEAT, ROOT, World, differ, example, one_line, tap  # noqa: E402

RACE = '''the first answer is 84; 1 gave up and cleaned up
without the others: REFUSED: replica 0 is down
'''
SEL = """deadline: DEADLINE
cancelled: CANCELED
after the scopes: OK
otherwise, evaluated 1 time
got 7
a select in a case
closed
nothing can happen: CLOSED
end 1: 5
a case in a loop: INVAL
sibling: CANCELED
group: REFUSED
sibling: CANCELED
the block's own error: LIMIT
sibling: CANCELED
sibling: CANCELED
after break
sibling: CANCELED
run: LIMIT
"""
EXISTING = """1 oven 181.5
id       at  0,  4 bytes, tag 1
name     at  4, 32 bytes, tag 2
value    at 40,  8 bytes, tag 4
taken_ns at 48,  8 bytes, tag 5
driver   at 56,  8 bytes, tag 0
"""


def prints(name, expected, code=0):
    """A test that runs an example without arguments."""
    def run():
        with World() as w:
            return differ(name, w.run(example(name)), (code, expected, ''))
    return run


def pool():
    with World() as w:
        code, out, err = w.run(example('pool'))
        fine = re.fullmatch(r'1\d done, INVAL: job 13: unlucky\n', out)
        return differ('pool', (code, err), (0, '')) + ([] if fine else ['pool prints %r' % out])


def text(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


def blocks(page):
    """The C blocks of a page."""
    return re.findall(r'^```c\n(.*?)^```$', text(page), re.S | re.M)


def readme_shows_the_program():
    program = text('examples', 'readme.c').split('\n', 1)[1]
    return differ('the first C block of README.md', blocks('README.md')[0], program)


def pages_quote_the_examples():
    """Every line of C in the pages stands in an example, but for what stands for something left out."""
    known = '\n'.join(re.sub(r'(?m)^ +', '', '\n' + text(path)) for path in glob.glob(os.path.join(ROOT, 'examples', '*.c')))
    return ['%s: no example has the line: %s' % (page, line) for page in ('README.md', os.path.join('docs', 'start.md'))
            for block in blocks(page) for line in block.splitlines()
            if '\n' + line.strip() not in known and '...' not in line and 'tcp://' not in line]


def links_of_the_pages():
    problems = []
    for path in [os.path.join(ROOT, 'README.md')] + glob.glob(os.path.join(ROOT, 'docs', '*.md')):
        with open(path, encoding='utf-8') as f:
            prose = re.sub(r'^```.*?^```$', '', f.read(), flags=re.S | re.M)
            for link in re.findall(r'\]\(([^)#:]+)\)', prose):
                if not os.path.exists(os.path.join(os.path.dirname(path), link)):
                    problems.append('%s: there is no %s' % (path, link))
    return problems


def readme_at_three_distances():
    problems = []
    with World() as w:
        for command in ([], [LEAT, 'run', '-n', '3', '--'], [LEAT, 'run', '-n', '3', '--link', 'tcp', '--']):
            code, out, _ = w.run(*command, example('readme'))
            problems += differ('%s: exit code' % command, code, 0) + \
                differ('the squares', sorted(out.splitlines()), sorted('%d squared is %d' % (n, n * n) for n in range(10)))
        return problems + w.left()


def deal():
    problems = []
    with World() as w:
        for command in ([], [LEAT, 'run', '-n', '3', '--'], [LEAT, 'run', '-n', '3', '--link', 'tcp', '--']):
            code, out, _ = w.run(*command, example('deal'))
            problems += differ('%s: exit code' % command, code, 0) + differ('the answer', out, '78498 primes below 1000000\n')
        return problems + w.left()


def offer():
    """Each job goes to one of the two, and to that one once, whether they are tasks or nodes."""
    problems = []
    with World() as w:
        for nodes in ([], ['-n', '2'], ['-n', '3'], ['-n', '3', '--link', 'tcp']):
            command = [LEAT, 'run'] + nodes + ['--'] if nodes else []
            code, out, _ = w.run(*command, example('offer'))
            lines = out.splitlines()
            problems += differ('%s: exit code' % command, code, 0) + \
                differ('the offers', set(lines[:10]) <= {'to a', 'to b'}, True) + \
                differ('the jobs', sorted(lines[10:]), ['%d was taken' % n for n in range(10)])
        return problems + w.left()


def demo():
    with World() as w:
        env = {'LEAT_BUILD': BUILD, 'TMPDIR': w.dir}
        script = os.path.join(ROOT, 'examples', 'demo.sh')
        code, out, err = w.run(script, env=env)
        problems = differ('the exit code', code, 0) + differ('agreements', out.count('the same 20 lines'), 3) + \
            differ('losses', len(re.findall(r'^  lost node 2 \(tcp://.*\): .*dealt again$', out, re.M)), 1) + \
            differ('nodes', len(re.findall(r'^node \d is pid \d+ at tcp://127\.0\.0\.1:\d+$', err, re.M)), 3)
        code, out, err = w.run(script, 'no-such-file', env=env)
        return problems + differ('the exit code without a file', code, 1) + w.left() + \
            ([] if 'What you have just seen' not in out and "cannot read 'no-such-file'" in err else [out, err])


def by_hand():
    """The environment of docs/launch.md without a launcher, in both orders."""
    problems = []
    with World() as w:
        for first in (0, 1):
            nodes = ','.join('unix:' + w.path('%d-%d' % (first, i)) for i in range(2))
            started = {}
            for rank in (first, 1 - first):
                started[rank] = w.start(example('readme'), env={'LEAT_NODES': nodes, 'LEAT_RANK': str(rank)})
            problems += differ('exit codes', [started[rank].end() for rank in (0, 1)], [0, 0]) + \
                differ('lines of node 0', len(started[0].out.splitlines()), 10) + differ('lines of node 1', started[1].out, '')
        return problems


def bad_environments():
    rows = [({'LEAT_NODES': 'nonsense', 'LEAT_RANK': '0'}, 'LEAT_NODES'), ({'LEAT_NODES': 'unix:/a,unix:/b'}, 'LEAT_RANK'),
            ({'LEAT_NODES': 'unix:/a,unix:/b', 'LEAT_RANK': '2'}, 'LEAT_RANK'),
            ({'LEAT_NODES': 'unix:/a', 'LEAT_RANK': '0', 'LEAT_LISTEN_FD': '77'}, 'LEAT_LISTEN_FD'),
            ({'LEAT_NODES': 'unix:/a', 'LEAT_RANK': '0', 'LEAT_LISTEN_FD': '0'}, 'LEAT_LISTEN_FD')]
    problems = []
    with World() as w:
        for env, word in rows:
            code, out, err = w.run(example('wordcount'), 'run', os.path.join(ROOT, 'README.md'), env=env)
            problems += differ('%s: exit code and output' % env, (code, out), (1, '')) + one_line(err, 'leat: ', word)
    return problems


def pipeline():
    problems = []
    with World() as w:
        for url in ('unix:' + w.path('events'), 'tcp://127.0.0.1:0'):
            taker = w.start(example('pipeline'), 'take', url)
            where = taker.until(r'^listening on (\S+)$').group(1)
            code, out, err = w.run(example('pipeline'), 'make', where)
            lines = ['%d %s tick' % (n, 'warning' if n % 100 == 99 else 'info') for n in range(1000)]
            problems += differ('the maker', (code, out, err), (0, '', '')) + differ('the taker', taker.end(), 0) + \
                differ('the events', taker.out.splitlines(), lines)
    return problems


def events_of_cpp():
    """A program in C++ and one in C describe the same struct, each for itself."""
    if not os.path.exists(example('events')):
        raise tap.Skip('there is no C++ compiler of the make of the one for C')
    problems = []
    with World() as w:
        for url in ('unix:' + w.path('events'), 'tcp://127.0.0.1:0'):
            taker = w.start(example('pipeline'), 'take', url)
            where = taker.until(r'^listening on (\S+)$').group(1)
            code, out, err = w.run(example('events'), where)
            lines = ['%d %s tick' % (n, 'warning' if n % 100 == 99 else 'info') for n in range(1000)]
            problems += differ('the maker', (code, out, err), (0, '{"number":1000,"level":"warning","text":"tick"}\n', '')) + \
                differ('the taker', taker.end(), 0) + differ('the events', taker.out.splitlines(), lines)
    return problems


def another_type():
    with World() as w:
        taker = w.start(example('pipeline'), 'take', 'unix:' + w.path('events'))
        where = taker.until(r'^listening on (\S+)$').group(1)
        code, out, err = w.run(os.path.join(BUILD, 'test', 'e2e', 'other_maker'), where)
        problems = differ('another maker', (code, out), (1, '')) + one_line(err, 'leat: TYPE: ', 'text')
        code, out, err = w.run(example('pipeline'), 'make', where)
        return problems + differ('the maker after it', (code, out, err), (0, '', '')) + differ('the taker', taker.end(), 0)


def a_deadline():
    with World() as w:
        server = w.start(example('kv'), 'serve', 'unix:' + w.path('kv'))
        url = server.until(r'^listening on (\S+)$').group(1)
        server.kill(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)        # a stop that was asked for takes a moment
        code, out, err = w.run(example('kv'), 'get', url, 'key')
        server.kill(signal.SIGKILL)
        server.end()
        return differ('get from a stopped server', (code, out), (124, '')) + one_line(err, 'kv: DEADLINE: ')


def kv():
    with World() as w:
        server = w.start(example('kv'), 'serve', 'tcp://127.0.0.1:0')
        url = server.until(r'^listening on (\S+)$').group(1)

        def call(*args):
            return w.run(example('kv'), args[0], url, *args[1:])
        problems = differ('put', call('put', 'leat', 'a channel'), (0, 'version 1\n', ''))
        problems += differ('put again', call('put', 'leat', 'for water')[:2], (0, 'version 2\n'))
        problems += differ('get', call('get', 'leat'), (0, 'for water\nversion 2\n', ''))
        code, out, err = call('get', 'race')
        problems += differ('get of nothing', (code, out), (1, '')) + one_line(err, 'kv: ', "no key 'race'")
        server.kill(signal.SIGTERM)
        server.end()
        return problems


def echo():
    with World() as w:
        path = w.path('echo')
        server = w.start(example('echo'), 'unix:' + path)
        server.until(r'^listening on ')
        problems = []
        with socket.socket(socket.AF_UNIX) as a, socket.socket(socket.AF_UNIX) as b:
            a.connect(path)
            b.connect(path)
            for s, data in ((a, b'one'), (b, b'two'), (a, bytes(100000))):
                s.sendall(data)
                got = b''
                while len(got) < len(data):
                    got += s.recv(65536)
                problems += differ('the echo', got == data, True)
        server.kill(signal.SIGTERM)
        server.end()
        return problems


def failures_are_said():
    """leat_run itself can fail, in each of them: then one line says why."""
    problems = []
    url = 'unix:/no/such/place/socket'
    with World() as w:
        for name, args in (('hello', []), ('pool', []), ('race', []), ('existing', []), ('readme', []), ('offer', []), ('deal', []),
                           ('multiply', [url]), ('range', [url]), ('events', [url]), ('pipeline', ['take', url]),
                           ('kv', ['serve', url]), ('netrpc', ['serve', url]), ('echo', [url])):
            code, out, err = w.run(example(name), *args, env={'LEAT_SIM': 'x'})
            problems += differ(name, (code, out), (1, '')) + one_line(err, name + ": INVAL: LEAT_SIM: 'x'")
            code, out, err = w.run(example(name), *args) if args else (1, '', name + ': SYS: ' + url)
            problems += differ('%s at %s' % (name, url), (code, out), (1, '')) + one_line(err, name + ': ', 'socket')
        for name in ('multiply', 'range', 'events', 'pipeline', 'kv'):
            code, out, err = w.run(example(name))
            problems += differ('%s without arguments' % name, (code, out), (2, '')) + one_line(err, 'usage: %s ' % name)
    return problems


tap.main([
    ('hello', prints('hello', 'sum of squares: 385\n')),
    ('sel', prints('sel', SEL)),
    ('pool', pool),
    ('race', prints('race', RACE)),
    ('existing', prints('existing', EXISTING)),
    ('the_readme_shows_the_program_that_is_tested', readme_shows_the_program),
    ('the_pages_quote_the_examples', pages_quote_the_examples),
    ('the_links_of_the_pages_lead_somewhere', links_of_the_pages),
    ('readme_at_three_distances', readme_at_three_distances),
    ('a_deal_alone_and_with_others', deal),
    ('offer_at_three_distances', offer),
    ('the_demo_runs_and_agrees_with_coreutils', demo),
    ('nodes_that_are_started_by_hand', by_hand),
    ('a_wrong_environment_gets_one_line_and_1', bad_environments),
    ('pipeline', pipeline),
    ('a_program_of_cpp_sends_to_one_of_c', events_of_cpp),
    ('another_element_type_names_the_field', another_type),
    ('kv', kv),
    ('a_passed_deadline_is_exit_code_124', a_deadline),
    ('echo', echo),
    ('each_example_says_why_it_failed', failures_are_said),
])
