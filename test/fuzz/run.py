#!/usr/bin/env python3
"""run.py - the fuzzers of test/fuzz, and what of the decoders they reach.

    run.py fuzz SECONDS [NAME...]     libFuzzer on each target (or these) in turn, all of them together for so many seconds
    run.py keep SECONDS [NAME...]     the same, and what reached something new goes into test/fuzz/corpus, as few and small as may be
    run.py coverage [NAME...]         plays the corpus, inputs that are made, and mutations of both (FUZZ_N=15000: so many), and prints how
                                      many branches of each decoder were taken
    run.py missed FILE...             which were not, of these files, when that was run last

Inputs that failed are in build-fuzz/found; `build-fuzz/test/fuzz/fuzz_corpus_test NAME FILE` plays one.  Needs clang; says so if it is
not there.  The exit code is 1 if anything failed, or if a decoder is below its bound.
"""
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.path.join(ROOT, 'test', 'fuzz', 'corpus')
BUILD, COVER = os.path.join(ROOT, 'build-fuzz'), os.path.join(ROOT, 'build-fuzz-coverage')
PLAYER = os.path.join('test', 'fuzz', 'fuzz_corpus_test')
ENV = dict(os.environ, CC='clang', ASAN_OPTIONS='detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0',
           UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1')
# Files that do nothing but read what may come from anyone, and how many of 100 branches must be taken; then files of which that is a part.
DECODERS = ['src/base/buf.c', 'src/base/url.c', 'src/cluster/env.c', 'src/sim/conf.c', 'src/type/bridge.c', 'src/type/decode.c',
            'src/type/decode_as.c', 'src/type/diff.c', 'src/type/find.c', 'src/type/rows.c', 'src/type/shape.c',
            'src/type/gob_dec.c', 'src/type/gob_feed.c', 'src/type/gob_fit.c', 'src/type/gob_whole.c',
            'src/type/gob_read.c', 'src/type/gob_skip.c', 'src/type/json_dec.c',
            'src/type/json_lex.c', 'src/type/form_json.c', 'src/type/form_tree.c', 'src/type/record_feed.c',
            'src/type/json_date.c', 'src/sess/hello.c']
BOUND = 95
MIXED = ['src/sess/reader.c', 'src/sess/ends.c', 'src/sess/home.c', 'src/sess/site.c', 'src/sess/names.c', 'src/sess/value.c',
         'src/rpc/serve.c', 'src/rpc/call.c', 'src/rpc/netrpc_json.c']


def need(*tools):
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        sys.exit('fuzz: %s is not installed; scripts/deps.sh test installs clang and its tools' % ', '.join(missing))


def build(folder, setup, what):
    if not os.path.exists(os.path.join(folder, 'build.ninja')):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(['meson', 'setup', folder, ROOT, '-Db_lundef=false', '-Ddefault_library=static'] + setup, env=ENV, check=True,
                       stdout=subprocess.DEVNULL)
    done = subprocess.run(['ninja', '-C', folder, '-j%d' % (os.cpu_count() or 1)] + what, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)


def targets(wanted):
    names = sorted(os.listdir(CORPUS))
    unknown = [w for w in wanted if w not in names]
    if unknown:
        sys.exit('fuzz: no target %s; there are %s' % (', '.join(unknown), ', '.join(names)))
    return wanted or names


def longest(name):
    with open(os.path.join(ROOT, 'test', 'fuzz', 'targets.c')) as f:
        return re.search(r'\{ "%s", \w+, (\d+),' % name, f.read()).group(1)


def fuzz(seconds, names, keep):
    need('clang', 'meson', 'ninja')
    build(BUILD, ['-Dfuzz=true', '-Db_sanitize=address,undefined', '-Dc_args=-fsanitize=fuzzer-no-link -fno-omit-frame-pointer '
                  '-fno-sanitize-recover=all'], ['test/fuzz/leat_fuzz', PLAYER])
    found, failed = os.path.join(BUILD, 'found'), []
    os.makedirs(found, exist_ok=True)
    for name in names:
        grown = os.path.join(BUILD, 'grown', name)
        os.makedirs(grown, exist_ok=True)
        env = dict(ENV, FUZZ=name)
        limits = ['-max_len=' + longest(name), '-timeout=20', '-rss_limit_mb=3000', '-verbosity=1', '-print_final_stats=1']
        got = subprocess.run([os.path.join(BUILD, 'test/fuzz/leat_fuzz')] + limits + [
            '-max_total_time=%d' % max(1, seconds // len(names)), '-artifact_prefix=%s/%s-' % (found, name), grown,
            os.path.join(CORPUS, name)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
        cov = re.findall(r'cov: (\d+) ft: (\d+)', got.stdout)
        runs = re.search(r'number_of_executed_units: (\d+)', got.stdout)
        rate = re.search(r'average_exec_per_sec: +(\d+)', got.stdout)
        print('%-8s %9s runs, %6s a second, %s edges%s' % (name, runs.group(1) if runs else '?', rate.group(1) if rate else '?',
              cov[-1][0] if cov else '?', '' if got.returncode == 0 else ': FAILED'), flush=True)
        if got.returncode:
            failed.append(name)
            print(got.stdout[-6000:])
        elif keep:
            merge(name, grown, env, limits)
    return 1 if failed else 0


def merge(name, grown, env, limits):
    """The smallest set that reaches as much takes the place of the corpus; what was written by hand keeps its name."""
    small = os.path.join(BUILD, 'small', name)
    shutil.rmtree(small, ignore_errors=True)
    os.makedirs(small)
    subprocess.run([os.path.join(BUILD, 'test/fuzz/leat_fuzz'), '-merge=1'] + limits + [small, os.path.join(CORPUS, name), grown], env=env,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    known = {open(os.path.join(CORPUS, name, f), 'rb').read() for f in os.listdir(os.path.join(CORPUS, name))}
    room = 160 - len(known)
    fresh = sorted(os.listdir(small), key=lambda f: os.path.getsize(os.path.join(small, f)))
    for f in fresh:
        path = os.path.join(small, f)
        if room > 0 and os.path.getsize(path) <= 400 and open(path, 'rb').read() not in known:
            shutil.copy(path, os.path.join(CORPUS, name, f[:12]))
            room -= 1


def coverage(names):
    need('clang', 'llvm-cov', 'llvm-profdata', 'meson', 'ninja')
    build(COVER, ['-Dc_args=-fprofile-instr-generate -fcoverage-mapping', '-Dc_link_args=-fprofile-instr-generate', '-Db_ndebug=true'],
          [PLAYER])
    player, raw = os.path.join(COVER, PLAYER), os.path.join(COVER, 'raw')
    shutil.rmtree(raw, ignore_errors=True)
    os.makedirs(raw)
    # %4m: what ends adds to one of four files, under a lock; %p would be the number of the player in all of its children, which write one
    # file over another
    env = dict(ENV, LLVM_PROFILE_FILE=os.path.join(raw, '%4m'), FUZZ_N=os.environ.get('FUZZ_N', '15000'))
    subprocess.run([player] + names, env=env, check=True, stdout=subprocess.DEVNULL)
    data = os.path.join(COVER, 'data')
    subprocess.run(['llvm-profdata', 'merge', '-o', data] + [os.path.join(raw, f) for f in os.listdir(raw)], check=True)
    got = subprocess.run(['llvm-cov', 'export', '-summary-only', '-instr-profile', data, player], stdout=subprocess.PIPE, check=True)
    files = {os.path.relpath(f['filename'], ROOT): f['summary']['branches'] for f in json.loads(got.stdout)['data'][0]['files']}
    low = []
    for title, group in (('decoders', DECODERS), ('files that read among other things', MIXED)):
        print(title)
        for name in group:
            b = files[name]
            print('  %-26s %4d of %4d branches %6.1f %%' % (name, b['covered'], b['count'], b['percent']))
            if group is DECODERS and b['percent'] < BOUND:
                low.append(name)
    whole = [files[n] for n in DECODERS]
    share = 100.0 * sum(b['covered'] for b in whole) / sum(b['count'] for b in whole)
    print('all decoders: %.1f %%' % share)
    if share < BOUND:
        print('below %d %%: %s' % (BOUND, ', '.join(low)))
    return share < BOUND


def missed(wanted):
    got = subprocess.run(['llvm-cov', 'export', '-instr-profile', os.path.join(COVER, 'data'), os.path.join(COVER, PLAYER)],
                         stdout=subprocess.PIPE, check=True)
    for f in json.loads(got.stdout)['data'][0]['files']:
        name = os.path.relpath(f['filename'], ROOT)
        if name in wanted:
            with open(f['filename']) as src:
                text = src.read().split('\n')
            for line, col, to_line, to_col, true, false in sorted(b[:6] for b in f['branches']):
                if true == 0 or false == 0:
                    what = text[line - 1][col - 1:to_col - 1 if line == to_line else None]
                    print('%s:%d:%d: %s: %s' % (name, line, col, 'never' if true == false else 'always' if true else 'never true', what))
    return 0


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ('fuzz', 'keep', 'coverage', 'missed'):
        sys.exit(__doc__)
    if sys.argv[1] == 'missed':
        return missed(sys.argv[2:])
    if sys.argv[1] == 'coverage':
        return coverage(targets(sys.argv[2:]))
    return fuzz(int(sys.argv[2]), targets(sys.argv[3:]), sys.argv[1] == 'keep')


if __name__ == '__main__':
    sys.exit(main())
