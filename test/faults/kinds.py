"""kinds.py - the table of faults.  docs/faults.md says the same for people.

Each kind does something to a world that works, and ends it: it returns when (ns) the fault began and when all was well again.  What is
random in it comes from `rng`.  It says what must hold beyond what the judge asks of every run:

  outlived  where the session is the same as before, and nobody has noticed but by the time it took
  dead      one side is certainly lost: everything that waits for it must be told within the bound
"""
import collections
import signal
import subprocess
import time

from world import ADDRESS, DEAD_S, GRACE_S, IDLE_S, PATIENCE_S, SCALE

Kind = collections.namedtuple('Kind', 'name places fault outlived dead killed')
KINDS = []
# In the suite the word count goes through one of each way to do harm; `make faults` leads it through all.
SMOKE = ('words_are_counted_cut_at_a_byte', 'words_are_counted_refused', 'words_are_counted_packets_lost',
         'words_are_counted_link_down_and_up', 'words_are_counted_stopped_for_too_long', 'words_are_counted_server_killed_and_restarted',
         'words_are_counted_driver_killed_and_another_starts')
SOCKETS, PACKETS, CABLE, ANYWHERE = ('tcp', 'unix'), ('tun',), ('veth',), ('tcp', 'unix', 'veth')


def kind(name, places, outlived=('tcp', 'unix', 'tun', 'veth'), dead=False, killed=()):
    def add(function):
        KINDS.append(Kind(name, places, function, outlived, dead, killed))
        return function
    return add


def pause(seconds):
    time.sleep(seconds)
    return time.monotonic_ns()


def way(rng):
    return rng.choice(('out', 'in'))


def short(rng):
    """Nobody notices."""
    return rng.uniform(0.2, 0.7) * IDLE_S


def long(rng):
    """A link is given up, its session is not."""
    return IDLE_S + PATIENCE_S + rng.uniform(0.1, 0.4) * GRACE_S


def either(rng):
    return rng.choice((short, long))(rng)


def for_a_while(w, rng, *commands, undo):
    began = w.tell(*commands)
    pause(rng.uniform(0.2, 0.5) * SCALE)
    return began, w.tell(*undo)


# == connections, through the relay ==

@kind('cut_at_a_byte', SOCKETS)
def cut_at_a_byte(w, rng):
    began = w.tell('%s both %s %d' % (rng.choice(('cut', 'end')), way(rng), rng.randrange(5000)))
    return began, w.relay.line('cut') and pause(0)


@kind('cut_for_one_side', SOCKETS)
def cut_for_one_side(w, rng):
    began = w.tell('cut %s %s %d' % (rng.choice(('dialer', 'target')), way(rng), rng.randrange(3000)))
    return began, w.relay.line('cut') and pause(0)


@kind('cut_again_and_again', SOCKETS)
def cut_again_and_again(w, rng):
    began = w.tell('often both %s 4000 %d' % (way(rng), rng.randrange(3, 9)))
    return began, pause(rng.uniform(0.2, 0.5) * SCALE)


@kind('cut_in_the_hello', SOCKETS)
def cut_in_the_hello(w, rng):
    began = w.tell('often both %s %d %d' % (way(rng), rng.choice((40, 200)), rng.randrange(3, 7)), 'cut both')
    return began, pause(rng.uniform(0.1, 0.3) * SCALE)


@kind('refused', SOCKETS + PACKETS, outlived=PACKETS)     # nobody listens any more: on the same host, that is an end
def refused(w, rng):
    began = w.tell('refuse', 'cut both')
    pause(either(rng))
    return began, w.tell('accept')


@kind('held_shortly', SOCKETS)
def held_shortly(w, rng):
    ways = rng.choice(('out', 'in', 'both'))
    began = w.tell('hold ' + ways)
    pause(short(rng))
    return began, w.tell('release ' + ways)


@kind('held_for_long', SOCKETS)
def held_for_long(w, rng):
    ways = rng.choice(('out', 'in', 'both'))
    began = w.tell('hold ' + ways)
    pause(long(rng))
    return began, w.tell('release ' + ways)


@kind('swallowed', SOCKETS)
def swallowed(w, rng):
    ways = rng.choice(('out', 'in', 'both'))
    began = w.tell('swallow ' + ways)
    pause(either(rng))
    return began, w.tell('release ' + ways)


@kind('delay_and_stalls', SOCKETS)
def delay_and_stalls(w, rng):
    d = rng.randrange(1, 25) * SCALE
    return for_a_while(w, rng, 'delay both %d %d' % (d, d), 'stall %s 30 %d' % (way(rng), 60 * SCALE),
                       undo=('delay both 0', 'stall both 0'))


@kind('a_thin_path', SOCKETS)
def a_thin_path(w, rng):
    return for_a_while(w, rng, 'rate %s %d' % (way(rng), rng.randrange(30000, 200000)), undo=('rate both 0',))


@kind('crumbs', SOCKETS)
def crumbs(w, rng):
    return for_a_while(w, rng, 'chunk both %d' % rng.randrange(1, 20), undo=('chunk both 0',))


