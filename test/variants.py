"""variants.py - the ways in which the tests are built and run, in one table.  run.py --variants reads it.

A variant has a build directory of its own, build-NAME, or shares another's (`of`) when only the way of running differs.
`among` chooses programs by name; the checks that do not depend on how the library was built (check/...) run once, under gcc.
With `beside`, what is built is those programs and these targets, else all.
`slower` stretches every time limit.  T_QUICK=1 asks long tests for a smaller size, T_SLOW=1 allows a single test more time.
No variant has suppressions.
"""
import json
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILT = r'^(?!check/)'
QUICK = {'T_QUICK': '1', 'T_SLOW': '1'}
CXX = {'gcc': 'g++', 'clang': 'clang++'}                          # of the same make: their sanitizers must be one
WARNINGS = ['-Dwerror=true']
LINES = '-Dc_args=-g1'                            # of what is built only to be run: its lines, no variables: a sixth less to compile


def variant(about, setup=(), env=(), of=None, cc=None, among=BUILT, wrap=(), slower=1, needs=(), extra=False,
            beside=None):
    return {'about': about, 'setup': list(setup), 'env': dict(env), 'of': of, 'cc': cc, 'among': among, 'wrap': list(wrap),
            'slower': slower, 'needs': list(needs), 'extra': extra, 'beside': beside}


