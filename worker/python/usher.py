# SPDX-License-Identifier: MIT
"""The worker library of usher for Python: takes the connections that usher hands to this process, and
speaks with the other workers.

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

What workers tell each other and share goes over the bus, for any program that usher runs, whether it
takes its connections from this library or not: Bus, and AsyncBus for asyncio.

    bus = usher.Bus()
    bus.publish("cache.clear", {"id": 7})               # @bus.subscribe("cache.*"), @bus.respond(...)
    hits = bus.store().increment("hits", ttl=60)

Threads: accept(), ready() and the event loop belong to one thread.  Sockets may be closed, and
set_load() called, in any.

Needs Python 3.9 and Linux.
"""

from __future__ import annotations

import array
import asyncio
import concurrent.futures
import contextlib
import errno
import fcntl
import functools
import inspect
import ipaddress
import itertools
import json
import logging
import mmap
import os
import re
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

__all__ = ["AsyncBus", "AsyncStore", "Bus", "BusClosed", "BusError", "BusIdentity", "Change",
           "Conflict", "Connection", "Identity", "Message", "Replies", "Reply", "Request", "Server",
           "Socket", "Store", "UsherError", "Worker", "accept", "start_server"]
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


# The bus: what workers tell each other, and the small state that they share.


class BusError(UsherError):
    """The master has refused what it was asked for on the bus; `code` is the protocol's."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code
        self.reason = reason


class Conflict(BusError):
    """Somebody else has changed the key meanwhile; it has `revision` now."""

    def __init__(self, code: str, reason: str, revision: int) -> None:
        super().__init__(code, reason)
        self.revision = revision


class BusClosed(UsherError):
    """The master is gone, or this program has closed the bus."""


@dataclass(frozen=True)
class BusIdentity:
    """Who this worker is on the bus."""

    pool: str
    slot: int
    worker: int  # never used twice while the master lives
    generation: int
    group: str  # the name under which pools share

    @property
    def name(self) -> str:
        """What others see as sender: "web/2"."""
        return f"{self.pool}/{self.slot}"


@dataclass(frozen=True)
class Message:
    topic: Optional[str]  # None: it was sent without one
    data: Any
    sender: str  # "web/2"; "usher" for the master and the command line


@dataclass(frozen=True)
class Request(Message):
    """What a handler of respond() answers by what it returns."""

    deadline: float  # time.monotonic() until which the answer is waited for


@dataclass(frozen=True)
class Reply:
    sender: str
    data: Any = None
    error: Optional[str] = None  # why there is no data


@dataclass(frozen=True)
class Replies:
    replies: list[Reply]
    missing: list[str]  # who was asked and has not answered

    def __iter__(self) -> Iterator[Reply]:
        return iter(self.replies)

    def __len__(self) -> int:
        return len(self.replies)


@dataclass(frozen=True)
class Change:
    """A key as it is now: who is slow to ask gets the last of several changes alone."""

    key: str
    value: Any  # None if it is erased
    revision: int
    is_erased: bool = False
    is_expired: bool = False  # erased because its time was over


_MAX_DATA = 65_536  # bytes of a message or a value as JSON
_MAX_NAME = 255  # bytes of a topic or a key
_MAX_WORDS = 32
_MAX_DEPTH = 63  # of arrays and objects: the line itself is one more
_MOST_WAITING = 10_000  # messages, and
_MOST_WAITING_BYTES = 16 << 20  # bytes, that wait for the program
_HIGH_WATER = 1 << 20  # bytes that wait for the master
_NO_MEMORY = (errno.ENOBUFS, errno.ENOMEM)  # of the kernel, for now; no event tells when it has
_MEMORY_PAUSE = 0.01
_WORD = re.compile(r"(?:(?![.*>\"\\])[!-~])+")
_bus_log = logging.getLogger("usher.bus")


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list, tuple)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _encode(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        is_deep = text.count("[") + text.count("{") > _MAX_DEPTH and _is_deeper(value, _MAX_DEPTH)
    except RecursionError:
        is_deep = True
    if is_deep:
        raise ValueError(f"the data nest too deep: {_MAX_DEPTH} levels may be sent")
    size = len(text.encode())
    if size > _MAX_DATA:
        raise ValueError(f"the data have {size} bytes as JSON, and may have {_MAX_DATA}: keep them "
                         "elsewhere, and send where they are")
    return text


def _line(message: dict[str, Any], name: str = "", value: Any = None) -> bytes:
    """The line of a message; `name` is the member that has `value`."""
    text = json.dumps({key: each for key, each in message.items() if each is not None},
                      ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if name:
        text = f'{text[:-1]},"{name}":{_encode(value)}}}'
    return text.encode() + b"\n"


def _words(text: str, is_pattern: bool = False) -> list[str]:
    """The words of a topic or a pattern; ValueError if it is none."""
    words = text.split(".")
    wrong = [word for place, word in enumerate(words, 1)
             if not (_WORD.fullmatch(word) or is_pattern and
                     (word == "*" or word == ">" and place == len(words)))]
    if wrong or len(text) > _MAX_NAME or len(words) > _MAX_WORDS:
        raise ValueError(f"{text!r} is no {'pattern' if is_pattern else 'topic'}: it is up to "
                         f"{_MAX_WORDS} words of printable ASCII, joined by dots, of {_MAX_NAME} "
                         "bytes in all" + (', where "*" stands for one word and ">" at the end '
                                           "for one or more" if is_pattern else ""))
    return words


def _matches(pattern: list[str], topic: list[str]) -> bool:
    for place, word in enumerate(pattern):
        if word == ">":
            return len(topic) > place
        if place == len(topic) or word not in ("*", topic[place]):
            return False
    return len(pattern) == len(topic)


def _milliseconds(seconds: Optional[float]) -> Optional[int]:
    if seconds is None:
        return None
    if not 0 <= seconds < 1e12:
        raise ValueError(f"{seconds!r} is no time in seconds")
    return max(1, round(seconds * 1000))


def _key(key: str) -> str:
    if not isinstance(key, str) or not 0 < len(key.encode()) <= _MAX_NAME or "\0" in key:
        raise ValueError(f"{key!r} is no key: a text of 1 to {_MAX_NAME} bytes without a zero byte")
    return key


def _own(value: Any) -> Any:
    """A copy, so that a program that changes what it got does not change what we have."""
    if isinstance(value, dict):
        return {key: _own(each) for key, each in value.items()}
    return [_own(each) for each in value] if isinstance(value, list) else value


class _Waiting:
    """Messages that wait for the program.  When they are too many the oldest are lost."""

    def __init__(self) -> None:
        self._items: deque[tuple[Any, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Any, size: int) -> int:
        """Says how many are lost."""
        self._items.append((item, size))
        self._bytes += size
        lost = 0
        while len(self._items) > _MOST_WAITING or self._bytes > _MOST_WAITING_BYTES:
            self.take()
            lost += 1
        return lost

    def take(self) -> Any:
        item, size = self._items.popleft()
        self._bytes -= size
        return item


class _Changes:
    """Changes that wait for the program, of each key the last: never more than the store has."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def put(self, change: Change, _size: int = 0) -> int:
        self._changes.pop(change.key, None)  # behind those that came before
        self._changes[change.key] = change
        return 0

    def take(self) -> Change:
        return self._changes.pop(next(iter(self._changes)))


