"""Starting, watching and ending the processes under measurement."""

import contextlib
import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time


class BenchError(Exception):
    """Something that stops the measurement, in one sentence."""


def wait_until(condition, seconds, what):
    """Waits for condition() to be true; polls, because most of what we wait for has no event."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.002)


# --- /proc


def read_proc(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def stat_fields(pid):
    """The fields of /proc/PID/stat from the state on: state, ppid, ..., starttime at index 19."""
    return read_proc(pid, "stat").rpartition(")")[2].split()


def process_tree(root):
    """root and all its living descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    tree, todo = [], [root]
    while todo:
        pid = todo.pop()
        tree.append(pid)
        todo += children.get(pid, [])
    return tree


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def cpu_ns(pids):
    """Nanoseconds of CPU, user and system, that all threads of these processes have used."""
    total = 0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            schedstat = read_proc(pid, f"task/{thread}/schedstat").split()
            if schedstat:
                total += int(schedstat[0])
            elif fields := stat_fields(f"{pid}/task/{thread}"):  # a kernel without schedstat
                total += (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK")
    return total


# --- ports


def free_port():
    """A port on loopback that nobody uses.

    Taken below the ephemeral ports: between the look and the server's bind(), no connection of
    ours can be given it.
    """
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    low, high = (10000, first - 1) if first > 12000 else (1025, 65535)
    for _ in range(1000):
        port = random.randint(low, high)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise BenchError("no free port on 127.0.0.1")


# --- processes


def adopt_orphans():
    """Makes the kernel hand us what outlives its parent, so that sweep() finds it."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def sweep():
    """Ends what escaped from its server; called when nothing of ours should be running."""
    escaped = set()
    for _ in range(1000):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pids = process_tree(os.getpid())[1:]
        if not pids:
            break
        for pid in pids:
            # A zombie that cannot be reaped yet is a process whose threads are still ending.
            if (fields := stat_fields(pid)) and fields[0] != "Z":
                escaped.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    if escaped:
        print(f"warning: left behind and killed: {len(escaped)} processes", file=sys.stderr)


class Server:
    """One server and what it starts; a context manager that leaves none of it behind."""

    def __init__(self, command, log_path, env=None):
        self.log_path = log_path
        # A session of its own: Ctrl-C in the terminal is for us, and we stop it in order.
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def tree(self):
        return process_tree(self.pid)

    def log_tail(self):
        lines = pathlib.Path(self.log_path).read_text(encoding="utf-8", errors="replace")
        return "\n".join("    " + line for line in lines.splitlines()[-10:])

    def check_running(self):
        if (status := self.process.poll()) is not None:
            raise BenchError(f"{self.process.args[0]} ended with {status}:\n{self.log_tail()}")

    def stop(self, patience=10):
        """Asks with SIGTERM; what is left after `patience` seconds gets SIGKILL."""
        if self.process.poll() is not None:
            return
        born = {pid: fields[19] for pid in self.tree() if (fields := stat_fields(pid))}

        def living():
            # The number alone may belong to somebody else by now.
            return [p for p, t in born.items() if (f := stat_fields(p)) and f[19] == t and f[0] != "Z"]

        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(patience)
            wait_until(lambda: not living(), 1, "the end of its children")
        except (subprocess.TimeoutExpired, BenchError):
            pass
        finally:
            for pid in living():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            wait_until(lambda: not living(), 10, "the end of what was killed")
