#!/usr/bin/env python3
"""decode.py - `leat decode --from leat`: streams of leat's own codec, made here by docs/wire.md from the types and values of
test/wire/values.txt; whole, cut and changed."""
import base64
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'wire')]
from e2e import LEAT, ROOT, tap                                  # noqa: E402
import reader                                                    # noqa: E402

MAGIC = b'\x8bLEAT\r\n\x02'
ERRORS = ['OK', 'CLOSED', 'CANCELED', 'DEADLINE', 'AGAIN', 'NOMEM', 'INVAL', 'LIMIT', 'TYPE', 'REFUSED', 'PEER_LOST', 'GONE', 'UNKNOWN',
          'REMOTE', 'SYS']


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def record(kind, b):
    return varint(1 + len(b)) + bytes([kind]) + b


def a_type(name, form):
    return record(1, varint(len(name)) + name + form)


def a_value(number, b):
    return record(2, varint(number) + b)


def values():
    """[(name, form, value)] without those that have an end of a channel in them."""
    with open(os.path.join(ROOT, 'test', 'wire', 'values.txt'), encoding='utf-8') as f:
        text = f.read()
    for section in re.split(r'^! ', text, flags=re.M)[1:]:
        name, rest = section.split('\n', 1)
        parts = re.match(r'form\n(.*)print\n.*value\n(.*?)(= .*)', rest, re.S)
        form, value = (bytes.fromhex(' '.join(line.split('|')[0] for line in part.splitlines())) for part in parts.groups()[:2])
        yield name, form, value


def meant(t, v):
    """What JSON has for the value v of type t, as reader.py reads both."""
    k = t.kind
    if v is None:
        return None
    if k == 'struct':
        return {name: meant(of, v[name]) for name, _, of in t.members}
    if k == 'oneof':
        return {name: meant(of, v[name]) for name, _, of in t.members if name in v}
    if k == 'enum':
        return next((name for name, number, _ in t.members if number == v), v)
    if k in ('list', 'array'):
        return [meant(t.of, x) for x in v]
    if k == 'map':
        return {key: meant(t.of, x) for key, x in v}
    if k == 'optional':
        return meant(t.of, v)
    if k == 'bytes':
        return base64.b64encode(v).decode()
    if k == 'error':
        code, text, node, details, cause = v if len(v) == 5 else (*v, '', b'', None)
        rest = {'node': node, 'details': base64.b64encode(details).decode(), 'cause': meant(t, cause)}
        return dict({'code': ERRORS[code], 'text': text}, **{name: x for name, x in rest.items() if x})
    return v


