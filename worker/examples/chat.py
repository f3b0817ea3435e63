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
    for writer in clients:
        writer.write(f"{message.data}\n".encode())


@bus.respond("who")
def count(_request):
    return len(clients)


async def serve(reader, writer):
    clients.add(writer)
    try:
        async for line in reader:
            text = line.decode(errors="replace").strip()
            if text == "/who":
                others = await bus.request("who")
                writer.write(b"%d here\n" % (len(clients) + sum(each.data for each in others)))
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
