#!/usr/bin/env python3
"""reader.py - reads a conversation of two nodes, by docs/wire.md alone, and fails at the first byte that it cannot explain.

    test/wire/reader.py DIALER ACCEPTOR ...    two files for each link of a session: what the dialer wrote to it, and what the acceptor did
    test/wire/reader.py --relay FROM TO DIR    a relay between Unix sockets, which keeps what passes: DIR/N.dialer, DIR/N.acceptor

It knows nothing of the C library and uses the standard library of Python only.  Elements, arguments and results are shown as bytes, as
their types are not in the stream; read_value reads one whose form is known.
"""
import collections
import os
import socket
import struct
import sys
import threading

MAGIC = b'\x8bLEAT\r\n\x1a'
NUMBERED = 0x20
KINDS = {0x01: 'HELLO', 0x02: 'WELCOME', 0x03: 'DEAD', 0x04: 'ACK', 0x05: 'PING', 0x06: 'PONG', 0x20: 'BYE', 0x30: 'ATTACH',
         0x31: 'ATTACHED', 0x32: 'DROP', 0x33: 'TORN', 0x34: 'TYPE', 0x35: 'FORM',
         0x38: 'NEED', 0x39: 'GRANT', 0x3a: 'NONE', 0x3b: 'RECALL', 0x3c: 'RETURN',
         0x40: 'ELEM', 0x41: 'INVITE', 0x42: 'TAKEN', 0x43: 'BUSY', 0x44: 'WITHDRAW', 0x45: 'WITHDRAWN', 0x48: 'CLOSE', 0x49: 'SEAL',
         0x4a: 'SEALED', 0x4b: 'FINISH', 0x4c: 'FLUSH', 0x4d: 'FLUSHED', 0x60: 'OPEN', 0x61: 'RESULT', 0x62: 'CANCEL', 0x63: 'DONE'}
FROM_HOME = {'GRANT', 'NONE', 'RECALL', 'INVITE', 'TAKEN', 'BUSY', 'WITHDRAWN', 'SEAL', 'FLUSHED'}
FROM_SITE = {'NEED', 'RETURN', 'ELEM', 'WITHDRAW', 'CLOSE', 'SEALED', 'FINISH', 'FLUSH', 'TORN', 'TYPE', 'DROP'}
FRAME_MAX, HELLO_MAX, MORE, FORM_MAX = 65536, 1024, 1, 65536


class Wrong(Exception):
    """A byte that the page does not explain."""


class Bytes:
    """A cursor over the bytes of one frame, form or value."""

    def __init__(self, b):
        self.b, self.at = bytes(b), 0

    def take(self, n):
        if n > len(self.b) - self.at:
            raise Wrong('%d bytes are wanted, %d are left' % (n, len(self.b) - self.at))
        self.at += n
        return self.b[self.at - n:self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), 'little', signed=signed)

    def u8(self):
        return self.number(1)

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.u8()
            value |= (byte & 127) << 7 * i
            if byte < 128:
                if (byte == 0 and i) or value >> 64:
                    raise Wrong('a varint that is not the shortest form, or over 64 bits')
                return value
        raise Wrong('a varint of more than 10 bytes')

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def text(self, most=None):
        n = self.varint()
        if most is not None and n > most:
            raise Wrong('a text of %d bytes; at most %d' % (n, most))
        return self.take(n)

    def left(self):
        return len(self.b) - self.at

    def rest(self):
        return self.take(self.left())

    def end(self, what):
        if self.left():
            raise Wrong('%d bytes behind the fields of %s' % (self.left(), what))


# -- types and values ---------------------------------------------------------------------------------------------------------------
SIMPLE = {1: 'bool', 5: 'string', 6: 'bytes', 7: 'date', 8: 'duration', 9: 'error', 19: 'cstr'}
SIZES = {2: ('int', (1, 2, 4, 8)), 3: ('uint', (1, 2, 4, 8)), 4: ('float', (4, 8))}
INNER = {13: 'optional', 14: 'list', 16: 'tx', 17: 'rx', 18: 'map'}
Type = collections.namedtuple('Type', 'kind size of members')


