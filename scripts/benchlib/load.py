"""Load: wrk for rates, and small clients of our own where the count must be exact."""

import json
import os
import pathlib
import select
import selectors
import signal
import socket
import subprocess
import time

from .processes import BenchError, stat_fields, wait_until

BODY = b"Hello, World!\n"
TIMEOUT = 30


# --- wrk


def run_wrk(port, seconds, connections, close):
    """Runs wrk once; yields requests, seconds, p50_us, p99_us and a dict of errors."""
    script = pathlib.Path(__file__).with_name("wrk_report.lua")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    if close:
        command += ["-H", "Connection: close"]
    command.append(f"http://127.0.0.1:{port}/")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60
    )
    for line in done.stdout.splitlines():
        if line.startswith("wrk_report "):
            return json.loads(line.partition(" ")[2])
    raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()}")


# --- single requests


def request_bytes(close):
    connection = b"close" if close else b"keep-alive"
    return b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: " + connection + b"\r\n\r\n"


def receive(sock):
    try:
        return sock.recv(65536)
    except TimeoutError:
        raise BenchError(f"a connection got no answer for {TIMEOUT} s") from None


def read_to_end(sock):
    answer = b""
    while part := receive(sock):
        answer += part
    return answer


def get_once(port):
    """One request on a connection of its own; yields the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as sock:
        sock.sendall(request_bytes(close=True))
        return read_to_end(sock)


def check_answer(answer):
    if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(BODY):
        raise BenchError(f"unexpected answer: {answer[:200]!r}")


def wait_for_workers(server, port, count, seconds=20):
    """Waits until `count` different processes have answered on the port."""
    seen = set()

    def enough():
        server.check_running()
        try:
            answer = get_once(port)
        except ConnectionError:
            return False
        check_answer(answer)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        seen.update(line for line in head.split(b"\r\n") if line.startswith(b"x-pid:"))
        return len(seen) >= count

    wait_until(enough, seconds, f"{count} answering workers on port {port}")


def wait_for_close(server, port, seconds):
    """Waits until somebody accepts a connection on the port and closes it."""

    def accepted():
        server.check_running()
        try:
            sequential_silent(port, 1)
        except ConnectionError:
            return False
        return True

    wait_until(accepted, seconds, f"a worker behind port {port}")


# --- exact counts


def sequential(port, count):
    """`count` connections, one after the other, one request each."""
    for _ in range(count):
        check_answer(get_once(port))


def sequential_silent(port, count):
    """`count` connections, one after the other, to a server that closes without a word."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as sock:
            if read_to_end(sock):
                raise BenchError("the server was expected to close at once")


def waiting_batches(port, master, batches, size):
    """`batches` times: stops the master, lets `size` requests wait in its backlog, continues it."""
    for _ in range(batches):
        os.kill(master, signal.SIGSTOP)
        try:
            wait_until(lambda: is_stopped(master), 10, "the master to stop")
            sockets = open_requests(port, size)
        finally:
            os.kill(master, signal.SIGCONT)
        wait_until(lambda: is_answering(master, sockets), TIMEOUT, "answers after the pause")
        for sock in sockets:
            with sock:
                sock.settimeout(TIMEOUT)
                check_answer(read_to_end(sock))


def is_stopped(pid):
    # Three looks: under strace, every system call shows as a short stop, too.
    for _ in range(3):
        fields = stat_fields(pid)
        if not fields or fields[0] not in "Tt":
            return False
        time.sleep(0.0005)
    return True


def is_answering(pid, sockets):
    if select.select(sockets, [], [], 0.5)[0]:
        return True
    # SIGCONT is lost if strace was still handing SIGSTOP over when it came.
    os.kill(pid, signal.SIGCONT)
    return False


def open_requests(port, size):
    """`size` connections that the kernel has completed, each with its request on the way."""
    sockets = []
    with selectors.DefaultSelector() as selector:
        for _ in range(size):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            selector.register(sock, selectors.EVENT_WRITE)
            sockets.append(sock)
        pending = size
        while pending:
            ready = selector.select(TIMEOUT)
            if not ready:
                raise BenchError(f"{pending} of {size} connections were not completed: backlog full?")
            for key, _ in ready:
                error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise BenchError(f"connect: {os.strerror(error)}")
                key.fileobj.send(request_bytes(close=True))
                selector.unregister(key.fileobj)
                pending -= 1
    return sockets


class KeepAliveClient:
    """A few connections that stay open; the next request goes out when all have answered."""

    def __init__(self, port, connections):
        self.sockets = [
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            for _ in range(connections)
        ]
        self.run(connections)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in self.sockets:
            sock.close()

    def run(self, requests):
        for _ in range(requests // len(self.sockets)):
            for sock in self.sockets:
                sock.sendall(request_bytes(close=False))
            for sock in self.sockets:
                self.read_answer(sock)

    @staticmethod
    def read_answer(sock):
        answer = b""
        while not answer.endswith(BODY):
            part = receive(sock)
            if not part:
                raise BenchError("a keep-alive connection was closed")
            answer += part
        check_answer(answer)
