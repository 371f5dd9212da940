#!/usr/bin/env python3
"""sim.py - `leat sim` from outside: what it says of each seed, what it calls a failure, and that a seed is the same run every time."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e import BUILD, LEAT, World, differ, example, one_line, tap  # noqa: E402

PROGRAM = os.path.join(BUILD, 'test', 'sim_program')
QUICK = 'T_QUICK' in os.environ
SEED = re.compile(r'^seed (\d+): (.*?),? (\d+\.\d{3}) s virtual, ([\d,]+) steps, (.*), hash ([0-9a-f]{16})(?:: (.*))?$', re.M)


def some(n):
    """So many worlds, of n; where each takes several times as long, fewer."""
    return n // 3 if QUICK else n


def sim(w, what, *flags):
    """exit code, [(seed, how it ended, hash)], the summary line, all output."""
    code, out, err = w.run(LEAT, 'sim', *flags, '--', *what)
    seeds = [(int(m.group(1)), m.group(2), m.group(6)) for m in SEED.finditer(out)]
    return code, seeds, (out.splitlines() or [''])[-1], out + err


def failing(argument, why, *parts, flags=()):
    """Each seed fails for this reason, and the output holds the parts."""
    with World() as w:
        code, seeds, last, text = sim(w, [PROGRAM, argument], '--seeds', '1..2', '--nodes', '1', *flags)
        problems = differ('the exit code', code, 1) + differ('the seeds', [(s, how) for s, how, _ in seeds],
                                                             [(1, 'FAILED, ' + why), (2, 'FAILED, ' + why)])
        problems += differ('the summary', last.split(',')[:3], ['2 seeds: 0 ok', ' 0 ended with an error', ' 2 failed'])
        return problems + ['%r is missing' % p for p in parts if p not in text] + w.left() and problems + text.splitlines()


def good_seeds_are_ok():
    with World() as w:
        code, seeds, last, text = sim(w, [PROGRAM, 'year'], '--seeds', '1..4', '--nodes', '1', '--limit', '100000000')
        problems = differ('the exit code', code, 0) + differ('the seeds', [how for _, how, _ in seeds], ['ok'] * 4)
        if not last.startswith('4 seeds: 4 ok, 0 ended with an error, 0 failed, in ') or '31536000.0' not in text:
            problems += text.splitlines()
        return problems + w.left()


def same_seed_same_hash():
    with World() as w:
        what, flags = [PROGRAM, 'other'], ('--seeds', '1..10')
        first, second = sim(w, what, *flags)[1], sim(w, what, *flags, '--jobs', '1')[1]
        problems = differ('the second time', second, first) + differ('the number of hashes', len({h for _, _, h in first}), 10)
        return problems + differ('with --twice', sim(w, what, *flags, '--twice')[:2], (0, first))


def deadlock():
    return failing('deadlock', 'deadlock', 'leat: deadlock: all tasks are asleep for ever (seed 2, ', 'h0: task run started at ',
                   'again: leat sim --seeds 2 --nodes 1 --faults all --trace trace-2.txt -- ')


def limit():
    return failing('poll', 'timeout', 'has not ended within 60 s of virtual time', flags=('--limit', '60'))


def real_time():
    return failing('spin', 'no end within 1 s of real time', flags=('--timeout', '1'))


def abort():
    return failing('abort', 'killed by signal 6 (SIGABRT)')


def exit_inside():
    return failing('exit', 'exit code 7 in the middle of leat_run')


def error_without_fault():
    return failing('fail', 'exit code 1 without a fault', 'leat: INVAL: as it was told to')


def race():
    with World() as w:
        code, seeds, last, text = sim(w, [PROGRAM, 'race'], '--seeds', '1..20', '--nodes', '1')
        problems = differ('the exit code', code, 1)
        if not any(how == 'FAILED, another output than that of seed 1 (--any-output allows it)' for _, how, _ in seeds):
            problems.append('no seed finds the race')
        code = sim(w, [PROGRAM, 'race'], '--seeds', '1..20', '--nodes', '1', '--any-output')[0]
        return problems + differ('the exit code with --any-output', code, 0)


def says_what_never_happened():
    with World() as w:
        _, _, last, _ = sim(w, [PROGRAM, 'other'], '--seeds', '1..3', '--faults', 'cut')
        return [] if 'never happened: ' in last and '3 planned faults never came' in last else [last]


def trace():
    with World() as w:
        path = w.path('trace')
        code, seeds, _, _ = sim(w, [PROGRAM, 'other'], '--seeds', '5', '--nodes', '1', '--trace', path, '--tasks')
        with open(path) as f:
            text = f.read()
        problems = differ('the exit code', code, 0) + differ('the seeds', [s for s, _, _ in seeds], [5])
        want = (' h0  runs run (program.c:', ' h0  runs leave (program.c:', ' h0  has ended: OK', 'hash ' + seeds[0][2])
        return problems + ['%r is not in the trace' % t for t in want if t not in text]


def wrong_use():
    cases = [(['--seeds', '5..1', '--', PROGRAM], 'the last is before the first'), (['--seeds', 'x', '--', PROGRAM], "--seeds 'x'"),
             (['--seeds', '1..', '--', PROGRAM], '--seeds'), (['--nodes', '0', '--', PROGRAM], "--nodes '0'"),
             (['--nodes', '65', '--', PROGRAM], "--nodes '65'"), (['--faults', 'some', '--', PROGRAM], "--faults 'some'"),
             (['--jobs', '0', '--', PROGRAM], "--jobs '0'"), (['--what', '--', PROGRAM], "unknown flag '--what'"),
             (['--seeds'], "'--seeds' needs a value"), ([], 'no program'), (['--'], 'no program'), ([PROGRAM], 'where -- is expected'),
             (['--tasks', '--', PROGRAM], 'give --trace FILE'),
             (['--plan', 'a,b', '--', PROGRAM], "--plan 'a,b'"), (['--most', '0', '--', PROGRAM], "--most '0'"),
             (['--plan', 'storm@3', '--', PROGRAM, 'ok'], '--plan=storm@3: write KIND@CHUNK'),
             (['--bugs', 'none+no.turn', '--', PROGRAM, 'ok'], "--bugs=none+no.turn: there is no rare turn 'none'"),
             (['--trace', '/no/such/place/t', '--', PROGRAM, 'ok'], '--trace /no/such/place/t: cannot be written: '),
             (['--state', '/no/such/place/t', '--', PROGRAM, 'ok'], '--state /no/such/place/t: cannot be written: '),
             (['--', '/no/such/program'], 'cannot start /no/such/program: no such'),
             (['--', 'true'], 'true ended with 0 and never called leat_run'), (['--', PROGRAM], 'ended with 3 and never called leat_run')]
    problems = []
    with World() as w:
        for args, part in cases:
            code, out, err = w.run(LEAT, 'sim', *args)
            bad = differ('the exit code', code, 2) + differ('standard output', out, '') + one_line(err, 'leat: ', part)
            problems += ['leat sim ' + ' '.join(args) + ':'] + bad if bad else []
        return problems + w.left()


def a_pool_under_many_seeds():
    with World() as w:
        code, seeds, last, text = sim(w, [example('pool')], '--seeds', '1..%d' % some(50), '--nodes', '1', '--any-output')
        return [] if code == 0 and len(seeds) == some(50) else text.splitlines()


def text_of(words):
    return b''.join(b'%s%s' % (b'abcdefghijklmnop'[i * i % 13:][:1 + i % 5], b' ' if i % 9 else b'\n') for i in range(words))


def wordcount():
    with World() as w:
        path, n = w.file('text', text_of(6000)), some(40)
        flags, what = ('--seeds', '1..%d' % n), [example('wordcount'), 'run', path]
        code, seeds, last, text = sim(w, what, *flags)
        problems = differ('the exit code', code, 0) + differ('the second time', sim(w, what, *flags)[1], seeds)
        problems += [] if re.match(r'%d seeds: \d+ ok, \d+ ended with an error, 0 failed, in .*happened: .*delay [1-9].*cut [1-9]' % n,
                                   last) and all(how == 'ok' or how.startswith('PEER_LOST') for _, how, _ in seeds) else [last]
        counted, alone = w.run(*what, env={'LEAT_SIM': 'seed=1,faults=delay'}), w.run(*what)
        return (problems and problems + text.splitlines()) + differ('the words', counted[:2], alone[:2]) + w.left()


def started_once():
    """A program is started once and copied where it calls leat_run, unless a copy would lack something, or share it: then it is started for
    each seed, as it is by --start-each and where it runs within another.  Descriptors that `leat sim` was given itself, as shells and the
    runners of tests leave some open, are none that the program has opened.  (ThreadSanitizer has a thread of its own.)"""
    problems = []
    with World() as w, open(os.devnull) as given:
        def starts(what, *flags, fds=()):
            path = w.file('starts', b'')
            code, out, err = w.run(LEAT, 'sim', '--seeds', '1..4', '--nodes', '1', '--jobs', '1', *flags, '--', *what,
                                   env={'EARLY': path, 'GIVEN': str(given.fileno())}, pass_fds=fds)
            return code, len([how for how in SEED.findall(out) if how[1] == 'ok']), os.path.getsize(path), out + err
        once, all_four, apart = 1, 4, 5                          # apart: the first, which cannot be copied, and one a seed
        for early, flags, n in (('none', (), once), ('buffer', (), once), ('none', ('--start-each',), all_four), ('print', (), apart),
                                ('open', (), apart), ('memory', (), apart), ('child', (), apart), ('alarm', (), apart),
                                ('thread', (), apart)):
            code, ok, number, text = starts([PROGRAM, 'early-' + early], *flags)
            bad = differ('the exit code', code, 0) + differ('the number that are ok', ok, 4)
            bad += [] if 'TSAN_OPTIONS' in w.env else differ('the number of starts', number, n)
            problems += [early + ':'] + bad + text.splitlines() if bad else []
        for early, n in (('none', once), ('close', once), ('open', apart), ('replace', apart)):
            code, ok, number, text = starts([PROGRAM, 'early-' + early], fds=(given.fileno(),))
            bad = differ('the exit code and what is ok', (code, ok), (0, 4))
            bad += [] if 'TSAN_OPTIONS' in w.env else differ('the number of starts', number, n)
            problems += [early + ', with a descriptor more:'] + bad + text.splitlines() if bad else []
        code, ok, number, text = starts(['sh', '-c', PROGRAM + ' early-none; exit 7'], '--no-shrink')
        bad = differ('the exit code', code, 1) + differ('failures by 7', text.count('FAILED, exit code 7 without a fault'), 4)
        return problems + (bad and ['within another:'] + bad + text.splitlines()) + w.left()


def copies_are_as_good():
    """A copy runs as the program does that was started for the seed."""
    problems = []
    with World() as w:
        path = w.file('text', text_of(6000))
        for what in ([CHANNELS], [example('wordcount'), 'run', path]):
            copied, each = (sim(w, what, '--seeds', '1..%d' % some(20), *flags)[:2] for flags in ((), ('--start-each',)))
            problems += differ('what was not copied', each, copied)
        return problems + w.left()


CHANNELS = os.path.join(BUILD, 'test', 'sim_channels')


def channels():
    """Every promise of channels holds, under every kind of fault, and a seed is the same run every time.  Under a leak checker nothing is
    left either, but by a machine that has crashed."""
    problems, n = [], some(60)
    with World() as w:
        for faults in ('delay', 'all', 'heal'):
            code, seeds, last, text = sim(w, [CHANNELS], '--seeds', '1..%d' % n, '--faults', faults)
            problems += [] if code == 0 and last.startswith('%d seeds: %d ok, ' % (n, n)) else ['--faults ' + faults] + text.splitlines()
        again = sim(w, [CHANNELS], '--seeds', '1..%d' % n, '--faults', 'heal')[1]
    return problems + differ('the second time', again, seeds)


CHOOSE = os.path.join(BUILD, 'test', 'sim_choose')
def selects():
    """One case of each select runs, each value is received once if the case of its send has run, and nobody waits for who waits for him:
    under every kind of fault, with relays and a session of a node to itself."""
    problems, n = [], some(25)
    with World() as w:
        for faults, nodes in ('delay', '3'), ('all', '4'):
            code, seeds, last, text = sim(w, [CHOOSE], '--seeds', '1..%d' % n, '--nodes', nodes, '--faults', faults)
            problems += [] if code == 0 and last.startswith('%d seeds: %d ok, ' % (n, n)) else ['--faults ' + faults] + text.splitlines()
    return problems


def selects_in_silence():
    """A select whose offer is out waits for the answer; where none comes, until its session ends by silence and grace: 40 s.  Of so many
    worlds in which a machine, or one way between two, falls silent for ever, some have such an offer; the program says what is too long."""
    problems, n = [], 30 if QUICK else 600
    with World() as w:
        for plan in 'silence@300/ever', 'oneway@300/ever':
            code, seeds, last, text = sim(w, [CHOOSE], '--seeds', '1..%d' % n, '--nodes', '2', '--plan', plan)
            problems += [] if code == 0 and last.startswith('%d seeds: %d ok, ' % (n, n)) else text.splitlines()
    return problems


def shrinks():
    """Of many faults and rare turns, those that the failure needs are left; the command that is printed fails in the same way."""
    with World() as w:
        path = w.path('trace')
        code, seeds, last, text = sim(w, [PROGRAM, 'lost'], '--seeds', '1..60', '--faults', 'crash', '--trace', path)
        problems = differ('the exit code', code, 1)
        found = re.search(r'shrunk in \d+ runs: 1 fault, 0 rare turns, 2 nodes\n    again: leat (sim .*) --trace \S+ -- ', text)
        if not found:
            return problems + ['it was not shrunk to one fault between two nodes'] + text.splitlines()
        code, out, err = w.run(LEAT, *found.group(1).split(), '--', PROGRAM, 'lost')
        problems += differ('the exit code of what is left', code, 1)
        with open(path) as f:
            trace = f.read()
        return problems + ['%r is not in the trace' % t for t in (' HELLO', ' WELCOME', 'ELEM#') if t not in trace]


def goes_on():
    """A campaign that was stopped goes on where it was, and its totals are those of one that was not."""
    with World() as w:
        state, what = w.path('state'), [CHANNELS]
        part, last = (10, 30) if QUICK else (50, 120)
        whole = sim(w, what, '--seeds', '1..%d' % last)
        sim(w, what, '--seeds', '1..%d' % part, '--state', state)
        rest = sim(w, what, '--seeds', '1..%d' % last, '--state', state)
        problems = differ('the seeds', [s for s, _, _ in rest[1]], list(range(part + 1, last + 1)))
        cut = re.compile(r'(failed), in [\d.]+ s|; [\d,]+ node-hours.*')
        problems += differ('the summary', sorted(cut.sub('', rest[2]).split(', ')), sorted(cut.sub('', whole[2]).split(', ')))
        code, _, _, text = sim(w, what, '--seeds', '1..%d' % last, '--state', state, '--faults', 'cut')
        return problems + differ('the exit code of another', code, 2) + ([] if 'another campaign' in text else [text])


def void():
    """A campaign that never met what it should is none."""
    with World() as w:
        code, _, last, text = sim(w, [PROGRAM, 'other'], '--seeds', '1..30', '--faults', 'cut', '--enough', '20')
        said = 'void: never reached cut, in 30 seeds' in text and '--enough 31' in text
        return differ('the exit code', code, 3) + ([] if said else text.splitlines())


def wordcount_of_crashed_workers():
    """A crash changes no total: ok, or, when no worker is left, PEER_LOST."""
    n = some(60)
    with World() as w:
        path = w.file('text', text_of(20000))
        code, seeds, last, text = sim(w, [example('wordcount'), 'run', path], '--seeds', '1..%d' % n, '--nodes', '4', '--faults', 'crash')
        crashed = re.findall(r'^seed \d+: (ok|PEER_LOST).* (?:crash|power loss) of ', text, re.M)
        problems = differ('the exit code', code, 0) + differ('the number of seeds', len(seeds), n)
        problems += [] if crashed.count('ok') >= n // 6 and crashed.count('ok') > 4 * crashed.count('PEER_LOST') else [last]
        return (problems and problems + text.splitlines()) + w.left()


def wordcount_of_faults_that_heal():
    """Links are cut or down for up to five seconds, workers crash and come back: every run succeeds, with the same words."""
    n = some(60)
    with World() as w:
        path = w.file('text', text_of(6000))
        code, seeds, last, text = sim(w, [example('wordcount'), 'run', path], '--seeds', '1..%d' % n, '--faults', 'heal', '--must-succeed')
        problems = differ('the exit code', code, 0) + differ('the number of seeds', len(seeds), n)
        return (problems and problems + text.splitlines()) + w.left()


def wordcount_of_workers_without_power():
    """Both workers lose power while they are called: neither call is ever answered."""
    with World() as w:
        path = w.file('text', text_of(6000))
        code, seeds, last, text = sim(w, [example('wordcount'), 'run', path], '--seeds', '9910', '--faults', 'heal', '--must-succeed')
        problems = differ('the exit code', code, 0) + ([] if text.count('power loss of h') == 2 else ['that is another world'])
        return (problems and problems + text.splitlines()) + w.left()


def tasks_that_stay():
    """A peer that takes no more for a while takes more later, also when nothing there ends."""
    n = some(100)
    with World() as w:
        code, seeds, last, text = sim(w, [PROGRAM, 'standing'], '--seeds', '1..%d' % n, '--faults', 'delay')
        problems = differ('the exit code', code, 0) + differ('the number of seeds', len(seeds), n)
        problems += [] if re.search(r'^  rpc.window_closed +[0-9]+ +[1-9]', text, re.M) else ['no peer was short of room']
        return (problems and problems + text.splitlines()) + w.left()


def a_dial_that_is_reset():
    """A rare turn may reset a dial, which is a fault for who dials once and ends with the error."""
    n = some(200)
    with World() as w:
        code, seeds, last, text = sim(w, [PROGRAM, 'dials'], '--seeds', '1..%d' % n, '--faults', 'delay', '--plan', 'none', '--bugs',
                                      'fault.dial')
        problems = differ('the exit code', code, 0) + differ('the number of seeds', len(seeds), n)
        problems += [] if re.search(r'REFUSED, exit code 1.* a dial was reset, .*: dialed once$', text, re.M) else ['no dial was reset']
        return (problems and problems + text.splitlines()) + w.left()


def memory_in_large_pieces():
    """But not where the environment says how it is to be taken."""
    with World() as w:
        seen, own, problems = w.file('seen', b''), 'glibc.malloc.check=0', []
        w.env.pop('GLIBC_TUNABLES', None)
        for env, expected in (({}, 'glibc.malloc.hugetlb=1:'), ({'GLIBC_TUNABLES': own}, own)):
            w.run(LEAT, 'sim', '--seeds', '1', '--no-shrink', '--', 'sh', '-c', 'echo "$GLIBC_TUNABLES" >' + seen, env=env)
            with open(seen) as f:
                problems += differ('what the program is told', f.read()[:len(expected)], expected)
        return problems + w.left()


tap.main([
    ('sim_of_a_good_program_is_ok', good_seeds_are_ok), ('sim_of_one_seed_has_one_hash_every_time', same_seed_same_hash),
    ('sim_reports_a_deadlock', deadlock), ('sim_ends_at_the_limit_of_virtual_time', limit),
    ('sim_ends_at_the_limit_of_real_time', real_time),
    ('sim_starts_a_program_once_if_it_can_be_copied', started_once), ('sim_of_copies_is_the_same', copies_are_as_good),
    ('sim_reports_a_signal', abort), ('sim_reports_an_exit_inside_leat_run', exit_inside),
    ('sim_fails_on_an_error_without_a_fault', error_without_fault), ('sim_finds_a_race_by_its_output', race),
    ('sim_says_what_never_happened', says_what_never_happened), ('sim_writes_a_trace_of_one_seed', trace),
    ('sim_used_wrongly_says_so_in_one_line', wrong_use), ('sim_runs_an_example', a_pool_under_many_seeds),
    ('sim_runs_the_word_count_unchanged', wordcount), ('sim_of_many_channels_keeps_every_promise', channels),
    ('sim_of_selects_of_all_kinds_keeps_every_promise', selects),
    ('sim_of_selects_whose_offer_is_out_when_a_machine_falls_silent_end_with_its_session', selects_in_silence),
    ('sim_shrinks_a_failure_to_the_faults_it_needs', shrinks), ('sim_goes_on_where_a_campaign_was', goes_on),
    ('sim_that_reached_nothing_is_void', void), ('sim_takes_memory_in_large_pieces', memory_in_large_pieces),
    ('sim_of_tasks_that_stay_starts_them_all', tasks_that_stay),
    ('sim_takes_a_dial_that_is_reset_for_a_fault', a_dial_that_is_reset),
    ('sim_of_the_word_count_with_crashed_workers_is_right', wordcount_of_crashed_workers),
    ('sim_of_the_word_count_with_faults_that_heal_always_succeeds', wordcount_of_faults_that_heal),
    ('sim_of_the_word_count_with_workers_without_power_when_they_are_called_succeeds', wordcount_of_workers_without_power)])
