"""models.py - the protocols of the runtime that hold without a lock, small enough to be tried in every way.

Each model is a function of a set of switches, which break it: MODELS names them, and with each the explorer must find a failure, or
the model would prove nothing.  A comment names the functions that a thread stands for; what they do under a lock is shortened to what
the others see of it.  LONG: they run unbroken when MODELS_LONG is set.
"""
from weak import add, barrier, cas, fail, fence, load, lock, na_read, na_write, program, rmw, sleep, store, swap, unlock, until, wake

NONE, WAIT, CHAN, CANCEL = 0, 1, 2, 3


def park(broken):
    """One wait, and three that would end it: exactly one does, and what it brings is there when the task runs again."""
    def claim(why):
        if 'a claim is a look and a store' in broken:
            seen = yield load('park', 'acq')
            if seen == WAIT:
                yield store('park', why, 'rel')
            return seen == WAIT
        return (yield cas('park', WAIT, why)) == WAIT

    def waiter():                                    # wait_in, undo
        yield lock('lock')
        if (yield na_read('buffer')):
            yield unlock('lock')
            return
        yield na_write('queued', 1)
        if 'it waits after it can be found' not in broken:
            yield store('park', WAIT)
        yield unlock('lock')
        if 'it waits after it can be found' in broken:
            yield store('park', WAIT)
        yield until('ready', lambda n: n > 0)
        if (yield load('park')) == CHAN:
            if (yield na_read('value')) != 42:
                yield fail('served without the value')
            return
        yield lock('lock')
        if (yield na_read('queued')):
            yield na_write('queued', 0)
        yield unlock('lock')

    def sender():                                    # send_locked, waiter_claim
        yield lock('lock')
        if not (yield na_read('queued')):
            yield na_write('buffer', 42)
            yield unlock('lock')
            return
        yield na_write('queued', 0)
        mine = yield from claim(CHAN)
        if mine and 'ready before the value' in broken:
            yield add('ready', 1)
        if mine:
            yield na_write('value', 42)
        yield unlock('lock')
        if mine and 'ready before the value' not in broken:
            yield add('ready', 1)

    def canceller():                                 # ctx_mark
        if (yield from claim(CANCEL)):
            yield add('ready', 1)

    def timer():                                     # wheel_fire
        if (yield from claim(CANCEL)):
            yield add('ready', 1)

    return program(waiter, sender, canceller, timer, init=dict(park=NONE, lock=0, queued=0, buffer=0, value=0, ready=0),
                   end=lambda v: 'made ready %d times' % v['ready'] if v['ready'] > 1 else None)


def cancel_while_registered(broken):
    """A task waits again in a context that knows it: the canceller sees it wait, or it sees the cancel."""
    def waiter():                                    # wait_in, task_wait
        yield store('park', WAIT)
        if 'the unlock is an exchange and no fence' in broken:
            yield swap('lock', 0, 'sc')
        elif 'no fence between waiting and looking' in broken:
            yield unlock('lock')
        else:
            yield unlock('lock')
            yield fence()
        if 'it does not look for the cancel' not in broken:
            if (yield load('done')) and (yield cas('park', WAIT, CANCEL)) == WAIT:
                return
        yield until('ready', lambda n: n > 0)

    def canceller():                                 # ctx_mark
        if 'it looks at who waits first' in broken:
            mine = (yield cas('park', WAIT, CANCEL)) == WAIT
            yield store('done', 1, 'rel')
        else:
            yield store('done', 1, 'rel')
            if 'no fence between the mark and the look' not in broken:
                yield fence()
            mine = (yield cas('park', WAIT, CANCEL)) == WAIT
        if mine:
            yield add('ready', 1)

    return program(waiter, canceller, init=dict(park=NONE, lock=1, done=0, ready=0))


