"""A user of the same machine who does what they should not: stranger.py MODE ARGUMENTS..."""

import array
import fcntl
import os
import socket
import time

import hostile
from hostile import SlowFile, lingering_socket, mode, say, stay


@mode
def nothing():
    stay()


def send_to_inboxes(descriptors, *, keep=False):
    """Sends a descriptor each to everybody who takes datagrams."""
    for name, fd in zip(hostile.inboxes(), descriptors):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.settimeout(0.5)  # not everybody reads
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        try:
            sender.sendmsg([b"READY=1"], [rights], 0, name)
        except OSError as error:
            say(f"refused: {error}")
        if not keep:
            hostile.forget(fd)
    say("sent")


@mode
def lingering_sockets_to_inboxes():
    """The last close of each waits."""
    pairs = [lingering_socket() for _ in range(20)]
    send_to_inboxes([ours.detach() for ours, _ in pairs])
    stay()


@mode
def slow_files_to_inboxes():
    """Each close waits."""
    try:
        slow = SlowFile()
    except OSError as error:
        say(f"left out, there is no FUSE here: {error}")
        say("sent")
        stay()
    send_to_inboxes([os.dup(slow.fd) for _ in range(20)], keep=True)  # our close would wait as well
    stay()


@mode
def flood_inboxes():
    """Sends as fast as it goes to all that can be sent to."""
    senders = []
    for address in hostile.inboxes():
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        try:
            sender.connect(address)
        except OSError:
            continue
        senders.append(sender)
    say("floods")
    end = time.monotonic() + 30
    while senders and time.monotonic() < end:
        for sender in senders:
            try:
                sender.send(b"WATCHDOG=1")
            except OSError:
                pass
    stay()


@mode
def lock_folder(folder):
    """Whoever can read it may."""
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    say("locked")
    stay()


@mode
def listen_for_secrets(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        say("listens")
        client, _ = listener.accept()
        say(f"heard {client.recv(1000)}")


if __name__ == "__main__":
    hostile.main()