class _Copy:
    """This worker's copy of the store, kept by what the master says of it."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[Any, int]] = {}
        self._coming: Optional[dict[str, Optional[tuple[Any, int]]]] = None
        self._erased: dict[str, int] = {}  # while a copy comes: what it may have still, too old

    def begin(self) -> None:
        self._coming, self._erased = {}, {}

    def set(self, key: str, value: Any, revision: int) -> list[Change]:
        entries = self.entries if self._coming is None else self._coming
        if revision <= max(entries.get(key, (None, 0))[1], self._erased.get(key, 0)):
            return []
        entries[key] = (value, revision)
        return [Change(key, value, revision)] if self._coming is None else []

    def erase(self, key: str, revision: int, is_expired: bool) -> list[Change]:
        entries = self.entries if self._coming is None else self._coming
        if self._coming is not None:
            self._erased[key] = revision
        if key not in entries or revision <= entries[key][1]:
            return []
        del entries[key]
        return [Change(key, None, revision, True, is_expired)] if self._coming is None else []

    def end(self, revision: int) -> list[Change]:
        """The copy is whole.  Says what is different from the one before."""
        if self._coming is None:
            return []
        before, self.entries = self.entries, self._coming
        self._coming, self._erased = None, {}
        gone = [Change(key, None, revision, True) for key in before if key not in self.entries]
        return gone + [Change(key, *entry) for key, entry in self.entries.items()
                       if before.get(key, (None, 0))[1] != entry[1]]


class _Question:
    """A request under way."""

    def __init__(self, future: Any) -> None:
        self.future = future
        self.replies: list[Reply] = []


class _Inbox:
    """Where the messages of a pattern, or the changes of a prefix, go: to a handler, or to whoever
    iterates.  What is taken too slowly loses messages, the oldest first."""

    def __init__(self, bus: _BusBase, waiting: Union[_Waiting, _Changes],
                 leave: Callable[[_Inbox], None]) -> None:
        self._bus = bus
        self._waiting = waiting
        self._leave = leave
        self._handler: Optional[Callable[[Any], Any]] = None
        self.pattern: list[str] = []  # as words; a store's watch has none
        self.is_closed = False

    def __call__(self, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As a decorator: `handler` is called with each."""
        with self._bus._lock:
            self._handler = handler
            for _ in range(len(self._waiting)):
                self._bus._do(self._bus._run_inbox, self)
        return handler

    def close(self) -> None:
        """Nothing more comes, and an iteration ends."""
        with self._bus._lock:
            if not self.is_closed:
                self.is_closed = True
                self._leave(self)
                self._wake()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _put(self, item: Any, size: int = 0) -> None:
        before = len(self._waiting)
        self._bus._count_lost(self._waiting.put(item, size))
        if self._handler is None:
            self._wake()
        elif len(self._waiting) > before:  # else there is a turn for it already
            self._bus._do(self._bus._run_inbox, self)

    def _wake(self) -> None:
        """Tells whoever iterates."""
        raise NotImplementedError


