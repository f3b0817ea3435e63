#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that takes its listening sockets as a service of systemd does.

    server.py [WAY] [STEP...]

WAY is how it waits for connections: `epoll`, `accept` (blocking), or `select`.  Each STEP is
done in turn before it serves: `notify=TEXT` sends TEXT to NOTIFY_SOCKET, with `|` for line ends;
`line` waits for a line of the FIFO in $GATE; `shutdown` has SIGTERM shut the sockets down.

A request for /slow is answered when the FIFO in $GATE has a line; every other request at once,
with the worker's slot, and what systemd's variables say in its body.
"""

import os
import select
import signal
import socket
import sys


def own(name):
    return os.environ.get(name, "") == str(os.getpid())


def sockets():
    assert own("LISTEN_PID"), "LISTEN_PID is not ours"
    return [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]


def notify(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.replace("|", "\n").encode(), address.replace("@", "\0", 1))


def shut_down(listeners):
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
    sys.exit(0)


def wait_at_gate():
    with open(os.environ["GATE"], encoding="ascii") as gate:
        gate.readline()


def serve(connection):
    with connection:
        connection.setblocking(True)
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(65536)
            if not part:
                return
            request += part
        if request.startswith(b"GET /slow"):
            wait_at_gate()
        body = "\n".join(f"{name}={os.environ.get(name, '')}" for name in (
            "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC")).encode()
        body += b"\nown watchdog: " + str(own("WATCHDOG_PID")).encode() + b"\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Slot: %s\r\nX-Pid: %d\r\n"
                           b"Content-Length: %d\r\n\r\n%s" %
                           (os.environ["USHER_SLOT"].encode(), os.getpid(), len(body), body))


def accept_all(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        serve(connection)


def main(way="epoll", *steps):
    listeners = sockets()
    for step in steps:
        if step.startswith("notify="):
            notify(step.removeprefix("notify="))
        elif step == "line":
            wait_at_gate()
        elif step == "shutdown":
            signal.signal(signal.SIGTERM, lambda *_: shut_down(listeners))
    if way == "accept":
        while True:
            serve(listeners[0].accept()[0])
    for listener in listeners:
        listener.setblocking(False)
    if way == "select":
        while True:
            for listener in select.select(listeners, [], [])[0]:
                accept_all(listener)
    poll = select.epoll()
    for listener in listeners:
        poll.register(listener, select.EPOLLIN)
    by_number = {listener.fileno(): listener for listener in listeners}
    while True:
        for number, _ in poll.poll():
            accept_all(by_number[number])


if __name__ == "__main__":
    main(*sys.argv[1:])
