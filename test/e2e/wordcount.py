#!/usr/bin/env python3
"""wordcount.py - the main job: one program at three distances gives what coreutils give, or an error, and never a wrong total."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e import LEAT, ROOT, World, differ, example, one_line, tap  # noqa: E402
from terminal import Terminal  # noqa: E402

BOOK = os.path.join(ROOT, 'examples', 'data', 'opticks.txt')
WORDCOUNT = example('wordcount')
RUN = [WORDCOUNT, 'run']
PIPE = "cat \"$@\" | tr -cs A-Za-z '\\n' | tr A-Z a-z | grep . | sort | uniq -c | sort -k1,1nr -k2,2 | head -20"
WITHIN_S = 30                        # "within seconds", on a loaded machine
GIVE_UP_S = 5                        # so long without any worker


def launched(nodes, *flags):
    return [LEAT, 'run', '-n', str(nodes), *flags, '--'] + RUN


def coreutils(*files):
    """What the pipeline prints, without the blanks that uniq puts before its counts."""
    got = subprocess.run(['sh', '-c', PIPE, 'sh', *files], env=dict(os.environ, LC_ALL='C'), stdout=subprocess.PIPE, check=True)
    return ''.join(line.decode().lstrip() + '\n' for line in got.stdout.splitlines())


def counts(w, command, files):
    """Lines that say how the command does not give what coreutils give."""
    code, out, err = w.run(*command, *files)
    return differ('%s: exit code' % command, code, 0) + differ('the words', out, coreutils(*files)) + ([err] if code else [])


def odd_files(w):
    with open(BOOK, 'rb') as f:
        book = f.read()
    return {
        'nothing': w.file('nothing', b''),
        'no_newline': w.file('no_newline', b'light LIGHT x'),
        'binary': w.file('binary', bytes(i * i % 251 ^ i >> 8 & 255 for i in range(300000))),
        'crlf': w.file('crlf', book.replace(b'\n', b'\r\n')),
        'long_line': w.file('long_line', book.replace(b'\n', b' ') * 2),
        'long_word': w.file('long_word', b'a' * 1000000 + b' a b'),
        'other_letters': w.file('other_letters', 'na\u00efve \u00c6ther caf\u00e9 x_y z9z'.encode()),
    }


def equals_coreutils_in_one_process():
    with World() as w:
        odd = odd_files(w)
        problems = counts(w, RUN, [BOOK])
        for path in odd.values():
            problems += counts(w, RUN, [path])
        return problems + counts(w, RUN, [odd['no_newline'], BOOK, odd['nothing'], odd['no_newline'], odd['binary'], BOOK])


def the_same_at_three_distances(command):
    def test():
        with World() as w:
            odd = odd_files(w)
            return counts(w, command, [BOOK]) + counts(w, command, [odd['nothing']]) + \
                counts(w, command, [odd['long_word'], odd['no_newline'], BOOK, odd['binary']]) + w.left()
    return test


def node(w, url):
    """A running node and where it listens."""
    r = w.start(WORDCOUNT, 'node', url)
    return r, r.until(r'^listening on (\S+)$', 'out').group(1)


def node_again(w, url):
    """A running node where one was killed.  With io_uring the kernel lets go of a process's sockets a little after the process."""
    until = time.monotonic() + WITHIN_S
    while True:
        try:
            return node(w, url)
        except AssertionError as e:
            if 'Address already in use' not in str(e) or time.monotonic() > until:
                raise
            time.sleep(0.05)


def with_nodes_that_run():
    with World() as w:
        a, url_a = node(w, 'tcp://127.0.0.1:0')
        b, url_b = node(w, 'unix:' + w.path('b.sock'))
        problems = [] if re.fullmatch(r'tcp://127\.0\.0\.1:[1-9]\d*', url_a) else ['it listens on ' + url_a]
        for _ in range(2):                           # a node serves one program after the other
            problems += counts(w, RUN + ['--on', '%s,%s' % (url_a, url_b)], [BOOK])
        a.kill(signal.SIGTERM)
        b.kill(signal.SIGINT)
        return problems + differ('exit codes of the nodes', (a.end(), b.end()), (0, 130)) + w.left()


