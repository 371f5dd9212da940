"""table.py - what docs/semantics.md promises at a distance, and the edits of src/ (or of go/leat/) that break it.

A file of breaks (*.txt here) names a heading and a row of the page, and then, for each break of what that row says, the tests that must
notice and the edit:

    == Channels
    = close

    # why this breaks it
    by sess/net:elements_arrive_in_order_capacity_16
    in src/sess/site.c
    -     if (e->close_due)
    +     if (0)

`-` is what is there now, exactly once in the file, and `+` what is there instead; both are parts of lines, or several whole ones.  More
edits of the same break follow without an empty line.  A break without `by` is for all tests of its row that run at a distance.  `spares X`:
with the break test X still passes (SPARED unless another is named; `spares -`: none), so that no break is one of everything.  `only between
processes`, `only between nodes`: what is broken is promised there alone.  In a file of Go, four blanks at the beginning are a tab.
"""
import collections
import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = 'docs/semantics.md'
BETWEEN = ('What is refused at a distance', 'Types that change')       # without columns for distances: all that is there is about both
SPARED = 'sess/sess:sess_two_nodes_of_one_process_talk_unix'
TEST = re.compile(r'`([a-z0-9_]+(?:/[a-z0-9_]+)+):([A-Za-z0-9_+]+)`')

Row = collections.namedtuple('Row', 'section name cells tests line')
Edit = collections.namedtuple('Edit', 'path old new')


class Break:
    def __init__(self, row, where):
        self.row, self.where, self.by, self.edits, self.spares, self.only = row, where, [], [], SPARED, None

    @property
    def title(self):
        return '%s: %s' % self.row

    def distances(self, row):
        """Where its row promises what it breaks."""
        return [d for d in promised(row) if self.only in (None, d)]

# Which distance a test shows that has not one name for each.  LINK: what it is about is the same whatever carries the bytes: what one side
# does with them, or with its own tasks; it runs over inproc:, or without any link, and stands for both distances.
LINK, PROCESSES, NODES = 'any link', 'between processes', 'between nodes'
BOTH = (PROCESSES, NODES)


def distances(program, test, names):
    """{distance: [full names]} of a test as the page names it.  names: all of the program, or None if that is not known."""
    def there(name):
        return names is None or name in names
    if test.endswith(('_unix', '_tcp')):
        return {PROCESSES if test.endswith('_unix') else NODES: [test]}
    got = {}
    if names and test + '_unix' in names:
        got[PROCESSES] = [test + '_unix']
    if names and test + '_tcp' in names:
        got[NODES] = [test + '_tcp']
    if names and test + '_node' in names:            # else _process is: within one
        got[PROCESSES] = [test + '_process']
        got[NODES] = [test + '_node']
    where = next((where for pattern, where in PLACES if re.match(pattern, '%s:%s' % (program, test))), ())
    return {**{d: [test] for d in where if there(test)}, **got}


def rows():
    """Every row of the page, with the tests that it names, as (program, test)."""
    found, section = [], ''
    with open(os.path.join(ROOT, PAGE), encoding='utf-8') as f:
        for n, line in enumerate(f, 1):
            if line.startswith('## '):
                section = line[3:].strip()
            if line.startswith('|') and TEST.search(line):
                cells = [c.strip() for c in line.strip().strip('|').split('|')]
                if section in BETWEEN:
                    cells = [cells[0], '-', 'holds', 'the same', cells[-1]]
                if len(cells) == 5:                  # other tables have other columns
                    found.append(Row(section, cells[0].replace('`', ''), cells, TEST.findall(cells[-1]), n))
    return found


def promised(row):
    return [d for d, cell in ((PROCESSES, row.cells[2]), (NODES, row.cells[3])) if cell != '-']


def parse(path):
    section, row, current, found, problems = '', None, None, [], []
    with open(path, encoding='utf-8') as f:
        lines = f.read().splitlines()
    hunk = None                                      # [path, old lines, new lines]

    def hunk_done():
        nonlocal hunk
        if hunk and current:
            current.edits.append(Edit(hunk[0], '\n'.join(hunk[1]), '\n'.join(hunk[2])))
        hunk = None
    file = ''
    for n, line in enumerate(lines + [''], 1):
        where, word = '%s:%d' % (os.path.basename(path), n), line.split(' ', 1)[0]
        rest = line[len(word) + 1:]
        if word in ('-', '+') and current:
            if word == '-' and hunk and hunk[2]:
                hunk_done()
            if file.endswith('.go'):
                rest = re.sub('^(?: {4})+', lambda m: '\t' * (len(m.group()) // 4), rest)
            hunk = hunk or [file, [], []]
            hunk[1 if word == '-' else 2].append(rest)
            continue
        hunk_done()
        if not line:
            if current and (current.edits or current.by):
                found.append(current)
            current = None
        elif line.startswith('#'):
            continue
        elif word == '==':
            section = rest
        elif word == '=':
            row = (section, rest.replace('`', ''))
        elif word in ('by', 'in', 'spares', 'only') and row:
            current = current or Break(row, where)
            if word == 'by':
                current.by.append(tuple(rest.split(':')))
            elif word == 'in':
                file = rest
            elif word == 'only':
                current.only = rest
                problems += [] if rest in BOTH else ['%s: %s is no distance' % (where, rest)]
            else:
                current.spares = None if rest == '-' else rest
        else:
            problems.append('%s: not understood: %s' % (where, line))
    return found, problems


def breaks():
    found, problems = [], []
    for path in sorted(glob.glob(os.path.join(HERE, '*.txt'))):
        more, bad = parse(path)
        found += more
        problems += bad
    return found, problems


def without():
    """Rows that nothing breaks yet."""
    try:
        with open(os.path.join(HERE, 'without')) as f:
            return [tuple(x.split(': ', 1)) for x in f.read().splitlines() if x and not x.startswith('#')]
    except OSError:
        return []


def edited(b):
    """{path: its text with the edits of b}, and what is wrong with them."""
    texts, problems = {}, []
    for e in b.edits:
        if e.path not in texts:
            try:
                with open(os.path.join(ROOT, e.path), encoding='utf-8') as f:
                    texts[e.path] = f.read()
            except OSError:
                return {}, ['%s: there is no file %s' % (b.where, e.path)]
        count = texts[e.path].count(e.old)
        if count != 1 or not e.old or e.old == e.new:
            problems.append('%s: %d times in %s, must be once: %s' % (b.where, count, e.path, e.old.split('\n')[0]))
        texts[e.path] = texts[e.path].replace(e.old, e.new, 1)
    return texts, problems


# In this order, the first that matches.
PLACES = [
    (r'e2e/wordcount:what_a_worker_had', (PROCESSES,)),
    (r'sim/|e2e/sim:|e2e/wordcount:|faults/|sess/sess:plain_tcp', (NODES,)),
    (r'e2e/launch:|sess/death:|check/go:range', (PROCESSES,)),
    (r'os/stream:(closing_the_write|a_full_read|a_deadline_in|pieces_arrive)', BOTH),         # each runs over both
    # LINK: what is done with bytes that have come, and what needs no peer
    (r'type/|base/|fuzz/|check/gob:|rpc/netrpc_args:|sess/replay:|hostile/(fields|floods|cost):', BOTH),
    (r'boot/fail:|check/netrpc:arguments_of_', BOTH),
    (r'sess/sess:sess_(frame|unknown|gap|silent|quiet)', BOTH),
    (r'rpc/(call:what_is_kept|deal:the_time_without|reply:an_error_with_a_code)', BOTH),
]
