#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the visits of each session, and the sessions there are, across all workers.

    usher run -- python3 session_counter.py 8000

How many sessions there are is read from this worker's own copy of the store, which costs nothing.
"""

import re
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import usher

SECONDS = 30 * 60

store = usher.Bus().store()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = re.search(r"\bsession=([\w-]{22})(?:;|$)", self.headers.get("Cookie", ""))
        session = known[1] if known else secrets.token_urlsafe(16)
        visits = store.update(f"session.{session}", lambda count: count + 1, 0, ttl=SECONDS)
        body = b"visit %d, %d sessions\n" % (visits, len(store.keys("session.")))
        self.send_response(200)
        self.send_header("Set-Cookie", f"session={session}; HttpOnly; Max-Age={SECONDS}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