class _BusBase:
    """What both kinds of bus know and decide.  How lines come and go, who waits and how handlers
    are run is theirs: `_send`, `_wait`, `_do`."""

    _lock: Any
    _inbox_class: type[_Inbox]

    def __init__(self, timeout: float) -> None:
        self.identity: BusIdentity  # once it is open
        self.is_leader = False
        self.is_closed = False
        self.lost = 0  # messages and requests that came too fast for this program
        self.timeout = timeout
        self._is_welcome = False
        self._unread = b""
        # Answers to a process that had this bus before are none of ours.
        self._ids = itertools.count((os.getpid() << 24) + 1)
        self._pending: dict[Any, Any] = {}  # futures and questions by their id
        self._subscriptions: list[_Inbox] = []
        self._responders: list[_Inbox] = []
        self._watches: list[tuple[str, _Inbox]] = []
        self._on_message: list[Callable[[Message], Any]] = []
        self._on_leader: list[Callable[[bool], Any]] = []
        self._is_stopping = False  # it was told so, and has not resigned yet
        self._campaigns_again = False  # once it has
        self._resigning: Optional[int] = None  # the id by which it said so; until that is answered
        self._on_lost: list[Callable[[int], Any]] = []
        self._unmatched = self._inbox_class(self, _Waiting(), lambda _: None)
        self._untold_lost = 0
        self._copy = _Copy()
        self._sync: Any = None  # a future: the copy is whole

    # What both offer.

    def subscribe(self, pattern: str) -> Any:
        """The messages of the topics that match `pattern`, as a decorator or to iterate over:

            @bus.subscribe("cache.*")                  for message in bus.subscribe("cache.*"):
            def clear(message): ...                        ...

        Close what it returns to have no more of them.
        """
        return self._open_inbox(self._subscriptions, pattern, None)

    def respond(self, pattern: str) -> Callable[[Callable[[Request], Any]],
                                                Callable[[Request], Any]]:
        """A decorator for what answers requests: by what it returns, or by the exception it raises."""
        def decorate(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
            self._open_inbox(self._responders, pattern, handler)
            return handler
        return decorate

    def on_message(self, handler: Callable[[Message], Any]) -> Callable[[Message], Any]:
        """A decorator for what was sent to this worker and matches none of its patterns."""
        self._unmatched._handler = handler
        return handler

    def on_lost(self, handler: Callable[[int], Any]) -> Callable[[int], Any]:
        """A decorator for what is to be done when messages were lost, such as to clear a cache."""
        with self._lock:
            self._on_lost.append(handler)
            if self._untold_lost and len(self._on_lost) == 1:  # before anybody wanted to know
                self._do(self._run_lost)
        return handler

    def on_leader(self, handler: Callable[[bool], Any]) -> Callable[[bool], Any]:
        """A decorator for who would be the leader: `handler(True)` when this worker is it, and
        `handler(False)` when it is to stop; the next leader is named when that has returned."""
        with self._lock:
            self._on_leader.append(handler)
            if self.is_leader:  # the others know already
                self._lead(True, [handler])
        self.campaign()
        return handler

    def campaign(self) -> None:
        """This worker would be the leader; `is_leader` says whether it is."""
        with self._lock:
            self._campaigns_again = self._is_stopping  # what was begun before must have ended
            if not self._is_stopping:
                self._say({"type": "campaign"})

    def resign(self) -> None:
        """It would not, or no longer."""
        with self._lock:
            self._campaigns_again = False
            if self.is_leader:
                self._be_leader(False)
            elif not self._is_stopping:
                self._say_resign()

    # What the master says.

    def _receive(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
                take = getattr(self, f"_take_{message['type']}", None)
            except (ValueError, RecursionError, TypeError, LookupError):
                continue
            # What comes before was meant for a process that had the bus before this one.
            if take is not None and (self._is_welcome or message["type"] == "welcome"):
                try:
                    take(message, len(line))
                except Exception as error:  # nothing the master says may end the reading
                    _bus_log.warning("the master said what cannot be read: %r: %.200r", error, line)

    def _take_welcome(self, message: dict[str, Any], _size: int) -> None:
        self.identity = BusIdentity(**{name: message[name] for name in
                                       ("pool", "slot", "worker", "generation", "group")})
        self._is_welcome = True
        self._resolve("welcome", None)

    def _take_message(self, message: dict[str, Any], size: int) -> None:
        topic = message.get("topic")
        item = Message(topic, message.get("data"), message.get("from", ""))
        for inbox in self._matching(self._subscriptions, topic) or [self._unmatched]:
            if inbox is not self._unmatched or inbox._handler:
                inbox._put(item, size)

    def _take_request(self, message: dict[str, Any], size: int) -> None:
        topic = message.get("topic")
        item = Request(topic, message.get("data"), message["from"],
                       time.monotonic() + message["timeout_ms"] / 1000)
        object.__setattr__(item, "_id", message["id"])
        for inbox in self._matching(self._responders, topic)[:1]:
            inbox._put(item, size)
            return
        self._do(self._say_reply, item, None, f"nobody here answers {topic}")

    def _take_reply(self, message: dict[str, Any], _size: int) -> None:
        question = self._pending.get(message["id"])
        if isinstance(question, _Question):
            question.replies.append(Reply(message["from"], message.get("data"),
                                          message.get("error")))

    def _take_done(self, message: dict[str, Any], _size: int) -> None:
        question = self._pending.get(message["id"])
        if isinstance(question, _Question):
            self._resolve(message["id"], Replies(question.replies, message["missing"]))

    def _take_ok(self, message: dict[str, Any], _size: int) -> None:
        if message["id"] == self._resigning:
            self._resigning = None
        self._resolve(message["id"], message)

    def _take_error(self, message: dict[str, Any], _size: int) -> None:
        code, reason = message["code"], message.get("reason", "")
        if message.get("id") not in self._pending:
            _bus_log.warning("the bus has refused something: %s: %s", code, reason)
        elif code == "conflict":
            self._resolve(message["id"], None, Conflict(code, reason, message["revision"]))
        else:
            self._resolve(message["id"], None, BusError(code, reason))

    def _take_lost(self, message: dict[str, Any], _size: int) -> None:
        self._count_lost(message["count"])

    def _take_leader(self, message: dict[str, Any], _size: int) -> None:
        # What was on its way when this worker resigned: the master has named another since.
        is_outdated = self._is_stopping or self._resigning is not None
        if message["is"] != self.is_leader and not is_outdated:
            self._be_leader(message["is"])

    def _take_snapshot(self, _message: dict[str, Any], _size: int) -> None:
        self._copy.begin()

    def _take_set(self, message: dict[str, Any], _size: int) -> None:
        self._tell(self._copy.set(message["key"], message["value"], message["revision"]))

    def _take_erased(self, message: dict[str, Any], _size: int) -> None:
        self._tell(self._copy.erase(message["key"], message["revision"],
                                    message.get("expired", False)))

    def _take_synced(self, message: dict[str, Any], _size: int) -> None:
        self._tell(self._copy.end(message["revision"]))
        self._resolve("sync", None)

    # How it is done.

    def _matching(self, inboxes: list[_Inbox], topic: Optional[str]) -> list[_Inbox]:
        if topic is None:
            return []
        words = topic.split(".")
        return [inbox for inbox in inboxes if _matches(inbox.pattern, words)]

    def _open_inbox(self, inboxes: list[_Inbox], pattern: str,
                    handler: Optional[Callable[[Any], Any]]) -> _Inbox:
        words = _words(pattern, is_pattern=True)

        def leave(inbox: _Inbox) -> None:
            inboxes.remove(inbox)
            if not self._has_pattern(words):
                self._say({"type": "unsubscribe", "pattern": pattern})

        inbox = self._inbox_class(self, _Waiting(), leave)
        inbox.pattern, inbox._handler = words, handler
        with self._lock:
            is_new = not self._has_pattern(words)
            inboxes.append(inbox)
        if is_new:
            self._subscribe(inbox, pattern)
        return inbox

    def _has_pattern(self, words: list[str]) -> bool:
        return any(inbox.pattern == words for inbox in self._subscriptions + self._responders)

    def _watch(self, prefix: str) -> _Inbox:
        def leave(inbox: _Inbox) -> None:
            self._watches.remove((prefix, inbox))

        with self._lock:
            inbox = self._inbox_class(self, _Changes(), leave)
            self._watches.append((prefix, inbox))
            for key, entry in self._copy.entries.items():
                if key.startswith(prefix):
                    inbox._put(Change(key, *entry))
        return inbox

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            for prefix, inbox in list(self._watches):
                if change.key.startswith(prefix):
                    inbox._put(change)

    def _be_leader(self, is_leader: bool) -> None:
        self.is_leader = is_leader
        self._is_stopping = not is_leader
        self._lead(is_leader, list(self._on_leader))

    def _say_resign(self) -> None:
        self._resigning = next(self._ids)
        self._say({"type": "resign", "id": self._resigning})

    def _on_stopped(self) -> None:
        with self._lock:
            self._is_stopping = False
            self._say_resign()
            if self._campaigns_again:
                self.campaign()

    def _count_lost(self, count: int) -> None:
        self.lost += count
        if count and self._on_lost and not self._untold_lost:
            self._do(self._run_lost)
        self._untold_lost += count

    def _ask(self, message: dict[str, Any], name: str = "", value: Any = None) -> Any:
        """Sends it with an id.  Returns a future of the answer."""
        with self._lock:
            future = self._new_future()
            message["id"] = next(self._ids)
            self._pending[message["id"]] = (_Question(future) if message["type"] == "request"
                                            else future)
        try:
            self._send(_line(message, name, value))
        except BaseException:
            self._pending.pop(message["id"], None)
            raise
        if self.is_closed:
            self._fail_all()
        future.usher_id = message["id"]
        return future

    def _ask_for_copy(self) -> Any:
        """A future of it: the same for all, since a copy once here is kept up to date."""
        with self._lock:
            is_first = self._sync is None
            if is_first:
                self._sync = self._pending["sync"] = self._new_future()
        if is_first:
            try:
                self._say({"type": "sync"})
            except TimeoutError:
                self._sync = None  # so that it can be tried again
                raise
            if self.is_closed:
                self._fail_all()
        return self._sync

    def _say(self, message: dict[str, Any], name: str = "", value: Any = None) -> None:
        """Sends it without waiting for anything.  A master that is gone is no error here."""
        line = _line(message, name, value)
        with contextlib.suppress(BusClosed):
            self._send(line)

    def _say_reply(self, request: Request, data: Any, error: Optional[str]) -> None:
        message = {"type": "reply", "id": request._id}
        try:
            line = _line(message, "data", data) if error is None else b""
        except (ValueError, TypeError) as problem:
            error = f"the answer cannot be sent: {problem}"
        if error is not None:  # perhaps of a text with half a character
            readable = error[:1000].encode(errors="replace").decode()
            line = _line({**message, "error": readable})
        with contextlib.suppress(BusClosed):
            self._send(line)

    def _resolve(self, key: Any, result: Any, error: Optional[Exception] = None) -> None:
        waiting = self._pending.pop(key, None)
        future = waiting.future if isinstance(waiting, _Question) else waiting
        if future is not None and not future.done():
            future.set_exception(error) if error else future.set_result(result)

    def _fail_all(self) -> None:
        with self._lock:
            for key in list(self._pending):
                self._resolve(key, None, BusClosed("the bus is closed: usher has ended, or this "
                                                   "program has closed it"))

    def _on_end(self) -> None:
        """The master is gone: this worker serves on without a bus."""
        with self._lock:
            self.is_closed = True
            self._fail_all()
            if self.is_leader:
                self._be_leader(False)
            for inbox in [*self._subscriptions, *(inbox for _, inbox in self._watches)]:
                inbox._wake()

    # What differs.

    def _send(self, line: bytes) -> None:
        raise NotImplementedError

    def _subscribe(self, inbox: _Inbox, pattern: str) -> None:
        raise NotImplementedError

    def _new_future(self) -> Any:
        raise NotImplementedError

    def _do(self, job: Callable[..., Any], *arguments: Any) -> None:
        """Calls it where the program's handlers run, after those before it."""
        raise NotImplementedError

    def _run_inbox(self, inbox: _Inbox) -> Any:
        """Takes one from it to its handler."""
        raise NotImplementedError

    def _lead(self, is_leader: bool, handlers: list[Callable[[bool], Any]]) -> None:
        """Calls those handlers of on_leader(), all of them, and then _on_stopped() if they had to
        stop; after those before it have ended."""
        raise NotImplementedError

    def _run_lost(self) -> Any:
        raise NotImplementedError


def _to_whom(kind: str, topic: Optional[str], pool: Optional[str],
             slot: Optional[int]) -> dict[str, Any]:
    """The beginning of a message."""
    if topic is not None and _words(topic)[0] == "usher":
        raise ValueError(f"{topic!r}: topics that begin with usher. are the master's")
    return {"type": kind, "topic": topic, "pool": pool, "slot": slot}


def _question(topic: str, timeout: float, max_replies: Optional[int], pool: Optional[str],
              slot: Optional[int]) -> dict[str, Any]:
    return {**_to_whom("request", topic, pool, slot), "timeout_ms": _milliseconds(timeout),
            "max": max_replies}


class Inbox(_Inbox):
    """What subscribe() and watch() return: a decorator for a handler, or an iterator."""

    _bus: Bus

    def __iter__(self) -> Iterator[Any]:
        """Yields until it is closed, or the bus is."""
        with contextlib.suppress(BusClosed):
            while True:
                yield self.get()

    def get(self, timeout: Optional[float] = None) -> Any:
        """Waits for the next.  Raises TimeoutError after `timeout` seconds, BusClosed at the end."""
        with self._bus._changed:
            if not self._bus._changed.wait_for(
                    lambda: self._waiting or self.is_closed or self._bus.is_closed, timeout):
                raise TimeoutError(f"nothing came within {timeout} s")
            if not self._waiting:
                raise BusClosed("nothing more will come: it is closed")
            return self._waiting.take()

    def _wake(self) -> None:
        self._bus._changed.notify_all()


class Bus(_BusBase, contextlib.AbstractContextManager["Bus"]):
    """What workers tell each other and share, for programs without asyncio.

        bus = usher.Bus()

        @bus.subscribe("cache.*")
        def clear(message):
            cache.pop(message.data["id"], None)

        bus.publish("cache.clear", {"id": 7})

    Of a worker's processes one alone has the bus: whichever opens it first.  Handlers run one after
    the other in a thread of the bus, so what they share with the program needs a lock; they may
    publish, ask and write themselves.  All of it may be used from any thread.  What waits for the
    master's answer raises TimeoutError after `timeout` seconds: then it may have been done or not.

    Without usher it is a bus of one, so that the same program runs alone.  Once the master is gone
    it `is_closed`: publish() and send() do nothing then, what needs an answer raises BusClosed.
    """

    _inbox_class = Inbox

    def __init__(self, *, timeout: float = 5.0) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: deque[Optional[Callable[[], Any]]] = deque()
        self._worker: Optional[threading.Thread] = None
        super().__init__(timeout)
        self._process = os.getpid()
        self._send_lock = threading.Lock()
        self._unsent = b""
        self._socket = _open_bus()
        self._wake_reader = os.pipe()
        welcome = self._pending["welcome"] = self._new_future()
        self._reader = threading.Thread(target=self._read, name="usher bus", daemon=True)
        self._reader.start()
        try:
            self._send(_HELLO)
            self._wait(welcome)
        except BaseException:
            self.close()
            raise

    def publish(self, topic: str, data: Any = None, *, wait: bool = False) -> Optional[int]:
        """To whoever has subscribed.  With `wait` it returns to how many it went."""
        return self._post(_to_whom("publish", topic, None, None), data, wait)

    def send(self, topic: Optional[str] = None, data: Any = None, *, pool: Optional[str] = None,
             slot: Optional[int] = None, wait: bool = False) -> Optional[int]:
        """To one worker, or to all others of a pool, subscribed or not."""
        return self._post(_to_whom("send", topic, pool, slot), data, wait)

    def request(self, topic: str, data: Any = None, *, timeout: float = 5.0,
                max_replies: Optional[int] = None, pool: Optional[str] = None,
                slot: Optional[int] = None) -> Replies:
        """Asks all others who have subscribed, or those of `pool` and `slot`, and waits for their
        answers: until there are `max_replies`, or `timeout` seconds are over."""
        future = self._ask(_question(topic, timeout, max_replies, pool, slot), "data", data)
        return self._wait(future, timeout + self.timeout)

    def store(self) -> Store:
        """The store, as soon as its copy is here."""
        self._wait(self._ask_for_copy())
        return Store(self)

    def close(self) -> None:
        """Whoever is the leader resigns first; what waits for the master raises BusClosed."""
        with self._lock:
            if self._socket.fileno() < 0:
                return
            with contextlib.suppress(TimeoutError):
                for inbox in [*self._subscriptions, *self._responders]:
                    inbox.close()
                self.resign()
            self._jobs.append(None)
            self._changed.notify_all()
        self._join(self._worker)
        os.write(self._wake_reader[1], b".")
        self._join(self._reader)
        self._on_end()
        with self._send_lock:
            self._socket.close()
        for end in self._wake_reader:
            os.close(end)

    def __exit__(self, *error: object) -> None:
        self.close()

    def _post(self, message: dict[str, Any], data: Any, wait: bool) -> Optional[int]:
        if wait:
            return self._wait(self._ask(message, "data", data))["receivers"]
        self._say(message, "data", data)
        return None

    def _subscribe(self, inbox: _Inbox, pattern: str) -> None:
        try:
            self._wait(self._ask({"type": "subscribe", "pattern": pattern}))
        except (BusError, TimeoutError):  # the program never gets it to close it
            with contextlib.suppress(TimeoutError):
                inbox._leave(inbox)
            raise

    def _new_future(self) -> concurrent.futures.Future[Any]:
        return concurrent.futures.Future()

    def _wait(self, future: Any, timeout: Optional[float] = None) -> Any:
        try:
            return future.result(self.timeout if timeout is None else timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"usher has not answered on the bus within {self.timeout} s") from None
        finally:
            self._pending.pop(getattr(future, "usher_id", None), None)

    def _send(self, line: bytes) -> None:
        if os.getpid() != self._process:
            raise UsherError(f"this bus is of process {self._process}, which has forked this one: "
                             "open it after the fork (gunicorn: without --preload)")
        deadline = time.monotonic() + self.timeout
        with self._send_lock:
            if self.is_closed or self._socket.fileno() < 0:
                raise BusClosed("the bus is closed")
            if self._flush(deadline):
                self._unsent = line
                self._flush(deadline)  # a rest goes before the next line
                if self._unsent is not line:
                    return
                self._unsent = b""
            raise TimeoutError(f"usher has not read from the bus for {self.timeout} s")

    def _flush(self, deadline: float) -> bool:
        while self._unsent:
            try:
                # Whether the socket blocks is of all processes that have it.
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                self._unsent = self._unsent[sent:]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                    return False
            except OSError as error:
                if error.errno in _NO_MEMORY and time.monotonic() < deadline:
                    time.sleep(_MEMORY_PAUSE)
                    continue
                self._unsent = b""
                raise BusClosed("the bus is closed: usher has ended") from None
        return True

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._wake_reader[0], select.POLLIN)
        data = b"."
        while data and self._wake_reader[0] not in dict(poll.poll()):
            try:
                data = self._socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            with self._lock:
                self._receive(data)
        self._on_end()

    def _join(self, thread: Optional[threading.Thread]) -> None:
        if thread is not None and thread is not threading.current_thread():
            thread.join(self.timeout)

    def _do(self, job: Callable[..., Any], *arguments: Any) -> None:
        with self._lock:
            self._jobs.append(functools.partial(job, *arguments))
            self._changed.notify_all()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="usher bus handlers",
                                                daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs)
                job = self._jobs.popleft()
            if job is None:
                return
            self._call(job)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            function(*arguments)
        except BaseException:  # of a handler, of which none may end the others; sys.exit() neither
            _bus_log.exception("a handler of the bus has failed")

    def _run_inbox(self, inbox: _Inbox) -> None:
        with self._lock:
            if inbox.is_closed or not inbox._waiting:
                return
            item = inbox._waiting.take()
        if not isinstance(item, Request):
            inbox._handler(item)
            return
        try:
            self._say_reply(item, inbox._handler(item), None)
        except BaseException as problem:
            self._say_reply(item, None, f"{type(problem).__name__}: {problem}")
            raise

    def _lead(self, is_leader: bool, handlers: list[Callable[[bool], Any]]) -> None:
        self._do(self._run_leader, is_leader, handlers)

    def _run_leader(self, is_leader: bool, handlers: list[Callable[[bool], Any]]) -> None:
        for handler in handlers:
            self._call(handler, is_leader)
        if not is_leader:
            self._on_stopped()

    def _run_lost(self) -> None:
        with self._lock:
            count, self._untold_lost = self._untold_lost, 0
        for handler in self._on_lost:
            self._call(handler, count)