def child_of(pid):
    """The one child of a process."""
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return int(f.read())


class Pipe:
    """A named pipe as a file to be counted.  It does not end until close()."""

    def __init__(self, w):
        self.path = w.path('pipe')
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR)      # opens at once; the reader then sees one writer
        self.out = None

    def feed(self, times=1):
        """All but the last bytes have been read when it returns: a pipe holds far less than the book."""
        with open(BOOK, 'rb') as f:
            data = f.read() * times
        done = 0
        while done < len(data):
            try:
                done += os.write(self.fd, data[done:])
            except BlockingIOError:                  # abandon() was called, and nobody reads any more
                return

    def abandon(self):
        """Ends a feed() that another thread is in."""
        os.set_blocking(self.fd, False)
        os.read(self.fd, 1 << 20)                    # a writer that waits goes on, and finds that it must not wait any more

    def close(self):
        os.close(self.fd)


LOST = r'^%sleat: lost (%s) \(.*\): .*; (\d+) of its shards (is|are) dealt again$'


def lost_line(err, name, prefix=r'\[0\] '):
    """Lines that say how there is not one line of the loss of this node."""
    found = re.findall(LOST % (prefix, name), err, re.M)
    return [] if len(found) == 1 else ['%d lines say that %s was lost:' % (len(found), name), err]


def right(code, out, *files):
    return differ('the exit code', code, 0) + differ('the words', out, coreutils(*files))


def killed_worker(*flags):
    """While all wait for more lines, so that nothing is under way."""
    def test():
        with World() as w:
            pipe = Pipe(w)
            r = w.start(*launched(3, *flags), pipe.path)
            victim = int(r.until(r'^node 2 is pid (\d+) at ').group(1))
            pipe.feed()
            os.kill(victim, signal.SIGKILL)
            r.until(r'leat: lost node 2')
            pipe.close()
            return right(r.end(WITHIN_S), r.out, BOOK) + lost_line(r.err, 'node 2') + w.left()
    return test


def killed_worker_at_work():
    """The victim dies while lines are being sent, so that shards are under way to it; stopped first, so that it has some."""
    with World() as w:
        pipe = Pipe(w)
        r = w.start(*launched(3), pipe.path)
        victim = int(r.until(r'^node 1 is pid (\d+) at ').group(1))
        pipe.feed()
        os.kill(victim, signal.SIGSTOP)
        pipe.feed(4)
        os.kill(victim, signal.SIGKILL)
        pipe.close()
        problems = right(r.end(WITHIN_S), r.out, *[BOOK] * 5) + lost_line(r.err, 'node 1') + w.left()
        return problems + ([] if int(re.search(LOST % (r'\[0\] ', 'node 1'), r.err, re.M).group(2)) > 0 else ['nothing is dealt again'])


def killed_at_random_moments():
    """From the start of the launch to its end; never a wrong total."""
    times = 5 if os.environ.get('T_QUICK') else 50
    words, problems, began = coreutils(*[BOOK] * 3), [], time.monotonic()
    with World() as w:
        w.run(*launched(3), *[BOOK] * 3)
        takes = time.monotonic() - began
        for i in range(times):
            r = w.start(*launched(3), *[BOOK] * 3)
            victim = int(r.until(r'^node %d is pid (\d+) at ' % (1 + i % 2)).group(1))
            try:
                r.process.wait(takes * i / times)    # no test depends on it: any moment is a good one
            except subprocess.TimeoutExpired:
                pass
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
            bad = differ('the exit code', r.end(WITHIN_S), 0) + differ('the words', r.out, words)
            problems += bad and bad + ['killed after %.3f s' % (takes * i / times), r.err]
        return problems + w.left()


def all_workers_killed():
    with World() as w:
        pipe = Pipe(w)
        r = w.start(*launched(3), pipe.path)
        victims = [int(r.until(r'^node %d is pid (\d+) at ' % i).group(1)) for i in (1, 2)]
        pipe.feed()
        for v in victims:
            os.kill(v, signal.SIGKILL)
        code = r.end(WITHIN_S)
        pipe.close()
        said = re.search(r'^\[0\] leat: PEER_LOST: no worker is left: node [12] \(', r.err, re.M)
        return differ('the exit code', code, 1) + differ('standard output', r.out, '') + ([] if said else [r.err]) + w.left()


