#!/usr/bin/env python3
"""run.py - the tree is tidy, and tidy.py sees what it should: each rule is broken once in a small tree and must be reported."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(ROOT, 'scripts')]
import tap                                                      # noqa: E402
import tidy                                                     # noqa: E402

GOOD = '/* a.c - an example. */\n'
TREE = {
    'src/LAYERS': '# bottom to top\nbase\nplat\nrun\nchan\nsim\nboot\ntool\n',
    'src/run/meson.build': "leat_src += files('a.c')\n",
    'src/run/a.c': GOOD + '#include "run/a.h"\n#include "base/b.h"\n\nint one(void)\n{\n    return \'}\' + sizeof "{";   /* { */\n}\n',
    'src/run/a_test.c': '/* a_test.c - an example. */\nTEST(one_is_one)\n{\n}\n',
    'src/plat/cpu.h': '/* cpu.h - an example. */\n#if defined __x86_64__\n#endif\n',
    'docs/semantics.md': '| operation | test |\n|---|---|\n| one | `run/a:one_is_one` |\n',
}
TREE['src/run/meson.build'] += "leat_tests += [['run/a', files('a_test.c')]]\n"
LONG = 'int %s(void)\n{\n' + '    one();\n' * 68 + '}\n'


def problems(changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in dict(TREE, **changes).items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), 'w') as f:
                f.write(text)
        return tidy.Tidy(root).check()


def breaks(path, text, expected, also=()):
    """With the file at `path` changed to `text` exactly one problem is reported, and it is `expected`."""
    got = problems(dict({path: text}, **dict(also)))
    return None if len(got) == 1 and got[0].startswith(path + ':') and expected in got[0] else (
        ['expected one problem: %s: ... %s' % (path, expected), 'got %d:' % len(got)] + got)


def scanner():
    text = ('static const struct s x = { .f = { 1 } };\nstruct s { int a; };\nenum e { A, B };\n'
            '#define M(x) do { \\\n    x; } while (0)\n'
            '__attribute__((noreturn)) static int *\nf(struct s *p, int (*g)(void))\n{\n    if (p) { g(); }\n    return 0;\n}\n\n'
            'TEST(a_b)\n{\n}\nint h(void) { return \'"\'; }\nextern int y[];\nint z[] = { 1, 2 };\ntypeof(1) w(int a[static 2])\n{\n}\n')
    want = [('f', 6, 11), ('a_b', 13, 15), ('h', 16, 16), ('w', 19, 21)]
    got = tidy.functions_of(text)
    return None if got == want else ['got  %r' % got, 'want %r' % want]


A, SEM = 'src/run/a.c', 'docs/semantics.md'
CHAN = {'src/chan/meson.build': "leat_src += files('b.c')\n"}
LIMITS = {'src/base/limits.h': GOOD + 'enum {\n    LIMIT_ONE = 1,\n};\n'}
SIM, TURN = 'docs/sim.md', 'int f(void) { return BUGGIFY("a.turn"); }\n'
TURNS = {SIM: '## Where the code takes rare turns\n\n| `LIMIT_ONE` | `a.turn` |\n', A: GOOD + TURN}
RULES = [
    ('an_include_that_points_up', A, GOOD + '#include "chan/b.h"\n', 'chan/, which is above'),
    ('an_include_of_sim', 'src/tool/b.c', GOOD + '#include "sim/b.h"\n', 'only sim and boot may',
     {'src/tool/meson.build': "leat_src += files('b.c')\n"}),
    ('an_include_by_a_path', A, GOOD + '#include "../base/b.h"\n', 'from which floor'),
    ('a_floor_that_is_not_listed', 'src/other/b.h', GOOD, 'no floor other'),
    ('an_if_on_a_processor', A, GOOD + '#ifdef __aarch64__\n#endif\n', '#if on __aarch64__'),
    ('an_if_on_a_system', 'include/b.h', GOOD + '#if defined(__linux__) && 1\n#endif\n', '#if on __linux__'),
    ('errno_above_plat', A, GOOD + 'int f(void) { return errno; }\n', 'errno above plat/'),
    ('the_plain_errno_in_plat', 'src/plat/b.h', GOOD + '#include <errno.h>\n', 'include "plat/errno.h"'),
    ('a_long_file', A, GOOD + 'int a;\n' * 1000, 'a file of 1001 lines'),
    ('a_long_function', A, GOOD + LONG % 'f', 'function f has 71 lines'),
    ('a_long_function_of_go', 'go/a.go', 'package a\n\nfunc (x *T) f() {\n' + '\tg()\n' * 69 + '}\n', 'function f has 71 lines'),
    ('a_tab_outside_of_go', 'docs/a.md', '```go\n\tg()\n```\n\tg()\n', 'a tab'),
    ('a_long_line', A, GOOD + 'int ' + 'a' * 136 + ';\n', 'a line of 141 characters'),
    ('a_tab', A, GOOD + '\tint a;\n', 'a tab'),
    ('trailing_blanks', 'README.md', 'text \n', 'blanks at the end'),
    ('no_newline_at_the_end', A, GOOD + 'int a;', 'no newline'),
    ('a_note_for_later', A, GOOD + '/* TO' + 'DO: more */\n', 'do it or file an issue'),
    ('a_path_of_one_machine', 'docs/x.md', 'see /' + 'work/main\n', 'outside one machine'),
    ('a_word_of_one_workplace', 'docs/x.md', 'a sub' + 'agent\n', 'outside one machine'),
    ('no_comment_at_the_top', A, 'int a;\n', 'does not open with a comment'),
    ('a_file_that_nobody_builds', 'src/chan/c.c', GOOD, 'nobody builds it', CHAN),
    ('a_row_without_a_test', SEM, TREE[SEM] + '| two | none |\n', 'names no test'),
    ('a_limit_without_a_line', 'src/base/limits.h', GOOD + 'enum {\n    LIMIT_ONE = 1,\n    LIMIT_TWO = 2,\n};\n',
     'LIMIT_TWO has no line', TURNS),
    ('a_rare_turn_without_a_line', SIM, TURNS[SIM].replace('`a.turn`', 'none'), 'a.turn is a rare turn that has no line',
     dict(LIMITS, **{A: GOOD + TURN})),
    ('a_line_for_no_rare_turn', SIM, TURNS[SIM], 'a.turn is no rare turn', LIMITS),
    ('a_row_with_a_test_that_is_gone', SEM, TREE[SEM] + '| two | `run/a:two_is_two` |\n', 'there is no test run/a:two_is_two'),
]
tests = [('the_tree_is_tidy', tidy.Tidy(ROOT).check), ('a_tidy_tree_has_no_problems', lambda: problems({})),
         ('functions_are_found_with_their_lines', scanner)]
for rule in RULES:
    tests.append((rule[0] + '_is_reported', lambda r=rule: breaks(*r[1:])))
tap.main(tests)