def read_form(b):
    """The type of a canonical form."""
    c = Bytes(b)
    if len(b) > 65536 or c.u8() != 1:
        raise Wrong('not version 1 of the grammar of forms, or too long')
    t = read_type(c, [])
    c.end('a form')
    return t


def read_type(c, around, depth=1):
    if depth > 32:
        raise Wrong('types inside each other more than 32 deep')
    kind = c.u8()
    if kind in SIMPLE:
        return Type(SIMPLE[kind], None, None, None)
    if kind in SIZES:
        name, sizes = SIZES[kind]
        size = c.u8()
        if size not in sizes:
            raise Wrong('%s of %d bytes' % (name, size))
        return Type(name, size, None, None)
    if kind in INNER:
        return Type(INNER[kind], None, read_type(c, around, depth + 1), None)
    if kind == 15:
        count = c.varint()
        of = read_type(c, around, depth + 1)
        if not count or of.kind not in ('int', 'uint', 'float'):
            raise Wrong('an array that is empty, or not of numbers')
        return Type('array', count, of, None)
    if kind == 20:
        return Type('chars', c.varint(), None, None)
    if kind in (10, 11, 12):
        return read_definition(c, {10: 'struct', 11: 'enum', 12: 'oneof'}[kind], around, depth)
    raise Wrong('a kind %d' % kind)


def read_definition(c, kind, around, depth):
    up = c.varint()
    if up:
        if kind == 'enum' or up > len(around) or around[-up].kind != kind:
            raise Wrong('a %s that is said to be around this one, and is not' % kind)
        return around[-up]
    t = Type(kind, None, None, [])
    for _ in range(c.varint()):
        name = c.text(255)
        if not name:
            raise Wrong('a member without a name')
        tag = c.zigzag()
        t.members.append((name.decode(), tag, None if kind == 'enum' else read_type(c, around + [t], depth + 1)))
    return t


def read_error(c):
    """(code, text), or with what more there is: (code, text, node, details, cause or None)."""
    row = []
    while True:
        code = c.number(4)
        one = [code & 0x7fffffff, c.text().decode('utf-8', 'replace')]
        row.append(one)
        if code >> 31:
            one += [c.text().decode('utf-8', 'replace'), c.text()]
            cause = c.number(1)
            if cause > 1 or (not cause and not one[2] and not one[3]):
                raise Wrong('an error announces what it has not')
            if cause and len(row) < 16:
                continue
            if cause:
                raise Wrong('over 16 errors in a row')
        break
    made = None
    for one in reversed(row):
        made = tuple(one + [made]) if len(one) > 2 else tuple(one)
    return made


def read_value(c, t):
    """The next value of type t, in terms of Python; an end of a channel as a tuple."""
    k = t.kind
    if k in ('bool', 'optional', 'tx', 'rx'):
        there = c.u8()
        if there > 1:
            raise Wrong('a %s that begins with %d' % (k, there))
        if k == 'bool':
            return bool(there)
        return None if not there else read_value(c, t.of) if k == 'optional' else read_end(c)
    if k in ('int', 'uint'):
        return c.number(t.size, k == 'int')
    if k == 'float':
        return struct.unpack('<f' if t.size == 4 else '<d', c.take(t.size))[0]
    if k in ('string', 'bytes', 'chars'):
        b = c.text(t.size - 1 if k == 'chars' else None)
        return b if k == 'bytes' else b.decode('utf-8', 'replace')
    if k == 'date':
        return (c.number(8, True), c.number(4), c.number(4, True))
    if k == 'duration':
        return c.number(8, True)
    if k == 'error':
        return read_error(c)
    if k == 'enum':
        return c.number(4, True)
    if k == 'struct':
        return {name: read_value(c, of) for name, _, of in t.members}
    if k == 'oneof':
        which = c.varint()
        if which > len(t.members):
            raise Wrong('member %d of a oneof of %d' % (which, len(t.members)))
        return None if not which else {t.members[which - 1][0]: read_value(c, t.members[which - 1][2])}
    if k == 'array':
        return [read_value(c, t.of) for _ in range(t.size)]
    if k == 'list':
        return [read_value(c, t.of) for _ in range(c.varint())]
    if k == 'map':
        return [(c.text().decode('utf-8', 'replace'), read_value(c, t.of)) for _ in range(c.varint())]
    n = c.varint()                       # cstr
    return None if not n else c.take(n - 1).decode('utf-8', 'replace')