def worker_that_dies_before_it_serves():
    problems = []
    with World() as w:
        for link in ('unix', 'tcp'):
            script = '[ $LEAT_RANK = 1 ] && kill -9 $$; exec "$0" "$@"'
            code, out, err = w.run(LEAT, 'run', '-n', '3', '--link', link, '--', 'sh', '-c', script, *RUN, BOOK)
            problems += right(code, out, BOOK) + w.left()
            code, out, err = w.run(LEAT, 'run', '-n', '2', '--link', link, '--', 'sh', '-c', script, *RUN, BOOK)
            problems += differ('exit code and output', (code, out), (1, '')) + w.left() + \
                ([] if re.search(r'^\[0\] leat: PEER_LOST: node 1: ', err, re.M) else [err])
    return problems


def killed_running_node(kind):
    """Nobody starts it again: it is waited for, and no longer than that."""
    def test():
        with World() as w:
            pipe = Pipe(w)
            n, url = node(w, 'unix:' + w.path('n.sock') if kind == 'unix' else 'tcp://127.0.0.1:0')
            r = w.start(*RUN, '--on', url, pipe.path)
            pipe.feed()
            began = time.monotonic()
            n.kill(signal.SIGKILL)
            code = r.end(WITHIN_S)
            waited_s = time.monotonic() - began
            pipe.close()
            n.end()
            last = r.err.splitlines()[-1]
            return differ('the exit code', code, 1) + differ('standard output', r.out, '') + one_line(last, 'leat: PEER_LOST: ', url) + \
                lost_line(r.err, r'.*', '') + ([] if waited_s >= GIVE_UP_S else ['it gave up after %.2f s' % waited_s])
    return test


def restarted_running_node(kind):
    """The only node dies, is started again at its address, and the total is right: so the second one has taken part."""
    def test():
        with World() as w:
            pipe = Pipe(w)
            n, url = node(w, 'unix:' + w.path('n.sock') if kind == 'unix' else 'tcp://127.0.0.1:0')
            r = w.start(*RUN, '--on', url, pipe.path)
            pipe.feed()
            n.kill(signal.SIGKILL)
            n.end()
            n, _ = node_again(w, url)
            pipe.feed(2)
            pipe.close()
            problems = right(r.end(WITHIN_S), r.out, *[BOOK] * 3) + lost_line(r.err, r'.*', '')
            n.kill(signal.SIGTERM)
            return problems + differ('the exit code of the node', n.end(), 0)
    return test


def node_that_leaves_in_order():
    """SIGTERM is no loss of anything: what it has not done is done by the other."""
    with World() as w:
        pipe = Pipe(w)
        a, url_a = node(w, 'tcp://127.0.0.1:0')
        b, url_b = node(w, 'tcp://127.0.0.1:0')
        r = w.start(*RUN, '--on', url_a + ',' + url_b, pipe.path)
        pipe.feed()
        a.kill(signal.SIGTERM)
        pipe.feed(3)
        problems = differ('the exit code of the node', a.end(), 0)
        pipe.close()
        problems += right(r.end(WITHIN_S), r.out, *[BOOK] * 4)
        b.kill(signal.SIGTERM)
        return problems + differ('the exit code of the other', b.end(), 0)


def killed_node_0():
    with World() as w:
        pipe = Pipe(w)
        r = w.start(*launched(3), pipe.path)
        first = int(r.until(r'^node 0 is pid (\d+) at ').group(1))
        pipe.feed()
        os.kill(first, signal.SIGKILL)
        code = r.end(WITHIN_S)
        pipe.close()
        return differ('the exit code', code, 137) + w.left()


def interrupted(command):
    def test():
        with World() as w:
            pipe = Pipe(w)
            r = w.start(*command, pipe.path)
            pipe.feed()
            r.kill(signal.SIGINT)
            code = r.end(WITHIN_S)
            pipe.close()
            return differ('the exit code', code, 130) + differ('standard output', r.out, '') + w.left() + \
                ([] if re.search(r'leat: CANCELED: interrupted$', r.err, re.M) else [r.err])
    return test


