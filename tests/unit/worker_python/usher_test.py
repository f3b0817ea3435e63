#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unit tests of usher.py.  What a worker does under a master is scripts/worker-conformance's."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import struct
import sys
import tempfile
import unittest
from unittest import mock

import usher


def record(family, port, address, listener=0, flags=0):
    peer = struct.pack("<HHI16sI", family, port, 3, address, 0)
    return struct.pack("<QQHHI28s28s", 5, 123, listener, flags, 0, peer, bytes(28))


def packet(*records, version=1):
    return struct.pack("<HHHH", version, len(records), len(records[0]), 0) + b"".join(records)


class Master:
    """Variables and descriptors as a master leaves them."""

    def __init__(self, **changed):
        self.handoff, handoff = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = os.memfd_create("test")
        os.write(memory, struct.pack("=II", 0x44425355, 1).ljust(4096, b"\0"))
        self.page = memoryview(usher.mmap.mmap(memory, 4096)).cast("Q")
        variables = {"USHER_PROTOCOL": "1", "USHER_WORKER_ID": "7", "USHER_SLOT": "2",
                     "USHER_GENERATION": "3", "USHER_POOL": "api",
                     "USHER_HANDOFF_FD": str(handoff.detach()),
                     "USHER_CONTROL_FD": str(control.detach()), "USHER_SCOREBOARD_FD": str(memory)}
        variables.update(changed)
        self.variables = {name: value for name, value in variables.items() if value is not None}

    def open(self, **options):
        with mock.patch.dict(os.environ, self.variables):
            return usher.Worker(**options)

    def hand_over(self, *records):
        """Returns the clients."""
        pairs = [socket.socketpair() for _ in records]
        for _, one in pairs:
            one.setblocking(False)
        socket.send_fds(self.handoff, [packet(*records)], [one.fileno() for _, one in pairs])
        for _, one in pairs:
            one.close()
        return [client for client, _ in pairs]