def cancel_at_the_first_wait(broken):
    """A task registers with its context at its first wait there, while that is cancelled."""
    def waiter():                                    # task_wait, ctx_register
        yield store('park', WAIT)
        yield lock('lock')
        yield na_write('list', 1)
        yield unlock('lock')
        if 'it does not look for the cancel' not in broken:
            if (yield load('done')) and (yield cas('park', WAIT, CANCEL)) == WAIT:
                return
        yield until('ready', lambda n: n > 0)

    def canceller():                                 # cancel
        yield lock('lock')
        known = yield na_read('list')
        if 'it reads the list before it marks, and without the lock' in broken:
            yield unlock('lock')
        yield store('done', 1, 'rel')
        mine = known and (yield cas('park', WAIT, CANCEL)) == WAIT
        if 'it reads the list before it marks, and without the lock' not in broken:
            yield unlock('lock')
        if mine:
            yield add('ready', 1)

    return program(waiter, canceller, init=dict(park=NONE, lock=0, list=0, done=0, ready=0))


def timer_that_stays_armed(broken):
    """A wait with a later deadline leaves an armed timer alone, while that timer fires and finds no deadline."""
    def waiter():                                    # leat_sleep, task_wait
        yield store('deadline', 5)
        yield store('park', WAIT)
        if 'no fence between deadline and timer' not in broken:
            yield fence()
        if not (yield load('armed')):                # timer_arm: it will fire
            yield lock('wheel')
            yield store('armed', 1)
            yield unlock('wheel')
            return
        yield until('ready', lambda n: n > 0)

    def handler():                                   # wheel_fire
        yield lock('wheel')
        if 'it reads the deadline first' in broken:
            deadline = yield load('deadline')
            yield store('armed', 0)
        else:
            yield store('armed', 0)
            if 'no fence between timer and deadline' not in broken:
                yield fence()
            deadline = yield load('deadline')
        yield unlock('wheel')
        if deadline:                                 # put back, and fires in its time
            yield add('ready', 1)

    return program(waiter, handler, init=dict(park=NONE, deadline=0, armed=1, wheel=0, ready=0))


THIEF, FENCE = 1, 2


def own_section(broken, inside):
    """The owner's side of the lopsided lock."""
    yield store('busy', 1)                           # own_begin
    if (yield load('guard', 'acq')):
        while True:                                  # own_wait
            if 'the slow way has no fence' not in broken:
                yield fence()
            guard = yield load('guard', 'acq')
            if not guard & THIEF:
                if guard & FENCE:
                    yield store('fences', 1, 'rel')
                break
            yield store('busy', 0, 'rel')
            yield until('guard', lambda g: not g & THIEF)
            yield store('busy', 1)
    yield from inside()
    yield store('busy', 0, '' if 'a section does not release' in broken else 'rel')


def thief_section(broken, inside, kernel=True):
    """A thief's side; it gives up when it has been patient."""
    if 'it looks whether the owner is busy first' in broken and (yield load('busy', 'acq')):
        return
    if (yield swap('thief_lock', 1, 'acq')):
        return
    yield rmw('guard', lambda g: g | THIEF, 'sc')
    seen = True
    if (yield load('fences', 'acq')):
        yield fence()
    elif kernel:
        if 'no barrier' not in broken:
            yield barrier()
    else:
        seen = False
        yield rmw('guard', lambda g: g | FENCE, 'sc')
    if 'it does not wait for the owner' in broken and 'it does not ask for fences' not in broken:
        seen = seen and 'at once'
    if seen and (seen == 'at once' or 'it looks whether the owner is busy first' in broken or not (yield load('busy', 'acq'))):
        yield from inside()
    yield rmw('guard', lambda g: g & ~THIEF, 'rel')
    yield unlock('thief_lock')


LOPSIDED = dict(busy=0, guard=0, fences=0, thief_lock=0)


def lopsided_lock(broken):
    """A worker is in its queues again and again, by plain stores; two thieves come, and the kernel has the barrier."""
    def touches():
        yield na_write('queues', 'changed')

    def owner():                                     # own_begin, own_wait, own_end
        yield from own_section(broken, touches)
        yield from own_section(broken, touches)

    def thief():                                     # thief_begin, thief_end
        yield from thief_section(broken, touches)

    def other_thief():
        yield from thief_section(broken, touches)

    return program(owner, thief, other_thief, init=dict(LOPSIDED, queues=''), barriers=True)


