#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unit tests of the bus in usher.py, against a master of a few lines."""

import asyncio
import contextlib
import errno
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

import usher

PATIENCE = 60  # s, for one thing; a busy machine is no fault


@contextlib.contextmanager
def errors_of_the_bus(case):
    """What happens in it is an error of the bus's, which is logged after it was answered."""
    with case.assertLogs("usher.bus", "ERROR") as logged:
        yield
        deadline = time.monotonic() + PATIENCE
        while not logged.records and time.monotonic() < deadline:
            time.sleep(0.01)


WELCOME = {"type": "welcome", "protocol": 1, "pool": "web", "slot": 2, "worker": 7, "generation": 1,
           "group": "web"}


class Master:
    """The other end of the bus: says what it is told to, and shows what is said."""

    def __init__(self):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        self.fd = theirs.detach()
        self.lines = self.socket.makefile("rb")

    def say(self, *messages):
        self.socket.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in messages))

    def hear(self, **expected):
        """The next message, which has all that is expected."""
        line = b"\n"
        while line == b"\n":
            line = self.lines.readline()
        if not line:
            raise AssertionError(f"the bus has ended before {expected}")
        message = json.loads(line)
        for name, value in expected.items():
            if message.get(name) != value:
                raise AssertionError(f"{message} came instead of {expected}")
        return message

    def accept(self):
        self.hear(type="hello", protocol=1)
        self.say(WELCOME)

    def allow(self, **expected):
        self.say({"type": "ok", "id": self.hear(**expected)["id"], "receivers": 1})

    def close(self):
        self.lines.close()
        self.socket.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.master = Master()
        self.addCleanup(self.master.close)
        usher._bus_fd, usher._bus_process = None, 0
        patch = mock.patch.dict(os.environ, {"USHER_BUS_FD": str(self.master.fd)})
        patch.start()
        self.addCleanup(patch.stop)

    def meanwhile(self, function, *arguments, **named):
        """What `function` returns, once the thread that runs it is waited for."""
        result = []
        thread = threading.Thread(
            target=lambda: result.append(function(*arguments, **named)), daemon=True)
        thread.start()

        def wait():
            thread.join(PATIENCE)
            self.assertTrue(result, "it has failed, or has not ended")
            return result[0]
        return wait


