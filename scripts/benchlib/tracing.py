"""Counting from outside: system calls with strace, heap allocations with a preloaded library."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

from .processes import BenchError, read_proc, wait_until


class Strace:
    """Counts the system calls of one process, not of its children, until the block ends."""

    def __init__(self, pid, folder):
        self.pid = pid
        self.table = folder / "strace.txt"
        self.errors = folder / "strace.err"
        self.calls = {}
        self.seconds = 0.0

    def __enter__(self):
        self.table.unlink(missing_ok=True)
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                ["strace", "-c", "-p", str(self.pid), "-o", str(self.table)],
                stdin=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        try:
            wait_until(self.attached, 10, "strace to attach")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.began = time.monotonic()
        return self

    def attached(self):
        if self.process.poll() is not None:
            raise BenchError(f"strace: {self.errors.read_text().strip()}")
        return f"TracerPid:\t{self.process.pid}\n" in read_proc(self.pid, "status")

    def __exit__(self, *exc):
        self.seconds = time.monotonic() - self.began
        self.process.send_signal(signal.SIGINT)  # it detaches and writes the table
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BenchError("strace did not stop") from None
        self.calls = parse_strace_table(self.table.read_text() if self.table.exists() else "")

    @property
    def total(self):
        return sum(self.calls.values())


def parse_strace_table(text):
    """Lines are: % time, seconds, usecs/call, calls, [errors,] name."""
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


class AllocationCounter:
    """Counts the heap allocations of running programs; see count_allocations.c.

    Not valgrind: version 3.19, that of Debian 12, refuses pidfd_open(), which usher needs.
    """

    @staticmethod
    def missing():
        return None if shutil.which("cc") else "there is no C compiler"

    def __init__(self, folder):
        self.counters = folder / "allocations"
        self.counters.mkdir()
        source = pathlib.Path(__file__).with_name("count_allocations.c")
        library = folder / "count_allocations.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        self.environment = {
            "LD_PRELOAD": str(library),
            "COUNT_ALLOCATIONS": str(self.counters),
        }

    def read(self, pid):
        path = self.counters / str(pid)
        if not path.exists():
            raise BenchError(f"process {pid} does not count its allocations")
        return int.from_bytes(path.read_bytes(), sys.byteorder)