def read_way(c):
    relays = c.u8()
    names = c.text().decode('utf-8', 'replace')
    if not 1 <= relays <= 8:
        raise Wrong('a way over %d nodes' % relays)
    return '%d: %s' % (relays, names)


def read_end(c):
    flags = c.u8()
    if flags > 7:
        raise Wrong('an end with flags %d' % flags)
    end = ['rx' if flags & 1 else 'tx', c.varint(), c.take(16).hex()]
    if not flags & 2:
        end += [c.number(4), c.varint()]
    if flags & 1 and not flags & 4:
        raise Wrong('a receive end without its way')
    if flags & 4:
        end.append(read_way(c))
    return tuple(end)


# -- fields of frames ---------------------------------------------------------------------------------------------------------------
def limits(c):
    return 'limits %d %d %d %d' % tuple(c.number(4) for _ in range(4))


def grace(c):
    ms = c.number(4) if c.left() >= 4 else 0
    c.rest()                             # of later versions
    return ' grace %d ms' % ms


def shown(b):
    return '%d bytes%s' % (len(b), ' ' + b[:24].hex() + ('..' if len(b) > 24 else '') if b else '')


def words(b):
    return '"%s"' % b.decode('utf-8', 'backslashreplace')


def f_hello(c, s):
    at = 'session %d attempt %d resumed %d' % (c.number(8), c.number(4), c.u8())
    if c.take(3) != bytes(3):
        raise Wrong('bytes of HELLO that are not zero')
    at += ' dialer %s acceptor %s expected %d %s' % (c.take(16).hex(), c.take(16).hex(), c.number(8), limits(c))
    return at + ' name %s job %s%s' % (words(c.text(63)), words(c.text(64)), grace(c))


def f_welcome(c, s):
    return 'acceptor %s expected %d %s name %s%s' % (c.take(16).hex(), c.number(8), limits(c), words(c.text(63)), grace(c))


def f_dead(c, s):
    return 'code %d %s' % (c.u8(), words(c.text(400)))


def f_short(c, s):
    return 'ack %d' % c.number(8)


def f_nothing(c, s):
    return ''


def f_end_only(c, s):
    return 'end %d' % c.varint()


def f_attach(c, s):
    end, sends = c.varint(), c.u8()
    if sends > 1:
        raise Wrong('a direction %d' % sends)
    s.asked[end] = sends
    return 'end %d to %s %s name %s' % (end, 'send' if sends else 'receive', c.take(16).hex(), words(c.text(255)))


def told(c, s):
    """The form that a frame has, or that went before it."""
    form = c.text(32768)
    if form == bytes(1):
        if s.form is None or s.read_more:
            raise Wrong('the form that should have gone before')
        form, s.form = s.form, None
    if form:
        read_form(form)
    return form


def f_form(c, s):
    if not s.read_more:
        s.form = b''
    s.form += c.rest()
    if len(s.form) > FORM_MAX:
        raise Wrong('a form of more than %d bytes' % FORM_MAX)
    return 'so far %d bytes' % len(s.form)


