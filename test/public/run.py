#!/usr/bin/env python3
"""run.py - every function of the public headers is accounted for, three times: a row of docs/semantics.md says what it does, the tests
of src/boot/fail* use it while requests are refused, and, if it [blocks], test/cancel races it against its cancel.

INDEX has what stands elsewhere, and why what is left out is left out; it may say nothing that is not needed.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

HEADERS = ['leat.h'] + ['leat/%s.h' % h for h in ('timer', 'sync', 'os', 'guest', 'node', 'call', 'deal', 'json', 'record', 'netrpc')]
# what looks like a function and is none
TYPES = {'leat_chan', 'leat_tx', 'leat_rx', 'leat_err', 'leat_hook', 'leat_record_write', 'leat_record_read'}
NAME = r'leat_[a-z0-9_]*[a-z0-9]'


def read(*path):
    with open(os.path.join(ROOT, *path)) as f:
        return f.read()


def functions():
    """{name: whether it [blocks]}"""
    found = {}
    for header in HEADERS:
        text = read('include', header)
        bare = re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)
        names = re.findall(r'^#define (%s)(?=[( ])' % NAME, bare, re.M)
        names += re.findall(r'(?<![\w.>])(%s)\s*\(' % NAME, re.sub(r'^#.*(?:\\\n.*)*', '', bare, flags=re.M))
        for n in names:
            if n not in TYPES:
                found.setdefault(n, False)
        for line in text.splitlines():                          # the mark stands behind the declaration
            m = re.match(r'(?:#define |LEAT_CHECK |[a-z].*?)?.*?\b(%s)\s*\(.*/\*.*\[blocks\]' % NAME, line)
            if m and m.group(1) in found:
                found[m.group(1)] = True
        for comment, name in re.findall(r'^(/\*(?:(?!\*/).)*\*/)\n(?:LEAT_CHECK |#define |[a-z_]+ )*\*?(%s)\(' % NAME, text, re.S | re.M):
            if '[blocks]' in comment and name in found:          # or before it
                found[name] = True
    return found


def index():
    """{section: {name: where or why}}"""
    sections, now = {}, None
    for line in read('test', 'public', 'INDEX').splitlines():
        if line.startswith('['):
            now = sections.setdefault(line.strip('[]'), {})
        elif line and not line.startswith('#'):
            names, text = line.split(':', 1)
            for n in names.split():
                now[n] = text.strip()
    return sections


def compare(section, wanted, there, has):
    """Those in `wanted` that are not `there` have a line; it says a reason after `--`, or something that `has` knows."""
    lines, wrong = index()[section], []
    for n in sorted(wanted):
        if n in there:
            if n in lines:
                wrong.append('INDEX [%s]: %s needs no line' % (section, n))
        elif n not in lines:
            wrong.append('%s: nothing in [%s] of INDEX says where it stands, or why it does not' % (n, section))
        elif not lines[n].startswith('-- ') and not has(lines[n]):
            wrong.append('INDEX [%s]: %s: there is no %s' % (section, n, lines[n]))
    return wrong + ['INDEX [%s]: there is no %s' % (section, n) for n in lines if n not in wanted]


def words(text):
    return {re.sub('_$', '', n) for n in re.findall(r'\bleat_\w+', text)}


def in_semantics():
    text = read('docs', 'semantics.md')
    rows = {line.split(' | ')[0].lstrip('| ').strip() for line in text.splitlines() if line.startswith('| ')}
    return compare('semantics', functions(), words(text), rows.__contains__)


def in_fail():
    text = ''.join(read(p) for p in glob.glob(os.path.join(ROOT, 'src', 'boot', 'fail*')))
    return compare('refused', functions(), words(text), lambda _: False)


def in_cancel():
    ops = set()
    for part in ('share', 'io'):
        ops |= {'%s:%s' % (part, n) for n in re.findall(r'^RACES\w*\((\w+)', read('test', 'cancel', part + '_test.c'), re.M)}
    blocking = {n for n, b in functions().items() if b}
    if len(blocking) < 40:
        return ['too few that block: is the pattern right?']
    return compare('races', blocking, set(), ops.__contains__)


def in_null():
    """What closes, ends, stops or drops is given NULL."""
    closing = {n for n in functions() if re.search('_(close|end|stop|drop|unref)$', n)} | {n for n in functions() if re.search('_auto', n)}
    left = closing - words(read('src', 'boot', 'null_test.c'))
    return ['src/boot/null_test.c gives no NULL to ' + n for n in sorted(left)] if len(closing) > 15 else ['the pattern finds too few']


tap.main([('what_closes_is_given_null', in_null), ('every_function_has_a_row', in_semantics),
          ('every_function_is_used_while_requests_are_refused', in_fail),
          ('what_blocks_is_raced_against_its_cancel', in_cancel)])