class _StoreReading:
    """What of a store is local, and so costs nothing."""

    def __init__(self, bus: _BusBase) -> None:
        self._bus = bus

    def get(self, key: str, default: Any = None) -> Any:
        return self._look(key, default)[0]

    def revision(self, key: str) -> int:
        """The one that wrote `key`; 0 if it is not there."""
        return self._bus._copy.entries.get(key, (None, 0))[1]

    def _look(self, key: str, default: Any) -> tuple[Any, int]:
        """The value with the revision that wrote it: at one moment, since the copy may change
        meanwhile."""
        entry = self._bus._copy.entries.get(key)
        return (default, 0) if entry is None else (_own(entry[0]), entry[1])

    def keys(self, prefix: str = "") -> list[str]:
        with self._bus._lock:
            return sorted(key for key in self._bus._copy.entries if key.startswith(prefix))

    def watch(self, prefix: str = "") -> Any:
        """The keys that begin with `prefix`, first as they are and then when they change, as a
        decorator or to iterate over.  Of several changes that come fast the last is enough."""
        return self._bus._watch(prefix)


def _put(key: str, ttl: Optional[float], expected: Optional[int]) -> dict[str, Any]:
    return {"type": "put", "key": _key(key), "ttl_ms": _milliseconds(ttl), "expected": expected}


