#!/usr/bin/env python3
"""mutants.py [REGEX] - mutations of the protocol that `leat sim` must find: mutants.txt.  Those whose title matches; all of them.

mutants.txt has for each a title, the campaign that must find it, and the edits of src/, as in test/breaks (table.py there says how):

    # a frame that comes twice is taken twice
    channels 1..2000 cut
    in src/sess/reader.c
    -     if (k <= have) {
    +     if (0) {

It is built beside the build directory LEAT_BUILD (build), where nothing changes.  Found is one that makes a seed fail; the same campaign
without the mutation is the control.  Exit code: 0 all were found, 1 some were not.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'breaks'))
import breaks  # noqa: E402
import table  # noqa: E402

PROGRAMS = {'channels': (['test', 'sim_channels'], ['--nodes', '4'], []), 'choose': (['test', 'sim_choose'], ['--nodes', '4'], []),
            'wordcount': (['examples', 'wordcount'], ['--must-succeed'],
                          ['run', os.path.join(table.ROOT, 'examples', 'data', 'opticks.txt')])}
Mutant = collections.namedtuple('Mutant', 'title program seeds faults edits where')


def mutants():
    found = []
    with open(os.path.join(HERE, 'mutants.txt'), encoding='utf-8') as f:
        blocks = f.read().split('\n\n')
    for block in blocks[1:]:
        lines = block.strip('\n').split('\n')
        title, (program, seeds, faults), path, edits = lines[0][2:], lines[1].split(), None, []
        for line in lines[2:]:
            if line.startswith('in '):
                path = line[3:]
            elif line.startswith('- '):
                if not edits or edits[-1][2]:
                    edits.append([path, [], []])
                edits[-1][1].append(line[2:])
            else:
                edits[-1][2].append(line[2:])
        found.append(Mutant(title, program, seeds, faults, [table.Edit(p, '\n'.join(o), '\n'.join(n)) for p, o, n in edits], title))
    return found


def campaign(build, exe, m):
    """The line of the first seed that fails, or None."""
    _, flags, args = PROGRAMS[m.program]
    command = [os.path.join(build.path, 'leat'), 'sim', '--no-shrink', '--timeout', '20', '--seeds', m.seeds, '--faults', m.faults]
    child = subprocess.Popen(command + flags + ['--', exe] + args, stdout=subprocess.PIPE, text=True, start_new_session=True)
    first = next((x.strip() for x in child.stdout if ': FAILED, ' in x), None)
    try:
        os.killpg(child.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    child.stdout.close()
    child.wait()
    return first


def look(build, m):
    """(what is wrong, the seed that found it)"""
    exe = os.path.join(build.path, *PROGRAMS[m.program][0])
    texts, problems = table.edited(m)
    if problems:
        return problems[0], None
    folder = tempfile.mkdtemp(prefix='leat-mutant-')
    try:
        seed = campaign(build, breaks.Broken(build, texts, folder).link(exe), m)
    except RuntimeError as e:
        return str(e).splitlines()[0], None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None if seed else 'no seed finds it', seed


def main():
    build = breaks.Build(os.environ.get('LEAT_BUILD', os.path.join(table.ROOT, 'build')))
    wanted = [m for m in mutants() if re.search(sys.argv[1] if len(sys.argv) > 1 else '.', m.title)]
    bad, controls = 0, set()
    for m in wanted:
        wrong, seed = look(build, m)
        bad += wrong is not None
        print('%-9s %s: %s' % ('NOT FOUND' if wrong else 'found', m.title, wrong or seed[:150]), flush=True)
        controls.add((m.program, m.seeds, m.faults))
    for program, seeds, faults in sorted(controls):
        m = Mutant('', program, seeds, faults, [], '')
        seed = campaign(build, os.path.join(build.path, *PROGRAMS[program][0]), m)
        bad += seed is not None
        print('%-9s %s %s %s without a mutation%s' % ('FAILED' if seed else 'ok', program, seeds, faults, ': ' + seed if seed else ''),
              flush=True)
    print('%d mutations, %d wrong' % (len(wanted), bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
