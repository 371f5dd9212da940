#!/usr/bin/env python3
"""run.py - `leat decode` against streams of Go's encoding/gob: those of vectors/, cut and changed ones, and, where Go is installed,
random ones that Go writes and reads beside it (peer/)."""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import gopeer                                                   # noqa: E402
import tap                                                      # noqa: E402

LEAT = os.path.join(os.environ.get('LEAT_BUILD', os.path.join(os.path.dirname(os.path.dirname(HERE)), 'build')), 'leat')

# What a reader that does not know the types prints in place of what encoding/json prints for the value that was sent
OTHERWISE = {
    'complex': ['"(1.5-2i)"'],                                  # encoding/json has none
    'float_nan': ['"NaN"'],
    'float_specials': ['0', '-0', '"+Inf"', '"-Inf"', '5e-324', '1.7976931348623157e+308'],
    'netip_text': ['"AAAAAAAAAAAAAP//wAACAQ=="'],               # sent as bytes
    'map_interface_keys': ['{"1":1,"1":1,"2.5":5,"n":4,"true":6,"{\\"X\\":1,\\"Y\\":2}":3}'],      # encoding/json has none
    # as Go's time.Format: encoding/json refuses them
    'time_far_zones': ['"1970-01-05T04:00:01+100:00"', '"1969-12-31T00:00:01-24:00"', '"-0001-01-01T00:00:00Z"', '"10000-01-01T00:00:00Z"'],
    'slice_nil_bigint': ['["",7]'],                             # no bytes: who does not know the type sees no number in them
    'struct_embedded': ['{"Point":{"X":1,"Y":2},"Z":3}'],       # sent as a field
    # refused only by a reader that wants another type
    'bad_struct_for_int': ['{"X":22,"Y":33}'],
    'bad_uint_negative': ['-1'],
    'bad_empty': [],                                            # no bytes are no values
}