def run(*args, data=None):
    got = subprocess.run([LEAT, 'decode', '--from', 'leat', *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return got.returncode, got.stdout.decode('utf-8'), got.stderr.decode('utf-8')


def shown():
    """One stream of all: (its bytes, the lines that are meant)."""
    b, lines = MAGIC, []
    for n, (name, form, value) in enumerate(usable()):
        b += a_type(name.encode(), form) + a_value(n + 1, value)
        lines.append(meant(reader.read_form(form), reader.read_value(reader.Bytes(value), reader.read_form(form))))
    return b, lines


def usable():
    for name, form, value in values():
        if b'\x10' not in form and b'\x11' not in form:
            yield name, form, value


def every_kind_of_value_is_printed():
    b, lines = shown()
    code, out, err = run('-', data=b)
    got = [json.loads(line) for line in out.splitlines()]
    bad = ['%r, not %r' % (g, w) for g, w in zip(got, lines) if g != w and 'date' not in str(w) and not dated(g, w)]
    return bad or (None if code == 0 and not err and len(got) == len(lines) > 3 else '%d %s %s' % (code, out, err))


def dated(got, want):
    """The same but for dates, which are texts here and three numbers there."""
    if isinstance(want, tuple):
        return isinstance(got, str) and re.fullmatch(r'[-0-9]{10}T[0-9:.]+(Z|[-+]\d\d:\d\d)', got) is not None
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(dated(got[k], want[k]) for k in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(dated, got, want))
    return got == want


WORD = bytes.fromhex('010a000204746578740005057469 6d6573000308'.replace(' ', ''))
WORDS = MAGIC + a_type(b'word', WORD) + a_value(1, b'\5hello' + (3).to_bytes(8, 'little')) + a_value(1, b'\0' + bytes(8))


def a_stream_is_printed_a_line_each_with_what_is_zero():
    got = run('-', data=WORDS)
    return None if got == (0, '{"text":"hello","times":3}\n{"text":"","times":0}\n', '') else got


def types_are_printed_as_go():
    got = run('--types', data=WORDS)
    want = 'type Word struct {\n\tText string `json:"text"`\n\tTimes uint64 `json:"times"`\n}\n'
    return None if got == (0, want, '') else got


def a_stream_that_is_cut_says_so_after_what_is_good():
    whole, bad = run('-', data=WORDS)[1], []
    ends = {0, len(MAGIC), len(MAGIC + a_type(b'word', WORD))}
    for n in range(len(WORDS)):
        code, out, err = run('-', data=WORDS[:n])
        said = 'leat: decode: standard input: byte %d: cut short: the stream ends inside a record\n' % n
        if not whole.startswith(out) or (code and err != said):
            bad.append('cut after %d: %r %r' % (n, out, err))
        if n in ends and code:                       # of no bytes at all: of no values
            bad.append('cut after %d, between two records: %r' % (n, err))
        if n not in ends and n < len(WORDS) - 12 and not code:
            bad.append('cut after %d: it ends well' % n)
    return bad or None


def what_is_bad_is_named_with_its_byte():
    first = len(MAGIC + a_type(b'word', WORD))
    for data, out, word in (
            (MAGIC[:1], '', 'cut short'), (b'GIF89a..', '', 'byte 0: this is no stream of leat'),
            (WORDS + a_value(2, b'x'), 2, 'byte %d: a value of a type that was not described' % (len(WORDS) + 2)),
            (WORDS + record(3, b'x'), 2, 'byte %d: a record of a kind' % (len(WORDS) + 1)),
            (WORDS + a_type(b'x', b'\1\x0a\0\1'), 2, 'byte %d: a description that is none' % (len(WORDS) + 2)),
            (WORDS[:first] + a_value(1, b'\x7fhello'), 0, 'byte %d: cut short, or a malformed length' % (first + 12 - 3)),
            (WORDS[:first] + a_value(1, b'\1h' + bytes(9)), 0, 'bytes too many'),
            (WORDS + b'\0', 2, 'byte %d: a length that is none' % len(WORDS)),
            (WORDS + b'\xff\xff\xff\xff\xff\xff\x01', 2, 'a record over the limit')):
        code, text, err = run('-', data=data)
        if code != 1 or word not in err or err.count('\n') != 1 or (out and text.count('\n') != out):
            return '%r: %d %r %r, not %r' % (data, code, text, err, word)
    return None


def hostile_streams_are_bounded():
    tower = b'\1' + b'\x0d' * 31 + b'\5'
    nothing = b'\1\x0e\x0a\0\0'                                  # a list of structs of no fields
    itself = b'\1\x0a\0\1\1a\0\x0a\1'                            # a struct that holds itself
    for form, value, good in ((tower, b'\1' * 31 + b'\1x', True), (nothing, varint(1 << 40), False), (nothing, b'\3', True),
                              (itself, b'', False)):
        code, out, err = run('-', data=MAGIC + a_type(b'x', form) + a_value(1, value))
        if (code == 0) != good or len(out) > 1000:
            return '%r: %d %r %r' % (form, code, out[:100], err)
    return None


def what_is_no_file_or_flag_is_said():
    got = subprocess.run([LEAT, 'decode', '--from', 'xml'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if got.returncode != 2 or b'give gob or leat' not in got.stderr:
        return got
    got = run('/nowhere/file')
    said = 'leat: decode: /nowhere/file: cannot open: No such file or directory; name a file that can be read\n'
    return None if got == (1, '', said) else got


tap.main([(t.__name__, t) for t in (
    every_kind_of_value_is_printed, a_stream_is_printed_a_line_each_with_what_is_zero, types_are_printed_as_go,
    a_stream_that_is_cut_says_so_after_what_is_good, what_is_bad_is_named_with_its_byte, hostile_streams_are_bounded,
    what_is_no_file_or_flag_is_said)])
