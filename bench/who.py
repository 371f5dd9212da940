"""who.py - leat and its peers: how the programs of each are made and started.

A peer that cannot be had here says why in `absent`, and is left out by name.  Every program is called NAME [--workers N] [N] and prints a
JSON line a result.
"""
import glob
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess

from rows import ONE_THREAD

HERE = os.path.dirname(os.path.abspath(__file__))
# rows between processes that do not say it by their name
BETWEEN = ('fan-out-100', 'stalled-1000', 'ends-bytes', 'growth-size', 'growth-channels', 'growth-capacity')


class Failure(Exception):
    """What went wrong, in one line."""


class Who:
    """leat, or a peer: how its programs are made and started.  `absent` says why it is left out, when it is."""

    def __init__(self, name, build_dir, rows):
        self.name, self.build_dir, self.absent, self.version, self.env = name, build_dir, None, '', dict(os.environ)
        self.programs = {r.program for r in rows if name in r.peers}

    def prepare(self, progress):
        pass

    def binary(self, program):
        raise NotImplementedError

    def command(self, program):
        own = os.path.join(self.build_dir, 'bench', self.binary(program))
        if program.startswith('echo-'):              # one load for every server
            return [os.path.join(self.build_dir, 'bench', 'raw_bench'), program, '--server', own]
        return [own, program]

    def call(self, program, workers, n):
        """The whole command; n 0: the program's own."""
        return self.command(program) + ['--workers', str(workers)] + ([str(n)] if n else [])


class Leat(Who):
    def prepare(self, progress):
        for binary in sorted({self.command(p)[0] for p in self.programs}):
            if not os.path.exists(binary):
                raise Failure('%s is not there: run make build first' % binary)
        self.version = compiler_of(self.build_dir)

    def binary(self, program):
        if program in ONE_THREAD:
            return 'codec_bench'
        return 'net_bench' if program in BETWEEN or program.startswith(('tcp-', 'unix-', 'calls-')) else 'leat_bench'


class Raw(Leat):
    def binary(self, program):
        return 'raw_bench'


class Go(Who):
    def prepare(self, progress):
        if not shutil.which('go'):
            self.absent = 'there is no go command; apt-get install golang-go'
            return
        progress.show('building the Go programs')
        binary = os.path.join(self.build_dir, 'bench', 'go_bench')
        # A timer that nobody waits for costs less since Go 1.23; go.mod names an older Go, which would turn that off.
        self.env.update(GOTOOLCHAIN='local', GOFLAGS='', GO111MODULE='on', GODEBUG='asynctimerchan=0')
        if not self.env.get('HOME'):
            self.env.setdefault('GOCACHE', os.path.join(self.build_dir, 'bench', 'go_cache'))
        made = subprocess.run(['go', 'build', '-buildvcs=false', '-o', binary, '.'], cwd=os.path.join(HERE, 'peers', 'go'),
                              env=self.env, capture_output=True, text=True)
        if made.returncode:
            raise Failure('the Go programs do not build: ' + made.stderr.strip())
        version = subprocess.run(['go', 'version'], env=self.env, capture_output=True, text=True).stdout.split()
        self.version = version[2].replace('go', 'Go ', 1) if len(version) > 2 else 'Go'

    def binary(self, program):
        return 'go_bench'


def compiler_word(command):
    """Which word of a compile command is the compiler: meson puts a cache of what was compiled before it."""
    return next(word for word in shlex.split(command) if os.path.basename(word) not in ('ccache', 'sccache', 'distcc', 'icecc'))


def compiler_of(build_dir):
    """'gcc (Debian 12.2.0-14) 12.2.0, -O2, asserts off', or nothing: it is only for the head of the table."""
    try:
        with open(os.path.join(build_dir, 'compile_commands.json')) as f:
            compiler = compiler_word(json.load(f)[0]['command'])
        found = subprocess.run(['meson', 'introspect', '--buildoptions', build_dir], capture_output=True, text=True).stdout
        option = {o['name']: o['value'] for o in json.loads(found)}
        off = option['b_ndebug'] == 'true' or (option['b_ndebug'] == 'if-release' and option['buildtype'] == 'release')
        return '%s, -O%s, asserts %s' % (first_line(compiler, '--version'), option['optimization'], 'off' if off else 'on')
    except (OSError, ValueError, KeyError, IndexError, StopIteration):
        return ''


def built(what, command, **how):
    """Runs what makes a program."""
    made = subprocess.run(command, capture_output=True, text=True, **how)
    if made.returncode:
        raise Failure('%s do not build: %s' % (what, made.stderr.strip()))


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip().split('\n')[0]