def f_attached(c, s):
    end, code = c.varint(), c.u8()
    if code:
        at = 'end %d refused %d %s' % (end, code, words(c.text()))
        form = told(c, s)
        return at + (' form %s' % form.hex() if form else '')
    at = 'end %d capacity %d' % (end, c.number(4))
    if c.left():
        at += ' way ' + read_way(c)
    return at


def f_need(c, s):
    return 'end %d waiting %d seen %d ask %d' % (c.varint(), c.varint(), c.varint(), c.u8())


def f_grant(c, s):
    return 'end %d granted %d accepted %d bytes %d' % tuple(c.varint() for _ in range(4))


def f_flushed(c, s):
    return 'end %d accepted %d bytes %d' % tuple(c.varint() for _ in range(3))


def f_number(c, s):
    return 'end %d number %d' % (c.varint(), c.varint())


def f_return(c, s):
    return 'end %d returned %d' % (c.varint(), c.varint())


def f_sent(c, s):
    return 'end %d sent %d' % (c.varint(), c.varint())


def f_seal(c, s):
    at = 'end %d code %d' % (c.varint(), c.u8())
    if c.left():
        at += ' certain %d accepted %d bytes %d %s' % (c.u8(), c.varint(), c.varint(), words(c.text(199)))
    return at


def f_torn(c, s):
    return 'end %d %s' % (c.varint(), words(c.text(199)))


def f_type(c, s):
    end, form = c.varint(), told(c, s)
    return 'end %d form %s' % (end, form.hex())


def f_elem(c, s):
    end, what = c.varint(), c.u8()
    at = 'end %d ' % end
    if what == 0:
        elems = []
        while c.left():
            elems.append(shown(c.text(16384)))
        if not elems:
            raise Wrong('an ELEM without an element')
        return at + 'elements ' + ', '.join(elems)
    if what == 1:
        return at + 'piece ' + shown(c.rest())
    if what in (2, 3):
        return at + '%s %d ' % ('firm' if what == 2 else 'try', c.varint()) + shown(c.rest())
    if what == 4:
        return at + 'select %d by %s:%d ' % (c.varint(), c.take(16).hex(), c.varint()) + shown(c.rest())
    raise Wrong('an ELEM of kind %d' % what)


def f_open(c, s):
    call = c.varint()
    if s.more('OPEN', call):
        return 'call %d more %s' % (call, shown(c.rest()))
    kind = c.u8()
    has_form, kind = kind & 8, kind & ~8
    if kind not in (0, 1, 2, 4, 6):
        raise Wrong('an OPEN of kind %d' % kind)
    at = 'call %d %s %s' % (call, 'task' if kind == 1 else 'call', words(c.text(255)))
    ns = c.number(8)
    at += ' within %s argument %s result %s' % ('ever' if ns == 2**64 - 1 else '%d ns' % ns, c.take(16).hex(), c.take(16).hex())
    length = c.varint()
    if kind & 2:
        at += ' element %d attempt %d' % (c.varint(), c.varint())
    if kind & 4:
        key = c.text(64)
        if not key:
            raise Wrong('an empty key')
        at += ' key ' + key.hex()
    if has_form:
        form = told(c, s)
        at += ' form ' + form.hex()
    return at + ' of %d bytes: %s' % (length, shown(c.rest()))


def f_result(c, s):
    call = c.varint()
    if s.more('RESULT', call):
        return 'call %d more %s' % (call, shown(c.rest()))
    code, own = c.u8(), c.u8()
    at = 'call %d code %d own %d %s' % (call, code, own, words(c.text()))
    form = told(c, s)
    return at + (' form %s' % form.hex() if form else '') + ' ' + shown(c.rest())


def f_cancel(c, s):
    return 'call %d cause %d' % (c.varint(), c.u8())


def f_done(c, s):
    return 'call %d' % c.varint()