def lopsided_lock_without_barrier(broken):
    """The same where the kernel has none: the first thief asks for fences and goes, a later one comes in."""
    def touches():
        yield na_write('queues', 'changed')

    def owner():                                     # own_begin, own_wait, own_end
        yield from own_section(broken, touches)
        yield from own_section(broken, touches)

    def thief():                                     # thief_begin, thief_end
        yield from thief_section(broken, touches, False)
        yield from thief_section(broken, touches, 'it trusts that the owner fences' in broken)

    if 'it trusts that the owner fences' in broken:
        broken = broken | {'no barrier'}
    return program(owner, thief, init=dict(LOPSIDED, queues=''))


def ring(broken):
    """A run queue of two places: its owner pushes without a section and takes in one, a thief takes under its guard.  Each task runs
    once, after it was written."""
    size = 2

    def runs(task):
        if not task:
            yield fail('took a task that is not there')
        yield na_write('task%d' % task, 'ran')
        yield add('ran%d' % task, 1, '')

    def take(got):                                   # ring_take
        def inside():
            head = yield load('head')
            if head != (yield load('tail', 'acq')):
                got.append((yield load('slot%d' % (head % size))))
                yield store('head', head + 1, '' if 'the head does not release' in broken else 'rel')
        return inside

    def owner():                                     # ring_push, ring_pop
        for task in (1, 2, 3):
            yield na_write('task%d' % task, 'made')
            got = []
            if task == 3:
                yield from own_section(broken, take(got))
            tail = yield load('tail')
            if tail - (yield load('head', 'acq')) < size:
                yield store('slot%d' % (tail % size), task)
                yield store('tail', tail + 1, '' if 'the tail does not release' in broken else 'rel')
            else:
                got.append(task)
            for t in got:
                yield from runs(t)

    def thief():                                     # take, take_ring
        got = []
        if 'it takes without a guard' in broken:
            yield from take(got)()
        else:
            yield from thief_section(broken, take(got))
        for t in got:
            yield from runs(t)

    def drain(v):
        left = [v['slot%d' % (i % size)] for i in range(v['head'], v['tail'])]
        bad = [t for t in (1, 2, 3) if v['ran%d' % t] + left.count(t) != 1]
        return 'task %d ran %d times and is queued %d times' % (bad[0], v['ran%d' % bad[0]], left.count(bad[0])) if bad else None

    return program(owner, thief, end=drain, barriers=True, init=dict(
        LOPSIDED, head=0, tail=0, slot0=0, slot1=0, task1='', task2='', task3='', ran1=0, ran2=0, ran3=0))


ON_FUTEX, SPINNING = 1, 3


def push_from_outside(broken):
    """All workers sleep, and a thread that is none of them brings a task."""
    def worker():                                    # nap, find
        for _ in range(2):
            yield swap('sleeping', ON_FUTEX, 'sc')
            busy = 0
            if 'it looks before it is known to sleep' in broken:
                busy = yield load('count')
            yield rmw('mask', lambda m: m | 1, 'sc')
            if 'no fence between its bit and the look' not in broken:
                yield fence()
            if not broken & {'it looks before it is known to sleep', 'it does not look again'}:
                busy = yield load('count')
            if not busy:
                yield sleep('sleeping', ON_FUTEX)
            yield store('sleeping', 0, 'rel')
            yield fence()
            yield rmw('mask', lambda m: m & ~1, 'sc')
            if (yield load('count')):
                return
        yield until('count', lambda n: n > 0)

    def stranger():                                  # global_push, idle_wake_one, idle_wake
        if 'it looks for sleepers first' in broken:
            mask = yield load('mask', 'sc')
        yield add('count', 1, 'sc')
        if 'it looks for sleepers first' not in broken:
            mask = yield load('mask', 'sc')
        if mask and (yield rmw('mask', lambda m: m & ~1, 'sc')) & 1:
            if (yield swap('sleeping', 0, 'sc')) == ON_FUTEX:
                yield wake('sleeping')

    return program(worker, stranger, init=dict(sleeping=0, mask=0, count=0))


