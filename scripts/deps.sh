#!/bin/sh
# deps.sh SET... - installs what is missing of the Debian packages of these sets, without asking: build test bench peers.
# Works as root or through sudo, on Debian 12 and 13; elsewhere it looks for the commands and says what to install.
set -u

say() { echo "deps: $*" >&2; }

# The first of its arguments that is a package here: Debian 12 and 13 do not always agree on names.
either() {
    for p in "$@"; do
        apt-cache show "$p" >/dev/null 2>&1 && { echo "$p"; return; }
    done
    echo "$1"
}

want=
for set in "$@"; do
    case $set in
    build) want="$want gcc libc6-dev meson ninja-build pkg-config python3 liburing-dev libxxhash-dev" ;;
    test) want="$want g++ clang llvm gdb valgrind libc6-dbg qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
        libsystemd-dev libuv1-dev libglib2.0-dev spin cmake iproute2" ;;
    bench) want="$want golang-go" ;;
    peers) want="$want g++ golang-go cargo librust-tokio-dev libboost-fiber-dev erlang-base libzmq3-dev libnng-dev
        libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-c-dev protobuf-c-compiler
        libcapnp-dev capnproto $(either libmsgpack-c-dev libmsgpack-dev) libcjson-dev" ;;
    *) say "no set '$set': there are build, test, bench, peers"; exit 2 ;;
    esac
done

# The package of clang's sanitizer runtimes carries clang's version: libclang-rt-14-dev in Debian 12, libclang-rt-19-dev in 13.
clang_runtime() {
    version=$(clang -dumpversion 2>/dev/null) ||
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    [ -n "$version" ] && echo "libclang-rt-${version%%.*}-dev"
}

# Prints those of its arguments that are not installed.
missing() {
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
    done
}

# Where there is no dpkg: are the commands there?
without_dpkg() {
    lack=
    for c in cc meson ninja pkg-config python3; do command -v "$c" >/dev/null || lack="$lack $c"; done
    [ -z "$lack" ] && { say "this is not Debian; what it takes to build seems to be here"; exit 0; }
    say "this is not Debian and these commands are missing:$lack; install them, with the packages that Debian calls:$want"
    exit 1
}

apt() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
    fi
}

# Installs its arguments or says in one line why that failed.
install() {
    say "installing $*"
    log=$(mktemp) || exit 1
    if apt install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
        return 0
    fi
    tail -n 15 "$log" >&2
    rm -f "$log"
    say "could not install $*: see above; as root: apt-get install $*"
    exit 1
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || without_dpkg
# shellcheck disable=SC2086
need=$(missing $want)
case " $* " in *" test "*) runtime=$(clang_runtime) || runtime= ;; *) runtime= ;; esac
[ -z "$runtime" ] || need="$need $(missing "$runtime")"
need=$(echo $need)
[ -n "$need" ] || case " $* " in *" test "*) [ -n "$runtime" ] && exit 0 ;; *) exit 0 ;; esac

if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    say "missing: $need; not root and no sudo without a password, so as root: apt-get install $need"
    exit 1
fi
say "apt-get update"
apt update >/dev/null 2>&1 || say "apt-get update failed; trying with the package lists that are here"
# shellcheck disable=SC2086
[ -z "$need" ] || install $need
case " $* " in *" test "*)
    runtime=$(clang_runtime) && [ -n "$(missing "$runtime")" ] && install "$runtime" ;;
esac
exit 0
