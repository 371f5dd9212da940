#!/usr/bin/env python3
"""judge_test.py - the judge finds what is wrong with logs that were made up, and nothing else."""
import os
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), os.path.dirname(os.path.abspath(__file__))]
import judge  # noqa: E402
import tap  # noqa: E402
from judge import DEADLINE, OK, PEER_LOST, UNKNOWN, Record, Side  # noqa: E402
from words import Outcome, right_answer, verdict_of_words  # noqa: E402
from world import Ending, Process, kept_back  # noqa: E402

S = 10 ** 9


def r(what, n, outcome=OK, epoch=1, why=OK, lasts=1):
    return Record(ord(what), outcome, why, 0, epoch, n, 0, lasts)


def sends(what, *numbers, outcome=OK, epoch=1):
    return [r(what, n, outcome, epoch) for n in numbers]


def verdict(driver, server, driver_killed=False, server_killed=False):
    sides = Side([driver], driver_killed), Side([server], server_killed)
    return judge.judge(*sides) + judge.too_long(sides[0], 10 * S) + judge.too_long(sides[1], 10 * S)


FLUSHED = [r('F', 0)]
CASES = [
    ('what_fits_has_no_problem', sends('s', 1, 2) + FLUSHED + sends('m', 3) + sends('c', 4), sends('S', 1, 2) + sends('M', 3) +
     sends('C', 4), {}, None),
    ('twice', sends('m', 1), sends('M', 1, 1), {}, '1 was received twice'),
    ('out_of_order', sends('s', 1, 2) + FLUSHED, sends('S', 2, 1), {}, '1 was received after 2'),
    ('two_sessions_have_no_order', sends('s', 1) + sends('s', 2, epoch=2) + FLUSHED + [r('F', 0, epoch=2)],
     sends('S', 2, epoch=2) + sends('S', 1), {}, None),
    ('not_sent_and_received', sends('m', 1, outcome=PEER_LOST), sends('M', 1), {}, 'though its sender was told PEER_LOST'),
    ('a_deadline_and_received', sends('c', 1, outcome=DEADLINE), sends('C', 1), {}, 'though its sender was told DEADLINE'),
    ('a_doubt_may_be_either', sends('m', 1, 2, outcome=UNKNOWN), sends('M', 2), {}, None),
    ('a_select_that_was_lost', sends('e', 1), [], {}, 'were OK and not received'),
    ('a_select_in_vain_and_received', sends('e', 1, outcome=4), sends('E', 1), {}, 'though its sender was told AGAIN'),
    ('a_rendezvous_that_was_lost', sends('m', 1), [], {}, 'were OK and not received'),
    ('a_killed_receiver_takes_one_rendezvous', sends('m', 1), [], {'server_killed': True}, None),
    ('and_no_second_one', sends('m', 1, 2), [], {'server_killed': True}, 'were OK and not received'),
    ('a_call_that_was_lost', sends('c', 1), [], {'server_killed': True}, 'was OK and was not executed'),
    ('a_call_is_executed_once', sends('c', 1), sends('C', 1, 1), {}, 'twice'),
    ('a_stream_that_lost_one', sends('s', 1, 2, 3) + FLUSHED, sends('S', 1, 2), {}, 'at most 0 may be'),
    ('a_stream_without_a_flush', sends('s', 1, 2), sends('S', 1), {}, 'no flush said so'),
    ('the_flush_said_so', sends('s', 1, 2, 3) + [r('F', 1, UNKNOWN)], sends('S', 1, 2), {}, None),
    ('the_flush_said_less', sends('s', 1, 2, 3) + [r('F', 1, UNKNOWN)], sends('S', 1), {}, '2 elements are missing where at most 1'),
    ('a_gap', sends('s', 1, 2, 3) + [r('F', 3, UNKNOWN)], sends('S', 1, 3), {}, '2 is missing and 3 behind it'),
    ('a_killed_receiver_takes_its_queue', sends('s', *range(1, 20)) + FLUSHED, sends('S', 1, 2), {'server_killed': True}, None),
    ('and_no_more', sends('s', *range(1, 22)) + FLUSHED, sends('S', 1, 2), {'server_killed': True}, '19 elements are missing'),
    ('from_nowhere', [], sends('S', 9), {}, 'no outcome of it is written down'),
    ('of_a_killed_sender', [], sends('S', 9), {'driver_killed': True}, None),
    ('the_way_back', [], sends('b', 1) + [r('f', 0)], {}, '1 elements are missing'),
    ('damaged', [], [r('X', 1)], {}, 'came damaged'),
    ('too_long', [r('m', 1, UNKNOWN, lasts=11 * S)], [], {}, 'where 10.00 is the bound'),
]


def case(driver, server, how, expected):
    got = verdict(driver, server, **how)
    good = not got if expected is None else any(expected in line for line in got)
    return None if good else ['expected: %s' % expected, 'got:'] + got