def _increment(key: str, by: int, ttl: Optional[float]) -> dict[str, Any]:
    return {"type": "increment", "key": _key(key), "by": by, "ttl_ms": _milliseconds(ttl)}


class Store(_StoreReading):
    """Small values that workers share.  Reading is local; what is written has been acknowledged,
    and is in this worker's own copy, when the call returns.  `ttl` is in seconds."""

    _bus: Bus

    def put(self, key: str, value: Any, *, ttl: Optional[float] = None,
            expected: Optional[int] = None) -> int:
        """Returns the new revision.  Raises Conflict unless `key` has the revision `expected`
        (0: is not there), if that is given."""
        return self._ask(_put(key, ttl, expected), "value", value)["revision"]

    def update(self, key: str, change: Callable[[Any], Any], default: Any = None, *,
               ttl: Optional[float] = None) -> Any:
        """Puts `change(value)` in place of the value, of `default` if there is none; anew if somebody
        else was faster.  Returns the new value."""
        value, revision = self._look(key, default)
        while True:
            changed = change(value)
            try:
                self.put(key, changed, ttl=ttl, expected=revision)
                return changed
            except Conflict:
                answer = self._ask({"type": "get", "key": key})
                revision = answer["revision"]
                value = answer["value"] if revision else default

    def erase(self, key: str, *, expected: Optional[int] = None) -> None:
        self._ask({"type": "erase", "key": _key(key), "expected": expected})

    def increment(self, key: str, by: int = 1, *, ttl: Optional[float] = None) -> int:
        """Returns the sum.  `ttl` counts only where there was none before."""
        return self._ask(_increment(key, by, ttl))["value"]

    def _ask(self, *message: Any) -> Any:
        return self._bus._wait(self._bus._ask(*message))


