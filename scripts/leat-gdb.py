"""leat-gdb.py - leat's tasks in gdb, of a running program and of a core.

    (gdb) source /usr/local/share/leat/leat-gdb.py        # or in ~/.gdbinit
    (gdb) leat tasks            every task: its number, state, names, where it was started, what it waits for
    (gdb) leat bt 3             the calls of task 3;  leat bt all: of all
    (gdb) leat bt reader        of the tasks whose function or own name is `reader`
    (gdb) leat core FILE        as generate-core-file, with the stacks of tasks in it: their guard pages cannot be read (Linux 6.13 and
                                later), and gdb leaves out what lies around such a page.  Cores that the kernel writes are whole.

The library must have its debugging information (-g).  Nothing in the program runs, so a core will do: a parked task's registers are
read from its stack, where the switch has put them (src/plat/switch_*.S), and given to gdb as the frame above the current one.
"""
import gdb
import gdb.unwinder

PARK = ['ready', 'waits', 'ready', 'ready: it was cancelled', 'ready: a time has come', 'waits']
WAIT, PLAIN = 1, 5
USUAL, WHOLE, AWAY = 0x20, 0x40, 0x80                # of task.nap
NEVER = 2 ** 63 - 1
# what plat_switch has pushed: register and offset from the stack pointer it saved; the pc; how much it takes off
SAVED = {
    'x86-64': ([('r15', 0), ('r14', 8), ('r13', 16), ('r12', 24), ('rbx', 32), ('rbp', 40)], 48, 56, 'rsp', 'rip'),
    'aarch64': ([('x%d' % (19 + i), 8 * i) for i in range(12)], 88, 176, 'sp', 'pc'),
}


def saved():
    arch = gdb.selected_inferior().architecture().name()
    return SAVED['aarch64' if 'aarch64' in arch else 'x86-64']


def word(address):
    raw = gdb.selected_inferior().read_memory(address, 8)
    return int.from_bytes(bytes(raw), 'little')


def text(value):
    return value.string(errors='replace') if int(value) else '?'


def runtimes():
    try:
        rt = gdb.parse_and_eval("'rt.c'::all")
    except gdb.error as e:
        raise gdb.GdbError('leat: no debugging information of the library: %s' % e)
    while int(rt):
        yield rt
        rt = rt['next']


def tasks():
    """Every task, oldest memory first."""
    kind = gdb.lookup_type('struct task')
    for rt in runtimes():
        slabs, slab = [], rt['slabs']
        while int(slab):
            if not int(slab['stacks']):
                slabs.append(slab)
            slab = slab['next']
        for slab in reversed(slabs):
            base = int(slab['mem'])
            for at in range(base, base + int(slab['bytes']), kind.sizeof):
                t = gdb.Value(at).cast(kind.pointer())
                if int(t['fn']):
                    yield rt, t


def worker_of(rt, t):
    for i in range(int(rt['nworkers'])):
        if int(rt['workers'][i]['cur']) == int(t):
            return rt['workers'][i]
    return None


class Away:
    """Where the frames of a hibernated task are: [lo, hi) of its stack lies `by` further on (src/run/hiber.h)."""

    def __init__(self, rt, t):
        sp, stack, nap = int(t['sp']), int(t['stack']), int(t['nap'])
        away = gdb.Value(sp).cast(gdb.lookup_type('struct plat_away').pointer()) - 1
        self.lo, self.pc, self.usual, self.whole = int(away['sp']), int(away['pc']), bool(nap & USUAL), bool(nap & WHOLE)
        self.hi = stack - (rt['usual'].type.sizeof if self.usual else 0)
        self.by = sp - self.lo


def away(rt, t):
    sp = int(t['sp'])
    gone = sp and not int(t['fresh']) and int(t['nap']) & AWAY and not 0 <= int(t['stack']) - sp < int(rt['stack_bytes'])
    return Away(rt, t) if gone else None


def waits_for(rt, t):
    """The waiter that says what the task's wait is for, or None."""
    on, sp, a = int(t['on']), int(t['sp']), away(rt, t)
    if int(t['park']) not in (WAIT, PLAIN) or not sp or not (a.lo if a else sp) <= on < int(t['stack']):
        return None
    return gdb.Value(on + (a.by if a else 0)).cast(t['on'].type).dereference()


def channel(w):
    c = w['owner'].cast(gdb.lookup_type('struct leat_chan_').pointer())
    return '%s (%d of %d queued)' % (w['owner'], int(c['count']), int(c['cap']))