class Fed:
    """A word count on a terminal that has drawn its progress, and a thread that feeds it, so that the terminal never fills up."""

    def __init__(self, w):
        self.pipe = Pipe(w)
        self.terminal = Terminal(launched(3) + [self.pipe.path], w.env)

    def __enter__(self):
        feeder = threading.Thread(target=self.pipe.feed, daemon=True)
        feeder.start()
        self.terminal.until(r'\[0\]\x1b\[0m [\d,]+ lines, [\d,]+ words, [\d,]+ words/s; node 1')
        feeder.join()
        return self

    def __exit__(self, *what):
        self.terminal.__exit__(*what)

    def problems(self):
        code = self.terminal.end()
        lines = [line.rstrip() for line in self.terminal.screen() if ' lines, ' in line]
        return differ('the exit code', code, 0) + differ('progress lines that stay', len(lines), 1) + ([] if re.fullmatch(
            r'\[0\] 9,286 lines, 99,935 words, [\d,]+ words/s; node 1: .*; node 2: .* words', lines[-1]) else lines)


def progress_on_a_terminal():
    with World() as w, Fed(w) as f:
        f.pipe.close()
        return f.problems()


def progress_passed_on_late():
    """The launcher, which passes on the progress and not the result, sleeps until the result is on the terminal."""
    with World() as w, Fed(w) as f:
        supervisor = child_of(f.terminal.pid)
        os.kill(supervisor, signal.SIGSTOP)
        f.pipe.close()
        f.terminal.until(r'\d+ the\r\n')
        os.kill(supervisor, signal.SIGCONT)
        return f.problems() + ([] if re.search(r'^\d+ the$', '\n'.join(line.strip() for line in f.terminal.screen()), re.M)
                               else ['the first word shares its line'])


def totals_without_a_terminal():
    with World() as w:
        _, _, err = w.run(*launched(3), BOOK)
        found = re.search(r'^\[0\] 9,286 lines, 99,935 words, [\d,]+ words/s; node 1: ([\d,]+) lines, ([\d,]+) words; '
                          r'node 2: ([\d,]+) lines, ([\d,]+) words$', err, re.M)
        if not found:
            return [err]
        numbers = [int(n.replace(',', '')) for n in found.groups()]
        return differ('lines', numbers[0] + numbers[2], 9286) + differ('words', numbers[1] + numbers[3], 99935)


def files_that_cannot_be_read():
    problems = []
    with World() as w:
        secret = w.file('secret', b'x')
        os.chmod(secret, 0)
        rows = [(w.path('missing'), 'no such file'), (w.dir, 'is a directory')]
        rows += [(secret, 'permission denied')] if os.geteuid() else []
        for path, why in rows:
            for files in ([path], [BOOK, path]):
                code, out, err = w.run(*RUN, *files)
                problems += differ('%s: exit code and output' % files, (code, out), (1, '')) + one_line(err, 'leat: ', path, why)
        code, out, err = w.run(*launched(2), w.path('missing'))
        problems += differ('launched: exit code and output', (code, out), (1, ''))
        return problems + ([] if re.search(r'^\[0\] leat: cannot read .*missing', err, re.M) else [err])


def full_disk():
    with World() as w, open('/dev/full', 'wb') as full:
        code, _, err = w.run(*RUN, BOOK, stdout=full)
        problems = differ('the exit code', code, 1) + one_line(err, 'leat: ', 'No space left')
        code, _, err = w.run(*launched(2), BOOK, stdout=full)
        return problems + differ('the exit code', code, 1) + ([] if 'No space left' in err else [err])


def bad_command_lines():
    rows = [[], ['frobnicate'], ['run'], ['run', '--frobnicate', BOOK], ['run', '--on'], ['run', '--on', 'unix:/x'], ['node'],
            ['node', '--frobnicate'], ['node', 'unix:/a', 'unix:/b']]
    problems = []
    with World() as w:
        for args in rows:
            code, out, err = w.run(WORDCOUNT, *args)
            problems += differ('%r: exit code and output' % args, (code, out), (2, '')) + one_line(err, 'leat: ')
    return problems


