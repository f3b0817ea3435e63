#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker for asyncio: HTTP/1.1 with keep-alive.

    usher run --listen 8000 -- python3 hello_asyncio.py      one per CPU behind one port
    python3 hello_asyncio.py 127.0.0.1:8000                  one, alone
"""

import asyncio
import os
import sys

import usher

IDLE_SECONDS = 5


async def main(address):
    async def serve(reader, writer):
        try:
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
                close = server.worker.is_draining or b"connection: close" in head.lower()
                writer.write(
                    f"HTTP/1.1 200 OK\r\nX-Pid: {os.getpid()}\r\nX-Slot: {slot}\r\n"
                    f"Connection: {'close' if close else 'keep-alive'}\r\n"
                    "Content-Length: 14\r\n\r\nHello, World!\n".encode())
                await writer.drain()
                if close:
                    break
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass  # the client went away, or never said what it wanted
        finally:
            writer.close()

    server = await usher.start_server(serve, address)
    slot = server.worker.identity.slot if server.worker.identity else 0
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:] or ["127.0.0.1:8000"]))
