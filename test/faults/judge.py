"""judge.py - whether the logs of two programs (peer.c) fit each other.

What must hold, whatever happened on the way:
  nothing is received twice, or damaged, or though its sender was told that it was certainly not sent
  what one task sent in one session is received in the order sent
  OK is received; the stream's last elements may be missing when its flush said UNKNOWN, and only so many as it said
  nothing lasts longer than the bound
A program that was killed takes with it what it had received and not written down, and what it was about to write: so much less is known.
"""
import struct

RECORD = struct.Struct('<BBBBIqqq')
OK, CLOSED, CANCELED, DEADLINE, PEER_LOST, GONE, UNKNOWN = 0, 1, 2, 3, 10, 11, 12
NAMES = {0: 'OK', 1: 'CLOSED', 2: 'CANCELED', 3: 'DEADLINE', 4: 'AGAIN', 5: 'NOMEM', 6: 'INVAL', 7: 'LIMIT', 8: 'TYPE', 9: 'REFUSED',
         10: 'PEER_LOST', 11: 'GONE', 12: 'UNKNOWN', 13: 'REMOTE', 14: 'SYS'}
WORK = {'s': 'stream', 'm': 'rendezvous', 'e': 'rendezvous in a select', 'c': 'calls', 'b': 'stream back'}
FLUSH = {'s': 'F', 'b': 'f'}
QUEUED = {'s': 16, 'b': 4}                  # the capacities: what a killed receiver had taken off the wire and not yet received


class Record:
    __slots__ = ('what', 'outcome', 'why', 'epoch', 'n', 'begin', 'end')

    def __init__(self, what, outcome, why, _, epoch, n, begin, end):
        self.what, self.outcome, self.why, self.epoch, self.n, self.begin, self.end = chr(what), outcome, why, epoch, n, begin, end


def read(path, offset=0):
    """Records of a log from a byte on; a record is whole or not yet there."""
    try:
        with open(path, 'rb') as f:
            f.seek(offset)
            data = f.read()
    except FileNotFoundError:
        return []
    return [Record(*r) for r in RECORD.iter_unpack(data[:len(data) // RECORD.size * RECORD.size])]


class Side:
    """The lives of one program, in their order: the records of each; all but the last were killed, and that too if `killed`."""

    def __init__(self, lives, killed=False):
        self.lives, self.killed = lives, killed or len(lives) > 1
        self.records = [r for life in lives for r in life]

    def of(self, what):
        return [r for r in self.records if r.what == what]


def missing_of(ok, got, lost, receiver_killed, sender_killed, queued):
    """What is wrong with what one session's stream lacks.  ok: numbers that were OK, in order; got: those received; lost: how many
    the flush gave up (None: there was no flush)."""
    missing = [n for n in ok if n not in got]
    if not missing:
        return []
    if lost is None and not sender_killed:
        return ['%d of its elements are missing, the first is %d, and no flush said so' % (len(missing), missing[0])]
    later = [n for n in ok if n in got and n > missing[0]]
    if later:
        return ['element %d is missing and %d behind it was received' % (missing[0], later[0])]
    most = len(ok) if lost is None else lost + (queued + 1 if receiver_killed else 0)
    if len(missing) > most:
        return ['%d elements are missing where at most %d may be; the first is %d' % (len(missing), most, missing[0])]
    return []


def fits(work, sender, receiver):
    """Lines that say how the receipts of one work do not fit what its sender was told."""
    problems, sent = [], {r.n: r for r in sender.of(work)}
    got, last = {}, {}
    for r in receiver.of(work.upper()):
        if r.n in got:
            problems.append('%d was received twice' % r.n)
        got[r.n] = r
        if work != 'c':
            if last.get(r.epoch, 0) >= r.n:
                problems.append('%d was received after %d of the same session' % (r.n, last[r.epoch]))
            last[r.epoch] = r.n
        s = sent.get(r.n)
        if s is None and not sender.killed:
            problems.append('%d was received and no outcome of it is written down' % r.n)
        if s is not None and s.outcome not in (OK, UNKNOWN):
            problems.append('%d was received though its sender was told %s' % (r.n, NAMES.get(s.outcome, s.outcome)))
    problems += lacks(work, sender, receiver, sent, got)
    return ['%s: %s' % (WORK[work], p) for p in problems]


def lacks(work, sender, receiver, sent, got):
    if work == 'c':
        return ['%d was OK and was not executed' % n for n, s in sent.items() if s.outcome == OK and n not in got]
    if work in 'me':
        lost = sorted(n for n, s in sent.items() if s.outcome == OK and n not in got)
        most = len(receiver.lives) if receiver.killed else 0
        return ['%s were OK and not received, where at most %d may be so' % (lost[:5], most)] if len(lost) > most else []
    problems, flushes = [], {r.epoch: r for r in sender.of(FLUSH[work])}
    for epoch in sorted({s.epoch for s in sent.values()}):
        ok = sorted(n for n, s in sent.items() if s.epoch == epoch and s.outcome == OK)
        f = flushes.get(epoch)
        lost = None if f is None else f.n if f.outcome == UNKNOWN else 0
        problems += ['session %d: %s' % (epoch, p) for p in missing_of(ok, got, lost, receiver.killed, sender.killed, QUEUED[work])]
    return problems


def too_long(side, bound_ns):
    return ['%s %d took %.2f s where %.2f is the bound' % (r.what, r.n, (r.end - r.begin) / 1e9, bound_ns / 1e9)
            for r in side.records if r.what in 'smecbFfD' and r.end - r.begin > bound_ns]


def too_soon(driver, grace_ns):
    """Lines that say which sessions were lost before their grace could be over, however long their programs had to wait."""
    dialed = {r.epoch: r.begin for r in driver.of('D') if r.outcome == OK}
    lived = {r.epoch: r.end - dialed[r.epoch] for r in driver.of('L') if r.outcome == PEER_LOST and r.epoch in dialed}
    return ['session %d was lost %.2f s after its dial, and has a grace of %.2f s' % (epoch, ns / 1e9, grace_ns / 1e9)
            for epoch, ns in lived.items() if ns < grace_ns]


def unbroken(driver, server):
    """Lines that say where somebody noticed anything, when sessions outlive what happened."""
    problems = []
    dials = [r for r in driver.of('D') if r.outcome == OK]
    if len(dials) != 1:
        problems.append('%d sessions where one outlives this' % len(dials))
    problems += ['session %d ended: %s' % (r.epoch, NAMES.get(r.outcome)) for r in driver.of('L') if r.outcome != OK]
    for side in (driver, server):
        for r in side.records:
            doubt = r.outcome == UNKNOWN and r.why not in (DEADLINE, CANCELED)
            if r.what in 'smecbFf' and (doubt or r.outcome == PEER_LOST):
                problems.append('%s %d is %s' % (r.what, r.n, NAMES[r.outcome]))
    return problems[:8]


def judge(driver, server):
    """Lines that say what does not hold, at any speed."""
    problems = ['%s: %d came damaged' % (name, len(side.of('X')))
                for name, side in (('driver', driver), ('server', server)) if side.of('X')]
    for work in 'smec':
        problems += fits(work, driver, server)
    return problems + fits('b', server, driver)


def count(driver, server):
    """How many outcomes of each kind, for the report."""
    found = {}
    for work in 'smecb':
        for r in (server if work == 'b' else driver).of(work):
            name = NAMES.get(r.outcome, str(r.outcome))
            found[name] = found.get(name, 0) + 1
    return found