def addresses_where_nobody_is():
    with World() as w:
        with socket.socket() as s:                   # bound and not listening: nobody else can take it
            s.bind(('127.0.0.1', 0))
            free = 'tcp://127.0.0.1:%d' % s.getsockname()[1]
            rows = [free, 'unix:' + w.path('nobody'), 'tcp://no-such-host.invalid:80', 'tcp://127.0.0.1:notaport', 'pigeon://coop',
                    'nonsense', ',']
            problems = []
            for url in rows:
                code, out, err = w.run(*RUN, '--on', url, BOOK)
                problems += differ('%s: exit code and output' % url, (code, out), (1, '')) + one_line(err, 'leat: ', url)
        return problems


def strangers(answer):
    """A listener that says `answer` to whoever comes: its address."""
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen(8)

    def serve():
        while True:
            try:
                c, _ = s.accept()
                c.sendall(answer)
                c.close()
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return s, 'tcp://127.0.0.1:%d' % s.getsockname()[1]


def something_else_listens():
    problems = []
    with World() as w:
        for answer in (b'HTTP/1.0 400 Bad Request\r\n\r\n', b'\x15\x03\x01\x00\x02\x02\x46', b'\0' * 100000, b'SSH-2.0-x\r\n', b''):
            s, url = strangers(answer)
            code, out, err = w.run(*RUN, '--on', url, BOOK)
            s.close()
            problems += differ('%r: exit code and output' % answer[:20], (code, out), (1, '')) + one_line(err, 'leat: ', url)
    return problems


def a_node_survives_noise():
    with World() as w:
        n, url = node(w, 'tcp://127.0.0.1:0')
        host, port = url[len('tcp://'):].split(':')
        for noise in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(500),
                      bytes(range(256)) * 400, b'\xff' * 100000, b'', b'\x01'):
            with socket.create_connection((host, int(port))) as s:
                try:
                    s.sendall(noise)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        problems = counts(w, RUN + ['--on', url], [BOOK])
        n.kill(signal.SIGTERM)
        return problems + differ('the exit code of the node', n.end(), 0)


def node_that_cannot_listen():
    problems = []
    with World() as w:
        n, url = node(w, 'tcp://127.0.0.1:0')
        rows = [url, 'tcp://0.0.0.0:0', 'tcp://no-such-host.invalid:0', 'unix:' + w.path('no/such/directory'),
                'unix:/' + 'x' * 200, 'tcp://127.0.0.1:99999', 'pigeon://coop', 'nonsense']
        for bad in rows:
            code, out, err = w.run(WORDCOUNT, 'node', bad)
            problems += differ('%s: exit code and output' % bad, (code, out), (1, '')) + one_line(err, 'leat: ', bad[:60])
        n.kill(signal.SIGTERM)
        return problems + differ('the exit code of the node', n.end(), 0)


def addresses_beyond_this_host():
    """Plain TCP leaves this host only with --insecure, on both sides, and each refusal names the address and the flag."""
    with World() as w:
        far = 'tcp://0.0.0.0:0'
        code, out, err = w.run(WORDCOUNT, 'node', far)
        problems = differ('node: exit code and output', (code, out), (1, '')) + one_line(err, 'leat: REFUSED: ' + far, '--insecure')
        n = w.start(WORDCOUNT, 'node', '--insecure', far)
        port = n.until(r'^listening on tcp://\*:(\d+)$', 'out').group(1)
        n.until(r'tcp://\*:%s is plain TCP, insecure: whoever reaches it is a peer$' % port)
        url = 'tcp://0.0.0.0:' + port
        code, out, err = w.run(*RUN, '--on', url, BOOK)
        problems += differ('run: exit code and output', (code, out), (1, '')) + one_line(err, 'leat: REFUSED: ' + url, '--insecure')
        problems += counts(w, RUN + ['--on', url, '--insecure'], [BOOK])
        n.kill(signal.SIGTERM)
        return problems + differ('the exit code of the node', n.end(), 0)


