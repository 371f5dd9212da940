#!/usr/bin/env python3
"""examples.py - every example does what its first lines say."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e import World, differ, example, tap  # noqa: E402

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


tap.main([
    ('hello', prints('hello', 'sum of squares: 385\n')),
    ('sel', prints('sel', SEL)),
    ('pool', pool),
    ('existing', prints('existing', EXISTING)),
])