def push_by_one_who_wakes(broken):
    """A worker ends a short nap and makes a task ready behind one that never yields, while another falls asleep for good."""
    def sleeper():                                   # nap
        yield swap('sleeping', ON_FUTEX, 'sc')
        yield rmw('mask', lambda m: m | 1, 'sc')
        yield store('unwatched', 1)
        yield fence()
        if 'it does not ask whether others are awake' not in broken:
            if not (yield load('other', 'sc')):
                return                               # a short nap: it looks for work again
        if (yield load('tasks')):
            return
        yield sleep('sleeping', ON_FUTEX)

    def runner():                                    # nap, task_ready, idle_watch, idle_wake_one
        if 'it runs before it says that it is awake' not in broken:
            yield swap('other', 0, 'sc')
            if 'its word is an exchange and no fence' not in broken:
                yield fence()
        yield store('tasks', 1, 'rel')
        if (yield load('unwatched')) and (yield swap('unwatched', 0, 'sc')):
            if (yield rmw('mask', lambda m: m & ~1, 'sc')) & 1 and (yield swap('sleeping', 0, 'sc')) == ON_FUTEX:
                yield wake('sleeping')
        if 'it runs before it says that it is awake' in broken:
            yield swap('other', 0, 'sc')

    return program(sleeper, runner, init=dict(sleeping=0, other=ON_FUTEX, mask=0, unwatched=0, tasks=0))


def spin_before_sleep(broken):
    """A worker looks around for a while, then sleeps: a task that comes at that moment wakes it."""
    def worker():                                    # nap, spin, sleep_now
        yield swap('sleeping', SPINNING, 'sc')
        yield rmw('mask', lambda m: m | 1, 'sc')
        yield fence()
        if (yield load('count')):
            return
        if (yield load('sleeping')) != SPINNING:     # one turn of the loop
            return
        if 'it sleeps whatever its word says' in broken:
            yield store('sleeping', ON_FUTEX)
        elif (yield cas('sleeping', SPINNING, ON_FUTEX, 'sc')) != SPINNING:
            return
        yield sleep('sleeping', ON_FUTEX)

    def stranger():
        yield add('count', 1, 'sc')
        if (yield load('mask', 'sc')) and (yield rmw('mask', lambda m: m & ~1, 'sc')) & 1:
            how = yield swap('sleeping', 0, 'sc')
            if how == ON_FUTEX and 'it wakes nobody' not in broken:
                yield wake('sleeping')

    return program(worker, stranger, init=dict(sleeping=0, mask=0, count=0))


def pinned_task(broken):
    """A task that must run on one worker is made ready elsewhere while that worker falls asleep."""
    def worker():                                    # nap
        yield swap('sleeping', ON_FUTEX, 'sc')
        yield fence()
        if 'it does not look again' not in broken and (yield load('pinned')):
            return
        yield sleep('sleeping', ON_FUTEX)

    def other():                                     # ready_pinned, idle_wake
        if 'it wakes before it queues' in broken and (yield swap('sleeping', 0, 'sc')) == ON_FUTEX:
            yield wake('sleeping')
        yield lock('lock')
        yield store('pinned', 1)
        yield unlock('lock')
        yield fence()
        if 'it wakes before it queues' not in broken and (yield swap('sleeping', 0, 'sc')) == ON_FUTEX:
            yield wake('sleeping')

    return program(worker, other, init=dict(sleeping=0, pinned=0, lock=0))


