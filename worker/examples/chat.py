#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one client writes all others read, whichever workers they are with.

    usher run --listen 8000 -- python3 chat.py
    nc 127.0.0.1 8000                                   twice or more

/who counts the clients: each worker is asked for its own.
"""

import asyncio
import sys

import usher

bus = usher.AsyncBus()
clients = set()


@bus.subscribe("chat")
def tell(message):
    show(message.data)


def show(text):
    for writer in clients:
        writer.write(f"{text}\n".encode())


async def others():
    """How many clients the other workers have; without usher there are none."""
    try:
        return sum(each.data for each in await bus.request("who"))
    except usher.BusClosed:
        return 0


@bus.respond("who")
def count(_request):
    return len(clients)


async def serve(reader, writer):
    clients.add(writer)
    try:
        async for line in reader:
            text = line.decode(errors="replace").strip()
            if text == "/who":
                writer.write(b"%d here\n" % (await others() + len(clients)))
            elif bus.is_closed:  # usher is gone: those who are here have each other still
                show(text)
            else:
                await bus.publish("chat", text)
    except (OSError, ValueError):
        pass  # the client has gone, or its line is too long
    finally:
        clients.remove(writer)
        writer.close()


async def main(address="127.0.0.1:8000"):
    async with bus:
        server = await usher.start_server(serve, address)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
