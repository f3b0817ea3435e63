"""What hostile workers and strangers share."""

import ctypes
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time

MODES = {}


def mode(function):
    """Makes a function a mode: `slow_down` is the one that is asked for as `slow-down`."""
    MODES[function.__name__.replace("_", "-")] = function
    return function


def say(line):
    """Tells the test; a line is written at once."""
    fd = os.open(os.environ["HOSTILE_SAID"], os.O_WRONLY | os.O_APPEND)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


def stay():
    """Does nothing for ever."""
    while True:
        time.sleep(3600)


def linger_on(ours, seconds=3600):
    """Has the last close of a socket, whose peer does not read, wait."""
    ours.setblocking(False)
    try:
        while True:
            ours.send(b"x" * 65536)
    except BlockingIOError:
        pass
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    ours.setblocking(True)  # a close of a nonblocking socket waits as well, but let nobody doubt it


def lingering_socket(seconds=3600):
    """A connected socket whose last close waits for a peer that does not read."""
    listener = socket.create_server(("127.0.0.1", 0))
    peer = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    linger_on(ours, seconds)
    return ours, peer


def forget(fd):
    """Closes it, on a thread: it may be ours that is the last close."""
    threading.Thread(target=os.close, args=(fd,), daemon=True).start()


class SlowFile:
    """A file of a FUSE file system of one's own, in namespaces of one's own: `close()` of it, by
    whoever has a copy, waits until this process ends (fuse(4); the opcodes are <linux/fuse.h>'s).

    A process of its own serves it, and ends with this one: nobody could kill a process that waits
    for itself."""

    LOOKUP, GETATTR, OPEN, RELEASE, FLUSH, INIT = 1, 3, 14, 18, 25, 26

    def __init__(self):
        folder = tempfile.mkdtemp()
        user, group = os.getuid(), os.getgid()
        libc = ctypes.CDLL(None, use_errno=True)
        clone_newns, clone_newuser = 0x20000, 0x10000000
        if libc.unshare(clone_newuser | clone_newns) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        # Here, or it is of another user namespace than the file system.
        device = os.open(os.environ.get("HOSTILE_FUSE", "/dev/fuse"), os.O_RDWR)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"slow", folder.encode(), b"fuse", 0, options) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        # Opened before the file, so that its number is lower, and an end closes it first.
        theirs, self.alive = os.pipe()
        if os.fork() == 0:
            os.close(self.alive)
            self.serve(device, theirs)
        self.fd = os.open(f"{folder}/file", os.O_RDWR)
        os.close(device)
        os.close(theirs)

    def serve(self, device, alive):
        while True:
            ready, _, _ = select.select([device, alive], [], [])
            if alive in ready:
                os._exit(0)
            request = os.read(device, 1 << 20)
            _, opcode, unique, node = struct.unpack_from("=IIQQ", request)
            if opcode == self.FLUSH:
                continue
            body, error = b"", 0
            if opcode == self.INIT:
                body = struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, 0)
            elif opcode == self.LOOKUP:
                body = struct.pack("=QQQQII", 2, 0, 3600, 3600, 0, 0) + self.attributes(2)
            elif opcode == self.GETATTR:
                body = struct.pack("=QII", 3600, 0, 0) + self.attributes(node)
            elif opcode == self.OPEN:
                body = struct.pack("=QII", 1, 0, 0)
            elif opcode != self.RELEASE:
                error = -38  # ENOSYS
            os.write(device, struct.pack("=IiQ", 16 + len(body), error, unique) + body)

    @staticmethod
    def attributes(node):
        kind = 0o40755 if node == 1 else 0o100666
        return struct.pack("=QQQQQQIIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, kind, 1, 0, 0, 0, 4096, 0)


def abstract_sockets(kind=2):
    """The names of all abstract Unix sockets of a kind (2: datagrams), which everybody may read."""
    names = []
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as lines:
        for line in list(lines)[1:]:
            words = line.split()
            if len(words) == 8 and words[7].startswith("@") and int(words[4], 16) == kind:
                names.append("\0" + words[7][1:])
    return names


def inboxes():
    """The addresses of all inboxes of usher that show: by abstract names, or as files."""
    addresses = abstract_sockets()
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 8 and "/usher-inbox-" in words[7] and words[4] == "0002":
                addresses.append(words[7])
    return addresses


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in MODES:
        sys.exit(f"usage: {sys.argv[0]} MODE ARGUMENTS..., with a mode of {', '.join(MODES)}")
    MODES[sys.argv[1]](*sys.argv[2:])