def first_waits_in_a_context(broken):
    """Two tasks wait for the first time in a context that its parent does not know yet, while that is cancelled: both are told."""
    def waits(me):                                   # ctx_link, ctx_register, task_wait
        yield store('park%d' % me, WAIT)
        if not (yield load('linked', '' if 'the link is looked at as it comes' in broken else 'acq')):
            yield lock('parent')
            if not (yield load('linked')):
                if 'it is linked before it is marked' in broken:
                    yield store('linked', 1, 'rel')
                yield na_write('kid', 1)
                if (yield load('parent_done')):
                    yield store('done', 1, 'rel')
                if 'it is linked before it is marked' not in broken:
                    yield store('linked', 1, 'rel')
            yield unlock('parent')
        yield lock('lock')
        yield na_write('list', (yield na_read('list')) + (me,))
        yield unlock('lock')
        if (yield load('done')) and (yield cas('park%d' % me, WAIT, CANCEL)) == WAIT:
            return
        yield until('ready%d' % me, lambda n: n > 0)

    def one():
        yield from waits(1)

    def two():
        yield from waits(2)

    def canceller():                                 # cancel, ctx_mark
        yield lock('parent')
        yield store('parent_done', 1, 'rel')
        if (yield na_read('kid')):
            yield lock('lock')
            if not (yield load('done')):
                yield store('done', 1, 'rel')
                for me in (yield na_read('list')):
                    if (yield cas('park%d' % me, WAIT, CANCEL)) == WAIT:
                        yield add('ready%d' % me, 1)
            yield unlock('lock')
        yield unlock('parent')

    return program(one, two, canceller, init=dict(park1=NONE, park2=NONE, linked=0, kid=0, parent=0, parent_done=0, lock=0, done=0,
                                                  list=(), ready1=0, ready2=0))


def last_reference(broken):
    """Two owners of a channel let go of it, and a session may take a reference anew for as long as it holds it: it is freed once, by the
    last one."""
    def used(me):
        yield na_write('memory%d' % me, 'used')

    def frees():
        for me in range(3):
            yield na_write('memory%d' % me, 'free')

    def let_go(at):
        yield from used(at)
        first, then = ('refs', 'holds') if 'it asks for the holds last' in broken else ('holds', 'refs')
        mo = '' if 'it looks as it comes' in broken else 'acq'
        if (yield load(first, mo)) == 1 and (yield load(then, mo)) == 1:
            return (yield from frees())
        if (yield add('refs', -1)) == 1:
            yield from unhold()

    def unhold():
        if (yield add('holds', -1)) == 1:
            yield from frees()

    def one():                                       # leat_unref_
        yield from let_go(0)

    def two():
        yield from let_go(1)

    def session():                                   # chan_ref_again, hold_drop
        n = yield load('refs')
        while n:
            seen = yield cas('refs', n, n + 1, '')
            if seen == n:
                break
            n = seen
        if not n and (yield add('refs', 1)) == 0:
            yield add('holds', 1)
        yield from used(2)
        yield from unhold()
        yield from let_go(2)

    return program(one, two, session, init=dict(refs=2, holds=2, memory0='', memory1='', memory2=''))


def group(broken):
    """Two members of a group end, and one waits for both and then frees the group."""
    mo = 'acq' if 'a member leaves without releasing' in broken else 'ar'

    def ends(me):                                    # task_main, group_wake
        yield na_write('result%d' % me, 1)
        yield na_write('group%d' % me, 'used')       # the group's memory, as this member sees it
        was = yield add('count', -2, mo)
        if 'it looks at the count again' in broken:
            yield na_write('group%d' % me, 'used')
            was = (yield load('count', 'acq')) + 2
        if was != 3:
            return
        yield na_write('group%d' % me, 'used')
        if not (yield load('waiter', 'acq')):
            yield fail('nobody to wake')
        yield add('ready', 1)

    def member():
        yield from ends(1)

    def other_member():
        yield from ends(2)

    def waiter():                                    # group_wait
        if (yield load('count', 'acq')):
            if 'it says that it waits first' not in broken:
                yield store('waiter', 1)
            was = yield rmw('count', lambda c: c | 1)
            if 'it says that it waits first' in broken:
                yield store('waiter', 1)
            if was >> 1:
                yield until('ready', lambda n: n > 0)
        for me in (1, 2):
            if (yield na_read('result%d' % me)) != 1:
                yield fail('a member has not ended')
            yield na_write('group%d' % me, 'free')

    return program(member, other_member, waiter, init=dict(
        count=4, waiter=0, ready=0, result1=0, result2=0, group1='', group2=''))