class BusTest(Case):
    def open(self):
        bus = self.meanwhile(usher.Bus, timeout=PATIENCE)
        self.master.accept()
        bus = bus()
        self.addCleanup(bus.close)
        return bus

    def test_who_opens_it_knows_who_it_is_and_keeps_it_from_other_programs(self):
        bus = self.open()
        self.assertEqual(bus.identity, usher.BusIdentity("web", 2, 7, 1, "web"))
        self.assertEqual(bus.identity.name, "web/2")
        self.assertNotIn("USHER_BUS_FD", os.environ)
        self.assertFalse(os.get_inheritable(self.master.fd))

    def test_what_was_meant_for_the_process_before_is_passed_over(self):
        self.master.socket.sendall(b'ssage","data":1}\n')
        self.master.say({"type": "message", "topic": "a", "from": "x/1", "data": "old"},
                        {"type": "leader", "is": True})
        opening = self.meanwhile(usher.Bus, timeout=PATIENCE)
        self.master.accept()
        bus = opening()
        self.addCleanup(bus.close)
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe", pattern="a")
        inbox = subscribing()
        self.master.say({"type": "message", "topic": "a", "from": "x/1", "data": "new"})
        self.assertEqual(inbox.get(PATIENCE), usher.Message("a", "new", "x/1"))
        self.assertFalse(bus.is_leader)

    def test_messages_go_to_what_they_match_in_their_order_and_in_pieces(self):
        bus = self.open()
        got, done = [], threading.Event()
        for pattern in ("cache.*", "cache.>", "*"):
            subscribing = self.meanwhile(bus.subscribe, pattern)
            self.master.allow(type="subscribe", pattern=pattern)
            subscribing()(lambda message, pattern=pattern: got.append((pattern, message.data)))
        bus.on_message(lambda message: (got.append((None, message.data)), done.set()))
        text = b"".join(
            json.dumps({"type": "message", "topic": topic, "from": "web/1", "data": topic}).encode()
            + b"\n" for topic in ("cache.a", "cache.a.b", "cache", "ca.che.d"))
        for byte in text:
            self.master.socket.sendall(bytes([byte]))
        self.assertTrue(done.wait(PATIENCE))
        self.assertEqual(got, [("cache.*", "cache.a"), ("cache.>", "cache.a"),
                               ("cache.>", "cache.a.b"), ("*", "cache"), (None, "ca.che.d")])

    def test_lines_that_say_nothing_do_no_harm(self):
        bus = self.open()
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe")
        inbox = subscribing()
        deep = b"[" * 60_000
        with self.assertLogs("usher.bus", "WARNING") as logged:
            for line in (b"", b"null", b"[]", b"{}", b"\xff", b"7", b'"x"', deep, b'{"type":"news"}',
                         b'{"type":[]}', b'{"type":"message","topic":7}', b'{"type":"done"}',
                         b'{"type":"reply","id":99,"from":"a/1"}', b'{"type":"done","id":99}',
                         b'{"type":"ok","id":99}', b'{"type":"request"}', b'{"type":"set"}',
                         b'{"type":"error","id":null,"code":"too-many","reason":"1,001 patterns"}',
                         b'{"type":"message","data":' + deep + b"]" * 60_000 + b"}",
                         b'{"type":"message","topic":"a","data":1,"from":"web/1","new":1}'):
                self.master.socket.sendall(line + b"\n")
            self.assertEqual(inbox.get(PATIENCE).data, 1)
        self.assertIn("too-many: 1,001 patterns", logged.output[-1])

    def test_handlers_may_ask_and_one_that_fails_does_not_end_the_others(self):
        bus = self.open()
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe")
        answers = []

        @subscribing()
        def handle(message):
            if message.data == 0:
                raise ValueError("zero")
            if message.data == 1:
                sys.exit("which would end this thread alone")
            answers.append(bus.publish("b", wait=True))

        with errors_of_the_bus(self):
            for data in (0, 1, 2):
                self.master.say({"type": "message", "topic": "a", "from": "web/1", "data": data})
            self.master.allow(type="publish", topic="b", data=None)
            bus.close()
        self.assertEqual(answers, [1])

    def test_a_pattern_is_subscribed_to_once_and_left_with_the_last(self):
        bus = self.open()
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe", pattern="a")
        first, second = subscribing(), bus.subscribe("a")
        first.close()
        with second:
            self.master.say({"type": "message", "topic": "a", "from": "web/1", "data": 1})
            self.assertEqual(second.get(PATIENCE).data, 1)
        self.master.hear(type="unsubscribe", pattern="a")
        self.assertEqual(list(first), [])

    def test_an_iteration_ends_when_another_thread_closes_it(self):
        bus = self.open()
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe", pattern="a")
        inbox, taken = subscribing(), threading.Event()
        iterating = self.meanwhile(lambda: [taken.set() or message.data for message in inbox])
        self.master.say({"type": "message", "topic": "a", "from": "web/1", "data": 1})
        self.assertTrue(taken.wait(PATIENCE))
        inbox.close()
        self.assertEqual(iterating(), [1])

    def test_a_pattern_that_usher_refuses_is_an_error(self):
        bus = self.open()
        problems = []

        def subscribe():
            with self.assertRaises(usher.BusError) as raised:
                bus.subscribe("a")
            problems.append(raised.exception.code)

        subscribing = self.meanwhile(subscribe)
        self.master.say({"type": "error", "id": self.master.hear(type="subscribe")["id"],
                         "code": "too-many", "reason": "1,000 patterns"})
        self.assertIsNone(subscribing())
        self.assertEqual(problems, ["too-many"])

    def test_a_request_brings_all_answers_and_who_is_missing(self):
        bus = self.open()
        asking = self.meanwhile(bus.request, "stats", {"a": 1}, timeout=1, max_replies=3, pool="api")
        number = self.master.hear(type="request", topic="stats", pool="api", timeout_ms=1000, max=3,
                                  data={"a": 1})["id"]
        self.master.say({"type": "reply", "id": number, "from": "api/1", "data": 5},
                        {"type": "reply", "id": number, "from": "api/2", "error": "no"},
                        {"type": "done", "id": number, "replies": 2, "missing": ["api/3"]})
        self.assertEqual(asking(), usher.Replies(
            [usher.Reply("api/1", 5), usher.Reply("api/2", error="no")], ["api/3"]))

    def test_requests_are_answered_by_what_is_returned_raised_or_not_there(self):
        bus = self.open()

        def ask(topic, data):
            self.master.say({"type": "request", "id": "q", "topic": topic, "from": "web/1",
                             "timeout_ms": 1000, "data": data})
            return self.master.hear(type="reply", id="q")

        decorating = self.meanwhile(lambda: bus.respond("half.*")(lambda asked: 10 / asked.data))
        self.master.allow(type="subscribe", pattern="half.*")
        decorating()
        self.assertEqual(ask("half.a", 5)["data"], 2)
        with errors_of_the_bus(self):
            self.assertEqual(ask("half.a", 0)["error"], "ZeroDivisionError: division by zero")
            self.assertEqual(ask("other", 0)["error"], "nobody here answers other")
        decorating = self.meanwhile(lambda: bus.respond("set")(lambda _: {1, 2}))
        self.master.allow(type="subscribe")
        decorating()
        self.assertIn("the answer cannot be sent", ask("set", 0)["error"])

        @self.meanwhile
        def decorating():
            @bus.respond("half")
            def fail(_):
                raise ValueError("\ud83d")
            return True

        self.master.allow(type="subscribe")
        decorating()
        with errors_of_the_bus(self):
            self.assertEqual(ask("half", 0)["error"], "ValueError: ?")

    def test_a_handler_that_comes_when_this_worker_leads_is_told_so_once(self):
        bus = self.open()
        seen = {"early": [], "late": []}
        told = threading.Event()
        bus.on_leader(lambda is_leader: (seen["early"].append(is_leader), told.set()))
        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": True})
        self.assertTrue(told.wait(PATIENCE))
        bus.on_leader(seen["late"].append)
        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": False})
        self.master.hear(type="resign")
        self.assertEqual(seen, {"early": [True, False], "late": [True, False]})

    def test_whoever_is_to_stop_being_leader_says_so_when_it_has_stopped(self):
        bus = self.open()
        seen, go_on = [], threading.Event()

        @bus.on_leader
        def lead(is_leader):
            seen.append(is_leader)
            if not is_leader:
                go_on.wait(PATIENCE)

        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": False}, {"type": "leader", "is": True},
                        {"type": "leader", "is": False})
        self.master.say({"type": "request", "id": 1, "topic": "a", "from": "web/1",
                         "timeout_ms": 1000, "data": 1})
        go_on.set()
        self.master.hear(type="resign")
        self.assertEqual(seen, [True, False])
        self.assertFalse(bus.is_leader)
        self.master.hear(type="reply", id=1)  # in its turn

    def test_the_leader_resigns_when_it_closes_and_stops_when_the_master_is_gone(self):
        bus = self.open()
        seen = []
        bus.on_leader(seen.append)
        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": True})
        subscribing = self.meanwhile(bus.subscribe, "a")  # answered after what was before
        self.master.allow(type="subscribe")
        subscribing()
        self.assertTrue(bus.is_leader)
        bus.close()
        self.master.hear(type="unsubscribe", pattern="a")
        self.master.hear(type="resign")
        self.assertEqual(seen, [True, False])

    def heard_all(self, bus):
        """What the master said before is read."""
        asking = self.meanwhile(bus.publish, "heard", wait=True)
        self.master.allow(type="publish", topic="heard")
        asking()

    def test_who_has_resigned_does_not_lead_by_what_was_on_its_way(self):
        bus = self.open()
        seen = []
        bus.on_leader(seen.append)
        self.master.hear(type="campaign")
        bus.resign()
        number = self.master.hear(type="resign")["id"]
        bus.campaign()
        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": True}, {"type": "ok", "id": number})
        self.heard_all(bus)
        self.assertEqual((bus.is_leader, seen), (False, []))
        self.master.say({"type": "leader", "is": True})
        self.heard_all(bus)
        self.assertTrue(bus.is_leader)

    def test_a_leader_that_stops_resigns_once_and_not_before_all_have_stopped(self):
        bus = self.open()
        stopping, go_on, stopped = threading.Event(), threading.Event(), threading.Event()

        def fail(is_leader):
            if not is_leader:
                stopping.set()
                go_on.wait(PATIENCE)
                raise ValueError("of the first")

        bus.on_leader(fail)
        bus.on_leader(lambda is_leader: is_leader or stopped.set())
        for _ in range(2):
            self.master.hear(type="campaign")
            self.master.say({"type": "leader", "is": True})
        self.heard_all(bus)
        bus.resign()
        self.assertTrue(stopping.wait(PATIENCE))
        bus.resign()
        bus.campaign()
        self.master.say({"type": "leader", "is": True})
        self.heard_all(bus)  # and nothing before it
        self.assertFalse(bus.is_leader)
        with errors_of_the_bus(self):
            go_on.set()
            self.master.hear(type="resign")
        self.assertTrue(stopped.is_set())
        self.master.hear(type="campaign")

    def test_when_the_master_is_gone_what_waits_fails_and_the_rest_goes_on(self):
        bus = self.open()
        stopped = threading.Event()
        bus.on_leader(lambda is_leader: is_leader or stopped.set())
        self.master.hear(type="campaign")
        self.master.say({"type": "leader", "is": True})
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe")
        iterating = self.meanwhile(list, subscribing())

        def ask():
            with self.assertRaises(usher.BusClosed):
                bus.request("a", timeout=PATIENCE)
            return True

        asking = self.meanwhile(ask)
        self.master.hear(type="request")
        self.master.close()
        self.assertTrue(asking())
        self.assertEqual(iterating(), [])
        self.assertTrue(stopped.wait(PATIENCE))
        self.assertTrue(bus.is_closed)
        self.assertIsNone(bus.publish("a", 1))
        for ask in (lambda: bus.publish("a", 1, wait=True), bus.store, bus.store):
            with self.assertRaises(usher.BusClosed):
                ask()

    def test_what_is_not_taken_loses_the_oldest_and_is_told(self):
        bus = self.open()
        told, counts = threading.Event(), []
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe")
        inbox = subscribing()
        bus.on_lost(lambda count: (counts.append(count), sum(counts) == 12 and told.set()))
        with mock.patch.object(usher, "_MOST_WAITING", 3):
            for data in range(5):
                self.master.say({"type": "message", "topic": "a", "from": "web/1", "data": data})
            self.master.say({"type": "lost", "count": 10})
            self.assertTrue(told.wait(PATIENCE))
            asking = self.meanwhile(bus.publish, "b", wait=True)
            self.master.allow(type="publish")
            asking()
        self.assertEqual(bus.lost, 12)
        self.assertEqual([inbox.get(PATIENCE).data for _ in range(3)], [2, 3, 4])
        with self.assertRaises(TimeoutError):
            inbox.get(0.01)

    def test_what_was_lost_before_anybody_wanted_to_know_is_told_then(self):
        bus = self.open()
        self.master.say({"type": "lost", "count": 2})
        self.heard_all(bus)
        counts = queue.Queue()
        bus.on_lost(counts.put)
        self.assertEqual(counts.get(timeout=PATIENCE), 2)
        self.master.say({"type": "lost", "count": 3})
        self.assertEqual(counts.get(timeout=PATIENCE), 3)

    def test_who_does_not_read_is_not_waited_for_without_end(self):
        bus = self.open()
        bus.timeout = 0.05
        with self.assertRaisesRegex(TimeoutError, "has not read from the bus"):
            for _ in range(1000):
                bus.publish("a", "x" * 60_000)

        def read():
            while self.master.hear(type="publish")["data"] != "last":
                pass
            return True

        bus.timeout = 0.05
        with self.assertRaises(TimeoutError):
            bus.store()
        with self.assertRaises(TimeoutError):
            bus.subscribe("a")
        bus.timeout = PATIENCE
        reading = self.meanwhile(read)
        bus.publish("a", "last")
        self.assertTrue(reading())  # each line was whole
        storing = self.meanwhile(bus.store)
        self.master.hear(type="sync")
        subscribing = self.meanwhile(bus.subscribe, "a")
        self.master.allow(type="subscribe", pattern="a")
        subscribing()
        self.master.say({"type": "snapshot", "revision": 9, "keys": 0},
                        {"type": "synced", "revision": 9})
        storing()

    def test_nothing_is_lost_while_the_kernel_has_no_memory(self):
        bus = self.open()
        with mock.patch.object(bus, "_socket", wraps=bus._socket) as busy:
            busy.send.side_effect = [OSError(errno.ENOBUFS, "no room"), mock.DEFAULT]
            bus.publish("a", 1)
        self.master.hear(type="publish", data=1)

    def test_what_cannot_be_sent_is_refused_where_it_is_said(self):
        bus = self.open()
        for call, reason in ((lambda: bus.publish("a b"), "is no topic"),
                             (lambda: bus.publish("a.*"), "is no topic"),
                             (lambda: bus.publish("a." * 32 + "a"), "is no topic"),
                             (lambda: bus.publish("a" * 256), "is no topic"),
                             (lambda: bus.subscribe("a.>.b"), "is no pattern"),
                             (lambda: bus.subscribe("a*"), "is no pattern"),
                             (lambda: bus.publish("a", "x" * 65_535), "65537 bytes"),
                             (lambda: bus.publish("a", float("nan")), "not JSON"),
                             (lambda: bus.publish("usher.events.exit"), "are the master's"),
                             (lambda: bus.send("usher"), "are the master's"),
                             (lambda: bus.request("a", timeout=-1), "is no time"),
                             (lambda: bus.request("a", timeout=float("inf")), "is no time")):
            with self.assertRaisesRegex(ValueError, reason):
                call()
        for depth in (64, 100_000):
            deep = []
            for _ in range(depth - 1):
                deep = {"a": deep} if depth % 2 else [deep]
            with self.assertRaisesRegex(ValueError, "too deep"):
                bus.publish("a", deep)
        bus.publish("a", ["[" * 100, [[]] * 100, deep := [[[]]]])
        self.assertEqual(self.master.hear(type="publish")["data"][2], deep)
        bus.publish("a", "x" * 65_534)
        self.assertEqual(len(self.master.hear(type="publish")["data"]), 65_534)

    def test_of_several_processes_the_first_has_the_bus(self):
        bus = self.open()
        with self.assertRaisesRegex(usher.UsherError, "has opened the bus of this worker already"):
            usher.Bus()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with self.assertRaisesRegex(usher.UsherError, "open it after the fork"):
                    bus.publish("a")
                usher._bus_process = 0  # as if it had been forked before
                os.environ["USHER_BUS_FD"] = str(self.master.fd)
                with self.assertRaisesRegex(usher.UsherError, f"process {os.getppid()} of this"):
                    usher.Bus()
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        bus.publish("a")  # which the other's attempt has not disturbed
        self.master.hear(type="publish")

    def test_when_its_process_ends_the_next_one_may_open_it(self):
        child = os.fork()
        if child == 0:
            usher.Bus(timeout=PATIENCE)
            os._exit(0)
        self.master.accept()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.open()

    def test_a_descriptor_that_is_no_bus_is_refused(self):
        with open(os.devnull, "rb") as other:
            for fd, reason in ((other.fileno(), "no Unix stream socket"), (12345, "not open")):
                os.environ["USHER_BUS_FD"] = str(fd)
                with self.assertRaisesRegex((usher.UsherError, OSError), f"{fd}|Socket"):
                    usher.Bus()
                usher._bus_fd = None
            os.fstat(other.fileno())
        os.environ.pop("USHER_BUS_FD", None)
        with mock.patch.dict(os.environ, {"USHER_SLOT": "1"}):
            with self.assertRaisesRegex(usher.UsherError, "USHER_BUS_FD is not set although"):
                usher.Bus()


