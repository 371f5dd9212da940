"""rows.py - what bench/run.py measures: each row's name, unit, program, targets and meaning.

A row is one figure.  Its program prints it, often beside other rows of the same run, and takes its name from the first of them.
Every peer has the program under the same name.  A unit that ends in /s is better when higher, any other when lower.
"""
import collections

# program: None is the row's own name.  targets: for 1 and 2 workers, None where there is none.  quick: the n of a smoke run.
# peers: whose programs have this row; 'leat' is left out of rows that only give a scale.  of_raw: the share of the floor to
# reach.
Row = collections.namedtuple('Row', 'name unit program targets quick peers what of_raw')

LEAT = ('leat',)
UNIX_NET = ('leat', 'go', 'zmq', 'nng', 'grpc')                      # over a Unix socket
TCP_NET = UNIX_NET + ('erlang',)
RAW_TCP, RAW_UNIX = TCP_NET + ('raw',), UNIX_NET + ('raw',)
LEAT_GO, LEAT_GO_RAW, LEAT_GO_TOKIO, LEAT_GO_BOOST = ('leat', 'go'), ('leat', 'go', 'raw'), ('leat', 'go', 'tokio'), ('leat', 'go', 'boost')
LIBRARIES = ('leat', 'protobuf', 'protobufc', 'capnp', 'msgpack')
ONE_THREAD = ('codec', 'gob', 'json')                                # programs that take no part in how many workers there are
ALL, NO_BOOST, NO_ERLANG = LEAT_GO_TOKIO + ('boost', 'erlang'), LEAT_GO_TOKIO + ('erlang',), LEAT_GO_TOKIO + ('boost',)


def _row(name, unit, targets, what, program=None, quick=1000, peers=LEAT_GO, of_raw=None):
    if not isinstance(targets, tuple):
        targets = (targets, targets)
    return Row(name, unit, program or name, targets, quick, peers, what, of_raw)