def waiting(w, by=0):
    what = text(w['kind']['what'])
    if 'select' in what:
        many = gdb.Value(int(w['owner']) + by).cast(w.type.pointer())
        return what + ', or '.join(waiting(many[i], by) for i in range(int(w['id'])) if int(many[i]['on']))
    if 'channel' in what:
        return what + channel(w)
    return what + (str(int(w['id'])) if 'descriptor' in what else str(w['owner']) if what.endswith(' ') else '')


def state(rt, t):
    worker = None if int(t['fresh']) else worker_of(rt, t)
    if int(t['fresh']):
        return 'not begun'
    if worker is not None:
        return 'runs on worker %d' % int(worker['id'])
    w, park, a = waits_for(rt, t), int(t['park']), away(rt, t)
    s = 'it ' + waiting(w, a.by if a else 0) if w is not None and int(w['kind']) else PARK[park] if park < len(PARK) else '?'
    return s if int(t['deadline']) == NEVER else s + ', with a deadline'


def names(rt, t):
    site, own, a = t['site'], '', away(rt, t)
    if not int(t['fresh']) and int(t['stack']) and (not a or a.whole):
        stack = gdb.Value(int(t['stack']) + (a.by if a else 0)).cast(t['stack'].type)
        own = stack['name'].string(errors='replace')
    function = text(site['name']) if int(site) else '?'
    where = '%s:%d' % (text(site['file']), int(site['line'])) if int(site) else '?'
    return function, own, where


def line(n, rt, t):
    function, own, where = names(rt, t)
    return '%4d  %s%s started at %s: %s' % (n, function, ' "%s"' % own if own else '', where, state(rt, t))


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Parked(gdb.unwinder.Unwinder):
    """While a task is set, the newest frame's caller is where that task is parked.  The frames of a hibernated task are read in their
    copy, where the frame pointers still say where the frames were: one that does is put in order by a frame between, which
    is that frame once more."""

    def __init__(self):
        super().__init__('leat')
        self.sp, self.newest, self.away, self.between = None, None, None, set()

    def in_order(self, frame):
        _, _, _, sp_name, pc_name = saved()
        fp_name, a = 'x29' if sp_name == 'sp' else 'rbp', self.away
        sp, fp = int(frame.read_register(sp_name)), int(frame.read_register(fp_name))
        if not a or not a.lo + a.by <= sp <= a.hi + a.by or not a.lo <= fp < a.hi:
            return None
        info = frame.create_unwind_info(FrameId(gdb.Value(sp), frame.read_register(pc_name)))
        for name, value in ((fp_name, fp + a.by), (sp_name, sp), (pc_name, int(frame.read_register(pc_name)))):
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        self.between.add((sp, fp))
        return info

    def __call__(self, frame):
        regs, pc_at, size, sp_name, pc_name = saved()
        if self.sp is None:
            return None
        if int(frame.read_register(sp_name)) != self.newest:
            return self.in_order(frame)
        # the id lies below the task's frames, or gdb would take a caller on another stack for a broken one
        info = frame.create_unwind_info(FrameId(gdb.Value(self.sp - 256), frame.read_register(pc_name)))

        def save(name, value):
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        for name, at in regs:
            save(name, word(self.sp + at))
        save(pc_name, self.away.pc if self.away else word(self.sp + pc_at))
        save(sp_name, self.sp + size)
        return info


PARKED = Parked()
gdb.unwinder.register_unwinder(None, PARKED, replace=True)


def frames(f, a=None):
    """Of a hibernated task: until they are no more of its copy; what all stacks begin with is not in it."""
    n, last = 0, None
    sp_name = saved()[3]
    fp_name = 'x29' if sp_name == 'sp' else 'rbp'
    while f is not None and f.is_valid() and f.pc():
        sp, older = int(f.read_register(sp_name)), f.older()
        if a and sp > a.hi + a.by:
            break
        if not a or (sp, int(f.read_register(fp_name))) not in PARKED.between:
            at = f.find_sal()
            where = '%s:%d' % (at.symtab.filename, at.line) if at.symtab else '0x%x' % f.pc()
            print('      #%-2d %s (%s)' % (n, f.name() or '?', where))
            last, n = f.name(), n + 1
        f = older
    if a and a.usual and last != 'task_main':
        print('      #%-2d task_main (as of every task)' % n)


