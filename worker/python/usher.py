# SPDX-License-Identifier: MIT
"""The worker library of usher for Python: takes the connections that usher hands to this process.

Without usher it listens by itself, so that the same program runs alone.  One file, standard library
only: import it from where it is installed, or copy it beside your program.

With asyncio, like asyncio.start_server():

    async def main():
        server = await usher.start_server(serve)        # async def serve(reader, writer)
        await server.serve_forever()                    # returns when drained

or connection by connection:

    async for connection in usher.accept():
        asyncio.create_task(serve(connection))

Blocking:

    with usher.Worker(max_batch=1) as worker:
        worker.ready()
        for connection in worker:
            with connection:
                serve(connection.socket)

A connection counts as open until its socket is closed; sockets are ordinary ones that count that.

A program whose loop stands still for the master's `stall_timeout` counts as hung.  asyncio programs
stamp their heartbeat from the event loop; blocking ones whenever they are in accept(), and between
two calls with heartbeat().

Threads: accept(), ready() and the event loop belong to one thread.  Sockets may be closed, and
set_load() called, in any.

Needs Python 3.9 and Linux.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import fcntl
import inspect
import ipaddress
import json
import mmap
import os
import resource
import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import (TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Iterator, Optional,
                    Union)

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Connection", "Identity", "Server", "Socket", "UsherError", "Worker", "accept",
           "start_server"]
__version__ = "0.1.0"

PROTOCOL = 1
MAX_BATCH = 64
HEARTBEAT_SECONDS = 1.0

# Long enough not to spin, short enough that nobody notices when descriptors come free.
PAUSE_SECONDS = 0.05

_MAX_MESSAGE = 64 * 1024
_FDS_SPACE = socket.CMSG_SPACE(253 * 4)  # the kernel's SCM_MAX_FD descriptors
_MAX_PACKET = 8 + MAX_BATCH * 80
_HEADER = struct.Struct("<HHHH")
_RECORD = struct.Struct("<QQHHI28s28s")
_ADDRESS = struct.Struct("<HHI16sI")

_ACCEPT_NOISE = {errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT,
                 errno.EHOSTDOWN, errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP,
                 errno.ENETUNREACH}
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Address = Union[tuple, str, None]


class UsherError(Exception):
    """What the master gave is damaged or of another version, or there is no listening here."""


@dataclass(frozen=True)
class Identity:
    """Who this worker is under its master."""

    pool: str
    slot: int  # from 1; its place in the pool, kept by its successor
    id: int  # never used twice while the master lives
    generation: int  # from 1; grows with each reload


class _Page:
    """The counters that are shared with the master.

    Each is written with one aligned store of 8 bytes, which CPython's memoryview does (a memcpy of 8
    bytes, one instruction on every 64-bit machine).  Not struct.pack_into(): it clears the place
    before it writes, and a master that looks in between sees counters that fall, and ends the
    worker.
    """

    _ACCEPTED, _CLOSED, _LOAD, _HEARTBEAT = 8, 9, 10, 11  # in steps of 8 bytes

    def __init__(self, fd: int = -1) -> None:
        self._map = mmap.mmap(fd, 4096)
        head = struct.unpack_from("=II", self._map)
        if fd >= 0 and head != (0x44425355, 1):
            raise UsherError("the scoreboard is of another version than this program's")
        self._words = memoryview(self._map).cast("Q")
        self._lock = threading.Lock()  # sockets are closed in any thread
        self.accepted = 0
        self.closed = 0

    def count_accepted(self) -> None:
        self.accepted += 1
        self._words[self._ACCEPTED] = self.accepted

    def count_closed(self) -> None:
        with self._lock:
            self.closed += 1
            self._words[self._CLOSED] = self.closed

    def set_load(self, load: int) -> None:
        self._words[self._LOAD] = load

    def stamp(self) -> None:
        self._words[self._HEARTBEAT] = time.monotonic_ns()


class _Reserve:
    """Knows whether this process is far from its RLIMIT_NOFILE, mostly without asking the kernel.

    The kernel gives the lowest free number.  So once the last numbers below the limit were seen to be
    free, they stay free until one of them is received.  They are enough for a packet, and for a
    program that opens three more for each connection of the one before.
    """

    _mark = 0  # the first of the last numbers; 0: not seen to be free

    def has_room(self, source: socket.socket) -> bool:
        """True if the descriptors of the next packet fit: the kernel closes those that do not.

        Not asked by receiving with MSG_PEEK, which copies the descriptors: the master may take the
        packet back before it is consumed, and then two workers hold the same connection.
        """
        if self._mark > 0:
            return True
        start = source.recv(_HEADER.size, socket.MSG_PEEK)
        if len(start) < _HEADER.size:
            return True  # receiving will say what it is
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        first = max(0, limit - 4 * MAX_BATCH)
        poll = select.poll()
        for fd in range(first, limit):
            poll.register(fd, 0)
        free = sum(bool(event & select.POLLNVAL) for _, event in poll.poll(0))
        if free >= 3 * MAX_BATCH:
            self._mark = first
        if free >= MAX_BATCH:
            return True
        with contextlib.ExitStack() as probes:
            try:
                for _ in range(min(_HEADER.unpack(start)[1], MAX_BATCH)):
                    probes.callback(os.close, os.dup(source.fileno()))
            except OSError:
                return False
        return True

    def note(self, fds: array.array[int]) -> None:
        """To be told what is received."""
        if any(fd >= self._mark for fd in fds):
            self._mark = 0


class Socket(socket.socket):
    """A socket that counts its end: when it is closed, or nobody refers to it any more.

    A socket that is detached, as ssl.SSLContext.wrap_socket() does, is followed no further; it counts
    as closed when its Connection is closed or forgotten.
    """

    _on_end: Optional[Callable[[], None]] = None

    def close(self) -> None:
        super().close()
        if self.fileno() < 0:  # not while a file made by makefile() is open
            self._count()

    def __del__(self) -> None:
        self._count()
        super().__del__()

    def _count(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()


@dataclass(frozen=True, eq=False)
class Connection(contextlib.AbstractContextManager["Connection"]):
    """One accepted connection.  As a context manager it closes its socket."""

    socket: Socket  # from asyncio it does not block, from accept() it does
    worker: Worker
    peer: Address  # as socket.accept() gives it; None: not known
    id: int  # never the same twice in one pool while the master lives
    listener: int  # index in the pool's list of listeners
    accepted_at: int  # by the master; time.monotonic_ns()
    reclaims: int = 0  # how often it was taken back from a worker that died
    known_local: Address = None  # set where a proxy in front has told it

    @property
    def local(self) -> Address:
        """The address that the client connected to."""
        return self.known_local or self.socket.getsockname()

    async def open_streams(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Makes asyncio streams of it; `options` as for asyncio's connect_accepted_socket()."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, self.socket, **options)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def close(self) -> None:
        self.socket.close()

    def __exit__(self, *error: object) -> None:
        self.close()


class Worker(contextlib.AbstractContextManager["Worker"]):
    """Where this process' connections come from: the master, or a listener of its own.

    `fallback` is where to listen without a master: "8000", "127.0.0.1:8000", "[::1]:8000" or
    "unix:/path".  `max_batch` is the most connections that the master sends at a time, 1 to 64: what
    has been sent is lost if this process dies, so a program that serves one after the other says 1.

    Under usher there is one per process.  It takes over what the master gave; it removes the
    variables and makes the descriptors close-on-exec, so that programs started from here are not
    taken for workers.  Raises UsherError.
    """

    def __init__(self, fallback: str = "127.0.0.1:8000", *, max_batch: int = MAX_BATCH,
                 reuse_port: bool = False, backlog: int = 4096) -> None:
        if not 1 <= max_batch <= MAX_BATCH:
            raise UsherError(f"max_batch is {max_batch}, and goes from 1 to {MAX_BATCH}")
        self.identity: Optional[Identity] = None
        self.is_draining = False  # the master has said that no more connections will come
        self.drain_deadline: Optional[float] = None  # time.monotonic() when SIGTERM will come
        self.is_ended = False  # no more connections will come
        self._paused_until = 0.0
        self._buffered: deque[Connection] = deque()
        self._control: Optional[socket.socket] = None  # until the master closes it
        self._reserve = _Reserve()
        if "USHER_PROTOCOL" in os.environ:
            self.identity, self._source, self._control, self._page = _take_inheritance()
            self._say({"type": "hello", "protocol": PROTOCOL, "max_batch": max_batch,
                       "fallback": fallback})
            self.heartbeat()
        else:
            self._source = _listen(fallback, reuse_port, backlog)
            self._page = _Page()

    # What every program uses.

    def ready(self) -> None:
        """Tells the master that connections may come.  Call it when everything is set up."""
        self._say({"type": "ready"})

    def accept(self, timeout: Optional[float] = None) -> Optional[Connection]:
        """Waits for the next connection; its socket blocks.

        None: no more will come, because this worker drains or its master is gone.  Raises
        TimeoutError after `timeout` seconds.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            connection = self.take()
            if connection is not None:
                connection.socket.setblocking(True)
                return connection
            if self.is_ended:
                return None
            left = min(HEARTBEAT_SECONDS, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"no connection came within {timeout} s")
            self._wait(left)

    def __iter__(self) -> Iterator[Connection]:
        """Yields connections until this worker drains."""
        return iter(self.accept, None)

    async def __aiter__(self) -> AsyncIterator[Connection]:
        """The same for asyncio; the sockets do not block."""
        loop = asyncio.get_running_loop()
        beat = loop.create_task(self._beat())
        try:
            while True:
                connection = self.take()
                if connection is not None:
                    yield connection
                    await asyncio.sleep(0)  # a full queue must not keep the others waiting
                elif self.is_ended:
                    return
                else:
                    await self._readable(loop)
        finally:
            beat.cancel()

    @property
    def is_drained(self) -> bool:
        """True when no more connections will come and all there were are closed: time to exit."""
        return self.is_ended and self.open_connections == 0

    @property
    def open_connections(self) -> int:
        return self._page.accepted - self._page.closed

    @property
    def address(self) -> Address:
        """Where it listens without a master, with the real port; None under one."""
        return None if self.identity else self._source.getsockname()

    def set_load(self, load: int) -> None:
        """Publishes the program's own measure of its load."""
        self._page.set_load(load)

    def bye(self, reason: str) -> None:
        """Tells the master, for its log, why this program is about to exit by itself."""
        self._say({"type": "bye", "reason": reason[:200]})  # as much as is shown

    def close(self) -> None:
        """Accepts no more; what has not been taken is closed."""
        self.is_ended = True
        while self._buffered:
            self._buffered.popleft().socket.close()
        self._source.close()
        self._close_control()

    def __exit__(self, *error: object) -> None:
        self.close()

    # For event loops other than asyncio's.

    def fileno(self) -> int:
        """A descriptor that is readable when take() may have something."""
        return self._source.fileno()

    def heartbeat(self) -> None:
        """Stamps the heartbeat and reads the master's messages: for programs that do not come to
        accept() for more than a second."""
        self._page.stamp()
        self._read_control()

    def take(self) -> Optional[Connection]:
        """The next connection, without waiting; its socket does not block.

        None: none now, or, once `is_ended`, none any more.
        """
        if not self._buffered and not self.is_ended and time.monotonic() >= self._paused_until:
            try:
                self._receive() if self.identity else self._accept()
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                self._paused_until = time.monotonic() + PAUSE_SECONDS
        if not self._buffered:
            return None
        connection = self._buffered.popleft()
        self._page.count_accepted()
        connection.socket._on_end = self._page.count_closed
        return connection

    # How it is done.

    def _wait(self, seconds: float) -> None:
        """Waits until there is something to do; at most so long."""
        pause = self._paused_until - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, seconds))  # nothing announces that a descriptor has come free
            self._read_control()
        else:
            poll = select.poll()
            for fd in self._watched():
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll(seconds * 1000):
                self._on_readable(fd)
        self._page.stamp()

    async def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        """The same for asyncio.  Between two calls nothing is watched, because a program that takes
        its time would be woken again and again."""
        pause = self._paused_until - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
            return
        wake = loop.create_future()

        def on_readable(fd: int) -> None:
            if not wake.done():
                wake.set_result(fd)  # the other one is still readable the next time

        watched = self._watched()
        for fd in watched:
            loop.add_reader(fd, on_readable, fd)
        try:
            readable = await wake
        finally:
            for fd in watched:
                loop.remove_reader(fd)
        self._on_readable(readable)

    def _watched(self) -> list[int]:
        # Numbers: what asyncio does for a socket begins with printing it, and asks for its names.
        # If both are readable, the first is told: the master's messages are few.
        return [one.fileno() for one in (self._control, self._source) if one]

    def _on_readable(self, fd: int) -> None:
        if fd != self._source.fileno():
            self._read_control()

    async def _beat(self) -> None:
        while True:
            self.heartbeat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _say(self, message: dict[str, Any]) -> None:
        """A master that is gone or does not read is no error here."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(json.dumps(message).encode())

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = None

    def _read_control(self) -> None:
        while self._control is not None:
            try:
                packet = self._control.recv(_MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._close_control()  # that the master is gone shows on the hand-off socket
                return
            timeout = _drain_timeout(packet)
            if timeout is not None:
                self.is_draining = True
                self.drain_deadline = time.monotonic() + timeout

    def _receive(self) -> None:
        """Buffers the connections of one packet of the master."""
        if not self._reserve.has_room(self._source):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        # Not by socket.recv_fds(), which in Python 3.9 to 3.13 drops the flags it is given.
        packet, extra, flags, _ = self._source.recvmsg(_MAX_PACKET, _FDS_SPACE,
                                                       socket.MSG_CMSG_CLOEXEC)
        fds = _adopt(extra)
        self._reserve.note(fds)
        if not packet and not fds:
            self._read_control()  # the drain message may be there and not read yet
            self.is_ended = self.is_draining = True
            return
        header = _decode_header(packet)
        cut = bool(flags & socket.MSG_CTRUNC)  # then the kernel kept the first that fitted
        if header is None or (len(fds) != header[0] and not cut):
            for fd in fds:
                os.close(fd)
            raise UsherError("the master sent what is no hand-off packet")
        for _ in range(header[0] - len(fds)):  # else the master waits for what is lost
            self._page.count_accepted()
            self._page.count_closed()
        for number, fd in enumerate(fds):
            offset = _HEADER.size + number * header[1]
            id, accepted_at, listener, flags, _, peer, local = _RECORD.unpack_from(packet, offset)
            self._buffered.append(
                Connection(socket=_make_socket(fd, peer, local), worker=self,
                           peer=_decode_address(peer), id=id, listener=listener,
                           accepted_at=accepted_at, reclaims=flags & 3,
                           known_local=_decode_address(local)))

    def _accept(self) -> None:
        """Buffers one connection of a listener of our own."""
        while True:
            try:
                plain, peer = self._source.accept()
                break
            except OSError as error:
                if error.errno not in _ACCEPT_NOISE:
                    raise
        one = Socket(fileno=plain.detach())
        one.setblocking(False)
        self._buffered.append(
            Connection(socket=one, worker=self, peer=peer, id=self._page.accepted + 1, listener=0,
                       accepted_at=time.monotonic_ns()))


async def accept(fallback: str = "127.0.0.1:8000", **options: Any) -> AsyncIterator[Connection]:
    """Says ready and yields connections until this worker drains; `options` as for Worker.

    `connection.worker` is the worker, with its identity and whether it drains.
    """
    with Worker(fallback, **options) as worker:
        worker.ready()
        async for connection in worker:
            yield connection


ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter],
                           Optional[Awaitable[None]]]


class Server(contextlib.AbstractAsyncContextManager["Server"]):
    """What start_server() returns; used like asyncio.Server.

    A callback asks `server.worker.is_draining` whether to answer with `Connection: close`.
    """

    def __init__(self, worker: Worker, callback: ClientConnected,
                 ssl: Optional[SSLContext]) -> None:
        self.worker = worker
        self._callback = callback
        self._ssl = ssl
        self._clients: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def serve_forever(self) -> None:
        """Returns when this worker has drained: no more come, and what came is closed."""
        await self.wait_closed()

    def close(self) -> None:
        """Accepts no more; what is open goes on."""
        self._accepting.cancel()

    async def wait_closed(self) -> None:
        """Waits until no more connections come and the last one is closed."""
        await asyncio.wait([self._accepting])
        while self._clients:
            await asyncio.wait(set(self._clients))
        if not self._accepting.cancelled():
            self._accepting.result()

    async def __aexit__(self, *error: object) -> None:
        self.close()
        await self.wait_closed()

    async def _accept(self) -> None:
        with self.worker:
            self.worker.ready()
            async for connection in self.worker:
                task = asyncio.create_task(self._serve(connection))
                self._clients.add(task)
                task.add_done_callback(self._clients.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            reader, writer = await connection.open_streams(ssl=self._ssl)
        except OSError:  # a failed TLS handshake, or a client that has gone already
            connection.close()
            return
        try:
            result = self._callback(reader, writer)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            # Before Python 3.12 asyncio itself leaves such a connection open for ever.
            writer.close()
            asyncio.get_running_loop().call_exception_handler(
                {"message": "serving a connection failed", "exception": error})
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def start_server(callback: ClientConnected, fallback: str = "127.0.0.1:8000", *,
                       ssl: Optional[SSLContext] = None, **options: Any) -> Server:
    """Says ready and calls `callback(reader, writer)` for each connection, like
    asyncio.start_server(); `options` as for Worker."""
    return Server(Worker(fallback, **options), callback, ssl)


def _take_inheritance() -> tuple[Identity, socket.socket, socket.socket, _Page]:
    protocol = _number("USHER_PROTOCOL")
    if protocol != PROTOCOL:
        raise UsherError(f"the master speaks protocol {protocol}, this program speaks {PROTOCOL}: "
                         "use the usher.py of the installed usher")
    identity = Identity(pool=_text("USHER_POOL"), slot=_number("USHER_SLOT"),
                        id=_number("USHER_WORKER_ID"), generation=_number("USHER_GENERATION"))
    fds = [_descriptor(f"USHER_{name}_FD") for name in ("HANDOFF", "CONTROL", "SCOREBOARD")]
    if len(set(fds)) != 3:
        raise UsherError("USHER_HANDOFF_FD, USHER_CONTROL_FD and USHER_SCOREBOARD_FD do not name "
                         "three descriptors")
    page = _Page(fds[2])
    os.close(fds[2])  # the mapping stays
    sockets = [socket.socket(fileno=fd) for fd in fds[:2]]
    for one in sockets:
        one.setblocking(False)
    for name in ("PROTOCOL", "HANDOFF_FD", "CONTROL_FD", "SCOREBOARD_FD", "WORKER_ID", "SLOT",
                 "GENERATION", "POOL"):
        os.environ.pop(f"USHER_{name}", None)
    return identity, sockets[0], sockets[1], page


def _text(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise UsherError(f"{name} is not set although USHER_PROTOCOL is: start this program with "
                         "usher, or without both") from None


def _number(name: str) -> int:
    text = _text(name)
    if not (text.isascii() and text.isdigit()):
        raise UsherError(f'{name} is "{text}", which is no number')
    return int(text)


def _descriptor(name: str) -> int:
    fd = _number(name)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    except (OSError, OverflowError):
        raise UsherError(f"{name} names descriptor {fd}, which is not open") from None
    return fd


def _drain_timeout(packet: bytes) -> Optional[float]:
    """The seconds that a drain message gives; None for every other message, which is ignored."""
    try:
        message = json.loads(packet)
        timeout = message["timeout_ms"] if message["type"] == "drain" else None
        return timeout / 1000 if isinstance(timeout, int) else None
    except (ValueError, RecursionError, TypeError, LookupError, OverflowError):
        return None


def _adopt(extra: list[tuple[int, int, bytes]]) -> array.array[int]:
    """The descriptors that came with a packet."""
    fds = array.array("i")
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    return fds


def _decode_header(packet: bytes) -> Optional[tuple[int, int]]:
    """The count and size of the records, if `packet` is well-formed."""
    if len(packet) < _HEADER.size:
        return None
    version, count, record_size, _ = _HEADER.unpack_from(packet)
    if version != 1 or not 1 <= count <= MAX_BATCH or record_size < _RECORD.size:
        return None
    return (count, record_size) if len(packet) == _HEADER.size + count * record_size else None


def _decode_address(data: bytes) -> Address:
    family, port, scope, address, _ = _ADDRESS.unpack(data)
    if family == 1:
        return ""
    if family == 4:
        return (str(ipaddress.IPv4Address(address[:4])), port)
    if family == 6:
        return (str(ipaddress.IPv6Address(address)), port, 0, scope)
    return None


def _make_socket(fd: int, peer: bytes, local: bytes) -> Socket:
    """Makes the socket of a connection, which does not block, with what the record says of it:
    whatever socket() is not told, it asks the kernel."""
    family = _ADDRESS.unpack(peer)[0] if _ADDRESS.unpack(local)[0] == 0 else 0  # not a proxy's
    proto = {1: 0, 4: socket.IPPROTO_TCP, 6: socket.IPPROTO_TCP}.get(family, -1)
    return Socket(-1, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, proto, fd)


def _listen(fallback: str, reuse_port: bool, backlog: int) -> socket.socket:
    family, address = _parse_fallback(fallback)
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server(address, family=family, backlog=backlog,
                                        reuse_port=reuse_port, dualstack_ipv6=both)
    except OSError as error:  # without a number: of a path that is too long
        reason = os.strerror(error.errno or errno.ENAMETOOLONG)
        raise UsherError(f"{fallback}: {reason}") from None
    listener.setblocking(False)
    return listener


def _parse_fallback(text: str) -> tuple[int, Union[str, tuple[str, int]]]:
    if text[:5].lower() == "unix:" and len(text) > 5:
        return socket.AF_UNIX, text[5:]
    host, colon, port = text.rpartition(":")
    if not colon:
        host = "0.0.0.0"
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        version = ipaddress.ip_address(host).version
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise ValueError
    except ValueError:
        raise UsherError(f'"{text}" is no address to listen on: write 8000, 127.0.0.1:8000, '
                         "[::1]:8000 or unix:/path") from None
    return (socket.AF_INET if version == 4 else socket.AF_INET6), (host, int(port))