class Tokio(Who):
    """From Debian's crates (librust-tokio-dev), by whichever cargo there is."""
    CRATES = '/usr/share/cargo/registry'

    def prepare(self, progress):
        found = [d for d in (os.listdir(self.CRATES) if os.path.isdir(self.CRATES) else []) if d.startswith('tokio-1')]
        if not shutil.which('cargo') or not found:
            self.absent = 'there is no %s; apt-get install cargo librust-tokio-dev' % ('tokio' if shutil.which('cargo') else 'cargo')
            return
        progress.show('building the tokio programs')
        folder = os.path.join(self.build_dir, 'bench', 'tokio')      # a copy: cargo writes beside the source
        shutil.copytree(os.path.join(HERE, 'peers', 'tokio'), folder, dirs_exist_ok=True)
        built('the tokio programs', ['cargo', 'build', '--release', '--offline', '--quiet', '--target-dir', folder + '-target',
                                     '--config', 'source.crates-io.replace-with="debian"',
                                     '--config', 'source.debian.directory="%s"' % self.CRATES], cwd=folder)
        shutil.copy(os.path.join(folder + '-target', 'release', 'tokio_bench'), os.path.join(self.build_dir, 'bench'))
        self.version = '%s, %s' % (found[0].replace('-', ' '), first_line('rustc', '--version'))

    def binary(self, program):
        return 'tokio_bench'


class Boost(Who):
    def prepare(self, progress):
        if not os.path.exists('/usr/include/boost/fiber/all.hpp') or not shutil.which('g++'):
            self.absent = 'there is no Boost.Fiber; apt-get install g++ libboost-fiber-dev'
            return
        progress.show('building the Boost programs')
        source, binary = os.path.join(HERE, 'peers', 'boost', 'boost_bench.cpp'), os.path.join(self.build_dir, 'bench', 'boost_bench')
        if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
            built('the Boost programs', ['g++', '-std=c++17', '-O2', '-DNDEBUG', '-o', binary, source, '-lboost_fiber', '-lboost_context',
                                         '-lpthread'])
        with open('/usr/include/boost/version.hpp') as f:
            self.version = 'Boost ' + next(line.split('"')[1] for line in f if 'define BOOST_LIB_VERSION' in line).replace('_', '.')

    def binary(self, program):
        return 'boost_bench'


class Erlang(Who):
    def prepare(self, progress):
        if not shutil.which('erl') or not shutil.which('erlc'):
            self.absent = 'there is no erl command; apt-get install erlang-base'
            return
        progress.show('building the Erlang programs')
        built('the Erlang programs', ['erlc', '-o', os.path.join(self.build_dir, 'bench'),
                                      os.path.join(HERE, 'peers', 'erlang', 'leat_bench.erl')])
        self.version = 'Erlang/OTP ' + first_line('erl', '-noinput', '-eval',
                                                  'io:format("~s~n", [erlang:system_info(otp_release)]), halt().')

    def call(self, program, workers, n):
        return ['erl', '+S', '%d:%d' % (workers, workers), '+P', '4000000', '-noinput', '-pa', os.path.join(self.build_dir, 'bench'),
                *self.network(program), '-s', 'leat_bench', 'main', '-extra', program] + ([str(n)] if n else [])

    @staticmethod
    def network(program):
        """A node on a free port of this host, which the other one knows: nobody starts a daemon that would stay."""
        if not program.startswith(('tcp-', 'calls-')):
            return []
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        return ['-start_epmd', 'false', '-erl_epmd_port', str(port), '-name', 'bench@127.0.0.1', '-setcookie', secrets.token_hex(8),
                '-kernel', 'inet_dist_use_interface', '{127,0,0,1}']


class Library(Who):
    """A C or C++ library from a package: one program, which holds both processes."""
    header, package, sources = '', '', ()

    def made(self, name):
        return os.path.join(self.build_dir, 'bench', name)

    def source(self, name):
        return os.path.join(HERE, 'peers', self.name, name)

    def prepare(self, progress):
        if not os.path.exists(self.header) or not shutil.which('g++'):
            self.absent = 'there is no %s; apt-get install g++ %s' % (self.name, self.package)
            return
        binary, sources = self.made(self.binary('')), [self.source(s) for s in self.sources] + [os.path.join(HERE, 'peers', 'pair.h')]
        if not os.path.exists(binary) or os.path.getmtime(binary) < max(map(os.path.getmtime, sources)):
            progress.show('building the %s programs' % self.name)
            self.build(binary)
        self.version = self.version_text()

    def binary(self, program):
        return self.name + '_bench'

    def build(self, binary):
        raise NotImplementedError

    def version_text(self):
        return '%s %s' % (self.name, first_line('dpkg-query', '-W', '-f', '${Version}', self.package.split()[0]))


class Zmq(Library):
    header, package, sources = '/usr/include/zmq.h', 'libzmq3-dev', ('zmq_bench.c',)

    def build(self, binary):
        built('the zmq programs', ['gcc', '-O2', '-DNDEBUG', '-o', binary, self.source('zmq_bench.c'), '-lzmq'])


