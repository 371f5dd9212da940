#!/usr/bin/env python3
"""run.py - what `meson install` leaves is enough: a program is built against the installed copy alone and runs.

The build directory (LEAT_BUILD) is installed into a temporary DESTDIR; pkg-config says how to use it from there.
"""
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
SUM_OF_SQUARES = '385\n'


def run(*cmd, **env):
    got = subprocess.run(cmd, env=dict(os.environ, **env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    if got.returncode:
        raise RuntimeError('%s: exit code %d\n%s%s' % (' '.join(cmd), got.returncode, got.stdout, got.stderr))
    return got.stdout


def find(folder, name):
    for where, _, files in os.walk(folder):
        if name in files:
            return os.path.join(where, name)
    raise RuntimeError('%s was not installed' % name)


class Installed:
    def __init__(self, folder):
        self.dest, self.work = os.path.join(folder, 'dest'), folder
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', self.dest)
        self.lib = os.path.dirname(find(self.dest, 'libleat.so'))
        system = run('pkg-config', '--variable', 'pc_path', 'pkg-config').strip()
        self.env = {'PKG_CONFIG_PATH': os.path.dirname(find(self.dest, 'leat.pc')), 'PKG_CONFIG_LIBDIR': system}

    def flags(self, *how):
        """What pkg-config says, moved to where DESTDIR is; only leat's own paths move."""
        words = run('pkg-config', *how, 'leat', **self.env).split()
        prefix = run('pkg-config', '--variable=prefix', 'leat', **self.env).strip()
        return [re.sub('^(-[IL])' + re.escape(prefix), lambda m: m.group(1) + self.dest + prefix, w) for w in words]

    def build(self, compiler, *flags):
        tap.need(compiler)
        program = os.path.join(self.work, 'program')
        source = os.path.join(HERE, 'program.c')
        run(compiler, '-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', source, '-o', program, *flags)
        return program


def check(function):
    with tempfile.TemporaryDirectory() as folder:
        return function(Installed(folder))


def shared(compiler):
    def test(it):
        program = it.build(compiler, *it.flags('--cflags', '--libs'))
        needs = run('readelf', '-d', program)
        if 'libleat.so.0' not in needs:
            return 'the program does not need libleat.so.0'
        got = run(program, LD_LIBRARY_PATH=it.lib)
        return None if got == SUM_OF_SQUARES else 'it printed ' + got
    return lambda: check(test)


def static(it):
    flags = it.flags('--static', '--cflags', '--libs')
    flags = [w for f in flags for w in (['-Wl,-Bstatic', f, '-Wl,-Bdynamic'] if f == '-lleat' else [f])]
    program = it.build('gcc', *flags)
    if 'libleat' in run('readelf', '-d', program):
        return 'the program still needs libleat.so'
    got = run(program)
    return None if got == SUM_OF_SQUARES else 'it printed ' + got


def headers(it):
    ours = set(os.listdir(os.path.join(ROOT, 'include', 'leat')))
    there = set(os.listdir(os.path.dirname(find(it.dest, 'abi.h'))))
    return None if ours == there else 'installed headers: %s' % sorted(ours ^ there)


def nothing_of_the_tree(it):
    """No installed text names the folder it was built in."""
    got = subprocess.run(['grep', '-rIl', ROOT, it.dest], stdout=subprocess.PIPE, text=True)
    return got.stdout.splitlines()


def command(it):
    got = run(find(it.dest, 'leat'), '--version', LD_LIBRARY_PATH=it.lib)
    version = run('pkg-config', '--modversion', 'leat', **it.env).strip()
    return None if version in got else 'leat --version says %r, leat.pc %r' % (got, version)


def what_make_install_builds():
    """Not built here, for that takes long: the commands that would be run."""
    tap.need('make')
    with tempfile.TemporaryDirectory() as folder:
        got = run('make', '-C', ROOT, '-n', '-B', 'install', 'NO_DEPS=1', 'DESTDIR=' + folder)
    setup = re.search(r'meson setup (\S+) .*-Db_ndebug=true', got)
    if not setup:
        return 'make install sets up no build without asserts'
    where = setup.group(1)
    built = re.search(r'ninja -C %s .* libleat\.a (libleat\.so\S+) leat\b' % where, got)
    if not built or not os.path.exists(os.path.join(BUILD, built.group(1))):
        return 'make install does not build what is installed: ' + got
    return None if re.search(r'meson install -C %s ' % where, got) else 'make install installs another build'


tests = [('a_program_uses_the_shared_library_under_' + cc, shared(cc)) for cc in ('gcc', 'clang')]
tests += [('a_program_holds_the_static_library', lambda: check(static)),
          ('every_public_header_is_installed', lambda: check(headers)),
          ('no_installed_text_names_the_source_tree', lambda: check(nothing_of_the_tree)),
          ('make_install_installs_a_build_without_asserts', what_make_install_builds),
          ('the_installed_command_says_its_version', lambda: check(command))]
tap.main(tests)