class AsyncInbox(_Inbox):
    """What subscribe() and watch() return: a decorator for a handler, plain or async, or something
    to iterate over by `async for`.  To await a subscription is to wait until it is known to usher."""

    _bus: AsyncBus
    _acknowledged: Optional[asyncio.Future[Any]] = None
    _waker: Optional[asyncio.Future[None]] = None

    def __await__(self) -> Any:
        if self._acknowledged is not None:
            yield from self._bus._wait(self._acknowledged).__await__()
        return self

    def __aiter__(self) -> AsyncInbox:
        return self

    async def __anext__(self) -> Any:
        while not self._waiting:
            if self.is_closed or self._bus.is_closed:
                raise StopAsyncIteration
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker
        return self._waiting.take()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


class AsyncBus(_BusBase, contextlib.AbstractAsyncContextManager["AsyncBus"]):
    """What workers tell each other and share, for asyncio: as Bus, and what waits is awaited.

        bus = usher.AsyncBus()

        @bus.subscribe("cache.*")
        async def clear(message):
            cache.pop(message.data["id"], None)

        async def main():
            async with bus:                            # or: await bus.open()
                await bus.publish("cache.clear", {"id": 7})

    Handlers may be named before it is open, so that it can be a module's.  Plain ones are called one
    after the other; async ones are tasks, of which the next does not wait for the last.  Those of
    on_leader() do: whoever is to stop has begun.
    """

    _inbox_class = AsyncInbox
    _lock: Any = contextlib.nullcontext()
    _MOST_TASKS = 1000

    def __init__(self, *, timeout: float = 5.0) -> None:
        super().__init__(timeout)
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._socket: Optional[socket.socket] = None
        self._unsent = bytearray()
        self._is_flushing = False
        self._room: list[asyncio.Future[None]] = []
        self._jobs: deque[Callable[[], Any]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn: Optional[asyncio.Task[None]] = None  # the last, of the handlers of on_leader()
        self._leading: Optional[asyncio.Task[None]] = None  # the one that runs

    async def open(self) -> AsyncBus:
        """Once per process.  Raises UsherError if another process of this worker has it."""
        self._loop = asyncio.get_running_loop()
        self._socket = _open_bus()
        welcome = self._pending["welcome"] = self._new_future()
        self._unsent[:0] = _HELLO
        self._loop.add_reader(self._socket.fileno(), self._on_readable)
        self._flush()
        for inbox in [*self._subscriptions, *self._responders]:
            self._subscribe(inbox, ".".join(inbox.pattern))
        try:
            await self._wait(welcome)
        except BaseException:
            if self._socket is not None:
                self._end()
            raise
        return self

    async def publish(self, topic: str, data: Any = None, *, wait: bool = False) -> Optional[int]:
        return await self._post(_to_whom("publish", topic, None, None), data, wait)

    async def send(self, topic: Optional[str] = None, data: Any = None, *,
                   pool: Optional[str] = None, slot: Optional[int] = None,
                   wait: bool = False) -> Optional[int]:
        return await self._post(_to_whom("send", topic, pool, slot), data, wait)

    async def request(self, topic: str, data: Any = None, *, timeout: float = 5.0,
                      max_replies: Optional[int] = None, pool: Optional[str] = None,
                      slot: Optional[int] = None) -> Replies:
        future = self._ask(_question(topic, timeout, max_replies, pool, slot), "data", data)
        return await self._wait(future, timeout + self.timeout)

    async def store(self) -> AsyncStore:
        await self._wait(self._ask_for_copy())
        return AsyncStore(self)

    async def close(self) -> None:
        if self._socket is None:
            return
        for inbox in [*self._subscriptions, *self._responders]:
            inbox.close()
        self.resign()
        if self._turn is not None and self._leading is not asyncio.current_task():
            await asyncio.wait({self._turn}, timeout=self.timeout)
        if self._socket is not None:
            self._flush()
            self._end()

    async def __aenter__(self) -> AsyncBus:
        return await self.open()

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _post(self, message: dict[str, Any], data: Any, wait: bool) -> Optional[int]:
        if wait:
            return (await self._wait(self._ask(message, "data", data)))["receivers"]
        self._say(message, "data", data)
        if len(self._unsent) > _HIGH_WATER and not self.is_closed:
            self._room.append(self._new_future())
            await self._room[-1]
        return None

    def _subscribe(self, inbox: _Inbox, pattern: str) -> None:
        if self._socket is not None:  # else open() does it
            inbox._acknowledged = self._ask({"type": "subscribe", "pattern": pattern})
            inbox._acknowledged.add_done_callback(self._on_subscribed)

    @staticmethod
    def _on_subscribed(acknowledged: asyncio.Future[Any]) -> None:
        if not acknowledged.cancelled() and acknowledged.exception() is not None:
            _bus_log.warning("the bus has refused a subscription: %s", acknowledged.exception())

    def _new_future(self) -> asyncio.Future[Any]:
        if self._loop is None:
            raise UsherError("the bus is not open yet: use it within `async with`, or after "
                             "`await bus.open()`")
        return self._loop.create_future()

    async def _wait(self, future: Any, timeout: Optional[float] = None) -> Any:
        # Shielded, since several may wait for one.
        try:
            return await asyncio.wait_for(asyncio.shield(future),
                                          self.timeout if timeout is None else timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"usher has not answered on the bus within {self.timeout} s") from None
        finally:
            self._pending.pop(getattr(future, "usher_id", None), None)

    def _send(self, line: bytes) -> None:
        if self.is_closed:
            raise BusClosed("the bus is closed")
        self._unsent += line
        if self._socket is not None and not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)  # with all that this turn of the loop has to say

    def _flush(self) -> None:
        if self._socket is None:
            return
        try:
            while self._unsent:
                del self._unsent[:self._socket.send(self._unsent, socket.MSG_DONTWAIT |
                                                    socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            self._loop.add_writer(self._socket.fileno(), self._flush)
            return
        except OSError as error:
            if error.errno in _NO_MEMORY:
                self._loop.call_later(_MEMORY_PAUSE, self._flush)
                return
            self._unsent.clear()  # that it has ended shows where it is read
        self._loop.remove_writer(self._socket.fileno())
        self._is_flushing = False
        while self._room:
            waiting = self._room.pop()
            if not waiting.done():
                waiting.set_result(None)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._receive(data)
        else:
            self._end()

    def _end(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._unsent.clear()
        self._on_end()
        for waiting in self._room:
            if not waiting.done():
                waiting.set_result(None)

    def _do(self, job: Callable[..., Any], *arguments: Any) -> None:
        self._jobs.append(functools.partial(job, *arguments))
        self._start_jobs()

    def _start_jobs(self) -> None:
        while self._jobs and len(self._tasks) < self._MOST_TASKS:
            task = self._loop.create_task(self._run(self._jobs.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start_jobs()

    async def _run(self, job: Callable[[], Any]) -> None:
        try:
            await _finished(job())
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a handler of the bus has failed", "exception": error})

    async def _run_inbox(self, inbox: _Inbox) -> None:
        if inbox.is_closed or not inbox._waiting:
            return
        item = inbox._waiting.take()
        if not isinstance(item, Request):
            await _finished(inbox._handler(item))
            return
        try:
            self._say_reply(item, await _finished(inbox._handler(item)), None)
        except BaseException as problem:
            self._say_reply(item, None, f"{type(problem).__name__}: {problem}")
            raise

    def _lead(self, is_leader: bool, handlers: list[Callable[[bool], Any]]) -> None:
        self._turn = self._loop.create_task(self._run_leader(is_leader, handlers, self._turn))

    async def _run_leader(self, is_leader: bool, handlers: list[Callable[[bool], Any]],
                          before: Optional[asyncio.Task[None]]) -> None:
        if before is not None:  # who is to stop must have begun, and the other way round
            await asyncio.wait({before})
        self._leading = asyncio.current_task()
        for handler in handlers:
            await self._run(functools.partial(handler, is_leader))
        self._leading = None
        if not is_leader:
            self._on_stopped()

    async def _run_lost(self) -> None:
        count, self._untold_lost = self._untold_lost, 0
        for handler in self._on_lost:
            await self._run(functools.partial(handler, count))


async def _finished(result: Any) -> Any:
    """What a handler, plain or async, has returned."""
    return await result if inspect.isawaitable(result) else result


class AsyncStore(_StoreReading):
    """As Store; what writes is awaited."""

    _bus: AsyncBus

    async def put(self, key: str, value: Any, *, ttl: Optional[float] = None,
                  expected: Optional[int] = None) -> int:
        return (await self._ask(_put(key, ttl, expected), "value", value))["revision"]

    async def update(self, key: str, change: Callable[[Any], Any], default: Any = None, *,
                     ttl: Optional[float] = None) -> Any:
        value, revision = self._look(key, default)
        while True:
            changed = change(value)
            try:
                await self.put(key, changed, ttl=ttl, expected=revision)
                return changed
            except Conflict:
                answer = await self._ask({"type": "get", "key": key})
                revision = answer["revision"]
                value = answer["value"] if revision else default

    async def erase(self, key: str, *, expected: Optional[int] = None) -> None:
        await self._ask({"type": "erase", "key": _key(key), "expected": expected})

    async def increment(self, key: str, by: int = 1, *, ttl: Optional[float] = None) -> int:
        return (await self._ask(_increment(key, by, ttl)))["value"]

    async def _ask(self, *message: Any) -> Any:
        return await self._bus._wait(self._bus._ask(*message))


class _Alone:
    """The master's part for a program that runs without usher: a bus of one.  In memory, and in a
    thread of its own, so that the program's part is the same."""

    def __init__(self) -> None:
        self._socket, self.peer = socket.socketpair()
        self._patterns: set[str] = set()
        self._values: dict[str, tuple[Any, int, float]] = {}  # with revision and end
        self._revision = 0
        self._requests: dict[int, Any] = {}  # our number, and that of who asked
        threading.Thread(target=self._serve, name="usher alone", daemon=True).start()

    def _serve(self) -> None:
        with self._socket, self._socket.makefile("rb") as lines:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            for message in self._read(poll):
                take = getattr(self, f"_on_{message.get('type')}", None)
                if take is not None:
                    take(message)

    def _read(self, poll: select.poll) -> Iterator[dict[str, Any]]:
        unread = b""
        while True:
            ends = min((end for _, _, end in self._values.values()), default=float("inf"))
            left = ends - time.monotonic()
            if poll.poll(max(0, min(left, 3600)) * 1000 + 1):
                try:
                    data = self._socket.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    return
                *lines, unread = (unread + data).split(b"\n")
                for line in filter(None, lines):
                    self._expire()
                    yield json.loads(line)
            self._expire()

    def _say(self, kind: str, **members: Any) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps({"type": kind, **members}).encode() + b"\n")

    def _ok(self, message: dict[str, Any], **members: Any) -> None:
        if "id" in message:
            self._say("ok", id=message["id"], **members)

    def _refuse(self, message: dict[str, Any], code: str, **members: Any) -> None:
        self._say("error", id=message.get("id"), code=code, **members)

    def _expire(self) -> None:
        now = time.monotonic()
        for key in [key for key, (_, _, end) in self._values.items() if end <= now]:
            del self._values[key]
            self._revision += 1
            self._say("erased", key=key, revision=self._revision, expired=True)

    def _on_hello(self, _message: dict[str, Any]) -> None:
        self._say("welcome", protocol=1, pool="alone", slot=1, worker=1, generation=1,
                  group="alone")

    def _on_subscribe(self, message: dict[str, Any]) -> None:
        self._patterns.add(message["pattern"])
        self._ok(message)

    def _on_unsubscribe(self, message: dict[str, Any]) -> None:
        self._patterns.discard(message["pattern"])
        self._ok(message)

    def _on_publish(self, message: dict[str, Any]) -> None:
        topic = message["topic"].split(".")
        self._deliver(message, any(_matches(pattern.split("."), topic)
                                   for pattern in self._patterns))

    def _on_send(self, message: dict[str, Any]) -> None:
        self._deliver(message, self._is_here(message))

    def _is_here(self, message: dict[str, Any]) -> bool:
        return message.get("slot") == 1 and message.get("pool", "alone") == "alone"

    def _deliver(self, message: dict[str, Any], is_for_us: bool) -> None:
        if is_for_us:
            topic = {"topic": message["topic"]} if "topic" in message else {}
            self._say("message", **topic, **{"from": "alone/1"}, data=message["data"])
        self._ok(message, receivers=int(is_for_us))

    def _on_request(self, message: dict[str, Any]) -> None:
        if self._is_here(message):  # else it is for others, and there are none
            number = len(self._requests) + 1
            self._requests[number] = message["id"]
            self._say("request", id=number, topic=message["topic"], **{"from": "alone/1"},
                      timeout_ms=message["timeout_ms"], data=message["data"])
        else:
            self._say("done", id=message["id"], replies=0, missing=[])

    def _on_reply(self, message: dict[str, Any]) -> None:
        answer = {key: message[key] for key in ("data", "error") if key in message}
        number = self._requests[message["id"]]
        self._say("reply", id=number, **{"from": "alone/1"}, **answer)
        self._say("done", id=number, replies=1, missing=[])

    def _on_campaign(self, _message: dict[str, Any]) -> None:
        self._say("leader", **{"is": True})

    def _on_resign(self, message: dict[str, Any]) -> None:
        self._ok(message)

    def _on_sync(self, _message: dict[str, Any]) -> None:
        self._say("snapshot", revision=self._revision, keys=len(self._values))
        for key, (value, revision, _) in self._values.items():
            self._say("set", key=key, value=value, revision=revision)
        self._say("synced", revision=self._revision)

    def _on_put(self, message: dict[str, Any]) -> None:
        if self._is_expected(message):
            self._set(message, message["value"], self._end_of(message))
            self._ok(message, revision=self._revision)

    def _on_erase(self, message: dict[str, Any]) -> None:
        if self._is_expected(message):
            if self._values.pop(message["key"], None):
                self._revision += 1
                self._say("erased", key=message["key"], revision=self._revision)
            self._ok(message, revision=self._revision)

    def _on_increment(self, message: dict[str, Any]) -> None:
        value, _, end = self._values.get(message["key"], (0, 0, self._end_of(message)))
        if isinstance(value, int) and not isinstance(value, bool):
            self._set(message, value + message["by"], end)
            self._ok(message, revision=self._revision, value=value + message["by"])
        else:
            self._refuse(message, "not-a-number", reason=f"{message['key']} is no whole number")

    def _on_get(self, message: dict[str, Any]) -> None:
        value, revision, _ = self._values.get(message["key"], (None, 0, 0))
        self._ok(message, revision=revision, **({"value": value} if revision else {}))

    def _set(self, message: dict[str, Any], value: Any, end: float) -> None:
        self._revision += 1
        self._values[message["key"]] = (value, self._revision, end)
        self._say("set", key=message["key"], value=value, revision=self._revision)

    def _end_of(self, message: dict[str, Any]) -> float:
        return time.monotonic() + message.get("ttl_ms", float("inf")) / 1000

    def _is_expected(self, message: dict[str, Any]) -> bool:
        revision = self._values.get(message["key"], (None, 0, 0))[1]
        if message.get("expected", revision) == revision:
            return True
        self._refuse(message, "conflict", reason="the key has another revision",
                     revision=revision)
        return False


# It ends half a line that another process of this worker may have left, and begins anew.
_HELLO = b'\n{"type":"hello","protocol":1}\n'

_bus_fd: Optional[int] = None  # taken out of the environment, and not open yet
_bus_process = 0  # who has opened it


def _keep_bus() -> None:
    """Keeps the bus from programs that this one starts."""
    global _bus_fd
    if "USHER_BUS_FD" in os.environ:
        _bus_fd = _descriptor("USHER_BUS_FD")
        del os.environ["USHER_BUS_FD"]


def _open_bus() -> socket.socket:
    """The bus that this process inherited; without usher one of its own."""
    global _bus_fd, _bus_process
    _keep_bus()
    if _bus_fd is None:
        if _bus_process:
            raise UsherError(f"process {_bus_process} has opened the bus of this worker already: "
                             "use that one everywhere, or open it after a fork and not before")
        if "USHER_SLOT" in os.environ:
            raise UsherError("USHER_BUS_FD is not set although USHER_SLOT is: the bus is for the "
                             "process that usher starts, and for those that it forks")
        _bus_process = os.getpid()
        return _Alone().peer
    bus = socket.socket(fileno=_bus_fd)
    if bus.family != socket.AF_UNIX or bus.type != socket.SOCK_STREAM:
        bus.detach()
        raise UsherError(f"USHER_BUS_FD names descriptor {_bus_fd}, which is no Unix stream socket")
    try:
        # A lock of this process, which the kernel takes back when it ends; others may have
        # inherited the same socket.
        fcntl.lockf(bus, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        asked = struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, 0, 0, 0)
        owner = struct.unpack("hhqqi0q", fcntl.fcntl(bus, fcntl.F_GETLK, asked))[4]
        bus.detach()
        raise UsherError(f"process {owner} of this worker has the bus open, and two would take each "
                         "other's messages: let usher start the processes (gunicorn --workers 1)"
                         ) from None
    _bus_fd, _bus_process = None, os.getpid()
    return bus


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
    _keep_bus()
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