def decode(*args, data=None):
    got = subprocess.run([LEAT, 'decode', *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return got.returncode, got.stdout.decode('utf-8'), got.stderr.decode('utf-8')


def vectors():
    for path in sorted(glob.glob(os.path.join(HERE, 'vectors', '*.txt'))):
        with open(path, encoding='utf-8', errors='replace') as f:
            text = f.read()
        yield os.path.basename(path)[:-4], text, path[:-4] + '.gob'


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def test_vectors():
    count = 0
    for name, text, path in vectors():
        count += 1
        want = OTHERWISE.get(name, re.findall(r'^sent\[\d+\]\.json: (.*)$', text, re.M))
        bad = 'expect: reject' in text and name not in OTHERWISE
        code, out, err = decode(path)
        if out != ''.join(line + '\n' for line in want):
            yield '%s: prints %r, not %r' % (name, out, want)
        if code != bad or bool(err) != bad:
            yield '%s: exit code %d, %r' % (name, code, err)
        if bad and not re.fullmatch(r'leat: decode: \S+: byte \d+: .*\n', err):
            yield '%s: the error has no place: %r' % (name, err)
    if count < 50:
        yield 'only %d vectors' % count


def test_cut():
    """Cut anywhere, a stream prints the values before the cut and says so; cut between two messages it ends well."""
    for name in ('mixed_stream', 'iface_struct', 'rpc_call_add'):
        whole = read(os.path.join(HERE, 'vectors', name + '.gob'))
        all_lines = decode('-', data=whole)[1]
        for n in range(len(whole)):
            code, out, err = decode('-', data=whole[:n])
            if not all_lines.startswith(out) or out == all_lines:
                yield '%s cut after %d: prints %r' % (name, n, out)
            if code == 1 and err != 'leat: decode: standard input: byte %d: cut short: the stream ends inside a message\n' % n:
                yield '%s cut after %d: %r' % (name, n, err)
            if code not in (0, 1) or (code == 0) != (err == ''):
                yield '%s cut after %d: exit code %d' % (name, n, code)


def test_types():
    for name, want in {
        'tree_recursive': 'type Tree struct {\n\tKids []Tree\n}\n',
        'time_zone_struct': 'type When struct {\n\tT time.Time\n\tD int\n}\n',
        'array_zero_in_struct': 'type Arr struct {\n\tA [4]int\n\tB [2][2]uint\n}\n',
        'map_of_self': 'type Self struct {\n\tM map[string]Self\n}\n',
        'iface_registered_name': 'type Any struct {\n\tV interface{}\n}\ntype Nested struct {\n\tName string\n\tP Point\n\tQ Point\n}\n'
                                 'type Point struct {\n\tX int\n\tY int\n}\n',
        'bigint': '', 'int_0': '',
        'list_pointer': 'type List struct {\n\tV int\n\tNext *List\n}\n',
        'mutual_pointers': 'type A struct {\n\tB *B\n\tN int\n}\ntype B struct {\n\tA *A\n\tS string\n}\n',
        'generic': 'type Pair_int_string struct {\n\tKey int\n\tVal string\n}\n'
                   'type Pair_string_main_Point struct {\n\tKey string\n\tVal Point\n}\ntype Point struct {\n\tX int\n\tY int\n}\n'
                   'type Chain_int struct {\n\tV int\n\tNext *Chain_int\n}\n'
                   'type Pair_string_main_Pair_int_int_ struct {\n\tKey string\n\tVal Pair_int_int\n}\n'
                   'type Pair_int_int struct {\n\tKey int\n\tVal int\n}\n',
        'struct_in_struct': 'type HasEmpty struct {\n\tA int\n\tE struct {\n\t\tX []struct {\n\t\t\tY int\n\t\t}\n\t}\n}\n',
    }.items():
        code, out, err = decode('--types', '--from', 'gob', os.path.join(HERE, 'vectors', name + '.gob'))
        if (code, out, err) != (0, want, ''):
            yield '%s: %d %r %r' % (name, code, out, err)


def test_types_are_go():
    """What --types prints of each vector compiles."""
    gopeer.need()
    with tempfile.TemporaryDirectory() as folder:
        for name, text, path in vectors():
            os.mkdir(os.path.join(folder, name))
            with open(os.path.join(folder, name, 'types.go'), 'w', encoding='utf-8') as f:
                f.write('package types\n\nimport "time"\n\nvar _ time.Time\n\n' + decode('--types', path)[1])
        with open(os.path.join(folder, 'go.mod'), 'w') as f:
            f.write('module types\n\ngo 1.19\n')
        got = subprocess.run(['go', 'build', './...'], cwd=folder, env=gopeer.environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=300)
        if got.returncode:
            yield from got.stdout.decode('utf-8', 'replace')[:4000].splitlines()


def number(n):
    return bytes([n]) if n < 128 else bytes([256 - (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, 'big')


def test_maps_in_maps():
    """A map is sorted: what is in the innermost of many is still read once, and not once for each around it."""
    def message(body):
        return number(len(body)) + body
    deep, strings = 4990, 2000000
    types = [b'\x7f\x03\x01\x01\x01N\x01\xff\x80\x00\x01\x02\x01\x01M\x01\xff\x82\x00\x01\x01L\x01\xff\x84\x00\x00\x00',
             b'\xff\x81\x04\x01\x02\xff\x82\x00\x01\x0c\x01\xff\x80\x00\x00',      # type N struct { M map[string]N; L []string }
             b'\xff\x83\x02\x01\x02\xff\x84\x00\x01\x0c\x00\x00']
    value = b'\xff\x80' + b'\x01\x01\x01k' * deep + b'\x02' + number(strings) + b'\x01a' * strings + b'\x00' * (deep + 1)
    code, out, err = decode('-', data=b''.join(message(part) for part in types + [value]))
    inner = '{"M":null,"L":[' + ','.join(['"a"'] * strings) + ']}'
    if (code, err) != (0, '') or out != '{"M":{"k":' * deep + inner + '},"L":null}' * deep + '\n':
        yield '%d %r %r' % (code, err, out[:100])


def test_hostile():
    """Claims that the bytes do not keep, and types that are circles: one error, at once."""
    def message(*parts):
        body = b''.join(parts)
        return (bytes([len(body)]) if len(body) < 128 else b'\xfe' + len(body).to_bytes(2, 'big')) + body
    circle = message(b'\x7f\x01\x01\x02\xff\x80\x00\x01\xff\x80\x01\x02\x00\x00')        # type 64 is [1]type 64
    for name, data, word in [
        ('length', b'\xf8' + b'\xff' * 8, 'more than 1 GiB'),
        ('claimed', b'\xfc\x20\x00\x00\x00\x04', 'cut short'),
        ('count', b'\x0b\x7f\x02\x01\x02\xff\x80\x00\x01\x04\x00\x00' + message(b'\xff\x80\x00\xf8' + b'\x7f' * 8), 'count'),
        ('http', b'GET / HTTP/1.1\r\n\r\n', 'byte'),
        ('circle', circle + message(b'\xff\x80\x00' + b'\x01' * 30000), '10000 deep'),
        ('twice', circle + circle, 'second definition'),
        # type 64 is map[type 64]int: each key would be the text of one in quotes in quotes in quotes
        ('keys', message(b'\x7f\x04\x01\x02\xff\x80\x00\x01\xff\x80\x01\x04\x00\x00')
         + message(b'\xff\x80\x00' + b'\x01' * 100 + b'\x00' + b'\x04' * 100), 'a map in a key'),
        ('id', message(b'\xf8' + b'\xff' * 8), 'no id'),
        ('empty', b'\x00', 'empty message'),
    ]:
        code, out, err = decode('-', data=data)
        if code != 1 or out or word not in err or err.count('\n') != 1:
            yield '%s: %d %r %r' % (name, code, out[:100], err)
    user = message(b'\xff\x81\x03\x01\x01\x01S\x01\xff\x82\x00\x01\x01\x01\x01F\x01\xff\x80\x00\x00\x00')      # type S struct { F type 64 }
    code, out, err = decode('--types', '-', data=circle + user)
    if code or 'deep' not in out and 'not defined' not in out:
        yield 'types of a circle: %d %r %r' % (code, out[:100], err)


def many_zeros(fields, body, more=b''):
    """Type 65 is a struct of so many fields, and the value one of type 66, which `more` defines."""
    def message(b):
        return number(len(b)) + b
    named = b''.join(b'\x01' + number(len(n)) + n + b'\x01\x04\x00' for n in (b'f%d' % i for i in range(fields)))
    struct = b'\xff\x81\x03\x01\x01\x01S\x01\xff\x82\x00\x01' + number(fields) + named + b'\x00\x00'
    return message(struct) + message(b'\xff\x83' + more) + message(b'\xff\x84\x00' + body)


def test_long_texts():
    """Few bytes may have much text: it is not kept, but for the keys of a map, which have a limit; and who does not take it ends it."""
    keys = b'\x04\x01\x02\xff\x84\x00\x01\xff\x82\x01\x04\x00\x00'          # map[S]int
    code, out, err = decode('-', data=many_zeros(3, b'\x02\x00\x02\x01\x02\x00\x04', keys))
    if (code, out, err) != (0, '{"{\\"f0\\":0,\\"f1\\":0,\\"f2\\":0}":1,"{\\"f0\\":1,\\"f1\\":0,\\"f2\\":0}":2}\n', ''):
        yield 'keys with fields: %d %r %r' % (code, out, err)
    code, out, err = decode('-', data=many_zeros(1000, number(400000) + b'\x00\x02' * 400000, keys))
    if code != 1 or not re.fullmatch(r'leat: decode: standard input: byte \d+: keys of maps whose text is over .*\n', err):
        yield 'keys of much text: %d %r' % (code, err)
    slices = b'\x02\x01\x02\xff\x84\x00\x01\xff\x82\x00\x00'                     # []S
    with open('/dev/full', 'w') as full:
        got = subprocess.run([LEAT, 'decode'], input=many_zeros(50000, number(1000000) + b'\x00' * 1000000, slices), stdout=full,
                             stderr=subprocess.PIPE, timeout=60)
    if got.returncode != 1 or b'disk full' not in got.stderr:
        yield 'a full disk: %d %r' % (got.returncode, got.stderr)


def test_arguments():
    for args, word in [(['--from', 'xml'], "--from 'xml'"), (['--from'], 'needs a value'), (['--what'], "'--what'"), (['a', 'b'], "'b'")]:
        code, out, err = decode(*args)
        if code != 2 or out or word not in err or err.count('\n') != 1:
            yield '%s: %d %r' % (args, code, err)
    code, out, err = decode('/nowhere/file')
    if (code, out, err) != (1, '', 'leat: decode: /nowhere/file: cannot open: No such file or directory; name a file that can be read\n'):
        yield 'a missing file: %d %r %r' % (code, out, err)
    with open('/dev/full', 'w') as full:
        got = subprocess.run([LEAT, 'decode', os.path.join(HERE, 'vectors', 'int_0.gob')], stdout=full, stderr=subprocess.PIPE)
    if got.returncode != 1 or b'disk full' not in got.stderr:
        yield 'a full disk: %d %r' % (got.returncode, got.stderr)


# What Go lets pass in a damaged message and this reader does not
STRICTER = re.compile(r'extra data|the message ends inside|another length than it says|two kinds|a count that is over|cut short|'
                      r'field number out of bounds|a length that is over|definition')


def compare(folder, k):
    base = os.path.join(folder, str(k))
    want, end = read(base + '.json').decode('utf-8').splitlines(), read(base + '.end').decode('utf-8', 'replace')
    code, out, err = decode(base + '.gob')
    got = out.splitlines()
    if k % 4 == 0 and (code != 0 or got != want or end != 'clean'):
        return '%d: %d %r; Go: %s' % (k, code, err, end)
    for mine, gos in zip(got, want):
        if mine != gos:
            at = next(i for i in range(len(mine) + 1) if mine[i:i + 1] != gos[i:i + 1])
            return '%d: prints ...%s, Go ...%s' % (k, mine[max(0, at - 40):at + 40], gos[max(0, at - 40):at + 40])
    if len(got) < len(want) and not STRICTER.search(err):
        return '%d: %d values, Go has %d: %s' % (k, len(got), len(want), err)
    if code not in (0, 1):
        return '%d: exit code %d: %s' % (k, code, err[-2000:])
    return None


def test_fuzz():
    """What differs from Go on purpose still does, and some thousand streams show nothing else (make gob-fuzz: millions)."""
    program = gopeer.build(os.path.join(HERE, 'fuzz'), 'gob-fuzz')
    files = ['-differences', os.path.join(HERE, 'differences'), os.path.join(gopeer.BUILD, 'test', 'gob_harness')]
    for args in (['-samples'], ['-seed', '7', '-count', '1500'], ['-seed', '7', '-floats', '1500']):
        got = subprocess.run([program] + args + files, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=250)
        if got.returncode:
            yield from got.stdout.decode('utf-8', 'replace')[:4000].splitlines()


def test_beside_go():
    peer = gopeer.build(os.path.join(HERE, 'peer'), 'gob')
    count, seed = int(os.environ.get('GOB_COUNT', '400')), os.environ.get('GOB_SEED', '1')
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([peer, seed, str(count), folder], check=True, timeout=300)
        for k in range(count):
            problem = compare(folder, k)
            if problem:
                yield problem


if __name__ == '__main__':
    tap.main([('vectors', test_vectors),
              ('cut', test_cut),
              ('types', test_types),
              ('types_are_go', test_types_are_go),
              ('maps_in_maps', test_maps_in_maps),
              ('hostile', test_hostile),
              ('long_texts', test_long_texts),
              ('arguments', test_arguments),
              ('beside_go', test_beside_go),
              ('fuzz', test_fuzz)])