FIELDS = {'HELLO': f_hello, 'WELCOME': f_welcome, 'DEAD': f_dead, 'ACK': f_short, 'PING': f_short, 'PONG': f_short, 'BYE': f_nothing,
          'ATTACH': f_attach, 'ATTACHED': f_attached, 'DROP': f_end_only, 'TORN': f_torn, 'TYPE': f_type, 'FORM': f_form,
          'NEED': f_need, 'GRANT': f_grant,
          'NONE': f_end_only, 'RECALL': f_end_only, 'RETURN': f_return, 'ELEM': f_elem, 'INVITE': f_end_only, 'TAKEN': f_number,
          'BUSY': f_number, 'WITHDRAW': f_number, 'WITHDRAWN': f_number, 'CLOSE': f_end_only, 'SEAL': f_seal, 'SEALED': f_sent,
          'FINISH': f_sent, 'FLUSH': f_end_only, 'FLUSHED': f_flushed, 'OPEN': f_open, 'RESULT': f_result, 'CANCEL': f_cancel,
          'DONE': f_done}


class Side:
    """What one side has said, as far as its further frames depend on it."""

    def __init__(self, dialer):
        self.dialer, self.number, self.read, self.open, self.asked = dialer, 0, {}, {}, {}
        self.form, self.read_more = None, False          # of the frames FORM; whether the last one goes on
        self.preamble, self.hello, self.bye, self.dropped, self.most = False, False, False, set(), {}

    def more(self, kind, key):
        """Whether a frame of this kind and object goes on with the one before."""
        return self.open.get((kind, key), False)

    def frame(self, b):
        """Reads the frame at the start of b, without the other side: (its kind, what is shown, flags, number, ack, bytes)."""
        c = Bytes(b)
        length, kind, flags, zero = c.number(4), c.u8(), c.u8(), c.number(2)
        if kind not in KINDS:
            raise Wrong('a frame of the kind 0x%02x' % kind)
        name = KINDS[kind]
        if zero or flags > MORE or length > (HELLO_MAX if name in ('HELLO', 'WELCOME') else FRAME_MAX):
            raise Wrong('the header of %s' % name)
        if flags and name not in ('ELEM', 'OPEN', 'RESULT', 'FORM'):
            raise Wrong('%s with flags' % name)
        c = Bytes(c.take(length))
        number = ack = None
        if kind >= NUMBERED:
            number, ack = c.number(8), c.number(8)
        if number in self.read:          # over a new link: as it was, but for its ack and the time that remains
            if self.read[number] != (name, length):
                raise Wrong('number %d is another frame than before' % number)
            return name, '', number, ack, 8 + length
        key = Bytes(c.b[c.at:]).varint() if name in ('OPEN', 'RESULT', 'ELEM') else None
        text = FIELDS[name](c, self)
        c.end(name)
        if name == 'FORM':
            self.read_more = bool(flags)
        if key is not None:
            self.open[(name, key)] = bool(flags)
        if number is not None:
            self.read[number] = (name, length)
        return name, text + (' more' if flags else ''), number, ack, 8 + length


def check(side, other, name, text, number, ack):
    """What a frame may not be after what was said before it.  Returns whether it was said before."""
    first = {True: 'HELLO', False: 'WELCOME'}[side.dialer]
    if not side.hello:
        if name not in (first, 'DEAD'):
            raise Wrong('%s before %s' % (name, first))
        side.hello = name == first
        return False
    if name in ('HELLO', 'WELCOME'):
        raise Wrong('a second %s' % name)
    if number is None:
        return False
    if number <= side.number:
        return True
    if side.bye:
        raise Wrong('%s after BYE' % name)
    if number != side.number + 1:
        raise Wrong('number %d after %d' % (number, side.number))
    if ack > other.total:
        raise Wrong('an ack of %d, of %d that were said' % (ack, other.total))
    side.number = number
    side.bye = name == 'BYE'
    field = text.split()
    if field and field[0] == 'end':
        end = int(field[1])
        if name in FROM_SITE and end in side.dropped:
            raise Wrong('%s behind DROP' % name)
        if name == 'DROP':
            side.dropped.add(end)
        for total in ('granted', 'accepted', 'returned', 'bytes', 'seen'):
            if total in field and name not in ('ELEM', 'TORN', 'TYPE', 'ATTACH'):
                k, n = (end, total, name), int(field[field.index(total) + 1])
                if n < side.most.get(k, 0):
                    raise Wrong('%s of end %d goes back to %d' % (total, end, n))
                side.most[k] = n
        if name == 'ATTACH' and (end < 2 or (end & 1) != side.dialer):
            raise Wrong('an id %d made by the %s' % (end, 'dialer' if side.dialer else 'acceptor'))
    if name == 'OPEN' and (int(field[1]) & 1) != side.dialer:
        raise Wrong('a call %s of the %s' % (field[1], 'dialer' if side.dialer else 'acceptor'))
    return False


