#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ten requests a minute for each address, whichever worker they come to.

    usher run -- python3 rate_limiter.py 8000

A counter that all workers increment goes away a minute after its first request.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import usher

MOST, SECONDS = 10, 60

store = usher.Bus().store()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        count = store.increment(f"rate.{self.client_address[0]}", ttl=SECONDS)
        body = b"request %d of %d\n" % (count, MOST)
        self.send_response(200 if count <= MOST else 429)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
