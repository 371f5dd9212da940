#!/usr/bin/env python3
"""run.py - docs/wire.md is enough: reader.py, which knows that page alone, explains every byte of the golden talks and values, and of
real programs, whose links go through a relay that keeps what passes; and it notices what is wrong."""
import glob
import os
import re
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.dirname(HERE), HERE]
import reader                                                    # noqa: E402
import tap                                                       # noqa: E402

BUILD = os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build'))
TALKS = sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(HERE, 'talk', '*.txt')))


def text_of(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def talk(name):
    """The bytes of both sides for each link, the dialer's first; what may be any byte is 0."""
    said, way, links = {'>': b'', '<': b''}, '', []
    lines = text_of(os.path.join(HERE, 'talk', name + '.txt')).splitlines()
    for line in lines:
        if line[:1] in ('>', '<', '!'):
            way = line[0]
        elif way in said:
            said[way] += bytes.fromhex(re.sub(r'[?@]{2}', '00', line.split('|')[0].split('#')[0]))
        if line == '! cut':
            links += [said['>'], said['<']]
            said = {'>': b'', '<': b''}
    dials = '! wait-dial' in lines
    return links + [said['<' if dials else '>'], said['>' if dials else '<']]


def explains(name):
    def test():
        both = talk(name)
        try:
            reader.conversation(*both)
        except reader.Wrong as why:
            return None if name in MUST_FAIL else str(why)
        return 'it should not make sense' if name in MUST_FAIL else None
    return test


# What a node of another version says, and reader.py does not know, as it is of this one.
MUST_FAIL = {'a_kind_of_a_later_version'}


def every_kind_is_made_and_taken_by_a_node():
    made, taken = set(), set()
    for name in TALKS:
        for line in text_of(os.path.join(HERE, 'talk', name + '.txt')).splitlines():
            m = re.match(r'([<>]) ([A-Z]+)', line)
            if m:
                (made if m.group(1) == '<' else taken).add(m.group(2))
    kinds = set(reader.KINDS.values())
    made.add('FORM')                                            # over 32 KiB, too long for a script: rpc/evolve_wide has its bytes
    return ['no talk has %s from a node' % k for k in sorted(kinds - made)] + [
        'no talk has %s to a node' % k for k in sorted(kinds - taken)] or None


def the_kinds_are_those_of_the_page():
    found = re.findall(r'\| ([0-9a-f]{2}) ([A-Z]+) \|', text_of(os.path.join(ROOT, 'docs', 'wire.md')))
    page = dict((int(n, 16), name) for n, name in found)
    return None if page == reader.KINDS else sorted('%02x %s' % k for k in set(page.items()) ^ set(reader.KINDS.items()))


def every_talk_is_played():
    played = re.findall(r'TALK\((\w+)\)', text_of(os.path.join(HERE, 'talks.h')))
    return None if sorted(played) == TALKS else str(set(played) ^ set(TALKS))


def values():
    """[(name, form, value, how it reads)]"""
    got = []
    for section in re.split(r'^! ', text_of(os.path.join(HERE, 'values.txt')), flags=re.M)[1:]:
        name, rest = section.split('\n', 1)
        parts = re.match(r'form\n(.*)print\n.*value\n(.*?)(= .*)', rest, re.S)
        form, value = (bytes.fromhex(' '.join(line.split('|')[0] for line in part.splitlines())) for part in parts.groups()[:2])
        meant = ' '.join(line[2:] for line in parts.group(3).splitlines() if line)
        got.append((name, form, value, meant))
    return got


def values_are_read_as_they_are_meant():
    bad = []
    for name, form, value, meant in values():
        c = reader.Bytes(value)
        read = repr(reader.read_value(c, reader.read_form(form)))
        c.end('a value')
        bad += [] if read == meant else ['%s: %s' % (name, read)]
    return bad or None


def a_form_or_value_that_is_cut_is_noticed():
    bad = []
    for name, form, value, _ in values():
        t = reader.read_form(form)
        for at in range(len(form)):
            try:
                reader.read_form(form[:at])
                bad.append('the form of %s, cut at %d' % (name, at))
            except reader.Wrong:
                pass
        for at in range(len(value)):
            try:
                reader.read_value(reader.Bytes(value[:at]), t)
                bad.append('the value of %s, cut at %d' % (name, at))
            except reader.Wrong:
                pass
    return bad or None


def what_is_wrong_is_noticed():
    dialer, acceptor = talk('home')
    frame = reader.Side(True).frame
    second = 16 + frame(dialer[16:])[-1]                         # the first numbered frame
    drop = b'\x11\0\0\0\x32\0\0\0' + bytes([100]) + bytes(15) + b'\3'
    wrong = {'a byte too many': dialer + b'\0', 'a frame that is cut': dialer[:-1], 'another magic': b'\x8a' + dialer[1:],
             'an unknown kind': dialer + bytes([0, 0, 0, 0, 0x7e, 0, 0, 0]), 'a frame after BYE': dialer + drop,
             'a gap': dialer[:second + 8] + b'\2' + dialer[second + 9:],
             'an ack of what was not said': dialer[:second + 16] + b'\x63' + dialer[second + 17:],
             'flags': dialer[:second + 5] + b'\1' + dialer[second + 6:], 'no hello': dialer[:16] + dialer[second:]}
    bad = []
    for what, b in wrong.items():
        try:
            reader.conversation(b, acceptor)
            bad.append(what)
        except reader.Wrong:
            pass
    return bad or None


def most_changes_of_a_byte_are_noticed_or_shown():
    """A byte that is changed makes the talk wrong, or makes it read otherwise: none is passed over."""
    dialer, acceptor = talk('home')
    before = reader.conversation(dialer, acceptor)
    passed = []
    for at in range(len(dialer)):
        changed = dialer[:at] + bytes([dialer[at] ^ 0x11]) + dialer[at + 1:]
        try:
            if reader.conversation(changed, acceptor) == before:
                passed.append('byte %d' % at)
        except reader.Wrong:
            pass
    return passed or None


def captured(program, *more):
    """Runs a program as two nodes over a relay; the lines of all conversations."""
    with tempfile.TemporaryDirectory() as d:
        ready = threading.Event()
        threading.Thread(target=reader.relay, args=(d + '/relay', d + '/n1', d, ready), daemon=True).start()
        ready.wait()
        command = [os.path.join(BUILD, 'examples', program)] + list(more)

        def start(rank, second):
            env = dict(os.environ, LEAT_NODES='unix:%s/n0,unix:%s/%s' % (d, d, second), LEAT_RANK=str(rank))
            return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        nodes = [start(1, 'n1'), start(0, 'relay')]
        try:
            said = [n.communicate(timeout=100)[0] for n in reversed(nodes)]
        finally:
            for n in nodes:
                n.kill()
        if any(n.returncode for n in nodes):
            raise RuntimeError('%s failed: %s' % (program, said))
        lines = []
        for path in sorted(glob.glob(d + '/*.dialer')):
            both = []
            for p in (path, path[:-6] + 'acceptor'):
                with open(p, 'rb') as f:
                    both.append(f.read())
            if both[0]:
                lines += reader.conversation(*both)
        return lines


def what_the_word_count_says_is_explained():
    lines = captured('wordcount', 'run', os.path.join(ROOT, 'examples', 'data', 'opticks.txt'))
    seen = {line.split()[1] for line in lines}
    return None if {'HELLO', 'WELCOME', 'OPEN', 'RESULT', 'BYE'} <= seen and len(lines) > 50 else str(seen)


def what_the_program_of_the_readme_says_is_explained():
    lines = captured('readme')
    seen = {line.split()[1] for line in lines}
    return None if {'OPEN', 'RESULT', 'ELEM', 'DROP', 'BYE'} <= seen else str(seen)


tap.main([(t.__name__, t) for t in (
    every_kind_is_made_and_taken_by_a_node, the_kinds_are_those_of_the_page, every_talk_is_played, values_are_read_as_they_are_meant,
    a_form_or_value_that_is_cut_is_noticed, what_is_wrong_is_noticed, most_changes_of_a_byte_are_noticed_or_shown,
    what_the_word_count_says_is_explained, what_the_program_of_the_readme_says_is_explained)] +
    [('%s_is_explained' % name, explains(name)) for name in TALKS])