def preamble(b):
    if len(b) < 16 or b[:8] != MAGIC or b[12:16] != bytes(4):
        raise Wrong('no preamble')
    return struct.unpack('<HH', b[8:12])


def frames(b, side, last):
    """[(name, text, number, ack)] of all that one side wrote to one link.  A link that is not the last may end in half a frame."""
    if not b and not last:
        return []
    got = [('PREAMBLE', 'version %d.%d' % preamble(b), None, None)]
    at = 16
    while at < len(b):
        if not last and (len(b) - at < 8 or len(b) - at < 8 + Bytes(b[at:at + 4]).number(4)):
            break
        try:
            *frame, n = side.frame(b[at:])
        except Wrong as why:
            raise Wrong('byte %d of the %s: %s' % (at, 'dialer' if side.dialer else 'acceptor', why)) from None
        got.append(tuple(frame))
        at += n
    return got


def conversation(*links):
    """The lines of one session: what its dialer and its acceptor wrote to each link.  Of each link all of the dialer comes first, as
    nobody has kept when each was said."""
    sides = Side(True), Side(False)
    said = [(side, frames(b, side, i >= len(links) - 2)) for i, b in enumerate(links) for side in [sides[i % 2]]]
    for side in sides:
        side.total = max(side.read, default=0)
    lines = []
    for side, f in said:
        side.hello = False
        for name, text, number, ack in f:
            again = name != 'PREAMBLE' and check(side, sides[side.dialer], name, text, number, ack)
            numbers = ' #%d ack %d' % (number, ack) if number else ''
            lines.append('%s %s%s%s %s' % ('>' if side.dialer else '<', name, numbers, ' (again)' if again else '', text))
    return lines


# -- a relay that keeps what passes ---------------------------------------------------------------------------------------------------
def pump(a, b, path):
    with open(path, 'wb') as kept:
        while True:
            try:
                got = a.recv(65536)
            except OSError:
                got = b''
            if not got:
                break
            kept.write(got)
            kept.flush()
            try:
                b.sendall(got)
            except OSError:
                pass                     # it is kept all the same: it was written
    try:
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def relay(where, to, folder, ready=None):
    """Accepts at `where` for ever, and for each link dials `to`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    listener.listen()
    if ready:
        ready.set()
    for n in range(1 << 30):
        a, _ = listener.accept()
        b = socket.socket(socket.AF_UNIX)
        try:
            b.connect(to)
        except OSError:                  # nobody is there yet: the dialer will come again
            a.close()
            continue
        for x, y, who in ((a, b, 'dialer'), (b, a, 'acceptor')):
            threading.Thread(target=pump, args=(x, y, os.path.join(folder, '%d.%s' % (n, who))), daemon=True).start()


def main(argv):
    if len(argv) == 4 and argv[0] == '--relay':
        relay(*argv[1:])
    if len(argv) < 2 or len(argv) % 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    both = []
    for path in argv:
        with open(path, 'rb') as f:
            both.append(f.read())
    try:
        print('\n'.join(conversation(*both)))
    except Wrong as why:
        print('reader: %s' % why, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
