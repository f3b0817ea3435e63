# SPDX-License-Identifier: MIT
"""A worker that speaks lines on the bus by itself, without a library.

It does what it is asked on the topic `op.SLOT`, one thing after the other:

    {"op": "say", "lines": [...]}      says them, and answers when the master has heard them
    {"op": "bytes", "text", "times", "end"}  writes that so often as it is, and then the end
    {"op": "fail"}                     answers by an error
    {"op": "endless", "count"}         answers first, then writes so many bytes without a line feed
    {"op": "publish", "topic", "count", "pad"}  0, 1, 2 ...
    {"op": "heard", "topic"}           of that topic: how many, the senders whose order was broken,
                                       how many were lost
    {"op": "await", "topic", "count"}  the same, once heard and lost are so many
    {"op": "count", "key", "times"}    adds 1 by compare and set so often; what was acknowledged
    {"op": "get", "key"}               the value in its copy of the store
    {"op": "size"}                     how many keys that has
    {"op": "leader"}                   whether it is the leader
    {"op": "last"}                     the lines of other types that have come since

With an argument it also serves HTTP on that port, in a thread.
"""

import collections
import http.server
import json
import os
import socket
import sys
import threading

SLOT = os.environ["USHER_SLOT"]


class Worker:
    def __init__(self):
        self.socket = socket.socket(fileno=int(os.environ["USHER_BUS_FD"]))
        self.rest = b""
        self.lines = collections.deque()
        self.heard = collections.Counter()
        self.next = {}
        self.broken = []
        self.lost = 0
        self.answers = {}
        self.copy = {}
        self.is_leader = None
        self.last = []
        self.questions = collections.deque()
        self.last_id = 0

    def say(self, **members):
        self.socket.sendall(json.dumps(members).encode() + b"\n")

    def hear(self):
        """Waits for a line, and takes it in."""
        while not self.lines:
            data = self.socket.recv(1 << 20)
            if not data:
                sys.exit(0)
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.lines.extend(lines)
        line = json.loads(self.lines.popleft())
        kind = line["type"]
        if kind == "request":
            self.questions.append(line)
        elif kind == "message" and "topic" in line:
            topic, sender = line["topic"], line["from"]
            self.heard[topic] += 1
            number = line["data"][0]
            if number < self.next.get((topic, sender), 0):
                self.broken.append(sender)
            self.next[topic, sender] = number + 1
        elif kind == "lost":
            self.lost += line["count"]
        elif kind in ("ok", "error") and isinstance(line["id"], int):
            self.answers[line["id"]] = line
        elif kind == "set":
            self.copy[line["key"]] = [line["value"], line["revision"]]
        elif kind == "erased":
            self.copy.pop(line["key"], None)
        elif kind == "leader":
            self.is_leader = line["is"]
        else:
            self.last.append(line)

    def ask(self, **members):
        self.last_id += 1
        self.say(id=self.last_id, **members)
        while self.last_id not in self.answers:
            self.hear()
        return self.answers.pop(self.last_id)

    def count(self, key, times):
        acknowledged = 0
        while acknowledged < times:
            value, revision = self.copy.get(key, [0, 0])
            answer = self.ask(type="put", key=key, value=value + 1, expected=revision)
            acknowledged += answer["type"] == "ok"
        return acknowledged

    def state(self, topic):
        return {"heard": self.heard[topic], "broken": self.broken, "lost": self.lost}

    def do(self, question):
        op = question["op"]
        if op == "say":
            for line in question["lines"]:
                self.say(**line)
            return self.synced()
        if op == "bytes":
            self.socket.sendall((question["text"] * question.get("times", 1) + question.get("end", "")).encode())
            return self.synced()
        if op == "publish":
            pad = "x" * question.get("pad", 0)
            batch = []
            for number in range(question["count"]):
                batch.append('{"type":"publish","topic":"%s","data":[%d,"%s"]}\n' % (question["topic"], number, pad))
                if len(batch) == 1000:
                    self.socket.sendall("".join(batch).encode())
                    batch = []
            self.socket.sendall("".join(batch).encode())
            return self.synced()
        if op == "heard":
            return self.state(question["topic"])
        if op == "await":
            while self.heard[question["topic"]] + self.lost < question["count"]:
                self.hear()
            return self.state(question["topic"])
        if op == "count":
            return self.count(question["key"], question["times"])
        if op == "get":
            return self.copy.get(question["key"], [None])[0]
        if op == "size":
            return len(self.copy)
        if op == "leader":
            return self.is_leader
        if op == "last":
            last, self.last = self.last, []
            return last
        return "?"

    def synced(self):
        """The master has heard all that was said before."""
        self.ask(type="unsubscribe", pattern="nothing")
        return "done"

    def run(self):
        self.say(type="sync")
        self.say(type="subscribe", pattern="all.>")
        self.say(type="subscribe", pattern="op." + SLOT)
        while True:
            while not self.questions:
                self.hear()
            question = self.questions.popleft()
            data = question["data"]
            if data["op"] == "endless":
                self.say(type="reply", id=question["id"], data="done")
                self.socket.sendall(b"x" * data["count"])
                continue
            if data["op"] == "fail":
                self.say(type="reply", id=question["id"], error="as asked")
                continue
            self.say(type="reply", id=question["id"], data=self.do(data))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = SLOT.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


if len(sys.argv) > 1:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
Worker().run()
