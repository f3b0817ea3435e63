#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker that serves one connection after the other: HTTP/1.1, a request a connection.

    usher run --listen 8000 -- python3 hello_blocking.py     one per CPU behind one port
    python3 hello_blocking.py 127.0.0.1:8000                 one, alone
"""

import os
import socket
import sys

import usher

IDLE_SECONDS = 5  # less than the pool's stall_timeout: who waits longer counts as hung


def serve(client, slot):
    client.settimeout(IDLE_SECONDS)
    request = b""
    while b"\r\n\r\n" not in request:
        part = client.recv(65536)
        if not part:
            return
        request += part
    client.sendall(
        f"HTTP/1.1 200 OK\r\nX-Pid: {os.getpid()}\r\nX-Slot: {slot}\r\nConnection: close\r\n"
        "Content-Length: 14\r\n\r\nHello, World!\n".encode())
    client.shutdown(socket.SHUT_WR)


def main(address="127.0.0.1:8000"):
    with usher.Worker(address, max_batch=1) as worker:
        worker.ready()
        for connection in worker:
            with connection:
                try:
                    serve(connection.socket, worker.identity.slot if worker.identity else 0)
                except OSError:
                    pass  # the client went away, or was too slow


if __name__ == "__main__":
    main(*sys.argv[1:])