class StoreTest(Case):
    def open(self, *entries):
        opening = self.meanwhile(usher.Bus, timeout=PATIENCE)
        self.master.accept()
        self.bus = opening()
        self.addCleanup(self.bus.close)
        storing = self.meanwhile(self.bus.store)
        self.master.hear(type="sync")
        self.copy(*entries)
        return storing()

    def copy(self, *entries):
        self.master.say({"type": "snapshot", "revision": 9, "keys": len(entries)},
                        *({"type": "set", "key": key, "value": value, "revision": revision}
                          for key, value, revision in entries),
                        {"type": "synced", "revision": 9})

    def change(self, key, value, revision):
        self.master.say({"type": "set", "key": key, "value": value, "revision": revision})

    def test_reading_is_local_and_what_is_read_is_the_programs_own(self):
        store = self.open(("a", {"x": [1]}, 1), ("b", 0, 2))
        store.get("a")["x"].append(2)
        self.assertEqual(store.get("a"), {"x": [1]})
        self.assertEqual((store.get("c"), store.get("c", 5), store.get("b", 5)), (None, 5, 0))
        self.assertEqual((store.keys(), store.keys("b")), (["a", "b"], ["b"]))
        self.assertEqual((store.revision("b"), store.revision("c")), (2, 0))

    def test_a_change_is_in_the_copy_when_the_call_returns(self):
        store = self.open()
        putting = self.meanwhile(store.put, "a", [1], ttl=1.5, expected=0)
        number = self.master.hear(type="put", key="a", value=[1], ttl_ms=1500, expected=0)["id"]
        self.change("a", [1], 10)
        self.master.say({"type": "ok", "id": number, "revision": 10})
        self.assertEqual((putting(), store.get("a")), (10, [1]))
        adding = self.meanwhile(store.increment, "n", 5, ttl=60)
        number = self.master.hear(type="increment", key="n", by=5, ttl_ms=60_000)["id"]
        self.change("n", 5, 11)
        self.master.say({"type": "ok", "id": number, "revision": 11, "value": 5})
        self.assertEqual((adding(), store.get("n")), (5, 5))
        erasing = self.meanwhile(store.erase, "a")
        number = self.master.hear(type="erase", key="a")["id"]
        self.master.say({"type": "erased", "key": "a", "revision": 12},
                        {"type": "ok", "id": number, "revision": 12})
        erasing()
        self.assertIsNone(store.get("a"))

    def test_an_update_begins_anew_from_what_another_has_written(self):
        store = self.open(("a", [1], 3))
        updating = self.meanwhile(store.update, "a", lambda value: value + [9])
        number = self.master.hear(type="put", value=[1, 9], expected=3)["id"]
        self.master.say({"type": "error", "id": number, "code": "conflict", "reason": "",
                         "revision": 10})
        number = self.master.hear(type="get", key="a")["id"]
        self.master.say({"type": "ok", "id": number, "value": [2], "revision": 10})
        number = self.master.hear(type="put", value=[2, 9], expected=10)["id"]
        self.master.say({"type": "ok", "id": number, "revision": 11})
        self.assertEqual(updating(), [2, 9])

    def test_an_update_goes_by_the_revision_of_the_value_that_it_has_seen(self):
        store = self.open(("a", [1], 3))

        class Changing(dict):
            """Has another value once it was looked at, as another thread reads it."""

            def get(self, key, default=None):
                found = super().get(key, default)
                self[key] = ([2], 10)
                return found

        self.bus._copy.entries = Changing(self.bus._copy.entries)
        updating = self.meanwhile(store.update, "a", lambda value: value + [9])
        number = self.master.hear(type="put", value=[1, 9], expected=3)["id"]
        self.master.say({"type": "ok", "id": number, "revision": 11})
        updating()

    def test_what_is_no_key_or_number_is_refused_where_it_is_said(self):
        store = self.open()
        for key in (None, 5, "", "k" * 256, "\xe4" * 128, "a\0b"):
            for call in (lambda: store.put(key, 1), lambda: store.erase(key),
                         lambda: store.increment(key)):
                with self.assertRaisesRegex(ValueError, "is no key"):
                    call()
        for call in (lambda: store.put("k", 1, ttl=float("nan")),
                     lambda: store.put("k", 1, ttl=-1),
                     lambda: store.increment("k", float("nan"))):
            with self.assertRaises(ValueError):
                call()

    def test_refusals_are_errors_with_what_the_protocol_says(self):
        store = self.open()

        def put():
            with self.assertRaises(usher.Conflict) as raised:
                store.put("a", 1, expected=1)
            return raised.exception

        putting = self.meanwhile(put)
        self.master.say({"type": "error", "id": self.master.hear(type="put")["id"],
                         "code": "conflict", "reason": "has another", "revision": 4})
        self.assertEqual((putting().code, putting().revision), ("conflict", 4))

    def test_a_watch_says_what_is_there_and_then_what_changes(self):
        store = self.open(("flag.a", 1, 1), ("other", 1, 2))
        watch = store.watch("flag.")
        self.assertEqual(watch.get(PATIENCE), usher.Change("flag.a", 1, 1))
        self.change("other", 2, 10)
        self.change("flag.b", 2, 11)
        self.master.say({"type": "erased", "key": "flag.a", "revision": 12, "expired": True})
        self.assertEqual(watch.get(PATIENCE), usher.Change("flag.b", 2, 11))
        self.assertEqual(watch.get(PATIENCE), usher.Change("flag.a", None, 12, True, True))

    def test_of_changes_that_come_faster_than_they_are_taken_the_last_is_told(self):
        store = self.open()
        watch = store.watch()
        for revision in range(10, 20):
            self.change("a", revision, revision)
        self.change("b", 1, 20)
        self.change("a", 21, 21)
        asking = self.meanwhile(self.bus.publish, "x", wait=True)
        self.master.allow(type="publish")
        asking()
        self.assertEqual([watch.get(PATIENCE), watch.get(PATIENCE)],
                         [usher.Change("b", 1, 20), usher.Change("a", 21, 21)])

    def test_a_new_copy_replaces_the_old_one_whatever_comes_between(self):
        store = self.open(("gone", 1, 1), ("same", 1, 2), ("new", 1, 3))
        seen = []
        with store.watch() as watch:
            for _ in range(3):
                watch.get(PATIENCE)
            self.master.say(
                {"type": "snapshot", "revision": 20, "keys": 4},
                {"type": "set", "key": "new", "value": 3, "revision": 21},
                {"type": "erased", "key": "late", "revision": 22},
                {"type": "set", "key": "new", "value": 2, "revision": 15},
                {"type": "set", "key": "same", "value": 1, "revision": 2},
                {"type": "set", "key": "late", "value": 1, "revision": 16})
            asking = self.meanwhile(self.bus.publish, "x", wait=True)
            self.master.allow(type="publish")
            asking()
            self.assertEqual(store.keys(), ["gone", "new", "same"])  # the old one, until then
            self.master.say({"type": "synced", "revision": 22})
            seen = [watch.get(PATIENCE) for _ in range(2)]
        self.assertEqual(store.keys(), ["new", "same"])
        self.assertEqual([(each.key, each.value, each.is_erased) for each in seen],
                         [("gone", None, True), ("new", 3, False)])