class Nng(Library):
    header, package, sources = '/usr/include/nng/nng.h', 'libnng-dev', ('nng_bench.c',)

    def build(self, binary):
        built('the nng programs', ['gcc', '-O2', '-DNDEBUG', '-o', binary, self.source('nng_bench.c'), '-lnng', '-lpthread'])


class Codec(Library):
    """A library that turns values to bytes and back: one program in peers/codec, and what its compiler makes of a schema."""
    schema, made_by, libs = '', (), ()

    def source(self, name):
        return os.path.join(HERE, 'peers', 'codec', name)

    def prepare(self, progress):
        if self.made_by and not shutil.which(self.made_by[0]):
            self.absent = 'there is no %s; apt-get install g++ %s' % (self.made_by[0], self.package)
            return
        super().prepare(progress)

    def binary(self, program):
        return self.name + '_codec'

    def build(self, binary):
        made = self.made(self.name)
        os.makedirs(made, exist_ok=True)
        if self.made_by:
            built('the messages of ' + self.name, [a.format(here=os.path.dirname(self.source('x')), made=made) for a in self.made_by])
        parts = [os.path.join(made, f) for f in sorted(os.listdir(made)) if f.endswith(('.c', '.cc', '.c++'))]
        parts.append(self.source(self.sources[0]))
        compiler = ['gcc'] if all(p.endswith('.c') for p in parts) else ['g++', '-std=c++17']
        headers = ['-I', made, '-I', os.path.dirname(self.source('x'))]
        built('the %s programs' % self.name, compiler + ['-O2', '-DNDEBUG', *headers, '-o', binary, *parts, *self.libs])


class Protobuf(Codec):
    header, package = '/usr/include/google/protobuf/message.h', 'libprotobuf-dev protobuf-compiler'
    sources = ('protobuf_codec.cpp', 'row.proto', 'codec.h')
    made_by, libs = ('protoc', '-I{here}', '--cpp_out={made}', '{here}/row.proto'), ('-lprotobuf', '-lpthread')


class ProtobufC(Codec):
    header, package = '/usr/include/protobuf-c/protobuf-c.h', 'libprotobuf-c-dev protobuf-c-compiler'
    sources = ('protobufc_codec.c', 'row.proto', 'codec.h')
    made_by, libs = ('protoc-c', '-I{here}', '--c_out={made}', '{here}/row.proto'), ('-lprotobuf-c',)


class Capnp(Codec):
    header, package = '/usr/include/capnp/message.h', 'libcapnp-dev capnproto'
    sources = ('capnp_codec.cpp', 'row.capnp', 'codec.h')
    made_by = ('capnp', 'compile', '-oc++:{made}', '--src-prefix={here}', '{here}/row.capnp')
    libs = ('-lcapnp', '-lkj')


class Msgpack(Codec):
    header, sources = '/usr/include/msgpack.h', ('msgpack_codec.c', 'codec.h')
    old = glob.glob('/usr/lib/*/libmsgpackc.so')     # Debian 12; 13 has it under another name
    package, libs = ('libmsgpack-dev', ('-lmsgpackc',)) if old else ('libmsgpack-c-dev', ('-lmsgpack-c',))


class Cjson(Codec):
    header, package, sources, libs = '/usr/include/cjson/cJSON.h', 'libcjson-dev', ('cjson_codec.c', 'codec.h'), ('-lcjson',)


class Grpc(Library):
    header, package = '/usr/include/grpcpp/grpcpp.h', 'libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc'
    sources = ('grpc_bench.cpp', 'bench.proto')

    def prepare(self, progress):
        if not shutil.which('protoc') or not shutil.which('grpc_cpp_plugin'):
            self.absent = 'there is no protoc with its plugin for gRPC; apt-get install g++ ' + self.package
            return
        super().prepare(progress)

    def build(self, binary):
        made = self.made('grpc')
        os.makedirs(made, exist_ok=True)
        built('the gRPC programs', ['protoc', '-I', os.path.dirname(self.source('')), '--cpp_out=' + made, '--grpc_out=' + made,
                                    '--plugin=protoc-gen-grpc=' + shutil.which('grpc_cpp_plugin'), 'bench.proto'])
        libs = subprocess.run(['pkg-config', '--libs', 'grpc++', 'protobuf'], capture_output=True, text=True).stdout.split()
        parts = [self.source('grpc_bench.cpp'), os.path.join(made, 'bench.pb.cc'), os.path.join(made, 'bench.grpc.pb.cc')]
        built('the gRPC programs', ['g++', '-std=c++17', '-O2', '-DNDEBUG', '-I', made, '-o', binary] + parts + libs)


PEERS = {'go': Go, 'tokio': Tokio, 'boost': Boost, 'erlang': Erlang, 'raw': Raw, 'zmq': Zmq, 'nng': Nng, 'grpc': Grpc,
         'protobuf': Protobuf, 'protobufc': ProtobufC, 'capnp': Capnp, 'msgpack': Msgpack, 'cjson': Cjson}