class WorkerTest(unittest.TestCase):
    def test_a_connection_comes_with_all_that_its_record_says(self):
        master = Master()
        with master.open() as worker:
            self.assertEqual(worker.identity, usher.Identity("api", 2, 7, 3))
            master.hand_over(record(4, 80, b"\x7f\0\0\1", 2, 1), record(6, 81, bytes(15) + b"\1"),
                             record(1, 0, b""), record(99, 0, b""))
            ipv4, ipv6, unix, unknown = (worker.accept(1) for _ in range(4))
            self.assertEqual((ipv4.peer, ipv4.listener, ipv4.reclaims), (("127.0.0.1", 80), 2, 1))
            self.assertEqual((ipv4.id, ipv4.accepted_at), (5, 123))
            self.assertEqual(ipv6.peer, ("::1", 81, 0, 3))
            self.assertEqual((unix.peer, unknown.peer), ("", None))
            self.assertFalse(os.get_inheritable(ipv4.socket.fileno()))
            self.assertEqual(master.page[8], 4)
            self.assertEqual(worker.open_connections, 4)
            for connection in (ipv4, ipv6, unix, unknown):
                connection.close()
            self.assertEqual(master.page[9], 4)

    def test_a_socket_counts_its_end_once_however_it_ends(self):
        master = Master()
        with master.open() as worker:
            def accept():
                self.clients = master.hand_over(record(0, 0, b""))
                return worker.accept(1)

            closed = master.page[9]
            connection = accept()
            connection.close()
            connection.close()
            self.assertEqual(master.page[9], closed + 1)

            file = accept().socket.makefile()  # the connection itself is forgotten
            self.assertEqual(master.page[9], closed + 1)
            file.close()
            del file
            gc.collect()
            self.assertEqual(master.page[9], closed + 2)

            connection = accept()
            os.close(connection.socket.detach())
            self.assertEqual(master.page[9], closed + 2)
            connection.close()
            self.assertEqual(master.page[9], closed + 3)

    def test_a_socket_is_what_it_says_and_blocks_only_from_accept(self):
        master = Master()
        with master.open() as worker:
            proxied = record(4, 80, b"\x7f\0\0\1")[:-28] + record(4, 80, b"\x7f\0\0\1")[24:52]
            for one, proto in ((record(4, 80, b""), socket.IPPROTO_TCP), (record(1, 0, b""), 0),
                               (record(0, 0, b""), 0), (proxied, 0)):
                self.clients = master.hand_over(one, one)
                for connection, blocks in ((worker.take(), False), (worker.accept(1), True)):
                    with connection:
                        self.assertEqual((connection.socket.family, connection.socket.type,
                                          connection.socket.proto, connection.socket.getblocking(),
                                          os.get_blocking(connection.socket.fileno())),
                                         (socket.AF_UNIX, socket.SOCK_STREAM, proto, blocks, blocks))

    def test_near_the_limit_a_packet_waits_and_is_not_lost(self):
        master = Master()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        files = []

        def open_files(spare):
            with contextlib.suppress(OSError):
                while True:
                    files.append(os.dup(0))
            for _ in range(spare):
                os.close(files.pop())

        with master.open() as worker:
            clients = master.hand_over(record(0, 0, b""))
            held = [worker.accept(1)]  # far from the limit
            open_files(100)
            clients += master.hand_over(record(0, 0, b""))
            held.append(worker.accept(1))  # with one of the last numbers, so it looks again
            clients += master.hand_over(*[record(0, 0, b"")] * 3)
            open_files(2)
            with self.assertRaises(TimeoutError):
                worker.accept(0.1)
            for file in files:
                os.close(file)
            held += [worker.accept(1) for _ in range(3)]
            for client in clients:
                client.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    client.recv(1)
            for connection in held:
                connection.close()

    def test_what_others_have_left_no_room_for_is_lost_and_counted_as_closed(self):
        master = Master()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, limit[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        with master.open() as worker, contextlib.ExitStack() as files:
            self.clients = master.hand_over(record(0, 0, b""))
            held = [worker.accept(1)]  # sees that the last numbers are free, and asks no more
            self.clients += master.hand_over(*[record(0, 0, b"")] * 3)
            with contextlib.suppress(OSError):
                while True:
                    files.callback(os.close, os.dup(0))
            os.close(held.pop().socket.detach())
            held.append(worker.accept(1))
            self.assertEqual((master.page[8], master.page[9]), (4, 3))
            with self.assertRaises(TimeoutError):
                worker.accept(0.1)
            held.pop().close()
            self.assertEqual(worker.open_connections, 0)

    def test_what_is_no_packet_is_refused(self):
        good = record(0, 0, b"")
        for bad in (b"?", packet(good, version=2), packet(good)[:-1], packet(good[:-1]), packet(good)):
            master = Master()
            with master.open() as worker:
                master.handoff.send(bad)  # the last is good but for its descriptor
                with self.assertRaisesRegex(usher.UsherError, "no hand-off packet"):
                    worker.accept(1)

    def test_accept_can_time_out_and_stamps_the_heartbeat(self):
        master = Master()
        with master.open() as worker:
            first = master.page[11]
            with self.assertRaises(TimeoutError):
                worker.accept(timeout=0.01)
            self.assertGreater(master.page[11], first)

    def test_messages_that_are_not_known_are_passed_over(self):
        master = Master()
        with master.open() as worker:
            for message in (b"null", b"[]", b"\xff", b"{}", b'{"type":"news"}', b'{"type":"drain"}',
                            b'{"type":"drain","timeout_ms":"1"}', b"[" * 60_000,
                            b'{"type":"drain","timeout_ms":1' + b"0" * 400 + b"}"):
                master.control.send(message)
                worker.heartbeat()
            self.assertFalse(worker.is_draining)
            master.control.send(b'{"type":"drain","timeout_ms":1000}')
            worker.heartbeat()
            self.assertTrue(worker.is_draining)

    def test_a_damaged_environment_is_refused_with_the_variables_name(self):
        for changed, reason in (({"USHER_PROTOCOL": "2"}, "the master speaks protocol 2"),
                                ({"USHER_SLOT": "two"}, 'USHER_SLOT is "two", which is no number'),
                                ({"USHER_POOL": None}, "USHER_POOL is not set"),
                                ({"USHER_CONTROL_FD": "12345"}, "descriptor 12345, which is not"),
                                ({"USHER_CONTROL_FD": "0", "USHER_HANDOFF_FD": "0"}, "three desc")):
            with self.subTest(changed), self.assertRaisesRegex(usher.UsherError, reason):
                Master(**changed).open()


class FallbackTest(unittest.TestCase):
    def test_a_wrong_address_is_refused_in_one_sentence(self):
        for text in ("", "http", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8o", "localhost:80",
                     "[::1:80", "unix:", ":1"):
            with self.subTest(text), self.assertRaisesRegex(usher.UsherError, "is no address"):
                usher.Worker(text)
        with self.assertRaisesRegex(usher.UsherError, "max_batch is 65"):
            usher.Worker(max_batch=65)

    def test_without_a_master_it_listens_by_itself(self):
        with tempfile.TemporaryDirectory() as folder, usher.Worker(f"Unix:{folder}/s") as worker:
            worker.ready()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{folder}/s")
                with worker.accept(1) as connection:
                    connection.socket.sendall(b"hello")
                    self.assertEqual(client.recv(5), b"hello")
            self.assertEqual(worker.open_connections, 0)
            with self.assertRaisesRegex(usher.UsherError, "Address already in use"):
                usher.Worker(f"unix:{folder}/s")


class AsyncTest(unittest.TestCase):
    def test_async_for_yields_connections_until_the_end(self):
        async def main():
            served = []
            async for connection in usher.accept():
                reader, writer = await connection.open_streams()
                served.append(await reader.readline())
                writer.write(b"answer\n")
                writer.close()
                await writer.wait_closed()
                if len(served) == 3:
                    self.assertTrue(connection.worker.is_draining)
            return served

        master = Master()
        clients = master.hand_over(*[record(0, 0, b"")] * 3)
        for number, client in enumerate(clients):
            client.sendall(b"%d\n" % number)
        master.control.send(b'{"type":"drain","timeout_ms":1000}')
        master.handoff.shutdown(socket.SHUT_WR)
        with mock.patch.dict(os.environ, master.variables):
            self.assertEqual(asyncio.run(main()), [b"0\n", b"1\n", b"2\n"])
        self.assertEqual([client.recv(9) for client in clients], [b"answer\n"] * 3)
        self.assertEqual((master.page[8], master.page[9]), (3, 3))

    def test_a_callback_that_fails_closes_its_connection_and_no_other(self):
        async def main():
            errors = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: errors.append(context["exception"]))

            async def serve(reader, writer):
                line = await reader.readline()
                if line == b"bad\n":
                    raise ValueError("bad")
                writer.write(line)
                writer.close()

            server = await usher.start_server(serve)
            await server.serve_forever()
            return errors

        master = Master()
        clients = master.hand_over(record(0, 0, b""), record(0, 0, b""))
        clients[0].sendall(b"bad\n")
        clients[1].sendall(b"good\n")
        master.handoff.shutdown(socket.SHUT_WR)
        with mock.patch.dict(os.environ, master.variables):
            errors = asyncio.run(main())
        self.assertEqual([str(error) for error in errors], ["bad"])
        self.assertEqual([client.recv(9) for client in clients], [b"", b"good\n"])
        self.assertEqual((master.page[8], master.page[9]), (2, 2))

    def test_serve_forever_can_be_cancelled(self):
        async def main():
            server = await usher.start_server(lambda reader, writer: None)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(server.serve_forever(), 0.01)
            async with server:
                pass
            self.assertTrue(server.worker.is_ended)

        master = Master()
        with mock.patch.dict(os.environ, master.variables):
            asyncio.run(main())


class VersionTest(unittest.TestCase):
    def test_it_has_the_version_of_the_project(self):
        self.assertEqual(usher.__version__, os.environ.get("USHER_TEST_VERSION"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
