"""Processes that are ended by their own id, and how long they took to listen and what memory they held."""

import os
import pathlib
import socket
import subprocess
import time

LISTEN_S_MAX = 60
LOG_BYTES_SHOWN = 2_000


def until(what, seconds, ready, pause_s=0.01):
    """Waits until `ready` answers with something true, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ready():
            return answer
        time.sleep(pause_s)
    raise TimeoutError(f"{what}: not within {seconds} s")


def free_port():
    """A port that the kernel just gave."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Process:
    """A program in the background, its output at the end of a file."""

    def __init__(self, command, log):
        self.log, self.began = log, time.monotonic()
        environment = os.environ | {"LANG": "C.UTF-8"}
        environment.pop("JOURNAL_STREAM", None)  # a log for journald would not reach the file
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
            )

    def told(self):
        """The end of what it printed."""
        return self.log.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace")

    def check(self):
        """Fails if it has ended."""
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.child.args} ended with {self.child.returncode}:\n{self.told()}")

    def until_listening(self, port):
        """Waits for its port; returns the milliseconds since it was started."""

        def ready():
            self.check()
            return listens(port)

        until(f"{self.child.args[0]} listens", LISTEN_S_MAX, ready, 0.002)
        return (time.monotonic() - self.began) * 1_000

    def rss_bytes(self, field):
        """`VmRSS` is what it holds now, `VmHWM` the most that it ever held."""
        status = pathlib.Path("/proc", str(self.child.pid), "status").read_text()
        return next(int(line.split()[1]) * 1_024 for line in status.splitlines() if line.startswith(field + ":"))

    def kill(self):
        """SIGKILL: as a power cut, but for the page cache."""
        self.child.kill()
        self.child.wait()

    def finish(self, seconds):
        """Waits for its end, which must be a success."""
        code = self.child.wait(timeout=max(seconds, 0.001))
        if code:
            raise RuntimeError(f"{self.child.args} ended with {code}:\n{self.told()}")