KEEP, WAITED, HELD, LOSSES_MAX = 1, 2, 4, 1
TAKEN, WAITERS = HELD | KEEP, WAITED | KEEP


def mutex(broken, again=False):
    """Three tasks lock and unlock: one at a time, none forgotten, and the last may free the mutex."""
    lockers = 3
    taken = HELD if 'one that is passed on looks free' in broken else TAKEN

    def wait(me, lost, woken):                       # lock_wait
        yield lock('lock')
        word = yield load('word')
        while True:
            if not word & taken:
                queue = yield na_read('queue')
                to = HELD | (WAITERS if queue and 'who takes it forgets who waits' not in broken else 0)
                seen = yield cas('word', word, to, 'acq')
                if seen == word:
                    yield unlock('lock')
                    return 'taken'
            elif word & WAITED:
                break
            else:
                seen = yield cas('word', word, word | WAITERS, 'acq')
                if seen == word:
                    break
            word = seen
        queue = yield na_read('queue')
        yield na_write('queue', ((me, lost),) + queue if lost else queue + ((me, lost),))
        yield unlock('lock')
        yield until('ready%d' % me, lambda n: n > woken)
        return (yield na_read('over%d' % me))

    def takes(me, woken):                            # leat_lock, lock_contended
        if (yield cas('word', 0, HELD, 'acq')) == 0:
            return woken
        lost = 0
        while True:
            how = yield from wait(me, lost, woken)
            woken += how != 'taken'
            if how:
                return woken
            word = yield load('word')
            if not word & taken and (yield cas('word', word, HELD | (WAITERS if word else 0), 'acq')) == word:
                return woken
            lost += 1

    def passes_on(me):                               # pass_on
        while True:
            yield lock('lock')
            yield store('word', HELD | WAITERS)
            queue = yield na_read('queue')
            first, rest = (queue[0], queue[1:]) if queue else (None, ())
            yield na_write('queue', rest)
            if not rest:
                yield store('word', HELD)
            over = first and first[1] >= LOSSES_MAX
            if first:
                yield na_write('over%d' % first[0], over)
            yield na_write('mutex%d' % me, 'used')
            yield unlock('lock')
            if first and not over:
                yield rmw('word', lambda w: w & WAITED, 'rel')
            if first:
                yield add('ready%d' % first[0], 1)
                return
            if (yield cas('word', HELD, 0, 'rel')) == HELD:
                return

    def uses(me, woken=0):
        woken = yield from takes(me, woken)
        n = yield na_read('sum')
        yield na_write('sum', n + 1)
        yield na_write('mutex%d' % me, 'used')
        if 'an unlock forgets who waits' in broken:
            yield store('word', 0, 'rel')
        elif (yield add('word', -HELD, '' if 'an unlock does not release' in broken else 'rel')) != HELD:
            yield from passes_on(me)
        if 'it touches the mutex after it is free' in broken:
            yield na_write('mutex%d' % me, 'used')
        if n + 1 == lockers + again:
            for other in range(lockers):
                yield na_write('mutex%d' % other, 'free')
        return woken

    def one():
        woken = yield from uses(0)
        if again:
            yield from uses(0, woken)

    def two():
        yield from uses(1)

    def three():
        yield from uses(2)

    init = dict(word=0, lock=0, queue=(), sum=0)
    for i in range(lockers):
        init.update({'ready%d' % i: 0, 'over%d' % i: False, 'mutex%d' % i: ''})
    return program(one, two, three, init=init)


def mutex_taken_again(broken):
    """The same, and one of them locks twice."""
    return mutex(broken, True)