class AsyncBusTest(Case):
    def run_with_master(self, main):
        """Runs main(bus, master), whose calls of the master wait in a thread."""
        async def run():
            loop = asyncio.get_running_loop()

            class Elsewhere:
                def __getattr__(_, name):
                    return lambda *values, **named: loop.run_in_executor(
                        None, lambda: getattr(self.master, name)(*values, **named))
            bus = usher.AsyncBus(timeout=PATIENCE)
            try:
                return await main(bus, Elsewhere())
            finally:
                await bus.close()

        return asyncio.run(asyncio.wait_for(run(), PATIENCE))

    def test_it_does_all_that_the_other_does(self):
        async def main(bus, master):
            seen = asyncio.Queue()

            @bus.subscribe("a.*")  # before it is open
            async def take(message):
                await seen.put(message.data)

            @bus.respond("q")
            async def answer(asked):
                await asyncio.sleep(0)
                return asked.data * 2

            bus.on_leader(seen.put)
            opening = asyncio.create_task(bus.open())
            await master.accept()
            await master.hear(type="campaign")
            await master.allow(type="subscribe", pattern="a.*")
            await master.allow(type="subscribe", pattern="q")
            await opening
            await master.say({"type": "leader", "is": True},
                             {"type": "message", "topic": "a.b", "from": "web/1", "data": 5},
                             {"type": "request", "id": 7, "topic": "q", "from": "web/1",
                              "timeout_ms": 1000, "data": 21})
            self.assertEqual((await master.hear(type="reply", id=7))["data"], 42)
            self.assertEqual([await seen.get(), await seen.get()], [True, 5])

            asking = asyncio.create_task(bus.request("r", 1))
            number = (await master.hear(type="request"))["id"]
            await master.say({"type": "reply", "id": number, "from": "web/1", "data": 1},
                             {"type": "done", "id": number, "replies": 1, "missing": []})
            self.assertEqual([each.data for each in await asking], [1])

            storing = asyncio.create_task(bus.store())
            await master.hear(type="sync")
            await master.say({"type": "snapshot", "revision": 1, "keys": 1},
                             {"type": "set", "key": "k", "value": 1, "revision": 1},
                             {"type": "synced", "revision": 1})
            store = await storing
            adding = asyncio.create_task(store.increment("k"))
            number = (await master.hear(type="increment"))["id"]
            await master.say({"type": "set", "key": "k", "value": 2, "revision": 2},
                             {"type": "ok", "id": number, "revision": 2, "value": 2})
            self.assertEqual((await adding, store.get("k")), (2, 2))
            async for change in store.watch():
                self.assertEqual(change.value, 2)
                break

            await bus.close()
            self.assertEqual(await seen.get(), False)
            await master.hear(type="unsubscribe")
            await master.hear(type="unsubscribe")
            await master.hear(type="resign")
            with self.assertRaises(usher.BusClosed):
                await store.put("k", 1)
        self.run_with_master(main)

    def test_an_iteration_ends_with_the_master(self):
        async def main(bus, master):
            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            inbox = bus.subscribe("a")
            subscribing = asyncio.ensure_future(asyncio.wait_for(inbox, PATIENCE))
            await master.allow(type="subscribe")
            self.assertIs(await subscribing, inbox)
            await master.say({"type": "message", "topic": "a", "from": "web/1", "data": 1})
            got = []
            async for message in inbox:
                got.append(message.data)
                await master.close()
            self.assertEqual(got, [1])
            self.assertTrue(bus.is_closed)
            await bus.publish("a")
            for _ in range(2):
                with self.assertRaises(usher.BusClosed):
                    await bus.store()
        self.run_with_master(main)

    def test_what_one_turn_says_goes_as_one_and_a_full_socket_is_waited_for(self):
        async def main(bus, master):
            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            with mock.patch.object(bus, "_socket", wraps=bus._socket) as watched:
                for number in range(10):
                    await bus.publish("a", number)
                await master.hear(data=0)
                self.assertEqual(watched.send.call_count, 1)
            publishing = asyncio.create_task(self.publish_much(bus))
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertFalse(publishing.done())
            for number in [*range(1, 10), *[None] * 100]:
                heard = await master.hear(type="publish")
                if number is not None:
                    self.assertEqual(heard["data"], number)
            await publishing
            self.assertLess(len(bus._unsent), 2 << 20)
        self.run_with_master(main)

    def test_nothing_is_lost_while_the_kernel_has_no_memory(self):
        async def main(bus, master):
            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            with mock.patch.object(bus, "_socket", wraps=bus._socket) as busy:
                busy.send.side_effect = [OSError(errno.ENOBUFS, "no room"), mock.DEFAULT]
                await bus.publish("a", 1)
                await master.hear(type="publish", data=1)
        self.run_with_master(main)

    async def publish_much(self, bus):
        for _ in range(100):
            await bus.publish("a", "x" * 60_000)

    def test_a_handler_that_fails_is_the_loops_to_tell_and_ends_no_other(self):
        async def main(bus, master):
            errors, good = [], asyncio.Event()
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: errors.append(str(context["exception"])))

            @bus.subscribe("a")
            def take(message):
                if message.data == 0:
                    raise ValueError("zero")
                good.set()

            opening = asyncio.create_task(bus.open())
            await master.accept()
            await master.allow(type="subscribe")
            await opening
            for data in (0, 1):
                await master.say({"type": "message", "topic": "a", "from": "web/1", "data": data})
            await good.wait()
            self.assertEqual(errors, ["zero"])
        self.run_with_master(main)

    def test_a_handler_that_comes_when_this_worker_leads_is_told_so_once(self):
        async def main(bus, master):
            told, early, late = asyncio.Event(), [], []
            bus.on_leader(lambda is_leader: (early.append(is_leader), told.set()))
            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            await master.hear(type="campaign")
            await master.say({"type": "leader", "is": True})
            await told.wait()
            bus.on_leader(late.append)
            await master.hear(type="campaign")
            await master.say({"type": "leader", "is": False})
            await master.hear(type="resign")
            self.assertEqual((early, late), ([True, False], [True, False]))
        self.run_with_master(main)

    def test_a_leader_begins_before_it_stops_and_resigns_when_it_has(self):
        async def main(bus, master):
            begun, seen = asyncio.Event(), []

            @bus.on_leader
            async def lead(is_leader):
                if is_leader:
                    await begun.wait()
                seen.append(is_leader)

            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            await master.hear(type="campaign")
            await master.say({"type": "leader", "is": True}, {"type": "leader", "is": False})
            asking = asyncio.create_task(bus.publish("a", wait=True))
            await master.allow(type="publish")  # and nothing before it
            await asking
            begun.set()
            closing = asyncio.create_task(bus.close())
            await master.hear(type="resign")
            await closing
            self.assertEqual(seen, [True, False])
        self.run_with_master(main)

    def test_a_handler_of_the_leaders_may_close_the_bus(self):
        async def main(bus, master):
            closed = asyncio.Event()

            @bus.on_leader
            async def lead(is_leader):
                if is_leader:
                    await bus.close()
                    closed.set()

            opening = asyncio.create_task(bus.open())
            await master.accept()
            await opening
            await master.hear(type="campaign")
            await master.say({"type": "leader", "is": True})
            await closed.wait()
        self.run_with_master(main)

    def test_it_says_that_it_is_not_open(self):
        async def main():
            with self.assertRaisesRegex(usher.UsherError, "is not open yet"):
                await usher.AsyncBus().request("a")
        asyncio.run(main())


