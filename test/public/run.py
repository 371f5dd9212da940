#!/usr/bin/env python3
"""run.py - every function of the public headers is accounted for, three times: a row of docs/semantics.md says what it does, the tests
of src/boot/fail* use it while requests are refused, and, if it [blocks], test/cancel races it against its cancel.  And each has a contract:
a comment that says which errors there are, each of which exists, and which a test gets; what [blocks] is begun by src/boot/blocks_test.c
in a context that is over.

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


TOKEN = re.compile(r'/\*.*?\*/|#(?:[^\n\\/]|\\.|/(?!\*))*|(?:[^\n;/#]|/(?!\*))+;?|\n|;', re.S)
MARKS = r'\[[^]]*\]|[/*\s]'                                     # of a comment, what says nothing about errors


def names_in(code):
    if code.startswith('#'):
        return [n for n in re.findall(r'^#define (%s)(?=[( ]|$)' % NAME, code) if n not in TYPES]
    return [n for n in re.findall(r'(?<![\w.>])(%s)\s*\(' % NAME, code) if n not in TYPES]


def contracts():
    """{name: (its comments, whether it [blocks])}: the comment behind it, and the one before it, if it is the first behind that, or has
    none of its own."""
    found = {}
    for header in HEADERS:
        lead, first, names, code, remark = '', False, [], False, ''
        for token in TOKEN.findall(read('include', header) + '\n'):
            if token == '\n':
                for n in names:
                    before, blocks = found.get(n, ('', False))
                    whole = (lead + ' ' if first or not re.sub(MARKS, '', remark) else '') + remark
                    found[n] = (before + whole, blocks or '[blocks]' in (lead if first else '') + remark)
                first = first and not names
                lead = lead if code or remark else ''
                names, code, remark = [], False, ''
            elif token.startswith('/*') and not code:
                lead, first, remark = token, True, ' '
            elif token.startswith('/*'):
                remark += token
            elif token.strip():
                code = True
                names += names_in(token)
    return found


def functions():
    """{name: whether it [blocks]}"""
    return {n: blocks for n, (_, blocks) in contracts().items()}


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


def compare(section, wanted, there, has, strict=True):
    """Those in `wanted` that are not `there` have a line; it says a reason after `--`, or something that `has` knows."""
    lines, wrong = index()[section], []
    for n in sorted(wanted):
        if n in there:
            if n in lines and strict:
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
    closing = {n for n in functions() if re.search('_(close|end|stop|drop|unref|break|finish|unexport|cancel)$|_auto', n)}
    closing -= {'leat_with_cancel', 'leat_group_cancel'}
    left = closing - words(read('src', 'boot', 'null_test.c'))
    return ['src/boot/null_test.c gives no NULL to ' + n for n in sorted(left)] if len(closing) > 15 else ['the pattern finds too few']


def errors():
    return re.findall(r'\bLEAT_(\w+) = [1-9]', re.sub(r'/\*.*?\*/', ' ', read('include', 'leat.h'), flags=re.S).split('} leat_err;')[0])


def has_contract():
    """Every function has a comment; the errors in comments are errors; what returns one names one, or says that it blocks, or as which
    other it is."""
    wrong, known = [], set(errors()) | {'OK'}
    paths = glob.glob(os.path.join(ROOT, 'include', '**', '*.h'), recursive=True) + glob.glob(os.path.join(ROOT, 'src', '*', '*.c'))
    code = re.sub(r'/\*.*?\*/', ' ', ''.join(read(p) for p in paths), flags=re.S)
    for n, (text, blocks) in sorted(contracts().items()):
        if not re.sub(MARKS, '', text) and not blocks:
            wrong.append(n + ' has no comment')
        for e in re.findall(r'\bLEAT_([A-Z_]+)\b(?![({])', text):
            if e not in known and not re.search(r'\bLEAT_%s\b' % e, code):
                wrong.append('%s: there is no LEAT_%s' % (n, e))
    for header in HEADERS:
        for n in re.findall(r'^LEAT_CHECK (?:static inline )?leat_err (%s)\(' % NAME, read('include', header), re.M):
            text, blocks = contracts()[n]
            says = blocks or re.search(r'\b(%s)\b|\bas leat_|the same' % '|'.join(known), text)
            if not says and n not in ('leat_fail', 'leat_wrap'):
                wrong.append(n + ' returns an error, and no comment says which')
    return wrong


NEAR = 8                                                        # lines between a call and its error, in a test


def got_near():
    """{(function, error)} that stand near each other in some test."""
    got = set()
    for pattern in ('src/*/*test.[ch]', 'test/**/*.[ch]', 'test/**/*.cpp', 'src/*/fail*.h'):
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            lines = [(set(re.findall(r'\b(%s)_?(?=[( ])' % NAME, x)), set(re.findall(r'\bLEAT_([A-Z_]+)\b', x)))
                     for x in read(path).splitlines()]
            for i, (calls, _) in enumerate(lines):
                if calls:
                    there = set().union(*(e for _, e in lines[max(0, i - NEAR):i + NEAR + 1]))
                    got |= {(n, e) for n in calls for e in there}
    return got


def errors_are_got():
    """Each error that the contract of a function names is got by a test.  No memory: while requests are refused, see in_fail."""
    named = {'%s/%s' % (n, e) for n, (text, _) in contracts().items() for e in errors()
             if e != 'NOMEM' and re.search(r'(?<!\w)(?:LEAT_)?%s(?!\w)' % e, text)}
    if len(named) < 150:
        return ['too few errors are named: is the pattern right?']
    return compare('errors', named, {'%s/%s' % pair for pair in got_near()}, test_exists, False)


def test_exists(where):
    program, _, test = where.partition(':')
    for path in ('src/%s_test.c' % program, 'test/%s_test.c' % program):
        if os.path.exists(os.path.join(ROOT, path)):
            return re.search(r'^[A-Z_]+\(%s[,)]' % re.escape(test), read(path), re.M)
    return None


def in_blocks():
    """What [blocks] is begun where the context is over."""
    used = words(read('src', 'boot', 'blocks_test.c'))
    return ['src/boot/blocks_test.c does not use ' + n for n, blocks in sorted(functions().items()) if blocks and n not in used]


tap.main([('every_function_has_a_contract', has_contract), ('every_error_named_is_got_by_a_test', errors_are_got),
          ('what_blocks_is_begun_in_a_context_that_is_over', in_blocks),
          ('what_closes_is_given_null', in_null), ('every_function_has_a_row', in_semantics),
          ('every_function_is_used_while_requests_are_refused', in_fail),
          ('what_blocks_is_raced_against_its_cancel', in_cancel)])