def stand_in(broken):
    """A thread that is no task sleeps on its word, which is set after all that the wake brings."""
    def thread():                                    # sleep_until
        for _ in range(2):
            if 'it looks at the park word' in broken and (yield load('park', 'acq')) != WAIT:
                break
            if (yield load('awake', 'acq')):
                break
            yield sleep('awake', 0)
        else:
            yield until('awake', lambda a: a == 1)
        if (yield na_read('value')) != 42:
            yield fail('woken without the value')

    def waker():                                     # send_locked, task_wake_foreign
        yield cas('park', WAIT, CHAN)
        yield na_write('value', 42)
        if 'it wakes and then says so' in broken:
            yield wake('awake')
            yield store('awake', 1, 'rel')
        else:
            yield store('awake', 1, '' if 'its word does not release' in broken else 'rel')
            yield wake('awake')

    return program(thread, waker, init=dict(park=WAIT, awake=0, value=0))


def leaving_a_stack(broken):
    """A task can be found before its thread has left its stack: nobody else steps on that before."""
    def leaves():                                    # sched_switch, plat_switch
        yield store('park', WAIT, 'rel')
        if 'it says so before it has left' in broken:
            yield store('sp', 1, 'rel')
        yield na_write('stack', 'registers')
        if 'it says so before it has left' not in broken:
            yield store('sp', 1, '' if 'the stack pointer does not release' in broken else 'rel')

    def resumes():                                   # sched_switch, wait_for_pend
        yield until('park', lambda p: p == WAIT)
        yield cas('park', WAIT, CHAN)
        if 'it does not wait for the stack pointer' in broken:
            yield load('sp', 'acq')
        else:
            yield until('sp', lambda p: p != 0)
        yield store('sp', 0)
        if (yield na_read('stack')) != 'registers':
            yield fail('resumed without its registers')
        yield na_write('stack', 'another frame')

    return program(leaves, resumes, init=dict(park=NONE, sp=0, stack=''))


def end_of_a_runtime(broken):
    """A thread from outside brings the last task, and the runtime ends as soon as that has run."""
    def stranger():                                  # go_foreign, ready_far
        if 'it does not say that it visits' not in broken:
            yield add('visitors', 1, '')
        yield store('task', 1, 'rel')
        yield na_write('runtime', 'looked for sleepers')
        if 'it does not say that it visits' not in broken:
            yield add('visitors', -1, '' if 'it leaves without releasing' in broken else 'rel')

    def ends():                                      # rt_run
        yield until('task', lambda t: t == 1)
        yield until('visitors', lambda n: n == 0)
        yield na_write('runtime', 'free')

    return program(stranger, ends, init=dict(visitors=0, task=0, runtime=''))


def signal_receiver(broken):
    """A handler of signals writes to a pipe while its receiver is taken away."""
    mo = '' if 'relaxed' in broken else 'sc'

    def handler():                                   # on_signal
        if 'it does not say that it is inside' not in broken:
            yield add('inside', 1, mo)
        if (yield load('mask', mo)):
            yield na_write('pipe', 'byte')
        if 'it does not say that it is inside' not in broken:
            yield add('inside', -1, 'rel' if mo == '' else mo)

    def closes():                                    # signals_close
        if 'it waits before it hides the receiver' in broken:
            yield until('inside', lambda n: n == 0)
        yield swap('mask', 0, mo)
        if 'it waits before it hides the receiver' not in broken:
            yield until('inside', lambda n: n == 0)
        yield na_write('pipe', 'closed')

    return program(handler, closes, init=dict(inside=0, mask=1, pipe=''))


def task_that_has_begun(broken):
    """A maker sleeps until its task has begun; what the task is to have lies on the maker's stack until then."""
    def maker():                                     # task_go_begun
        if 'it waits before it can be woken' not in broken:
            yield store('park', WAIT)
        if 'it looks and then sleeps' in broken:
            if (yield load('state', 'acq')) == 0:
                yield store('state', 1)
                yield until('ready', lambda r: r == 1)
        elif (yield cas('state', 0, 1, 'ar')) == 0:
            yield until('ready', lambda r: r == 1)
        if (yield load('state', 'acq')) != 2:
            yield fail('it goes on and the task has not begun')
        yield na_write('arg', 'another frame')

    def task():                                      # begin, tell
        if (yield na_read('arg')) != 'argument':
            yield fail('it begins with something else')
        mo = '' if 'its word does not release' in broken else 'ar'
        if (yield swap('state', 2, mo)) == 1:
            if (yield load('park')) != WAIT:
                yield fail('it wakes one who does not wait')
            yield store('ready', 1, 'rel')

    return program(maker, task, init=dict(park=NONE, state=0, ready=0, arg='argument'))