def show_parked(rt, t):
    gdb.newest_frame().select()
    PARKED.newest = int(gdb.newest_frame().read_register(saved()[3]))
    PARKED.sp, PARKED.away, PARKED.between = int(t['sp']), away(rt, t), set()
    gdb.invalidate_cached_frames()
    try:
        frames(gdb.newest_frame().older(), PARKED.away)
    finally:
        PARKED.sp = PARKED.away = None
        gdb.invalidate_cached_frames()


def show_running(w):
    before = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == int(w['tid']):
                thread.switch()
                frames(gdb.newest_frame())
    finally:
        before.switch()


def show(rt, t):
    worker = None if int(t['fresh']) else worker_of(rt, t)
    if worker is not None:
        show_running(worker)
    elif not int(t['fresh']) and int(t['sp']):
        show_parked(rt, t)


def guards():
    """The address and size of every guard page: those of stacks that were used, and of those that workers have ready."""
    kind, size = gdb.lookup_type('struct stack'), 4096
    for rt in runtimes():
        slab, step = rt['slabs'], int(rt['stack_bytes'])
        while int(slab):
            base, end = int(slab['mem']), int(slab['mem']) + int(slab['bytes'])
            while int(slab['stacks']) and base < end:
                s = gdb.Value(base + step - (kind.sizeof + 63) // 64 * 64).cast(kind.pointer())
                if int(s['san']['base']):
                    size = int(s['san']['base']) - base
                    yield base, size
                base += step
            slab = slab['next']
        for i in range(int(rt['nworkers'])):
            w = rt['workers'][i]
            for base in range(int(w['stack_slab']), int(w['stack_guarded']), step):
                yield base, size


def by_register(pages, what):
    """madvise of each page by the registers of the stopped thread alone.  A call of a function also puts the vector registers back, which
    gdb 13 cannot do on processors whose state is larger than it knows (AMX)."""
    names, number = ('rax', 'rdi', 'rsi', 'rdx', 'rcx', 'r11', 'rip', 'orig_rax'), 28
    start = int(gdb.parse_and_eval('(unsigned long)&syscall'))
    at = gdb.selected_inferior().search_memory(start, 64, b'\x0f\x05')
    if at is None:
        raise gdb.GdbError('leat core: no system call is found in syscall()')
    locking = gdb.parameter('scheduler-locking')
    gdb.execute('set scheduler-locking on')
    kept = {name: int(gdb.parse_and_eval('(long)$' + name)) for name in names}
    try:
        for page, size in pages:
            for name, value in zip(names[:4], (number, page, size, what)):
                gdb.execute('set var $%s = %d' % (name, value))
            gdb.execute('set var $rip = %d' % at)
            gdb.execute('set var $orig_rax = -1')
            gdb.execute('stepi', to_string=True)
    finally:
        for name in names:
            gdb.execute('set var $%s = %d' % (name, kept[name]))
        gdb.execute('set scheduler-locking %s' % locking)


def by_call(pages, what):
    for page, size in pages:
        gdb.parse_and_eval('(int)madvise((void *)%d, (unsigned long)%d, %d)' % (page, size, what))


def core(path):
    GUARD_INSTALL, GUARD_REMOVE = 102, 103
    pages = list(guards())
    advise = by_register if 'x86-64' in gdb.selected_frame().architecture().name() else by_call
    gdb.newest_frame().select()
    advise(pages, GUARD_REMOVE)
    try:
        gdb.execute('generate-core-file ' + path)
    finally:
        advise(pages, GUARD_INSTALL)


class Leat(gdb.Command):
    """leat tasks; leat bt N | all | NAME: the tasks of a leat program and the calls they are in.  leat core FILE: a core with them."""

    def __init__(self):
        super().__init__('leat', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split() or ['tasks']
        if words[0] == 'core' and len(words) == 2:
            core(words[1])
            return
        found = list(enumerate(tasks(), 1))
        if words[0] == 'tasks':
            for n, (rt, t) in found:
                print(line(n, rt, t))
            return
        if words[0] != 'bt' or len(words) != 2:
            raise gdb.GdbError('leat tasks, or: leat bt NUMBER, leat bt NAME, leat bt all, leat core FILE')
        hit = [(n, x) for n, x in found if words[1] in ('all', str(n)) + names(*x)[:2]]
        if not hit:
            raise gdb.GdbError('leat: no task %s: see leat tasks' % words[1])
        for n, (rt, t) in hit:
            print(line(n, rt, t))
            show(rt, t)


Leat()