def address_of_a_network():
    """The same with the address of a network of its own."""
    own = ['unshare', '-n' if os.getuid() == 0 else '-rn']
    script = 'ip link set lo up && ip addr add 10.11.12.13/32 dev lo && exec "$@"'
    with World() as w:
        if w.run(*own, 'sh', '-c', script, 'sh', 'true')[0] != 0:
            raise tap.Skip('no network namespaces')
        both = '"$0" node $2 tcp://10.11.12.13:7000 & n=$!; trap "kill $n" EXIT; i=0; ' \
            'until "$0" run --on tcp://10.11.12.13:7000 $3 "$1" 2>err; do i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done'
        code, out, err = w.run(*own, 'sh', '-c', script, 'sh', 'sh', '-c', both, WORDCOUNT, BOOK, '--insecure', '--insecure', cwd=w.dir)
        words = out.split('\n', 1)[1] if out.startswith('listening') else out
        problems = differ('the exit code', code, 0) + differ('the words', words, coreutils(BOOK)) + ([err] if code else [])
        code, out, err = w.run(*own, 'sh', '-c', script, 'sh', WORDCOUNT, 'run', '--on', 'tcp://10.11.12.13:7000', BOOK)
        return problems + differ('exit code and output', (code, out), (1, '')) + \
            one_line(err, 'leat: REFUSED: tcp://10.11.12.13:7000', '--insecure')


tap.main([
    ('equals_coreutils_in_one_process', equals_coreutils_in_one_process),
    ('the_same_over_unix_sockets', the_same_at_three_distances(launched(3))),
    ('the_same_over_tcp', the_same_at_three_distances(launched(3, '--link', 'tcp'))),
    ('the_same_on_one_launched_node', the_same_at_three_distances(launched(1))),
    ('the_same_on_eight_nodes', the_same_at_three_distances(launched(8))),
    ('the_same_on_nodes_that_run', with_nodes_that_run),
    ('a_killed_worker_changes_no_total_over_unix_sockets', killed_worker()),
    ('a_killed_worker_changes_no_total_over_tcp', killed_worker('--link', 'tcp')),
    ('what_a_worker_had_that_was_killed_at_work_is_dealt_again', killed_worker_at_work),
    ('a_worker_killed_at_any_moment_changes_no_total', killed_at_random_moments),
    ('without_any_worker_it_is_peer_lost', all_workers_killed),
    ('a_worker_that_dies_before_it_serves_is_not_missed', worker_that_dies_before_it_serves),
    ('a_killed_running_node_is_peer_lost_unix', killed_running_node('unix')),
    ('a_killed_running_node_is_peer_lost_tcp', killed_running_node('tcp')),
    ('a_running_node_that_is_started_again_takes_part_again_unix', restarted_running_node('unix')),
    ('a_running_node_that_is_started_again_takes_part_again_tcp', restarted_running_node('tcp')),
    ('a_running_node_that_leaves_in_order_changes_no_total', node_that_leaves_in_order),
    ('a_killed_node_0_ends_all', killed_node_0),
    ('interrupt_in_one_process', interrupted(RUN)),
    ('interrupt_of_three_processes', interrupted(launched(3))),
    ('progress_on_a_terminal_is_one_redrawn_line', progress_on_a_terminal),
    ('progress_that_is_passed_on_late_spoils_no_result', progress_passed_on_late),
    ('totals_name_what_each_node_did', totals_without_a_terminal),
    ('files_that_cannot_be_read_get_one_line_and_1', files_that_cannot_be_read),
    ('a_full_disk_is_noticed', full_disk),
    ('a_bad_command_line_gets_one_line_and_2', bad_command_lines),
    ('addresses_where_nobody_is_get_one_line_and_1', addresses_where_nobody_is),
    ('an_address_beyond_this_host_needs_insecure', addresses_beyond_this_host),
    ('an_address_of_a_network_needs_insecure', address_of_a_network),
    ('what_is_no_node_gets_one_line_and_1', something_else_listens),
    ('a_node_survives_noise', a_node_survives_noise),
    ('a_node_that_cannot_listen_gets_one_line_and_1', node_that_cannot_listen),
])