def watcher_that_sleeps(broken):
    """The watcher sleeps when no worker is awake, and the first that wakes wakes it."""
    def watcher():                                   # sleep_with_them, anybody_awake
        word = yield load('word', 'acq')
        if 'it looks before it says that it sleeps' in broken and not (yield load('sleeping', 'sc')):
            return
        yield swap('watch_sleeps', 1, 'sc')
        if 'it looks before it says that it sleeps' not in broken and not (yield load('sleeping', 'sc')):
            return
        if (yield load('word', 'acq')) == word:
            yield sleep('word', word)

    def worker():                                    # nap, watch_kick
        yield store('sleeping', 0, 'rel')
        if 'no fence behind its word' not in broken:
            yield fence()
        if (yield load('watch_sleeps', 'sc')) and (yield swap('watch_sleeps', 0, 'ar')):
            if 'it does not move the word' not in broken:
                yield add('word', 1, 'rel')
            yield wake('word')

    return program(watcher, worker, init=dict(word=0, sleeping=ON_FUTEX, watch_sleeps=0))


MODELS = [
    (task_that_has_begun, ['it looks and then sleeps', 'it waits before it can be woken', 'its word does not release']),
    (watcher_that_sleeps, ['it looks before it says that it sleeps', 'no fence behind its word', 'it does not move the word']),
    (park, ['a claim is a look and a store', 'it waits after it can be found', 'ready before the value']),
    (cancel_while_registered, ['the unlock is an exchange and no fence', 'no fence between waiting and looking',
                               'no fence between the mark and the look', 'it looks at who waits first',
                               'it does not look for the cancel']),
    (cancel_at_the_first_wait, ['it does not look for the cancel', 'it reads the list before it marks, and without the lock']),
    (first_waits_in_a_context, ['it is linked before it is marked', 'the link is looked at as it comes']),
    (last_reference, ['it asks for the holds last', 'it looks as it comes']),
    (timer_that_stays_armed, ['no fence between deadline and timer', 'no fence between timer and deadline',
                              'it reads the deadline first']),
    (lopsided_lock, ['no barrier', 'a section does not release', 'it looks whether the owner is busy first']),
    (lopsided_lock_without_barrier, ['it trusts that the owner fences', 'the slow way has no fence']),
    (ring, ['the tail does not release', 'it takes without a guard', 'no barrier']),
    (push_from_outside, ['it looks before it is known to sleep', 'no fence between its bit and the look', 'it does not look again',
                         'it looks for sleepers first']),
    (push_by_one_who_wakes, ['its word is an exchange and no fence', 'it does not ask whether others are awake',
                             'it runs before it says that it is awake']),
    (spin_before_sleep, ['it sleeps whatever its word says', 'it wakes nobody']),
    (pinned_task, ['it does not look again', 'it wakes before it queues']),
    (group, ['a member leaves without releasing', 'it looks at the count again', 'it says that it waits first']),
    (mutex, ['an unlock forgets who waits', 'an unlock does not release', 'it touches the mutex after it is free',
             'one that is passed on looks free']),
    (mutex_taken_again, ['who takes it forgets who waits']),
    (stand_in, ['it looks at the park word', 'it wakes and then says so', 'its word does not release']),
    (leaving_a_stack, ['it says so before it has left', 'the stack pointer does not release',
                       'it does not wait for the stack pointer']),
    (end_of_a_runtime, ['it does not say that it visits', 'it leaves without releasing']),
    (signal_receiver, ['relaxed', 'it does not say that it is inside', 'it waits before it hides the receiver']),
]
LONG = {mutex_taken_again}