def a_session_that_goes_on_is_noticed_by_nobody():
    good = [r('D', 0), r('s', 1), r('m', 2, UNKNOWN, why=DEADLINE)]
    bad = {'2 sessions': [r('D', 0), r('D', 0)], 'ended: PEER_LOST': [r('D', 0), r('L', 0, PEER_LOST)],
           'm 2 is UNKNOWN': [r('D', 0), r('m', 2, UNKNOWN, why=PEER_LOST)]}
    got = judge.unbroken(Side([good]), Side([[]]))
    for text, records in bad.items():
        if not any(text in line for line in judge.unbroken(Side([records]), Side([[]]))):
            got.append('not found: %s' % text)
    return got


def a_session_that_is_lost_within_its_grace_is_told():
    dialed = r('D', 0)
    good = [[dialed, r('L', 0, PEER_LOST, lasts=2 * S)], [dialed, r('L', 0)], [r('D', 0, PEER_LOST), r('L', 0, PEER_LOST)]]
    got = [x for records in good for x in judge.too_soon(Side([records]), 2 * S)]
    bad = judge.too_soon(Side([[dialed, r('L', 0, PEER_LOST, lasts=S)]]), 2 * S)
    return got + ([] if bad == ['session 1 was lost 1.00 s after its dial, and has a grace of 2.00 s'] else ['not found'] + bad)


# == who has no time, and who does not end ==

KEPT = [('ran_all_the_time', ('R', 5), ('R', 15), False), ('ran_a_little', ('S', 5), ('R', 9), True), ('slept', ('R', 5), ('S', 5), False),
        ('is_new', None, ('R', 0), False)]


def kept(before, after, expected):
    got = kept_back({1: before} if before else {}, {1: after}, 10)
    return None if got == expected else ['kept back: %s' % got]


class Starved(Ending):
    """What waits for a processor until it has been looked at four times, and ends then."""

    most, looks = 10 ** 6, 0

    def look(self):
        self.looks += 1
        if self.looks == 4:
            self.programs[0].process.stdin.close()
        return {0: ('R', 0)}


def outcome(ending):
    p = Process(['cat'])
    try:
        return ending([p]).wait(p, 0.05)
    except subprocess.TimeoutExpired:
        return 'does not end'
    finally:
        p.kill()


def who_sleeps_for_ever_is_told_from_who_has_no_time():
    got = outcome(Ending), outcome(Starved)
    return None if got == ('does not end', 0) else ['%r' % (got,)]


LOST = 'leat: lost node 1 (tcp://h:1): the link broke; 3 of its shards are dealt again'
GIVEN_UP = 'leat: PEER_LOST: no worker for 5 s'


def words(how, expected, **changes):
    """The verdict on a count of 100 pieces; changes: of what was right."""
    fine = Outcome(code=0, out=right_answer(100), err=[], taken=100, url='tcp://h:1', seconds=6, alone=True, dead=False, outlived=True)
    problems, late, ended = verdict_of_words(fine._replace(**changes))
    problems += late
    good = (not problems if expected is None else any(expected in p for p in problems)) and (how == ended)
    return None if good else ['expected: %s, %s' % (how, expected), 'got: %s' % ended] + problems


ended = dict(code=1, out=[], err=[LOST, GIVEN_UP], outlived=False)
WORDS = [
    ('the_right_total', lambda: words('right', None)),
    ('a_piece_less', lambda: words('right', 'another result', out=right_answer(99))),
    ('a_piece_twice', lambda: words('right', 'another result', out=right_answer(101))),
    ('nothing', lambda: words('right', 'another result', out=[])),
    ('lost_for_nothing', lambda: words('right', 'its session outlives this', err=[LOST])),
    ('dead_and_not_told', lambda: words('right', 'nobody was told', dead=True, outlived=False)),
    ('dead_and_told', lambda: words('right', None, dead=True, outlived=False, err=[LOST])),
    ('given_up', lambda: words('given up', None, **ended)),
    ('given_up_too_soon', lambda: words('wrong', 'the count ended with 1', **dict(ended, seconds=4))),
    ('given_up_beside_another_worker', lambda: words('wrong', 'the count ended with 1', **dict(ended, alone=False))),
    ('given_up_with_a_result', lambda: words('given up', 'part of a result', **dict(ended, out=['1 a']))),
    ('no_answer_in_time', lambda: words('given up', 'the count ended with 1', **dict(ended, err=['REFUSED: no answer to the hello']))),
    ('another_error', lambda: words('wrong', 'the count ended with 1', **dict(ended, err=['leat: INVAL: no']))),
    ('a_signal', lambda: words('wrong', 'the count ended with -11', **dict(ended, code=-11))),
]

tap.main([('judge_' + name, lambda d=d, s=s, h=h, e=e: case(d, s, h, e)) for name, d, s, h, e in CASES] +
         [('words_' + name, f) for name, f in WORDS] +
         [('a_thread_that_' + name, lambda b=b, a=a, e=e: kept(b, a, e)) for name, b, a, e in KEPT] +
         [('who_sleeps_for_ever_is_told_from_who_has_no_time', who_sleeps_for_ever_is_told_from_who_has_no_time)] +
         [('a_session_that_goes_on_is_noticed_by_nobody', a_session_that_goes_on_is_noticed_by_nobody),
          ('a_session_that_is_lost_within_its_grace_is_told', a_session_that_is_lost_within_its_grace_is_told)])
