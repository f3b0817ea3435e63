# SPDX-License-Identifier: MIT
"""A worker that breaks the protocol in one place:  faulty_worker.py FAULT

Everything else is usher.py, which keeps it.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

import usher


class FaultyWorker(usher.Worker):
    """A good worker; each fault replaces a part of it."""

    exit_code = 0
    leaves_at_end = True  # when no more connections will come and all are served
    uses_bus = True

    def open_bus(self):
        """Answers requests, and has a copy of the store."""
        bus = usher.Bus(timeout=60)
        bus.respond("conformance.*")(lambda request: request.data)
        bus.store().put("slot", self.identity.slot)
        return bus

    def serve(self, connection):
        with connection:
            client = connection.socket
            request = b""
            while b"\r\n\r\n" not in request:
                part = client.recv(65536)
                if not part:
                    return
                request += part
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    def write_word(self, offset, value):
        self._page._words[offset // 8] = value


FAULTS = {}


def fault(name):
    def register(function):
        FAULTS[name] = function
        return function
    return register


@fault("none")
def _(_cls):
    pass


@fault("ready-before-hello")
def _(cls):
    def say(self, message):
        if message["type"] == "hello":
            usher.Worker._say(self, {"type": "ready"})
        usher.Worker._say(self, message)
    cls._say = say


@fault("ready-twice")
def _(cls):
    def ready(self):
        usher.Worker.ready(self)
        usher.Worker.ready(self)
    cls.ready = ready


@fault("says-garbage")
def _(cls):
    def ready(self):
        self._control.send(b"{\"type\":")
        usher.Worker.ready(self)
    cls.ready = ready


@fault("any-protocol")
def _(_cls):
    os.environ["USHER_PROTOCOL"] = "1"


@fault("inheritable-descriptors")
def _(cls):
    def ready(self):
        os.set_inheritable(self._control.fileno(), True)
        usher.Worker.ready(self)
    cls.ready = ready


@fault("first-of-batch")
def _(cls):
    def receive(self):
        usher.Worker._receive(self)
        while len(self._buffered) > 1:
            self._buffered.pop().socket.close()
    cls._receive = receive


@fault("leaks-descriptors")
def _(cls):
    kept = []
    good = cls.serve

    def serve(self, connection):
        kept.append(open("/dev/null", "rb"))
        good(self, connection)
    cls.serve = serve


@fault("inheritable-connections")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        connection.socket.set_inheritable(True)
        good(self, connection)
    cls.serve = serve


@fault("known-clients-only")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        if connection.peer is None:
            connection.close()
        else:
            good(self, connection)
    cls.serve = serve


@fault("refuses-reclaimed")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        if connection.reclaims:
            connection.close()
        else:
            good(self, connection)
    cls.serve = serve


@fault("records-of-80-bytes")
def _(_cls):
    good = usher._decode_header

    def decode(packet):
        header = good(packet)
        return header if header and header[1] == 80 else None
    usher._decode_header = decode


@fault("no-headroom")
def _(_cls):
    usher._Reserve.has_room = lambda reserve, source: True


@fault("writes-to-hand-off")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        self._source.send(b"thanks")
        good(self, connection)
    cls.serve = serve


@fault("trusts-close")
def _(cls):
    good = cls.serve
    poller = select.epoll()
    served = set()

    def serve(self, connection):
        fd = connection.socket.fileno()
        poller.register(fd, select.EPOLLIN)
        served.add(fd)
        good(self, connection)  # closes it, and so much for the epoll

    def wait(self, seconds):
        usher.Worker._wait(self, seconds)
        if any(fd in served for fd, _ in poller.poll(0)):
            os._exit(1)  # in C, this is where freed memory is used
    cls.serve = serve
    cls._wait = wait


@fault("no-accepted")
def _(_cls):
    usher._Page._ACCEPTED = usher._Page._LOAD


@fault("no-closed")
def _(_cls):
    usher._Page._CLOSED = usher._Page._LOAD


@fault("counts-one-too-many")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        self.write_word(64, self._page.accepted + 1)
        good(self, connection)
    cls.serve = serve


@fault("writes-elsewhere")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        self.write_word(16, 1)
        good(self, connection)
    cls.serve = serve


@fault("no-heartbeat")
def _(_cls):
    usher._Page.stamp = lambda page: None


@fault("heartbeat-of-another-clock")
def _(_cls):
    def stamp(page):
        page._words[page._HEARTBEAT] = time.time_ns()
    usher._Page.stamp = stamp


@fault("dies-of-the-unknown")
def _(_cls):
    good = usher._drain_timeout

    def read(packet):
        if json.loads(packet)["type"] not in ("welcome", "drain"):
            sys.exit("unknown type")
        return good(packet)
    usher._drain_timeout = read


@fault("dies-of-garbage")
def _(_cls):
    good = usher._drain_timeout

    def read(packet):
        json.loads(packet)
        return good(packet)
    usher._drain_timeout = read


@fault("drain-drops-the-queue")
def _(cls):
    good = cls._read_control

    def read_control(self):
        good(self)
        if self.drain_deadline is not None and not self.is_ended:
            self.is_ended = True
    cls._read_control = read_control


@fault("end-drops-connections")
def _(cls):
    good = cls.serve

    def serve(self, connection):
        while connection.socket.recv(65536, socket.MSG_PEEK)[-4:] != b"\r\n\r\n":
            # More of the request has not come; meanwhile the end may.
            wait_for_any([connection.socket, self._source])
            with contextlib.suppress(BlockingIOError):
                if not self._source.recv(1, socket.MSG_PEEK):
                    os._exit(0)
        good(self, connection)
    cls.serve = serve


@fault("never-exits")
def _(cls):
    cls.leaves_at_end = False


@fault("exits-with-3")
def _(cls):
    cls.exit_code = 3


@fault("ignores-sigterm")
def _(_cls):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@fault("no-bus")
def _(cls):
    cls.uses_bus = False


@fault("garbage-on-the-bus")
def _(cls):
    say_on_bus(cls, b"{\"type\":\n")


@fault("no-object-on-the-bus")
def _(cls):
    say_on_bus(cls, b"[\"hello\"]\n")


@fault("no-type-on-the-bus")
def _(cls):
    say_on_bus(cls, b"{\"kind\":\"hello\"}\n")


@fault("too-long-a-line")
def _(cls):
    say_on_bus(cls, b"{\"type\":\"publish\",\"topic\":\"a\",\"data\":\"" + b"x" * 70_000 + b"\"}\n")


@fault("no-end-of-line")
def _(cls):
    say_on_bus(cls, b"x" * 70_000)


@fault("dies-of-unknown-lines")
def _(_cls):
    watch_lines(lambda message: hasattr(usher.Bus, "_take_" + message["type"]))


@fault("dies-of-unknown-members")
def _(_cls):
    watch_lines(lambda message: not message.keys() - {
        "type", "id", "protocol", "pool", "slot", "worker", "generation", "group", "topic", "from",
        "data", "timeout_ms", "key", "keys", "value", "revision", "count", "code", "reason"})


@fault("forgets-half-lines")
def _(_cls):
    good = usher.Bus._receive

    def receive(self, data):
        good(self, data)
        self._unread = b""
    usher.Bus._receive = receive


@fault("takes-few-lines-at-once")
def _(_cls):
    good = usher.Bus._receive

    def receive(self, data):
        good(self, b"".join(data.splitlines(keepends=True)[:8]))
    usher.Bus._receive = receive


@fault("dies-of-losses")
def _(_cls):
    watch_lines(lambda message: message["type"] != "lost")


@fault("dies-of-errors-without-id")
def _(_cls):
    watch_lines(lambda message: message["type"] != "error" or message.get("id"))


@fault("answers-no-request")
def _(_cls):
    usher.Bus._say_reply = lambda *_: None


@fault("answers-twice")
def _(_cls):
    good = usher.Bus._say_reply

    def say_reply(self, *answer):
        good(self, *answer)
        good(self, *answer)
    usher.Bus._say_reply = say_reply


@fault("ends-with-the-bus")
def _(_cls):
    usher.Bus._on_end = lambda bus: os._exit(0)


@fault("inheritable-bus")
def _(cls):
    good = cls.open_bus

    def open_bus(self):
        bus = good(self)
        os.set_inheritable(bus._socket.fileno(), True)
        return bus
    cls.open_bus = open_bus


def say_on_bus(cls, data):
    """Says that as well, once it is open."""
    good = cls.open_bus

    def open_bus(self):
        bus = good(self)
        bus._send(data)
        return bus
    cls.open_bus = open_bus


def watch_lines(is_good):
    """Ends the worker at a line that is not."""
    good = usher.Bus._receive

    def receive(self, data):
        good(self, data)
        for line in data.splitlines():
            with contextlib.suppress(ValueError):
                if not is_good(json.loads(line)):
                    os._exit(1)
    usher.Bus._receive = receive


def wait_for_any(sockets):
    select.select(sockets, [], [])


def main(name):
    FAULTS[name](FaultyWorker)
    with FaultyWorker(max_batch=8) as worker:
        bus = worker.open_bus() if worker.uses_bus else None
        worker.ready()
        for connection in worker:
            try:
                worker.serve(connection)
            except OSError:
                pass
        if not worker.leaves_at_end:
            signal.pause()
    sys.exit(worker.exit_code)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FAULTS:
        sys.exit(f"usage: faulty_worker.py FAULT; there are {' '.join(FAULTS)}")
    main(sys.argv[1])
