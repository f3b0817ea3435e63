# SPDX-License-Identifier: MIT
"""A worker that uses all of the bus by usher.py: it answers requests, would be the leader, and
counts its clients in the store.

    bus_worker.py threads|asyncio
"""

import asyncio
import contextlib
import socket
import sys

import usher

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def prepare(bus):
    bus.respond("conformance.>")(lambda request: request.data)
    bus.respond("*.all")(lambda request: request.data)
    bus.on_leader(lambda is_leader: None)


def serve(client, bus, store):
    client.settimeout(5)
    request = b""
    while b"\r\n\r\n" not in request:
        part = client.recv(65536)
        if not part:
            return
        request += part
    bus.publish("conformance.served")
    with contextlib.suppress(usher.BusClosed):  # without a master nobody counts
        store.increment("served")
    client.sendall(ANSWER)
    client.shutdown(socket.SHUT_WR)


def run_threads():
    with usher.Worker(max_batch=1) as worker, usher.Bus(timeout=60) as bus:
        prepare(bus)
        store = bus.store()
        worker.ready()
        for connection in worker:
            with connection, contextlib.suppress(OSError):
                serve(connection.socket, bus, store)


async def run_loop():
    async with usher.AsyncBus(timeout=60) as bus:
        prepare(bus)
        store = await bus.store()

        async def serve_one(reader, writer):
            with contextlib.suppress(OSError, EOFError):
                await reader.readuntil(b"\r\n\r\n")
                await bus.publish("conformance.served")
                with contextlib.suppress(usher.BusClosed):
                    await store.increment("served")
                writer.write(ANSWER)
            writer.close()

        server = await usher.start_server(serve_one)
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "threads":
        run_threads()
    else:
        asyncio.run(run_loop())
