"""terminal.py - a program on a terminal of its own: what is typed reaches it, and what it draws can be looked at."""
import os
import pty
import re
import select
import signal
import time


class Terminal:
    def __init__(self, cmd, env):
        self.text = ''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(cmd[0], cmd, dict(env, TERM='xterm'))
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds):
        """False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += got.decode('utf-8', 'replace')
        return bool(got)

    def until(self, pattern, seconds=120):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            if time.monotonic() > end or not self.read(1):
                raise AssertionError('%r did not come: %r' % (pattern, self.text))

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=120):
        """The exit code, or minus the signal."""
        end = time.monotonic() + seconds
        while self.read(1):
            if time.monotonic() > end:
                raise AssertionError('still running: %r' % self.text)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def screen(self):
        """The lines as they look in the end: \\r and \\x1b[K done, colours dropped."""
        lines = []
        for line in self.text.split('\n'):
            shown = ''
            line = re.sub(r'\x1b\[\d*m', '', line)
            for part in re.split(r'(\r|\x1b\[K)', line):
                if part == '\r':
                    at = 0
                elif part == '\x1b[K':
                    shown = shown[:at]
                else:
                    at = 0 if not shown else at
                    shown = shown[:at] + part + shown[at + len(part):]
                    at += len(part)
            lines.append(shown)
        return lines
