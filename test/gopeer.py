"""gopeer.py - builds a Go program that a test talks to, once for all tests that want it, with Go's standard library alone."""
import fcntl
import os
import shutil
import subprocess

import tap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get('LEAT_BUILD', os.path.join(ROOT, 'build')))


def need():
    """Skips the test where there is no Go, which nothing else needs."""
    if not shutil.which('go'):
        raise tap.Skip('go is not installed')


def environment():
    """The environment of the go command: nothing is fetched."""
    env = dict(os.environ, GOFLAGS='-mod=mod', GO111MODULE='on', GOTOOLCHAIN='local', GOPROXY='off')
    if 'HOME' not in env and 'GOCACHE' not in env:
        env['GOCACHE'] = os.path.join(BUILD, 'peers', 'cache')
    return env


def build(folder, name):
    """The program of the module in folder."""
    need()
    peers = os.path.join(BUILD, 'peers')
    os.makedirs(peers, exist_ok=True)
    path = os.path.join(peers, name)
    env = environment()
    with open(path + '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        got = subprocess.run(['go', 'build', '-o', path, '.'], cwd=folder, env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=280)
    if got.returncode:
        raise RuntimeError('go build in %s:\n%s' % (folder, got.stdout))
    return path