class AloneTest(unittest.TestCase):
    def test_without_usher_it_is_a_bus_of_one(self):
        # In a process of its own, which has no other bus.
        program = """
import usher
with usher.Bus() as bus:
    got = []
    bus.subscribe("a")(got.append)
    bus.respond("q")(lambda asked: asked.data + 1)
    bus.on_leader(got.append)
    store = bus.store()
    watch = store.watch("t")
    store.put("m", 1)
    store.put("n", 1)
    try:
        store.put("n", 2, expected=0)
    except usher.Conflict as conflict:
        got.append(conflict.revision)
    store.put("t", 1, ttl=0.01)
    store.put("long", 1, ttl=30 * 86_400)  # more than poll() can wait for
    answer = [each.data for each in bus.request("q", 1, slot=1)]
    print(bus.publish("a", 1, wait=True), bus.publish("b", 1, wait=True), answer,
          bus.request("q").replies, store.increment("n"), store.update("n", lambda n: n * 10),
          any(change.is_expired for change in watch), store.get("long"))
print(sorted(map(str, got)))
"""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("USHER_")}
        result = subprocess.run([sys.executable, "-c", program], env=environment, check=False,
                                capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.splitlines(), [
            "1 0 [2] [] 2 20 True 1",
            "['2', 'False', \"Message(topic='a', data=1, sender='alone/1')\", 'True']"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