ROWS = [
    _row('spawn', 'ns', (16, 24), 'start a task in a group and wait for it, in batches of 1,000', peers=ALL),
    _row('spawn-wait', 'ns', None, 'the same, one by one'),
    _row('yield', 'ns', 7, 'two tasks give way to each other; with 2 workers each may run alone', peers=ALL),
    _row('pingpong', 'ns', (45, 52), 'a value and its answer over two unbuffered channels, a round trip', peers=ALL),
    _row('pingpong-deadline', 'ns', 62, 'the same, each receive under a deadline; Go: one reused timer a goroutine'),
    _row('pingpong-cancel', 'ns', (45, 52), 'the same in a scope that can be cancelled; Go: select with ctx.Done()'),
    _row('select-after', 'ns', None, 'the same, each receive a select with a time-out case; Go: time.After'),
    _row('buffered-1x1', 'ns', 9, 'one producer, one consumer, room for 128, an element', peers=NO_ERLANG),
    _row('buffered-4x4', 'ns', 9, 'four of each, room for 128', peers=LEAT_GO_BOOST),
    _row('unbuffered-4x4', 'ns', (22, 26), 'four of each, no room'),
    _row('select-ready-2', 'ns', 13, 'a send, then a select over an array of 2 channels that finds it; Go: a select statement'),
    _row('select-ready-8', 'ns', 18, 'the same over 8'),
    _row('select-ready-64', 'ns', 80, 'the same over 64'),
    _row('select-ready-2-cases', 'ns', 18, 'over 2, each a case of its own', peers=LEAT_GO_TOKIO),
    _row('select-ready-8-cases', 'ns', 25, 'over 8, each a case of its own'),
    _row('select-blocked-2', 'ns', 32, 'a select over an array of 2 that waits for the sender'),
    _row('select-blocked-8', 'ns', 55, 'the same over 8'),
    _row('select-blocked-64', 'ns', 280, 'the same over 64'),
    _row('select-blocked-2-cases', 'ns', None, 'over 2, each a case of its own', peers=LEAT_GO_TOKIO),
    _row('select-blocked-8-cases', 'ns', None, 'over 8, each a case of its own'),
    _row('skynet', 'ms', 60, 'a tree of tasks with a million leaves, ten below each, sums their numbers', quick=100, peers=ALL),
    _row('skynet-peak', 'MiB', 8, 'the most memory that took', 'skynet', 100, peers=ALL),
    _row('sieve', 'ms', (110, 70), '2,500 primes from a chain of 2,500 filters', quick=20),
    _row('ring', 'ns', 45, 'a token in a ring of 10,000 tasks that all wait, a hop', peers=ALL),
    _row('parked', 'ns', 4500, 'start one of a million tasks and let it wait, on memory never touched before; Boost: of'
         ' 100,000', peers=ALL),
    _row('parked-warm', 'ns', 250, 'the same again, on the memory of the first million', 'parked', peers=ALL),
    _row('parked-bytes', 'B', 4500, 'memory a waiting task takes, with its page tables', 'parked', peers=ALL),
    _row('wake', 'ns', (300, 170), 'send to one of a million waiting tasks, and its end', 'parked', peers=ALL),
    _row('hibernated-bytes', 'B', 700, 'memory a task takes that has waited long and gave its stack back, with its page tables; Erlang: '
         'erlang:hibernate', 'hibernated', peers=('leat', 'erlang')),
    _row('hibernated-wake', 'ns', None, 'send to one of a million hibernated tasks, and its end', 'hibernated', peers=LEAT),
    _row('sleepers-p50', 'us', 40, 'a million sleepers, 500 due each millisecond: how late the middle one wakes', 'sleepers'),
    _row('sleepers-p99', 'us', 1000, 'and 1 in 100', 'sleepers'),
    _row('timer', 'ns', 24, 'a time limit of 10 s set and lifted; Go: NewTimer and Stop', peers=NO_BOOST),
    _row('cancel-tree', 'ms', (30, 24), 'cancel 111,111 waiting tasks at the root of their tree, and wait for them', quick=2,
         peers=NO_BOOST),
    _row('mutex', 'ns', (4.6, 6), 'eight tasks lock, count and unlock', peers=NO_ERLANG),
    _row('tcp-pingpong', 'us', None, 'a struct of 8 bytes and its answer between two processes, a round trip; Go: gob values '
         'on a connection; raw: blocking sockets', quick=20, peers=RAW_TCP, of_raw=1 / 1.15),
    _row('unix-pingpong', 'us', None, 'the same over a Unix socket', quick=20, peers=RAW_UNIX, of_raw=1 / 1.15),
    _row('tcp-stream-8', '/s', 20e6, 'structs of 8 bytes through a channel to another process; Go: gob; raw: pieces of 64 KiB',
         peers=RAW_TCP),
    _row('unix-stream-8', '/s', None, 'the same over a Unix socket', peers=RAW_UNIX),
    _row('tcp-stream-1k', '/s', 2.5e6, 'the same with 1 KiB', peers=RAW_TCP),
    _row('tcp-stream-8-cpu', 's', 0.10, 'the CPU seconds of both processes for a million of tcp-stream-8', 'tcp-stream-8',
         peers=('leat', 'go', 'zmq', 'nng', 'grpc')),
    _row('tcp-stream-1m', 'MB/s', None, 'the same with 1 MiB, each in memory that moves with it', quick=8, peers=RAW_TCP, of_raw=0.95),
    _row('tcp-stream-1m-same', 'MB/s', None, 'the same from memory that the program keeps, which costs a copy', quick=8, peers=LEAT),
    _row('unix-stream-1m', 'MB/s', None, 'over a Unix socket', quick=8, peers=RAW_UNIX, of_raw=0.95),
    _row('calls-1', '/s', 16200, 'calls of a method with 8 bytes each way over TCP, one after the other; Go: net/rpc; '
         'raw: pieces of so many', quick=20, peers=RAW_TCP),
    _row('calls-16', '/s', 230e3, 'the same, 16 at a time', quick=100, peers=RAW_TCP),
    _row('calls-256', '/s', 1.7e6, 'the same, 256 at a time', peers=RAW_TCP),
    _row('fan-out-100', '/s', 10e6, 'elements of 64 bytes, each to 100 channels of another process over TCP, received by a task each; '
         'Go: 100 connections; zmq: XPUB and 100 SUB sockets', peers=('leat', 'go', 'zmq')),
    _row('many-1000', '/s', None, 'elements of 64 bytes over 1,000 channels of one session, each with a task that sends and one that '
         'receives', 'stalled-1000', quick=3000, peers=LEAT),
    _row('stalled-1000', '%', 95, 'how much of that the others keep when one of them is not received from', quick=3000, peers=LEAT),
    _row('ends-bytes', 'B', 512, '100,000 send ends in another process: memory there, a channel and its end each', peers=LEAT),
    _row('ends-bytes-home', 'B', 512, 'the same, what they add where they came from', 'ends-bytes', peers=LEAT),
    _row('tcp-setup', 'us', 200, 'a session, from the dial until it can be used; zmq, nng, grpc: until the first answer', quick=3,
         peers=RAW_UNIX),
    _row('unix-setup', 'us', None, 'the same over a Unix socket', quick=3, peers=RAW_UNIX),
    _row('echo-64', '/s', None, 'a TCP echo server, a task a connection; 64 connections with one message of 64 bytes each; raw: '
         'epoll', peers=LEAT_GO_RAW, of_raw=0.9),
    _row('echo-1000', '/s', None, 'the same with 1,000 connections', quick=2000, peers=LEAT_GO_RAW, of_raw=0.9),
    *[_row('%s-%s-%s' % (codec, what, many), unit, target, text % how, codec, 1000, peers)
      for codec, how, peers, targets in (
          ('codec', "leat's own codec", LIBRARIES, (12, 15, 5, 8)),
          ('gob', 'gob, a message of a stream', LEAT_GO, (None,) * 4),
          ('json', 'JSON', ('leat', 'go', 'cjson'), (None,) * 4))
      for what, many, unit, target, text in (
          ('encode', '1', 'ns', targets[0], '%s: a struct of int64, string, double and date to bytes'),
          ('decode', '1', 'ns', targets[1], '%s: and back, and what it took given back'),
          ('bytes', '1', 'B', None, '%s: its bytes'),
          ('encode', '1000', 'us', targets[2], '%s: a list of 1,000 of them to bytes'),
          ('decode', '1000', 'us', targets[3], '%s: and back'),
          ('bytes', '1000', 'B', None, '%s: its bytes'))],
    _row('netrpc-calls', '/s', None, 'only Go: net/rpc calls of 8 bytes, 256 at a time, over TCP', peers=('go',)),
]


def more_is_better(unit):
    return unit.endswith('/s') or unit == '%'


def better(unit, value, than):
    """How many times better `value` is than `than`."""
    if not value or not than:
        return 0.0
    return value / than if more_is_better(unit) else than / value


def meets(unit, value, target):
    return better(unit, value, target) >= 1
