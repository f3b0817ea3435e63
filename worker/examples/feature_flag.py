#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A switch that all workers see: POST /on, POST /off.

    usher run -- python3 feature_flag.py 8000

From outside: usher store put flag.greeting true
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import usher

store = usher.Bus().store()
greeting = "Hello!"


@store.watch("flag.greeting")
def choose(change):
    """Called with what there is, and whenever somebody changes it."""
    global greeting
    greeting = "Good day to you!" if change.value else "Hello!"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = greeting.encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        store.put("flag.greeting", self.path == "/on")
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