TABLE = {
    'gcc': variant('gcc, as released but with asserts; epoll; and all checks', WARNINGS, cc='gcc', among=r'',
                   env={'LEAT_POLL': 'epoll'}),
    # not those that never wait for one, or take each way in turn: they pass with LEAT_POLL=kqueue, which is refused
    'uring': variant('over io_uring, the programs that may wait for descriptors', of='gcc', env={'LEAT_POLL': 'io_uring'},
                     among=r'^(?!(check|base|plat|type|fuzz|wire|cpp|sim|goker|cancel)/|e2e/sim$|'
                           r'run/(?!blocking|conn|watch)|chan/(?!hiber)|os/(?!starved))'),
    'clang': variant('clang', WARNINGS + [LINES], cc='clang', env={'T_QUICK': '1'}),
    # -O1, as its manual and that of ThreadSanitizer say: it sees more, and there is half as much to compile
    'asan': variant('gcc with AddressSanitizer, leaks, and UndefinedBehaviorSanitizer', WARNINGS + [
        '-Doptimization=1', '-Db_sanitize=address,undefined', LINES + ' -fno-omit-frame-pointer -fno-sanitize-recover=all'],
        cc='gcc', slower=3,
        env=dict(QUICK, ASAN_OPTIONS='detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0:strict_string_checks=1',
                 UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1')),
    'tsan': variant('clang with ThreadSanitizer', WARNINGS + [
        '-Doptimization=1', '-Db_sanitize=thread', '-Db_lundef=false', LINES + ' -fno-omit-frame-pointer'],
        cc='clang', slower=4, wrap=['fixed-addresses'],
        env=dict(QUICK, TSAN_OPTIONS='halt_on_error=0:exitcode=66:second_deadlock_stack=1:history_size=4')),
    # valgrind 3.19 does not know pidfd_open, by which os/child hears of an end
    'valgrind': variant('the floors of one process under valgrind', of='gcc', slower=3,
                        among=r'^(base|plat|run|chan|os(?!/child)|type|link)/',
                        wrap=['valgrind', '-q', '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite',
                              '--fair-sched=yes', '--num-callers=30'],
                        env=dict(QUICK, LEAT_POLL='epoll'), needs=['valgrind']),
    # the rest of the library is compiled there too, for its warnings
    'aarch64': variant('aarch64 by the cross compiler, run by qemu',
                       WARNINGS + ['--cross-file', 'scripts/aarch64.ini', '-Ddebug=false'], beside=['libleat.a', 'leat'],
                       among=r'^(base|plat|run|chan|os|type)/', slower=5, wrap=['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
                       env=dict(QUICK, LEAT_POLL='epoll'), needs=['qemu-aarch64', 'aarch64-linux-gnu-gcc']),
    'release': variant('gcc without asserts, optimized at link time', WARNINGS + ['--buildtype=release', '-Db_lto=true'], cc='gcc',
                       extra=True),
}


def chosen(text):
    """The variants that `text` names: a list with commas or blanks; `test`: what `make test` runs; `all`: also the extra ones."""
    if text in ('test', 'all'):
        return [n for n, v in TABLE.items() if text == 'all' or not v['extra']]
    names = re.split(r'[\s,]+', text.strip())
    unknown = [n for n in names if n not in TABLE]
    if unknown:
        raise SystemExit('leat: no variant %s: there are %s' % (', '.join(unknown), ', '.join(TABLE)))
    return names


def build_dir(name):
    return os.path.join(ROOT, 'build-' + (TABLE[name]['of'] or name))


def wrapper(v):
    """The command a test program is put behind.  ThreadSanitizer of gcc 12 and clang 14 fails when the kernel spreads mappings
    over more than 28 bits (vm.mmap_rnd_bits), so addresses are fixed where the kernel lets us."""
    if v['wrap'] != ['fixed-addresses']:
        return v['wrap']
    fixed = ['setarch', os.uname().machine, '-R']
    works = shutil.which('setarch') and subprocess.run(fixed + ['true'], stderr=subprocess.DEVNULL).returncode == 0
    return fixed if works else []


def fingerprint(v):
    """What a build directory depends on beside the sources: the table, and the cross file that it names."""
    text = '%s %s\n' % (v['cc'], ' '.join(v['setup']))
    for path in v['setup']:
        if path.endswith('.ini'):
            with open(os.path.join(ROOT, path)) as f:
                text += f.read()
    return text


def configured(build, v):
    """Whether the directory was made from what the table says now."""
    try:
        with open(os.path.join(build, 'variant')) as f:
            return f.read() == fingerprint(v) and os.path.exists(os.path.join(build, 'build.ninja'))
    except OSError:
        return False


def lacking(name):
    """A tool that the variant needs and that is not there, or None."""
    v = TABLE[name]
    return next((t for t in v['needs'] + ([v['cc']] if v['cc'] else []) if not shutil.which(t)), None)


def targets(build, v):
    """What ninja is told to build: nothing, which is all, or what the variant runs and has beside."""
    if v['beside'] is None:
        return []
    tests = json.loads(run(['meson', 'introspect', '--tests', build], None).stdout)
    programs = {os.path.relpath(t['cmd'][0], build) for t in tests if re.search(v['among'], t['name'])}
    return v['beside'] + sorted(programs)


def prepare(name, jobs, say):
    """Configures and builds.  None, or (what is wrong, lines that say why)."""
    v = TABLE[name]
    if lacking(name):
        return 'needs %s, which is not installed' % lacking(name), ['scripts/deps.sh test installs it']
    owner = TABLE[v['of']] if v['of'] else v
    build = build_dir(name)
    env = dict(os.environ, **({'CC': owner['cc'], 'CXX': CXX[owner['cc']]} if owner['cc'] else {}))
    if not configured(build, owner):
        say('%s: configuring %s' % (name, os.path.basename(build)))
        shutil.rmtree(build, ignore_errors=True)
        got = run(['meson', 'setup', build, ROOT] + owner['setup'], env)
        if got.returncode:
            return 'does not configure', got.stdout.splitlines()
        with open(os.path.join(build, 'variant'), 'w') as f:
            f.write(fingerprint(owner))
    say('%s: %s' % (name, v['about']))
    got = run(['ninja', '-C', build, '-j%d' % jobs] + targets(build, owner), env)
    if got.returncode:
        return 'does not build', [line for line in got.stdout.splitlines() if not re.match(r'\[\d+/\d+\]', line)]
    return None


def run(cmd, env):
    return subprocess.run(cmd, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, errors='replace')
