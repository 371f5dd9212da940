#!/usr/bin/env python3
"""run.py - examples/netrpc against Go's own net/rpc, both ways, over TCP and Unix sockets; and its command line."""
import contextlib
import json
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

NETRPC = os.path.join(os.environ.get('LEAT_BUILD', os.path.join(os.path.dirname(os.path.dirname(HERE)), 'build')), 'examples', 'netrpc')
LIMIT_S = 120


def call(url, method, text, kind=None):
    more = ['--arg-type', kind] if kind is not None else []
    got = subprocess.run([NETRPC, 'call', *more, url, method, text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         timeout=LIMIT_S)
    return got.returncode, got.stdout, got.stderr


@contextlib.contextmanager
def running(cmd, pattern, where):
    """A server, and what the pattern finds in the line it says at start."""
    with subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            line = getattr(p, where).readline()
            yield re.search(pattern, line).group(1)
        finally:
            p.kill()


def ours(url):
    return running([NETRPC, 'serve', url], r'netrpc serves at (\S+)', 'stderr')


# network: how Go is told its address, and ours without its beginning
PLACES = {'tcp': ('127.0.0.1:0', 'tcp://'), 'unix': (None, 'unix:')}


def go_calls_us(network, how='call'):
    with tempfile.TemporaryDirectory() as folder:
        go, (address, prefix) = gopeer.build(os.path.join(HERE, 'peer'), 'netrpc'), PLACES[network]
        with ours(prefix + (address or folder + '/s')) as at:
            got = subprocess.run([go, how, network, at[len(prefix):]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=LIMIT_S)
            if got.returncode or 'all well' not in got.stdout:
                yield '%s: %d %s%s' % (network, got.returncode, got.stdout, got.stderr)


# method, arguments, and what is printed, or (starting with !) the error
CALLS = [
    ('Arith.Add', '{"A":7,"B":8}', '{"C":15}'), ('Arith.Mul', '{"A":7,"B":-8}', '{"C":-56}'), ('Arith.Div', '{"A":7,"B":2}', '{"C":3}'),
    ('Arith.Div', '{"A":7,"B":0}', '!REMOTE: divide by zero'), ('Arith.String', '{"A":7,"B":8}', '"7+8=15"'),
    ('Arith.Scan', '"12"', '{"C":12}'), ('Arith.Scan', '"x"', '!REMOTE: expected integer'), ('Arith.Scan', '""', '!REMOTE: EOF'),
    ('Arith.Scan', '" \\n-0x1_f rest"', '{"C":-31}'), ('Arith.Scan', '"010"', '{"C":8}'), ('Arith.Scan', '"-"', '!REMOTE: EOF'),
    ('Arith.Scan', '"1__0"', '!REMOTE: strconv.ParseInt: parsing "1__0": invalid syntax'),
    ('Arith.Scan', '"9223372036854775808"', '!REMOTE: strconv.ParseInt: parsing "9223372036854775808": value out of range'),
    ('Arith.SleepMilli', '{"A":1}', '{"C":0}'), ('Builtin.Map', '{"A":7,"B":-8}', '{"7":-8}'),
    ('Builtin.Slice', '{"A":7,"B":-8}', '[7,-8]'), ('Builtin.Array', '{"A":7,"B":-8}', '[7,-8]'),
    ('Builtin.Echo', '{"$base64":"aGVsbG8="}', '"aGVsbG8="'), ('Arith.Add', '{"A":9223372036854775807}', '{"C":9223372036854775807}'),
    ('Arith.Nope', '{"A":1}', "!REMOTE: rpc: can't find method Arith.Nope"),
    ('Nope.Add', '{"A":1}', "!REMOTE: rpc: can't find service Nope.Add"),
    ('Add', '{"A":1}', '!REMOTE: rpc: service/method request ill-formed: Add'), ('Arith.Add', '{"A":"x"}', '!REMOTE: gob: '),
    ('Arith.Add', '{"A"', '!INVAL: JSON, byte 4: '),
]


def check_calls(url):
    for method, args, want in CALLS:
        code, out, err = call(url, method, args)
        good = (code, out, err) == (0, want + '\n', '') if want[0] != '!' else \
            code == 1 and out == '' and err.startswith('netrpc: ' + want[1:]) and err.count('\n') == 1
        if not good:
            yield '%s %s: %d %r %r' % (method, args, code, out, err)


FLAT = '{"A":-7,"B":-128,"C":32767,"D":-2147483648,"E":9223372036854775807,"F":18446744073709551615,"G":255,"H":65535,"I":4294967295,' \
    '"J":1,"K":0.1,"L":-1e+300,"M":true,"N":"h\u00e9\U0001f980","O":"AAECAw==","P":"2024-02-29T12:00:00.123456789+05:30","Q":1500000000,' \
    '"R":9}'
NESTED = '{"In":{"X":1,"Y":0,"Deep":{"S":["a","b"]}},"P":{"N":0},"L":[{"A":1,"B":2},{"A":0,"B":0}],"LP":[{"Two_Words":"x"}],' \
    '"LL":[[1,2.5],[3]]}'
MAPS = '{"A":{"a":1,"b":-2},"B":{"-1":"x","7":""},"C":{"255":[1,2]},"D":{"x":{"y":1.5}},"E":{"5":{"X":1,"Y":2}},' \
    '"F":{"t":"2024-02-29T12:00:00Z"}}'
ARRAYS = '{"A":[1,0,-3],"B":[[1,2],[3,4.5]],"C":["x",""],"D":[{"X":1},{"X":0}],"E":[1,2,3,255],' \
    '"F":["2024-02-29T12:00:00Z","0001-01-01T00:00:00Z"],"G":[]}'
NO_ARRAYS = '{"A":[0,0,0],"B":[[0,0],[0,0]],"C":["",""],"D":[{"X":0},{"X":0}],"E":[0,0,0,0],' \
    '"F":["0001-01-01T00:00:00Z","0001-01-01T00:00:00Z"],"G":[]}'
NO_NESTED = '{"In":{"X":0,"Y":0,"Deep":{"S":null}},"P":null,"L":null,"LP":null,"LL":null}'
POINTS = '[{"X":1,"Y":2,"Name":"a","More":null},{"X":0,"Y":0,"Name":"b","More":[1.5]}]'
TREE = '{"Name":"a","Kids":[{"Name":"","Kids":[{"Name":"c","Kids":null}]},{"Name":"d","Kids":null}]}'
SAME = object()                                                 # Go prints what it was given
# method of Kinds, whether its type is said (as reflect writes it, or in other words) or made up from the text, the text, what Go has
KINDS = [
    ('Flat', True, FLAT, SAME), ('Nested', True, NESTED, SAME), ('Maps', True, MAPS, SAME), ('Arrays', True, ARRAYS, SAME),
    ('Nested', True, '{}', NO_NESTED), ('Nested', True, '{"P":null,"In":null,"L":[]}', NO_NESTED),
    ('Arrays', True, '{"A":null}', NO_ARRAYS), ('Points', True, POINTS, SAME), ('Map', True, '{"x":1}', SAME),
    ('Keys', True, '{"-7":["x"]}', SAME), ('Bools', True, '{"true":1.5}', 'map[true:1.5]'), ('Array', True, '[1,2,3]', SAME),
    ('Time', True, '"2024-02-29T12:00:00+05:30"', SAME), ('Bytes', True, '"AAE="', SAME), ('Uint', True, '5', SAME),
    ('Float', True, '"-Inf"', '-Inf'), ('Float', True, '7', '7'), ('Tags', True, '{"A":1,"B":2}', '1 2'),
    ('Tree', 'struct { Name string; Kids []struct { Name string; Kids []*struct { Name string } } }',
     '{"Name":"a","Kids":[{"Kids":[{"Name":"c"}]},{"Name":"d"}]}', TREE),
    ('Nested', False, NESTED.replace('"LL":[[1,2.5],[3]]', '"LL":[[1,2.5],[3.0]]'), NESTED),
    ('Points', False, '[{"X":1,"Y":2,"Name":"a"},{"Name":"b","More":[1.5]}]', POINTS),
    ('Tree', False, '{"Name":"a","Kids":[{"Kids":[{"Name":"c"}]},{"Name":"d"}]}', TREE),
    ('Uint', False, '{"$uint":5}', '5'), ('Bytes', False, '{"$base64":"AAE="}', '"AAE="'),
    ('Map', False, '{"A":1}', '!REMOTE: gob: '), ('Array', False, '[1,2,3]', '!REMOTE: gob: '), ('Time', False, '"x"', '!REMOTE: gob: '),
    ('Open', True, '{"V":1}', '!INVAL: type, byte 11: an interface: '),
    ('Flat', True, '{"B":128}', '!INVAL: JSON, byte 5: 128 does not fit int8'),
    ('Flat', True, '{"b":1}', '{"A":0,"B":1'), ('Flat', True, '{"Z":1}', '!INVAL: JSON, byte 5: the type has no field Z'),
    ('Flat', 'struct { A int', '{}', '!INVAL: type, byte 14: '), ('Flat', '{A int; B bool}', '{"B":true}', '!REMOTE: gob: '),
]


def test_arguments_of_every_kind():
    """A type that only Go has is said as text, or made up from the JSON; what has arrived in Go is what was meant."""
    go = gopeer.build(os.path.join(HERE, 'peer'), 'netrpc')
    with running([go, 'serve', 'tcp', '127.0.0.1:0'], r'(\S+)', 'stdout') as at:
        for method, kind, text, want in KINDS:
            said = subprocess.run([go, 'type', method], stdout=subprocess.PIPE, text=True).stdout if kind is True else kind or None
            code, out, err = call('tcp://' + at, 'Kinds.' + method, text, said)
            if want is SAME:
                want = text
            good = code == 1 and out == '' and err.startswith('netrpc: ' + want[1:]) and err.count('\n') == 1 if want[0] == '!' else \
                code == 0 and err == '' and json.loads(out).startswith(want)
            if not good:
                yield '%s %s %s: %d %r %r' % (method, said, text, code, out, err)


def test_arguments_of_random_types():
    """NETRPC_SEED=7 NETRPC_COUNT=5000: more of them."""
    go = gopeer.build(os.path.join(HERE, 'peer'), 'netrpc')
    first, count = int(os.environ.get('NETRPC_SEED', '1')) * 1000000, int(os.environ.get('NETRPC_COUNT', '150'))
    with subprocess.Popen([go, 'random', str(first), str(count)], stdout=subprocess.PIPE, text=True) as p:
        try:
            cases = [p.stdout.readline().rstrip('\n').split('\t') for _ in range(count)]
            url = 'tcp://' + p.stdout.readline().strip()
            for i, (kind, sent, want) in enumerate(cases):
                code, out, err = call(url, str(first + i), sent, kind)
                if sent != 'null' and (code != 0 or json.loads(out) != want):
                    yield '%d: %s %s: %d %r %r, not %r' % (first + i, kind, sent, code, out, err, want)
        finally:
            p.kill()


def we_call_go(network):
    with tempfile.TemporaryDirectory() as folder:
        go, (address, prefix) = gopeer.build(os.path.join(HERE, 'peer'), 'netrpc'), PLACES[network]
        with running([go, 'serve', network, address or folder + '/s'], r'(\S+)', 'stdout') as at:
            yield from check_calls(prefix + at)


def test_a_client_in_c_calls_go():
    """Many calls at a time, Echo of 64 MiB, errors; through TLS too; and a server that ends meanwhile."""
    client = os.path.join(gopeer.BUILD, 'test', 'netrpc_client')
    with tempfile.TemporaryDirectory() as folder:
        go = gopeer.build(os.path.join(HERE, 'peer'), 'netrpc')
        for how, network, address, prefix, more in [('tlsserve', 'unix', folder + '/s', 'unix:', []),
                                                    ('serve', 'tcp', '127.0.0.1:0', 'tcp://', ['quit'])]:
            with running([go, how, network, address], r'(\S+)', 'stdout') as at:
                got = subprocess.run([client, prefix + at] + more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                     timeout=LIMIT_S)
            if (got.returncode, got.stdout) != (0, 'all well\n'):
                yield '%s: %d %s' % (how, got.returncode, got.stdout)


def test_we_call_us():
    with ours('tcp://127.0.0.1:0') as url:
        yield from check_calls(url)
    code, out, err = call(url, 'Arith.Add', '{}')
    if code != 1 or out or err.count('\n') != 1 or url not in err:
        yield 'nobody there: %d %r %r' % (code, out, err)


def test_a_small_program_calls_a_service_of_go():
    """examples/multiply and examples/arith, as README.md shows them."""
    root = os.path.dirname(os.path.dirname(HERE))
    with open(os.path.join(root, 'README.md'), encoding='utf-8') as f:
        page = f.read()
    for path, mark in (('examples/multiply.c', 'c'), ('examples/arith/main.go', 'go')):
        with open(os.path.join(root, path), encoding='utf-8') as f:
            program = f.read().split('\n', 1)[1]
        if '```%s\n%s```' % (mark, program) not in page or program.count('\n') >= 25:
            yield 'README.md does not show %s as it is, in under 25 lines' % path
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, 's')
        with subprocess.Popen([gopeer.build(os.path.join(root, 'examples', 'arith'), 'go-arith'), 'unix', at]) as server:
            try:
                while not os.path.exists(at) and server.poll() is None:
                    time.sleep(0.01)
                got = subprocess.run([os.path.join(os.path.dirname(NETRPC), 'multiply'), 'unix:' + at], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S)
            finally:
                server.kill()
    if (got.returncode, got.stdout) != (0, '7 times 8 is 56\n'):
        yield '%d: %s' % (got.returncode, got.stdout)


def test_arguments():
    for args in [[], ['serve'], ['call', 'tcp://127.0.0.1:1'], ['what', 'x'], ['call', '--arg-type', 'int', 'tcp://127.0.0.1:1', 'A.B'],
                 ['call', '--arg', 'int', 'tcp://127.0.0.1:1', 'A.B', '1'], ['call', '--arg-type', 'tcp://127.0.0.1:1', 'A.B', '1']]:
        got = subprocess.run([NETRPC] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
        if got.returncode != 2 or got.stdout or not got.stderr.startswith('usage: '):
            yield '%r: %d %r' % (args, got.returncode, got.stderr)
    got = subprocess.run([NETRPC, 'serve', 'http://x'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
    if got.returncode != 1 or 'http://x' not in got.stderr or got.stderr.count('\n') != 1:
        yield 'a wrong url: %d %r' % (got.returncode, got.stderr)


if __name__ == '__main__':
    tap.main([('go_calls_us_unix', lambda: go_calls_us('unix')),
              ('go_calls_us_tcp', lambda: go_calls_us('tcp')),
              ('go_calls_us_through_tls', lambda: go_calls_us('unix', 'tlscall')),
              ('we_call_go_unix', lambda: we_call_go('unix')),
              ('we_call_go_tcp', lambda: we_call_go('tcp')),
              ('a_client_in_c_calls_go', test_a_client_in_c_calls_go),
              ('we_call_us', test_we_call_us),
              ('a_small_program_calls_a_service_of_go', test_a_small_program_calls_a_service_of_go),
              ('arguments_of_every_kind', test_arguments_of_every_kind),
              ('arguments_of_random_types', test_arguments_of_random_types),
              ('arguments', test_arguments)])
