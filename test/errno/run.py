#!/usr/bin/env python3
"""run.py - the errno rule holds at -O0 and with link-time optimization, under gcc and under clang.

At -O2 it is run/errno that says so, the same program in every variant.
Library and program are compiled as one for each of the four, from the library's list of sources (LEAT_BUILD: a build directory);
of the library those floors that a park goes through.
Where the compiler optimizes, glibc's own errno must have been stale at least once: else this test could not fail.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

BUILD = os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build'))
WAYS = {'O0': ['-O0'], 'lto': ['-O2', '-flto']}


def library():
    """(sources, flags that say where to look and what to link)"""
    text = subprocess.run(['meson', 'introspect', '--targets', BUILD], check=True, stdout=subprocess.PIPE, text=True).stdout
    target = next(t for t in json.loads(text) if t['name'] == 'leat_all')
    sources = [s for group in target['target_sources'] for s in group.get('sources', [])]
    defines = [p for group in target['target_sources'] for p in group.get('parameters', []) if p.startswith('-D')]
    sources = [s for s in sources if re.search(r'/src/(base|plat|run|chan)/|/src/type/freelist\.c$|/src/boot/boot\.c$', s)]
    if not sources:
        raise RuntimeError('meson names no sources of the library')
    libs = subprocess.run(['pkg-config', '--libs', 'liburing'], stdout=subprocess.PIPE, text=True).stdout.split()
    return sources, sorted(set(defines)), libs


def holds(compiler, way):
    tap.need(compiler)
    sources, defines, libs = library()
    flags = WAYS[way] + ['-std=gnu11', '-w', '-pthread', '-I' + ROOT + '/include', '-I' + ROOT + '/src'] + defines
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'hop')
        ours = [os.path.join(HERE, name) for name in ('hop.c', 'plain.c')]
        # boot.c names the simulation, which is not compiled here and never called
        cmd = [compiler, *flags, *ours, *sources, '-o', program, '-Wl,--defsym=sim_run=0', *libs]
        got = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if got.returncode:
            return [' '.join(cmd)[:200]] + got.stdout.splitlines()[:20]
        got = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    seen = dict(re.findall(r'(\w+)=(\d+)', got.stdout))
    if seen.get('stale', '0') != '0' or seen.get('wrong', '0') != '0':
        return ['errno was that of another thread: ' + got.stdout.strip()]
    if got.returncode or int(seen.get('moves', 0)) < 200:
        return ['the program failed or its tasks did not move'] + got.stdout.splitlines()[-20:]
    if way != 'O0' and seen['plain_stale'] == '0':
        return ["glibc's errno was never stale, so this test proves nothing: " + got.stdout.strip()]
    return None


tap.main([('errno_is_the_threads_own_with_%s_%s' % (cc, way), lambda cc=cc, way=way: holds(cc, way))
          for cc in ('gcc', 'clang') for way in WAYS])
