# SPDX-License-Identifier: MIT
"""A worker that does on the bus what is asked of it by HTTP: `python3 worker.py threads|asyncio`.

    /publish/TOPIC/JSON      publishes it
    /send/SLOT/JSON          sends it to that worker
    /heard                   what has come so far, one a line: TOPIC SENDER JSON
    /ask                     who answers the topic `who`, and who is missing
    /put/KEY/JSON            writes it
    /add/KEY/BY              increments it, and answers with the sum
    /append/KEY/JSON         appends to an array by an update
    /get/KEY                 what its copy has; nothing if there is none
    /size                    how many keys its copy has
    /lead                    whether it is the leader
"""

import asyncio
import http.server
import json
import os
import sys

import usher

slot = os.environ["USHER_SLOT"]
heard = []


def note(message):
    heard.append(f"{message.topic or '-'} {message.sender} {json.dumps(message.data)}")


async def done(result):
    """Of Bus it is the result, of AsyncBus something to await."""
    return await result if asyncio.iscoroutine(result) else result


async def answer(bus, store, path):
    what, *rest = path[1:].split("/")
    if what == "publish":
        return await done(bus.publish(rest[0], json.loads(rest[1]), wait=True))
    if what == "send":
        return await done(bus.send(data=json.loads(rest[1]), slot=int(rest[0]), wait=True))
    if what == "heard":
        return "\n".join(heard)
    if what == "ask":
        replies = await done(bus.request("who", timeout=60))
        return " ".join(sorted(each.data for each in replies) + [f"missing {replies.missing}"])
    if what == "put":
        return await done(store.put(rest[0], json.loads(rest[1])))
    if what == "add":
        return await done(store.increment(rest[0], int(rest[1])))
    if what == "append":
        return await done(store.update(rest[0], lambda old: old + [json.loads(rest[1])], []))
    if what == "get":
        return json.dumps(store.get(rest[0])) if store.revision(rest[0]) else ""
    if what == "size":
        return len(store.keys())
    if what == "lead":
        return bus.is_leader
    return "?"


def prepare(bus):
    bus.subscribe("news.*")(note)
    bus.on_message(note)
    bus.on_leader(lambda is_leader: print("leader", is_leader, flush=True))
    bus.respond("who")(lambda request: f"{slot}:{sys.argv[1]}")


def serve_in_threads():
    bus = usher.Bus(timeout=60)
    prepare(bus)
    store = bus.store()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = str(asyncio.run(answer(bus, store, self.path))).encode()
            self.send_response(200)
            self.send_header("X-Slot", slot)
            self.send_header("X-Pid", str(os.getpid()))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler).serve_forever()


async def serve_in_loop():
    bus = usher.AsyncBus(timeout=60)
    prepare(bus)

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = str(await answer(bus, store, head.decode().split(" ")[1])).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nX-Slot: %s\r\nX-Pid: %d\r\nContent-Length: %d\r\n\r\n%s" %
                             (slot.encode(), os.getpid(), len(body), body))
        except (EOFError, OSError):
            writer.close()

    async with bus:
        store = await bus.store()
        server = await usher.start_server(serve)
        await server.serve_forever()


if sys.argv[1] == "threads":
    serve_in_threads()
else:
    asyncio.run(serve_in_loop())