# == packets, through the relay between two networks ==

@kind('packets_lost', PACKETS)
def packets_lost(w, rng):
    return for_a_while(w, rng, 'loss both %d' % rng.randrange(10, 120), undo=('loss both 0',))


@kind('packets_doubled_and_out_of_order', PACKETS)
def packets_doubled_and_out_of_order(w, rng):
    return for_a_while(w, rng, 'delay both 1 1', 'late both %d %d' % (rng.randrange(20, 300), rng.randrange(1, 9)),
                       'twice both %d' % rng.randrange(20, 300), undo=('late both 0', 'twice both 0', 'delay both 0'))


@kind('bits_flipped', PACKETS)
def bits_flipped(w, rng):
    return for_a_while(w, rng, 'flip both %d' % rng.randrange(10, 80), undo=('flip both 0',))


@kind('a_forged_reset', PACKETS)
def a_forged_reset(w, rng):
    began = w.tell('cut ' + rng.choice(('dialer', 'target', 'both')))
    pause(rng.uniform(0.0, 0.05))
    return began, w.tell('cut ' + rng.choice(('dialer', 'target', 'both')))


@kind('a_hole_for_long_packets', PACKETS)
def a_hole_for_long_packets(w, rng):
    began = w.tell('hole %s %d' % (rng.choice(('out', 'in', 'both')), rng.randrange(250, 1000)))
    pause(either(rng))
    return began, w.tell('hole both 0')


# == a cable and two hosts ==

@kind('link_down_and_up', CABLE)
def link_down_and_up(w, rng):
    side, began = rng.randrange(2), time.monotonic_ns()
    w.ip(side, 'link set way%d down' % side)
    pause(either(rng))
    w.ip(side, 'link set way%d up' % side)
    return began, time.monotonic_ns()


@kind('one_way_cut', CABLE)
def one_way_cut(w, rng):
    side, began = rng.randrange(2), time.monotonic_ns()
    route = '%s %s/32' % (rng.choice(('blackhole', 'unreachable')), ADDRESS[1 - side])
    w.ip(side, 'route add ' + route)
    pause(either(rng))
    w.ip(side, 'route del ' + route)
    return began, time.monotonic_ns()


@kind('address_gone_and_back', CABLE)
def address_gone_and_back(w, rng):
    side, began = rng.randrange(2), time.monotonic_ns()
    w.ip(side, 'addr del %s/24 dev way%d' % (ADDRESS[side], side))
    pause(either(rng))
    w.ip(side, 'addr add %s/24 dev way%d' % (ADDRESS[side], side))
    return began, time.monotonic_ns()


@kind('killed_by_the_kernel', CABLE)
def killed_by_the_kernel(w, rng):
    side, began = rng.randrange(2), time.monotonic_ns()
    subprocess.run(w.within(side, 'ss', '-tK', 'dst', ADDRESS[1 - side]), check=True, stdout=subprocess.DEVNULL)
    return began, time.monotonic_ns()


@kind('a_smaller_mtu', CABLE)
def a_smaller_mtu(w, rng):
    side, began = rng.randrange(2), time.monotonic_ns()
    w.ip(side, 'link set way%d mtu %d' % (side, rng.randrange(300, 1000)))
    pause(either(rng))
    w.ip(side, 'link set way%d mtu 1500' % side)
    return began, time.monotonic_ns()


# == processes ==

@kind('stopped_shortly', ANYWHERE)
def stopped_shortly(w, rng):
    p, began = w.peer[rng.choice(('drive', 'serve'))], time.monotonic_ns()
    p.signal(signal.SIGSTOP)
    pause(either(rng))
    p.signal(signal.SIGCONT)
    return began, time.monotonic_ns()


@kind('stopped_for_too_long', ANYWHERE, outlived=(), dead=True)
def stopped_for_too_long(w, rng):
    p, began = w.peer['serve'], time.monotonic_ns()
    p.signal(signal.SIGSTOP)
    pause(DEAD_S + rng.uniform(0.2, 0.5) * SCALE)
    p.signal(signal.SIGCONT)
    return began, time.monotonic_ns()


@kind('server_killed_and_restarted', ANYWHERE, outlived=(), dead=True, killed=('serve',))
def server_killed_and_restarted(w, rng):
    if w.relay and rng.random() < 0.3:
        w.tell('hold both', 'wait %d' % (short(rng) * 1000), 'release both')
    began = time.monotonic_ns()
    w.peer['serve'].kill()
    pause(rng.uniform(0, 0.2) * SCALE)
    w.run_peer('serve')
    return began, time.monotonic_ns()


@kind('driver_killed_and_another_starts', ANYWHERE, outlived=(), killed=('drive',))
def driver_killed_and_another_starts(w, rng):
    began = time.monotonic_ns()
    w.peer['drive'].kill()
    pause(rng.uniform(0, 0.2) * SCALE)
    w.run_peer('drive')
    return began, time.monotonic_ns()
