#!/usr/bin/env python3
"""run.py - what `meson install` leaves is enough: programs are built against the installed copy alone and run.

The build directory (LEAT_BUILD) is installed into a temporary DESTDIR; pkg-config says how to use it from there, or CMake asks it.
And what `make install` does, and a project that has this one within.
"""
import os
import re
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import tap                                                      # noqa: E402

BUILD = os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build'))
SUM_OF_SQUARES = '385\n'
INSTALLING = threading.Lock()                                   # meson notes in the build directory what it installed last
STERN = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']


def run(*cmd, limit=120, **env):
    got = subprocess.run(cmd, env=dict(os.environ, **env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
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
        with INSTALLING:
            run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', self.dest)
        self.lib = os.path.dirname(find(self.dest, 'libleat.so'))
        system = run('pkg-config', '--variable', 'pc_path', 'pkg-config').strip()
        self.env = {'PKG_CONFIG_PATH': os.path.dirname(find(self.dest, 'leat.pc')), 'PKG_CONFIG_LIBDIR': system}

    def flags(self, *how):
        """What pkg-config says, moved to where DESTDIR is; only leat's own paths move."""
        words = run('pkg-config', *how, 'leat', **self.env).split()
        prefix = run('pkg-config', '--variable=prefix', 'leat', **self.env).strip()
        return [re.sub('^(-[IL])' + re.escape(prefix), lambda m: m.group(1) + self.dest + prefix, w) for w in words]

    def build(self, compiler, *flags, sources=(os.path.join(HERE, 'program.c'),), std='-std=c11'):
        tap.need(compiler)
        program = os.path.join(self.work, 'program')
        run(compiler, std, *STERN, *sources, '-o', program, *flags)
        return program

    def static(self):
        """How to link the static library, although the shared one is there."""
        flags = self.flags('--static', '--cflags', '--libs')
        return [w for f in flags for w in (['-Wl,-Bstatic', f, '-Wl,-Bdynamic'] if f == '-lleat' else [f])]


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
    program = it.build('gcc', *it.static())
    if 'libleat' in run('readelf', '-d', program):
        return 'the program still needs libleat.so'
    got = run(program)
    return None if got == SUM_OF_SQUARES else 'it printed ' + got


def own_names(it):
    """A program may define whatever the library calls its own things, and the library goes on with its own."""
    listed = run('nm', '-g', '--defined-only', find(it.dest, 'libleat.a'))
    inside = set(re.findall(r' T leat__(\w+)$', listed, re.M)) | {'buf_free', 'url_parse', 'task_main', 'chan_wake', 'bug'}
    theirs = os.path.join(it.work, 'theirs.c')
    with open(theirs, 'w') as f:
        f.write('void exit(int);\n#define NAME(x) void x(void); void x(void) { exit(9); }\n')
        f.writelines('NAME(%s)\n' % name for name in sorted(inside))
    got = run(it.build('gcc', '-fno-builtin', theirs, *it.static()))
    return None if got == SUM_OF_SQUARES else 'it printed ' + got


def each_header(it):
    """Alone, as a user has it, in C11 and C++17."""
    problems = []
    for name in ['leat.h'] + ['leat/' + n for n in sorted(os.listdir(os.path.dirname(find(it.dest, 'abi.h'))))]:
        for compiler, std, language in (('gcc', 'c11', 'c'), ('clang', 'c11', 'c'), ('g++', 'c++17', 'c++'), ('clang++', 'c++17', 'c++')):
            if language == 'c' and name.endswith('cpp.h'):
                continue
            tap.need(compiler)
            got = subprocess.run([compiler, '-std=' + std, *STERN, *it.flags('--cflags'), '-x', language, '-fsyntax-only', '-'],
                                 input='#include <%s>\nint main(void);\n' % name, stderr=subprocess.PIPE, text=True)
            problems += ['%s under %s: %s' % (name, compiler, got.stderr)] if got.returncode else []
    return problems


def in_cpp(compiler):
    def test(it):
        source = os.path.join(ROOT, 'examples', 'events.cpp')
        it.build(compiler, *it.flags('--cflags', '--libs'), sources=[source], std='-std=c++17')
    return lambda: check(test)


def readme(it):
    """The whole programs of README.md: they compile as they stand there, and those that need an argument say so."""
    with open(os.path.join(ROOT, 'README.md')) as f:
        programs = [p for p in re.findall(r'^```c\n(.*?)^```$', f.read(), re.M | re.S) if 'int main(' in p]
    problems = [] if len(programs) >= 3 else ['README.md has %d whole programs' % len(programs)]
    for n, text in enumerate(programs):
        source = os.path.join(it.work, 'readme%d.c' % n)
        with open(source, 'w') as f:
            f.write(text)
        program = it.build('gcc', *it.flags('--cflags', '--libs'), sources=[source], std='-std=gnu11')
        got = subprocess.run([program], env=dict(os.environ, LD_LIBRARY_PATH=it.lib), stdout=subprocess.PIPE, text=True, timeout=60)
        squares = sorted(int(line.split()[-1]) for line in got.stdout.splitlines())
        if (got.returncode, squares) != ((0, [i * i for i in range(10)]) if 'argv' not in text else (2, [])):
            problems.append('program %d of README.md: exit code %d, %s' % (n, got.returncode, got.stdout))
    return problems


def commands_of_the_readme(it):
    """A program of one's own is built by what README.md tells to type, from the tree and from the installed copy."""
    with open(os.path.join(ROOT, 'README.md')) as f:
        lines = re.findall(r'^cc -o mine .*$', f.read(), re.M)
    flags = ' '.join(it.flags('--cflags', '--libs'))
    problems = [] if len(lines) == 2 else ['README.md has the lines %s' % lines]
    for line in lines:
        line = line.replace('-o mine', '-o ' + os.path.join(it.work, 'mine')).replace('mine.c', 'examples/pipeline.c')
        line = line.replace('-Lbuild', '-L' + BUILD).replace('$PWD/build', BUILD).replace('$(pkg-config --cflags --libs leat)', flags)
        run('sh', '-c', 'cd "$1" && ' + line, 'sh', ROOT)
        more = {} if 'rpath' in line else {'LD_LIBRARY_PATH': it.lib}
        got = subprocess.run([os.path.join(it.work, 'mine')], stderr=subprocess.PIPE, text=True, timeout=60, env=dict(os.environ, **more))
        if (got.returncode, got.stderr) != (2, 'usage: pipeline take|make URL\n'):
            problems.append('%s: exit code %d, %s' % (line, got.returncode, got.stderr))
    return problems


def cmake(it):
    tap.need('cmake')
    src, out, moved = [os.path.join(it.work, name) for name in ('cmake', 'cmake-build', 'leat.pc')]
    os.mkdir(src)
    with open(find(it.dest, 'leat.pc')) as f, open(moved, 'w') as g:
        g.write(re.sub('(?m)^prefix=', 'prefix=' + it.dest, f.read()))
    with open(os.path.join(src, 'CMakeLists.txt'), 'w') as f:
        f.write('cmake_minimum_required(VERSION 3.18)\nproject(user C)\nfind_package(PkgConfig REQUIRED)\n'
                'pkg_check_modules(LEAT REQUIRED IMPORTED_TARGET leat)\nadd_executable(user %s)\n'
                'target_link_libraries(user PkgConfig::LEAT)\n' % os.path.join(HERE, 'program.c'))
    run('cmake', '-S', src, '-B', out, PKG_CONFIG_PATH=it.work)
    run('cmake', '--build', out)
    got = run(os.path.join(out, 'user'), LD_LIBRARY_PATH=it.lib)
    return None if got == SUM_OF_SQUARES else 'it printed ' + got


def subproject():
    """A project that has this one within, as dependency('leat'): the library is built with it, and nothing else of ours is."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'subprojects'))
        os.symlink(ROOT, os.path.join(folder, 'subprojects', 'leat'))
        with open(os.path.join(HERE, 'program.c')) as f, open(os.path.join(folder, 'program.c'), 'w') as g:
            g.write(f.read())
        with open(os.path.join(folder, 'meson.build'), 'w') as f:
            f.write("project('user', 'c', meson_version: '>=0.62.0')\n"
                    "executable('user', 'program.c', dependencies: dependency('leat', fallback: 'leat'))\n")
        out = os.path.join(folder, 'build')
        run('meson', 'setup', out, folder, '-Doptimization=0', '-Ddebug=false')
        tests = run('meson', 'introspect', '--tests', out)
        if tests.strip() != '[]':
            return 'it has tests of ours: ' + tests[:200]
        run('ninja', '-C', out, '-j2', 'user', limit=280)
        got = run(os.path.join(out, 'user'))
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
    got = '\n'.join(make('install', DESTDIR='/nowhere'))
    setup = re.search(r'meson setup (\S+) .*-Db_ndebug=true', got)
    if not setup:
        return 'make install sets up no build without asserts'
    where = setup.group(1)
    built = re.search(r'ninja -C %s .* libleat\.a (libleat\.so\S+) leat\b' % where, got)
    if not built or not os.path.exists(os.path.join(BUILD, built.group(1))):
        return 'make install does not build what is installed: ' + got
    return None if re.search(r'meson install -C %s ' % where, got) else 'make install installs another build'


def make(target, **words):
    """The commands that `make TARGET` would run, as lines."""
    tap.need('make')
    given = ['NO_DEPS=1'] + ['%s=%s' % w for w in words.items()]
    return run('make', '--no-print-directory', '-C', ROOT, '-n', '-B', target, *given).splitlines()


def make_takes_paths_as_they_are():
    """A DESTDIR counts from where make is started, not from the build directory; and a path may have blanks."""
    asked = {}
    for line in make('install', DESTDIR='a b/dest', PREFIX='/opt/my leat'):
        for how, words in re.findall(r'meson (setup|configure|install) (.*?)(?: >|$)', line):
            asked[how] = run('bash', '-c', 'cd %s; printf "%%s\\n" %s' % (ROOT, words)).splitlines()
    wanted = (('setup', '--prefix=/opt/my leat'), ('configure', '-Dprefix=/opt/my leat'), ('install', os.path.join(ROOT, 'a b/dest')))
    return ['meson %s: no %s in %s' % (how, word, asked.get(how)) for how, word in wanted if word not in asked.get(how, [])]


def uninstall():
    """What make install put there goes again, and what others have there stays.  Installing twice changes nothing."""
    command = '\n'.join(make('uninstall', DESTDIR='/nowhere'))
    with tempfile.TemporaryDirectory() as folder, INSTALLING:
        dest = os.path.join(folder, 'dest')
        for _ in range(2):
            run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', dest)
        other = os.path.join(os.path.dirname(find(dest, 'leat.pc')), 'other.pc')
        with open(other, 'w') as f:
            f.write('of another\n')
        run('bash', '-c', 'cd %s; %s' % (ROOT, command.replace('build-install', BUILD)))
        left = [os.path.join(where, f) for where, _, files in os.walk(dest) for f in files]
        empty = [where for where, names, files in os.walk(dest) if not names and not files and 'leat' in os.path.basename(where)]
    return ['left: %s' % x for x in left + empty if x != other] + ([] if other in left else ['what another put there is gone'])


tests = [('a_program_uses_the_shared_library_under_' + cc, shared(cc)) for cc in ('gcc', 'clang')]
tests += [('a_program_in_cpp17_is_built_by_' + cc.replace('+', 'x'), in_cpp(cc)) for cc in ('g++', 'clang++')]
tests += [('a_program_holds_the_static_library', lambda: check(static)),
          ('a_program_may_have_functions_of_the_names_inside_the_static_library', lambda: check(own_names)),
          ('every_public_header_is_installed', lambda: check(headers)),
          ('each_installed_header_compiles_alone', lambda: check(each_header)),
          ('the_programs_of_the_readme_are_built_with_the_installed_copy', lambda: check(readme)),
          ('the_commands_of_the_readme_build_a_program', lambda: check(commands_of_the_readme)),
          ('cmake_finds_the_installed_copy', lambda: check(cmake)),
          ('a_project_has_this_one_as_a_subproject', subproject),
          ('no_installed_text_names_the_source_tree', lambda: check(nothing_of_the_tree)),
          ('make_install_installs_a_build_without_asserts', what_make_install_builds),
          ('make_install_takes_paths_as_they_are', make_takes_paths_as_they_are),
          ('make_uninstall_removes_what_was_installed', uninstall),
          ('the_installed_command_says_its_version', lambda: check(command))]
tap.main(tests)
